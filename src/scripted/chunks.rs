//! OpenAI's shapes of a streamed chat completion: the chunks, each as one SSE event.

use std::io::Write;

use super::answer::{Answer, Delta, Tokens};
use super::chat::{self, Chat, call_id_and_name};
use super::endpoint::Format;
use super::events::{Events, Writer};
use super::json::{escape, string};
use super::refusal::Refusal;
use super::script::UsagePlace;

/// Writes the chunks of one streamed answer.
#[derive(Debug)]
pub(super) struct Chunks<'a> {
    answer: &'a Answer<'a>,
    /// What all chunks of the answer begin with, `data: ` included.
    beginning: Vec<u8>,
    /// `,"usage":null` where OpenAI has it: in every other chunk once usage was asked for.
    no_usage: &'static [u8],
    tokens: Tokens,
}

impl<'a> Chunks<'a> {
    pub(super) fn new(answer: &'a Answer<'a>) -> Chunks<'a> {
        let mut beginning = b"data: ".to_vec();
        Chat(answer).begin(&mut beginning, "chat.completion.chunk");
        let said = answer.ask.include_usage && !answer.omits_usage();
        Chunks { answer, beginning, no_usage: if said { b",\"usage\":null" } else { b"" }, tokens: Tokens::default() }
    }

    /// The event that only names the role.
    fn role(&self, out: &mut Events, index: u64) {
        let delta = match self.answer.text {
            Some(_) => "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null",
            None => "\"role\":\"assistant\",\"content\":null,\"refusal\":null",
        };
        self.choice(&mut out.bytes, index);
        out.bytes.extend_from_slice(delta.as_bytes());
        self.end_choice(&mut out.bytes, None, None);
        out.end();
    }

    /// A token event.
    fn choice_delta(&self, events: &mut Events, index: u64, delta: &Delta<'_>) {
        let out = &mut events.bytes;
        self.choice(out, index);
        match delta {
            Delta::Reasoning(piece) => {
                string(out, Chat(self.answer).reasoning_field());
                out.push(b':');
                string(out, piece);
            }
            Delta::Text(piece) => {
                out.extend_from_slice(b"\"content\":\"");
                escape(out, piece);
                let place = out.len();
                out.push(b'"');
                self.end_choice(out, None, None);
                return events.end_filled(place, self.answer.behaviour.event_bytes);
            }
            Delta::CallBegins(place, call) | Delta::WholeCall(place, call) => {
                // Writing to a vector does not fail; so everywhere in this file.
                let _ = write!(out, "\"tool_calls\":[{{\"index\":{place},");
                call_id_and_name(out, *place, call);
                out.extend_from_slice(b"\"\"}}]");
            }
            Delta::Arguments(place, part) => {
                let _ = write!(out, "\"tool_calls\":[{{\"index\":{place},\"function\":{{\"arguments\":");
                string(out, part);
                out.extend_from_slice(b"}}]");
            }
        }
        self.end_choice(out, None, None);
        events.end();
    }

    /// The event with the finish reason.
    fn finish(&self, out: &mut Events, index: u64) {
        let beside = matches!(self.answer.behaviour.usage, UsagePlace::BesideChoice | UsagePlace::Twice);
        let last_choice = index + 1 == self.answer.ask.n;
        let with_usage = beside && last_choice && self.answer.asks_for_usage();
        self.choice(&mut out.bytes, index);
        let usage = with_usage.then_some(&self.tokens);
        self.end_choice(&mut out.bytes, Some(self.answer.finish_reason()), usage);
        out.end();
    }

    /// The event without choices that has the usage.
    fn usage(&self, out: &mut Events) {
        out.bytes.extend_from_slice(&self.beginning);
        out.bytes.extend_from_slice(b",\"choices\":[],\"usage\":");
        chat::usage(&mut out.bytes, &self.answer.figures(&self.tokens));
        out.bytes.push(b'}');
        out.end();
    }

    fn choice(&self, out: &mut Vec<u8>, index: u64) {
        out.extend_from_slice(&self.beginning);
        if index == 0 {
            out.extend_from_slice(b",\"choices\":[{\"index\":0,\"delta\":{");
        } else {
            let _ = write!(out, ",\"choices\":[{{\"index\":{index},\"delta\":{{");
        }
    }

    fn end_choice(&self, out: &mut Vec<u8>, reason: Option<&str>, usage: Option<&Tokens>) {
        out.extend_from_slice(b"},\"logprobs\":null,\"finish_reason\":");
        match reason {
            Some(reason) => string(out, reason),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b"}]");
        match usage {
            Some(tokens) => {
                out.extend_from_slice(b",\"usage\":");
                chat::usage(out, &self.answer.figures(tokens));
            }
            None => out.extend_from_slice(self.no_usage),
        }
        out.push(b'}');
    }
}

impl Writer for Chunks<'_> {
    fn whole(&self, out: &mut Vec<u8>) {
        Chat(self.answer).whole(out);
    }

    fn open(&mut self, out: &mut Events) {
        for index in 0..self.answer.ask.n {
            self.role(out, index);
        }
    }

    fn delta(&mut self, out: &mut Events, delta: &Delta<'_>) {
        self.tokens.count(delta);
        for index in 0..self.answer.ask.n {
            self.choice_delta(out, index, delta);
        }
    }

    fn close(&mut self, out: &mut Events) {
        for index in 0..self.answer.ask.n {
            self.finish(out, index);
        }
        if self.answer.has_usage_chunk() {
            self.usage(out);
        }
        done(out, self.answer);
    }

    /// As vLLM sends it.
    fn fail(&mut self, out: &mut Events, error: &Refusal) {
        out.data(&error.body(Format::Openai));
        done(out, self.answer);
    }

    fn malformed(&self) -> &'static [u8] {
        b"data: {\"id\":\"chatcmpl-scripted\",\"choices\":[{\n\n"
    }
}

/// The mark of a stream's end.
pub(super) fn done(out: &mut Events, answer: &Answer<'_>) {
    if answer.behaviour.done {
        out.data("[DONE]");
    }
}
