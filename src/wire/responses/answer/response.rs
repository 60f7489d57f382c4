//! The response object around the output.

use crate::chat::{Finish, Json, Usage};
use crate::money::NanoUsd;
use crate::wire::Envelope;
use crate::wire::json::{Members, Object};
use crate::wire::refusal::Refusal;

use super::item::Status;

/// What stays the same in all of one answer's response objects.
#[derive(Clone, Debug)]
pub(in super::super) struct Head {
    id: String,
    model: String,
    created: u64,
}

/// The state of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Ending {
    InProgress,
    Completed,
    /// With the reason, where the format has a word for it.
    Incomplete(Option<String>),
    /// With the `error` object.
    Failed(String),
}

/// Members that every response has, as they are where the request says nothing else.
const DEFAULTS: [(&str, &str); 14] = [
    ("background", "false"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("store", "false"),
    ("temperature", "1.0"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", "\"auto\""),
    ("tools", "[]"),
    ("top_p", "1.0"),
    ("truncation", "\"disabled\""),
];

/// Members that the answer itself says, whatever the request did.
const OWN: [&str; 9] =
    ["id", "object", "created_at", "status", "error", "incomplete_details", "model", "output", "usage"];

/// Codes that the format knows (openai-python, `ResponseError`).
pub(in super::super) const ERROR_CODES: [&str; 21] = [
    "server_error",
    "rate_limit_exceeded",
    "invalid_prompt",
    "data_residency_mismatch",
    "bio_policy",
    "misalignment_policy_violation",
    "vector_store_timeout",
    "invalid_image",
    "invalid_image_format",
    "invalid_base64_image",
    "invalid_image_url",
    "image_too_large",
    "image_too_small",
    "image_parse_error",
    "image_content_policy_violation",
    "invalid_image_mode",
    "image_file_too_large",
    "unsupported_image_media_type",
    "empty_image_file",
    "failed_to_download_image",
    "image_file_not_found",
];

/// The members of the request that an answer repeats, over those that every answer has: the inside of an object.
pub(in super::super) fn echo(request: Option<&Json>) -> String {
    let read = request.and_then(|echo| Members::of_text(echo.text(), "").ok());
    let mut said = read.map(|members| members.rest(|_| false)).unwrap_or_default();
    said.retain(|member| !OWN.contains(&member.name.as_str()));
    let mut object = Object::new();
    for (name, default) in DEFAULTS {
        let place = said.iter().position(|member| member.name == name);
        match place.map(|place| said.remove(place)) {
            Some(member) => object.raw(name, member.value.text()),
            None => object.raw(name, default),
        };
    }
    object.put_named(&said);
    let text = object.finish();
    text.get(1..text.len() - 1).unwrap_or_default().to_owned()
}

impl Head {
    pub(in super::super) fn new(
        id: Option<String>,
        model: Option<String>,
        created: Option<u64>,
        envelope: &Envelope,
    ) -> Self {
        Self {
            id: id.filter(|id| !id.is_empty()).unwrap_or_else(|| envelope.id.clone()),
            model: model.filter(|model| !model.is_empty()).unwrap_or_else(|| envelope.model.clone()),
            created: created.unwrap_or(envelope.created),
        }
    }

    /// The id of the item at `place`: always the same for one answer.
    pub(in super::super) fn item(&self, sort: &str, place: usize) -> String {
        format!("{sort}_{}_{place}", self.id.strip_prefix("resp_").unwrap_or(&self.id))
    }

    /// The response object.
    pub(in super::super) fn response(
        &self,
        ending: &Ending,
        output: &str,
        usage: Option<&Usage>,
        cost: Option<NanoUsd>,
        echo: &str,
    ) -> String {
        let mut object = Object::new();
        object.put("id", &self.id).put("object", "response").put("created_at", self.created);
        object.put("status", ending.status());
        object.raw("error", if let Ending::Failed(error) = ending { error } else { "null" });
        match ending {
            Ending::Incomplete(Some(reason)) => {
                let mut details = Object::new();
                details.put("reason", reason);
                object.raw("incomplete_details", &details.finish())
            }
            _ => object.raw("incomplete_details", "null"),
        };
        object.put("model", &self.model).raw("output", output);
        match usage {
            Some(usage) => object.raw("usage", &usage_json(usage, cost)),
            None => object.raw("usage", "null"),
        };
        let mut text = object.finish();
        text.truncate(text.len() - 1);
        text.push(',');
        text.push_str(echo);
        text.push('}');
        text
    }
}

fn usage_json(usage: &Usage, cost: Option<NanoUsd>) -> String {
    let (mut input, mut output, mut all) = (Object::new(), Object::new(), Object::new());
    input.put("cache_write_tokens", usage.cache_write).put("cached_tokens", usage.cached);
    output.put("reasoning_tokens", usage.reasoning);
    all.put("input_tokens", usage.input).raw("input_tokens_details", &input.finish());
    all.put("output_tokens", usage.output).raw("output_tokens_details", &output.finish());
    all.put("total_tokens", usage.input.saturating_add(usage.output));
    if let Some(cost) = cost {
        all.raw("waypost_cost_usd", &cost.to_string());
    }
    all.finish()
}

impl Ending {
    /// How an answer ends for the client. A model that declined without a word of its own (`refused`: it said one) would
    /// look like a whole answer, so there it is the filter's.
    pub(in super::super) fn of(finish: Option<&Finish>, refused: bool) -> Self {
        let incomplete = |reason: &str| Self::Incomplete(Some(reason.to_owned()));
        match finish {
            Some(Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls | Finish::Pause) => Self::Completed,
            Some(Finish::Refusal) if refused => Self::Completed,
            Some(Finish::Length) => incomplete("max_output_tokens"),
            Some(Finish::ContentFilter | Finish::Refusal) => incomplete("content_filter"),
            Some(Finish::Other(reason)) if matches!(reason.as_str(), "max_messages" | "steered") => incomplete(reason),
            Some(Finish::Other(_)) => Self::Completed,
            None => Self::Incomplete(None),
        }
    }

    /// A failure. The format knows few codes; ours stands before the message where it is none of them.
    pub(in super::super) fn failed(refusal: &Refusal<'_>) -> Self {
        let known = ERROR_CODES.iter().find(|code| **code == refusal.code);
        let code = known.copied().unwrap_or(match refusal.status {
            429 => "rate_limit_exceeded",
            400..=499 => "invalid_prompt",
            _ => "server_error",
        });
        let mut error = Object::new();
        error.put("code", code);
        match known {
            Some(_) => error.put("message", refusal.message),
            None => error.put("message", format!("{}: {}", refusal.code, refusal.message)),
        };
        error.put("param", refusal.param).put("type", refusal.kind);
        Self::Failed(error.finish())
    }

    pub(in super::super) fn status(&self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed(_) => "failed",
        }
    }

    /// The state of the item that was being said when it ended.
    pub(in super::super) fn last_item(&self) -> Status {
        match self {
            Self::Completed => Status::Completed,
            Self::InProgress => Status::InProgress,
            Self::Incomplete(_) | Self::Failed(_) => Status::Incomplete,
        }
    }
}
