//! Anthropic's Messages: a request read, an answer written.

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

/// Reads and judges a request. Only a model and a list of messages are needed to answer.
pub(super) fn read(body: Value, line: &Line<'_>, endpoint: Endpoint) -> Result<Ask<'static>, Refusal> {
    let Some(model) = text(&body, "model").map(str::to_owned) else {
        return Err(Refusal::new(400, "model: Field required"));
    };
    if !body.get("messages").is_some_and(Value::is_array) {
        return Err(Refusal::new(400, "messages: Field required"));
    }
    let complaint = judge::judge(&body, line.anthropic_version, endpoint == Endpoint::CountTokens).err();
    let mut ask = Ask::of(model, Value::Null, complaint);
    ask.stream = endpoint == Endpoint::Messages && body.get("stream") == Some(&Value::Bool(true));
    ask.messages = list(&body, "messages").len() as u64;
    if let Some(system) = body.get("system") {
        ask.messages += 1;
        hear(&mut ask, system);
    }
    for message in list(&body, "messages") {
        let Some(content) = message.get("content") else {
            continue;
        };
        let said = hear(&mut ask, content);
        // A user message with nothing but the tools' results says nothing.
        if text(message, "role") == Some("user") && !said.is_empty() {
            ask.last_user = Cow::Owned(said);
        }
    }
    ask.body = body;
    Ok(ask)
}

/// Counts a content's texts and images, and gives its own texts back.
fn hear(ask: &mut Ask<'_>, content: &Value) -> String {
    if let Value::String(text) = content {
        ask.heard(text);
        return text.clone();
    }
    let mut said = String::new();
    for block in content.as_array().map_or(&[][..], Vec::as_slice) {
        match text(block, "type") {
            Some("text") => said.push_str(text(block, "text").unwrap_or_default()),
            Some("image") => ask.images += 1,
            Some("tool_result") => {
                if let Some(inner) = block.get("content") {
                    hear(ask, inner);
                }
            }
            _ => {}
        }
    }
    ask.heard(&said);
    said
}

/// The body of an answer to `count_tokens`.
pub(super) fn count(answer: &Answer<'_>) -> String {
    json!({"input_tokens": answer.figures(&Tokens::default()).prompt}).to_string()
}

/// An answer as a message.
#[derive(Debug)]
pub(super) struct Messages<'a> {
    answer: &'a Answer<'a>,
    tokens: Tokens,
    /// Blocks begun.
    blocks: usize,
    open: Open,
}

/// The block that is being streamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    None,
    Thinking,
    Redacted,
    Text,
    Call(usize),
}

impl<'a> Messages<'a> {
    pub(super) fn new(answer: &'a Answer<'a>) -> Messages<'a> {
        Messages { answer, tokens: Tokens::default(), blocks: 0, open: Open::None }
    }

    /// A message up to its content, the bracket included; the caller closes it.
    fn beginning(&self) -> String {
        let (id, model) = (self.answer.id, quoted(&self.answer.ask.model));
        format!(r#"{{"id":"msg_scripted_{id}","type":"message","role":"assistant","model":{model},"content":["#)
    }

    fn usage(&self, tokens: &Tokens, output: Option<u64>) -> Map<String, Value> {
        let figures = self.answer.figures(tokens);
        let Figures { prompt, completion, cached, cache_write, reasoning } = figures;
        let written = cache_write.unwrap_or(0);
        let mut usage = Map::new();
        usage.insert("input_tokens".to_owned(), json!(prompt.saturating_sub(cached).saturating_sub(written)));
        usage.insert("cache_creation_input_tokens".to_owned(), json!(written));
        usage.insert("cache_read_input_tokens".to_owned(), json!(cached));
        usage.insert("output_tokens".to_owned(), json!(output.unwrap_or(completion)));
        if output.is_none() && reasoning > 0 {
            usage.insert("output_tokens_details".to_owned(), json!({"thinking_tokens": reasoning}));
        }
        usage
    }

    /// The usage that a message has, and a stream's first event.
    fn full_usage(&self, tokens: &Tokens, output: Option<u64>) -> String {
        let mut usage = self.usage(tokens, output);
        let written = self.answer.behaviour.cache_write_tokens.unwrap_or(0);
        let split = json!({"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0});
        usage.insert("cache_creation".to_owned(), split);
        usage.insert("service_tier".to_owned(), json!("standard"));
        self.said(Value::Object(usage))
    }

    /// `,"usage":…`, unless the script leaves it out.
    fn said(&self, usage: Value) -> String {
        if self.answer.omits_usage() { String::new() } else { format!(",\"usage\":{usage}") }
    }

    fn stop(&self) -> (&'a str, Value) {
        let reason = match self.answer.finish_reason() {
            "stop" => "end_turn",
            "length" => "max_tokens",
            "tool_calls" => "tool_use",
            "content_filter" => "refusal",
            other => other,
        };
        let sequence = match reason {
            "stop_sequence" => self.answer.ask.body.pointer("/stop_sequences/0").cloned().unwrap_or_default(),
            _ => Value::Null,
        };
        (reason, sequence)
    }

    fn thinking(&self) -> Value {
        let thought = self.answer.reasoning.unwrap_or_default();
        if self.answer.behaviour.redacted {
            return json!({"type": "redacted_thinking", "data": seal::make("redacted", thought)});
        }
        json!({"type": "thinking", "thinking": thought, "signature": seal::thinking(thought)})
    }

    fn call(&self, place: usize, call: &ToolCall, input: &str) -> String {
        let (id, name) = (quoted(&self.answer.call_id("toolu_", place)), quoted(&call.name));
        format!(r#"{{"type":"tool_use","id":{id},"name":{name},"input":{input}}}"#)
    }

    /// Makes `wanted` the block that is open; `call` is the call's, if it is one.
    fn turn_to(&mut self, out: &mut Events, wanted: Open, call: Option<&ToolCall>) {
        if self.open == wanted {
            return;
        }
        self.end_block(out);
        let index = self.blocks;
        let block = match (wanted, call) {
            (Open::Thinking, _) => r#"{"type":"thinking","thinking":"","signature":""}"#.to_owned(),
            (Open::Redacted, _) => self.thinking().to_string(),
            (Open::Call(place), Some(call)) => self.call(place, call, "{}"),
            _ => r#"{"type":"text","text":""}"#.to_owned(),
        };
        let data = format!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#);
        out.named("content_block_start", &data);
        if index == 0 {
            out.named("ping", r#"{"type": "ping"}"#);
        }
        self.open = wanted;
        self.blocks += 1;
    }

    fn end_block(&mut self, out: &mut Events) {
        if self.open == Open::None {
            return;
        }
        if self.open == Open::Thinking {
            let signature = seal::thinking(self.answer.reasoning.unwrap_or_default());
            self.fragment(out, "signature_delta", "signature", &signature, None);
        }
        let index = self.blocks.saturating_sub(1);
        out.named("content_block_stop", &format!(r#"{{"type":"content_block_stop","index":{index}}}"#));
        self.open = Open::None;
    }

    fn fragment(&self, out: &mut Events, kind: &str, member: &str, piece: &str, wanted: Option<usize>) {
        let index = self.blocks.saturating_sub(1);
        out.name("content_block_delta");
        let start = format!(r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"{kind}","{member}":""#);
        out.bytes.extend_from_slice(start.as_bytes());
        escape(&mut out.bytes, piece);
        let place = out.bytes.len();
        out.bytes.extend_from_slice(b"\"}}");
        out.end_filled(place, wanted);
    }

    /// What the first delta of the answer opens.
    fn first_block(&self) -> Option<(Open, Option<&'a ToolCall>)> {
        let answer: &'a Answer<'a> = self.answer;
        match answer.deltas().next()? {
            Delta::Reasoning(_) => Some((self.thinking_block(), None)),
            Delta::Text(_) => Some((Open::Text, None)),
            _ => Some((Open::Call(0), answer.calls.first())),
        }
    }

    fn thinking_block(&self) -> Open {
        if self.answer.behaviour.redacted { Open::Redacted } else { Open::Thinking }
    }
}

impl Writer for Messages<'_> {
    fn whole(&self, out: &mut Vec<u8>) {
        let (reason, sequence) = self.stop();
        let usage = self.full_usage(&self.answer.tokens(), None);
        let body = self.answer.filled(|filler| {
            let mut blocks = Vec::new();
            if self.answer.reasoning.is_some() {
                blocks.push(self.thinking().to_string());
            }
            if let Some(text) = self.answer.joined_text(filler).filter(|text| !text.is_empty()) {
                blocks.push(json!({"type": "text", "text": text}).to_string());
            }
            for (place, call) in self.answer.calls.iter().enumerate() {
                blocks.push(self.call(place, call, object_text(&call.arguments)));
            }
            let (beginning, blocks) = (self.beginning(), blocks.join(","));
            format!(r#"{beginning}{blocks}],"stop_reason":"{reason}","stop_sequence":{sequence}{usage}}}"#)
        });
        out.extend_from_slice(body.as_bytes());
    }

    fn open(&mut self, out: &mut Events) {
        let usage = self.full_usage(&Tokens::default(), Some(1));
        let message = format!(r#"{}],"stop_reason":null,"stop_sequence":null{usage}}}"#, self.beginning());
        out.named("message_start", &format!(r#"{{"type":"message_start","message":{message}}}"#));
        match self.first_block() {
            Some((block, call)) => self.turn_to(out, block, call),
            None => out.named("ping", r#"{"type": "ping"}"#),
        }
    }

    fn delta(&mut self, out: &mut Events, delta: &Delta<'_>) {
        self.tokens.count(delta);
        match delta {
            Delta::Reasoning(piece) => {
                self.turn_to(out, self.thinking_block(), None);
                if self.open == Open::Thinking {
                    self.fragment(out, "thinking_delta", "thinking", piece, None);
                }
            }
            Delta::Text(piece) => {
                self.turn_to(out, Open::Text, None);
                self.fragment(out, "text_delta", "text", piece, self.answer.behaviour.event_bytes);
            }
            Delta::CallBegins(place, call) | Delta::WholeCall(place, call) => {
                self.turn_to(out, Open::Call(*place), Some(call));
                self.fragment(out, "input_json_delta", "partial_json", "", None);
            }
            Delta::Arguments(_, part) => self.fragment(out, "input_json_delta", "partial_json", part, None),
        }
    }

    fn close(&mut self, out: &mut Events) {
        self.end_block(out);
        let (reason, sequence) = self.stop();
        let usage = self.said(Value::Object(self.usage(&self.tokens, None)));
        let delta = format!(r#"{{"stop_reason":"{reason}","stop_sequence":{sequence}}}"#);
        out.named("message_delta", &format!(r#"{{"type":"message_delta","delta":{delta}{usage}}}"#));
        out.named("message_stop", r#"{"type":"message_stop"}"#);
    }

    /// The stream just ends behind it. Source: https://docs.claude.com/en/docs/build-with-claude/streaming#error-events
    fn fail(&mut self, out: &mut Events, error: &Refusal) {
        out.named("error", &error.body(Format::Anthropic));
    }

    fn malformed(&self) -> &'static [u8] {
        b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\n\n"
    }
}
