use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::chat::{
    Content, Effort, Json, Media, Message, Named, OutputFormat, Part, Reasoning, ReasoningWish, Seal, SealKind,
    Settings, Source, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::wire::recorded::exchanges;

/// The conversation that a target reads out of a body of ours.
fn back(encoded: &Encoded) -> Conversation {
    decode(&judge(encoded.body.clone()).unwrap()).unwrap()
}

/// `store` is always said in what we write.
fn without_store(mut conversation: Conversation) -> Conversation {
    conversation.others.retain(|other| other.name != "store");
    conversation
}

#[test]
fn recorded_requests_survive_the_way_there_and_back() {
    for exchange in exchanges("responses") {
        let request = judge(exchange.sent()).unwrap();
        let read = decode(&request).unwrap();
        let encoded = encode(&read, request.stream, &shape(&UNSAID)).unwrap();
        let again = judge(encoded.body.clone()).unwrap();
        assert_eq!(again.stream, request.stream, "{}", exchange.name);
        assert_eq!(without_store(back(&encoded)), without_store(read), "{}", exchange.name);
        assert!(encoded.dropped.is_empty(), "{}: {:?}", exchange.name, encoded.dropped);
    }
}

#[test]
fn a_body_begins_with_that_of_the_turn_before() {
    let turns = [
        r#"{"role":"user","content":"weather?"}"#,
        r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gA"},
        {"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"x\":1}","status":"completed"},
        {"type":"function_call","id":"fc_2","call_id":"c2","name":"f","arguments":"{}","status":"completed"},
        {"type":"function_call_output","call_id":"c1","output":"sun"},
        {"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"rain"}]}"#,
        r#"{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"fine","annotations":[]},{"type":"refusal","refusal":"no"}]},
        {"role":"user","content":[{"type":"input_text","text":"thanks"}]}"#,
    ];
    // A body up to the end of its last item.
    let items = |body: &str| body[..=body.rfind("}]").unwrap()].to_owned();
    let mut before = (String::new(), String::new());
    for end in 1..=turns.len() {
        let input = turns[..end].join(",");
        let settings = ["", r#","temperature":0.5"#, r#","max_output_tokens":99,"tools":[]"#][end - 1];
        let body = format!(r#"{{"model":"m","instructions":"be kind","input":[{input}]{settings}}}"#);
        let translated = String::from_utf8(written(&read(&body)).body.to_vec()).unwrap();
        let passed = String::from_utf8(pass(&judged(&body), &shape(&UNSAID)).to_vec()).unwrap();
        assert!(translated.starts_with(&before.0), "{translated}\nbegins with\n{}", before.0);
        assert!(passed.starts_with(&before.1), "{passed}\nbegins with\n{}", before.1);
        before = (items(&translated), items(&passed));
    }
}

const CITATION: &str = r#"[{"type": "url_citation","url":"https://x/","start_index":0,"end_index":1,"title":"x"}]"#;

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z \"\\\\\n]{1,12}", "\\PC{1,8}"]
}

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9_-]{1,20}"
}

fn media(documents: bool) -> impl Strategy<Value = Media> {
    let source = prop_oneof![
        "[A-Za-z0-9+/]{4}".prop_map(|data| (Source::Data(data), "image/png".to_owned())),
        "https://[a-z]{1,8}/x".prop_map(|url| (Source::Url(url), String::new())),
        word().prop_map(|id| (Source::File(id), String::new())),
    ];
    let detail = option::of(prop_oneof![Just("low".to_owned()), Just("high".to_owned())]);
    (source, "[a-z]{1,8}\\.pdf", detail).prop_map(move |((source, media_type), name, detail)| Media {
        source,
        media_type,
        name: documents.then_some(name),
        detail,
    })
}

fn heard() -> impl Strategy<Value = Part> {
    let mark =
        Named { name: "prompt_cache_breakpoint".to_owned(), value: json_of(r#"{"mode": "explicit"}"#), hint: true };
    let content = prop_oneof![
        4 => text().prop_map(Content::Text),
        1 => media(false).prop_map(Content::Image),
        1 => media(true).prop_map(Content::Document),
    ];
    (content, any::<bool>())
        .prop_map(move |(content, marked)| Part { content, others: if marked { vec![mark.clone()] } else { vec![] } })
}

fn json_of(text: &str) -> Json {
    Json::new(text.to_owned()).unwrap()
}

fn said() -> impl Strategy<Value = Part> {
    let thought = (vec(text(), 0..3), option::of(word()), "[A-Za-z0-9=]{1,12}").prop_map(|(parts, id, data)| {
        let kind = if parts.is_empty() { SealKind::Hidden } else { SealKind::Text };
        Content::Reasoning(Reasoning { parts, seal: Some(Seal { family: Family::Openai, kind, id, data }) })
    });
    let call = (word(), word(), text())
        .prop_map(|(id, name, arguments)| Content::ToolCall(ToolCall { id, name, arguments, seal: None }));
    let phase = Named { name: "phase".to_owned(), value: json_of(r#""commentary""#), hint: true };
    let cited = Named { name: "annotations".to_owned(), value: json_of(CITATION), hint: true };
    prop_oneof![
        text().prop_map(|text| Part::from(Content::Text(text))),
        text().prop_map(move |text| Part { content: Content::Text(text), others: vec![phase.clone()] }),
        text().prop_map(move |text| Part { content: Content::Text(text), others: vec![cited.clone()] }),
        text().prop_map(|text| Content::Refusal(text).into()),
        thought.prop_map(Part::from),
        call.prop_map(Part::from),
        word().prop_map(|id| {
            Content::Opaque(json_of(&format!(r#"{{"type": "compaction","id":"{id}","encrypted_content":"gA"}}"#)))
                .into()
        }),
    ]
}

fn result() -> impl Strategy<Value = Part> {
    (word(), vec(heard(), 0..3))
        .prop_map(|(id, parts)| Content::ToolResult(ToolResult { id, parts, is_error: false }).into())
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let message = |role: Role, parts: Vec<Part>| Message { role, parts, others: Vec::new() };
    let one = prop_oneof![
        vec(heard(), 0..4).prop_map(move |parts| message(Role::User, parts)),
        vec(heard(), 1..3).prop_map(move |parts| message(Role::System, parts)),
        vec(said(), 0..5).prop_map(move |parts| message(Role::Assistant, parts)),
        vec(result(), 1..4).prop_map(move |parts| message(Role::Tool, parts)),
    ];
    // Two in a row of the model or of tools are one in this format.
    vec(one, 1..8).prop_map(|mut messages| {
        messages.dedup_by(|next, last| next.role == last.role && matches!(next.role, Role::Assistant | Role::Tool));
        messages
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    let number = || option::of((0u32..100).prop_map(|n| serde_json::Number::from_f64(f64::from(n) / 128.0).unwrap()));
    (
        option::of(16u64..1 << 40),
        number(),
        number(),
        any::<bool>(),
        option::of(0u64..20),
        option::of(text()),
        option::of(Just("high".to_owned())),
    )
        .prop_map(|(max_output_tokens, temperature, top_p, logprobs, top_logprobs, user, verbosity)| Settings {
            max_output_tokens,
            temperature,
            top_p,
            logprobs: logprobs.then_some(true),
            top_logprobs,
            user,
            verbosity,
            ..Settings::default()
        })
}

fn tools() -> impl Strategy<Value = Vec<Tool>> {
    let function = (word(), option::of(text()), any::<bool>()).prop_map(|(name, description, strict)| Tool::Function {
        name,
        description,
        parameters: Some(json_of(r#"{"type": "object", "n":1.0}"#)),
        strict: Some(strict),
        others: Vec::new(),
    });
    let custom = Just(Tool::Hosted(chat::Hosted {
        kind: "custom".to_owned(),
        json: json_of(r#"{ "type":"custom","name":"c"}"#),
    }));
    vec(prop_oneof![4 => function, 1 => custom], 0..4)
}

fn choice() -> impl Strategy<Value = ToolChoice> {
    prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        word().prop_map(ToolChoice::Function),
        (vec(word(), 0..3), any::<bool>()).prop_map(|(names, required)| ToolChoice::Allowed { names, required }),
        Just(ToolChoice::Opaque(json_of(r#"{"type":"custom","name": "c"}"#))),
    ]
}

fn output() -> impl Strategy<Value = OutputFormat> {
    let schema = (word(), option::of(text()), option::of(any::<bool>())).prop_map(|(name, description, strict)| {
        let schema = json_of(r#"{"type": "object"}"#);
        OutputFormat::JsonSchema { name: Some(name), description, schema, strict }
    });
    prop_oneof![Just(OutputFormat::Text), Just(OutputFormat::JsonObject), schema]
}

fn wish() -> impl Strategy<Value = ReasoningWish> {
    let effort = prop_oneof![Just(Effort::Minimal), Just(Effort::High), Just(Effort::Max)];
    (option::of(effort), option::of(Just("detailed".to_owned()))).prop_map(|(effort, summary)| ReasoningWish {
        effort,
        summary,
        ..ReasoningWish::default()
    })
}

/// Conversations of which the format can say everything.
fn conversation() -> impl Strategy<Value = Conversation> {
    let others = Just(
        [
            ("reasoning.context", r#""all_turns""#, true),
            ("text.odd", "{}", false),
            ("include", r#"["web_search_call.results"]"#, true),
            ("metadata", r#"{"a": "b"}"#, true),
            ("truncation", r#""auto""#, false),
        ]
        .map(|(name, value, hint)| Named { name: name.to_owned(), value: json_of(value), hint }),
    );
    let others = (others, vec(any::<bool>(), 5)).prop_map(|(others, kept)| {
        others.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(other, _)| other).collect()
    });
    (
        (messages(), tools(), option::of(choice()), option::of(any::<bool>())),
        (option::of(output()), wish(), settings(), others),
    )
        .prop_map(
            |((messages, tools, tool_choice, parallel_tool_calls), (output, reasoning, settings, others))| {
                Conversation {
                    from: Some(Format::Responses),
                    messages,
                    tools,
                    tool_choice,
                    parallel_tool_calls,
                    output,
                    reasoning,
                    settings,
                    others,
                }
            },
        )
}

/// Members in one order.
fn sorted(conversation: Conversation) -> Conversation {
    let mut conversation = without_store(conversation);
    conversation.others.sort_by(|one, other| one.name.cmp(&other.name));
    conversation
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_conversation_survives_the_way_there_and_back(conversation in conversation(), stream in any::<bool>()) {
        let encoded = encode(&conversation, stream, &shape(&UNSAID)).unwrap();
        prop_assert!(encoded.dropped.is_empty(), "{:?}", encoded.dropped);
        let request = judge(encoded.body.clone()).unwrap();
        prop_assert_eq!(request.stream, stream);
        prop_assert_eq!(sorted(decode(&request).unwrap()), sorted(conversation));
    }

    #[test]
    fn what_is_added_changes_nothing_before(conversation in conversation(), next in messages()) {
        let before = written(&conversation).body;
        let mut longer = conversation;
        longer.messages.extend(next);
        let after = written(&longer).body;
        let request = judge(before.clone()).unwrap();
        let items = &before[..request.edits.messages.end - 1];
        prop_assert!(after.starts_with(items));
    }

    #[test]
    fn no_body_is_too_odd_to_be_answered(body in "[\\PC]{0,40}|\\{\"model\":\"m\",\"input\":[\\[\\]{}\",:a-z0-9]{0,40}\\}") {
        if let Ok(request) = judge(Bytes::from(body)) {
            let _ = decode(&request);
            let _ = prompt(&request);
            let _ = pass(&request, &shape(&UNSAID));
        }
    }
}
