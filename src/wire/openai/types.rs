//! The words of the format that requests, answers and streams share.

use std::ops::Range;

use crate::chat::{Role, Usage};
use crate::wire::json::{JsonResult, Kind, Scanner};

/// The role of a message by its name.
#[must_use]
pub fn role(name: &[u8]) -> Option<Role> {
    match name {
        b"system" | b"developer" => Some(Role::System),
        b"user" => Some(Role::User),
        b"assistant" => Some(Role::Assistant),
        // `function` is the older form of a tool's result.
        b"tool" | b"function" => Some(Role::Tool),
        _ => None,
    }
}

/// Whether an answer that ends for this reason is whole: neither cut off nor withheld.
#[must_use]
pub fn finished_well(reason: &[u8]) -> bool {
    matches!(reason, b"stop" | b"tool_calls" | b"function_call")
}

/// What a `usage` object says, as the provider counts.
#[derive(Debug, Default)]
struct Counts {
    prompt: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    cached: u64,
    cache_write: u64,
    reasoning: u64,
    /// Something is not as it should be, or might not be.
    odd: bool,
}

/// Reads a `usage` object. `None` where it names no figures; a figure of the wrong type counts as absent.
///
/// # Errors
/// The value breaks JSON's grammar.
pub fn read_usage(scanner: &mut Scanner<'_>) -> JsonResult<Option<Usage>> {
    Ok(read_counts(scanner)?.usage())
}

/// Reads a `usage` object that has all its figures, and nothing but figures where figures belong. `None` for any other;
/// how far it was read says nothing then.
pub(super) fn read_sound_usage(scanner: &mut Scanner<'_>) -> Option<Usage> {
    let counts = read_counts(scanner).ok()?;
    let all = counts.prompt.is_some() && counts.completion.is_some() && counts.total.is_some();
    if all && !counts.odd { counts.usage() } else { None }
}

fn read_counts(scanner: &mut Scanner<'_>) -> JsonResult<Counts> {
    let mut counts = Counts::default();
    if !scanner.is(Kind::Object) {
        scanner.skip()?;
        return Ok(counts);
    }
    scanner.object(|scanner, key| {
        // Whole names are compared at once here, and letter by letter in a `match`.
        let name = key.name;
        if name == b"prompt_tokens" {
            counts.prompt = count(scanner, &mut counts.odd)?;
        } else if name == b"completion_tokens" {
            counts.completion = count(scanner, &mut counts.odd)?;
        } else if name == b"total_tokens" {
            counts.total = count(scanner, &mut counts.odd)?;
        } else if name == b"prompt_cache_hit_tokens" || name == b"cached_tokens" {
            // DeepSeek (api-docs.deepseek.com/api/create-chat-completion) and Moonshot name cache hits here.
            counts.cached = counts.cached.max(count(scanner, &mut false)?.unwrap_or(0));
        } else if name == b"prompt_tokens_details" {
            details(scanner, &mut counts.odd, |name, value| {
                if name == b"cached_tokens" {
                    counts.cached = counts.cached.max(value);
                } else if name == b"cache_write_tokens" || name == b"cache_creation_tokens" {
                    counts.cache_write = value;
                }
            })?;
        } else if name == b"completion_tokens_details" {
            details(scanner, &mut counts.odd, |name, value| {
                if name == b"reasoning_tokens" {
                    counts.reasoning = value;
                }
            })?;
        } else {
            counts.odd |= name.ends_with(b"_tokens_details");
            scanner.skip()?;
        }
        Ok::<_, Box<_>>(())
    })?;
    Ok(counts)
}

impl Counts {
    fn usage(&self) -> Option<Usage> {
        if self.prompt.is_none() && self.completion.is_none() {
            return None;
        }
        let input = self.prompt.unwrap_or(0);
        let mut output = self.completion.unwrap_or(0);
        // xAI leaves reasoning out of `completion_tokens` and only its total tells (docs.x.ai/docs/guides/reasoning).
        let apart = input.saturating_add(output).saturating_add(self.reasoning);
        if self.reasoning > 0 && self.total == Some(apart) {
            output = output.saturating_add(self.reasoning);
        }
        Some(Usage {
            input,
            cached: self.cached.min(input),
            cache_write: self.cache_write.min(input.saturating_sub(self.cached)),
            output,
            reasoning: self.reasoning.min(output),
            ..Usage::default()
        })
    }
}

fn details(scanner: &mut Scanner<'_>, odd: &mut bool, mut each: impl FnMut(&[u8], u64)) -> JsonResult<()> {
    if !scanner.is(Kind::Object) {
        *odd |= !scanner.is(Kind::Null);
        return scanner.skip();
    }
    scanner.object(|scanner, key| {
        if let Some(value) = count(scanner, odd)? {
            each(key.name, value);
        }
        Ok::<_, Box<_>>(())
    })?;
    Ok(())
}

/// The next value as a count, if it is a non-negative number; `odd`: it is not written as one.
#[inline]
fn count(scanner: &mut Scanner<'_>, odd: &mut bool) -> JsonResult<Option<u64>> {
    match scanner.small_natural() {
        Some(value) => Ok(Some(value)),
        None => {
            *odd = true;
            odd_count(scanner)
        }
    }
}

#[cold]
fn odd_count(scanner: &mut Scanner<'_>) -> JsonResult<Option<u64>> {
    if !scanner.is(Kind::Number) {
        scanner.skip()?;
        return Ok(None);
    }
    let bytes = scanner.bytes();
    let digits = bytes.get(scanner.number()?).unwrap_or_default();
    Ok(whole(digits).or_else(|| rounded(digits)))
}

/// Some servers count in floats (`12.0`); beyond 2^53 no token count goes.
#[cold]
fn rounded(digits: &[u8]) -> Option<u64> {
    let float: f64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
    (0.0..9.0e15).contains(&float).then_some(float as u64)
}

/// Most digits that cannot overflow 64 bits.
const SAFE_DIGITS: usize = 19;

/// A JSON number that is a whole one and not negative; `u64::MAX` where it is larger than that.
#[must_use]
pub fn whole(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let mut value = 0u64;
    for byte in digits {
        let digit = u64::from(byte.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        value = if digits.len() <= SAFE_DIGITS {
            value * 10 + digit
        } else {
            value.saturating_mul(10).saturating_add(digit)
        };
    }
    Some(value)
}

/// Where a member stands: its key's first byte, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Offset of the key's opening quote.
    pub key: usize,
    /// The value.
    pub value: Range<usize>,
}
