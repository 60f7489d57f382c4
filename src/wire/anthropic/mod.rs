//! Anthropic's Messages format.
