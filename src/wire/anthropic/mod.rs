//! Anthropic's Messages format.

pub mod answer;
pub mod mend;
pub mod stream;
