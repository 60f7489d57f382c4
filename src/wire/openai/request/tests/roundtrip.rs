//! Read, written and read again: nothing may change on the way.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{NO_REASONING, plain};
use crate::chat::{Content, Conversation, Family, Role, Tool};
use crate::wire::dialect::{EffortDialect, ReasoningBack};
use crate::wire::openai::request::{decode, encode, judge};
use crate::wire::recorded;
use crate::wire::{Dialect, Shape};

/// Takes whatever can be said; reasoning goes back as OpenRouter wants it.
const EVERYTHING: Dialect = Dialect {
    effort: EffortDialect::Object,
    reasoning_back: ReasoningBack::Details,
    seals: Some(Family::Details),
    open_sampling: true,
    cache_control: true,
    ..Dialect::PLAIN
};
/// The same, but reasoning goes back as text and seals as Google wants them.
const GOOGLE: Dialect = Dialect { reasoning_back: ReasoningBack::Content, seals: Some(Family::Gemini), ..EVERYTHING };
const MISTRAL: Dialect = Dialect { reasoning_back: ReasoningBack::Parts, ..EVERYTHING };

fn read(body: impl Into<Bytes>) -> Conversation {
    let body = body.into();
    let request = judge(body.clone()).unwrap_or_else(|error| panic!("{error}: {body:?}"));
    decode(&request).unwrap_or_else(|error| panic!("{error}: {body:?}"))
}

/// The body for a target that takes everything, and what it says.
fn again(said: &Conversation, stream: bool, dialect: &Dialect) -> (Bytes, Conversation) {
    let shape = Shape { dialect, ..plain("m", &NO_REASONING) };
    let encoded = encode(said, stream, &shape).unwrap();
    let read = read(encoded.body.clone());
    (encoded.body, read)
}

/// Without the reasoning that is of no use any more: unsigned, where no tool has been called in its turn.
fn in_use(mut said: Conversation) -> Conversation {
    let mut called = false;
    for message in &mut said.messages {
        let calls = message.parts.iter().any(|part| matches!(part.content, Content::ToolCall(_)));
        called = message.role != Role::User && (called || calls || message.role == Role::Tool);
        if !called && message.others.iter().all(|other| other.name != "reasoning_details") {
            message
                .parts
                .retain(|part| !matches!(&part.content, Content::Reasoning(reasoning) if reasoning.seal.is_none()));
        }
    }
    said
}

#[test]
fn every_recorded_request_says_the_same_when_written_anew() {
    for exchange in recorded::exchanges("chat") {
        let body = exchange.sent();
        let said = read(body.clone());
        let stream = judge(body.clone()).unwrap().stream;
        let mistral = exchange.meta["provider"] == "mistral";
        let (written, back) = again(&said, stream, if mistral { &MISTRAL } else { &GOOGLE });
        // Mistral takes all reasoning back.
        assert_eq!(back, if mistral { said } else { in_use(said) }, "{}", exchange.name);
        let arguments = |body: &[u8]| -> Vec<String> {
            let body: Value = serde_json::from_slice(body).unwrap();
            let messages = body["messages"].as_array().unwrap().iter();
            let calls = messages.flat_map(|message| message["tool_calls"].as_array().cloned().unwrap_or_default());
            calls.map(|call| call["function"]["arguments"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(arguments(&written), arguments(&body), "{}", exchange.name);
    }
}

#[test]
fn arguments_and_schemas_go_through_byte_for_byte() {
    let schema = r#"{ "b": 1.0, "a" : [1e2 , "\u00e9\/"] }"#;
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"x"}},{{"role":"assistant","tool_calls":[{{"id":"1","type":"function",
        "function":{{"name":"f","arguments":"{{ \"x\" : 1.0,"}}}}]}},{{"role":"tool","tool_call_id":"1","content":"r"}}],
        "tools":[{{"type":"function","function":{{"name":"f","parameters":{schema}}}}}],
        "response_format":{{"type":"json_schema","json_schema":{{"name":"n","schema":{schema}}}}}}}"#
    );
    let (written, back) = again(&read(body), false, &Dialect::PLAIN);
    let written = std::str::from_utf8(&written).unwrap();
    assert_eq!(written.matches(schema).count(), 2, "{written}");
    assert!(written.contains(r#""arguments":"{ \"x\" : 1.0,""#), "{written}");
    assert!(matches!(&back.tools[0], Tool::Function { parameters: Some(json), .. } if json.text() == schema));
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,8}", "\\PC{1,6}", Just("\"\\\n\u{7f}é".to_owned())]
}

fn mark() -> impl Strategy<Value = Option<Value>> {
    option::weighted(0.2, Just(json!({"type": "ephemeral", "ttl": "1h"})))
}

fn with(mut object: Value, name: &str, value: Option<impl Into<Value>>) -> Value {
    if let Some(value) = value {
        object[name] = value.into();
    }
    object
}

fn text_part() -> impl Strategy<Value = Value> {
    (word(), mark()).prop_map(|(text, mark)| with(json!({"type": "text", "text": text}), "cache_control", mark))
}

fn user_part() -> impl Strategy<Value = Value> {
    let link =
        prop_oneof![Just("https://h.example/a.png".to_owned()), Just("data:image/png;base64,iVBORw==".to_owned())];
    let image = (link, option::of(Just("high")), mark()).prop_map(|(url, detail, mark)| {
        with(
            json!({"type": "image_url", "image_url": with(json!({"url": url}), "detail", detail)}),
            "cache_control",
            mark,
        )
    });
    let file = prop_oneof![
        Just(json!({"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"})),
        Just(json!({"file_data": "data:text/csv;base64,JVBE"})),
        Just(json!({"filename": "n", "file_data": "https://h.example/x.pdf"})),
        Just(json!({"file_data": "JVBE"})),
        Just(json!({"filename": "A.PDF", "file_data": "JVBE"})),
        Just(json!({"file_id": "file-1"})),
    ]
    .prop_map(|file| json!({"type": "file", "file": file}));
    let audio = prop_oneof![Just("wav"), Just("mp3"), Just("flac")]
        .prop_map(|format| json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": format}}));
    let odd = Just(json!({"type": "video_url", "video_url": {"url": "https://h.example/v"}}));
    prop_oneof![4 => text_part(), 2 => image, 1 => file, 1 => audio, 1 => odd]
}

fn content(part: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    prop_oneof![word().prop_map(Value::from), vec(part, 1..4).prop_map(Value::from)].boxed()
}

/// Reasoning as it comes back from a client: details of any family, or text.
fn thoughts(details: bool) -> BoxedStrategy<BTreeMap<&'static str, Value>> {
    if !details {
        let text = word().prop_map(|text| BTreeMap::from([("reasoning_content", Value::from(text))]));
        return prop_oneof![Just(BTreeMap::new()), text].boxed();
    }
    let format = prop_oneof![
        Just(Some("anthropic-claude-v1")),
        Just(Some("openai-responses-v1")),
        Just(Some("xai-responses-v1")),
        Just(Some("google-gemini-v1")),
        Just(Some("unknown")),
        Just(None),
    ];
    let id = option::of(prop_oneof![Just("rs_1"), Just("call_1")]);
    let entry =
        (0..4, word(), format, id, option::of(word()), 0..2).prop_map(|(kind, text, format, id, signature, index)| {
            let entry = match kind {
                0 => with(json!({"type": "reasoning.text", "text": text}), "signature", signature),
                1 => json!({"type": "reasoning.summary", "summary": text}),
                2 => json!({"type": "reasoning.encrypted", "data": text}),
                _ => json!({"type": "reasoning.other", "what": text}),
            };
            with(with(with(entry, "format", format), "id", id), "index", Some(index))
        });
    let list = vec(entry, 1..5).prop_map(|list| BTreeMap::from([("reasoning_details", Value::from(list))]));
    let text = word().prop_map(|text| BTreeMap::from([("reasoning", Value::from(text))]));
    prop_oneof![1 => Just(BTreeMap::new()), 3 => list, 1 => text].boxed()
}

fn assistant(details: bool) -> BoxedStrategy<Value> {
    let seal = if details { Just(None).boxed() } else { option::of(word()).boxed() };
    let call = (0..3, word(), word(), seal).prop_map(|(id, name, arguments, seal)| {
        let call =
            json!({"id": format!("call_{id}"), "type": "function", "function": {"name": name, "arguments": arguments}});
        with(call, "extra_content", seal.map(|seal| json!({"google": {"thought_signature": seal}})))
    });
    let custom = Just(json!({"id": "c", "type": "custom", "custom": {"name": "sh", "input": "ls"}}));
    let calls = vec(prop_oneof![5 => call, 1 => custom], 0..3);
    let refusal = option::weighted(0.2, word());
    let name = option::weighted(0.2, Just("bot"));
    let said = option::of(content(text_part()));
    (said, calls, refusal, name, thoughts(details))
        .prop_map(|(said, calls, refusal, name, thoughts)| {
            let mut message = json!({"role": "assistant", "content": said.unwrap_or_else(|| json!(""))});
            if !calls.is_empty() {
                message["tool_calls"] = calls.into();
                if message["content"] == "" {
                    message["content"] = Value::Null;
                }
            }
            for (name, thought) in thoughts {
                message[name] = thought;
            }
            with(with(message, "refusal", refusal), "name", name)
        })
        .boxed()
}

fn message(details: bool) -> BoxedStrategy<Value> {
    let system = (prop_oneof![Just("system"), Just("developer")], content(text_part()))
        .prop_map(|(role, content)| json!({"role": role, "content": content}));
    let user = (content(user_part()), option::weighted(0.2, word()))
        .prop_map(|(content, name)| with(json!({"role": "user", "content": content}), "name", name));
    let tool = (0..3, content(text_part()))
        .prop_map(|(id, content)| json!({"role": "tool", "tool_call_id": format!("call_{id}"), "content": content}));
    prop_oneof![1 => system, 3 => user, 3 => assistant(details), 2 => tool].boxed()
}

fn tools() -> impl Strategy<Value = Value> {
    let schema = Just(json!({"type": "object", "properties": {"x": {"type": "string"}}}));
    let function = (word(), option::of(word()), option::of(schema), option::of(any::<bool>()), mark()).prop_map(
        |(name, description, parameters, strict, mark)| {
            let function = with(with(json!({"name": name}), "description", description), "parameters", parameters);
            with(json!({"type": "function", "function": with(function, "strict", strict)}), "cache_control", mark)
        },
    );
    let other = prop_oneof![
        Just(json!({"type": "custom", "custom": {"name": "sh"}})),
        Just(json!({"type": "web_search", "filters": {}})),
    ];
    let choice = prop_oneof![
        Just(json!("auto")),
        Just(json!("none")),
        Just(json!("required")),
        Just(json!({"type": "function", "function": {"name": "f"}})),
        Just(json!({"type": "custom", "custom": {"name": "sh"}})),
        Just(
            json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]}})
        ),
        Just(
            json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "custom", "custom": {"name": "sh"}}]}})
        ),
    ];
    let list = vec(prop_oneof![4 => function, 1 => other], 1..4);
    (list, option::of(choice), option::of(any::<bool>())).prop_map(|(tools, choice, parallel)| {
        with(with(json!({"tools": tools}), "tool_choice", choice), "parallel_tool_calls", parallel)
    })
}

/// One of the members that stand at the top.
fn setting() -> impl Strategy<Value = (&'static str, Value)> {
    let of = |name, values: Vec<Value>| (Just(name), proptest::sample::select(values));
    let degrees = ["none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"];
    let wishes = vec![
        json!({"effort": "low", "exclude": true}),
        json!({"max_tokens": 2000}),
        json!({"enabled": false}),
        json!({"effort": "ultra"}),
        json!({"enabled": true, "summary": "detailed"}),
    ];
    prop_oneof![
        of("max_tokens", vec![json!(1), json!(u64::MAX)]),
        of("max_completion_tokens", vec![json!(0), json!(4096)]),
        of("temperature", vec![json!(0), json!(0.7), json!(1e-9)]),
        of("top_p", vec![json!(1.0)]),
        of("top_k", vec![json!(-1), json!(40)]),
        of("stop", vec![json!("a"), json!(["a", "\n"]), json!([])]),
        of("seed", vec![json!(-1), json!(u64::MAX)]),
        of("frequency_penalty", vec![json!(-2), json!(0.5)]),
        of("presence_penalty", vec![json!(0.25)]),
        of("n", vec![json!(1), json!(128)]),
        of("logprobs", vec![json!(true), json!(false)]),
        of("top_logprobs", vec![json!(20)]),
        of("user", vec![json!("u\"")]),
        of("verbosity", vec![json!("low")]),
        of("reasoning_effort", degrees.iter().map(|degree| json!(degree)).collect()),
        of("reasoning", wishes),
        of("chat_template_kwargs", vec![json!({"x": [1]})]),
        of("thinking", vec![json!({"clear_thinking": false})]),
        of("stream_options", vec![json!({"include_usage": false, "include_obfuscation": false})]),
        of("metadata", vec![json!({"a": "b"})]),
        of("logit_bias", vec![json!({"50256": -100})]),
        of("store", vec![json!(true), json!(false)]),
        of("a.b", vec![json!([1, {"c": null}])]),
        of(
            "response_format",
            vec![
                json!({"type": "text"}),
                json!({"type": "json_object"}),
                json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": true, "x": 1}}),
                json!({"type": "grammar", "grammar": "root ::= x"}),
            ]
        ),
    ]
}

/// A whole body, and whether it has `reasoning_details`.
fn body() -> impl Strategy<Value = (Value, bool)> {
    any::<bool>().prop_flat_map(|details| {
        let messages = vec(message(details), 1..8);
        (messages, option::of(tools()), vec(setting(), 0..6), any::<bool>()).prop_map(
            move |(messages, tools, settings, stream)| {
                let mut body = json!({"model": "m", "messages": messages});
                if let Some(Value::Object(tools)) = tools {
                    body.as_object_mut().unwrap().extend(tools);
                }
                for (name, value) in settings {
                    body[name] = value;
                }
                if body.get("reasoning").is_some() {
                    // Two wishes become one.
                    body.as_object_mut().unwrap().remove("reasoning_effort");
                }
                if body.get("stream_options").is_some() || stream {
                    body["stream"] = json!(true);
                }
                (body, details)
            },
        )
    })
}

proptest! {
    #[test]
    fn any_valid_request_says_the_same_when_written_anew((body, details) in body()) {
        let said = read(body.to_string());
        let dialect = if details { &EVERYTHING } else { &GOOGLE };
        let (_, back) = again(&said, body["stream"] == true, dialect);
        prop_assert_eq!(back, in_use(said), "{}", body);
    }

    #[test]
    fn the_messages_of_before_stay_as_they_were_sent((body, _) in body()) {
        let messages = body["messages"].as_array().unwrap();
        for dialect in [&EVERYTHING, &GOOGLE, &MISTRAL, &Dialect::PLAIN] {
            let mut before = String::new();
            for length in 1..=messages.len() {
                let said = read(json!({"model": "m", "messages": messages[..length]}).to_string());
                let shape = Shape { dialect, ..plain("m", &NO_REASONING) };
                let body = encode(&said, false, &shape).unwrap().body;
                let body = std::str::from_utf8(&body).unwrap().strip_suffix("]}").unwrap();
                prop_assert!(body.starts_with(&before), "{}\n{}", before, body);
                before = body.to_owned();
            }
        }
    }
}
