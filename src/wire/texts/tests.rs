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

/// What is handed over of a text.
fn handed(text: &str) -> Vec<String> {
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": text }] });
    texts(Format::Chat, &body).into_iter().filter(|(key, _)| key == "content").map(|(_, text)| text).collect()
}

#[test]
fn what_stands_around_base64_is_handed_over() {
    let base64 = "QUJDa1l6".repeat(500);
    let secret = "DE89 3704 0044 0532 0130 00";
    for text in [
        format!("data:text/plain;base64,QUJD {secret}"),
        format!("data:image/png;base64,{base64} {secret}"),
        format!("{base64} {secret} {base64}"),
        format!("{base64}{secret}\n{base64}"),
        format!("{secret}\n{base64}"),
        format!("{base64}\u{fc}{secret}\u{fc}{base64}"),
        format!("see \"{base64}\" and \\ {secret}"),
        format!("data:image/png;base64,{}", &secret.replace(' ', "")),
    ] {
        let handed = handed(&text);
        let whole = handed.iter().any(|piece| piece.contains(secret) || piece.contains("DE89370400440532013000"));
        assert!(whole, "{:.60}: {handed:.200?}", text);
        let length: usize = handed.iter().map(String::len).sum();
        assert!(length < 4 * EDGE + 100, "{length} bytes of {:.60}", text);
    }
}

#[test]
fn a_long_line_of_numbers_is_no_base64_and_a_keys_head_keeps_its_body() {
    let listed = "4111-1111-1111-1111/".repeat(80);
    assert_eq!(handed(&listed), [listed.as_str()]);
    let key = format!("-----BEGIN PRIVATE KEY-----\nMIIEvQ{}\n-----END PRIVATE KEY-----", "x4Bq/z9K".repeat(200));
    let handed = handed(&key);
    assert!(handed[0].starts_with("-----BEGIN PRIVATE KEY-----\nMIIEvQx4Bq/z9Kx4Bq/z9Kx4Bq/z9Kx4Bq"), "{handed:?}");
    assert!(handed[1].ends_with("K\n-----END PRIVATE KEY-----"), "{handed:?}");
}

#[test]
fn a_number_at_the_edge_of_what_is_left_out_is_whole_or_not_there() {
    let card = "4111111111111111";
    let whole = format!("{}/{card}/{}", "A".repeat(1024), "A".repeat(EDGE - 1 - card.len()));
    assert_eq!(handed(&whole).last().map(|text| text.contains(card)), Some(true), "it stands in the last bytes");
    let cut = format!("{}/{card}2222{}", "a".repeat(EDGE - 1 - card.len()), "a".repeat(1000));
    assert!(handed(&cut).iter().all(|text| !text.contains(card)), "{:?}", handed(&cut));
    let cut = format!("{}2222{card}/{}", "a".repeat(1000), "a".repeat(EDGE - 1 - card.len()));
    assert!(handed(&cut).iter().all(|text| !text.contains(card)), "{:?}", handed(&cut));
}

#[test]
fn a_number_of_seven_digits_is_handed_over() {
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }], "metadata": { "phone": 5_551_234, "n": 555_123 } });
    let texts = texts(Format::Chat, &body);
    assert!(texts.contains(&("phone".to_owned(), "5551234".to_owned())), "{texts:?}");
    assert!(!texts.iter().any(|(_, text)| text == "555123"));
}

#[test]
fn a_short_name_that_is_an_address_is_handed_over() {
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }], "metadata": { "a@b.de": "x", "12345678": "y", "short1": "z" } });
    let texts = texts(Format::Chat, &body);
    let is_there = |name: &str| texts.iter().any(|(key, text)| key.is_empty() && text == name);
    assert_eq!(["a@b.de", "12345678", "short1"].map(is_there), [true, true, false]);
}

proptest! {
    #[test]
    fn of_a_text_only_the_inside_of_long_runs_is_left_out(parts in proptest::collection::vec((1usize..3000, "[a-zA-Z0-9+/=_-]", "[ .,:;@ü\n]"), 0..6)) {
        let mut text = String::from("a");
        let mut kept = String::from("a");
        for (length, character, mark) in &parts {
            text.push_str(&format!("{mark}{}{mark}", character.repeat(*length)));
            let is_cut = *length >= LONG && character.starts_with(|c: char| c.is_ascii_alphabetic());
            kept.push_str(&format!("{mark}{}{mark}", character.repeat(if is_cut { 2 * EDGE } else { *length })));
        }
        prop_assert_eq!(handed(&text).concat(), kept);
    }

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
