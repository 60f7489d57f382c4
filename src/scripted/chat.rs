//! OpenAI's shape of a chat completion that is not streamed, and what both kinds share.

use std::io::Write;

use super::answer::{Answer, Figures};
use super::fields::ToolCall;
use super::json::{escape, string};

/// What texts are padded with to reach a stated size.
pub(super) const FILLER: u8 = b'.';

/// An answer as a chat completion.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chat<'a>(pub(super) &'a Answer<'a>);

impl<'a> Chat<'a> {
    /// Writes the body of an answer that is not streamed.
    pub(super) fn whole(&self, out: &mut Vec<u8>) {
        self.begin(out, "chat.completion");
        out.extend_from_slice(b",\"choices\":[");
        let mut padding_goes_here = None;
        for index in 0..self.0.ask.n {
            if index > 0 {
                out.push(b',');
            }
            let end_of_text = self.choice(out, index);
            padding_goes_here = end_of_text.or(padding_goes_here);
        }
        out.push(b']');
        if !self.0.omits_usage() {
            out.extend_from_slice(b",\"usage\":");
            let figures = self.0.figures(&self.0.tokens());
            usage(out, &figures);
        }
        out.push(b'}');
        if let Some(wanted) = self.0.behaviour.answer_bytes
            && let Some(place) = padding_goes_here
        {
            let missing = wanted.saturating_sub(out.len());
            out.splice(place..place, std::iter::repeat_n(FILLER, missing));
        }
    }

    /// One choice; returns the place where its text ends.
    fn choice(&self, out: &mut Vec<u8>, index: u64) -> Option<usize> {
        // Writing to a vector does not fail; so everywhere in this file.
        let _ = write!(out, "{{\"index\":{index},\"message\":{{\"role\":\"assistant\",\"content\":");
        let mut end_of_text = None;
        if self.0.text.is_some() {
            out.push(b'"');
            for piece in self.0.text_pieces() {
                escape(out, piece);
            }
            end_of_text = Some(out.len());
            out.push(b'"');
        } else {
            out.extend_from_slice(b"null");
        }
        out.extend_from_slice(b",\"refusal\":null");
        if let Some(reasoning) = self.0.reasoning {
            out.push(b',');
            string(out, self.reasoning_field());
            out.push(b':');
            string(out, reasoning);
        }
        if !self.0.calls.is_empty() {
            out.extend_from_slice(b",\"tool_calls\":[");
            for (place, call) in self.0.calls.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                out.push(b'{');
                call_id_and_name(out, place, call);
                string(out, &call.arguments);
                out.extend_from_slice(b"}}");
            }
            out.push(b']');
        }
        out.extend_from_slice(b"},\"logprobs\":null,\"finish_reason\":");
        string(out, self.0.finish_reason());
        out.push(b'}');
        end_of_text
    }

    pub(super) fn reasoning_field(&self) -> &'a str {
        let field = self.0.behaviour.reasoning_field.as_deref();
        field.unwrap_or("reasoning_content")
    }

    /// Up to the fingerprint, without the brace that closes.
    pub(super) fn begin(&self, out: &mut Vec<u8>, object: &str) {
        let Answer { id, created, .. } = self.0;
        let _ =
            write!(out, "{{\"id\":\"chatcmpl-scripted-{id}\",\"object\":\"{object}\",\"created\":{created},\"model\":");
        string(out, &self.0.ask.model);
        let _ = write!(out, ",\"system_fingerprint\":\"{}\"", super::FINGERPRINT);
    }
}

/// The usage object.
pub(super) fn usage(out: &mut Vec<u8>, figures: &Figures) {
    let Figures { prompt, completion, cached, reasoning, .. } = figures;
    let total = figures.total();
    let _ = write!(
        out,
        "{{\"prompt_tokens\":{prompt},\"completion_tokens\":{completion},\"total_tokens\":{total},\
         \"prompt_tokens_details\":{{\"cached_tokens\":{cached}"
    );
    if let Some(written) = figures.cache_write {
        let _ = write!(out, ",\"cache_write_tokens\":{written}");
    }
    let _ = write!(out, "}},\"completion_tokens_details\":{{\"reasoning_tokens\":{reasoning}}}}}");
}

/// From the id to the colon before the arguments.
pub(super) fn call_id_and_name(out: &mut Vec<u8>, place: usize, call: &ToolCall) {
    out.extend_from_slice(b"\"id\":");
    match &call.id {
        Some(id) => string(out, id),
        None => {
            let _ = write!(out, "\"call_scripted_{place}\"");
        }
    }
    out.extend_from_slice(b",\"type\":\"function\",\"function\":{\"name\":");
    string(out, &call.name);
    out.extend_from_slice(b",\"arguments\":");
}
