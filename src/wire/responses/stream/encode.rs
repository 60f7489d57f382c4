//! Writes a client's stream.
//!
//! A message or a block of reasoning is closed when another item begins; tool calls stay open until the answer ends, for
//! their arguments may come in turns.

use crate::chat::{Event, Finish, Json, Reasoning, Seal, SealKind, Usage};
use crate::wire::json::List;
use crate::wire::refusal::Refusal;
use crate::wire::stream::Encoder as Writes;
use crate::wire::{Envelope, seal::sign};

use super::super::answer::item::{Item, Said, Status, encrypted, summary_part};
use super::super::answer::logprobs;
use super::super::answer::response::{Ending, Head, echo};
use super::frame::Frame;

/// Writes the events of one answer.
#[derive(Debug)]
pub struct Encoder {
    envelope: Envelope,
    echo: String,
    head: Option<Head>,
    over: bool,
    sequence: u64,
    items: Vec<Item>,
    /// The message or block of reasoning that is being said.
    open: Option<usize>,
    /// Where the tool calls stand, and from which on they are open.
    calls: Vec<usize>,
    closed_calls: usize,
    finish: Option<Finish>,
    usage: Option<Usage>,
    refused: bool,
    /// Chances of tokens that came after their text was closed.
    late: Vec<Json>,
}

impl Writes for Encoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model, created } if self.head.is_none() => {
                self.begin(Head::new(id.clone(), model.clone(), *created, &self.envelope), out);
                return;
            }
            Event::Start { .. } => return,
            _ => self.begun(out),
        }
        match event {
            Event::Text { choice: 0, text } => self.say(text, false, out),
            Event::Refusal { choice: 0, text } => self.say(text, true, out),
            Event::Reasoning { choice: 0, text } => self.think(text, out),
            Event::ReasoningPart { choice: 0 } => self.next_part(out),
            Event::Seal { choice: 0, seal } => self.seal(seal, out),
            Event::ToolCall { choice: 0, id, name, seal, .. } => self.call(id, name, seal.as_ref(), out),
            Event::Arguments { choice: 0, index, text } => self.argue(*index, text, out),
            Event::Logprobs { choice: 0, tokens } => self.chances(tokens, out),
            Event::Finish { choice: 0, reason } => {
                self.finish = Some(reason.clone());
                self.close(out);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::End => self.end(out),
            _ => {}
        }
    }

    fn fail(&mut self, refusal: &Refusal<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        // Clients put the answer together from its beginning, and know no failure without one.
        self.begun(out);
        self.last(&Ending::failed(refusal), out);
    }
}

impl Encoder {
    /// For an answer in this envelope.
    #[must_use]
    pub fn new(envelope: Envelope) -> Self {
        Self {
            echo: echo(envelope.echo.as_ref()),
            envelope,
            head: None,
            over: false,
            sequence: 0,
            items: Vec::new(),
            open: None,
            calls: Vec::new(),
            closed_calls: 0,
            finish: None,
            usage: None,
            refused: false,
            late: Vec::new(),
        }
    }

    fn frame<'o>(&mut self, kind: &str, out: &'o mut Vec<u8>) -> Frame<'o> {
        let frame = Frame::begin(out, kind, self.sequence);
        self.sequence += 1;
        frame
    }

    /// A frame about an item.
    fn about<'o>(&mut self, kind: &str, place: usize, out: &'o mut Vec<u8>) -> Frame<'o> {
        let mut frame = self.frame(kind, out);
        frame.number("output_index", place as u64);
        if let Some(item) = self.items.get(place) {
            frame.text("item_id", item.id());
        }
        frame
    }

    fn begun(&mut self, out: &mut Vec<u8>) {
        if self.head.is_none() {
            self.begin(Head::new(None, None, None, &self.envelope), out);
        }
    }

    fn begin(&mut self, head: Head, out: &mut Vec<u8>) {
        let response = head.response(&Ending::InProgress, "[]", None, None, &self.echo);
        self.head = Some(head);
        for kind in ["response.created", "response.in_progress"] {
            let mut frame = self.frame(kind, out);
            frame.raw("response", &response);
            frame.end();
        }
    }

    fn id(&self, sort: &str) -> String {
        self.head.as_ref().map(|head| head.item(sort, self.items.len())).unwrap_or_default()
    }

    /// Begins an item; what was being said is over.
    fn add(&mut self, item: Item, out: &mut Vec<u8>) -> usize {
        self.close_open(Status::Completed, out);
        let place = self.items.len();
        let mut frame = self.frame("response.output_item.added", out);
        frame.number("output_index", place as u64).raw("item", &item.json(Status::InProgress));
        frame.end();
        self.items.push(item);
        place
    }

    /// Ends an item.
    fn done(&mut self, place: usize, status: Status, out: &mut Vec<u8>) {
        let Some(item) = self.items.get(place).map(|item| item.json(status)) else { return };
        let mut frame = self.frame("response.output_item.done", out);
        frame.number("output_index", place as u64).raw("item", &item);
        frame.end();
    }

    fn say(&mut self, text: &str, refusal: bool, out: &mut Vec<u8>) {
        self.refused |= refusal;
        let open = self.open.filter(|place| matches!(self.items.get(*place), Some(Item::Message { .. })));
        let place = open.unwrap_or_else(|| {
            let message = Item::Message { id: self.id("msg"), content: Vec::new() };
            self.add(message, out)
        });
        self.open = Some(place);
        let Some(Item::Message { content, .. }) = self.items.get_mut(place) else { return };
        let same =
            matches!((content.last(), refusal), (Some(Said::Text { .. }), false) | (Some(Said::Refusal(_)), true));
        if !same {
            self.close_part(place, out);
            let said = if refusal {
                Said::Refusal(String::new())
            } else {
                Said::Text { text: String::new(), logprobs: Vec::new() }
            };
            let json = said.json();
            let Some(Item::Message { content, .. }) = self.items.get_mut(place) else { return };
            let index = content.len() as u64;
            content.push(said);
            let mut frame = self.about("response.content_part.added", place, out);
            frame.number("content_index", index).raw("part", &json);
            frame.end();
        }
        let Some(Item::Message { content, .. }) = self.items.get_mut(place) else { return };
        match content.last_mut() {
            Some(Said::Text { text: all, .. } | Said::Refusal(all)) => all.push_str(text),
            None => {}
        }
        let index = content.len().saturating_sub(1) as u64;
        let kind = if refusal { "response.refusal.delta" } else { "response.output_text.delta" };
        let mut frame = self.about(kind, place, out);
        frame.number("content_index", index).text("delta", text);
        if !refusal {
            frame.raw("logprobs", "[]");
        }
        frame.end();
    }

    /// Ends the last part of a message.
    fn close_part(&mut self, place: usize, out: &mut Vec<u8>) {
        let Some(Item::Message { content, .. }) = self.items.get(place) else { return };
        let Some(said) = content.last() else { return };
        let (index, part) = (content.len() as u64 - 1, said.json());
        let (kind, name, text, chances) = match said {
            Said::Text { text, logprobs } => {
                ("response.output_text.done", "text", text.clone(), Some(logprobs::list(logprobs)))
            }
            Said::Refusal(text) => ("response.refusal.done", "refusal", text.clone(), None),
        };
        let mut frame = self.about(kind, place, out);
        frame.number("content_index", index).text(name, &text);
        if let Some(chances) = &chances {
            frame.raw("logprobs", chances);
        }
        frame.end();
        let mut frame = self.about("response.content_part.done", place, out);
        frame.number("content_index", index).raw("part", &part);
        frame.end();
    }

    fn chances(&mut self, tokens: &[Json], out: &mut Vec<u8>) {
        if let Some(place) = self.open
            && let Some(Item::Message { content, .. }) = self.items.get_mut(place)
            && let index = content.len().saturating_sub(1) as u64
            && let Some(Said::Text { logprobs, .. }) = content.last_mut()
        {
            logprobs.extend_from_slice(tokens);
            let mut frame = self.about("response.output_text.delta", place, out);
            frame.number("content_index", index).text("delta", "").raw("logprobs", &logprobs::list(tokens));
            frame.end();
        } else {
            self.late.extend_from_slice(tokens);
        }
    }

    fn thinking(&mut self) -> Option<(usize, &mut Vec<String>)> {
        let place = self.open?;
        match self.items.get_mut(place) {
            Some(Item::Reasoning { parts, .. }) => Some((place, parts)),
            _ => None,
        }
    }

    fn think(&mut self, text: &str, out: &mut Vec<u8>) {
        if self.thinking().is_none() {
            self.next_part(out);
        }
        let Some((place, parts)) = self.thinking() else { return };
        if let Some(part) = parts.last_mut() {
            part.push_str(text);
        }
        let index = parts.len().saturating_sub(1) as u64;
        let mut frame = self.about("response.reasoning_summary_text.delta", place, out);
        frame.number("summary_index", index).text("delta", text);
        frame.end();
    }

    /// Begins a part of the block of reasoning, and the block itself where none is open.
    fn next_part(&mut self, out: &mut Vec<u8>) {
        self.close_summary(out);
        if self.thinking().is_none() {
            let block = Item::Reasoning { id: self.id("rs"), parts: Vec::new(), encrypted: None };
            self.open = Some(self.add(block, out));
        }
        let Some((place, parts)) = self.thinking() else { return };
        parts.push(String::new());
        let index = parts.len() as u64 - 1;
        let mut frame = self.about("response.reasoning_summary_part.added", place, out);
        frame.number("summary_index", index).raw("part", &summary_part(""));
        frame.end();
    }

    fn close_summary(&mut self, out: &mut Vec<u8>) {
        let Some((place, parts)) = self.thinking() else { return };
        let Some(text) = parts.last().cloned() else { return };
        let index = parts.len() as u64 - 1;
        let mut frame = self.about("response.reasoning_summary_text.done", place, out);
        frame.number("summary_index", index).text("text", &text);
        frame.end();
        let mut frame = self.about("response.reasoning_summary_part.done", place, out);
        frame.number("summary_index", index).raw("part", &summary_part(&text));
        frame.end();
    }

    fn seal(&mut self, seal: &Seal, out: &mut Vec<u8>) {
        if seal.kind == SealKind::Text && self.thinking().is_some() {
            return self.close_reasoning(Some(seal), out);
        }
        self.sealed(seal, out);
    }

    /// An item that is nothing but a seal.
    fn sealed(&mut self, seal: &Seal, out: &mut Vec<u8>) {
        let item = Item::sealed(seal.clone(), self.id("rs"));
        let place = self.add(item, out);
        self.done(place, Status::Completed, out);
    }

    /// Ends the open block of reasoning. Its id has been said already, so even OpenAI's own seal, which needs its own id,
    /// is signed by us if it came under another.
    fn close_reasoning(&mut self, seal: Option<&Seal>, out: &mut Vec<u8>) {
        self.close_summary(out);
        let Some((place, parts)) = self.thinking() else { return };
        let reasoning = Reasoning { parts: parts.clone(), seal: seal.cloned() };
        if let Some(Item::Reasoning { id, encrypted: data, .. }) = self.items.get_mut(place) {
            let (own, plain) = encrypted(&reasoning, id.clone());
            *data = Some(if own == *id { plain } else { sign(&reasoning) });
        }
        self.open = None;
        self.done(place, Status::Completed, out);
    }

    fn call(&mut self, id: &str, name: &str, seal: Option<&Seal>, out: &mut Vec<u8>) {
        if let Some(seal) = seal {
            self.sealed(seal, out);
        }
        let call =
            Item::Call { id: self.id("fc"), call_id: id.to_owned(), name: name.to_owned(), arguments: String::new() };
        let place = self.add(call, out);
        self.calls.push(place);
    }

    fn argue(&mut self, index: u32, text: &str, out: &mut Vec<u8>) {
        let call = usize::try_from(index).ok().and_then(|index| self.calls.get(index)).copied();
        let Some(place) = call else { return };
        let Some(Item::Call { arguments, .. }) = self.items.get_mut(place) else { return };
        arguments.push_str(text);
        let mut frame = self.about("response.function_call_arguments.delta", place, out);
        frame.text("delta", text);
        frame.end();
    }

    fn close_open(&mut self, status: Status, out: &mut Vec<u8>) {
        if self.thinking().is_some() {
            return self.close_reasoning(None, out);
        }
        if let Some(place) = self.open.take() {
            self.close_part(place, out);
            self.done(place, status, out);
        }
    }

    /// Ends all that is open.
    fn close(&mut self, out: &mut Vec<u8>) {
        let last_status = Ending::of(self.finish.as_ref(), self.refused).last_item();
        let last = self.items.len().saturating_sub(1);
        let status = |place| if place == last { last_status } else { Status::Completed };
        self.close_open(status(self.open.unwrap_or(last)), out);
        for call in self.closed_calls..self.calls.len() {
            let Some(place) = self.calls.get(call).copied() else { continue };
            let Some(Item::Call { arguments, .. }) = self.items.get(place) else { continue };
            let arguments = arguments.clone();
            let mut frame = self.about("response.function_call_arguments.done", place, out);
            frame.text("arguments", &arguments);
            frame.end();
            self.done(place, status(place), out);
        }
        self.closed_calls = self.calls.len();
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.close(out);
        let late = std::mem::take(&mut self.late);
        if let Some(tokens) = self.items.iter_mut().rev().find_map(Item::last_logprobs) {
            tokens.extend(late);
        }
        self.last(&Ending::of(self.finish.as_ref(), self.refused), out);
    }

    /// Writes the last event.
    fn last(&mut self, ending: &Ending, out: &mut Vec<u8>) {
        self.over = true;
        let mut output = List::new();
        for (place, item) in (1..).zip(&self.items) {
            let last = place == self.items.len();
            output.raw(&item.json(if last { ending.last_item() } else { Status::Completed }));
        }
        let cost = self.usage.as_ref().and_then(|usage| (self.envelope.cost)(usage));
        let Some(head) = &self.head else { return };
        let response = head.response(ending, &output.finish(), self.usage.as_ref(), cost, &self.echo);
        let kind = format!("response.{}", ending.status());
        let mut frame = self.frame(&kind, out);
        frame.raw("response", &response);
        frame.end();
    }
}
