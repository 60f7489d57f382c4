//! The words of the format that whole answers, streams and corrections share.

use crate::chat::Finish;
use crate::wire::json::{JsonError, JsonResult, Kind, Scanner, Str};
use crate::wire::provider_error::{ProviderError, read_error, read_error_event};

/// The next value if it is a text; any other is passed over.
pub(in crate::wire::anthropic) fn text<'a>(scanner: &mut Scanner<'a>) -> JsonResult<Option<Str<'a>>> {
    if scanner.is(Kind::String) {
        return scanner.string().map(Some);
    }
    scanner.skip()?;
    Ok(None)
}

/// Why an answer ended, by its `stop_reason` and `stop_sequence`
/// (platform.claude.com/docs/en/build-with-claude/handling-stop-reasons). Some servers of this format let Chat's words
/// through.
pub(in crate::wire::anthropic) fn finish(reason: &[u8], sequence: Option<String>) -> Finish {
    match canonical(reason) {
        Some("end_turn") => Finish::Stop,
        Some("max_tokens" | "model_context_window_exceeded") => Finish::Length,
        Some("stop_sequence") => Finish::StopSequence(sequence),
        Some("tool_use") => Finish::ToolCalls,
        Some("pause_turn") => Finish::Pause,
        Some("refusal") => Finish::Refusal,
        _ => Finish::Other(String::from_utf8_lossy(reason).into_owned()),
    }
}

/// The format's own word for a `stop_reason`; `None`: it has none.
pub(in crate::wire::anthropic) fn canonical(reason: &[u8]) -> Option<&'static str> {
    Some(match reason {
        b"end_turn" | b"stop" => "end_turn",
        b"max_tokens" | b"length" => "max_tokens",
        b"stop_sequence" => "stop_sequence",
        b"tool_use" | b"tool_calls" | b"function_call" => "tool_use",
        b"pause_turn" => "pause_turn",
        b"refusal" | b"content_filter" => "refusal",
        b"model_context_window_exceeded" => "model_context_window_exceeded",
        _ => return None,
    })
}

/// `stop_reason` and `stop_sequence` of an answer; `refused`: some of it is a refusal. An answer without an end has none.
pub(in crate::wire::anthropic) fn stop(finish: Option<&Finish>, refused: bool) -> (Option<&'static str>, Option<&str>) {
    let reason = match finish {
        None => return (None, None),
        Some(Finish::StopSequence(sequence)) => return (Some("stop_sequence"), sequence.as_deref()),
        Some(Finish::Stop) if refused => "refusal",
        Some(Finish::Stop | Finish::Other(_)) => "end_turn",
        Some(Finish::Length) => "max_tokens",
        Some(Finish::ToolCalls) => "tool_use",
        Some(Finish::ContentFilter | Finish::Refusal) => "refusal",
        Some(Finish::Pause) => "pause_turn",
    };
    (Some(reason), None)
}

/// The error that a body or an event is, its status told from its type.
pub(in crate::wire::anthropic) fn error(data: &[u8]) -> ProviderError {
    let mut status = None;
    let mut scanner = Scanner::lenient(data);
    // What cannot be read here cannot be read below either, and is told there.
    let _ = scanner.object(|scanner, key| {
        if key.name != b"error" || !scanner.is(Kind::Object) {
            return scanner.skip();
        }
        scanner.object(|scanner, key| {
            if key.name == b"type" {
                status = text(scanner)?.and_then(|kind| status_of(kind.raw()));
                return Ok(());
            }
            scanner.skip()
        })?;
        Ok::<_, Box<JsonError>>(())
    });
    match status {
        Some(status) => read_error(status, data),
        None => read_error_event(data),
    }
}

/// The status that goes with an error's type (platform.claude.com/docs/en/api/errors).
fn status_of(kind: &[u8]) -> Option<u16> {
    Some(match kind {
        b"invalid_request_error" => 400,
        b"authentication_error" => 401,
        b"billing_error" => 402,
        b"permission_error" => 403,
        b"not_found_error" => 404,
        b"request_too_large" => 413,
        b"rate_limit_error" => 429,
        b"api_error" => 500,
        b"timeout_error" => 504,
        b"overloaded_error" => 529,
        _ => return None,
    })
}
