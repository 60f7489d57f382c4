//! What a request will probably cost, before it is sent, and what leaving a warm cache behind costs.

use super::lengths::thought;
use super::{Inputs, Warm};
use crate::chat::Effort;
use crate::config::Target;
use crate::money::{NanoUsd, Price};

/// The expected cost, at the rates for prompts of this length: all input at full price, expected output within the
/// client's and the model's limit, once for each answer asked for. Reasoning, which comes first, at its own rate where it has
/// one. `None` where the target has no price.
#[must_use]
pub fn expected_cost(target: &Target, effort: Option<Effort>, output: u64, inputs: &Inputs<'_>) -> Option<NanoUsd> {
    let limit = inputs.max_output.unwrap_or(u64::MAX).min(target.max_output.unwrap_or(u64::MAX));
    let answers = u64::from(inputs.n.max(1));
    let all = |tokens: u64| tokens.min(limit).saturating_mul(answers);
    let rates = target.price.as_ref()?.for_routing(inputs.input_tokens);
    let output = rates.output_cost(all(output), all(thought(target, effort, output)));
    Some(rates.input.cost(inputs.input_tokens) + output)
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
