//! OpenAI's Responses format.

pub mod echo;
pub mod error;
pub mod request;
