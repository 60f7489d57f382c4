//! The shape of an answer, the same for a whole one and for a piece of a stream. What is not named here is passed over.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Number;
use serde_json::value::RawValue;

use crate::chat::Usage;
use crate::wire::json::{JsonError, Scanner};
use crate::wire::provider_error::read_error_event;
use crate::wire::stream::StreamError;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chunk<'a> {
    #[serde(borrow)]
    pub(super) candidates: Option<Vec<Candidate<'a>>>,
    pub(super) prompt_feedback: Option<Feedback>,
    pub(super) usage_metadata: Option<Counts>,
    pub(super) response_id: Option<String>,
    pub(super) model_version: Option<String>,
    /// RFC 3339; Vertex only.
    pub(super) create_time: Option<String>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Feedback {
    pub(super) block_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    /// Left out where there is but one.
    pub(super) index: Option<u32>,
    #[serde(borrow)]
    pub(super) content: Option<Content<'a>>,
    pub(super) finish_reason: Option<String>,
    #[serde(borrow)]
    pub(super) logprobs_result: Option<Logprobs<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Content<'a> {
    #[serde(borrow)]
    pub(super) parts: Option<Vec<Part<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'a> {
    pub(super) text: Option<String>,
    /// Whether the text is reasoning.
    pub(super) thought: Option<bool>,
    pub(super) thought_signature: Option<String>,
    #[serde(borrow)]
    pub(super) function_call: Option<Call<'a>>,
    inline_data: Option<IgnoredAny>,
    file_data: Option<IgnoredAny>,
    executable_code: Option<IgnoredAny>,
    code_execution_result: Option<IgnoredAny>,
    tool_call: Option<IgnoredAny>,
    tool_response: Option<IgnoredAny>,
}

impl Part<'_> {
    /// Whether it belongs to a tool that Google itself runs, or is no text.
    pub(super) fn is_foreign(&self) -> bool {
        let known = [&self.inline_data, &self.file_data, &self.executable_code, &self.code_execution_result];
        known.iter().any(|data| data.is_some()) || self.tool_call.is_some() || self.tool_response.is_some()
    }
}

/// A call, or the next piece of the one before (<https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling#streaming-fc>).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Call<'a> {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    #[serde(borrow)]
    pub(super) args: Option<&'a RawValue>,
    pub(super) partial_args: Option<Vec<Piece>>,
    pub(super) will_continue: Option<bool>,
}

/// One value of a call's arguments, or more of a text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Piece {
    /// `$.location`, `$.stops[0].name`
    pub(super) json_path: Option<String>,
    pub(super) string_value: Option<String>,
    pub(super) number_value: Option<Number>,
    pub(super) bool_value: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Logprobs<'a> {
    #[serde(borrow)]
    pub(super) chosen_candidates: Option<Vec<Chance<'a>>>,
    #[serde(borrow)]
    pub(super) top_candidates: Option<Vec<Chances<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Chances<'a> {
    #[serde(borrow)]
    pub(super) candidates: Option<Vec<Chance<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chance<'a> {
    pub(super) token: Option<String>,
    /// A number, as written; left out where it is 0.
    #[serde(borrow)]
    pub(super) log_probability: Option<&'a RawValue>,
}

/// Tokens (<https://ai.google.dev/api/generate-content#UsageMetadata>): thoughts are not among the candidates' tokens,
/// and what tools added to the prompt is not among the prompt's; cached tokens are.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counts {
    prompt_token_count: Option<Number>,
    tool_use_prompt_token_count: Option<Number>,
    cached_content_token_count: Option<Number>,
    candidates_token_count: Option<Number>,
    thoughts_token_count: Option<Number>,
}

impl Counts {
    /// `None`: nothing was counted (a stream's early pieces on Vertex).
    pub(super) fn usage(&self) -> Option<Usage> {
        let all = [&self.prompt_token_count, &self.candidates_token_count, &self.thoughts_token_count];
        if all.iter().all(|count| count.is_none()) {
            return None;
        }
        let of = |count: &Option<Number>| count.as_ref().and_then(Number::as_u64).unwrap_or(0);
        let reasoning = of(&self.thoughts_token_count);
        Some(Usage {
            input: of(&self.prompt_token_count).saturating_add(of(&self.tool_use_prompt_token_count)),
            cached: of(&self.cached_content_token_count),
            output: of(&self.candidates_token_count).saturating_add(reasoning),
            reasoning,
            ..Usage::default()
        })
    }
}

/// Reads an answer or a piece of one.
///
/// # Errors
/// It is an error of the provider, alone or in a list, or no answer.
pub(super) fn read(data: &[u8]) -> Result<Chunk<'_>, StreamError> {
    if data.trim_ascii_start().first() == Some(&b'[') {
        grammar(data)?;
        return Err(match has_error(data) {
            true => StreamError::Provider(read_error_event(data)),
            false => StreamError::Shape("a list instead of an object".to_owned()),
        });
    }
    let chunk: Chunk<'_> = match serde_json::from_slice(data) {
        Ok(chunk) => chunk,
        Err(error) => {
            grammar(data)?;
            return Err(error.into());
        }
    };
    match chunk.error {
        Some(_) => Err(StreamError::Provider(read_error_event(data))),
        None => Ok(chunk),
    }
}

fn has_error(list: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Failed {
        error: Option<IgnoredAny>,
    }
    serde_json::from_slice::<Vec<Failed>>(list).is_ok_and(|all| all.iter().any(|one| one.error.is_some()))
}

fn grammar(data: &[u8]) -> Result<(), Box<JsonError>> {
    let mut scanner = Scanner::lenient(data);
    scanner.skip()?;
    scanner.end()
}
