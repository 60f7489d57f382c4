//! Chances of tokens in the form of Chat Completions.

use super::chunk::{Chance, Logprobs};
use crate::chat::Json;
use crate::wire::json::{List, Object};

/// One entry a token: `{token, logprob, bytes, top_logprobs}`.
pub(super) fn tokens(result: &Logprobs<'_>) -> Vec<Json> {
    let chosen = result.chosen_candidates.as_deref().unwrap_or_default();
    let tops = result.top_candidates.as_deref().unwrap_or_default();
    let mut tokens = Vec::with_capacity(chosen.len());
    for (place, chance) in chosen.iter().enumerate() {
        let mut others = List::new();
        for other in tops.get(place).and_then(|top| top.candidates.as_deref()).unwrap_or_default() {
            others.raw(&entry(other).finish());
        }
        let mut token = entry(chance);
        token.raw("top_logprobs", &others.finish());
        tokens.extend(Json::new(token.finish()));
    }
    tokens
}

fn entry(chance: &Chance<'_>) -> Object {
    let token = chance.token.as_deref().unwrap_or_default();
    let mut entry = Object::new();
    entry.put("token", token).raw("logprob", chance.log_probability.map_or("0", |number| number.get()));
    entry.put("bytes", token.as_bytes());
    entry
}
