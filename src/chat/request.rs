//! A request as the gateway judges it.

use std::ops::Range;

use bytes::Bytes;

use super::{Format, OwnEffort};

/// A chat request as the gateway judges it. The client's bytes stay beside it: what was judged is what is sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The client's format: that of `body`, and of the answer.
    pub format: Format,
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
    /// Whether something is in it that nobody here can read: parts that are not text, tokens by their numbers, what is kept at the
    /// provider and only named here.
    pub unscanned: bool,
    /// Whether no answer is wanted but the number of its tokens.
    pub counted_only: bool,
    /// The first hosted tool that is asked for (`web_search`): the provider would run it, outside of this gateway's sight.
    pub hosted: Option<String>,
    /// The first member that leans on something kept at the provider (`previous_response_id`, `store`, a file's id).
    pub state: Option<String>,
    /// Whether the last thing said is a tool's result: the model is in the middle of its work.
    pub in_tool_loop: bool,
    /// Whether the answer is drawn at random: temperature absent or above zero, and no seed.
    pub sampled: bool,
    /// Whether the client says how much to reason.
    pub effort: OwnEffort,
    /// Whether temperature, `top_p`, `top_k` or a tool that must be called is stated: Claude takes none of them while it
    /// thinks.
    pub steered: bool,
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
    /// The value of `stream_options`, if there (Chat and Completions).
    pub stream_options: Option<Range<usize>>,
    /// The value of `messages` or `input`.
    pub messages: Range<usize>,
    /// The values of other members that a pass-through rewrites, in order.
    pub others: Vec<(&'static str, Range<usize>)>,
    /// The members that cannot change the answer (`stream`, `stream_options`), each with one comma beside it, in order.
    /// Unused ones are empty.
    pub without_effect: [Range<usize>; 2],
}
