//! A validating JSON scanner that builds no tree: one pass over the bytes, stopping only at the members asked for.
//!
//! A gateway needs a handful of members of a body that it passes on unchanged. So the scanner checks the whole grammar
//! (RFC 8259), and whoever drives it says for each member whether to read or to skip it. Numbers stay bytes: 2^63, 1e400
//! and 0.1 have no meaning here that could be lost.
//!
//! What a client sends is scanned [`Scanner::strict`]: valid UTF-8, no key twice in one object, no lone surrogate, no raw
//! control character in a string, so that every reader behind us sees the same values as our policy did. What a provider
//! sends is scanned [`Scanner::lenient`]: these four are the provider's affair, and no answer is lost over them.

mod build;
mod error;
mod keys;
mod members;
mod scan;
mod search;
mod string;
mod text;
mod token;

pub use build::{List, Object};
pub use error::{JsonError, JsonErrorKind, JsonResult, Located, Path, Step};
pub use members::{Members, Misshapen, as_text, elements};
pub use scan::{MAX_DEPTH, Scanner};
pub use text::{escape_into, escaped, quote, unescape};
pub use token::{Key, Kind, Str};

use std::ops::Range;

/// The range to cut so that an object loses the member whose key starts at `key` and whose value ends at `end`:
/// the member and one comma beside it.
#[must_use]
pub fn member_cut(bytes: &[u8], key: usize, end: usize) -> Range<usize> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let after = bytes.get(end..).unwrap_or_default();
    let next = after.iter().position(|byte| !blank(byte)).unwrap_or(after.len());
    if after.get(next) == Some(&b',') {
        let rest = after.get(next + 1..).unwrap_or_default();
        let gap = rest.iter().position(|byte| !blank(byte)).unwrap_or(rest.len());
        return key..end + next + 1 + gap;
    }
    let before = bytes.get(..key).unwrap_or_default();
    match before.iter().rposition(|byte| !blank(byte)) {
        Some(comma) if before.get(comma) == Some(&b',') => comma..end,
        _ => key..end,
    }
}

/// `bytes` with each range replaced; the ranges are in order and do not overlap.
#[must_use]
pub fn splice(bytes: &[u8], edits: &[(Range<usize>, &[u8])]) -> Vec<u8> {
    let added: usize = edits.iter().map(|(_, new)| new.len()).sum();
    let removed: usize = edits.iter().map(|(range, _)| range.len()).sum();
    // To the byte: a vector without room to spare becomes `Bytes` without another allocation.
    let mut spliced = Vec::with_capacity((bytes.len() + added).saturating_sub(removed));
    let mut from = 0;
    for (range, new) in edits {
        spliced.extend_from_slice(bytes.get(from..range.start).unwrap_or_default());
        spliced.extend_from_slice(new);
        from = range.end;
    }
    spliced.extend_from_slice(bytes.get(from..).unwrap_or_default());
    spliced
}

#[cfg(test)]
mod tests;
