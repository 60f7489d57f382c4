//! A small HTTP/1.1 client that reads carefully and writes whatever it is told, right or wrong.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::{PATIENCE, runtime};

/// How a client leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gone {
    /// It closes its connection.
    Fin,
    /// Its connection is reset.
    Rst,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the connection ended before the body was whole.
    pub(crate) cut_off: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// A header that must be there.
    pub(crate) fn expect_header(&self, name: &str) -> &str {
        self.header(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// What the model said in the first choice of a whole answer.
    pub(crate) fn said(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()["choices"][0]["message"]["content"].as_str().expect("a text").to_owned()
    }

    /// The body as the events of a stream.
    pub(crate) fn events(&self) -> Vec<String> {
        let text = self.text();
        text.split("\n\n").filter(|event| !event.is_empty()).map(str::to_owned).collect()
    }

    /// Fails unless this is an error in OpenAI's shape, with this status and code. Gives its message.
    #[track_caller]
    pub(crate) fn must_be_error(&self, status: u16, code: &str) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        let body = self.json();
        let error = &body["error"];
        assert_eq!(error["code"], code, "{body}");
        assert!(error["type"].is_string(), "{body}");
        assert!(error.get("param").is_some(), "{body}");
        error["message"].as_str().expect("a message").to_owned()
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// How the end of a body is marked.
#[derive(Debug, Clone, Copy)]
enum Framing {
    Left(usize),
    Chunks,
    UntilClose,
    Over,
}

/// One connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    framing: Framing,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        // A read that takes longer is a failure of the test, not a hang of it.
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::new(), framing: Framing::Over }
    }

    /// Writes these bytes. A peer that has closed is noticed when its answer is read.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Writes as far as the peer reads, and says whether it took everything.
    pub(crate) fn send_all(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Reads the head of the next answer; `None` if the connection ends instead.
    pub(crate) fn head(&mut self) -> Option<(u16, Vec<(String, String)>)> {
        loop {
            let mut slots = [httparse::EMPTY_HEADER; 64];
            let mut head = httparse::Response::new(&mut slots);
            if let Ok(httparse::Status::Complete(length)) = head.parse(&self.buffer) {
                let status = head.code.unwrap();
                let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                let headers: Vec<_> =
                    head.headers.iter().map(|header| (header.name.to_ascii_lowercase(), text(header.value))).collect();
                self.buffer.drain(..length);
                if status == 100 {
                    continue;
                }
                self.framing = framing(status, &headers);
                return Some((status, headers));
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// Reads the next piece of the body. `Ok(None)` at its end, `Err` where it is cut off.
    fn piece(&mut self) -> Result<Option<Vec<u8>>, ()> {
        match self.framing {
            Framing::Over | Framing::Left(0) => Ok(None),
            Framing::Left(left) => {
                if self.buffer.is_empty() && !self.fill() {
                    return Err(());
                }
                let taken = left.min(self.buffer.len());
                self.framing = Framing::Left(left - taken);
                Ok(Some(self.buffer.drain(..taken).collect()))
            }
            Framing::UntilClose => {
                if self.buffer.is_empty() && !self.fill() {
                    self.framing = Framing::Over;
                    return Ok(None);
                }
                Ok(Some(std::mem::take(&mut self.buffer)))
            }
            Framing::Chunks => self.chunk(),
        }
    }

    fn chunk(&mut self) -> Result<Option<Vec<u8>>, ()> {
        loop {
            if let Some(line) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let size = std::str::from_utf8(&self.buffer[..line]).unwrap();
                let size = usize::from_str_radix(size.split(';').next().unwrap().trim(), 16).unwrap();
                let whole = line + 2 + size + 2;
                if self.buffer.len() >= whole {
                    let chunk = self.buffer[line + 2..line + 2 + size].to_vec();
                    self.buffer.drain(..whole);
                    if size == 0 {
                        self.framing = Framing::Over;
                        return Ok(None);
                    }
                    return Ok(Some(chunk));
                }
            }
            if !self.fill() {
                return Err(());
            }
        }
    }

    /// Reads more; `false` at the end of the connection.
    fn fill(&mut self) -> bool {
        let mut bytes = [0; 16 << 10];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(read) => {
                self.buffer.extend_from_slice(&bytes[..read]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing came within {PATIENCE:?}: {error}"),
        }
    }

    /// Reads one answer to its end.
    pub(crate) fn answer(&mut self) -> Answer {
        let (status, headers) = self.head().expect("an answer, not the end of the connection");
        let mut body = Vec::new();
        let cut_off = loop {
            match self.piece() {
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => break false,
                Err(()) => break true,
            }
        };
        Answer { status, headers, body, cut_off }
    }

    /// Whether the peer ends the connection without sending anything more.
    pub(crate) fn is_ended_by_peer(&mut self) -> bool {
        self.buffer.is_empty() && !self.fill()
    }

    /// Leaves.
    pub(crate) fn leave(self, how: Gone) {
        match how {
            Gone::Fin => drop(self.stream),
            Gone::Rst => {
                // The standard library cannot ask for a reset yet.
                self.stream.set_nonblocking(true).unwrap();
                let _on_the_runtime = runtime().enter();
                tokio::net::TcpStream::from_std(self.stream).unwrap().set_zero_linger().unwrap();
            }
        }
    }

    /// Reads the head of a stream, which must be one, and gives its events as they come.
    pub(crate) fn events(mut self) -> Events {
        let (status, headers) = self.head().expect("an answer, not the end of the connection");
        Events { connection: self, status, headers, text: Vec::new(), ready: VecDeque::new(), cut_off: false }
    }
}

fn framing(status: u16, headers: &[(String, String)]) -> Framing {
    if status == 204 || status == 304 {
        return Framing::Over;
    }
    if find(headers, "transfer-encoding").is_some_and(|encoding| encoding.eq_ignore_ascii_case("chunked")) {
        return Framing::Chunks;
    }
    match find(headers, "content-length") {
        Some(length) => Framing::Left(length.parse().unwrap()),
        None => Framing::UntilClose,
    }
}

/// A stream, event by event.
pub(crate) struct Events {
    connection: Connection,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    text: Vec<u8>,
    ready: VecDeque<String>,
    cut_off: bool,
}

impl Events {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The next event, without the blank line after it. `None` at the end.
    pub(crate) fn next(&mut self) -> Option<String> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            match self.connection.piece() {
                Ok(Some(piece)) => self.text.extend_from_slice(&piece),
                Ok(None) => return None,
                Err(()) => {
                    self.cut_off = true;
                    return None;
                }
            }
            while let Some(end) = self.text.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = self.text.drain(..end + 2).collect();
                self.ready.push_back(String::from_utf8(event[..end].to_vec()).unwrap());
            }
        }
    }

    /// Reads until there is content, and gives it.
    pub(crate) fn content(&mut self) -> String {
        loop {
            let event = self.next().expect("content before the end");
            let text = content_of(&event);
            if !text.is_empty() {
                return text;
            }
        }
    }

    /// Reads to the end.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// Whether the connection ended before the stream was whole.
    pub(crate) fn cut_off(&self) -> bool {
        self.cut_off
    }

    pub(crate) fn leave(self, how: Gone) {
        self.connection.leave(how);
    }
}

/// The JSON of an event.
pub(crate) fn data(event: &str) -> Option<Value> {
    serde_json::from_str(event.strip_prefix("data: ")?).ok()
}

fn content_of(event: &str) -> String {
    let data = data(event).unwrap_or_default();
    data["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned()
}

/// What was said in a stream.
pub(crate) fn said(events: &[String]) -> String {
    events.iter().map(|event| content_of(event)).collect()
}

/// The error inside a stream, if there is one.
pub(crate) fn error_in(events: &[String]) -> Option<Value> {
    events.iter().filter_map(|event| data(event)).find(|data| data.get("error").is_some())
}

/// Whether a stream ends as OpenAI's do.
pub(crate) fn is_done(events: &[String]) -> bool {
    events.last().is_some_and(|event| event == "data: [DONE]")
}
