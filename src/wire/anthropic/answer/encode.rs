//! A whole message for a client.

use bytes::Bytes;

use super::{usage, words};
use crate::chat::{Answer, Choice, Content, Family, Json, Reasoning, SealKind};
use crate::wire::Envelope;
use crate::wire::json::{List, Object};
use crate::wire::seal;

/// Writes the message that an answer is. The format has one answer and no chances of tokens: other choices and
/// `logprobs` are left out, and so is content that only a question can have.
#[must_use]
pub fn encode(answer: &Answer, envelope: &Envelope) -> Bytes {
    let nothing = Choice::default();
    let choice = answer.choices.first().unwrap_or(&nothing);
    let mut content = List::new();
    let mut refused = false;
    for part in &choice.parts {
        refused |= matches!(part.content, Content::Refusal(_));
        put(&part.content, &mut content);
    }
    let (reason, sequence) = words::stop(choice.finish.as_ref(), refused);
    let mut message = Object::new();
    message.put("id", answer.id.as_deref().unwrap_or(&envelope.id));
    message.put("type", "message").put("role", "assistant");
    message.put("model", answer.model.as_deref().unwrap_or(&envelope.model));
    message.raw("content", &content.finish());
    message.put("stop_reason", reason).put("stop_sequence", sequence);
    message.raw("usage", &usage::write(answer.usage.as_ref(), true).finish());
    message.finish().into()
}

fn put(content: &Content, into: &mut List) {
    let mut block = Object::new();
    match content {
        Content::Text(text) | Content::Refusal(text) if !text.is_empty() => {
            block.put("type", "text").put("text", text);
        }
        Content::Reasoning(Reasoning { parts, seal: None }) if parts.iter().all(String::is_empty) => return,
        Content::Reasoning(reasoning) => match &reasoning.seal {
            Some(seal) if seal.family == Family::Anthropic && seal.kind == SealKind::Text => {
                block.put("type", "thinking").put("thinking", reasoning.text()).put("signature", &seal.data);
            }
            Some(seal)
                if seal.family == Family::Anthropic && seal.kind == SealKind::Hidden && reasoning.parts.is_empty() =>
            {
                block.put("type", "redacted_thinking").put("data", &seal.data);
            }
            _ => {
                block.put("type", "thinking").put("thinking", reasoning.text());
                block.put("signature", seal::sign(reasoning));
            }
        },
        Content::ToolCall(call) => {
            if let Some(seal) = &call.seal {
                let mut sealed = Object::new();
                sealed.put("type", "thinking").put("thinking", "");
                sealed.put("signature", seal::sign_lengths(&[], Some(seal)));
                into.raw(&sealed.finish());
            }
            block.put("type", "tool_use").put("id", &call.id).put("name", &call.name);
            block.raw("input", &input(&call.arguments));
        }
        _ => return,
    }
    into.raw(&block.finish());
}

/// Arguments as the object that `input` must be: as the model wrote them if they are one. What it wrote badly goes to
/// the client as `{"arguments": "<its text>"}`, so that the tool's own checks complain and not the client's parser.
pub(in crate::wire::anthropic) fn input(arguments: &str) -> String {
    let text = arguments.trim();
    if text.is_empty() {
        return "{}".to_owned();
    }
    match Json::new(text.to_owned()) {
        Ok(json) if json.text().starts_with('{') => json.text().to_owned(),
        _ => {
            let mut object = Object::new();
            object.put("arguments", arguments);
            object.finish()
        }
    }
}
