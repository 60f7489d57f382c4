//! The objects of a provider's answer, as far as their meaning goes. A member of another type than the format says counts
//! as absent: no answer is lost over it.

use crate::chat::Usage;
use crate::wire::json::{JsonError, JsonResult, Kind, Scanner, Str};

/// A response object.
#[derive(Debug, Default)]
pub(in super::super) struct Response<'a> {
    pub(in super::super) id: Option<Str<'a>>,
    pub(in super::super) model: Option<Str<'a>>,
    pub(in super::super) created: Option<u64>,
    pub(in super::super) status: Option<Str<'a>>,
    /// `incomplete_details.reason`
    pub(in super::super) reason: Option<Str<'a>>,
    /// `error`, if it is not null.
    pub(in super::super) error: Option<&'a [u8]>,
    /// `output`, a list.
    pub(in super::super) output: Option<&'a [u8]>,
    pub(in super::super) usage: Option<Usage>,
}

/// An output item.
#[derive(Debug, Default)]
pub(in super::super) struct Item<'a> {
    pub(in super::super) kind: Option<Str<'a>>,
    pub(in super::super) id: Option<Str<'a>>,
    pub(in super::super) call_id: Option<Str<'a>>,
    pub(in super::super) name: Option<Str<'a>>,
    pub(in super::super) arguments: Option<Str<'a>>,
    pub(in super::super) encrypted: Option<Str<'a>>,
    pub(in super::super) content: Vec<Part<'a>>,
    pub(in super::super) summary: Vec<Part<'a>>,
}

/// A part of an item's content or summary.
#[derive(Debug, Default)]
pub(in super::super) struct Part<'a> {
    pub(in super::super) text: Option<Str<'a>>,
    pub(in super::super) refusal: Option<Str<'a>>,
    pub(in super::super) logprobs: Option<&'a [u8]>,
}

impl<'a> Response<'a> {
    /// Reads the object that `bytes` is.
    pub(in super::super) fn read(bytes: &'a [u8]) -> JsonResult<Self> {
        let mut response = Self::default();
        let mut scanner = Scanner::lenient(bytes);
        scanner.object(|scanner, key| {
            match key.name {
                b"id" => response.id = text(scanner)?,
                b"model" => response.model = text(scanner)?,
                b"created_at" => response.created = count(scanner)?,
                b"status" => response.status = text(scanner)?,
                b"error" => response.error = value_unless_null(scanner)?,
                b"output" => response.output = value_of(scanner, Kind::Array)?,
                b"usage" => response.usage = usage(scanner)?,
                b"incomplete_details" if scanner.is(Kind::Object) => scanner.object(|scanner, key| {
                    if key.name == b"reason" {
                        response.reason = text(scanner)?;
                        return Ok(());
                    }
                    scanner.skip()
                })?,
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        scanner.end()?;
        Ok(response)
    }
}

impl<'a> Item<'a> {
    /// Reads the object that stands there; anything else is an item that says nothing.
    pub(in super::super) fn read(scanner: &mut Scanner<'a>) -> JsonResult<Self> {
        let mut item = Self::default();
        if !scanner.is(Kind::Object) {
            scanner.skip()?;
            return Ok(item);
        }
        scanner.object(|scanner, key| {
            match key.name {
                b"type" => item.kind = text(scanner)?,
                b"id" => item.id = text(scanner)?,
                b"call_id" => item.call_id = text(scanner)?,
                b"name" => item.name = text(scanner)?,
                b"arguments" => item.arguments = text(scanner)?,
                b"encrypted_content" => item.encrypted = text(scanner)?,
                b"content" => item.content = parts(scanner)?,
                b"summary" => item.summary = parts(scanner)?,
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        Ok(item)
    }
}

fn parts<'a>(scanner: &mut Scanner<'a>) -> JsonResult<Vec<Part<'a>>> {
    let mut parts = Vec::new();
    if !scanner.is(Kind::Array) {
        scanner.skip()?;
        return Ok(parts);
    }
    scanner.array(|scanner, _| {
        let mut part = Part::default();
        if !scanner.is(Kind::Object) {
            scanner.skip()?;
            parts.push(part);
            return Ok(());
        }
        scanner.object(|scanner, key| {
            match key.name {
                b"text" => part.text = text(scanner)?,
                b"refusal" => part.refusal = text(scanner)?,
                b"logprobs" => part.logprobs = value_of(scanner, Kind::Array)?,
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        parts.push(part);
        Ok::<_, Box<JsonError>>(())
    })?;
    Ok(parts)
}

/// Reads a `usage` object. Input includes what was cached or written to a cache, and output the reasoning
/// (platform.openai.com/docs/guides/prompt-caching, docs.x.ai/docs/guides/reasoning).
fn usage(scanner: &mut Scanner<'_>) -> JsonResult<Option<Usage>> {
    if !scanner.is(Kind::Object) {
        scanner.skip()?;
        return Ok(None);
    }
    let (mut usage, mut counted) = (Usage::default(), false);
    scanner.object(|scanner, key| {
        let said = match key.name {
            b"input_tokens" => &mut usage.input,
            b"output_tokens" => &mut usage.output,
            b"input_tokens_details" | b"output_tokens_details" => return details(scanner, &mut usage),
            _ => return scanner.skip(),
        };
        if let Some(tokens) = count(scanner)? {
            (*said, counted) = (tokens, true);
        }
        Ok::<_, Box<JsonError>>(())
    })?;
    usage.cached = usage.cached.min(usage.input);
    usage.cache_write = usage.cache_write.min(usage.input - usage.cached);
    usage.reasoning = usage.reasoning.min(usage.output);
    Ok(counted.then_some(usage))
}

fn details(scanner: &mut Scanner<'_>, usage: &mut Usage) -> JsonResult<()> {
    if !scanner.is(Kind::Object) {
        return scanner.skip();
    }
    scanner.object(|scanner, key| {
        let said = match key.name {
            b"cached_tokens" => &mut usage.cached,
            b"cache_write_tokens" => &mut usage.cache_write,
            b"reasoning_tokens" => &mut usage.reasoning,
            _ => return scanner.skip(),
        };
        *said = count(scanner)?.unwrap_or(0);
        Ok::<_, Box<JsonError>>(())
    })
}

/// The next value, if it is a text.
pub(in super::super) fn text<'a>(scanner: &mut Scanner<'a>) -> JsonResult<Option<Str<'a>>> {
    if scanner.is(Kind::String) { scanner.string().map(Some) } else { scanner.skip().map(|()| None) }
}

/// The next value as a count, if it is a number that is not negative; fractions are cut.
pub(in super::super) fn count(scanner: &mut Scanner<'_>) -> JsonResult<Option<u64>> {
    if let Some(small) = scanner.small_natural() {
        return Ok(Some(small));
    }
    if !scanner.is(Kind::Number) {
        scanner.skip()?;
        return Ok(None);
    }
    let range = scanner.number()?;
    let digits = scanner.bytes().get(range).and_then(|digits| std::str::from_utf8(digits).ok());
    let number = digits.and_then(|digits| digits.parse::<f64>().ok()).filter(|number| *number >= 0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and `as` saturates")]
    Ok(number.map(|number| number as u64))
}

/// The next value's bytes, if it is of this kind.
pub(in super::super) fn value_of<'a>(scanner: &mut Scanner<'a>, kind: Kind) -> JsonResult<Option<&'a [u8]>> {
    let wanted = scanner.is(kind);
    let range = scanner.value()?;
    Ok(scanner.bytes().get(range).filter(|_| wanted))
}

/// The next value's bytes, unless it is null.
pub(in super::super) fn value_unless_null<'a>(scanner: &mut Scanner<'a>) -> JsonResult<Option<&'a [u8]>> {
    let range = scanner.value()?;
    Ok(scanner.bytes().get(range).filter(|value| *value != b"null"))
}
