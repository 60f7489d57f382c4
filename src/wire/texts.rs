//! Every text of a request, whatever its format: for those who look for what a text holds.
//!
//! Unlike [`ask::prompt`](super::ask::prompt), which gives what was said, this gives all that would be sent: messages,
//! system, the names and arguments of tool calls, results, definitions of tools, the end user's id. Texts are unescaped;
//! one that is JSON itself (a call's arguments) is unescaped again. What is left out cannot be read as text: data URLs
//! and long runs of base64.

use std::str;

use super::json::{JsonError, Key, Kind, Scanner};
use crate::chat::Request;

/// JSON within a text, within a text, is followed so far.
const NESTED: u32 = 2;

/// Numbers of fewer digits are no value of any sort that is looked for.
const DIGITS: usize = 8;

/// From this length on a text is asked whether it is base64, by so many bytes of its beginning and its end.
const LONG: usize = 1024;
const SAMPLE: usize = 512;

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
    if name.len() > DIGITS && name.bytes().any(|byte| byte.is_ascii_digit() || byte == b'@') {
        each("", name);
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
            if !is_binary(string.raw()) {
                text(&string.text(), key, depth, each);
            }
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
    each(key, text);
}

fn is_json(bytes: &[u8]) -> bool {
    let mut scanner = Scanner::lenient(bytes);
    scanner.skip().is_ok() && scanner.end().is_ok()
}

/// Whether a string's inside is data rather than text: a data URL, or one long run of base64.
fn is_binary(raw: &[u8]) -> bool {
    if raw.starts_with(b"data:") {
        let head = raw.get(..raw.len().min(SAMPLE)).unwrap_or_default();
        if memchr::memmem::find(head, b";base64,").is_some() {
            return true;
        }
    }
    if raw.len() < LONG {
        return false;
    }
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=');
    let (head, tail) = (raw.get(..SAMPLE), raw.get(raw.len() - SAMPLE..));
    head.into_iter().chain(tail).all(|part| part.iter().all(base64))
}

#[cfg(test)]
mod tests;
