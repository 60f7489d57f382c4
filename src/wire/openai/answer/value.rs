//! Values of an answer that may be of another type than the format says: then they count as absent.

use std::borrow::Cow;

use super::super::types::whole;
use crate::wire::json::{JsonError, JsonResult, Kind, Scanner};
use crate::wire::provider_error::{Fields, ProviderError};

/// The next value as a text, if it is one and not empty.
#[inline]
pub(super) fn text<'a>(scanner: &mut Scanner<'a>) -> JsonResult<Option<Cow<'a, str>>> {
    if !scanner.is(Kind::String) {
        scanner.skip()?;
        return Ok(None);
    }
    let text = scanner.string()?;
    Ok((!text.is_empty()).then(|| text.text()))
}

/// The next value as a count, if it is one.
pub(super) fn natural(scanner: &mut Scanner<'_>) -> JsonResult<Option<u64>> {
    if let Some(value) = scanner.small_natural() {
        return Ok(Some(value));
    }
    if !scanner.is(Kind::Number) {
        scanner.skip()?;
        return Ok(None);
    }
    let digits = scanner.number()?;
    Ok(scanner.bytes().get(digits).and_then(whole))
}

/// The next value as it stands; `None` where it is not UTF-8.
pub(super) fn raw<'a>(scanner: &mut Scanner<'a>) -> JsonResult<Option<&'a str>> {
    let value = scanner.value()?;
    Ok(scanner.bytes().get(value).and_then(|bytes| std::str::from_utf8(bytes).ok()))
}

/// `{google: {thought_signature}}` (ai.google.dev/gemini-api/docs/thought-signatures, "OpenAI compatibility").
pub(super) fn thought_signature<'a>(scanner: &mut Scanner<'a>) -> JsonResult<Option<Cow<'a, str>>> {
    let mut signature = None;
    if !scanner.is(Kind::Object) {
        scanner.skip()?;
        return Ok(None);
    }
    scanner.object(|scanner, key| {
        if key.name != b"google" || !scanner.is(Kind::Object) {
            return scanner.skip();
        }
        scanner.object(|scanner, key| {
            match key.name {
                b"thought_signature" => signature = text(scanner)?,
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })
    })?;
    Ok(signature)
}

pub(super) fn read_error(scanner: &mut Scanner<'_>) -> JsonResult<ProviderError> {
    let mut fields = Fields::default();
    Fields::read(scanner, &mut fields)?;
    Ok(fields.finish(None))
}
