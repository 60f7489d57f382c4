//! Numbers that states give to people.

use std::ops::Range;

use super::Text;
use super::context::{self, Lazy};
use super::groups::{Gap, Groups, as_number, gap};
use super::number::ends_free;

/// A social security number of the United States: no area 000, 666 or from 900 up, no group 00, no serial 0000
/// (ssa.gov/employer/randomization.html), and not one of those that were printed in advertisements.
pub(super) fn us_ssn(bytes: &[u8], groups: &Groups, context: &Lazy<'_>) -> Option<usize> {
    let (count, said) = if groups.begins(&[3, 2, 4]) {
        (3, groups.mark_within(3)? == Gap::Dash)
    } else if groups.begins(&[9]) {
        (1, false)
    } else {
        return None;
    };
    let end = groups.end(count)?;
    let digits = groups.digits(count);
    let number = as_number(digits);
    let (area, group, serial) = (number / 1_000_000, number / 10_000 % 100, number % 10_000);
    let issued = !matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0;
    let printed = matches!(number, 78_051_120 | 219_099_999 | 457_555_462);
    if !issued || printed || digits.iter().all(|digit| Some(digit) == digits.first()) || !ends_free(bytes, end) {
        return None;
    }
    let context = context.get();
    (context.ssn || said && !context.identifier && !context.phone).then_some(end)
}

/// A French NIR: sex, year, month, department, commune, order, and 97 minus the rest by 97.
pub(super) fn fr_nir(bytes: &[u8], start: usize, context: &Lazy<'_>) -> Option<usize> {
    /// Where groups begin: `1 84 12 76 451 089 46`.
    const GROUPS: [usize; 6] = [1, 3, 5, 7, 10, 13];
    if !matches!(bytes.get(start), Some(b'1'..=b'4' | b'7' | b'8')) {
        return None;
    }
    let mut digits = [0; 15];
    let mut island = 0;
    let mut at = start;
    for (place, slot) in digits.iter_mut().enumerate() {
        if GROUPS.contains(&place)
            && let Some((mark, length)) = gap(bytes, at)
        {
            if mark == Gap::Dot {
                return None;
            }
            at += length;
        }
        *slot = match *bytes.get(at)? {
            digit @ b'0'..=b'9' => digit - b'0',
            // Corsica: 2A counts as 19, 2B as 18.
            b'A' if place == 6 => {
                island = 1;
                9
            }
            b'B' if place == 6 => {
                island = 1;
                8
            }
            _ => return None,
        };
        at += 1;
    }
    if island == 1 {
        match digits.get_mut(5) {
            Some(first) if *first == 2 => *first = 1,
            _ => return None,
        }
    }
    let number = as_number(digits.get(..13)?);
    let key = as_number(digits.get(13..)?);
    let month = as_number(digits.get(3..5)?);
    let department = as_number(digits.get(5..7)?);
    let (commune, order) = (as_number(digits.get(7..10)?), as_number(digits.get(10..13)?));
    // Months beyond 12 are given where the month is not known (INSEE).
    let plausible = matches!(month, 1..=12 | 20..=42 | 50..=99) && department != 0 && commune != 0 && order != 0;
    let checked = plausible && key == 97 - number % 97;
    let grouped = at - start > 15;
    (checked && ends_free(bytes, at) && (grouped || !context.get().identifier)).then_some(at)
}

/// A German tax identification number: its digits' pattern and ISO 7064 MOD 11,10.
pub(super) fn de_tax_id(bytes: &[u8], groups: &Groups, context: &Lazy<'_>) -> Option<usize> {
    let (count, printed) = if groups.begins(&[2, 3, 3, 3]) {
        (4, groups.mark_within(4)? == Gap::Space)
    } else if groups.begins(&[11]) {
        (1, false)
    } else {
        return None;
    };
    let end = groups.end(count)?;
    let goes_on = printed && groups.after(count).is_some();
    if goes_on || !is_tax_id(groups.digits(count)) || !ends_free(bytes, end) {
        return None;
    }
    let context = context.get();
    (context.tax || printed && !context.identifier && !context.phone).then_some(end)
}

fn is_tax_id(digits: &[u8]) -> bool {
    let Some((&check, first)) = digits.split_last() else { return false };
    if first.len() != 10 || first.first() == Some(&0) {
        return false;
    }
    let mut times = [0u8; 10];
    for &digit in first {
        if let Some(times) = times.get_mut(usize::from(digit)) {
            *times += 1;
        }
    }
    // Of the first ten one digit comes twice or three times, and no other comes again.
    let again = times.iter().filter(|times| **times > 1).count();
    let thrice = first.windows(3).any(|three| matches!(three, [a, b, c] if a == b && b == c));
    if again != 1 || times.iter().any(|times| *times > 3) || thrice {
        return false;
    }
    let mut product = 10;
    for &digit in first {
        let sum = (u32::from(digit) + product) % 10;
        product = if sum == 0 { 10 } else { sum } * 2 % 11;
    }
    u32::from(check) == (11 - product) % 10
}

/// The letters that a Spanish number ends in, by its remainder.
const CONTROL: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

/// A Spanish DNI: eight digits and a letter.
pub(super) fn es_dni(bytes: &[u8], start: usize, groups: &Groups, context: &Lazy<'_>) -> Option<usize> {
    let count = if groups.begins(&[8]) {
        1
    } else if groups.begins(&[2, 3, 3]) && groups.mark_within(3) == Some(Gap::Dot) {
        3
    } else {
        return None;
    };
    let digits = groups.digits(count);
    let (letter, end, marked) = letter(bytes, groups.end(count)?)?;
    let number = as_number(digits);
    if !is_control(number, letter) || digits.iter().all(|digit| *digit == 0) {
        return None;
    }
    let context = context.get();
    // Without a word for it: not after a blank, not in small letters, and no date (`20240131T`).
    let certain = !marked.is_some_and(|mark| mark == Gap::Space) && letter.is_ascii_uppercase() && !is_date(number);
    debug_assert!(start < end);
    (context.dni || certain && !context.identifier).then_some(end)
}

/// A Spanish NIE: X, Y or Z, seven digits, a letter. The digits stand from `start` to `end`.
pub(super) fn es_nie(text: Text<'_>, start: usize, end: usize) -> Option<Range<usize>> {
    let bytes = text.bytes;
    if end - start != 7 {
        return None;
    }
    let first = match bytes.get(start - 1)? {
        b'-' => start.checked_sub(2)?,
        _ => start - 1,
    };
    if first.checked_sub(1).and_then(|before| bytes.get(before)).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let prefix = match bytes.get(first)? {
        b'X' | b'x' => 0,
        b'Y' | b'y' => 1,
        b'Z' | b'z' => 2,
        _ => return None,
    };
    let digits = bytes.get(start..end)?.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    let (letter, last, marked) = letter(bytes, end)?;
    if !is_control(prefix * 10_000_000 + digits, letter) || marked == Some(Gap::Space) {
        return None;
    }
    let context = Lazy::new(text, first);
    let certain = letter.is_ascii_uppercase() && bytes.get(first).is_some_and(u8::is_ascii_uppercase);
    let said: context::Context = context.get();
    (said.dni || certain && !said.identifier).then_some(first..last)
}

/// The single letter that stands here, perhaps behind a mark, and where it ends.
fn letter(bytes: &[u8], at: usize) -> Option<(u8, usize, Option<Gap>)> {
    let mark = gap(bytes, at);
    let at = at + mark.map_or(0, |(_, length)| length);
    let letter = *bytes.get(at).filter(|letter| letter.is_ascii_alphabetic())?;
    ends_free(bytes, at + 1).then_some((letter, at + 1, mark.map(|(mark, _)| mark)))
}

fn is_control(number: u64, letter: u8) -> bool {
    let place = usize::try_from(number % 23).unwrap_or_default();
    CONTROL.get(place) == Some(&letter.to_ascii_uppercase())
}

/// Whether eight digits are a day of the 20th or 21st century.
fn is_date(number: u64) -> bool {
    let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
    matches!((year, month, day), (1900..=2099, 1..=12, 1..=31))
}

/// An Italian codice fiscale: surname and name, year, month, day and sex, place, and a letter over all of them. Its
/// digits begin at `digits`.
pub(super) fn it_codice_fiscale(bytes: &[u8], digits: usize) -> Option<Range<usize>> {
    /// What stands at each place: a letter, a digit (or the letter for it where two people would have the same), a
    /// month, the letter of the check.
    const FORM: &[u8; 16] = b"aaaaaannmnnannna";
    /// Values of 0 to 25 at odd places, digits being those of A to J (Decreto ministeriale 23/12/1976).
    const ODD: [u8; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let start = digits.checked_sub(6)?;
    let code = bytes.get(start..start + 16)?;
    let free = |place: Option<usize>| !place.and_then(|place| bytes.get(place)).is_some_and(u8::is_ascii_alphanumeric);
    if !free(start.checked_sub(1)) || !free(Some(start + 16)) {
        return None;
    }
    let mut sum = 0;
    for (place, (&byte, form)) in code.iter().zip(FORM).enumerate() {
        let upper = byte.to_ascii_uppercase();
        let fine = match form {
            b'n' => upper.is_ascii_digit() || b"LMNPQRSTUV".contains(&upper),
            b'm' => b"ABCDEHLMPRST".contains(&upper),
            _ => upper.is_ascii_uppercase(),
        };
        if !fine {
            return None;
        }
        let value = if upper.is_ascii_digit() { upper - b'0' } else { upper - b'A' };
        if place == 15 {
            break;
        }
        sum += u32::from(if place.is_multiple_of(2) { *ODD.get(usize::from(value))? } else { value });
    }
    let day = day(code.get(9)?, code.get(10)?)?;
    let checked = code.last().is_some_and(|check| u32::from(check.to_ascii_uppercase() - b'A') == sum % 26);
    (checked && matches!(day, 1..=31 | 41..=71)).then_some(start..start + 16)
}

/// Two digits, or the letters that stand for them, as a number.
fn day(tens: &u8, ones: &u8) -> Option<u8> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        other => b"LMNPQRSTUV"
            .iter()
            .position(|letter| *letter == other.to_ascii_uppercase())
            .and_then(|place| u8::try_from(place).ok()),
    };
    Some(digit(tens)? * 10 + digit(ones)?)
}
