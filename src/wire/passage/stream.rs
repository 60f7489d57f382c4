//! A streamed answer on its way, whatever the two formats are.

use bytes::Bytes;

use super::same::Same;
use super::translated::Translated;
use super::{Passage, openai};
use crate::chat::{Format, Usage};
use crate::wire::openai::stream::{Collector, End, Seen};
use crate::wire::{Refusal, StreamError};

/// Largest event accepted, in bytes.
pub(super) const MAX_EVENT: usize = 4 << 20;
/// Largest streamed answer that is put together for the cache, in bytes.
pub(super) const MAX_COLLECTED: usize = 1 << 20;

/// Passes one streamed answer on.
#[derive(Debug)]
pub struct Relay(Way);

#[derive(Debug)]
enum Way {
    /// Chat to Chat, and Completions: read only where it must be.
    Chat(Box<openai::stream::Relay>, Option<Box<Collector>>),
    /// Another format to itself.
    Same(Box<Same>),
    /// One format to another.
    Translated(Box<Translated>),
}

impl Relay {
    pub(super) fn new(passage: Passage) -> Self {
        let to = passage.to;
        let chat = matches!((passage.from, to), (Format::Chat, Format::Chat) | (Format::Completions, _));
        let way = if chat {
            let cost = passage.envelope.cost.clone();
            let mut relay = openai::stream::Relay::new(passage.envelope.show_usage, move |usage| cost(usage))
                .expecting(passage.choices);
            // Completions are not looked into: what a chat answer must have would be put in.
            if passage.from == Format::Chat {
                relay = relay.counting(passage.input_tokens).mending(passage.mend(), passage.envelope);
            }
            Way::Chat(Box::new(relay), None)
        } else if passage.passes() {
            Way::Same(Box::new(Same::new(passage)))
        } else {
            Way::Translated(Box::new(Translated::new(passage)))
        };
        Self(way)
    }

    /// Puts the answer together on the way, for [`whole`](Self::whole).
    pub fn collect(&mut self) {
        match &mut self.0 {
            Way::Chat(_, collector) => *collector = Some(Box::new(Collector::new(MAX_COLLECTED))),
            Way::Same(same) => same.collect(),
            Way::Translated(translated) => translated.collect(),
        }
    }

    /// Takes the next piece and puts out what may go on.
    ///
    /// # Errors
    /// The stream failed. What stands before the failure is in `out`; [`seen`](Self::seen) tells whether it has content.
    pub fn push(&mut self, piece: Bytes, out: &mut Vec<Bytes>) -> Result<Seen, StreamError> {
        let from = out.len();
        match &mut self.0 {
            Way::Chat(relay, collector) => {
                let result = relay.push(piece, out);
                note(collector, out, from);
                result
            }
            Way::Same(same) => same.push(piece, out),
            Way::Translated(translated) => translated.push(piece, out),
        }
    }

    /// Ends the stream: the provider sends no more.
    ///
    /// # Errors
    /// The answer is not over, or its last event is an error.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<End, StreamError> {
        let from = out.len();
        match &mut self.0 {
            Way::Chat(relay, collector) => {
                let result = relay.finish(out);
                note(collector, out, from);
                result
            }
            Way::Same(same) => same.finish(out),
            Way::Translated(translated) => translated.finish(out),
        }
    }

    /// What has come so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        match &self.0 {
            Way::Chat(relay, _) => relay.seen(),
            Way::Same(same) => same.seen(),
            Way::Translated(translated) => translated.seen(),
        }
    }

    /// Tokens, as far as the provider has counted them.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        match &self.0 {
            Way::Chat(relay, _) => relay.usage(),
            Way::Same(same) => same.usage(),
            Way::Translated(translated) => translated.usage(),
        }
    }

    /// How many pieces of the answer have come: about one a token. Cheap, for a stream that may be cut at any time.
    #[must_use]
    pub fn events(&self) -> u64 {
        match &self.0 {
            Way::Chat(relay, _) => relay.events(),
            Way::Same(same) => same.events(),
            Way::Translated(translated) => translated.events(),
        }
    }

    /// Output tokens of what has come, for where the provider has not counted: of the words where they were read, else
    /// one an event. Takes a tokenizer to the whole text.
    #[must_use]
    pub fn estimate(&self) -> u64 {
        match &self.0 {
            Way::Chat(relay, _) => relay.events(),
            Way::Same(same) => same.estimate(),
            Way::Translated(translated) => translated.estimate(),
        }
    }

    /// The end of a stream that fails, in the client's format and without its closing mark.
    #[must_use]
    pub fn fail(&mut self, refusal: &Refusal<'_>) -> Bytes {
        match &mut self.0 {
            Way::Translated(translated) => translated.fail(refusal),
            Way::Same(same) => same.fail(refusal),
            Way::Chat(..) => openai::error::event(refusal),
        }
    }

    /// The whole answer in the client's format, if it was collected and is good.
    #[must_use]
    pub fn whole(self) -> Option<Bytes> {
        match self.0 {
            Way::Chat(relay, collector) => {
                let mut collector = collector?;
                // The pieces lack the usage if the client did not ask for it.
                if let Some(usage) = relay.usage_json() {
                    collector.counted(usage);
                }
                collector.whole()
            }
            Way::Same(same) => same.whole(),
            Way::Translated(translated) => translated.whole(),
        }
    }
}

fn note(collector: &mut Option<Box<Collector>>, out: &[Bytes], from: usize) {
    if let Some(collector) = collector {
        for piece in out.iter().skip(from) {
            collector.push(piece);
        }
    }
}
