//! What a `when` may look at, for one request.

use super::labels::Labels;
use crate::chat::{Format, Request};
use crate::config::Tenant;

/// The name that stands for every model: what a request asks for that names none of them.
pub(super) const AUTO: &str = "auto";

/// Who asks, with which labels, and what is asked. The difficulty is not here, for a guessed score must not open a
/// border.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// `tenant.name`, `tenant.region`
    pub tenant: &'a Tenant,
    /// `tenant.team`; "" where there is none.
    pub team: &'a str,
    /// `key.id`; "" where a token or nobody asks.
    pub key: &'a str,
    /// `labels`
    pub labels: &'a Labels,
    /// `request`
    pub request: RequestFacts<'a>,
}

impl<'a> Circumstances<'a> {
    /// A chat request for `auto` in which nothing more is said, of no team and by no key.
    #[must_use]
    pub const fn plain(tenant: &'a Tenant, labels: &'a Labels) -> Self {
        Self { tenant, team: "", key: "", labels, request: RequestFacts::BARE }
    }
}

/// What a request is, as far as rules may ask. All but the operation is the client's to choose: see
/// [`constrain`](super::constrain) for what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestFacts<'a> {
    /// What is asked for, by the path it came to.
    pub operation: Operation,
    /// The model's name as the client wrote it.
    pub model: &'a str,
    /// Whether a stream is wanted.
    pub stream: bool,
    /// Whether tools are declared.
    pub tools: bool,
    /// Whether the provider is to run something itself: hosted tools, MCP servers.
    pub server_tools: bool,
    /// Whether some part is no text: a picture, a sound, a file.
    pub media: bool,
    /// Whether something is in it that nobody here can read: media, tokens by their numbers, what is kept at the
    /// provider.
    pub unscanned: bool,
    /// Rough input size in tokens.
    pub input_tokens: u64,
}

impl RequestFacts<'static> {
    /// A chat request that chooses nothing.
    pub const BARE: Self = Self {
        operation: Operation::Chat,
        model: AUTO,
        stream: false,
        tools: false,
        server_tools: false,
        media: false,
        unscanned: false,
        input_tokens: 0,
    };
}

impl<'a> RequestFacts<'a> {
    /// Of a request as it was read.
    #[must_use]
    pub fn of(request: &'a Request) -> Self {
        Self {
            operation: Operation::of(request),
            model: &request.model,
            stream: request.stream,
            tools: request.tools > 0,
            server_tools: request.hosted.is_some(),
            media: request.media > 0,
            unscanned: request.unscanned,
            input_tokens: request.input_tokens_estimate,
        }
    }
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `POST /v1/chat/completions`, and the dry run of one.
    Chat,
    /// `POST /v1/completions`
    Completions,
    /// `POST /v1/responses`
    Responses,
    /// `POST /v1/messages`
    Messages,
    /// `POST /v1/embeddings`
    Embeddings,
    /// `POST /v1/messages/count_tokens`
    CountTokens,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Chat, Self::Completions, Self::Responses, Self::Messages, Self::Embeddings, Self::CountTokens];

    /// The operation of a request as it was read.
    #[must_use]
    pub const fn of(request: &Request) -> Self {
        match request.format {
            _ if request.counted_only => Self::CountTokens,
            // No client speaks Gemini's format.
            Format::Chat | Format::Gemini => Self::Chat,
            Format::Completions => Self::Completions,
            Format::Responses => Self::Responses,
            Format::Messages => Self::Messages,
            Format::Embeddings => Self::Embeddings,
        }
    }

    /// The word in policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Embeddings => "embeddings",
            Self::CountTokens => "count_tokens",
        }
    }
}
