use super::*;
use crate::chat::{
    Content, Effort, Hosted, Json, Media, Message, Named, OutputFormat, Part, Reasoning, ReasoningWish, Role, Seal,
    SealKind, Source, Tool, ToolCall, ToolChoice, ToolResult,
};

fn message(role: Role, contents: Vec<Content>) -> Message {
    Message { role, parts: contents.into_iter().map(Part::from).collect(), others: Vec::new() }
}

fn text(role: Role, text: &str) -> Message {
    message(role, vec![Content::Text(text.to_owned())])
}

fn of(messages: Vec<Message>) -> Conversation {
    Conversation { messages, ..Conversation::default() }
}

fn hi() -> Conversation {
    of(vec![text(Role::User, "hi")])
}

fn call(id: &str, arguments: &str) -> Content {
    Content::ToolCall(ToolCall { id: id.to_owned(), name: "f".to_owned(), arguments: arguments.to_owned(), seal: None })
}

fn result(id: &str, said: &str) -> Content {
    let parts = vec![Content::Text(said.to_owned()).into()];
    Content::ToolResult(ToolResult { id: id.to_owned(), parts, is_error: false })
}

fn json_of(value: Value) -> Json {
    Json::new(value.to_string()).unwrap()
}

fn number(value: f64) -> Option<serde_json::Number> {
    serde_json::Number::from_f64(value)
}

/// What is refused of it, by name; and what is named when it may be dropped.
fn refused(conversation: &Conversation, style: Option<Style>) -> Option<String> {
    let refused = written(conversation, style).err()?.field;
    let (_, dropped) = kept(conversation, style);
    assert!(dropped.contains(&refused), "dropped by the same name: {dropped:?}");
    Some(refused)
}

#[test]
fn turns_are_merged_and_results_come_first() {
    let conversation = of(vec![
        text(Role::System, "one"),
        text(Role::User, "a"),
        text(Role::User, "b"),
        message(Role::Assistant, vec![call("x", "{}")]),
        message(Role::Assistant, vec![call("y", "")]),
        message(Role::Tool, vec![result("x", "1")]),
        message(Role::Tool, vec![result("y", "2")]),
        text(Role::System, "two"),
        text(Role::User, "c"),
    ]);
    let (body, dropped) = written(&conversation, None).unwrap();
    assert!(dropped.is_empty());
    assert_eq!(body["system"], json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]));
    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
    let result = |id: &str, text: &str| json!({"type": "tool_result", "tool_use_id": id, "content": text});
    let text = |text: &str| json!({"type": "text", "text": text});
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [text("a"), text("b")]},
            {"role": "assistant", "content": [call("x"), call("y")]},
            {"role": "user", "content": [result("x", "1"), result("y", "2"), text("c")]},
        ])
    );
    assert_eq!((&body["model"], &body["max_tokens"]), (&json!("claude"), &json!(DEFAULT_MAX_TOKENS)));
    assert!(body.get("stream").is_none());
}

#[test]
fn empty_texts_are_left_out_and_an_answer_begun_ends_without_blanks() {
    let conversation = of(vec![
        text(Role::System, ""),
        text(Role::User, "a"),
        text(Role::Assistant, " \n"),
        message(Role::User, vec![Content::Text(String::new()), Content::Text("b ".to_owned())]),
        text(Role::Assistant, "So: "),
    ]);
    let (body, _) = written(&conversation, None).unwrap();
    assert!(body.get("system").is_none());
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b "}]},
            {"role": "assistant", "content": [{"type": "text", "text": "So:"}]},
        ])
    );
}

#[test]
fn arguments_become_an_object_or_are_named() {
    let with = |arguments: &str| of(vec![text(Role::User, "a"), message(Role::Assistant, vec![call("x", arguments)])]);
    for bad in ["{\"a\":", "[1]", "1", "null"] {
        assert_eq!(refused(&with(bad), None).as_deref(), Some("messages[1].content[0].arguments"), "{bad}");
        assert_eq!(kept(&with(bad), None).0["messages"][1]["content"][0]["input"], json!({}));
    }
    assert_eq!(written(&with(" {\"a\":1}\n"), None).unwrap().0["messages"][1]["content"][0]["input"], json!({"a": 1}));
}

#[test]
fn ids_are_rewritten_alike_in_call_and_result() {
    let conversation = of(vec![
        text(Role::User, "a"),
        message(Role::Assistant, vec![call("functions.f:0", "{}")]),
        message(Role::Tool, vec![result("functions.f:0", "1")]),
    ]);
    let (body, _) = written(&conversation, None).unwrap();
    let id = &body["messages"][1]["content"][0]["id"];
    assert_eq!(id, &body["messages"][2]["content"][0]["tool_use_id"]);
    assert!(id.as_str().unwrap().bytes().all(|byte| byte.is_ascii_alphanumeric()));
}

#[test]
fn only_anthropics_own_reasoning_goes_back() {
    let sealed = |family, kind, text: &str| {
        let seal = Seal { family, kind, id: None, data: "sig".to_owned() };
        let parts = if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
        Content::Reasoning(Reasoning { parts, seal: Some(seal) })
    };
    let open = Content::Reasoning(Reasoning { parts: vec!["o".to_owned()], seal: None });
    let conversation = of(vec![
        text(Role::User, "a"),
        message(
            Role::Assistant,
            vec![
                sealed(Family::Anthropic, SealKind::Text, "t"),
                sealed(Family::Anthropic, SealKind::Hidden, ""),
                sealed(Family::Openai, SealKind::Hidden, ""),
                open.clone(),
                Content::Text("b".to_owned()),
                sealed(Family::Gemini, SealKind::Answer, ""),
            ],
        ),
        text(Role::User, "c"),
    ]);
    let (body, dropped) = written(&conversation, None).unwrap();
    assert_eq!(dropped, ["messages[1].reasoning"]);
    assert_eq!(
        body["messages"][1]["content"],
        json!([
            {"type": "thinking", "thinking": "t", "signature": "sig"},
            {"type": "redacted_thinking", "data": "sig"},
            {"type": "text", "text": "b"},
        ])
    );
    let (reasoning, dialect) = (styled(None), Dialect { seals: None, ..DIALECT });
    let open = of(vec![text(Role::User, "a"), message(Role::Assistant, vec![open])]);
    let sent = encode(&open, false, &shape(&reasoning, &dialect)).unwrap();
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(body["messages"][1]["content"][0], json!({"type": "thinking", "thinking": "o", "signature": ""}));
}

fn wishing(wish: ReasoningWish, most: Option<u64>) -> Conversation {
    let mut conversation = Conversation { reasoning: wish, ..hi() };
    conversation.settings.max_output_tokens = most;
    conversation
}

fn effort(effort: Effort) -> ReasoningWish {
    ReasoningWish { effort: Some(effort), ..ReasoningWish::default() }
}

fn budget(budget: u64) -> ReasoningWish {
    ReasoningWish { budget: Some(budget), ..ReasoningWish::default() }
}

#[test]
fn a_budget_fits_below_the_limit() {
    for (wish, most, sent) in [
        (effort(Effort::Low), None, Some((1024, 8192))),
        (effort(Effort::Medium), None, Some((4096, 8192))),
        (effort(Effort::High), None, Some((16_384, 8192 + 16_384))),
        (effort(Effort::High), Some(20_000), Some((16_384, 20_000))),
        (effort(Effort::High), Some(8000), Some((6000, 8000))),
        (effort(Effort::Low), Some(1400), Some((1024, 1400))),
        (effort(Effort::Low), Some(1024), None),
        (budget(200), Some(2000), Some((1024, 2000))),
        (budget(1999), Some(2000), Some((1999, 2000))),
        (budget(9000), Some(2000), Some((1500, 2000))),
    ] {
        let (body, dropped) = written(&wishing(wish.clone(), most), Some(Style::Budget)).unwrap();
        let Some((budget, max_tokens)) = sent else {
            assert!(body.get("thinking").is_none());
            assert_eq!(dropped, ["reasoning_effort"]);
            continue;
        };
        assert_eq!(body["thinking"], json!({"type": "enabled", "budget_tokens": budget}), "{wish:?} {most:?}");
        assert_eq!(body["max_tokens"], max_tokens, "{wish:?} {most:?}");
        assert_eq!(!dropped.is_empty(), wish.budget.is_some_and(|asked| asked != budget));
    }
}

#[test]
fn a_limit_stays_below_the_models_ceiling() {
    let reasoning = styled(Some(Style::Budget));
    let sent = |conversation: &Conversation, ceiling| {
        let shape = Shape { max_output: Some(ceiling), ..shape(&reasoning, &DIALECT) };
        let body = encode(conversation, false, &shape).unwrap().body;
        serde_json::from_slice::<Value>(&body).unwrap()
    };
    assert_eq!(sent(&hi(), 64_000)["max_tokens"], 64_000);
    assert_eq!(sent(&wishing(ReasoningWish::default(), Some(90_000)), 64_000)["max_tokens"], 64_000);
    let body = sent(&wishing(effort(Effort::High), None), 10_000);
    assert_eq!((&body["max_tokens"], &body["thinking"]["budget_tokens"]), (&json!(10_000), &json!(7500)));
}

#[test]
fn a_wish_is_said_in_the_models_own_way() {
    let off = || ReasoningWish { enabled: Some(false), ..ReasoningWish::default() };
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    for (wish, style, thinking, effort, dropped) in [
        (effort(Effort::High), Style::Effort, adaptive.clone(), json!("high"), None),
        (effort(Effort::Minimal), Style::Effort, adaptive.clone(), json!("low"), Some("reasoning_effort")),
        (budget(5000), Style::Effort, adaptive, json!("medium"), None),
        (effort(Effort::High), Style::None, Value::Null, Value::Null, Some("reasoning_effort")),
        (budget(5000), Style::None, Value::Null, Value::Null, Some("thinking")),
        (off(), Style::None, Value::Null, Value::Null, None),
        (off(), Style::Effort, json!({"type": "disabled"}), Value::Null, None),
        (effort(Effort::None), Style::Budget, json!({"type": "disabled"}), Value::Null, None),
        (off(), Style::Always, Value::Null, Value::Null, Some("thinking")),
    ] {
        let (body, left_out) = written(&wishing(wish.clone(), Some(20_000)), Some(style)).unwrap();
        assert_eq!((&body["thinking"], &body["output_config"]["effort"]), (&thinking, &effort), "{wish:?} {style:?}");
        assert_eq!(left_out, dropped.into_iter().collect::<Vec<_>>(), "{wish:?} {style:?}");
    }
}

#[test]
fn a_model_that_must_call_a_tool_does_not_think_first() {
    let mut conversation = wishing(effort(Effort::High), None);
    let parameters = None;
    let others = Vec::new();
    let tool = Tool::Function { name: "f".to_owned(), description: None, parameters, strict: None, others };
    conversation.tools.push(tool);
    for choice in [ToolChoice::Required, ToolChoice::Function("f".to_owned())] {
        conversation.tool_choice = Some(choice);
        let (body, dropped) = written(&conversation, Some(Style::Budget)).unwrap();
        assert!(body.get("thinking").is_none() && body.get("tool_choice").is_some());
        assert_eq!(dropped, ["reasoning_effort"]);
        let (body, dropped) = written(&conversation, Some(Style::Effort)).unwrap();
        assert_eq!((body.get("thinking"), &body["output_config"]["effort"]), (None, &json!("high")));
        assert_eq!(dropped, ["thinking"]);
    }
    assert_eq!(kept(&conversation, None).0["tools"][0]["input_schema"], json!({"type": "object", "properties": {}}));
}

#[test]
fn settings_that_anthropic_does_not_know_are_named() {
    type Change = fn(&mut Conversation);
    let changes: [(Change, &str); 14] = [
        (|c| c.settings.n = Some(2), "n"),
        (|c| c.settings.seed = Some(1.into()), "seed"),
        (|c| c.settings.frequency_penalty = number(0.5), "frequency_penalty"),
        (|c| c.settings.presence_penalty = number(-0.5), "presence_penalty"),
        (|c| c.settings.logprobs = Some(true), "logprobs"),
        (|c| c.settings.top_logprobs = Some(2), "top_logprobs"),
        (|c| c.settings.temperature = number(1.5), "temperature"),
        (|c| c.settings.verbosity = Some("low".to_owned()), "verbosity"),
        (|c| c.settings.stop = vec!["\n".to_owned()], "stop"),
        (|c| c.output = Some(OutputFormat::JsonObject), "response_format"),
        (|c| c.tool_choice = Some(ToolChoice::Allowed { names: Vec::new(), required: true }), "tool_choice"),
        (|c| c.tool_choice = Some(ToolChoice::Opaque(json_of(json!({"type": "custom"})))), "tool_choice"),
        (
            |c| {
                let value = json_of(json!({"50256": -100}));
                c.others.push(Named { name: "logit_bias".to_owned(), value, hint: false });
            },
            "logit_bias",
        ),
        (
            |c| {
                let json = json_of(json!({"type": "web_search_preview_2025_03_11"}));
                c.tools.push(Tool::Hosted(Hosted { kind: "web_search_preview_2025_03_11".to_owned(), json }));
            },
            "tools[0]",
        ),
    ];
    for (change, field) in changes {
        let mut conversation = hi();
        change(&mut conversation);
        assert_eq!(refused(&conversation, None).as_deref(), Some(field));
    }
    assert_eq!(refused(&of(vec![text(Role::System, "alone")]), None).as_deref(), Some("messages"));
    let mut harmless = hi();
    harmless.settings.n = Some(1);
    harmless.settings.frequency_penalty = number(0.0);
    harmless.settings.logprobs = Some(false);
    harmless.settings.top_logprobs = Some(0);
    harmless.output = Some(OutputFormat::Text);
    harmless.tool_choice = Some(ToolChoice::Auto);
    assert_eq!(written(&harmless, None).unwrap(), written(&hi(), None).unwrap());
}

#[test]
fn sampling_that_thinking_forbids_is_named() {
    for (field, change) in [
        ("temperature", (|c| c.settings.temperature = number(0.2)) as fn(&mut Conversation)),
        ("top_p", |c| c.settings.top_p = number(0.5)),
        ("top_k", |c| c.settings.top_k = Some(5.into())),
    ] {
        let mut conversation = wishing(effort(Effort::Low), None);
        change(&mut conversation);
        assert_eq!(refused(&conversation, Some(Style::Budget)).as_deref(), Some(field));
        conversation.reasoning = ReasoningWish::default();
        assert!(written(&conversation, Some(Style::Budget)).unwrap().0.get(field).is_some());
    }
}

#[test]
fn media_are_written_as_claude_takes_them() {
    let media =
        |source, media_type: &str| Media { source, media_type: media_type.to_owned(), name: None, detail: None };
    let data = |data: &str| Source::Data(data.to_owned());
    for (content, source) in [
        (
            Content::Image(media(data("/9j/4AAQ"), "")),
            json!({"type": "base64", "media_type": "image/jpeg", "data": "/9j/4AAQ"}),
        ),
        (
            Content::Image(media(data("x"), "image/jpg")),
            json!({"type": "base64", "media_type": "image/jpeg", "data": "x"}),
        ),
        (
            Content::Image(media(Source::Url("https://x/y".to_owned()), "image/png")),
            json!({"type": "url", "url": "https://x/y"}),
        ),
        (
            Content::Document(media(data("JVBERi0="), "application/pdf")),
            json!({"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}),
        ),
        (
            Content::Document(media(data("aMOp"), "text/markdown")),
            json!({"type": "text", "media_type": "text/plain", "data": "h\u{e9}"}),
        ),
    ] {
        let conversation = of(vec![message(Role::User, vec![content])]);
        let (body, _) = written(&conversation, None).unwrap();
        assert_eq!(body["messages"][0]["content"][0]["source"], source);
    }
    for (content, field) in [
        (Content::Image(media(data("x"), "image/tiff")), "messages[0].content[0].image_url"),
        (Content::Image(media(Source::File("file-abc".to_owned()), "")), "messages[0].content[0].image_url"),
        (Content::Document(media(data("UEsDBA=="), "application/zip")), "messages[0].content[0].file"),
        (Content::Document(media(Source::File("file-abc".to_owned()), "")), "messages[0].content[0].file"),
        (Content::Audio(media(data("x"), "audio/wav")), "messages[0].content[0].input_audio"),
        (Content::Opaque(json_of(json!({"type": "web_search_call"}))), "messages[0].content[0]"),
    ] {
        assert_eq!(refused(&of(vec![message(Role::User, vec![content])]), None).as_deref(), Some(field));
    }
}

#[test]
fn a_schema_without_a_type_gets_the_one_it_means() {
    let mut conversation = hi();
    let parameters = Some(Json::new(r#"{"properties": {"b":{},"a":{}}}"#.to_owned()).unwrap());
    let (name, others) = ("f".to_owned(), Vec::new());
    conversation.tools.push(Tool::Function { name, description: None, parameters, strict: None, others });
    let reasoning = styled(None);
    let sent = encode(&conversation, true, &shape(&reasoning, &DIALECT)).unwrap().body;
    let sent = std::str::from_utf8(&sent).unwrap();
    assert!(sent.contains(r#""input_schema":{"type":"object","properties":{"b":{},"a":{}}}"#), "{sent}");
    assert!(sent.contains(r#""stream":true"#));
}

#[test]
fn what_other_formats_say_under_the_same_name_is_not_written() {
    let named = |name: &str, value: Value| Named { name: name.to_owned(), value: json_of(value), hint: true };
    let mut conversation = wishing(ReasoningWish { enabled: Some(true), ..ReasoningWish::default() }, None);
    conversation.others = vec![
        named("thinking", json!({"clear_thinking": false, "display": "omitted"})),
        named("context_management", json!([{"type": "compaction"}])),
        named("service_tier", json!("flex")),
        named("metadata", json!({"ticket": "7"})),
        named("cache_control", json!({"type": "ephemeral"})),
    ];
    let (body, dropped) = written(&conversation, Some(Style::Effort)).unwrap();
    assert_eq!(body["thinking"], json!({"type": "adaptive", "display": "omitted"}));
    assert_eq!(body["cache_control"], json!({"type": "ephemeral"}));
    assert_eq!(dropped, ["thinking.clear_thinking", "context_management", "service_tier", "metadata"]);
    conversation.others = vec![named("thinking", json!({"type": "between_tools"}))];
    assert_eq!(written(&conversation, None).unwrap().0["thinking"], json!({"type": "between_tools"}));
}
