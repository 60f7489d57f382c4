//! Lines of `LiteLLM`'s spend log, exported from its table `LiteLLM_SpendLogs` or written by a callback
//! (<https://docs.litellm.ai/docs/proxy/ui_logs>). Prompts are in it only where `store_prompts_in_spend_logs` was on.

use serde_json::{Value, json};

use super::entry::{Entry, Kind, Unusable};
use super::exchange;
use super::fields::{Object, first, name, opened, opened_object, time, usd};
use super::usage::usage;
use crate::chat::Format;

pub(super) fn is_one(line: &Object) -> bool {
    let cost = ["spend", "response_cost"].iter().any(|name| line.contains_key(*name));
    let rest = ["call_type", "startTime", "custom_llm_provider", "prompt_tokens", "api_key"];
    cost && rest.iter().any(|name| line.contains_key(*name))
}

pub(super) fn read(line: &Object) -> Result<Entry, Unusable> {
    let call = line.get("call_type").and_then(Value::as_str).unwrap_or_default();
    let others = ["embedding", "image", "transcription", "speech", "moderation", "rerank", "ocr", "file", "batch"];
    if others.iter().any(|other| call.contains(other)) {
        return Err(Unusable::NotChat);
    }
    let metadata = opened_object(line, &["metadata"]).unwrap_or_default();
    let failed = |object: &Object| object.get("status").and_then(Value::as_str) == Some("failure");
    if failed(line) || failed(&metadata) {
        return Err(Unusable::NotAnswered);
    }
    let answer = opened_object(line, &["response"]).unwrap_or_default();
    let usage = first(&metadata, &["usage_object"])
        .and_then(usage)
        .or_else(|| first(&answer, &["usage", "usageMetadata"]).and_then(usage))
        .or_else(|| usage(&Value::Object(line.clone())))
        .ok_or(Unusable::NoUsage)?;
    let teams = ["user_api_key_team_alias", "user_api_key_alias", "user_api_key_team_id"];
    let mut asked_by: Vec<String> = teams.iter().filter_map(|team| name(&metadata, &[team])).collect();
    asked_by.extend(name(line, &["team_id"]));
    Ok(Entry {
        kind: Kind::LitellmSpend,
        model: name(line, &["model", "model_group"]).ok_or(Unusable::NoModel)?,
        provider: name(line, &["custom_llm_provider"]),
        prompt: asked(line, call).and_then(|(format, asked)| exchange::body(format, &asked)),
        difficulty: None,
        usage,
        cost: usd(line, &["spend", "response_cost"]),
        at: time(line, &["startTime", "completionStartTime", "endTime"]),
        asked_by,
        labels: Vec::new(),
    })
}

/// The request as it came to the proxy, else the messages alone.
fn asked(line: &Object, call: &str) -> Option<(Format, Object)> {
    let whole = opened_object(line, &["proxy_server_request"]).and_then(|request| match request.get("body") {
        Some(body) => opened(body)?.as_object().cloned(),
        None => Some(request),
    });
    if let Some(whole) = whole.filter(exchange::asks) {
        return Some((exchange::format(&whole, None, call), whole));
    }
    let messages = first(line, &["messages"])?;
    let asked = match opened(messages) {
        Some(Value::Array(messages)) => json!({ "messages": messages }),
        Some(Value::Object(inner)) if exchange::asks(&inner) => Value::Object(inner),
        Some(_) => return None,
        None => {
            let text = messages.as_str().map(str::trim).filter(|text| !text.is_empty() && *text != "{}")?;
            json!({ "messages": [{ "role": "user", "content": text }] })
        }
    };
    let asked = asked.as_object()?.clone();
    Some((exchange::format(&asked, None, call), asked))
}
