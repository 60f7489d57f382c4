//! A request of any endpoint as an [`Ask`], and what depends on the format before there is an answer.

use serde_json::json;

use super::ask::{self, Ask};
use super::endpoint::{Endpoint, Format, Line};
use super::refusal::Refusal;
use super::script::Script;
use super::{completions, embeddings, gemini, messages, responses};

/// Reads and judges a body. What cannot be read at all is refused; else the judgement stands in the ask.
pub(super) fn read<'a>(endpoint: Endpoint, line: &Line<'_>, body: &'a [u8]) -> Result<Ask<'a>, Refusal> {
    if endpoint == Endpoint::Chat {
        return ask::read(body);
    }
    let body = ask::object(body, endpoint.format())?;
    match endpoint {
        Endpoint::Chat => Err(Refusal::new(500, "chat is read without a tree")),
        Endpoint::Completions => completions::read(body),
        Endpoint::Embeddings => embeddings::read_openai(body),
        Endpoint::Responses => responses::read(body),
        Endpoint::Messages | Endpoint::CountTokens => messages::read(body, line, endpoint),
        Endpoint::Generate | Endpoint::StreamGenerate => gemini::read(body, line, endpoint),
        Endpoint::EmbedContent | Endpoint::BatchEmbed => embeddings::read_gemini(body, line, endpoint),
    }
}

/// The refusal of a model that the script does not list.
pub(super) fn no_model(model: &str, format: Format) -> Refusal {
    match format {
        Format::Openai | Format::Responses => {
            Refusal::new(404, format!("The model `{model}` does not exist.")).about("model", "model_not_found")
        }
        Format::Anthropic => Refusal::new(404, format!("model: {model}")),
        Format::Gemini => Refusal::new(
            404,
            format!(
                "models/{model} is not found for API version v1beta, or is not supported for generateContent. Call \
                 ModelService.ListModels to see the list of available models and their supported methods."
            ),
        ),
    }
}

/// The list of models.
pub(super) fn models(script: &Script, format: Format) -> String {
    let mut names: Vec<&str> = script.models.keys().map(String::as_str).collect();
    if names.is_empty() {
        names.push("scripted");
    }
    let mut models = Vec::with_capacity(names.len());
    for name in &names {
        models.push(match format {
            Format::Openai | Format::Responses => {
                json!({"id": name, "object": "model", "created": 0, "owned_by": "scripted"})
            }
            Format::Anthropic => {
                json!({"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"})
            }
            Format::Gemini => json!({
                "name": format!("models/{name}"), "version": "scripted", "displayName": name,
                "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "batchEmbedContents"],
            }),
        });
    }
    match format {
        Format::Openai | Format::Responses => json!({"object": "list", "data": models}).to_string(),
        Format::Anthropic => {
            json!({"data": models, "has_more": false, "first_id": names.first(), "last_id": names.last()}).to_string()
        }
        Format::Gemini => json!({ "models": models }).to_string(),
    }
}
