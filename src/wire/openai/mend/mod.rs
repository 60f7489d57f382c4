//! Answers of chat providers that break the format, put right in place: only the offending members change, all other bytes stay.
//!
//! The measure is the strict typing of OpenAI's own SDK: its required members are added, values outside its types and
//! literals replaced. Beside that a model's reasoning always stands in `reasoning_content`, wherever the provider has it:
//! in `reasoning` (vLLM, Groq, OpenRouter, Ollama), in a list of parts (Mistral), or in the text between `<think>` and
//! `</think>`; or it is withheld.
//!
//! What does not break the format is left alone, odd as it may be; and what the format has no member for stays where it
//! is. A provider's error is never touched.

mod calls;
mod choice;
mod chunk;
mod content;
mod edits;
mod head;
mod message;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;

use super::response::{self, Answer};
use crate::wire::envelope::Envelope;
use crate::wire::stream::AnswerError;

pub(in crate::wire::openai) use chunk::{Mended, Mender};
use edits::Edits;

/// What is to be changed beside what breaks the format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mend {
    /// The text is searched for a `<think>` block; whether the model always reasons (see [`Splitter::new`]).
    ///
    /// [`Splitter::new`]: crate::wire::think::Splitter::new
    pub think: Option<bool>,
    /// Reasoning is kept from the client.
    pub withhold: bool,
}

/// Puts a whole answer right. The same bytes come back where nothing is wrong with it, or where it is an error; what is
/// missing is taken from `envelope`.
///
/// # Errors
/// The body is not JSON, or has no choices.
pub fn whole(body: Bytes, mend: &Mend, envelope: &Envelope) -> Result<Bytes, AnswerError> {
    let mut choices = Choices::default();
    let mut pass = Pass::new(mend, envelope, &mut choices, true);
    pass.body(&body)?;
    if pass.failed {
        return Ok(body);
    }
    if !pass.listed {
        return Err(AnswerError::NoChoices);
    }
    Ok(pass.edits.apply(&body).map_or(body, Into::into))
}

/// The same, and what the answer says of itself: in one scan where it is of the usual form.
///
/// # Errors
/// The body is no answer: not JSON, without choices, or an error.
pub fn read(body: Bytes, mend: &Mend, envelope: &Envelope) -> Result<(Bytes, Answer), AnswerError> {
    let mut choices = Choices::default();
    let mut pass = Pass::new(mend, envelope, &mut choices, true);
    if pass.body(&body).is_ok() && pass.listed && !pass.failed && !pass.odd {
        let answer = pass.answer.read();
        return Ok((pass.edits.apply(&body).map_or(body, Into::into), answer));
    }
    // What is wrong, or what the odd one says, is the reader's to tell.
    let answer = response::read(&body)?;
    Ok((whole(body, mend, envelope)?, answer))
}

/// What is remembered of a stream's choices, by index.
type Choices = BTreeMap<u64, choice::Known>;

/// One scan over a whole answer or a chunk, and what is to change in it.
struct Pass<'p> {
    mend: &'p Mend,
    envelope: &'p Envelope,
    choices: &'p mut Choices,
    /// Whether it is a whole answer, not a chunk.
    whole: bool,
    edits: Edits,
    /// It tells of an error.
    failed: bool,
    /// It has a list of choices.
    listed: bool,
    /// A choice has a text, reasoning or a tool call.
    spoke: bool,
    /// What a whole answer says of itself.
    answer: Answer,
    /// Whether that has to be read with more care.
    odd: bool,
    /// Insides of strings that are the model's words, or fill without meaning: any others in their place would need no
    /// change either.
    words: Vec<std::ops::Range<usize>>,
    /// Whether that is so: not while a block of reasoning is looked for.
    alike: bool,
}

impl<'p> Pass<'p> {
    fn new(mend: &'p Mend, envelope: &'p Envelope, choices: &'p mut Choices, whole: bool) -> Self {
        Self {
            mend,
            envelope,
            choices,
            whole,
            edits: Edits::default(),
            failed: false,
            listed: false,
            spoke: false,
            answer: Answer::unread(),
            odd: false,
            words: Vec::new(),
            alike: true,
        }
    }
}
