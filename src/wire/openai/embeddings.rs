//! OpenAI's Embeddings: checked and passed on.

use bytes::Bytes;

use super::input::{self, Size};
use super::request::values::{expect, model, natural, optional};
use super::types::read_usage;
use crate::chat::{Edits, Format, OwnEffort, Request, Usage};
use crate::wire::Shape;
use crate::wire::fault::{Fault, What};
use crate::wire::json::{JsonError, Key, Kind, Members, Scanner, escaped, splice};
use crate::wire::provider_error::read_error_event;
use crate::wire::request_error::RequestError;
use crate::wire::stream::AnswerError;

/// What one pass finds.
#[derive(Debug, Default)]
struct Found {
    model: Option<String>,
    input: Option<Size>,
    edits: Edits,
}

/// Reads an embedding request. The body is checked to its last byte, as that of a chat request is.
///
/// # Errors
/// What is wrong, where, in the words of OpenAI's API.
pub fn judge(body: Bytes) -> Result<Request, RequestError> {
    let mut found = Found::default();
    found.scan(&body)?;
    let model = found.model.ok_or_else(|| Fault::missing("model"))?;
    let input = found.input.ok_or_else(|| Fault::missing("input"))?;
    Ok(Request {
        format: Format::Embeddings,
        model,
        stream: false,
        include_usage: false,
        max_output_tokens: None,
        n: 1,
        tools: 0,
        media: 0,
        unscanned: input.has_tokens(),
        counted_only: false,
        hosted: None,
        state: None,
        in_tool_loop: false,
        // The same input has the same embedding.
        sampled: false,
        effort: OwnEffort::Unsaid,
        steered: false,
        input_tokens_estimate: input.estimate(),
        edits: found.edits,
        body,
    })
}

impl Found {
    fn scan(&mut self, body: &[u8]) -> Result<(), Fault> {
        let mut scanner = Scanner::strict(body)?;
        expect(&mut scanner, Kind::Object)?;
        scanner.object(|scanner, key| self.member(scanner, key))?;
        Ok(scanner.end()?)
    }

    fn member(&mut self, scanner: &mut Scanner<'_>, key: Key<'_>) -> Result<(), Fault> {
        let value_at = scanner.position();
        match key.name {
            b"model" => {
                let (model, span) = model(scanner)?;
                (self.model, self.edits.model) = (Some(model), span);
            }
            b"input" => {
                self.input = Some(input::read(scanner)?);
                self.edits.messages = value_at..scanner.position();
            }
            b"dimensions" => {
                natural(scanner)?;
            }
            b"encoding_format" if optional(scanner, Kind::String)? => {
                if !matches!(&*scanner.string()?.bytes(), b"float" | b"base64") {
                    return Err(What::Value("supported values are 'float' and 'base64'").into());
                }
            }
            _ => scanner.skip()?,
        }
        Ok(())
    }
}

/// The body for an attempt: the client's bytes, but for the model's name.
#[must_use]
pub fn pass(request: &Request, shape: &Shape<'_>) -> Bytes {
    let model = escaped(shape.model);
    let inside = request.edits.model.start + 1..request.edits.model.end.saturating_sub(1);
    if request.body.get(inside.clone()) == Some(&model) {
        return request.body.clone();
    }
    splice(&request.body, &[(inside, &model)]).into()
}

/// Tokens of an embeddings answer, if the provider counted them.
///
/// # Errors
/// The body is no such answer.
pub fn usage(body: &[u8]) -> Result<Option<Usage>, AnswerError> {
    let mut scanner = Scanner::lenient(body);
    let (mut tokens, mut listed, mut failed) = (None, false, false);
    scanner.object(|scanner, key| {
        match key.name {
            b"usage" => tokens = read_usage(scanner)?,
            b"error" if !scanner.is(Kind::Null) => {
                failed = true;
                scanner.skip()?;
            }
            b"data" => {
                listed = true;
                scanner.skip()?;
            }
            _ => scanner.skip()?,
        }
        Ok::<_, Box<JsonError>>(())
    })?;
    scanner.end()?;
    if failed {
        return Err(AnswerError::Provider(read_error_event(body)));
    }
    if listed { Ok(tokens) } else { Err(AnswerError::NoChoices) }
}

/// Whether a client wants its vectors as base64 instead of numbers.
#[must_use]
pub fn in_base64(request: &Request) -> bool {
    request.format == Format::Embeddings
        && std::str::from_utf8(&request.body)
            .ok()
            .and_then(|body| Members::of_text(body, "").ok()?.text("encoding_format").ok()?)
            .is_some_and(|encoding| encoding == "base64")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::dialect::ReasoningModel;
    use crate::wire::openai::request::tests::plain;
    use crate::wire::recorded;

    fn read(body: &str) -> Result<Request, RequestError> {
        judge(Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn only_the_model_is_rewritten() {
        let body = r#"{"input": ["a", "b"],"dimensions":3,"encoding_format":"base64","model":"auto","x":1.0}"#;
        let request = read(body).unwrap();
        assert_eq!((request.format, request.stream, request.sampled), (Format::Embeddings, false, false));
        let none = ReasoningModel::default();
        assert_eq!(pass(&request, &plain("e\"1", &none)), body.replace("auto", "e\\\"1").as_bytes());
        assert_eq!(pass(&request, &plain("auto", &none)).as_ptr(), request.body.as_ptr());
        assert_eq!(crate::wire::ask::prompt(&request).len(), 2);
    }

    #[test]
    fn tokens_by_their_numbers_are_nothing_that_anybody_here_can_read() {
        for (input, unscanned) in [(r#""a""#, false), (r#"["a","b"]"#, false), ("[1,2]", true), ("[[1],[2]]", true)] {
            let request = read(&format!(r#"{{"model":"m","input":{input}}}"#)).unwrap();
            assert_eq!(request.unscanned, unscanned, "{input}");
        }
    }

    #[test]
    fn every_flaw_names_its_place() {
        for (body, place) in [
            (r#"{"input":"x"}"#, "model"),
            (r#"{"model":"m"}"#, "input"),
            (r#"{"model":"m","input":7}"#, "input"),
            (r#"{"model":"m","input":"x","dimensions":-1}"#, "dimensions"),
            (r#"{"model":"m","input":"x","encoding_format":"int8"}"#, "encoding_format"),
            (r#"{"model":"m","input":"x","user":"a","user":"b"}"#, "user"),
        ] {
            assert_eq!(read(body).unwrap_err().param.as_deref(), Some(place), "{body}");
        }
    }

    #[test]
    fn every_recorded_request_is_read() {
        let recorded = recorded::exchanges("embeddings");
        for exchange in recorded.iter().filter(|exchange| exchange.meta["provider"] == "openai") {
            let request = judge(exchange.sent()).unwrap_or_else(|error| panic!("{}: {error}", exchange.name));
            assert!(request.input_tokens_estimate > 0, "{}", exchange.name);
        }
    }
}
