//! OpenAI's Responses format.

pub mod answer;
pub mod mend;
pub mod stream;
