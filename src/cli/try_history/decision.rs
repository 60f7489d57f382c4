//! Lines of our own decision log (`decisions.file`): no prompt, but how hard it was.

use serde_json::Value;

use super::entry::{Entry, Kind, Unusable};
use super::fields::{Object, name, time};
use super::usage::usage;
use crate::money::NanoUsd;

pub(super) fn is_one(line: &Object) -> bool {
    let id = line.get("id").and_then(Value::as_str);
    id.is_some_and(|id| id.starts_with("dec_")) && line.contains_key("schema") && line.contains_key("candidates")
}

pub(super) fn read(line: &Object) -> Result<Entry, Unusable> {
    if matches!(line.get("operation").and_then(Value::as_str), Some("embeddings" | "count_tokens" | "models")) {
        return Err(Unusable::NotChat);
    }
    let answered = !matches!(line.get("outcome").and_then(Value::as_str), Some("denied" | "error"));
    let usage = line.get("usage").and_then(usage).filter(|_| answered).ok_or(Unusable::NotAnswered)?;
    let target = target(line).ok_or(Unusable::NoModel)?;
    let (model, provider) = target.rsplit_once('@').unwrap_or((&target, ""));
    #[expect(clippy::cast_possible_truncation, reason = "a score is written from an f32")]
    let difficulty = line.get("score").and_then(|score| score.get("difficulty")?.as_f64()).map(|d| d as f32);
    Ok(Entry {
        kind: Kind::WaypostDecision,
        model: model.to_owned(),
        provider: (!provider.is_empty()).then(|| provider.to_owned()),
        prompt: None,
        difficulty: difficulty.filter(|d| (0.0..=1.0).contains(d)),
        usage,
        cost: line.get("cost_nusd").and_then(Value::as_i64).map(NanoUsd),
        at: time(line, &["at"]),
        asked_by: name(line, &["tenant"]).into_iter().collect(),
        labels: labels(line),
    })
}

/// Who answered: the last that was called, else (from the cache) the one that was chosen.
fn target(line: &Object) -> Option<String> {
    let attempts = line.get("attempts").and_then(Value::as_array).and_then(|attempts| attempts.last());
    let chosen = || {
        let place = usize::try_from(line.get("chosen")?.as_u64()?).ok()?;
        line.get("candidates")?.get(place)
    };
    name(attempts.or_else(chosen)?.as_object()?, &["target"])
}

/// Labels that somebody set: what was a default then is one now.
fn labels(line: &Object) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (label, set) in line.get("labels").and_then(Value::as_object).into_iter().flatten() {
        let part = |name: &str| set.get(name).and_then(Value::as_str);
        if let (Some(value), Some(by)) = (part("value"), part("by"))
            && by != "default"
            && !value.is_empty()
        {
            found.push((label.clone(), value.to_owned()));
        }
    }
    found
}
