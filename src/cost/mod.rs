//! What a request cost, and what it saved. Integer nano-USD; each component rounds up once.

use crate::chat::Usage;
use crate::config::Price;
use crate::money::NanoUsd;

/// The cost of a usage at a price. Input read from and written to the prompt cache has its own rate; a provider that
/// counts more cached than input tokens is charged for what it counts.
#[must_use]
pub fn cost(usage: &Usage, price: &Price) -> NanoUsd {
    let plain = usage.input.saturating_sub(usage.cached).saturating_sub(usage.cache_write);
    price.input.cost(plain)
        + price.cached_input.cost(usage.cached)
        + price.cache_write.cost(usage.cache_write)
        + price.output.cost(usage.output)
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
    use crate::money::Rate;

    fn rate(usd: &str) -> Rate {
        Rate::per_million(usd.parse().unwrap())
    }

    fn price() -> Price {
        Price { input: rate("3"), output: rate("15"), cached_input: rate("0.3"), cache_write: rate("3.75") }
    }

    #[test]
    fn cached_and_written_input_is_not_charged_twice() {
        let usage = Usage { input: 1000, cached: 600, cache_write: 300, output: 50, reasoning: 20, ..Usage::default() };
        let expected = 100 * 3000 + 600 * 300 + 300 * 3750 + 50 * 15000;
        assert_eq!(cost(&usage, &price()), NanoUsd(expected));
    }

    #[test]
    fn each_component_rounds_up_once() {
        let tiny = Price { input: Rate(1), output: Rate(1), cached_input: Rate(1), cache_write: Rate(1) };
        let usage = Usage { input: 3, cached: 1, cache_write: 1, output: 1, ..Usage::default() };
        assert_eq!(cost(&usage, &tiny), NanoUsd(4));
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
