use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::chat::{Content, Family, Finish, Part, Reasoning, Seal, SealKind, ToolCall, Usage};
use crate::wire::anthropic::mend;
use crate::wire::provider_error::ProviderErrorKind;
use crate::wire::{Envelope, recorded, seal};

pub(in crate::wire::anthropic) fn envelope() -> Envelope {
    Envelope {
        id: "dec_1".to_owned(),
        model: "fast".to_owned(),
        created: 1,
        show_usage: true,
        echo: None,
        cost: Arc::new(|usage| Some(crate::money::NanoUsd(i64::try_from(usage.output).unwrap() * 1000))),
    }
}

/// Recorded whole messages, wherever they were hosted.
fn recordings() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for endpoint in ["messages", "raw", "invoke"] {
        for exchange in recorded::exchanges(endpoint) {
            if let Some(body) = exchange.answered()
                && exchange.status() == 200
            {
                let body: Value = serde_json::from_slice(&body).unwrap();
                if body["type"] == "message" {
                    found.push((exchange.name, body));
                }
            }
        }
    }
    assert!(found.len() > 12);
    found
}

pub(in crate::wire::anthropic) fn text(answer: &Answer) -> String {
    let parts = answer.choices.iter().flat_map(|choice| &choice.parts);
    parts
        .filter_map(|part| match &part.content {
            Content::Text(text) | Content::Refusal(text) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

/// `(text, seal's kind, seal's data)` of all reasoning.
pub(in crate::wire::anthropic) fn thoughts(answer: &Answer) -> Vec<(String, SealKind, String)> {
    let parts = answer.choices.iter().flat_map(|choice| &choice.parts);
    parts
        .filter_map(|part| match &part.content {
            Content::Reasoning(reasoning) => {
                let seal = reasoning.seal.clone().unwrap();
                assert_eq!((seal.family, seal.id), (Family::Anthropic, None));
                Some((reasoning.text(), seal.kind, seal.data))
            }
            _ => None,
        })
        .collect()
}

pub(in crate::wire::anthropic) fn calls(answer: &Answer) -> Vec<(String, String, String)> {
    let parts = answer.choices.iter().flat_map(|choice| &choice.parts);
    parts
        .filter_map(|part| match &part.content {
            Content::ToolCall(call) => Some((call.id.clone(), call.name.clone(), call.arguments.clone())),
            _ => None,
        })
        .collect()
}

pub(in crate::wire::anthropic) fn finish_of(reason: &Value, sequence: &Value) -> Finish {
    match reason.as_str().unwrap() {
        "end_turn" => Finish::Stop,
        "tool_use" => Finish::ToolCalls,
        "max_tokens" => Finish::Length,
        "stop_sequence" => Finish::StopSequence(sequence.as_str().map(str::to_owned)),
        other => panic!("{other} is new"),
    }
}

#[test]
fn recorded_messages_are_read_as_they_say() {
    for (name, body) in recordings() {
        let answer = decode(&serde_json::to_vec(&body).unwrap()).unwrap();
        let blocks = body["content"].as_array().unwrap();
        let of = |kind: &'static str| blocks.iter().filter(move |block| block["type"] == kind);
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        assert_eq!(answer.id.as_deref(), body["id"].as_str(), "{name}");
        assert_eq!(answer.model.as_deref(), body["model"].as_str(), "{name}");
        assert_eq!(text(&answer), of("text").map(|block| word(&block["text"])).collect::<String>(), "{name}");
        let said: Vec<_> = blocks
            .iter()
            .filter_map(|block| match block["type"].as_str()? {
                "thinking" => Some((word(&block["thinking"]), SealKind::Text, word(&block["signature"]))),
                "redacted_thinking" => Some((String::new(), SealKind::Hidden, word(&block["data"]))),
                _ => None,
            })
            .collect();
        assert_eq!(thoughts(&answer), said, "{name}");
        let called: Vec<_> = of("tool_use")
            .map(|block| (word(&block["id"]), word(&block["name"]), serde_json::to_string(&block["input"]).unwrap()))
            .collect();
        assert_eq!(calls(&answer), called, "{name}");
        assert_eq!(answer.choices[0].finish, Some(finish_of(&body["stop_reason"], &body["stop_sequence"])), "{name}");
        let (usage, counted) = (answer.usage.unwrap(), &body["usage"]);
        let count = |member: &str| counted[member].as_u64().unwrap_or(0);
        let (read, written) = (count("cache_read_input_tokens"), count("cache_creation_input_tokens"));
        assert_eq!(usage.input, count("input_tokens") + read + written, "{name}");
        assert_eq!((usage.cached, usage.cache_write, usage.output), (read, written, count("output_tokens")), "{name}");
    }
}

#[test]
fn what_is_read_and_written_is_read_again_the_same() {
    for (name, body) in recordings() {
        let answer = decode(&serde_json::to_vec(&body).unwrap()).unwrap();
        let written = encode(&answer, &envelope());
        assert_eq!(decode(&written).unwrap(), answer, "{name}");
        assert_eq!(mend::whole(written.clone()).unwrap(), written, "{name} needs no mending");
    }
}

#[test]
fn the_arguments_keep_their_bytes() {
    let body = br#"{"type":"message","content":[{"name":"f","input":{ "b" : 1.0,"a":"\u00e9"},"id":"toolu_1","type":"tool_use"}],"stop_reason":"tool_use"}"#;
    let answer = decode(body).unwrap();
    assert_eq!(calls(&answer)[0].2, r#"{ "b" : 1.0,"a":"\u00e9"}"#);
    let written = encode(&answer, &envelope());
    assert!(std::str::from_utf8(&written).unwrap().contains(r#""input":{ "b" : 1.0,"a":"\u00e9"}"#));
}

#[test]
fn badly_written_arguments_reach_the_client_as_an_object() {
    assert_eq!(input(" {\"a\": 1} "), "{\"a\": 1}");
    assert_eq!(input(""), "{}");
    assert_eq!(input(" \n"), "{}");
    assert_eq!(input("{\"a\":"), r#"{"arguments":"{\"a\":"}"#);
    assert_eq!(input("[1]"), r#"{"arguments":"[1]"}"#);
    assert_eq!(input("null"), r#"{"arguments":"null"}"#);
}

#[test]
fn blocks_of_the_providers_own_tools_and_unknown_ones_are_passed_over() {
    let body = br#"{"id":"m","content":[{"type":"text","text":"a","citations":[{"type":"char_location"}]},
        {"type":"server_tool_use","id":"s","name":"web_search","input":{"q":1}},
        {"type":"web_search_tool_result","tool_use_id":"s","content":[]},{"type":"new","text":"x"},7,
        {"text":"b","type":"text"}],"stop_reason":"pause_turn","usage":{"input_tokens":null}}"#;
    let answer = decode(body).unwrap();
    assert_eq!(answer.choices[0].parts, [Part::from(Content::Text("ab".to_owned()))]);
    assert_eq!(answer.choices[0].finish, Some(Finish::Pause));
    assert_eq!(answer.usage, None);
}

#[test]
fn cache_writes_are_told_apart_by_their_age() {
    let usage = |json: &str| decode(format!(r#"{{"content":[],"usage":{json}}}"#).as_bytes()).unwrap().usage.unwrap();
    let counted = usage(
        r#"{"input_tokens":3,"output_tokens":9,"cache_read_input_tokens":20,"cache_creation_input_tokens":100,
            "cache_creation":{"ephemeral_5m_input_tokens":40,"ephemeral_1h_input_tokens":60},
            "output_tokens_details":{"thinking_tokens":5}}"#,
    );
    let expected = Usage {
        input: 123,
        cached: 20,
        cache_write: 100,
        cache_write_1h: 60,
        output: 9,
        reasoning: 5,
        estimated: false,
    };
    assert_eq!(counted, expected);
    let by_age =
        usage(r#"{"input_tokens":1,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":6}}"#);
    assert_eq!((by_age.input, by_age.cache_write, by_age.cache_write_1h), (11, 10, 6));
    let odd =
        usage(r#"{"input_tokens":"7","output_tokens":2,"cache_creation_input_tokens":null,"cache_creation":null}"#);
    assert_eq!(odd, Usage { output: 2, ..Usage::default() });
}

#[test]
fn an_error_or_nothing_is_no_answer() {
    let Err(AnswerError::Provider(error)) =
        decode(br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#)
    else {
        panic!()
    };
    assert_eq!((error.status, error.message.as_str()), (529, "Overloaded"));
    let Err(AnswerError::Provider(error)) = decode(
        br#"{"error":{"message":"prompt is too long: 9 tokens > 8 maximum","type":"invalid_request_error"},"type":"error"}"#,
    ) else {
        panic!()
    };
    assert_eq!((error.status, error.kind), (400, ProviderErrorKind::ContextLength));
    assert_eq!(decode(br#"{"type":"message"}"#), Err(AnswerError::NoChoices));
    assert!(matches!(decode(b"[]"), Err(AnswerError::Shape(_))));
    assert!(matches!(decode(b"<html>"), Err(AnswerError::Json(_))));
    assert!(matches!(decode(br#"{"content":[]} x"#), Err(AnswerError::Json(_))));
}

/// The content blocks that an answer of these parts is written as.
fn blocks(parts: Vec<Content>, finish: Finish) -> (Vec<Value>, Value) {
    let choice = Choice { parts: parts.into_iter().map(Part::from).collect(), finish: Some(finish), logprobs: vec![] };
    let answer = Answer { choices: vec![choice, Choice::default()], ..Answer::default() };
    let written = encode(&answer, &envelope());
    assert_eq!(mend::whole(written.clone()).unwrap(), written, "it needs no mending");
    let mut message: Value = serde_json::from_slice(&written).unwrap();
    let Value::Array(blocks) = message["content"].take() else { panic!() };
    (blocks, message)
}

#[test]
fn every_seal_finds_a_place_and_can_be_read_from_it() {
    let seal = |family, kind| Some(Seal { family, kind, id: Some("rs_1".to_owned()), data: "c2Vh".to_owned() });
    for reasoning in [
        Reasoning { parts: vec!["of an open model".to_owned()], seal: None },
        Reasoning { parts: vec!["a".to_owned(), "b\n\nc".to_owned()], seal: seal(Family::Openai, SealKind::Text) },
        Reasoning { parts: vec![], seal: seal(Family::Xai, SealKind::Hidden) },
        Reasoning { parts: vec![], seal: seal(Family::Gemini, SealKind::Answer) },
    ] {
        let (blocks, _) = blocks(vec![Content::Reasoning(reasoning.clone())], Finish::Stop);
        let [block] = &blocks[..] else { panic!() };
        assert_eq!(block["type"], "thinking");
        let text = block["thinking"].as_str().unwrap();
        assert_eq!(seal::unsign(block["signature"].as_str().unwrap(), text), Some(reasoning));
    }
}

#[test]
fn the_seal_of_a_call_stands_before_it() {
    let seal = Seal { family: Family::Gemini, kind: SealKind::Call, id: None, data: "sig".to_owned() };
    let call =
        ToolCall { id: "c".to_owned(), name: "f".to_owned(), arguments: "{}".to_owned(), seal: Some(seal.clone()) };
    let (blocks, message) = blocks(vec![Content::ToolCall(call)], Finish::ToolCalls);
    assert_eq!((&blocks[0]["thinking"], &blocks[1]["type"]), (&"".into(), &"tool_use".into()));
    let signed = seal::unsign(blocks[0]["signature"].as_str().unwrap(), "").unwrap();
    assert_eq!(signed, Reasoning { parts: vec![], seal: Some(seal) });
    assert_eq!(message["stop_reason"], "tool_use");
}

#[test]
fn every_end_has_its_word() {
    for (finish, reason, sequence) in [
        (Finish::Stop, "end_turn", Value::Null),
        (Finish::StopSequence(Some("###".to_owned())), "stop_sequence", "###".into()),
        (Finish::StopSequence(None), "stop_sequence", Value::Null),
        (Finish::Length, "max_tokens", Value::Null),
        (Finish::ContentFilter, "refusal", Value::Null),
        (Finish::Refusal, "refusal", Value::Null),
        (Finish::Pause, "pause_turn", Value::Null),
        (Finish::Other("odd".to_owned()), "end_turn", Value::Null),
    ] {
        let (_, message) = blocks(vec![Content::Text("t".to_owned())], finish);
        assert_eq!((&message["stop_reason"], &message["stop_sequence"]), (&reason.into(), &sequence));
    }
    let (blocks, message) = blocks(vec![Content::Refusal("No.".to_owned())], Finish::Stop);
    assert_eq!((&blocks[0]["text"], &message["stop_reason"]), (&"No.".into(), &"refusal".into()));
    assert_eq!((&message["id"], &message["model"]), (&"dec_1".into(), &"fast".into()));
}

/// Answers that the format can say: its own seals, no neighbouring texts, arguments that are objects.
pub(in crate::wire::anthropic) fn sayable() -> impl Strategy<Value = Answer> {
    let seal = |kind, data| Some(Seal { family: Family::Anthropic, kind, id: None, data });
    let part = prop_oneof![
        any::<String>().prop_filter("said", |text| !text.is_empty()).prop_map(Content::Text),
        ("\\PC{0,20}", "[a-z+/=]{1,9}").prop_map(move |(text, data)| {
            let parts = if text.is_empty() { vec![] } else { vec![text] };
            Content::Reasoning(Reasoning { parts, seal: seal(SealKind::Text, data) })
        }),
        "[a-z]{1,9}".prop_map(move |data| {
            Content::Reasoning(Reasoning { parts: vec![], seal: seal(SealKind::Hidden, data) })
        }),
        ("[a-z]{1,9}", any::<String>(), any::<String>()).prop_map(|(id, name, value)| {
            let arguments = serde_json::json!({ "v": value }).to_string();
            Content::ToolCall(ToolCall { id, name, arguments, seal: None })
        }),
    ];
    let finish = prop_oneof![
        Just(Finish::Stop),
        Just(Finish::Length),
        Just(Finish::ToolCalls),
        Just(Finish::Refusal),
        Just(Finish::Pause),
        any::<Option<String>>().prop_map(Finish::StopSequence)
    ];
    let usage =
        (0..9u64, 0..9u64, 0..9u64, 0..9u64, 0..9u64, 0..9u64).prop_map(|(plain, cached, m5, h1, said, reasoning)| {
            Usage {
                input: plain + cached + m5 + h1,
                cached,
                cache_write: m5 + h1,
                cache_write_1h: h1,
                output: said + reasoning,
                reasoning,
                estimated: false,
            }
        });
    (any::<String>(), any::<String>(), prop::collection::vec(part, 0..6), finish, usage).prop_map(
        |(id, model, mut parts, finish, usage)| {
            parts.dedup_by(|one, other| matches!((one, other), (Content::Text(_), Content::Text(_))));
            let parts = parts.into_iter().map(Part::from).collect();
            let choice = Choice { parts, finish: Some(finish), logprobs: vec![] };
            Answer { id: Some(id), model: Some(model), created: None, choices: vec![choice], usage: Some(usage) }
        },
    )
}

proptest! {
    #[test]
    fn any_answer_survives_the_way_there_and_back(answer in sayable()) {
        prop_assert_eq!(decode(&encode(&answer, &envelope())).unwrap(), answer);
    }

    #[test]
    fn no_bytes_make_it_panic(body in "[\\[\\]{}\":,a-z0-9\\\\ ]{0,80}") {
        let _ = decode(body.as_bytes());
        let _ = mend::whole(bytes::Bytes::from(body.clone()));
        let _ = mend::event(body.as_bytes());
    }
}
