//! A whole answer, written for a chat client.

use bytes::Bytes;

use super::details::entries;
use super::words::{finish_reason, logprobs, tool_call, usage};
use crate::chat::{Answer, Choice, Content, Family, Finish, Reasoning};
use crate::wire::envelope::Envelope;
use crate::wire::json::{List, Object};

/// Writes a whole answer.
#[must_use]
pub fn encode(answer: &Answer, envelope: &Envelope) -> Bytes {
    let mut choices = List::new();
    for (index, choice) in answer.choices.iter().enumerate() {
        choices.raw(&choice_json(index, choice));
    }
    let mut body = Object::new();
    body.put("id", answer.id.as_deref().unwrap_or(&envelope.id))
        .put("object", "chat.completion")
        .put("created", answer.created.unwrap_or(envelope.created))
        .put("model", answer.model.as_deref().unwrap_or(&envelope.model))
        .raw("choices", &choices.finish());
    if let Some(counted) = &answer.usage {
        body.raw("usage", &usage(counted, None));
    }
    body.finish().into()
}

/// What a message holds once its parts are joined.
#[derive(Default)]
struct Message {
    text: String,
    refusal: String,
    reasoning: String,
    /// The next text of reasoning is a paragraph of its own.
    gap: bool,
    /// Elements of `reasoning_details`.
    details: Vec<String>,
    next_index: u32,
    calls: Vec<String>,
}

fn choice_json(index: usize, choice: &Choice) -> String {
    let mut message = Message::default();
    for part in &choice.parts {
        match &part.content {
            Content::Text(text) => message.text.push_str(text),
            Content::Refusal(text) => message.refusal.push_str(text),
            Content::Reasoning(reasoning) => message.think(reasoning),
            Content::ToolCall(call) => message.calls.push(tool_call(call, None)),
            // Nothing else can stand in a chat message of the model.
            _ => {}
        }
    }
    let ended = match &choice.finish {
        None if !message.calls.is_empty() => &Finish::ToolCalls,
        None => &Finish::Stop,
        Some(reason) => reason,
    };
    let mut object = Object::new();
    object.put("index", index).raw("message", &message.write());
    if choice.logprobs.is_empty() {
        object.raw("logprobs", "null");
    } else {
        object.raw("logprobs", &logprobs(&choice.logprobs));
    }
    object.put("finish_reason", finish_reason(ended, !message.refusal.is_empty()));
    object.finish()
}

impl Message {
    fn think(&mut self, reasoning: &Reasoning) {
        let text = reasoning.text();
        if !text.is_empty() {
            if std::mem::take(&mut self.gap) {
                self.reasoning.push_str("\n\n");
            }
            self.reasoning.push_str(&text);
        }
        let Some(seal) = &reasoning.seal else { return };
        let listed = entries(&reasoning.parts, seal, &mut self.next_index);
        self.details.extend(Some(listed).filter(|listed| !listed.is_empty()));
        // A block that was sealed is over; those of a chat provider were one text already.
        self.gap |= seal.family != Family::Details && !self.reasoning.is_empty();
    }

    fn write(&self) -> String {
        let mut object = Object::new();
        object.put("role", "assistant");
        if self.text.is_empty() && !(self.calls.is_empty() && self.refusal.is_empty()) {
            object.raw("content", "null");
        } else {
            object.put("content", &self.text);
        }
        object.put("refusal", Some(&self.refusal).filter(|text| !text.is_empty()));
        object.put_some("reasoning_content", Some(&self.reasoning).filter(|text| !text.is_empty()));
        if !self.details.is_empty() {
            object.raw("reasoning_details", &format!("[{}]", self.details.join(",")));
        }
        if !self.calls.is_empty() {
            object.raw("tool_calls", &format!("[{}]", self.calls.join(",")));
        }
        object.finish()
    }
}
