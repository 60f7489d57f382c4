//! A whole answer, read in one scan for what the gateway settles by; its bytes go to the client as they are.

use super::types::{finished_well, read_usage};
use crate::chat::Usage;
use crate::wire::json::{JsonError, JsonResult, Kind, Scanner};
use crate::wire::provider_error::Fields;
use crate::wire::stream::AnswerError;

/// What a whole answer says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Tokens, if the provider counted them.
    pub usage: Option<Usage>,
    /// Every choice says why it ended.
    pub complete: bool,
    /// Fit for the cache: at least one choice, and each ended by itself or with tool calls.
    pub good: bool,
    /// How many choices there are.
    pub choices: usize,
}

impl Answer {
    /// Before anything was read.
    pub(super) fn unread() -> Self {
        Self { complete: true, good: true, ..Self::default() }
    }

    /// One choice more; `reason`: why it ended, if it says so.
    pub(super) fn choice(&mut self, reason: Option<&[u8]>) {
        self.choices += 1;
        self.complete &= reason.is_some();
        self.good &= reason.is_some_and(finished_well);
    }

    /// After everything was read.
    pub(super) fn read(mut self) -> Self {
        self.complete &= self.choices > 0;
        self.good &= self.complete;
        self
    }
}

/// Reads a whole answer.
///
/// # Errors
/// The body is no answer: not JSON, without choices, or an error.
pub fn read(body: &[u8]) -> Result<Answer, AnswerError> {
    let mut scanner = Scanner::lenient(body);
    let mut answer = Answer::unread();
    let mut listed = false;
    let mut failed = None;
    scanner.object(|scanner, key| {
        match key.name {
            b"choices" if scanner.is(Kind::Array) => {
                listed = true;
                scanner.array(|scanner, _| choice(scanner, &mut answer))?;
            }
            b"usage" => answer.usage = read_usage(scanner)?,
            b"error" if !scanner.is(Kind::Null) => {
                let mut fields = Fields::default();
                Fields::read(scanner, &mut fields)?;
                failed = Some(fields);
            }
            _ => scanner.skip()?,
        }
        Ok::<_, Box<JsonError>>(())
    })?;
    scanner.end()?;
    if let Some(fields) = failed {
        return Err(AnswerError::Provider(fields.finish(None)));
    }
    if !listed {
        return Err(AnswerError::NoChoices);
    }
    Ok(answer.read())
}

fn choice(scanner: &mut Scanner<'_>, answer: &mut Answer) -> JsonResult<()> {
    let mut reason = None;
    scanner.object(|scanner, key| {
        match key.name {
            b"finish_reason" if scanner.is(Kind::String) => reason = Some(scanner.string()?),
            // OpenRouter reports a failed choice inside it.
            b"error" if !scanner.is(Kind::Null) => {
                answer.good = false;
                scanner.skip()?;
            }
            _ => scanner.skip()?,
        }
        Ok::<_, Box<JsonError>>(())
    })?;
    answer.choice(reason.map(|reason| reason.bytes()).as_deref());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_good_only_if_every_choice_ended_well() {
        for (reasons, complete, good) in [
            (vec![r#""stop""#], true, true),
            (vec![r#""tool_calls""#, r#""stop""#], true, true),
            (vec![r#""stop""#, r#""length""#], true, false),
            (vec![r#""content_filter""#], true, false),
            (vec![r#""stop""#, "null"], false, false),
            (vec![], false, false),
        ] {
            let choices: Vec<String> = reasons.iter().map(|r| format!(r#"{{"finish_reason":{r}}}"#)).collect();
            let answer = read(format!(r#"{{"choices":[{}]}}"#, choices.join(",")).as_bytes()).unwrap();
            assert_eq!((answer.complete, answer.good, answer.choices), (complete, good, reasons.len()), "{reasons:?}");
        }
    }

    #[test]
    fn an_error_under_status_200_is_an_error() {
        let Err(AnswerError::Provider(error)) = read(br#"{"error":{"message":"down","code":503}}"#) else { panic!() };
        assert_eq!((error.status, error.message.as_str()), (503, "down"));
        assert!(read(br#"{"error":null,"choices":[{"finish_reason":"stop"}]}"#).unwrap().good);
        assert_eq!(read(b"{}"), Err(AnswerError::NoChoices));
        assert!(matches!(read(b"<html>"), Err(AnswerError::Json(_))));
        assert!(matches!(read(br#"{"choices":[]} x"#), Err(AnswerError::Json(_))));
    }

    #[test]
    fn usage_is_mapped_from_every_spelling() {
        let usage = |json: &str| read(format!(r#"{{"choices":[],"usage":{json}}}"#).as_bytes()).unwrap().usage;
        assert_eq!(
            usage(
                r#"{"prompt_tokens":10,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"completion_tokens_details":{"reasoning_tokens":5}}"#
            ),
            Some(Usage { input: 10, cached: 4, cache_write: 2, output: 7, reasoning: 5, ..Usage::default() })
        );
        let deepseek = usage(
            r#"{"prompt_tokens":10,"completion_tokens":7,"prompt_cache_hit_tokens":6,"prompt_cache_miss_tokens":4}"#,
        );
        assert_eq!(deepseek.unwrap().cached, 6);
        let apart = usage(
            r#"{"prompt_tokens":10,"completion_tokens":7,"total_tokens":20,"completion_tokens_details":{"reasoning_tokens":3}}"#,
        );
        assert_eq!((apart.unwrap().output, apart.unwrap().reasoning), (10, 3));
        let odd = usage(r#"{"prompt_tokens":12.0,"completion_tokens":null,"prompt_tokens_details":null,"x":[]}"#);
        assert_eq!(odd.unwrap().input, 12);
        assert_eq!(usage("null"), None);
        assert_eq!(usage("{}"), None);
    }
}
