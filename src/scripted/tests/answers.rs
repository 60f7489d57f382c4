//! What is answered.

use serde_json::json;

use super::client::{ask, ask_streamed, exchange, post, start, start_with};
use crate::scripted::{Behaviour, Script, ToolCall, UsagePlace};

fn with_usage(prompt: &str) -> serde_json::Value {
    let mut ask = ask_streamed(prompt);
    ask["stream_options"] = json!({"include_usage": true});
    ask
}

#[tokio::test]
async fn a_plain_answer_says_that_it_is_scripted_and_has_plausible_figures() {
    let server = start(Script::default());
    let answer = post(&server, &ask("How are you?")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.complete);
    assert!(answer.head.contains("x-scripted: true"));
    let body = answer.json();
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["model"], "m");
    assert_eq!(body["system_fingerprint"], "scripted");
    let choice = &body["choices"][0];
    assert_eq!(choice["finish_reason"], "stop");
    let text = choice["message"]["content"].as_str().unwrap();
    assert!(text.starts_with("[scripted provider] This is not a model."), "{text}");
    assert!(text.contains("1 message with 12 characters"), "{text}");
    let usage = &body["usage"];
    assert_eq!(usage["prompt_tokens"], 3 + 12 / 4);
    assert_eq!(usage["completion_tokens"], text.len().div_ceil(4));
    let total = 6 + text.len().div_ceil(4);
    assert_eq!(usage["total_tokens"], total);
}

#[tokio::test]
async fn a_stream_says_the_same_as_a_whole_answer() {
    let server = start_with(Behaviour {
        text: Some("Ünïcode \"quoted\"\nline \u{1} end".to_owned()),
        reasoning: Some("Let me see.".to_owned()),
        tool_calls: vec![ToolCall::new("add", r#"{"a":1,"b":"zwölf ältere"}"#), ToolCall::new("now", "{}")],
        ..Behaviour::default()
    });
    let whole = post(&server, &ask("x")).await.json();
    let message = &whole["choices"][0]["message"];
    let stream = post(&server, &with_usage("x")).await;
    assert!(stream.complete);
    assert_eq!(stream.joined("content"), message["content"].as_str().unwrap());
    assert_eq!(stream.joined("reasoning_content"), "Let me see.");

    let events = stream.events();
    let mut calls = [json!({"arguments": ""}), json!({"arguments": ""})];
    let mut fragments = 0;
    for event in &events {
        let Some(part) = event["choices"][0]["delta"]["tool_calls"].get(0) else {
            continue;
        };
        fragments += 1;
        let call = &mut calls[part["index"].as_u64().unwrap() as usize];
        if let Some(id) = part.get("id") {
            call["id"] = id.clone();
            call["name"] = part["function"]["name"].clone();
        }
        let so_far = call["arguments"].as_str().unwrap();
        let more = part["function"]["arguments"].as_str().unwrap();
        call["arguments"] = json!(format!("{so_far}{more}"));
    }
    assert!(fragments > 4, "arguments come in fragments");
    for (call, expected) in calls.iter().zip(message["tool_calls"].as_array().unwrap()) {
        assert_eq!(call["id"], expected["id"]);
        assert_eq!(call["name"], expected["function"]["name"]);
        assert_eq!(call["arguments"], expected["function"]["arguments"]);
    }
    let [.., finish, usage, done] = events.as_slice() else {
        panic!("too few events");
    };
    assert_eq!(finish["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(finish["usage"], json!(null));
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"], whole["usage"], "streamed or not, the same is charged");
    assert_eq!(*done, json!("[DONE]"));
    for event in &events[..events.len() - 1] {
        assert_eq!(event["system_fingerprint"], "scripted");
        assert_eq!(event["id"], events[0]["id"], "one answer has one id");
    }
}

#[tokio::test]
async fn tool_calls_alone_have_null_content() {
    let server = start_with(Behaviour { tool_calls: vec![ToolCall::new("now", "{}")], ..Behaviour::default() });
    let whole = post(&server, &ask("x")).await.json();
    assert_eq!(whole["choices"][0]["message"]["content"], json!(null));
    let stream = post(&server, &ask_streamed("x")).await;
    assert_eq!(stream.joined("content"), "");
}

#[tokio::test]
async fn usage_is_streamed_only_if_asked_for_and_where_the_script_says() {
    let cases = [
        (UsagePlace::Last, false, vec![]),
        (UsagePlace::Last, true, vec!["alone"]),
        (UsagePlace::BesideChoice, true, vec!["beside"]),
        (UsagePlace::Twice, true, vec!["beside", "alone"]),
        (UsagePlace::Always, false, vec!["alone"]),
        (UsagePlace::Omit, true, vec![]),
    ];
    for (usage, asked, expected) in cases {
        let server = start_with(Behaviour {
            usage,
            prompt_tokens: Some(11),
            completion_tokens: Some(22),
            cached_tokens: Some(5),
            ..Behaviour::default()
        });
        let ask = if asked { with_usage("x") } else { ask_streamed("x") };
        let mut found = Vec::new();
        for event in post(&server, &ask).await.events() {
            if event["usage"]["total_tokens"] == 33 {
                assert_eq!(event["usage"]["prompt_tokens_details"]["cached_tokens"], 5);
                let alone = event["choices"] == json!([]);
                found.push(if alone { "alone" } else { "beside" });
            }
        }
        assert_eq!(found, expected, "{usage:?}");
    }
    let server = start_with(Behaviour { usage: UsagePlace::Omit, ..Behaviour::default() });
    assert!(post(&server, &ask("x")).await.json().get("usage").is_none());
}

#[tokio::test]
async fn n_choices_are_all_answered_and_charged() {
    let server = start_with(Behaviour::text("four"));
    let mut three = ask("x");
    three["n"] = json!(3);
    let whole = post(&server, &three).await.json();
    assert_eq!(whole["choices"].as_array().unwrap().len(), 3);
    assert_eq!(whole["choices"][2]["index"], 2);
    assert_eq!(whole["usage"]["completion_tokens"], 3);
    three["stream"] = json!(true);
    let stream = post(&server, &three).await;
    let mut finished: Vec<u64> = Vec::new();
    for event in stream.events() {
        if event["choices"][0]["finish_reason"] == "stop" {
            finished.push(event["choices"][0]["index"].as_u64().unwrap());
        }
    }
    assert_eq!(finished, [0, 1, 2]);
}

#[tokio::test]
async fn think_tags_stand_in_the_text_and_count_as_reasoning() {
    let server = start_with(Behaviour {
        text: Some("Four.".to_owned()),
        think: Some("Two and two.".to_owned()),
        finish_reason: Some("length".to_owned()),
        ..Behaviour::default()
    });
    let whole = post(&server, &ask("x")).await.json();
    let message = &whole["choices"][0]["message"];
    assert_eq!(message["content"], "<think>\nTwo and two.\n</think>\n\nFour.");
    assert_eq!(whole["choices"][0]["finish_reason"], "length");
    assert_eq!(whole["usage"]["completion_tokens_details"]["reasoning_tokens"], 3);
}

#[tokio::test]
async fn sizes_and_counts_are_exactly_as_stated() {
    let server = start_with(Behaviour {
        answer_bytes: Some(1024),
        events: Some(100),
        event_bytes: Some(256),
        ..Behaviour::default()
    });
    let server_small = start_with(Behaviour { answer_bytes: Some(1024), ..Behaviour::default() });
    assert_eq!(post(&server_small, &ask("x")).await.body.len(), 1024);
    let stream = post(&server, &ask_streamed("x")).await;
    let text_events: Vec<&str> = stream
        .body
        .split_inclusive("\n\n")
        .filter(|event| event.contains("\"content\":\"") && !event.contains("\"role\""))
        .collect();
    assert_eq!(text_events.len(), 100);
    assert!(text_events.iter().all(|event| event.len() == 256));
}

#[tokio::test]
async fn echo_tells_exactly_what_was_received() {
    let server = start_with(Behaviour { echo: true, ..Behaviour::default() });
    let mut request = ask("x");
    request["big"] = json!(9_223_372_036_854_775_808_u64);
    let answer = post(&server, &request).await.json();
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    let echo: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(echo["authorization"], "Bearer k-1");
    assert_eq!(echo["path"], "/v1/chat/completions");
    assert_eq!(echo["body"], request.to_string());
    assert_eq!(echo["body_sha256"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn models_health_and_unknown_paths_are_answered() {
    let server = start(Script::default().model("a", Behaviour::default()));
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: u\r\nConnection: close\r\n\r\n");
    let models = exchange(&server, get("/openai/v1/models?x=1").as_bytes()).await;
    assert_eq!(models.json()["data"][0]["id"], "a");
    assert_eq!(exchange(&server, get("/health").as_bytes()).await.status, 200);
    assert_eq!(server.stats().requests, 0, "neither is a request");
    let unknown = exchange(&server, get("/v1/embeddings").as_bytes()).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["error"]["type"], "invalid_request_error");
}
