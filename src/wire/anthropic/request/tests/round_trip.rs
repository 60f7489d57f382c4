use proptest::prelude::*;

use super::*;
use crate::chat::{
    Content, Effort, Json, Media, Message, Named, OutputFormat, Part, Reasoning, ReasoningWish, Role, Seal, SealKind,
    Settings, Source, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::wire::recorded;

fn sent_to_anthropic() -> Vec<recorded::Exchange> {
    recorded::exchanges("messages").into_iter().chain(recorded::exchanges("count")).collect()
}

/// What a wish by degree means to a model that thinks by degree.
fn spelt_out(mut said: Conversation) -> Conversation {
    if said.reasoning.effort.is_some() {
        said.reasoning.enabled = Some(true);
        said.reasoning.summary = Some("auto".to_owned());
    }
    said
}

#[test]
fn every_recorded_request_survives_the_way_there_and_back() {
    for exchange in sent_to_anthropic() {
        let first = said(exchange.sent());
        let style = first.reasoning.effort.map(|_| Style::Effort);
        let (body, dropped) = written(&first, style).unwrap();
        assert!(dropped.is_empty(), "{}: {dropped:?}", exchange.name);
        let mut again = said(bytes(&body));
        if first.settings.max_output_tokens.is_none() {
            again.settings.max_output_tokens = None;
        }
        assert_eq!(again, spelt_out(first), "{}", exchange.name);
    }
}

/// Every value under this key, wherever it stands, in order.
fn under<'v>(key: &str, value: &'v Value, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if name == key {
                    found.push(member);
                }
                under(key, member, found);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| under(key, element, found)),
        _ => {}
    }
}

#[test]
fn signatures_and_inputs_are_what_was_recorded() {
    let (mut signatures, mut inputs) = (0, 0);
    for exchange in sent_to_anthropic() {
        let sent: Value = serde_json::from_slice(&exchange.sent()).unwrap();
        let first = said(exchange.sent());
        let (body, _) = written(&first, first.reasoning.effort.map(|_| Style::Effort)).unwrap();
        for (key, count) in
            [("signature", &mut signatures), ("thinking", &mut 0), ("input", &mut inputs), ("id", &mut 0)]
        {
            let (mut before, mut after) = (Vec::new(), Vec::new());
            under(key, &sent["messages"], &mut before);
            under(key, &body["messages"], &mut after);
            assert_eq!(after, before, "{}: {key}", exchange.name);
            *count += before.len();
        }
    }
    assert!(signatures > 0 && inputs > 5, "the recordings show them: {signatures}, {inputs}");
}

#[test]
fn a_recorded_turn_goes_on_with_the_bytes_of_the_one_before() {
    let reasoning = styled(None);
    let mut pairs = 0;
    let exchanges = recorded::exchanges("messages");
    for turn in exchanges.iter().filter(|exchange| exchange.name.ends_with("-turn2")) {
        let before = exchanges.iter().find(|exchange| format!("{}-turn2", exchange.name) == turn.name).unwrap();
        let encoded = |exchange: &recorded::Exchange| {
            encode(&said(exchange.sent()), false, &shape(&reasoning, &DIALECT)).unwrap().body
        };
        let (first, second) = (encoded(before), encoded(turn));
        assert!(second.starts_with(&first[..first.len() - 2]), "{}", turn.name);
        pairs += 1;
    }
    assert!(pairs > 2);
}

#[test]
fn arguments_stay_as_the_model_wrote_them() {
    let body = r#"{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{ "b":1.0, "a": [ "\u00e9", 1e400 ] }}]}]}"#;
    let first = said(Bytes::from(body));
    let Content::ToolCall(call) = &first.messages[0].parts[0].content else { panic!("a call") };
    assert_eq!(call.arguments, r#"{ "b":1.0, "a": [ "\u00e9", 1e400 ] }"#);
    let reasoning = styled(None);
    let again = encode(&first, false, &shape(&reasoning, &DIALECT)).unwrap().body;
    assert!(std::str::from_utf8(&again).unwrap().contains(&call.arguments));
}

#[test]
fn blocks_have_their_neutral_words() {
    let conversation = said(body(json!({
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "document", "title": "T", "context": "c", "citations": {"enabled": true},
                    "source": {"type": "text", "media_type": "text/plain", "data": "d"}},
                {"type": "document", "source": {"type": "content", "content": [
                    {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "t", "signature": "wp1:gemini.call:::sig"},
                {"type": "thinking", "thinking": "open", "signature": "wp1:open:::"},
                {"type": "redacted_thinking", "data": "Eq"},
                {"type": "tool_use", "id": "a", "name": "f", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "text", "text": "before"},
                {"type": "tool_result", "tool_use_id": "a", "is_error": true, "content": "no"},
            ]},
        ],
    })));
    let [system, user, assistant, tool, after] = conversation.messages.as_slice() else { panic!("{conversation:?}") };
    assert_eq!((system.role, system.parts[0].others[0].hint), (Role::System, true));
    let Content::Document(document) = &user.parts[0].content else { panic!("{user:?}") };
    assert_eq!((document.name.as_deref(), &document.source), (Some("T"), &Source::Text("d".to_owned())));
    let others: Vec<_> = user.parts[0].others.iter().map(|other| (other.name.as_str(), other.hint)).collect();
    assert_eq!(others, [("citations", false), ("context", false)], "both say something to the model");
    let Content::Document(document) = &user.parts[1].content else { panic!("{user:?}") };
    assert_eq!(document.source, Source::Text("a\n\nb".to_owned()));
    let open = Reasoning { parts: vec!["open".to_owned()], seal: None };
    let hidden = Seal { family: Family::Anthropic, kind: SealKind::Hidden, id: None, data: "Eq".to_owned() };
    assert_eq!(assistant.parts[0].content, Content::Reasoning(open));
    assert_eq!(assistant.parts[1].content, Content::Reasoning(Reasoning { parts: Vec::new(), seal: Some(hidden) }));
    let Content::ToolCall(call) = &assistant.parts[2].content else { panic!("{assistant:?}") };
    assert_eq!(call.seal.as_ref().map(|seal| (seal.family, seal.data.as_str())), Some((Family::Gemini, "sig")));
    assert_eq!((tool.role, tool.parts.len(), after.role, after.parts.len()), (Role::Tool, 1, Role::User, 1));
}

fn text() -> impl Strategy<Value = String> {
    "[a-z\u{e9}\u{1f600}\"\\\\<]([a-z\u{e9} \n\t\"\\\\]{0,8}[a-z.\u{e9}])?"
}

fn json_object() -> impl Strategy<Value = Json> {
    prop_oneof![Just("{}"), Just(r#"{"a": 1.50, "b" :[null,"\u00fc"]}"#), Just(r#"{"type":"object","properties":{}}"#)]
        .prop_map(|text| Json::new(text.to_owned()).unwrap())
}

fn schema() -> impl Strategy<Value = Json> {
    Just(Json::new(r#"{"type": "object","properties":{"x":{"type":"number"}}}"#.to_owned()).unwrap())
}

fn marked() -> impl Strategy<Value = Vec<Named>> {
    let value = Json::new(r#"{"type":"ephemeral"}"#.to_owned()).unwrap();
    let mark = Named { name: "cache_control".to_owned(), value, hint: true };
    prop_oneof![3 => Just(Vec::new()), 1 => Just(vec![mark])]
}

fn part(content: impl Strategy<Value = Content>) -> impl Strategy<Value = Part> {
    (content, marked()).prop_map(|(content, others)| Part { content, others })
}

fn media() -> impl Strategy<Value = Content> {
    let media = |source, media_type: &str, name: Option<String>| Media {
        source,
        media_type: media_type.to_owned(),
        name,
        detail: None,
    };
    prop_oneof![
        Just(Content::Image(media(Source::Data("iVBORw0K".to_owned()), "image/png", None))),
        Just(Content::Image(media(Source::Url("https://x/y.png".to_owned()), "", None))),
        Just(Content::Image(media(Source::File("file_1".to_owned()), "", None))),
        prop::option::of(text()).prop_map(move |name| Content::Document(media(
            Source::Data("JVBERi0=".to_owned()),
            "application/pdf",
            name
        ))),
        text().prop_map(move |text| Content::Document(media(Source::Text(text), "text/plain", None))),
        Just(Content::Document(media(Source::Url("https://x/y.pdf".to_owned()), "", None))),
        Just(Content::Opaque(
            Json::new(r#"{"type":"search_result","source":"s","title":"t","content":[]}"#.to_owned()).unwrap()
        )),
    ]
}

fn user() -> impl Strategy<Value = Message> {
    let parts = prop::collection::vec(
        prop_oneof![4 => part(text().prop_map(Content::Text)), 1 => media().prop_map(Part::from)],
        1..4,
    );
    parts.prop_map(|parts| Message { role: Role::User, parts, others: Vec::new() })
}

fn assistant() -> impl Strategy<Value = Message> {
    let sealed = |parts, kind, data| {
        Content::Reasoning(Reasoning { parts, seal: Some(Seal { family: Family::Anthropic, kind, id: None, data }) })
    };
    let call = ("[a-zA-Z0-9_-]{1,20}", text(), json_object()).prop_map(|(id, name, input)| {
        Content::ToolCall(ToolCall { id, name, arguments: input.text().to_owned(), seal: None })
    });
    let parts = prop::collection::vec(
        prop_oneof![
            part(text().prop_map(Content::Text)),
            part(call),
            (text(), text()).prop_map(move |(text, data)| sealed(vec![text], SealKind::Text, data).into()),
            text().prop_map(move |data| sealed(Vec::new(), SealKind::Text, data).into()),
            text().prop_map(move |data| sealed(Vec::new(), SealKind::Hidden, data).into()),
        ],
        1..5,
    );
    parts.prop_map(|parts| Message { role: Role::Assistant, parts, others: Vec::new() })
}

fn results() -> impl Strategy<Value = Message> {
    let parts = prop::collection::vec(
        prop_oneof![3 => text().prop_map(Content::Text), 1 => media()].prop_map(Part::from),
        0..3,
    );
    let result = ("[a-zA-Z0-9_-]{1,20}", parts, any::<bool>())
        .prop_map(|(id, parts, is_error)| Content::ToolResult(ToolResult { id, parts, is_error }));
    prop::collection::vec(part(result), 1..3).prop_map(|parts| Message { role: Role::Tool, parts, others: Vec::new() })
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let system = prop::collection::vec(part(text().prop_map(Content::Text)), 1..3).prop_map(|parts| Message {
        role: Role::System,
        parts,
        others: Vec::new(),
    });
    let turn = (prop::option::of(results()), prop::option::of(user()), assistant());
    (prop::option::of(system), prop::collection::vec(turn, 1..4), any::<bool>()).prop_map(|(system, turns, open)| {
        let mut messages: Vec<Message> = system.into_iter().collect();
        for (place, (results, user, assistant)) in turns.into_iter().enumerate() {
            // Without either, two answers would follow each other.
            let nothing = results.is_none() && user.is_none();
            let words = Part::from(Content::Text("go on".to_owned()));
            let goes_on = Message { role: Role::User, parts: vec![words], others: Vec::new() };
            messages.extend(results);
            messages.extend(user);
            messages.extend((nothing && place > 0).then_some(goes_on));
            messages.push(assistant);
        }
        if open && messages.iter().any(|message| matches!(message.role, Role::User | Role::Tool)) {
            messages.pop();
        }
        messages
    })
}

fn tool() -> impl Strategy<Value = Tool> {
    (text(), prop::option::of(text()), schema(), prop::option::of(any::<bool>()), marked()).prop_map(
        |(name, description, schema, strict, others)| Tool::Function {
            name,
            description,
            parameters: Some(schema),
            strict,
            others,
        },
    )
}

fn wish() -> impl Strategy<Value = ReasoningWish> {
    let budget = |budget| ReasoningWish { budget: Some(budget), enabled: Some(true), ..ReasoningWish::default() };
    let shown = ReasoningWish { summary: Some("auto".to_owned()), enabled: Some(true), ..ReasoningWish::default() };
    prop_oneof![
        Just(ReasoningWish::default()),
        Just(ReasoningWish { enabled: Some(false), ..ReasoningWish::default() }),
        Just(ReasoningWish { enabled: Some(true), ..ReasoningWish::default() }),
        Just(shown),
        (1024u64..20_000).prop_map(budget),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    let numbers = (prop::option::of(0u32..=10), prop::option::of(95u32..=100), prop::option::of(1u32..50));
    (30_000u64..60_000, numbers, prop::collection::vec(text(), 0..3), prop::option::of(text())).prop_map(
        |(most, (temperature, top_p, top_k), stop, user)| Settings {
            max_output_tokens: Some(most),
            temperature: temperature.and_then(|tenths| serde_json::Number::from_f64(f64::from(tenths) / 10.0)),
            top_p: top_p.and_then(|parts| serde_json::Number::from_f64(f64::from(parts) / 100.0)),
            top_k: top_k.map(serde_json::Number::from),
            stop,
            user,
            ..Settings::default()
        },
    )
}

fn conversation() -> impl Strategy<Value = Conversation> {
    let choice = prop_oneof![
        Just((None, None)),
        prop::option::of(any::<bool>()).prop_map(|parallel| (Some(ToolChoice::Auto), parallel)),
        prop::option::of(any::<bool>()).prop_map(|parallel| (Some(ToolChoice::Required), parallel)),
        text().prop_map(|name| (Some(ToolChoice::Function(name)), None)),
        Just((Some(ToolChoice::None), None)),
    ];
    let output = prop::option::of(schema().prop_map(|schema| OutputFormat::JsonSchema {
        name: None,
        description: None,
        schema,
        strict: None,
    }));
    let tools = prop::collection::vec(tool(), 0..3);
    (messages(), tools, choice, output, wish(), settings()).prop_map(
        |(messages, tools, (tool_choice, parallel), output, mut reasoning, mut settings)| {
            let forced = matches!(tool_choice, Some(ToolChoice::Required | ToolChoice::Function(_)));
            let tools_needed = tool_choice.is_some() && !forced && tools.is_empty();
            if forced {
                reasoning = ReasoningWish::default();
            }
            if reasoning.enabled == Some(true) {
                (settings.temperature, settings.top_k) = (None, None);
            }
            let (tool_choice, parallel_tool_calls) = if tools_needed { (None, None) } else { (tool_choice, parallel) };
            Conversation {
                from: Some(Format::Messages),
                messages,
                tools,
                tool_choice,
                parallel_tool_calls,
                output,
                reasoning,
                settings,
                others: Vec::new(),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_can_be_said_survives_the_way_there_and_back(first in conversation()) {
        let (body, dropped) = written(&first, None).unwrap();
        prop_assert!(dropped.is_empty(), "{:?}", dropped);
        prop_assert_eq!(said(bytes_in_order(&first)), first, "{}", body);
    }

    #[test]
    fn a_conversation_goes_on_with_the_bytes_of_the_turn_before(first in conversation(), more in prop::collection::vec((assistant(), user()), 2)) {
        let reasoning = styled(None);
        let mut grown = first;
        // A turn ends with what the user or a tool says.
        grown.messages.retain(|message| message.role != Role::Assistant);
        prop_assume!(grown.messages.iter().any(|message| message.role != Role::System));
        let mut before = encode(&grown, false, &shape(&reasoning, &DIALECT)).unwrap().body;
        for (answer, words) in more {
            grown.messages.extend([answer, words]);
            let after = encode(&grown, false, &shape(&reasoning, &DIALECT)).unwrap().body;
            prop_assert!(after.starts_with(&before[..before.len() - 2]));
            before = after;
        }
    }
}

/// As the encoder writes it: `Value` would sort members.
fn bytes_in_order(conversation: &Conversation) -> Bytes {
    let reasoning = styled(None);
    encode(conversation, false, &shape(&reasoning, &DIALECT)).unwrap().body
}

#[test]
fn degrees_are_read_as_they_are_written() {
    for effort in [Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh, Effort::Max] {
        let wish = ReasoningWish { effort: Some(effort), ..ReasoningWish::default() };
        let first = Conversation { reasoning: wish, ..said(body(json!({}))) };
        let (body, dropped) = written(&first, Some(Style::Effort)).unwrap();
        assert!(dropped.is_empty());
        assert_eq!(said(bytes(&body)).reasoning, spelt_out(first).reasoning);
    }
}
