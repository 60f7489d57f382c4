//! The types of the official Python client (anthropic 2.12.0, `anthropic.types`), as far as a server can break them.

/// One member of an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) want: Want,
}

/// What a member must be. Those that begin with `Maybe`, and a reason, may be null or absent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Want {
    Text,
    Count,
    /// This word.
    Word(&'static str),
    Object(&'static [Member]),
    /// Any object: a tool's arguments.
    Input,
    /// A list of content blocks.
    Blocks,
    /// A content block, by its type.
    Block,
    /// A block's delta, by its type.
    Delta,
    /// A `stop_reason`.
    Reason,
    MaybeText,
    MaybeCount,
    /// One of these words.
    MaybeWord(&'static [&'static str]),
    MaybeObject(&'static [Member]),
}

const fn member(name: &'static str, want: Want) -> Member {
    Member { name, want }
}

/// `Message`
pub(super) const MESSAGE: &[Member] = &[
    member("id", Want::Text),
    member("type", Want::Word("message")),
    member("role", Want::Word("assistant")),
    member("model", Want::Text),
    member("content", Want::Blocks),
    member("stop_reason", Want::Reason),
    member("stop_sequence", Want::MaybeText),
    member("stop_details", Want::MaybeObject(STOP_DETAILS)),
    member("usage", Want::Object(USAGE)),
];

/// `RefusalStopDetails`
const STOP_DETAILS: &[Member] = &[
    member("type", Want::Word("refusal")),
    member("category", Want::MaybeText),
    member("explanation", Want::MaybeText),
];

/// `Usage`
const USAGE: &[Member] = &[
    member("input_tokens", Want::Count),
    member("output_tokens", Want::Count),
    member("cache_creation_input_tokens", Want::MaybeCount),
    member("cache_read_input_tokens", Want::MaybeCount),
    member("cache_creation", Want::MaybeObject(CACHE_CREATION)),
    member("output_tokens_details", Want::MaybeObject(OUTPUT_DETAILS)),
    member("server_tool_use", Want::MaybeObject(SERVER_TOOL_USE)),
    member("inference_geo", Want::MaybeText),
    member("service_tier", Want::MaybeWord(&["standard", "priority", "batch"])),
    member("speed", Want::MaybeWord(&["standard", "fast"])),
];

/// `MessageDeltaUsage`
const DELTA_USAGE: &[Member] = &[
    member("output_tokens", Want::Count),
    member("input_tokens", Want::MaybeCount),
    member("cache_creation_input_tokens", Want::MaybeCount),
    member("cache_read_input_tokens", Want::MaybeCount),
    member("output_tokens_details", Want::MaybeObject(OUTPUT_DETAILS)),
    member("server_tool_use", Want::MaybeObject(SERVER_TOOL_USE)),
];

/// `CacheCreation`
const CACHE_CREATION: &[Member] =
    &[member("ephemeral_5m_input_tokens", Want::Count), member("ephemeral_1h_input_tokens", Want::Count)];

/// `OutputTokensDetails`
const OUTPUT_DETAILS: &[Member] = &[member("thinking_tokens", Want::Count)];

/// `ServerToolUsage`; answers older than web fetch lack its count.
const SERVER_TOOL_USE: &[Member] =
    &[member("web_search_requests", Want::Count), member("web_fetch_requests", Want::Count)];

const MESSAGE_START: &[Member] = &[member("message", Want::Object(MESSAGE))];
const MESSAGE_DELTA: &[Member] = &[member("delta", Want::Object(STOP)), member("usage", Want::Object(DELTA_USAGE))];
const STOP: &[Member] = &[
    member("stop_reason", Want::Reason),
    member("stop_sequence", Want::MaybeText),
    member("stop_details", Want::MaybeObject(STOP_DETAILS)),
];
const BLOCK_START: &[Member] = &[member("index", Want::Count), member("content_block", Want::Block)];
const BLOCK_DELTA: &[Member] = &[member("index", Want::Count), member("delta", Want::Delta)];
const BLOCK_STOP: &[Member] = &[member("index", Want::Count)];

/// The members of an event of this type.
pub(super) fn event(kind: &[u8]) -> Option<&'static [Member]> {
    Some(match kind {
        b"content_block_delta" => BLOCK_DELTA,
        b"content_block_start" => BLOCK_START,
        b"content_block_stop" => BLOCK_STOP,
        b"message_start" => MESSAGE_START,
        b"message_delta" => MESSAGE_DELTA,
        _ => return None,
    })
}

/// The members of a content block of this type.
pub(super) fn block(kind: &[u8]) -> Option<&'static [Member]> {
    const TEXT: &[Member] = &[member("text", Want::Text)];
    const THINKING: &[Member] = &[member("thinking", Want::Text), member("signature", Want::Text)];
    const REDACTED: &[Member] = &[member("data", Want::Text)];
    const TOOL_USE: &[Member] = &[
        member("id", Want::Text),
        member("name", Want::Text),
        member("input", Want::Input),
        member("toolset_name", Want::MaybeText),
    ];
    Some(match kind {
        b"text" => TEXT,
        b"thinking" => THINKING,
        b"redacted_thinking" => REDACTED,
        b"tool_use" | b"server_tool_use" => TOOL_USE,
        _ => return None,
    })
}

/// The members of a block's delta of this type.
pub(super) fn delta(kind: &[u8]) -> Option<&'static [Member]> {
    const TEXT: &[Member] = &[member("text", Want::Text)];
    const THINKING: &[Member] = &[member("thinking", Want::Text)];
    const SIGNATURE: &[Member] = &[member("signature", Want::Text)];
    const INPUT: &[Member] = &[member("partial_json", Want::Text)];
    Some(match kind {
        b"text_delta" => TEXT,
        b"thinking_delta" => THINKING,
        b"signature_delta" => SIGNATURE,
        b"input_json_delta" => INPUT,
        _ => return None,
    })
}
