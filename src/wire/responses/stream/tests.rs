use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::Value;

use super::*;
use crate::chat::{Answer, Content, Event, Family, Finish, Json, Part, Reasoning, Seal, SealKind};
use crate::money::NanoUsd;
use crate::wire::Envelope;
use crate::wire::json::Scanner;
use crate::wire::provider_error::ProviderErrorKind;
use crate::wire::recorded::exchanges;
use crate::wire::refusal::Refusal;
use crate::wire::responses::answer::tests::{agrees, any_answer, envelope};
use crate::wire::responses::mend::Mender;
use crate::wire::sse::{Splitter, parse};
use crate::wire::stream::{Decoder as _, Encoder as _, StreamError};

/// The events that a stream's bytes make, in these pieces.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Event>, StreamError> {
    let (mut splitter, mut held, mut decoder, mut out) = (Splitter::default(), Vec::new(), Decoder::new(), Vec::new());
    for piece in pieces {
        let mut rest = piece;
        if splitter.owes_line_feed(rest, !held.is_empty()) {
            rest = &rest[1..];
        }
        while let Some(end) = splitter.end(rest) {
            held.extend_from_slice(&rest[..end]);
            rest = &rest[end..];
            let event = std::mem::take(&mut held);
            let event = parse(&event);
            let Some(data) = event.data.filter(|data| !data.is_empty()) else { continue };
            decoder.event(event.name, &data, &mut out)?;
        }
        held.extend_from_slice(rest);
    }
    decoder.finish(&mut out).map(|()| out)
}

fn whole(stream: &[u8]) -> Vec<Event> {
    read([stream].into_iter()).unwrap()
}

fn collect(events: &[Event]) -> Answer {
    let mut answer = Answer::default();
    for event in events {
        answer.add(event);
    }
    answer
}

fn write(events: &[Event], envelope: Envelope) -> Vec<u8> {
    let (mut encoder, mut out) = (Encoder::new(envelope), Vec::new());
    for event in events {
        encoder.event(event, &mut out);
    }
    out
}

/// Name and data of every frame.
fn frames(stream: &[u8]) -> Vec<(String, Value)> {
    let text = std::str::from_utf8(stream).unwrap();
    let frames = text.split("\n\n").filter(|frame| !frame.is_empty()).map(|frame| {
        let (name, data) = frame.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
        (data["type"].as_str().unwrap().to_owned(), data)
    });
    frames.collect()
}

/// What clients do with a stream: the sequence is without gaps, every item and part is opened, told and closed under one id, and
/// what was told piece by piece is what the last event says whole.
fn is_sound(stream: &[u8]) -> Value {
    let mut mender = Mender::new(envelope());
    let (mut ids, mut done, mut told) = (Vec::new(), Vec::new(), std::collections::BTreeMap::new());
    let mut last = Value::Null;
    for (number, (kind, event)) in frames(stream).into_iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
        assert_eq!(mender.event(event.to_string().as_bytes()), None, "what we write needs no correction: {event}");
        let place = event["output_index"].as_u64().map(|place| place as usize);
        match (kind.as_str(), place) {
            ("response.created", _) => assert_eq!(number, 0),
            ("response.in_progress", _) => assert_eq!(number, 1),
            ("response.output_item.added", Some(place)) => {
                assert_eq!(place, ids.len());
                ids.push(event["item"]["id"].clone());
                done.push(Value::Null);
            }
            ("response.output_item.done", Some(place)) => {
                assert_eq!(event["item"]["id"], ids[place]);
                assert!(done[place].is_null());
                done[place] = event["item"].clone();
            }
            (_, Some(place)) => {
                assert_eq!(event["item_id"], ids[place], "{event}");
                assert!(done[place].is_null(), "{event}");
                let part = event.get("content_index").or(event.get("summary_index")).and_then(Value::as_u64);
                let told: &mut String = told.entry((place, part.unwrap_or(0))).or_default();
                told.push_str(event["delta"].as_str().unwrap_or_default());
                for whole in ["text", "refusal", "arguments"] {
                    assert!(event.get(whole).is_none_or(|whole| whole == told.as_str()), "{event}");
                }
            }
            (_, None) => last = event,
        }
    }
    let output = last["response"]["output"].as_array().unwrap();
    if last["type"] != "response.failed" {
        for (item, done) in output.iter().zip(&done) {
            let (mut item, mut done) = (item.clone(), done.clone());
            for late in [&mut item, &mut done] {
                // Chances may come after their text.
                late.pointer_mut("/content/0/logprobs").map(Value::take);
            }
            assert_eq!(item, done);
        }
    }
    assert_eq!(output.len(), ids.len());
    last
}

#[test]
fn recorded_streams_say_what_the_recording_says() {
    let mut seen = 0;
    for exchange in exchanges("responses") {
        let Some(stream) = &exchange.stream else { continue };
        let events = whole(stream);
        let last = frames(&stream.replace_crlf()).pop().unwrap().1;
        agrees(&collect(&events), &last["response"], stream, &exchange.name);
        assert_eq!(events.last(), Some(&Event::End));
        let written = write(&events, envelope());
        is_sound(&written);
        let again = whole(&written);
        let mut wanted = collect(&events);
        // An id that came too late for the item's first event travels in a seal of ours.
        assert_eq!(collect(&again), wanted, "{}", exchange.name);
        wanted.usage = None;
        assert_ne!(collect(&again), wanted);
        seen += 1;
    }
    assert!(seen >= 4, "{seen}");
}

trait Lines {
    fn replace_crlf(&self) -> Vec<u8>;
}

impl Lines for bytes::Bytes {
    fn replace_crlf(&self) -> Vec<u8> {
        String::from_utf8(self.to_vec()).unwrap().replace("\r\n", "\n").into_bytes()
    }
}

#[test]
fn any_cut_gives_the_same_events() {
    for exchange in exchanges("responses") {
        let Some(stream) = &exchange.stream else { continue };
        let events = whole(stream);
        assert_eq!(read(stream.chunks(1)).unwrap(), events, "{}", exchange.name);
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        for _ in 0..100 {
            let cut = (0..stream.len()).new_tree(&mut runner).unwrap().current();
            assert_eq!(
                read([&stream[..cut], &stream[cut..]].into_iter()).unwrap(),
                events,
                "{} at {cut}",
                exchange.name
            );
        }
        for cut in (0..stream.len()).step_by(stream.len() / 40) {
            let error = read([&stream[..cut]].into_iter()).unwrap_err();
            assert_eq!(error, StreamError::Truncated, "{} ends at {cut}", exchange.name);
        }
    }
}

fn stream(events: &[&str]) -> Vec<u8> {
    events.iter().flat_map(|event| format!("data: {event}\n\n").into_bytes()).collect()
}

#[test]
fn what_comes_only_whole_is_put_out_once() {
    let message = r#"{"type":"message","id":"m","content":[{"type":"output_text","text":"abc","logprobs":[{"token":"abc","logprob":-1,"top_logprobs":[]}]}]}"#;
    let call = r#"{"type":"function_call","id":"f","call_id":"c","name":"n","arguments":"{}"}"#;
    let added =
        |item: &str, place| format!(r#"{{"type":"response.output_item.added","output_index":{place},"item":{item}}}"#);
    let done =
        |item: &str, place| format!(r#"{{"type":"response.output_item.done","output_index":{place},"item":{item}}}"#);
    let completed = format!(r#"{{"type":"response.completed","response":{{"id":"r","output":[{message},{call}]}}}}"#);
    let delta =
        r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"ab","logprobs":[]}"#;
    let text_done =
        r#"{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"abc","logprobs":[]}"#;
    let arguments = r#"{"type":"response.function_call_arguments.delta","output_index":3,"delta":"{}"}"#;
    let started = r#"{"type":"response.created","response":{"id":"r"}}"#;
    let wanted = collect(&whole(&stream(&[started, &completed])));
    assert_eq!(wanted.choices[0].parts.len(), 2);
    assert_eq!(wanted.choices[0].logprobs.len(), 1);
    for told in [
        vec![started, &added(message, 0), delta, &done(message, 0), &added(call, 1), &done(call, 1), &completed],
        vec![started, text_done, &done(message, 0), &done(call, 1), &completed, "[DONE]"],
        vec![started, delta, text_done, &completed],
        vec![started, &added(message, 0), delta, text_done, &added(call, 3), arguments, &done(call, 3), &completed],
        vec![started, &done(message, 0), &done(message, 0), &added(call, 3), arguments, &completed],
        vec![
            started,
            "{\"type\":\"keepalive\"}",
            &done(message, 0),
            &done(call, 1),
            "{\"type\":\"response.completed\"}",
        ],
    ] {
        let answer = collect(&whole(&stream(&told)));
        assert_eq!(answer, wanted, "{told:#?}");
    }
}

#[test]
fn parts_are_told_apart_by_their_announcement() {
    let told = |events: &[&str]| {
        let mut parts = collect(&whole(&stream(events))).choices.remove(0).parts;
        assert_eq!(parts.len(), 1);
        let Content::Reasoning(reasoning) = parts.remove(0).content else { panic!() };
        reasoning.parts
    };
    let item = |texts: &[&str]| {
        let parts: Vec<_> =
            texts.iter().map(|text| serde_json::json!({"type": "reasoning_text", "text": text})).collect();
        serde_json::json!({"type": "reasoning", "id": "r", "summary": [], "content": parts})
    };
    let delta = |index: u64, text: &str| {
        serde_json::json!({"type": "response.reasoning_text.delta", "output_index": 0, "content_index": index, "delta": text})
            .to_string()
    };
    let done = |index: u64, text: &str| {
        serde_json::json!({"type": "response.reasoning_text.done", "output_index": 0, "content_index": index, "text": text})
            .to_string()
    };
    let added = r#"{"type":"response.reasoning_part.added","output_index":0,"content_index":0,"part":{"type":"reasoning_text","text":""}}"#;
    let end = |texts: &[&str]| {
        serde_json::json!({"type": "response.completed", "response": {"output": [item(texts)]}}).to_string()
    };
    // vLLM before github.com/vllm-project/vllm/pull/35184.
    assert_eq!(told(&[&delta(0, "a"), &delta(1, "b"), &delta(2, "c"), &done(3, "abc"), &end(&["abc"])]), ["abc"]);
    assert_eq!(
        told(&[added, &delta(0, "a"), &done(0, "a"), added, &delta(1, "b"), &done(1, "b"), &end(&["a", "b"])]),
        ["a", "b"]
    );
    assert_eq!(told(&[added, &delta(0, "a"), &end(&["a", "b"])]), ["a", "b"]);
    assert_eq!(told(&[added, &done(0, "a"), added, &done(1, "b"), &end(&["a", "b"])]), ["a", "b"]);
    let summary = |index: u64, text: &str| {
        delta(index, text).replace("_text.delta", "_summary_text.delta").replace("content_", "summary_")
    };
    let end = r#"{"type":"response.completed","response":{"output":[{"type":"reasoning","summary":[{"text":"a"},{"text":"b"},{"text":"c"}]}]}}"#;
    assert_eq!(told(&[&summary(0, "a"), &summary(1, "b"), end]), ["a", "b", "c"]);
}

#[test]
fn two_calls_under_one_item_id_stay_two() {
    let call = |id| format!(r#"{{"type":"function_call","id":"f","call_id":"{id}","name":"n","arguments":"{{}}"}}"#);
    let completed = format!(r#"{{"type":"response.completed","response":{{"output":[{},{}]}}}}"#, call("a"), call("b"));
    let answer = collect(&whole(&stream(&[&completed])));
    assert_eq!(answer.choices[0].parts.len(), 2);
}

#[test]
fn a_failure_is_told_from_an_end() {
    for (event, code) in [
        (r#"{"type":"error","code":"server_error","message":"oh","param":null,"sequence_number":1}"#, "server_error"),
        (r#"{"type":"error","error":{"type":"x","code":"c","message":"oh"}}"#, "c"),
        (r#"{"error":{"message":"oh","code":"c"}}"#, "c"),
        (r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"c","message":"oh"}}}"#, "c"),
    ] {
        let Err(StreamError::Provider(error)) = read([&*stream(&[event])].into_iter()) else { panic!("{event}") };
        assert_eq!((error.message.as_str(), error.code.as_deref()), ("oh", Some(code)), "{event}");
        assert_eq!(error.kind, ProviderErrorKind::Provider);
    }
    let json = read([&*stream(&["{\"type\":"])].into_iter()).unwrap_err();
    assert!(matches!(json, StreamError::Json(_)));
}

#[test]
fn a_response_that_is_incomplete_says_why() {
    for (reason, finish) in [
        (r#"{"reason":"max_output_tokens"}"#, Finish::Length),
        (r#"{"reason":"content_filter"}"#, Finish::ContentFilter),
        ("null", Finish::Length),
    ] {
        let event = format!(
            r#"{{"type":"response.incomplete","response":{{"status":"incomplete","incomplete_details":{reason},"output":[]}}}}"#
        );
        assert!(whole(&stream(&[&event])).contains(&Event::Finish { choice: 0, reason: finish }));
    }
}

fn call(index: u32, id: &str) -> Event {
    Event::ToolCall { choice: 0, index, id: id.to_owned(), name: "f".to_owned(), seal: None }
}

fn arguments(index: u32, text: &str) -> Event {
    Event::Arguments { choice: 0, index, text: text.to_owned() }
}

#[test]
fn calls_may_be_told_in_turns() {
    let events = [
        Event::Start { id: Some("chatcmpl-1".to_owned()), model: None, created: None },
        Event::Text { choice: 0, text: "a\n".to_owned() },
        Event::Text { choice: 1, text: "another answer".to_owned() },
        call(0, "x"),
        call(1, "y"),
        arguments(0, "{\"a\":"),
        arguments(1, "{}"),
        arguments(0, "1}"),
        Event::Finish { choice: 0, reason: Finish::ToolCalls },
        Event::End,
    ];
    let written = write(&events, envelope());
    let last = is_sound(&written);
    assert_eq!(last["response"]["id"], "chatcmpl-1");
    assert_eq!(last["response"]["output"][1]["arguments"], "{\"a\":1}");
    let mut wanted = collect(&events);
    wanted.choices.truncate(1);
    wanted.model = Some("m".to_owned());
    wanted.created = Some(7);
    assert_eq!(collect(&whole(&written)), wanted);
}

#[test]
fn a_seal_that_comes_after_its_text_keeps_the_items_id() {
    let seal =
        Seal { family: Family::Openai, kind: SealKind::Text, id: Some("rs_own".to_owned()), data: "d".to_owned() };
    let events = [
        Event::Start { id: Some("resp_1".to_owned()), model: None, created: None },
        Event::Reasoning { choice: 0, text: "a".to_owned() },
        Event::ReasoningPart { choice: 0 },
        Event::Reasoning { choice: 0, text: "b".to_owned() },
        Event::Seal { choice: 0, seal: seal.clone() },
        Event::Finish { choice: 0, reason: Finish::Stop },
        Event::End,
    ];
    let written = write(&events, envelope());
    let last = is_sound(&written);
    assert_eq!(last["response"]["output"][0]["id"], "rs_1_0");
    let wanted = Reasoning { parts: vec!["a".to_owned(), "b".to_owned()], seal: Some(seal) };
    assert_eq!(collect(&whole(&written)).choices[0].parts, [Part::from(Content::Reasoning(wanted))]);
}

#[test]
fn the_cost_stands_in_the_last_event_only() {
    let usage = crate::chat::Usage { input: 3, output: 4, ..crate::chat::Usage::default() };
    let mut envelope = envelope();
    envelope.cost = Arc::new(|usage| Some(NanoUsd(i64::try_from(usage.output).unwrap() * 1_000_000)));
    envelope.echo = Some(Json::new("{\"metadata\":\n{\"a\":\r\n\"b\"}}".to_owned()).unwrap());
    let events = [
        Event::Text { choice: 0, text: "a".to_owned() },
        Event::Finish { choice: 0, reason: Finish::Length },
        Event::Usage(usage),
        Event::End,
    ];
    let written = write(&events, envelope);
    assert!(!written.contains(&b'\r'));
    let told = frames(&written);
    let (kind, last) = told.last().unwrap();
    assert_eq!(kind, "response.incomplete");
    assert_eq!(last["response"]["usage"]["waypost_cost_usd"], 0.004);
    assert_eq!(last["response"]["usage"]["total_tokens"], 7);
    assert_eq!(last["response"]["metadata"]["a"], "b");
    assert_eq!(last["response"]["output"][0]["status"], "incomplete");
    assert_eq!(String::from_utf8(written).unwrap().matches("waypost_cost_usd").count(), 1);
}

#[test]
fn a_failure_is_a_whole_response_and_never_a_clean_end() {
    let refusal = Refusal {
        status: 504,
        kind: "api_error",
        code: "upstream_timeout",
        message: "too slow",
        param: None,
        request_id: "r",
    };
    for events in [vec![], vec![Event::Text { choice: 0, text: "a".to_owned() }, call(0, "x")]] {
        let (mut encoder, mut out) = (Encoder::new(envelope()), Vec::new());
        for event in &events {
            encoder.event(event, &mut out);
        }
        encoder.fail(&refusal, &mut out);
        encoder.event(&Event::End, &mut out);
        let told = frames(&out);
        assert_eq!(told[0].0, "response.created");
        let last = is_sound(&out);
        assert_eq!(last["type"], "response.failed");
        assert_eq!(last["response"]["status"], "failed");
        assert_eq!(last["response"]["error"]["code"], "server_error");
        assert_eq!(last["response"]["error"]["message"], "upstream_timeout: too slow");
        assert!(matches!(read([&*out].into_iter()), Err(StreamError::Provider(_))));
    }
}

#[test]
fn chances_that_come_after_their_text_are_in_the_last_event() {
    let token = r#"{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[]}"#;
    let tokens = vec![Json::new(token.to_owned()).unwrap()];
    let text = Event::Text { choice: 0, text: "a".to_owned() };
    let chances = Event::Logprobs { choice: 0, tokens: tokens.clone() };
    let end = [Event::Finish { choice: 0, reason: Finish::ToolCalls }, Event::End];
    for middle in [[text.clone(), chances.clone(), call(0, "x")], [text, call(0, "x"), chances]] {
        let written = write(&[&middle[..], &end[..]].concat(), envelope());
        is_sound(&written);
        assert_eq!(collect(&whole(&written)).choices[0].logprobs, tokens);
    }
}

proptest! {
    #[test]
    fn what_the_format_can_say_comes_back_from_a_stream(answer in any_answer()) {
        let written = write(&answer.events(), envelope());
        is_sound(&written);
        prop_assert_eq!(collect(&whole(&written)), answer);
    }
}

proptest! {
    #[test]
    fn no_event_makes_a_reader_panic(events in proptest::collection::vec(odd_event(), 0..12)) {
        let (mut decoder, mut mender, mut encoder) = (Decoder::new(), Mender::new(envelope()), Encoder::new(envelope()));
        let mut out = Vec::new();
        for event in &events {
            let read = decoder.event(None, event.as_bytes(), &mut out);
            prop_assert!(read.is_ok() || matches!(read, Err(StreamError::Provider(_))), "{:?}", read);
            if let Some(mended) = mender.event(event.as_bytes()) {
                let mut scanner = Scanner::lenient(&mended);
                prop_assert!(scanner.skip().is_ok() && scanner.end().is_ok());
            }
        }
        for event in &out {
            encoder.event(event, &mut Vec::new());
        }
    }
}

/// Events whose members are those of the format, with values that are not.
fn odd_event() -> impl Strategy<Value = String> {
    let kinds = prop::sample::select(vec![
        "response.created",
        "response.completed",
        "response.output_item.added",
        "response.output_item.done",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.failed",
        "response.reasoning_text.delta",
        "response.function_call_arguments.delta",
        "response.reasoning_summary_text.done",
    ]);
    let value = prop::sample::select(vec![
        "null",
        "0",
        "1",
        "18446744073709551615",
        "-1.5e3",
        "\"é\"",
        "\"\\ud800\"",
        "[]",
        "[null,{}]",
        "{}",
        r#"{"type":"message","content":[{"type":"output_text","text":"ab"},{"refusal":"é"}]}"#,
        r#"{"type":"function_call","call_id":"c","name":"n","arguments":"{}"}"#,
        r#"{"type":"reasoning","summary":[{"text":"s"}],"encrypted_content":"wp1:gemini.call::"}"#,
        r#"{"output":[{"type":"reasoning","content":[{"text":"t"}],"encrypted_content":"x"}],"usage":{"input_tokens":-1}}"#,
    ]);
    let names = prop::sample::select(vec![
        "output_index",
        "content_index",
        "summary_index",
        "delta",
        "text",
        "item",
        "response",
        "logprobs",
        "arguments",
        "part",
    ]);
    (kinds, proptest::collection::vec((names, value), 0..6)).prop_map(|(kind, members)| {
        let members: String = members.iter().map(|(name, value)| format!(",\"{name}\":{value}")).collect();
        format!("{{\"type\":\"{kind}\"{members}}}")
    })
}
