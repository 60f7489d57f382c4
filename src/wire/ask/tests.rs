//! A chosen effort on its way into every format, from every format.

use serde_json::{Value, json};

use super::*;
use crate::chat::{Effort, OwnEffort};
use crate::wire::dialect::{Dialect, EffortDialect, ReasoningModel, Style};

const OPEN: Dialect = Dialect::PLAIN;

fn sent(request: &Request, format: Format, style: Style, effort: Option<Effort>) -> (Value, Vec<String>) {
    let reasoning = ReasoningModel { style: Some(style), ..ReasoningModel::default() };
    let shape = Shape {
        format,
        dialect: &OPEN,
        model: "gemini-2.5-pro",
        max_output: None,
        reasoning: &reasoning,
        effort,
        drop_unsupported: false,
        keeps_nothing: false,
    };
    let encoded = Asking::new(request).body(&shape).unwrap();
    // Strict: a member twice would be found.
    let mut scanner = Scanner::strict(&encoded.body).unwrap();
    scanner.skip().unwrap();
    scanner.end().unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), encoded.dropped)
}

fn request(format: Format, more: &Value) -> Request {
    let mut body = json!({ "model": "auto", "stream": true });
    let members = match format {
        Format::Responses => json!({ "input": "hi" }),
        Format::Messages => json!({ "messages": [{ "role": "user", "content": "hi" }], "max_tokens": 30_000 }),
        _ => json!({ "messages": [{ "role": "user", "content": "hi" }] }),
    };
    for object in [&members, more] {
        body.as_object_mut().unwrap().extend(object.as_object().unwrap().clone());
    }
    judge(format, body.to_string().into()).unwrap()
}

const CLIENTS: [Format; 3] = [Format::Chat, Format::Responses, Format::Messages];

#[test]
fn a_chosen_effort_reaches_the_model_in_every_format() {
    for client in CLIENTS {
        let request = request(client, &json!({}));
        assert_eq!(request.effort, OwnEffort::Unsaid);
        let told = |format, style| sent(&request, format, style, Some(Effort::High));
        let (chat, dropped) = told(Format::Chat, Style::Effort);
        assert_eq!((&chat["reasoning_effort"], dropped.len()), (&json!("high"), 0), "{client:?}: {chat} {dropped:?}");
        let (responses, dropped) = told(Format::Responses, Style::Effort);
        assert_eq!((&responses["reasoning"]["effort"], dropped.len()), (&json!("high"), 0), "{client:?}: {responses}");
        assert_eq!(responses["include"], json!(["reasoning.encrypted_content"]), "{client:?}");
        let (messages, dropped) = told(Format::Messages, Style::Effort);
        assert_eq!(
            (&messages["output_config"]["effort"], dropped.len()),
            (&json!("high"), 0),
            "{client:?}: {messages}"
        );
        assert_eq!(messages["thinking"]["type"], "adaptive");
        let (messages, _) = told(Format::Messages, Style::Budget);
        assert_eq!(messages["thinking"]["budget_tokens"], 16_384, "{client:?}: {messages}");
        let (gemini, dropped) = told(Format::Gemini, Style::Budget);
        let thinking = &gemini["generationConfig"]["thinkingConfig"];
        assert_eq!((&thinking["thinkingBudget"], dropped.len()), (&json!(16_384), 0), "{client:?}: {gemini}");
    }
}

#[test]
fn a_model_with_a_switch_is_told_on_or_off_and_nothing_is_called_lost() {
    let switch = Dialect { effort: EffortDialect::Template, ..OPEN };
    let reasoning = ReasoningModel { style: Some(Style::Toggle), ..ReasoningModel::default() };
    for (effort, on) in [(Effort::None, false), (Effort::Medium, true)] {
        let shape = Shape {
            format: Format::Chat,
            dialect: &switch,
            model: "qwen3",
            max_output: None,
            reasoning: &reasoning,
            effort: Some(effort),
            drop_unsupported: false,
            keeps_nothing: false,
        };
        for client in CLIENTS {
            let request = request(client, &json!({}));
            let encoded = Asking::new(&request).body(&shape).unwrap();
            let body: Value = serde_json::from_slice(&encoded.body).unwrap();
            assert_eq!(body["chat_template_kwargs"], json!({ "enable_thinking": on }), "{client:?}");
            assert!(encoded.dropped.is_empty(), "{client:?}: {:?}", encoded.dropped);
        }
    }
}

#[test]
fn what_a_client_says_of_reasoning_stays_as_it_says_it() {
    for (client, own, at) in [
        (Format::Chat, json!({ "reasoning_effort": "low" }), "/reasoning_effort"),
        (Format::Responses, json!({ "reasoning": { "effort": "low" } }), "/reasoning/effort"),
        (Format::Messages, json!({ "output_config": { "effort": "low" } }), "/output_config/effort"),
    ] {
        let request = request(client, &own);
        assert_eq!(request.effort, OwnEffort::Said(Some(Effort::Low)), "{client:?}");
        let (body, _) = sent(&request, client, Style::Effort, Some(Effort::High));
        assert_eq!(body.pointer(at), Some(&json!("low")), "{body}");
        for target in [Format::Chat, Format::Responses, Format::Messages] {
            let text = sent(&request, target, Style::Effort, Some(Effort::High)).0.to_string();
            assert!(!text.contains("high") && text.contains("low"), "{client:?} to {target:?}: {text}");
        }
    }
    for (client, own) in [
        (Format::Chat, json!({ "chat_template_kwargs": { "x": 1 } })),
        (Format::Chat, json!({ "reasoning_effort": null })),
        (Format::Responses, json!({ "reasoning": { "summary": "auto" } })),
        (Format::Messages, json!({ "thinking": { "type": "disabled" } })),
    ] {
        let request = request(client, &own);
        assert_eq!(request.effort, OwnEffort::Said(None), "{own}");
        let text = sent(&request, client, Style::Effort, Some(Effort::High)).0.to_string();
        assert!(!text.contains("high"), "{own}: {text}");
    }
}

#[test]
fn what_rules_out_thinking_is_noticed_in_every_format() {
    for client in CLIENTS {
        assert!(!request(client, &json!({})).steered);
        assert!(
            !request(client, &json!({ "temperature": null, "tool_choice": null })).steered
                || client == Format::Messages
        );
        for steering in [json!({ "temperature": 0.2 }), json!({ "top_p": 0.9 })] {
            assert!(request(client, &steering).steered, "{client:?}: {steering}");
        }
    }
    assert!(request(Format::Chat, &json!({ "tool_choice": "required" })).steered);
    assert!(request(Format::Messages, &json!({ "tool_choice": { "type": "any" } })).steered);
    assert!(!request(Format::Messages, &json!({ "tool_choice": { "type": "auto" } })).steered);
}

#[test]
fn without_a_chosen_effort_a_body_of_the_same_format_keeps_its_bytes() {
    let body = r#"{ "model" : "m", "messages":[ {"role":"user","content":"hi"}], "x": 1e400 }"#;
    let request = judge(Format::Chat, Bytes::from(body)).unwrap();
    let reasoning = ReasoningModel::default();
    let shape = Shape {
        format: Format::Chat,
        dialect: &OPEN,
        model: "m",
        max_output: None,
        reasoning: &reasoning,
        effort: None,
        drop_unsupported: false,
        keeps_nothing: false,
    };
    assert_eq!(Asking::new(&request).body(&shape).unwrap().body, body);
    let told = Shape { effort: Some(Effort::Low), ..shape };
    let expected = body.replacen(r#""m","#, r#""m","reasoning_effort":"low","#, 1);
    assert_eq!(Asking::new(&request).body(&told).unwrap().body, expected, "one member more, beside the model");
}

#[test]
fn the_beginning_of_the_answer_is_not_the_beginning_of_its_reasoning() {
    use crate::wire::openai::stream::Relay;
    let chunk = |delta: Value| {
        let chunk = json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] });
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    let mut relay = Relay::new(true, |_| None);
    let mut out = Vec::new();
    let mut push = |delta| relay.push(chunk(delta), &mut out).unwrap();
    assert!(!push(json!({ "role": "assistant", "content": "" })).content);
    for _ in 0..3 {
        let seen = push(json!({ "reasoning_content": "Hm.", "content": "" }));
        assert!(seen.content && !seen.answer);
    }
    assert!(push(json!({ "reasoning_content": "", "content": "Yes." })).answer);
}

/// What names the conversation of this body.
fn named_by(format: Format, body: Value) -> Option<Vec<u8>> {
    let request = judge(format, body.to_string().into()).unwrap();
    let mut name = Vec::new();
    opening(&request, &mut |bytes| {
        name.extend_from_slice(bytes);
        name.push(0);
    })
    .then_some(name)
}

#[test]
fn a_conversation_keeps_its_name_from_turn_to_turn() {
    let chat = |messages: Value| named_by(Format::Chat, json!({ "model": "m", "messages": messages }));
    let (system, user) =
        (json!({ "role": "system", "content": "Be brief." }), json!({ "role": "user", "content": "hi" }));
    let first = chat(json!([system, user]));
    assert!(first.is_some());
    let answer = json!({ "role": "assistant", "content": "Hello." });
    assert_eq!(chat(json!([system, user, answer, { "role": "user", "content": "more" }])), first);
    assert_ne!(chat(json!([{ "role": "system", "content": "Be long." }, user])), first);
    assert_ne!(chat(json!([system, { "role": "user", "content": "ho" }])), first);
    assert_eq!(chat(json!([system])), None, "nobody has asked anything");

    let marked = |mark: bool, more: &[Value]| {
        let mut part = json!({ "type": "text", "text": "hi" });
        if mark {
            part["cache_control"] = json!({ "type": "ephemeral" });
        }
        let mut messages = vec![json!({ "role": "user", "content": [part] })];
        messages.extend_from_slice(more);
        named_by(
            Format::Messages,
            json!({ "model": "m", "max_tokens": 9, "system": "Be brief.", "messages": messages }),
        )
    };
    let first = marked(true, &[]);
    assert!(first.is_some());
    let more = [json!({ "role": "assistant", "content": "Hello." }), json!({ "role": "user", "content": "more" })];
    assert_eq!(marked(false, &more), first, "the client has moved its cache mark on");

    let responses = |input: Value| {
        named_by(Format::Responses, json!({ "model": "m", "instructions": "Be brief.", "input": input }))
    };
    let first = responses(json!([{ "role": "user", "content": "hi" }]));
    assert!(first.is_some());
    assert_eq!(responses(json!([{ "role": "user", "content": "hi" }, { "type": "reasoning", "summary": [] }])), first);
    assert!(responses(json!("hi")).is_some());
    assert_eq!(named_by(Format::Completions, json!({ "model": "m", "prompt": "hi" })), None);
}
