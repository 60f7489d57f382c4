//! What is answered as Anthropic's Messages.

use serde_json::{Value, json};

use super::client::{Answer, post_to, start_with};
use crate::scripted::{Behaviour, Handle, ToolCall};

const PATH: &str = "/v1/messages";

fn ask(prompt: &str) -> Value {
    json!({"model": "m", "max_tokens": 2048, "messages": [{"role": "user", "content": prompt}]})
}

async fn streamed(server: &Handle, mut ask: Value) -> Answer {
    ask["stream"] = json!(true);
    post_to(server, PATH, &ask).await
}

/// The blocks as a client builds them from the events.
fn build(events: &[Value]) -> Vec<Value> {
    let mut blocks: Vec<Value> = Vec::new();
    for event in events {
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!(event["index"], blocks.len());
                blocks.push(event["content_block"].clone());
                if blocks.last().unwrap()["type"] == "tool_use" {
                    blocks.last_mut().unwrap()["input"] = json!("");
                }
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                let (name, piece) = match delta["type"].as_str().unwrap() {
                    "text_delta" => ("text", &delta["text"]),
                    "thinking_delta" => ("thinking", &delta["thinking"]),
                    "signature_delta" => ("signature", &delta["signature"]),
                    "input_json_delta" => ("input", &delta["partial_json"]),
                    other => panic!("{other}"),
                };
                let block = &mut blocks[event["index"].as_u64().unwrap() as usize];
                block[name] = json!(format!("{}{}", block[name].as_str().unwrap(), piece.as_str().unwrap()));
            }
            _ => {}
        }
    }
    for block in &mut blocks {
        if let Some(input) = block.get("input").and_then(Value::as_str) {
            block["input"] = serde_json::from_str(input).unwrap();
        }
    }
    blocks
}

fn thoughtful() -> Behaviour {
    Behaviour {
        reasoning: Some("Let me see.".to_owned()),
        text: Some("Ünïcode \"quoted\"\nline".to_owned()),
        tool_calls: vec![
            ToolCall { id: Some("toolu_mine".to_owned()), ..ToolCall::new("add", r#"{"a":1,"b":"zwölf ältere"}"#) },
            ToolCall::new("now", "{}"),
        ],
        prompt_tokens: Some(100),
        cached_tokens: Some(60),
        cache_write_tokens: Some(30),
        completion_tokens: Some(50),
        reasoning_tokens: Some(20),
        ..Behaviour::default()
    }
}

#[tokio::test]
async fn a_plain_message_says_that_it_is_scripted() {
    let server = start_with(Behaviour::default());
    let answer = post_to(&server, "/any/prefix/v1/messages", &ask("How are you?")).await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert!(body["id"].as_str().unwrap().starts_with("msg_scripted_"));
    assert_eq!((&body["type"], &body["role"], &body["model"]), (&json!("message"), &json!("assistant"), &json!("m")));
    assert_eq!((&body["stop_reason"], &body["stop_sequence"]), (&json!("end_turn"), &Value::Null));
    let text = body["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("1 message with 12 characters"), "{text}");
}

#[tokio::test]
async fn a_stream_says_the_same_as_a_whole_message() {
    let server = start_with(thoughtful());
    let whole = post_to(&server, PATH, &ask("x")).await.json();
    let kinds: Vec<&str> =
        whole["content"].as_array().unwrap().iter().map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["thinking", "text", "tool_use", "tool_use"]);
    assert_eq!(whole["content"][2]["id"], "toolu_mine");
    assert_eq!(whole["stop_reason"], "tool_use");
    let usage = &whole["usage"];
    assert_eq!((&usage["input_tokens"], &usage["cache_read_input_tokens"]), (&json!(10), &json!(60)));
    assert_eq!((&usage["cache_creation_input_tokens"], &usage["output_tokens"]), (&json!(30), &json!(50)));

    let stream = streamed(&server, ask("x")).await;
    assert!(stream.complete);
    let mut blocks = build(&stream.events());
    for (block, expected) in blocks.iter_mut().zip(whole["content"].as_array().unwrap()) {
        // An id made here has the answer's number in it.
        if expected["name"] == "now" {
            block["id"] = expected["id"].clone();
        }
        assert_eq!(block, expected);
    }
    let end = stream.events().iter().rev().nth(1).unwrap().clone();
    assert_eq!(end["delta"]["stop_reason"], "tool_use");
    for name in ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"] {
        assert_eq!(end["usage"][name], usage[name], "{name}");
    }
}

#[tokio::test]
async fn a_streams_events_have_anthropics_names_and_order() {
    let server = start_with(Behaviour { reasoning: Some("Hm.".to_owned()), ..Behaviour::text("two words") });
    let names = streamed(&server, ask("x")).await.names();
    let expected = [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn stop_reasons_are_said_in_anthropics_words() {
    for (script, expected) in [
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("pause_turn", "pause_turn"),
        ("stop_sequence", "stop_sequence"),
    ] {
        let server = start_with(Behaviour { finish_reason: Some(script.to_owned()), ..Behaviour::text("a") });
        let mut ask = ask("x");
        ask["stop_sequences"] = json!(["END"]);
        let whole = post_to(&server, PATH, &ask).await.json();
        assert_eq!(whole["stop_reason"], expected);
        let sequence = if expected == "stop_sequence" { json!("END") } else { Value::Null };
        assert_eq!(whole["stop_sequence"], sequence);
        let stream = streamed(&server, ask).await;
        assert_eq!(stream.events().iter().rev().nth(1).unwrap()["delta"]["stop_reason"], expected);
    }
}

#[tokio::test]
async fn what_was_thought_goes_back_unchanged_or_not_at_all() {
    for redacted in [false, true] {
        let server = start_with(Behaviour { redacted, ..thoughtful() });
        let mut ask = ask("x");
        let content = post_to(&server, PATH, &ask).await.json()["content"].clone();
        let results: Vec<Value> = (2..4)
            .map(|call| json!({"type": "tool_result", "tool_use_id": content[call]["id"], "content": "3"}))
            .collect();
        ask["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
        ask["messages"] = json!([ask["messages"][0], {"role": "assistant", "content": content},
            {"role": "user", "content": results}]);
        assert_eq!(post_to(&server, PATH, &ask).await.status, 200);
        let name = if redacted { "data" } else { "signature" };
        ask["messages"][1]["content"][0][name] = json!("EqQBCkYIBxgC");
        let (status, message) = post_to(&server, PATH, &ask).await.refusal();
        let kind = if redacted { "redacted_thinking" } else { "thinking" };
        assert_eq!((status, message), (400, format!("messages.1.content.0: Invalid `{name}` in `{kind}` block")));
        ask["messages"][1]["content"].as_array_mut().unwrap().remove(0);
        let (_, message) = post_to(&server, PATH, &ask).await.refusal();
        assert!(message.contains("must start with a thinking block"), "{message}");
    }
}

#[tokio::test]
async fn errors_have_anthropics_shape_and_types() {
    let server = start_with(Behaviour::default());
    for (marker, status, kind) in [
        ("status=401", 401, "authentication_error"),
        ("status=429 retry_after=3", 429, "rate_limit_error"),
        ("status=500", 500, "api_error"),
        ("status=529", 529, "overloaded_error"),
        ("error_code=insufficient_quota", 400, "invalid_request_error"),
        ("error_code=context_length_exceeded", 400, "invalid_request_error"),
        ("status=503 error_type=odd_error", 503, "odd_error"),
    ] {
        let answer = post_to(&server, PATH, &ask(&format!("[[scripted: {marker}]]"))).await;
        let body = answer.json();
        assert_eq!((answer.status, &body["error"]["type"]), (status, &json!(kind)), "{marker}");
        assert_eq!((&body["type"], &body["request_id"]), (&json!("error"), &json!("req_scripted")));
    }
}

#[tokio::test]
async fn a_stream_fails_with_an_error_event_and_nothing_behind_it() {
    let server = start_with(Behaviour { error_after: Some(2), ..Behaviour::text("a b c d") });
    let stream = streamed(&server, ask("x")).await;
    assert_eq!(stream.names().last().unwrap(), "error");
    assert_eq!(stream.events().last().unwrap()["error"]["type"], "api_error");
    let whole = post_to(&server, PATH, &ask("x")).await;
    assert_eq!((whole.status, &whole.json()["type"]), (500, &json!("error")));
    let server = start_with(Behaviour { malformed_after: Some(1), ..Behaviour::text("a b") });
    assert!(streamed(&server, ask("x")).await.events().contains(&json!("malformed")));
}

#[tokio::test]
async fn sizes_are_exactly_as_stated() {
    let server = start_with(Behaviour {
        answer_bytes: Some(1024),
        events: Some(10),
        event_bytes: Some(256),
        ..Behaviour::default()
    });
    assert_eq!(post_to(&server, PATH, &ask("x")).await.body.len(), 1024);
    let stream = streamed(&server, ask("x")).await;
    let texts: Vec<&str> = stream.body.split_inclusive("\n\n").filter(|event| event.contains("text_delta")).collect();
    assert_eq!(texts.len(), 10);
    assert!(texts.iter().all(|event| event.len() == 256));
}

#[tokio::test]
async fn arguments_that_are_no_object_are_streamed_as_they_stand_and_empty_in_a_whole_message() {
    let server = start_with(Behaviour { tool_calls: vec![ToolCall::new("f", "{not json")], ..Behaviour::default() });
    assert_eq!(post_to(&server, PATH, &ask("x")).await.json()["content"][0]["input"], json!({}));
    let mut raw = String::new();
    for event in streamed(&server, ask("x")).await.events() {
        raw.push_str(event["delta"]["partial_json"].as_str().unwrap_or_default());
    }
    assert_eq!(raw, "{not json");
}

#[tokio::test]
async fn tokens_are_counted_without_an_answer() {
    let server = start_with(Behaviour { prompt_tokens: Some(77), ..Behaviour::default() });
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
    let count = post_to(&server, "/v1/messages/count_tokens", &body).await;
    assert_eq!((count.status, count.json()), (200, json!({"input_tokens": 77})));
}
