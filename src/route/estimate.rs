//! What a request will probably cost, before it is sent.

use super::Inputs;
use crate::money::{NanoUsd, Price};

/// Output tokens that an answer is expected to take where nothing limits it lower. A convention: about the length of an
/// assistant's chat answer; neither the client nor the routing data says more. It weighs output against input price and
/// so decides between targets; it is never charged.
pub const EXPECTED_OUTPUT: u64 = 400;

/// The output tokens that are expected: within the client's and the model's limit, once for each answer asked for.
#[must_use]
pub fn expected_output(model_limit: Option<u64>, inputs: &Inputs<'_>) -> u64 {
    let limit = inputs.max_output.unwrap_or(u64::MAX).min(model_limit.unwrap_or(u64::MAX));
    EXPECTED_OUTPUT.min(limit).saturating_mul(u64::from(inputs.n.max(1)))
}

/// The expected cost, at the rates for prompts of this length: all input at full price, and the expected
/// output.
#[must_use]
pub fn expected_cost(price: &Price, model_limit: Option<u64>, inputs: &Inputs<'_>) -> NanoUsd {
    let rates = price.at(inputs.input_tokens);
    rates.input.cost(inputs.input_tokens) + rates.output.cost(expected_output(model_limit, inputs))
}
