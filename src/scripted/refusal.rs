//! An error answer, in the shape of each format.

use serde_json::{Value, json};

use super::endpoint::Format;
use super::script::Behaviour;

/// A status and what the error object says. The body also says that it is scripted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) message: String,
    /// `None`: the status's usual one in the format.
    pub(super) kind: Option<String>,
    pub(super) param: Option<String>,
    pub(super) code: Option<String>,
    /// Seconds, for the formats that say so in the body.
    pub(super) retry_after: Option<u64>,
}

impl Refusal {
    /// The request is at fault.
    pub(super) fn new(status: u16, message: impl Into<String>) -> Refusal {
        Refusal { status, message: message.into(), kind: None, param: None, code: None, retry_after: None }
    }

    pub(super) fn about(mut self, param: impl Into<String>, code: &str) -> Refusal {
        self.param = Some(param.into());
        self.code = Some(code.to_owned());
        self
    }

    /// The error a behaviour asks for, for an answer of this status.
    pub(super) fn scripted(behaviour: &Behaviour, status: u16, format: Format) -> Refusal {
        let code = behaviour.error_code.as_deref();
        let mut refusal = match format {
            Format::Openai | Format::Responses => openai(status, code),
            Format::Anthropic => Refusal::new(status, anthropic(status, code)),
            Format::Gemini => Refusal::new(status, gemini(status, code)),
        };
        if let Some(code) = code {
            refusal.code = Some(code.to_owned());
        }
        if let Some(message) = &behaviour.error_message {
            refusal.message.clone_from(message);
        }
        if let Some(kind) = &behaviour.error_type {
            refusal.kind = Some(kind.clone());
        }
        refusal.retry_after = behaviour.retry_after;
        refusal
    }

    /// The JSON body.
    pub(super) fn body(&self, format: Format) -> String {
        self.value(format).to_string()
    }

    pub(super) fn value(&self, format: Format) -> Value {
        let kind = self.kind.as_deref().unwrap_or_else(|| usual_kind(self.status, format));
        match format {
            Format::Openai | Format::Responses => json!({
                "error": { "message": self.message, "type": kind, "param": self.param, "code": self.code },
                "system_fingerprint": super::FINGERPRINT,
            }),
            Format::Anthropic => json!({
                "type": "error",
                "error": { "type": kind, "message": self.message },
                "request_id": "req_scripted",
            }),
            Format::Gemini => {
                let request = json!({"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "scripted"});
                let mut details = vec![request];
                if let Some(seconds) = self.retry_after {
                    let delay = format!("{seconds}s");
                    details.push(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}));
                }
                json!({"error": {
                    "code": self.status, "message": self.message, "status": kind, "details": details,
                }})
            }
        }
    }
}

/// The type (Gemini: the status's name) that goes with a status code.
fn usual_kind(status: u16, format: Format) -> &'static str {
    match (format, status) {
        (Format::Openai | Format::Responses, _) => "invalid_request_error",
        // Source: https://docs.claude.com/en/api/errors
        (Format::Anthropic, 401) => "authentication_error",
        (Format::Anthropic, 402) => "billing_error",
        (Format::Anthropic, 403) => "permission_error",
        (Format::Anthropic, 404) => "not_found_error",
        (Format::Anthropic, 413) => "request_too_large",
        (Format::Anthropic, 429) => "rate_limit_error",
        (Format::Anthropic, 504) => "timeout_error",
        (Format::Anthropic, 529) => "overloaded_error",
        (Format::Anthropic, 500..) => "api_error",
        (Format::Anthropic, _) => "invalid_request_error",
        // Source: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
        (Format::Gemini, 401) => "UNAUTHENTICATED",
        (Format::Gemini, 403) => "PERMISSION_DENIED",
        (Format::Gemini, 404) => "NOT_FOUND",
        (Format::Gemini, 409) => "ABORTED",
        (Format::Gemini, 429) => "RESOURCE_EXHAUSTED",
        (Format::Gemini, 499) => "CANCELLED",
        (Format::Gemini, 501) => "UNIMPLEMENTED",
        (Format::Gemini, 503) => "UNAVAILABLE",
        (Format::Gemini, 504) => "DEADLINE_EXCEEDED",
        (Format::Gemini, 500..) => "INTERNAL",
        (Format::Gemini, _) => "INVALID_ARGUMENT",
    }
}

/// Message, type and code as OpenAI gives them for a status or a code.
/// Source: https://platform.openai.com/docs/guides/error-codes
fn openai(status: u16, code: Option<&str>) -> Refusal {
    const INVALID: &str = "invalid_request_error";
    let (message, kind, usual_code) = match (status, code) {
        (_, Some("context_length_exceeded")) => (
            "This model's maximum context length is 8192 tokens. However, your messages resulted in more (scripted).",
            INVALID,
            None,
        ),
        (_, Some("insufficient_quota")) => (
            "You exceeded your current quota, please check your plan and billing details (scripted).",
            "insufficient_quota",
            None,
        ),
        (401, _) => ("Incorrect API key provided (scripted).", INVALID, Some("invalid_api_key")),
        (403, _) => ("You are not allowed to do this (scripted).", "permission_error", None),
        (404, _) => ("There is no such thing here (scripted).", INVALID, None),
        (429, _) => ("Rate limit reached (scripted).", "rate_limit_error", Some("rate_limit_exceeded")),
        (503, _) => {
            ("The engine is currently overloaded, please try again later (scripted).", "service_unavailable", None)
        }
        (500.., _) => ("The server had an error while processing your request (scripted).", "server_error", None),
        _ => ("The request was refused (scripted).", INVALID, None),
    };
    let param = (code == Some("context_length_exceeded")).then(|| "messages".to_owned());
    let refusal = Refusal { kind: Some(kind.to_owned()), param, ..Refusal::new(status, message) };
    Refusal { code: usual_code.map(str::to_owned), ..refusal }
}

/// Anthropic's message for a status or a code.
fn anthropic(status: u16, code: Option<&str>) -> &'static str {
    match (status, code) {
        (_, Some("context_length_exceeded")) => "prompt is too long: 200001 tokens > 200000 maximum (scripted)",
        (_, Some("insufficient_quota")) => {
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or \
             purchase credits. (scripted)"
        }
        (401, _) => "invalid x-api-key (scripted)",
        (404, _) => "model: unknown (scripted)",
        (413, _) => "Request exceeds the maximum size (scripted)",
        (429, _) => "This request would exceed your organization's rate limit (scripted)",
        (529, _) => "Overloaded (scripted)",
        (500.., _) => "Internal server error (scripted)",
        _ => "The request was refused (scripted)",
    }
}

/// Gemini's message for a status or a code.
fn gemini(status: u16, code: Option<&str>) -> &'static str {
    match (status, code) {
        (_, Some("context_length_exceeded")) => {
            "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576). (scripted)"
        }
        (429, _) | (_, Some("insufficient_quota")) => {
            "You exceeded your current quota, please check your plan and billing details. (scripted)"
        }
        (401, _) => "Request had invalid authentication credentials. (scripted)",
        (403, _) => "Permission denied on this resource. (scripted)",
        (404, _) => "The requested entity was not found. (scripted)",
        (503, _) => "The model is overloaded. Please try again later. (scripted)",
        (504, _) => "The service is unable to finish processing within the deadline. (scripted)",
        (500.., _) => "An internal error has occurred. (scripted)",
        _ => "The request was refused. (scripted)",
    }
}
