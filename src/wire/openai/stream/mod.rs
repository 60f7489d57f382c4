//! A streamed answer on its way through: relayed as it comes, read only where it must be.
//!
//! [`Relay`] takes the provider's bytes in any pieces and gives the client's. An event that may pass as it stands is
//! passed as a slice of the piece it came in. Until the first content every event is read; from then on only those that
//! name a usage, an error or an end. Reasoning before the answer is read too, so that the answer's beginning is known. A relay that [mends](Relay::mending) looks through every event that is not just like
//! the last one but for its words. Usage goes to the client in one last chunk with `choices: []` if it asked, and not
//! at all if not, wherever the provider puts it.

pub(in crate::wire::openai) mod alike;
mod chunk;
mod collect;
mod last_word;
mod mending;
mod replay;

use bytes::{Bytes, BytesMut};

pub use collect::Collector;
pub use replay::replay;

use crate::chat::Usage;
use crate::money::NanoUsd;
use crate::wire::json::{Scanner, member_cut, splice};
use crate::wire::provider_error::{ProviderError, read_error_event};
use crate::wire::sse::{Event, Splitter, parse};
use crate::wire::stream::StreamError;
use chunk::{Chunk, needs_reading};
use mending::Mending;

/// Largest event accepted, in bytes, unless said otherwise.
const MAX_EVENT: usize = 4 << 20;
const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");

/// What the stream has shown so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The first text, reasoning or tool call has come.
    pub content: bool,
    /// The first text or tool call has come: of the answer itself, that is.
    pub answer: bool,
    /// `[DONE]` has come.
    pub done: bool,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Tokens, if the provider counted them; its last word.
    pub usage: Option<Usage>,
    /// Every choice ended by itself or with tool calls.
    pub good: bool,
}

/// What these tokens cost, where a price is known.
type Cost = Box<dyn Fn(&Usage) -> Option<NanoUsd> + Send + Sync>;

/// Passes one streamed answer on.
pub struct Relay {
    show_usage: bool,
    choices: u32,
    max_event: usize,
    cost: Cost,
    mending: Option<Box<Mending>>,
    splitter: Splitter,
    /// The beginning of an event whose end has not come.
    held: BytesMut,
    /// The last event went on with its own line ends, so an LF that comes late goes on too.
    last_kept: bool,
    seen: Seen,
    events: u64,
    ends: chunk::Ends,
    usage: Option<Usage>,
    /// The provider's last `usage` object as it stood.
    usage_json: Option<Bytes>,
    /// Tokens of the prompt, for a usage of ours where the provider counts none; `None`: then none is shown.
    counting: Option<u64>,
    /// The JSON of the chunk that will show the usage.
    last_word: Option<Vec<u8>>,
}

/// What becomes of one event.
enum Verdict {
    Keep,
    Drop,
    /// The event with changes inside; its line ends are its own.
    Replace(Bytes),
    /// Another event instead, complete with its line ends.
    Rebuild(Bytes),
    Done,
}

impl Relay {
    /// A relay that shows usage to the client or not; `cost` is what the usage shown costs.
    #[must_use]
    pub fn new(show_usage: bool, cost: impl Fn(&Usage) -> Option<NanoUsd> + Send + Sync + 'static) -> Self {
        Self {
            show_usage,
            choices: 1,
            max_event: MAX_EVENT,
            cost: Box::new(cost),
            mending: None,
            splitter: Splitter::default(),
            held: BytesMut::new(),
            last_kept: true,
            seen: Seen::default(),
            events: 0,
            ends: chunk::Ends::default(),
            usage: None,
            usage_json: None,
            counting: None,
            last_word: None,
        }
    }

    /// How many choices were asked for, so that a missing one is noticed; 1 unless said.
    #[must_use]
    pub fn expecting(mut self, choices: u32) -> Self {
        self.choices = choices;
        self
    }

    /// The largest event accepted, in bytes; 4 MiB unless said.
    #[must_use]
    pub fn at_most(mut self, max_event: usize) -> Self {
        self.max_event = max_event;
        self
    }

    /// Takes the next piece and puts out what may go on.
    ///
    /// # Errors
    /// The stream failed. What stands before the failure is in `out`; [`seen`](Self::seen) tells whether it has content.
    pub fn push(&mut self, piece: Bytes, out: &mut Vec<Bytes>) -> Result<Seen, StreamError> {
        // Bytes from `kept` to `at` go on as they are.
        let (mut kept, mut at) = (0, 0);
        if self.splitter.owes_line_feed(&piece, !self.held.is_empty()) {
            at = 1;
            kept = usize::from(!self.last_kept);
        }
        while !self.seen.done {
            let rest = piece.get(at..).unwrap_or_default();
            let Some(length) = self.splitter.end(rest) else {
                self.held.extend_from_slice(rest);
                break;
            };
            let end = at + length;
            let verdict = if self.held.is_empty() {
                self.judge(rest.get(..length).unwrap_or_default())
            } else {
                self.held.extend_from_slice(rest.get(..length).unwrap_or_default());
                let event = self.held.split().freeze();
                // The event began in an earlier piece, so nothing of this one is waiting to go on.
                kept = end;
                match self.judge(&event) {
                    Ok(Verdict::Keep) => Ok(Verdict::Replace(event)),
                    Ok(Verdict::Done) => {
                        self.say_last_word(out);
                        Ok(Verdict::Replace(event))
                    }
                    other => other,
                }
            };
            let is_kept = !matches!(verdict, Ok(Verdict::Drop | Verdict::Rebuild(_)));
            match verdict {
                Ok(Verdict::Keep) => {}
                Ok(Verdict::Done) => {
                    put(out, &piece, kept, at);
                    self.say_last_word(out);
                    kept = at;
                }
                Ok(Verdict::Drop) => {
                    put(out, &piece, kept, at);
                    kept = end;
                }
                Ok(Verdict::Replace(event) | Verdict::Rebuild(event)) => {
                    put(out, &piece, kept, at);
                    out.push(event);
                    kept = end;
                }
                Err(error) => {
                    put(out, &piece, kept, at);
                    return Err(error);
                }
            }
            self.last_kept = is_kept;
            at = end;
        }
        if kept == 0 && at == piece.len() && at > 0 {
            out.push(piece);
        } else {
            put(out, &piece, kept, at);
        }
        if self.held.len() > self.max_event {
            return Err(StreamError::TooLarge(self.max_event));
        }
        Ok(self.seen)
    }

    /// Ends the stream: the provider sends no more.
    ///
    /// # Errors
    /// The answer is not over, or its last event is an error.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<End, StreamError> {
        let last = self.held.split().freeze();
        if !last.is_empty() && !self.seen.done {
            self.finish_event(&last, out)?;
        }
        if !self.seen.done {
            if !self.ends.all(self.choices) {
                return Err(StreamError::Truncated);
            }
            self.say_last_word(out);
            out.push(DONE);
            self.seen.done = true;
        }
        Ok(End { usage: self.usage, good: self.ends.all_well(self.choices) })
    }

    /// What has come so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.seen
    }

    /// Tokens, as far as the provider has counted them.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// The provider's last `usage` object, for an answer kept whole while the client was not shown it.
    #[must_use]
    pub fn usage_json(&self) -> Option<&Bytes> {
        self.usage_json.as_ref()
    }

    /// How many events with data have come: about one a token, for an estimate where the client hung up before the usage.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The last event, where the empty line after it is missing. Half an event is no event.
    fn finish_event(&mut self, raw: &Bytes, out: &mut Vec<Bytes>) -> Result<(), StreamError> {
        let event = parse(raw);
        if let Some(error) = bare_error(raw) {
            return Err(StreamError::Provider(error));
        }
        let data = event.data.as_deref().unwrap_or_default().trim_ascii();
        let whole = data == b"[DONE]" || {
            let mut scanner = Scanner::lenient(data);
            scanner.skip().is_ok() && scanner.end().is_ok()
        };
        if !whole {
            return Ok(());
        }
        let ended = [&raw[..], b"\n\n"].concat();
        match self.judge(&ended)? {
            Verdict::Keep => out.push(ended.into()),
            Verdict::Replace(event) | Verdict::Rebuild(event) => out.push(event),
            Verdict::Drop => {}
            Verdict::Done => {
                self.say_last_word(out);
                out.push(DONE);
            }
        }
        Ok(())
    }

    fn judge(&mut self, raw: &[u8]) -> Result<Verdict, StreamError> {
        if raw.len() > self.max_event {
            return Err(StreamError::TooLarge(self.max_event));
        }
        let event = parse(raw);
        let Some(data) = event.data.as_deref() else {
            return match event.bare.and_then(bare_error) {
                Some(error) => Err(StreamError::Provider(error)),
                None => Ok(Verdict::Keep),
            };
        };
        if event.name == Some(b"error") {
            return Err(StreamError::Provider(read_error_event(data)));
        }
        match data.trim_ascii_start().first() {
            Some(b'{') => {}
            Some(b'[') if data.trim_ascii() == b"[DONE]" => {
                self.seen.done = true;
                return Ok(Verdict::Done);
            }
            _ => return Ok(Verdict::Keep),
        }
        self.events += 1;
        self.mend(raw, &event, data)
    }

    fn read(&mut self, raw: &[u8], event: &Event<'_>, data: &[u8]) -> Result<Verdict, StreamError> {
        // A cut event would break the client's parser: one that does not end like an object is read, and so found out.
        if self.seen.answer && !needs_reading(data) && data.trim_ascii_end().last() == Some(&b'}') {
            return Ok(Verdict::Keep);
        }
        let chunk = Chunk::read(data)?;
        if let Some(error) = chunk.error {
            // OpenRouter counts in the chunk that reports the failure; what was made is paid for.
            self.usage = chunk.tokens.or(self.usage);
            return Err(StreamError::Provider(error));
        }
        if self.counting.is_some() && self.show_usage && !self.seen.content {
            // Until the provider's own comes, a place for ours.
            self.last_word = Some(chunk.usage_alone(data));
        }
        self.seen.content |= chunk.content;
        self.seen.answer |= chunk.answer;
        self.ends.add(&chunk.ends);
        let Some(usage) = chunk.tokens else { return Ok(Verdict::Keep) };
        self.usage = Some(usage);
        self.usage_json = chunk.usage_value(data).map(Bytes::copy_from_slice);
        Ok(self.without_usage(raw, event, data, &chunk))
    }

    /// Takes the usage out of a chunk, and keeps it for the last word.
    fn without_usage(&mut self, raw: &[u8], event: &Event<'_>, data: &[u8], chunk: &Chunk) -> Verdict {
        if self.show_usage {
            self.last_word = Some(chunk.usage_alone(data));
        }
        if chunk.choices == 0 && chunk.usage.is_some() {
            return Verdict::Drop;
        }
        let mut edits: Vec<(std::ops::Range<usize>, &[u8])> = Vec::with_capacity(2);
        if let Some(usage) = &chunk.usage {
            edits.push(if self.show_usage {
                (usage.value.clone(), b"null")
            } else {
                (member_cut(data, usage.key, usage.value.end), b"")
            });
        }
        if let Some(usage) = &chunk.groq_usage {
            edits.push((member_cut(data, usage.key, usage.value.end), b""));
        }
        edits.sort_by_key(|(range, _)| range.start);
        let Some(place) = &event.place else {
            return Verdict::Rebuild(as_event(splice(data, &edits)));
        };
        for (range, _) in &mut edits {
            *range = range.start + place.start..range.end + place.start;
        }
        Verdict::Replace(splice(raw, &edits).into())
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is held is part of an answer and stays out.
        f.debug_struct("Relay").field("seen", &self.seen).field("usage", &self.usage).finish_non_exhaustive()
    }
}

fn put(out: &mut Vec<Bytes>, piece: &Bytes, from: usize, to: usize) {
    if from < to {
        out.push(piece.slice(from..to));
    }
}

/// The error that a server writes instead of a stream, without any framing.
fn bare_error(raw: &[u8]) -> Option<ProviderError> {
    let json = raw.trim_ascii();
    if json.first() != Some(&b'{') {
        return None;
    }
    Chunk::read(json).ok()?.error
}

/// One event with this JSON.
fn as_event(mut json: Vec<u8>) -> Bytes {
    // Between tokens a line end is a blank like any other; inside an event it would be the end of the data.
    for byte in &mut json {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    [b"data: ", &json[..], b"\n\n"].concat().into()
}

#[cfg(test)]
mod tests;
