//! What a model costs per million tokens: stated, computed from machine hours, or looked up.

use super::Context;
use crate::catalog;
use crate::config::problem::suggestion;
use crate::config::reader::listing;
use crate::config::report::Place;
use crate::config::running::{Price, ProviderKind};
use crate::config::values::{At, DecimalText};
use crate::config::written::{Model, Price as Written, RouteBy};
use crate::money::{NanoUsd, Rate};

/// The price, `None` where it is unknown.
pub(super) fn price(model: &Model, kind: ProviderKind, context: Context<'_>) -> Option<Price> {
    let Some(At { value: written, place }) = &model.price else {
        let upstream = model.upstream.as_ref().unwrap_or(&model.name);
        let remedy = match catalog::price(kind.as_str(), &upstream.value) {
            Some(_) => "add `price: catalog`, or `price: { input: …, output: … }` in US dollars per million tokens",
            None => "add `price: { input: …, output: … }` in US dollars per million tokens, zero if it costs nothing",
        };
        let message = format!("the price of model `{}` is unknown, so its cost cannot be counted", model.name.value);
        context.warn(model.name.place, message, remedy);
        return None;
    };
    if let Some(word) = &written.word {
        return listed(word, model, kind, context);
    }
    let by_hour = written.gpu_hour_usd.is_some()
        || written.gpus.is_some()
        || written.tokens_per_second.is_some()
        || written.route_by.is_some();
    let by_token = written.input.is_some()
        || written.output.is_some()
        || written.cached_input.is_some()
        || written.cache_write.is_some();
    match (by_token, by_hour) {
        (true, false) => by_tokens(written, *place, context),
        (false, true) => by_hours(written, *place, context),
        (true, true) => {
            context.error(*place, "this price mixes tokens and hours", "keep `input` and `output`, or `gpu_hour_usd`");
            None
        }
        (false, false) => {
            // What stands there may have been reported already, key by key.
            context.error(
                *place,
                "this price says nothing",
                "write `{ input: 0.55, output: 2.19 }`, `{ gpu_hour_usd: 2.50, tokens_per_second: 2400 }` or `catalog`",
            );
            None
        }
    }
}

fn listed(word: &At<String>, model: &Model, kind: ProviderKind, context: Context<'_>) -> Option<Price> {
    if word.value != "catalog" {
        let message = format!("`{}` is not a price", word.value);
        let remedy = "write `catalog`, or `{ input: …, output: … }` in US dollars per million tokens";
        context.error(word.place, message, remedy);
        return None;
    }
    let upstream = model.upstream.as_ref().unwrap_or(&model.name);
    let Some((listed, _)) = catalog::price(kind.as_str(), &upstream.value) else {
        let known: Vec<_> = catalog::priced_models(kind.as_str()).collect();
        let remedy = match suggestion(&upstream.value, known.iter().copied()) {
            Some(meant) => {
                format!("did you mean `upstream: {meant}`? Else write `{{ input: …, output: … }}`")
            }
            None if known.is_empty() => {
                format!("no prices of kind {} are in the catalogue: write `{{ input: …, output: … }}`", kind.as_str())
            }
            None => format!("write `{{ input: …, output: … }}`; in the catalogue are {}", listing(known)),
        };
        let message = format!("the catalogue has no price for `{}` of kind {}", upstream.value, kind.as_str());
        context.error(word.place, message, remedy);
        return None;
    };
    // A test reads every price of the catalogue.
    let rate = |text: &str| text.parse().map(Rate::per_million).ok();
    let input = rate(&listed.input)?;
    Some(Price {
        input,
        output: rate(&listed.output)?,
        cached_input: listed.cached_input.as_deref().and_then(rate).unwrap_or(input),
        cache_write: listed.cache_write.as_deref().and_then(rate).unwrap_or(input),
    })
}

fn by_tokens(written: &Written, place: Place, context: Context<'_>) -> Option<Price> {
    for (key, missing) in [("input", written.input.is_none()), ("output", written.output.is_none())] {
        if missing {
            let remedy = format!("add `{key}: …` in US dollars per million tokens");
            context.error(place, format!("this price lacks `{key}`"), remedy);
        }
    }
    let input = rate(written.input.as_ref()?, context);
    Some(Price {
        input,
        output: rate(written.output.as_ref()?, context),
        cached_input: written.cached_input.as_ref().map_or(input, |text| rate(text, context)),
        cache_write: written.cache_write.as_ref().map_or(input, |text| rate(text, context)),
    })
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
    if written.route_by.as_ref().is_some_and(|by| by.value == RouteBy::Marginal) {
        let nothing = Rate::per_million(NanoUsd::ZERO);
        return Some(Price { input: nothing, output: nothing, cached_input: nothing, cache_write: nothing });
    }
    let tokens_per_hour = 3600 * speed;
    let exact = hour * gpus * i128::from(Rate::UNIT) * 1_000_000_000;
    let up = exact / tokens_per_hour + i128::from(exact % tokens_per_hour != 0);
    let Ok(nanos) = i64::try_from(up) else {
        context.error(place, "this price is too high to count", "check `gpu_hour_usd` and `tokens_per_second`");
        return None;
    };
    let rate = Rate::per_million(NanoUsd(nanos));
    Some(Price { input: rate, output: rate, cached_input: rate, cache_write: rate })
}
