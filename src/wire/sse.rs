//! Server-sent events: where they end, and what they carry (HTML Living Standard, section 9.2).
//!
//! Lines end in CR, LF or CRLF; an event ends at an empty line. Any cut of the bytes gives the same events.

use std::borrow::Cow;
use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

use super::stream::StreamError;

/// Finds the ends of events in bytes that arrive in pieces.
#[derive(Clone, Debug, Default)]
pub struct Splitter {
    /// The line being read has bytes.
    in_line: bool,
    /// The last byte was a CR: an LF after it belongs to the same line end.
    after_cr: bool,
}

impl Splitter {
    /// At the start of a new piece: whether its first byte is the LF of a CRLF whose CR ended the last event. That byte
    /// still belongs to that event.
    pub fn owes_line_feed(&mut self, bytes: &[u8], in_event: bool) -> bool {
        if in_event || bytes.is_empty() {
            return false;
        }
        std::mem::take(&mut self.after_cr) && bytes.first() == Some(&b'\n')
    }

    /// The length of what ends the current event: its rest, empty line included. `None`: the event goes on after
    /// `bytes`, which are taken note of and must not be shown again.
    pub fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let first = *bytes.first()?;
        let mut at = usize::from(self.after_cr && first == b'\n');
        self.after_cr = false;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(found) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.in_line |= !rest.is_empty();
                return None;
            };
            let empty = found == 0 && !self.in_line;
            self.in_line = false;
            let cr = rest.get(found) == Some(&b'\r');
            at += found + 1;
            if cr {
                match bytes.get(at) {
                    Some(b'\n') => at += 1,
                    Some(_) => {}
                    None => self.after_cr = true,
                }
            }
            if empty {
                return Some(at);
            }
        }
    }
}

/// Cuts a stream into its events. One that lies in one piece is a slice of it.
#[derive(Debug, Default)]
pub struct Events {
    splitter: Splitter,
    /// The beginning of an event whose end has not come.
    held: BytesMut,
    /// What comes after it and was not looked at yet.
    piece: Bytes,
}

impl Events {
    /// Takes the next piece. Whether it begins with the LF of a CRLF whose CR ended the event before, which is not told
    /// again.
    pub fn push(&mut self, mut piece: Bytes) -> bool {
        let late = self.splitter.owes_line_feed(&piece, !self.held.is_empty() || !self.piece.is_empty());
        if late {
            piece.advance(1);
        }
        self.piece = if self.piece.is_empty() { piece } else { [&self.piece[..], &piece].concat().into() };
        late
    }

    /// The next whole event, its empty line included.
    ///
    /// # Errors
    /// An event of more than `most` bytes.
    pub fn next(&mut self, most: usize) -> Result<Option<Bytes>, StreamError> {
        let Some(length) = self.splitter.end(&self.piece) else {
            self.held.extend_from_slice(&std::mem::take(&mut self.piece));
            return if self.held.len() > most { Err(StreamError::TooLarge(most)) } else { Ok(None) };
        };
        let mut event = self.piece.split_to(length);
        if !self.held.is_empty() {
            self.held.extend_from_slice(&event);
            event = self.held.split().freeze();
        }
        if event.len() > most { Err(StreamError::TooLarge(most)) } else { Ok(Some(event)) }
    }

    /// What has come of an event that never ended.
    #[must_use]
    pub fn rest(&self) -> Bytes {
        [&self.held[..], &self.piece].concat().into()
    }
}

/// Whether an event without its empty line is an event all the same: its data is whole JSON, or `[DONE]`.
#[must_use]
pub fn is_whole(raw: &[u8]) -> bool {
    let event = parse(raw);
    let data = event.data.as_deref().unwrap_or_default().trim_ascii();
    data == b"[DONE]" || serde_json::from_slice::<&serde_json::value::RawValue>(data).is_ok()
}

/// One event with this name and JSON.
#[must_use]
pub fn event(name: Option<&[u8]>, json: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(json.len() + 64);
    if let Some(name) = name {
        bytes.extend_from_slice(b"event: ");
        bytes.extend_from_slice(name);
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(b"data: ");
    // Between tokens a line end is a blank like any other; inside an event it would be the end of the data.
    bytes.extend(json.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
    bytes.extend_from_slice(b"\n\n");
    bytes.into()
}

/// One event, its fields found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event<'a> {
    /// The value of `event`.
    pub name: Option<&'a [u8]>,
    /// The data, its lines joined with LF; `None` if the event has no `data` field.
    pub data: Option<Cow<'a, [u8]>>,
    /// Where the data stands in the raw event, if it is one line.
    pub place: Option<Range<usize>>,
    /// A line that is no field but begins like a JSON object: what a server writes that answers a stream with a bare error.
    pub bare: Option<&'a [u8]>,
}

/// The byte order mark that a stream may begin with.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Reads the fields of one raw event.
#[must_use]
pub fn parse(raw: &[u8]) -> Event<'_> {
    let mut event = Event::default();
    let mut at = if raw.starts_with(BOM) { BOM.len() } else { 0 };
    while at < raw.len() {
        let rest = raw.get(at..).unwrap_or_default();
        let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let line = rest.get(..end).unwrap_or_default();
        event.line(line, at);
        at += end + 1;
    }
    event
}

impl<'a> Event<'a> {
    fn line(&mut self, line: &'a [u8], at: usize) {
        let colon = memchr::memchr(b':', line);
        let field = line.get(..colon.unwrap_or(line.len())).unwrap_or_default();
        let after = colon.map_or(line.len(), |colon| colon + 1);
        let after = after + usize::from(line.get(after) == Some(&b' '));
        let value = line.get(after..).unwrap_or_default();
        match field {
            b"data" => self.add_data(value, at + after),
            b"event" => self.name = Some(value),
            _ if line.first() == Some(&b'{') => self.bare = Some(line),
            _ => {}
        }
    }

    fn add_data(&mut self, value: &'a [u8], at: usize) {
        match &mut self.data {
            None => {
                self.data = Some(Cow::Borrowed(value));
                self.place = Some(at..at + value.len());
            }
            Some(data) => {
                self.place = None;
                let data = data.to_mut();
                data.push(b'\n');
                data.extend_from_slice(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut splitter = Splitter::default();
        let mut events = Vec::new();
        let mut held = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            if splitter.owes_line_feed(rest, !held.is_empty()) {
                rest = &rest[1..];
            }
            while let Some(end) = splitter.end(rest) {
                held.extend_from_slice(&rest[..end]);
                events.push(std::mem::take(&mut held));
                rest = &rest[end..];
            }
            held.extend_from_slice(rest);
        }
        events.iter().map(|raw| parse(raw).data.unwrap_or_default().into_owned()).collect()
    }

    #[test]
    fn every_line_end_splits_alike_and_at_any_cut() {
        for (stream, count) in [
            ("data: a\n\ndata:b\ndata: c\n\n: hi\n\n", 3),
            ("data: a\r\n\r\ndata:b\r\ndata: c\r\n\r\n: hi\r\n\r\n", 3),
            ("data: a\r\rdata:b\rdata: c\r\r: hi\r\r", 3),
            ("\u{feff}data: a\n\r\ndata:b\r\ndata: c\n\r: hi\r\n\n", 3),
        ] {
            let bytes = stream.as_bytes();
            let whole = events(&[bytes]);
            assert_eq!(whole, [b"a".to_vec(), b"b\nc".to_vec(), Vec::new()], "{stream:?}");
            assert_eq!(whole.len(), count);
            for cut in 0..bytes.len() {
                assert_eq!(events(&[&bytes[..cut], &bytes[cut..]]), whole, "{stream:?} cut at {cut}");
            }
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(events(&single), whole);
        }
    }

    #[test]
    fn fields_are_read_as_the_standard_says() {
        let event = parse(b"event: error\nid: 7\ndata:  two spaces\n\n");
        assert_eq!(event.name, Some(&b"error"[..]));
        assert_eq!(event.data.as_deref(), Some(&b" two spaces"[..]), "one space goes, the other stays");
        assert_eq!(parse(b"data\n\n").data.as_deref(), Some(&b""[..]));
        assert_eq!(parse(b": {\"a\"}\n\n"), Event::default());
        assert_eq!(parse(b"{\"error\":1}\n").bare, Some(&b"{\"error\":1}"[..]));
    }
}
