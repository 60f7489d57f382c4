use serde_json::{Value, json};

use super::*;
use crate::wire::provider_error::ProviderErrorKind;
use crate::wire::recorded;

fn mended(event_data: &str) -> Value {
    serde_json::from_slice(&event(event_data.as_bytes()).expect("it is at fault")).unwrap()
}

#[test]
fn recorded_answers_pass_byte_for_byte() {
    for exchange in recorded::exchanges("messages") {
        if let Some(body) = exchange.answered()
            && exchange.status() == 200
        {
            assert_eq!(whole(body.clone()).unwrap(), body, "{}", exchange.name);
        }
        let Some(stream) = exchange.stream else { continue };
        for line in std::str::from_utf8(&stream).unwrap().lines() {
            if let Some(data) = line.strip_prefix("data: ") {
                assert_eq!(event(data.as_bytes()), None, "{}: {data}", exchange.name);
            }
        }
    }
}

#[test]
fn what_is_missing_is_put_in_and_nothing_else_changes() {
    let body = r#"{ "content" : [{"type":"thinking","thinking":"t"}, {"text":null,"type":"text","x":1.0}],"new":"é" }"#;
    let mended = whole(Bytes::from(body)).unwrap();
    assert_eq!(
        std::str::from_utf8(&mended).unwrap(),
        r#"{"id":"","type":"message","role":"assistant","model":"","usage":{"input_tokens":0,"output_tokens":0}, "content" : [{"signature":"","type":"thinking","thinking":"t"}, {"text":"","type":"text","x":1.0}],"new":"é" }"#
    );
}

#[test]
fn what_is_of_another_type_is_put_right() {
    let body = json!({"id": 7, "type": "chat.completion", "role": "model", "model": null, "content": "hi \"you\"",
        "stop_reason": "tool_calls", "stop_sequence": [], "stop_details": {"category": 1},
        "usage": {"input_tokens": null, "output_tokens": 3, "service_tier": "on_demand", "cache_creation": {},
            "cache_read_input_tokens": "many", "server_tool_use": {"web_search_requests": 1}, "iterations": []}});
    let mended: Value = serde_json::from_slice(&whole(body.to_string().into()).unwrap()).unwrap();
    let expected = json!({"id": "", "type": "message", "role": "assistant", "model": "",
        "content": [{"type": "text", "text": "hi \"you\""}], "stop_reason": "tool_use", "stop_sequence": null,
        "stop_details": {"type": "refusal", "category": null},
        "usage": {"input_tokens": 0, "output_tokens": 3, "service_tier": null,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "cache_read_input_tokens": null, "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
            "iterations": []}});
    assert_eq!(mended, expected);
}

#[test]
fn arguments_given_as_a_text_become_the_object_they_are() {
    let call = |input: &str| {
        format!(
            r#"{{"type":"content_block_start","index":0,"content_block":{{"type":"tool_use","id":"t","name":"f","input":{input}}}}}"#
        )
    };
    assert_eq!(mended(&call(r#""{\"a\": 1}""#))["content_block"]["input"], json!({"a": 1}));
    assert_eq!(mended(&call("null"))["content_block"]["input"], json!({}));
    assert_eq!(event(call("{}").as_bytes()), None);
}

#[test]
fn events_are_mended_by_their_type() {
    for (data, expected) in [
        (
            r#"{"type":"content_block_start","content_block":{"thinking":"","type":"thinking"}}"#,
            json!({"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}),
        ),
        (
            r#"{"delta":{"type":"text_delta","text":null},"index":1,"type":"content_block_delta"}"#,
            json!({"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":""}}),
        ),
        (
            r#"{"type":"message_delta","delta":{"stop_reason":"length"}}"#,
            json!({"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":0}}),
        ),
        (
            r#"{"type":"message_start"}"#,
            json!({"type":"message_start","message":{"id":"","type":"message","role":"assistant","model":"","content":[],
            "usage":{"input_tokens":0,"output_tokens":0}}}),
        ),
    ] {
        assert_eq!(mended(data), expected, "{data}");
    }
}

#[test]
fn what_a_newer_client_may_know_passes() {
    for data in [
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"advisor_tool_result","content":null}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"new_delta"}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"new_reason"},"usage":{"output_tokens":1,"new":"x"}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"error","error":{}}"#,
        r#"{"no":"type"}"#,
        r#"{"type":"content_block_stop""#,
        "[]",
    ] {
        assert_eq!(event(data.as_bytes()), None, "{data}");
    }
}

#[test]
fn an_error_never_becomes_an_empty_answer() {
    let Err(AnswerError::Provider(error)) =
        whole(Bytes::from(r#"{"error":{"type":"authentication_error","message":"bad"}}"#))
    else {
        panic!()
    };
    assert_eq!((error.status, error.kind), (401, ProviderErrorKind::Credential));
    assert_eq!(whole(Bytes::from("{}")), Err(AnswerError::NoChoices));
    assert!(matches!(whole(Bytes::from("{")), Err(AnswerError::Json(_))));
    assert!(matches!(whole(Bytes::from("[]")), Err(AnswerError::Shape(_))));
}
