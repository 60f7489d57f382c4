//! Tokens as providers and their logs write them.

use serde_json::Value;

use super::fields::Object;
use crate::chat::Usage;

/// The usage in an object; `None` where nothing was counted.
pub(super) fn usage(value: &Value) -> Option<Usage> {
    let object = value.as_object()?;
    let counts = Counts { object };
    if counts.any(&["promptTokenCount", "candidatesTokenCount"]) {
        return Some(counts.gemini());
    }
    if counts.any(&["prompt_tokens", "completion_tokens"]) {
        return Some(counts.chat());
    }
    if counts.any(&["inputTokens", "outputTokens"]) {
        return Some(counts.apart("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"));
    }
    if counts.any(&["input_tokens", "output_tokens"]) {
        let details = object.contains_key("input_tokens_details");
        let messages = counts.any(&["cache_read_input_tokens", "cache_creation_input_tokens"]);
        return Some(if messages && !details { counts.messages() } else { counts.responses() });
    }
    counts.any(&["input", "output"]).then(|| counts.own())
}

struct Counts<'v> {
    object: &'v Object,
}

impl Counts<'_> {
    fn any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.object.get(*name).is_some_and(Value::is_number))
    }

    fn get(&self, name: &str) -> u64 {
        count(self.object.get(name))
    }

    fn inner(&self, outer: &str, name: &str) -> u64 {
        count(self.object.get(outer).and_then(|object| object.get(name)))
    }

    fn chat(&self) -> Usage {
        let input = self.get("prompt_tokens");
        let reasoning = self.inner("completion_tokens_details", "reasoning_tokens");
        let mut output = self.get("completion_tokens");
        // xAI leaves reasoning out of `completion_tokens` and only its total tells (docs.x.ai/docs/guides/reasoning).
        if reasoning > 0 && self.get("total_tokens") == input.saturating_add(output).saturating_add(reasoning) {
            output = output.saturating_add(reasoning);
        }
        let cached = self
            .inner("prompt_tokens_details", "cached_tokens")
            .max(self.get("prompt_cache_hit_tokens"))
            .max(self.get("cache_read_input_tokens"))
            .min(input);
        let written = self
            .inner("prompt_tokens_details", "cache_write_tokens")
            .max(self.inner("prompt_tokens_details", "cache_creation_tokens"))
            .max(self.get("cache_creation_input_tokens"))
            .min(input - cached);
        Usage { input, cached, cache_write: written, output, reasoning: reasoning.min(output), ..Usage::default() }
    }

    fn responses(&self) -> Usage {
        let (input, output) = (self.get("input_tokens"), self.get("output_tokens"));
        let cached = self.inner("input_tokens_details", "cached_tokens").min(input);
        let reasoning = self.inner("output_tokens_details", "reasoning_tokens").min(output);
        Usage { input, cached, output, reasoning, ..Usage::default() }
    }

    fn messages(&self) -> Usage {
        let usage =
            self.apart("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens");
        let hour = self.inner("cache_creation", "ephemeral_1h_input_tokens").min(usage.cache_write);
        Usage { cache_write_1h: hour, ..usage }
    }

    /// Where cached input is not part of the input.
    fn apart(&self, input: &str, output: &str, read: &str, written: &str) -> Usage {
        let (cached, cache_write) = (self.get(read), self.get(written));
        let input = self.get(input).saturating_add(cached).saturating_add(cache_write);
        Usage { input, cached, cache_write, output: self.get(output), ..Usage::default() }
    }

    fn gemini(&self) -> Usage {
        let input = self.get("promptTokenCount").saturating_add(self.get("toolUsePromptTokenCount"));
        let reasoning = self.get("thoughtsTokenCount");
        Usage {
            input,
            cached: self.get("cachedContentTokenCount").min(input),
            output: self.get("candidatesTokenCount").saturating_add(reasoning),
            reasoning,
            ..Usage::default()
        }
    }

    /// As our own decision records say it.
    fn own(&self) -> Usage {
        Usage {
            input: self.get("input"),
            cached: self.get("cached"),
            cache_write: self.get("cache_write"),
            cache_write_1h: self.get("cache_write_1h"),
            output: self.get("output"),
            reasoning: self.get("reasoning"),
            estimated: self.object.get("estimated").and_then(Value::as_bool).unwrap_or(false),
        }
    }
}

/// Some databases write whole numbers as floats.
fn count(value: Option<&Value>) -> u64 {
    let Some(value) = value else { return 0 };
    value.as_u64().unwrap_or_else(|| {
        let float = value.as_f64().unwrap_or(0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
        let count = float as u64;
        count
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn usage_is_read_in_every_vendors_spelling() {
        let plain = |input, cached, output, reasoning| Usage { input, cached, output, reasoning, ..Usage::default() };
        for (written, expected) in [
            (
                json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
                       "prompt_tokens_details": {"cached_tokens": 4},
                       "completion_tokens_details": {"reasoning_tokens": 3}}),
                plain(10, 4, 5, 3),
            ),
            (
                json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 18,
                       "completion_tokens_details": {"reasoning_tokens": 3}}),
                plain(10, 0, 8, 3),
            ),
            (json!({"prompt_tokens": 10, "prompt_cache_hit_tokens": 8, "completion_tokens": 1}), plain(10, 8, 1, 0)),
            (
                json!({"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 5,
                       "output_tokens_details": {"reasoning_tokens": 3}}),
                plain(10, 4, 5, 3),
            ),
            (
                json!({"input_tokens": 10, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 6,
                       "cache_creation": {"ephemeral_1h_input_tokens": 2}, "output_tokens": 5}),
                Usage { input: 20, cached: 4, cache_write: 6, cache_write_1h: 2, output: 5, ..Usage::default() },
            ),
            (
                json!({"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 3,
                       "cachedContentTokenCount": 4}),
                plain(10, 4, 8, 3),
            ),
            (json!({"inputTokens": 10, "cacheReadInputTokens": 4, "outputTokens": 5}), plain(14, 4, 5, 0)),
            (json!({"input": 10, "cached": 4, "output": 5, "reasoning": 3}), plain(10, 4, 5, 3)),
        ] {
            assert_eq!(usage(&written), Some(expected), "{written}");
        }
        assert_eq!(usage(&json!({"queue_time": 1})), None);
        assert_eq!(usage(&json!({"prompt_tokens": null})), None);
    }
}
