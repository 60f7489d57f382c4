//! What the client wrote reaches the provider byte for byte, but for the model's name and the wish for usage.

use serde_json::json;

use crate::harness::{Gateway, Setup, Upstream, VirtualKey, chat, chat_stream};

/// The gateway calls `small` by another name upstream.
fn start(upstream: &Upstream) -> Gateway {
    Setup::new().provider("own", upstream, "").model("small", "own", "tier: weak, upstream: org/tiny-7b").start()
}

/// Sends a body that names `"small"` once, and gives what came upstream.
fn sent_and_came(body: &str) -> (String, String) {
    let upstream = Upstream::plain();
    let gateway = start(&upstream);
    let answer = gateway.chat_raw(body).send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    (body.replace("\"small\"", "\"org/tiny-7b\""), upstream.last_body())
}

fn passes_unchanged(body: &str) {
    let (wanted, came) = sent_and_came(body);
    assert_eq!(came, wanted);
}

#[test]
fn blanks_order_and_escapes_stay_as_they_were_written() {
    passes_unchanged(
        "{ \"messages\" : [\n\t{\"content\":\"caf\\u00e9 \\ud83d\\udc4b \\/ ü\" , \"role\":\"user\"}],\r\n  \"model\":\"small\"}  ",
    );
}

#[test]
fn numbers_stay_as_they_were_written() {
    passes_unchanged(
        r#"{"model":"small","temperature":0.1,"seed":9223372036854775808,"x_huge":1e400,"x_tiny":-0.0e-999,
           "x_long":3.14159265358979323846264338327950288,"messages":[{"role":"user","content":"hi"}]}"#,
    );
}

#[test]
fn unknown_fields_stay() {
    passes_unchanged(
        r#"{"model":"small","x_vendor":{"deep":[1,{"a":null}]},"messages":[{"role":"user","content":"hi","x_more":true}]}"#,
    );
}

#[test]
fn tools_images_and_n_reach_the_provider_unchanged() {
    passes_unchanged(
        r#"{"model":"small","n":2,"parallel_tool_calls":false,"tool_choice":"auto","tools":[{"type":"function","function":
           {"name":"get_weather","strict":true,"parameters":{"type":"object","properties":{"q":{"type":"string"}}}}}],
           "messages":[{"role":"user","content":[{"type":"text","text":"what is this?"},
           {"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"low"}}]},
           {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":
           {"name":"get_weather","arguments":"{\"q\": 1}"}}]},{"role":"tool","tool_call_id":"c1","content":"sunny"}]}"#,
    );
}

#[test]
fn a_stream_adds_only_the_wish_for_usage() {
    let (wanted, came) =
        sent_and_came(r#"{"model":"small" ,"stream":true,"messages":[{"role":"user","content":"hi"}], "x":1.50}"#);
    let added = r#","stream_options":{"include_usage":true}"#;
    assert_eq!(came.matches(added).count(), 1, "{came}");
    assert_eq!(came.replace(added, ""), wanted);
}

#[test]
fn other_stream_options_stay_beside_the_wish_for_usage() {
    let (wanted, came) = sent_and_came(
        r#"{"model":"small","stream":true,"stream_options":{"include_obfuscation":false,"include_usage":false},"messages":[{"role":"user","content":"hi"}]}"#,
    );
    assert_eq!(came, wanted.replace(r#""include_usage":false"#, r#""include_usage":true"#));
}

#[test]
fn parallel_answers_and_tool_calls_come_back_whole_and_streamed() {
    let upstream = Upstream::that("tool_calls: [now, { name: add, arguments: { a: 1 }, id: c2 }]");
    let gateway = start(&upstream);
    let mut body = chat("small", "hi");
    body["n"] = json!(2);
    let answer = gateway.chat(&body).send().json();
    for choice in [0, 1] {
        let calls = &answer["choices"][choice]["message"]["tool_calls"];
        assert_eq!(calls[0]["function"]["name"], "now");
        assert_eq!(calls[1]["id"], "c2");
    }
    let mut body = chat_stream("small", "hi");
    body["n"] = json!(2);
    let text = gateway.chat(&body).send().text();
    for wanted in [r#""index":1"#, r#""name":"add""#, r#""finish_reason":"tool_calls""#] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
}

#[test]
fn reasoning_comes_through_in_the_field_that_the_provider_used() {
    let upstream = Upstream::that("reasoning: Let me think., text: Done.");
    let gateway = start(&upstream);
    let message = &gateway.chat(&chat("small", "hi")).send().json()["choices"][0]["message"];
    assert_eq!(message["reasoning_content"], "Let me think.");
    let text = gateway.chat(&chat_stream("small", "hi")).send().text();
    assert!(text.contains(r#""reasoning_content":"#), "{text}");
}

#[test]
fn to_the_provider_go_only_our_credential_and_the_allowed_headers() {
    let upstream = Upstream::plain();
    let key = VirtualKey::create();
    let gateway = Setup::new()
        .provider("own", &upstream, "credentials: [{ api_key: \"${PROVIDER_KEY}\" }]")
        .model("small", "own", "tier: weak")
        .section(&format!("auth: {{ keys: [{}] }}", key.entry("k", "")))
        .environment("PROVIDER_KEY", "sk-of-the-gateway")
        .start();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = gateway
        .chat(&chat("small", "hi"))
        .key(&key.secret)
        .header("cookie", "session=1")
        .header("x-forwarded-for", "10.0.0.1")
        .header("accept-encoding", "gzip, br")
        .header("traceparent", trace)
        .header("idempotency-key", "once")
        .send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = upstream.stats().last_request.unwrap();
    let allowed = [
        "host",
        "content-length",
        "content-type",
        "connection",
        "accept",
        "user-agent",
        "authorization",
        "accept-encoding",
        "traceparent",
        "idempotency-key",
    ];
    for (name, value) in &seen.headers {
        assert!(allowed.contains(&name.as_str()), "{name}: {value}");
    }
    assert_eq!(seen.header("authorization"), Some("Bearer sk-of-the-gateway"));
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    assert_eq!(seen.header("traceparent"), Some(trace));
    assert_eq!(seen.header("idempotency-key"), Some("once"));
    assert_eq!(upstream.stats().credentials, ["Bearer sk-of-the-gateway"]);
}

#[test]
fn of_the_providers_headers_only_its_request_id_comes_through() {
    let upstream = Upstream::that(
        "text: hi, headers: { x-request-id: theirs-1, set-cookie: a=b, server: theirs, x-internal: secret }",
    );
    let gateway = start(&upstream);
    for body in [chat("small", "hi"), chat_stream("small", "hi")] {
        let answer = gateway.chat(&body).header("x-request-id", "ours-1").send();
        assert_eq!(answer.expect_header("x-waypost-upstream-id"), "theirs-1");
        assert_eq!(answer.expect_header("x-request-id"), "ours-1");
        for hidden in ["set-cookie", "x-internal", "x-scripted"] {
            assert_eq!(answer.header(hidden), None);
        }
        assert_ne!(answer.header("server"), Some("theirs"));
    }
}
