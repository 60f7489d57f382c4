//! What a reader remembers of the items of an answer.

use crate::wire::json::Str;
use crate::wire::provider_error::{ProviderError, read_error_event};

use super::super::answer::read::Item;

/// What is known of an item.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) kind: String,
    /// Which of the answer's tool calls it is, once that was put out.
    pub(super) call: Option<u32>,
    /// Where its reasoning stands.
    pub(super) reasoning: Option<Slot>,
    /// The part of its summary that came last.
    pub(super) summary: u64,
    /// Something of its current part was put out.
    pub(super) in_part: bool,
    /// What was put out, by [`Slot`].
    pub(super) sent: [Sent; 5],
    pub(super) sealed: bool,
    /// The response's own list has named it.
    pub(super) closed: bool,
}

/// How much of a text was put out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    /// Bytes, in all parts.
    pub(super) all: usize,
    /// Bytes, in the current part.
    pub(super) part: usize,
    /// Tokens whose chances were put out.
    pub(super) tokens: usize,
}

/// A text that an item can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Text,
    Refusal,
    /// OpenAI's and xAI's summaries.
    Summary,
    /// What open models think, word by word.
    Thought,
    Arguments,
}

impl Slot {
    /// Which text an event is about, and whether it has all of it.
    pub(super) fn of(kind: &[u8]) -> Option<(Self, bool)> {
        let name = kind.strip_prefix(b"response.")?;
        let (name, done) = match name.strip_suffix(b".delta") {
            Some(name) => (name, false),
            None => (name.strip_suffix(b".done")?, true),
        };
        let slot = match name {
            b"output_text" => Self::Text,
            b"refusal" => Self::Refusal,
            b"reasoning_summary_text" => Self::Summary,
            b"reasoning_text" => Self::Thought,
            b"function_call_arguments" => Self::Arguments,
            _ => return None,
        };
        Some((slot, done))
    }
}

/// What tells an item from all others of its answer. Results find their call by `call_id`, so that one is unique.
pub(super) fn item_id<'a>(item: &Item<'a>) -> Option<Str<'a>> {
    item.call_id.or(item.id).filter(|id| !id.is_empty())
}

/// A failure inside the stream. That an event is of type `error` says nothing of the failure.
pub(super) fn failure(data: &[u8]) -> ProviderError {
    let mut error = read_error_event(data);
    error.error_type = error.error_type.filter(|word| word != "error");
    error
}
