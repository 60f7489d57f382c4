//! Puts a streamed answer together again, for the cache.

use bytes::Bytes;

use super::super::types::{finished_well, whole};
use crate::wire::json::{JsonError, JsonResult, Kind, Scanner, member_cut};
use crate::wire::sse::{Splitter, parse};

/// Builds the whole answer from the events of a stream. Text is joined as it stands, escapes and all. Whatever it does not
/// know how to join (log probabilities, audio, a provider's own parts) makes the answer unfit rather than incomplete.
#[derive(Default)]
pub struct Collector {
    limit: usize,
    size: usize,
    splitter: Splitter,
    held: Vec<u8>,
    unfit: bool,
    head: [Option<Vec<u8>>; 5],
    choices: Vec<Choice>,
    usage: Option<Vec<u8>>,
}

/// Members of the chunks that go into the whole answer as they first came.
const HEAD: [&str; 5] = ["id", "created", "model", "system_fingerprint", "service_tier"];
/// Texts of a message that come in pieces.
const TEXTS: [&str; 4] = ["content", "reasoning_content", "reasoning", "refusal"];

#[derive(Default)]
struct Choice {
    index: u64,
    /// The insides of the strings in [`TEXTS`].
    texts: [Option<Vec<u8>>; 4],
    tools: Vec<Tool>,
    reason: Option<String>,
}

/// The insides of the strings of a tool call.
#[derive(Default)]
struct Tool {
    index: u64,
    id: Vec<u8>,
    name: Vec<u8>,
    arguments: Vec<u8>,
}

impl Collector {
    /// Collects answers of up to `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Takes the next piece of the stream, the provider's or the one that was relayed.
    pub fn push(&mut self, piece: &[u8]) {
        let mut rest = piece;
        if self.splitter.owes_line_feed(rest, !self.held.is_empty()) {
            rest = rest.get(1..).unwrap_or_default();
        }
        while !self.unfit {
            let Some(end) = self.splitter.end(rest) else {
                self.held.extend_from_slice(rest);
                self.unfit |= self.held.len() > self.limit.saturating_mul(2);
                break;
            };
            let (event, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            rest = after;
            if self.held.is_empty() {
                self.event(event);
            } else {
                self.held.extend_from_slice(event);
                let event = std::mem::take(&mut self.held);
                self.event(&event);
            }
        }
    }

    /// The provider's `usage` object, where the pieces do not show it ([`Relay::usage_json`](super::Relay::usage_json)).
    pub fn counted(&mut self, usage: &[u8]) {
        let read = usage_without_cost(&mut Scanner::lenient(usage));
        self.usage = read.ok().flatten().or(self.usage.take());
    }

    /// The whole answer, if it is a good one and all of it was understood.
    #[must_use]
    pub fn whole(self) -> Option<Bytes> {
        let good = !self.choices.is_empty()
            && self
                .choices
                .iter()
                .all(|choice| choice.reason.as_deref().is_some_and(|reason| finished_well(reason.as_bytes())));
        (good && !self.unfit).then(|| self.write().into())
    }

    fn event(&mut self, raw: &[u8]) {
        let event = parse(raw);
        let Some(data) = event.data.as_deref().map(<[u8]>::trim_ascii) else { return };
        if data.first() == Some(&b'{') {
            self.unfit |= event.name == Some(b"error") || self.chunk(data).is_err();
            self.unfit |= self.size > self.limit;
        }
    }

    fn chunk(&mut self, data: &[u8]) -> JsonResult<()> {
        let mut scanner = Scanner::lenient(data);
        scanner.object(|scanner, key| {
            let name = key.name;
            let kind = scanner.kind()?;
            match name {
                b"choices" if kind == Kind::Array => {
                    scanner.array(|scanner, position| self.choice(scanner, position))?;
                }
                b"usage" if kind == Kind::Object => self.usage = usage_without_cost(scanner)?,
                b"error" if kind != Kind::Null => {
                    self.unfit = true;
                    scanner.skip()?;
                }
                name => {
                    let value = scanner.value()?;
                    let slot = HEAD.iter().zip(&mut self.head).find(|(head, _)| head.as_bytes() == name);
                    if let Some((_, slot)) = slot
                        && slot.is_none()
                    {
                        *slot = data.get(value).filter(|value| *value != b"\"\"").map(<[u8]>::to_vec);
                    }
                }
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        scanner.end()
    }

    fn choice(&mut self, scanner: &mut Scanner<'_>, position: usize) -> JsonResult<()> {
        let mut choice = Choice { index: position as u64, ..Choice::default() };
        scanner.object(|scanner, key| {
            match (key.name, scanner.kind()?) {
                (b"index", Kind::Number) => choice.index = index(scanner)?,
                (b"finish_reason", Kind::String) => choice.reason = Some(scanner.string()?.text().into_owned()),
                (b"delta", Kind::Object) => self.delta(scanner, &mut choice)?,
                (b"logprobs" | b"error", kind) if kind != Kind::Null => {
                    self.unfit = true;
                    scanner.skip()?;
                }
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        match self.choices.iter_mut().find(|known| known.index == choice.index) {
            Some(known) => known.join(choice),
            None => self.choices.push(choice),
        }
        Ok(())
    }

    fn delta(&mut self, scanner: &mut Scanner<'_>, choice: &mut Choice) -> JsonResult<()> {
        scanner.object(|scanner, key| {
            let name = key.name;
            let kind = scanner.kind()?;
            let text = TEXTS.iter().position(|text| text.as_bytes() == name);
            match (name, kind) {
                (_, Kind::Null) => scanner.skip()?,
                // Groq's name for which of the model's channels a piece is from.
                (b"role" | b"channel", Kind::String) => scanner.skip()?,
                (_, Kind::String) if let Some(slot) = text.and_then(|at| choice.texts.get_mut(at)) => {
                    let raw = scanner.string()?.raw();
                    self.size += raw.len();
                    slot.get_or_insert_default().extend_from_slice(raw);
                }
                (b"tool_calls", Kind::Array) => scanner.array(|scanner, at| self.tool(scanner, at, choice))?,
                _ => {
                    let value = scanner.value()?;
                    self.unfit |= !matches!(scanner.bytes().get(value), Some(b"[]" | b"{}" | b"\"\""));
                }
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        Ok(())
    }

    fn tool(&mut self, scanner: &mut Scanner<'_>, position: usize, choice: &mut Choice) -> JsonResult<()> {
        let mut tool = Tool { index: position as u64, ..Tool::default() };
        scanner.object(|scanner, key| {
            match (key.name, scanner.kind()?) {
                (_, Kind::Null) => scanner.skip()?,
                (b"index", Kind::Number) => tool.index = index(scanner)?,
                (b"id", Kind::String) => tool.id = scanner.string()?.raw().to_vec(),
                (b"type", Kind::String) => self.unfit |= scanner.string()?.raw() != b"function",
                (b"function", Kind::Object) => self.function(scanner, &mut tool)?,
                _ => {
                    self.unfit = true;
                    scanner.skip()?;
                }
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        self.size += tool.arguments.len() + tool.name.len() + tool.id.len();
        choice.add_tool(tool);
        Ok(())
    }

    fn function(&mut self, scanner: &mut Scanner<'_>, tool: &mut Tool) -> JsonResult<()> {
        scanner.object(|scanner, key| {
            match (key.name, scanner.kind()?) {
                (b"name", Kind::String) => tool.name = scanner.string()?.raw().to_vec(),
                (b"arguments", Kind::String) => tool.arguments = scanner.string()?.raw().to_vec(),
                (_, kind) => {
                    self.unfit |= kind != Kind::Null;
                    scanner.skip()?;
                }
            }
            Ok(())
        })
    }

    fn write(mut self) -> Vec<u8> {
        self.choices.sort_by_key(|choice| choice.index);
        let mut json = br#"{"object":"chat.completion""#.to_vec();
        for (name, value) in HEAD.iter().zip(&self.head) {
            if let Some(value) = value {
                json.extend_from_slice(format!(",\"{name}\":").as_bytes());
                json.extend_from_slice(value);
            }
        }
        json.extend_from_slice(br#","choices":["#);
        for (nth, choice) in self.choices.iter().enumerate() {
            if nth > 0 {
                json.push(b',');
            }
            choice.write(&mut json);
        }
        json.push(b']');
        if let Some(usage) = &self.usage {
            json.extend_from_slice(br#","usage":"#);
            json.extend_from_slice(usage);
        }
        json.push(b'}');
        json
    }
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector").field("size", &self.size).field("unfit", &self.unfit).finish_non_exhaustive()
    }
}

impl Choice {
    fn join(&mut self, more: Self) {
        for (text, more) in self.texts.iter_mut().zip(more.texts) {
            if let Some(more) = more {
                text.get_or_insert_default().extend_from_slice(&more);
            }
        }
        for tool in more.tools {
            self.add_tool(tool);
        }
        self.reason = more.reason.or(self.reason.take());
    }

    fn add_tool(&mut self, more: Tool) {
        let Some(tool) = self.tools.iter_mut().find(|known| known.index == more.index) else {
            return self.tools.push(more);
        };
        if !more.id.is_empty() {
            tool.id = more.id;
        }
        tool.name.extend_from_slice(&more.name);
        tool.arguments.extend_from_slice(&more.arguments);
    }

    fn write(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(format!("{{\"index\":{},\"message\":{{\"role\":\"assistant\"", self.index).as_bytes());
        for (name, text) in TEXTS.iter().zip(&self.texts) {
            match text {
                Some(text) => {
                    json.extend_from_slice(format!(",\"{name}\":\"").as_bytes());
                    json.extend_from_slice(text);
                    json.push(b'"');
                }
                // OpenAI's schema wants these two in any case.
                None if matches!(*name, "content" | "refusal") => {
                    json.extend_from_slice(format!(",\"{name}\":null").as_bytes());
                }
                None => {}
            }
        }
        for (nth, tool) in self.tools.iter().enumerate() {
            json.extend_from_slice(if nth == 0 { b",\"tool_calls\":[" } else { b"," });
            let parts: [&[u8]; 7] = [
                b"{\"id\":\"",
                &tool.id,
                b"\",\"type\":\"function\",\"function\":{\"name\":\"",
                &tool.name,
                b"\",\"arguments\":\"",
                &tool.arguments,
                b"\"}}",
            ];
            json.extend(parts.iter().flat_map(|part| part.iter()));
        }
        if !self.tools.is_empty() {
            json.push(b']');
        }
        let reason = self.reason.as_deref().unwrap_or("stop");
        json.extend_from_slice(format!("}},\"logprobs\":null,\"finish_reason\":\"{reason}\"}}").as_bytes());
    }
}

fn index(scanner: &mut Scanner<'_>) -> JsonResult<u64> {
    let digits = scanner.number()?;
    Ok(scanner.bytes().get(digits).and_then(whole).unwrap_or(0))
}

/// A `usage` object without the cost that a relay put in: a hit costs something else.
fn usage_without_cost(scanner: &mut Scanner<'_>) -> JsonResult<Option<Vec<u8>>> {
    let mut cost = None;
    let start = scanner.position();
    scanner.object(|scanner, key| {
        let value = scanner.value()?;
        if key.name == b"waypost_cost_usd" {
            cost = Some(member_cut(scanner.bytes(), key.span().start, value.end));
        }
        Ok::<_, Box<JsonError>>(())
    })?;
    let (bytes, object) = (scanner.bytes(), start..scanner.position());
    let Some(cut) = cost else { return Ok(bytes.get(object).map(<[u8]>::to_vec)) };
    let before = bytes.get(object.start..cut.start).unwrap_or_default();
    let after = bytes.get(cut.end..object.end).unwrap_or_default();
    Ok(Some([before, after].concat()))
}
