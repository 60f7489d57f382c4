//! What one exchange used.

/// Tokens of one exchange. `cached` and `cache_write` are part of `input`; `reasoning` is part of `output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Usage {
    /// All input tokens, cached ones included.
    pub input: u64,
    /// Input tokens read from the provider's prompt cache.
    pub cached: u64,
    /// Input tokens written to the provider's prompt cache.
    pub cache_write: u64,
    /// Of those, the ones kept for an hour rather than for five minutes (Anthropic).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_write_1h: u64,
    /// All output tokens, reasoning included.
    pub output: u64,
    /// Output tokens spent on reasoning.
    pub reasoning: u64,
    /// Whether the provider named no figures and these are estimates.
    pub estimated: bool,
}

/// Most providers keep nothing for an hour; records stay as they were then.
fn is_zero(count: &u64) -> bool {
    *count == 0
}
