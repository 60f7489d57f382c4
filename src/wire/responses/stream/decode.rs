//! Reads a provider's stream, and with the same steps its whole answers.
//!
//! A text comes in deltas, then whole when it is done, then again in its part, its item and the response. Providers leave out one
//! or the other (xAI gives function calls in one piece, others send no `done`), so it is counted how much of each text was
//! put out, and the rest is made up from whatever comes whole.

use std::collections::HashMap;

use crate::chat::{Event, Family, Finish, Seal, SealKind};
use crate::wire::json::{JsonResult, Scanner, Str};
use crate::wire::seal::{is_ours, unsign};
use crate::wire::stream::{Decoder as Reads, StreamError};

use super::super::answer::logprobs;
use super::super::answer::read::{Item, Part, Response};
use super::frame::Said;
use super::known::{Known, Sent, Slot, failure, item_id};

/// Reads the events of one answer.
#[derive(Debug)]
pub struct Decoder {
    family: Family,
    started: bool,
    over: bool,
    items: Vec<Known>,
    /// Items by their `output_index`, and by their ids.
    by_place: HashMap<u64, usize>,
    by_id: HashMap<String, usize>,
    calls: u32,
    said_text: bool,
    refused: bool,
    /// The last thing put out is reasoning that no seal has ended.
    in_reasoning: bool,
    /// The seal of the tool call that comes next.
    call_seal: Option<Seal>,
}

/// The only answer there is.
const CHOICE: u32 = 0;

impl Default for Decoder {
    fn default() -> Self {
        Self {
            family: Family::Openai,
            started: false,
            over: false,
            items: Vec::new(),
            by_place: HashMap::new(),
            by_id: HashMap::new(),
            calls: 0,
            said_text: false,
            refused: false,
            in_reasoning: false,
            call_seal: None,
        }
    }
}

impl Reads for Decoder {
    fn event(&mut self, name: Option<&[u8]>, data: &[u8], out: &mut Vec<Event>) -> Result<(), StreamError> {
        let data = data.trim_ascii();
        if self.over || data == b"[DONE]" {
            return Ok(());
        }
        let said = Said::read(data)?;
        let kind = said.kind.map_or(name.unwrap_or_default(), |kind| kind.raw());
        let response = match said.response {
            Some(response) if kind != b"error" && said.item.is_none() => Response::read(response)?,
            _ => Response::default(),
        };
        let delta = said.delta.filter(|delta| !delta.is_empty());
        match kind {
            b"error" => return Err(StreamError::Provider(failure(data))),
            b"response.failed" => {
                out.extend(response.usage.map(Event::Usage));
                return Err(StreamError::Provider(failure(response.error.or(said.error).unwrap_or(b"{}"))));
            }
            b"response.completed" | b"response.incomplete" | b"response.cancelled" => {
                return Ok(self.close(&response, kind, out)?);
            }
            _ if said.error.is_some() => return Err(StreamError::Provider(failure(data))),
            _ if kind.starts_with(b"response.") => self.start(&response, out),
            _ => return Ok(()),
        }
        let place = said.output.unwrap_or(self.items.len().saturating_sub(1) as u64);
        match kind {
            b"response.output_item.added" | b"response.output_item.done" => {
                let Some(item) = said.item else { return Ok(()) };
                let item = Item::read(&mut Scanner::lenient(item))?;
                let known = match said.output {
                    Some(place) => self.item_at(&item, place),
                    None => self.item(&item, self.items.len() as u64),
                };
                if kind.ends_with(b"done") { self.done(known, &item, out)? } else { self.call(known, &item, out) }
            }
            // vLLM's own name for a part of reasoning (github.com/vllm-project/vllm/pull/24938).
            b"response.content_part.added" | b"response.reasoning_part.added" => {
                let known = self.at(place);
                self.next_part(known);
            }
            _ => {
                let Some((slot, done)) = Slot::of(kind) else { return Ok(()) };
                let known = self.at(place);
                if slot == Slot::Summary {
                    self.part_is(known, said.part);
                }
                match delta {
                    Some(delta) => self.put(known, slot, &delta.text(), out),
                    None if done => self.part_done(known, slot, said.whole, out),
                    None => {}
                }
                if slot == Slot::Text && !done {
                    self.chances(known, said.logprobs, &mut 0, out)?;
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut Vec<Event>) -> Result<(), StreamError> {
        if self.over { Ok(()) } else { Err(StreamError::Truncated) }
    }
}

impl Decoder {
    /// For a provider whose seals are OpenAI's.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For a provider whose seals are this family's.
    #[must_use]
    pub fn family(mut self, family: Family) -> Self {
        self.family = family;
        self
    }

    /// All of a whole answer.
    pub(in super::super) fn whole(&mut self, response: &Response<'_>, out: &mut Vec<Event>) -> JsonResult<()> {
        self.close(response, b"", out)
    }

    fn start(&mut self, response: &Response<'_>, out: &mut Vec<Event>) {
        if self.started {
            return;
        }
        self.started = true;
        let text = |said: Option<Str<'_>>| said.filter(|said| !said.is_empty()).map(|said| said.text().into_owned());
        out.push(Event::Start { id: text(response.id), model: text(response.model), created: response.created });
    }

    fn close(&mut self, response: &Response<'_>, event: &[u8], out: &mut Vec<Event>) -> JsonResult<()> {
        self.start(response, out);
        if let Some(output) = response.output {
            let mut scanner = Scanner::lenient(output);
            scanner.array(|scanner, place| {
                let item = Item::read(scanner)?;
                let known = self.item(&item, place as u64);
                if let Some(known) = self.items.get_mut(known) {
                    known.closed = true;
                }
                self.done(known, &item, out)
            })?;
        }
        if let Some(reason) = self.reason(response, event) {
            out.push(Event::Finish { choice: CHOICE, reason });
        }
        out.extend(response.usage.map(Event::Usage));
        out.push(Event::End);
        self.over = true;
        Ok(())
    }

    fn reason(&self, response: &Response<'_>, event: &[u8]) -> Option<Finish> {
        let status = response.status.map_or(event.strip_prefix(b"response.").unwrap_or(b"completed"), |s| s.raw());
        Some(match status {
            b"incomplete" => match response.reason.map(|reason| reason.text()).as_deref() {
                Some("content_filter") => Finish::ContentFilter,
                Some("max_output_tokens") | None => Finish::Length,
                Some(other) => Finish::Other(other.to_owned()),
            },
            b"in_progress" | b"queued" if event.is_empty() => return None,
            b"cancelled" => Finish::Other("cancelled".to_owned()),
            _ if self.calls > 0 => Finish::ToolCalls,
            _ if self.refused && !self.said_text => Finish::Refusal,
            _ => Finish::Stop,
        })
    }

    /// The item at this place of the output.
    fn at(&mut self, place: u64) -> usize {
        let new = self.items.len();
        let known = *self.by_place.entry(place).or_insert(new);
        if known == new {
            self.items.push(Known::default());
        }
        known
    }

    /// The known item that this one is: by its id, else by its place and sort, for some providers give one item another id
    /// in every event, and others leave gaps in the places.
    fn item(&mut self, item: &Item<'_>, place: u64) -> usize {
        let known = item_id(item).and_then(|id| self.by_id.get(&*id.text())).copied();
        match known {
            Some(known) if self.items.get(known).is_some_and(|known| !known.closed) => known,
            _ => self.item_at(item, place),
        }
    }

    fn item_at(&mut self, item: &Item<'_>, place: u64) -> usize {
        let kind = item.kind.map(|kind| kind.text()).unwrap_or_default();
        let mut known = self.at(place);
        let other = |known: &Known| known.closed || (!known.kind.is_empty() && known.kind != kind);
        if self.items.get(known).is_some_and(other) {
            known = self.items.len();
            self.items.push(Known::default());
        }
        if let Some(item) = self.items.get_mut(known) {
            item.kind = kind.into_owned();
        }
        if let Some(id) = item_id(item) {
            self.by_id.insert(id.text().into_owned(), known);
        }
        known
    }

    /// An item that has come whole.
    fn done(&mut self, known: usize, item: &Item<'_>, out: &mut Vec<Event>) -> JsonResult<()> {
        match item.kind.map(|kind| kind.raw()) {
            Some(b"message") => {
                let (mut texts, mut refusals) = (self.sent(known, Slot::Text), self.sent(known, Slot::Refusal));
                for (place, part) in item.content.iter().enumerate() {
                    self.rest(known, Slot::Text, place, part.text, &mut texts.all, out);
                    self.chances(known, part.logprobs, &mut texts.tokens, out)?;
                    self.rest(known, Slot::Refusal, place, part.refusal, &mut refusals.all, out);
                }
            }
            Some(b"reasoning") => self.reasoned(known, item, out),
            Some(b"function_call") => {
                self.call(known, item, out);
                let mut sent = self.sent(known, Slot::Arguments);
                self.rest(known, Slot::Arguments, 0, item.arguments, &mut sent.all, out);
            }
            // What the provider's own tools did, and calls of tools that only this format knows.
            _ => {}
        }
        Ok(())
    }

    fn reasoned(&mut self, known: usize, item: &Item<'_>, out: &mut Vec<Event>) {
        let says = |parts: &[Part<'_>]| parts.iter().any(|part| part.text.is_some_and(|text| !text.is_empty()));
        let heard = self.items.get(known).and_then(|known| known.reasoning);
        let slot = heard.unwrap_or(if says(&item.content) { Slot::Thought } else { Slot::Summary });
        let parts = if slot == Slot::Thought { &item.content } else { &item.summary };
        let mut sent = self.sent(known, slot);
        for (place, part) in parts.iter().enumerate() {
            self.rest(known, slot, place, part.text, &mut sent.all, out);
        }
        let Some(state) = self.items.get_mut(known) else { return };
        let Some(data) = item.encrypted.filter(|data| !data.is_empty() && !state.sealed) else { return };
        state.sealed = true;
        let data = data.text();
        let seal = if is_ours(&data) {
            // Another gateway of ours stands before the model.
            unsign(&data, "").and_then(|reasoning| reasoning.seal)
        } else {
            let kind = if state.reasoning.is_some() { SealKind::Text } else { SealKind::Hidden };
            let id = item.id.map(|id| id.text().into_owned());
            Some(Seal { family: self.family, kind, id, data: data.into_owned() })
        };
        match seal {
            Some(seal) if seal.kind == SealKind::Call => self.call_seal = Some(seal),
            Some(seal) => {
                self.in_reasoning = false;
                out.push(Event::Seal { choice: CHOICE, seal });
            }
            None => {}
        }
    }

    /// Puts out that a tool call begins, once its name and id are known.
    fn call(&mut self, known: usize, item: &Item<'_>, out: &mut Vec<Event>) {
        let Some(state) = self.items.get_mut(known).filter(|state| state.kind == "function_call") else { return };
        let id = item.call_id.filter(|id| !id.is_empty()).or(item.id).filter(|id| !id.is_empty());
        if let (None, Some(id), Some(name)) = (state.call, id, item.name) {
            let (id, name, index) = (id.text().into_owned(), name.text().into_owned(), self.calls);
            state.call = Some(index);
            self.calls += 1;
            self.in_reasoning = false;
            out.push(Event::ToolCall { choice: CHOICE, index, id, name, seal: self.call_seal.take() });
        }
    }

    fn sent(&self, known: usize, slot: Slot) -> Sent {
        self.items.get(known).map(|known| known.sent[slot as usize]).unwrap_or_default()
    }

    /// Another part of the item begins. The number that a delta gives its part is no help: older vLLM counts it up with every
    /// delta (github.com/vllm-project/vllm/pull/35184).
    fn next_part(&mut self, known: usize) {
        if let Some(known) = self.items.get_mut(known) {
            known.in_part = false;
            for sent in &mut known.sent {
                sent.part = 0;
            }
        }
    }

    /// The part of the summary that is being told.
    fn part_is(&mut self, known: usize, part: u64) {
        let last = self.items.get_mut(known).map(|known| std::mem::replace(&mut known.summary, part));
        if last != Some(part) {
            self.next_part(known);
        }
    }

    /// Puts out what the deltas left out of a part that is done.
    fn part_done(&mut self, known: usize, slot: Slot, whole: Option<Str<'_>>, out: &mut Vec<Event>) {
        let sent = self.sent(known, slot).part;
        // A raw token is never shorter than its text.
        if let Some(whole) = whole.filter(|whole| whole.raw().len() > sent) {
            self.put(known, slot, whole.text().get(sent..).unwrap_or_default(), out);
        }
        if let Some(known) = self.items.get_mut(known) {
            known.sent[slot as usize].part = 0;
        }
    }

    /// Puts out what is still missing of a part of an item that is done; `sent` bytes of this part and those after it were
    /// put out before.
    fn rest(
        &mut self,
        known: usize,
        slot: Slot,
        place: usize,
        part: Option<Str<'_>>,
        sent: &mut usize,
        out: &mut Vec<Event>,
    ) {
        let Some(text) = part.map(|part| part.text()) else { return };
        if *sent == 0 && place > 0 {
            self.next_part(known);
        }
        self.put(known, slot, text.get(*sent..).unwrap_or_default(), out);
        *sent = sent.saturating_sub(text.len());
    }

    fn put(&mut self, known: usize, slot: Slot, text: &str, out: &mut Vec<Event>) {
        let Some(state) = self.items.get_mut(known).filter(|_| !text.is_empty()) else { return };
        let (text, bytes) = (text.to_owned(), text.len());
        let event = match slot {
            Slot::Text => Event::Text { choice: CHOICE, text },
            Slot::Refusal => Event::Refusal { choice: CHOICE, text },
            Slot::Arguments => match state.call {
                Some(index) => Event::Arguments { choice: CHOICE, index, text },
                None => return,
            },
            // The same thoughts told in two ways: the first one counts.
            Slot::Summary | Slot::Thought if state.reasoning.is_some_and(|heard| heard != slot) => return,
            Slot::Summary | Slot::Thought => {
                if self.in_reasoning && !state.in_part {
                    out.push(Event::ReasoningPart { choice: CHOICE });
                }
                state.reasoning = Some(slot);
                Event::Reasoning { choice: CHOICE, text }
            }
        };
        state.in_part = true;
        state.sent[slot as usize].all += bytes;
        state.sent[slot as usize].part += bytes;
        self.in_reasoning =
            matches!(slot, Slot::Summary | Slot::Thought) || (self.in_reasoning && slot == Slot::Arguments);
        self.said_text |= slot == Slot::Text;
        self.refused |= slot == Slot::Refusal;
        out.push(event);
    }

    /// Puts out the chances of a text's tokens, but for the first `skip` that were put out before.
    fn chances(&mut self, known: usize, list: Option<&[u8]>, skip: &mut usize, out: &mut Vec<Event>) -> JsonResult<()> {
        let Some(list) = list.filter(|list| *list != b"[]") else { return Ok(()) };
        let mut tokens = logprobs::read(list)?;
        let skipped = tokens.len().min(*skip);
        *skip -= skipped;
        tokens.drain(..skipped);
        if let Some(known) = self.items.get_mut(known) {
            known.sent[Slot::Text as usize].tokens += tokens.len();
        }
        if !tokens.is_empty() {
            out.push(Event::Logprobs { choice: CHOICE, tokens });
        }
        Ok(())
    }
}
