//! A stream that waits long for content begins with pings, and still falls over unseen.

use crate::harness::{Setup, Upstream, chat, chat_stream, error_in, is_done, said};

const SHORT: &str = "streaming: { commit_after: 100ms, ping: 100ms }";

fn pings(events: &[String]) -> usize {
    events.iter().filter(|event| event.starts_with(':')).count()
}

#[test]
fn a_long_wait_begins_with_pings_and_ends_with_the_answer() {
    let upstream = Upstream::that("text: at last, before_first_token: 450ms");
    let gateway = Setup::one(&upstream).section(SHORT).section("listen: { cors: [\"https://app.example\"] }").start();
    let mut events = gateway.chat(&chat_stream("small", "hi")).header("origin", "https://app.example").stream();
    assert_eq!(events.status, 200);
    assert_eq!(events.header("access-control-allow-origin"), Some("https://app.example"), "or no page could read it");
    assert_eq!(events.header("x-waypost-cache"), Some("bypass"), "what is known is said");
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    assert_eq!(events.header("x-waypost-model"), None, "it is not known yet who will answer");
    assert!(events.header("x-waypost-decision").is_some());
    let all = events.rest();
    assert!(pings(&all) >= 2, "{all:?}");
    assert_eq!(said(&all), "at last");
    assert!(is_done(&all));
}

#[test]
fn after_the_pings_it_still_falls_over_to_the_next_target() {
    let (first, second) = (Upstream::that("stall_after: head"), Upstream::that("text: from the second"));
    let gateway = Setup::new()
        .provider("first", &first, "timeouts: { first_token: 500ms }")
        .model("small", "first", "tier: weak")
        .provider("second", &second, "")
        .model("small", "second", "tier: weak")
        .section(SHORT)
        .start();
    let answer = gateway.chat(&chat_stream("small", "hi")).send();
    assert_eq!(answer.status, 200);
    assert!(pings(&answer.events()) >= 1, "{}", answer.text());
    assert_eq!(said(&answer.events()), "from the second");
    assert!(is_done(&answer.events()));
    let record = gateway.decision_of(&answer);
    assert_eq!(record["attempts"][1]["target"], "small@second", "the record says who answered");
}

#[test]
fn after_the_pings_a_failure_of_all_is_told_in_band() {
    let upstream = Upstream::that("stall_after: head");
    let gateway = Setup::new()
        .provider("own", &upstream, "timeouts: { first_token: 400ms }")
        .model("small", "own", "tier: weak")
        .section(SHORT)
        .section("retry: { attempts: 1 }")
        .start();
    let answer = gateway.chat(&chat_stream("small", "hi")).send();
    assert_eq!(answer.status, 200, "the status was sent before the failure");
    let error = error_in(&answer.events()).expect("an error event");
    assert_eq!(error["error"]["code"], "upstream_timeout");
    assert!(!answer.text().contains("[DONE]"));
    assert_eq!(gateway.decision_of(&answer)["outcome"], "error");
}

#[test]
fn a_whole_answer_is_never_begun_early() {
    let upstream = Upstream::that("text: at last, before_headers: 450ms");
    let gateway = Setup::one(&upstream).section(SHORT).start();
    let answer = gateway.chat(&chat("small", "hi")).send();
    assert_eq!(answer.said(), "at last");
    assert_eq!(answer.expect_header("x-waypost-model"), "small");
}

#[test]
fn a_quick_stream_has_no_pings() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).section("streaming: { commit_after: 30s }").start();
    let answer = gateway.chat(&chat_stream("small", "hi")).send();
    assert_eq!(pings(&answer.events()), 0);
}
