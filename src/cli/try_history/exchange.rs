//! Lines with a request, its answer, or both, in the nestings that clients, proxies and tracers write.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::entry::{Entry, Kind, Unusable};
use super::fields::{Object, first, name, time, usd};
use super::transcript;
use super::usage::usage;
use crate::chat::Format;

const REQUEST: [&str; 9] =
    ["request", "req", "request_body", "requestBody", "input_body", "kwargs", "params", "request_json", "input"];
const RESPONSE: [&str; 9] =
    ["response", "resp", "response_body", "responseBody", "response_json", "output", "completion", "result", "answer"];
/// Where a body is inside a request or an answer.
const BODY: [&str; 7] = ["body", "json", "data", "payload", "message", "params", "kwargs"];
/// Deepest nesting of bodies in bodies.
const DEPTH: usize = 4;
const TIME: [&str; 10] =
    ["timestamp", "created_at", "createdAt", "time", "ts", "date", "startTime", "start_time", "created", "at"];
const COST: [&str; 7] =
    ["cost_usd", "cost", "spend", "response_cost", "total_cost", "total_cost_usd", "waypost_cost_usd"];
/// What a request is made of where it lies in one object with other things.
const MEMBERS: [&str; 14] = [
    "messages",
    "input",
    "system",
    "instructions",
    "tools",
    "tool_choice",
    "functions",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "n",
    "temperature",
    "response_format",
    "seed",
];

pub(super) fn read(line: &Object) -> Result<Entry, Unusable> {
    let answer = RESPONSE.iter().find_map(|name| inner(line.get(*name)?, answers, DEPTH));
    let asked = REQUEST.iter().find_map(|name| inner(line.get(*name)?, asks, DEPTH));
    let (kind, asked, answer) = match (asked, answer) {
        (Some(asked), answer) => (Kind::RequestResponse, Some(asked), answer.or_else(|| itself(line, answers))),
        (None, answer) if asks(line) && !line.contains_key("choices") => {
            (Kind::Flat, Some(line.clone()), answer.or_else(|| itself(line, answers)))
        }
        // A line of a batch's input: the answer is in another file.
        (None, answer) => match line.get("body").and_then(|body| inner(body, asks, DEPTH)) {
            Some(asked) => (Kind::RequestResponse, Some(asked), answer),
            None => (Kind::Answer, None, answer.or_else(|| itself(line, answers))),
        },
    };
    let used = [answer.as_ref(), Some(line)].into_iter().flatten();
    let used = used.filter_map(|object| {
        first(object, &["usage", "usageMetadata", "token_usage", "usageDetails", "usage_details"])
    });
    let used = used.filter_map(usage).next().or_else(|| usage(&Value::Object(line.clone())));
    if failed(line, answer.as_ref()) {
        return Err(Unusable::NotAnswered);
    }
    if asked.is_none() && answer.is_none() && used.is_none() {
        return Err(Unusable::Unknown);
    }
    let url = url(line);
    if is_other(asked.as_ref(), answer.as_ref(), url) {
        return Err(Unusable::NotChat);
    }
    let Some(usage) = used else {
        let waiting = answer.is_none() && asked.is_some();
        return Err(if waiting { Unusable::NotAnswered } else { Unusable::NoUsage });
    };
    let said = answer.as_ref().and_then(|answer| first(answer, &["usage"])?.as_object());
    let model = model(line, asked.as_ref(), answer.as_ref(), url).ok_or(Unusable::NoModel)?;
    Ok(Entry {
        kind,
        model,
        provider: name(line, &["provider", "custom_llm_provider"]),
        prompt: asked.and_then(|asked| body(format(&asked, answer.as_ref(), url), &asked)),
        difficulty: None,
        usage,
        cost: usd(line, &COST).or_else(|| usd(said?, &COST)),
        at: time(line, &TIME).or_else(|| time(answer.as_ref()?, &["created", "created_at", "createTime"])),
        asked_by: ["tenant", "team", "team_alias", "team_id"].iter().filter_map(|by| name(line, &[by])).collect(),
        labels: Vec::new(),
    })
}

/// Whether an object is a request.
pub(super) fn asks(object: &Object) -> bool {
    let list = |name: &str| object.get(name).is_some_and(|value| value.as_array().is_some_and(|list| !list.is_empty()));
    let text = |name: &str| object.get(name).is_some_and(|value| value.as_str().is_some_and(|text| !text.is_empty()));
    list("messages") || list("contents") || text("prompt") || list("prompt") || list("input") || text("input")
}

/// Whether an object is an answer.
fn answers(object: &Object) -> bool {
    ["usage", "usageMetadata", "choices", "candidates", "error"].iter().any(|name| object.contains_key(*name))
}

fn itself(line: &Object, fits: fn(&Object) -> bool) -> Option<Object> {
    fits(line).then(|| line.clone())
}

/// The first object in which this is found, looking into bodies, and into texts that hold them.
fn inner(value: &Value, fits: fn(&Object) -> bool, depth: usize) -> Option<Object> {
    match value {
        Value::Object(object) if fits(object) => Some(object.clone()),
        Value::Object(object) if depth > 0 => BODY.iter().find_map(|name| inner(object.get(*name)?, fits, depth - 1)),
        // A stream's pieces: the last ones tell the usage.
        Value::Array(list) if depth > 0 => list.iter().rev().find_map(|piece| inner(piece, fits, depth - 1)),
        Value::String(text) if depth > 0 => {
            let text = text.trim_start();
            if text.starts_with('{') {
                inner(&serde_json::from_str(text).ok()?, fits, depth - 1)
            } else {
                transcript::answer(text).filter(fits)
            }
        }
        _ => None,
    }
}

/// Whether the answer was an error.
fn failed(line: &Object, answer: Option<&Object>) -> bool {
    let status = |object: &Object| first(object, &["status_code", "statusCode", "status"]).and_then(Value::as_u64);
    let outer = RESPONSE.iter().find_map(|name| line.get(*name)?.as_object());
    let statuses = [Some(line), outer].into_iter().flatten().filter_map(status);
    let error = |object: &Object| first(object, &["error"]).is_some();
    statuses.into_iter().any(|status| (400..600).contains(&status))
        || (answer.is_some_and(|answer| error(answer) && !answer.contains_key("usage")))
        || (answer.is_none() && error(line))
}

/// The path that was called, where the line says it.
fn url(line: &Object) -> &str {
    let places = [Some(line), line.get("request").and_then(Value::as_object)];
    let url = places.into_iter().flatten().find_map(|place| first(place, &["url", "path", "endpoint", "uri"]));
    url.and_then(Value::as_str).unwrap_or_default()
}

/// Whether this is about something else than chat.
fn is_other(asked: Option<&Object>, answer: Option<&Object>, url: &str) -> bool {
    let others = ["embed", "/images", "/audio", "/moderations", "/rerank", "/count_tokens", ":countTokens"];
    let model = asked.and_then(|asked| asked.get("model")?.as_str()).unwrap_or_default();
    others.iter().any(|other| url.contains(other))
        || model.contains("embed")
        || answer.is_some_and(|answer| {
            answer.get("object").and_then(Value::as_str) == Some("list") || answer.contains_key("embeddings")
        })
}

/// As it was asked for; what the provider made of it where that says nothing, or where it is in the path.
fn model(line: &Object, asked: Option<&Object>, answer: Option<&Object>, url: &str) -> Option<String> {
    let requested = asked.and_then(|asked| name(asked, &["model"]));
    let requested = requested.or_else(|| name(line, &["model", "model_name"]));
    let answered = || answer.and_then(|answer| name(answer, &["model", "modelVersion"]));
    let in_path = || {
        let (_, after) = url.rsplit_once("/models/").or_else(|| url.rsplit_once("/model/"))?;
        let end = after.find([':', '/', '?']).unwrap_or(after.len());
        let model = percent_encoding::percent_decode_str(after.get(..end)?).decode_utf8().ok()?;
        (!model.is_empty()).then(|| model.into_owned())
    };
    match requested {
        // What a router was asked for is not what answered.
        Some(model) if model == "auto" || model.starts_with("auto/") => answered().or(Some(model)),
        Some(model) => Some(model),
        None => answered().or_else(in_path),
    }
}

/// The format of a request, by what it looks like, what answered and where it was sent (a path or LiteLLM's call type).
pub(super) fn format(asked: &Object, answer: Option<&Object>, place: &str) -> Format {
    let is_message = answer.is_some_and(|answer| answer.get("type").and_then(Value::as_str) == Some("message"));
    if asked.contains_key("contents") {
        Format::Gemini
    } else if asked.contains_key("messages") {
        let messages = is_message || place.contains("messages") || place.contains("invoke");
        if messages || asked.contains_key("system") { Format::Messages } else { Format::Chat }
    } else if asked.contains_key("prompt") {
        Format::Completions
    } else {
        Format::Responses
    }
}

/// The body of a request that the gateway can judge; `None` where there is nothing in it to judge.
pub(super) fn body(format: Format, asked: &Object) -> Option<(Format, Bytes)> {
    let mut body = Map::new();
    // The gateway chooses the model, and providers whose path names it have none.
    body.insert("model".to_owned(), "auto".into());
    let turns = match format {
        Format::Gemini => Some(from_contents(asked)?),
        Format::Completions => Some(from_prompt(asked)?),
        _ => None,
    };
    let format = if let Some(turns) = turns {
        body.insert("messages".to_owned(), turns);
        Format::Chat
    } else {
        for member in MEMBERS {
            if let Some(value) = first(asked, &[member]) {
                body.insert(member.to_owned(), value.clone());
            }
        }
        if format == Format::Messages {
            body.entry("max_tokens").or_insert_with(|| 4096.into());
        }
        format
    };
    Some((format, Value::Object(body).to_string().into()))
}

/// A bare prompt as a message: who logs one need not have called the old completions endpoint, which few models have.
fn from_prompt(asked: &Object) -> Option<Value> {
    let prompt = match asked.get("prompt")? {
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
        prompt => prompt.as_str()?.to_owned(),
    };
    (!prompt.is_empty()).then(|| json!([{ "role": "user", "content": prompt }]))
}

/// Gemini's turns as messages: their texts. Attachments are counted by what is left in their place.
fn from_contents(asked: &Object) -> Option<Value> {
    let system = first(asked, &["systemInstruction", "system_instruction"]).map(|said| ("system", said));
    let turns = asked.get("contents")?.as_array()?.iter().map(|turn| {
        let model = turn.get("role").and_then(Value::as_str) == Some("model");
        (if model { "assistant" } else { "user" }, turn)
    });
    let mut messages = Vec::new();
    for (role, turn) in system.into_iter().chain(turns) {
        let parts = turn.get("parts").and_then(Value::as_array);
        let texts: Vec<&str> = parts.into_iter().flatten().filter_map(|part| part.get("text")?.as_str()).collect();
        if !texts.is_empty() {
            messages.push(json!({ "role": role, "content": texts.join("\n") }));
        }
    }
    (!messages.is_empty()).then_some(Value::Array(messages))
}
