//! What an answer to a client needs beside what the model said.

use std::sync::Arc;

use crate::chat::{Json, Usage};
use crate::money::NanoUsd;

/// What a usage costs, where its price is known.
pub type Cost = Arc<dyn Fn(&Usage) -> Option<NanoUsd> + Send + Sync>;

/// What stands around an answer.
#[derive(Clone)]
pub struct Envelope {
    /// The answer's id, where the provider gives none: the decision's, so always the same for one answer.
    pub id: String,
    /// The model, where the provider names none.
    pub model: String,
    /// Seconds since 1970, where the provider names none.
    pub created: u64,
    /// Whether the client asked for usage in its stream (Chat; the other formats always have it).
    pub show_usage: bool,
    /// The members of the request that an answer repeats, as one JSON object (Responses; see `responses::echo`).
    pub echo: Option<Json>,
    /// What a usage costs, shown in streams as `usage.waypost_cost_usd`; `None`: the price is unknown.
    pub cost: Cost,
}

impl std::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Envelope").field("id", &self.id).field("model", &self.model).finish_non_exhaustive()
    }
}
