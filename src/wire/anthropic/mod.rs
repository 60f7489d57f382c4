//! Anthropic's Messages format.

pub mod count;
pub mod error;
pub mod request;
