//! Every kind of line, as its writer writes it.

use serde_json::{Value, json};

use super::entry::{Entry, Kind, Unusable, read};
use crate::chat::{Format, Usage};
use crate::money::NanoUsd;

fn entry(line: &Value) -> Entry {
    read(line.to_string().as_bytes()).unwrap_or_else(|why| panic!("{why}: {line}"))
}

fn unusable(line: &Value) -> Unusable {
    read(line.to_string().as_bytes()).err().unwrap_or_else(|| panic!("usable: {line}"))
}

fn used(input: u64, output: u64) -> Usage {
    Usage { input, output, ..Usage::default() }
}

fn said(entry: &Entry) -> String {
    let (format, body) = entry.prompt.clone().expect("a prompt");
    let request = crate::wire::ask::judge(format, body).expect("a request that the gateway takes");
    assert_eq!(request.model, "auto");
    crate::wire::ask::prompt(&request).into_iter().map(|text| text.text).collect::<Vec<_>>().join("|")
}

fn asked() -> Value {
    json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]})
}

fn answered() -> Value {
    json!({"object": "chat.completion", "model": "gpt-4o-2024-08-06", "created": 1_795_514_400, "choices": [],
           "usage": {"prompt_tokens": 10, "completion_tokens": 5}})
}

#[test]
fn a_request_and_its_answer_are_found_in_every_common_nesting() {
    for line in [
        json!({"request": asked(), "response": answered()}),
        json!({"request": {"method": "POST", "url": "https://api.openai.com/v1/chat/completions", "body": asked()},
               "response": {"status": 200, "body": answered()}}),
        json!({"request": {"body": asked().to_string()}, "response": {"body": answered().to_string()}}),
        json!({"request_body": asked(), "response_body": answered()}),
        json!({"id": "batch_1", "custom_id": "7", "request": asked(),
               "response": {"status_code": 200, "body": answered()}, "error": null}),
        json!({"kwargs": asked(), "output": answered()}),
        json!({"input": asked(), "output": [{"choices": []}, answered(), "[DONE]"]}),
        json!({"input": "shown elsewhere", "request": {"json": asked()}, "response": {"data": {"body": answered()}}}),
    ] {
        let entry = entry(&line);
        assert_eq!(entry.kind, Kind::RequestResponse, "{line}");
        assert_eq!((entry.model.as_str(), entry.usage, entry.cost), ("gpt-4o", used(10, 5), None), "{line}");
        assert_eq!(said(&entry), "hi", "{line}");
        assert_eq!(entry.at.map(jiff::Timestamp::as_second), Some(1_795_514_400), "{line}");
    }
}

#[test]
fn messages_and_usage_may_lie_in_one_object() {
    let line = json!({"messages": asked()["messages"], "model": "gpt-4o", "cost": 0.25, "team": "search",
                      "usage": {"prompt_tokens": 10, "completion_tokens": 5}, "timestamp": "2026-11-24T10:00:00Z"});
    let entry = entry(&line);
    assert_eq!((entry.kind, entry.usage, entry.cost), (Kind::Flat, used(10, 5), Some(NanoUsd(250_000_000))));
    assert_eq!((said(&entry).as_str(), entry.asked_by), ("hi", vec!["search".to_owned()]));
}

#[test]
fn a_line_of_a_batchs_output_tells_its_tokens_only() {
    let line = json!({"id": "batch_req_1", "custom_id": "7", "error": null,
                      "response": {"status_code": 200, "request_id": "r", "body": answered()}});
    let entry = entry(&line);
    assert_eq!((entry.kind, entry.usage, entry.model.as_str()), (Kind::Answer, used(10, 5), "gpt-4o-2024-08-06"));
    assert!(entry.prompt.is_none());
    let bare = json!({"model": "m", "prompt": "hi", "completion": "ho", "usage": {"input": 1, "output": 2}});
    assert_eq!(said(&self::entry(&bare)), "hi");
    let asked = json!({"custom_id": "7", "method": "POST", "url": "/v1/chat/completions", "body": asked()});
    assert_eq!(unusable(&asked), Unusable::NotAnswered, "a batch's input was not answered there");
}

#[test]
fn messages_and_responses_are_read_in_their_own_format() {
    let messages = json!({
        "request": {"model": "claude-x", "max_tokens": 9, "system": "be brief",
                    "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]},
        "response": {"type": "message", "model": "claude-x", "role": "assistant", "content": [],
                     "usage": {"input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 5}}});
    let entry = entry(&messages);
    assert_eq!(entry.prompt.as_ref().unwrap().0, Format::Messages);
    assert_eq!((entry.usage.input, entry.usage.cached), (7, 4));
    assert!(said(&entry).ends_with("hi"));
    let responses = json!({
        "request": {"model": "gpt-x", "input": "hi"},
        "response": {"object": "response", "model": "gpt-x", "output": [],
                     "usage": {"input_tokens": 3, "output_tokens": 5}}});
    let entry = self::entry(&responses);
    assert_eq!((entry.prompt.as_ref().unwrap().0, said(&entry).as_str()), (Format::Responses, "hi"));
    let gemini = json!({
        "request": {"url": "https://g/v1beta/models/gemini-2.5-pro:generateContent",
                    "body": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}},
        "response": {"body": {"candidates": [], "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 5}}}});
    let entry = self::entry(&gemini);
    assert_eq!((entry.model.as_str(), entry.usage, said(&entry).as_str()), ("gemini-2.5-pro", used(3, 5), "hi"));
}

#[test]
fn litellms_spend_log_is_read_with_and_without_prompts() {
    let row = |more: Value| {
        let mut row = json!({
            "request_id": "r", "call_type": "acompletion", "api_key": "hash", "spend": 4.25e-5, "total_tokens": 15,
            "prompt_tokens": 10, "completion_tokens": 5, "startTime": "2026-11-24 10:00:00",
            "model": "gpt-4o", "custom_llm_provider": "azure", "user": "u", "team_id": "t",
            "metadata": {"user_api_key_team_alias": "search", "status": "success"}, "messages": {}, "response": {}});
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    };
    let plain = entry(&row(json!({})));
    assert_eq!((plain.kind, plain.usage, plain.cost), (Kind::LitellmSpend, used(10, 5), Some(NanoUsd(42_500))));
    assert_eq!(plain.provider.as_deref(), Some("azure"));
    assert_eq!(plain.asked_by, ["search", "t"]);
    assert!(plain.prompt.is_none());
    for messages in [
        json!({"messages": [{"role": "user", "content": "hi"}]}),
        json!({"messages": "[{\"role\": \"user\", \"content\": \"hi\"}]"}),
        json!({"messages": "hi"}),
        json!({"proxy_server_request": {"model": "m", "messages": [{"role": "user", "content": "hi"}]}}),
        json!({"proxy_server_request": {"body": asked().to_string()}}),
    ] {
        assert_eq!(said(&entry(&row(messages.clone()))), "hi", "{messages}");
    }
    let cached = json!({"metadata": {"usage_object": {"prompt_tokens": 10, "completion_tokens": 5,
                                                      "prompt_tokens_details": {"cached_tokens": 4}}}});
    assert_eq!(entry(&row(cached)).usage.cached, 4);
    assert_eq!(unusable(&row(json!({"call_type": "aembedding"}))), Unusable::NotChat);
    assert_eq!(unusable(&row(json!({"status": "failure"}))), Unusable::NotAnswered);
}

#[test]
fn our_own_decisions_bring_their_difficulty() {
    let line = json!({
        "schema": 1, "id": "dec_1", "at": "2026-11-24T10:00:00.000Z", "tenant": "acme", "operation": "chat",
        "labels": {"data-class": {"value": "personal", "by": "client"}, "purpose": {"value": "dev", "by": "default"}},
        "score": {"difficulty": 0.62}, "candidates": [{"target": "gpt-4o@openai"}], "chosen": 0,
        "attempts": [{"target": "gpt-4o@openai"}],
        "usage": {"input": 10, "cached": 0, "cache_write": 0, "output": 5, "reasoning": 0, "estimated": false},
        "cost_nusd": 75, "outcome": "ok"});
    let read = entry(&line);
    assert_eq!((read.kind, read.usage, read.cost), (Kind::WaypostDecision, used(10, 5), Some(NanoUsd(75))));
    assert_eq!((read.model.as_str(), read.provider.as_deref()), ("gpt-4o", Some("openai")));
    assert_eq!((read.difficulty, read.asked_by), (Some(0.62), vec!["acme".to_owned()]));
    assert_eq!(read.labels, [("data-class".to_owned(), "personal".to_owned())]);
    let denied = json!({"schema": 1, "id": "dec_2", "candidates": [], "usage": null, "outcome": "denied"});
    assert_eq!(unusable(&denied), Unusable::NotAnswered);
}

#[test]
fn what_says_nothing_of_a_chat_is_named_by_what_it_lacks() {
    for (line, why) in [
        (json!([1]), Unusable::NotObject),
        (json!({"level": "info", "message": "started"}), Unusable::Unknown),
        (json!({"request": asked(), "response": {"model": "m", "choices": []}}), Unusable::NoUsage),
        (json!({"request": asked(), "response": {"status": 500, "body": {"error": {}}}}), Unusable::NotAnswered),
        (
            json!({"request": {"model": "text-embedding-3-small", "input": "x"},
                "response": {"object": "list", "data": [], "usage": {"prompt_tokens": 1}}}),
            Unusable::NotChat,
        ),
        (json!({"messages": asked()["messages"], "usage": {"prompt_tokens": 1}}), Unusable::NoModel),
    ] {
        assert_eq!(unusable(&line), why, "{line}");
    }
    assert_eq!(read(b"{\"a\": ").err(), Some(Unusable::NotJson));
}

#[test]
fn nothing_of_a_recording_makes_it_stumble() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/exchanges");
    let (mut used, mut answered) = (0, 0);
    for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let mut line: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        if let Some(stream) = line["response"]["body_file"].as_str().map(|name| file.with_file_name(name)) {
            line["response"]["body"] = String::from_utf8_lossy(&std::fs::read(stream).unwrap()).into_owned().into();
        }
        let chat = ["chat", "messages", "responses"].contains(&line["endpoint"].as_str().unwrap());
        let ok = line["response"]["status"] == 200;
        let read = read(line.to_string().as_bytes());
        if !ok {
            assert!(read.is_err(), "{}", file.display());
        } else if chat {
            answered += 1;
            used += usize::from(read.is_ok_and(|entry| entry.prompt.is_some()));
        }
    }
    assert!(answered > 60 && used * 10 >= answered * 9, "{used} of {answered} recordings are usable");
}
