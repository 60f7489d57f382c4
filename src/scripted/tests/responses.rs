//! What is answered as OpenAI's Responses, and what is refused.

use serde_json::{Value, json};

use super::client::{Answer, post_to, start_with};
use crate::scripted::{Behaviour, Handle, ToolCall};

const PATH: &str = "/v1/responses";

fn ask(input: impl Into<Value>) -> Value {
    json!({"model": "m", "input": input.into()})
}

async fn streamed(server: &Handle, mut ask: Value) -> Answer {
    ask["stream"] = json!(true);
    post_to(server, PATH, &ask).await
}

fn thoughtful() -> Behaviour {
    Behaviour {
        reasoning: Some("Let me see.".to_owned()),
        text: Some("Ünïcode \"quoted\"\nline".to_owned()),
        tool_calls: vec![
            ToolCall { id: Some("call_mine".to_owned()), ..ToolCall::new("add", r#"{"a": 1}"#) },
            ToolCall::new("now", "{}"),
        ],
        cached_tokens: Some(5),
        reasoning_tokens: Some(2),
        ..Behaviour::default()
    }
}

#[tokio::test]
async fn a_plain_response_says_that_it_is_scripted_and_repeats_the_settings() {
    let server = start_with(Behaviour::default());
    let mut ask = ask("How are you?");
    ask["metadata"] = json!({"a": "b"});
    ask["temperature"] = json!(0.5);
    ask["tools"] = json!([{"type": "function", "name": "f", "parameters": {"type": "object"}}]);
    let body = post_to(&server, "/p/v1/responses", &ask).await.json();
    assert!(body["id"].as_str().unwrap().starts_with("resp_scripted_"));
    assert_eq!((&body["object"], &body["status"]), (&json!("response"), &json!("completed")));
    assert_eq!((&body["metadata"], &body["temperature"]), (&json!({"a": "b"}), &json!(0.5)));
    assert_eq!(body["tools"][0]["strict"], true);
    let text = body["output"][0]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("1 message with 12 characters"), "{text}");
    let usage = &body["usage"];
    let total = usage["input_tokens"].as_u64().unwrap() + usage["output_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], total);
}

#[tokio::test]
async fn a_stream_ends_with_the_same_response_as_a_whole_one() {
    let server = start_with(thoughtful());
    let whole = post_to(&server, PATH, &ask("x")).await.json();
    let kinds: Vec<&str> = whole["output"].as_array().unwrap().iter().map(|i| i["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call", "function_call"]);
    assert_eq!(whole["output"][0]["summary"][0]["text"], "Let me see.");
    assert_eq!(whole["output"][0].get("encrypted_content"), None, "nobody asked for it");
    assert_eq!(
        (&whole["output"][2]["call_id"], &whole["output"][2]["arguments"]),
        (&json!("call_mine"), &json!("{\"a\": 1}"))
    );
    assert_eq!(whole["usage"]["input_tokens_details"]["cached_tokens"], 5);
    assert_eq!(whole["usage"]["output_tokens_details"]["reasoning_tokens"], 2);

    let stream = streamed(&server, ask("x")).await;
    assert!(stream.complete);
    let events = stream.events();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    let end = &events.last().unwrap()["response"];
    assert_eq!(end["usage"], whole["usage"]);
    // Ids have the answer's number in them; all else is the same.
    let plain = |response: &Value| {
        let id = response["id"].as_str().unwrap().trim_start_matches("resp_scripted_").to_owned();
        response["output"].to_string().replace(&format!("scripted_{id}"), "scripted_N")
    };
    assert_eq!(plain(end), plain(&whole));
    let done: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "response.output_item.done")
        .map(|event| &event["item"])
        .collect();
    assert_eq!(json!(done), end["output"]);
    let mut text = String::new();
    for event in events.iter().filter(|event| event["type"] == "response.output_text.delta") {
        text.push_str(event["delta"].as_str().unwrap());
    }
    assert_eq!(text, whole["output"][1]["content"][0]["text"].as_str().unwrap());
}

#[tokio::test]
async fn a_streams_events_have_openais_names_and_order() {
    let server = start_with(Behaviour {
        reasoning: Some("Hm.".to_owned()),
        tool_calls: vec!["now"].into_iter().map(|name| ToolCall::new(name, "{}")).collect(),
        ..Behaviour::text("Hi.")
    });
    let names = streamed(&server, ask("x")).await.names();
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn an_answer_that_was_cut_is_incomplete() {
    for (script, reason) in [("length", "max_output_tokens"), ("content_filter", "content_filter")] {
        let server = start_with(Behaviour { finish_reason: Some(script.to_owned()), ..Behaviour::text("a") });
        let whole = post_to(&server, PATH, &ask("x")).await.json();
        assert_eq!((&whole["status"], &whole["output"][0]["status"]), (&json!("incomplete"), &json!("incomplete")));
        assert_eq!(whole["incomplete_details"]["reason"], reason);
        let stream = streamed(&server, ask("x")).await;
        assert_eq!(stream.names().last().unwrap(), "response.incomplete");
        assert_eq!(stream.events().last().unwrap()["response"]["incomplete_details"]["reason"], reason);
    }
}

#[tokio::test]
async fn a_stream_fails_with_an_error_and_a_failed_response() {
    let server = start_with(Behaviour { error_after: Some(1), ..Behaviour::text("a b c") });
    let stream = streamed(&server, ask("x")).await;
    let events = stream.events();
    let [.., error, failed] = events.as_slice() else { panic!("too few events") };
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("server_error")));
    assert_eq!((&failed["type"], &failed["response"]["status"]), (&json!("response.failed"), &json!("failed")));
    assert_eq!(failed["response"]["error"]["message"], error["message"]);
    assert_eq!(post_to(&server, PATH, &ask("x")).await.json()["error"]["type"], "server_error");
}

#[tokio::test]
async fn encrypted_reasoning_comes_if_asked_for_and_goes_back_unchanged_or_not_at_all() {
    let server = start_with(thoughtful());
    let mut first = ask("x");
    first["include"] = json!(["reasoning.encrypted_content"]);
    let output = post_to(&server, PATH, &first).await.json()["output"].clone();
    let streamed = streamed(&server, first).await.events();
    assert!(streamed.last().unwrap()["response"]["output"][0]["encrypted_content"].is_string());

    let mut items = output.as_array().unwrap().clone();
    for call in [items[2].clone(), items[3].clone()] {
        items.push(json!({"type": "function_call_output", "call_id": call["call_id"], "output": "3"}));
    }
    assert_eq!(post_to(&server, PATH, &ask(items.clone())).await.status, 200);
    items[0]["encrypted_content"] = json!("gAAAAABqX6NT");
    let answer = post_to(&server, PATH, &ask(items.clone())).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &json!("invalid_encrypted_content")));
    items[0].as_object_mut().unwrap().remove("encrypted_content");
    items[0]["id"] = json!("rs_0d1fd54abcba");
    assert_eq!(post_to(&server, PATH, &ask(items)).await.status, 404);
}

#[tokio::test]
async fn what_openai_would_refuse_is_refused_with_the_parameter_named() {
    let server = start_with(Behaviour::default());
    let with = |name: &str, value: Value| {
        let mut ask = ask("x");
        ask[name] = value;
        ask
    };
    let call = json!({"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"});
    let output = |id: &str| json!({"type": "function_call_output", "call_id": id, "output": "1"});
    let message = |role: &str, kind: &str| json!({"role": role, "content": [{"type": kind, "text": "x"}]});
    let cases = [
        (with("messages", json!([])), "messages"),
        (with("max_tokens", json!(5)), "max_tokens"),
        (with("temperature", json!(-1)), "temperature"),
        (with("max_output_tokens", json!(1)), "max_output_tokens"),
        (with("stream_options", json!({})), "stream_options"),
        (with("include", json!(["thoughts"])), "include[0]"),
        (with("tools", json!([{"type": "function", "function": {"name": "f"}}])), "tools[0].name"),
        (json!({"model": "m"}), "input"),
        (ask(json!([])), "input"),
        (ask(json!([output("c1")])), "input"),
        (ask(json!([call, output("c2")])), "input"),
        (ask(json!([call])), "input"),
        (
            ask(json!([{"type": "function_call", "id": "c1", "call_id": "c1", "name": "f", "arguments": "{}"}])),
            "input[0].id",
        ),
        (ask(json!([message("tool", "input_text")])), "input[0].role"),
        (ask(json!([message("assistant", "input_text")])), "input[0].content[0]"),
        (ask(json!([message("user", "text")])), "input[0].content[0]"),
        (ask(json!([{"role": "user", "content": "x", "name": "y"}])), "input[0].name"),
        (ask(json!([{"type": "odd"}])), "input[0].type"),
    ];
    for (body, param) in cases {
        let answer = post_to(&server, PATH, &body).await;
        assert_eq!((answer.status, &answer.json()["error"]["param"]), (400, &json!(param)), "{body}");
    }
    let mut later = ask(json!([output("c1")]));
    later["previous_response_id"] = json!("resp_scripted_1");
    assert_eq!(post_to(&server, PATH, &later).await.status, 200, "its call may be stored");
    let lenient = start_with(Behaviour { lenient: true, ..Behaviour::default() });
    assert_eq!(post_to(&lenient, PATH, &ask(json!([output("c1")]))).await.status, 200);
}
