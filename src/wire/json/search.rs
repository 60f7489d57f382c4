//! Looking for the bytes that matter, many at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
/// How far the end of a string is looked for eight bytes at once: keys end and escapes follow each other within that.
const NEAR: usize = 3;

/// What one glance over a body tells of all its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glance {
    /// No byte is beyond ASCII.
    pub(super) ascii: bool,
    /// No byte is a control character: no string has one either, and there are no line ends.
    pub(super) no_controls: bool,
}

/// Looks at every byte once. Both folds run to the end: without a branch the compiler takes many bytes at a time.
#[inline]
pub(super) fn glance(bytes: &[u8]) -> Glance {
    let (mut any, mut least) = (0, u8::MAX);
    for &byte in bytes {
        any |= byte;
        least = least.min(byte);
    }
    Glance { ascii: any < 0x80, no_controls: least >= 0x20 }
}

/// Index of the first control character from `from` to `to`.
#[inline]
pub(super) fn control(bytes: &[u8], from: usize, to: usize) -> Option<usize> {
    let span = bytes.get(from..to).unwrap_or_default();
    if glance(span).no_controls {
        return None;
    }
    span.iter().position(|&byte| byte < 0x20).map(|at| from + at)
}

/// How many bytes come before the first quote or backslash; all if there is none.
#[inline]
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    // Most keys end within eight bytes.
    let Some(eight) = bytes.first_chunk() else { return plain_length_near_end(bytes) };
    let marks = marks(*eight);
    if marks != 0 { first(marks) } else { plain_length_from_eight(bytes) }
}

/// The same, called rather than inlined: behind an escape, where others follow.
#[inline(never)]
pub(super) fn plain_length_again(bytes: &[u8]) -> usize {
    plain_length(bytes)
}

#[inline(never)]
fn plain_length_from_eight(bytes: &[u8]) -> usize {
    let mut passed = 8;
    for eight in bytes.as_chunks().0.iter().skip(1).take(NEAR) {
        let marks = marks(*eight);
        if marks != 0 {
            return passed + first(marks);
        }
        passed += 8;
    }
    // This search takes longer to start and less for each byte.
    let rest = bytes.get(passed..).unwrap_or_default();
    passed + memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len())
}

#[cold]
fn plain_length_near_end(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(bytes.len())
}

/// The highest bit of every byte that is a quote or a backslash. A bit too many can stand only above a true one, and the
/// lowest is the one that counts.
#[inline]
fn marks(eight: [u8; 8]) -> u64 {
    // `x - ONES & !x & HIGH` marks the zero bytes of x.
    let word = u64::from_le_bytes(eight);
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    (quote.wrapping_sub(ONES) | backslash.wrapping_sub(ONES)) & !word & HIGH
}

#[inline]
fn first(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}
