//! A server that answers with recorded traffic: `POST /NAME/…` is answered as the provider answered in the exchange of
//! that name, and what was sent is kept. `GET /_sent/NAME` and `GET /_answer/NAME` tell another process of both.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::repository;

/// Headers of a recorded answer that are sent again; the others belong to the connection of then.
const KEPT: [&str; 4] = ["content-type", "request-id", "x-request-id", "retry-after"];

/// One recorded exchange.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) name: String,
    pub(crate) provider: String,
    /// `chat`, `responses`, `messages`, `gen`, `gen-stream`, …
    pub(crate) endpoint: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// The body as the provider sent it; JSON without white space, key order kept.
    pub(crate) body: Vec<u8>,
    /// Whether the body is a stream of server-sent events.
    pub(crate) stream: bool,
}

#[derive(Deserialize)]
struct File {
    provider: String,
    endpoint: String,
    response: Response,
}

#[derive(Deserialize)]
struct Response {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Option<Box<RawValue>>,
    body_file: Option<String>,
}

/// The folder of all fixtures.
pub(crate) fn fixtures() -> PathBuf {
    repository().join("tests/fixtures")
}

/// Endpoints that answer in one of the formats that Waypost translates.
const FORMATS: [&str; 5] = ["chat", "responses", "messages", "gen", "gen-stream"];
/// The other endpoints that it serves.
const OTHERS: [&str; 3] = ["embeddings", "completions", "count"];

/// Every recorded exchange in one of the formats that Waypost translates, in order.
pub(crate) fn exchanges() -> Vec<Exchange> {
    recorded(&FORMATS)
}

fn recorded(endpoints: &[&str]) -> Vec<Exchange> {
    let folder = fixtures().join("exchanges");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let file: File = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        if !endpoints.contains(&file.endpoint.as_str()) {
            continue;
        }
        let response = file.response;
        let body = match (&response.body, &response.body_file) {
            (Some(body), _) => compact(body.get()),
            (None, Some(body_file)) => std::fs::read(folder.join(body_file)).unwrap(),
            (None, None) => Vec::new(),
        };
        let headers = response.headers.into_iter().filter(|(name, _)| KEPT.contains(&name.as_str())).collect();
        found.push(Exchange {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            provider: file.provider,
            endpoint: file.endpoint,
            status: response.status,
            headers,
            body,
            stream: response.body_file.is_some_and(|name| name.ends_with(".sse")),
        });
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(found.len() >= endpoints.len(), "the recordings are there");
    found
}

/// JSON without the white space between its tokens.
fn compact(json: &str) -> Vec<u8> {
    let (mut bytes, mut in_string, mut escaped) = (Vec::with_capacity(json.len()), false, false);
    for byte in json.bytes() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if byte.is_ascii_whitespace() {
            continue;
        } else {
            in_string = byte == b'"';
        }
        bytes.push(byte);
    }
    bytes
}

/// In what pieces a stream is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    Whole,
    /// One byte a write.
    Bytes,
    /// So many pieces on average, at places that this seed decides.
    Random {
        pieces: usize,
        seed: u64,
    },
}

/// Numbers that are random enough to cut at: xorshift, so that a seed tells all.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % limit.max(1)
    }
}

impl Cut {
    /// The pieces of these bytes.
    pub(crate) fn pieces(self, bytes: &[u8]) -> Vec<&[u8]> {
        match self {
            Self::Whole => vec![bytes],
            Self::Bytes => bytes.chunks(1).collect(),
            Self::Random { pieces, seed } => {
                let mut dice = Dice::new(seed);
                let mut places: Vec<usize> = (1..pieces).map(|_| dice.below(bytes.len())).collect();
                places.push(bytes.len());
                places.sort_unstable();
                let mut from = 0;
                let mut cut = Vec::new();
                for place in places {
                    if place > from {
                        cut.push(&bytes[from..place]);
                        from = place;
                    }
                }
                cut
            }
        }
    }
}

/// A request as it reached the server.
#[derive(Debug)]
struct Sent {
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

struct State {
    exchanges: BTreeMap<String, Exchange>,
    /// Names that answer with one exchange or, where a stream is wanted, with another.
    stand_ins: BTreeMap<String, (String, String)>,
    sent: BTreeMap<String, Sent>,
    cut: Cut,
}

/// The server. It lives as long as the test's process.
pub(crate) struct Replay {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Replay {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let exchanges = recorded(&[&FORMATS[..], &OTHERS].concat())
            .into_iter()
            .map(|exchange| (exchange.name.clone(), exchange))
            .collect();
        let (stand_ins, sent) = (BTreeMap::new(), BTreeMap::new());
        let state = Arc::new(Mutex::new(State { exchanges, stand_ins, sent, cut: Cut::Whole }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(connection, &state));
            }
        });
        Self { address, state }
    }

    /// Where an exchange is played, as a provider's endpoint.
    pub(crate) fn endpoint(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers at `name` as in the exchange `whole`, and as in `stream` where a stream is wanted.
    pub(crate) fn stand_in(&self, name: &str, whole: &str, stream: &str) {
        self.state.lock().stand_ins.insert(name.to_owned(), (whole.to_owned(), stream.to_owned()));
    }

    /// How streams are written from now on.
    pub(crate) fn cut(&self, cut: Cut) {
        self.state.lock().cut = cut;
    }
}

/// Answers requests on one connection until it ends.
fn serve(mut connection: TcpStream, state: &Mutex<State>) {
    let _ = connection.set_nodelay(true);
    let mut buffer = Vec::new();
    while let Some((method, sent)) = read(&mut connection, &mut buffer) {
        let name = sent.path.split('/').nth(1).unwrap_or_default().to_owned();
        if method == "GET" {
            let about = sent.path.rsplit('/').next().unwrap_or_default();
            let told = told(state, &name, about);
            if respond(&mut connection, 200, &[], &told, None).is_err() {
                return;
            }
            continue;
        }
        let wants_stream = sent.path.contains(":streamGenerateContent")
            || serde_json::from_slice::<Value>(&sent.body).is_ok_and(|body| body["stream"] == true);
        let (exchange, cut) = {
            let mut state = state.lock();
            state.sent.insert(name.clone(), sent);
            let stand_in = state.stand_ins.get(&name);
            let played = stand_in.map_or(&name, |(whole, stream)| if wants_stream { stream } else { whole });
            (state.exchanges.get(played).cloned(), state.cut)
        };
        let written = match exchange {
            Some(exchange) => {
                let cut = exchange.stream.then_some(cut);
                respond(&mut connection, exchange.status, &exchange.headers, &exchange.body, cut)
            }
            None => respond(&mut connection, 404, &[], br#"{"error":"no such exchange"}"#, None),
        };
        // A client that has gone is not the server's trouble.
        if written.is_err() {
            return;
        }
    }
}

/// What another process asks of this one.
fn told(state: &Mutex<State>, question: &str, about: &str) -> Vec<u8> {
    let state = state.lock();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match question {
        "_answer" => state.exchanges.get(about).map(|exchange| exchange.body.clone()).unwrap_or_default(),
        _ => match state.sent.get(about) {
            Some(sent) => json!({"path": sent.path, "headers": sent.headers, "body": text(&sent.body)}).to_string(),
            None => "null".to_owned(),
        }
        .into_bytes(),
    }
}

/// The next request; `None` at the connection's end.
fn read(connection: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(String, Sent)> {
    let (length, method, path, headers) = loop {
        let mut slots = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Request::new(&mut slots);
        if let Ok(httparse::Status::Complete(length)) = head.parse(buffer) {
            let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
            let headers: Vec<_> =
                head.headers.iter().map(|header| (header.name.to_ascii_lowercase(), text(header.value))).collect();
            break (length, head.method.unwrap().to_owned(), head.path.unwrap().to_owned(), headers);
        }
        fill(connection, buffer)?;
    };
    buffer.drain(..length);
    let find = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let mut body = Vec::new();
    if find("transfer-encoding").is_some() {
        loop {
            let line = loop {
                if let Some(line) = buffer.windows(2).position(|two| two == b"\r\n") {
                    break line;
                }
                fill(connection, buffer)?;
            };
            let size = usize::from_str_radix(std::str::from_utf8(&buffer[..line]).unwrap().trim(), 16).unwrap();
            while buffer.len() < line + 2 + size + 2 {
                fill(connection, buffer)?;
            }
            body.extend_from_slice(&buffer[line + 2..line + 2 + size]);
            buffer.drain(..line + 2 + size + 2);
            if size == 0 {
                break;
            }
        }
    } else {
        let length = find("content-length").map_or(0, |length| length.parse().unwrap());
        while buffer.len() < length {
            fill(connection, buffer)?;
        }
        body.extend(buffer.drain(..length));
    }
    Some((method, Sent { path, headers, body }))
}

fn fill(connection: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut bytes = [0; 16 << 10];
    let read = connection.read(&mut bytes).ok().filter(|read| *read > 0)?;
    buffer.extend_from_slice(&bytes[..read]);
    Some(())
}

fn respond(
    connection: &mut TcpStream,
    status: u16,
    headers: &[(String, String)],
    body: &[u8],
    cut: Option<Cut>,
) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} x\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let Some(cut) = cut else {
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        return connection.write_all(&[head.as_bytes(), body].concat());
    };
    head.push_str("transfer-encoding: chunked\r\n\r\n");
    connection.write_all(head.as_bytes())?;
    for piece in cut.pieces(body) {
        connection.write_all(&[format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat())?;
    }
    connection.write_all(b"0\r\n\r\n")
}
