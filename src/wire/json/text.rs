//! Strings out of and into JSON.

use std::borrow::Cow;

/// The text of a string token's inside, which the scanner has accepted. Bytes that a lenient scan let through (invalid
/// UTF-8, lone surrogates) become U+FFFD.
#[must_use]
pub fn unescape(raw: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(b'\\', raw).is_none() {
        return decoded(raw);
    }
    let mut text = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(backslash) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(backslash);
        text.extend_from_slice(plain);
        let (character, used) = escaped_char(escape);
        if character.is_ascii() {
            text.push(character as u8);
        } else {
            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        rest = escape.get(used..).unwrap_or_default();
    }
    text.extend_from_slice(rest);
    // No escape stands for half a character, so all at once gives what piece by piece would.
    Cow::Owned(String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// `raw` as text; bytes that are not UTF-8 become U+FFFD. The common case goes first: the lossy way is the slow one.
#[inline]
pub(super) fn decoded(raw: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(raw) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(raw),
    }
}

/// The character of the escape that `escape` begins with, and how many bytes it takes.
fn escaped_char(escape: &[u8]) -> (char, usize) {
    let simple = match escape.get(1) {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'u') => return unicode_escape(escape),
        Some(&other) => char::from(other),
        None => char::REPLACEMENT_CHARACTER,
    };
    (simple, 2)
}

fn unicode_escape(escape: &[u8]) -> (char, usize) {
    let Some(first) = hex4(escape.get(2..)) else { return (char::REPLACEMENT_CHARACTER, 2) };
    if let Some(character) = char::from_u32(u32::from(first)) {
        return (character, 6);
    }
    let second = match escape.get(6..8) {
        Some(b"\\u") => hex4(escape.get(8..)),
        _ => None,
    };
    let pair = [first, second.unwrap_or(0)];
    match char::decode_utf16(pair).next() {
        Some(Ok(character)) => (character, 12),
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

/// The four hexadecimal digits that `bytes` begins with.
pub(super) fn hex4(bytes: Option<&[u8]>) -> Option<u16> {
    let digits = bytes?.first_chunk::<4>()?;
    let mut value = 0;
    for &digit in digits {
        value = value << 4 | u16::try_from(char::from(digit).to_digit(16)?).ok()?;
    }
    Some(value)
}

/// `text` as the inside of a JSON string, appended to `out`.
pub fn escape_into(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(bytes.get(copied..at).unwrap_or_default());
        copied = at + 1;
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&digits);
            }
            _ => out.extend_from_slice(&[b'\\', byte]),
        }
    }
    out.extend_from_slice(bytes.get(copied..).unwrap_or_default());
}

/// `text` as a JSON string, quotes included.
#[must_use]
pub fn quote(text: &str) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    quoted.push(b'"');
    escape_into(text, &mut quoted);
    quoted.push(b'"');
    quoted
}

/// `text` as the inside of a JSON string; most names need no change for it.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, [u8]> {
    let bytes = text.as_bytes();
    // To the end, without a branch: the compiler takes many bytes at a time.
    let plain = bytes.iter().fold(true, |plain, &byte| plain & (byte >= 0x20) & (byte != b'"') & (byte != b'\\'));
    if plain {
        return Cow::Borrowed(bytes);
    }
    let mut inside = Vec::with_capacity(bytes.len() + 8);
    escape_into(text, &mut inside);
    Cow::Owned(inside)
}
