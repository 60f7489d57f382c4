//! Errors in the shape that Anthropic's clients know, whole and inside a stream.

use bytes::Bytes;

use crate::wire::json::Object;
use crate::wire::refusal::Refusal;

/// `{"type":"error","error":{type,message,code,param},"request_id"}`. Clients tell errors apart by their type; our code, which
/// says more, stands beside it.
#[must_use]
pub fn body(refusal: &Refusal<'_>) -> Bytes {
    let mut error = Object::new();
    error.put("type", kind(refusal.status)).put("message", refusal.message).put("code", refusal.code);
    error.put_some("param", refusal.param);
    if refusal.param == Some("thread") && refusal.code == "server_tool_denied" {
        error.raw("details", UNTHREADED);
    }
    let mut whole = Object::new();
    whole.put("type", "error").put("error", error).put("request_id", refusal.request_id);
    whole.finish().into()
}

/// By this Anthropic's own clients know that they are to send the whole conversation each time; their tool runner asks
/// for a thread in its first request.
const UNTHREADED: &str = r#"{"error_code":"thread_unsupported_request","unsupported":["thread"]}"#;

/// The same inside a stream that has begun. Nothing follows: a failed stream has no clean end.
#[must_use]
pub fn event(refusal: &Refusal<'_>) -> Bytes {
    [b"event: error\ndata: ", &body(refusal)[..], b"\n\n"].concat().into()
}

/// Anthropic's type for a status. <https://platform.claude.com/docs/en/api/errors>
fn kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        503 | 529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn refusal(status: u16) -> Refusal<'static> {
        Refusal {
            status,
            kind: "invalid_request_error",
            code: "unsupported_in_format",
            message: "no \"n\"\n",
            param: Some("n"),
            request_id: "req_1",
        }
    }

    #[test]
    fn an_error_has_anthropics_type_and_our_code() {
        let value: Value = serde_json::from_slice(&body(&refusal(400))).unwrap();
        let error = json!({
            "type": "invalid_request_error", "message": "no \"n\"\n", "code": "unsupported_in_format", "param": "n",
        });
        assert_eq!(value, json!({"type": "error", "error": error, "request_id": "req_1"}));
    }

    #[test]
    fn a_client_that_asks_for_a_thread_is_told_to_do_without() {
        let refusal = Refusal { code: "server_tool_denied", param: Some("thread"), ..refusal(400) };
        let value: Value = serde_json::from_slice(&body(&refusal)).unwrap();
        assert_eq!(value["error"]["details"]["error_code"], "thread_unsupported_request");
        assert_eq!(value["error"]["code"], "server_tool_denied");
    }

    #[test]
    fn every_status_has_its_type() {
        for (status, kind) in [
            (401, "authentication_error"),
            (402, "billing_error"),
            (403, "permission_error"),
            (404, "not_found_error"),
            (409, "invalid_request_error"),
            (413, "request_too_large"),
            (422, "invalid_request_error"),
            (429, "rate_limit_error"),
            (500, "api_error"),
            (502, "api_error"),
            (503, "overloaded_error"),
            (504, "timeout_error"),
            (529, "overloaded_error"),
        ] {
            let value: Value = serde_json::from_slice(&body(&refusal(status))).unwrap();
            assert_eq!(value["error"]["type"], kind, "{status}");
        }
    }

    #[test]
    fn an_event_is_one_whole_frame_on_one_line() {
        let event = event(&refusal(529));
        let text = std::str::from_utf8(&event).unwrap();
        let data = text.strip_prefix("event: error\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
        assert!(!data.contains('\n'));
        assert_eq!(serde_json::from_str::<Value>(data).unwrap()["error"]["type"], "overloaded_error");
    }
}
