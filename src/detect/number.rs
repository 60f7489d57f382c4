//! Where digits stand: what they may belong to.

use std::ops::Range;

use super::groups::{Groups, gap, run_end};
use super::{Text, card, context, iban, national, phone};
use crate::config::Detector;

/// Bytes that are asked at once whether there is a digit among them.
const STEP: usize = 32;

/// Fewer digits than this in one run, and nothing joined to them, are no value.
const SHORTEST: usize = 7;

/// Most bytes between two groups of a telephone number, which allows for more than others.
const BETWEEN: usize = 7;

pub(super) fn find(text: Text<'_>, hit: &mut impl FnMut(Detector, Range<usize>)) {
    let mut from = 0;
    while let Some(start) = next_digit(text.bytes, from) {
        let end = run_end(text.bytes, start);
        from = match value(text, start, end) {
            Some((detector, range)) => {
                let next = range.end.max(end);
                hit(detector, range);
                next
            }
            // Digits behind letters of the same word begin nothing.
            None => word_end(text.bytes, end),
        };
    }
}

/// The first digit from here on. Most of a text has none, so many bytes are asked at once: without a branch the
/// compiler does it in a few instructions.
fn next_digit(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    let rest = bytes.get(from..)?;
    let is_digit = |byte: u8| byte.wrapping_sub(b'0') < 10;
    for chunk in rest.chunks(STEP) {
        if chunk.iter().fold(false, |any, &byte| any | is_digit(byte)) {
            return chunk.iter().position(|&byte| is_digit(byte)).map(|place| at + place);
        }
        at += chunk.len();
    }
    None
}

fn word_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(rest.len())
}

/// What the run of digits from `start` to `end` begins or goes on with.
fn value(text: Text<'_>, start: usize, end: usize) -> Option<(Detector, Range<usize>)> {
    let bytes = text.bytes;
    match start.checked_sub(1).and_then(|before| bytes.get(before)) {
        Some(before) if before.is_ascii_alphabetic() && !is_escape(bytes, start) => {
            let iban = || iban::read(bytes, start).map(|range| (Detector::Iban, range));
            let code = || national::it_codice_fiscale(bytes, start).map(|range| (Detector::ItCodiceFiscale, range));
            let nie = || national::es_nie(text, start, end).map(|range| (Detector::EsDni, range));
            iban().or_else(code).or_else(nie)
        }
        Some(b'+') => phone::international(bytes, start).map(|range| (Detector::Phone, range)),
        _ => digits(text, start, end),
    }
}

/// Whether the letter before is one of an escape that was left in the text, `\n` and the like.
fn is_escape(bytes: &[u8], start: usize) -> bool {
    start >= 2 && matches!(bytes.get(start - 2..start), Some(b"\\n" | b"\\t" | b"\\r"))
}

fn digits(text: Text<'_>, start: usize, end: usize) -> Option<(Detector, Range<usize>)> {
    let bytes = text.bytes;
    let run = end - start;
    let joined = gap(bytes, end).and_then(|(_, length)| bytes.get(end + length)).is_some_and(u8::is_ascii_digit);
    let letter = bytes.get(end).is_some_and(u8::is_ascii_alphabetic);
    let slash = matches!(bytes.get(end), Some(b'/' | b')')) && run <= 5;
    let corsican = letter && run == 6;
    if !(run >= SHORTEST || joined || slash || corsican) {
        return None;
    }
    let found = |detector: Detector, end: Option<usize>| end.map(|end| (detector, start..end));
    if !stands_free(bytes, start) {
        let nie = || national::es_nie(text, start, end).map(|range| (Detector::EsDni, range));
        return if run == 7 { nie() } else { None };
    }
    let groups = Groups::read(bytes, start);
    if run.max(groups.total()) < SHORTEST && !letter && !goes_on(bytes, &groups) {
        return None;
    }
    let context = context::Lazy::new(text, start);
    found(Detector::Card, card::read(bytes, start, &groups, &context))
        .or_else(|| found(Detector::FrNir, national::fr_nir(bytes, start, &context)))
        .or_else(|| found(Detector::UsSsn, national::us_ssn(bytes, &groups, &context)))
        .or_else(|| found(Detector::DeTaxId, national::de_tax_id(bytes, &groups, &context)))
        .or_else(|| found(Detector::EsDni, national::es_dni(bytes, start, &groups, &context)))
        .or_else(|| phone::national(bytes, start, &context).map(|range| (Detector::Phone, range)))
}

/// Whether more digits stand so near behind these that both may be groups of one number, or a letter at once.
fn goes_on(bytes: &[u8], groups: &Groups) -> bool {
    let end = groups.end(groups.lengths().len()).unwrap_or_default();
    let rest = bytes.get(end..).unwrap_or_default();
    rest.first().is_some_and(u8::is_ascii_alphabetic) || rest.iter().take(BETWEEN + 1).any(u8::is_ascii_digit)
}

/// Whether digits begin a number here rather than go on with one: with a date, a fraction, an identifier in groups.
fn stands_free(bytes: &[u8], start: usize) -> bool {
    let Some(before) = start.checked_sub(1) else { return true };
    let further = before.checked_sub(1).and_then(|place| bytes.get(place));
    match bytes.get(before) {
        Some(b'-') => !further.is_some_and(u8::is_ascii_alphanumeric),
        Some(b'.') => !further.is_some_and(u8::is_ascii_digit),
        Some(b'#' | b'$' | b'%') => false,
        _ => true,
    }
}

/// Whether a value can end here: what follows does not go on with it.
pub(super) fn ends_free(bytes: &[u8], end: usize) -> bool {
    match bytes.get(end) {
        Some(b'_') => false,
        Some(b'-' | b'.') => !bytes.get(end + 1).is_some_and(u8::is_ascii_alphanumeric),
        Some(next) => !next.is_ascii_alphanumeric(),
        None => true,
    }
}
