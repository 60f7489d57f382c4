//! `auto` is decided by difficulty: the cheapest model that is good enough.

use crate::harness::{Answer, Gateway, Setup, Upstream, chat, eventually, with};
use serde_json::json;

const HARD: &str = "Let n be a positive integer and let a_1, ..., a_n be pairwise distinct positive integers. Prove that \
    the sum of the reciprocals of lcm(a_i, a_{i+1}) over all i is at most 1 - 1/2^n, and determine all cases of equality. \
    Give a complete and rigorous olympiad proof.";

fn start() -> (Upstream, Upstream, Gateway) {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    // A deadline that a busy machine keeps too: what is tested here is the score, not its speed.
    let gateway = Setup::own_and_paid(&own, &paid).section("classifier: { model: embedded, deadline: 5s }").start();
    (own, paid, gateway)
}

fn difficulty(answer: &Answer) -> f64 {
    answer.expect_header("x-waypost-difficulty").parse().unwrap()
}

#[test]
fn an_easy_prompt_stays_on_the_weak_model_and_a_hard_one_goes_to_the_strong() {
    let (own, paid, gateway) = start();
    let easy = gateway.chat(&chat("auto", "hi")).send();
    assert_eq!(easy.expect_header("x-waypost-model"), "small", "{easy:?}");
    assert_eq!(easy.expect_header("x-waypost-provider"), "own");
    let hard = gateway.chat(&chat("auto", HARD)).send();
    assert_eq!(hard.expect_header("x-waypost-model"), "large", "{hard:?}");
    assert_eq!(hard.expect_header("x-waypost-provider"), "paid");
    assert!(difficulty(&easy) < 0.5 && difficulty(&hard) > 0.5, "{} and {}", difficulty(&easy), difficulty(&hard));
    assert_eq!((own.requests(), paid.requests()), (1, 1));
}

#[test]
fn every_answer_says_what_was_decided() {
    let (_own, _paid, gateway) = start();
    let answer = gateway.chat(&chat("auto", "hi")).send();
    assert!(answer.expect_header("x-waypost-decision").starts_with("dec_"));
    assert_eq!(answer.expect_header("x-waypost-attempts"), "1");
    for name in ["x-request-id", "x-waypost-reason", "x-waypost-cost-usd", "server-timing"] {
        assert!(!answer.expect_header(name).is_empty());
    }
    let streamed = gateway.chat(&with(chat("auto", "hi"), "stream", json!(true))).send();
    for name in ["x-request-id", "x-waypost-decision", "x-waypost-model", "x-waypost-provider", "x-waypost-difficulty"]
    {
        assert!(!streamed.expect_header(name).is_empty());
    }
}

#[test]
fn a_named_model_is_taken_however_hard_the_prompt() {
    let (own, paid, gateway) = start();
    assert_eq!(gateway.chat(&chat("small", HARD)).send().expect_header("x-waypost-model"), "small");
    assert_eq!(gateway.chat(&chat("large", "hi")).send().expect_header("x-waypost-model"), "large");
    assert_eq!((own.requests(), paid.requests()), (1, 1));
}

#[test]
fn without_a_classifier_auto_still_answers_and_says_that_nothing_was_scored() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let gateway = Setup::own_and_paid(&own, &paid).start();
    let answer = gateway.chat(&chat("auto", "hi")).send();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-waypost-difficulty"), None);
    let record = gateway.decision_of(&answer);
    assert_eq!(record["score"]["difficulty"], json!(null), "{record}");
}

#[test]
fn where_latency_is_the_objective_live_first_token_times_decide() {
    let (slow, fast) = (Upstream::that("text: hi, before_first_token: 700ms"), Upstream::plain());
    let gateway = Setup::new()
        .provider("slow", &slow, "")
        .model("one", "slow", "tier: mid, latency_prior: { first_token_ms: 100 }")
        .provider("fast", &fast, "")
        .model("other", "fast", "tier: mid, latency_prior: { first_token_ms: 400 }")
        .policy("default", "policy: default\nrules: []\nobjective: { minimise: latency }\n")
        .start();
    let ask = || gateway.chat(&with(chat("auto", "hi"), "stream", json!(true))).send();
    assert_eq!(ask().expect_header("x-waypost-provider"), "slow", "by its prior it is the quicker one");
    let now = eventually("the other is taken", || {
        let answer = ask();
        (answer.expect_header("x-waypost-provider") == "fast").then_some(answer)
    });
    assert_eq!(now.status, 200);
    assert!(slow.requests() < 20, "some answers are enough to know it: {}", slow.requests());
}

#[test]
fn a_ceiling_that_no_candidate_meets_is_a_denial_by_that_name() {
    let (own, paid, gateway) = start();
    let answer = gateway.chat(&chat("auto", "hi")).header("x-waypost-max-cost-usd", "0.000000001").send();
    assert!(answer.must_be_error(403, "policy_denied").contains("max_cost"), "{}", answer.text());
    own.must_be_untouched();
    paid.must_be_untouched();
}
