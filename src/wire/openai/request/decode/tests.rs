use bytes::Bytes;
use serde_json::{Value, json};

use super::decode;
use crate::chat::{
    Content, Conversation, Effort, Family, Message, OutputFormat, Part, Reasoning, ReasoningWish, Role, Seal, SealKind,
    Source, Tool, ToolChoice,
};
use crate::wire::openai::request::judge;

fn read(body: &Value) -> Conversation {
    decode(&judge(Bytes::from(body.to_string())).unwrap()).unwrap()
}

fn with(members: Value) -> Conversation {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    read(&body)
}

fn messages(messages: Value) -> Vec<Message> {
    read(&json!({"model": "m", "messages": messages})).messages
}

fn contents(message: &Message) -> Vec<&Content> {
    message.parts.iter().map(|part| &part.content).collect()
}

fn reasoning(parts: &[&str], seal: Option<Seal>) -> Content {
    Content::Reasoning(Reasoning { parts: parts.iter().map(|part| (*part).to_owned()).collect(), seal })
}

fn seal(family: Family, kind: SealKind, id: Option<&str>, data: &str) -> Option<Seal> {
    Some(Seal { family, kind, id: id.map(str::to_owned), data: data.to_owned() })
}

#[test]
fn details_become_the_reasoning_of_the_families_they_name() {
    let details = json!([
        {"type": "reasoning.text", "text": "a", "signature": "sig", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.encrypted", "data": "red", "id": null, "format": "anthropic-claude-v1", "index": 1},
        {"type": "reasoning.summary", "summary": "s1", "id": "rs_1", "format": "openai-responses-v1", "index": 2},
        {"type": "reasoning.summary", "summary": "s2", "id": "rs_1", "format": "openai-responses-v1", "index": 2},
        {"type": "reasoning.encrypted", "data": "gA", "id": "rs_1", "format": "openai-responses-v1", "index": 2},
        {"type": "reasoning.encrypted", "data": "xA", "id": "rs_2", "format": "xai-responses-v1", "index": 3},
        {"type": "reasoning.encrypted", "data": "gem", "format": "google-gemini-v1", "index": 4},
        {"type": "reasoning.encrypted", "data": "call", "id": "c1", "format": "google-gemini-v1", "index": 5},
        {"type": "reasoning.encrypted", "data": "?", "format": "martian-v1", "index": 6},
    ]);
    let call = json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let said = messages(json!([{
        "role": "assistant", "content": "t", "reasoning_content": "a", "reasoning_details": details, "tool_calls": [call],
    }]));
    let unknown = json!([details[8]]).to_string();
    let expected = [
        reasoning(&["a"], seal(Family::Anthropic, SealKind::Text, None, "sig")),
        reasoning(&[], seal(Family::Anthropic, SealKind::Hidden, None, "red")),
        reasoning(&["s1", "s2"], seal(Family::Openai, SealKind::Text, Some("rs_1"), "gA")),
        reasoning(&[], seal(Family::Xai, SealKind::Hidden, Some("rs_2"), "xA")),
        reasoning(&[], seal(Family::Details, SealKind::Hidden, None, &unknown)),
        Content::Text("t".to_owned()),
        reasoning(&[], seal(Family::Gemini, SealKind::Answer, None, "gem")),
    ];
    let parts = contents(&said[0]);
    assert_eq!(parts[..7], expected.iter().collect::<Vec<_>>());
    let Content::ToolCall(call) = parts[7] else { panic!("{parts:?}") };
    assert_eq!(call.seal, seal(Family::Gemini, SealKind::Call, None, "call"));
    let whole = &said[0].others[0];
    assert_eq!(
        (whole.name.as_str(), whole.value.text(), whole.hint),
        ("reasoning_details", &*details.to_string(), true)
    );
}

#[test]
fn a_text_that_came_in_pieces_is_one_again() {
    let piece = |text: &str, signature: Option<&str>| json!({"type": "reasoning.text", "text": text, "signature": signature, "index": 0});
    let said = messages(json!([{"role": "assistant", "content": "",
        "reasoning_details": [piece("a", None), piece("b", None), piece("", Some("sig"))]}]));
    assert_eq!(*contents(&said[0])[0], reasoning(&["ab"], seal(Family::Anthropic, SealKind::Text, None, "sig")));
}

#[test]
fn a_signature_of_ours_becomes_what_it_stands_for() {
    let of = |signature: &str, text: &str| {
        let details =
            json!([{"type": "reasoning.text", "text": text, "signature": signature, "format": "anthropic-claude-v1"}]);
        let said = messages(json!([{"role": "assistant", "content": "", "reasoning_details": details}]));
        contents(&said[0])[0].clone()
    };
    assert_eq!(of("wp1:open:::", "t"), reasoning(&["t"], None));
    let openai = reasoning(&["t"], seal(Family::Openai, SealKind::Text, Some("rs_1"), "gA"));
    assert_eq!(of("wp1:openai.text::rs_1:gA", "t"), openai);
    assert_eq!(of("wp1:broken", "t"), reasoning(&["t"], None), "no provider is given what is none of its own");
}

#[test]
fn reasoning_as_text_is_read_from_every_spelling_once() {
    for message in [
        json!({"role": "assistant", "content": "t", "reasoning_content": "r"}),
        json!({"role": "assistant", "content": "t", "reasoning": "r"}),
        json!({"role": "assistant", "content": "t", "reasoning": "r", "reasoning_content": "r"}),
        json!({"role": "assistant", "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": "r"}]}, {"type": "text", "text": "t"}]}),
    ] {
        let said = messages(json!([message]));
        assert_eq!(contents(&said[0]), [&reasoning(&["r"], None), &Content::Text("t".to_owned())], "{message}");
        assert!(said[0].others.is_empty());
    }
    let said = messages(json!([{"role": "assistant", "content": [
        {"type": "thinking", "thinking": "r", "signature": "sig"}, {"type": "redacted_thinking", "data": "x"}]}]));
    assert_eq!(*contents(&said[0])[0], reasoning(&["r"], seal(Family::Anthropic, SealKind::Text, None, "sig")));
    assert_eq!(*contents(&said[0])[1], reasoning(&[], seal(Family::Anthropic, SealKind::Hidden, None, "x")));
}

#[test]
fn googles_signature_stays_with_its_call() {
    let call = json!({"id": "c1", "index": 0, "type": "function", "function": {"name": "f", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "sig"}}});
    let said = messages(json!([{"role": "assistant", "tool_calls": [call]}]));
    let Content::ToolCall(call) = &said[0].parts[0].content else { panic!() };
    assert_eq!(call.seal, seal(Family::Gemini, SealKind::Call, None, "sig"));
    let names: Vec<&str> = said[0].parts[0].others.iter().map(|other| other.name.as_str()).collect();
    assert_eq!(names, ["index"]);
    let other = json!({"id": "c1", "function": {"name": "f", "arguments": "{}"}, "extra_content": {"vendor": 1}});
    let said = messages(json!([{"role": "assistant", "tool_calls": [other], "reasoning": {"odd": 1}}]));
    assert_eq!(said[0].parts[0].others[0].value.text(), r#"{"vendor":1}"#, "what is no signature stays as it came");
    assert_eq!(said[0].others[0].value.text(), r#"{"odd":1}"#);
}

#[test]
fn the_older_words_for_tools_mean_the_same() {
    let said =
        read(&json!({"model": "m", "functions": [{"name": "f", "parameters": {}}], "function_call": {"name": "f"},
        "messages": [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "r"}]}));
    assert!(matches!(&said.tools[0], Tool::Function { name, .. } if name == "f"));
    assert_eq!(said.tool_choice, Some(ToolChoice::Function("f".to_owned())));
    let Content::ToolCall(call) = &said.messages[1].parts[0].content else { panic!() };
    let Content::ToolResult(result) = &said.messages[2].parts[0].content else { panic!() };
    assert_eq!((said.messages[2].role, &result.id), (Role::Tool, &call.id));
}

#[test]
fn media_are_told_apart_by_where_they_are() {
    let said = messages(json!([{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AAAA", "detail": "low"}, "cache_control": {}},
        {"type": "image_url", "image_url": "https://h.example/a"},
        {"type": "image_url", "image_url": {"url": "data:image/svg+xml,%3Csvg/%3E"}},
        {"type": "input_audio", "input_audio": {"data": "BBBB", "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,CCCC"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "hologram", "hologram": 1}]}]));
    let found: Vec<(Option<Source>, &str)> = said[0]
        .parts
        .iter()
        .map(|part| match &part.content {
            Content::Image(media) | Content::Audio(media) | Content::Document(media) => {
                (Some(media.source.clone()), media.media_type.as_str())
            }
            Content::Opaque(json) => (None, json.text()),
            other => panic!("{other:?}"),
        })
        .collect();
    let data = |text: &str| Some(Source::Data(text.to_owned()));
    let expected = [
        (data("AAAA"), "image/jpeg"),
        (Some(Source::Url("https://h.example/a".to_owned())), ""),
        (data("PHN2Zy8+"), "image/svg+xml"),
        (data("BBBB"), "audio/wav"),
        (data("CCCC"), "application/pdf"),
        (Some(Source::File("file-1".to_owned())), ""),
        (None, r#"{"hologram":1,"type":"hologram"}"#),
    ];
    assert_eq!(found, expected);
    assert!(said[0].parts[0].others[0].hint, "a cache mark is a hint");
}

#[test]
fn a_mark_on_a_message_is_one_on_its_last_part() {
    let said = messages(json!([{"role": "system", "content": "x", "cache_control": {"type": "ephemeral"}}]));
    let Part { others, .. } = &said[0].parts[0];
    assert_eq!((others[0].name.as_str(), said[0].others.len()), ("cache_control", 0));
}

#[test]
fn a_wish_for_reasoning_is_read_in_every_providers_words() {
    let wish = |effort, budget, enabled| ReasoningWish { effort, budget, enabled, summary: None };
    for (members, expected) in [
        (json!({"reasoning_effort": "high"}), wish(Some(Effort::High), None, None)),
        (json!({"reasoning": {"effort": "low", "enabled": true}}), wish(Some(Effort::Low), None, Some(true))),
        (json!({"reasoning": {"max_tokens": 9}}), wish(None, Some(9), None)),
        (json!({"thinking": {"type": "enabled", "budget_tokens": 9}}), wish(None, Some(9), Some(true))),
        (json!({"thinking": {"type": "disabled"}}), wish(None, None, Some(false))),
        (json!({"chat_template_kwargs": {"enable_thinking": false}}), wish(None, None, Some(false))),
        (json!({"chat_template_kwargs": {"thinking": true}}), wish(None, None, Some(true))),
        (json!({"enable_thinking": false, "thinking_budget": 0}), wish(None, Some(0), Some(false))),
        (json!({"reasoning_effort": null}), wish(None, None, None)),
    ] {
        let said = with(members.clone());
        assert_eq!(said.reasoning, expected, "{members}");
        assert!(said.others.is_empty(), "{members}");
    }
    let said = with(json!({"reasoning": {"exclude": true}, "reasoning_effort": "ultra"}));
    let left: Vec<(&str, bool)> = said.others.iter().map(|other| (other.name.as_str(), other.hint)).collect();
    assert_eq!(left, [("reasoning_effort", true), ("reasoning.exclude", true)]);
}

#[test]
fn what_has_no_neutral_name_is_kept_and_hints_are_marked() {
    let said =
        with(json!({"metadata": {"a": 1}, "store": false, "logit_bias": {"1": 2}, "service_tier": "flex", "x": null}));
    let mut left: Vec<(&str, bool)> = said.others.iter().map(|other| (other.name.as_str(), other.hint)).collect();
    left.sort_unstable();
    assert_eq!(left, [("logit_bias", false), ("metadata", true), ("service_tier", true), ("store", true)]);
    assert!(!with(json!({"store": true})).others[0].hint);
}

#[test]
fn forms_of_the_answer_are_read() {
    let of = |format: Value| with(json!({"response_format": format})).output;
    assert_eq!(of(json!({"type": "json_object"})), Some(OutputFormat::JsonObject));
    let schema = of(json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": true}}));
    assert!(matches!(schema, Some(OutputFormat::JsonSchema { name: Some(_), strict: Some(true), .. })));
    assert!(matches!(of(json!({"type": "json_object", "schema": {}})), Some(OutputFormat::JsonSchema { .. })));
    assert_eq!(of(json!({"type": "grammar", "grammar": "x"})), None);
}

#[test]
fn every_flaw_that_only_a_reader_sees_names_its_place() {
    for (members, place) in [
        (json!({"messages": [{"role": "tool", "content": "x"}]}), "messages[0].tool_call_id"),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]}),
            "messages[0].tool_calls[0].function",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
            "messages[0].content[0].image_url",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]}),
            "messages[0].content[0].file",
        ),
        (json!({"tools": [{}]}), "tools[0].function"),
        (json!({"tools": [{"type": "function", "function": {}}]}), "tools[0].function.name"),
        (json!({"tool_choice": "sometimes"}), "tool_choice"),
        (json!({"stop": 1}), "stop"),
        (json!({"top_p": "x"}), "top_p"),
        (json!({"reasoning": {"max_tokens": -1}}), "reasoning.max_tokens"),
    ] {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let error = decode(&judge(Bytes::from(body.to_string())).unwrap()).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(place), "{members}");
        assert_eq!(error.code, "invalid_request");
    }
}

#[test]
fn a_call_without_an_id_is_refused_where_it_stands() {
    for id in ["", r#""id":"","#] {
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}},{{"role":"assistant","tool_calls":[{{{id}"type":"function","function":{{"name":"f","arguments":"{{}}"}}}}]}}]}}"#
        );
        let request = crate::wire::openai::request::judge(body.into()).unwrap();
        let error = crate::wire::openai::request::decode(&request).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("messages[1].tool_calls[0].id"));
    }
}
