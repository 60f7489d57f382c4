//! Tokens as the format counts them: `input_tokens` are those that the cache had no part in.

use crate::chat::Usage;
use crate::wire::json::{JsonError, JsonResult, Kind, Object, Scanner};
use crate::wire::openai::types::whole;

/// What `usage` objects have said so far. In a stream they come twice and are cumulative: the last figure counts.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::wire::anthropic) struct Counts {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    write_5m: Option<u64>,
    write_1h: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
}

impl Counts {
    /// Takes in a `usage` object; any other value is passed over, and so is a figure of the wrong type.
    pub(in crate::wire::anthropic) fn read(&mut self, scanner: &mut Scanner<'_>) -> JsonResult<()> {
        if !scanner.is(Kind::Object) {
            return scanner.skip();
        }
        scanner.object(|scanner, key| {
            match key.name {
                b"input_tokens" => count(scanner, &mut self.input)?,
                b"cache_read_input_tokens" => count(scanner, &mut self.cache_read)?,
                b"cache_creation_input_tokens" => count(scanner, &mut self.cache_write)?,
                b"output_tokens" => count(scanner, &mut self.output)?,
                b"cache_creation" if scanner.is(Kind::Object) => scanner.object(|scanner, key| match key.name {
                    b"ephemeral_5m_input_tokens" => count(scanner, &mut self.write_5m),
                    b"ephemeral_1h_input_tokens" => count(scanner, &mut self.write_1h),
                    _ => scanner.skip(),
                })?,
                b"output_tokens_details" if scanner.is(Kind::Object) => {
                    scanner.object(|scanner, key| match key.name {
                        b"thinking_tokens" => count(scanner, &mut self.thinking),
                        _ => scanner.skip(),
                    })?
                }
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })
    }

    /// The same in neutral terms; `None` where nothing was counted.
    pub(in crate::wire::anthropic) fn usage(&self) -> Option<Usage> {
        self.input.or(self.output)?;
        let cached = self.cache_read.unwrap_or(0);
        let by_age = self.write_5m.unwrap_or(0).saturating_add(self.write_1h.unwrap_or(0));
        let cache_write = self.cache_write.unwrap_or(by_age);
        let output = self.output.unwrap_or(0);
        Some(Usage {
            input: self.input.unwrap_or(0).saturating_add(cached).saturating_add(cache_write),
            cached,
            cache_write,
            cache_write_1h: self.write_1h.unwrap_or(0).min(cache_write),
            output,
            reasoning: self.thinking.unwrap_or(0).min(output),
            estimated: false,
        })
    }
}

/// The members of a `usage` object; what is not known yet is zero. With `ages`, cache writes are told apart in any case.
pub(in crate::wire::anthropic) fn write(usage: Option<&Usage>, ages: bool) -> Object {
    let usage = usage.copied().unwrap_or_default();
    let mut object = Object::new();
    let plain = usage.input.saturating_sub(usage.cached).saturating_sub(usage.cache_write);
    object.put("input_tokens", plain);
    object.put("cache_creation_input_tokens", usage.cache_write);
    object.put("cache_read_input_tokens", usage.cached);
    if ages || usage.cache_write_1h > 0 {
        let mut by_age = Object::new();
        by_age.put("ephemeral_5m_input_tokens", usage.cache_write.saturating_sub(usage.cache_write_1h));
        by_age.put("ephemeral_1h_input_tokens", usage.cache_write_1h);
        object.raw("cache_creation", &by_age.finish());
    }
    object.put("output_tokens", usage.output);
    if usage.reasoning > 0 {
        let mut details = Object::new();
        details.put("thinking_tokens", usage.reasoning);
        object.raw("output_tokens_details", &details.finish());
    }
    object
}

fn count(scanner: &mut Scanner<'_>, into: &mut Option<u64>) -> JsonResult<()> {
    if let Some(value) = scanner.small_natural() {
        *into = Some(value);
    } else if scanner.is(Kind::Number) {
        let digits = scanner.number()?;
        if let Some(value) = scanner.bytes().get(digits).and_then(whole) {
            *into = Some(value);
        }
    } else {
        scanner.skip()?;
    }
    Ok(())
}
