use super::*;
use crate::wire::openai::error::{error_body, stream_error_event};

#[test]
fn our_error_is_valid_json_whatever_the_message() {
    let body = error_body("a \"b\"\r\n\u{0}", "invalid_request_error", Some("messages[0]"), None);
    let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(read["error"]["message"], "a \"b\"\r\n\u{0}");
    assert_eq!(read["error"]["param"], "messages[0]");
    assert!(read["error"]["code"].is_null());
    let event = stream_error_event("x\ny", "server_error", None, Some("upstream_error"));
    assert_eq!(event.iter().filter(|&&byte| byte == b'\n').count(), 2, "one line of data");
}

#[test]
fn what_a_provider_means_is_recognised() {
    use ProviderErrorKind::*;
    for (status, body, kind) in [
        (400, r#"{"error":{"message":"x","code":"context_length_exceeded"}}"#, ContextLength),
        (
            400,
            r#"{"error":{"code":400,"message":"request (9000 tokens) exceeds the available context size (4096 tokens)","type":"exceed_context_size_error","n_prompt_tokens":9000}}"#,
            ContextLength,
        ),
        (
            400,
            r#"{"object":"error","message":"This model's maximum context length is 1024 tokens.","type":"BadRequestError","code":400}"#,
            ContextLength,
        ),
        (
            400,
            r#"{"error":{"message":"You passed 1015 input tokens and requested 10 output tokens. However, the model's context length is only 1024 tokens","code":400}}"#,
            ContextLength,
        ),
        (400, r#"{"error":{"message":"The response was filtered","code":"content_filter"}}"#, ContentFilter),
        (404, r#"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#, ModelNotFound),
        (404, r#"{"error":"model 'nope:latest' not found"}"#, ModelNotFound),
        (404, r#"{"error":{"code":"DeploymentNotFound","message":"x"}}"#, ModelNotFound),
        (404, "404 page not found", Request),
        (401, "", Credential),
        (
            400,
            r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: ab***yz."}"#,
            Credential,
        ),
        (429, r#"{"error":{"message":"Rate limit reached","type":"tokens","code":"rate_limit_exceeded"}}"#, RateLimit),
        (400, r#"{"error":{"message":"Web search options not supported","param":"web_search_options"}}"#, Request),
        (422, r#"{"detail":[{"loc":["body"],"msg":"field required","type":"missing"}]}"#, Request),
        (503, "<html>maximum context length</html>", Provider),
        (500, r#"{"error":{"message":""}}"#, Provider),
    ] {
        assert_eq!(read_error(status, body.as_bytes()).kind, kind, "{status} {body}");
    }
}

#[test]
fn googles_particulars_are_read() {
    let full = br#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.",
        "status":"RESOURCE_EXHAUSTED","details":["x",{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"m"}]},
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"37s"}]}}"#;
    let error = read_error(429, full);
    assert_eq!((error.kind, error.retry_after), (ProviderErrorKind::RateLimit, Some(Duration::from_secs(37))));
    assert_eq!(error.error_type.as_deref(), Some("RESOURCE_EXHAUSTED"));
    let refused = br#"[{"error":{"code":400,"message":"Bad","status":"INVALID_ARGUMENT","details":[
        {"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}]"#;
    let error = read_error(400, refused);
    assert_eq!((error.kind, error.code.as_deref()), (ProviderErrorKind::Credential, Some("API_KEY_INVALID")));
    let long = br#"{"error":{"code":400,"message":"The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#;
    assert_eq!(read_error(400, long).kind, ProviderErrorKind::ContextLength);
    for (text, seconds) in
        [("1.5s", Some(1.5)), ("-1s", None), ("s", None), ("NaNs", None), ("37", None), ("1e400s", None)]
    {
        assert_eq!(delay(text).map(|delay| delay.as_secs_f64()), seconds, "{text}");
    }
}

#[test]
fn a_providers_text_is_kept_but_bounded() {
    let error = read_error(400, br#"{"error":{"message":"bad\r\nthing","type":"t","param":"p","code":"c"}}"#);
    assert_eq!(
        (error.message.as_str(), error.code.as_deref(), error.param.as_deref()),
        ("bad  thing", Some("c"), Some("p"))
    );
    let long = format!(r#"{{"error":{{"message":"{}"}}}}"#, "é".repeat(5000));
    assert!(read_error(500, long.as_bytes()).message.len() <= 1000);
    assert_eq!(read_error(502, b"<html><body>nginx</body></html>").message, "the provider answered with status 502");
    let nested = read_error(429, br#"{"error":{"message":"Provider returned error","metadata":{"raw":"slow down"}}}"#);
    assert_eq!(nested.message, "Provider returned error: slow down");
}

#[test]
fn our_secrets_and_hosts_are_scrubbed() {
    let text = "Incorrect API key provided: sk-abcd**********wxyz at GPU-Paris.internal:8000, secret hunter2; see disk-full-docs";
    let clean = scrub(text, &["hunter2", ""], &["gpu-paris.internal"]);
    assert_eq!(clean, "Incorrect API key provided: [removed] at [removed]:8000, secret [removed]; see disk-full-docs");
}
