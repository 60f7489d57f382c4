//! The exact cache, in memory: only what would come out the same again, and only where it may be kept.

use serde_json::{Value, json};

use crate::harness::{Answer, Gateway, Setup, Upstream, VirtualKey, chat, eventually, is_done, said, with};

const ON: &str = "cache: { exact: on }";

/// A request whose answer does not depend on chance.
fn exact(prompt: &str) -> Value {
    with(chat("small", prompt), "temperature", json!(0))
}

fn was(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.expect_header("x-waypost-cache")
}

/// Asks until the answer comes from the cache, which is written after an answer has gone out.
fn hit(gateway: &Gateway, body: &Value) -> Answer {
    eventually("a hit", || {
        let answer = gateway.chat(body).send();
        (was(&answer) == "hit").then_some(answer)
    })
}

/// Asks twice and wants two answers of the upstream.
fn is_never_kept(behaviour: &str, body: &Value, labels: Option<&str>) {
    let upstream = Upstream::that(behaviour);
    let gateway = Setup::one(&upstream).section(ON).start();
    let request = match labels {
        Some(labels) => gateway.chat(body).labels(labels),
        None => gateway.chat(body),
    };
    let mut connection = gateway.connect();
    for _ in 0..3 {
        assert_ne!(request.over(&mut connection).header("x-waypost-cache"), Some("hit"), "{behaviour} {body}");
    }
    assert!(upstream.requests() >= 3, "{behaviour} {body}");
}

#[test]
fn it_is_off_unless_switched_on() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).start();
    for _ in 0..2 {
        assert_ne!(gateway.chat(&exact("hi")).send().header("x-waypost-cache"), Some("hit"));
    }
    assert_eq!(upstream.requests(), 2);
}

#[test]
fn the_same_request_is_answered_once_by_the_upstream_and_costs_nothing_again() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).section(ON).start();
    let first = gateway.chat(&exact("hi")).send();
    assert_eq!(was(&first), "miss");
    let second = hit(&gateway, &exact("hi"));
    assert_eq!(second.said(), first.said());
    let asked = upstream.requests();
    hit(&gateway, &exact("hi"));
    assert_eq!(upstream.requests(), asked, "a hit asks nobody");
    assert_eq!(second.expect_header("x-waypost-cost-usd").parse::<f64>(), Ok(0.0));
    let record = gateway.decision_of(&second);
    assert_eq!((&record["cache"], &record["cost_nusd"], &record["outcome"]), (&json!("hit"), &json!(0), &json!("ok")));
    assert!(gateway.metric("waypost_cache_total", &[("kind", "exact"), ("result", "hit")]) >= Some(1.0));
}

#[test]
fn a_hit_is_answered_as_a_stream_to_who_asked_for_one_and_the_other_way_round() {
    let upstream = Upstream::that("text: One answer for both., prompt_tokens: 5, completion_tokens: 6");
    let gateway = Setup::one(&upstream).section(ON).start();
    let streaming = with(exact("hi"), "stream", json!(true));
    let asking = with(streaming.clone(), "stream_options", json!({ "include_usage": true }));
    assert_eq!(was(&gateway.chat(&exact("hi")).send()), "miss");
    hit(&gateway, &exact("hi"));

    let streamed = hit(&gateway, &streaming);
    assert_eq!(streamed.expect_header("content-type"), "text/event-stream");
    assert_eq!(said(&streamed.events()), "One answer for both.");
    assert!(is_done(&streamed.events()));
    assert!(!streamed.text().contains("\"usage\":{"), "not asked for: {}", streamed.text());
    let asked = hit(&gateway, &asking).text();
    assert!(asked.contains(r#""completion_tokens":6"#), "{asked}");

    assert_eq!(was(&gateway.chat(&with(streaming, "seed", json!(2))).send()), "miss");
    let whole = hit(&gateway, &with(exact("hi"), "seed", json!(2)));
    assert_eq!(whole.said(), "One answer for both.");
    assert_eq!(whole.json()["usage"]["completion_tokens"], 6);
}

#[test]
fn anything_that_can_change_the_answer_makes_another_request_of_it() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).model("large", "own", "tier: strong").section(ON).start();
    gateway.chat(&exact("hi")).send();
    hit(&gateway, &exact("hi"));
    for other in [
        exact("hi!"),
        with(exact("hi"), "model", json!("large")),
        with(exact("hi"), "max_tokens", json!(5)),
        with(exact("hi"), "x_vendor", json!(1)),
        with(exact("hi"), "tools", json!([{ "type": "function", "function": { "name": "f" } }])),
    ] {
        assert_eq!(was(&gateway.chat(&other).send()), "miss", "{other}");
    }
}

#[test]
fn tenants_never_share_an_answer() {
    let upstream = Upstream::plain();
    let (one, other) = (VirtualKey::create(), VirtualKey::create());
    let keys = [one.entry("one", "tenant: acme"), other.entry("other", "tenant: rival")].join(", ");
    let gateway = Setup::one(&upstream)
        .section(ON)
        .section(&format!("auth: {{ keys: [{keys}] }}"))
        .section("tenants: [{ name: acme }, { name: rival }]")
        .start();
    gateway.chat(&exact("hi")).key(&one.secret).send();
    eventually("a hit for the same tenant", || {
        (was(&gateway.chat(&exact("hi")).key(&one.secret).send()) == "hit").then_some(())
    });
    assert_eq!(was(&gateway.chat(&exact("hi")).key(&other.secret).send()), "miss");
}

#[test]
fn an_answer_drawn_at_random_is_not_kept() {
    is_never_kept("text: hi", &chat("small", "hi"), None);
    is_never_kept("text: hi", &with(chat("small", "hi"), "temperature", json!(0.7)), None);
}

#[test]
fn unless_the_operator_says_so() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).section("cache: { exact: on, sampled: true }").start();
    gateway.chat(&chat("small", "hi")).send();
    hit(&gateway, &chat("small", "hi"));
}

#[test]
fn only_whole_good_answers_are_kept() {
    is_never_kept("text: hi, finish_reason: length", &exact("hi"), None);
    is_never_kept("text: hi, finish_reason: content_filter", &exact("hi"), None);
    is_never_kept("status: 400", &exact("hi"), None);
    let streaming = with(exact("hi"), "stream", json!(true));
    is_never_kept("text: a b c d e, error_after: 3", &streaming, None);
    is_never_kept("text: a b c d e, fin_after: 600", &streaming, None);
    is_never_kept("text: hi, finish_reason: length", &streaming, None);
}

#[test]
fn personal_data_is_not_kept() {
    is_never_kept("text: hi", &exact("hi"), Some("data-class=personal"));
}

#[test]
fn a_client_can_ask_for_a_fresh_answer_or_leave_no_trace() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).section(ON).start();
    let request = gateway.chat(&exact("hi"));
    for _ in 0..2 {
        assert_ne!(was(&request.clone().header("x-waypost-cache", "no-store").send()), "hit");
    }
    assert_eq!(was(&request.send()), "miss", "no-store left nothing behind");
    hit(&gateway, &exact("hi"));
    assert_ne!(was(&request.header("x-waypost-cache", "no-cache").send()), "hit");
}

#[test]
fn an_answer_is_gone_after_its_time() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).section("cache: { exact: on, ttl: 1s }").start();
    gateway.chat(&exact("hi")).send();
    hit(&gateway, &exact("hi"));
    eventually("a miss after a second", || (was(&gateway.chat(&exact("hi")).send()) == "miss").then_some(()));
}
