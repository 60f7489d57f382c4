use serde_json::json;

use super::*;
use crate::chat::{
    Content, Effort, Hosted, Json, Media, Message, Named, Part, Reasoning, ReasoningWish, Seal, SealKind, Source, Tool,
    ToolCall, ToolChoice, ToolResult,
};

fn message(role: Role, parts: Vec<Content>) -> Message {
    Message { role, parts: parts.into_iter().map(Part::from).collect(), others: Vec::new() }
}

fn text(text: &str) -> Content {
    Content::Text(text.to_owned())
}

fn said(messages: Vec<Message>) -> Conversation {
    Conversation { messages, ..Conversation::default() }
}

fn raw(json: &str) -> Json {
    Json::new(json.to_owned()).unwrap()
}

fn named(name: &str, value: &str, hint: bool) -> Named {
    Named { name: name.to_owned(), value: raw(value), hint }
}

fn reasoning(parts: &[&str], seal: Option<(Family, SealKind, &str)>) -> Content {
    Content::Reasoning(Reasoning {
        parts: parts.iter().map(|part| (*part).to_owned()).collect(),
        seal: seal.map(|(family, kind, data)| Seal {
            family,
            kind,
            id: Some("rs_1".to_owned()),
            data: data.to_owned(),
        }),
    })
}

fn call(id: &str, arguments: &str) -> Content {
    Content::ToolCall(ToolCall { id: id.to_owned(), name: "f".to_owned(), arguments: arguments.to_owned(), seal: None })
}

fn result(id: &str, parts: Vec<Content>, is_error: bool) -> Content {
    let parts = parts.into_iter().map(Part::from).collect();
    Content::ToolResult(ToolResult { id: id.to_owned(), parts, is_error })
}

fn refused(conversation: &Conversation) -> String {
    encode(conversation, false, &shape(&UNSAID)).unwrap_err().field
}

fn dropped(conversation: &Conversation) -> Vec<String> {
    let unsaid = UNSAID;
    let shape = Shape { drop_unsupported: true, ..shape(&unsaid) };
    encode(conversation, false, &shape).unwrap().dropped
}

#[test]
fn a_tool_loop_is_a_list_of_items() {
    let conversation = said(vec![
        message(Role::System, vec![text("be kind")]),
        message(Role::User, vec![text("q")]),
        message(
            Role::Assistant,
            vec![
                reasoning(&["a", "b"], Some((Family::Openai, SealKind::Text, "gA"))),
                text("let me see"),
                call("c1", "{\"x\": 1.0}"),
                call("c2", "{bad"),
            ],
        ),
        message(Role::Tool, vec![result("c1", vec![text("one")], false), result("c2", vec![], false)]),
        message(Role::Assistant, vec![Content::Refusal("no".to_owned())]),
    ]);
    let encoded = written(&conversation);
    let expected = json!({
        "model": "gpt-x",
        "input": [
            {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "be kind"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "q"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"},
                {"type": "summary_text", "text": "b"}], "encrypted_content": "gA"},
            {"type": "message", "role": "assistant", "content": "let me see"},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"x\": 1.0}"},
            {"type": "function_call", "call_id": "c2", "name": "f", "arguments": "{bad"},
            {"type": "function_call_output", "call_id": "c1", "output": "one"},
            {"type": "function_call_output", "call_id": "c2", "output": ""},
            {"type": "message", "id": "msg_8", "role": "assistant", "status": "completed",
                "content": [{"type": "refusal", "refusal": "no"}]},
        ],
        "store": false,
    });
    assert_eq!(json(&encoded), expected);
    assert!(encoded.dropped.is_empty());
}

#[test]
fn reasoning_of_another_family_is_left_out_and_named() {
    let conversation = said(vec![
        message(Role::User, vec![text("q")]),
        message(
            Role::Assistant,
            vec![
                reasoning(&["plain"], None),
                reasoning(&["signed"], Some((Family::Anthropic, SealKind::Text, "EqQ"))),
                reasoning(&[], Some((Family::Xai, SealKind::Hidden, "x"))),
                text("answer"),
            ],
        ),
    ]);
    let encoded = written(&conversation);
    assert_eq!(json(&encoded)["input"].as_array().unwrap().len(), 2);
    assert!(!std::str::from_utf8(&encoded.body).unwrap().contains("plain"), "never turned into text");
    assert_eq!(encoded.dropped, ["messages[1].reasoning"]);
}

#[test]
fn ids_that_are_too_long_are_fitted_in_call_and_result() {
    let long = "x".repeat(100);
    let body = json(&written(&said(vec![
        message(Role::Assistant, vec![call(&long, "{}")]),
        message(Role::Tool, vec![result(&long, vec![text("r")], true)]),
    ])));
    let id = body["input"][0]["call_id"].as_str().unwrap();
    assert!(id.len() <= 64);
    assert_eq!(body["input"][1]["call_id"], id);
}

#[test]
fn a_function_is_not_strict_unless_said() {
    let function = |strict: Option<bool>, parameters: Option<&str>| Tool::Function {
        name: "f".to_owned(),
        description: None,
        parameters: parameters.map(raw),
        strict,
        others: vec![named("cache_control", "{}", true), named("defer_loading", "true", false)],
    };
    let conversation = Conversation {
        tools: vec![function(None, Some(r#"{"type": "object"}"#)), function(Some(true), None)],
        tool_choice: Some(ToolChoice::Function("f".to_owned())),
        parallel_tool_calls: Some(true),
        ..said(vec![message(Role::User, vec![text("q")])])
    };
    let encoded = written(&conversation);
    let body = json(&encoded);
    let expected = json!([
        {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": false, "defer_loading": true},
        {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": true,
            "defer_loading": true},
    ]);
    assert_eq!(body["tools"], expected);
    assert_eq!(body["tool_choice"], json!({"type": "function", "name": "f"}));
    assert_eq!(body["parallel_tool_calls"], true);
    assert_eq!(encoded.dropped, ["tools[0].cache_control", "tools[1].cache_control"]);
    assert!(std::str::from_utf8(&encoded.body).unwrap().contains(r#"{"type": "object"}"#), "schemas go byte for byte");
}

#[test]
fn what_the_format_cannot_say_is_refused_by_name_or_dropped() {
    let hi = || said(vec![message(Role::User, vec![text("q")])]);
    let set = |change: fn(&mut chat::Settings)| {
        let mut conversation = hi();
        change(&mut conversation.settings);
        conversation
    };
    let audio =
        Media { source: Source::Data("AA".to_owned()), media_type: "audio/wav".to_owned(), name: None, detail: None };
    let hosted = |kind: &str, json: &str| Conversation {
        tools: vec![Tool::Hosted(Hosted { kind: kind.to_owned(), json: raw(json) })],
        ..hi()
    };
    for (conversation, field) in [
        (set(|s| s.stop = vec!["x".to_owned()]), "stop"),
        (set(|s| s.n = Some(2)), "n"),
        (set(|s| s.seed = Some(7.into())), "seed"),
        (set(|s| s.top_k = Some(7.into())), "top_k"),
        (set(|s| s.frequency_penalty = Some(1.into())), "frequency_penalty"),
        (set(|s| s.presence_penalty = Some(1.into())), "presence_penalty"),
        (Conversation { others: vec![named("logit_bias", r#"{"1":1}"#, false)], ..hi() }, "logit_bias"),
        (Conversation { others: vec![named("store", "true", false)], ..hi() }, "store"),
        (Conversation { tool_choice: Some(ToolChoice::Opaque(raw(r#"{"type":"odd"}"#))), ..hi() }, "tool_choice"),
        (hosted("web_search_20250305", r#"{"type":"web_search_20250305"}"#), "tools[0]"),
        (hosted("custom", r#"{"type":"custom","custom":{"name":"c"}}"#), "tools[0]"),
        (said(vec![message(Role::User, vec![text("q"), Content::Audio(audio)])]), "messages[0].content[1]"),
        (
            said(vec![message(Role::Assistant, vec![Content::Opaque(raw(r#"{"type":"server_tool_use"}"#))])]),
            "messages[0].content[0]",
        ),
    ] {
        assert_eq!(refused(&conversation), field);
        assert_eq!(dropped(&conversation), [field]);
    }
    for conversation in [
        set(|s| s.n = Some(1)),
        Conversation { others: vec![named("store", "false", true)], ..hi() },
        hosted("web_search", r#"{"type":"web_search"}"#),
        hosted("custom", r#"{"type":"custom","name":"c"}"#),
    ] {
        assert!(written(&conversation).dropped.is_empty());
    }
    assert_eq!(written(&set(|s| s.presence_penalty = Some(0.into()))).dropped, ["presence_penalty"]);
}

#[test]
fn hints_are_dropped_and_named() {
    let mut conversation = said(vec![
        message(Role::User, vec![text("q")]),
        message(Role::Assistant, vec![call("c", "{}")]),
        message(Role::Tool, vec![result("c", vec![text("r")], true)]),
    ]);
    conversation.messages[0].parts[0].others.push(named("cache_control", "{}", true));
    conversation.messages[1].parts.push(Part {
        content: text("cited"),
        others: vec![named("annotations", r#"[{"type":"url_citation","url_citation":{"url":"u"}}]"#, true)],
    });
    conversation.others =
        vec![named("metadata", r#"{"a":1}"#, true), named("service_tier", r#""standard_only""#, true)];
    let expected = [
        "messages[0].content[0].cache_control",
        "messages[1].content[1].annotations",
        "messages[2].content[0].is_error",
        "metadata",
        "service_tier",
    ];
    assert_eq!(written(&conversation).dropped, expected);
}

#[test]
fn links_are_refused_where_the_provider_wants_data() {
    let picture = Media {
        source: Source::Url("https://x/y.png".to_owned()),
        media_type: String::new(),
        name: None,
        detail: None,
    };
    let conversation = said(vec![message(Role::User, vec![Content::Image(picture)])]);
    let dialect = Dialect { image_links: false, ..OPENAI };
    let unsaid = UNSAID;
    let shape = Shape { dialect: &dialect, ..shape(&unsaid) };
    assert_eq!(encode(&conversation, false, &shape).unwrap_err().field, "messages[0].content[0].image_url");
    let part = &json(&written(&conversation))["input"][0]["content"][0];
    assert_eq!(*part, json!({"type": "input_image", "image_url": "https://x/y.png", "detail": "auto"}));
}

#[test]
fn a_plain_text_document_is_a_file() {
    let note = Media {
        source: Source::Text("héllo".to_owned()),
        media_type: "text/plain".to_owned(),
        name: None,
        detail: None,
    };
    let part =
        &json(&written(&said(vec![message(Role::User, vec![Content::Document(note)])])))["input"][0]["content"][0];
    let data = "data:text/plain;base64,aMOpbGxv";
    assert_eq!(*part, json!({"type": "input_file", "file_data": data, "filename": "document.txt"}));
}

#[test]
fn limits_stand_between_the_formats_least_and_the_targets_most() {
    for (wish, most, sent, named) in
        [(5, None, 16, true), (100, Some(64), 64, false), (50, Some(64), 50, false), (16, None, 16, false)]
    {
        let mut conversation = said(vec![message(Role::User, vec![text("q")])]);
        conversation.settings.max_output_tokens = Some(wish);
        let unsaid = UNSAID;
        let encoded = encode(&conversation, true, &Shape { max_output: most, ..shape(&unsaid) }).unwrap();
        assert_eq!(json(&encoded)["max_output_tokens"], sent);
        assert_eq!(json(&encoded)["stream"], true);
        assert_eq!(!encoded.dropped.is_empty(), named);
    }
}

#[test]
fn a_wish_to_reason_is_told_as_the_model_can_hear_it() {
    let wish = |effort, budget, enabled, summary: Option<&str>| ReasoningWish {
        effort,
        budget,
        enabled,
        summary: summary.map(str::to_owned),
    };
    let known = |efforts: &[Effort]| ReasoningModel {
        efforts: efforts.iter().map(|effort| (*effort, 0)).collect(),
        ..reasons(Style::Effort)
    };
    let o3 = known(&[Effort::Low, Effort::Medium, Effort::High]);
    for (wish, model, sent, named) in [
        (wish(None, None, None, None), UNSAID, Value::Null, false),
        (wish(Some(Effort::High), None, None, None), UNSAID, json!({"effort": "high"}), false),
        (
            wish(Some(Effort::Low), None, None, Some("detailed")),
            UNSAID,
            json!({"effort": "low", "summary": "detailed"}),
            false,
        ),
        (wish(None, Some(20_000), Some(true), None), UNSAID, json!({"effort": "high", "summary": "auto"}), false),
        (wish(None, None, Some(true), None), UNSAID, json!({"effort": "medium", "summary": "auto"}), false),
        (wish(None, None, Some(false), None), UNSAID, json!({"effort": "none"}), false),
        (wish(Some(Effort::Max), None, None, None), o3.clone(), json!({"effort": "high"}), false),
        (wish(Some(Effort::Minimal), None, None, None), o3.clone(), json!({"effort": "low"}), false),
        (wish(Some(Effort::None), None, None, None), o3, json!({"effort": "low"}), true),
        (wish(Some(Effort::High), None, None, Some("auto")), reasons(Style::None), Value::Null, true),
        (wish(Some(Effort::None), None, None, None), reasons(Style::None), Value::Null, false),
        (wish(Some(Effort::High), None, None, Some("auto")), reasons(Style::Always), json!({"summary": "auto"}), true),
    ] {
        let said = said(vec![message(Role::User, vec![text("q")])]);
        let conversation = Conversation { reasoning: wish.clone(), ..said };
        let encoded = encode(&conversation, false, &shape(&model)).unwrap();
        assert_eq!(json(&encoded).get("reasoning").cloned().unwrap_or_default(), sent, "{wish:?} {model:?}");
        let expected: &[&str] = if named { &["reasoning_effort"] } else { &[] };
        assert_eq!(encoded.dropped, expected, "{wish:?} {model:?}");
        let may_reason = match model.style {
            None => !wish.is_empty() && !wish.off(),
            Some(style) => style != Style::None,
        };
        let asked = json(&encoded).get("include") == Some(&json!(["reasoning.encrypted_content"]));
        assert_eq!(asked, may_reason, "a model that does not reason refuses to be asked");
    }
}

#[test]
fn an_unknown_degree_beside_a_wish_is_named_and_not_said_twice() {
    let conversation = Conversation {
        reasoning: ReasoningWish { enabled: Some(true), ..ReasoningWish::default() },
        others: vec![named("reasoning.effort", "\"ultra\"", true), named("reasoning.summary", "\"odd\"", true)],
        ..said(vec![message(Role::User, vec![text("q")])])
    };
    let encoded = encode(&conversation, false, &shape(&UNSAID)).unwrap();
    let body = std::str::from_utf8(&encoded.body).unwrap();
    assert!(body.contains(r#""reasoning":{"effort":"medium","summary":"auto"}"#), "{body}");
    assert_eq!(encoded.dropped, ["reasoning.effort", "reasoning.summary"]);
}
