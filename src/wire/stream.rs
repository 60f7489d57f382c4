//! Streams as values: a decoder takes a provider's events, an encoder gives a client's bytes; neither does I/O.

use super::json::JsonError;
use super::provider_error::ProviderError;
use super::refusal::Refusal;
use crate::chat::Event;

/// Reads a provider's stream, one server-sent event at a time.
pub trait Decoder: Send {
    /// Takes one event: its `event` field, if it has one, and its data, never empty. Events the format does not know
    /// are passed over.
    ///
    /// # Errors
    /// The provider reports a failure, or the event cannot be read. What was put into `out` before stands.
    fn event(&mut self, name: Option<&[u8]>, data: &[u8], out: &mut Vec<Event>) -> Result<(), StreamError>;

    /// The provider sends no more. Ends the answer with [`Event::End`], unless that was given.
    ///
    /// # Errors
    /// [`StreamError::Truncated`]: the answer is not over.
    fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), StreamError>;
}

/// Writes a client's stream.
pub trait Encoder: Send {
    /// Writes one step of the answer, framing and all; nothing where the format has no word for it (yet).
    fn event(&mut self, event: &Event, out: &mut Vec<u8>);

    /// Ends the stream with a failure, in the format's own way and without its closing mark.
    fn fail(&mut self, refusal: &Refusal<'_>, out: &mut Vec<u8>);
}

/// How a stream failed. What was put out before stands; nothing may follow but an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The provider reported an error inside its stream.
    #[error("the provider reported an error in its stream")]
    Provider(#[source] ProviderError),
    /// An event that had to be read is not JSON.
    #[error("the provider sent an event that is not valid JSON")]
    Json(#[source] Box<JsonError>),
    /// An event that had to be read is JSON of another shape than its format says.
    #[error("the provider sent an event that its format does not allow: {0}")]
    Shape(String),
    /// An event without end.
    #[error("the provider sent an event of more than {0} bytes")]
    TooLarge(usize),
    /// An answer without end.
    #[error("the provider's answer is longer than {0} bytes")]
    Endless(usize),
    /// The bytes ended before the answer did.
    #[error("the provider's stream ended before its answer did")]
    Truncated,
}

impl From<Box<JsonError>> for StreamError {
    fn from(error: Box<JsonError>) -> Self {
        Self::Json(error)
    }
}

impl From<serde_json::Error> for StreamError {
    fn from(error: serde_json::Error) -> Self {
        // serde_json's own words may quote the answer; its category and place do not.
        Self::Shape(format!("{:?} error at column {}", error.classify(), error.column()).to_lowercase())
    }
}

/// Why a 200 is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The body is not JSON.
    #[error("the provider's answer is not valid JSON")]
    Json(#[source] Box<JsonError>),
    /// The body is JSON of another shape than its format says.
    #[error("the provider's answer is not what its format says: {0}")]
    Shape(String),
    /// The body is JSON without an answer.
    #[error("the provider's answer has no choices")]
    NoChoices,
    /// An error under status 200.
    #[error("the provider reported an error under status 200")]
    Provider(#[source] ProviderError),
}

impl From<Box<JsonError>> for AnswerError {
    fn from(error: Box<JsonError>) -> Self {
        Self::Json(error)
    }
}

impl From<serde_json::Error> for AnswerError {
    fn from(error: serde_json::Error) -> Self {
        Self::Shape(format!("{:?} error at column {}", error.classify(), error.column()).to_lowercase())
    }
}
