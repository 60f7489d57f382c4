//! Every client format reaches a model that speaks another one, and what could not be said is told.

use serde_json::{Value, json};

use crate::harness::{Answer, Gateway, Setup, Upstream, chat, eventually, with};

fn messages(gateway: &Gateway, body: &Value) -> Answer {
    gateway.post("/v1/messages", body).send()
}

fn responses(gateway: &Gateway, body: &Value) -> Answer {
    gateway.post("/v1/responses", body).send()
}

fn message(prompt: &str) -> Value {
    json!({ "model": "small", "max_tokens": 100, "messages": [{ "role": "user", "content": prompt }] })
}

fn input(prompt: &str) -> Value {
    json!({ "model": "small", "input": prompt })
}

/// The event names of a stream, in order, each once.
fn names(answer: &Answer) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for event in answer.events() {
        let name = event.lines().find_map(|line| line.strip_prefix("event: ")).unwrap_or("none").to_owned();
        if names.last() != Some(&name) {
            names.push(name);
        }
    }
    names
}

fn json_of(body: &str) -> Value {
    serde_json::from_str(body).unwrap()
}

#[test]
fn a_messages_client_is_answered_by_a_chat_model() {
    let upstream = Upstream::that("text: Hello there., prompt_tokens: 10, completion_tokens: 3");
    let gateway = Setup::one(&upstream).start();
    let answer = messages(&gateway, &with(message("hi"), "system", json!("Be kind.")));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    assert_eq!(body["content"], json!([{ "type": "text", "text": "Hello there." }]));
    assert_eq!((&body["stop_reason"], &body["usage"]["input_tokens"]), (&json!("end_turn"), &json!(10)));
    let sent = json_of(&upstream.last_body());
    assert_eq!(
        sent["messages"],
        json!([{ "role": "system", "content": "Be kind." }, { "role": "user", "content": "hi" }])
    );
    assert_eq!(sent["max_tokens"], 100);
    assert_eq!(gateway.decision_of(&answer)["operation"], "messages");
}

#[test]
fn a_stream_is_told_in_the_clients_own_events() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).start();
    let answer = messages(&gateway, &with(message("hi"), "stream", json!(true)));
    assert_eq!(answer.expect_header("content-type"), "text/event-stream");
    assert_eq!(
        names(&answer),
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    assert!(!answer.text().contains("[DONE]"));
    let answer = responses(&gateway, &with(input("hi"), "stream", json!(true)));
    let names = names(&answer);
    assert_eq!(
        (names.first().unwrap().as_str(), names.last().unwrap().as_str()),
        ("response.created", "response.completed")
    );
    assert!(!answer.text().contains("[DONE]"));
}

#[test]
fn a_tool_loop_goes_there_and_back_with_its_ids_and_arguments() {
    let upstream = Upstream::that("tool_calls: [{ name: add, arguments: { a: 1 }, id: call_7 }]");
    let gateway = Setup::one(&upstream).start();
    let tools =
        json!([{ "name": "add", "input_schema": { "type": "object", "properties": { "a": { "type": "integer" } } } }]);
    let first = messages(&gateway, &with(message("add"), "tools", tools.clone())).json();
    let call = &first["content"][0];
    assert_eq!((&call["type"], &call["id"], &call["name"]), (&json!("tool_use"), &json!("call_7"), &json!("add")));
    assert_eq!(first["stop_reason"], "tool_use");
    let second = json!({ "model": "small", "max_tokens": 100, "tools": tools, "messages": [
        { "role": "user", "content": "add" },
        { "role": "assistant", "content": first["content"] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "call_7", "content": "2" }] },
    ]});
    assert_eq!(messages(&gateway, &second).status, 200);
    let sent = json_of(&upstream.last_body());
    assert_eq!(sent["messages"][1]["tool_calls"][0]["id"], "call_7");
    assert_eq!(sent["messages"][2], json!({ "role": "tool", "tool_call_id": "call_7", "content": "2" }));
    assert_eq!(sent["tools"][0]["function"]["parameters"], tools[0]["input_schema"]);
}

#[test]
fn what_the_target_cannot_say_is_refused_by_name_and_nothing_is_sent() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).start();
    let body = with(message("hi"), "top_k", json!(5));
    let answer = messages(&gateway, &body);
    assert_eq!(answer.status, 400, "{}", answer.text());
    let error = &answer.json()["error"];
    assert_eq!((&error["code"], &error["type"]), (&json!("unsupported_in_format"), &json!("invalid_request_error")));
    assert!(error["message"].as_str().unwrap().contains("top_k"), "{error}");
    upstream.must_be_untouched();
}

#[test]
fn where_it_may_be_dropped_it_is_named() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).section("on_unsupported: drop").start();
    let answer = messages(&gateway, &with(message("hi"), "top_k", json!(5)));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.expect_header("x-waypost-dropped"), "top_k");
    assert!(!upstream.last_body().contains("top_k"));
}

#[test]
fn a_hint_is_dropped_and_named_without_leave() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).start();
    let content = json!([{ "type": "text", "text": "hi", "cache_control": { "type": "ephemeral" } }]);
    let body = with(message(""), "messages", json!([{ "role": "user", "content": content }]));
    let answer = messages(&gateway, &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.expect_header("x-waypost-dropped").contains("cache_control"));
}

#[test]
fn what_the_provider_would_run_or_keep_needs_a_target_that_states_it() {
    let upstream = Upstream::plain();
    let setup = |supports: &str| Setup::new().provider("own", &upstream, "").model("small", "own", supports);
    let gateway = setup("tier: weak").start();
    for (field, value) in [
        ("previous_response_id", json!("resp_1")),
        ("background", json!(true)),
        ("store", json!(true)),
        ("tools", json!([{ "type": "web_search" }])),
    ] {
        let answer = responses(&gateway, &with(input("hi"), field, value));
        answer.must_be_error(400, "server_tool_denied");
    }
    upstream.must_be_untouched();
    let gateway = setup("tier: weak, wire: responses, supports: [state]").start();
    assert_eq!(responses(&gateway, &with(input("hi"), "store", json!(true))).status, 200);
    responses(&gateway, &with(input("hi"), "tools", json!([{ "type": "web_search" }])))
        .must_be_error(400, "server_tool_denied");
}

#[test]
fn errors_come_in_the_clients_own_shape() {
    let upstream = Upstream::that("status: 429, retry_after: 7");
    let gateway = Setup::one(&upstream).section("retry: { attempts: 1 }").start();
    let answer = messages(&gateway, &message("hi"));
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("7")), "{}", answer.text());
    let body = answer.json();
    assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!("rate_limit_error")));
    assert_eq!(body["request_id"], answer.expect_header("x-request-id"));
    let missing = messages(&gateway, &with(message("hi"), "model", json!("nobody")));
    assert_eq!((missing.status, &missing.json()["error"]["type"]), (404, &json!("not_found_error")));
    responses(&gateway, &input("hi")).must_be_error(429, "rate_limit_exceeded");
}

#[test]
fn a_stream_that_breaks_ends_as_a_failure_in_each_format() {
    let upstream = Upstream::that("text: one two three four, error_after: 3");
    let gateway = Setup::one(&upstream).start();
    let answer = messages(&gateway, &with(message("hi"), "stream", json!(true)));
    assert_eq!(names(&answer).last().map(String::as_str), Some("error"), "{}", answer.text());
    let answer = responses(&gateway, &with(input("hi"), "stream", json!(true)));
    assert_eq!(names(&answer).last().map(String::as_str), Some("response.failed"), "{}", answer.text());
    let answer = gateway.chat(&with(chat("small", "hi"), "stream", json!(true))).send();
    assert!(answer.events().last().unwrap().contains("\"error\""), "{}", answer.text());
}

#[test]
fn reasoning_reaches_each_client_in_its_own_form_and_may_be_withheld() {
    let upstream = Upstream::that("reasoning: I think so., text: Yes.");
    let setup = |more: &str| {
        let more = format!("tier: weak{more}");
        Setup::new().provider("own", &upstream, "").model("small", "own", &more).start()
    };
    let gateway = setup("");
    assert_eq!(
        gateway.chat(&chat("small", "hi")).send().json()["choices"][0]["message"]["reasoning_content"],
        "I think so."
    );
    let block = messages(&gateway, &message("hi")).json()["content"][0].clone();
    assert_eq!((&block["type"], &block["thinking"]), (&json!("thinking"), &json!("I think so.")));
    assert!(block["signature"].as_str().unwrap().starts_with("wp1:"));
    let item = responses(&gateway, &input("hi")).json()["output"][0].clone();
    assert_eq!((&item["type"], &item["summary"][0]["text"]), (&json!("reasoning"), &json!("I think so.")));

    let silent = setup(", reasoning: { show: false }");
    for text in [
        silent.chat(&chat("small", "hi")).send().text(),
        silent.chat(&with(chat("small", "hi"), "stream", json!(true))).send().text(),
        messages(&silent, &message("hi")).text(),
        messages(&silent, &with(message("hi"), "stream", json!(true))).text(),
        responses(&silent, &input("hi")).text(),
    ] {
        assert!(!text.contains("I think"), "{text}");
        assert!(text.contains("Yes"), "{text}");
    }
}

#[test]
fn a_tool_loop_stays_with_the_model_that_began_it() {
    let call = "tool_calls: [{ name: add, arguments: { a: 1 }, id: c1 }]";
    let (own, paid) = (Upstream::that(call), Upstream::that(call));
    let gateway = Setup::own_and_paid(&own, &paid)
        .section("aliases: [{ name: pick, targets: [{ model: small, weight: 1 }, { model: large, weight: 1 }] }]")
        .start();
    let tools = json!([{ "type": "function", "function": { "name": "add", "parameters": { "type": "object" } } }]);
    for turn in 0..12 {
        let question = json!({ "role": "user", "content": format!("add {turn}") });
        let first = with(with(chat("pick", ""), "messages", json!([question])), "tools", tools.clone());
        let answer = gateway.chat(&first).send();
        let began = answer.expect_header("x-waypost-model").to_owned();
        let said = answer.json()["choices"][0]["message"].clone();
        let result = json!({ "role": "tool", "tool_call_id": "c1", "content": "2" });
        let second = with(first, "messages", json!([question, said, result]));
        let answer = gateway.chat(&second).send();
        assert_eq!(answer.expect_header("x-waypost-model"), began);
        assert_eq!(answer.expect_header("x-waypost-reason"), "pinned");
    }
    assert!(own.requests() > 0 && paid.requests() > 0, "both began some of the turns");
}

#[test]
fn a_tool_loop_whose_model_is_too_dear_for_the_rest_is_denied_and_not_told_to_come_again() {
    let call = "tool_calls: [{ name: add, arguments: { a: 1 }, id: c1 }]";
    let (own, paid) = (Upstream::that(call), Upstream::that(call));
    let gateway = Setup::own_and_paid(&own, &paid)
        .section(
            "aliases: [{ name: pick, targets: [{ model: small, weight: 1 }, { model: large, weight: 4000000000 }] }]",
        )
        .start();
    let tools = json!([{ "type": "function", "function": { "name": "add", "parameters": { "type": "object" } } }]);
    let question = json!({ "role": "user", "content": "add" });
    let first = with(with(chat("pick", ""), "messages", json!([question])), "tools", tools);
    let answer = gateway.chat(&first).send();
    assert_eq!(answer.expect_header("x-waypost-model"), "large");
    let said = answer.json()["choices"][0]["message"].clone();
    let result = json!({ "role": "tool", "tool_call_id": "c1", "content": "2" });
    let second = with(first, "messages", json!([question, said, result]));
    // 400 tokens of output cost `small` 0.004 dollars and `large` 0.02.
    let answer = gateway.chat(&second).header("x-waypost-max-cost-usd", "0.01").send();
    answer.must_be_error(403, "policy_denied");
    assert_eq!(answer.header("x-should-retry"), Some("false"));
}

#[test]
fn a_kept_answer_is_told_in_the_format_it_was_asked_in() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).section("cache: { exact: on }").start();
    let cold = |body: Value| with(body, "temperature", json!(0));
    let hit = |path: &str, body: &Value| {
        eventually("a hit", || {
            let answer = gateway.post(path, body).send();
            (answer.header("x-waypost-cache") == Some("hit")).then_some(answer)
        })
    };
    let whole = hit("/v1/messages", &cold(message("hi")));
    assert_eq!(whole.json()["content"][0]["text"], "Hello there.");
    let streamed = hit("/v1/messages", &with(cold(message("hi")), "stream", json!(true)));
    assert_eq!(names(&streamed).last().map(String::as_str), Some("message_stop"));
    let other = responses(&gateway, &cold(input("hi")));
    assert_eq!(other.header("x-waypost-cache"), Some("miss"), "each format has its own");
    let streamed = hit("/v1/responses", &with(cold(input("hi")), "stream", json!(true)));
    assert_eq!(names(&streamed).last().map(String::as_str), Some("response.completed"));
}

#[test]
fn tokens_are_counted_before_the_call_and_an_estimate_says_so() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).start();
    let body = json!({ "model": "auto", "messages": [{ "role": "user", "content": "antidisestablishmentarianism" }] });
    let answer = gateway.post("/v1/messages/count_tokens", &body).send();
    assert_eq!((answer.status, answer.header("x-waypost-estimated")), (200, Some("true")), "{}", answer.text());
    let tokens = answer.json()["input_tokens"].as_u64().unwrap();
    assert!((6..=16).contains(&tokens), "{tokens}");
    upstream.must_be_untouched();
}

#[test]
fn auto_does_not_choose_among_embeddings() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).start();
    let ask = |model: &str| gateway.post("/v1/embeddings", &json!({ "model": model, "input": "hi" })).send();
    ask("auto").must_be_error(400, "invalid_request");
    ask("small").must_be_error(400, "invalid_request");
    upstream.must_be_untouched();
}
