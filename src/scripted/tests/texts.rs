//! Embeddings and legacy completions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::client::{post_to, start_with};
use crate::scripted::{Behaviour, ToolCall};

#[tokio::test]
async fn the_same_text_has_the_same_unit_vector_in_every_encoding() {
    let server = start_with(Behaviour::default());
    let mut ask = json!({"model": "e", "input": ["one", "two", "one"], "dimensions": 8});
    let floats = post_to(&server, "/v1/embeddings", &ask).await.json();
    assert_eq!(floats["system_fingerprint"], "scripted");
    let numbers = |at: usize| -> Vec<f32> { serde_json::from_value(floats["data"][at]["embedding"].clone()).unwrap() };
    assert_eq!(numbers(0), numbers(2));
    assert_ne!(numbers(0), numbers(1));
    let length: f32 = numbers(0).iter().map(|number| number * number).sum();
    assert!(numbers(0).len() == 8 && (length - 1.0).abs() < 1e-5);
    ask["encoding_format"] = json!("base64");
    let packed = post_to(&server, "/v1/embeddings", &ask).await.json();
    let bytes = STANDARD.decode(packed["data"][1]["embedding"].as_str().unwrap()).unwrap();
    let unpacked: Vec<f32> = bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    assert_eq!(unpacked, numbers(1));
}

#[tokio::test]
async fn faulty_embedding_requests_are_refused_and_faults_are_played() {
    let server = start_with(Behaviour::default());
    for (body, param) in [
        (json!({"model": "e"}), "input"),
        (json!({"model": "e", "input": []}), "input"),
        (json!({"model": "e", "input": ""}), "input"),
        (json!({"model": "e", "input": "x", "dimensions": 0}), "dimensions"),
        (json!({"model": "e", "input": "x", "encoding_format": "hex"}), "encoding_format"),
    ] {
        let answer = post_to(&server, "/v1/embeddings", &body).await;
        assert_eq!((answer.status, &answer.json()["error"]["param"]), (400, &json!(param)), "{body}");
    }
    let marked = json!({"model": "e", "input": "[[scripted: status=429]]"});
    assert_eq!(post_to(&server, "/v1/embeddings", &marked).await.status, 429);
}

#[tokio::test]
async fn geminis_batch_has_a_vector_for_each_request() {
    let server = start_with(Behaviour::default());
    let path = "/v1beta/models/e:batchEmbedContents";
    let one = |model: &str| json!({"model": model, "content": {"parts": [{"text": "x"}]}, "outputDimensionality": 3});
    let batch = json!({"requests": [one("models/e"), one("models/e")]});
    let embeddings = post_to(&server, path, &batch).await.json()["embeddings"].clone();
    assert_eq!(embeddings[1]["values"].as_array().unwrap().len(), 3);
    let other = post_to(&server, path, &json!({"requests": [one("models/f")]})).await;
    assert_eq!((other.status, &other.json()["error"]["status"]), (400, &json!("INVALID_ARGUMENT")));
    assert_eq!(post_to(&server, path, &json!({"requests": []})).await.status, 400);
    let single = post_to(&server, "/v1beta/models/e:embedContent", &one("models/e")).await;
    assert_eq!(single.json()["embedding"], embeddings[0]);
}

#[tokio::test]
async fn a_completion_has_a_choice_for_each_prompt_and_texts_only() {
    let server = start_with(Behaviour {
        text: Some("two words".to_owned()),
        reasoning: Some("Hm.".to_owned()),
        tool_calls: vec![ToolCall::new("now", "{}")],
        ..Behaviour::default()
    });
    let mut ask = json!({"model": "m", "prompt": ["a", "b"], "n": 2});
    let whole = post_to(&server, "/v1/completions", &ask).await.json();
    assert_eq!((&whole["object"], &whole["system_fingerprint"]), (&json!("text_completion"), &json!("scripted")));
    assert_eq!(whole["choices"].as_array().unwrap().len(), 4);
    assert_eq!(whole["choices"][3]["text"], "two words");
    assert_eq!(whole["choices"][3]["finish_reason"], "stop");
    assert_eq!(whole["usage"]["completion_tokens"], 12);
    ask["stream"] = json!(true);
    ask["stream_options"] = json!({"include_usage": true});
    let events = post_to(&server, "/v1/completions", &ask).await.events();
    let mut text = String::new();
    for event in events.iter().filter(|event| event["choices"][0]["index"] == 3) {
        text.push_str(event["choices"][0]["text"].as_str().unwrap());
    }
    assert_eq!(text, "two words");
    let [.., usage, done] = events.as_slice() else { panic!("too few events") };
    assert_eq!((&usage["usage"], done), (&whole["usage"], &json!("[DONE]")));
}

#[tokio::test]
async fn prompts_of_tokens_are_counted() {
    let server = start_with(Behaviour::default());
    let body: Value = json!({"model": "m", "prompt": [[1, 2, 3], [4]]});
    assert_eq!(post_to(&server, "/v1/completions", &body).await.json()["usage"]["prompt_tokens"], 4);
    let faulty = json!({"model": "m", "prompt": {"a": 1}});
    assert_eq!(post_to(&server, "/v1/completions", &faulty).await.status, 400);
}
