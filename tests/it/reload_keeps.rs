//! What a reload does not touch: counters, limits, caches, connections, records, and requests under load.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::harness::{Gateway, Setup, Upstream, chat, eventually, with};

fn reloaded(gateway: &Gateway, setup: &Setup) {
    let answer = gateway.reload(&setup.text());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn counters_records_limits_and_the_cache_live_on() {
    let upstream = Upstream::plain();
    let limits =
        |a_minute: u32| format!("tenants: [{{ name: default, limits: {{ requests_per_minute: {a_minute} }} }}]");
    let setup = |a_minute| Setup::one(&upstream).section("cache: { exact: on }").section(&limits(a_minute));
    let gateway = setup(6).start();
    let body = with(chat("small", "hi"), "temperature", json!(0));
    let first = gateway.chat(&body).send();
    gateway.decision_of(&first);
    gateway.chat(&chat("small", "one")).send().said();
    let left = |answer: &crate::harness::Answer| answer.expect_header("x-ratelimit-remaining-requests").to_owned();

    // Another model comes first, so that every target has another place; other limits make it another tenant's rate.
    let other = Setup::new()
        .provider("own", &upstream, "")
        .model("newcomer", "own", "tier: mid")
        .model("small", "own", "tier: weak")
        .section("cache: { exact: on }");
    reloaded(&gateway, &other.section(&limits(6)));
    let again = gateway.chat(&body).send();
    assert_eq!(again.expect_header("x-waypost-cache"), "hit", "kept answers are still there");
    // One was the look at the record.
    assert_eq!(left(&again), "2", "the rate is not whole again");
    let id = first.expect_header("x-waypost-decision");
    assert_eq!(gateway.get(&format!("/v1/decisions/{id}")).send().json()["id"], id);

    reloaded(&gateway, &setup(60));
    let wider: u32 = left(&gateway.chat(&chat("small", "two")).send()).parse().unwrap();
    assert!((53..60).contains(&wider), "what was used of six is used of sixty: {wider}");
    let settled = [("target", "small@own"), ("outcome", "ok")];
    eventually("all four are counted", || gateway.metric("waypost_decisions_total", &settled).filter(|it| *it == 4.0));
}

#[test]
fn a_kept_answer_of_a_target_that_is_no_longer_allowed_is_not_used() {
    let upstream = Upstream::plain();
    let setup = |rule: &str| {
        let policy = format!(
            "policy: default\nobjective: {{ minimise: cost }}\nrules:\n  - name: r\n    forbid: {{ location.countries: {{ in: [{rule}] }} }}\n"
        );
        Setup::one(&upstream).section("cache: { exact: on }").policy("default", &policy)
    };
    let gateway = setup("US").start();
    let body = with(chat("small", "hi"), "temperature", json!(0));
    eventually("a hit", || (gateway.chat(&body).send().header("x-waypost-cache") == Some("hit")).then_some(()));
    std::fs::write(
        gateway.file("policies/default.yaml"),
        "policy: default\nobjective: { minimise: cost }\nrules:\n  - name: r\n    forbid: { location.countries: { in: [FR] } }\n",
    )
    .unwrap();
    assert_eq!(gateway.admin("POST", "/admin/reload").send().status, 200);
    gateway.chat(&body).send().must_be_error(403, "policy_denied");
}

#[test]
fn connections_to_a_provider_that_did_not_change_stay_and_those_of_changed_credentials_do_not() {
    let upstream = Upstream::plain();
    let setup = |key: &str, more: &str| {
        Setup::new()
            .provider("own", &upstream, &format!("credentials: [{{ api_key: {key} }}]"))
            .model("small", "own", more)
    };
    let gateway = setup("one", "tier: weak").start();
    let ask = || gateway.chat(&chat("small", "hi")).send().said();
    ask();
    for tier in ["mid", "strong", "weak"] {
        reloaded(&gateway, &setup("one", &format!("tier: {tier}")));
        ask();
    }
    assert_eq!(upstream.stats().connections, 1);
    reloaded(&gateway, &setup("two", "tier: weak"));
    ask();
    assert_eq!(upstream.stats().connections, 2, "what was opened for one key carries no other");
    assert_eq!(upstream.stats().credentials, ["Bearer one", "Bearer two"]);
}

#[test]
fn health_is_remembered_and_in_flight_requests_are_counted() {
    let (bad, slow) = (Upstream::that("text: hi, status: 500"), Upstream::that("text: hi, stall_after: head"));
    let setup = |tier: &str| {
        Setup::new()
            .provider("bad", &bad, "")
            .model("failing", "bad", &format!("tier: {tier}"))
            .provider("slow", &slow, "")
            .model("busy", "slow", "tier: weak, max_concurrent: 1")
    };
    let gateway = setup("weak").start();
    while gateway.chat(&chat("failing", "hi")).send().status != 503 {
        assert!(bad.requests() < 100, "after some failures it is left alone");
    }
    let _busy = gateway.chat(&chat("busy", "hi")).begin();
    slow.wait_for("it is under way", |stats| stats.open == 1);
    reloaded(&gateway, &setup("strong"));
    let asked = bad.requests();
    gateway.chat(&chat("failing", "hi")).send().must_be_error(503, "no_healthy_target");
    assert_eq!(bad.requests(), asked, "a reload is no reason to ask it again");
    gateway.chat(&chat("busy", "hi")).send().must_be_error(503, "no_healthy_target");

    let targets = gateway.admin_get("/admin/targets").json()["targets"].clone();
    let target =
        |name: &str| -> Value { targets.as_array().unwrap().iter().find(|one| one["target"] == name).unwrap().clone() };
    assert_eq!(target("failing@bad")["healthy"], false);
    assert!(target("failing@bad")["resting_ms"].as_u64().unwrap() > 0);
    assert_eq!((&target("busy@slow")["in_flight"], &target("busy@slow")["max_concurrent"]), (&json!(1), &json!(1)));
    assert_eq!(target("busy@slow")["facts"]["location.countries"], json!(["FR"]));
}

#[test]
fn fifty_reloads_under_load_lose_no_request_and_leave_nothing_behind() {
    let upstream = Upstream::plain();
    let section = "classifier: { model: embedded, deadline: 5s }";
    let setups = [
        Setup::one(&upstream)
            .model("medium", "own", "tier: mid")
            .section(section)
            .section("decisions: { file: a.jsonl }"),
        Setup::new()
            .provider("own", &upstream, "")
            .model("medium", "own", "tier: mid")
            .model("small", "own", "tier: weak")
            .section(section)
            .section("decisions: { file: b.jsonl }"),
    ];
    let gateway = setups[0].start();
    let (over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let reload = |turn: usize| reloaded(&gateway, &setups[turn % 2]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = gateway.connect();
                while !over.load(Ordering::Relaxed) {
                    let answer = gateway.chat(&chat("auto", "hi")).over(&mut connection);
                    assert_eq!(answer.said(), "Hello there.");
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            (1..=10).for_each(reload);
            let before = ["Threads", "VmRSS"].map(|figure| gateway.figure(figure));
            (11..=60).for_each(reload);
            [before, ["Threads", "VmRSS"].map(|figure| gateway.figure(figure))]
        }));
        over.store(true, Ordering::Relaxed);
        let [before, after] = told.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        assert!(after[0] <= before[0] + 2, "threads: {before:?} then {after:?}");
        assert!(after[1] <= before[1] + (24 << 10), "KiB: {before:?} then {after:?}");
    });
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent > 100, "there was load: {sent}");
    #[expect(clippy::cast_precision_loss, reason = "some thousand")]
    let all = sent as f64;
    let ok =
        |target| gateway.metric("waypost_decisions_total", &[("target", target), ("outcome", "ok")]).unwrap_or(0.0);
    let counted = || ok("medium@own") + ok("small@own");
    eventually("every request is counted once", || (counted() == all).then_some(()));
    let lines = || -> u64 {
        ["a.jsonl", "b.jsonl"]
            .map(|file| std::fs::read_to_string(gateway.file(file)).unwrap().lines().count() as u64)
            .iter()
            .sum()
    };
    eventually("every request is in one of the files", || (lines() == sent).then_some(()));
}
