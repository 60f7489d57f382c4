//! A request's head: what is read from it and what is refused.

use std::ops::Range;

use httparse::Status;

/// More headers than this are refused.
pub(super) const MAX_HEADERS: usize = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
}

/// A request's head; the ranges are places in its bytes.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) length: usize,
    pub(super) framing: Framing,
    pub(super) expects_continue: bool,
    pub(super) method: Method,
    pub(super) path: Range<usize>,
    /// `authorization`, `x-api-key`, `api-key`, `x-goog-api-key`.
    pub(super) credentials: [Option<Range<usize>>; 4],
    pub(super) anthropic_version: bool,
    pub(super) keep_alive: bool,
    /// HTTP/1.0 clients know no chunks: a stream then ends with the connection.
    pub(super) knows_chunks: bool,
}

/// `None` if the head is not complete. Stricter than many servers, so that a gateway that lets a
/// doubtful head through is found out.
pub(super) fn parse(input: &[u8]) -> Result<Option<Head>, &'static str> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut slots);
    let length = match request.parse(input) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Ok(None),
        Err(_) => return Err("the request's head is malformed"),
    };
    let newer = request.version == Some(1);
    let mut head = Head {
        length,
        framing: Framing::Length(0),
        expects_continue: false,
        method: match request.method {
            Some("GET") => Method::Get,
            Some("POST") => Method::Post,
            _ => Method::Other,
        },
        path: place(input, request.path.unwrap_or_default().as_bytes()),
        credentials: [None, None, None, None],
        anthropic_version: false,
        keep_alive: newer,
        knows_chunks: newer,
    };
    let mut has_length = false;
    let mut hosts = 0;
    for header in request.headers.iter() {
        let (name, value) = (header.name, header.value);
        if name.eq_ignore_ascii_case("content-length") {
            let length = decimal(value).ok_or("content-length is not a number")?;
            if has_length {
                return Err("content-length stands twice");
            }
            has_length = true;
            if head.framing != Framing::Chunked {
                head.framing = Framing::Length(length);
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") || head.framing == Framing::Chunked {
                return Err("transfer-encoding is not `chunked`");
            }
            head.framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case("host") {
            hosts += 1;
        } else if name.eq_ignore_ascii_case("connection") {
            head.keep_alive = keeps_alive(value, head.keep_alive);
        } else if name.eq_ignore_ascii_case("expect") {
            head.expects_continue = value.eq_ignore_ascii_case(b"100-continue");
        } else if name.eq_ignore_ascii_case("authorization") {
            head.credentials[0] = Some(place(input, value));
        } else if name.eq_ignore_ascii_case("x-api-key") {
            head.credentials[1] = Some(place(input, value));
        } else if name.eq_ignore_ascii_case("api-key") {
            head.credentials[2] = Some(place(input, value));
        } else if name.eq_ignore_ascii_case("x-goog-api-key") {
            head.credentials[3] = Some(place(input, value));
        } else if name.eq_ignore_ascii_case("anthropic-version") {
            head.anthropic_version = true;
        }
    }
    if has_length && head.framing == Framing::Chunked {
        return Err("content-length and transfer-encoding stand together");
    }
    if newer && hosts != 1 {
        return Err("there is not exactly one host header");
    }
    // A bare LF reads as a line's end for some servers and not for others.
    for at in memchr::memchr_iter(b'\n', &input[..length]) {
        if at == 0 || input[at - 1] != b'\r' {
            return Err("a line of the head ends without CR");
        }
    }
    Ok(Some(head))
}

/// Where `part`, a slice of `whole`, lies in it.
fn place(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    let start = start.min(whole.len());
    start..(start + part.len()).min(whole.len())
}

fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn keeps_alive(value: &[u8], unless_said: bool) -> bool {
    let mut keep = unless_said;
    for token in value.split(|byte| *byte == b',') {
        let token = token.trim_ascii();
        if token.eq_ignore_ascii_case(b"close") {
            return false;
        }
        if token.eq_ignore_ascii_case(b"keep-alive") {
            keep = true;
        }
    }
    keep
}
