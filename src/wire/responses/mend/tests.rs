use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::money::NanoUsd;
use crate::wire::recorded::exchanges;
use crate::wire::responses::answer::tests::envelope;
use crate::wire::sse::parse;

/// `b` has everything that `a` has, unchanged, except at the paths named.
fn keeps(a: &Value, b: &Value, path: &str, changed: &[&str]) {
    if changed.contains(&path) {
        return;
    }
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            for (name, value) in a {
                keeps(value, b.get(name).unwrap(), &format!("{path}/{name}"), changed);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len());
            for (a, b) in a.iter().zip(b) {
                keeps(a, b, path, changed);
            }
        }
        _ => assert_eq!(a, b, "{path}"),
    }
}

#[test]
fn recorded_answers_get_what_they_lack_and_keep_the_rest() {
    for exchange in exchanges("responses") {
        let Some(body) = exchange.answered().filter(|_| exchange.status() == 200) else { continue };
        let mended = whole(body.clone(), None).unwrap();
        let (was, is): (Value, Value) =
            (serde_json::from_slice(&body).unwrap(), serde_json::from_slice(&mended).unwrap());
        keeps(&was, &is, "", &["/status"]);
        assert_eq!(is["usage"]["input_tokens_details"]["cache_write_tokens"], 0, "{}", exchange.name);
        assert_eq!(is["status"], "completed", "{}", exchange.name);
        assert!(is["tools"].is_array() && !is["tool_choice"].is_null(), "{}", exchange.name);
        assert_eq!(whole(mended.clone(), None).unwrap(), mended, "corrected once is correct");
    }
}

#[test]
fn recorded_events_are_numbered_and_keep_the_rest() {
    for exchange in exchanges("responses") {
        let Some(stream) = &exchange.stream else { continue };
        let mut mender = Mender::new(envelope());
        let text = String::from_utf8(stream.to_vec()).unwrap().replace("\r\n", "\n");
        for (number, event) in text.split("\n\n").filter(|event| !event.is_empty()).enumerate() {
            let event = parse(event.as_bytes());
            let data = event.data.unwrap();
            let mended = mender.event(&data).unwrap_or(data.to_vec());
            let (was, is): (Value, Value) =
                (serde_json::from_slice(&data).unwrap(), serde_json::from_slice(&mended).unwrap());
            keeps(&was, &is, "", &[]);
            assert_eq!(is["sequence_number"], number);
            if is["type"] == "response.output_text.delta" {
                assert!(is["logprobs"].is_array());
            }
            if is["type"] == "response.completed" {
                assert!(is["response"]["usage"]["input_tokens_details"]["cache_write_tokens"].is_u64());
            }
            assert_eq!(Mender::new(envelope()).event(&mended), None, "corrected once is correct: {is}");
        }
    }
}

fn corrected(body: Value, echo: Option<&Json>) -> Value {
    serde_json::from_slice(&whole(body.to_string().into(), echo).unwrap()).unwrap()
}

#[test]
fn what_cannot_be_read_as_its_type_is_replaced() {
    let mended = corrected(
        json!({"id": "r", "object": "", "created_at": 1, "model": "m", "status": "complete", "service_tier": "on_demand",
            "prompt_cache_retention": "in-memory", "reasoning": {"effort": "odd", "summary": null},
            "tools": null, "error": null, "metadata": {"a": 1.0, "b": null, "c": "d"}, "usage": {"input_tokens": 2, "output_tokens": 3, "input_tokens_details": null},
            "output": [
                {"type": "message", "content": null, "status": null},
                {"type": "message", "id": "x", "role": "assistant", "status": "completed",
                    "content": [{"type": "output_text", "text": null, "annotations": null, "logprobs": null}]},
                {"type": "reasoning", "id": "y", "summary": null, "status": "weird"},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": {"a": [1, 2]}},
                {"type": "martian", "id": null}]}),
        None,
    );
    let wanted = json!({"id": "r", "object": "response", "created_at": 1, "model": "m", "status": "completed",
        "service_tier": null, "prompt_cache_retention": "in_memory", "reasoning": {"effort": null, "summary": null},
        "tools": [], "tool_choice": "auto", "parallel_tool_calls": true, "error": null,
        "metadata": {"a": "1.0", "b": "", "c": "d"},
        "usage": {"input_tokens": 2, "output_tokens": 3, "total_tokens": 5,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0}},
        "output": [
            {"type": "message", "id": "item_0", "content": [], "status": "completed", "role": "assistant"},
            {"type": "message", "id": "x", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": "", "annotations": [], "logprobs": null}]},
            {"type": "reasoning", "id": "y", "summary": [], "status": null},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{\"a\":[1,2]}"},
            {"type": "martian", "id": null}]});
    assert_eq!(mended, wanted);
}

#[test]
fn what_the_request_said_stands_where_the_answer_does_not_repeat_it() {
    let echo =
        Json::new("{\"tools\":[{\"type\":\"function\",\n\"name\":\"f\"}],\"tool_choice\":\"required\"}".to_owned());
    let mended = corrected(json!({"output": []}), Some(&echo.unwrap()));
    assert_eq!((&mended["tools"][0]["name"], &mended["tool_choice"]), (&"f".into(), &"required".into()));
}

#[test]
fn a_failure_under_200_is_no_answer() {
    let failed = br#"{"status":"failed","error":{"message":"m"},"output":[]}"#;
    assert!(matches!(whole(failed.as_slice().into(), None), Err(AnswerError::Provider(_))));
    assert!(matches!(whole(b"{\"output\"".as_slice().into(), None), Err(AnswerError::Json(_))));
}

#[test]
fn an_event_says_the_cost_and_names_its_item() {
    let mut envelope = envelope();
    envelope.cost = Arc::new(|_| Some(NanoUsd(5_000_000)));
    let mut mender = Mender::new(envelope);
    let mut event = |data: Value| -> Value {
        let data = data.to_string();
        mender.event(data.as_bytes()).map_or(Value::Null, |data| serde_json::from_slice(&data).unwrap_or_default())
    };
    event(
        json!({"type": "response.output_item.added", "output_index": 2, "item": {"type": "function_call", "id": "fc"}}),
    );
    let delta = event(json!({"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "{"}));
    assert_eq!((&delta["item_id"], &delta["sequence_number"]), (&"fc".into(), &1.into()));
    let last = event(json!({"type": "response.completed", "sequence_number": 9, "response": {"output": [],
        "usage": {"input_tokens": 1, "output_tokens": 1, "waypost_cost_usd": 7}}}));
    assert_eq!(last["response"]["usage"]["waypost_cost_usd"], 0.005);
    assert_eq!(last["sequence_number"], 9);
    assert_eq!(mender.event(b"[DONE]"), Some(Vec::new()));
    assert_eq!(mender.event(b"{broken"), None);
    assert_eq!(mender.event(b"{\"type\":\"response.of_tomorrow\"}"), None);
}

#[test]
fn a_stream_that_breaks_ends_with_a_failure_of_the_same_response() {
    let refusal =
        Refusal { status: 429, kind: "t", code: "rate_limit_exceeded", message: "slow", param: None, request_id: "r" };
    let mut mender = Mender::new(envelope());
    let created = json!({"type": "response.created", "sequence_number": 0, "response": {"id": "resp_x", "model": "p"}});
    let _ = mender.event(created.to_string().as_bytes());
    let frame = String::from_utf8(mender.failed(&refusal)).unwrap();
    let data: Value = serde_json::from_str(frame.split_once("data: ").unwrap().1).unwrap();
    assert!(frame.starts_with("event: response.failed\n") && frame.ends_with("\n\n"));
    assert_eq!((&data["response"]["id"], &data["sequence_number"]), (&"resp_x".into(), &1.into()));
    assert_eq!(data["response"]["error"]["code"], "rate_limit_exceeded");
    assert_eq!(Mender::new(envelope()).event(data.to_string().as_bytes()), None);
    assert!(mender.failed(&refusal).is_empty());
    let begun = String::from_utf8(Mender::new(envelope()).failed(&refusal)).unwrap();
    assert!(begun.starts_with("event: response.created\n"), "clients need a beginning");
}

#[test]
fn vllms_names_for_parts_of_reasoning_become_those_that_clients_know() {
    let event = json!({"type": "response.reasoning_part.done", "sequence_number": 3, "output_index": 0, "item_id": "r",
        "content_index": 0, "part": {"type": "reasoning_text", "text": "a"}});
    let mended = Mender::new(envelope()).event(event.to_string().as_bytes()).unwrap();
    let mut wanted = event;
    wanted["type"] = "response.content_part.done".into();
    assert_eq!(serde_json::from_slice::<Value>(&mended).unwrap(), wanted);
}

#[test]
fn bytes_that_break_off_are_left_alone() {
    for exchange in exchanges("responses") {
        let Some(body) = exchange.answered().filter(|_| exchange.status() == 200) else { continue };
        for cut in (0..body.len()).step_by(7) {
            assert!(whole(body.slice(..cut), None).is_err());
            assert_eq!(Mender::new(envelope()).event(&body[..cut]), None);
            assert!(super::super::answer::decode(&body[..cut]).is_err());
        }
    }
}
