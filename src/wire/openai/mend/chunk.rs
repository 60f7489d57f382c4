//! The chunks of a stream, one after the other.

use std::ops::Range;

use super::message::delta;
use super::{Choices, Mend, Pass};
use crate::wire::envelope::Envelope;
use crate::wire::json::quote;

/// Puts the chunks of one stream right.
#[derive(Debug)]
pub(in crate::wire::openai) struct Mender {
    mend: Mend,
    envelope: Envelope,
    choices: Choices,
}

/// A chunk, looked through.
#[derive(Debug, Default)]
pub(in crate::wire::openai) struct Mended {
    /// The chunk as it must be; `None`: as it is.
    pub(in crate::wire::openai) json: Option<Vec<u8>>,
    /// The provider said something in it, shown to the client or not.
    pub(in crate::wire::openai) spoke: bool,
    /// Where the insides of strings stand that may be any others without a need of change, nor of being looked at; `None`
    /// where that cannot be told.
    pub(in crate::wire::openai) words: Option<Vec<Range<usize>>>,
}

impl Mender {
    pub(in crate::wire::openai) fn new(mend: Mend, envelope: Envelope) -> Self {
        Self { mend, envelope, choices: Choices::default() }
    }

    /// Looks through a chunk's JSON. What is no JSON, or tells of an error, is left as it is.
    pub(in crate::wire::openai) fn chunk(&mut self, data: &[u8]) -> Mended {
        let mut pass = Pass::new(&self.mend, &self.envelope, &mut self.choices, false);
        if pass.body(data).is_err() || pass.failed {
            return Mended::default();
        }
        let Pass { edits, spoke, words, alike, .. } = pass;
        let json = edits.apply(data);
        let words = (alike && json.is_none()).then_some(words);
        Mended { json, spoke, words }
    }

    /// The chunk of what is held back of texts whose choice has not ended, now that the stream has.
    pub(in crate::wire::openai) fn rest(&mut self) -> Option<Vec<u8>> {
        let mut choices = Vec::new();
        for (index, known) in &mut self.choices {
            let Some(split) = known.splitter.as_mut().map(crate::wire::think::Splitter::flush) else { continue };
            let delta = delta(&split, self.mend.withhold);
            if delta != b"{}" {
                let index = format!(r#"{{"index":{index},"delta":"#);
                choices.push([index.as_bytes(), &delta, br#","finish_reason":null}"#].concat());
            }
        }
        if choices.is_empty() {
            return None;
        }
        let Envelope { id, model, created, .. } = &self.envelope;
        let mut json = br#"{"id":"#.to_vec();
        json.extend_from_slice(&quote(id));
        json.extend_from_slice(br#","object":"chat.completion.chunk","created":"#);
        json.extend_from_slice(created.to_string().as_bytes());
        json.extend_from_slice(br#","model":"#);
        json.extend_from_slice(&quote(model));
        json.extend_from_slice(br#","choices":["#);
        json.extend_from_slice(&choices.join(&b","[..]));
        json.extend_from_slice(b"]}");
        Some(json)
    }
}
