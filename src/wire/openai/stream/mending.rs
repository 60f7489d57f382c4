//! Chunks that break the format, put right before they are read.

use bytes::Bytes;

use super::super::mend::{Mend, Mended, Mender};
use super::alike::Alike;
use super::chunk::needs_reading;
use super::{Relay, Verdict, as_event};
use crate::wire::envelope::Envelope;
use crate::wire::json::splice;
use crate::wire::sse::{Event, parse};
use crate::wire::stream::StreamError;

/// What puts chunks right, and what a chunk looks like that needs it not.
pub(super) struct Mending {
    pub(super) mender: Mender,
    pub(super) alike: Alike,
}

impl Relay {
    /// Puts right what breaks the format; what is missing is taken from `envelope`.
    #[must_use]
    pub fn mending(mut self, mend: Mend, envelope: Envelope) -> Self {
        self.mending = Some(Box::new(Mending { mender: Mender::new(mend, envelope), alike: Alike::default() }));
        self
    }

    /// Puts a chunk right, and then reads it.
    pub(super) fn mend(&mut self, raw: &[u8], event: &Event<'_>, data: &[u8]) -> Result<Verdict, StreamError> {
        let Some(Mending { mender, alike }) = self.mending.as_deref_mut() else {
            return self.read(raw, event, data);
        };
        // What it is like was read, and needed nothing.
        if self.seen.answer && alike.knows(data) {
            return Ok(Verdict::Keep);
        }
        let Mended { json, spoke, words } = mender.chunk(data);
        if let Some(json) = json {
            return self.read_mended(raw, event, json, spoke);
        }
        if let Some(mut words) = words.filter(|_| !needs_reading(data)) {
            alike.learn(data, &mut words);
        }
        self.read(raw, event, data)
    }

    /// Reads a chunk as it was put right.
    fn read_mended(
        &mut self,
        raw: &[u8],
        event: &Event<'_>,
        json: Vec<u8>,
        spoke: bool,
    ) -> Result<Verdict, StreamError> {
        let mended: Bytes = match &event.place {
            Some(place) => splice(raw, &[(place.clone(), &json)]).into(),
            None => as_event(json),
        };
        let now = parse(&mended);
        let read = self.read(&mended, &now, now.data.as_deref().unwrap_or_default())?;
        // Reasoning that is withheld is a sign of life all the same.
        self.seen.content |= spoke;
        Ok(match (read, &event.place) {
            (Verdict::Keep, Some(_)) => Verdict::Replace(mended),
            (Verdict::Keep, None) => Verdict::Rebuild(mended),
            (Verdict::Replace(event), None) => Verdict::Rebuild(event),
            (other, _) => other,
        })
    }
}
