//! Payment card numbers: issuer, length, Luhn's check digit.

use super::context::Lazy;
use super::groups::{Gap, Groups, as_number};
use super::number::ends_free;

/// How card numbers are grouped: most, American Express, Diners Club, and those of 19 digits.
const PRINTED: [&[usize]; 4] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];

/// Where a card number ends that begins with these groups.
pub(super) fn read(bytes: &[u8], start: usize, groups: &Groups, context: &Lazy<'_>) -> Option<usize> {
    let first = *groups.lengths().first()?;
    if (13..=19).contains(&first) {
        let end = groups.end(1)?;
        let digits = groups.digits(1);
        let sure = || context.get().card || !is_rare(digits) && !context.get().identifier;
        return (is_card(digits) && ends_free(bytes, end) && sure()).then_some(end);
    }
    if first != 4 {
        return None;
    }
    let printed = PRINTED.into_iter().find(|printed| groups.begins(printed))?;
    let count = printed.len();
    let end = groups.end(count)?;
    let mark = groups.mark_within(count)?;
    // One of many groups of four: a table of numbers, not a card.
    let goes_on = matches!(groups.after(count), Some((gap, 4)) if gap == mark) || follows_group(bytes, start, mark);
    let dotted = mark == Gap::Dot && !context.get().card;
    let after = groups.after(count).is_some_and(|(gap, _)| gap != Gap::Space);
    if goes_on || dotted || after || !is_card(groups.digits(count)) {
        return None;
    }
    let free = bytes.get(end).is_none_or(|next| !next.is_ascii_alphanumeric() && *next != b'_');
    (free && (context.get().card || !context.get().identifier)).then_some(end)
}

/// Whether a group of four with the same mark stands before.
fn follows_group(bytes: &[u8], start: usize, mark: Gap) -> bool {
    let sign = match mark {
        Gap::Space => b' ',
        Gap::Dash => b'-',
        Gap::Dot => b'.',
    };
    let Some(before) = start.checked_sub(5).and_then(|from| bytes.get(from..start)) else { return false };
    let lone = start.checked_sub(6).and_then(|place| bytes.get(place)).is_none_or(|byte| !byte.is_ascii_digit());
    before.last() == Some(&sign) && before.iter().take(4).all(u8::is_ascii_digit) && lone
}

/// What needs a word for it where it stands in one piece: lengths that counters, product codes and identifiers have
/// too, and all but the most frequent issuers. Each issuer more lets more random numbers pass.
fn is_rare(digits: &[u8]) -> bool {
    let four = as_number(digits.get(..4).unwrap_or_default());
    let frequent = matches!(four, 4000..=4999 | 5100..=5599 | 2221..=2720 | 3400..=3499 | 3700..=3799 | 6011);
    !frequent || !matches!(digits.len(), 15 | 16)
}

fn is_card(digits: &[u8]) -> bool {
    let varied = digits.iter().any(|digit| Some(digit) != digits.get(1));
    varied && is_issued(digits) && luhn(digits)
}

/// Whether an issuer gives out numbers with this beginning and length (ISO/IEC 7812 and the networks' own tables).
fn is_issued(digits: &[u8]) -> bool {
    let begin = as_number(digits.get(..6).unwrap_or_default());
    let (two, three, four) = (begin / 10_000, begin / 1_000, begin / 100);
    match digits.len() {
        // Visa's short form, no longer issued but still about.
        13 => two / 10 == 4,
        // Diners Club.
        14 => matches!(three, 300..=305 | 309) || matches!(two, 36 | 38 | 39),
        // American Express.
        15 => matches!(two, 34 | 37),
        16 => {
            two / 10 == 4
                || matches!(two, 51..=55)
                || matches!(four, 2221..=2720)
                || matches!(four, 2200..=2204)
                || matches!(four, 3528..=3589)
                || is_discover(two, three, four)
                || is_maestro(four)
                || matches!(two, 62 | 81 | 36)
        }
        17 | 18 => two == 62 || is_discover(two, three, four) || is_maestro(four),
        19 => {
            two / 10 == 4
                || two == 62
                || is_discover(two, three, four)
                || is_maestro(four)
                || matches!(four, 3528..=3589)
        }
        _ => false,
    }
}

const fn is_discover(two: u64, three: u64, four: u64) -> bool {
    two == 65 || four == 6011 || matches!(three, 644..=649)
}

const fn is_maestro(four: u64) -> bool {
    matches!(four, 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763)
}

/// Luhn's check (ISO/IEC 7812-1, annex B).
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| {
            let value = u32::from(digit) << (place % 2);
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10)
}
