//! A provider's events, read.

use crate::chat::{Event, Finish};
use crate::wire::anthropic::answer::blocks::{Block, Blocks};
use crate::wire::anthropic::answer::usage::Counts;
use crate::wire::anthropic::answer::words;
use crate::wire::json::{JsonError, JsonResult, Kind, Scanner, Str};
use crate::wire::openai::types::whole;
use crate::wire::stream::StreamError;

/// Reads a stream of the format.
#[derive(Debug, Default)]
pub struct Decoder {
    started: bool,
    /// Why it ended was said.
    stopped: bool,
    ended: bool,
    blocks: Blocks,
    counts: Counts,
}

impl Decoder {
    /// One that has read nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// What an event says; which of it counts, its type tells.
#[derive(Default)]
struct Fields<'a> {
    kind: Option<Str<'a>>,
    index: u64,
    id: Option<Str<'a>>,
    model: Option<Str<'a>>,
    block: Option<Block<'a>>,
    delta: Option<Block<'a>>,
    reason: Option<Str<'a>>,
    sequence: Option<Str<'a>>,
    failed: bool,
}

impl<'a> Fields<'a> {
    fn read(data: &'a [u8], counts: &mut Counts) -> JsonResult<Self> {
        let mut fields = Self::default();
        let mut scanner = Scanner::lenient(data);
        if !scanner.is(Kind::Object) {
            scanner.skip()?;
            return Ok(fields);
        }
        scanner.object(|scanner, key| {
            match key.name {
                b"type" => fields.kind = words::text(scanner)?,
                b"index" => match scanner.small_natural() {
                    Some(index) => fields.index = index,
                    None => {
                        let place = scanner.value()?;
                        fields.index = scanner.bytes().get(place).and_then(whole).unwrap_or(0);
                    }
                },
                b"delta" if scanner.is(Kind::Object) => {
                    // A message's delta and a block's share the name; which it is, `type` may say only afterwards.
                    let from = scanner.position();
                    fields.delta = Some(Block::read(scanner)?);
                    if fields.delta.is_some_and(|delta| delta.is_untyped()) {
                        fields.stop(data.get(from..scanner.position()).unwrap_or_default())?;
                    }
                }
                b"content_block" if scanner.is(Kind::Object) => fields.block = Some(Block::read(scanner)?),
                b"message" if scanner.is(Kind::Object) => fields.message(scanner, counts)?,
                b"usage" => counts.read(scanner)?,
                b"error" => {
                    fields.failed |= !scanner.is(Kind::Null);
                    scanner.skip()?;
                }
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        scanner.end()?;
        Ok(fields)
    }

    fn stop(&mut self, delta: &'a [u8]) -> JsonResult<()> {
        Scanner::lenient(delta).object(|scanner, key| {
            match key.name {
                b"stop_reason" => self.reason = words::text(scanner)?,
                b"stop_sequence" => self.sequence = words::text(scanner)?,
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })
    }

    fn message(&mut self, scanner: &mut Scanner<'a>, counts: &mut Counts) -> JsonResult<()> {
        scanner.object(|scanner, key| {
            match key.name {
                b"id" => self.id = words::text(scanner)?,
                b"model" => self.model = words::text(scanner)?,
                b"usage" => counts.read(scanner)?,
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })
    }
}

impl crate::wire::Decoder for Decoder {
    fn event(&mut self, name: Option<&[u8]>, data: &[u8], out: &mut Vec<Event>) -> Result<(), StreamError> {
        // Some gateways end every stream as Chat's end.
        if self.ended || name == Some(b"ping") || data == b"[DONE]" {
            return Ok(());
        }
        if name == Some(b"error") {
            return Err(StreamError::Provider(words::error(data)));
        }
        let fields = Fields::read(data, &mut self.counts)?;
        let kind = fields.kind.map(|kind| kind.raw()).or(name).unwrap_or_default();
        match kind {
            b"content_block_delta" => {
                if let Some(delta) = &fields.delta {
                    self.blocks.go_on(fields.index, delta, out);
                }
            }
            b"content_block_start" => {
                if let Some(block) = &fields.block {
                    self.blocks.begin(fields.index, block, out);
                }
            }
            b"content_block_stop" => self.blocks.end(fields.index, out),
            b"message_start" => {
                // Some proxies send it twice.
                if !std::mem::replace(&mut self.started, true) {
                    let [id, model] = [fields.id, fields.model].map(|text| text.map(|text| text.text().into_owned()));
                    out.push(Event::Start { id, model, created: None });
                }
                out.extend(self.counts.usage().map(Event::Usage));
            }
            b"message_delta" => {
                if let Some(reason) = fields.reason {
                    self.stopped = true;
                    self.blocks.end_all(out);
                    let sequence = fields.sequence.map(|text| text.text().into_owned());
                    out.push(Event::Finish { choice: 0, reason: words::finish(&reason.bytes(), sequence) });
                }
                out.extend(self.counts.usage().map(Event::Usage));
            }
            b"message_stop" => {
                self.blocks.end_all(out);
                if !std::mem::replace(&mut self.stopped, true) {
                    // Said to be over, without a reason: the likely one.
                    let reason = if self.blocks.called() { Finish::ToolCalls } else { Finish::Stop };
                    out.push(Event::Finish { choice: 0, reason });
                }
                self.ended = true;
                out.push(Event::End);
            }
            b"error" => return Err(StreamError::Provider(words::error(data))),
            _ if fields.failed => return Err(StreamError::Provider(words::error(data))),
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), StreamError> {
        if self.ended {
            return Ok(());
        }
        // With its reason said nothing of the answer is missing, only the closing mark.
        if !self.stopped {
            return Err(StreamError::Truncated);
        }
        self.blocks.end_all(out);
        self.ended = true;
        out.push(Event::End);
        Ok(())
    }
}
