//! A stream written anew in another format.

use bytes::Bytes;

use super::stream::{MAX_COLLECTED, MAX_EVENT};
use super::{Passage, bare_error, encode, encoder};
use crate::chat::{self, Event, Usage};
use crate::wire::openai::stream::{End, Seen};
use crate::wire::sse::{self, Events};
use crate::wire::{Decoder, Encoder, Refusal, StreamError, tokens};

/// Longest answer that is translated, in bytes: what a whole one may have. Formats that repeat it at its end keep it.
const MAX_SAID: usize = 64 << 20;
/// Most text that is kept to count its tokens, in bytes; beyond, four bytes are a token.
const MAX_COUNTED: usize = 1 << 18;

/// Room for what an event becomes, beyond its own length.
const USUAL: usize = 256;

/// One stream's way.
pub(super) struct Translated {
    passage: Passage,
    events: Events,
    decoder: Box<dyn Decoder>,
    encoder: Box<dyn Encoder>,
    said: Said,
    answer: Option<chat::Answer>,
    /// Empty between events: one allocation for all of them.
    steps: Vec<Event>,
}

/// What a stream has said so far.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) seen: Seen,
    pub(super) usage: Option<Usage>,
    /// Texts and arguments.
    pub(super) pieces: u64,
    pub(super) finishes: u32,
    pub(super) ill: bool,
    text: String,
    /// Bytes of all texts and arguments.
    bytes: usize,
}

impl Said {
    pub(super) fn add(&mut self, event: &Event) {
        self.seen.content |= event.is_content();
        self.seen.answer |= event.is_answer();
        match event {
            Event::Text { text, .. }
            | Event::Refusal { text, .. }
            | Event::Reasoning { text, .. }
            | Event::Arguments { text, .. } => {
                self.pieces += 1;
                self.bytes += text.len();
                if self.text.len() + text.len() <= MAX_COUNTED {
                    self.text.push_str(text);
                }
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { reason, .. } => {
                self.finishes += 1;
                self.ill |= !reason.is_good();
            }
            Event::End => self.seen.done = true,
            _ => {}
        }
    }

    /// Puts the whole answer together, unless it grows beyond what is kept.
    pub(super) fn keep(&self, event: &Event, answer: &mut Option<chat::Answer>) {
        if self.bytes > MAX_COLLECTED {
            *answer = None;
        }
        if let Some(answer) = answer {
            answer.add(event);
        }
    }

    pub(super) fn good(&self) -> bool {
        self.finishes > 0 && !self.ill
    }

    /// Tokens of the text, by a tokenizer.
    pub(super) fn estimate(&self) -> u64 {
        tokens::count(&self.text) + (self.bytes - self.text.len()) as u64 / 4
    }
}

impl Translated {
    pub(super) fn new(passage: Passage) -> Self {
        Self {
            decoder: passage.decoder(),
            encoder: encoder(passage.to, passage.envelope.clone()),
            passage,
            events: Events::default(),
            said: Said::default(),
            answer: None,
            steps: Vec::new(),
        }
    }

    pub(super) fn collect(&mut self) {
        self.answer = Some(chat::Answer::default());
    }

    pub(super) fn push(&mut self, piece: Bytes, out: &mut Vec<Bytes>) -> Result<Seen, StreamError> {
        let mut written = Vec::with_capacity(piece.len() + USUAL);
        let result = self.read(piece, &mut written);
        if !written.is_empty() {
            out.push(written.into());
        }
        result.map(|()| self.said.seen)
    }

    fn read(&mut self, piece: Bytes, written: &mut Vec<u8>) -> Result<(), StreamError> {
        self.events.push(piece);
        let mut steps = std::mem::take(&mut self.steps);
        while !self.said.seen.done
            && let Some(raw) = self.events.next(MAX_EVENT)?
        {
            let event = sse::parse(&raw);
            let result = match event.data.as_deref().map(<[u8]>::trim_ascii) {
                Some([]) => Ok(()),
                Some(data) => self.decoder.event(event.name, data, &mut steps),
                None => bare_error(&raw).map_or(Ok(()), |error| Err(StreamError::Provider(error))),
            };
            self.write(&mut steps, written);
            result?;
            if self.said.bytes > MAX_SAID {
                return Err(StreamError::Endless(MAX_SAID));
            }
        }
        self.steps = steps;
        Ok(())
    }

    fn write(&mut self, steps: &mut Vec<Event>, written: &mut Vec<u8>) {
        for step in steps.drain(..) {
            if self.said.seen.done {
                return;
            }
            if step == Event::End && self.said.usage.is_none() {
                self.say(&Event::Usage(self.passage.estimate(self.said.estimate())), written);
            }
            self.say(&step, written);
        }
    }

    fn say(&mut self, step: &Event, written: &mut Vec<u8>) {
        self.said.add(step);
        let hidden = matches!(step, Event::Reasoning { .. } | Event::ReasoningPart { .. } | Event::Seal { .. });
        if hidden && !self.passage.show_reasoning {
            return;
        }
        self.said.keep(step, &mut self.answer);
        self.encoder.event(step, written);
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<End, StreamError> {
        let mut written = Vec::new();
        let result = self.end(&mut written);
        if !written.is_empty() {
            out.push(written.into());
        }
        result.map(|()| End { usage: self.said.usage, good: self.said.good() })
    }

    fn end(&mut self, written: &mut Vec<u8>) -> Result<(), StreamError> {
        // The last event, where the empty line after it is missing.
        let rest = self.events.rest();
        if !rest.is_empty() && !self.said.seen.done {
            if let Some(error) = bare_error(&rest) {
                return Err(StreamError::Provider(error));
            }
            if sse::is_whole(&rest) {
                self.read(Bytes::from_static(b"\n\n"), written)?;
            }
        }
        if self.said.seen.done {
            return Ok(());
        }
        let mut steps = Vec::new();
        let result = self.decoder.finish(&mut steps);
        self.write(&mut steps, written);
        result
    }

    pub(super) fn seen(&self) -> Seen {
        self.said.seen
    }

    pub(super) fn usage(&self) -> Option<Usage> {
        self.said.usage
    }

    pub(super) fn events(&self) -> u64 {
        self.said.pieces
    }

    pub(super) fn estimate(&self) -> u64 {
        self.said.estimate()
    }

    pub(super) fn fail(&mut self, refusal: &Refusal<'_>) -> Bytes {
        let mut written = Vec::new();
        self.encoder.fail(refusal, &mut written);
        written.into()
    }

    pub(super) fn whole(self) -> Option<Bytes> {
        let answer = self.answer.filter(chat::Answer::good)?;
        Some(encode(self.passage.to, &answer, &self.passage.envelope))
    }
}

impl std::fmt::Debug for Translated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is held is part of an answer and stays out.
        f.debug_struct("Translated").field("seen", &self.said.seen).finish_non_exhaustive()
    }
}
