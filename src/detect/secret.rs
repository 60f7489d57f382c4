//! Keys: what services give out with a mark of their own in front, and private keys in PEM.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::Text;
use crate::config::Detector;

/// Longest key that is followed to its end, in bytes.
const LONGEST: usize = 512;

/// How far behind a private key's head its body is looked for, in bytes, and how long a piece of it must be.
const BODY: usize = 512;
const PIECE: usize = 32;

/// Fewer different characters than this, and it is a stand-in (`sk-xxxxxxxx`).
const VARIED: usize = 8;

/// Pieces of what people write in place of a key.
const STAND_INS: [&[u8]; 9] =
    [b"example", b"your", b"xxxx", b"placeholder", b"redacted", b"dummy", b"changeme", b"sample", b"00000000"];

/// What a key is made of behind its mark.
#[derive(Clone, Copy)]
enum Made {
    /// Letters and digits.
    Plain,
    /// Also `-` and `_`.
    Url,
    /// Also `.`, `-` and `_`.
    Dotted,
    /// Also `/`.
    Path,
    /// Capital letters and digits.
    Capital,
}

impl Made {
    const fn of(self, byte: u8) -> bool {
        match self {
            Self::Plain => byte.is_ascii_alphanumeric(),
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
            Self::Path => byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_'),
            Self::Capital => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
        }
    }
}

/// A service's mark, what follows it, and how long that is at least and at most.
struct Mark(&'static str, Made, usize, usize);

/// In front of others that they begin with. Lengths as the services document them or as their keys are seen; a little
/// shorter where they have changed before.
const MARKS: [Mark; 29] = [
    Mark("sk-ant-", Made::Url, 24, LONGEST),
    Mark("sk-proj-", Made::Url, 32, LONGEST),
    Mark("sk-svcacct-", Made::Url, 32, LONGEST),
    Mark("sk-admin-", Made::Url, 32, LONGEST),
    Mark("sk-or-v1-", Made::Plain, 40, 80),
    // OpenAI's older keys, DeepSeek's and those of many who speak OpenAI's format.
    Mark("sk-", Made::Plain, 20, 80),
    Mark("AKIA", Made::Capital, 16, 16),
    Mark("ASIA", Made::Capital, 16, 16),
    Mark("ghp_", Made::Plain, 36, 255),
    Mark("gho_", Made::Plain, 36, 255),
    Mark("ghu_", Made::Plain, 36, 255),
    Mark("ghs_", Made::Plain, 36, 255),
    Mark("ghr_", Made::Plain, 36, 255),
    Mark("github_pat_", Made::Url, 60, 255),
    Mark("glpat-", Made::Url, 20, 80),
    Mark("AIza", Made::Url, 35, 35),
    Mark("GOCSPX-", Made::Url, 28, 28),
    Mark("ya29.", Made::Dotted, 40, LONGEST),
    Mark("sk_live_", Made::Plain, 24, 255),
    Mark("rk_live_", Made::Plain, 24, 255),
    Mark("whsec_", Made::Plain, 32, 64),
    Mark("xoxb-", Made::Url, 30, 255),
    Mark("xoxp-", Made::Url, 30, 255),
    Mark("xapp-", Made::Url, 40, 255),
    Mark("hooks.slack.com/services/", Made::Path, 40, 90),
    // Waypost's own.
    Mark("wp-", Made::Plain, 38, 38),
    Mark("gsk_", Made::Plain, 40, 80),
    Mark("xai-", Made::Plain, 60, 120),
    Mark("hf_", Made::Plain, 34, 40),
];

/// Names of Amazon's secret, which has no mark of its own: 40 characters of base64.
const AMAZON: [&str; 4] = ["secret_access_key", "SECRET_ACCESS_KEY", "SecretAccessKey", "secretAccessKey"];
const AMAZON_LENGTH: usize = 40;

const PEM: &str = "-----BEGIN ";

/// All marks at once. The one place where the order of [`MARKS`] counts.
static SEARCH: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let marks = MARKS.iter().map(|mark| mark.0).chain(AMAZON).chain([PEM]);
    // `None` only for patterns beyond its limits, of which there are none here; a test holds that.
    AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(marks).ok()
});

pub(super) fn find(text: Text<'_>, hit: &mut impl FnMut(Detector, Range<usize>)) {
    let Some(search) = &*SEARCH else { return };
    for found in search.find_iter(text.bytes) {
        match MARKS.get(found.pattern().as_usize()) {
            Some(mark) => {
                if let Some(end) = key(text.bytes, found.range(), mark) {
                    hit(Detector::ApiKey, found.start()..end);
                }
            }
            None if found.len() == PEM.len() => {
                if let Some(end) = private_key(text.bytes, found.end()) {
                    hit(Detector::PrivateKey, found.start()..end);
                }
            }
            None => {
                if let Some(range) = amazon(text.bytes, found.end()) {
                    hit(Detector::ApiKey, range);
                }
            }
        }
    }
}

/// Where the key ends whose mark was found.
fn key(bytes: &[u8], found: Range<usize>, mark: &Mark) -> Option<usize> {
    let &Mark(_, made, least, most) = mark;
    let before = found.start.checked_sub(1).and_then(|place| bytes.get(place));
    if before.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        && !after_escape(bytes, found.start)
    {
        return None;
    }
    let rest = bytes.get(found.end..)?;
    let length = rest.iter().take(most + 1).take_while(|byte| made.of(**byte)).count();
    let goes_on = rest.get(length).is_some_and(u8::is_ascii_alphanumeric);
    if length < least || length > most || goes_on {
        return None;
    }
    is_drawn(rest.get(..length)?).then_some(found.end + length)
}

/// Whether the letter before is one of an escape that was left in the text.
fn after_escape(bytes: &[u8], start: usize) -> bool {
    start >= 2 && matches!(bytes.get(start - 2..start), Some(b"\\n" | b"\\t" | b"\\r"))
}

/// Whether characters look drawn at random rather than written by somebody.
fn is_drawn(secret: &[u8]) -> bool {
    let mut seen = [false; 256];
    let mut different = 0;
    for &byte in secret {
        if let Some(seen) = seen.get_mut(usize::from(byte)) {
            different += usize::from(!*seen);
            *seen = true;
        }
    }
    // Among 20 drawn from 62 there is no digit once in 32 times, among 32 once in 270: long ones have some.
    let digits = secret.iter().any(u8::is_ascii_digit);
    different >= VARIED && (digits || secret.len() < 20) && !is_stand_in(secret)
}

fn is_stand_in(secret: &[u8]) -> bool {
    let mut lower = [0; LONGEST];
    let length = secret.len().min(LONGEST);
    let (Some(lower), Some(secret)) = (lower.get_mut(..length), secret.get(..length)) else { return false };
    lower.copy_from_slice(secret);
    lower.make_ascii_lowercase();
    STAND_INS.iter().any(|word| memchr::memmem::find(lower, word).is_some())
}

/// Amazon's secret behind its name, which ends at `at`.
fn amazon(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = bytes.get(at..)?;
    let skipped = rest.iter().take(8).take_while(|byte| b" \t\"':=>,\\".contains(byte)).count();
    let secret = rest.get(skipped..skipped + AMAZON_LENGTH)?;
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+');
    let goes_on = rest.get(skipped + AMAZON_LENGTH).is_some_and(base64);
    let start = at + skipped;
    (skipped > 0 && secret.iter().all(base64) && !goes_on && is_drawn(secret)).then_some(start..start + AMAZON_LENGTH)
}

/// Where the first pieces of a private key end whose head goes on at `at`: `RSA PRIVATE KEY-----` and a body. A head
/// alone, or with dots for a body, gives nothing away.
fn private_key(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let head = rest.get(..rest.len().min(48))?;
    let name = head.get(..memchr::memmem::find(head, b"-----")?)?;
    if !name.ends_with(b"PRIVATE KEY") && !name.ends_with(b"PRIVATE KEY BLOCK") {
        return None;
    }
    let body = rest.get(name.len() + 5..)?;
    let body = body.get(..body.len().min(BODY))?;
    let mut from = 0;
    let mut end = None;
    // Lines may end in `\n` written out, as in JSON and environment files.
    for piece in body.split(|byte| matches!(byte, b'\n' | b'\r' | b'\\' | b'"' | b'\'' | b' ')) {
        let piece_from = from;
        from += piece.len() + 1;
        let length =
            piece.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+' | b'=')).count();
        if piece.starts_with(b"-----") {
            break;
        }
        if length >= PIECE && is_drawn(piece.get(..length)?) {
            end = Some(at + name.len() + 5 + piece_from + length);
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_marks_fit_into_one_search_and_longer_ones_come_first() {
        assert!(SEARCH.is_some());
        for (place, mark) in MARKS.iter().enumerate() {
            let shadowed = MARKS.iter().take(place).find(|before| mark.0.starts_with(before.0));
            assert!(shadowed.is_none(), "`{}` is never found behind `{}`", mark.0, shadowed.unwrap().0);
        }
        assert!(AMAZON.iter().all(|name| name.len() != PEM.len()), "they are told apart by length");
    }
}
