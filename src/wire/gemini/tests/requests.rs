//! Bodies for Gemini: what they say, and that what follows never changes what was said.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::schema::faults;
use crate::chat::{
    Answer, Content, Conversation, Effort, Family, Format, Hosted, Json, Media, Message, Named, OutputFormat, Part,
    Reasoning, ReasoningWish, Role, Seal, SealKind, Source, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::wire::dialect::{Dialect, ReasoningModel, Shape, Style};
use crate::wire::gemini::{answer, request, stream};
use crate::wire::losses::{Encoded, Unsupported};
use crate::wire::recorded::{Exchange, exchanges};
use crate::wire::stream::Decoder as _;

const NEW: &str = "gemini-3-flash-preview";
const OLD: &str = "gemini-2.5-flash";

pub(super) fn model_of(style: Option<Style>) -> ReasoningModel {
    ReasoningModel { style, ..ReasoningModel::default() }
}

pub(super) fn shape_of<'a>(model: &'a str, reasoning: &'a ReasoningModel) -> Shape<'a> {
    let dialect = &Dialect::PLAIN;
    Shape {
        format: Format::Gemini,
        dialect,
        model,
        max_output: Some(1000),
        reasoning,
        effort: None,
        drop_unsupported: false,
        keeps_nothing: false,
    }
}

fn encode_for(model: &str, conversation: &Conversation, drop: bool) -> Result<Encoded, Unsupported> {
    let reasoning = model_of(None);
    request::encode(conversation, false, &Shape { drop_unsupported: drop, ..shape_of(model, &reasoning) })
}

/// The body for a current model, checked against the schema.
fn body(conversation: &Conversation) -> Value {
    body_for(NEW, conversation)
}

fn body_for(model: &str, conversation: &Conversation) -> Value {
    let encoded = encode_for(model, conversation, false).unwrap_or_else(|lost| panic!("{lost}"));
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(faults(&body), Vec::<String>::new(), "{body}");
    body
}

fn lost(conversation: &Conversation) -> String {
    let field = encode_for(NEW, conversation, false).unwrap_err().field;
    let dropped = encode_for(NEW, conversation, true).unwrap().dropped;
    assert!(dropped.contains(&field), "what is refused is named when dropped: {dropped:?}");
    field
}

fn message(role: Role, contents: Vec<Content>) -> Message {
    Message { role, parts: contents.into_iter().map(Part::from).collect(), others: Vec::new() }
}

fn text(text: &str) -> Content {
    Content::Text(text.to_owned())
}

fn said(messages: Vec<Message>) -> Conversation {
    Conversation { messages, ..Conversation::default() }
}

fn call(id: &str, arguments: &str, seal: Option<Seal>) -> Content {
    Content::ToolCall(ToolCall { id: id.to_owned(), name: "f".to_owned(), arguments: arguments.to_owned(), seal })
}

fn result(id: &str, parts: Vec<Content>, is_error: bool) -> Content {
    let parts = parts.into_iter().map(Part::from).collect();
    Content::ToolResult(ToolResult { id: id.to_owned(), parts, is_error })
}

fn seal(family: Family, kind: SealKind, data: &str) -> Seal {
    Seal { family, kind, id: None, data: data.to_owned() }
}

fn sealed(text: &str, seal: Seal) -> Content {
    let parts = if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
    Content::Reasoning(Reasoning { parts, seal: Some(seal) })
}

fn media(source: Source, media_type: &str) -> Media {
    Media { source, media_type: media_type.to_owned(), name: None, detail: None }
}

fn function(name: &str) -> Tool {
    Tool::Function {
        name: name.to_owned(),
        description: Some("d".to_owned()),
        parameters: Some(
            Json::new(r#"{"type":"object", "properties":{"a":{"type":["string","null"]}}}"#.to_owned()).unwrap(),
        ),
        strict: None,
        others: Vec::new(),
    }
}

#[test]
fn a_conversation_is_told_in_turns() {
    let conversation = said(vec![
        message(Role::System, vec![text("be brief"), text("be kind")]),
        message(Role::User, vec![text("a")]),
        message(Role::User, vec![text("b")]),
        message(Role::Assistant, vec![text(""), call("c1", r#"{ "x":1.0 }"#, None), call("c2", "", None)]),
        message(Role::Tool, vec![result("c1", vec![text("ok")], false)]),
        message(Role::Tool, vec![result("c2", vec![text("bad")], true)]),
        message(Role::User, vec![text("c")]),
        message(Role::System, vec![text("late")]),
        message(Role::Assistant, vec![text("d"), Content::Refusal("e".to_owned())]),
    ]);
    let expected = json!({
        "systemInstruction": {"parts": [{"text": "be brief"}, {"text": "be kind"}, {"text": "late"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
            {"role": "model", "parts": [
                {"functionCall": {"id": "c1", "name": "f", "args": {"x": 1.0}}, "thoughtSignature": "skip_thought_signature_validator"},
                {"functionCall": {"id": "c2", "name": "f", "args": {}}}]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "c1", "name": "f", "response": {"result": "ok"}}},
                {"functionResponse": {"id": "c2", "name": "f", "response": {"error": "bad"}}}]},
            {"role": "user", "parts": [{"text": "c"}]},
            {"role": "model", "parts": [{"text": "d"}, {"text": "e"}]}]
    });
    assert_eq!(body(&conversation), expected);
    let raw = encode_for(NEW, &conversation, false).unwrap().body;
    assert!(std::str::from_utf8(&raw).unwrap().contains(r#""args":{ "x":1.0 }"#), "byte for byte");
    assert!(
        body_for(OLD, &conversation)["contents"][1]["parts"][0].get("thoughtSignature").is_none(),
        "2.5 asks for none"
    );
    let silent = body(&said(vec![message(Role::System, vec![text("x")])]));
    assert_eq!(silent["contents"], json!([{"role": "user", "parts": [{"text": ""}]}]));
}

#[test]
fn signatures_go_back_to_where_they_stood_and_only_googles() {
    let google = |kind, data| seal(Family::Gemini, kind, data);
    let conversation = said(vec![
        message(Role::User, vec![text("q")]),
        message(
            Role::Assistant,
            vec![
                sealed("hm", google(SealKind::Text, "T+/=")),
                sealed("", google(SealKind::Hidden, "H")),
                sealed("theirs", seal(Family::Anthropic, SealKind::Text, "A")),
                Content::Reasoning(Reasoning { parts: vec!["open".to_owned()], seal: None }),
                text("one"),
                sealed("", google(SealKind::Answer, "S1")),
                sealed("", google(SealKind::Answer, "S2")),
                text("two"),
                call("c1", "{}", Some(google(SealKind::Call, "C1"))),
                sealed("", google(SealKind::Call, "C2")),
                call("c2", "{}", None),
            ],
        ),
        message(Role::Tool, vec![result("c1", vec![text("1")], false), result("c2", vec![text("2")], false)]),
        message(Role::Assistant, vec![call("c3", "{}", Some(seal(Family::Details, SealKind::Call, "D")))]),
    ]);
    let parts = &body(&conversation)["contents"][1]["parts"];
    let call = |id: &str, signature: &str| json!({"functionCall": {"id": id, "name": "f", "args": {}}, "thoughtSignature": signature});
    let expected = json!([
        {"text": "hm", "thought": true, "thoughtSignature": "T+/="},
        {"text": "", "thought": true, "thoughtSignature": "H"},
        {"text": "one", "thoughtSignature": "S1"},
        {"text": "", "thoughtSignature": "S2"},
        {"text": "two"},
        call("c1", "C1"),
        call("c2", "C2")
    ]);
    assert_eq!(parts, &expected);
    let encoded = encode_for(NEW, &conversation, false).unwrap();
    assert_eq!(
        encoded.dropped,
        ["messages[1].content[2]", "messages[1].content[3]", "messages[3].content[0].reasoning_details"]
    );
    let last = body(&conversation)["contents"][3]["parts"][0].clone();
    assert_eq!(last, call("c3", "skip_thought_signature_validator"), "a seal that Google cannot read is none");
}

/// The neutral conversation that a client would send after this exchange, with a result for every call.
fn next_turn(first: &Exchange) -> (Conversation, Vec<Value>) {
    let mut messages = Vec::new();
    for turn in first.meta["request"]["body"]["contents"].as_array().unwrap() {
        assert_eq!(turn["role"], "user");
        let texts = turn["parts"].as_array().unwrap().iter().map(|part| text(part["text"].as_str().unwrap()));
        messages.push(message(Role::User, texts.collect()));
    }
    let mut answer = Answer::default();
    let mut parts = Vec::new();
    if let Some(bytes) = &first.stream {
        let (mut decoder, mut events) = (stream::Decoder::new(), Vec::new());
        for data in std::str::from_utf8(bytes).unwrap().lines().filter_map(|line| line.strip_prefix("data: ")) {
            decoder.event(None, data.as_bytes(), &mut events).unwrap();
            let piece: Value = serde_json::from_str(data).unwrap();
            parts.extend(piece["candidates"][0]["content"]["parts"].as_array().unwrap().clone());
        }
        decoder.finish(&mut events).unwrap();
        for event in &events {
            answer.add(event);
        }
    } else {
        answer = answer::decode(&first.answered().unwrap()).unwrap();
        parts = first.meta["response"]["body"]["candidates"][0]["content"]["parts"].as_array().unwrap().clone();
    }
    let said = std::mem::take(&mut answer.choices[0].parts);
    let calls = said.iter().filter_map(|part| match &part.content {
        Content::ToolCall(call) => Some(result(&call.id, vec![text("cars")], false)),
        _ => None,
    });
    let results = message(Role::Tool, calls.collect());
    messages.push(Message { role: Role::Assistant, parts: said, others: Vec::new() });
    messages.push(results);
    (Conversation { messages, tools: vec![function("f")], ..Conversation::default() }, parts)
}

#[test]
fn recorded_signatures_go_back_unchanged() {
    let all: Vec<Exchange> = exchanges("gen").into_iter().chain(exchanges("gen-stream")).collect();
    let (mut loops, mut signed) = (0, 0);
    for second in all.iter().filter(|exchange| exchange.name.ends_with("-turn2")) {
        let first = all.iter().find(|exchange| format!("{}-turn2", exchange.name) == second.name).unwrap();
        let (conversation, answered) = next_turn(first);
        let url = first.meta["request"]["url"].as_str().unwrap();
        let model = url.split("/models/").nth(1).unwrap().split(':').next().unwrap();
        let sent = body_for(model, &conversation);
        let turns = sent["contents"].as_array().unwrap();
        let (model_turn, results) = (&turns[turns.len() - 2], &turns[turns.len() - 1]);
        let theirs = second.meta["request"]["body"]["contents"].as_array().unwrap();
        let theirs = theirs.iter().find(|turn| turn["role"] == "model").unwrap();
        for (place, part) in answered.iter().enumerate() {
            let ours = &model_turn["parts"][place];
            for name in ["name", "args"] {
                assert_eq!(ours["functionCall"][name], part["functionCall"][name], "{}", second.name);
            }
            assert_eq!(ours.get("thoughtSignature"), part.get("thoughtSignature"), "{} part {place}", second.name);
            // Their client wrote it in the other alphabet of base64.
            let plain = |part: &Value| part["thoughtSignature"].as_str().map(|s| s.replace('-', "+").replace('_', "/"));
            assert_eq!(plain(ours), plain(&theirs["parts"][place]), "where they put it: {}", second.name);
            assert_eq!(results["parts"][place]["functionResponse"]["id"], ours["functionCall"]["id"]);
            assert_eq!(results["parts"][place]["functionResponse"]["name"], ours["functionCall"]["name"]);
            signed += usize::from(part.get("thoughtSignature").is_some());
        }
        loops += 1;
    }
    assert!(loops >= 3 && signed >= 2, "{loops} {signed}");
}

#[test]
fn recorded_streams_with_signed_text_go_back_in_the_same_parts() {
    for exchange in exchanges("gen-stream")
        .iter()
        .filter(|exchange| exchange.name.starts_with("057") || exchange.name.starts_with("062"))
    {
        let (conversation, answered) = next_turn(exchange);
        let sent = body(&Conversation { messages: conversation.messages[..2].to_vec(), ..Conversation::default() });
        let signed = |parts: &[Value]| -> Vec<(String, String)> {
            let signed = parts.iter().filter(|part| part["thoughtSignature"].is_string());
            signed
                .map(|part| {
                    (part["text"].as_str().unwrap().to_owned(), part["thoughtSignature"].as_str().unwrap().to_owned())
                })
                .collect()
        };
        let ours = signed(sent["contents"][1]["parts"].as_array().unwrap());
        assert!(!ours.is_empty());
        assert_eq!(ours, signed(&answered), "{}", exchange.name);
    }
}

#[test]
fn a_tools_result_is_an_object() {
    for (texts, is_error, expected) in [
        (vec!["plain"], false, json!({"result": "plain"})),
        (vec![r#" {"a": 1.50} "#], false, json!({"a": 1.5})),
        (vec![r#"{"a":"}"#], false, json!({"result": "{\"a\":\"}"})),
        (vec!["[1]"], false, json!({"result": "[1]"})),
        (vec![], false, json!({"result": ""})),
        (vec!["a", "b"], false, json!({"result": ["a", "b"]})),
        (vec![r#"{"why":1}"#], true, json!({"error": {"why": 1}})),
        (vec![r#"{"output":1,"b":2}"#], false, json!({"result": {"output": 1, "b": 2}})),
        (vec![r#"{"id":1234567890123456789}"#], false, json!({"result": "{\"id\":1234567890123456789}"})),
        (
            vec![r#"{"id":"1234567890123456789\"","x":[1,2,3,4,5,6,7,8]}"#],
            false,
            json!({"id": "1234567890123456789\"", "x": [1, 2, 3, 4, 5, 6, 7, 8]}),
        ),
    ] {
        let shown = texts.iter().copied().map(text).collect();
        let conversation = said(vec![
            message(Role::Assistant, vec![call("c", "{}", None)]),
            message(Role::Tool, vec![result("c", shown, is_error)]),
        ]);
        assert_eq!(
            body(&conversation)["contents"][1]["parts"][0]["functionResponse"]["response"],
            expected,
            "{texts:?}"
        );
    }
    let orphan = said(vec![message(Role::Tool, vec![result("z", vec![], false)])]);
    assert_eq!(lost(&orphan), "messages[0].content[0].tool_call_id");
    let bad = said(vec![message(Role::Assistant, vec![call("c", "{\"a\":", None)])]);
    assert_eq!(lost(&bad), "messages[0].content[0].arguments");
}

#[test]
fn pictures_in_a_tools_result_stand_where_the_model_can_see_them() {
    let png = Content::Image(media(Source::Data("aGk=".to_owned()), "image/png"));
    let link = Content::Image(media(Source::Url("https://h.example/a.gif".to_owned()), ""));
    let conversation = said(vec![
        message(Role::Assistant, vec![call("c", "{}", None)]),
        message(Role::Tool, vec![result("c", vec![text("see"), png, link], false)]),
        message(Role::User, vec![text("well?")]),
    ]);
    let inline = json!({"inlineData": {"mimeType": "image/png", "data": "aGk="}});
    let file = json!({"fileData": {"mimeType": "image/gif", "fileUri": "https://h.example/a.gif"}});
    let new = body(&conversation);
    let response = &new["contents"][1]["parts"][0]["functionResponse"];
    assert_eq!((&response["parts"], &response["response"]), (&json!([inline]), &json!({"result": "see"})));
    assert_eq!(new["contents"][2], json!({"role": "user", "parts": [file, {"text": "well?"}]}));
    let old = body_for(OLD, &conversation);
    assert_eq!(old["contents"][1]["parts"].as_array().unwrap().len(), 1, "one response, as there was one call");
    assert!(old["contents"][1]["parts"][0]["functionResponse"].get("parts").is_none());
    assert_eq!(old["contents"][2]["parts"], json!([inline, file, {"text": "well?"}]));
}

#[test]
fn media_go_as_data_or_links() {
    let show = |content: Content| said(vec![message(Role::User, vec![content])]);
    let part = |content: Content| body(&show(content))["contents"][0]["parts"][0].clone();
    let url = |url: &str, stated: &str| media(Source::Url(url.to_owned()), stated);
    assert_eq!(
        part(Content::Document(url("https://h.example/x?y=1", "application/pdf"))),
        json!({"fileData": {"mimeType": "application/pdf", "fileUri": "https://h.example/x?y=1"}})
    );
    assert_eq!(part(Content::Document(media(Source::Text("t".to_owned()), "text/plain"))), json!({"text": "t"}));
    let kept = "https://generativelanguage.googleapis.com/v1beta/files/abc";
    assert_eq!(part(Content::Image(url(kept, ""))), json!({"fileData": {"fileUri": kept}}));
    let sound = Content::Audio(media(Source::Data("aGk=".to_owned()), "audio/wav"));
    assert_eq!(part(sound), json!({"inlineData": {"mimeType": "audio/wav", "data": "aGk="}}));
    for content in [
        Content::Image(url("https://h.example/picture", "")),
        Content::Image(media(Source::Data("aGk=".to_owned()), "")),
        Content::Document(media(Source::File("file-1".to_owned()), "")),
        Content::Opaque(Json::new("{}".to_owned()).unwrap()),
    ] {
        assert_eq!(lost(&show(content)), "messages[0].content[0]");
    }
    let close = Media {
        detail: Some("high".to_owned()),
        name: Some("n".to_owned()),
        ..media(Source::Data("YQ==".to_owned()), "image/png")
    };
    let dropped = encode_for(NEW, &show(Content::Image(close)), false).unwrap().dropped;
    assert_eq!(dropped, ["messages[0].content[0].name", "messages[0].content[0].detail"]);
}

#[test]
fn tools_keep_their_schemas_byte_for_byte() {
    let tools = |choice| Conversation {
        tools: vec![function("f"), function("a.b:c-d")],
        tool_choice: choice,
        ..Conversation::default()
    };
    let encoded = encode_for(NEW, &tools(None), false).unwrap();
    let raw = std::str::from_utf8(&encoded.body).unwrap();
    assert!(
        raw.contains(r#""parametersJsonSchema":{"type":"object", "properties":{"a":{"type":["string","null"]}}}"#),
        "{raw}"
    );
    assert_eq!(body(&tools(None))["tools"].as_array().unwrap().len(), 1);
    assert!(body(&tools(None)).get("toolConfig").is_none());
    let names = || vec!["f".to_owned()];
    for (choice, expected) in [
        (ToolChoice::Auto, json!({"mode": "AUTO"})),
        (ToolChoice::None, json!({"mode": "NONE"})),
        (ToolChoice::Required, json!({"mode": "ANY"})),
        (ToolChoice::Function("f".to_owned()), json!({"mode": "ANY", "allowedFunctionNames": ["f"]})),
        (ToolChoice::Allowed { names: names(), required: true }, json!({"mode": "ANY", "allowedFunctionNames": ["f"]})),
        (
            ToolChoice::Allowed { names: names(), required: false },
            json!({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
        ),
    ] {
        assert_eq!(body(&tools(Some(choice)))["toolConfig"]["functionCallingConfig"], expected);
    }
    assert_eq!(lost(&tools(Some(ToolChoice::Opaque(Json::new("1".to_owned()).unwrap())))), "tool_choice");
    assert_eq!(
        lost(&Conversation { tool_choice: Some(ToolChoice::Required), ..Conversation::default() }),
        "tool_choice"
    );
    assert_eq!(lost(&Conversation { parallel_tool_calls: Some(false), ..tools(None) }), "parallel_tool_calls");
    for name in ["a b", "", "1a", &"x".repeat(65), "ü"] {
        assert_eq!(
            lost(&Conversation { tools: vec![function(name)], ..Conversation::default() }),
            "tools[0].function.name",
            "{name}"
        );
    }
    let search = Tool::Hosted(Hosted { kind: "web_search".to_owned(), json: Json::new("{}".to_owned()).unwrap() });
    assert_eq!(lost(&Conversation { tools: vec![search], ..Conversation::default() }), "tools[0]");
}

#[test]
fn settings_have_their_names_and_limits() {
    let mut conversation = Conversation::default();
    let settings = &mut conversation.settings;
    let number = |text: &str| serde_json::from_str(text).unwrap();
    settings.max_output_tokens = Some(5000);
    settings.temperature = Some(number("0.50"));
    settings.top_p = Some(number("0.9"));
    settings.top_k = Some(number("40"));
    settings.stop = vec!["a".to_owned(); 5];
    settings.seed = Some(number("7"));
    settings.frequency_penalty = Some(number("0.1"));
    settings.presence_penalty = Some(number("-0.1"));
    settings.n = Some(2);
    settings.logprobs = Some(true);
    settings.top_logprobs = Some(3);
    settings.user = Some("u".to_owned());
    conversation.output = Some(OutputFormat::JsonSchema {
        name: Some("n".to_owned()),
        description: None,
        schema: Json::new(r#"{"type":"object"}"#.to_owned()).unwrap(),
        strict: Some(true),
    });
    let expected = json!({"maxOutputTokens": 1000, "temperature": 0.5, "topP": 0.9, "topK": 40, "stopSequences": ["a", "a", "a", "a", "a"],
        "seed": 7, "frequencyPenalty": 0.1, "presencePenalty": -0.1, "candidateCount": 2, "responseLogprobs": true, "logprobs": 3,
        "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}});
    assert_eq!(body(&conversation)["generationConfig"], expected);
    assert_eq!(encode_for(NEW, &conversation, false).unwrap().dropped, ["user", "response_format.json_schema.name"]);
    let with = |change: &dyn Fn(&mut Conversation)| {
        let mut changed = Conversation::default();
        change(&mut changed);
        changed
    };
    assert_eq!(lost(&with(&|c| c.settings.stop = vec!["a".to_owned(); 6])), "stop");
    assert_eq!(lost(&with(&|c| c.settings.seed = Some(serde_json::Number::from(1u64 << 40)))), "seed");
    assert_eq!(lost(&with(&|c| c.settings.n = Some(9))), "n");
    assert_eq!(lost(&with(&|c| c.settings.verbosity = Some("low".to_owned()))), "verbosity");
    let named = |hint| Named { name: "x".to_owned(), value: Json::new("1".to_owned()).unwrap(), hint };
    assert_eq!(lost(&with(&|c| c.others = vec![named(false)])), "x");
    assert_eq!(encode_for(NEW, &with(&|c| c.others = vec![named(true)]), false).unwrap().dropped, ["x"]);
    let json = body(&with(&|c| c.output = Some(OutputFormat::JsonObject)));
    assert_eq!(json["generationConfig"], json!({"responseMimeType": "application/json"}));
    assert!(body(&Conversation::default()).get("generationConfig").is_none());
}

#[test]
fn thinking_is_asked_for_as_the_model_takes_it() {
    let effort = |effort| ReasoningWish { effort: Some(effort), ..ReasoningWish::default() };
    let budget = |budget| ReasoningWish { budget: Some(budget), ..ReasoningWish::default() };
    let on = || ReasoningWish { enabled: Some(true), ..ReasoningWish::default() };
    let off = || ReasoningWish { enabled: Some(false), ..ReasoningWish::default() };
    let summary = || ReasoningWish { summary: Some("auto".to_owned()), ..ReasoningWish::default() };
    let level = |word: &str| json!({"includeThoughts": true, "thinkingLevel": word});
    let tokens = |tokens: i64| json!({"includeThoughts": true, "thinkingBudget": tokens});
    let shown = || json!({"includeThoughts": true});
    for (model, style, wish, expected, hint) in [
        (NEW, None, ReasoningWish::default(), Value::Null, false),
        (NEW, None, effort(Effort::Medium), level("MEDIUM"), false),
        (NEW, None, effort(Effort::Minimal), level("MINIMAL"), false),
        ("gemini-3.1-pro-preview", None, effort(Effort::Minimal), level("LOW"), true),
        (NEW, Some(Style::Effort), effort(Effort::Max), level("HIGH"), true),
        (NEW, None, budget(5000), level("MEDIUM"), false),
        (NEW, None, on(), shown(), false),
        (NEW, None, summary(), shown(), false),
        (NEW, None, off(), json!({"thinkingLevel": "MINIMAL"}), true),
        (OLD, None, off(), json!({"thinkingBudget": 0}), false),
        (OLD, None, effort(Effort::None), json!({"thinkingBudget": 0}), false),
        ("gemini-2.5-pro", None, off(), json!({"thinkingBudget": 128}), true),
        (OLD, Some(Style::Budget), effort(Effort::Low), tokens(1024), false),
        (OLD, None, effort(Effort::Max), tokens(24_576), false),
        (OLD, None, budget(5000), tokens(5000), false),
        ("models/gemini-2.5-pro", None, budget(5), tokens(128), false),
        (OLD, None, on(), tokens(-1), false),
        (OLD, None, summary(), shown(), false),
        (OLD, Some(Style::Toggle), effort(Effort::Low), tokens(-1), true),
        (NEW, Some(Style::Budget), effort(Effort::Low), tokens(1024), false),
        (NEW, Some(Style::Always), effort(Effort::Low), shown(), true),
        (NEW, Some(Style::Always), off(), Value::Null, true),
        (NEW, Some(Style::None), effort(Effort::Low), Value::Null, true),
        (NEW, Some(Style::None), off(), Value::Null, false),
        ("gemini-2.0-flash", None, effort(Effort::Low), Value::Null, true),
    ] {
        let conversation = Conversation { reasoning: wish.clone(), ..Conversation::default() };
        let reasoning = model_of(style);
        let encoded = request::encode(&conversation, true, &shape_of(model, &reasoning)).unwrap();
        let body: Value = serde_json::from_slice(&encoded.body).unwrap();
        assert_eq!(faults(&body), Vec::<String>::new());
        assert_eq!(body["generationConfig"]["thinkingConfig"], expected, "{model} {style:?} {wish:?}");
        assert_eq!(encoded.dropped == ["reasoning_effort"], hint, "{model} {style:?} {wish:?} {:?}", encoded.dropped);
    }
    let known = ReasoningModel { efforts: vec![(Effort::Low, 1), (Effort::High, 2)], ..model_of(Some(Style::Effort)) };
    let conversation = Conversation { reasoning: effort(Effort::Medium), ..Conversation::default() };
    let encoded = request::encode(&conversation, true, &shape_of(NEW, &known)).unwrap();
    assert!(
        std::str::from_utf8(&encoded.body).unwrap().contains(r#""thinkingLevel":"LOW""#),
        "of those it is said to know"
    );
}

/// A message of any sort, by three numbers and a text.
fn any_message(role: u8, kind: u8, other: u8, words: &str, place: usize) -> Message {
    let id = format!("c{}", other % 4);
    let family = if other.is_multiple_of(2) { Family::Gemini } else { Family::Anthropic };
    let kinds = [SealKind::Text, SealKind::Hidden, SealKind::Call, SealKind::Answer];
    let one = seal(family, kinds[usize::from(other / 2 % 4)], words);
    let source = match other % 4 {
        0 => Source::Data("YQ==".to_owned()),
        1 => Source::Url(format!("https://h.example/{place}.png")),
        2 => Source::Text(words.to_owned()),
        _ => Source::File("f".to_owned()),
    };
    let picture = Content::Image(media(source, if other > 127 { "image/png" } else { "" }));
    let contents = match (role, kind % 6) {
        (3, 0..=2) => vec![result(&id, vec![text(words), picture], other > 99)],
        (3, _) => vec![result(&id, vec![text(&format!("{{\"a\":{other}}}"))], false), result("c1", vec![], false)],
        (2, 0) => vec![sealed(words, one), text(words)],
        (2, 1) => vec![call(&id, words, None), call("c1", "{}", Some(one))],
        (2, 2) => vec![text(words), sealed("", one), call(&id, "{\"b\":[1]}", None)],
        (2, 3) => vec![],
        (_, 4) => vec![picture, text(words)],
        _ => vec![text(words)],
    };
    message([Role::System, Role::User, Role::Assistant, Role::Tool][usize::from(role)], contents)
}

fn any_conversation() -> impl Strategy<Value = Conversation> {
    let messages = prop::collection::vec((0u8..4, any::<u8>(), any::<u8>(), ".{0,12}"), 0..10);
    (messages, any::<u8>(), prop::option::of(any::<i64>()), prop::option::of(0u64..40_000)).prop_map(
        |(messages, bits, seed, budget)| {
            let messages = messages.iter().enumerate();
            let messages =
                messages.map(|(place, (role, kind, other, words))| any_message(*role, *kind, *other, words, place));
            let mut conversation = Conversation { messages: messages.collect(), ..Conversation::default() };
            conversation.tools.extend((0..bits % 3).map(|number| function(&format!("f{number}"))));
            conversation.tool_choice = (bits & 8 != 0).then_some(ToolChoice::Required);
            conversation.settings.seed = seed.map(Into::into);
            conversation.settings.n = Some(u32::from(bits % 11));
            conversation.reasoning.budget = budget;
            conversation
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_body_is_what_the_schema_says(conversation in any_conversation(), old: bool) {
        let model = if old { OLD } else { NEW };
        let encoded = encode_for(model, &conversation, true).expect("with `drop` nothing is refused");
        let body: Value = serde_json::from_slice(&encoded.body).unwrap();
        prop_assert_eq!(faults(&body), Vec::<String>::new());
        if let Ok(strict) = encode_for(model, &conversation, false) {
            prop_assert_eq!(strict, encoded);
        }
    }

    #[test]
    fn what_follows_never_changes_what_was_said(conversation in any_conversation(), old: bool) {
        let model = if old { OLD } else { NEW };
        let mut whole = conversation;
        // A system message goes to the front, wherever it stood.
        whole.messages.retain(|message| message.role != Role::System);
        let body = |count: usize| {
            let part = Conversation { messages: whole.messages[..count].to_vec(), ..whole.clone() };
            String::from_utf8(encode_for(model, &part, true).unwrap().body.to_vec()).unwrap()
        };
        for count in 1..whole.messages.len() {
            // The results of one turn come together.
            if whole.messages[count - 1..=count].iter().all(|message| message.role == Role::Tool) {
                continue;
            }
            let before = body(count);
            // The last part may still get its signature; all before its closing brace stands.
            let said = before.strip_suffix("}]}]}").unwrap();
            if !before.ends_with(r#"[{"role":"user","parts":[{"text":""}]}]}"#) {
                prop_assert!(body(count + 1).starts_with(said), "{} | {}", before, body(count + 1));
            }
        }
    }
}
