use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::chat::{Answer, Content, Event, Family, Finish, Reasoning, Seal, SealKind, Usage};
use crate::wire::anthropic::answer::tests::{calls, envelope, finish_of, sayable, text, thoughts};
use crate::wire::anthropic::{answer, mend};
use crate::wire::sse::{self, Splitter};
use crate::wire::stream::StreamError;
use crate::wire::{Decoder as _, Encoder as _, Refusal, recorded, seal};

/// The raw events in bytes that come in these pieces.
fn split<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let (mut splitter, mut held, mut events) = (Splitter::default(), Vec::new(), Vec::new());
    for piece in pieces {
        let mut rest = piece;
        if splitter.owes_line_feed(rest, !held.is_empty()) {
            rest = &rest[1..];
        }
        while let Some(end) = splitter.end(rest) {
            held.extend_from_slice(&rest[..end]);
            events.push(std::mem::take(&mut held));
            rest = &rest[end..];
        }
        held.extend_from_slice(rest);
    }
    events
}

fn read(raw: &[Vec<u8>]) -> Result<Vec<Event>, StreamError> {
    let (mut decoder, mut events) = (Decoder::new(), Vec::new());
    for raw in raw {
        let event = sse::parse(raw);
        if let Some(data) = &event.data {
            decoder.event(event.name, data, &mut events)?;
        }
    }
    decoder.finish(&mut events)?;
    Ok(events)
}

fn read_all(stream: &[u8]) -> Result<Vec<Event>, StreamError> {
    read(&split(std::iter::once(stream)))
}

/// Lines without framing.
fn read_lines(lines: &str) -> Result<Vec<Event>, StreamError> {
    let (mut decoder, mut events) = (Decoder::new(), Vec::new());
    for line in lines.lines().filter(|line| !line.is_empty()) {
        decoder.event(None, line.as_bytes(), &mut events)?;
    }
    decoder.finish(&mut events)?;
    Ok(events)
}

fn whole(events: &[Event]) -> Answer {
    let mut answer = Answer::default();
    events.iter().for_each(|event| answer.add(event));
    answer
}

fn write(events: &[Event]) -> Vec<u8> {
    let (mut encoder, mut out) = (Encoder::new(envelope()), Vec::new());
    events.iter().for_each(|event| encoder.event(event, &mut out));
    out
}

/// The data of each event, and that its name is its type.
fn written(stream: &[u8]) -> Vec<Value> {
    split(std::iter::once(stream))
        .iter()
        .map(|raw| {
            let event = sse::parse(raw);
            let data: Value = serde_json::from_slice(event.data.as_deref().unwrap()).unwrap();
            assert_eq!(event.name.map(|name| std::str::from_utf8(name).unwrap()), data["type"].as_str());
            assert_eq!(mend::event(event.data.as_deref().unwrap()), None, "it needs no mending: {data}");
            data
        })
        .collect()
}

fn recordings() -> Vec<(String, Bytes)> {
    let streams = recorded::exchanges("messages").into_iter();
    let streams: Vec<_> = streams.filter_map(|exchange| Some((exchange.name, exchange.stream?))).collect();
    assert!(streams.len() > 6);
    streams
}

fn odd(name: &str) -> Vec<Event> {
    let path = recorded::folder().join("response-only").join(format!("{name}.chunks.jsonl"));
    read_lines(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A block as the recording puts it together.
#[derive(Default)]
struct Recorded {
    start: Value,
    text: String,
    signature: String,
}

#[test]
fn recorded_streams_are_read_as_they_say() {
    for (name, stream) in recordings() {
        let mut blocks: BTreeMap<u64, Recorded> = BTreeMap::new();
        let (mut start, mut stop) = (Value::Null, Value::Null);
        let mut counted = BTreeMap::new();
        for line in std::str::from_utf8(&stream).unwrap().lines() {
            let Some(data) = line.strip_prefix("data: ") else { continue };
            let data: Value = serde_json::from_str(data).unwrap();
            let index = data["index"].as_u64().unwrap_or(0);
            let usage = match data["type"].as_str().unwrap() {
                "message_start" => {
                    start = data["message"].clone();
                    &data["message"]["usage"]
                }
                "message_delta" => {
                    stop = data["delta"].clone();
                    &data["usage"]
                }
                "content_block_start" => {
                    let signature = data["content_block"]["signature"].as_str().unwrap_or_default().to_owned();
                    let start = data["content_block"].clone();
                    blocks.insert(index, Recorded { start, signature, ..Recorded::default() });
                    continue;
                }
                "content_block_delta" => {
                    let block = blocks.get_mut(&index).unwrap();
                    for member in ["text", "thinking", "partial_json"] {
                        block.text.push_str(data["delta"][member].as_str().unwrap_or_default());
                    }
                    block.signature.push_str(data["delta"]["signature"].as_str().unwrap_or_default());
                    continue;
                }
                _ => continue,
            };
            for (member, count) in usage.as_object().unwrap() {
                if let Some(count) = count.as_u64() {
                    counted.insert(member.clone(), count);
                }
            }
        }
        let answer = whole(&read_all(&stream).unwrap());
        let of = |kind: &'static str| blocks.values().filter(move |block| block.start["type"] == kind);
        assert_eq!(answer.id.as_deref(), start["id"].as_str(), "{name}");
        assert_eq!(answer.model.as_deref(), start["model"].as_str(), "{name}");
        assert_eq!(text(&answer), of("text").map(|block| block.text.as_str()).collect::<String>(), "{name}");
        let thought: Vec<_> =
            of("thinking").map(|block| (block.text.clone(), SealKind::Text, block.signature.clone())).collect();
        assert_eq!(thoughts(&answer), thought, "{name}");
        let called: Vec<_> = of("tool_use")
            .map(|block| {
                let word = |member: &str| block.start[member].as_str().unwrap().to_owned();
                (word("id"), word("name"), block.text.clone())
            })
            .collect();
        assert_eq!(calls(&answer), called, "{name}");
        assert_eq!(answer.choices[0].finish, Some(finish_of(&stop["stop_reason"], &stop["stop_sequence"])), "{name}");
        let count = |member: &str| counted.get(member).copied().unwrap_or(0);
        let (cached, cache_write) = (count("cache_read_input_tokens"), count("cache_creation_input_tokens"));
        let usage = answer.usage.unwrap();
        assert_eq!(usage.input, count("input_tokens") + cached + cache_write, "{name}");
        assert_eq!((usage.cached, usage.cache_write, usage.output), (cached, cache_write, count("output_tokens")));
    }
}

/// Bedrock wraps the same events in its own framing.
#[test]
fn a_stream_is_the_same_wherever_the_model_is_hosted() {
    use base64::Engine as _;
    let exchange = recorded::exchanges("invoke-stream").remove(0);
    let stream = exchange.stream.unwrap();
    let (mut decoder, mut events, mut rest) = (Decoder::new(), Vec::new(), &stream[..]);
    let mut said = String::new();
    while let Some(found) = memchr::memmem::find(rest, b"{\"bytes\":\"") {
        rest = &rest[found + 10..];
        let end = memchr::memchr(b'"', rest).unwrap();
        let data = base64::engine::general_purpose::STANDARD.decode(&rest[..end]).unwrap();
        decoder.event(None, &data, &mut events).unwrap();
        assert_eq!(mend::event(&data), None);
        let data: Value = serde_json::from_slice(&data).unwrap();
        said.push_str(data["delta"]["text"].as_str().unwrap_or_default());
    }
    decoder.finish(&mut events).unwrap();
    let answer = whole(&events);
    assert!(!said.is_empty() && answer.good() && answer.usage.is_some());
    assert_eq!(text(&answer), said);
}

#[test]
fn any_cut_of_the_bytes_gives_the_same_events() {
    let mut seed = 7u64;
    for (name, stream) in recordings() {
        let events = read_all(&stream).unwrap();
        assert_eq!(read(&split(stream.chunks(1))).unwrap(), events, "{name} byte by byte");
        for _ in 0..200 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = usize::try_from(seed >> 33).unwrap() % stream.len();
            let (one, other) = stream.split_at(at);
            assert_eq!(read(&split([one, other].into_iter())).unwrap(), events, "{name} cut at {at}");
        }
    }
}

#[test]
fn what_is_read_and_written_is_read_again_the_same() {
    for (name, stream) in recordings() {
        let events = read_all(&stream).unwrap();
        let answer = whole(&events);
        let stream = write(&events);
        assert_eq!(whole(&read_all(&stream).unwrap()), answer, "{name}");
        let said = written(&stream);
        let indices: Vec<_> =
            said.iter().filter(|event| event["type"] == "content_block_start").map(|event| &event["index"]).collect();
        assert!(indices.iter().enumerate().all(|(at, index)| **index == at), "{name}: {indices:?}");
    }
}

#[test]
fn a_stream_cut_off_is_told_from_one_that_ended() {
    for (name, stream) in recordings() {
        let raw = split(std::iter::once(&stream[..]));
        let stop = raw.iter().position(|raw| raw.starts_with(b"event: message_delta")).unwrap();
        assert_eq!(read(&raw[..stop]), Err(StreamError::Truncated), "{name}");
        assert_eq!(read(&raw[..=stop]).unwrap().last(), Some(&Event::End), "{name} misses only its mark");
    }
}

#[test]
fn a_call_without_arguments_has_an_empty_object() {
    let answer = whole(&odd("anthropic-tool-no-args"));
    assert_eq!(
        calls(&answer),
        [("toolu_01QE1WLsSVp5hy5Q3GmGTmjP".to_owned(), "updateIssueList".to_owned(), "{}".to_owned())]
    );
    let early = whole(
        &read_lines(
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{"a": 1}}}
            {"type":"content_block_stop","index":0}
            {"type":"message_stop"}"#,
        )
        .unwrap(),
    );
    assert_eq!(calls(&early)[0].2, "{\"a\": 1}", "what stands in its start counts where no fragment comes");
    assert_eq!(early.choices[0].finish, Some(Finish::ToolCalls));
}

#[test]
fn the_last_count_counts_and_none_is_added() {
    let usage = |name| whole(&odd(name)).usage.unwrap();
    let corrected = usage("anthropic-message-delta-input-tokens");
    assert_eq!((corrected.input, corrected.output), (61, 2));
    assert_eq!(usage("anthropic-json-tool.1"), Usage { input: 849, output: 47, ..Usage::default() });
    assert_eq!(
        calls(&whole(&odd("anthropic-json-tool.1")))[0].2,
        r#"{"elements": [{"location": "San Francisco", "temperature": 58, "condition": "sunny"}]}"#
    );
}

#[test]
fn a_message_that_starts_twice_is_one() {
    let events = odd("duplicate-message-start");
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Start { .. })).count(), 1);
    let answer = whole(&events);
    assert_eq!((text(&answer).as_str(), answer.usage.unwrap().output), ("Hello, World!", 227));
}

#[test]
fn errors_in_the_stream_are_the_providers() {
    for (name, data, status) in [
        (Some(&b"error"[..]), r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, 529),
        (None, r#"{"error":{"message":"slow down","type":"rate_limit_error"},"type":"error"}"#, 429),
        (None, r#"{"error":{"message":"down","code":503}}"#, 503),
        (Some(b"error"), "not even JSON", 500),
    ] {
        let Err(StreamError::Provider(error)) = Decoder::new().event(name, data.as_bytes(), &mut Vec::new()) else {
            panic!("{data}")
        };
        assert_eq!(error.status, status, "{data}");
    }
}

#[test]
fn what_the_format_does_not_know_is_passed_over() {
    let (mut decoder, mut events) = (Decoder::new(), Vec::new());
    for (name, data) in [
        (Some(&b"ping"[..]), "{}"),
        (Some(b"vendor"), r#"{"x":1}"#),
        (None, r#"{"type":"new_event","delta":7,"index":-1,"message":[]}"#),
        (None, "[DONE]"),
        (None, "3"),
        (None, r#"{"type":"content_block_delta","index":4,"delta":{"type":"new_delta"}}"#),
        (None, r#"{"type":"content_block_stop","index":9}"#),
    ] {
        decoder.event(name, data.as_bytes(), &mut events).unwrap();
    }
    assert_eq!(events, []);
    assert!(matches!(decoder.event(None, b"{", &mut events), Err(StreamError::Json(_))));
}

/// One seal of each sort, and the blocks around it.
#[test]
fn every_seal_finds_a_place_in_the_stream() {
    let seal = |family, kind| Seal { family, kind, id: None, data: "c2Vh".to_owned() };
    let think = |text: &str| Event::Reasoning { choice: 0, text: text.to_owned() };
    let sealed = |seal: &Seal| Event::Seal { choice: 0, seal: seal.clone() };
    let part = Event::ReasoningPart { choice: 0 };
    let say = Event::Text { choice: 0, text: "said".to_owned() };
    let (openai, hidden) = (seal(Family::Openai, SealKind::Text), seal(Family::Xai, SealKind::Hidden));
    let (answer, call) = (seal(Family::Gemini, SealKind::Answer), seal(Family::Gemini, SealKind::Call));
    let called =
        Event::ToolCall { choice: 0, index: 0, id: "t".to_owned(), name: "f".to_owned(), seal: Some(call.clone()) };
    let end = Event::Finish { choice: 0, reason: Finish::ToolCalls };
    let stream = write(&[
        think("a"),
        think("b"),
        part,
        think("c"),
        sealed(&openai),
        sealed(&hidden),
        sealed(&seal(Family::Anthropic, SealKind::Hidden)),
        think("open"),
        say,
        sealed(&answer),
        called,
        end,
        Event::End,
    ]);
    let mut blocks: Vec<(String, String, String)> = Vec::new();
    for event in written(&stream) {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if event["type"] == "content_block_start" {
            blocks.push((word(&event["content_block"]["type"]), String::new(), String::new()));
        } else if event["type"] == "content_block_delta" {
            let block = blocks.last_mut().unwrap();
            block.1.push_str(&word(&event["delta"]["thinking"]));
            block.2.push_str(&word(&event["delta"]["signature"]));
        }
    }
    let kinds: Vec<_> = blocks.iter().map(|(kind, ..)| kind.as_str()).collect();
    assert_eq!(
        kinds,
        ["thinking", "thinking", "redacted_thinking", "thinking", "text", "thinking", "thinking", "tool_use"]
    );
    let unsigned = |at: usize| seal::unsign(&blocks[at].2, &blocks[at].1).unwrap();
    let expected = |parts: &[&str], seal: Option<Seal>| Reasoning {
        parts: parts.iter().map(|&part| part.to_owned()).collect(),
        seal,
    };
    assert_eq!(unsigned(0), expected(&["ab", "c"], Some(openai)));
    assert_eq!(unsigned(1), expected(&[], Some(hidden)));
    assert_eq!(unsigned(3), expected(&["open"], None));
    assert_eq!(unsigned(5), expected(&[], Some(answer)));
    assert_eq!(unsigned(6), expected(&[], Some(call)));
}

#[test]
fn the_end_states_the_usage_and_what_it_cost() {
    let usage = Usage { input: 10, cached: 3, cache_write: 2, output: 7, ..Usage::default() };
    let stream = write(&[
        Event::Start { id: None, model: None, created: None },
        Event::Refusal { choice: 0, text: "No.".to_owned() },
        Event::Text { choice: 1, text: "another choice".to_owned() },
        Event::Finish { choice: 0, reason: Finish::Stop },
        Event::Usage(usage),
        Event::End,
    ]);
    let said = written(&stream);
    let kinds: Vec<_> = said.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    assert_eq!((&said[0]["message"]["id"], &said[0]["message"]["model"]), (&"dec_1".into(), &"fast".into()));
    assert_eq!(said[4]["delta"]["stop_reason"], "refusal");
    let counted = serde_json::json!({"input_tokens": 5, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 3,
        "output_tokens": 7, "waypost_cost_usd": 0.000_007});
    assert_eq!(said[4]["usage"], counted);
}

#[test]
fn a_failure_is_an_event_and_the_last() {
    let (mut encoder, mut out) = (Encoder::new(envelope()), Vec::new());
    encoder.event(&Event::Text { choice: 0, text: "a".to_owned() }, &mut out);
    let before = out.len();
    let refusal = Refusal {
        status: 503,
        kind: "server_error",
        code: "overloaded",
        message: "no \"more\"",
        param: None,
        request_id: "req_1",
    };
    encoder.fail(&refusal, &mut out);
    encoder.event(&Event::End, &mut out);
    let said: Value = serde_json::from_slice(sse::parse(&out[before..]).data.as_deref().unwrap()).unwrap();
    let expected = serde_json::json!({"type": "error", "request_id": "req_1",
        "error": {"type": "overloaded_error", "message": "no \"more\"", "code": "overloaded"}});
    assert_eq!(said, expected);
    assert!(out[before..].starts_with(b"event: error\n"));
}

/// Any step in any place.
fn step() -> impl Strategy<Value = Event> {
    let seal = |kind| {
        prop::sample::select(vec![Family::Anthropic, Family::Openai, Family::Gemini]).prop_map(move |family| Seal {
            family,
            kind,
            id: None,
            data: "c2Vh".to_owned(),
        })
    };
    let sealed = |kind| seal(kind).prop_map(|seal| Event::Seal { choice: 0, seal });
    let said = "[a-zü\"\n]{1,4}";
    prop_oneof![
        said.prop_map(|text| Event::Text { choice: 0, text }),
        said.prop_map(|text| Event::Refusal { choice: 0, text }),
        said.prop_map(|text| Event::Reasoning { choice: 0, text }),
        said.prop_map(|text| Event::Text { choice: 1, text }),
        Just(Event::ReasoningPart { choice: 0 }),
        sealed(SealKind::Text),
        sealed(SealKind::Hidden),
        sealed(SealKind::Answer),
        (0..3u32, prop::option::of(seal(SealKind::Call))).prop_map(|(index, seal)| {
            Event::ToolCall { choice: 0, index, id: format!("t{index}"), name: "f".to_owned(), seal }
        }),
        (0..4u32, said).prop_map(|(index, text)| Event::Arguments { choice: 0, index, text }),
        Just(Event::Usage(Usage { input: 3, output: 1, ..Usage::default() })),
        Just(Event::Finish { choice: 0, reason: Finish::Stop }),
    ]
}

proptest! {
    #[test]
    fn any_steps_make_a_stream_whose_blocks_follow_one_another(mut steps in prop::collection::vec(step(), 0..20)) {
        steps.push(Event::End);
        let said = written(&write(&steps));
        let (mut open, mut next) = (None, 0);
        for (at, event) in said.iter().enumerate() {
            let index = event["index"].as_u64();
            match event["type"].as_str().unwrap() {
                "message_start" => prop_assert_eq!(at, 0),
                "content_block_start" => {
                    prop_assert_eq!((open, index), (None, Some(next)));
                    (open, next) = (index, next + 1);
                }
                "content_block_delta" if event["delta"]["type"] == "input_json_delta" => prop_assert!(index < Some(next)),
                "content_block_delta" => prop_assert_eq!(open, index),
                "content_block_stop" => prop_assert_eq!(open.take(), index),
                "message_delta" => prop_assert_eq!((open, at), (None, said.len() - 2)),
                "message_stop" => prop_assert_eq!(at, said.len() - 1),
                other => prop_assert!(false, "{other}"),
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(
        place in any::<prop::sample::Index>(),
        with in prop::sample::select(vec!["", "\"", "{", "null", "[7]", "\\u12", "-1", "99999999999999999999", ","]),
    ) {
        let lines = std::fs::read_to_string(recorded::folder().join("response-only/anthropic-tool-no-args.chunks.jsonl")).unwrap();
        let at = place.index(lines.len());
        let end = (at + with.len().max(1)).min(lines.len());
        if lines.is_char_boundary(at) && lines.is_char_boundary(end) {
            let _ = read_lines(&format!("{}{with}{}", &lines[..at], &lines[end..]));
        }
    }

    #[test]
    fn any_answer_survives_the_stream_and_is_what_the_whole_one_says(answer in sayable()) {
        let stream = write(&answer.events());
        written(&stream);
        let mut read = whole(&read_all(&stream).unwrap());
        // A call without arguments says so in its own way.
        for part in read.choices.iter_mut().flat_map(|choice| &mut choice.parts) {
            if let Content::ToolCall(call) = &mut part.content { prop_assert!(!call.arguments.is_empty()); }
        }
        prop_assert_eq!(&read, &answer::decode(&answer::encode(&answer, &envelope())).unwrap());
        prop_assert_eq!(read, answer);
    }
}
