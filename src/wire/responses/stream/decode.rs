//! Reads a provider's stream, and with the same steps its whole answers.
//!
//! A text comes in deltas, then whole when it is done, then again in its part, its item and the response. Providers leave out one
//! or the other (xAI gives function calls in one piece, others send no `done`), so it is counted how much of each text was
//! put out, and the rest is made up from whatever comes whole.

use std::collections::HashMap;

use crate::chat::{Event, Family, Finish, Seal, SealKind};
use crate::wire::json::{JsonError, JsonResult, Scanner, Str};
use crate::wire::seal::{is_ours, unsign};
use crate::wire::stream::{Decoder as Reads, StreamError};

use super::super::answer::logprobs;
use super::super::answer::read::{Item, Part, Response};
use super::frame::Said;
use super::known::{Known, Slot, failure, item_id};

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
    /// How many bytes of a text were put out, and how many of its tokens' chances.
    sent: HashMap<(usize, Slot, u64), (usize, usize)>,
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
            sent: HashMap::new(),
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
                return Err(StreamError::Provider(failure(response.error.unwrap_or(b"{}"))));
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
            b"response.output_text.delta" | b"response.output_text.done" => {
                let known = self.at(place);
                self.say(known, Slot::Text, said.part, delta, said.whole, out);
                if delta.is_some() || kind.ends_with(b"delta") {
                    self.chances(known, said.part, said.logprobs, false, out)?;
                }
            }
            b"response.refusal.delta" | b"response.refusal.done" => {
                let known = self.at(place);
                self.say(known, Slot::Refusal, said.part, delta, said.whole, out);
            }
            b"response.reasoning_summary_text.delta" | b"response.reasoning_summary_text.done" => {
                let known = self.at(place);
                self.say(known, Slot::Summary, said.part, delta, said.whole, out);
            }
            b"response.reasoning_text.delta" | b"response.reasoning_text.done" => {
                let known = self.at(place);
                self.say(known, Slot::Thought, said.part, delta, said.whole, out);
            }
            b"response.function_call_arguments.delta" | b"response.function_call_arguments.done" => {
                let known = self.at(place);
                self.say(known, Slot::Arguments, 0, delta, said.whole, out);
            }
            _ => {}
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
                for (place, part) in (0..).zip(&item.content) {
                    self.rest(known, Slot::Text, place, part.text, out);
                    self.chances(known, place, part.logprobs, true, out)?;
                    self.rest(known, Slot::Refusal, place, part.refusal, out);
                }
            }
            Some(b"reasoning") => self.reasoned(known, item, out),
            Some(b"function_call") => {
                self.call(known, item, out);
                self.rest(known, Slot::Arguments, 0, item.arguments, out);
            }
            // What the provider's own tools did, and calls of tools that only this format knows.
            _ => {}
        }
        Ok(())
    }

    fn reasoned(&mut self, known: usize, item: &Item<'_>, out: &mut Vec<Event>) {
        let says = |parts: &[Part<'_>]| parts.iter().any(|part| part.text.is_some_and(|text| !text.is_empty()));
        let heard = self.items.get(known).and_then(|known| known.reasoning).map(|(slot, _)| slot);
        let slot = heard.unwrap_or(if says(&item.content) { Slot::Thought } else { Slot::Summary });
        let parts = if slot == Slot::Thought { &item.content } else { &item.summary };
        for (place, part) in (0..).zip(parts) {
            self.rest(known, slot, place, part.text, out);
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

    /// Puts out a delta, or what deltas left out of a text that is done.
    fn say(
        &mut self,
        known: usize,
        slot: Slot,
        part: u64,
        delta: Option<Str<'_>>,
        whole: Option<Str<'_>>,
        out: &mut Vec<Event>,
    ) {
        match delta {
            Some(delta) => self.put(known, slot, part, &delta.text(), out),
            None => self.rest(known, slot, part, whole, out),
        }
    }

    /// Puts out what of a whole text is still missing.
    fn rest(&mut self, known: usize, slot: Slot, part: u64, whole: Option<Str<'_>>, out: &mut Vec<Event>) {
        let Some(whole) = whole else { return };
        let sent = self.sent.get(&(known, slot, part)).map_or(0, |(bytes, _)| *bytes);
        // A raw token is never shorter than its text.
        if whole.raw().len() > sent {
            self.put(known, slot, part, whole.text().get(sent..).unwrap_or_default(), out);
        }
    }

    fn put(&mut self, known: usize, slot: Slot, part: u64, text: &str, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        let Some(state) = self.items.get_mut(known) else { return };
        let text = text.to_owned();
        let bytes = text.len();
        let event = match slot {
            Slot::Text => Event::Text { choice: CHOICE, text },
            Slot::Refusal => Event::Refusal { choice: CHOICE, text },
            Slot::Arguments => match state.call {
                Some(index) => Event::Arguments { choice: CHOICE, index, text },
                None => return,
            },
            Slot::Summary | Slot::Thought => {
                match state.reasoning {
                    // The same thoughts told in two ways: the first one counts.
                    Some((heard, _)) if heard != slot => return,
                    Some((_, last)) if last == part => {}
                    _ if self.in_reasoning => out.push(Event::ReasoningPart { choice: CHOICE }),
                    _ => {}
                }
                state.reasoning = Some((slot, part));
                Event::Reasoning { choice: CHOICE, text }
            }
        };
        self.in_reasoning =
            matches!(slot, Slot::Summary | Slot::Thought) || (self.in_reasoning && slot == Slot::Arguments);
        self.said_text |= slot == Slot::Text;
        self.refused |= slot == Slot::Refusal;
        self.sent.entry((known, slot, part)).or_default().0 += bytes;
        out.push(event);
    }

    /// Puts out the chances of a text's tokens: those of a delta, or of a `whole` list those still missing.
    fn chances(
        &mut self,
        known: usize,
        part: u64,
        list: Option<&[u8]>,
        whole: bool,
        out: &mut Vec<Event>,
    ) -> JsonResult<()> {
        let Some(list) = list.filter(|list| list.first() == Some(&b'[') && *list != b"[]") else { return Ok(()) };
        let (_, sent) = self.sent.entry((known, Slot::Text, part)).or_default();
        let tokens = logprobs::read(list, if whole { *sent } else { 0 })?;
        *sent += tokens.len();
        if !tokens.is_empty() {
            out.push(Event::Logprobs { choice: CHOICE, tokens });
        }
        Ok::<_, Box<JsonError>>(())
    }
}
