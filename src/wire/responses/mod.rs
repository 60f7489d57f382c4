//! OpenAI's Responses format.

pub mod answer;
pub mod echo;
pub mod error;
pub mod mend;
pub mod request;
pub mod stream;
