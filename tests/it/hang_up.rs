//! A client that hangs up cancels the upstream at once, however it leaves and whatever it waited for, and is charged.

use serde_json::{Value, json};

use crate::harness::{Curl, Gateway, Gone, Setup, Upstream, chat, chat_stream};

/// Where in the exchange the client leaves.
#[derive(Clone, Copy, Debug)]
enum When {
    WaitingForAWholeAnswer,
    BeforeTheFirstToken,
    MidStream,
}

impl When {
    const ALL: [Self; 3] = [Self::WaitingForAWholeAnswer, Self::BeforeTheFirstToken, Self::MidStream];

    fn behaviour(self) -> &'static str {
        match self {
            Self::WaitingForAWholeAnswer => "stall_after: head",
            Self::BeforeTheFirstToken => "text: a b c, stall_after: 0",
            Self::MidStream => "text: one two three four five, stall_after: 3",
        }
    }

    fn body(self) -> Value {
        match self {
            Self::WaitingForAWholeAnswer => chat("small", "What is the answer?"),
            _ => chat_stream("small", "What is the answer?"),
        }
    }
}

fn start(when: When) -> (Upstream, Gateway) {
    let upstream = Upstream::that(when.behaviour());
    let gateway = Setup::one(&upstream).start();
    (upstream, gateway)
}

/// The upstream is cancelled, and the request is recorded once, as cancelled, with its cost.
fn is_cancelled_and_charged(when: When, upstream: &Upstream, gateway: &Gateway, id: &str) {
    upstream.wait_for("the upstream sees the hang-up", |stats| stats.cancelled == 1);
    let line = gateway.line_of(id);
    assert_eq!(line["outcome"], "cancelled", "{when:?}");
    assert!(line["cost_nusd"].as_i64() > Some(0), "{when:?}: what was used is charged: {line}");
    let record = gateway.decision(line["decision"].as_str().unwrap());
    assert_eq!(record["outcome"], "cancelled", "{when:?}");
    assert!(record["usage"]["input"].as_u64() > Some(0), "{when:?}: {record}");
    let attempts = record["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 1, "{when:?}: where the prompt went is recorded, though nothing came back: {record}");
    assert!(attempts[0]["bytes_sent"].as_u64() > Some(0), "{record}");
    if matches!(when, When::MidStream) {
        assert!(record["usage"]["output"].as_u64() > Some(0), "{record}");
    }
    assert_eq!(gateway.lines_of(id).len(), 1, "{when:?}: exactly once");
    assert_eq!(gateway.metric("waypost_decisions_total", &[("outcome", "cancelled")]), Some(1.0), "{when:?}");
    assert_eq!(gateway.metric("waypost_inflight_requests", &[]), Some(0.0), "{when:?}");
}

fn hangs_up(how: Gone) {
    for when in When::ALL {
        let (upstream, gateway) = start(when);
        let request = gateway.chat(&when.body()).header("x-request-id", "leaving");
        let mut waiting = Some(request.begin());
        upstream.wait_for("the upstream has the request", |stats| stats.last_request.is_some());
        if matches!(when, When::MidStream) {
            let mut events = waiting.take().unwrap().events();
            events.content();
            events.leave(how);
        } else {
            waiting.take().unwrap().leave(how);
        }
        is_cancelled_and_charged(when, &upstream, &gateway, "leaving");
    }
}

#[test]
fn closing_the_connection_cancels_at_once() {
    hangs_up(Gone::Fin);
}

#[test]
fn resetting_the_connection_cancels_at_once() {
    hangs_up(Gone::Rst);
}

#[test]
fn leaving_over_http2_cancels_at_once() {
    for when in When::ALL {
        let (upstream, gateway) = start(when);
        let (url, body) = (gateway.url("/v1/chat/completions"), when.body().to_string());
        let mut waiting = Curl::begin(&[
            "--http2-prior-knowledge",
            "-H",
            "content-type: application/json",
            "-H",
            "x-request-id: leaving",
            "-d",
            &body,
            &url,
        ]);
        upstream.wait_for("the upstream has the request", |stats| stats.last_request.is_some());
        if matches!(when, When::MidStream) {
            while !waiting.line().expect("a line before the end").contains("\"content\":\"one") {}
        }
        waiting.kill();
        is_cancelled_and_charged(when, &upstream, &gateway, "leaving");
    }
}

#[test]
fn a_client_that_hangs_up_on_one_connection_does_not_disturb_another() {
    let upstream = Upstream::script("{ default: { text: hi }, models: { slow: { stall_after: head } } }");
    let gateway = Setup::one(&upstream).model("slow", "own", "tier: weak").start();
    let staying = gateway.chat(&chat("slow", "hi")).begin();
    let leaving = gateway.chat(&chat("slow", "hi")).begin();
    upstream.wait_for("both are under way", |stats| stats.open == 2);
    leaving.leave(Gone::Rst);
    upstream.wait_for("one is cancelled", |stats| stats.cancelled == 1);
    assert_eq!(upstream.stats().open, 1);
    assert_eq!(gateway.chat(&chat("small", "hi")).send().said(), "hi");
    drop(staying);
}

#[test]
fn a_body_that_is_never_finished_reaches_nobody() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).start();
    let mut leaving = gateway.connect();
    leaving.send(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
          content-length: 500\r\nx-request-id: half\r\n\r\n{\"model\":\"small\"",
    );
    leaving.leave(Gone::Fin);
    assert_ne!(gateway.line_of("half")["outcome"], "ok");
    upstream.must_be_untouched();
    assert_eq!(gateway.chat(&chat("small", "hi")).send().status, 200);
}

/// A provider that counts tokens itself, and does so like this.
fn counts(behaviour: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::that(behaviour);
    let gateway = Setup::new()
        .provider("counter", &upstream, "kind: anthropic, credentials: [{ api_key: k }]")
        .model("claude", "counter", "tier: mid")
        .start();
    (upstream, gateway)
}

const COUNT: &str = "/v1/messages/count_tokens";

fn claude() -> Value {
    json!({ "model": "claude", "messages": [{ "role": "user", "content": "What is the answer?" }] })
}

#[test]
fn a_prompt_that_left_to_be_counted_is_recorded_though_nobody_waited_for_the_count() {
    let (upstream, gateway) = counts("stall_after: head");
    let waiting = gateway.post(COUNT, &claude()).header("x-request-id", "leaving").begin();
    upstream.wait_for("the upstream has the prompt", |stats| stats.last_request.is_some());
    waiting.leave(Gone::Rst);
    upstream.wait_for("the upstream sees the hang-up", |stats| stats.cancelled == 1);
    let line = gateway.line_of("leaving");
    let record = gateway.decision(line["decision"].as_str().unwrap());
    assert_eq!((&record["outcome"], &record["cost_nusd"]), (&json!("cancelled"), &json!(0)), "counting is free");
    assert_eq!(record["attempts"][0]["target"], "claude@counter", "{record}");
    assert!(record["attempts"][0]["bytes_sent"].as_u64() > Some(0), "{record}");
}

#[test]
fn a_count_that_fails_is_recorded_by_how_it_failed() {
    let (_upstream, gateway) = counts("status: 429");
    let answer = gateway.post(COUNT, &claude()).send();
    assert_eq!(answer.status, 429);
    let attempt = &gateway.decision_of(&answer)["attempts"][0];
    assert_eq!((&attempt["status"], &attempt["result"]), (&json!(429), &json!("rate_limited")), "{attempt}");
    let (upstream, gateway) = counts("text: hi");
    drop(upstream);
    let answer = gateway.post(COUNT, &claude()).send();
    assert!(answer.status >= 502, "{}", answer.text());
    let attempt = &gateway.decision_of(&answer)["attempts"][0];
    assert_eq!((&attempt["bytes_sent"], &attempt["result"]), (&json!(0), &json!("connect")), "{attempt}");
}
