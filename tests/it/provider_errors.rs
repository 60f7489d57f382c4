//! What a provider's refusals become, and what a provider may not make the gateway do.

use crate::harness::{Setup, Upstream, chat, chat_stream};

/// What one provider's behaviour becomes for a whole answer and a stream.
#[track_caller]
fn becomes(behaviour: &str, status: u16, code: &str) -> String {
    let upstream = Upstream::that(behaviour);
    let gateway =
        Setup::one(&upstream).section("retry: { attempts: 1 }").section("streaming: { commit_after: 30s }").start();
    let streamed = gateway.chat(&chat_stream("small", "hi")).send();
    assert_eq!(streamed.expect_header("content-type"), "application/json", "no stream has begun");
    streamed.must_be_error(status, code);
    gateway.chat(&chat("small", "hi")).send().must_be_error(status, code)
}

#[test]
fn our_credential_refused_is_502_and_not_the_clients_401() {
    becomes("status: 401", 502, "upstream_credential");
    becomes("status: 403", 502, "upstream_credential");
}

#[test]
fn a_refused_key_is_known_whatever_its_status() {
    // As Gemini says it, and as xAI does.
    becomes(
        "status: 400, error_message: 'API key not valid. Please pass a valid API key.'",
        502,
        "upstream_credential",
    );
    becomes(
        "status: 400, body: '{\"code\":\"Client specified an invalid argument\",\"error\":\"Incorrect API key provided: sk***xx. You can obtain an API key from https://console.x.ai.\"}'",
        502,
        "upstream_credential",
    );
}

#[test]
fn the_clients_own_mistake_stays_400() {
    let said = becomes("status: 400, error_message: 'temperature must be at most 2'", 400, "invalid_request");
    assert!(said.contains("temperature must be at most 2"), "the client reads what was wrong: {said}");
    becomes("error_code: context_length_exceeded", 400, "context_length_exceeded");
}

#[test]
fn a_mistake_told_under_status_200_stays_the_clients() {
    let said = r#"{"error":{"message":"maximum context length is 10 tokens","code":400}}"#;
    becomes(&format!("body: '{said}'"), 400, "context_length_exceeded");
    let said = r#"{"error":{"message":"blocked","code":"content_filter"}}"#;
    becomes(&format!("status: 400, body: '{said}'"), 400, "content_filter");
}

#[test]
fn a_model_that_the_provider_does_not_know_is_404() {
    becomes("status: 404", 404, "model_not_found");
}

#[test]
fn other_failures_of_the_provider_are_502() {
    becomes("status: 500", 502, "upstream_error");
    becomes("status: 418", 502, "upstream_error");
    becomes("fin_after: head", 502, "upstream_error");
}

#[test]
fn a_provider_that_is_too_slow_is_504() {
    let upstream = Upstream::that("stall_after: head");
    // A whole answer says nothing before it is complete: only the total time bounds it.
    let (whole, streamed) = (chat("small", "hi"), chat_stream("small", "hi"));
    for (timeouts, body) in [("total: 300ms", &whole), ("total: 300ms", &streamed), ("first_token: 200ms", &streamed)] {
        let gateway = Setup::new()
            .provider("own", &upstream, &format!("timeouts: {{ {timeouts} }}"))
            .model("small", "own", "tier: weak")
            .section("retry: { attempts: 1 }")
            .start();
        gateway.chat(body).send().must_be_error(504, "upstream_timeout");
    }
}

#[test]
fn a_providers_rate_limit_is_429_but_no_denial_of_ours() {
    let upstream = Upstream::that("status: 429, headers: { retry-after: \"7\" }");
    let gateway = Setup::one(&upstream).section("retry: { attempts: 1 }").start();
    let answer = gateway.chat(&chat("small", "hi")).header("x-request-id", "busy").send();
    assert_eq!(answer.expect_header("retry-after"), "7");
    answer.must_be_error(429, "rate_limit_exceeded");
    assert_eq!(gateway.line_of("busy")["outcome"], "error");
}

#[test]
fn a_redirect_is_never_followed() {
    let elsewhere = Upstream::plain();
    for status in [301, 302, 307, 308] {
        let location = format!("{}/v1/chat/completions", elsewhere.origin());
        becomes(&format!("status: {status}, headers: {{ location: \"{location}\" }}"), 502, "upstream_error");
    }
    elsewhere.must_be_untouched();
}

#[test]
fn an_error_shows_neither_our_key_nor_the_providers_address() {
    let upstream = Upstream::that("status: 400, error_message: 'you sent Bearer sk-our-own-secret-0123 to me'");
    let gateway = Setup::new()
        .provider("own", &upstream, "credentials: [{ api_key: \"${KEY}\" }]")
        .model("small", "own", "tier: weak")
        .environment("KEY", "sk-our-own-secret-0123")
        .start();
    let answer = gateway.chat(&chat("small", "hi")).send();
    assert!(!answer.text().contains("sk-our-own-secret"), "{}", answer.text());
    assert!(!answer.text().contains(upstream.origin().trim_start_matches("http://")), "{}", answer.text());
    assert!(!gateway.log().contains("sk-our-own-secret"));
}
