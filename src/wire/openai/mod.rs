//! OpenAI's Chat Completions format, which most providers and nearly all clients speak.

pub mod answer;
pub mod completions;
pub mod embeddings;
pub mod error;
pub mod events;
mod input;
pub mod mend;
pub mod request;
pub mod response;
pub mod stream;
pub mod types;

pub use error::{error_body, stream_error_event};
pub use mend::Mend;
pub use request::{judge, pass, prompt};
pub use response::{Answer, read};
pub use stream::{Collector, End, Relay, Seen, replay};

#[cfg(test)]
mod tests;
