//! The client's bytes for a target of the same format, with only what must change rewritten in place.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::thinking::LEAST_BUDGET;
use super::told;
use crate::chat::{self, Family};
use crate::wire::Shape;
use crate::wire::dialect::ToolIds;
use crate::wire::json::{JsonResult, Kind, Scanner, escaped, quote, splice};
use crate::wire::losses::{Encoded, Losses};
use crate::wire::{seal, tool_ids};

type Change = (Range<usize>, Vec<u8>);

/// The body for an attempt: the model's name, a limit of output tokens above the model's, tool ids that the target refuses
/// and reasoning that it did not sign are changed; all other bytes stay. The same `Bytes` where nothing must change.
/// A request to count tokens goes the same way.
#[must_use]
pub fn pass(request: &chat::Request, shape: &Shape<'_>) -> Encoded {
    let body = &request.body;
    let mut losses = Losses::new(true, shape.format.as_str());
    let mut changes: Vec<Change> = Vec::new();
    let model = escaped(shape.model);
    let inside = request.edits.model.start + 1..request.edits.model.end.saturating_sub(1);
    if body.get(inside.clone()) != Some(&model) {
        changes.push((inside, model.into_owned()));
    }
    let told = told::members(request, shape);
    if !told.is_empty() {
        let end = request.edits.model.end;
        changes.push((end..end, told.into_bytes()));
    }
    limit(request, shape, &mut losses, &mut changes);
    let mut said = Said { body, start: request.edits.messages.start, shape, changes: Vec::new(), dropped: Vec::new() };
    // What `judge` accepted cannot fail here; if it did, what was found so far would be changed.
    let _ = said.messages(body.get(request.edits.messages.clone()).unwrap_or_default());
    changes.append(&mut said.changes);
    for place in said.dropped {
        losses.hint(place);
    }
    changes.sort_by_key(|(range, _)| range.start);
    let edits: Vec<(Range<usize>, &[u8])> =
        changes.iter().map(|(range, new)| (range.clone(), new.as_slice())).collect();
    let body = if edits.is_empty() { body.clone() } else { Bytes::from(splice(body, &edits)) };
    Encoded { body, dropped: losses.into_dropped() }
}

/// Cuts the limit of output tokens to the model's, and with it a budget of thought that would reach it.
fn limit(request: &chat::Request, shape: &Shape<'_>, losses: &mut Losses, changes: &mut Vec<Change>) {
    let member = |name| request.edits.others.iter().find(|(known, _)| *known == name).map(|(_, range)| range.clone());
    let (Some(asked), Some(most), Some(at)) = (request.max_output_tokens, shape.max_output, member("max_tokens"))
    else {
        return;
    };
    if asked <= most {
        return;
    }
    changes.push((at, most.to_string().into_bytes()));
    let Some(thinking) = member("thinking") else { return };
    let bytes = request.body.get(thinking.clone()).unwrap_or_default();
    let mut budget = None;
    let _ = Scanner::lenient(bytes).object(|scanner, key| {
        let value = scanner.value()?;
        if key.name == b"budget_tokens" {
            budget = Some(value);
        }
        Ok::<_, Box<_>>(())
    });
    let Some(at) = budget else { return };
    let written = bytes.get(at.clone()).and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u64>().ok());
    if written.is_none_or(|budget| budget < most) {
        return;
    }
    let fits = most / 4 * 3;
    if fits >= LEAST_BUDGET {
        losses.hint("thinking.budget_tokens");
        changes.push((thinking.start + at.start..thinking.start + at.end, fits.to_string().into_bytes()));
    } else {
        losses.hint("thinking");
        changes.push((thinking, br#"{"type":"disabled"}"#.to_vec()));
    }
}

/// Looks through what was said.
struct Said<'a> {
    body: &'a [u8],
    /// Where `messages` begins in the body.
    start: usize,
    shape: &'a Shape<'a>,
    changes: Vec<Change>,
    dropped: Vec<String>,
}

/// One block, as far as it may have to change.
#[derive(Debug, Default)]
struct Block<'a> {
    kind: Cow<'a, [u8]>,
    /// `id` of a call, `tool_use_id` of a result.
    id: Option<(Range<usize>, Cow<'a, str>)>,
    /// `signature` of thinking, `data` of redacted thinking.
    signature: Option<(Range<usize>, Cow<'a, str>)>,
}

impl Said<'_> {
    fn messages(&mut self, messages: &[u8]) -> JsonResult<()> {
        let ids = self.shape.dialect.tool_ids != ToolIds::Any;
        if !ids && self.shape.dialect.seals != Some(Family::Anthropic) {
            return Ok(());
        }
        let mut elements: Vec<(Range<usize>, bool)> = Vec::new();
        Scanner::lenient(messages).array(|scanner, index| {
            let start = scanner.position();
            let mut emptied = false;
            scanner.object(|scanner, key| {
                if key.name == b"content" && scanner.is(Kind::Array) {
                    emptied = self.content(scanner, index)?;
                } else {
                    scanner.skip()?;
                }
                Ok::<_, Box<_>>(())
            })?;
            elements.push((start..scanner.position(), emptied));
            Ok::<_, Box<_>>(())
        })?;
        for cut in cuts(&elements) {
            let cut = self.start + cut.start..self.start + cut.end;
            self.changes.retain(|(range, _)| range.start < cut.start || range.end > cut.end);
            self.changes.push((cut, Vec::new()));
        }
        Ok(())
    }

    /// Whether nothing is left of it.
    fn content(&mut self, scanner: &mut Scanner<'_>, message: usize) -> JsonResult<bool> {
        let mut elements: Vec<(Range<usize>, bool)> = Vec::new();
        scanner.array(|scanner, _| {
            let start = scanner.position();
            let block = block(scanner)?;
            let foreign = self.block(block);
            if foreign {
                self.dropped.push(format!("messages[{message}].reasoning"));
            }
            elements.push((start..scanner.position(), foreign));
            Ok::<_, Box<_>>(())
        })?;
        if !elements.is_empty() && elements.iter().all(|(_, cut)| *cut) {
            return Ok(true);
        }
        for cut in cuts(&elements) {
            self.changes.push((self.start + cut.start..self.start + cut.end, Vec::new()));
        }
        Ok(false)
    }

    /// Notes what must change in a block. Whether it must go: it is reasoning that Anthropic did not sign.
    fn block(&mut self, block: Block<'_>) -> bool {
        match &*block.kind {
            b"tool_use" | b"tool_result" => {
                let Some((at, id)) = block.id else { return false };
                if let Cow::Owned(fitted) = tool_ids::fit(&id, self.shape.dialect.tool_ids) {
                    self.replace(at, quote(&fitted));
                }
                false
            }
            b"thinking" | b"redacted_thinking" if self.shape.dialect.seals == Some(Family::Anthropic) => {
                let Some((at, signature)) = block.signature.filter(|(_, signature)| !signature.is_empty()) else {
                    return true;
                };
                if !seal::is_ours(&signature) {
                    return false;
                }
                let sealed = seal::unsign(&signature, "").and_then(|reasoning| reasoning.seal);
                match sealed.filter(|sealed| sealed.family == Family::Anthropic) {
                    Some(sealed) => {
                        self.replace(at, quote(&sealed.data));
                        false
                    }
                    None => true,
                }
            }
            _ => false,
        }
    }

    fn replace(&mut self, at: Range<usize>, new: Vec<u8>) {
        let at = self.start + at.start..self.start + at.end;
        if self.body.get(at.clone()) != Some(&new) {
            self.changes.push((at, new));
        }
    }
}

fn block<'a>(scanner: &mut Scanner<'a>) -> JsonResult<Block<'a>> {
    let mut block = Block::default();
    scanner.object(|scanner, key| {
        match key.name {
            b"type" if scanner.is(Kind::String) => block.kind = scanner.string()?.bytes(),
            b"id" | b"tool_use_id" if scanner.is(Kind::String) => {
                let id = scanner.string()?;
                block.id = Some((id.span(), id.text()));
            }
            b"signature" | b"data" if scanner.is(Kind::String) => {
                let signature = scanner.string()?;
                block.signature = Some((signature.span(), signature.text()));
            }
            _ => scanner.skip()?,
        }
        Ok::<_, Box<_>>(())
    })?;
    Ok(block)
}

/// The ranges to cut so that a list loses the marked elements, each run of them with one comma beside it. Were all of them
/// marked, an empty list would be left.
fn cuts(elements: &[(Range<usize>, bool)]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut kept_end = None;
    let mut run: Option<Range<usize>> = None;
    for (element, cut) in elements {
        match (cut, run.take()) {
            (true, None) => run = Some(element.clone()),
            (true, Some(open)) => run = Some(open.start..element.end),
            (false, Some(open)) => ranges.push(open.start..element.start),
            (false, None) => {}
        }
        if !cut {
            kept_end = Some(element.end);
        }
    }
    ranges.extend(run.map(|open| kept_end.unwrap_or(open.start)..open.end));
    ranges
}
