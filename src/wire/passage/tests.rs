use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::wire::StreamError;

fn passage(from: Format, to: Format) -> Passage {
    Passage {
        from,
        to,
        think: None,
        show_reasoning: true,
        family: None,
        choices: 1,
        base64: false,
        input_tokens: 3,
        envelope: Envelope {
            id: "id".to_owned(),
            model: "m".to_owned(),
            created: 1,
            show_usage: true,
            echo: None,
            cost: Arc::new(|_| None),
        },
    }
}

fn chunk(delta: &Value, index: usize) -> Bytes {
    let chunk = json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{ "index": index, "delta": delta, "finish_reason": null }] });
    format!("data: {chunk}\n\n").into()
}

#[test]
fn an_answer_without_end_is_ended() {
    let mut relay = passage(Format::Chat, Format::Responses).stream();
    relay.collect();
    let megabytes = chunk(&json!({ "content": "x".repeat(3 << 20) }), 0);
    let mut out = Vec::new();
    let failed = (0..100).find_map(|turn| relay.push(megabytes.clone(), &mut out).err().map(|error| (turn, error)));
    let (turns, error) = failed.unwrap();
    assert!(matches!(error, StreamError::Endless(_)), "{error:?}");
    assert_eq!(turns, 21, "22 × 3 MiB are the first above 64 MiB");
}

#[test]
fn a_long_answer_is_passed_on_but_not_kept() {
    for (bytes, kept) in [(1000, true), (3 << 20, false)] {
        let mut relay = passage(Format::Chat, Format::Messages).stream();
        relay.collect();
        let mut out = Vec::new();
        relay.push(chunk(&json!({ "content": "x".repeat(bytes) }), 0), &mut out).unwrap();
        let end = r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
        relay.push(format!("data: {end}\n\ndata: [DONE]\n\n").into(), &mut out).unwrap();
        assert!(relay.seen().done);
        assert!(out.iter().map(Bytes::len).sum::<usize>() > bytes);
        assert_eq!(relay.whole().is_some(), kept, "{bytes} bytes");
    }
}

#[test]
fn a_provider_cannot_open_choices_without_end() {
    let mut relay = passage(Format::Chat, Format::Messages).stream();
    let mut out = Vec::new();
    let failed = (0..1000).find_map(|index| {
        let pushed = relay.push(chunk(&json!({ "content": "x" }), index), &mut out);
        pushed.err().map(|error| (index, error))
    });
    let (index, error) = failed.unwrap();
    assert_eq!(index, 128, "as many as can be asked for");
    assert!(matches!(error, StreamError::Shape(_)), "{error:?}");
}

#[test]
fn withheld_reasoning_counts_where_the_provider_did_not_count() {
    let message =
        json!({ "role": "assistant", "content": "Yes.", "reasoning_content": "I think that it is so, and why not?" });
    let body = json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }] });
    let body = Bytes::from(body.to_string());
    let shown = passage(Format::Chat, Format::Chat).whole(body.clone()).unwrap();
    let withheld = Passage { show_reasoning: false, ..passage(Format::Chat, Format::Chat) }.whole(body).unwrap();
    assert!(!String::from_utf8_lossy(&withheld.body).contains("I think"));
    assert_eq!(withheld.usage, shown.usage);
    assert!(withheld.usage.estimated && withheld.usage.output > 5, "{:?}", withheld.usage);
}

#[test]
fn a_kept_chat_answer_is_told_with_all_its_members() {
    let body = json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "m", "system_fingerprint": "fp_1",
        "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": "Hi.", "x_own": 7 } }] });
    let envelope = passage(Format::Chat, Format::Chat).envelope;
    let told = replay(Format::Chat, body.to_string().as_bytes(), envelope).unwrap();
    let told = String::from_utf8_lossy(&told);
    assert!(told.contains(r#""system_fingerprint":"fp_1""#) && told.contains(r#""x_own":7"#), "{told}");
}
