//! A client's events, written.

use crate::chat::{Event, Family, Finish, Seal, SealKind, Usage};
use crate::wire::anthropic::answer::{usage, words};
use crate::wire::anthropic::error;
use crate::wire::json::{Object, escape_into};
use crate::wire::{Envelope, Refusal, seal};

/// Writes a stream of the format. `message_start` waits for the first content, since it states the usage so far; blocks
/// follow one another, a new one ending the one before. Arguments of an earlier call than the last, which no provider
/// of this format sends, still go to their own block by its index.
#[derive(Debug)]
pub struct Encoder {
    envelope: Envelope,
    id: Option<String>,
    model: Option<String>,
    begun: bool,
    ended: bool,
    /// The block that is open is the one before `next`.
    open: Open,
    next: u64,
    /// The calls' blocks, by the calls' own numbers.
    calls: Vec<(u32, u64)>,
    refused: bool,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

#[derive(Debug)]
enum Open {
    Nothing,
    Text,
    Refusal,
    /// The lengths of its parts so far: a signature of ours states them.
    Thinking(Vec<usize>),
    Call,
}

impl Encoder {
    /// One that has written nothing.
    #[must_use]
    pub fn new(envelope: Envelope) -> Self {
        Self {
            envelope,
            id: None,
            model: None,
            begun: false,
            ended: false,
            open: Open::Nothing,
            next: 0,
            calls: Vec::new(),
            refused: false,
            finish: None,
            usage: None,
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let mut message = Object::new();
        message.put("id", self.id.as_deref().unwrap_or(&self.envelope.id));
        message.put("type", "message").put("role", "assistant");
        message.put("model", self.model.as_deref().unwrap_or(&self.envelope.model));
        message.raw("content", "[]").raw("stop_reason", "null").raw("stop_sequence", "null");
        message.raw("usage", &usage::write(self.usage.as_ref(), true).finish());
        let mut event = Object::new();
        event.put("type", "message_start").raw("message", &message.finish());
        frame("message_start", event, out);
    }

    /// Ends the open block, reasoning with the signature that its seal makes, and begins another.
    fn start(&mut self, block: Object, open: Open, out: &mut Vec<u8>) {
        self.close(None, out);
        self.begin(out);
        let mut event = Object::new();
        event.put("type", "content_block_start").put("index", self.next).raw("content_block", &block.finish());
        frame("content_block_start", event, out);
        self.next += 1;
        self.open = open;
    }

    fn start_text(&mut self, open: Open, out: &mut Vec<u8>) {
        let mut block = Object::new();
        block.put("type", "text").put("text", "");
        self.start(block, open, out);
    }

    fn start_thinking(&mut self, lengths: Vec<usize>, out: &mut Vec<u8>) {
        let mut block = Object::new();
        block.put("type", "thinking").put("thinking", "").put("signature", "");
        self.start(block, Open::Thinking(lengths), out);
    }

    /// Ends the open block, if one is.
    fn close(&mut self, seal: Option<&Seal>, out: &mut Vec<u8>) {
        let Some(index) = self.next.checked_sub(1) else { return };
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => return,
            Open::Thinking(lengths) => {
                let signature = match seal {
                    Some(seal) if seal.family == Family::Anthropic && seal.kind == SealKind::Text => seal.data.clone(),
                    seal => seal::sign_lengths(&lengths, seal),
                };
                delta(index, "signature_delta", "signature", &signature, out);
            }
            Open::Text | Open::Refusal | Open::Call => {}
        }
        let mut event = Object::new();
        event.put("type", "content_block_stop").put("index", index);
        frame("content_block_stop", event, out);
    }

    fn say(&self, kind: &str, member: &str, text: &str, out: &mut Vec<u8>) {
        delta(self.next.saturating_sub(1), kind, member, text, out);
    }

    fn seal(&mut self, seal: &Seal, out: &mut Vec<u8>) {
        if seal.family == Family::Anthropic && seal.kind == SealKind::Hidden {
            let mut block = Object::new();
            block.put("type", "redacted_thinking").put("data", &seal.data);
            // Nothing more is said of it.
            self.start(block, Open::Call, out);
            return self.close(None, out);
        }
        if seal.kind != SealKind::Text || !matches!(self.open, Open::Thinking(_)) {
            self.start_thinking(Vec::new(), out);
        }
        self.close(Some(seal), out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.close(None, out);
        self.begin(out);
        self.ended = true;
        let (reason, sequence) = words::stop(self.finish.as_ref(), self.refused);
        let mut stop = Object::new();
        stop.put("stop_reason", reason).put("stop_sequence", sequence);
        let mut counts = usage::write(self.usage.as_ref(), false);
        if let Some(cost) = self.usage.as_ref().and_then(|usage| (self.envelope.cost)(usage)) {
            counts.raw("waypost_cost_usd", &cost.to_string());
        }
        let mut event = Object::new();
        event.put("type", "message_delta").raw("delta", &stop.finish()).raw("usage", &counts.finish());
        frame("message_delta", event, out);
        let mut event = Object::new();
        event.put("type", "message_stop");
        frame("message_stop", event, out);
    }
}

impl crate::wire::Encoder for Encoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        match event {
            Event::Start { id, model, .. } => {
                self.id = id.clone().or(self.id.take());
                self.model = model.clone().or(self.model.take());
            }
            Event::Text { choice: 0, text } => {
                if !matches!(self.open, Open::Text) {
                    self.start_text(Open::Text, out);
                }
                self.say("text_delta", "text", text, out);
            }
            Event::Refusal { choice: 0, text } => {
                self.refused = true;
                if !matches!(self.open, Open::Refusal) {
                    self.start_text(Open::Refusal, out);
                }
                self.say("text_delta", "text", text, out);
            }
            Event::Reasoning { choice: 0, text } => {
                if !matches!(self.open, Open::Thinking(_)) {
                    self.start_thinking(Vec::new(), out);
                }
                if let Open::Thinking(lengths) = &mut self.open {
                    match lengths.last_mut() {
                        Some(length) => *length += text.len(),
                        None => lengths.push(text.len()),
                    }
                }
                self.say("thinking_delta", "thinking", text, out);
            }
            Event::ReasoningPart { choice: 0 } => {
                if let Open::Thinking(lengths) = &mut self.open {
                    lengths.push(0);
                    self.say("thinking_delta", "thinking", "\n\n", out);
                } else {
                    self.start_thinking(vec![0], out);
                }
            }
            Event::Seal { choice: 0, seal } => self.seal(seal, out),
            Event::ToolCall { choice: 0, index, id, name, seal } => {
                if let Some(seal) = seal {
                    self.start_thinking(Vec::new(), out);
                    self.close(Some(seal), out);
                }
                let mut block = Object::new();
                block.put("type", "tool_use").put("id", id).put("name", name).raw("input", "{}");
                self.start(block, Open::Call, out);
                self.calls.push((*index, self.next.saturating_sub(1)));
            }
            Event::Arguments { choice: 0, index, text } => {
                if let Some((_, block)) = self.calls.iter().rfind(|(call, _)| call == index) {
                    delta(*block, "input_json_delta", "partial_json", text, out);
                }
            }
            Event::Finish { choice: 0, reason } => {
                self.close(None, out);
                self.finish = Some(reason.clone());
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::End => self.end(out),
            // Other choices, and chances of tokens: the format has neither.
            _ => {}
        }
    }

    fn fail(&mut self, refusal: &Refusal<'_>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        out.extend_from_slice(&error::event(refusal));
    }
}

fn frame(name: &str, event: Object, out: &mut Vec<u8>) {
    for piece in ["event: ", name, "\ndata: ", &event.finish(), "\n\n"] {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// One fragment. There are hundreds in an answer, so it is written straight into the stream.
fn delta(index: u64, kind: &str, member: &str, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
    out.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
    for piece in [",\"delta\":{\"type\":\"", kind, "\",\"", member, "\":\""] {
        out.extend_from_slice(piece.as_bytes());
    }
    escape_into(text, out);
    out.extend_from_slice(b"\"}}\n\n");
}
