use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::chat::Format;
use crate::wire::ask;

fn texts(format: Format, body: &Value) -> Vec<(String, String)> {
    let request = ask::judge(format, Bytes::from(body.to_string())).unwrap();
    let mut texts = Vec::new();
    each(&request, &mut |key, text| texts.push((key.to_owned(), text.to_owned())));
    texts
}

fn must_hold(format: Format, body: &Value, wanted: &[(&str, &str)]) {
    let texts = texts(format, body);
    for (key, text) in wanted {
        assert!(texts.iter().any(|(k, t)| k == key && t == text), "{key}: {text} is not in {texts:?}");
    }
}

#[test]
fn every_text_of_a_chat_request_is_handed_over_unescaped() {
    let body = json!({
        "model": "auto",
        "user": "anna@firma.example",
        "messages": [
            { "role": "system", "content": "be \"kind\"\n" },
            { "role": "user", "name": "Anna", "content": [{ "type": "text", "text": "ein\u{a0}Text" }] },
            { "role": "assistant", "content": null, "tool_calls": [
                { "id": "c", "type": "function", "function": { "name": "f", "arguments": "{\"to\":\"a\\u0040b.de\",\"n\":12345678}" } },
            ] },
            { "role": "tool", "tool_call_id": "c", "content": "found" },
        ],
        "tools": [{ "type": "function", "function": { "name": "f", "description": "sends it" } }],
    });
    let wanted = [
        ("user", "anna@firma.example"),
        ("content", "be \"kind\"\n"),
        ("text", "ein\u{a0}Text"),
        ("to", "a@b.de"),
        ("n", "12345678"),
        ("content", "found"),
        ("description", "sends it"),
        ("name", "Anna"),
    ];
    must_hold(Format::Chat, &body, &wanted);
    assert!(texts(Format::Chat, &body).iter().all(|(_, text)| text != "auto"), "the model's name is no text");
}

#[test]
fn every_text_of_the_other_formats_is_handed_over() {
    let responses = json!({ "model": "m", "instructions": "short", "input": [
        { "role": "user", "content": [{ "type": "input_text", "text": "hello" }] },
        { "type": "function_call", "call_id": "c", "name": "f", "arguments": "{\"iban\": \"x\"}" },
        { "type": "function_call_output", "call_id": "c", "output": "result" },
    ] });
    let wanted =
        [("instructions", "short"), ("text", "hello"), ("arguments", "{\"iban\": \"x\"}"), ("output", "result")];
    must_hold(Format::Responses, &responses, &wanted);

    let messages = json!({ "model": "m", "max_tokens": 1, "system": [{ "type": "text", "text": "rules" }], "messages": [
        { "role": "user", "content": "hello" },
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "t", "name": "f", "input": { "ssn": "1", "card": 4_111_111_111_111_111_u64 } }] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t", "content": [{ "type": "text", "text": "result" }] }] },
    ] });
    let wanted =
        [("text", "rules"), ("content", "hello"), ("ssn", "1"), ("card", "4111111111111111"), ("text", "result")];
    must_hold(Format::Messages, &messages, &wanted);

    must_hold(Format::Completions, &json!({ "model": "m", "prompt": ["a", "b"] }), &[("prompt", "a"), ("prompt", "b")]);
    must_hold(Format::Embeddings, &json!({ "model": "m", "input": "a" }), &[("input", "a")]);
}

#[test]
fn data_is_no_text() {
    let image = format!("data:image/png;base64,{}", "iVBORw0KGgo4111111111111111".repeat(100));
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": [
        { "type": "text", "text": "what is this" }, { "type": "image_url", "image_url": { "url": image } },
    ] }] });
    assert!(texts(Format::Chat, &body).iter().all(|(_, text)| text.len() < 100));
}

#[test]
fn a_long_text_without_blanks_is_handed_over_unless_it_is_base64() {
    let listed = "a@b.de,".repeat(300);
    let base64 = "QUJD".repeat(600);
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": listed }, { "role": "user", "content": base64 }] });
    let texts = texts(Format::Chat, &body);
    assert!(texts.iter().any(|(_, text)| *text == listed) && texts.iter().all(|(_, text)| *text != base64));
}

proptest! {
    #[test]
    fn however_a_text_is_escaped_it_is_handed_over_the_same(text in "\\PC{0,60}", escape in proptest::collection::vec(any::<bool>(), 60)) {
        let mut inside = String::new();
        for (character, escape) in text.chars().zip(escape.iter().cycle()) {
            if *escape || matches!(character, '"' | '\\') || character < ' ' {
                character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| inside.push_str(&format!("\\u{unit:04x}")));
            } else {
                inside.push(character);
            }
        }
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{inside}"}}]}}"#);
        let request = ask::judge(Format::Chat, Bytes::from(body)).unwrap();
        let mut handed = Vec::new();
        each(&request, &mut |key, text| if key == "content" { handed.push(text.to_owned()) });
        prop_assert!(handed == [text.as_str()] || text.trim_start().starts_with(['{', '[']), "{:?} {:?}", text, handed);
    }
}
