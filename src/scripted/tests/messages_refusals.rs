//! What the judge of Anthropic's Messages refuses.

use serde_json::{Value, json};

use super::client::{exchange, last_request, post_to, start};
use crate::scripted::{Behaviour, Script};

const PATH: &str = "/v1/messages";

fn ask() -> Value {
    json!({"model": "m", "max_tokens": 2048, "messages": [{"role": "user", "content": "x"}]})
}

/// The request with one member set.
fn with(name: &str, value: Value) -> Value {
    let mut ask = ask();
    ask[name] = value;
    ask
}

fn messages(messages: Value) -> Value {
    with("messages", messages)
}

/// A call of `id`, then these blocks from the user.
fn after_call(id: &str, answer: Value) -> Value {
    messages(json!([
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "f", "input": {}}]},
        {"role": "user", "content": answer},
    ]))
}

fn result(id: &str) -> Value {
    json!({"type": "tool_result", "tool_use_id": id, "content": "1"})
}

#[tokio::test]
async fn what_anthropic_would_refuse_is_refused_with_its_place() {
    let server = start(Script::default());
    let mut without_limit = ask();
    without_limit.as_object_mut().unwrap().remove("max_tokens");
    let block = |block: Value| messages(json!([{"role": "user", "content": [block]}]));
    let cached = json!({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}});
    let cases = [
        (without_limit, "max_tokens: Field required"),
        (with("max_tokens", json!(0)), "max_tokens: must be greater"),
        (with("messages", json!([])), "at least one message"),
        (with("foo", json!(1)), "foo: Extra inputs are not permitted"),
        (with("temperature", json!(1.5)), "temperature: range: 0..1"),
        (with("top_p", json!(-0.1)), "top_p: range: 0..1"),
        (with("stop_sequences", json!([" "])), "non-whitespace"),
        (with("system", json!([{"type": "text", "text": ""}])), "system: text content blocks must be non-empty"),
        (with("tools", json!([{"name": "a b", "input_schema": {"type": "object"}}])), "tools.0.custom.name"),
        (with("tools", json!([{"name": "a"}])), "tools.0.custom.input_schema: Field required"),
        (with("tool_choice", json!({"type": "auto"})), "tool_choice"),
        (with("thinking", json!({"type": "enabled", "budget_tokens": 1023})), "greater than or equal to 1024"),
        (with("thinking", json!({"type": "enabled", "budget_tokens": 2048})), "`max_tokens` must be greater"),
        (messages(json!([{"role": "system", "content": "x"}])), "Unexpected role \"system\""),
        (messages(json!([{"role": "assistant", "content": "x"}])), "first message must use the \"user\" role"),
        (messages(json!([{"role": "user", "content": ""}])), "must have non-empty content"),
        (messages(json!([{"role": "user", "content": "x", "name": "y"}])), "messages.0.name: Extra inputs"),
        (block(json!({"type": "text", "text": ""})), "text content blocks must be non-empty"),
        (block(json!({"type": "text", "text": " \n"})), "must contain non-whitespace text"),
        (block(json!({"type": "image_url"})), "Input tag 'image_url'"),
        (block(json!({"type": "thinking", "thinking": "a", "signature": "b"})), "not allowed in `user`"),
        (
            block(json!({"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": "a"}})),
            "media_type",
        ),
        (block(result("t1")), "unexpected `tool_use_id` found in `tool_result` blocks: t1"),
        (after_call("a.b", json!([result("a.b")])), "should match pattern '^[a-zA-Z0-9_-]+$'"),
        (after_call("t1", json!([result("t2")])), "unexpected `tool_use_id`"),
        (after_call("t1", json!("no")), "without `tool_result` blocks immediately after: t1"),
        (after_call("t1", json!([{"type": "text", "text": "no"}, result("t1")])), "immediately after: t1"),
        (after_call("t1", json!([result("t1"), result("t1")])), "single result"),
        (
            messages(json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": "y "}])),
            "trailing whitespace",
        ),
        (
            messages(json!([{"role": "user", "content": [cached, cached, cached, cached, cached]}])),
            "maximum of 4 blocks with cache_control",
        ),
    ];
    for (body, cause) in cases {
        let answer = post_to(&server, PATH, &body).await;
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error", "{body}");
        let (status, message) = answer.refusal();
        assert!(status == 400 && message.contains(cause), "{body}: {status} {message}");
    }
}

#[tokio::test]
async fn a_request_without_a_version_is_refused() {
    let server = start(Script::default());
    let request = last_request(&ask().to_string()).replacen("/v1/chat/completions", PATH, 1);
    let (status, message) = exchange(&server, request.as_bytes()).await.refusal();
    assert_eq!((status, message.as_str()), (400, "anthropic-version: header is required"));
}

#[tokio::test]
async fn a_lenient_script_answers_all_the_same() {
    let server = start(Script::always(Behaviour { lenient: true, ..Behaviour::text("Fine.") }));
    for body in [with("temperature", json!(9)), after_call("a.b", json!("no")), with("foo", json!(1))] {
        let answer = post_to(&server, PATH, &body).await;
        assert_eq!((answer.status, &answer.json()["content"][0]["text"]), (200, &json!("Fine.")));
    }
    let answer = post_to(&server, PATH, &json!({"messages": []})).await;
    assert_eq!(answer.status, 400, "without a model there is nothing to answer");
}

#[tokio::test]
async fn a_well_formed_tool_turn_passes() {
    let server = start(Script::default());
    let answers = json!([result("t1"), {"type": "text", "text": "go on"}]);
    assert_eq!(post_to(&server, PATH, &after_call("t1", answers)).await.status, 200);
}
