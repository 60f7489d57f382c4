//! Answers that pass through from a provider of the same format, where they break it: Azure, xAI and older OpenAI models
//! leave members out that the official clients count on. Only what is wrong is corrected, in place.

use std::collections::HashMap;

use bytes::Bytes;

use crate::chat::Json;
use crate::wire::json::Members;
use crate::wire::refusal::Refusal;
use crate::wire::{AnswerError, Envelope};

use super::answer::judge;
use super::answer::read::Response;
use super::answer::response::{Ending, Head, echo};
use super::stream::Frame;

mod shape;
mod tables;

use shape::{Found, Given, mend};

/// A whole answer, corrected; `echo` has the members of the request that an answer repeats.
///
/// # Errors
/// It is no answer, or a failure under status 200.
pub fn whole(body: Bytes, echo: Option<&Json>) -> Result<Bytes, AnswerError> {
    judge(&body)?;
    let fill = |given: Given, found: &Found<'_>, place: usize| match given {
        Given::Echo(name) => echoed(echo, name),
        Given::Item => Some(format!("\"{}\"", item_id(place as u64))),
        Given::Total => total(found),
        Given::Sequence | Given::Cost => None,
    };
    let mended = mend(&body, &tables::RESPONSE, &fill)?;
    Ok(mended.map_or(body, Bytes::from))
}

/// Corrects the events of one stream.
#[derive(Debug)]
pub struct Mender {
    envelope: Envelope,
    /// The number of the next event.
    sequence: u64,
    /// Ids of the items by their place.
    items: HashMap<u64, String>,
    /// What the answer's first event says of it.
    head: Option<Head>,
    over: bool,
}

impl Mender {
    /// For an answer in this envelope.
    #[must_use]
    pub fn new(envelope: Envelope) -> Self {
        Self { envelope, sequence: 0, items: HashMap::new(), head: None, over: false }
    }

    /// The data of an event, corrected, and with the cost where the usage stands. `None`: it stays as it is, which is also what
    /// happens to data that is not JSON. Empty: the event is left out (`[DONE]`, which this format does not have).
    #[must_use]
    pub fn event(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        if data.trim_ascii() == b"[DONE]" {
            return Some(Vec::new());
        }
        let found = Found::read(data).ok()?;
        let response = found.get("response").and_then(|response| Response::read(response).ok());
        let mut cost = None;
        if let Some(response) = &response {
            self.see(response);
            cost = response.usage.as_ref().and_then(|usage| (self.envelope.cost)(usage));
        }
        self.over |= matches!(
            found.word("type"),
            Some("response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" | "error")
        );
        let place = found.number("output_index").unwrap_or(0);
        if let Some(item) = found.get("item").and_then(|item| Found::read(item).ok()) {
            self.items.insert(place, item.word("id").map_or_else(|| item_id(place), str::to_owned));
        }
        let sequence = found.number("sequence_number").unwrap_or(self.sequence);
        self.sequence = sequence + 1;
        let fill = |given: Given, found: &Found<'_>, in_list: usize| match given {
            Given::Sequence => Some(sequence.to_string()),
            // An item's own id in the response's list, and everyone else's in the events about it.
            Given::Item => {
                let place = if response.is_some() { in_list as u64 } else { place };
                let id = self.items.get(&place).map(|id| format!("\"{id}\""));
                Some(id.unwrap_or_else(|| format!("\"{}\"", item_id(place))))
            }
            Given::Echo(name) => echoed(self.envelope.echo.as_ref(), name),
            Given::Total => total(found),
            Given::Cost => cost.map(|cost| cost.to_string()),
        };
        mend(data, &tables::EVENT, &fill).ok()?
    }

    /// The frame that ends a stream which broke; nothing where it had ended already.
    #[must_use]
    pub fn failed(&mut self, refusal: &Refusal<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        if self.over {
            return out;
        }
        self.over = true;
        let begun = self.head.is_some();
        let head = self.head.take().unwrap_or_else(|| Head::new(None, None, None, &self.envelope));
        let echo = echo(self.envelope.echo.as_ref());
        let mut say = |kind: &str, ending: &Ending| {
            let mut frame = Frame::begin(&mut out, kind, self.sequence);
            self.sequence += 1;
            frame.raw("response", &head.response(ending, "[]", None, None, &echo));
            frame.end();
        };
        if !begun {
            // Clients put the answer together from its beginning, and know no failure without one.
            say("response.created", &Ending::InProgress);
        }
        say("response.failed", &Ending::failed(refusal));
        out
    }

    fn see(&mut self, response: &Response<'_>) {
        if self.head.is_none() {
            let text = |said: Option<crate::wire::json::Str<'_>>| said.map(|said| said.text().into_owned());
            let (id, model) = (text(response.id), text(response.model));
            self.head = Some(Head::new(id, model, response.created, &self.envelope));
        }
    }
}

/// An id for an item that has none.
fn item_id(place: u64) -> String {
    format!("item_{place}")
}

fn echoed(echo: Option<&Json>, name: &str) -> Option<String> {
    let mut members = Members::of_text(echo?.text(), "").ok()?;
    members.raw(name).map(|value| value.get().replace(['\n', '\r'], " "))
}

fn total(usage: &Found<'_>) -> Option<String> {
    let tokens = |name| usage.number(name).unwrap_or(0);
    Some(tokens("input_tokens").saturating_add(tokens("output_tokens")).to_string())
}

#[cfg(test)]
mod tests;
