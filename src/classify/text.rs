//! Turns a conversation into the network's token ids: the Rust twin of benches/training/reading.py.
//!
//! `[CLS] focus [SEP]`, and `context [SEP]` behind it where there is any. The focus is the last user part; a long one is
//! read at its head and tail. Context is the end of every other part, in the order it was said, up to a budget. Tools
//! and attachments are no text. Work is bounded by the byte limits, whatever the length of the conversation.

use serde::Deserialize;
use tokenizers::Tokenizer;

use super::ClassifyError;
use super::features::{end_of, ends, focus};
use super::prompt::Prompt;

/// Above this, tokenising would no longer be cheap enough.
const MAX_READ_BYTES: usize = 1 << 16;
/// A sequence longer than this costs more than any deadline allows.
const MAX_TOKENS: usize = 4096;

/// The declaration's `reading`: how a conversation becomes a sequence.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TextReading {
    /// Of the whole sequence, marks included.
    max_tokens: usize,
    /// Of the focus's end, kept where the focus has too many.
    tail_tokens: usize,
    /// Of all context together; the last ones stay.
    context_tokens: usize,
    head_bytes: usize,
    tail_bytes: usize,
    /// Of the end of one context part.
    part_bytes: usize,
    /// Of all context together.
    context_bytes: usize,
    /// The token before the focus.
    start: String,
    /// The token behind focus and context.
    separator: String,
}

/// What the network reads of one prompt.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sequence {
    pub(super) ids: Vec<i64>,
    /// All ones, as long as `ids`: one prompt a run needs no padding.
    pub(super) mask: Vec<i64>,
    /// 0 for the focus and its marks, 1 for the context and its mark.
    pub(super) types: Vec<i64>,
}

/// What is taken of a conversation, bounded by the reading's byte limits.
#[derive(Debug, Default, Hash)]
pub(super) struct Excerpt {
    text: String,
    /// Where in `text` each piece ends.
    ends: Vec<usize>,
    /// How many pieces are the focus; the others are context in the order it was said.
    focus: usize,
}

impl Excerpt {
    /// Replaces the content with what is to be read of `prompt`.
    pub(super) fn take(&mut self, prompt: &Prompt<'_>, reading: &TextReading) {
        self.text.clear();
        self.ends.clear();
        let at = focus(prompt.texts);
        let text = at.and_then(|at| prompt.texts.get(at)).map_or("", |part| &part.text);
        let (head, tail) = ends(text, reading.head_bytes, reading.tail_bytes);
        self.push(head);
        if let Some(tail) = tail {
            self.push(tail);
        }
        self.focus = self.ends.len();

        // The budget goes to what was said last.
        let mut pieces = Vec::new();
        let mut room = reading.context_bytes;
        for (_, part) in prompt.texts.iter().enumerate().rev().filter(|(place, _)| Some(*place) != at) {
            if room == 0 {
                break;
            }
            let piece = end_of(&part.text, reading.part_bytes.min(room));
            // Takes no room, so there might be any number of them.
            if !piece.is_empty() {
                room -= piece.len();
                pieces.push(piece);
            }
        }
        pieces.iter().rev().for_each(|piece| self.push(piece));
    }

    fn push(&mut self, piece: &str) {
        self.text.push_str(piece);
        self.ends.push(self.text.len());
    }

    fn pieces(&self) -> impl Iterator<Item = &str> {
        let mut from = 0;
        self.ends.iter().map(move |&end| {
            let piece = self.text.get(from..end).unwrap_or_default();
            from = end;
            piece
        })
    }
}

/// A tokenizer and the limits it reads with.
pub(super) struct TextReader {
    tokenizer: Tokenizer,
    reading: TextReading,
    start: i64,
    separator: i64,
}

impl TextReading {
    /// Of the whole sequence, marks included.
    pub(super) fn max_tokens(&self) -> usize {
        self.max_tokens
    }
}

impl TextReader {
    /// Reads `tokenizer.json` and checks that it has the declared marks. At most `most` tokens are read of a prompt.
    pub(super) fn open(tokenizer: &[u8], mut reading: TextReading, most: usize) -> Result<TextReader, ClassifyError> {
        let mut tokenizer = Tokenizer::from_bytes(tokenizer).map_err(ClassifyError::Tokenizer)?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(ClassifyError::Tokenizer)?;
        let mark = |name: &str| {
            let id = tokenizer.token_to_id(name);
            id.map(i64::from).ok_or_else(|| ClassifyError::Unfit(format!("the tokenizer has no token {name:?}")))
        };
        let (start, separator) = (mark(&reading.start)?, mark(&reading.separator)?);
        for (name, bytes) in [
            ("head_bytes", reading.head_bytes),
            ("tail_bytes", reading.tail_bytes),
            ("part_bytes", reading.part_bytes),
            ("context_bytes", reading.context_bytes),
        ] {
            if bytes > MAX_READ_BYTES {
                return Err(ClassifyError::Unfit(format!("reading.{name} {bytes} is more than {MAX_READ_BYTES}")));
            }
        }
        reading.max_tokens = reading.max_tokens.min(most);
        let marks_and_tail = 3usize.saturating_add(reading.tail_tokens).saturating_add(reading.context_tokens);
        if reading.max_tokens > MAX_TOKENS || marks_and_tail >= reading.max_tokens {
            return Err(ClassifyError::Unfit(format!(
                "reading.max_tokens {} is not within {} (tail, context and marks) to {MAX_TOKENS}",
                reading.max_tokens,
                marks_and_tail.saturating_add(1)
            )));
        }
        Ok(TextReader { tokenizer, reading, start, separator })
    }

    /// The sequence for what was taken of a prompt.
    pub(super) fn read(&self, excerpt: &Excerpt) -> Result<Sequence, ClassifyError> {
        let (mut focus, mut context) = (Vec::new(), Vec::new());
        for (place, piece) in excerpt.pieces().enumerate() {
            self.tokenize(piece, if place < excerpt.focus { &mut focus } else { &mut context })?;
        }
        context.drain(..context.len().saturating_sub(self.reading.context_tokens));
        Ok(self.join(&focus, &context))
    }

    /// How it reads.
    pub(super) fn reading(&self) -> &TextReading {
        &self.reading
    }

    fn join(&self, focus: &[i64], context: &[i64]) -> Sequence {
        let marks = if context.is_empty() { 2 } else { 3 };
        let room = self.reading.max_tokens - marks - context.len();
        let mut ids = vec![self.start];
        if focus.len() > room {
            let (head, tail) = (room - self.reading.tail_tokens, focus.len() - self.reading.tail_tokens);
            ids.extend_from_slice(focus.get(..head).unwrap_or_default());
            ids.extend_from_slice(focus.get(tail..).unwrap_or_default());
        } else {
            ids.extend_from_slice(focus);
        }
        ids.push(self.separator);
        let mut types = vec![0; ids.len()];
        if !context.is_empty() {
            ids.extend_from_slice(context);
            ids.push(self.separator);
        }
        types.resize(ids.len(), 1);
        let mask = vec![1; ids.len()];
        Sequence { ids, mask, types }
    }

    fn tokenize(&self, piece: &str, ids: &mut Vec<i64>) -> Result<(), ClassifyError> {
        let encoding = self.tokenizer.encode_fast(piece, false).map_err(ClassifyError::Tokenizer)?;
        ids.extend(encoding.get_ids().iter().map(|id| i64::from(*id)));
        Ok(())
    }
}
