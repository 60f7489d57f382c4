//! An error answer in OpenAI's shape.

use serde_json::json;

use super::script::Behaviour;

/// A status and the error object that goes with it. The body also says that it is scripted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) message: String,
    pub(super) kind: String,
    pub(super) param: Option<&'static str>,
    pub(super) code: Option<String>,
}

impl Refusal {
    /// An `invalid_request_error`.
    pub(super) fn new(status: u16, message: impl Into<String>) -> Refusal {
        Refusal { status, message: message.into(), kind: "invalid_request_error".to_owned(), param: None, code: None }
    }

    pub(super) fn about(mut self, param: &'static str, code: &str) -> Refusal {
        self.param = Some(param);
        self.code = Some(code.to_owned());
        self
    }

    /// The error a behaviour asks for, for an answer of this status.
    pub(super) fn scripted(behaviour: &Behaviour, status: u16) -> Refusal {
        let code = behaviour.error_code.as_deref();
        let (message, kind, usual_code) = usual(status, code);
        let mut refusal = Refusal::new(status, message);
        refusal.kind = kind.to_owned();
        refusal.code = code.or(usual_code).map(str::to_owned);
        if code == Some("context_length_exceeded") {
            refusal.param = Some("messages");
        }
        if let Some(message) = &behaviour.error_message {
            refusal.message.clone_from(message);
        }
        if let Some(kind) = &behaviour.error_type {
            refusal.kind.clone_from(kind);
        }
        refusal
    }

    /// The JSON body.
    pub(super) fn body(&self) -> String {
        json!({
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            },
            "system_fingerprint": super::FINGERPRINT,
        })
        .to_string()
    }
}

/// Message, type and code as OpenAI gives them for a status or a code.
/// Source: https://platform.openai.com/docs/guides/error-codes
fn usual(status: u16, code: Option<&str>) -> (&'static str, &'static str, Option<&'static str>) {
    const INVALID: &str = "invalid_request_error";
    match (status, code) {
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
    }
}
