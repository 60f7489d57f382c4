//! Anthropic's Messages format.

pub mod answer;
pub mod count;
pub mod error;
pub mod mend;
pub mod request;
pub mod stream;
