//! OpenAI's Chat Completions format, which most providers and nearly all clients speak.

pub mod request;
pub mod types;


