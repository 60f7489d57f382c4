//! Requests per minute and at once, per key and per tenant, and headers that tell the truth about them.

use crate::harness::{Gone, Setup, Upstream, VirtualKey, chat, eventually, with};

#[test]
fn the_rate_headers_count_down_and_then_it_is_429_with_a_time() {
    let upstream = Upstream::plain();
    let gateway =
        Setup::one(&upstream).section("tenants: [{ name: default, limits: { requests_per_minute: 5 } }]").start();
    for left in (0..5).rev() {
        let answer = gateway.chat(&chat("small", "hi")).send();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.expect_header("x-ratelimit-limit-requests"), "5");
        assert_eq!(answer.expect_header("x-ratelimit-remaining-requests"), left.to_string());
        assert!(answer.expect_header("x-ratelimit-reset-requests").ends_with('s'));
    }
    let refused = gateway.chat(&chat("small", "hi")).send();
    refused.must_be_error(429, "rate_limit_exceeded");
    assert_eq!(refused.expect_header("x-ratelimit-remaining-requests"), "0");
    let wait: u64 = refused.expect_header("retry-after").parse().unwrap();
    assert!((1..=12).contains(&wait), "five a minute are one in twelve seconds: {wait}");
    assert_eq!(upstream.requests(), 5, "a refused request reaches no upstream");
}

#[test]
fn one_keys_limit_is_not_anothers() {
    let upstream = Upstream::plain();
    let (one, other) = (VirtualKey::create(), VirtualKey::create());
    let keys = [one.entry("one", "limits: { requests_per_minute: 1 }"), other.entry("other", "")].join(", ");
    let gateway = Setup::one(&upstream).section(&format!("auth: {{ keys: [{keys}] }}")).start();
    assert_eq!(gateway.chat(&chat("small", "hi")).key(&one.secret).send().status, 200);
    assert_eq!(gateway.chat(&chat("small", "hi")).key(&one.secret).send().status, 429);
    assert_eq!(gateway.chat(&chat("small", "hi")).key(&other.secret).send().status, 200);
}

#[test]
fn a_tenants_limit_holds_for_all_its_keys_together() {
    let upstream = Upstream::plain();
    let (one, other) = (VirtualKey::create(), VirtualKey::create());
    let keys = [one.entry("one", "tenant: acme"), other.entry("other", "tenant: acme")].join(", ");
    let gateway = Setup::one(&upstream)
        .section(&format!("auth: {{ keys: [{keys}] }}"))
        .section("tenants: [{ name: acme, limits: { requests_per_minute: 2 } }]")
        .start();
    let ask = |key: &VirtualKey| gateway.chat(&chat("small", "hi")).key(&key.secret).send().status;
    assert_eq!([ask(&one), ask(&other), ask(&one), ask(&other)], [200, 200, 429, 429]);
}

#[test]
fn a_request_too_many_at_once_is_refused_until_one_ends() {
    let upstream = Upstream::script("{ default: { text: hi }, models: { slow: { stall_after: head } } }");
    let gateway = Setup::one(&upstream)
        .model("slow", "own", "tier: weak")
        .section("tenants: [{ name: default, limits: { concurrent: 1 } }]")
        .start();
    let running = gateway.chat(&chat("slow", "hi")).begin();
    upstream.wait_for("the first request is under way", |stats| stats.open == 1);
    let refused = gateway.chat(&chat("small", "hi")).send();
    refused.must_be_error(429, "rate_limit_exceeded");
    assert!(refused.header("retry-after").is_some());
    running.leave(Gone::Fin);
    eventually("the place is free again", || (gateway.chat(&chat("small", "hi")).send().status == 200).then_some(()));
}

#[test]
fn bodies_beyond_what_may_be_held_at_one_time_are_refused_and_the_place_returns() {
    let upstream = Upstream::script("{ default: { text: hi }, models: { slow: { stall_after: head } } }");
    let gateway = Setup::one(&upstream)
        .model("slow", "own", "tier: weak")
        .section("listen: { max_body: 1MiB, max_inflight: 1MiB }")
        .start();
    let large = |model: &str| with(chat(model, "hi"), "x", "a".repeat(700_000).into());
    let running = gateway.chat(&large("slow")).begin();
    upstream.wait_for("the first is under way", |stats| stats.open == 1);
    let refused = gateway.chat(&large("small")).send();
    refused.must_be_error(503, "overloaded");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(gateway.chat(&chat("small", "hi")).send().status, 200, "a small one still fits");
    running.leave(Gone::Fin);
    eventually("the place is free again", || (gateway.chat(&large("small")).send().status == 200).then_some(()));
    eventually("nothing is held", || (gateway.metric("waypost_inflight_bytes", &[]) == Some(0.0)).then_some(()));
}

#[test]
fn a_model_that_is_full_leaves_its_requests_to_the_next_target() {
    let (first, second) = (Upstream::that("stall_after: head"), Upstream::plain());
    let gateway = Setup::new()
        .provider("first", &first, "")
        .model("small", "first", "tier: weak, max_concurrent: 1")
        .provider("second", &second, "")
        .model("small", "second", "tier: weak")
        .start();
    let running = gateway.chat(&chat("small", "hi")).begin();
    first.wait_for("the first is under way", |stats| stats.open == 1);
    let answer = gateway.chat(&chat("small", "hi")).send();
    assert_eq!((answer.status, answer.expect_header("x-waypost-provider")), (200, "second"));
    let alone = gateway.chat(&chat("first/small", "hi")).send();
    alone.must_be_error(503, "no_healthy_target");
    assert_eq!(alone.expect_header("retry-after"), "1", "zero would have clients come again at once");
    assert_eq!(first.requests(), 1);
    drop(running);
}

#[test]
fn without_a_limit_no_header_pretends_one() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).start();
    let answer = gateway.chat(&chat("small", "hi")).send();
    assert_eq!(answer.header("x-ratelimit-limit-requests"), None);
    assert_eq!(answer.header("x-ratelimit-remaining-tokens"), None, "there is no token limit yet");
}
