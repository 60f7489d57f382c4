//! OpenAI's Responses: a request read, and the objects that an answer is made of.

mod history;
mod judge;
mod stream;

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::answer::{Answer, Figures, Tokens};
use super::ask::Ask;
use super::judge::{list, text};
use super::refusal::Refusal;
use super::seal;

pub(super) use stream::Responses;

/// Reads and judges a request. Only a model is needed to answer.
pub(super) fn read(body: Value) -> Result<Ask<'static>, Refusal> {
    let Some(model) = text(&body, "model").map(str::to_owned) else {
        let message = "Missing required parameter: 'model'.";
        return Err(Refusal::new(400, message).about("model", "missing_required_parameter"));
    };
    let complaint = judge::judge(&body).err();
    let mut ask = Ask::of(model, Value::Null, complaint);
    ask.stream = body.get("stream") == Some(&Value::Bool(true));
    if let Some(instructions) = text(&body, "instructions") {
        ask.messages += 1;
        ask.heard(instructions);
    }
    if let Some(input) = text(&body, "input") {
        ask.messages += 1;
        ask.heard(input);
        ask.last_user = Cow::Owned(input.to_owned());
    }
    for item in list(&body, "input") {
        ask.messages += 1;
        let mut said = String::new();
        for member in ["content", "output"] {
            said.push_str(text(item, member).unwrap_or_default());
            for part in list(item, member) {
                said.push_str(text(part, "text").unwrap_or_default());
                ask.images += u64::from(text(part, "type") == Some("input_image"));
            }
        }
        ask.heard(&said);
        if text(item, "role") == Some("user") {
            ask.last_user = Cow::Owned(said);
        }
    }
    ask.body = body;
    Ok(ask)
}

/// How the response that is being written stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    InProgress,
    Done,
    Failed,
}

/// The objects of one answer.
#[derive(Debug, Clone, Copy)]
struct Objects<'a>(&'a Answer<'a>);

impl Objects<'_> {
    fn reasoning_id(self) -> String {
        format!("rs_scripted_{}", self.0.id)
    }

    fn message_id(self) -> String {
        format!("msg_scripted_{}", self.0.id)
    }

    fn call_id(self, place: usize) -> String {
        format!("fc_scripted_{}_{place}", self.0.id)
    }

    fn reasoning(self, summary: &str) -> Value {
        let summary = match summary {
            "" => json!([]),
            text => json!([{"type": "summary_text", "text": text}]),
        };
        let mut item = Map::new();
        item.insert("id".to_owned(), json!(self.reasoning_id()));
        item.insert("type".to_owned(), json!("reasoning"));
        item.insert("summary".to_owned(), summary);
        let asked = list(&self.0.ask.body, "include").iter().any(|wanted| wanted == "reasoning.encrypted_content");
        if asked {
            let sealed = seal::make("reasoning", &self.reasoning_id());
            item.insert("encrypted_content".to_owned(), json!(sealed));
        }
        Value::Object(item)
    }

    fn text_part(self, text: &str) -> Value {
        json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
    }

    fn message(self, status: &str, parts: Value) -> Value {
        json!({
            "id": self.message_id(), "type": "message", "role": "assistant", "status": status, "content": parts,
        })
    }

    fn call(self, place: usize, status: &str, arguments: &str) -> Value {
        let name = self.0.calls.get(place).map(|call| call.name.as_str());
        json!({
            "id": self.call_id(place), "type": "function_call", "status": status,
            "call_id": self.0.call_id("call_", place), "name": name, "arguments": arguments,
        })
    }

    /// Why the answer is not complete, if the script says so.
    fn incomplete(self) -> Option<&'static str> {
        match self.0.finish_reason() {
            "length" => Some("max_output_tokens"),
            "content_filter" => Some("content_filter"),
            _ => None,
        }
    }

    /// The status of the last item, which is the one that was cut.
    fn item_status(self) -> &'static str {
        if self.incomplete().is_some() { "incomplete" } else { "completed" }
    }

    fn whole_output(self, filler: usize) -> Value {
        let mut output = Vec::new();
        if let Some(reasoning) = self.0.reasoning {
            output.push(self.reasoning(reasoning));
        }
        if let Some(text) = self.0.joined_text(filler) {
            output.push(self.message(self.item_status(), json!([self.text_part(&text)])));
        }
        for (place, call) in self.0.calls.iter().enumerate() {
            output.push(self.call(place, self.item_status(), &call.arguments));
        }
        Value::Array(output)
    }

    fn usage(self, tokens: &Tokens) -> Value {
        let figures = self.0.figures(tokens);
        let Figures { prompt, completion, cached, cache_write, reasoning } = figures;
        json!({
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": cache_write.unwrap_or(0)},
            "output_tokens": completion,
            "output_tokens_details": {"reasoning_tokens": reasoning},
            "total_tokens": figures.total(),
        })
    }

    /// The response object. `usage` stands in it once it is over.
    fn response(self, status: Status, output: Value, tokens: &Tokens, error: Value) -> Value {
        let answer = self.0;
        let asked = &answer.ask.body;
        let said = |name: &str, default: Value| match asked.get(name) {
            None | Some(Value::Null) => default,
            Some(value) => value.clone(),
        };
        let over = status == Status::Done;
        let incomplete = self.incomplete().filter(|_| over);
        let word = match (status, incomplete) {
            (Status::InProgress, _) => "in_progress",
            (Status::Failed, _) => "failed",
            (Status::Done, Some(_)) => "incomplete",
            (Status::Done, None) => "completed",
        };
        let completed_at = if word == "completed" { json!(answer.created) } else { Value::Null };
        let usage = if over && !answer.omits_usage() { self.usage(tokens) } else { Value::Null };
        json!({
            "id": format!("resp_scripted_{}", answer.id),
            "object": "response",
            "created_at": answer.created,
            "status": word,
            "background": false,
            "completed_at": completed_at,
            "error": error,
            "incomplete_details": incomplete.map(|reason| json!({"reason": reason})),
            "instructions": said("instructions", Value::Null),
            "max_output_tokens": said("max_output_tokens", Value::Null),
            "max_tool_calls": said("max_tool_calls", Value::Null),
            "metadata": said("metadata", json!({})),
            "model": answer.ask.model,
            "output": output,
            "parallel_tool_calls": said("parallel_tool_calls", json!(true)),
            "previous_response_id": said("previous_response_id", Value::Null),
            "prompt_cache_key": said("prompt_cache_key", Value::Null),
            "reasoning": {
                "effort": asked.pointer("/reasoning/effort"),
                "summary": asked.pointer("/reasoning/summary"),
            },
            "safety_identifier": said("safety_identifier", Value::Null),
            "service_tier": "default",
            "store": said("store", json!(true)),
            "temperature": said("temperature", json!(1.0)),
            "text": said("text", json!({"format": {"type": "text"}})),
            "tool_choice": said("tool_choice", json!("auto")),
            "tools": self.tools(),
            "top_logprobs": said("top_logprobs", json!(0)),
            "top_p": said("top_p", json!(1.0)),
            "truncation": said("truncation", json!("disabled")),
            "usage": usage,
            "user": said("user", Value::Null),
        })
    }

    /// The tools as they came, with what OpenAI fills in.
    fn tools(self) -> Value {
        let mut tools = list(&self.0.ask.body, "tools").to_vec();
        for tool in &mut tools {
            let is_function = text(tool, "type") == Some("function");
            if let Some(members) = tool.as_object_mut()
                && is_function
            {
                members.entry("description").or_insert(Value::Null);
                members.entry("parameters").or_insert(Value::Null);
                members.entry("strict").or_insert(Value::Bool(true));
            }
        }
        Value::Array(tools)
    }
}
