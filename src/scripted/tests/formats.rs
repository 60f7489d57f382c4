//! Which format is spoken where.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};

use super::client::{ask, exchange, post, post_to, start};
use crate::scripted::{Behaviour, Format, Script, Server};

fn bodies() -> [(Format, &'static str, Value); 4] {
    [
        (Format::Openai, "/v1/chat/completions", ask("x")),
        (Format::Responses, "/v1/responses", json!({"model": "m", "input": "x"})),
        (
            Format::Anthropic,
            "/v1/messages",
            json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}),
        ),
        (
            Format::Gemini,
            "/v1beta/models/m:generateContent",
            json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}]}),
        ),
    ]
}

#[tokio::test]
async fn every_format_is_spoken_by_path_unless_only_one_is_wanted() {
    let all = start(Script::default());
    for (format, path, body) in bodies() {
        assert_eq!(post_to(&all, path, &body).await.status, 200, "{format:?}");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let one = Server::bind(address, Script::default()).unwrap().only(format).spawn();
        for (other, path, body) in bodies() {
            let expected = if other == format { 200 } else { 404 };
            assert_eq!(post_to(&one, path, &body).await.status, expected, "{other:?} where {format:?} is spoken");
        }
    }
}

#[tokio::test]
async fn one_script_and_its_models_hold_for_all_formats() {
    let script = Script::default().model("m", Behaviour::text("Same."));
    let server = start(Script { only_listed: true, ..script });
    for (format, path, mut body) in bodies() {
        assert!(post_to(&server, path, &body).await.body.contains("Same."), "{format:?}");
        let other = path.replace("/m:", "/other:");
        if body.get("model").is_some() {
            body["model"] = json!("other");
        }
        let unknown = post_to(&server, &other, &body).await;
        assert_eq!(unknown.status, 404, "{format:?}");
        let error = unknown.json()["error"].clone();
        match format {
            Format::Openai | Format::Responses => assert_eq!(error["code"], "model_not_found"),
            Format::Anthropic => assert_eq!(error["type"], "not_found_error"),
            Format::Gemini => assert_eq!(error["status"], "NOT_FOUND"),
        }
    }
}

#[tokio::test]
async fn only_the_first_requests_fail_in_every_format() {
    let server = start(Script::always(Behaviour { fail_first: 4, status: Some(503), ..Behaviour::default() }));
    let mut statuses = Vec::new();
    for (_, path, body) in bodies() {
        statuses.push(post_to(&server, path, &body).await.status);
    }
    assert_eq!(statuses, [503; 4]);
    for (_, path, body) in bodies() {
        assert_eq!(post_to(&server, path, &body).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn what_is_no_json_is_refused_in_each_formats_shape() {
    let server = start(Script::default());
    for (format, path, _) in bodies() {
        let head = format!("POST {path} HTTP/1.1\r\nHost: u\r\nConnection: close\r\nContent-Length: 1\r\n\r\n{{");
        let answer = exchange(&server, head.as_bytes()).await;
        assert_eq!(answer.status, 400);
        let body = answer.json();
        match format {
            Format::Openai | Format::Responses => assert_eq!(body["system_fingerprint"], "scripted"),
            Format::Anthropic => assert_eq!(body["type"], "error"),
            Format::Gemini => assert_eq!(body["error"]["status"], "INVALID_ARGUMENT"),
        }
    }
}

#[tokio::test]
async fn models_are_listed_in_the_shape_of_who_asks() {
    let server = start(Script::default().model("a", Behaviour::default()));
    let get = |path: &str, header: &str| format!("GET {path} HTTP/1.1\r\nHost: u\r\n{header}Connection: close\r\n\r\n");
    let anthropic = exchange(&server, get("/v1/models", "anthropic-version: 1\r\n").as_bytes()).await;
    assert_eq!((&anthropic.json()["data"][0]["type"], &anthropic.json()["has_more"]), (&json!("model"), &json!(false)));
    let gemini = exchange(&server, get("/v1beta/models", "").as_bytes()).await;
    assert_eq!(gemini.json()["models"][0]["name"], "models/a");
}

#[tokio::test]
async fn credentials_of_every_kind_are_seen() {
    let server = start(Script::default());
    let head = "POST /v1beta/models/m:generateContent HTTP/1.1\r\nHost: u\r\nx-goog-api-key: g-1\r\n\
                Connection: close\r\nContent-Length: 2\r\n\r\n{}";
    exchange(&server, head.as_bytes()).await;
    assert_eq!(server.stats().credentials, ["g-1"]);
}

#[tokio::test]
async fn a_chat_tools_answer_needs_its_call_unless_the_script_is_lenient() {
    let mut body = ask("x");
    body["messages"] = json!([body["messages"][0], {"role": "tool", "tool_call_id": "c1", "content": "1"}]);
    let (status, message) = post(&start(Script::default()), &body).await.refusal();
    assert!(status == 400 && message.contains("must be a response to a preceeding message"), "{message}");
    let lenient = start(Script::always(Behaviour { lenient: true, ..Behaviour::default() }));
    assert_eq!(post(&lenient, &body).await.status, 200);
}
