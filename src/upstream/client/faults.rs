//! What Pingora's errors mean for a call.

use pingora_core::{BError, ErrorType, RetryType};

use crate::upstream::error::CallError;

/// An error before the request: no connection.
pub(super) fn not_connected(error: BError) -> CallError {
    match error.etype() {
        ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout => CallError::ConnectTimeout,
        ErrorType::TLSHandshakeFailure
        | ErrorType::InvalidCert
        | ErrorType::HandshakeError
        | ErrorType::TLSWantX509Lookup => CallError::Tls(error),
        _ => CallError::Connect(error),
    }
}

/// An error while the head of the request was written: the connection is gone, or the head is not valid.
pub(super) fn unsent(error: BError) -> CallError {
    match error.etype() {
        ErrorType::InvalidHTTPHeader => CallError::Request(error),
        _ => CallError::Closed,
    }
}

/// An error before the head of the answer: closed without a byte of it (nobody answered this request), or broken.
pub(super) fn unanswered(error: BError) -> CallError {
    let context = error.context.as_ref().map_or("", |context| context.as_str());
    let closed = match error.etype() {
        ErrorType::WriteError => true,
        // HTTP/1 says in its text alone how much of a head had come; a test holds the text.
        ErrorType::ConnectionClosed | ErrorType::ReadError if context.starts_with("while reading response headers") => {
            context.ends_with("already read: 0")
        }
        // HTTP/2: shutting down, stream refused unprocessed, or the connection gone.
        ErrorType::ReadError | ErrorType::H2Error => error.retry != RetryType::Decided(false),
        _ => false,
    };
    if closed { CallError::Closed } else { CallError::Protocol(error) }
}
