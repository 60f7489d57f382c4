//! A stream passed on in its own format, with a decoder that reads along.

use bytes::Bytes;

use super::stream::MAX_EVENT;
use super::translated::Said;
use super::{Passage, bare_error, encode};
use crate::chat::{self, Event, Format, Usage};
use crate::wire::openai::stream::{End, Seen};
use crate::wire::sse::{self, Events};
use crate::wire::{Decoder, Refusal, StreamError, anthropic, responses};

/// What puts right the events of a provider that breaks its own format.
enum Mender {
    Responses(Box<responses::mend::Mender>),
    Messages,
}

impl Mender {
    /// The event's data anew; `None`: it stays, empty: it goes.
    fn event(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Responses(mender) => mender.event(data),
            Self::Messages => anthropic::mend::event(data),
        }
    }
}

/// One stream's way.
pub(super) struct Same {
    passage: Passage,
    events: Events,
    decoder: Box<dyn Decoder>,
    mender: Mender,
    said: Said,
    answer: Option<chat::Answer>,
    /// The last event went on with its own line ends, so an LF that comes late goes on too.
    last_kept: bool,
}

impl Same {
    pub(super) fn new(passage: Passage) -> Self {
        Self {
            decoder: passage.decoder(),
            mender: match passage.to {
                Format::Responses => {
                    Mender::Responses(Box::new(responses::mend::Mender::new(passage.envelope.clone())))
                }
                _ => Mender::Messages,
            },
            passage,
            events: Events::default(),
            said: Said::default(),
            answer: None,
            last_kept: false,
        }
    }

    pub(super) fn collect(&mut self) {
        self.answer = Some(chat::Answer::default());
    }

    pub(super) fn push(&mut self, piece: Bytes, out: &mut Vec<Bytes>) -> Result<Seen, StreamError> {
        if self.events.push(piece) && self.last_kept {
            out.push(Bytes::from_static(b"\n"));
        }
        while !self.said.seen.done
            && let Some(raw) = self.events.next(MAX_EVENT)?
        {
            self.pass(raw, out)?;
        }
        Ok(self.said.seen)
    }

    fn pass(&mut self, raw: Bytes, out: &mut Vec<Bytes>) -> Result<(), StreamError> {
        self.last_kept = true;
        let event = sse::parse(&raw);
        let Some(data) = event.data.as_deref().map(<[u8]>::trim_ascii) else {
            if let Some(error) = bare_error(&raw) {
                return Err(StreamError::Provider(error));
            }
            out.push(raw);
            return Ok(());
        };
        if data.is_empty() {
            out.push(raw);
            return Ok(());
        }
        let mut steps = Vec::new();
        let result = self.decoder.event(event.name, data, &mut steps);
        self.note(&steps);
        result?;
        let mended = self.mender.event(data);
        self.last_kept = mended.is_none();
        match mended {
            None => out.push(raw),
            Some(json) if json.is_empty() => {}
            Some(json) => out.push(sse::event(event.name, &json)),
        }
        Ok(())
    }

    fn note(&mut self, steps: &[Event]) {
        for step in steps {
            self.said.add(step);
            self.said.keep(step, &mut self.answer);
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<End, StreamError> {
        let rest = self.events.rest();
        if !rest.is_empty() && !self.said.seen.done {
            if let Some(error) = bare_error(&rest) {
                return Err(StreamError::Provider(error));
            }
            if sse::is_whole(&rest) {
                self.push(Bytes::from_static(b"\n\n"), out)?;
            }
        }
        if !self.said.seen.done {
            let mut steps = Vec::new();
            let result = self.decoder.finish(&mut steps);
            self.note(&steps);
            result?;
        }
        Ok(End { usage: self.said.usage, good: self.said.good() })
    }

    /// The end of a stream that fails.
    pub(super) fn fail(&mut self, refusal: &Refusal<'_>) -> Bytes {
        match &mut self.mender {
            Mender::Responses(mender) => mender.failed(refusal).into(),
            Mender::Messages => anthropic::error::event(refusal),
        }
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

    pub(super) fn whole(self) -> Option<Bytes> {
        let answer = self.answer.filter(chat::Answer::good)?;
        Some(encode(self.passage.to, &answer, &self.passage.envelope))
    }
}

impl std::fmt::Debug for Same {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Same").field("seen", &self.said.seen).finish_non_exhaustive()
    }
}
