//! Tool call ids that a target's alphabet refuses, rewritten so that no two become one.
//!
//! The same id always becomes the same one, so nothing needs to be remembered: a call and its result, which the client
//! sends with the id it was given, meet again.

use std::borrow::Cow;

use ring::digest::{SHA256, digest};

use super::dialect::ToolIds;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Characters of a rewritten id: 24 of 62 are 142 bits, beyond any collision.
const CHARACTERS: usize = 24;

/// An id that the target takes; the same one where it takes it as it is.
#[must_use]
pub fn fit(id: &str, allowed: ToolIds) -> Cow<'_, str> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let (fits, characters) = match allowed {
        ToolIds::Any => (true, 0),
        ToolIds::AtMost(most) => (!id.is_empty() && id.chars().count() <= most, most.min(CHARACTERS)),
        ToolIds::Word(most) => (!id.is_empty() && id.len() <= most && id.chars().all(word), most.min(CHARACTERS)),
        // Nine of 62 are 53 bits: two of a thousand calls in one conversation meet with a chance of one in ten billion.
        ToolIds::Nine => (id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric()), 9),
    };
    if fits { Cow::Borrowed(id) } else { Cow::Owned(hashed(id, characters)) }
}

fn hashed(id: &str, characters: usize) -> String {
    let digest = digest(&SHA256, id.as_bytes());
    let (mut number, mut hashed) = ([0u8; 32], String::with_capacity(characters));
    number.copy_from_slice(digest.as_ref());
    for _ in 0..characters {
        let mut rest = 0u16;
        for byte in &mut number {
            let value = (rest << 8) | u16::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        hashed.push(char::from(ALPHABET[usize::from(rest)]));
    }
    hashed
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn an_id_that_fits_is_untouched() {
        for (id, allowed) in [
            ("call_ü:1", ToolIds::Any),
            ("toolu_01A-b", ToolIds::Word(64)),
            ("abcdefGH1", ToolIds::Nine),
            ("call.1", ToolIds::AtMost(40)),
        ] {
            assert_eq!(fit(id, allowed), id);
        }
    }

    #[test]
    fn rewritten_ids_fit_and_stay_apart() {
        for allowed in [ToolIds::Word(64), ToolIds::Nine, ToolIds::AtMost(4)] {
            let ids: Vec<String> = (0..2000).map(|n| format!("functions.f:{n}")).collect();
            let fitted: HashSet<String> = ids.iter().map(|id| fit(id, allowed).into_owned()).collect();
            if allowed != ToolIds::AtMost(4) {
                assert_eq!(fitted.len(), ids.len(), "{allowed:?}");
            }
            for id in &fitted {
                assert_eq!(fit(id, allowed), id.as_str(), "what was rewritten fits: {allowed:?}");
            }
        }
        assert_eq!(fit("", ToolIds::Word(64)).len(), 24);
        assert_eq!(fit("a:b", ToolIds::Nine), fit("a:b", ToolIds::Nine));
    }
}
