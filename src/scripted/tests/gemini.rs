//! What is answered as Gemini, and what is refused.

use serde_json::{Value, json};

use super::client::{Answer, post_to, start_with};
use crate::scripted::{Behaviour, Handle, ToolCall};

const PATH: &str = "/v1beta/models/gem-1:generateContent";
const STREAM: &str = "/v1beta/models/gem-1:streamGenerateContent?alt=sse";

fn ask(prompt: &str) -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": prompt}]}]})
}

async fn streamed(server: &Handle, prompt: &str) -> Answer {
    post_to(server, STREAM, &ask(prompt)).await
}

fn thoughtful() -> Behaviour {
    Behaviour {
        reasoning: Some("Let me see.".to_owned()),
        text: Some("Ünïcode \"quoted\"\nline".to_owned()),
        tool_calls: vec![
            ToolCall { id: Some("mine".to_owned()), ..ToolCall::new("add", r#"{"a":1,"b":[true,null]}"#) },
            ToolCall::new("now", "{}"),
        ],
        prompt_tokens: Some(40),
        cached_tokens: Some(30),
        completion_tokens: Some(50),
        reasoning_tokens: Some(20),
        ..Behaviour::default()
    }
}

#[tokio::test]
async fn a_plain_answer_names_its_model_and_says_that_it_is_scripted() {
    let server = start_with(Behaviour::default());
    let answer =
        post_to(&server, "/x/v1/projects/p/publishers/google/models/g:generateContent", &ask("How are you?")).await;
    let body = answer.json();
    assert_eq!(body["modelVersion"], "g");
    assert!(body["responseId"].as_str().unwrap().starts_with("scripted-"));
    let candidate = &body["candidates"][0];
    assert_eq!((&candidate["finishReason"], &candidate["content"]["role"]), (&json!("STOP"), &json!("model")));
    let text = candidate["content"]["parts"][0]["text"].as_str().unwrap();
    assert!(text.contains("1 message with 12 characters"), "{text}");
}

#[tokio::test]
async fn a_stream_says_the_same_as_a_whole_answer_with_the_usage_in_each_chunk() {
    let server = start_with(thoughtful());
    let whole = post_to(&server, PATH, &ask("x")).await.json();
    let parts = whole["candidates"][0]["content"]["parts"].clone();
    assert_eq!(parts[0], json!({"text": "Let me see.", "thought": true}));
    assert_eq!(parts[2]["functionCall"], json!({"id": "mine", "name": "add", "args": {"a": 1, "b": [true, null]}}));
    assert!(parts[2]["thoughtSignature"].is_string(), "the first of parallel calls is signed");
    assert_eq!(parts[3], json!({"functionCall": {"name": "now", "args": {}}}));
    let usage = &whole["usageMetadata"];
    assert_eq!((&usage["candidatesTokenCount"], &usage["thoughtsTokenCount"]), (&json!(30), &json!(20)));
    assert_eq!((&usage["cachedContentTokenCount"], &usage["totalTokenCount"]), (&json!(30), &json!(90)));

    let stream = streamed(&server, "x").await;
    assert!(stream.complete && !stream.body.contains("[DONE]"));
    let (mut thought, mut text, mut calls) = (String::new(), String::new(), Vec::new());
    for event in stream.events() {
        assert!(event["usageMetadata"]["totalTokenCount"].is_u64());
        for part in event["candidates"][0]["content"]["parts"].as_array().unwrap() {
            let into = if part["thought"] == true { &mut thought } else { &mut text };
            into.push_str(part["text"].as_str().unwrap_or_default());
            if part.get("functionCall").is_some() {
                calls.push(part.clone());
            }
        }
    }
    assert_eq!((json!(thought), json!(text)), (parts[0]["text"].clone(), parts[1]["text"].clone()));
    assert_eq!(calls, parts.as_array().unwrap()[2..]);
    let last = stream.events().last().unwrap().clone();
    assert_eq!((&last["usageMetadata"], &last["candidates"][0]["finishReason"]), (usage, &json!("STOP")));
}

#[tokio::test]
async fn finish_reasons_are_said_in_geminis_words() {
    for (script, expected) in
        [("length", "MAX_TOKENS"), ("content_filter", "SAFETY"), ("MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL")]
    {
        let server = start_with(Behaviour { finish_reason: Some(script.to_owned()), ..Behaviour::text("a") });
        assert_eq!(post_to(&server, PATH, &ask("x")).await.json()["candidates"][0]["finishReason"], expected);
        let events = streamed(&server, "x").await.events();
        assert_eq!(events.last().unwrap()["candidates"][0]["finishReason"], expected);
    }
}

#[tokio::test]
async fn candidates_are_as_many_as_asked_for() {
    let server = start_with(Behaviour::text("four"));
    let mut three = ask("x");
    three["generationConfig"] = json!({"candidateCount": 3});
    for path in [PATH, STREAM] {
        let answer = post_to(&server, path, &three).await;
        let body = answer.events().last().cloned().unwrap_or_else(|| answer.json());
        assert_eq!(body["candidates"][2]["index"], 2, "{path}");
    }
}

#[tokio::test]
async fn errors_have_geminis_shape_and_names() {
    let server = start_with(Behaviour::default());
    for (marker, status, name) in [
        ("status=400", 400, "INVALID_ARGUMENT"),
        ("status=429 retry_after=7", 429, "RESOURCE_EXHAUSTED"),
        ("status=503", 503, "UNAVAILABLE"),
        ("status=500 error_type=DATA_LOSS", 500, "DATA_LOSS"),
    ] {
        let answer = post_to(&server, PATH, &ask(&format!("[[scripted: {marker}]]"))).await;
        let error = answer.json()["error"].clone();
        assert_eq!((answer.status, &error["code"], &error["status"]), (status, &json!(status), &json!(name)));
        if status == 429 {
            assert_eq!(error["details"][1]["retryDelay"], "7s");
        }
    }
    let stream = streamed(&server, "[[scripted: error_after=1]]").await;
    assert_eq!(stream.events().last().unwrap()["error"]["status"], "INTERNAL");
    let framed = post_to(&server, "/v1beta/models/g:streamGenerateContent", &ask("x")).await;
    assert_eq!(framed.status, 400, "only server-sent events are spoken");
}

#[tokio::test]
async fn sizes_are_exactly_as_stated() {
    let server = start_with(Behaviour {
        answer_bytes: Some(1024),
        events: Some(10),
        event_bytes: Some(400),
        ..Behaviour::default()
    });
    assert_eq!(post_to(&server, PATH, &ask("x")).await.body.len(), 1024);
    let stream = streamed(&server, "x").await;
    let sizes: Vec<usize> = stream.body.split_inclusive("\n\n").map(str::len).collect();
    assert_eq!(sizes[..10], [400; 10]);
}

/// A turn whose call was made by the scripted provider, and its answer.
async fn after_call(server: &Handle) -> Value {
    let content = post_to(server, PATH, &ask("x")).await.json()["candidates"][0]["content"].clone();
    json!({"contents": [ask("x")["contents"][0], content, {"role": "user", "parts": [
        {"functionResponse": {"id": "mine", "name": "add", "response": {"sum": 1}}},
        {"functionResponse": {"name": "now", "response": {}}},
    ]}]})
}

#[tokio::test]
async fn a_thought_signature_goes_back_unchanged_and_is_missed_if_the_script_says_so() {
    let server = start_with(thoughtful());
    let mut turn = after_call(&server).await;
    assert_eq!(post_to(&server, PATH, &turn).await.status, 200);
    turn["contents"][1]["parts"][2]["thoughtSignature"] = json!("CpsBAb4+9vuc");
    let (status, message) = post_to(&server, PATH, &turn).await.refusal();
    assert_eq!((status, message.as_str()), (400, "Thought signature is not valid at contents[1].parts[2]."));
    turn["contents"][1]["parts"][2].as_object_mut().unwrap().remove("thoughtSignature");
    assert_eq!(post_to(&server, PATH, &turn).await.status, 200);
    let strict = start_with(Behaviour { require_signatures: true, ..thoughtful() });
    let (status, message) = post_to(&strict, PATH, &turn).await.refusal();
    assert!(status == 400 && message.contains("missing a thought_signature"), "{message}");
    turn["contents"][1]["parts"][2]["thoughtSignature"] = json!("skip_thought_signature_validator");
    assert_eq!(post_to(&strict, PATH, &turn).await.status, 200, "Google's own stand-in");
}

#[tokio::test]
async fn what_gemini_would_refuse_is_refused_with_its_place() {
    let server = start_with(Behaviour::default());
    let with = |name: &str, value: Value| {
        let mut ask = ask("x");
        ask[name] = value;
        ask
    };
    let contents = |contents: Value| json!({ "contents": contents });
    let call = json!({"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]});
    let response = json!({"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]});
    let user = ask("x")["contents"][0].clone();
    let two = json!({"role": "user", "parts": [response["parts"][0], response["parts"][0]]});
    let odd = json!({"role": "user", "parts": [{"functionResponse": {"name": "f", "response": "x"}}]});
    let declared = |name: &str, parameters: Value| {
        with("tools", json!([{"functionDeclarations": [{"name": name, "parameters": parameters}]}]))
    };
    let cases = [
        (with("foo", json!(1)), "Unknown name \"foo\": Cannot find field"),
        (with("contents", json!([])), "contents is not specified"),
        (with("generationConfig", json!({"max_tokens": 1})), "Unknown name \"max_tokens\" at 'generation_config'"),
        (with("generation_config", json!({"temperature": 2.5})), "must be in the range [0.0, 2.0]"),
        (with("generationConfig", json!({"thinkingConfig": {"effort": "low"}})), "'generation_config.thinking_config'"),
        (
            with("generationConfig", json!({"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "LOW"}})),
            "only one of thinking budget and thinking level",
        ),
        (declared("a b", json!({"type": "object"})), "Invalid function name"),
        (declared("f", json!({"type": "object", "$schema": "x"})), "Unknown name \"$schema\""),
        (declared("f", json!({"properties": {"a": {"type": ["string", "null"]}}})), "properties[a].type"),
        (
            with("toolConfig", json!({"functionCallingConfig": {"mode": "AUTO", "allowedFunctionNames": ["f"]}})),
            "allowed_function_names",
        ),
        (contents(json!([{"role": "assistant", "parts": [{"text": "x"}]}])), "Please use a valid role: user, model."),
        (contents(json!([{"role": "user", "parts": []}])), "contents.parts must not be empty"),
        (contents(json!([{"role": "user", "parts": [{}]}])), "required oneof field 'data'"),
        (contents(json!([{"role": "user", "parts": [{"type": "text", "text": "x"}]}])), "Unknown name \"type\""),
        (contents(json!([user, response])), "comes immediately after a function call turn"),
        (contents(json!([user, call, two])), "number of function response parts"),
        (contents(json!([user, call, user])), "number of function response parts"),
        (contents(json!([call, response])), "function call turn comes immediately after a user turn"),
        (contents(json!([user, call, odd])), "google.protobuf.Struct"),
    ];
    for (body, cause) in cases {
        let answer = post_to(&server, PATH, &body).await;
        assert_eq!(answer.json()["error"]["status"], "INVALID_ARGUMENT", "{body}");
        let (status, message) = answer.refusal();
        assert!(status == 400 && message.contains(cause), "{body}: {message}");
    }
    assert_eq!(post_to(&server, PATH, &contents(json!([user, call, response]))).await.status, 200);
    let lenient = start_with(Behaviour { lenient: true, ..Behaviour::default() });
    assert_eq!(post_to(&lenient, PATH, &contents(json!([user, response]))).await.status, 200);
}
