//! Our errors in the shape OpenAI's clients know, whole and inside a stream.

use bytes::Bytes;

use crate::wire::json::quote;
use crate::wire::refusal::Refusal;

/// A refusal as the whole body of an answer.
#[must_use]
pub fn body(refusal: &Refusal<'_>) -> Bytes {
    error_body(refusal.message, refusal.kind, refusal.param, Some(refusal.code))
}

/// A refusal as the last event of a stream that has begun.
#[must_use]
pub fn event(refusal: &Refusal<'_>) -> Bytes {
    stream_error_event(refusal.message, refusal.kind, refusal.param, Some(refusal.code))
}

/// `{"error":{message,type,param,code}}`.
#[must_use]
pub fn error_body(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Bytes {
    let mut body = Vec::with_capacity(message.len() + 96);
    let null_or = |word: Option<&str>| word.map_or_else(|| b"null".to_vec(), quote);
    body.extend_from_slice(br#"{"error":{"message":"#);
    body.extend_from_slice(&quote(message));
    body.extend_from_slice(br#","type":"#);
    body.extend_from_slice(&quote(kind));
    body.extend_from_slice(br#","param":"#);
    body.extend_from_slice(&null_or(param));
    body.extend_from_slice(br#","code":"#);
    body.extend_from_slice(&null_or(code));
    body.extend_from_slice(b"}}");
    body.into()
}

/// The same inside a stream that has begun. No `[DONE]` follows: a failed stream has no clean end.
#[must_use]
pub fn stream_error_event(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Bytes {
    let body = error_body(message, kind, param, code);
    [b"data: ", &body[..], b"\n\n"].concat().into()
}
