//! What a model's tokens cost, by kind of token and by length of the prompt.

use std::sync::Arc;

use super::{NanoUsd, Rate};

/// What each kind of token costs. What a list does not state has the price of what it is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Tokens read.
    pub input: Rate,
    /// Tokens written.
    pub output: Rate,
    /// Input read from the provider's prompt cache; the full input price where not stated.
    pub cached_input: Rate,
    /// Input written to the provider's prompt cache; the full input price where not stated.
    pub cache_write: Rate,
    /// Of that, input kept for an hour; as all that is written where not stated.
    pub cache_write_1h: Rate,
    /// Output spent on reasoning, where it has a price of its own; `None`: as all output.
    pub reasoning: Option<Rate>,
}

impl Rates {
    /// Where nothing but input and output is stated.
    #[must_use]
    pub const fn plain(input: Rate, output: Rate) -> Self {
        Self { input, output, cached_input: input, cache_write: input, cache_write_1h: input, reasoning: None }
    }

    /// What so much output costs, of which so much is reasoning.
    #[must_use]
    #[inline]
    pub fn output_cost(&self, output: u64, reasoning: u64) -> NanoUsd {
        let Some(rate) = self.reasoning else { return self.output.cost(output) };
        let thought = reasoning.min(output);
        self.output.cost(output - thought) + rate.cost(thought)
    }
}

static NOTHING: Rates = Rates::plain(Rate(0), Rate(0));

/// What a model costs. Cloning it is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    base: Rates,
    /// By tokens of input, rising; hardly any model has one, none more than a few.
    above: Option<Arc<[(u64, Rates)]>>,
    /// One request more costs nothing more: a machine of one's own that is paid for by the hour.
    sunk: bool,
}

impl Price {
    /// The same for prompts of any length.
    #[must_use]
    pub const fn flat(rates: Rates) -> Self {
        Self { base: rates, above: None, sunk: false }
    }

    /// `base`, and other rates where the input has more than so many tokens.
    #[must_use]
    pub fn tiered(base: Rates, mut above: Vec<(u64, Rates)>) -> Self {
        above.sort_by_key(|(tokens, _)| *tokens);
        Self { base, above: (!above.is_empty()).then(|| above.into()), sunk: false }
    }

    /// The same price, of which nothing depends on whether one request more is served: it is told of and charged, and no
    /// reason to go elsewhere.
    #[must_use]
    pub fn sunk(self) -> Self {
        Self { sunk: true, ..self }
    }

    /// Whether it is no reason to go elsewhere.
    #[must_use]
    pub const fn is_sunk(&self) -> bool {
        self.sunk
    }

    /// The rates to choose by: what one request more costs.
    #[must_use]
    #[inline]
    pub fn for_routing(&self, input: u64) -> &Rates {
        if self.sunk { &NOTHING } else { self.at(input) }
    }

    /// The rates of short prompts, as price lists show them first.
    #[must_use]
    pub const fn base(&self) -> &Rates {
        &self.base
    }

    /// The rates of a request with so much input, cached tokens included. They hold for all of its tokens, those below
    /// the threshold and the answer's as well:
    /// <https://ai.google.dev/gemini-api/docs/pricing>, <https://developers.openai.com/api/docs/pricing>,
    /// <https://platform.claude.com/docs/en/about-claude/pricing>.
    #[must_use]
    pub fn at(&self, input: u64) -> &Rates {
        let above = self.above.as_deref().unwrap_or_default();
        above.iter().rev().find(|(tokens, _)| input > *tokens).map_or(&self.base, |(_, rates)| rates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_paid_for_by_the_hour_is_charged_and_no_reason_to_go_elsewhere() {
        let price = Price::flat(Rates::plain(Rate(3), Rate(4)));
        assert_eq!(price.for_routing(1), price.at(1));
        let sunk = price.sunk();
        assert_eq!((sunk.at(1).output, sunk.base().input), (Rate(4), Rate(3)));
        assert_eq!(sunk.for_routing(1), &NOTHING);
    }

    #[test]
    fn the_highest_threshold_that_is_passed_counts_and_reaching_one_is_not_passing_it() {
        let rates = |price| Rates::plain(Rate(price), Rate(price));
        let price = Price::tiered(rates(1), vec![(300, rates(3)), (200, rates(2))]);
        for (input, expected) in [(0, 1), (200, 1), (201, 2), (300, 2), (301, 3), (u64::MAX, 3)] {
            assert_eq!(price.at(input).input, Rate(expected), "{input}");
        }
        assert_eq!(Price::flat(rates(1)).at(u64::MAX), &rates(1));
    }
}
