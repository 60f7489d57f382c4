use serde_json::{Value, json};

use crate::chat::{
    Content, Conversation, Effort, Family, Format, Hosted, Json, Media, Message, Named, OutputFormat, Part, Reasoning,
    ReasoningWish, Role, Seal, SealKind, Settings, Source, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::wire::dialect::{EffortDialect, MaxTokens, ReasoningBack, ReasoningModel, Style, ToolIds};
use crate::wire::openai::request::encode;
use crate::wire::openai::request::tests::plain;
use crate::wire::{Dialect, Shape};

fn message(role: Role, parts: Vec<Content>) -> Message {
    Message { role, parts: parts.into_iter().map(Part::from).collect(), others: Vec::new() }
}

fn text(text: &str) -> Content {
    Content::Text(text.to_owned())
}

fn call(id: &str) -> Content {
    Content::ToolCall(ToolCall { id: id.to_owned(), name: "f".to_owned(), arguments: "{}".to_owned(), seal: None })
}

fn result(id: &str, parts: Vec<Content>) -> Content {
    let parts = parts.into_iter().map(Part::from).collect();
    Content::ToolResult(ToolResult { id: id.to_owned(), parts, is_error: false })
}

fn thought(text: &str, seal: Option<(Family, SealKind, &str)>) -> Content {
    let seal = seal.map(|(family, kind, data)| Seal { family, kind, id: None, data: data.to_owned() });
    Content::Reasoning(Reasoning { parts: vec![text.to_owned()], seal })
}

fn media(source: Source, media_type: &str) -> Media {
    Media { source, media_type: media_type.to_owned(), name: None, detail: None }
}

/// A conversation that came in another format.
fn said(messages: Vec<Message>) -> Conversation {
    Conversation { from: Some(Format::Messages), messages, ..Conversation::default() }
}

fn hi() -> Conversation {
    said(vec![message(Role::User, vec![text("hi")])])
}

fn function(name: &str) -> Tool {
    let name = name.to_owned();
    Tool::Function { name, description: None, parameters: None, strict: None, others: Vec::new() }
}

/// The body and what was dropped; `Err` names what was refused.
fn written(said: &Conversation, dialect: Dialect, drop_unsupported: bool) -> Result<(Value, Vec<String>), String> {
    let none = ReasoningModel::default();
    let shape = Shape { dialect: &dialect, drop_unsupported, ..plain("m", &none) };
    let encoded = encode(said, false, &shape).map_err(|refused| refused.field)?;
    Ok((serde_json::from_slice(&encoded.body).unwrap(), encoded.dropped))
}

/// The same where nothing is lost.
fn whole(said: &Conversation, dialect: Dialect) -> Value {
    let (body, dropped) = written(said, dialect, false).unwrap();
    assert!(dropped.is_empty(), "{dropped:?}");
    body
}

/// What is refused is dropped and named when that is wished.
fn lost(said: &Conversation, dialect: Dialect, field: &str) -> Value {
    assert_eq!(written(said, dialect, false).unwrap_err(), field);
    let (body, dropped) = written(said, dialect, true).unwrap();
    assert_eq!(dropped, [field]);
    body
}

#[test]
fn members_stand_in_one_order() {
    let mut said = hi();
    said.tools = vec![function("f")];
    said.settings = Settings { max_output_tokens: Some(9), stop: vec!["a".to_owned()], ..Settings::default() };
    let none = ReasoningModel::default();
    let body = encode(&said, true, &plain("m", &none)).unwrap().body;
    let expected = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f"}}],"max_tokens":9,"stop":["a"],"stream":true,"stream_options":{"include_usage":true}}"#;
    assert_eq!(body, expected);
    let dialect = Dialect { stream_options: false, max_tokens: MaxTokens::MaxCompletionTokens, ..Dialect::PLAIN };
    let shape = Shape { dialect: &dialect, max_output: Some(5), ..plain("m", &none) };
    let body: Value = serde_json::from_slice(&encode(&said, true, &shape).unwrap().body).unwrap();
    assert_eq!((&body["max_completion_tokens"], &body["stream_options"]), (&json!(5), &Value::Null));
}

#[test]
fn each_result_is_a_message_and_ids_fit_on_both_sides() {
    let two = vec![result("functions.f:0", vec![text("a")]), result("functions.f:1", vec![])];
    let conversation = said(vec![
        message(Role::Assistant, vec![text("t"), call("functions.f:0"), call("functions.f:1")]),
        message(Role::Tool, two),
    ]);
    let body = whole(&conversation, Dialect { tool_ids: ToolIds::Nine, ..Dialect::PLAIN });
    assert_eq!(body["messages"].as_array().unwrap().len(), 3);
    for place in 0..2 {
        let id = body["messages"][0]["tool_calls"][place]["id"].as_str().unwrap();
        assert_eq!(id.len(), 9);
        assert_eq!(body["messages"][place + 1]["tool_call_id"], id);
    }
    assert_eq!(body["messages"][2]["content"], "");
    assert_eq!(whole(&conversation, Dialect::PLAIN)["messages"][1]["tool_call_id"], "functions.f:0");
}

#[test]
fn reasoning_goes_back_where_a_model_wants_it_and_nowhere_else() {
    let answer = |thought_text: &str| message(Role::Assistant, vec![thought(thought_text, None), text("t")]);
    let conversation = said(vec![
        message(Role::User, vec![text("1")]),
        answer("plain turn"),
        message(Role::User, vec![text("2")]),
        message(Role::Assistant, vec![thought("tool turn", None), call("c")]),
        message(Role::Tool, vec![result("c", vec![text("r")])]),
    ]);
    let of = |back| Dialect { reasoning_back: back, ..Dialect::PLAIN };
    let body = whole(&conversation, of(ReasoningBack::Content));
    assert_eq!(body["messages"][1], json!({"role": "assistant", "content": "t"}));
    assert_eq!(body["messages"][3]["reasoning_content"], "tool turn");
    assert_eq!(whole(&conversation, of(ReasoningBack::Reasoning))["messages"][3]["reasoning"], "tool turn");
    assert_eq!(whole(&conversation, of(ReasoningBack::Details))["messages"][3]["reasoning"], "tool turn");
    let part = json!({"type": "thinking", "thinking": [{"type": "text", "text": "tool turn"}]});
    assert_eq!(whole(&conversation, of(ReasoningBack::Parts))["messages"][3]["content"], json!([part]));
    let (body, dropped) = written(&conversation, of(ReasoningBack::Never), false).unwrap();
    assert!(!body.to_string().contains("turn"));
    assert_eq!(dropped, ["messages[3].reasoning"], "what was of use is named, what was not is not");
}

#[test]
fn the_reasoning_of_a_turn_with_tools_goes_back_in_later_turns_too() {
    let mut conversation = said(vec![
        message(Role::User, vec![text("1")]),
        message(Role::Assistant, vec![thought("before the call", None), call("c")]),
        message(Role::Tool, vec![result("c", vec![text("r")])]),
        message(Role::Assistant, vec![thought("after it", None), text("t")]),
        message(Role::User, vec![text("2")]),
    ]);
    let body = whole(&conversation, Dialect::PLAIN);
    assert_eq!(body["messages"][1]["reasoning_content"], "before the call");
    assert_eq!(body["messages"][3]["reasoning_content"], "after it");
    conversation.messages.truncate(3);
    let sent = whole(&conversation, Dialect::PLAIN);
    assert_eq!(sent["messages"][1], body["messages"][1]);
}

#[test]
fn a_seal_goes_to_its_own_family_only_and_never_becomes_text() {
    let anthropic = thought("secret", Some((Family::Anthropic, SealKind::Text, "sig")));
    let details = r#"[{"type":"reasoning.encrypted","data":"x"}]"#;
    let openrouter = thought("shown", Some((Family::Details, SealKind::Text, details)));
    let gemini = thought("", Some((Family::Gemini, SealKind::Answer, "gem")));
    let mut sealed = ToolCall { id: "c".to_owned(), name: "f".to_owned(), arguments: "{}".to_owned(), seal: None };
    sealed.seal = Some(Seal { family: Family::Gemini, kind: SealKind::Call, id: None, data: "sig".to_owned() });
    let parts = vec![anthropic, openrouter, text("t"), gemini, Content::ToolCall(sealed)];
    let conversation = said(vec![message(Role::User, vec![text("x")]), message(Role::Assistant, parts)]);
    let (body, dropped) = written(&conversation, Dialect::PLAIN, false).unwrap();
    assert_eq!(dropped, ["messages[1].reasoning", "messages[1].content[4].extra_content"]);
    for word in ["secret", "shown", "sig", "gem", "encrypted"] {
        assert!(!body.to_string().contains(word), "{word}");
    }
    let openrouter = Dialect { seals: Some(Family::Details), reasoning_back: ReasoningBack::Details, ..Dialect::PLAIN };
    let (body, _) = written(&conversation, openrouter, false).unwrap();
    assert_eq!(
        body["messages"][1]["reasoning_details"].to_string(),
        json!([{"type": "reasoning.encrypted", "data": "x"}]).to_string()
    );
    let google = Dialect { seals: Some(Family::Gemini), ..Dialect::PLAIN };
    let (body, dropped) = written(&conversation, google, false).unwrap();
    assert_eq!(body["messages"][1]["extra_content"]["google"]["thought_signature"], "gem");
    assert_eq!(body["messages"][1]["tool_calls"][0]["extra_content"]["google"]["thought_signature"], "sig");
    assert_eq!(dropped, ["messages[1].reasoning"]);
}

#[test]
fn details_of_a_chat_client_go_back_as_they_came() {
    let details = Json::new(r#"[ {"type":"reasoning.text", "text":"a","signature":"s"}]"#.to_owned()).unwrap();
    let mut answer =
        message(Role::Assistant, vec![thought("a", Some((Family::Anthropic, SealKind::Text, "s"))), text("t")]);
    answer.others = vec![Named { name: "reasoning_details".to_owned(), value: details.clone(), hint: true }];
    let conversation = Conversation { from: Some(Format::Chat), ..said(vec![answer]) };
    let none = ReasoningModel::default();
    let dialect = Dialect { seals: Some(Family::Details), reasoning_back: ReasoningBack::Details, ..Dialect::PLAIN };
    let encoded = encode(&conversation, false, &Shape { dialect: &dialect, ..plain("m", &none) }).unwrap();
    assert!(std::str::from_utf8(&encoded.body).unwrap().contains(details.text()));
    assert!(encoded.dropped.is_empty());
    let (body, dropped) = written(&conversation, Dialect::PLAIN, false).unwrap();
    assert_eq!(dropped, ["messages[0].reasoning"], "named once");
    assert!(body["messages"][0].get("reasoning_details").is_none());
}

#[test]
fn media_go_where_they_can_be_said() {
    let user = |content| said(vec![message(Role::User, vec![text("x"), content])]);
    let image = Content::Image(media(Source::Data("/9j/4A".to_owned()), ""));
    let body = whole(&user(image.clone()), Dialect::PLAIN);
    assert_eq!(body["messages"][0]["content"][1]["image_url"]["url"], "data:image/jpeg;base64,/9j/4A");
    let link = user(Content::Image(media(Source::Url("https://h.example/a".to_owned()), "")));
    assert_eq!(whole(&link, Dialect::PLAIN)["messages"][0]["content"][1]["image_url"]["url"], "https://h.example/a");
    let body = lost(&link, Dialect { image_links: false, ..Dialect::PLAIN }, "messages[0].content[1]");
    assert_eq!(body["messages"][0]["content"], "x");
    let pdf = user(Content::Document(media(Source::Data("JVBE".to_owned()), "application/pdf")));
    let file = json!({"filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBE"});
    assert_eq!(whole(&pdf, Dialect::PLAIN)["messages"][0]["content"][1]["file"], file);
    let note = user(Content::Document(media(Source::Text("note".to_owned()), "text/plain")));
    assert_eq!(whole(&note, Dialect::PLAIN)["messages"][0]["content"][1], json!({"type": "text", "text": "note"}));
    lost(&user(Content::Document(media(Source::File("f".to_owned()), ""))), Dialect::PLAIN, "messages[0].content[1]");
    lost(
        &user(Content::Audio(media(Source::Data("x".to_owned()), "audio/ogg"))),
        Dialect::PLAIN,
        "messages[0].content[1]",
    );
    let shown = said(vec![message(Role::Tool, vec![result("c", vec![text("r"), image])])]);
    let body = lost(&shown, Dialect::PLAIN, "messages[0].content[0].content[1]");
    assert_eq!(body["messages"][0]["content"], "r");
}

#[test]
fn cache_marks_stand_where_the_provider_knows_them() {
    let mark = Named { name: "cache_control".to_owned(), value: Json::new("{}".to_owned()).unwrap(), hint: true };
    let marked = |content| Part { content, others: vec![mark.clone()] };
    let mut conversation = hi();
    conversation.messages[0].parts = vec![marked(text("x"))];
    let tool = Message { role: Role::Tool, parts: vec![marked(result("c", vec![text("r")]))], others: Vec::new() };
    conversation.messages.push(tool);
    let (body, dropped) = written(&conversation, Dialect::PLAIN, false).unwrap();
    assert_eq!(body["messages"][0]["content"], "x", "one text stays a string");
    assert_eq!(dropped, ["messages[0].content[0].cache_control", "messages[1].content[0].content[0].cache_control"]);
    let body = whole(&conversation, Dialect { cache_control: true, ..Dialect::PLAIN });
    assert_eq!(body["messages"][0]["content"], json!([{"type": "text", "text": "x", "cache_control": {}}]));
    assert_eq!(body["messages"][1]["content"], json!([{"type": "text", "text": "r", "cache_control": {}}]));
}

#[test]
fn what_the_dialect_cannot_say_is_refused_by_name() {
    let json = |text: &str| Json::new(text.to_owned()).unwrap();
    let mut said = hi();
    said.settings.top_k = Some(40.into());
    lost(&said, Dialect::PLAIN, "top_k");
    assert_eq!(whole(&said, Dialect { open_sampling: true, ..Dialect::PLAIN })["top_k"], 40);
    let mut said = hi();
    said.output = Some(OutputFormat::JsonSchema { name: None, description: None, schema: json("{}"), strict: None });
    assert_eq!(whole(&said, Dialect::PLAIN)["response_format"]["json_schema"]["name"], "response");
    let body = lost(&said, Dialect { json_schema: false, ..Dialect::PLAIN }, "response_format.json_schema");
    assert_eq!(body["response_format"], json!({"type": "json_object"}));
    let mut said = hi();
    said.tools = vec![Tool::Hosted(Hosted { kind: "web_search".to_owned(), json: json("{}") })];
    lost(&said, Dialect::PLAIN, "tools[0]");
    let mut said = hi();
    said.others = vec![Named { name: "truncation".to_owned(), value: json("\"auto\""), hint: false }];
    lost(&said, Dialect::PLAIN, "truncation");
    said.others[0].hint = true;
    assert_eq!(written(&said, Dialect::PLAIN, false).unwrap().1, ["truncation"]);
    said.messages[0].parts.push(Content::Opaque(json("{}")).into());
    lost(&Conversation { others: Vec::new(), ..said }, Dialect::PLAIN, "messages[0].content[1]");
}

#[test]
fn a_choice_of_tools_is_said_in_the_dialects_words() {
    let mut said = hi();
    said.tools = vec![function("f"), function("g")];
    said.tool_choice = Some(ToolChoice::Required);
    said.settings.seed = Some(7.into());
    let mistral = Dialect { required: "any", seed: "random_seed", ..Dialect::PLAIN };
    let body = whole(&said, mistral);
    assert_eq!((&body["tool_choice"], &body["random_seed"]), (&json!("any"), &json!(7)));
    said.tool_choice = Some(ToolChoice::Allowed { names: vec!["g".to_owned()], required: true });
    let body = whole(&said, Dialect::PLAIN);
    assert_eq!((&body["tool_choice"], body["tools"].as_array().unwrap().len()), (&json!("required"), 1));
    said.tools.clear();
    lost(&said, Dialect::PLAIN, "tool_choice");
}

/// The members that ask for reasoning, and whether anything was dropped.
fn asked(wish: &ReasoningWish, effort: EffortDialect, model: &ReasoningModel) -> (Value, bool) {
    let said = Conversation { reasoning: wish.clone(), ..hi() };
    let dialect = Dialect { effort, ..Dialect::PLAIN };
    let encoded = encode(&said, false, &Shape { dialect: &dialect, ..plain("m", model) }).unwrap();
    let mut body: Value = serde_json::from_slice(&encoded.body).unwrap();
    for name in ["model", "messages"] {
        body.as_object_mut().unwrap().remove(name);
    }
    (body, !encoded.dropped.is_empty())
}

#[test]
fn a_wish_for_reasoning_is_said_as_the_target_understands_it() {
    use EffortDialect::{Native, Object, Template, Thinking, Unsayable};
    let low = ReasoningWish { effort: Some(Effort::Low), ..ReasoningWish::default() };
    let off = ReasoningWish { enabled: Some(false), ..ReasoningWish::default() };
    let on = ReasoningWish { enabled: Some(true), ..ReasoningWish::default() };
    let budget = ReasoningWish { budget: Some(5000), enabled: Some(true), ..ReasoningWish::default() };
    let none = ReasoningWish { effort: Some(Effort::None), ..ReasoningWish::default() };
    let model = |style| ReasoningModel { style, ..ReasoningModel::default() };
    let (any, no, always) = (model(None), model(Some(Style::None)), model(Some(Style::Always)));
    let (toggle, degree, tokens) = (model(Some(Style::Toggle)), model(Some(Style::Effort)), model(Some(Style::Budget)));
    for (wish, dialect, model, expected, dropped) in [
        (&low, Unsayable, &any, json!({}), true),
        (&low, Native, &any, json!({"reasoning_effort": "low"}), false),
        (&budget, Native, &any, json!({"reasoning_effort": "medium"}), false),
        (&off, Native, &any, json!({"reasoning_effort": "none"}), false),
        (&on, Native, &degree, json!({"reasoning_effort": "medium"}), false),
        (&low, Native, &no, json!({}), true),
        (&off, Native, &no, json!({}), false),
        (&low, Native, &always, json!({}), true),
        (&on, Native, &always, json!({}), false),
        (&off, Template, &always, json!({}), true),
        (&low, Native, &tokens, json!({"reasoning_effort": "low"}), false),
        (&low, Object, &any, json!({"reasoning": {"effort": "low"}}), false),
        (&off, Object, &any, json!({"reasoning": {"enabled": false}}), false),
        (&budget, Object, &tokens, json!({"reasoning": {"max_tokens": 5000, "enabled": true}}), false),
        (&low, Object, &tokens, json!({"reasoning": {"max_tokens": 1024, "enabled": true}}), false),
        (&on, Thinking, &toggle, json!({"thinking": {"type": "enabled"}}), false),
        (&none, Thinking, &toggle, json!({"thinking": {"type": "disabled"}}), false),
        (&low, Thinking, &toggle, json!({"thinking": {"type": "enabled"}}), true),
        (&low, Thinking, &degree, json!({"thinking": {"type": "enabled"}, "reasoning_effort": "low"}), false),
        (&off, Thinking, &degree, json!({"thinking": {"type": "disabled"}}), false),
        (&off, Template, &toggle, json!({"chat_template_kwargs": {"enable_thinking": false}}), false),
        (&none, Template, &toggle, json!({"chat_template_kwargs": {"enable_thinking": false}}), false),
        (&low, Template, &degree, json!({"reasoning_effort": "low"}), false),
        (&low, Template, &any, json!({"reasoning_effort": "low"}), false),
    ] {
        assert_eq!(asked(wish, dialect, model), (expected, dropped), "{wish:?} {dialect:?} {:?}", model.style);
    }
    let keyed = ReasoningModel { template_key: Some("thinking".to_owned()), ..toggle };
    assert_eq!(asked(&on, Template, &keyed).0, json!({"chat_template_kwargs": {"thinking": true}}));
    let efforts = vec![(Effort::Low, 0), (Effort::High, 0)];
    let known = ReasoningModel { efforts, ..degree };
    let medium = ReasoningWish { effort: Some(Effort::Medium), ..ReasoningWish::default() };
    assert_eq!(asked(&medium, Native, &known), (json!({"reasoning_effort": "low"}), true));
    assert_eq!(asked(&none, Native, &known), (json!({"reasoning_effort": "low"}), true));
}
