//! OpenAI's legacy completions: a prompt and its continuation. Texts only, no calls and no reasoning.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::answer::{Answer, Delta, Tokens};
use super::ask::Ask;
use super::chat;
use super::chunks::done;
use super::endpoint::Format;
use super::events::{Events, Writer};
use super::judge::text;
use super::refusal::Refusal;

/// As many answers as OpenAI gives at most.
const MAX_N: u64 = 128;

/// Reads a request. One choice for each prompt, times `n`.
pub(super) fn read(body: Value) -> Result<Ask<'static>, Refusal> {
    let Some(model) = text(&body, "model").map(str::to_owned) else {
        return Err(Refusal::new(400, "you must provide a model parameter"));
    };
    let n = match body.get("n") {
        None | Some(Value::Null) => 1,
        Some(n) => n.as_u64().unwrap_or(0),
    };
    if !(1..=MAX_N).contains(&n) {
        let message = format!("Invalid 'n': it is not between 1 and {MAX_N}.");
        return Err(Refusal::new(400, message).about("n", "invalid_value"));
    }
    let options = body.get("stream_options").is_some_and(|options| !options.is_null());
    let mut complaint = None;
    if options && body.get("stream") != Some(&Value::Bool(true)) {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        complaint = Some(Refusal::new(400, message).about("stream_options", "invalid_value"));
    }
    let (texts, tokens) = match prompts(body.get("prompt")) {
        Some(prompts) => prompts,
        None => {
            let message = "Invalid type for 'prompt': expected a string or a non-empty array.";
            return Err(Refusal::new(400, message).about("prompt", "invalid_type"));
        }
    };
    let include_usage = body.pointer("/stream_options/include_usage") == Some(&Value::Bool(true));
    let mut ask = Ask::of(model, body, complaint);
    ask.n = n * texts.len().max(1) as u64;
    ask.include_usage = include_usage;
    ask.characters = 4 * tokens;
    for prompt in &texts {
        ask.heard(prompt);
    }
    ask.last_user = Cow::Owned(texts.into_iter().next_back().unwrap_or_default());
    Ok(ask)
}

/// The texts of a prompt or of an embedding's input, and how many tokens stand there as numbers.
pub(super) fn prompts(written: Option<&Value>) -> Option<(Vec<String>, u64)> {
    let items = match written {
        None | Some(Value::Null) => return Some((vec![String::new()], 0)),
        Some(Value::String(text)) => return Some((vec![text.clone()], 0)),
        Some(Value::Array(items)) if !items.is_empty() => items,
        Some(_) => return None,
    };
    if items.iter().all(Value::is_u64) {
        return Some((vec![String::new()], items.len() as u64));
    }
    let (mut texts, mut tokens) = (Vec::new(), 0);
    for item in items {
        match item {
            Value::String(text) => texts.push(text.clone()),
            Value::Array(numbers) if !numbers.is_empty() && numbers.iter().all(Value::is_u64) => {
                texts.push(String::new());
                tokens += numbers.len() as u64;
            }
            _ => return None,
        }
    }
    Some((texts, tokens))
}

/// An answer as a text completion.
#[derive(Debug)]
pub(super) struct Completions<'a> {
    answer: &'a Answer<'a>,
    tokens: Tokens,
}

impl<'a> Completions<'a> {
    pub(super) fn new(answer: &'a Answer<'a>) -> Completions<'a> {
        Completions { answer, tokens: Tokens::default() }
    }

    fn object(&self, choices: Value, usage: Option<&Tokens>) -> Value {
        let answer = self.answer;
        let mut object = Map::new();
        object.insert("id".to_owned(), json!(format!("cmpl-scripted-{}", answer.id)));
        object.insert("object".to_owned(), json!("text_completion"));
        object.insert("created".to_owned(), json!(answer.created));
        object.insert("model".to_owned(), json!(answer.ask.model));
        object.insert("system_fingerprint".to_owned(), json!(super::FINGERPRINT));
        object.insert("choices".to_owned(), choices);
        if let Some(tokens) = usage {
            let mut out = Vec::new();
            chat::usage(&mut out, &answer.figures(tokens));
            object.insert("usage".to_owned(), serde_json::from_slice(&out).unwrap_or_default());
        }
        Value::Object(object)
    }
}

fn choice(index: u64, text: &str, finish: Option<&str>) -> Value {
    json!({"text": text, "index": index, "logprobs": null, "finish_reason": finish})
}

impl Writer for Completions<'_> {
    fn whole(&self, out: &mut Vec<u8>) {
        let tokens = (!self.answer.omits_usage()).then(|| self.answer.tokens());
        let body = self.answer.filled(|filler| {
            let mut choices = Vec::new();
            for index in 0..self.answer.ask.n {
                let filler = if index == 0 { filler } else { 0 };
                let text = self.answer.joined_text(filler).unwrap_or_default();
                choices.push(choice(index, &text, Some(self.answer.finish_reason())));
            }
            self.object(Value::Array(choices), tokens.as_ref()).to_string()
        });
        out.extend_from_slice(body.as_bytes());
    }

    fn open(&mut self, _: &mut Events) {}

    fn delta(&mut self, out: &mut Events, delta: &Delta<'_>) {
        self.tokens.count(delta);
        let Delta::Text(piece) = delta else {
            return;
        };
        for index in 0..self.answer.ask.n {
            out.data(&self.object(json!([choice(index, piece, None)]), None).to_string());
        }
    }

    fn close(&mut self, out: &mut Events) {
        for index in 0..self.answer.ask.n {
            let last = choice(index, "", Some(self.answer.finish_reason()));
            out.data(&self.object(json!([last]), None).to_string());
        }
        if self.answer.has_usage_chunk() {
            out.data(&self.object(json!([]), Some(&self.tokens)).to_string());
        }
        done(out, self.answer);
    }

    fn fail(&mut self, out: &mut Events, error: &Refusal) {
        out.data(&error.body(Format::Openai));
        done(out, self.answer);
    }
}
