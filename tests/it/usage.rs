//! Usage is asked of the provider always, shown to the client only if it asked, and counted once.

use serde_json::{Value, json};

use crate::harness::{Answer, Gateway, Setup, Upstream, chat, chat_stream, data, is_done, with};

const COUNTS: &str = "text: one two three, prompt_tokens: 100, completion_tokens: 7";

fn asking() -> Value {
    with(chat_stream("small", "hi"), "stream_options", json!({ "include_usage": true }))
}

/// Events that show usage, with their places.
fn shown(answer: &Answer) -> Vec<(usize, Value)> {
    let events = answer.events();
    let parsed = events.iter().enumerate().filter_map(|(place, event)| Some((place, data(event)?)));
    parsed.filter(|(_, data)| data["usage"].is_object()).collect()
}

fn start(how: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::that(&format!("{COUNTS}{how}"));
    let gateway = Setup::one(&upstream).start();
    (upstream, gateway)
}

#[test]
fn a_stream_that_did_not_ask_shows_none_but_the_provider_was_asked_and_it_is_charged() {
    let (upstream, gateway) = start("");
    let answer = gateway.chat(&chat_stream("small", "hi")).send();
    assert!(upstream.last_body().contains(r#""include_usage":true"#));
    assert!(shown(&answer).is_empty(), "{}", answer.text());
    for event in answer.events().iter().filter_map(|event| data(event)) {
        assert_ne!(event["choices"], json!([]), "the chunk without choices is the one with the usage");
    }
    assert!(is_done(&answer.events()));
    let record = gateway.decision_of(&answer);
    assert_eq!((&record["usage"]["input"], &record["usage"]["output"]), (&json!(100), &json!(7)));
}

#[test]
fn a_stream_that_asked_shows_it_once_in_its_last_chunk_wherever_the_provider_put_it() {
    for how in ["", ", usage: beside_choice", ", usage: twice", ", usage: always"] {
        let (_upstream, gateway) = start(how);
        let answer = gateway.chat(&asking()).send();
        let shown = shown(&answer);
        assert_eq!(shown.len(), 1, "{how}: {}", answer.text());
        let (place, chunk) = &shown[0];
        assert_eq!(*place, answer.events().len() - 2, "{how}: it is the last before [DONE]");
        assert_eq!(chunk["choices"], json!([]), "{how}");
        assert_eq!(chunk["usage"]["prompt_tokens"], 100, "{how}");
        assert_eq!(chunk["usage"]["completion_tokens"], 7, "{how}");
        let record = gateway.decision_of(&answer);
        assert_eq!(record["usage"]["output"], 7, "{how}: counted once");
    }
}

#[test]
fn the_usage_of_a_stream_that_asked_says_what_it_cost() {
    let (_upstream, gateway) = start("");
    let answer = gateway.chat(&asking()).send();
    // 100 × 1 USD + 7 × 10 USD per million tokens.
    assert_eq!(shown(&answer)[0].1["usage"]["waypost_cost_usd"].as_f64(), Some(0.00017));
}

#[test]
fn usage_that_the_provider_forgot_is_estimated_and_said_to_be() {
    let (_upstream, gateway) = start(", usage: omit");
    let answer = gateway.chat(&chat("small", "hi there, how are you?")).send();
    assert_eq!(answer.status, 200);
    let record = gateway.decision_of(&answer);
    assert_eq!(record["usage"]["estimated"], true, "{record}");
    assert!(record["usage"]["input"].as_u64() > Some(0), "{record}");
    assert!(record["usage"]["output"].as_u64() > Some(0), "{record}");
}

#[test]
fn a_stream_that_asked_is_shown_the_estimate_where_the_provider_counts_none() {
    let (_upstream, gateway) = start(", usage: omit");
    let answer = gateway.chat(&asking()).send();
    let shown = shown(&answer);
    assert_eq!(shown.len(), 1, "{}", answer.text());
    let usage = &shown[0].1["usage"];
    assert!(usage["prompt_tokens"].as_u64() > Some(0) && usage["completion_tokens"].as_u64() > Some(0), "{usage}");
    assert_eq!(shown[0].1["choices"], serde_json::json!([]));
    assert_eq!(gateway.decision_of(&answer)["usage"]["estimated"], true);
}

#[test]
fn cached_and_reasoning_tokens_are_counted_as_parts() {
    let (_upstream, gateway) = start(", cached_tokens: 60, reasoning_tokens: 5");
    let record = gateway.decision_of(&gateway.chat(&chat("small", "hi")).send());
    assert_eq!(record["usage"]["input"], 100);
    assert_eq!(record["usage"]["cached"], 60);
    assert_eq!(record["usage"]["output"], 7);
    assert_eq!(record["usage"]["reasoning"], 5);
}
