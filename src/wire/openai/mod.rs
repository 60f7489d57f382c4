//! OpenAI's Chat Completions format, which most providers and nearly all clients speak.

pub mod error;
pub mod request;
pub mod response;
pub mod stream;
pub mod types;

pub use error::{ProviderError, ProviderErrorKind, error_body, read_error, scrub, stream_error_event};
pub use request::{RequestError, cache_view, decode, prompt, upstream_body};
pub use response::{Answer, AnswerError, read};
pub use stream::{Collector, End, Relay, Seen, StreamError, replay};

#[cfg(test)]
mod tests;
