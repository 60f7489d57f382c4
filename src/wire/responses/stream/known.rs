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
    /// Where its reasoning stands, and which part of it was put out last.
    pub(super) reasoning: Option<(Slot, u64)>,
    pub(super) sealed: bool,
    /// The response's own list has named it.
    pub(super) closed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Slot {
    Text,
    Refusal,
    /// OpenAI's and xAI's summaries.
    Summary,
    /// What open models think, word by word.
    Thought,
    Arguments,
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
