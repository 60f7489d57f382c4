//! What a request cost, and what it saved. Integer nano-USD; each component rounds up once.

use crate::chat::Usage;
use crate::money::{NanoUsd, Price};

/// The cost of a usage at a price, at the rates for prompts of its length. Input read from and written to the prompt
/// cache has its own rate; a provider that counts more cached than input tokens is charged for what it counts.
#[must_use]
pub fn cost(usage: &Usage, price: &Price) -> NanoUsd {
    let rates = price.at(usage.input);
    let plain = usage.input.saturating_sub(usage.cached).saturating_sub(usage.cache_write);
    let hour = usage.cache_write_1h.min(usage.cache_write);
    rates.input.cost(plain)
        + rates.cached_input.cost(usage.cached)
        + rates.cache_write.cost(usage.cache_write - hour)
        + rates.cache_write_1h.cost(hour)
        + rates.output_cost(usage.output, usage.reasoning)
}

/// The same usage at the price of the allowed, healthy target with the highest chance of a good answer, minus what was
/// paid. Negative where a fallback cost more. Nothing where that target's price is not known.
#[must_use]
pub fn saving(usage: &Usage, price_of_best: Option<&Price>, paid: NanoUsd) -> NanoUsd {
    price_of_best.map_or(NanoUsd::ZERO, |price| cost(usage, price) - paid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::{Rate, Rates};

    fn rate(usd: &str) -> Rate {
        Rate::per_million(usd.parse().unwrap())
    }

    fn rates() -> Rates {
        Rates {
            cached_input: rate("0.3"),
            cache_write: rate("3.75"),
            cache_write_1h: rate("6"),
            ..Rates::plain(rate("3"), rate("15"))
        }
    }

    fn price() -> Price {
        Price::flat(rates())
    }

    #[test]
    fn cached_and_written_input_is_not_charged_twice() {
        let usage = Usage { input: 1000, cached: 600, cache_write: 300, output: 50, reasoning: 20, ..Usage::default() };
        let expected = 100 * 3000 + 600 * 300 + 300 * 3750 + 50 * 15000;
        assert_eq!(cost(&usage, &price()), NanoUsd(expected));
    }

    #[test]
    fn what_is_kept_for_an_hour_has_its_own_price() {
        let usage = Usage { input: 1000, cache_write: 900, cache_write_1h: 400, ..Usage::default() };
        assert_eq!(cost(&usage, &price()), NanoUsd(100 * 3000 + 500 * 3750 + 400 * 6000));
        let odd = Usage { input: 900, cache_write: 900, cache_write_1h: 1400, ..Usage::default() };
        assert_eq!(cost(&odd, &price()), NanoUsd(900 * 6000), "it is part of what was written");
    }

    #[test]
    fn reasoning_is_output_unless_it_has_its_own_price() {
        let usage = Usage { output: 100, reasoning: 60, ..Usage::default() };
        assert_eq!(cost(&usage, &price()), NanoUsd(100 * 15000));
        let apart = Price::flat(Rates { reasoning: Some(rate("3")), ..rates() });
        assert_eq!(cost(&usage, &apart), NanoUsd(40 * 15000 + 60 * 3000));
        let odd = Usage { output: 10, reasoning: 60, ..Usage::default() };
        assert_eq!(cost(&odd, &apart), NanoUsd(10 * 3000), "it is part of the output");
    }

    #[test]
    fn a_long_prompt_makes_every_token_dearer() {
        let long = Rates { cached_input: rate("0.6"), ..Rates::plain(rate("6"), rate("22.5")) };
        let tiered = Price::tiered(rates(), vec![(200_000, long)]);
        let usage = |input| Usage { input, cached: 150_000, output: 10, ..Usage::default() };
        assert_eq!(cost(&usage(200_000), &tiered), NanoUsd(50_000 * 3000 + 150_000 * 300 + 10 * 15_000));
        assert_eq!(cost(&usage(200_001), &tiered), NanoUsd(50_001 * 6000 + 150_000 * 600 + 10 * 22_500));
    }

    #[test]
    fn each_component_rounds_up_once() {
        let tiny = Rates::plain(Rate(1), Rate(1));
        let usage = Usage {
            input: 4,
            cached: 1,
            cache_write: 2,
            cache_write_1h: 1,
            output: 2,
            reasoning: 1,
            ..Usage::default()
        };
        assert_eq!(cost(&usage, &Price::flat(tiny)), NanoUsd(5), "reasoning without a price of its own is output");
        let tiny = Price::flat(Rates { reasoning: Some(Rate(1)), ..tiny });
        assert_eq!(cost(&usage, &tiny), NanoUsd(6));
        assert_eq!(cost(&Usage::default(), &tiny), NanoUsd::ZERO);
    }

    #[test]
    fn impossible_usage_is_charged_without_wrapping() {
        let usage = Usage { input: 10, cached: u64::MAX, output: 1, ..Usage::default() };
        assert_eq!(cost(&usage, &price()), NanoUsd(i64::MAX));
    }

    #[test]
    fn saving_is_the_same_usage_at_the_best_targets_price_minus_the_cost() {
        let usage = Usage { input: 1000, output: 100, ..Usage::default() };
        let best = 1000 * 3000 + 100 * 15000;
        assert_eq!(saving(&usage, Some(&price()), NanoUsd(500)), NanoUsd(best - 500));
        assert_eq!(saving(&usage, Some(&price()), NanoUsd(best + 7)), NanoUsd(-7));
        assert_eq!(saving(&usage, None, NanoUsd(500)), NanoUsd::ZERO);
    }
}
