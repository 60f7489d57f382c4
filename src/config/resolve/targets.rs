//! Models at providers become targets with their facts.

use std::sync::Arc;
use std::time::Duration;

use super::providers::{Provider, set_text};
use super::{Context, digest, price};
use crate::catalog;
use crate::chat::{Effort, Format};
use crate::config::facts::{Fact, FactName, Facts};
use crate::config::reader::listing;
use crate::config::running::{LatencyPrior, ModelKind, Target, Tier};
use crate::config::values::{At, List};
use crate::config::written;
use crate::id::TargetId;
use crate::wire::dialect::ReasoningModel;

/// Assumed where nothing is stated: a typical hosted model.
const FIRST_TOKEN: Duration = Duration::from_millis(400);
const TOKENS_PER_SECOND: f64 = 40.0;

/// All targets, in the order written.
pub(super) fn targets(
    written: &List<written::Model>,
    providers: &[Provider],
    drop_unsupported: bool,
    listed: Option<&price::Listed>,
    context: Context<'_>,
) -> Vec<Arc<Target>> {
    let mut targets: Vec<Arc<Target>> = Vec::new();
    for model in &written.0 {
        name(&model.name, context);
        let Some(provider) = find(&model.provider, providers, context) else {
            continue;
        };
        let Ok(id) = u16::try_from(targets.len()) else {
            let message = "there are more than 65536 models";
            context.error(model.name.place, message, "split them over several gateways");
            break;
        };
        let target = target(model, provider, TargetId(id), drop_unsupported, listed, context);
        if targets.iter().any(|other| other.name == target.name) {
            let message = format!("model `{}` is defined twice at `{}`", model.name.value, model.provider.value);
            context.error(model.name.place, message, "rename or remove one of the two");
            continue;
        }
        targets.push(Arc::new(target));
    }
    if written.0.is_empty() && context.root.names("models", "name").is_empty() {
        context.error(
            context.root.get("models").map(|list| list.place).unwrap_or_default(),
            "there are no models",
            "add `models: [{ name: NAME, provider: PROVIDER, tier: mid }]`",
        );
    }
    targets
}

fn name(name: &At<String>, context: Context<'_>) {
    if let Some((_, last)) = name.value.rsplit_once('/') {
        let message = format!("`{}` cannot name a model: `provider/model` is how clients ask for one", name.value);
        context.report.unreadable(name.place, message, format!("write `name: {last}` and `upstream: {}`", name.value));
    } else if name.value == "auto" {
        let message = "`auto` cannot name a model: it lets the policy choose";
        context.error(name.place, message, "choose another name");
    }
    context.name(name, "a model");
}

fn find<'p>(name: &At<String>, providers: &'p [Provider], context: Context<'_>) -> Option<&'p Provider> {
    let found = providers.iter().find(|provider| provider.running.name.as_str() == name.value);
    // A provider that was written but could not be read was reported where it stands.
    if found.is_none() && !context.root.names("providers", "name").contains(&name.value.as_str()) {
        context.known(name, "provider", providers.iter().map(|provider| provider.running.name.as_str()));
    }
    found
}

fn target(
    written: &written::Model,
    provider: &Provider,
    id: TargetId,
    drop_unsupported: bool,
    listed: Option<&price::Listed>,
    context: Context<'_>,
) -> Target {
    let upstream = written.upstream.as_ref().unwrap_or(&written.name);
    if upstream.value.is_empty() || upstream.value.chars().any(char::is_control) {
        context.error(upstream.place, "this cannot be a model's name", "write what the provider calls the model");
    }
    let tier = written.tier.as_ref().map(|tier| tier.value).unwrap_or_else(|| {
        let message = format!("model `{}` has no tier and is taken for mid", written.name.value);
        context.warn(written.name.place, message, "add `tier: weak`, `mid` or `strong`");
        Tier::Mid
    });
    let found = price::price(written, provider.running.kind, listed, context);
    let sizes = [&written.context, &written.max_output];
    for size in sizes.into_iter().flatten().filter(|size| size.value == 0) {
        context.error(
            size.place,
            "a model that takes no token is no use",
            "write the number of tokens, or leave it out",
        );
    }
    let target = Target {
        id,
        name: format!("{}@{}", written.name.value, written.provider.value).into(),
        model: written.name.value.as_str().into(),
        upstream: upstream.value.clone(),
        provider: Arc::clone(&provider.running),
        kind: written.kind.as_ref().map(|kind| kind.value).unwrap_or_default(),
        wire: wire(written, provider, context),
        reasoning: reasoning(&written.reasoning, context),
        show_reasoning: written.reasoning.show.as_ref().is_none_or(|show| show.value),
        drop_unsupported: written
            .on_unsupported
            .as_ref()
            .map_or(drop_unsupported, |at| at.value == written::OnUnsupported::Drop),
        tier,
        facts: facts(written, provider, &found, context),
        context: written.context.as_ref().map(|tokens| tokens.value).or(found.context),
        max_output: written.max_output.as_ref().map(|tokens| tokens.value).or(found.max_output),
        price: found.price,
        max_concurrent: written.max_concurrent.as_ref().map(|count| context.count(Some(count), 1)),
        latency_prior: latency(&written.latency_prior, context),
    };
    if let (Some(context_size), Some(max_output), Some(at)) = (target.context, target.max_output, &written.max_output)
        && max_output > context_size
    {
        context.error(at.place, "`max_output` is above `context`", "an answer is part of the context: lower it");
    }
    target
}

fn latency(written: &written::LatencyPrior, context: Context<'_>) -> LatencyPrior {
    let first_token =
        written.first_token_ms.as_ref().map_or(FIRST_TOKEN, |ms| Duration::from_millis(u64::from(ms.value)));
    let tokens_per_second = written.tokens_per_second.as_ref().map_or(TOKENS_PER_SECOND, |speed| {
        if !(speed.value > 0.0 && speed.value.is_finite()) {
            context.error(speed.place, "a speed must be above zero", "write tokens per second: `40`");
        }
        speed.value
    });
    LatencyPrior { first_token, tokens_per_second }
}

/// The format a model is always called in, if its provider's kind can be called so.
fn wire(written: &written::Model, provider: &Provider, context: Context<'_>) -> Option<Format> {
    let at = written.wire.as_ref()?;
    let format = match at.value {
        written::Wire::Chat => Format::Chat,
        written::Wire::Responses => Format::Responses,
        written::Wire::Messages => Format::Messages,
        written::Wire::Gemini => Format::Gemini,
    };
    let kind = provider.running.native;
    if kind.speaks(format) {
        return Some(format);
    }
    let known: Vec<_> = kind.formats.iter().chain(kind.on_request).map(|(spoken, _)| spoken.as_str()).collect();
    let message = format!("providers of kind {} do not speak `{}`", kind.name, format.as_str());
    context.error(at.place, message, format!("leave it out, or write one of {}", listing(known)));
    None
}

fn reasoning(written: &written::Reasoning, context: Context<'_>) -> ReasoningModel {
    let efforts = written.efforts.0.iter().filter_map(|(word, tokens)| {
        context.known(word, "degree of reasoning", Effort::ALL.iter().map(|effort| effort.as_str()));
        Some((Effort::of(&word.value)?, tokens.value))
    });
    ReasoningModel {
        style: written.style.as_ref().map(|style| style.value),
        parser: written.parser.as_ref().map(|parser| parser.value).unwrap_or_default(),
        efforts: efforts.collect(),
        template_key: written.switch.as_ref().map(|switch| switch.value.clone()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "no context window reaches 2^53 tokens")]
fn facts(written: &written::Model, provider: &Provider, found: &price::Found, context: Context<'_>) -> Facts {
    let mut facts = provider.facts.clone();
    let upstream = written.upstream.as_ref().unwrap_or(&written.name);
    let provenance = &written.provenance;
    set_text(&mut facts, FactName::ProvenanceDeveloper, provenance.developer.as_ref());
    if let Some(country) = &provenance.country {
        facts.set(FactName::ProvenanceCountry, Fact::Text(context.country(country)));
    }
    set_text(&mut facts, FactName::ProvenanceLicence, provenance.licence.as_ref());
    if let Some(open) = &provenance.open_weights {
        facts.set(FactName::ProvenanceOpenWeights, Fact::Bool(open.value));
    }
    if let Some(hash) = &provenance.weights_sha256 {
        if digest(&hash.value).is_none() {
            context.error(
                hash.place,
                "this is not a SHA-256",
                "write 64 hexadecimal digits, as `sha256sum` prints them",
            );
        }
        facts.set(FactName::ProvenanceWeightsSha256, Fact::Text(hash.value.to_lowercase()));
    }
    fill_origin(&mut facts, &upstream.value, provider);
    fill_location(&mut facts, &upstream.value, provider);
    if let Some(tier) = &written.tier {
        let word = match tier.value {
            Tier::Weak => "weak",
            Tier::Mid => "mid",
            Tier::Strong => "strong",
        };
        facts.set(FactName::ModelTier, Fact::Text(word.to_owned()));
    }
    let kind = match written.kind.as_ref().map(|kind| kind.value).unwrap_or_default() {
        ModelKind::Chat => "chat",
        ModelKind::Embedding => "embedding",
    };
    facts.set(FactName::ModelKind, Fact::Text(kind.to_owned()));
    if let Some(tokens) = written.context.as_ref().map(|tokens| tokens.value).or(found.context) {
        facts.set(FactName::ModelContext, Fact::Number(tokens as f64));
    }
    if let Some(price) = &found.price {
        facts.set(FactName::PriceInput, Fact::Number(price.base().input.as_usd()));
        facts.set(FactName::PriceOutput, Fact::Number(price.base().output.as_usd()));
    }
    if let Some(supports) = &written.supports {
        let words = supports.0.iter().map(|capability| capability.value.as_str().to_owned());
        facts.set(FactName::Supports, Fact::Set(words.collect()));
    }
    facts
}

/// Fills in where a model is known to come from.
fn fill_origin(facts: &mut Facts, upstream: &str, provider: &Provider) {
    let operator = provider.operator.map(|operator| operator.name.as_str());
    let Some(origin) = catalog::origin(upstream, operator, provider.running.kind.as_str()) else {
        return;
    };
    let texts = [
        (FactName::ProvenanceDeveloper, &origin.developer),
        (FactName::ProvenanceCountry, &origin.country),
        (FactName::ProvenanceLicence, &origin.licence),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            facts.fill(name, Fact::Text(text.clone()), origin.cited());
        }
    }
    if let Some(open) = origin.open_weights {
        facts.fill(FactName::ProvenanceOpenWeights, Fact::Bool(open), origin.cited());
    }
}

/// Fills in where prompts to a model are processed, if the host of each endpoint tells.
fn fill_location(facts: &mut Facts, upstream: &str, provider: &Provider) {
    let places = &provider.places;
    let Some(first) = places.first() else {
        return;
    };
    if !places.iter().all(|place| place.holds_for(upstream)) {
        return;
    }
    let countries = places.iter().flat_map(|place| place.countries.iter().cloned()).collect();
    facts.fill(FactName::LocationCountries, Fact::Set(countries), first.cited);
    if let Some(region) = &first.region
        && places.iter().all(|place| place.region == first.region)
    {
        facts.fill(FactName::LocationRegion, Fact::Text(region.clone()), first.cited);
    }
}
