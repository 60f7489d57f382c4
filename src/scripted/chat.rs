//! OpenAI's shape of a chat completion that is not streamed, and what both kinds share.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use super::ask::Ask;
use super::fields::ToolCall;
use super::json::{escape, string};
use super::script::{Behaviour, UsagePlace};

/// Bytes of a tool call's arguments for each streamed fragment, at most.
const ARGUMENT_FRAGMENT: usize = 8;
/// What texts are padded with to reach a stated size.
pub(super) const FILLER: u8 = b'.';

/// One token event: what a single choice's delta says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delta<'a> {
    Reasoning(&'a str),
    Text(&'a str),
    CallBegins(usize, &'a ToolCall),
    Arguments(usize, &'a str),
}

/// The content of an answer, the same whether streamed or not.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) behaviour: &'a Behaviour,
    pub(super) ask: &'a Ask<'a>,
    pub(super) text: Option<String>,
    id: u64,
    created: u64,
}

impl<'a> Answer<'a> {
    /// `echoed`: what is said instead of the behaviour's text.
    pub(super) fn new(behaviour: &'a Behaviour, ask: &'a Ask<'a>, id: u64, echoed: Option<String>) -> Answer<'a> {
        let mut text = match (echoed, &behaviour.text) {
            (Some(echoed), _) => Some(echoed),
            (None, Some(text)) => Some(text.clone()),
            (None, None) if behaviour.tool_calls.is_empty() => Some(default_text(ask)),
            (None, None) => None,
        };
        if let Some(thought) = &behaviour.think {
            let after = text.unwrap_or_default();
            text = Some(format!("<think>\n{thought}\n</think>\n\n{after}"));
        }
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        Answer { behaviour, ask, text, id, created: since_1970.map_or(0, |elapsed| elapsed.as_secs()) }
    }

    /// Reasoning, text, tool calls: in the order they are streamed.
    pub(super) fn deltas(&self) -> impl Iterator<Item = Delta<'_>> {
        let reasoning = self.behaviour.reasoning.as_deref().unwrap_or_default();
        let calls = self.behaviour.tool_calls.iter().enumerate();
        let reasoning = words(reasoning).map(Delta::Reasoning);
        reasoning.chain(self.text_pieces().map(Delta::Text)).chain(calls.flat_map(|(index, call)| {
            let begin = std::iter::once(Delta::CallBegins(index, call));
            let fragments = Fragments(&call.arguments);
            begin.chain(fragments.map(move |part| Delta::Arguments(index, part)))
        }))
    }

    /// The text's words, repeated or cut to the stated number of events.
    fn text_pieces(&self) -> impl Iterator<Item = &str> {
        let text = self.text.as_deref().unwrap_or_default();
        let count = match self.behaviour.events {
            Some(events) => usize::try_from(events).unwrap_or(usize::MAX),
            None => words(text).count(),
        };
        words(text).cycle().take(count)
    }

    pub(super) fn finish_reason(&self) -> &str {
        match &self.behaviour.finish_reason {
            Some(reason) => reason,
            None if self.behaviour.tool_calls.is_empty() => "stop",
            None => "tool_calls",
        }
    }

    pub(super) fn asks_for_usage(&self) -> bool {
        self.ask.include_usage || self.behaviour.usage == UsagePlace::Always
    }

    /// Whether a stream ends with a chunk that has only the usage.
    pub(super) fn has_usage_chunk(&self) -> bool {
        let placed = !matches!(self.behaviour.usage, UsagePlace::BesideChoice | UsagePlace::Omit);
        placed && self.asks_for_usage()
    }

    /// Writes the body of an answer that is not streamed.
    pub(super) fn whole(&self, out: &mut Vec<u8>) {
        self.begin(out, "chat.completion");
        out.extend_from_slice(b",\"choices\":[");
        let mut tokens = Tokens::default();
        for delta in self.deltas() {
            tokens.count(&delta);
        }
        let mut padding_goes_here = None;
        for index in 0..self.ask.n {
            if index > 0 {
                out.push(b',');
            }
            let end_of_text = self.choice(out, index);
            padding_goes_here = end_of_text.or(padding_goes_here);
        }
        out.push(b']');
        if self.behaviour.usage != UsagePlace::Omit {
            out.extend_from_slice(b",\"usage\":");
            if let Some(bytes) = self.behaviour.answer_bytes {
                tokens.characters = bytes as u64;
            }
            self.usage(out, &tokens);
        }
        out.push(b'}');
        if let Some(wanted) = self.behaviour.answer_bytes
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
        if self.text.is_some() {
            out.push(b'"');
            for piece in self.text_pieces() {
                escape(out, piece);
            }
            end_of_text = Some(out.len());
            out.push(b'"');
        } else {
            out.extend_from_slice(b"null");
        }
        out.extend_from_slice(b",\"refusal\":null");
        if let Some(reasoning) = &self.behaviour.reasoning {
            out.push(b',');
            string(out, self.reasoning_field());
            out.push(b':');
            string(out, reasoning);
        }
        if !self.behaviour.tool_calls.is_empty() {
            out.extend_from_slice(b",\"tool_calls\":[");
            for (place, call) in self.behaviour.tool_calls.iter().enumerate() {
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
        string(out, self.finish_reason());
        out.push(b'}');
        end_of_text
    }

    pub(super) fn reasoning_field(&self) -> &str {
        let field = self.behaviour.reasoning_field.as_deref();
        field.unwrap_or("reasoning_content")
    }

    /// Up to the fingerprint, without the brace that closes.
    pub(super) fn begin(&self, out: &mut Vec<u8>, object: &str) {
        let Answer { id, created, .. } = self;
        let _ =
            write!(out, "{{\"id\":\"chatcmpl-scripted-{id}\",\"object\":\"{object}\",\"created\":{created},\"model\":");
        string(out, &self.ask.model);
        let _ = write!(out, ",\"system_fingerprint\":\"{}\"", super::FINGERPRINT);
    }

    /// The usage object.
    pub(super) fn usage(&self, out: &mut Vec<u8>, tokens: &Tokens) {
        let (behaviour, ask) = (self.behaviour, self.ask);
        let prompt =
            behaviour.prompt_tokens.unwrap_or_else(|| 3 * ask.messages + 85 * ask.images + ask.characters.div_ceil(4));
        let thought = self.behaviour.think.as_deref();
        let thought = thought.map_or(0, |text| text.chars().count() as u64);
        let reasoning = behaviour.reasoning_tokens.unwrap_or_else(|| ask.n * (tokens.reasoning + thought).div_ceil(4));
        let completion = behaviour.completion_tokens.unwrap_or_else(|| ask.n * tokens.characters.div_ceil(4));
        let cached = behaviour.cached_tokens.unwrap_or(0);
        let total = prompt.saturating_add(completion);
        let _ = write!(
            out,
            "{{\"prompt_tokens\":{prompt},\"completion_tokens\":{completion},\"total_tokens\":{total},\
             \"prompt_tokens_details\":{{\"cached_tokens\":{cached}}},\
             \"completion_tokens_details\":{{\"reasoning_tokens\":{reasoning}}}}}"
        );
    }
}

/// Characters of one choice, four of which pass for a token.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    characters: u64,
    reasoning: u64,
}

impl Tokens {
    pub(super) fn count(&mut self, delta: &Delta<'_>) {
        let characters = match delta {
            Delta::Reasoning(piece) | Delta::Text(piece) | Delta::Arguments(_, piece) => piece.chars().count(),
            Delta::CallBegins(_, call) => call.name.chars().count(),
        } as u64;
        self.characters += characters;
        if let Delta::Reasoning(_) = delta {
            self.reasoning += characters;
        }
    }
}

fn default_text(ask: &Ask<'_>) -> String {
    let (messages, characters) = (ask.messages, ask.characters);
    let plural = if messages == 1 { "" } else { "s" };
    format!(
        "[scripted provider] This is not a model. It was sent {messages} message{plural} with \
         {characters} characters in all, and says this sentence to everyone."
    )
}

/// Each word with the blank behind it.
fn words(text: &str) -> impl Iterator<Item = &str> + Clone {
    text.split_inclusive(' ')
}

/// Cuts at character boundaries.
struct Fragments<'a>(&'a str);

impl<'a> Iterator for Fragments<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let mut cut = ARGUMENT_FRAGMENT.min(self.0.len());
        while !self.0.is_char_boundary(cut) {
            cut -= 1;
        }
        let (part, rest) = self.0.split_at(cut);
        self.0 = rest;
        Some(part)
    }
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
