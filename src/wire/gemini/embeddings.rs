//! OpenAI's embeddings request as Gemini's `:batchEmbedContents`, and the answer back.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{Format, Request, Usage};
use crate::wire::dialect::Shape;
use crate::wire::json::{List, Members, Misshapen, Object, as_text, elements};
use crate::wire::losses::{Encoded, Losses, Unsupported};
use crate::wire::provider_error::read_error_event;
use crate::wire::stream::AnswerError;

/// Why a request could not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmbeddingsError {
    /// It is no embeddings request.
    #[error(transparent)]
    Misshapen(#[from] Misshapen),
    /// Gemini has no word for a part of it.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

/// A body for `:batchEmbedContents` (<https://ai.google.dev/api/embeddings>), and whether the client wants its numbers in
/// base64.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What goes to the provider.
    pub encoded: Encoded,
    /// `encoding_format` is `base64`.
    pub base64: bool,
}

/// Writes the body for a target from an OpenAI embeddings request.
///
/// # Errors
/// The body is no such request, or its input is tokens.
pub fn encode(request: &Request, shape: &Shape<'_>) -> Result<Asked, EmbeddingsError> {
    let mut losses = Losses::new(shape.drop_unsupported, Format::Gemini.as_str());
    let text = std::str::from_utf8(&request.body).map_err(|_| Misshapen::new("", "must be UTF-8"))?;
    let mut members = Members::of_text(text, "")?;
    members.raw("model");
    let input = members.raw("input").ok_or_else(|| Misshapen::new("input", "is missing"))?;
    let dimensions: Option<u64> = members.typed("dimensions", "a whole number")?;
    let base64 = members.text("encoding_format")?.as_deref() == Some("base64");
    losses.members("", &members.rest(|name| name == "user"))?;

    let model = match shape.model.contains('/') {
        true => shape.model.to_owned(),
        false => format!("models/{}", shape.model),
    };
    let mut requests = List::new();
    for text in texts(input)? {
        let mut part = Object::new();
        part.put("text", text);
        let mut parts = List::new();
        parts.raw(&part.finish());
        let mut content = Object::new();
        content.raw("parts", &parts.finish());
        let mut one = Object::new();
        one.put("model", &model).raw("content", &content.finish()).put_some("outputDimensionality", dimensions);
        requests.raw(&one.finish());
    }
    let mut body = Object::new();
    body.raw("requests", &requests.finish());
    Ok(Asked { encoded: Encoded { body: body.finish().into(), dropped: losses.into_dropped() }, base64 })
}

/// Tokens cannot be said at all: nothing would be left of the request, so they are not dropped either.
fn texts(input: &RawValue) -> Result<Vec<String>, EmbeddingsError> {
    if let Some(text) = as_text(input) {
        return Ok(vec![text]);
    }
    let mut texts = Vec::new();
    for (path, element) in elements(input, "input")? {
        match as_text(element) {
            Some(text) => texts.push(text),
            None if element.get().starts_with(|c: char| c.is_ascii_digit() || c == '[') => {
                return Err(Unsupported { field: "input".to_owned(), target: Format::Gemini.as_str() }.into());
            }
            None => return Err(Misshapen::new(path, "must be a text").into()),
        }
    }
    Ok(texts)
}

/// Writes OpenAI's answer from Gemini's. The numbers keep their text, or become little-endian 32-bit floats in base64.
/// Gemini counts no tokens here: where it does not, `estimate` stands for them.
///
/// # Errors
/// The body holds no embeddings, or an error.
pub fn decode(body: &[u8], model: &str, base64: bool, estimate: u64) -> Result<(Bytes, Usage), AnswerError> {
    let answer: Answer<'_> = serde_json::from_slice(body)?;
    if answer.error.is_some() {
        return Err(AnswerError::Provider(read_error_event(body)));
    }
    let mut data = List::new();
    for (index, embedding) in answer.embeddings.ok_or(AnswerError::NoChoices)?.iter().enumerate() {
        let mut one = Object::new();
        one.put("object", "embedding").put("index", index);
        match base64 {
            true => one.put("embedding", packed(embedding.values)?),
            false => one.raw("embedding", embedding.values.get()),
        };
        data.raw(&one.finish());
    }
    let counted = answer.usage_metadata.and_then(|usage| usage.prompt_token_count);
    let input = counted.unwrap_or(estimate);
    let mut usage = Object::new();
    usage.put("prompt_tokens", input).put("total_tokens", input);
    let mut list = Object::new();
    list.put("object", "list").raw("data", &data.finish()).put("model", model).raw("usage", &usage.finish());
    Ok((list.finish().into(), Usage { input, estimated: counted.is_none(), ..Usage::default() }))
}

fn packed(values: &RawValue) -> Result<String, AnswerError> {
    let values: Vec<f32> = serde_json::from_str(values.get())?;
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Ok(STANDARD.encode(bytes))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow)]
    embeddings: Option<Vec<Embedding<'a>>>,
    usage_metadata: Option<Counted>,
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Embedding<'a> {
    #[serde(borrow)]
    values: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    prompt_token_count: Option<u64>,
}
