//! Why an attempt brought nothing, what follows from that, and what the client is told.

use std::net::SocketAddr;
use std::time::Duration;

use crate::chat;
use crate::config::Target;
use crate::gateway::decode;
use crate::gateway::error::{Code, GatewayError};
use crate::upstream::{CallError, Failure, FailureKind};
use crate::wire::ask::Unsendable;
use crate::wire::{AnswerError, StreamError};

/// Why an attempt brought nothing to pass on.
pub(super) enum Failed {
    /// No answer, or one with an error status.
    Exchange(Failure),
    /// An error inside an answer with status 200.
    Inside(Failure),
    /// An answer with status 200 that is none: broken, or cut off before its content.
    Answer(GatewayError),
    /// Nothing was sent: the target's format cannot say it.
    Unsendable(Unsendable),
}

impl Failed {
    pub(super) fn of_stream(error: StreamError, target: &Target, peer: SocketAddr) -> Self {
        match error {
            StreamError::Provider(said) => Self::Inside(Failure::of_said(said, peer)),
            other => Self::Answer(bad_answer(target, &other)),
        }
    }

    pub(super) fn of_answer(error: AnswerError, target: &Target, peer: SocketAddr) -> Self {
        match error {
            AnswerError::Provider(said) => Self::Inside(Failure::of_said(said, peer)),
            other => Self::Answer(bad_answer(target, &other)),
        }
    }
}

impl From<CallError> for Failed {
    fn from(error: CallError) -> Self {
        Self::Exchange(Failure::of_call(error))
    }
}

/// It is full, or was taken away while the request was under way.
pub(super) fn full(target: &Target) -> GatewayError {
    GatewayError::new(
        Code::NoHealthyTarget,
        format!("`{}` takes no more requests at the moment (max_concurrent)", target.name),
    )
    .retry_after(Duration::from_secs(1))
}

/// The key of a request that is under way was revoked: it goes nowhere any more.
pub(super) fn revoked() -> GatewayError {
    GatewayError::new(Code::InvalidApiKey, crate::auth::REFUSED)
}

pub(super) fn speechless(target: &Target, request: &chat::Request) -> GatewayError {
    let message = format!("`{}` does not serve {} requests", target.name, request.format.as_str());
    GatewayError::new(Code::InvalidRequest, message).param("model")
}

/// A 200 that holds no answer.
pub(in crate::gateway) fn bad_answer(target: &Target, error: &impl std::fmt::Display) -> GatewayError {
    let message = format!("the provider `{}` broke off: {error}", target.provider.name);
    GatewayError::new(Code::UpstreamError, scrub(&message, target))
}

impl Failed {
    /// A fault of the request itself says nothing about the target's health.
    pub(super) fn is_the_targets_fault(&self) -> bool {
        match self {
            Self::Exchange(failure) | Self::Inside(failure) => failure.is_the_targets(),
            Self::Answer(_) => true,
            Self::Unsendable(_) => false,
        }
    }

    pub(super) fn into_error(self, target: &Target) -> GatewayError {
        let failure = match self {
            Self::Answer(error) => return error,
            Self::Unsendable(Unsendable::Request(error)) => return decode::refused(error),
            Self::Unsendable(Unsendable::Unsupported(error)) => {
                let message = format!("{}: {error}", target.model);
                return GatewayError::new(Code::UnsupportedInFormat, message).param(error.field);
            }
            Self::Exchange(failure) | Self::Inside(failure) => failure,
        };
        let provider = &target.provider.name;
        let said = || failure.said.as_ref().map(|said| scrub(&said.message, target)).unwrap_or_default();
        let error = match &failure.kind {
            FailureKind::Call(error) if error.is_timeout() => {
                GatewayError::new(Code::UpstreamTimeout, format!("the provider `{provider}` took too long: {error}"))
            }
            FailureKind::Call(error) => {
                GatewayError::new(Code::UpstreamError, format!("the provider `{provider}` gave no answer: {error}"))
            }
            FailureKind::Credential => GatewayError::new(
                Code::UpstreamCredential,
                format!("the provider `{provider}` refused the gateway's own credential; yours is fine"),
            ),
            FailureKind::RateLimited => GatewayError::new(Code::RateLimitExceeded, said()),
            FailureKind::BadRequest => GatewayError::new(Code::InvalidRequest, said()),
            FailureKind::ContextLength => GatewayError::new(Code::ContextLengthExceeded, said()).param("messages"),
            FailureKind::ContentFilter => GatewayError::new(Code::ContentFilter, said()).param("messages"),
            FailureKind::NotFound => GatewayError::new(Code::ModelNotFound, said()).param("model"),
            FailureKind::Status => GatewayError::new(
                Code::UpstreamError,
                format!("the provider `{provider}` answered {}: {}", failure.status.unwrap_or_default(), said()),
            ),
        };
        match failure.retry_after {
            Some(after) => error.retry_after(after),
            None => error,
        }
    }
}

/// A provider's words without our keys and hosts.
fn scrub(message: &str, target: &Target) -> String {
    let keys: Vec<&str> = target.provider.credentials.iter().map(crate::config::Secret::expose).collect();
    let hosts: Vec<&str> = target.provider.endpoints.iter().map(|endpoint| endpoint.authority.as_str()).collect();
    crate::wire::provider_error::scrub(message, &keys, &hosts)
}
