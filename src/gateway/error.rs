//! Where every step's error meets: which status, which word for the record, what the client may read.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::client::BodyError;
use crate::chat::Format;
use crate::id::RequestId;
use crate::wire::{Envelope, Refusal, anthropic, openai, passage, responses};

/// Tells the official SDKs not to repeat a request that cannot succeed.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// A request that gets no model's answer. Refusals by policy or limit are ordinary answers and take this way too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayError {
    /// The code, which fixes status and type.
    pub code: Code,
    /// What the client reads. Never holds prompts, keys or internal hosts.
    pub message: String,
    /// Which field of the request is meant.
    pub param: Option<String>,
    /// When trying again may help.
    pub retry_after: Option<Duration>,
}

/// CONTRACT's error codes, as far as they can occur yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    InvalidRequest,
    LabelInvalid,
    UnsupportedInFormat,
    ServerToolDenied,
    ContextLengthExceeded,
    ContentFilter,
    InvalidApiKey,
    PolicyDenied,
    PermissionDenied,
    ModelNotFound,
    NotFound,
    NotProxied,
    MethodNotAllowed,
    BodyTooLarge,
    BodyTooSlow,
    UnsupportedMediaType,
    RateLimitExceeded,
    UpstreamError,
    UpstreamCredential,
    NoHealthyTarget,
    Overloaded,
    UpstreamTimeout,
}

impl Code {
    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest
            | Self::LabelInvalid
            | Self::UnsupportedInFormat
            | Self::ServerToolDenied
            | Self::ContextLengthExceeded
            | Self::ContentFilter => StatusCode::BAD_REQUEST,
            Self::InvalidApiKey => StatusCode::UNAUTHORIZED,
            Self::PolicyDenied | Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::ModelNotFound | Self::NotFound | Self::NotProxied => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RateLimitExceeded => StatusCode::TOO_MANY_REQUESTS,
            Self::UpstreamError | Self::UpstreamCredential => StatusCode::BAD_GATEWAY,
            Self::NoHealthyTarget | Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The word a program matches on; also the metric word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::InvalidRequest | Self::BodyTooLarge | Self::BodyTooSlow | Self::UnsupportedMediaType => {
                "invalid_request"
            }
            Self::LabelInvalid => "label_invalid",
            Self::UnsupportedInFormat => "unsupported_in_format",
            Self::ServerToolDenied => "server_tool_denied",
            Self::ContextLengthExceeded => "context_length_exceeded",
            Self::ContentFilter => "content_filter",
            Self::InvalidApiKey => "invalid_api_key",
            Self::PolicyDenied => "policy_denied",
            Self::PermissionDenied => "permission_denied",
            Self::ModelNotFound => "model_not_found",
            Self::NotFound => "not_found",
            Self::NotProxied => "not_proxied",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RateLimitExceeded => "rate_limit_exceeded",
            Self::UpstreamError => "upstream_error",
            Self::UpstreamCredential => "upstream_credential",
            Self::NoHealthyTarget => "no_healthy_target",
            Self::Overloaded => "overloaded",
            Self::UpstreamTimeout => "upstream_timeout",
        }
    }

    /// OpenAI's error type.
    fn kind(self) -> &'static str {
        match self.status() {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::FORBIDDEN => "permission_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "api_error",
            _ => "invalid_request_error",
        }
    }

    /// Whether the refusal is the gateway's own decision, as opposed to a failure.
    #[must_use]
    pub fn is_denial(self) -> bool {
        matches!(self, Self::PolicyDenied | Self::PermissionDenied | Self::ServerToolDenied | Self::RateLimitExceeded)
    }
}

impl GatewayError {
    /// An error with a message for the client.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), param: None, retry_after: None }
    }

    /// Names the field of the request that is meant.
    #[must_use]
    pub fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Says when trying again may help.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// What a client is told, before its format gives it a shape.
    #[must_use]
    pub fn refusal<'a>(&'a self, request_id: &'a RequestId) -> Refusal<'a> {
        Refusal {
            status: self.code.status().as_u16(),
            kind: self.code.kind(),
            code: self.code.word(),
            message: &self.message,
            param: self.param.as_deref(),
            request_id: request_id.as_str(),
        }
    }

    /// The body in the client's shape.
    #[must_use]
    pub fn body(&self, format: Format, request_id: &RequestId) -> Bytes {
        let refusal = self.refusal(request_id);
        match format {
            Format::Messages => anthropic::error::body(&refusal),
            Format::Responses => responses::error::body(&refusal),
            Format::Chat | Format::Gemini | Format::Completions | Format::Embeddings => openai::error::body(&refusal),
        }
    }

    /// The same in a stream of which nothing but comments has been sent.
    #[must_use]
    pub fn event(&self, format: Format, envelope: Envelope, request_id: &RequestId) -> Bytes {
        passage::failed(format, envelope, &self.refusal(request_id))
    }

    /// Headers that belong to the error itself.
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(after)));
        }
        if self.code == Code::InvalidApiKey {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(self.code, Code::PolicyDenied | Code::PermissionDenied) {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
    }
}

/// Rounded up: a client that waits this long never comes too early.
pub(super) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

impl From<BodyError> for GatewayError {
    fn from(error: BodyError) -> Self {
        let code = match error {
            BodyError::TooLarge { .. } => Code::BodyTooLarge,
            BodyError::Slow { .. } => Code::BodyTooSlow,
            BodyError::NoRoom => {
                return Self::new(Code::Overloaded, error.to_string()).retry_after(Duration::from_secs(1));
            }
            BodyError::Broken => Code::InvalidRequest,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_next_in_its_headers() {
        let headers = |error: GatewayError| {
            let mut headers = HeaderMap::new();
            error.write_headers(&mut headers);
            headers
        };
        let late = headers(GatewayError::new(Code::Overloaded, "").retry_after(Duration::from_millis(1200)));
        assert_eq!((&late[header::RETRY_AFTER], late.get(SHOULD_RETRY)), (&HeaderValue::from(2), None));
        assert_eq!(headers(GatewayError::new(Code::PolicyDenied, ""))[SHOULD_RETRY], "false");
        // RFC 9110, 15.5.2: a 401 names the scheme.
        assert_eq!(headers(GatewayError::new(Code::InvalidApiKey, ""))[header::WWW_AUTHENTICATE], "Bearer");
    }
}
