//! Our errors in the shape OpenAI's clients know; that of Chat Completions.

use bytes::Bytes;

use crate::wire::openai::error::error_body;
use crate::wire::refusal::Refusal;

/// A whole error: `{"error":{message,type,param,code}}`.
#[must_use]
pub fn body(refusal: &Refusal<'_>) -> Bytes {
    error_body(refusal.message, refusal.kind, refusal.param, Some(refusal.code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_shape_of_openais() {
        let refusal = Refusal {
            status: 400,
            kind: "invalid_request_error",
            code: "unsupported_in_format",
            message: "`top_k` \"cannot\" be said",
            param: Some("top_k"),
            request_id: "r1",
        };
        let error: serde_json::Value = serde_json::from_slice(&body(&refusal)).unwrap();
        let expected = serde_json::json!({"error": {"message": "`top_k` \"cannot\" be said",
            "type": "invalid_request_error", "param": "top_k", "code": "unsupported_in_format"}});
        assert_eq!(error, expected);
    }
}
