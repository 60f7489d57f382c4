//! The recordings that no other format has a word for: embeddings, legacy completions and counted tokens.

use serde_json::{Value, json};

use crate::harness::{Answer, Gateway, Replay, Setup, data, fixtures, is_done};

/// A gateway with one model, which answers as this recording says.
fn gateway(recording: &str, kind: &str, more: &str) -> (Replay, Gateway) {
    let replay = Replay::start();
    let facts = format!("kind: {kind}, credentials: [{{ api_key: sk-ours }}]");
    let gateway = Setup::new()
        .provider_at("there", &replay.endpoint(recording), &facts)
        .model("m", "there", &format!("tier: weak, upstream: theirs, {more}"))
        .start();
    (replay, gateway)
}

/// What was recorded, as JSON: the request's body and the answer's.
fn recorded(name: &str) -> (Value, Value) {
    let text = std::fs::read_to_string(fixtures().join(format!("exchanges/{name}.json"))).unwrap();
    let exchange: Value = serde_json::from_str(&text).unwrap();
    (exchange["request"]["body"].clone(), exchange["response"]["body"].clone())
}

/// The recorded request, to our model.
fn asked(name: &str) -> Value {
    let (mut body, _) = recorded(name);
    body["model"] = json!("m");
    body
}

fn must_be(answer: &Answer, wanted: &Value) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json(), *wanted);
}

#[test]
fn openais_vectors_pass_through_and_are_counted() {
    let name = "023-openai-embeddings-embed";
    let (_replay, gateway) = gateway(name, "openai", "kind: embedding, price: { input: 1000, output: 0 }");
    let answer = gateway.post("/v1/embeddings", &asked(name)).send();
    must_be(&answer, &recorded(name).1);
    let record = gateway.decision_of(&answer);
    assert_eq!((&record["operation"], &record["usage"]["input"]), (&json!("embeddings"), &json!(4)));
    assert_eq!(record["cost_nusd"], 4_000_000, "4 tokens at a tenth of a cent");
}

#[test]
fn geminis_vectors_come_as_openais_with_every_digit() {
    let name = "059-gemini-embeddings-embed";
    let (_replay, gateway) = gateway(name, "gemini", "kind: embedding");
    let body = json!({ "model": "m", "input": ["Hello, world!"], "dimensions": 768 });
    let answer = gateway.post("/v1/embeddings", &body).send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    assert_eq!((&body["object"], &body["data"][0]["object"]), (&json!("list"), &json!("embedding")));
    assert_eq!(body["data"][0]["embedding"], recorded(name).1["embeddings"][0]["values"]);
    assert!(answer.text().contains("0.0070917504"), "a number's own digits");
    assert_eq!(gateway.decision_of(&answer)["usage"]["estimated"], true, "the recorded answer counts no tokens");
}

#[test]
fn a_legacy_completion_passes_through_whole_and_streamed() {
    let name = "025-openai-completions-text";
    let (_replay, gateway) = gateway(name, "openai", "context: 16384");
    must_be(&gateway.post("/v1/completions", &asked(name)).send(), &recorded(name).1);

    let name = "024-openai-completions-stream";
    let (_replay, gateway) = self::gateway(name, "openai", "context: 16384");
    let answer = gateway.post("/v1/completions", &asked(name)).send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let said = |events: &[String]| -> String {
        let texts = events.iter().filter_map(|event| data(event)?["choices"][0]["text"].as_str().map(str::to_owned));
        texts.collect()
    };
    let raw = std::fs::read_to_string(fixtures().join(format!("exchanges/{name}.sse"))).unwrap();
    let wanted: Vec<String> = raw.split("\n\n").filter(|event| !event.is_empty()).map(str::to_owned).collect();
    assert!(!said(&wanted).is_empty());
    assert_eq!(said(&answer.events()), said(&wanted));
    assert!(is_done(&answer.events()));
}

#[test]
fn a_named_models_provider_counts_the_tokens_itself() {
    let name = "045-anthropic-count-count";
    let (_replay, gateway) = gateway(name, "anthropic", "supports: [tools]");
    let answer = gateway.post("/v1/messages/count_tokens?beta=true", &asked(name)).send();
    must_be(&answer, &json!({ "input_tokens": 641 }));
    assert_eq!(answer.header("x-waypost-estimated"), None);
    let record = gateway.decision_of(&answer);
    assert_eq!((&record["operation"], &record["attempts"][0]["status"]), (&json!("count_tokens"), &json!(200)));
}
