//! What a model costs per million tokens: stated, computed from machine hours, or looked up.

use std::path::PathBuf;

use super::Context;
use crate::catalog::{self, Litellm};
use crate::config::problem::suggestion;
use crate::config::reader::listing;
use crate::config::report::Place;
use crate::config::running::ProviderKind;
use crate::config::values::{At, DecimalText, List};
use crate::config::written::{LongPrice, Model, Price as Written, Prices, RouteBy};
use crate::money::{NanoUsd, Price, Rate, Rates};

/// What is known of a model where its price was looked up.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// `None` where it is unknown.
    pub(super) price: Option<Price>,
    pub(super) context: Option<u64>,
    pub(super) max_output: Option<u64>,
}

impl From<Option<Price>> for Found {
    fn from(price: Option<Price>) -> Self {
        Self { price, ..Self::default() }
    }
}

/// LiteLLM's list and where it is.
#[derive(Debug)]
pub(super) struct Listed {
    path: PathBuf,
    /// Nothing where it could not be read, which was reported.
    list: Option<Litellm>,
}

/// The list that `prices.litellm` names, if any.
pub(super) fn litellm(written: &Prices, context: Context<'_>) -> Option<Listed> {
    let at = written.litellm.as_ref()?;
    let path = context.path(at);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("cannot read {}: {error}", path.display());
            context.error(at.place, message, "check the path (it is relative to this file) and its permissions");
            return Some(Listed { path, list: None });
        }
    };
    let list = Litellm::read(&text).map_err(|error| {
        let message = format!("{} cannot be used: {error}", path.display());
        context.error(at.place, message, "name LiteLLM's `model_prices_and_context_window.json`");
    });
    Some(Listed { path, list: list.ok() })
}

/// The price of a model, and what else was found with it.
pub(super) fn price(model: &Model, kind: ProviderKind, listed: Option<&Listed>, context: Context<'_>) -> Found {
    let Some(At { value: written, place }) = &model.price else {
        let upstream = model.upstream.as_ref().unwrap_or(&model.name);
        let known = listed.and_then(|listed| listed.list.as_ref()?.find(kind.as_str(), &upstream.value).ok()?);
        let remedy = if known.is_some() || catalog::price(kind.as_str(), &upstream.value, &catalog::today()).is_some() {
            "add `price: catalog`, or `price: { input: …, output: … }` in US dollars per million tokens"
        } else {
            "add `price: { input: …, output: … }` in US dollars per million tokens, zero if it costs nothing"
        };
        let message = format!(
            "the price of model `{}` is unknown: its cost cannot be counted, and nothing that limits cost chooses it",
            model.name.value
        );
        context.warn(model.name.place, message, remedy);
        return Found::default();
    };
    if let Some(word) = &written.word {
        return looked_up(word, model, kind, listed, context);
    }
    if let Some(key) = &written.litellm {
        if by_token(written) || by_hour(written) {
            context.error(*place, "this price is both stated and looked up", "keep `litellm`, or the prices");
        }
        return keyed(key, listed, context);
    }
    match (by_token(written), by_hour(written)) {
        (true, false) => by_tokens(written, *place, context).into(),
        (false, true) => by_hours(written, *place, context).into(),
        (true, true) => {
            context.error(*place, "this price mixes tokens and hours", "keep `input` and `output`, or `gpu_hour_usd`");
            Found::default()
        }
        (false, false) => {
            // What stands there may have been reported already, key by key.
            context.error(
                *place,
                "this price says nothing",
                "write `{ input: 0.55, output: 2.19 }`, `{ gpu_hour_usd: 2.50, tokens_per_second: 2400 }` or `catalog`",
            );
            Found::default()
        }
    }
}

fn by_token(written: &Written) -> bool {
    let Written { input, output, cached_input, cache_write, cache_write_1h, reasoning, above, .. } = written;
    let all = [input, output, cached_input, cache_write, cache_write_1h, reasoning];
    all.into_iter().any(Option::is_some) || !above.0.is_empty()
}

fn by_hour(written: &Written) -> bool {
    written.gpu_hour_usd.is_some()
        || written.gpus.is_some()
        || written.tokens_per_second.is_some()
        || written.route_by.is_some()
}

/// `price: catalog`: LiteLLM's list where one is named, then the one that is built in.
fn looked_up(
    word: &At<String>,
    model: &Model,
    kind: ProviderKind,
    listed: Option<&Listed>,
    context: Context<'_>,
) -> Found {
    if word.value != "catalog" {
        let message = format!("`{}` is not a price", word.value);
        let remedy = "write `catalog`, or `{ input: …, output: … }` in US dollars per million tokens";
        context.error(word.place, message, remedy);
        return Found::default();
    }
    let upstream = model.upstream.as_ref().unwrap_or(&model.name);
    if let Some(Listed { path, list: Some(list) }) = listed {
        match list.find(kind.as_str(), &upstream.value) {
            Ok(Some(known)) => return known.into(),
            Ok(None) => {}
            Err(error) => return unreadable(word.place, path, &error, context),
        }
    }
    let price = catalog::price(kind.as_str(), &upstream.value, &catalog::today());
    // What a list that cannot be read would have said is not known.
    if price.is_some() || listed.is_some_and(|listed| listed.list.is_none()) {
        return price.into();
    }
    let known: Vec<_> = catalog::priced_models(kind.as_str()).collect();
    let remedy = match suggestion(&upstream.value, known.iter().copied()) {
        Some(meant) => format!("did you mean `upstream: {meant}`? Else write `{{ input: …, output: … }}`"),
        None if known.is_empty() => {
            format!("no prices of kind {} are in the catalogue: write `{{ input: …, output: … }}`", kind.as_str())
        }
        None => format!("write `{{ input: …, output: … }}`; in the catalogue are {}", listing(known)),
    };
    let message = format!("the catalogue has no price for `{}` of kind {}", upstream.value, kind.as_str());
    context.error(word.place, message, remedy);
    Found::default()
}

/// `price: { litellm: KEY }`.
fn keyed(key: &At<String>, listed: Option<&Listed>, context: Context<'_>) -> Found {
    let Some(Listed { path, list }) = listed else {
        let message = "no list of LiteLLM's is named that this could stand in";
        context.error(key.place, message, "add `prices: { litellm: model_prices_and_context_window.json }`");
        return Found::default();
    };
    let Some(list) = list else { return Found::default() };
    match list.get(&key.value) {
        Ok(Some(known)) => known.into(),
        Ok(None) => {
            let remedy = match suggestion(&key.value, list.keys()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "write a name as that file writes it, or `{ input: …, output: … }`".to_owned(),
            };
            let message = format!("{} has no price for `{}`", path.display(), key.value);
            context.error(key.place, message, remedy);
            Found::default()
        }
        Err(error) => unreadable(key.place, path, &error, context),
    }
}

fn unreadable(place: Place, path: &std::path::Path, error: &catalog::LitellmError, context: Context<'_>) -> Found {
    let message = format!("{} gives no price: {error}", path.display());
    context.error(place, message, "correct that file, or write `{ input: …, output: … }`");
    Found::default()
}

impl From<catalog::Known> for Found {
    fn from(known: catalog::Known) -> Self {
        Self { price: Some(known.price), context: known.context, max_output: known.max_output }
    }
}

fn by_tokens(written: &Written, place: Place, context: Context<'_>) -> Option<Price> {
    for (key, missing) in [("input", written.input.is_none()), ("output", written.output.is_none())] {
        if missing {
            let remedy = format!("add `{key}: …` in US dollars per million tokens");
            context.error(place, format!("this price lacks `{key}`"), remedy);
        }
    }
    let above = above(&written.above, context);
    let stated = Stated {
        input: written.input.as_ref()?,
        output: written.output.as_ref()?,
        cached_input: written.cached_input.as_ref(),
        cache_write: written.cache_write.as_ref(),
        cache_write_1h: written.cache_write_1h.as_ref(),
        reasoning: written.reasoning.as_ref(),
    };
    Some(Price::tiered(stated.rates(context), above))
}

fn above(written: &List<At<LongPrice>>, context: Context<'_>) -> Vec<(u64, Rates)> {
    let mut above: Vec<(u64, Rates)> = Vec::new();
    for At { value: long, .. } in &written.0 {
        let tokens = &long.tokens;
        if tokens.value == 0 {
            let remedy = "write the number of tokens that the provider's price list names: `200000`";
            context.error(tokens.place, "above zero tokens is every request", remedy);
        }
        if above.iter().any(|(other, _)| *other == tokens.value) {
            let message = format!("there are two prices above {} tokens", tokens.value);
            context.error(tokens.place, message, "remove one of the two");
        }
        let stated = Stated {
            input: &long.input,
            output: &long.output,
            cached_input: long.cached_input.as_ref(),
            cache_write: long.cache_write.as_ref(),
            cache_write_1h: long.cache_write_1h.as_ref(),
            reasoning: long.reasoning.as_ref(),
        };
        above.push((tokens.value, stated.rates(context)));
    }
    above
}

/// The prices of one length of prompt.
struct Stated<'w> {
    input: &'w At<DecimalText>,
    output: &'w At<DecimalText>,
    cached_input: Option<&'w At<DecimalText>>,
    cache_write: Option<&'w At<DecimalText>>,
    cache_write_1h: Option<&'w At<DecimalText>>,
    reasoning: Option<&'w At<DecimalText>>,
}

impl Stated<'_> {
    fn rates(&self, context: Context<'_>) -> Rates {
        let or = |text: Option<&At<DecimalText>>, whole: Rate| text.map_or(whole, |text| rate(text, context));
        let input = rate(self.input, context);
        let cache_write = or(self.cache_write, input);
        Rates {
            input,
            output: rate(self.output, context),
            cached_input: or(self.cached_input, input),
            cache_write,
            cache_write_1h: or(self.cache_write_1h, cache_write),
            reasoning: self.reasoning.map(|text| rate(text, context)),
        }
    }
}

fn rate(written: &At<DecimalText>, context: Context<'_>) -> Rate {
    Rate::per_million(decimal(written, context))
}

/// A decimal with up to nine places, read from its text.
fn decimal(written: &At<DecimalText>, context: Context<'_>) -> NanoUsd {
    let DecimalText(text) = &written.value;
    text.trim().parse().unwrap_or_else(|error: crate::money::MoneyError| {
        context.report.unreadable(written.place, error.to_string(), "write plain digits: `0.55`, `12`, `\"2.19\"`");
        NanoUsd::ZERO
    })
}

/// The share of the machines' hours that one token carries at full load. `tokens_per_second` counts tokens read and
/// written together, so both cost the same; rounded up to the next nano-dollar per million tokens.
fn by_hours(written: &Written, place: Place, context: Context<'_>) -> Option<Price> {
    let missing =
        [("gpu_hour_usd", written.gpu_hour_usd.is_none()), ("tokens_per_second", written.tokens_per_second.is_none())];
    for (key, _) in missing.iter().filter(|(_, missing)| *missing) {
        context.error(place, format!("this price lacks `{key}`"), format!("add `{key}: …`"));
    }
    let hour = i128::from(decimal(written.gpu_hour_usd.as_ref()?, context).0);
    let speed_at = written.tokens_per_second.as_ref()?;
    // The same nine decimals as money: billionths of a token per second.
    let speed = i128::from(decimal(speed_at, context).0);
    if speed == 0 {
        context.error(speed_at.place, "a speed of zero makes every token infinitely dear", "write tokens per second");
        return None;
    }
    let gpus = i128::from(context.count(written.gpus.as_ref(), 1));
    let tokens_per_hour = 3600 * speed;
    let exact = hour * gpus * i128::from(Rate::UNIT) * 1_000_000_000;
    let up = exact / tokens_per_hour + i128::from(exact % tokens_per_hour != 0);
    let Ok(nanos) = i64::try_from(up) else {
        context.error(place, "this price is too high to count", "check `gpu_hour_usd` and `tokens_per_second`");
        return None;
    };
    let rate = Rate::per_million(NanoUsd(nanos));
    let price = Price::flat(Rates::plain(rate, rate));
    Some(match written.route_by.as_ref().map(|by| by.value) {
        Some(RouteBy::Marginal) => price.sunk(),
        Some(RouteBy::Amortised) | None => price,
    })
}

#[cfg(test)]
mod tests;
