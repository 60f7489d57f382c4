//! International bank account numbers: country, length, structure, check digits (ISO 13616, SWIFT's registry).

use std::ops::Range;

use super::groups::gap;

/// Longest account number that any country has.
const MAX_LENGTH: usize = 34;

/// Country and what follows the check digits: n digits, a upper-case letters, c either. In order.
const STRUCTURES: &[(&[u8; 2], &str)] = &[
    (b"AD", "8n12c"),
    (b"AE", "19n"),
    (b"AL", "8n16c"),
    (b"AT", "16n"),
    (b"AZ", "4a20c"),
    (b"BA", "16n"),
    (b"BE", "12n"),
    (b"BG", "4a6n8c"),
    (b"BH", "4a14c"),
    (b"BI", "23n"),
    (b"BR", "23n1a1c"),
    (b"BY", "4c4n16c"),
    (b"CH", "5n12c"),
    (b"CR", "18n"),
    (b"CY", "8n16c"),
    (b"CZ", "20n"),
    (b"DE", "18n"),
    (b"DJ", "23n"),
    (b"DK", "14n"),
    (b"DO", "4c20n"),
    (b"EE", "16n"),
    (b"EG", "25n"),
    (b"ES", "20n"),
    (b"FI", "14n"),
    (b"FK", "2a12n"),
    (b"FO", "14n"),
    (b"FR", "10n11c2n"),
    (b"GB", "4a14n"),
    (b"GE", "2a16n"),
    (b"GI", "4a15c"),
    (b"GL", "14n"),
    (b"GR", "7n16c"),
    (b"GT", "4c20c"),
    (b"HR", "17n"),
    (b"HU", "24n"),
    (b"IE", "4a14n"),
    (b"IL", "19n"),
    (b"IQ", "4a15n"),
    (b"IS", "22n"),
    (b"IT", "1a10n12c"),
    (b"JO", "4a4n18c"),
    (b"KW", "4a22c"),
    (b"KZ", "3n13c"),
    (b"LB", "4n20c"),
    (b"LC", "4a24c"),
    (b"LI", "5n12c"),
    (b"LT", "16n"),
    (b"LU", "3n13c"),
    (b"LV", "4a13c"),
    (b"LY", "21n"),
    (b"MC", "10n11c2n"),
    (b"MD", "20c"),
    (b"ME", "18n"),
    (b"MK", "3n10c2n"),
    (b"MN", "16n"),
    (b"MR", "23n"),
    (b"MT", "4a5n18c"),
    (b"MU", "4a19n3a"),
    (b"NI", "4a20n"),
    (b"NL", "4a10n"),
    (b"NO", "11n"),
    (b"OM", "3n16c"),
    (b"PK", "4a16c"),
    (b"PL", "24n"),
    (b"PS", "4a21c"),
    (b"PT", "21n"),
    (b"QA", "4a21c"),
    (b"RO", "4a16c"),
    (b"RS", "18n"),
    (b"RU", "14n15c"),
    (b"SA", "2n18c"),
    (b"SC", "4a20n3a"),
    (b"SD", "14n"),
    (b"SE", "20n"),
    (b"SI", "15n"),
    (b"SK", "20n"),
    (b"SM", "1a10n12c"),
    (b"SO", "19n"),
    (b"ST", "21n"),
    (b"SV", "4a20n"),
    (b"TL", "19n"),
    (b"TN", "20n"),
    (b"TR", "6n16c"),
    (b"UA", "6n19c"),
    (b"VA", "18n"),
    (b"VG", "4a16n"),
    (b"XK", "16n"),
    (b"YE", "4a4n18c"),
];

/// The account number whose check digits begin at `digits`.
pub(super) fn read(bytes: &[u8], digits: usize) -> Option<Range<usize>> {
    let start = digits.checked_sub(2)?;
    let country = bytes.get(start..digits)?;
    if !country.iter().all(u8::is_ascii_alphabetic)
        || start.checked_sub(1).and_then(|before| bytes.get(before)).is_some_and(u8::is_ascii_alphanumeric)
        || !bytes.get(digits + 1).is_some_and(u8::is_ascii_digit)
    {
        return None;
    }
    let country = [country.first()?.to_ascii_uppercase(), country.get(1)?.to_ascii_uppercase()];
    let place = STRUCTURES.binary_search_by(|(known, _)| (*known).cmp(&country)).ok()?;
    let structure = STRUCTURES.get(place)?.1;
    let mut value = [0; MAX_LENGTH];
    let (length, end) = take(bytes, start, length_of(structure) + 4, &mut value)?;
    let value = value.get(..length)?;
    // Small letters are taken in one piece only: in groups they are words.
    let spaced = end - start > length;
    let small = bytes.get(start..end)?.iter().any(u8::is_ascii_lowercase);
    if small && spaced || !fits(structure, value.get(4..)?) || !check(value) {
        return None;
    }
    Some(start..end)
}

fn length_of(structure: &str) -> usize {
    parts(structure).map(|(count, _)| count).sum()
}

/// The parts of a structure: how many of which sort.
fn parts(structure: &str) -> impl Iterator<Item = (usize, u8)> {
    let mut count = 0;
    structure.bytes().filter_map(move |byte| {
        if byte.is_ascii_digit() {
            count = count * 10 + usize::from(byte - b'0');
            return None;
        }
        Some((std::mem::take(&mut count), byte))
    })
}

/// Takes `length` letters and digits into `value`, in upper case, and tells how many they are and where they end.
/// Single marks may stand between, but only behind every fourth, or wherever a mark stood before.
fn take(bytes: &[u8], start: usize, length: usize, value: &mut [u8; MAX_LENGTH]) -> Option<(usize, usize)> {
    let mut at = start;
    let mut mark = None;
    for (place, slot) in value.iter_mut().enumerate().take(length) {
        if place > 0
            && let Some((gap, size)) = gap(bytes, at)
        {
            if !place.is_multiple_of(4) || *mark.get_or_insert(gap) != gap {
                return None;
            }
            at += size;
        }
        let byte = *bytes.get(at)?;
        if !byte.is_ascii_alphanumeric() {
            return None;
        }
        *slot = byte.to_ascii_uppercase();
        at += 1;
    }
    bytes.get(at).is_none_or(|next| !next.is_ascii_alphanumeric()).then_some((length, at))
}

fn fits(structure: &str, account: &[u8]) -> bool {
    let mut rest = account;
    for (count, sort) in parts(structure) {
        let Some((part, behind)) = rest.split_at_checked(count) else { return false };
        let fine = match sort {
            b'n' => part.iter().all(u8::is_ascii_digit),
            b'a' => part.iter().all(u8::is_ascii_uppercase),
            _ => part.iter().all(u8::is_ascii_alphanumeric),
        };
        if !fine {
            return false;
        }
        rest = behind;
    }
    rest.is_empty()
}

/// ISO 7064 MOD 97-10, with country and check digits moved to the end.
fn check(value: &[u8]) -> bool {
    let (head, account) = value.split_at(4.min(value.len()));
    let sum = account.iter().chain(head).fold(0u32, |sum, &byte| match byte {
        b'0'..=b'9' => (sum * 10 + u32::from(byte - b'0')) % 97,
        _ => (sum * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    sum == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_no_number_is_too_long() {
        assert!(STRUCTURES.is_sorted_by_key(|(country, _)| *country));
        assert!(STRUCTURES.iter().all(|(_, structure)| length_of(structure) + 4 <= MAX_LENGTH));
    }

    #[test]
    fn the_lengths_are_those_of_the_registry() {
        for (country, length) in [("DE", 22), ("FR", 27), ("GB", 22), ("NO", 15), ("MT", 31), ("IT", 27), ("LC", 32)] {
            let (_, structure) = STRUCTURES.iter().find(|(known, _)| known.as_slice() == country.as_bytes()).unwrap();
            assert_eq!(length_of(structure) + 4, length, "{country}");
        }
    }
}
