//! Telephone numbers: international ones by country code and length, national ones where something says so.

use std::ops::Range;

use super::context::Lazy;
use super::groups::gap;
use super::number::ends_free;

/// Most digits of an international number (ITU-T E.164), and fewest of a national one that counts.
const MOST: usize = 15;
const FEWEST: usize = 7;

/// Most digits of a national number that is told by a word.
const MOST_NATIONAL: usize = 12;

/// Country codes of one and two digits (ITU-T E.164, list of assigned codes).
const SHORT: [u16; 46] = [
    1, 7, 20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58, 60,
    61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
];

/// A number as far as it is read: digits, and where groups of them end.
#[derive(Default)]
struct Read {
    digits: [u8; MOST],
    total: usize,
    /// For each group: digits so far, and the place behind it.
    groups: [(usize, usize); MOST],
    count: usize,
}

impl Read {
    /// Reads digits from here on, with what people put between them.
    fn from(bytes: &[u8], start: usize) -> Self {
        let mut read = Self::default();
        let mut at = start;
        loop {
            while let Some(digit) = bytes.get(at).filter(|byte| byte.is_ascii_digit()) {
                let Some(slot) = read.digits.get_mut(read.total) else {
                    // Longer than any number: the group that it ends in is none.
                    return read;
                };
                *slot = digit - b'0';
                read.total += 1;
                at += 1;
            }
            if let Some(group) = read.groups.get_mut(read.count) {
                *group = (read.total, at);
                read.count += 1;
            }
            match between(bytes, at) {
                Some(next) if read.total < MOST => at = next,
                _ => return read,
            }
        }
    }

    fn groups(&self) -> &[(usize, usize)] {
        self.groups.get(..self.count).unwrap_or_default()
    }

    fn digits(&self, count: usize) -> &[u8] {
        self.digits.get(..count).unwrap_or_default()
    }

    /// Whether the groups have these lengths and no more follow.
    fn is(&self, lengths: &[usize]) -> bool {
        let mut before = 0;
        self.groups().len() == lengths.len()
            && self.groups().iter().zip(lengths).all(|((total, _), length)| {
                let own = total - before;
                before = *total;
                own == *length
            })
    }
}

/// Where digits go on behind the marks that stand here: one or two of blank, dash, dot, slash and brackets, and a zero
/// in brackets that is dialled only at home.
fn between(bytes: &[u8], at: usize) -> Option<usize> {
    let mut next = at;
    for _ in 0..2 {
        next += match bytes.get(next) {
            Some(b'(') if bytes.get(next..next + 3) == Some(b"(0)") => 3,
            Some(b'(' | b')' | b'/') => 1,
            _ => gap(bytes, next).map_or(0, |(_, length)| length),
        };
    }
    // Behind `(0)` there may be a blank.
    if bytes.get(next.saturating_sub(1)) == Some(&b')') && bytes.get(next) == Some(&b' ') {
        next += 1;
    }
    (next > at && bytes.get(next).is_some_and(u8::is_ascii_digit)).then_some(next)
}

/// A number after a plus sign; its digits begin at `start`.
pub(super) fn international(bytes: &[u8], start: usize) -> Option<Range<usize>> {
    let plus = start.checked_sub(1)?;
    let before = plus.checked_sub(1).and_then(|place| bytes.get(place));
    if before.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b')' | b'_' | b'.' | b'/')) {
        return None;
    }
    let read = Read::from(bytes, start);
    // `x=+49301234567` may be a sum.
    if before == Some(&b'=') && read.count < 3 {
        return None;
    }
    fitting(bytes, &read, 0).map(|end| plus..end)
}

/// The end of the longest group up to which the digits, but for the first `skip`, are an international number.
fn fitting(bytes: &[u8], read: &Read, skip: usize) -> Option<usize> {
    // Sums of small numbers have pluses too.
    let single =
        |groups: &[(usize, usize)]| groups.windows(2).filter(|two| matches!(two, [a, b] if b.0 - a.0 == 1)).count();
    for count in (1..=read.count).rev() {
        let groups = read.groups().get(..count)?;
        let &(total, end) = groups.last()?;
        let digits = read.digits(total).get(skip..)?;
        if count <= 7 && single(groups) <= 1 && is_international(digits) && ends_free(bytes, end) {
            return Some(end);
        }
    }
    None
}

/// Whether the digits are a country code and a number of a length that the country has.
fn is_international(digits: &[u8]) -> bool {
    let number =
        |count: usize| digits.get(..count)?.iter().try_fold(0u16, |n, d| n.checked_mul(10)?.checked_add(u16::from(*d)));
    let short = (1..=2).find(|count| number(*count).is_some_and(|code| SHORT.binary_search(&code).is_ok()));
    let Some(code_length) = short.or_else(|| number(3).filter(|code| is_long_code(*code)).map(|_| 3)) else {
        return false;
    };
    let Some(national) = digits.get(code_length..) else { return false };
    let code = number(code_length).unwrap_or_default();
    if national.iter().all(|digit| Some(digit) == national.first()) {
        return false;
    }
    // A leading zero is dialled only at home, but for these.
    let zero = national.first() == Some(&0);
    if zero && !matches!(code, 39 | 225 | 229 | 241 | 242 | 378) {
        return false;
    }
    match code {
        1 => is_north_american(national),
        7 | 90 | 52 | 98 => national.len() == 10,
        33 | 32 | 31 | 34 | 41 | 48 | 61 | 351 | 353 | 420 | 421 => matches!(national.len(), 8 | 9),
        44 => matches!(national.len(), 9 | 10),
        45 | 47 | 65 | 852 => national.len() == 8,
        49 | 43 => (7..=12).contains(&national.len()),
        55 | 86 | 54 => (10..=11).contains(&national.len()),
        91 => national.len() == 10,
        _ => (7..=12).contains(&national.len()),
    }
}

/// Country codes of three digits that are assigned, by the ranges in which they lie.
const fn is_long_code(code: u16) -> bool {
    matches!(code,
        211..=213 | 216 | 218 | 220..=258 | 260..=269 | 290..=291 | 297..=299
        | 350..=359 | 370..=378 | 380..=383 | 385..=387 | 389 | 420..=421 | 423
        | 500..=509 | 590..=599 | 670 | 672..=683 | 685..=692
        | 800 | 808 | 850 | 852..=853 | 855..=856 | 870 | 878 | 880..=883 | 886 | 888
        | 960..=968 | 970..=977 | 979 | 992..=996 | 998)
}

/// Ten digits of the North American plan: neither area nor exchange begins with 0 or 1, and no area ends in 11.
fn is_north_american(digits: &[u8]) -> bool {
    match digits {
        [area, b, c, exchange, _, _, _, _, _, _] => *area > 1 && *exchange > 1 && !(*b == 1 && *c == 1),
        _ => false,
    }
}

/// A number without a plus sign: with 00 and a country code, in the form of North America, or after a word for it.
pub(super) fn national(bytes: &[u8], start: usize, context: &Lazy<'_>) -> Option<Range<usize>> {
    let read = Read::from(bytes, start);
    let &(total, end) = read.groups().last()?;
    if total < FEWEST || is_date(&read) {
        return None;
    }
    let closes = read.groups().first().is_some_and(|(_, end)| bytes.get(*end) == Some(&b')'));
    let bracket = start.checked_sub(1).filter(|place| closes && bytes.get(*place) == Some(&b'('));
    let from = bracket.unwrap_or(start);
    if read.digits(2) == [0, 0]
        && !goes_on(bytes, start)
        && (read.count > 2 || context.get().phone)
        && !context.get().identifier
        && let Some(end) = fitting(bytes, &read, 2)
    {
        return Some(from..end);
    }
    let american = read.is(&[3, 3, 4]) && is_north_american(read.digits(10))
        || read.is(&[1, 3, 3, 4]) && read.digits(1) == [1] && read.digits.get(1..11).is_some_and(is_north_american);
    if american && ends_free(bytes, end) {
        let mark = read.groups().first().and_then(|group| bytes.get(group.1));
        let written = matches!(mark, Some(b')' | b'-' | b'.'));
        if context.get().phone || written && !context.get().identifier {
            return Some(from..end);
        }
    }
    if !context.get().phone {
        return None;
    }
    let mut groups = read.groups().iter().rev().filter(|(total, _)| (FEWEST..=MOST_NATIONAL).contains(total));
    let &(total, end) = groups.find(|(_, end)| ends_free(bytes, *end))?;
    let digits = read.digits(total);
    let varied = digits.iter().any(|digit| Some(digit) != digits.last());
    varied.then_some(from..end)
}

/// Whether digits and a mark stand before: the groups of a longer number.
fn goes_on(bytes: &[u8], start: usize) -> bool {
    let before = start.checked_sub(2).and_then(|from| bytes.get(from..start));
    matches!(before, Some([b'0'..=b'9', b' ' | b'-' | b'.']))
}

/// Whether the groups begin with a day: `2024-01-31`, `31.01.2024`, and perhaps an hour.
fn is_date(read: &Read) -> bool {
    let mut ends = read.groups().iter().map(|(total, _)| *total);
    match (ends.next(), ends.next(), ends.next()) {
        (Some(4), Some(6), Some(8)) => matches!(read.digits(2), [1, 9] | [2, 0]),
        (Some(2), Some(4), Some(8)) => matches!(read.digits.get(4..6), Some([1, 9] | [2, 0])),
        _ => false,
    }
}
