//! Every text of a request, whatever its format: for those who look for what a text holds.
//!
//! Unlike [`ask::prompt`](super::ask::prompt), which gives what was said, this gives all that would be sent: messages,
//! system, the names and arguments of tool calls, results, definitions of tools, the end user's id. Texts are unescaped;
//! one that is JSON itself (a call's arguments) is unescaped again. What is left out cannot be read as text: the
//! inside of long runs of base64, and nothing around them.

use std::ops::Range;
use std::str;

use super::json::{JsonError, Key, Kind, Scanner};
use crate::chat::Request;

/// JSON within a text, within a text, is followed so far.
const NESTED: u32 = 2;

/// Numbers of fewer digits are no value of any sort that is looked for.
const DIGITS: usize = 7;

/// So many characters of base64 in a row, some letters among them, are data rather than text, but for so many at either
/// end: with what stands beside it an end may still be a value, or the beginning of a private key.
const LONG: usize = 1024;
const EDGE: usize = 64;

/// Hands over every text with the name of the member that it belongs to, "" for none.
pub fn each(request: &Request, each: &mut dyn FnMut(&str, &str)) {
    let mut scanner = Scanner::lenient(&request.body);
    // What `judge` accepted cannot fail here; if it did, what was read so far would have been handed over.
    let _ = scanner.object(|scanner, key| {
        if key.name == b"model" {
            return scanner.skip();
        }
        member(scanner, key, 0, each)
    });
}

fn member(
    scanner: &mut Scanner<'_>,
    key: Key<'_>,
    depth: u32,
    each: &mut dyn FnMut(&str, &str),
) -> Result<(), Box<JsonError>> {
    let name = str::from_utf8(key.name).unwrap_or_default();
    // A name may be a value itself where somebody keys by it.
    if name.contains('@') || name.len() >= DIGITS && name.bytes().any(|byte| byte.is_ascii_digit()) {
        readable("", name, each);
    }
    value(scanner, name, depth, each)
}

fn value(
    scanner: &mut Scanner<'_>,
    key: &str,
    depth: u32,
    each: &mut dyn FnMut(&str, &str),
) -> Result<(), Box<JsonError>> {
    match scanner.kind()? {
        Kind::String => {
            let string = scanner.string()?;
            text(&string.text(), key, depth, each);
            Ok(())
        }
        Kind::Object => scanner.object(|scanner, key| member(scanner, key, depth, each)),
        Kind::Array => scanner.array(|scanner, _| value(scanner, key, depth, each)),
        Kind::Number => {
            let bytes = scanner.bytes();
            let number = bytes.get(scanner.number()?).unwrap_or_default();
            if number.len() >= DIGITS {
                each(key, str::from_utf8(number).unwrap_or_default());
            }
            Ok(())
        }
        Kind::Bool | Kind::Null => scanner.skip(),
    }
}

fn text(text: &str, key: &str, depth: u32, each: &mut dyn FnMut(&str, &str)) {
    // Without an escape in it, JSON can be read as it stands: its names are the words before its values.
    let bytes = text.as_bytes();
    let begins = matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['));
    if depth < NESTED && begins && memchr::memchr(b'\\', bytes).is_some() && is_json(bytes) {
        let _ = value(&mut Scanner::lenient(bytes), key, depth + 1, each);
        return;
    }
    readable(key, text, each);
}

fn is_json(bytes: &[u8]) -> bool {
    let mut scanner = Scanner::lenient(bytes);
    scanner.skip().is_ok() && scanner.end().is_ok()
}

/// Hands over a text without the inside of its long runs of base64.
fn readable(key: &str, text: &str, each: &mut dyn FnMut(&str, &str)) {
    let bytes = text.as_bytes();
    let mut from = 0;
    let mut probe = LONG - 1;
    // A run of that length lies across one of the places that are so far apart; few others are ever looked at.
    while probe < bytes.len() {
        let Some(run) = run_at(bytes, from, probe) else {
            probe += LONG;
            continue;
        };
        probe = run.end + LONG;
        if run.len() < LONG || !bytes.get(run.clone()).is_some_and(|run| run.iter().any(u8::is_ascii_alphabetic)) {
            continue;
        }
        // Digits that were cut off from others, or from letters, are no number.
        let goes_on = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
        let is_digit = |byte: &&u8| byte.is_ascii_digit();
        let mut end = run.start + EDGE;
        if goes_on(end) {
            end -= bytes.get(from..end).unwrap_or_default().iter().rev().take_while(is_digit).count();
        }
        each(key, text.get(from..end).unwrap_or_default());
        from = run.end - EDGE;
        if goes_on(from - 1) {
            from += bytes.iter().skip(from).take_while(is_digit).count();
        }
    }
    let rest = text.get(from..).unwrap_or_default();
    if from == 0 || !rest.is_empty() {
        each(key, rest);
    }
}

/// The run of characters of base64 in which a place lies, no further back than `from`.
fn run_at(bytes: &[u8], from: usize, place: usize) -> Option<Range<usize>> {
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=');
    bytes.get(place).filter(|byte| base64(byte))?;
    let before = bytes.get(from..place)?.iter().rev().take_while(|byte| base64(byte)).count();
    let behind = bytes.get(place..)?.iter().take_while(|byte| base64(byte)).count();
    Some(place - before..place + behind)
}

#[cfg(test)]
mod tests;
