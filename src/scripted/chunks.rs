//! OpenAI's shapes of a streamed chat completion: the chunks, each as one SSE event.

use std::io::Write;

use super::chat::{Answer, Delta, FILLER, Tokens, call_id_and_name};
use super::json::{escape, string};
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
        answer.begin(&mut beginning, "chat.completion.chunk");
        let said = answer.ask.include_usage && answer.behaviour.usage != UsagePlace::Omit;
        Chunks { answer, beginning, no_usage: if said { b",\"usage\":null" } else { b"" }, tokens: Tokens::default() }
    }

    /// The event that only names the role.
    pub(super) fn role(&self, out: &mut Vec<u8>, index: u64) {
        let delta = match self.answer.text {
            Some(_) => "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null",
            None => "\"role\":\"assistant\",\"content\":null,\"refusal\":null",
        };
        self.choice(out, index);
        out.extend_from_slice(delta.as_bytes());
        self.end_choice(out, None, None);
    }

    /// A token event.
    pub(super) fn delta(&mut self, out: &mut Vec<u8>, index: u64, delta: &Delta<'_>) {
        if index == 0 {
            self.tokens.count(delta);
        }
        self.choice(out, index);
        match delta {
            Delta::Reasoning(piece) => {
                string(out, self.answer.reasoning_field());
                out.push(b':');
                string(out, piece);
            }
            Delta::Text(piece) => {
                out.extend_from_slice(b"\"content\":\"");
                escape(out, piece);
                let place = out.len();
                out.push(b'"');
                self.end_choice(out, None, None);
                if let Some(wanted) = self.answer.behaviour.event_bytes {
                    let missing = wanted.saturating_sub(out.len());
                    out.splice(place..place, std::iter::repeat_n(FILLER, missing));
                }
                return;
            }
            Delta::CallBegins(place, call) => {
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
    }

    /// The event with the finish reason.
    pub(super) fn finish(&self, out: &mut Vec<u8>, index: u64) {
        let beside = matches!(self.answer.behaviour.usage, UsagePlace::BesideChoice | UsagePlace::Twice);
        let last_choice = index + 1 == self.answer.ask.n;
        let with_usage = beside && last_choice && self.answer.asks_for_usage();
        self.choice(out, index);
        let usage = with_usage.then_some(&self.tokens);
        self.end_choice(out, Some(self.answer.finish_reason()), usage);
    }

    /// The event without choices that has the usage.
    pub(super) fn usage(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.beginning);
        out.extend_from_slice(b",\"choices\":[],\"usage\":");
        self.answer.usage(out, &self.tokens);
        out.extend_from_slice(b"}\n\n");
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
                self.answer.usage(out, tokens);
            }
            None => out.extend_from_slice(self.no_usage),
        }
        out.extend_from_slice(b"}\n\n");
    }
}
