//! What a policy may change of the one it extends: it adds rules and tightens ceilings, and loosens nothing.
//!
//! Ceilings are compared as they are written, over what the parent's file and those above it say. So a child may state one
//! figure and keep the rest.

use serde_saphyr::Spanned;

use super::node::{Node, Source, Value, get};
use super::objective::CONFIDENCE;
use crate::money::NanoUsd;

/// Which way a ceiling may move.
#[derive(Clone, Copy)]
enum Way {
    /// The higher, the tighter.
    Up,
    /// The lower, the tighter.
    Down,
    /// In US dollars.
    DownUsd,
    /// From false to true.
    On,
}

/// The objective's ceilings, by their keys. `latency` holds nothing but ceilings. What is not here (what to minimise)
/// opens nothing.
const CEILINGS: [(&[&str], Way); 4] = [
    (&["quality", "at_least"], Way::Up),
    (&["quality", "confidence"], Way::Up),
    (&["quality", "require_calibration"], Way::On),
    (&["max_cost_usd"], Way::DownUsd),
];

/// The objective that a child is read by: what it says over what its parent says. Where it loosens, an error at the place.
pub(super) fn objective(source: &mut Source<'_>, parent: &str, above: &Node, own: &Node) -> Node {
    for (path, way) in CEILINGS {
        let (Some(was), Some(is)) = (at(above, path).or_else(|| unsaid(path, above)), at(own, path)) else { continue };
        judge(source, parent, path, way, &was, &is);
    }
    if let (Some(was), Some(is)) = (at(above, &["latency"]), at(own, &["latency"]))
        && let (Value::Map(was), Value::Map(is)) = (&was.value, &is.value)
    {
        for (key, is) in is {
            let Some(was) = get(was, &key.value) else { continue };
            judge(source, parent, &["latency", &key.value], Way::Down, was, is);
        }
    }
    over(above, own)
}

/// What holds where nobody said anything.
fn unsaid(path: &[&str], above: &Node) -> Option<Node> {
    let confidence = path == ["quality", "confidence"] && at(above, &["quality", "at_least"]).is_some();
    confidence.then(|| Node::new(Value::Number(f64::from(CONFIDENCE)), above.referenced, above.defined))
}

fn judge(source: &mut Source<'_>, parent: &str, path: &[&str], way: Way, was: &Node, is: &Node) {
    // A value of another type is found wrong where the objective is read.
    let loosens = match (way, &was.value, &is.value) {
        #[expect(clippy::cast_possible_truncation, reason = "shares are compared as they are kept")]
        (Way::Up, Value::Number(was), Value::Number(is)) => (*is as f32) < (*was as f32),
        (Way::Down, Value::Number(was), Value::Number(is)) => is > was,
        (Way::DownUsd, was, is) => matches!((usd(was), usd(is)), (Some(was), Some(is)) if is > was),
        (Way::On, Value::Bool(was), Value::Bool(is)) => *was && !*is,
        _ => false,
    };
    if !loosens {
        return;
    }
    let (name, was) = (path.join("."), shown(&was.value));
    let bound = match way {
        Way::Up => format!("at least {was}"),
        Way::Down | Way::DownUsd => format!("at most {was}"),
        Way::On => was.clone(),
    };
    let message = format!("{name} loosens what `{parent}` asks for ({was}): a policy can only tighten what it extends");
    source.error(is, message, format!("write {bound}, or leave it out to keep {was}"));
}

fn at(node: &Node, path: &[&str]) -> Option<Node> {
    let mut node = node;
    for key in path {
        let Value::Map(entries) = &node.value else { return None };
        node = get(entries, key)?;
    }
    Some(node.clone())
}

fn usd(value: &Value) -> Option<NanoUsd> {
    match value {
        Value::Number(usd) => usd.to_string().parse().ok(),
        Value::Text(usd) => usd.parse().ok(),
        _ => None,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Bool(yes) => yes.to_string(),
        Value::Null | Value::List(_) | Value::Map(_) => value.kind().to_owned(),
    }
}

/// One map over another, key by key.
fn over(above: &Node, own: &Node) -> Node {
    let (Value::Map(above), Value::Map(entries)) = (&above.value, &own.value) else { return own.clone() };
    let mut merged: Vec<(Spanned<String>, Node)> = entries.clone();
    for (key, above) in above {
        match merged.iter_mut().find(|(own, _)| own.value == key.value) {
            Some((_, own)) => *own = over(above, own),
            None => merged.push((key.clone(), above.clone())),
        }
    }
    Node::new(Value::Map(merged), own.referenced, own.defined)
}
