use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::chat::{Finish, Json, Part, Reasoning, Seal, SealKind, ToolCall, Usage};
use crate::wire::recorded::exchanges;
use crate::wire::responses::mend;

pub(in crate::wire::responses) fn envelope() -> Envelope {
    Envelope {
        id: "resp_of-the-decision".to_owned(),
        model: "m".to_owned(),
        created: 7,
        show_usage: true,
        echo: None,
        cost: Arc::new(|_| None),
    }
}

/// What a recorded response object says, read without any of our own code.
/// Ciphertext is compared with all that was `sent`: OpenAI encrypts a block anew for every event that has it.
pub(in crate::wire::responses) fn agrees(answer: &Answer, response: &Value, sent: &[u8], name: &str) {
    let output = response["output"].as_array().unwrap();
    let of = |kind: &'static str| output.iter().filter(move |item| item["type"] == kind);
    let choice = &answer.choices[0];
    let (mut text, mut calls, mut thoughts, mut seals) = (String::new(), Vec::new(), Vec::new(), Vec::new());
    for part in &choice.parts {
        match &part.content {
            Content::Text(said) => text.push_str(said),
            Content::ToolCall(call) => calls.push((call.id.clone(), call.name.clone(), call.arguments.clone())),
            Content::Reasoning(reasoning) => {
                thoughts.extend(reasoning.parts.clone());
                if let Some(seal) = &reasoning.seal {
                    assert!(memchr::memmem::find(sent, format!("\"{}\"", seal.data).as_bytes()).is_some(), "{name}");
                    seals.extend(seal.id.clone());
                }
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let string = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let parts = of("message").flat_map(|item| item["content"].as_array().unwrap());
    assert_eq!(text, parts.map(|part| string(&part["text"])).collect::<String>(), "{name}");
    let wanted: Vec<_> = of("function_call")
        .map(|call| (string(&call["call_id"]), string(&call["name"]), string(&call["arguments"])))
        .collect();
    assert_eq!(calls, wanted, "{name}");
    let summaries = of("reasoning").flat_map(|item| item["summary"].as_array().unwrap());
    assert_eq!(thoughts, summaries.map(|part| string(&part["text"])).collect::<Vec<_>>(), "{name}");
    let sealed = of("reasoning").filter(|item| item["encrypted_content"].is_string());
    let wanted: Vec<_> = sealed.map(|item| string(&item["id"])).collect();
    assert_eq!(seals, wanted, "{name}");
    let finish = if calls.is_empty() { Finish::Stop } else { Finish::ToolCalls };
    assert_eq!(choice.finish, Some(finish), "{name}");
    assert_eq!(answer.id.as_deref(), response["id"].as_str(), "{name}");
    assert_eq!(answer.model.as_deref(), response["model"].as_str(), "{name}");
    assert_eq!(answer.created, response["created_at"].as_u64(), "{name}");
    let (counted, usage) = (&response["usage"], answer.usage.unwrap());
    let figures = [usage.input, usage.cached, usage.output, usage.reasoning].map(Some);
    let wanted = ["/input_tokens", "/input_tokens_details/cached_tokens"]
        .into_iter()
        .chain(["/output_tokens", "/output_tokens_details/reasoning_tokens"])
        .map(|path| counted.pointer(path).unwrap().as_u64());
    assert!(figures.into_iter().eq(wanted), "{name}: {usage:?}");
}

#[test]
fn recorded_answers_say_what_the_recording_says() {
    let mut seen = 0;
    for exchange in exchanges("responses") {
        let Some(body) = exchange.answered().filter(|_| exchange.status() == 200) else { continue };
        let answer = decode(&body).unwrap();
        agrees(&answer, &exchange.meta["response"]["body"], &body, &exchange.name);
        let written = encode(&answer, &envelope());
        assert_eq!(decode(&written).unwrap(), answer, "{}: {written:?}", exchange.name);
        seen += 1;
    }
    assert!(seen >= 4, "{seen}");
}

#[test]
fn a_seal_of_another_family_comes_back_as_it_was() {
    let body = exchanges("responses").into_iter().find(|exchange| exchange.name.contains("xai-responses-text"));
    let body = body.unwrap().answered().unwrap();
    let answer = decode_of(&body, Family::Xai).unwrap();
    let Content::Reasoning(Reasoning { seal: Some(seal), .. }) = &answer.choices[0].parts[0].content else { panic!() };
    assert_eq!((seal.family, seal.kind), (Family::Xai, SealKind::Text));
    assert_eq!(decode(&encode(&answer, &envelope())).unwrap(), answer);
}

fn part(content: Content) -> Part {
    content.into()
}

fn seal(family: Family, kind: SealKind, id: Option<&str>) -> Option<Seal> {
    Some(Seal { family, kind, id: id.map(str::to_owned), data: "gAAA:b==".to_owned() })
}

fn read(answer: &Answer) -> Value {
    let written = encode(answer, &envelope());
    let body: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(mend::whole(written.clone(), None).unwrap(), written, "what we write needs no correction");
    body
}

#[test]
fn reasoning_calls_and_text_stand_in_order_under_ids_that_do_not_change() {
    let call = ToolCall {
        id: "call_1".to_owned(),
        name: "f".to_owned(),
        arguments: "{\"a\": 1}".to_owned(),
        seal: seal(Family::Gemini, SealKind::Call, None),
    };
    let answer = Answer {
        id: Some("resp_1".to_owned()),
        choices: vec![Choice {
            parts: vec![
                part(Content::Reasoning(Reasoning { parts: vec!["why".to_owned()], seal: None })),
                part(Content::Text("so".to_owned())),
                part(Content::ToolCall(call)),
            ],
            finish: Some(Finish::ToolCalls),
            logprobs: Vec::new(),
        }],
        ..Answer::default()
    };
    let body = read(&answer);
    let output = body["output"].as_array().unwrap();
    let ids: Vec<_> = output.iter().map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["rs_1_0", "msg_1_1", "rs_1_2", "fc_1_3"]);
    assert_eq!(output[0]["summary"][0]["text"], "why");
    assert_eq!(output[0]["encrypted_content"], "wp1:open:::");
    assert_eq!(
        (&output[2]["summary"], &output[2]["encrypted_content"]),
        (&serde_json::json!([]), &"wp1:gemini.call:::gAAA:b==".into())
    );
    assert_eq!(output[3]["arguments"], "{\"a\": 1}");
    assert_eq!((&body["id"], &body["model"], &body["created_at"]), (&"resp_1".into(), &"m".into(), &7.into()));
    let back = decode(&encode(&answer, &envelope())).unwrap();
    assert_eq!(back.choices, answer.choices);
}

#[test]
fn openais_own_seal_goes_under_its_own_id() {
    let hidden = Reasoning { parts: Vec::new(), seal: seal(Family::Openai, SealKind::Hidden, Some("rs_9")) };
    let answer = Answer {
        choices: vec![Choice { parts: vec![part(Content::Reasoning(hidden))], ..Choice::default() }],
        ..Answer::default()
    };
    let body = read(&answer);
    assert_eq!(body["output"][0]["id"], "rs_9");
    assert_eq!(body["output"][0]["encrypted_content"], "gAAA:b==");
    assert_eq!(body["status"], "incomplete", "an answer without an end is not complete");
}

#[test]
fn every_end_has_its_status() {
    let said = |finish: Finish, refusal: bool| {
        let content = if refusal { Content::Refusal("no".to_owned()) } else { Content::Text("a".to_owned()) };
        let choice = Choice { parts: vec![part(content)], finish: Some(finish), logprobs: Vec::new() };
        let answer = Answer { choices: vec![choice], ..Answer::default() };
        let body = read(&answer);
        let again = decode(&encode(&answer, &envelope())).unwrap().choices[0].finish.clone().unwrap();
        let reason = body["incomplete_details"]["reason"].as_str().unwrap_or_default().to_owned();
        let item = body["output"][0]["status"].as_str().unwrap().to_owned();
        (body["status"].as_str().unwrap().to_owned(), reason, item, again)
    };
    let ends = [
        (Finish::Stop, false, "completed", "", Finish::Stop),
        (Finish::StopSequence(Some("x".to_owned())), false, "completed", "", Finish::Stop),
        (Finish::Length, false, "incomplete", "max_output_tokens", Finish::Length),
        (Finish::ContentFilter, false, "incomplete", "content_filter", Finish::ContentFilter),
        (Finish::Refusal, true, "completed", "", Finish::Refusal),
        (Finish::Refusal, false, "incomplete", "content_filter", Finish::ContentFilter),
        (Finish::Pause, false, "completed", "", Finish::Stop),
    ];
    for (finish, refusal, status, reason, again) in ends {
        let wanted = (status.to_owned(), reason.to_owned(), status.to_owned(), again);
        assert_eq!(said(finish.clone(), refusal), wanted, "{finish:?}");
    }
}

#[test]
fn the_request_is_repeated_but_never_in_place_of_the_answer() {
    let mut envelope = envelope();
    let echo = "{\"tools\": [{\"type\":\"function\",\"name\":\"f\"}],\n \"id\":\"x\",\"user\":\"u\",\"top_p\":null,\"store\":true}";
    envelope.echo = Some(Json::new(echo.to_owned()).unwrap());
    let answer = Answer { choices: vec![Choice::default()], ..Answer::default() };
    let body: Value = serde_json::from_slice(&encode(&answer, &envelope)).unwrap();
    assert_eq!(body["id"], "resp_of-the-decision");
    assert_eq!((&body["tools"][0]["name"], &body["user"], &body["store"]), (&"f".into(), &"u".into(), &true.into()));
    assert_eq!((&body["top_p"], &body["parallel_tool_calls"]), (&1.0.into(), &true.into()));
}

#[test]
fn chances_of_tokens_get_the_bytes_that_the_format_wants() {
    let token =
        r#"{"token":"é","logprob":-0.5,"bytes":null,"top_logprobs":[{"token":"e","logprob":-1,"bytes":[101]}]}"#;
    let choice = Choice {
        parts: vec![part(Content::Text("é".to_owned()))],
        finish: Some(Finish::Stop),
        logprobs: vec![Json::new(token.to_owned()).unwrap()],
    };
    let body = read(&Answer { choices: vec![choice], ..Answer::default() });
    let said = &body["output"][0]["content"][0]["logprobs"][0];
    assert_eq!(said["bytes"], serde_json::json!([195, 169]));
    assert_eq!(said["top_logprobs"][0]["bytes"], serde_json::json!([101]));
    assert_eq!(said["logprob"], -0.5);
}

#[test]
fn thoughts_of_open_models_are_read_where_they_stand() {
    let body = br#"{"id":"r","output":[{"type":"reasoning","id":"rs","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]},
        {"type":"web_search_call","id":"ws","status":"completed"},{"type":"custom_tool_call","call_id":"c","name":"n","input":"i"},
        {"type":"reasoning","summary":[{"type":"summary_text","text":"more"}]},
        {"type":"message","content":[{"type":"output_text","text":"a","annotations":[]},{"type":"output_text","text":"b"}]}]}"#;
    let parts = decode(body).unwrap().choices.remove(0).parts;
    let thought = Reasoning { parts: vec!["hm".to_owned(), "more".to_owned()], seal: None };
    assert_eq!(parts, [part(Content::Reasoning(thought)), part(Content::Text("ab".to_owned()))]);
}

#[test]
fn what_is_no_answer_is_an_error() {
    let error = |body: &str| decode(body.as_bytes()).unwrap_err();
    assert!(matches!(error("{"), AnswerError::Json(_)));
    assert!(matches!(error("[]"), AnswerError::Json(_)));
    assert_eq!(error("{}"), AnswerError::NoChoices);
    for body in [
        r#"{"status":"failed","output":[],"error":{"code":"rate_limit_exceeded","message":"slow"}}"#,
        r#"{"error":{"code":"rate_limit_exceeded","message":"slow"}}"#,
    ] {
        let AnswerError::Provider(said) = error(body) else { panic!("{body}") };
        assert_eq!((said.message.as_str(), said.code.as_deref()), ("slow", Some("rate_limit_exceeded")));
    }
    // Odd bytes inside are the provider's affair.
    let odd = b"{\"output\":[{\"type\":\"message\",\"type\":\"message\",\"content\":[{\"text\":\"\\ud800\xff\"}]}]}";
    assert_eq!(decode(odd).unwrap().choices[0].parts, [part(Content::Text("\u{fffd}\u{fffd}".to_owned()))]);
}

fn any_text() -> impl Strategy<Value = String> {
    "(?s).{1,12}"
}

fn any_seal(texts: bool) -> impl Strategy<Value = Option<Seal>> {
    let family = prop_oneof![Just(Family::Anthropic), Just(Family::Openai), Just(Family::Xai), Just(Family::Gemini)];
    let seal = (family, proptest::option::of("[a-z_0-9]{1,6}"), "[A-Za-z0-9+/=]{1,9}");
    let kind = if texts { SealKind::Text } else { SealKind::Hidden };
    let sealed = seal.prop_map(move |(family, id, data)| Some(Seal { family, kind, id, data }));
    if texts { prop_oneof![Just(None), sealed].boxed() } else { sealed.boxed() }
}

fn any_part() -> impl Strategy<Value = Content> {
    let thought = (proptest::collection::vec(any_text(), 1..3), any_seal(true));
    let call = (any_text(), "[a-z]{1,4}", "(?s).{0,9}", proptest::option::of("[a-z]{1,5}"));
    prop_oneof![
        any_text().prop_map(Content::Text),
        any_text().prop_map(Content::Refusal),
        thought.prop_map(|(parts, seal)| Content::Reasoning(Reasoning { parts, seal })),
        any_seal(false).prop_map(|seal| Content::Reasoning(Reasoning { parts: Vec::new(), seal })),
        call.prop_map(|(id, name, arguments, signed)| {
            let seal = signed.map(|data| Seal { family: Family::Gemini, kind: SealKind::Call, id: None, data });
            Content::ToolCall(ToolCall { id, name, arguments, seal })
        }),
    ]
}

/// Answers that the format can say whole: no two texts or unsealed thoughts in a row, which are one, and no call's id twice.
pub(in crate::wire::responses) fn any_answer() -> impl Strategy<Value = Answer> {
    let parts = proptest::collection::vec(any_part(), 0..6);
    let counts = (0..99u64, 0..99u64, 0..99u64, 0..99u64);
    (parts, counts, any::<bool>(), any_text()).prop_map(
        |(contents, (cached, cache_write, reasoning, more), cut, id)| {
            let mut parts: Vec<Part> = Vec::new();
            for (place, mut content) in contents.into_iter().enumerate() {
                if let Content::ToolCall(call) = &mut content {
                    call.id.push_str(&place.to_string());
                }
                let open = |content: &Content| matches!(content, Content::Reasoning(Reasoning { seal: None, .. }));
                let twice = parts.last().is_some_and(|last| match (&last.content, &content) {
                    (Content::Text(_), Content::Text(_)) | (Content::Refusal(_), Content::Refusal(_)) => true,
                    (Content::Reasoning(_), Content::Reasoning(_)) => open(&last.content),
                    _ => false,
                });
                if !twice {
                    parts.push(content.into());
                }
            }
            let has = |wanted: fn(&Content) -> bool| parts.iter().any(|part| wanted(&part.content));
            let finish = if cut {
                Finish::Length
            } else if has(|content| matches!(content, Content::ToolCall(_))) {
                Finish::ToolCalls
            } else if has(|content| matches!(content, Content::Refusal(_))) && !has(|c| matches!(c, Content::Text(_))) {
                Finish::Refusal
            } else {
                Finish::Stop
            };
            let input = cached + cache_write + more;
            let usage = Usage { input, cached, cache_write, output: reasoning + more, reasoning, ..Usage::default() };
            let choices = vec![Choice { parts, finish: Some(finish), logprobs: Vec::new() }];
            Answer { id: Some(id), model: Some("m".to_owned()), created: Some(more), choices, usage: Some(usage) }
        },
    )
}

proptest! {
    #[test]
    fn what_the_format_can_say_comes_back(answer in any_answer()) {
        let written = encode(&answer, &envelope());
        prop_assert_eq!(decode(&written).unwrap(), answer);
        prop_assert_eq!(mend::whole(written.clone(), None).unwrap(), written);
    }
}
