//! Gemini's `generateContent` and `streamGenerateContent`: a request read, an answer written.

mod history;
mod judge;

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::answer::{Answer, Delta, Figures, Tokens};
use super::ask::Ask;
use super::endpoint::{Endpoint, Format, Line};
use super::events::{Events, Writer};
use super::fields::ToolCall;
use super::json::{escape, object_text, quoted};
use super::judge::{list, text};
use super::refusal::Refusal;
use super::seal;

pub(super) use history::unsigned;

/// A member in either of protobuf's spellings; `snake` is the second.
fn member<'a>(value: &'a Value, camel: &str, snake: &str) -> Option<&'a Value> {
    value.get(camel).or_else(|| value.get(snake))
}

/// Reads and judges a request. Nothing but a body is needed to answer.
pub(super) fn read(body: Value, line: &Line<'_>, endpoint: Endpoint) -> Result<Ask<'static>, Refusal> {
    let stream = endpoint == Endpoint::StreamGenerate;
    if stream && !line.alt_sse() {
        return Err(Refusal::new(400, "The scripted provider streams with ?alt=sse only."));
    }
    let complaint = judge::judge(&body).err();
    let mut ask = Ask::of(line.model().into_owned(), Value::Null, complaint);
    ask.stream = stream;
    let config = member(&body, "generationConfig", "generation_config");
    let wanted = config.and_then(|config| member(config, "candidateCount", "candidate_count"));
    ask.n = wanted.and_then(Value::as_u64).unwrap_or(1).clamp(1, judge::MAX_CANDIDATES);
    let system = member(&body, "systemInstruction", "system_instruction");
    for content in system.into_iter().chain(list(&body, "contents")) {
        ask.messages += 1;
        let mut said = String::new();
        for part in list(content, "parts") {
            said.push_str(text(part, "text").unwrap_or_default());
            let image = ["inlineData", "inline_data", "fileData", "file_data"];
            ask.images += u64::from(image.into_iter().any(|name| part.get(name).is_some()));
        }
        ask.heard(&said);
        if text(content, "role") != Some("model") && !said.is_empty() {
            ask.last_user = Cow::Owned(said);
        }
    }
    ask.body = body;
    Ok(ask)
}

/// An answer as a `GenerateContentResponse`, whole or one for each event.
#[derive(Debug)]
pub(super) struct Gemini<'a> {
    answer: &'a Answer<'a>,
    tokens: Tokens,
}

impl<'a> Gemini<'a> {
    pub(super) fn new(answer: &'a Answer<'a>) -> Gemini<'a> {
        Gemini { answer, tokens: Tokens::default() }
    }

    fn finish_reason(&self) -> &'a str {
        let answer: &'a Answer<'a> = self.answer;
        match answer.finish_reason() {
            "stop" | "tool_calls" => "STOP",
            "length" => "MAX_TOKENS",
            "content_filter" => "SAFETY",
            other => other,
        }
    }

    /// A response with these parts in each candidate.
    fn response(&self, parts: &str, over: bool, usage: Option<&Value>) -> String {
        let finish = match (over, self.finish_reason()) {
            (false, _) => String::new(),
            (true, reason) => format!(",\"finishReason\":{}", quoted(reason)),
        };
        let mut candidates = Vec::new();
        for index in 0..self.answer.ask.n {
            candidates.push(format!(r#"{{"content":{{"parts":[{parts}],"role":"model"}}{finish},"index":{index}}}"#));
        }
        let candidates = candidates.join(",");
        let usage = usage.map(|usage| format!(",\"usageMetadata\":{usage}")).unwrap_or_default();
        let (model, id) = (quoted(&self.answer.ask.model), self.answer.id);
        format!(r#"{{"candidates":[{candidates}]{usage},"modelVersion":{model},"responseId":"scripted-{id}"}}"#)
    }

    /// The usage after so many tokens. What the script states is reached at the end.
    fn usage(&self, tokens: &Tokens, over: bool) -> Option<Value> {
        if self.answer.omits_usage() {
            return None;
        }
        let Figures { prompt, mut completion, cached, mut reasoning, .. } = self.answer.figures(tokens);
        if !over {
            let counted = self.answer.counted(tokens);
            completion = completion.min(counted.completion);
            reasoning = reasoning.min(counted.reasoning);
        }
        let said = completion.saturating_sub(reasoning);
        let mut usage = Map::new();
        usage.insert("promptTokenCount".to_owned(), json!(prompt));
        if said > 0 || over {
            usage.insert("candidatesTokenCount".to_owned(), json!(said));
        }
        usage.insert("totalTokenCount".to_owned(), json!(prompt.saturating_add(said).saturating_add(reasoning)));
        usage.insert("promptTokensDetails".to_owned(), json!([{"modality": "TEXT", "tokenCount": prompt}]));
        if cached > 0 {
            usage.insert("cachedContentTokenCount".to_owned(), json!(cached));
            usage.insert("cacheTokensDetails".to_owned(), json!([{"modality": "TEXT", "tokenCount": cached}]));
        }
        if reasoning > 0 {
            usage.insert("thoughtsTokenCount".to_owned(), json!(reasoning));
        }
        Some(Value::Object(usage))
    }

    /// Of parallel calls only the first is signed, and none unless there was reasoning.
    /// Source: https://ai.google.dev/gemini-api/docs/thought-signatures
    fn call(&self, place: usize, call: &ToolCall) -> String {
        let (name, arguments) = (quoted(&call.name), object_text(&call.arguments));
        let id = call.id.as_deref().map(|id| format!("\"id\":{},", quoted(id))).unwrap_or_default();
        let signature = match self.answer.reasoning {
            Some(_) if place == 0 => format!(",\"thoughtSignature\":\"{}\"", seal::make("call", &call.name)),
            _ => String::new(),
        };
        format!(r#"{{"functionCall":{{{id}"name":{name},"args":{arguments}}}{signature}}}"#)
    }

    /// The signature of a text that was thought about and is not followed by a call.
    fn text_signature(&self) -> String {
        match self.answer.reasoning {
            Some(_) if self.answer.calls.is_empty() => {
                format!(",\"thoughtSignature\":\"{}\"", seal::make("text", ""))
            }
            _ => String::new(),
        }
    }
}

impl Writer for Gemini<'_> {
    fn whole(&self, out: &mut Vec<u8>) {
        let usage = self.usage(&self.answer.tokens(), true);
        let body = self.answer.filled(|filler| {
            let mut parts = Vec::new();
            if let Some(thought) = self.answer.reasoning {
                parts.push(json!({"text": thought, "thought": true}).to_string());
            }
            if let Some(text) = self.answer.joined_text(filler) {
                parts.push(format!(r#"{{"text":{}{}}}"#, quoted(&text), self.text_signature()));
            }
            for (place, call) in self.answer.calls.iter().enumerate() {
                parts.push(self.call(place, call));
            }
            self.response(&parts.join(","), true, usage.as_ref())
        });
        out.extend_from_slice(body.as_bytes());
    }

    fn open(&mut self, _: &mut Events) {}

    fn delta(&mut self, out: &mut Events, delta: &Delta<'_>) {
        self.tokens.count(delta);
        let usage = self.usage(&self.tokens, false);
        let part = match delta {
            Delta::Reasoning(piece) => json!({"text": piece, "thought": true}).to_string(),
            Delta::WholeCall(place, call) | Delta::CallBegins(place, call) => self.call(*place, call),
            Delta::Arguments(..) => return,
            Delta::Text(piece) => {
                let mut escaped = Vec::new();
                escape(&mut escaped, piece);
                let escaped = String::from_utf8_lossy(&escaped);
                let part = format!(r#"{{"text":"{escaped}"}}"#);
                let data = self.response(&part, false, usage.as_ref());
                out.bytes.extend_from_slice(b"data: ");
                // The first candidate's text is the one that is filled up.
                let at = data.find(&part).unwrap_or_default() + part.len() - "\"}".len();
                let place = out.bytes.len() + at;
                out.bytes.extend_from_slice(data.as_bytes());
                return out.end_filled(place, self.answer.behaviour.event_bytes);
            }
        };
        out.data(&self.response(&part, false, usage.as_ref()));
    }

    fn close(&mut self, out: &mut Events) {
        let part = format!(r#"{{"text":""{}}}"#, self.text_signature());
        let usage = self.usage(&self.tokens, true);
        out.data(&self.response(&part, true, usage.as_ref()));
    }

    fn fail(&mut self, out: &mut Events, error: &Refusal) {
        out.data(&error.body(Format::Gemini));
    }
}
