use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::chat::{Answer, Choice, Content, Family, Finish, Json, Part, Reasoning, Seal, SealKind, ToolCall, Usage};
use crate::money::NanoUsd;
use crate::wire::envelope::Envelope;
use crate::wire::recorded::exchanges;
use crate::wire::stream::AnswerError;

pub(crate) fn envelope(show_usage: bool) -> Envelope {
    Envelope {
        id: "chatcmpl-ours".to_owned(),
        model: "our-model".to_owned(),
        created: 1_700_000_000,
        show_usage,
        echo: None,
        cost: Arc::new(|usage| Some(NanoUsd(i64::try_from(usage.input * 1000 + usage.output).unwrap()))),
    }
}

/// One choice, as a reader of the recording would tell it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Told {
    pub(crate) text: String,
    pub(crate) refusal: String,
    pub(crate) reasoning: String,
    /// Ids, names, arguments.
    pub(crate) calls: Vec<[String; 3]>,
    pub(crate) finish: String,
}

impl Told {
    /// Reads a `message` or `delta` of a recording.
    pub(crate) fn add(&mut self, message: &Value) {
        match &message["content"] {
            Value::String(text) => self.text.push_str(text),
            Value::Array(parts) => {
                for part in parts {
                    self.text.push_str(part["text"].as_str().unwrap_or_default());
                    for thought in part["thinking"].as_array().into_iter().flatten() {
                        self.reasoning.push_str(thought["text"].as_str().unwrap());
                    }
                }
            }
            _ => {}
        }
        let names = ["reasoning_content", "reasoning"];
        let thought = names.iter().find_map(|name| message[*name].as_str()).unwrap_or_default();
        self.reasoning.push_str(thought);
        self.refusal.push_str(message["refusal"].as_str().unwrap_or_default());
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let fields = [&call["id"], &call["function"]["name"], &call["function"]["arguments"]];
            let fields = fields.map(|field| field.as_str().unwrap_or_default().to_owned());
            match call["index"].as_u64().and_then(|index| self.calls.get_mut(usize::try_from(index).unwrap())) {
                Some(begun) => begun[2].push_str(&fields[2]),
                None => self.calls.push(fields),
            }
        }
    }

    pub(crate) fn of(choice: &Choice) -> Self {
        let mut told = Self::default();
        for part in &choice.parts {
            match &part.content {
                Content::Text(text) => told.text.push_str(text),
                Content::Refusal(text) => told.refusal.push_str(text),
                Content::Reasoning(reasoning) => told.reasoning.push_str(&reasoning.text()),
                Content::ToolCall(call) => {
                    told.calls.push([call.id.clone(), call.name.clone(), call.arguments.clone()]);
                }
                other => panic!("{other:?}"),
            }
        }
        told.finish = match choice.finish.as_ref().unwrap() {
            Finish::Stop | Finish::Refusal => "stop".to_owned(),
            Finish::Length => "length".to_owned(),
            Finish::ToolCalls => "tool_calls".to_owned(),
            other => panic!("{other:?}"),
        };
        told
    }
}

/// A `usage` object of a recording in our words. No recording here leaves reasoning out of its output; one of Azure names
/// more cached tokens than there were.
pub(crate) fn counted(usage: &Value) -> Usage {
    let count = |value: &Value| value.as_u64().unwrap_or_default();
    let output = count(&usage["completion_tokens"]);
    let cached = count(&usage["prompt_tokens_details"]["cached_tokens"]).max(count(&usage["prompt_cache_hit_tokens"]));
    let input = count(&usage["prompt_tokens"]);
    Usage {
        input,
        cached: cached.min(input),
        cache_write: count(&usage["prompt_tokens_details"]["cache_write_tokens"]),
        output,
        reasoning: count(&usage["completion_tokens_details"]["reasoning_tokens"]).min(output),
        ..Usage::default()
    }
}

fn read(json: &Value) -> Answer {
    decode(&serde_json::to_vec(json).unwrap()).unwrap()
}

fn written(answer: &Answer) -> Value {
    serde_json::from_slice(&encode(answer, &envelope(false))).unwrap()
}

fn message(message: Value) -> Vec<Content> {
    let answer = read(&json!({"choices": [{"message": message, "finish_reason": "stop"}]}));
    answer.choices[0].parts.iter().map(|part| part.content.clone()).collect()
}

fn ended(choice: Value) -> Finish {
    read(&json!({"choices": [choice]})).choices[0].finish.clone().unwrap()
}

fn said(parts: Vec<Content>, finish: Finish) -> Answer {
    let parts = parts.into_iter().map(Part::from).collect();
    Answer { choices: vec![Choice { parts, finish: Some(finish), logprobs: Vec::new() }], ..Answer::default() }
}

fn thought(text: &str, seal: Option<Seal>) -> Content {
    let parts = if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
    Content::Reasoning(Reasoning { parts, seal })
}

fn seal(family: Family, kind: SealKind, id: Option<&str>, data: &str) -> Seal {
    Seal { family, kind, id: id.map(str::to_owned), data: data.to_owned() }
}

fn call(id: &str, name: &str, arguments: &str) -> Content {
    let (id, name, arguments) = (id.to_owned(), name.to_owned(), arguments.to_owned());
    Content::ToolCall(ToolCall { id, name, arguments, seal: None })
}

#[test]
fn every_recorded_answer_says_what_its_recording_says() {
    let mut count = 0;
    for exchange in exchanges("chat") {
        let Some(body) = exchange.answered().filter(|_| exchange.status() == 200) else { continue };
        let (name, json) = (&exchange.name, &exchange.meta["response"]["body"]);
        let answer = decode(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(answer.id.as_deref(), json["id"].as_str(), "{name}");
        assert_eq!(answer.model.as_deref(), json["model"].as_str(), "{name}");
        assert_eq!(answer.created, json["created"].as_u64(), "{name}");
        assert_eq!(answer.usage, Some(counted(&json["usage"])), "{name}");
        let choices = json["choices"].as_array().unwrap();
        assert_eq!(answer.choices.len(), choices.len(), "{name}");
        for (choice, json) in answer.choices.iter().zip(choices) {
            let mut told = Told { finish: json["finish_reason"].as_str().unwrap().to_owned(), ..Told::default() };
            told.add(&json["message"]);
            assert_eq!(Told::of(choice), told, "{name}");
        }
        assert_eq!(decode(&encode(&answer, &envelope(false))).unwrap(), answer, "{name}");
        count += 1;
    }
    assert!(count >= 30, "{count}");
}

#[test]
fn a_signed_block_of_openrouter_comes_back_verbatim() {
    let exchange = exchanges("chat").into_iter().find(|exchange| exchange.name.contains("openrouter-chat-reasoning"));
    let exchange = exchange.unwrap();
    let answer = decode(&exchange.answered().unwrap()).unwrap();
    let Content::Reasoning(Reasoning { seal: Some(seal), .. }) = &answer.choices[0].parts[0].content else { panic!() };
    assert_eq!((seal.family, seal.kind), (Family::Details, SealKind::Text));
    let details = &exchange.meta["response"]["body"]["choices"][0]["message"]["reasoning_details"];
    assert_eq!(seal.data, serde_json::to_string(details).unwrap());
    assert_eq!(&written(&answer)["choices"][0]["message"]["reasoning_details"], details);
}

#[test]
fn content_as_a_list_is_told_apart() {
    let parts = message(json!({"content": [
        {"type": "thinking", "thinking": [{"type": "text", "text": "a"}, {"type": "reference", "reference_ids": [1]}, "b"], "closed": true},
        {"type": "text", "text": "x"}, {"type": "reference", "reference_ids": [2]}, "y",
        {"type": "refusal", "refusal": "no"},
    ]}));
    assert_eq!(parts, [thought("ab", None), Content::Text("xy".to_owned()), Content::Refusal("no".to_owned())],);
}

#[test]
fn reasoning_under_two_names_is_counted_once() {
    let text = || Content::Text("x".to_owned());
    let both = message(json!({"reasoning": "why", "content": "x", "reasoning_content": "why"}));
    assert_eq!(both, [thought("why", None), text()]);
    for (name, other) in [("reasoning", json!(null)), ("reasoning_content", json!(""))] {
        let other_name = if name == "reasoning" { "reasoning_content" } else { "reasoning" };
        assert_eq!(message(json!({"content": "x", name: "why", other_name: other})), [thought("why", None), text()]);
    }
}

#[test]
fn details_without_a_plain_text_give_theirs() {
    let list = json!([{"type": "reasoning.summary", "summary": "s", "index": 0},
        {"type": "reasoning.encrypted", "data": "e", "index": 1, "id": "rs_1"}]);
    let data = serde_json::to_string(&list).unwrap();
    let parts = message(json!({"content": "x", "reasoning": null, "reasoning_details": list}));
    assert_eq!(parts[0], thought("s", Some(seal(Family::Details, SealKind::Text, None, &data))));
    let hidden = json!([{"type": "reasoning.encrypted", "data": "e"}]);
    let data = serde_json::to_string(&hidden).unwrap();
    let parts = message(json!({"content": "x", "reasoning_details": hidden}));
    assert_eq!(parts[0], thought("", Some(seal(Family::Details, SealKind::Hidden, None, &data))));
    assert_eq!(message(json!({"content": "x", "reasoning_details": [ ]})).len(), 1);
}

#[test]
fn calls_are_read_from_every_spelling() {
    let parts = message(json!({"content": null, "tool_calls": [
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": [1, 2]}}},
        {"index": 0, "id": "b", "type": "function", "function": {"name": "g", "arguments": "{ \"y\":1.0}"}},
        {"id": "", "function": {"name": "h", "arguments": null}},
    ]}));
    assert_eq!(parts, [call("a", "f", r#"{"x":[1,2]}"#), call("b", "g", r#"{ "y":1.0}"#), call("call_0_2", "h", "")]);
    let named = read(&json!({"id": "cmpl-1", "choices": [{"finish_reason": "function_call",
        "message": {"function_call": {"name": "f", "arguments": "{}"}}}]}));
    assert_eq!(named.choices[0].parts[0].content, call("call_cmpl-1_0_0", "f", "{}"));
    assert_eq!(named.choices[0].finish, Some(Finish::ToolCalls));
}

#[test]
fn geminis_signatures_go_there_and_back() {
    let call = json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "c2ln"}}});
    let answer =
        read(&json!({"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "tool_calls": [call],
        "extra_content": {"google": {"thought_signature": "dGV4dA=="}}}}]}));
    let Content::ToolCall(read) = &answer.choices[0].parts[0].content else { panic!() };
    assert_eq!(read.seal, Some(seal(Family::Gemini, SealKind::Call, None, "c2ln")));
    assert_eq!(answer.choices[0].finish, Some(Finish::ToolCalls), "whatever word the provider has for it");
    let text_seal = thought("", Some(seal(Family::Gemini, SealKind::Answer, None, "dGV4dA==")));
    assert_eq!(answer.choices[0].parts[1].content, text_seal);
    let message = written(&answer)["choices"][0]["message"].clone();
    assert_eq!(message["tool_calls"][0], call);
    assert_eq!(
        message["reasoning_details"],
        json!([{"type": "reasoning.encrypted", "data": "dGV4dA==", "format": "google-gemini-v1", "index": 0}])
    );
}

#[test]
fn every_reason_to_end_is_understood() {
    let stop_at = |word: &str| Finish::StopSequence(Some(word.to_owned()));
    for (choice, finish) in [
        (json!({"finish_reason": "stop", "stop_reason": "END"}), stop_at("END")),
        (json!({"finish_reason": "stop", "matched_stop": "##"}), stop_at("##")),
        (json!({"finish_reason": "stop", "stop_reason": 128_009}), Finish::Stop),
        (json!({"finish_reason": "stop", "stop_reason": null}), Finish::Stop),
        (json!({"finish_reason": "length"}), Finish::Length),
        (json!({"finish_reason": "model_length"}), Finish::Length),
        (json!({"finish_reason": "content_filter"}), Finish::ContentFilter),
        (json!({"finish_reason": "function_call"}), Finish::ToolCalls),
        (json!({"finish_reason": "stop", "message": {"refusal": "no"}}), Finish::Refusal),
        (
            json!({"finish_reason": "insufficient_system_resource"}),
            Finish::Other("insufficient_system_resource".to_owned()),
        ),
    ] {
        assert_eq!(ended(choice.clone()), finish, "{choice}");
    }
    let open = read(&json!({"choices": [{"finish_reason": "", "message": {"content": "x"}}]}));
    assert_eq!(open.choices[0].finish, None);
}

#[test]
fn an_error_under_status_200_is_no_answer() {
    for (body, status) in [
        (json!({"error": {"message": "down", "code": 503}}), 503),
        (json!({"object": "error", "message": "down", "code": 400}), 400),
        (json!({"choices": [{"error": {"message": "down", "code": 502}, "finish_reason": "error"}]}), 502),
        (json!({"choices": [{"finish_reason": "error", "message": {"content": "x"}}]}), 500),
    ] {
        let Err(AnswerError::Provider(error)) = decode(&serde_json::to_vec(&body).unwrap()) else { panic!("{body}") };
        assert_eq!(error.status, status, "{body}");
    }
    assert_eq!(decode(b"{}"), Err(AnswerError::NoChoices));
    assert_eq!(decode(br#"{"choices":[]}"#), Err(AnswerError::NoChoices));
    assert!(matches!(decode(b"<html>"), Err(AnswerError::Json(_))));
    assert!(read(&json!({"error": null, "choices": [{"finish_reason": "stop"}]})).complete());
}

#[test]
fn what_the_provider_does_not_name_the_envelope_does() {
    let body = written(&said(vec![Content::Text("x".to_owned())], Finish::Stop));
    assert_eq!(
        body,
        json!({"id": "chatcmpl-ours", "object": "chat.completion", "created": 1_700_000_000, "model": "our-model",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "x", "refusal": null}, "logprobs": null,
                "finish_reason": "stop"}]})
    );
}

#[test]
fn usage_is_written_whole() {
    let usage = Usage { input: 10, cached: 4, cache_write: 2, output: 7, reasoning: 5, ..Usage::default() };
    let mut answer = said(vec![Content::Text("x".to_owned())], Finish::Stop);
    answer.usage = Some(usage);
    assert_eq!(
        written(&answer)["usage"],
        json!({"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17,
            "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 5}})
    );
    answer.usage = Some(Usage { cache_write: 0, ..usage });
    assert_eq!(written(&answer)["usage"]["prompt_tokens_details"], json!({"cached_tokens": 4}));
}

#[test]
fn every_familys_seal_stands_in_reasoning_details() {
    let blocks = vec![
        thought("first", Some(seal(Family::Anthropic, SealKind::Text, None, "sig"))),
        thought("", Some(seal(Family::Anthropic, SealKind::Hidden, None, "red"))),
        Content::Reasoning(Reasoning {
            parts: vec!["a".to_owned(), "b".to_owned()],
            seal: Some(seal(Family::Openai, SealKind::Text, Some("rs_1"), "enc")),
        }),
        thought("", Some(seal(Family::Xai, SealKind::Hidden, Some("rs_2"), "xenc"))),
        thought("", Some(seal(Family::Gemini, SealKind::Hidden, None, "gem"))),
        thought("last", None),
        Content::Text("x".to_owned()),
    ];
    let message = written(&said(blocks, Finish::Stop))["choices"][0]["message"].clone();
    assert_eq!(message["reasoning_content"], "first\n\na\n\nb\n\nlast", "sealed blocks are paragraphs");
    assert_eq!(message["content"], "x");
    let (claude, openai) = ("anthropic-claude-v1", "openai-responses-v1");
    assert_eq!(
        message["reasoning_details"],
        json!([
            {"type": "reasoning.text", "text": "first", "signature": "sig", "format": claude, "index": 0},
            {"type": "reasoning.encrypted", "data": "red", "format": claude, "index": 1},
            {"type": "reasoning.summary", "summary": "a", "id": "rs_1", "format": openai, "index": 2},
            {"type": "reasoning.summary", "summary": "b", "id": "rs_1", "format": openai, "index": 3},
            {"type": "reasoning.encrypted", "data": "enc", "id": "rs_1", "format": openai, "index": 4},
            {"type": "reasoning.encrypted", "data": "xenc", "id": "rs_2", "format": "xai-responses-v1", "index": 5},
            {"type": "reasoning.text", "text": "", "signature": "gem", "format": "google-gemini-v1", "index": 6},
        ])
    );
}

#[test]
fn calls_alone_have_no_content_and_every_end_has_a_word() {
    let body = written(&said(vec![call("a", "f", "{\"x\": 1}")], Finish::ToolCalls));
    assert_eq!(
        body["choices"][0]["message"],
        json!({"role": "assistant", "content": null, "refusal": null, "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}}]})
    );
    let refused = || vec![Content::Refusal("no".to_owned())];
    for (parts, finish, word) in [
        (vec![], Finish::Stop, "stop"),
        (vec![], Finish::StopSequence(Some("END".to_owned())), "stop"),
        (vec![], Finish::Length, "length"),
        (vec![], Finish::ContentFilter, "content_filter"),
        (refused(), Finish::Refusal, "stop"),
        (vec![], Finish::Refusal, "content_filter"),
        (vec![], Finish::Pause, "stop"),
        (vec![], Finish::Other("odd".to_owned()), "stop"),
    ] {
        let body = written(&said(parts, finish.clone()));
        assert_eq!(body["choices"][0]["finish_reason"], word, "{finish:?}");
    }
    assert_eq!(written(&said(refused(), Finish::Refusal))["choices"][0]["message"]["content"], json!(null));
}

#[test]
fn chances_of_tokens_go_through_with_what_clients_want_of_them() {
    let token = json!({"token": "x", "logprob": -0.5, "bytes": [120], "top_logprobs": [{"token": "y", "logprob": -1}]});
    let bare = json!({"token": "x", "logprob": -0.5});
    let answer = read(&json!({"choices": [{"message": {"content": "xx"}, "finish_reason": "stop",
        "logprobs": {"content": [token, bare], "refusal": null}}]}));
    assert_eq!(answer.choices[0].logprobs[0], Json::of(&token).unwrap());
    let mut full = bare.clone();
    full["top_logprobs"] = json!([]);
    assert_eq!(written(&answer)["choices"][0]["logprobs"], json!({"content": [token, full], "refusal": null}));
}
