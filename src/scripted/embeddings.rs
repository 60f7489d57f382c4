//! Embeddings, in OpenAI's and in Gemini's shape: for each text a unit vector made from its digest.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::answer::Answer;
use super::ask::Ask;
use super::completions::prompts;
use super::endpoint::{Endpoint, Line};
use super::judge::{list, text};
use super::refusal::Refusal;

/// Numbers of a vector, where the request does not say.
const DIMENSIONS: u64 = 256;
/// No model has more.
const MAX_DIMENSIONS: u64 = 10_000;
/// As many texts as OpenAI takes in one request.
const MAX_TEXTS: usize = 2048;

/// Reads a request for OpenAI's embeddings.
pub(super) fn read_openai(body: Value) -> Result<Ask<'static>, Refusal> {
    let Some(model) = text(&body, "model").map(str::to_owned) else {
        return Err(Refusal::new(400, "you must provide a model parameter"));
    };
    let written = body.get("input").filter(|input| !input.is_null());
    let Some((texts, tokens)) = written.and_then(|input| prompts(Some(input))) else {
        let message = "Missing or invalid parameter: 'input'.";
        return Err(Refusal::new(400, message).about("input", "invalid_value"));
    };
    let complaint = judge_openai(&body, &texts, tokens);
    let mut ask = Ask::of(model, body, complaint);
    ask.stream = false;
    ask.characters = 4 * tokens;
    for text in &texts {
        ask.heard(text);
    }
    ask.last_user = Cow::Owned(texts.into_iter().next_back().unwrap_or_default());
    Ok(ask)
}

fn judge_openai(body: &Value, texts: &[String], tokens: u64) -> Option<Refusal> {
    let invalid = |param: &str, message: &str| Some(Refusal::new(400, message).about(param, "invalid_value"));
    if tokens == 0 && texts.iter().any(String::is_empty) {
        return invalid("input", "Invalid 'input': input cannot be an empty string.");
    }
    if texts.len() > MAX_TEXTS {
        return invalid("input", "Invalid 'input': too many texts, at most 2048.");
    }
    match body.get("encoding_format") {
        None => {}
        Some(Value::String(format)) if format == "float" || format == "base64" => {}
        Some(_) => return invalid("encoding_format", "Invalid 'encoding_format': 'float' and 'base64' are supported."),
    }
    match body.get("dimensions") {
        None | Some(Value::Null) => None,
        Some(wanted) if wanted.as_u64().is_some_and(|wanted| (1..=MAX_DIMENSIONS).contains(&wanted)) => None,
        Some(_) => invalid("dimensions", "Invalid 'dimensions': integer below minimum or above maximum value."),
    }
}

/// Reads a request for Gemini's embeddings, one or a batch.
pub(super) fn read_gemini(body: Value, line: &Line<'_>, endpoint: Endpoint) -> Result<Ask<'static>, Refusal> {
    let model = line.model().into_owned();
    let requests: Vec<&Value> = match endpoint {
        Endpoint::BatchEmbed => list(&body, "requests").iter().collect(),
        _ => vec![&body],
    };
    let mut complaint = None;
    if requests.is_empty() {
        complaint = Some("* BatchEmbedContentsRequest.requests: at least one request is required\n".to_owned());
    }
    let (mut characters, mut last) = (0, String::new());
    for (place, request) in requests.iter().enumerate() {
        let texts = content_text(request);
        let named = text(request, "model").map(|name| name.trim_start_matches("models/"));
        if endpoint == Endpoint::BatchEmbed && named != Some(&model) {
            complaint = Some(format!(
                "* BatchEmbedContentsRequest.requests[{place}].model: model must match the model of the batch"
            ));
        } else if texts.is_empty() {
            complaint = Some("* EmbedContentRequest.content: contents is required".to_owned());
        }
        characters += texts.chars().count() as u64;
        last = texts;
    }
    let complaint = complaint.map(|message| Refusal::new(400, message));
    let mut ask = Ask::of(model, body, complaint);
    ask.stream = false;
    ask.characters = characters;
    ask.last_user = Cow::Owned(last);
    Ok(ask)
}

fn content_text(request: &Value) -> String {
    let parts = request.get("content").map_or(&[][..], |content| list(content, "parts"));
    parts.iter().filter_map(|part| text(part, "text")).collect()
}

/// The body of OpenAI's answer.
pub(super) fn openai(answer: &Answer<'_>) -> String {
    let ask = answer.ask;
    let dimensions = ask.body.get("dimensions").and_then(Value::as_u64).unwrap_or(DIMENSIONS);
    let as_base64 = text(&ask.body, "encoding_format") == Some("base64");
    let (texts, _) = prompts(ask.body.get("input")).unwrap_or_default();
    let mut data = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let numbers = vector(text, dimensions);
        let embedding = if as_base64 {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            json!(STANDARD.encode(bytes))
        } else {
            json!(numbers)
        };
        data.push(json!({"object": "embedding", "index": index, "embedding": embedding}));
    }
    let prompt = answer.behaviour.prompt_tokens.unwrap_or_else(|| ask.characters.div_ceil(4));
    json!({
        "object": "list",
        "data": data,
        "model": ask.model,
        "usage": {"prompt_tokens": prompt, "total_tokens": prompt},
        "system_fingerprint": super::FINGERPRINT,
    })
    .to_string()
}

/// The body of Gemini's answer.
pub(super) fn gemini(answer: &Answer<'_>, endpoint: Endpoint) -> String {
    let embed = |request: &Value| {
        let wanted = request.get("outputDimensionality").or_else(|| request.get("output_dimensionality"));
        let dimensions = wanted.and_then(Value::as_u64).unwrap_or(DIMENSIONS).clamp(1, MAX_DIMENSIONS);
        json!({"values": vector(&content_text(request), dimensions)})
    };
    let body = &answer.ask.body;
    if endpoint == Endpoint::EmbedContent {
        return json!({ "embedding": embed(body) }).to_string();
    }
    let embeddings: Vec<Value> = list(body, "requests").iter().map(embed).collect();
    json!({ "embeddings": embeddings }).to_string()
}

/// The same for the same text, of length one.
fn vector(text: &str, dimensions: u64) -> Vec<f32> {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let mut state =
        digest.as_ref().iter().fold(1_u64, |state, byte| (state << 7) ^ (state >> 57) ^ u64::from(*byte)) | 1;
    let mut numbers = Vec::new();
    for _ in 0..dimensions.min(MAX_DIMENSIONS) {
        // xorshift64: https://www.jstatsoft.org/article/view/v008i14
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        numbers.push((state >> 40) as f32 / (1_u32 << 23) as f32 - 1.0);
    }
    let length = numbers.iter().map(|number| number * number).sum::<f32>().sqrt();
    for number in &mut numbers {
        *number /= length.max(f32::MIN_POSITIVE);
    }
    numbers
}
