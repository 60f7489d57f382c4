//! One event of a stream, read and written.

use crate::wire::json::{JsonError, JsonResult, Kind, Scanner, Str, escape_into};

use super::super::answer::read::{count, text, value_of, value_unless_null};

/// The members of an event that mean something.
#[derive(Debug, Default)]
pub(in super::super) struct Said<'a> {
    pub(in super::super) kind: Option<Str<'a>>,
    pub(in super::super) output: Option<u64>,
    /// `content_index` or `summary_index`.
    pub(in super::super) part: u64,
    pub(in super::super) delta: Option<Str<'a>>,
    /// The whole of what came in deltas: `text`, `refusal` or `arguments`.
    pub(in super::super) whole: Option<Str<'a>>,
    pub(in super::super) logprobs: Option<&'a [u8]>,
    pub(in super::super) item: Option<&'a [u8]>,
    pub(in super::super) response: Option<&'a [u8]>,
    pub(in super::super) error: Option<&'a [u8]>,
}

impl<'a> Said<'a> {
    pub(in super::super) fn read(data: &'a [u8]) -> JsonResult<Self> {
        let mut said = Self::default();
        let mut scanner = Scanner::lenient(data);
        scanner.object(|scanner, key| {
            match key.name {
                b"type" => said.kind = text(scanner)?,
                b"output_index" => said.output = count(scanner)?,
                b"content_index" | b"summary_index" => said.part = count(scanner)?.unwrap_or(0),
                b"delta" => said.delta = text(scanner)?,
                b"text" | b"refusal" | b"arguments" => said.whole = text(scanner)?,
                b"logprobs" => said.logprobs = value_of(scanner, Kind::Array)?,
                b"item" => said.item = value_of(scanner, Kind::Object)?,
                b"response" => said.response = value_of(scanner, Kind::Object)?,
                b"error" => said.error = value_unless_null(scanner)?,
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        scanner.end()?;
        Ok(said)
    }
}

/// An event being written at the end of a client's bytes.
pub(in super::super) struct Frame<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
}

impl<'o> Frame<'o> {
    pub(in super::super) fn begin(out: &'o mut Vec<u8>, kind: &str, sequence: u64) -> Self {
        for part in ["event: ", kind, "\ndata: "] {
            out.extend_from_slice(part.as_bytes());
        }
        let start = out.len();
        out.extend_from_slice(b"{\"type\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.push(b'"');
        let mut frame = Self { out, start };
        frame.number("sequence_number", sequence);
        frame
    }

    pub(in super::super) fn raw(&mut self, name: &str, json: &str) -> &mut Self {
        self.key(name);
        self.out.extend_from_slice(json.as_bytes());
        self
    }

    pub(in super::super) fn number(&mut self, name: &str, number: u64) -> &mut Self {
        self.key(name);
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        self
    }

    pub(in super::super) fn text(&mut self, name: &str, text: &str) -> &mut Self {
        self.key(name);
        self.out.push(b'"');
        escape_into(text, self.out);
        self.out.push(b'"');
        self
    }

    pub(in super::super) fn end(self) {
        // What was taken over as it came may have been written over several lines; none of them is inside a string.
        if let Some(data) = self.out.get_mut(self.start..)
            && memchr::memchr2(b'\n', b'\r', data).is_some()
        {
            for byte in data.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')) {
                *byte = b' ';
            }
        }
        self.out.extend_from_slice(b"}\n\n");
    }

    fn key(&mut self, name: &str) {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}
