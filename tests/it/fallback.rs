//! Until content, a failure is retried or moved to the next target, and the client sees nothing of it.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{Answer, Gateway, Setup, Upstream, chat, chat_stream, free_port, is_done, said, timed};

const RETRY: &str = "retry: { attempts: 3, budget: 1.0 }";

/// `small` at two providers; the first comes first.
fn pair(first: &str, second: &Upstream, timeouts: &str) -> Setup {
    let facts = if timeouts.is_empty() { String::new() } else { format!("timeouts: {{ {timeouts} }}") };
    Setup::new()
        .provider_at("first", first, &facts)
        .model("small", "first", "tier: weak")
        .provider("second", second, "")
        .model("small", "second", "tier: weak")
}

/// A whole answer and a streamed one.
fn both(gateway: &Gateway) -> [Answer; 2] {
    [chat("small", "hi"), chat_stream("small", "hi")].map(|body| gateway.chat(&body).send())
}

/// The answer is the second target's, and whole.
fn comes_from_the_second(gateway: &Gateway, answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.expect_header("x-waypost-provider"), "second");
    if answer.expect_header("content-type") == "text/event-stream" {
        assert_eq!(said(&answer.events()), "from the second", "{}", answer.text());
        assert!(is_done(&answer.events()));
    } else {
        assert_eq!(answer.said(), "from the second");
    }
    let record = gateway.decision_of(answer);
    assert_eq!(record["outcome"], "ok");
    let attempts = record["attempts"].as_array().unwrap();
    assert_eq!(attempts.first().unwrap()["target"], "small@first");
    assert_eq!(attempts.last().unwrap()["target"], "small@second");
    assert_eq!(answer.expect_header("x-waypost-attempts"), attempts.len().to_string());
    record
}

#[test]
fn a_503_is_tried_again_at_the_same_target() {
    let upstream = Upstream::that("text: hi, status: 503, fail_first: 2");
    let gateway = Setup::one(&upstream).section(RETRY).start();
    let answer = gateway.chat(&chat("small", "hi")).send();
    assert_eq!(answer.said(), "hi");
    assert_eq!(answer.expect_header("x-waypost-attempts"), "3");
    assert_eq!(upstream.requests(), 3);
    assert_eq!(gateway.metric("waypost_attempts_total", &[("result", "ok")]), Some(1.0));
    assert_eq!(gateway.metric("waypost_attempts_total", &[("result", "status")]), Some(2.0));
}

#[test]
fn a_429_is_tried_again_no_sooner_than_the_provider_wants() {
    let upstream = Upstream::that("text: hi, status: 429, retry_after: 1, fail_first: 1");
    let gateway = Setup::one(&upstream).section(RETRY).start();
    let (answer, took) = timed(|| gateway.chat(&chat("small", "hi")).send());
    assert_eq!(answer.said(), "hi");
    assert!(took >= Duration::from_secs(1), "{took:?}");
}

#[test]
fn a_429_that_stays_is_passed_on_with_its_time() {
    let upstream = Upstream::that("status: 429, retry_after: 7");
    let gateway = Setup::one(&upstream).section(RETRY).start();
    let answer = gateway.chat(&chat("small", "hi")).send();
    answer.must_be_error(429, "rate_limit_exceeded");
    assert_eq!(answer.expect_header("retry-after"), "7");
}

#[test]
fn retries_are_bounded_by_their_number() {
    let upstream = Upstream::that("status: 500");
    let gateway = Setup::one(&upstream).section(RETRY).start();
    gateway.chat(&chat("small", "hi")).send().must_be_error(502, "upstream_error");
    assert_eq!(upstream.requests(), 3);
}

#[test]
fn a_server_error_falls_over_to_the_next_target_unseen() {
    let (first, second) = (Upstream::that("status: 500"), Upstream::that("text: from the second"));
    let gateway = pair(&first.origin(), &second, "").start();
    for answer in both(&gateway) {
        comes_from_the_second(&gateway, &answer);
    }
    assert_eq!(second.requests(), 2);
}

#[test]
fn a_refused_connection_falls_over() {
    let second = Upstream::that("text: from the second");
    let gateway = pair(&format!("http://127.0.0.1:{}", free_port()), &second, "").start();
    let answer = gateway.chat(&chat("small", "hi")).send();
    let record = comes_from_the_second(&gateway, &answer);
    assert_eq!(record["attempts"][0]["status"], Value::Null);
    assert_eq!(record["attempts"][0]["bytes_sent"], 0, "nothing has left");
}

#[test]
fn a_connection_that_is_closed_or_reset_before_an_answer_falls_over() {
    for how in ["fin_after: head", "rst_after: head"] {
        let (first, second) = (Upstream::that(how), Upstream::that("text: from the second"));
        let gateway = pair(&first.origin(), &second, "").start();
        let answer = gateway.chat(&chat_stream("small", "hi")).send();
        comes_from_the_second(&gateway, &answer);
    }
}

#[test]
fn no_first_token_in_time_falls_over() {
    for how in ["stall_after: head", "text: never seen, stall_after: 0"] {
        let (first, second) = (Upstream::that(how), Upstream::that("text: from the second"));
        let gateway = pair(&first.origin(), &second, "first_token: 300ms").start();
        let answer = gateway.chat(&chat_stream("small", "hi")).send();
        comes_from_the_second(&gateway, &answer);
        assert_eq!(first.stats().open, 0, "{how}: what is not waited for any more is cancelled");
    }
}

#[test]
fn an_error_event_inside_a_200_before_content_falls_over() {
    let (first, second) = (Upstream::that("text: a b, error_after: 0"), Upstream::that("text: from the second"));
    let gateway = pair(&first.origin(), &second, "").start();
    let answer = gateway.chat(&chat_stream("small", "hi")).send();
    comes_from_the_second(&gateway, &answer);
    assert!(!answer.text().contains("error"), "{}", answer.text());
}

#[test]
fn a_broken_answer_falls_over() {
    let (first, second) = (Upstream::that("text: a b, malformed_after: 0"), Upstream::that("text: from the second"));
    let gateway = pair(&first.origin(), &second, "").start();
    for answer in both(&gateway) {
        comes_from_the_second(&gateway, &answer);
    }
    let (first, second) = (Upstream::that("body: '<html>'"), Upstream::that("text: from the second"));
    let gateway = pair(&first.origin(), &second, "").start();
    comes_from_the_second(&gateway, &gateway.chat(&chat("small", "hi")).send());
}

#[test]
fn a_refused_credential_falls_over() {
    let (first, second) = (Upstream::that("status: 401"), Upstream::that("text: from the second"));
    let gateway = pair(&first.origin(), &second, "").start();
    for answer in both(&gateway) {
        comes_from_the_second(&gateway, &answer);
    }
}

#[test]
fn a_request_that_is_itself_at_fault_is_not_asked_again_anywhere() {
    let (first, second) = (Upstream::that("status: 400"), Upstream::plain());
    let gateway = pair(&first.origin(), &second, "").section(RETRY).start();
    gateway.chat(&chat("small", "hi")).send().must_be_error(400, "invalid_request");
    assert_eq!(first.requests(), 1);
    second.must_be_untouched();
}

#[test]
fn a_fallback_keeps_to_the_rules() {
    let (first, second) = (Upstream::that("status: 500"), Upstream::plain());
    let gateway = Setup::new()
        .provider("first", &first, "")
        .model("small", "first", "tier: weak")
        .provider("second", &second, crate::harness::ABROAD)
        .model("small", "second", "tier: weak")
        .start();
    let answer = gateway.chat(&chat("small", "hi")).labels("data-class=personal").send();
    answer.must_be_error(502, "upstream_error");
    second.must_be_untouched();
}

#[test]
fn a_client_that_leaves_while_a_retry_waits_ends_the_request() {
    let upstream = Upstream::that("status: 429, retry_after: 4");
    let gateway = Setup::one(&upstream).section("retry: { attempts: 5, budget: 1.0 }").start();
    let waiting = gateway.chat(&chat("small", "hi")).header("x-request-id", "gone-1").begin();
    upstream.wait_for("the first try", |stats| stats.finished == 1);
    waiting.leave(crate::harness::Gone::Fin);
    assert_eq!(gateway.line_of("gone-1")["outcome"], "cancelled");
    assert_eq!(upstream.requests(), 1);
}

#[test]
fn all_tries_at_a_target_share_its_total_time() {
    let upstream = Upstream::that("status: 503, before_headers: 300ms");
    let gateway = Setup::new()
        .provider("own", &upstream, "timeouts: { total: 500ms }")
        .model("small", "own", "tier: weak")
        .section("retry: { attempts: 9, budget: 1.0 }")
        .start();
    let answer = gateway.chat(&chat("small", "hi")).send();
    assert!([502, 504].contains(&answer.status), "{}", answer.text());
    assert!(upstream.requests() <= 2, "nine tries of 300 ms each are not what 500 ms in all allows");
}
