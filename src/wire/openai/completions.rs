//! OpenAI's legacy Completions: checked and passed on, to a target that speaks them too.

use bytes::Bytes;

use super::input::{self, Size};
use super::request::trim::Trim;
use super::request::values::{choices, expect, flag, is_zero, model, natural, number, optional};
use crate::chat::{Edits, Format, OwnEffort, Request, Text};
use crate::wire::Shape;
use crate::wire::fault::Fault;
use crate::wire::json::{Key, Kind, Scanner};
use crate::wire::request_error::RequestError;

/// What one pass finds.
#[derive(Debug, Default)]
struct Found {
    model: Option<String>,
    prompt: Option<Size>,
    stream: bool,
    include_usage: bool,
    max_tokens: Option<u64>,
    n: Option<u32>,
    cold: bool,
    seed: bool,
    edits: Edits,
    trim: Trim,
}

/// Reads a completion request. The body is checked to its last byte, as that of a chat request is.
///
/// # Errors
/// What is wrong, where, in the words of OpenAI's API.
pub fn judge(body: Bytes) -> Result<Request, RequestError> {
    let mut found = Found::default();
    found.scan(&body)?;
    let model = found.model.ok_or_else(|| Fault::missing("model"))?;
    let prompt = found.prompt.ok_or_else(|| Fault::missing("prompt"))?;
    Ok(Request {
        format: Format::Completions,
        model,
        stream: found.stream,
        include_usage: found.include_usage,
        max_output_tokens: found.max_tokens,
        n: found.n.unwrap_or(1),
        tools: 0,
        media: 0,
        unscanned: prompt.has_tokens(),
        counted_only: false,
        hosted: None,
        state: None,
        in_tool_loop: false,
        sampled: !found.cold && !found.seed,
        effort: OwnEffort::Unsaid,
        steered: false,
        input_tokens_estimate: prompt.estimate(),
        edits: found.edits,
        body,
    })
}

impl Found {
    fn scan(&mut self, body: &[u8]) -> Result<(), Fault> {
        let mut scanner = Scanner::strict(body)?;
        expect(&mut scanner, Kind::Object)?;
        scanner.object(|scanner, key| self.member(scanner, key))?;
        scanner.end()?;
        self.edits.without_effect = std::mem::take(&mut self.trim).end();
        Ok(())
    }

    fn member(&mut self, scanner: &mut Scanner<'_>, key: Key<'_>) -> Result<(), Fault> {
        let key_at = key.span().start;
        self.trim.begin(key_at);
        let value_at = scanner.position();
        match key.name {
            b"model" => {
                let (model, span) = model(scanner)?;
                (self.model, self.edits.model) = (Some(model), span);
            }
            b"prompt" => {
                self.prompt = Some(input::read(scanner)?);
                self.edits.messages = value_at..scanner.position();
            }
            b"stream" => {
                self.stream = flag(scanner)?.unwrap_or(false);
                self.trim.cut(key_at..scanner.position());
                return Ok(());
            }
            b"stream_options" => {
                self.stream_options(scanner)?;
                self.edits.stream_options = Some(value_at..scanner.position());
                self.trim.cut(key_at..scanner.position());
                return Ok(());
            }
            b"max_tokens" => {
                self.max_tokens = natural(scanner)?;
                self.edits.others.push(("max_tokens", value_at..scanner.position()));
            }
            b"n" => self.n = choices(scanner)?,
            b"temperature" => self.cold = number(scanner)?.is_some_and(is_zero),
            b"seed" => self.seed = number(scanner)?.is_some(),
            _ => scanner.skip()?,
        }
        self.trim.keep(scanner.position());
        Ok(())
    }

    fn stream_options(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        if !optional(scanner, Kind::Object)? {
            return Ok(scanner.skip()?);
        }
        scanner.object(|scanner, key| {
            if key.name == b"include_usage" {
                self.include_usage = flag(scanner)?.unwrap_or(false);
            } else {
                scanner.skip()?;
            }
            Ok::<_, Fault>(())
        })
    }
}

/// The texts to be completed, for those who judge the prompt.
#[must_use]
pub fn prompt(request: &Request) -> Vec<Text> {
    input::texts(request)
}

/// The body for an attempt, as [`request::pass`](super::request::pass) makes it.
#[must_use]
pub fn pass(request: &Request, shape: &Shape<'_>) -> Bytes {
    super::request::pass(request, shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::dialect::ReasoningModel;
    use crate::wire::openai::request::tests::plain;
    use crate::wire::recorded;

    fn read(body: &str) -> Request {
        judge(Bytes::copy_from_slice(body.as_bytes())).unwrap()
    }

    #[test]
    fn every_form_of_a_prompt_is_read_and_counted() {
        for (prompt, texts, tokens) in [
            (r#""once upon""#, vec!["once upon"], 3),
            (r#"["a","b\u00fc"]"#, vec!["a", "bü"], 2),
            ("[1,2,3]", vec![], 3),
            ("[[1,2],[3]]", vec![], 3),
        ] {
            let request = read(&format!(r#"{{"model":"m","prompt":{prompt},"max_tokens":9,"n":2,"stream":true}}"#));
            let found: Vec<String> = super::prompt(&request).into_iter().map(|text| text.text).collect();
            assert_eq!(
                (found, request.input_tokens_estimate),
                (texts.iter().map(|t| (*t).to_owned()).collect(), tokens)
            );
            assert_eq!((request.n, request.max_output_tokens, request.stream), (2, Some(9), true));
        }
        for (body, place) in [
            (r#"{"prompt":"x"}"#, "model"),
            (r#"{"model":"m"}"#, "prompt"),
            (r#"{"model":"m","prompt":{}}"#, "prompt"),
            (r#"{"model":"m","prompt":[true]}"#, "prompt[0]"),
            (r#"{"model":"m","prompt":[["x"]]}"#, "prompt[0][0]"),
            (r#"{"model":"m","prompt":"x","prompt":"y"}"#, "prompt"),
        ] {
            let error = judge(Bytes::copy_from_slice(body.as_bytes())).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(place), "{body}");
        }
    }

    #[test]
    fn a_stream_asks_for_usage_and_the_limit_is_cut() {
        let request = read(r#"{"model":"a","prompt":"x","max_tokens":900,"stream":true}"#);
        let none = ReasoningModel::default();
        let shape = Shape { max_output: Some(100), ..plain("b", &none) };
        let expected =
            r#"{"model":"b","stream_options":{"include_usage":true},"prompt":"x","max_tokens":100,"stream":true}"#;
        assert_eq!(pass(&request, &shape), expected.as_bytes());
        let key: Vec<u8> = crate::wire::ask::cache_view(&request).flatten().copied().collect();
        assert_eq!(key, br#"{"model":"a","prompt":"x","max_tokens":900}"#);
    }

    #[test]
    fn every_recorded_request_is_read() {
        for exchange in recorded::exchanges("completions") {
            let request = judge(exchange.sent()).unwrap_or_else(|error| panic!("{}: {error}", exchange.name));
            assert!(!prompt(&request).is_empty(), "{}", exchange.name);
        }
    }
}
