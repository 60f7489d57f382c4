//! The contract's metrics are there, count what happened, and cannot be blown up by a stranger.

use crate::harness::{Gateway, Setup, Upstream, chat, chat_stream, eventually};

fn start() -> (Upstream, Upstream, Gateway) {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let gateway = Setup::own_and_paid(&own, &paid)
        .section("classifier: { model: embedded, deadline: 5s }")
        .section("cache: { exact: on }")
        .start();
    (own, paid, gateway)
}

#[test]
fn every_name_of_the_contract_that_exists_yet_is_exported() {
    let (_own, _paid, gateway) = start();
    gateway.chat(&chat("auto", "hi")).send();
    gateway.chat(&chat_stream("auto", "hi")).send();
    gateway.chat(&chat("large", "hi")).labels("data-class=personal").send();
    eventually("the denial is counted", || gateway.metric("waypost_denials_total", &[]));
    let text = gateway.admin_get("/metrics").text();
    for name in [
        "gen_ai_client_token_usage",
        "gen_ai_client_operation_duration_seconds",
        "gen_ai_server_time_to_first_token_seconds",
        "waypost_decisions_total",
        "waypost_denials_total",
        "waypost_candidates_removed_total",
        "waypost_score_seconds",
        "waypost_difficulty",
        "waypost_cost_usd_total",
        "waypost_saving_usd_total",
        "waypost_cache_total",
        "waypost_attempts_total",
        "waypost_overhead_seconds",
        "waypost_inflight_requests",
        "waypost_inflight_bytes",
        "waypost_config_info",
        "waypost_reload_failed",
        "waypost_store_up",
    ] {
        assert!(text.contains(&format!("# TYPE {name} ")), "{name} is missing");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is not explained");
    }
    for absent in ["waypost_budget_remaining_ratio", "waypost_ledger_unanchored_seconds"] {
        assert!(!text.contains(absent), "{absent} belongs to what is not built yet");
    }
}

#[test]
fn a_denial_is_counted_by_its_rule() {
    let (_own, _paid, gateway) = start();
    gateway.chat(&chat("large", "hi")).labels("data-class=personal").send();
    let rule = [("rule", "personal-data-stays-in-the-eea")];
    let policy = [rule[0], ("policy", "default")];
    assert_eq!(eventually("counted", || gateway.metric("waypost_denials_total", &policy)), 1.0);
    assert_eq!(gateway.metric("waypost_candidates_removed_total", &rule), Some(1.0));
    let denied = [("outcome", "denied"), ("target", "none")];
    assert_eq!(eventually("settled", || gateway.metric("waypost_decisions_total", &denied)), 1.0);
}

#[test]
fn a_request_is_counted_once_with_its_target_and_tokens() {
    let upstream = Upstream::that("text: hi, prompt_tokens: 30, completion_tokens: 4");
    let gateway = Setup::one(&upstream).start();
    gateway.chat(&chat("small", "hi")).send();
    let ok = [("outcome", "ok"), ("target", "small@own"), ("policy", "default")];
    assert_eq!(eventually("settled", || gateway.metric("waypost_decisions_total", &ok)), 1.0);
    let model = [("gen_ai_request_model", "small"), ("gen_ai_provider_name", "own"), ("gen_ai_operation_name", "chat")];
    let tokens =
        |kind| gateway.metric("gen_ai_client_token_usage_sum", &[&model[..], &[("gen_ai_token_type", kind)]].concat());
    assert_eq!((tokens("input"), tokens("output")), (Some(30.0), Some(4.0)));
    assert_eq!(gateway.metric("gen_ai_client_operation_duration_seconds_count", &model), Some(1.0));
    assert_eq!(gateway.metric("waypost_inflight_requests", &[]), Some(0.0));
    assert_eq!(gateway.metric("waypost_inflight_bytes", &[]), Some(0.0));
}

#[test]
fn model_names_of_strangers_become_other() {
    let (own, _paid, gateway) = start();
    for turn in 0..20 {
        gateway.chat(&chat(&format!("made-up-{turn}"), "hi")).send().must_be_error(404, "model_not_found");
    }
    let denials = || gateway.metric("waypost_decisions_total", &[("outcome", "error")]);
    eventually("all are settled", || denials().filter(|count| *count >= 20.0));
    assert!(!gateway.admin_get("/metrics").text().contains("made-up"));
    own.must_be_untouched();
}

#[test]
fn the_admin_listener_serves_health_and_nothing_of_the_data_side() {
    let (_own, _paid, gateway) = start();
    assert_eq!(gateway.admin_get("/livez").status, 200);
    let ready = gateway.admin_get("/readyz");
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json()["degraded"], serde_json::json!([]));
    assert_eq!(gateway.admin_get("/v1/models").status, 404);
    assert_eq!(gateway.get("/metrics").send().status, 404, "figures are not for clients");
}
