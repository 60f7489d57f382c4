//! A whole answer: a stream of one piece.

use super::stream::Decoder;
use crate::chat::Answer;
use crate::wire::stream::{AnswerError, Decoder as _, StreamError};

/// Reads a whole answer. A prompt that was blocked is an answer that the filter withheld.
///
/// # Errors
/// The body is no answer: not JSON, without candidates, or an error.
pub fn decode(body: &[u8]) -> Result<Answer, AnswerError> {
    let (mut decoder, mut events) = (Decoder::new(), Vec::new());
    decoder.event(None, body, &mut events).map_err(|error| match error {
        StreamError::Provider(said) => AnswerError::Provider(said),
        StreamError::Json(fault) => AnswerError::Json(fault),
        StreamError::Shape(what) => AnswerError::Shape(what),
        other => AnswerError::Shape(other.to_string()),
    })?;
    decoder.close(&mut events);
    let mut answer = Answer::default();
    for event in &events {
        answer.add(event);
    }
    if answer.choices.is_empty() { Err(AnswerError::NoChoices) } else { Ok(answer) }
}
