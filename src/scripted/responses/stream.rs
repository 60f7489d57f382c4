//! The events of a streamed response, each with its number, and the whole one.

use std::io::Write;

use serde_json::{Value, json};

use super::super::answer::{Answer, Delta, Tokens};
use super::super::endpoint::Format;
use super::super::events::{Events, Writer};
use super::super::json::escape;
use super::super::refusal::Refusal;
use super::{Objects, Status};

/// An answer as a response.
#[derive(Debug)]
pub(in super::super) struct Responses<'a> {
    objects: Objects<'a>,
    tokens: Tokens,
    /// Of the next event.
    number: u64,
    open: Open,
    /// What the open item says so far.
    said: String,
    /// The items that are done.
    output: Vec<Value>,
}

/// The item that is being streamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    None,
    Reasoning,
    Message,
    Call(usize),
}

impl<'a> Responses<'a> {
    pub(in super::super) fn new(answer: &'a Answer<'a>) -> Responses<'a> {
        Responses {
            objects: Objects(answer),
            tokens: Tokens::default(),
            number: 0,
            open: Open::None,
            said: String::new(),
            output: Vec::new(),
        }
    }

    /// One event; its type and its number are put in.
    fn event(&mut self, out: &mut Events, name: &str, mut members: Value) {
        if let Some(members) = members.as_object_mut() {
            members.insert("type".to_owned(), json!(name));
            members.insert("sequence_number".to_owned(), json!(self.number));
        }
        self.number += 1;
        out.named(name, &members.to_string());
    }

    fn item_id(&self) -> String {
        match self.open {
            Open::Reasoning => self.objects.reasoning_id(),
            Open::Call(place) => self.objects.call_id(place),
            Open::Message | Open::None => self.objects.message_id(),
        }
    }

    fn turn_to(&mut self, out: &mut Events, wanted: Open) {
        if self.open == wanted {
            return;
        }
        self.end_item(out, "completed");
        self.open = wanted;
        let item = match wanted {
            Open::None => return,
            Open::Reasoning => self.objects.reasoning(""),
            Open::Message => self.objects.message("in_progress", json!([])),
            Open::Call(place) => self.objects.call(place, "in_progress", ""),
        };
        let (id, index) = (self.item_id(), self.output.len());
        self.event(out, "response.output_item.added", json!({"output_index": index, "item": item}));
        if wanted == Open::Reasoning {
            let part = json!({"type": "summary_text", "text": ""});
            let members = json!({"item_id": id, "output_index": index, "summary_index": 0, "part": part});
            self.event(out, "response.reasoning_summary_part.added", members);
        } else if wanted == Open::Message {
            let part = self.objects.text_part("");
            let members = json!({"item_id": id, "output_index": index, "content_index": 0, "part": part});
            self.event(out, "response.content_part.added", members);
        }
    }

    fn end_item(&mut self, out: &mut Events, status: &str) {
        let (id, index, said) = (self.item_id(), self.output.len(), std::mem::take(&mut self.said));
        let item = match self.open {
            Open::None => return,
            Open::Reasoning => {
                let members = json!({"item_id": id, "output_index": index, "summary_index": 0, "text": said});
                self.event(out, "response.reasoning_summary_text.done", members);
                let part = json!({"type": "summary_text", "text": said});
                let members = json!({"item_id": id, "output_index": index, "summary_index": 0, "part": part});
                self.event(out, "response.reasoning_summary_part.done", members);
                self.objects.reasoning(&said)
            }
            Open::Message => {
                let members = json!({
                    "item_id": id, "output_index": index, "content_index": 0, "text": said, "logprobs": [],
                });
                self.event(out, "response.output_text.done", members);
                let part = self.objects.text_part(&said);
                let members = json!({"item_id": id, "output_index": index, "content_index": 0, "part": part});
                self.event(out, "response.content_part.done", members);
                self.objects.message(status, json!([part]))
            }
            Open::Call(place) => {
                let name = self.objects.0.calls.get(place).map(|call| call.name.as_str());
                let members = json!({"item_id": id, "output_index": index, "name": name, "arguments": said});
                self.event(out, "response.function_call_arguments.done", members);
                self.objects.call(place, status, &said)
            }
        };
        self.event(out, "response.output_item.done", json!({"output_index": index, "item": item}));
        self.output.push(item);
        self.open = Open::None;
    }

    /// A delta event, the only kind of which there are many.
    fn piece(&mut self, out: &mut Events, name: &str, part: &str, piece: &str, wanted: Option<usize>) {
        out.name(name);
        let (id, index, number) = (self.item_id(), self.output.len(), self.number);
        // Writing to a vector does not fail.
        let _ = write!(
            out.bytes,
            "{{\"type\":\"{name}\",\"sequence_number\":{number},\"item_id\":\"{id}\",\"output_index\":{index}{part},\
             \"delta\":\""
        );
        escape(&mut out.bytes, piece);
        let place = out.bytes.len();
        out.bytes.extend_from_slice(b"\"}");
        out.end_filled(place, wanted);
        let end = out.bytes.len().saturating_sub(b"\"}\n\n".len());
        self.said.push_str(piece);
        let filler = end.saturating_sub(place);
        self.said.extend(std::iter::repeat_n(char::from(super::super::chat::FILLER), filler));
        self.number += 1;
    }
}

impl Writer for Responses<'_> {
    fn whole(&self, out: &mut Vec<u8>) {
        let tokens = self.objects.0.tokens();
        let body = self.objects.0.filled(|filler| {
            let output = self.objects.whole_output(filler);
            self.objects.response(Status::Done, output, &tokens, Value::Null).to_string()
        });
        out.extend_from_slice(body.as_bytes());
    }

    fn open(&mut self, out: &mut Events) {
        let response = self.objects.response(Status::InProgress, json!([]), &self.tokens, Value::Null);
        self.event(out, "response.created", json!({ "response": response }));
        self.event(out, "response.in_progress", json!({ "response": response }));
    }

    fn delta(&mut self, out: &mut Events, delta: &Delta<'_>) {
        self.tokens.count(delta);
        match delta {
            Delta::Reasoning(piece) => {
                self.turn_to(out, Open::Reasoning);
                self.piece(out, "response.reasoning_summary_text.delta", ",\"summary_index\":0", piece, None);
            }
            Delta::Text(piece) => {
                self.turn_to(out, Open::Message);
                let wanted = self.objects.0.behaviour.event_bytes;
                let part = ",\"content_index\":0,\"logprobs\":[]";
                self.piece(out, "response.output_text.delta", part, piece, wanted);
            }
            Delta::CallBegins(place, _) | Delta::WholeCall(place, _) => self.turn_to(out, Open::Call(*place)),
            Delta::Arguments(_, part) => self.piece(out, "response.function_call_arguments.delta", "", part, None),
        }
    }

    fn close(&mut self, out: &mut Events) {
        let status = self.objects.item_status();
        self.end_item(out, status);
        let output = Value::Array(std::mem::take(&mut self.output));
        let response = self.objects.response(Status::Done, output, &self.tokens, Value::Null);
        let name = match self.objects.incomplete() {
            Some(_) => "response.incomplete",
            None => "response.completed",
        };
        self.event(out, name, json!({ "response": response }));
    }

    /// The error, then the response as it failed.
    /// Source: https://platform.openai.com/docs/api-reference/responses-streaming/error
    fn fail(&mut self, out: &mut Events, error: &Refusal) {
        let error = error.value(Format::Responses);
        let member = |name: &str| error.pointer(&format!("/error/{name}")).cloned().unwrap_or_default();
        let code = match member("code") {
            Value::Null => member("type"),
            code => code,
        };
        let message = member("message");
        let members = json!({"code": code, "message": message, "param": member("param")});
        self.event(out, "error", members);
        let output = Value::Array(std::mem::take(&mut self.output));
        let failure = json!({"code": code, "message": message});
        let response = self.objects.response(Status::Failed, output, &self.tokens, failure);
        self.event(out, "response.failed", json!({ "response": response }));
    }

    fn malformed(&self) -> &'static [u8] {
        b"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":{\n\n"
    }
}
