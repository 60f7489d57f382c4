//! Single values of a body, each with its type checked.

use std::ops::Range;

use crate::wire::fault::{Fault, What, named};
use crate::wire::json::{Kind, Scanner};
use crate::wire::openai::types;

/// Longest model name accepted, in bytes.
const MODEL_BYTES: usize = 256;
/// Most answers to one request, as OpenAI allows.
const MAX_CHOICES: u64 = 128;
/// Bytes of text a token, roughly, in most languages and tokenizers.
pub(in crate::wire::openai) const BYTES_PER_TOKEN: usize = 4;

/// Makes sure that the next value is of this kind.
#[inline]
pub(in crate::wire::openai) fn expect(scanner: &mut Scanner<'_>, wanted: Kind) -> Result<(), Fault> {
    if scanner.is(wanted) { Ok(()) } else { Err(mismatch(scanner, wanted)) }
}

#[cold]
fn mismatch(scanner: &mut Scanner<'_>, wanted: Kind) -> Fault {
    match scanner.kind() {
        Ok(got) => Fault::kind(named(wanted), got),
        Err(error) => error.into(),
    }
}

/// Whether the next value is there, that is: of this kind and not `null`.
#[inline]
pub(in crate::wire::openai) fn optional(scanner: &mut Scanner<'_>, wanted: Kind) -> Result<bool, Fault> {
    if scanner.is(Kind::Null) {
        return Ok(false);
    }
    expect(scanner, wanted).map(|()| true)
}

/// A boolean, if there.
#[inline]
pub(in crate::wire::openai) fn flag(scanner: &mut Scanner<'_>) -> Result<Option<bool>, Fault> {
    if optional(scanner, Kind::Bool)? {
        return Ok(Some(scanner.bool()?));
    }
    scanner.skip()?;
    Ok(None)
}

/// A number's digits, if there.
#[inline]
pub(in crate::wire::openai) fn number<'a>(scanner: &mut Scanner<'a>) -> Result<Option<&'a [u8]>, Fault> {
    let there = optional(scanner, Kind::Number)?;
    let range = scanner.value()?;
    Ok(if there { scanner.bytes().get(range) } else { None })
}

/// A whole number, zero or above, if there.
#[inline]
pub(in crate::wire::openai) fn natural(scanner: &mut Scanner<'_>) -> Result<Option<u64>, Fault> {
    let Some(digits) = number(scanner)? else { return Ok(None) };
    match types::whole(digits) {
        Some(value) => Ok(Some(value)),
        None => Err(What::Value("expected a whole number, zero or above").into()),
    }
}

/// How many answers, if said.
pub(in crate::wire::openai) fn choices(scanner: &mut Scanner<'_>) -> Result<Option<u32>, Fault> {
    let Some(n) = natural(scanner)? else { return Ok(None) };
    if !(1..=MAX_CHOICES).contains(&n) {
        return Err(What::Value("expected a whole number from 1 to 128").into());
    }
    Ok(u32::try_from(n).ok())
}

/// Whether a JSON number is zero or below: the digits before any exponent are all zero, or there is a minus.
pub(in crate::wire::openai) fn is_zero(number: &[u8]) -> bool {
    let mantissa = number.split(|byte| matches!(byte, b'e' | b'E')).next().unwrap_or_default();
    number.first() == Some(&b'-') || mantissa.iter().all(|byte| matches!(byte, b'0' | b'.'))
}

/// The name of a model, and where it stands, quotes included.
pub(in crate::wire::openai) fn model(scanner: &mut Scanner<'_>) -> Result<(String, Range<usize>), Fault> {
    expect(scanner, Kind::String)?;
    let name = scanner.string()?;
    let text = name.text();
    // Most names are plain ASCII, and a glance at their bytes tells.
    let plain = text.bytes().all(|byte| (0x20..0x7F).contains(&byte));
    if text.is_empty() {
        return Err(What::Value("the name is empty").into());
    }
    if text.len() > MODEL_BYTES {
        return Err(What::Value("the name is longer than 256 bytes").into());
    }
    if !plain && text.chars().any(char::is_control) {
        return Err(What::Value("the name contains a control character").into());
    }
    Ok((text.into_owned(), name.span()))
}
