//! The events of a stream on their way out, and what turns an answer into them.

use super::answer::{Answer, Delta};
use super::chat::FILLER;
use super::endpoint::Endpoint;
use super::refusal::Refusal;
use super::{chunks, completions, gemini, messages, responses};

/// Whole SSE events, one behind the other; each is sent in one write of its own.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Events {
    /// With a buffer that is used again.
    pub(super) fn with(mut buffer: Vec<u8>) -> Events {
        buffer.clear();
        Events { bytes: buffer, ends: Vec::new() }
    }

    /// The event's lines are written.
    pub(super) fn end(&mut self) {
        self.bytes.extend_from_slice(b"\n\n");
        self.ends.push(self.bytes.len());
    }

    /// The same, filled up at `place` to the size wanted.
    pub(super) fn end_filled(&mut self, place: usize, wanted: Option<usize>) {
        let start = self.ends.last().copied().unwrap_or(0);
        self.end();
        if let (Some(wanted), Some(end)) = (wanted, self.ends.last_mut()) {
            let missing = wanted.saturating_sub(*end - start);
            self.bytes.splice(place..place, std::iter::repeat_n(FILLER, missing));
            *end += missing;
        }
    }

    /// One event whose data is this text.
    pub(super) fn data(&mut self, data: &str) {
        self.bytes.extend_from_slice(b"data: ");
        self.bytes.extend_from_slice(data.as_bytes());
        self.end();
    }

    /// One event with a name.
    pub(super) fn named(&mut self, name: &str, data: &str) {
        self.name(name);
        self.bytes.extend_from_slice(data.as_bytes());
        self.end();
    }

    /// A named event's beginning, up to its data.
    pub(super) fn name(&mut self, name: &str) {
        self.bytes.extend_from_slice(b"event: ");
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b"\ndata: ");
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let event = self.bytes.get(start..*end).unwrap_or_default();
            start = *end;
            event
        })
    }
}

/// Writes one answer in one format.
pub(super) trait Writer: Send {
    /// The body of an answer that is not streamed.
    fn whole(&self, out: &mut Vec<u8>);
    /// The events before the first token.
    fn open(&mut self, out: &mut Events);
    /// A token event, with what has to stand around it.
    fn delta(&mut self, out: &mut Events, delta: &Delta<'_>);
    /// The events behind the last token, the stream's mark of its end included.
    fn close(&mut self, out: &mut Events);
    /// An error inside a stream that began well, and the stream's end if there is one then.
    fn fail(&mut self, out: &mut Events, error: &Refusal);
    /// An event of broken JSON.
    fn malformed(&self) -> &'static [u8] {
        b"data: {\"candidates\":[{\n\n"
    }
}

/// The writer for an endpoint. Those that never stream have their own way of answering.
pub(super) fn writer<'a>(endpoint: Endpoint, answer: &'a Answer<'a>) -> Box<dyn Writer + 'a> {
    match endpoint {
        Endpoint::Completions => Box::new(completions::Completions::new(answer)),
        Endpoint::Responses => Box::new(responses::Responses::new(answer)),
        Endpoint::Messages | Endpoint::CountTokens => Box::new(messages::Messages::new(answer)),
        Endpoint::Generate | Endpoint::StreamGenerate | Endpoint::EmbedContent | Endpoint::BatchEmbed => {
            Box::new(gemini::Gemini::new(answer))
        }
        Endpoint::Chat | Endpoint::Embeddings => Box::new(chunks::Chunks::new(answer)),
    }
}
