//! Content blocks read into neutral steps: the same for a whole answer, where a block begins and ends at once, and a stream.

use std::borrow::Cow;

use super::words::text;
use crate::chat::{Event, Family, Seal, SealKind};
use crate::wire::json::{JsonError, JsonResult, Kind, Scanner, Str};

/// A content block, or what a stream says of one. A member of another type than its own counts as absent.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::wire::anthropic) struct Block<'a> {
    kind: Option<Str<'a>>,
    id: Option<Str<'a>>,
    name: Option<Str<'a>>,
    text: Option<Str<'a>>,
    thinking: Option<Str<'a>>,
    signature: Option<Str<'a>>,
    data: Option<Str<'a>>,
    partial_json: Option<Str<'a>>,
    /// An object.
    input: Option<&'a [u8]>,
}

impl<'a> Block<'a> {
    /// Reads a block or a delta, which must be an object.
    pub(in crate::wire::anthropic) fn read(scanner: &mut Scanner<'a>) -> JsonResult<Self> {
        let mut block = Self::default();
        scanner.object(|scanner, key| {
            match key.name {
                b"type" => block.kind = text(scanner)?,
                b"text" => block.text = text(scanner)?,
                b"partial_json" => block.partial_json = text(scanner)?,
                b"thinking" => block.thinking = text(scanner)?,
                b"signature" => block.signature = text(scanner)?,
                b"data" => block.data = text(scanner)?,
                b"id" => block.id = text(scanner)?,
                b"name" => block.name = text(scanner)?,
                b"input" if scanner.is(Kind::Object) => {
                    let place = scanner.value()?;
                    block.input = scanner.bytes().get(place);
                }
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        Ok(block)
    }

    /// Whether it has no type: a message's delta, which shares its name with a block's.
    pub(in crate::wire::anthropic) fn is_untyped(&self) -> bool {
        self.kind.is_none()
    }
}

/// The blocks that are open.
#[derive(Debug, Default)]
pub(in crate::wire::anthropic) struct Blocks {
    open: Vec<(u64, Open)>,
    calls: u32,
    /// The last thing said is reasoning without a seal.
    thinking: bool,
}

#[derive(Debug)]
enum Open {
    Text,
    Thinking {
        signature: String,
    },
    Call {
        index: u32,
        /// What to say if no fragment says anything.
        input: String,
    },
    /// A block that the neutral words do not have.
    Passed,
}

impl Blocks {
    /// A block begins.
    pub(in crate::wire::anthropic) fn begin(&mut self, place: u64, block: &Block<'_>, out: &mut Vec<Event>) {
        self.end(place, out);
        let open = match block.kind.map(|kind| kind.raw()) {
            Some(b"text") => {
                self.say_text(block.text, out);
                Open::Text
            }
            Some(b"thinking") => {
                if self.thinking {
                    out.push(Event::ReasoningPart { choice: 0 });
                }
                self.say_thinking(block.thinking, out);
                Open::Thinking { signature: block.signature.map(owned).unwrap_or_default() }
            }
            Some(b"redacted_thinking") => {
                self.seal(SealKind::Hidden, block.data.map(owned).unwrap_or_default(), out);
                Open::Passed
            }
            Some(b"tool_use") => {
                let index = self.calls;
                self.calls += 1;
                self.thinking = false;
                let id = block.id.filter(|id| !id.is_empty()).map_or_else(|| format!("toolu_{index}"), owned);
                let name = block.name.map(owned).unwrap_or_default();
                out.push(Event::ToolCall { choice: 0, index, id, name, seal: None });
                // A whole value of a whole event: no character is cut.
                let input = block.input.map_or(Cow::Borrowed("{}"), String::from_utf8_lossy);
                Open::Call { index, input: input.into_owned() }
            }
            _ => Open::Passed,
        };
        self.open.push((place, open));
    }

    /// An open block goes on. One that was never begun is taken for what its delta is.
    pub(in crate::wire::anthropic) fn go_on(&mut self, place: u64, delta: &Block<'_>, out: &mut Vec<Event>) {
        let open = self.open.iter_mut().rev().find(|(open, _)| *open == place).map(|(_, open)| open);
        match (delta.kind.map(|kind| kind.raw()).unwrap_or_default(), open) {
            (_, Some(Open::Passed)) => {}
            (b"text_delta", _) => self.say_text(delta.text, out),
            (b"thinking_delta", _) => self.say_thinking(delta.thinking, out),
            // The whole signature in one piece, as Anthropic's own clients take it.
            (b"signature_delta", Some(Open::Thinking { signature })) => {
                *signature = delta.signature.map(owned).unwrap_or_default();
            }
            (b"signature_delta", None) => {
                self.seal(SealKind::Text, delta.signature.map(owned).unwrap_or_default(), out);
            }
            (b"input_json_delta", Some(Open::Call { index, input })) => {
                let fragment = delta.partial_json.map(owned).unwrap_or_default();
                if !fragment.is_empty() {
                    input.clear();
                    out.push(Event::Arguments { choice: 0, index: *index, text: fragment });
                }
            }
            _ => {}
        }
    }

    /// A block ends; one that is not open already did.
    pub(in crate::wire::anthropic) fn end(&mut self, place: u64, out: &mut Vec<Event>) {
        let Some(at) = self.open.iter().rposition(|(open, _)| *open == place) else { return };
        match self.open.remove(at).1 {
            Open::Thinking { signature } => self.seal(SealKind::Text, signature, out),
            Open::Call { index, input } if !input.is_empty() => {
                out.push(Event::Arguments { choice: 0, index, text: input });
            }
            Open::Text | Open::Call { .. } | Open::Passed => {}
        }
    }

    /// All blocks end.
    pub(in crate::wire::anthropic) fn end_all(&mut self, out: &mut Vec<Event>) {
        while let Some((place, _)) = self.open.first() {
            self.end(*place, out);
        }
    }

    /// Whether a tool was called.
    pub(in crate::wire::anthropic) fn called(&self) -> bool {
        self.calls > 0
    }

    fn say_text(&mut self, text: Option<Str<'_>>, out: &mut Vec<Event>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.thinking = false;
            out.push(Event::Text { choice: 0, text: owned(text) });
        }
    }

    fn say_thinking(&mut self, text: Option<Str<'_>>, out: &mut Vec<Event>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.thinking = true;
            out.push(Event::Reasoning { choice: 0, text: owned(text) });
        }
    }

    fn seal(&mut self, kind: SealKind, data: String, out: &mut Vec<Event>) {
        if !data.is_empty() {
            self.thinking = false;
            out.push(Event::Seal { choice: 0, seal: Seal { family: Family::Anthropic, kind, id: None, data } });
        }
    }
}

fn owned(text: Str<'_>) -> String {
    text.text().into_owned()
}
