//! E-mail addresses.

use std::ops::Range;

use super::{Text, tlds};
use crate::config::Detector;

/// Longest local part and longest domain (RFC 5321, 4.5.3.1).
const MAX_LOCAL: usize = 64;
const MAX_DOMAIN: usize = 255;

/// Local parts that name a service to a version control system and nobody: `git@github.com:…`.
const NOBODY: [&[u8]; 3] = [b"git", b"hg", b"svn"];

/// How far back a message's own number is told by its header's name, in bytes.
const HEADER: usize = 24;

pub(super) fn find(text: Text<'_>, hit: &mut impl FnMut(Detector, Range<usize>)) {
    for at in memchr::memchr_iter(b'@', text.bytes) {
        if let Some(range) = address(text, at) {
            hit(Detector::Email, range);
        }
    }
}

/// The address around an `@`.
fn address(text: Text<'_>, at: usize) -> Option<Range<usize>> {
    let bytes = text.bytes;
    let before = bytes.get(at.saturating_sub(MAX_LOCAL + 1)..at)?;
    let local = before.iter().rev().take_while(|&&byte| is_local(byte)).count();
    let mut start = at - local;
    // Marks before a name belong to the sentence.
    while start < at && !bytes.get(start).is_some_and(u8::is_ascii_alphanumeric) {
        start += 1;
    }
    if start == at || at - start > MAX_LOCAL || bytes.get(at - 1) == Some(&b'.') {
        return None;
    }
    let end = at + 1 + domain(bytes.get(at + 1..)?)?;
    let name = bytes.get(start..at)?;
    let next = bytes.get(end).copied();
    // `a@b.c(`: a call; `a@b.c@`: neither half is an address.
    if NOBODY.contains(&name) || matches!(next, Some(b'(' | b'@')) || is_login(bytes, start) || is_number(bytes, start)
    {
        return None;
    }
    Some(start..end)
}

const fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'')
}

/// How long the domain is that these bytes begin with, if it ends in a top-level domain that exists.
fn domain(bytes: &[u8]) -> Option<usize> {
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let mut length = bytes.iter().take(MAX_DOMAIN + 1).take_while(is_part).count();
    if length > MAX_DOMAIN {
        return None;
    }
    while length > 0 && matches!(bytes.get(length - 1), Some(b'.' | b'-')) {
        length -= 1;
    }
    let domain = bytes.get(..length)?;
    let dot = memchr::memrchr(b'.', domain)?;
    let (labels, top) = (domain.get(..dot)?, domain.get(dot + 1..)?);
    let fine = |label: &[u8]| {
        !label.is_empty() && label.len() <= 63 && label.first() != Some(&b'-') && label.last() != Some(&b'-')
    };
    (labels.split(|&byte| byte == b'.').all(fine) && tlds::is_top_level(top)).then_some(length)
}

/// Whether what begins here is the login of an address like `https://user:word@host` or `ssh://root@host`, or a
/// handle like `@me@host`.
fn is_login(bytes: &[u8], start: usize) -> bool {
    match start.checked_sub(1).and_then(|before| bytes.get(before)) {
        Some(b'@') => true,
        Some(b'/') => bytes.get(..start).is_some_and(|before| before.ends_with(b"://")),
        Some(b':') => {
            let from = start.saturating_sub(MAX_LOCAL);
            let before = bytes.get(from..start - 1).unwrap_or_default();
            let user = before.iter().rev().take_while(|&&byte| is_local(byte)).count();
            before.get(..before.len() - user).is_some_and(|before| before.ends_with(b"://"))
        }
        _ => false,
    }
}

/// Whether what begins here is a message's number (`Message-ID: <…@…>`), which has an address's form.
fn is_number(bytes: &[u8], start: usize) -> bool {
    if start == 0 || bytes.get(start - 1) != Some(&b'<') {
        return false;
    }
    let before = bytes.get(start.saturating_sub(HEADER)..start - 1).unwrap_or_default().trim_ascii_end();
    let ends = |word: &[u8]| {
        before.len() >= word.len()
            && before.get(before.len() - word.len()..).is_some_and(|end| end.eq_ignore_ascii_case(word))
    };
    ends(b"message-id:") || ends(b"in-reply-to:") || ends(b"references:") || ends(b"content-id:")
}
