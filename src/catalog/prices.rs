//! List prices of public providers, from `config/catalog/prices.yaml`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::embedded;
use crate::money::{MoneyError, Price, Rate, Rates};

/// A provider's price list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceList {
    /// The provider's kind.
    kind: String,
    /// Page of the list.
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers of the list; a test wants it"))]
    source: String,
    /// As of when, `YYYY-MM-DD`.
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers of the list; a test wants it"))]
    date: String,
    /// By the provider's name of the model.
    models: BTreeMap<String, ListPrice>,
}

/// Decimal US dollars per million tokens, as texts: no price is ever a float.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListPrice {
    /// In `above`: more input than this.
    #[serde(default)]
    tokens: u64,
    input: String,
    output: String,
    cached_input: Option<String>,
    cache_write: Option<String>,
    cache_write_1h: Option<String>,
    reasoning: Option<String>,
    /// Of longer prompts.
    #[serde(default)]
    above: Vec<ListPrice>,
    /// Announced changes, the last one last.
    #[serde(default)]
    from: Vec<ListPrice>,
    /// In `from`: its first day, `YYYY-MM-DD`.
    #[serde(default)]
    date: String,
}

/// The list price of a model on a day, `YYYY-MM-DD`. The scripted provider plays every provider's models.
#[must_use]
pub fn price(kind: &str, upstream: &str, day: &str) -> Option<Price> {
    // What clients copy from Google's lists begins with `models/`.
    let name = upstream.strip_prefix("models/").unwrap_or(upstream);
    let listed = |name: &str| price_lists(kind).find_map(|list| list.models.get(name));
    // A test reads every price of the catalogue.
    listed(name).or_else(|| listed(without_date(name)?))?.on(day).price().ok()
}

/// Today as prices are dated, in UTC.
#[must_use]
pub fn today() -> String {
    jiff::Timestamp::now().strftime("%F").to_string()
}

/// Models whose list price at this kind is known.
pub fn priced_models(kind: &str) -> impl Iterator<Item = &'static str> {
    price_lists(kind).flat_map(|list| list.models.keys().map(String::as_str))
}

fn price_lists(kind: &str) -> impl Iterator<Item = &'static PriceList> {
    prices().iter().filter(move |list| list.kind == kind || kind == "scripted")
}

fn prices() -> &'static [PriceList] {
    static PRICES: OnceLock<Vec<PriceList>> = OnceLock::new();
    PRICES.get_or_init(|| embedded(include_str!("../../config/catalog/prices.yaml")))
}

/// A snapshot's name without its date (`-20250929`, `-2025-08-07`): a snapshot costs what its model costs, or stands in
/// the list itself.
pub(super) fn without_date(name: &str) -> Option<&str> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let year = |text: &str| text.starts_with("20") && digits(text);
    if let Some((rest, date)) = name.rsplit_once('-')
        && date.len() == 8
        && year(date)
    {
        return Some(rest);
    }
    let (rest, date) = name.split_at_checked(name.len().checked_sub("-2025-08-07".len())?)?;
    let mut parts = date.strip_prefix('-')?.split('-');
    let (y, m, d) = (parts.next()?, parts.next()?, parts.next()?);
    (y.len() == 4 && m.len() == 2 && year(y) && digits(m) && digits(d)).then_some(rest)
}

impl ListPrice {
    /// What holds on a day.
    fn on(&self, day: &str) -> &Self {
        // Dates in this form are in order as texts.
        self.from.iter().rev().find(|later| later.date.as_str() <= day).unwrap_or(self)
    }

    fn price(&self) -> Result<Price, MoneyError> {
        let mut above = Vec::with_capacity(self.above.len());
        for tier in &self.above {
            above.push((tier.tokens, tier.rates()?));
        }
        Ok(Price::tiered(self.rates()?, above))
    }

    fn rates(&self) -> Result<Rates, MoneyError> {
        let rate = |text: &String| text.parse().map(Rate::per_million);
        let or = |text: &Option<String>, whole: Rate| text.as_ref().map_or(Ok(whole), rate);
        let input = rate(&self.input)?;
        let cache_write = or(&self.cache_write, input)?;
        Ok(Rates {
            input,
            output: rate(&self.output)?,
            cached_input: or(&self.cached_input, input)?,
            cache_write,
            cache_write_1h: or(&self.cache_write_1h, cache_write)?,
            reasoning: self.reasoning.as_ref().map(rate).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::kind;

    #[test]
    fn every_price_has_a_source_and_a_date_and_can_be_read() {
        for list in prices() {
            assert!(list.source.starts_with("https://") && list.date.len() == 10, "{list:?}");
            assert!(kind(&list.kind).is_some(), "{list:?}");
            for (model, written) in &list.models {
                let price = written.price().unwrap_or_else(|error| panic!("{model}: {error}"));
                let mut last = price.base();
                assert_eq!(written.tokens, 0, "{model}");
                for ListPrice { tokens, above, .. } in &written.above {
                    let rates = price.at(tokens + 1);
                    assert!(*tokens > 0 && rates.input >= last.input, "{model} gets cheaper above {tokens}");
                    assert!(above.is_empty(), "{model}");
                    last = rates;
                }
                assert!(last.cached_input <= last.input && last.cache_write <= last.cache_write_1h, "{model}");
                assert_eq!(super::price(&list.kind, model, "2000-01-01"), Some(price), "{model} is listed twice");
                for later in &written.from {
                    assert!(later.date.parse::<jiff::civil::Date>().is_ok() && later.from.is_empty(), "{model}");
                    assert!(later.price().is_ok(), "{model}");
                }
                assert!(written.from.is_sorted_by(|one, other| one.date < other.date), "{model}");
            }
        }
    }

    fn price(kind: &str, name: &str) -> Option<Price> {
        super::price(kind, name, "2026-11-24")
    }

    #[test]
    fn long_prompts_have_their_price() {
        let rate = |usd: &str| Rate::per_million(usd.parse().unwrap());
        let sonnet = price("anthropic", "claude-sonnet-4-5").unwrap();
        assert_eq!((sonnet.at(200_000).input, sonnet.at(200_001).output), (rate("3"), rate("22.5")));
        assert_eq!((sonnet.base().cache_write, sonnet.base().cache_write_1h), (rate("3.75"), rate("6")));
        let sol = price("openai", "gpt-6.1-sol").unwrap();
        assert_eq!((sol.at(272_000).input, sol.at(272_001).output), (rate("2"), rate("15")));
        let grok = price("xai", "grok-4.7").unwrap();
        assert_eq!((grok.at(199_999).input, grok.at(200_000).input), (rate("2"), rate("4")), "200k and above");
    }

    #[test]
    fn an_announced_price_begins_on_its_day() {
        let input = |day: &str| super::price("gemini", "gemini-4-argon", day).unwrap().base().input;
        let rate = |usd: &str| Rate::per_million(usd.parse().unwrap());
        assert_eq!((input("2026-11-30"), input("2026-12-01"), input("2030-01-01")), (rate("2"), rate("4"), rate("4")));
        assert_eq!(today().len(), "2026-11-24".len());
    }

    #[test]
    fn a_snapshot_costs_what_its_model_costs_unless_it_is_listed() {
        assert_eq!(price("anthropic", "claude-sonnet-4-5-20250929"), price("anthropic", "claude-sonnet-4-5"));
        assert_eq!(price("openai", "gpt-4o-2024-08-06"), price("openai", "gpt-4o"));
        assert_ne!(price("openai", "gpt-4o-2024-05-13"), price("openai", "gpt-4o"));
        assert_eq!(price("gemini", "models/gemini-2.5-flash"), price("gemini", "gemini-2.5-flash"));
        for name in
            ["mistral-large-latest", "gpt-4o-2024", "gpt-4o-12345678", "-2024-08-06", "20240806", "ü-2024-08-06"]
        {
            for kind in ["openai", "mistral"] {
                assert_eq!(price(kind, name), None, "{name}");
            }
        }
    }
}
