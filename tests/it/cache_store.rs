//! The cache in a real Redis that replicas share, and what happens when Redis does not answer.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Answer, Gateway, Redis, Setup, Upstream, chat, eventually, timed, with};

/// Far above the store's deadline of 50 ms, far below what a client would wait for a hanging store.
const BOUND: Duration = Duration::from_secs(3);

fn exact(prompt: &str) -> Value {
    with(chat("small", prompt), "temperature", json!(0))
}

fn on(redis: &Redis) -> [String; 2] {
    ["cache: { exact: on }".to_owned(), format!("store: {{ url: \"{}\", deadline: 50ms }}", redis.url())]
}

fn start(redis: &Redis, setup: Setup) -> Gateway {
    on(redis).iter().fold(setup, |setup, section| setup.section(section)).start()
}

fn was(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.expect_header("x-waypost-cache")
}

fn hit(gateway: &Gateway, body: &Value) -> Answer {
    eventually("a hit", || {
        let answer = gateway.chat(body).send();
        (was(&answer) == "hit").then_some(answer)
    })
}

#[test]
fn replicas_share_answers_through_redis() {
    let (redis, upstream) = (Redis::start(), Upstream::plain());
    let (one, other) = (start(&redis, Setup::one(&upstream)), start(&redis, Setup::one(&upstream)));
    let first = one.chat(&exact("hi")).send();
    hit(&one, &exact("hi"));
    let asked = upstream.requests();
    let theirs = other.chat(&exact("hi")).send();
    assert_eq!((was(&theirs), theirs.said()), ("hit", first.said()));
    assert_eq!(upstream.requests(), asked);
}

#[test]
fn an_answer_of_what_a_target_stood_for_before_is_not_served() {
    let (redis, upstream) = (Redis::start(), Upstream::plain());
    let standing_for = |name: &str| {
        let facts = format!("tier: weak, upstream: {name}");
        start(&redis, Setup::new().provider("own", &upstream, "").model("small", "own", &facts))
    };
    let (before, after) = (standing_for("old"), standing_for("new"));
    before.chat(&exact("hi")).send();
    hit(&before, &exact("hi"));
    assert_eq!(was(&after.chat(&exact("hi")).send()), "miss", "the same name, but another model");
}

#[test]
fn an_answer_whose_target_is_not_allowed_any_more_is_not_served() {
    let (redis, far, near) = (Redis::start(), Upstream::that("text: from far"), Upstream::that("text: from near"));
    let facts = |countries: &str| {
        format!(
            "operator: {{ name: Far, jurisdictions: [US] }}, location: {{ countries: [{countries}] }}, data: {{ retention: 0d }}"
        )
    };
    // The same policy and names everywhere; only where `far` computes differs, or is known differently.
    let policy = "policy: default\nrules:\n  - name: in-the-eea\n    require: { location.countries: { in: EEA } }\n\
                  objective: { minimise: cost }\n";
    let setup = |countries: &str| {
        Setup::new()
            .provider("far", &far, &facts(countries))
            .model("small", "far", "tier: weak")
            .provider("near", &near, "")
            .model("small", "near", "tier: weak")
            .policy("default", policy)
    };
    let before = start(&redis, setup("IE"));
    assert_eq!(before.chat(&exact("hi")).send().said(), "from far");
    hit(&before, &exact("hi"));
    let same = start(&redis, setup("IE"));
    assert_eq!(hit(&same, &exact("hi")).said(), "from far", "a replica with the same facts may serve it");

    let after = start(&redis, setup("US"));
    let answer = after.chat(&exact("hi")).send();
    assert_eq!(answer.said(), "from near", "an entry of a target that is not allowed now is no hit");
    assert_ne!(was(&answer), "hit");
}

fn degraded(gateway: &Gateway) -> bool {
    let ready = gateway.admin_get("/readyz");
    assert_eq!(ready.status, 200, "a gateway without its store still serves");
    ready.json()["degraded"] == json!(["store"])
}

fn is_bypassed(gateway: &Gateway) {
    let (answer, took) = timed(|| gateway.chat(&exact("hi")).send());
    assert_eq!(was(&answer), "bypass");
    assert!(took < BOUND, "{took:?}");
    assert!(gateway.metric("waypost_cache_total", &[("result", "bypass")]) >= Some(1.0));
    eventually("/readyz says so", || degraded(gateway).then_some(()));
    eventually("the metric says so", || (gateway.metric("waypost_store_up", &[]) == Some(0.0)).then_some(()));
}

#[test]
fn a_redis_that_is_gone_is_bypassed_within_the_deadline_and_that_is_visible() {
    let (mut redis, upstream) = (Redis::start(), Upstream::plain());
    let gateway = start(&redis, Setup::one(&upstream));
    gateway.chat(&exact("hi")).send();
    hit(&gateway, &exact("hi"));
    assert!(!degraded(&gateway));
    assert_eq!(gateway.metric("waypost_store_up", &[]), Some(1.0));
    redis.stop();
    is_bypassed(&gateway);
}

#[test]
fn a_redis_that_hangs_is_bypassed_within_the_deadline_and_used_again_when_it_answers() {
    let (redis, upstream) = (Redis::start(), Upstream::plain());
    let gateway = start(&redis, Setup::one(&upstream));
    gateway.chat(&exact("hi")).send();
    hit(&gateway, &exact("hi"));
    redis.pause();
    is_bypassed(&gateway);
    redis.resume();
    hit(&gateway, &exact("hi"));
    eventually("/readyz is well again", || (!degraded(&gateway)).then_some(()));
    eventually("the metric too", || (gateway.metric("waypost_store_up", &[]) == Some(1.0)).then_some(()));
}

#[test]
fn a_gateway_starts_and_serves_while_redis_is_down() {
    let upstream = Upstream::plain();
    let url = format!("redis://127.0.0.1:{}", crate::harness::free_port());
    let gateway =
        Setup::one(&upstream).section("cache: { exact: on }").section(&format!("store: {{ url: \"{url}\" }}")).start();
    is_bypassed(&gateway);
    assert_eq!(upstream.requests(), 1);
}
