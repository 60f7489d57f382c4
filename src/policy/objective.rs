//! What is best among the allowed: read by `route::choose`.

use super::node::{self, Node, Source, Value};
use crate::money::NanoUsd;

/// A policy's objective.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// What decides among candidates that are good enough.
    pub minimise: Minimise,
    /// Share of the best candidate's quality that must be kept, 0 to 1; `None`: any quality will do.
    pub at_least: Option<f32>,
    /// Highest 95th percentile of the time to the first token, milliseconds.
    pub first_token_p95_ms: Option<u64>,
    /// Most that a request may be expected to cost.
    pub max_cost: Option<NanoUsd>,
}

/// What decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Minimise {
    /// The cheapest that is good enough.
    Cost,
    /// The fastest to its first token that is good enough.
    Latency,
    /// Nothing: the best.
    None,
}

const KEYS: [&str; 4] = ["minimise", "quality", "latency", "max_cost_usd"];

/// Reads `objective`; problems go to the source.
pub(crate) fn read(source: &mut Source<'_>, node: &Node) -> Objective {
    let mut objective =
        Objective { minimise: Minimise::Cost, at_least: None, first_token_p95_ms: None, max_cost: None };
    let entries = source.map(node, "objective", &KEYS);
    match node::get(entries, "minimise") {
        None if matches!(node.value, Value::Map(_)) => {
            source.error(node, "objective says nothing to minimise", "add minimise: cost, latency or none");
        }
        None => {}
        Some(minimise) => match source.text(minimise, "minimise") {
            Some("cost") => {}
            Some("latency") => objective.minimise = Minimise::Latency,
            Some("none") => objective.minimise = Minimise::None,
            Some(other) => {
                let remedy = node::did_you_mean(other, ["cost", "latency", "none"].into_iter());
                source.error(minimise, format!("minimise cannot be `{other}`"), remedy);
            }
            None => {}
        },
    }
    if let Some(quality) = node::get(entries, "quality") {
        objective.at_least = read_quality(source, quality);
    }
    if let Some(latency) = node::get(entries, "latency") {
        let entries = source.map(latency, "latency", &["first_token_p95_ms"]);
        if let Some(ms) = node::get(entries, "first_token_p95_ms") {
            objective.first_token_p95_ms = read_ms(source, ms);
        }
    }
    if let Some(ceiling) = node::get(entries, "max_cost_usd") {
        objective.max_cost = read_usd(source, ceiling);
    }
    objective
}

fn read_quality(source: &mut Source<'_>, node: &Node) -> Option<f32> {
    let entries = source.map(node, "quality", &["at_least", "of"]);
    if let Some(of) = node::get(entries, "of")
        && source.text(of, "of").is_some_and(|of| of != "best-allowed")
    {
        source.error(of, "quality is measured against the best allowed target only", "write of: best-allowed");
    }
    let Some(at_least) = node::get(entries, "at_least") else {
        source.error(node, "quality states no floor", "add at_least: 0.95");
        return None;
    };
    match at_least.value {
        #[expect(clippy::cast_possible_truncation, reason = "a share between 0 and 1")]
        Value::Number(share) if (0.0..=1.0).contains(&share) => Some(share as f32),
        _ => {
            source.error(at_least, "at_least must be a share between 0 and 1", "write at_least: 0.95");
            None
        }
    }
}

fn read_ms(source: &mut Source<'_>, node: &Node) -> Option<u64> {
    match node.value {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the range checked")]
        Value::Number(ms) if (1.0..=3_600_000.0).contains(&ms) && ms.fract() == 0.0 => Some(ms as u64),
        _ => {
            source.error(node, "first_token_p95_ms must be whole milliseconds, at least 1", "write 1500");
            None
        }
    }
}

fn read_usd(source: &mut Source<'_>, node: &Node) -> Option<NanoUsd> {
    let text = match &node.value {
        // f64 prints without exponent and as short as it was written.
        Value::Number(usd) => usd.to_string(),
        Value::Text(usd) => usd.clone(),
        _ => String::new(),
    };
    match text.parse() {
        Ok(usd) => Some(usd),
        Err(_) => {
            source.error(node, "max_cost_usd must be US dollars with at most nine decimals", "write 0.05");
            None
        }
    }
}
