//! A client that takes nothing for granted: bytes out, bytes in, and how the connection ended.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::scripted::{Behaviour, Handle, Script, Server};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn start(script: Script) -> Handle {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Server::bind(address, script).unwrap().spawn()
}

pub(super) fn start_with(behaviour: Behaviour) -> Handle {
    start(Script::always(behaviour))
}

/// What came back until the server closed.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    /// Chunks joined.
    pub(super) body: String,
    /// As it came.
    pub(super) raw: Vec<u8>,
    pub(super) was_reset: bool,
    /// Content-Length reached, or the last chunk seen.
    pub(super) complete: bool,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The `data:` events, as JSON but for `[DONE]`.
    pub(super) fn events(&self) -> Vec<Value> {
        let mut events = Vec::new();
        for event in self.body.split_terminator("\n\n") {
            let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")) else {
                continue;
            };
            events.push(match data {
                "[DONE]" => json!("[DONE]"),
                data => serde_json::from_str(data).unwrap_or_else(|_| json!("malformed")),
            });
        }
        events
    }

    /// The names of the events, which also are their data's `type`.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for event in self.body.split_terminator("\n\n") {
            let name = event.strip_prefix("event: ").and_then(|rest| rest.split_once('\n'));
            let (name, data) = name.expect("each event has a name");
            let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(data["type"], name);
            names.push(name.to_owned());
        }
        names
    }

    /// Error message and status of a refusal.
    pub(super) fn refusal(&self) -> (u16, String) {
        let message = self.json()["error"]["message"].as_str().unwrap().to_owned();
        (self.status, message)
    }

    /// What one delta field says over all events of choice 0.
    pub(super) fn joined(&self, field: &str) -> String {
        let mut text = String::new();
        for event in self.events() {
            let choice = &event["choices"][0];
            if choice["index"] == 0 {
                text.push_str(choice["delta"][field].as_str().unwrap_or_default());
            }
        }
        text
    }
}

pub(super) fn ask(prompt: &str) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": prompt}]})
}

pub(super) fn ask_streamed(prompt: &str) -> Value {
    let mut ask = ask(prompt);
    ask["stream"] = json!(true);
    ask
}

pub(super) fn request(body: &str) -> String {
    let length = body.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: upstream\r\nAuthorization: Bearer k-1\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// The same, asking for the connection to be closed.
pub(super) fn last_request(body: &str) -> String {
    request(body).replacen("\r\nContent-Type", "\r\nConnection: close\r\nContent-Type", 1)
}

/// Sends one chat request and reads until the end.
pub(super) async fn post(server: &Handle, body: &Value) -> Answer {
    exchange(server, last_request(&body.to_string()).as_bytes()).await
}

/// Sends a request to any path, with Anthropic's version header.
pub(super) async fn post_to(server: &Handle, path: &str, body: &Value) -> Answer {
    let request = last_request(&body.to_string());
    let line = format!("POST {path} HTTP/1.1\r\nanthropic-version: 2023-06-01\r\n");
    exchange(server, request.replacen("POST /v1/chat/completions HTTP/1.1\r\n", &line, 1).as_bytes()).await
}

pub(super) async fn exchange(server: &Handle, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read_answer(&mut stream).await
}

pub(super) async fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut raw = Vec::new();
    let mut was_reset = false;
    loop {
        let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut raw));
        match read.await.expect("the server should go on or close") {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
                was_reset = true;
                break;
            }
        }
    }
    parse(raw, was_reset)
}

/// Reads until `end` was sent, and leaves the connection open.
pub(super) async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut raw = Vec::new();
    while memchr::memmem::find(&raw, end.as_bytes()).is_none() {
        let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut raw));
        let read = read.await.expect("the server should go on").unwrap();
        assert_ne!(read, 0, "closed before {end:?}: {:?}", String::from_utf8_lossy(&raw));
    }
    String::from_utf8(raw).unwrap()
}

fn parse(raw: Vec<u8>, was_reset: bool) -> Answer {
    let text = String::from_utf8_lossy(&raw).into_owned();
    let (head, rest) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let mut body = rest.to_owned();
    let mut complete = false;
    if let Some((_, length)) = head.split_once("content-length: ") {
        let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
        complete = rest.len() == length;
    } else if head.contains("transfer-encoding: chunked") {
        (body, complete) = join_chunks(rest);
    }
    Answer { status: status.unwrap_or(0), head: head.to_owned(), body, complete, raw, was_reset }
}

fn join_chunks(mut rest: &str) -> (String, bool) {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return (body, after == "\r\n");
        }
        body.push_str(&after[..size.min(after.len())]);
        rest = after.get(size + 2..).unwrap_or_default();
    }
    (body, false)
}
