//! What is answered, before any format: text, reasoning, calls and figures.

use std::time::{SystemTime, UNIX_EPOCH};

use super::ask::Ask;
use super::endpoint::Endpoint;
use super::fields::ToolCall;
use super::script::{Behaviour, UsagePlace};

/// Bytes of a tool call's arguments for each streamed fragment, at most.
const ARGUMENT_FRAGMENT: usize = 8;

/// One token event: what a single choice's delta says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delta<'a> {
    Reasoning(&'a str),
    Text(&'a str),
    CallBegins(usize, &'a ToolCall),
    Arguments(usize, &'a str),
    /// In the formats that do not cut a call into pieces.
    WholeCall(usize, &'a ToolCall),
}

/// The content of an answer, the same whether streamed or not.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) behaviour: &'a Behaviour,
    pub(super) ask: &'a Ask<'a>,
    pub(super) text: Option<String>,
    pub(super) reasoning: Option<&'a str>,
    pub(super) calls: &'a [ToolCall],
    pub(super) id: u64,
    /// Seconds since 1970.
    pub(super) created: u64,
    calls_in_pieces: bool,
}

/// The usage, as OpenAI counts: the cached tokens are in the prompt's, the reasoning in the completion's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) prompt: u64,
    pub(super) completion: u64,
    pub(super) cached: u64,
    pub(super) cache_write: Option<u64>,
    pub(super) reasoning: u64,
}

impl Figures {
    pub(super) fn total(&self) -> u64 {
        self.prompt.saturating_add(self.completion)
    }
}

impl<'a> Answer<'a> {
    /// `echoed`: what is said instead of the behaviour's text.
    pub(super) fn new(
        behaviour: &'a Behaviour,
        ask: &'a Ask<'a>,
        endpoint: Endpoint,
        id: u64,
        echoed: Option<String>,
    ) -> Answer<'a> {
        // Legacy completions know neither calls nor reasoning.
        let plain = endpoint == Endpoint::Completions;
        let calls: &[ToolCall] = if plain { &[] } else { &behaviour.tool_calls };
        let reasoning = if plain { None } else { behaviour.reasoning.as_deref() };
        let mut text = match (echoed, &behaviour.text) {
            (Some(echoed), _) => Some(echoed),
            (None, Some(text)) => Some(text.clone()),
            (None, None) if calls.is_empty() => Some(default_text(ask)),
            (None, None) => None,
        };
        if let Some(thought) = &behaviour.think {
            let after = text.unwrap_or_default();
            text = Some(format!("<think>\n{thought}\n</think>\n\n{after}"));
        }
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let created = since_1970.map_or(0, |elapsed| elapsed.as_secs());
        let calls_in_pieces = !matches!(endpoint, Endpoint::Generate | Endpoint::StreamGenerate);
        Answer { behaviour, ask, text, reasoning, calls, id, created, calls_in_pieces }
    }

    /// Reasoning, text, tool calls: in the order they are streamed.
    pub(super) fn deltas(&self) -> impl Iterator<Item = Delta<'_>> {
        let reasoning = words(self.reasoning.unwrap_or_default()).map(Delta::Reasoning);
        let calls = self.calls.iter().enumerate();
        reasoning.chain(self.text_pieces().map(Delta::Text)).chain(calls.flat_map(|(index, call)| {
            let (begin, arguments) = match self.calls_in_pieces {
                true => (Delta::CallBegins(index, call), call.arguments.as_str()),
                false => (Delta::WholeCall(index, call), ""),
            };
            std::iter::once(begin).chain(Fragments(arguments).map(move |part| Delta::Arguments(index, part)))
        }))
    }

    /// The text's words, repeated or cut to the stated number of events.
    pub(super) fn text_pieces(&self) -> impl Iterator<Item = &str> {
        let text = self.text.as_deref().unwrap_or_default();
        let count = match self.behaviour.events {
            Some(events) => usize::try_from(events).unwrap_or(usize::MAX),
            None => words(text).count(),
        };
        words(text).cycle().take(count)
    }

    /// The text as a whole answer has it, with `filler` bytes behind it.
    pub(super) fn joined_text(&self, filler: usize) -> Option<String> {
        self.text.as_ref()?;
        let mut text: String = self.text_pieces().collect();
        text.extend(std::iter::repeat_n(char::from(super::chat::FILLER), filler));
        Some(text)
    }

    /// In OpenAI's words, or as the script has it.
    pub(super) fn finish_reason(&self) -> &str {
        match &self.behaviour.finish_reason {
            Some(reason) => reason,
            None if self.calls.is_empty() => "stop",
            None => "tool_calls",
        }
    }

    pub(super) fn asks_for_usage(&self) -> bool {
        self.ask.include_usage || self.behaviour.usage == UsagePlace::Always
    }

    pub(super) fn omits_usage(&self) -> bool {
        self.behaviour.usage == UsagePlace::Omit
    }

    /// Whether a stream ends with a chunk that has only the usage.
    pub(super) fn has_usage_chunk(&self) -> bool {
        let placed = !matches!(self.behaviour.usage, UsagePlace::BesideChoice | UsagePlace::Omit);
        placed && self.asks_for_usage()
    }

    /// All tokens of a whole answer.
    pub(super) fn tokens(&self) -> Tokens {
        let mut tokens = Tokens::default();
        for delta in self.deltas() {
            tokens.count(&delta);
        }
        if let Some(bytes) = self.behaviour.answer_bytes {
            tokens.characters = bytes as u64;
        }
        tokens
    }

    /// A whole body, made again with as much filler as is missing to the size the script states.
    pub(super) fn filled(&self, make: impl Fn(usize) -> String) -> String {
        let body = make(0);
        match self.behaviour.answer_bytes {
            Some(wanted) if wanted > body.len() && self.text.is_some() => make(wanted - body.len()),
            _ => body,
        }
    }

    /// The id of a call, as given or made here.
    pub(super) fn call_id(&self, prefix: &str, place: usize) -> String {
        match self.calls.get(place).and_then(|call| call.id.as_ref()) {
            Some(id) => id.clone(),
            None => format!("{prefix}scripted_{}_{place}", self.id),
        }
    }

    /// What the script states, else what was counted.
    pub(super) fn figures(&self, tokens: &Tokens) -> Figures {
        let (behaviour, counted) = (self.behaviour, self.counted(tokens));
        Figures {
            prompt: behaviour.prompt_tokens.unwrap_or(counted.prompt),
            completion: behaviour.completion_tokens.unwrap_or(counted.completion),
            cached: behaviour.cached_tokens.unwrap_or(0),
            cache_write: behaviour.cache_write_tokens,
            reasoning: behaviour.reasoning_tokens.unwrap_or(counted.reasoning),
        }
    }

    /// A token for each four characters.
    pub(super) fn counted(&self, tokens: &Tokens) -> Figures {
        let ask = self.ask;
        let thought = self.behaviour.think.as_deref();
        let thought = thought.map_or(0, |text| text.chars().count() as u64);
        Figures {
            prompt: 3 * ask.messages + 85 * ask.images + ask.characters.div_ceil(4),
            completion: ask.n * tokens.characters.div_ceil(4),
            cached: 0,
            cache_write: None,
            reasoning: ask.n * (tokens.reasoning + thought).div_ceil(4),
        }
    }
}

/// Characters of one choice, four of which pass for a token.
#[derive(Debug, Default, Clone)]
pub(super) struct Tokens {
    characters: u64,
    reasoning: u64,
}

impl Tokens {
    pub(super) fn count(&mut self, delta: &Delta<'_>) {
        let characters = match delta {
            Delta::Reasoning(piece) | Delta::Text(piece) | Delta::Arguments(_, piece) => piece.chars().count(),
            Delta::CallBegins(_, call) => call.name.chars().count(),
            Delta::WholeCall(_, call) => call.name.chars().count() + call.arguments.chars().count(),
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
