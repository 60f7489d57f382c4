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
    /// How sure a calibration must be that it is kept, 0.5 to 1.
    pub confidence: f32,
    /// Whether a target below the best may only be chosen on a calibration's word. Without one the best is chosen,
    /// which meets any floor.
    pub require_calibration: bool,
    /// Highest 95th percentile of the time to the first token, milliseconds.
    pub first_token_p95_ms: Option<u64>,
    /// Highest 95th percentile of the time to the first token of the answer itself, reasoning over, milliseconds.
    pub first_answer_token_p95_ms: Option<u64>,
    /// Most that a request may be expected to cost.
    pub max_cost: Option<NanoUsd>,
}

/// What decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Minimise {
    /// The cheapest that is good enough.
    Cost,
    /// The fastest to the first token of its answer that is good enough.
    Latency,
    /// Nothing: the best.
    None,
}

/// The confidence asked of a calibration where a policy states none.
pub const CONFIDENCE: f32 = 0.9;

/// Keys of `latency`.
const FIRST: &str = "first_token_p95_ms";
const ANSWER: &str = "first_answer_token_p95_ms";

const KEYS: [&str; 4] = ["minimise", "quality", "latency", "max_cost_usd"];

/// Reads `objective`; problems go to the source.
pub(crate) fn read(source: &mut Source<'_>, node: &Node) -> Objective {
    let mut objective = Objective {
        minimise: Minimise::Cost,
        at_least: None,
        confidence: CONFIDENCE,
        require_calibration: false,
        first_token_p95_ms: None,
        first_answer_token_p95_ms: None,
        max_cost: None,
    };
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
        read_quality(source, quality, &mut objective);
    }
    if let Some(latency) = node::get(entries, "latency") {
        let entries = source.map(latency, "latency", &[FIRST, ANSWER]);
        if let Some(ms) = node::get(entries, FIRST) {
            objective.first_token_p95_ms = read_ms(source, ms, FIRST);
        }
        if let Some(ms) = node::get(entries, ANSWER) {
            objective.first_answer_token_p95_ms = read_ms(source, ms, ANSWER);
        }
    }
    if let Some(ceiling) = node::get(entries, "max_cost_usd") {
        objective.max_cost = read_usd(source, ceiling);
    }
    objective
}

fn read_quality(source: &mut Source<'_>, node: &Node, objective: &mut Objective) {
    let entries = source.map(node, "quality", &["at_least", "of", "confidence", "require_calibration"]);
    if let Some(of) = node::get(entries, "of")
        && source.text(of, "of").is_some_and(|of| of != "best-allowed")
    {
        source.error(of, "quality is measured against the best allowed target only", "write of: best-allowed");
    }
    let Some(at_least) = node::get(entries, "at_least") else {
        source.error(node, "quality states no floor", "add at_least: 0.95");
        return;
    };
    objective.at_least = share(at_least, 0.0);
    if objective.at_least.is_none() {
        source.error(at_least, "at_least must be a share between 0 and 1", "write at_least: 0.95");
    }
    if let Some(confidence) = node::get(entries, "confidence") {
        match share(confidence, 0.5) {
            Some(given) => objective.confidence = given,
            None => source.error(confidence, "confidence must be between 0.5 and 1", "write confidence: 0.9"),
        }
    }
    if let Some(required) = node::get(entries, "require_calibration") {
        match required.value {
            Value::Bool(given) => objective.require_calibration = given,
            _ => source.error(required, "require_calibration must be true or false", "write true or false"),
        }
    }
}

/// A number from `least` to 1.
fn share(node: &Node, least: f64) -> Option<f32> {
    match node.value {
        #[expect(clippy::cast_possible_truncation, reason = "a share between 0 and 1")]
        Value::Number(share) if (least..=1.0).contains(&share) => Some(share as f32),
        _ => None,
    }
}

fn read_ms(source: &mut Source<'_>, node: &Node, key: &str) -> Option<u64> {
    match node.value {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the range checked")]
        Value::Number(ms) if (1.0..=3_600_000.0).contains(&ms) && ms.fract() == 0.0 => Some(ms as u64),
        _ => {
            source.error(node, format!("{key} must be whole milliseconds, at least 1"), "write 1500");
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
