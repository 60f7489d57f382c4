//! A provider's whole answer, read.

use super::said::Said;
use super::voice::Voice;
use crate::chat::{Answer, Event};
use crate::wire::stream::AnswerError;

/// Reads a whole answer.
///
/// # Errors
/// The body is no answer: not JSON, without choices, or an error.
pub fn decode(body: &[u8]) -> Result<Answer, AnswerError> {
    let said = Said::read(body, true)?;
    if let Some(error) = said.error {
        return Err(AnswerError::Provider(error));
    }
    if said.choices.is_empty() {
        return Err(AnswerError::NoChoices);
    }
    let (id, model) = (said.id.map(String::from), said.model.map(String::from));
    let mut events = Vec::new();
    for spoken in said.choices {
        let mut voice = Voice::new(spoken.index, true);
        voice.hear(spoken, id.as_deref(), &mut events);
        voice.close(id.as_deref(), &mut events);
    }
    events.extend(said.usage.map(Event::Usage));
    let mut answer = Answer { id, model, created: said.created, ..Answer::default() };
    events.iter().for_each(|event| answer.add(event));
    Ok(answer)
}
