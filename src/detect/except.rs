//! Values that the operator knows to be harmless.

use std::borrow::Cow;

use super::MAX_VALUE;
use crate::config::{Detector, Except};

/// A value in one form whatever way it is written: without marks between groups, in lower case where case means
/// nothing. A long one by its beginning.
pub(super) fn normal(detector: Detector, value: &str) -> Cow<'_, str> {
    let end = value.char_indices().map(|(at, _)| at).find(|at| *at >= MAX_VALUE).unwrap_or(value.len());
    let value = value.get(..end).unwrap_or_default();
    if detector.is_grouped() {
        let kept = value.chars().filter(char::is_ascii_alphanumeric);
        return Cow::Owned(kept.map(|c| c.to_ascii_lowercase()).collect());
    }
    // Of keys the case is part.
    if detector == Detector::Email && value.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Owned(value.to_ascii_lowercase());
    }
    Cow::Borrowed(value)
}

/// Whether an exception covers a value, as written or in its normal form.
pub(super) fn covers(except: &Except, detector: Detector, value: &str, normal: &str) -> bool {
    match except {
        Except::Matches(regex) => regex.is_match(value) || regex.is_match(normal),
        Except::Like(pattern) if detector.is_grouped() => like(pattern.as_bytes(), normal.as_bytes()),
        Except::Like(pattern) => like(pattern.as_bytes(), normal.to_ascii_lowercase().as_bytes()),
    }
}

/// Whether a text is of a pattern in which `*` stands for any characters. Pieces between stars are looked for from the
/// left, which needs no going back.
fn like(pattern: &[u8], text: &[u8]) -> bool {
    let mut pieces = pattern.split(|&byte| byte == b'*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = memchr::memmem::find(rest, piece) else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, fits) in [
            ("*@example.com", "a@example.com", true),
            ("*@example.com", "a@example.com.evil.org", false),
            ("noreply@*", "noreply@a.b", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("abc", "abcd", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(like(pattern.as_bytes(), text.as_bytes()), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn marks_between_groups_do_not_hide_an_exception() {
        let except = Except::Like("de89370400440532013000".to_owned());
        for value in ["DE89370400440532013000", "DE89 3704 0044 0532 0130 00"] {
            assert!(covers(&except, Detector::Iban, value, &normal(Detector::Iban, value)));
        }
        let regex = Except::Matches(regex::Regex::new("^(?:de89[0-9]+)$").unwrap());
        let spaced = "DE89 3704 0044 0532 0130 00";
        assert!(covers(&regex, Detector::Iban, spaced, &normal(Detector::Iban, spaced)));
    }
}
