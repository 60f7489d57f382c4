//! The neutral words for a chat exchange: what the steps need to know of it, whatever the wire format.

use std::ops::Range;

use bytes::Bytes;

/// Who says a part of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions of the application (`system` and `developer`).
    System,
    /// The end user.
    User,
    /// The model.
    Assistant,
    /// A tool's result.
    Tool,
}

/// One text of the conversation, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Who said it.
    pub role: Role,
    /// What was said, unescaped.
    pub text: String,
}

/// A chat request as the gateway judges it. The client's bytes stay beside it: what was judged is what is sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The body as the client sent it: valid JSON in valid UTF-8, every object's keys distinct.
    pub body: Bytes,
    /// The requested model name, unescaped.
    pub model: String,
    /// Whether the client wants server-sent events.
    pub stream: bool,
    /// Whether the client asked for usage in its stream (`stream_options.include_usage`).
    pub include_usage: bool,
    /// The client's own limit of output tokens, if it set one (`max_completion_tokens`, else `max_tokens`).
    pub max_output_tokens: Option<u64>,
    /// How many answers were asked for (`n`); 1 unless said.
    pub n: u32,
    /// How many tools are declared.
    pub tools: usize,
    /// How many parts are not text (images, audio, files).
    pub media: usize,
    /// Whether the answer is drawn at random: temperature absent or above zero, and no seed.
    pub sampled: bool,
    /// Rough input size in tokens (4 bytes of text a token), for estimates before the call.
    pub input_tokens_estimate: u64,
    /// Where the wire format rewrites the body for an attempt.
    pub edits: Edits,
}

/// Byte ranges of `Request::body` that an attempt replaces or a cache key leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// The value of `model`, quotes included.
    pub model: Range<usize>,
    /// The value of `stream_options`, if there.
    pub stream_options: Option<Range<usize>>,
    /// The value of `messages`.
    pub messages: Range<usize>,
    /// The members that cannot change the answer (`stream`, `stream_options`), each with one comma beside it, in order.
    /// Unused ones are empty.
    pub without_effect: [Range<usize>; 2],
}

/// Tokens of one exchange. `cached` and `cache_write` are part of `input`; `reasoning` is part of `output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Usage {
    /// All input tokens, cached ones included.
    pub input: u64,
    /// Input tokens read from the provider's prompt cache.
    pub cached: u64,
    /// Input tokens written to the provider's prompt cache.
    pub cache_write: u64,
    /// All output tokens, reasoning included.
    pub output: u64,
    /// Output tokens spent on reasoning.
    pub reasoning: u64,
    /// Whether the provider named no figures and these are estimates.
    pub estimated: bool,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The client has its whole answer.
    Ok,
    /// Refused by the gateway.
    Denied,
    /// No answer, or one that was cut off.
    Error,
    /// The client hung up.
    Cancelled,
}

impl Outcome {
    /// How many there are.
    pub const COUNT: usize = 4;

    /// The word in records, logs and labels.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Denied => "denied",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
        }
    }
}
