//! A chat client's stream, written.

use super::super::answer::details::entries;
use super::super::answer::words::{finish_reason, logprobs, tool_call, usage};
use super::super::error;
use crate::chat::{Event, Family, Finish, SealKind, ToolCall, Usage};
use crate::wire::envelope::Envelope;
use crate::wire::json::{Object, escape_into};
use crate::wire::refusal::Refusal;
use crate::wire::stream;

/// Writes chunks. The usage comes in one last chunk with no choices, if the client asked.
#[derive(Debug)]
pub struct Encoder {
    envelope: Envelope,
    /// A chunk up to its choices, `data: ` and all; empty until the first is written.
    head: Vec<u8>,
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

/// What was said of one choice.
#[derive(Debug, Default)]
struct Choice {
    index: u32,
    /// The first chunk names the role.
    begun: bool,
    refused: bool,
    /// The current block of reasoning: a seal needs all of it.
    parts: Vec<String>,
    /// Some reasoning has been said.
    thought: bool,
    /// The next text of reasoning is a paragraph of its own.
    gap: bool,
    /// Index of the next entry of `reasoning_details`.
    next_detail: u32,
}

impl Encoder {
    /// At the beginning of a stream.
    #[must_use]
    pub fn new(envelope: Envelope) -> Self {
        Self { envelope, head: Vec::new(), choices: Vec::new(), usage: None }
    }

    fn start(&mut self, id: Option<&str>, model: Option<&str>, created: Option<u64>) {
        if !self.head.is_empty() {
            return;
        }
        let mut object = Object::new();
        object
            .put("id", id.unwrap_or(&self.envelope.id))
            .put("object", "chat.completion.chunk")
            .put("created", created.unwrap_or(self.envelope.created))
            .put("model", model.unwrap_or(&self.envelope.model));
        let json = object.finish();
        let open = json.strip_suffix('}').unwrap_or_default();
        self.head = ["data: ", open, ",\"choices\":["].concat().into_bytes();
    }

    /// The choice with this number, which is begun if it was not there.
    fn choice(&mut self, index: u32) -> &mut Choice {
        let place = self.choices.iter().position(|choice| choice.index == index).unwrap_or_else(|| {
            self.choices.push(Choice { index, ..Choice::default() });
            self.choices.len() - 1
        });
        // It was found there or has just been put there.
        &mut self.choices[place]
    }

    /// One chunk: a member of the delta, unless the name is empty, with a value that `write` writes; then what stands
    /// behind the delta.
    fn chunk(&mut self, choice: u32, name: &str, write: impl FnOnce(&mut Vec<u8>), rest: &str, out: &mut Vec<u8>) {
        self.start(None, None, None);
        out.reserve(self.head.len() + rest.len() + USUAL);
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b"{\"index\":");
        out.extend_from_slice(itoa::Buffer::new().format(choice).as_bytes());
        out.extend_from_slice(b",\"delta\":{");
        if !std::mem::replace(&mut self.choice(choice).begun, true) {
            out.extend_from_slice(b"\"role\":\"assistant\"");
            if !name.is_empty() {
                out.push(b',');
            }
        }
        if !name.is_empty() {
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            write(out);
        }
        out.extend_from_slice(b"},");
        out.extend_from_slice(rest.as_bytes());
        out.extend_from_slice(b"}]}\n\n");
    }

    fn text(&mut self, choice: u32, name: &str, text: &str, gap: bool, out: &mut Vec<u8>) {
        let write = |out: &mut Vec<u8>| {
            out.push(b'"');
            if gap {
                out.extend_from_slice(b"\\n\\n");
            }
            escape_into(text, out);
            out.push(b'"');
        };
        self.chunk(choice, name, write, GOING_ON, out);
    }

    fn list(&mut self, choice: u32, name: &str, elements: &str, out: &mut Vec<u8>) {
        let write = |out: &mut Vec<u8>| {
            out.push(b'[');
            on_one_line(elements, out);
            out.push(b']');
        };
        self.chunk(choice, name, write, GOING_ON, out);
    }

    fn bare(&mut self, choice: u32, rest: &str, out: &mut Vec<u8>) {
        self.chunk(choice, "", |_| {}, rest, out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if let Some(counted) = self.usage.filter(|_| self.envelope.show_usage) {
            self.start(None, None, None);
            let cost = (self.envelope.cost)(&counted);
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b"],\"usage\":");
            out.extend_from_slice(usage(&counted, cost).as_bytes());
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

/// Room for a delta.
const USUAL: usize = 128;
/// Behind a delta that is not the last.
const GOING_ON: &str = "\"logprobs\":null,\"finish_reason\":null";

impl stream::Encoder for Encoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model, created } => self.start(id.as_deref(), model.as_deref(), *created),
            Event::Text { choice, text } => {
                self.choice(*choice).parts.clear();
                self.text(*choice, "content", text, false, out);
            }
            Event::Refusal { choice, text } => {
                self.choice(*choice).refused = true;
                self.text(*choice, "refusal", text, false, out);
            }
            Event::Reasoning { choice, text } => {
                let gap = self.choice(*choice).think(text);
                self.text(*choice, "reasoning_content", text, gap, out);
            }
            Event::ReasoningPart { choice } => self.choice(*choice).part(),
            Event::Seal { choice, seal } => {
                let of = self.choice(*choice);
                let mut parts = std::mem::take(&mut of.parts);
                if seal.kind != SealKind::Text {
                    parts.clear();
                }
                let listed = entries(&parts, seal, &mut of.next_detail);
                of.gap |= seal.family != Family::Details && of.thought;
                if !listed.is_empty() {
                    self.list(*choice, "reasoning_details", &listed, out);
                }
            }
            Event::ToolCall { choice, index, id, name, seal } => {
                self.choice(*choice).parts.clear();
                let (id, name, seal) = (id.clone(), name.clone(), seal.clone());
                let call = ToolCall { id, name, arguments: String::new(), seal };
                self.list(*choice, "tool_calls", &tool_call(&call, Some(*index)), out);
            }
            Event::Arguments { choice, index, text } => {
                let write = |out: &mut Vec<u8>| {
                    out.extend_from_slice(b"[{\"index\":");
                    out.extend_from_slice(itoa::Buffer::new().format(*index).as_bytes());
                    out.extend_from_slice(b",\"function\":{\"arguments\":\"");
                    escape_into(text, out);
                    out.extend_from_slice(b"\"}}]");
                };
                self.chunk(*choice, "tool_calls", write, GOING_ON, out);
            }
            Event::Logprobs { choice, tokens } => {
                let listed = logprobs(tokens).replace(['\n', '\r'], " ");
                self.bare(*choice, &format!("\"logprobs\":{listed},\"finish_reason\":null"), out);
            }
            Event::Finish { choice, reason } => {
                let word = self.choice(*choice).reason(reason);
                self.bare(*choice, &format!("\"logprobs\":null,\"finish_reason\":\"{word}\""), out);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::End => self.end(out),
        }
    }

    fn fail(&mut self, refusal: &Refusal<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(&error::event(refusal));
    }
}

impl Choice {
    /// Takes in reasoning; whether a paragraph begins before it.
    fn think(&mut self, text: &str) -> bool {
        match self.parts.last_mut() {
            Some(part) => part.push_str(text),
            None => self.parts.push(text.to_owned()),
        }
        self.thought = true;
        std::mem::take(&mut self.gap)
    }

    fn part(&mut self) {
        self.gap |= !self.parts.is_empty();
        self.parts.push(String::new());
    }

    fn reason(&self, reason: &Finish) -> &'static str {
        finish_reason(reason, self.refused)
    }
}

/// JSON in an event's data: a line end between tokens is a blank like any other there.
fn on_one_line(json: &str, out: &mut Vec<u8>) {
    let from = out.len();
    out.extend_from_slice(json.as_bytes());
    for byte in out.iter_mut().skip(from) {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}
