//! What a request will probably cost, before it is sent, and what leaving a warm cache behind costs.

use super::lengths::thought;
use super::{Inputs, Warm};
use crate::chat::Effort;
use crate::config::Target;
use crate::money::{NanoUsd, Price, Rates};

/// What a request costs at one target, but for the length of the answer.
pub(super) struct Terms<'a> {
    target: &'a Target,
    rates: &'a Rates,
    input: NanoUsd,
    /// Most tokens of one answer.
    limit: u64,
    answers: u64,
}

impl<'a> Terms<'a> {
    /// At the rates for prompts of this length, all input at full price. `None` where the target has no price.
    pub(super) fn of(target: &'a Target, inputs: &Inputs<'_>) -> Option<Self> {
        let rates = target.price.as_ref()?.for_routing(inputs.input_tokens);
        Some(Self {
            target,
            rates,
            input: rates.input.cost(inputs.input_tokens),
            limit: inputs.max_output.unwrap_or(u64::MAX).min(target.max_output.unwrap_or(u64::MAX)),
            answers: u64::from(inputs.n.max(1)),
        })
    }

    /// The expected cost where one answer takes so many tokens: within the client's and the model's limit, once for each
    /// answer asked for. Reasoning, which comes first, at its own rate where it has one.
    #[inline]
    pub(super) fn expected(&self, effort: Option<Effort>, output: u64) -> NanoUsd {
        let all = |tokens: u64| tokens.min(self.limit).saturating_mul(self.answers);
        let thought = if self.rates.reasoning.is_some() { thought(self.target, effort, output) } else { 0 };
        self.input + self.rates.output_cost(all(output), all(thought))
    }
}

/// What it costs to go on with a conversation elsewhere than where its beginning is cached: what the cache there takes
/// off the input, and what a new cache costs beyond the input itself.
pub(super) fn switching(warm: &Warm, there: &Price, here: Option<&Price>, inputs: &Inputs<'_>) -> NanoUsd {
    let cached = warm.tokens.min(inputs.input_tokens);
    let none = NanoUsd::ZERO;
    let rates = there.for_routing(inputs.input_tokens);
    let lost = rates.input.cost(cached) - rates.cached_input.cost(cached);
    let write = here.map_or(none, |price| {
        let rates = price.for_routing(inputs.input_tokens);
        rates.cache_write.cost(cached) - rates.input.cost(cached)
    });
    lost.max(none) + write.max(none)
}
