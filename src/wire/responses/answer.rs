//! Whole answers in the Responses format.

use bytes::Bytes;

use crate::chat::{Answer, Choice, Content, Family};
use crate::wire::json::List;
use crate::wire::provider_error::read_error_event;
use crate::wire::{AnswerError, Envelope};

use super::stream::Decoder;

pub(super) mod item;
pub(super) mod logprobs;
pub(super) mod read;
pub(super) mod response;

use item::{Item, Said, Status, encrypted};
use response::{Ending, Head};

/// Reads a provider's answer; its seals are OpenAI's.
///
/// # Errors
/// It is no answer, or a failure under status 200.
pub fn decode(body: &[u8]) -> Result<Answer, AnswerError> {
    decode_of(body, Family::Openai)
}

/// Reads the answer of a provider whose seals are this family's.
///
/// # Errors
/// It is no answer, or a failure under status 200.
pub fn decode_of(body: &[u8], family: Family) -> Result<Answer, AnswerError> {
    let response = judge(body)?;
    let mut events = Vec::new();
    Decoder::new().family(family).whole(&response, &mut events)?;
    let mut answer = Answer::default();
    for event in &events {
        answer.add(event);
    }
    if answer.choices.is_empty() { Err(AnswerError::NoChoices) } else { Ok(answer) }
}

/// The response object of a body that is an answer.
pub(super) fn judge(body: &[u8]) -> Result<read::Response<'_>, AnswerError> {
    let response = read::Response::read(body)?;
    let failed = response.status.is_some_and(|status| status.raw() == b"failed");
    if response.error.is_some() || failed {
        return Err(AnswerError::Provider(read_error_event(response.error.unwrap_or(b"{}"))));
    }
    if response.output.is_none() { Err(AnswerError::NoChoices) } else { Ok(response) }
}

/// Writes an answer for a client. The format has room for one: the first.
#[must_use]
pub fn encode(answer: &Answer, envelope: &Envelope) -> Bytes {
    let head = Head::new(answer.id.clone(), answer.model.clone(), answer.created, envelope);
    let nothing = Choice::default();
    let choice = answer.choices.first().unwrap_or(&nothing);
    let mut items = items(choice, &head);
    if let Some(tokens) = items.iter_mut().rev().find_map(Item::last_logprobs) {
        tokens.extend_from_slice(&choice.logprobs);
    }
    let refused = choice.parts.iter().any(|part| matches!(part.content, Content::Refusal(_)));
    let ending = Ending::of(choice.finish.as_ref(), refused);
    let mut output = List::new();
    for (place, item) in (1..).zip(&items) {
        let last = place == items.len();
        output.raw(&item.json(if last { ending.last_item() } else { Status::Completed }));
    }
    let echo = response::echo(envelope.echo.as_ref());
    head.response(&ending, &output.finish(), answer.usage.as_ref(), None, &echo).into()
}

fn items(choice: &Choice, head: &Head) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for part in &choice.parts {
        let place = items.len();
        let said = match &part.content {
            Content::Text(text) if !text.is_empty() => Said::Text { text: text.clone(), logprobs: Vec::new() },
            Content::Refusal(text) if !text.is_empty() => Said::Refusal(text.clone()),
            Content::Reasoning(reasoning) => {
                let (id, encrypted) = encrypted(reasoning, head.item("rs", place));
                items.push(Item::Reasoning { id, parts: reasoning.parts.clone(), encrypted: Some(encrypted) });
                continue;
            }
            Content::ToolCall(call) => {
                items.extend(call.seal.clone().map(|seal| Item::sealed(seal, head.item("rs", place))));
                items.push(Item::Call {
                    id: head.item("fc", items.len()),
                    call_id: call.id.clone(),
                    name: call.name.clone(),
                    arguments: call.arguments.clone(),
                });
                continue;
            }
            _ => continue,
        };
        match items.last_mut() {
            Some(Item::Message { content, .. }) => content.push(said),
            _ => items.push(Item::Message { id: head.item("msg", place), content: vec![said] }),
        }
    }
    items
}

#[cfg(test)]
pub(super) mod tests;
