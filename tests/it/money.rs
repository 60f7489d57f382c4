//! Cost is price times usage, in whole nano-dollars, and the same figure everywhere it is shown.

use crate::harness::{Gateway, Setup, Upstream, chat, eventually};

const COUNTS: &str = "text: hi, prompt_tokens: 1000, completion_tokens: 200, cached_tokens: 400";

fn start() -> (Upstream, Upstream, Gateway) {
    let (own, paid) = (Upstream::that(COUNTS), Upstream::that(COUNTS));
    let gateway = Setup::new()
        .provider("own", &own, "")
        .model("small", "own", "tier: weak, price: { input: 0.10, cached_input: 0.025, output: 0.40 }")
        .provider("paid", &paid, crate::harness::ABROAD)
        .model("large", "paid", "tier: strong, price: { input: 2.00, cached_input: 0.50, output: 8.00 }")
        .section("classifier: { model: embedded, deadline: 5s }")
        .start();
    (own, paid, gateway)
}

/// 600 fresh and 400 cached input tokens, 200 output tokens, at a model's price per million, in nano-USD.
const SMALL: i64 = 600 * 100 + 400 * 25 + 200 * 400;
const LARGE: i64 = 600 * 2000 + 400 * 500 + 200 * 8000;

#[test]
fn header_record_log_and_metric_say_the_same() {
    let (_own, _paid, gateway) = start();
    let answer = gateway.chat(&chat("large", "hi")).send();
    let usd: f64 = answer.expect_header("x-waypost-cost-usd").parse().unwrap();
    assert!((usd * 1e9 - LARGE as f64).abs() < 0.5, "{usd}");
    assert_eq!(gateway.decision_of(&answer)["cost_nusd"], LARGE);
    assert_eq!(gateway.line_of(answer.expect_header("x-request-id"))["cost_nusd"], LARGE);
    let metric = || gateway.metric("waypost_cost_usd_total", &[("tenant", "default"), ("target", "large@paid")]);
    let total = eventually("the metric", metric);
    assert!((total * 1e9 - LARGE as f64).abs() < 0.5, "{total}");
}

#[test]
fn the_saving_is_what_the_best_allowed_target_would_have_cost_more() {
    let (_own, _paid, gateway) = start();
    let answer = gateway.chat(&chat("auto", "hi")).send();
    assert_eq!(answer.expect_header("x-waypost-model"), "small");
    let record = gateway.decision_of(&answer);
    assert_eq!(record["cost_nusd"], SMALL);
    assert_eq!(record["saving_nusd"], LARGE - SMALL);
    let saved = eventually("the metric", || {
        gateway.metric("waypost_saving_usd_total", &[("tenant", "default"), ("basis", "prior")])
    });
    assert!((saved * 1e9 - (LARGE - SMALL) as f64).abs() < 0.5, "{saved}");
}

#[test]
fn what_was_not_allowed_is_no_saving() {
    let (_own, _paid, gateway) = start();
    let answer = gateway.chat(&chat("auto", "hi")).labels("data-class=personal").send();
    let record = gateway.decision_of(&answer);
    assert_eq!(record["saving_nusd"], 0, "the dear target was never an option: {record}");
}

#[test]
fn own_machines_cost_their_hours() {
    let upstream = Upstream::that(COUNTS);
    let gateway = Setup::new()
        .provider("own", &upstream, "")
        .model("small", "own", "tier: weak, price: { gpu_hour_usd: 3.6, gpus: 2, tokens_per_second: 2000 }")
        .start();
    let answer = gateway.chat(&chat("small", "hi")).send();
    // 7.2 USD an hour are 0.002 a second, so 0.000001 a token; 1,200 tokens.
    assert_eq!(gateway.decision_of(&answer)["cost_nusd"], 1_200_000);
}

#[test]
fn an_unknown_price_is_not_shown_as_free() {
    let upstream = Upstream::that(COUNTS);
    let text = Setup::one(&upstream);
    let (folder, path) = text.write();
    std::fs::write(&path, text.text().replace(", price: { input: 1, output: 10 }", "")).unwrap();
    let gateway = Gateway::run(folder, &[]);
    gateway.must_print("unknown");
    let answer = gateway.chat(&chat("small", "hi")).send();
    assert_eq!(answer.status, 200);
    let record = gateway.decision_of(&answer);
    assert!(record["candidates"][0]["cost_nusd"].is_null(), "{record}");
}

#[test]
fn an_unknown_price_meets_no_ceiling_even_when_it_is_asked_for_by_name() {
    let upstream = Upstream::that(COUNTS);
    let text = Setup::one(&upstream);
    let (folder, path) = text.write();
    std::fs::write(&path, text.text().replace(", price: { input: 1, output: 10 }", "")).unwrap();
    let gateway = Gateway::run(folder, &[]);
    assert!(gateway.log().contains("nothing that limits cost chooses it"), "{}", gateway.log());
    for model in ["small", "auto"] {
        let answer = gateway.chat(&chat(model, "hi")).header("x-waypost-max-cost-usd", "1000").send();
        assert!(answer.must_be_error(403, "policy_denied").contains("max_cost"), "{}", answer.text());
    }
    assert_eq!(upstream.requests(), 0);
}

#[test]
fn a_long_prompt_is_charged_at_the_price_of_long_prompts() {
    let upstream = Upstream::that(COUNTS);
    let price = "input: 1, cached_input: 0.5, output: 10";
    let prices = |tokens: u64| format!("{{ {price}, above: [{{ tokens: {tokens}, input: 2, output: 15 }}] }}");
    let gateway = Setup::new()
        .provider("own", &upstream, "")
        .model("short", "own", &format!("tier: weak, price: {}", prices(1000)))
        .model("long", "own", &format!("tier: weak, price: {}", prices(999)))
        .start();
    let cost = |model| gateway.decision_of(&gateway.chat(&chat(model, "hi")).send())["cost_nusd"].clone();
    assert_eq!(cost("short"), 600 * 1000 + 400 * 500 + 200 * 10_000);
    assert_eq!(cost("long"), 1000 * 2000 + 200 * 15_000, "all of it, cached and answered tokens too");
}

#[test]
fn prices_come_from_litellms_list_where_one_is_named() {
    let upstream = Upstream::that(COUNTS);
    let list = crate::harness::repository().join("tests/fixtures/litellm.json");
    let gateway = Setup::new()
        .provider("own", &upstream, "")
        .model("small", "own", "tier: weak, price: { litellm: gpt-4o }")
        .section(&format!("prices: {{ litellm: \"{}\" }}", list.display()))
        .start();
    let answer = gateway.chat(&chat("small", "hi")).send();
    assert_eq!(gateway.decision_of(&answer)["cost_nusd"], 600 * 2500 + 400 * 1250 + 200 * 10_000);
}
