//! The words of the format that requests, answers and streams share.

use std::ops::Range;

use crate::chat::{Role, Usage};
use crate::wire::json::{JsonResult, Kind, Scanner};

/// The role of a message by its name.
#[must_use]
pub fn role(name: &str) -> Option<Role> {
    match name {
        "system" | "developer" => Some(Role::System),
        "user" => Some(Role::User),
        "assistant" => Some(Role::Assistant),
        // `function` is the older form of a tool's result.
        "tool" | "function" => Some(Role::Tool),
        _ => None,
    }
}

/// Whether an answer that ends for this reason is whole: neither cut off nor withheld.
#[must_use]
pub fn finished_well(reason: &str) -> bool {
    matches!(reason, "stop" | "tool_calls" | "function_call")
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
}

/// Reads a `usage` object. `None` where it names no figures; a figure of the wrong type counts as absent.
///
/// # Errors
/// The value breaks JSON's grammar.
pub fn read_usage(scanner: &mut Scanner<'_>) -> JsonResult<Option<Usage>> {
    if scanner.kind()? != Kind::Object {
        scanner.skip()?;
        return Ok(None);
    }
    let mut counts = Counts::default();
    scanner.object(|scanner, key| {
        match key.bytes().as_ref() {
            b"prompt_tokens" => counts.prompt = count(scanner)?,
            b"completion_tokens" => counts.completion = count(scanner)?,
            b"total_tokens" => counts.total = count(scanner)?,
            // DeepSeek (api-docs.deepseek.com/api/create-chat-completion) and Moonshot name cache hits here.
            b"prompt_cache_hit_tokens" | b"cached_tokens" => {
                counts.cached = counts.cached.max(count(scanner)?.unwrap_or(0))
            }
            b"prompt_tokens_details" => details(scanner, &mut |name, value| match name {
                b"cached_tokens" => counts.cached = counts.cached.max(value),
                b"cache_write_tokens" | b"cache_creation_tokens" => counts.cache_write = value,
                _ => {}
            })?,
            b"completion_tokens_details" => details(scanner, &mut |name, value| {
                if name == b"reasoning_tokens" {
                    counts.reasoning = value;
                }
            })?,
            _ => scanner.skip()?,
        }
        Ok::<_, Box<_>>(())
    })?;
    Ok(counts.usage())
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
            estimated: false,
        })
    }
}

fn details(scanner: &mut Scanner<'_>, each: &mut dyn FnMut(&[u8], u64)) -> JsonResult<()> {
    if scanner.kind()? != Kind::Object {
        return scanner.skip();
    }
    scanner.object(|scanner, key| {
        if let Some(value) = count(scanner)? {
            each(&key.bytes(), value);
        }
        Ok::<_, Box<_>>(())
    })?;
    Ok(())
}

/// The next value as a count, if it is a non-negative number.
fn count(scanner: &mut Scanner<'_>) -> JsonResult<Option<u64>> {
    if scanner.kind()? != Kind::Number {
        scanner.skip()?;
        return Ok(None);
    }
    let bytes = scanner.bytes();
    let digits = bytes.get(scanner.number()?).unwrap_or_default();
    Ok(whole(digits).or_else(|| {
        let float: f64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        // Some servers count in floats (`12.0`); beyond 2^53 no token count goes.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
        (0.0..9.0e15).contains(&float).then_some(float as u64)
    }))
}

/// A JSON number that is a whole one and not negative; `u64::MAX` where it is larger than that.
#[must_use]
pub fn whole(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |value: u64, byte: &u8| value.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
    Some(digits.iter().fold(0, digit))
}

/// Where a member stands: its key's first byte, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Offset of the key's opening quote.
    pub key: usize,
    /// The value.
    pub value: Range<usize>,
}
