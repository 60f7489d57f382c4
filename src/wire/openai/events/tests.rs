use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::super::answer::{self, tests::*};
use super::*;
use crate::chat::{Answer, Choice, Content, Event, Family, Finish, Json, Reasoning, Seal, SealKind, ToolCall, Usage};
use crate::wire::recorded::{exchanges, folder};
use crate::wire::refusal::Refusal;
use crate::wire::sse::{Splitter, parse};
use crate::wire::stream::{Decoder as _, Encoder as _, StreamError};

type Decoded = (Vec<Event>, Result<(), StreamError>);

/// What a decoder gives for these pieces of a stream.
fn decoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let (mut decoder, mut splitter) = (Decoder::new(), Splitter::default());
    let (mut held, mut out) = (Vec::new(), Vec::new());
    for piece in pieces {
        let mut rest = piece;
        if splitter.owes_line_feed(rest, !held.is_empty()) {
            rest = &rest[1..];
        }
        while let Some(end) = splitter.end(rest) {
            held.extend_from_slice(&rest[..end]);
            rest = &rest[end..];
            let raw = std::mem::take(&mut held);
            let event = parse(&raw);
            let Some(data) = event.data.filter(|data| !data.is_empty()) else { continue };
            if let Err(error) = decoder.event(event.name, &data, &mut out) {
                return (out, Err(error));
            }
        }
        held.extend_from_slice(rest);
    }
    let end = decoder.finish(&mut out);
    (out, end)
}

fn whole(stream: &[u8]) -> Vec<Event> {
    let (events, end) = decoded([stream]);
    end.unwrap_or_else(|error| panic!("{error}"));
    events
}

fn collected(events: &[Event]) -> Answer {
    let mut answer = Answer::default();
    events.iter().for_each(|event| answer.add(event));
    answer
}

fn written(events: &[Event], show_usage: bool) -> Vec<u8> {
    let (mut encoder, mut out) = (Encoder::new(envelope(show_usage)), Vec::new());
    events.iter().for_each(|event| encoder.event(event, &mut out));
    out
}

/// The chunks of a stream whose data is one line each, without `[DONE]`.
fn chunks(stream: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stream).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn sse(chunks: &[Value]) -> Vec<u8> {
    let mut stream: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    stream.push_str("data: [DONE]\n\n");
    stream.into_bytes()
}

fn delta(delta: Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn stop(word: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": word}]})
}

/// The only answer's parts after these deltas.
fn parts(deltas: &[Value]) -> Vec<Content> {
    let mut stream: Vec<Value> = deltas.iter().cloned().map(delta).collect();
    stream.push(stop("stop"));
    let answer = collected(&whole(&sse(&stream)));
    answer.choices[0].parts.iter().map(|part| part.content.clone()).collect()
}

fn calls(deltas: &[Value]) -> Vec<[String; 3]> {
    let deltas: Vec<Value> = deltas.iter().map(|calls| json!({"tool_calls": calls})).collect();
    let found = parts(&deltas).into_iter().map(|part| match part {
        Content::ToolCall(call) => [call.id, call.name, call.arguments],
        other => panic!("{other:?}"),
    });
    found.collect()
}

/// Recorded streams and those kept as chunks only.
fn streams() -> Vec<(String, Vec<u8>)> {
    let mut streams: Vec<_> =
        exchanges("chat").into_iter().filter_map(|exchange| Some((exchange.name, exchange.stream?.to_vec()))).collect();
    for name in ["azure-model-router.1", "deepseek-tool-call", "mistral-reasoning", "mistral-tool-call"] {
        let lines = std::fs::read_to_string(folder().join(format!("response-only/{name}.chunks.jsonl"))).unwrap();
        let chunks: Vec<Value> =
            lines.lines().filter(|l| !l.is_empty()).map(|l| serde_json::from_str(l).unwrap()).collect();
        streams.push((name.to_owned(), sse(&chunks)));
    }
    assert!(streams.len() > 20, "{}", streams.len());
    streams
}

#[test]
fn every_recorded_stream_says_what_its_recording_says() {
    let mut count = 0;
    for (name, stream) in streams() {
        let (events, end) = decoded([&stream[..]]);
        if name.contains("error") {
            assert!(matches!(end, Err(StreamError::Provider(_))), "{name}: {end:?}");
            assert!(!events.contains(&Event::End), "{name}");
            continue;
        }
        assert_eq!(end, Ok(()), "{name}");
        let (mut told, mut usage) = (Told::default(), None);
        let mut head = [Value::Null, Value::Null];
        for chunk in chunks(&stream) {
            for (head, field) in head.iter_mut().zip(["id", "model"]) {
                if head.is_null() && chunk[field] != "" {
                    *head = chunk[field].clone();
                }
            }
            for figures in [&chunk["usage"], &chunk["x_groq"]["usage"]] {
                if figures.is_object() {
                    usage = Some(counted(figures));
                }
            }
            for choice in chunk["choices"].as_array().unwrap() {
                assert_eq!(choice["index"], 0, "{name}");
                told.add(&choice["delta"]);
                if let Some(reason) = choice["finish_reason"].as_str() {
                    told.finish = reason.to_owned();
                }
            }
        }
        let answer = collected(&events);
        assert_eq!(answer.choices.len(), 1, "{name}");
        assert_eq!(Told::of(&answer.choices[0]), told, "{name}");
        assert_eq!(answer.usage, usage, "{name}");
        assert_eq!([json!(answer.id), json!(answer.model)], head, "{name}");
        let number = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
        assert_eq!(number(|event| matches!(event, Event::Start { .. })), 1, "{name}");
        assert_eq!(number(|event| matches!(event, Event::Finish { .. })), 1, "{name}");
        assert_eq!(events.last(), Some(&Event::End), "{name}");
        count += 1;
    }
    assert!(count >= 18, "{count}");
}

#[test]
fn any_cut_of_a_recorded_stream_gives_the_same_events() {
    let mut random = StdRng::seed_from_u64(7);
    for (name, stream) in streams() {
        let text = String::from_utf8(stream).unwrap();
        for variant in [text.clone(), text.replace('\n', "\r\n"), format!("\u{feff}{}", text.replace('\n', "\r"))] {
            let bytes = variant.as_bytes();
            let all = decoded([bytes]);
            assert_eq!(decoded(bytes.chunks(1)), all, "{name}");
            for _ in 0..40 {
                let mut cuts: Vec<usize> =
                    (0..random.random_range(1..12)).map(|_| random.random_range(0..bytes.len())).collect();
                cuts.extend([0, bytes.len()]);
                cuts.sort_unstable();
                assert_eq!(decoded(cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]])), all, "{name} cut at {cuts:?}");
            }
        }
    }
}

#[test]
fn a_stream_that_is_written_anew_says_the_same() {
    let without_usage = |events: &[Event]| {
        let others = events.iter().filter(|event| !matches!(event, Event::Usage(_)));
        others.cloned().collect::<Vec<_>>()
    };
    for (name, stream) in streams() {
        let (events, end) = decoded([&stream[..]]);
        if end.is_err() {
            continue;
        }
        let again = whole(&written(&events, true));
        assert_eq!(without_usage(&again), without_usage(&events), "{name}");
        assert_eq!(collected(&again), collected(&events), "{name}");
        let body = answer::encode(&collected(&events), &envelope(false));
        assert_eq!(answer::decode(&body).unwrap().usage, collected(&events).usage, "{name}");
    }
}

#[test]
fn chunks_have_the_shape_that_clients_check() {
    for (name, stream) in streams() {
        let (events, _) = decoded([&stream[..]]);
        let sent = written(&events, true);
        let mut roles = 0;
        for chunk in chunks(&sent) {
            assert_eq!(chunk["object"], "chat.completion.chunk", "{name}");
            assert!(chunk["id"].is_string() && chunk["model"].is_string() && chunk["created"].is_u64(), "{name}");
            for choice in chunk["choices"].as_array().unwrap() {
                roles += usize::from(choice["delta"]["role"] == "assistant");
                assert!(choice["index"].is_u64(), "{name}");
                for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
                    assert!(call["index"].is_u64(), "{name}");
                }
            }
        }
        assert_eq!(roles, 1, "{name}");
        assert_eq!(sent.ends_with(b"data: [DONE]\n\n"), events.contains(&Event::End), "{name}");
    }
}

#[test]
fn calls_in_pieces_are_put_together_however_they_are_numbered() {
    let f = |id: &str, name: &str, arguments: &str| [id.to_owned(), name.to_owned(), arguments.to_owned()];
    let piece = |index: Value, id: Value, name: Value, arguments: Value| {
        let mut call = json!({"function": {}});
        for (at, value) in [("index", index), ("id", id)] {
            if !value.is_null() {
                call[at] = value;
            }
        }
        for (at, value) in [("name", name), ("arguments", arguments)] {
            if !value.is_null() {
                call["function"][at] = value;
            }
        }
        call
    };
    let null = || Value::Null;
    // As OpenAI has it, two calls at once, their pieces mixed.
    let openai = [
        json!([piece(json!(0), json!("a"), json!("f"), json!("")), piece(json!(1), json!("b"), json!("g"), json!(""))]),
        json!([piece(json!(1), null(), null(), json!("[")), piece(json!(0), null(), null(), json!("{"))]),
        json!([piece(json!(0), null(), null(), json!("}"))]),
        json!([piece(json!(1), null(), null(), json!("]"))]),
    ];
    assert_eq!(calls(&openai), [f("a", "f", "{}"), f("b", "g", "[]")]);
    // Id and name in every piece; another id in every piece.
    let repeated = [
        json!([piece(json!(0), json!("a"), json!("f"), json!("{"))]),
        json!([piece(json!(0), json!("a"), json!("f"), json!("}"))]),
        json!([piece(json!(0), json!("z"), null(), json!(" "))]),
    ];
    assert_eq!(calls(&repeated), [f("a", "f", "{} ")]);
    // The name in pieces, and one that comes twice.
    let named = [
        json!([piece(json!(0), json!("a"), json!("get_"), null())]),
        json!([piece(json!(0), null(), json!("time"), null())]),
        json!([piece(json!(0), null(), null(), json!("{}"))]),
        json!([piece(json!(1), json!("b"), json!("g"), null())]),
        json!([piece(json!(1), null(), json!("g"), json!("{}"))]),
    ];
    assert_eq!(calls(&named), [f("a", "get_time", "{}"), f("b", "g", "{}")]);
    // Whole calls without a number (Mistral), with the same one (Gemini), without an id.
    let unnumbered = [
        json!([piece(null(), json!("a"), json!("f"), json!("{}")), piece(null(), json!("b"), json!("f"), json!("{}"))]),
        json!([piece(null(), json!("b"), null(), json!(" "))]),
        json!([piece(null(), null(), null(), json!(" "))]),
    ];
    assert_eq!(calls(&unnumbered), [f("a", "f", "{}"), f("b", "f", "{}  ")]);
    let same_number = [
        json!([piece(json!(0), json!("a"), json!("f"), json!("{}"))]),
        json!([piece(json!(0), json!("b"), json!("f"), json!("{\"x\":1}"))]),
    ];
    assert_eq!(calls(&same_number), [f("a", "f", "{}"), f("b", "f", "{\"x\":1}")]);
    let nameless = [
        json!([piece(null(), null(), json!("f"), json!({"x": 1}))]),
        json!([piece(null(), null(), json!("f"), json!({"x": 2}))]),
    ];
    assert_eq!(calls(&nameless), [f("call_0_0", "f", "{\"x\":1}"), f("call_0_1", "f", "{\"x\":2}")]);
    let same_number_nameless = [
        json!([piece(json!(0), json!(""), json!("f"), json!("{}"))]),
        json!([piece(json!(0), json!(""), json!("f"), json!("[]"))]),
    ];
    assert_eq!(calls(&same_number_nameless), [f("call_0_0", "f", "{}"), f("call_0_1", "f", "[]")]);
    // Numbers with gaps, and a call without arguments.
    let gaps = [
        json!([piece(json!(3), json!("a"), json!("f"), null())]),
        json!([piece(json!(7), json!("b"), json!("g"), json!("{}"))]),
    ];
    assert_eq!(calls(&gaps), [f("a", "f", ""), f("b", "g", "{}")]);
}

#[test]
fn a_head_that_is_repeated_changes_nothing() {
    let chunk =
        |head: &str, text: &str| format!("data: {{{head}\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    let heads = [
        "\"id\":\"a\",",
        "\"id\":\"a\",",
        "\"id\":\"a\",\"usage\":{\"prompt_tokens\":3},",
        "\"id\":\"a\", ",
        "",
        "\"id\":\"a\",",
    ];
    let stream: String = heads.iter().zip("abcdef".chars()).map(|(head, c)| chunk(head, &c.to_string())).collect();
    let (events, _) = decoded([stream.as_bytes()]);
    let said: String = events
        .iter()
        .filter_map(|event| match event {
            Event::Text { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(said, "abcdef");
    assert_eq!(collected(&events).usage.unwrap().input, 3);
    let broken = format!("{}data: {{\"id\":\"a\",\"choices\":[}}\n\n", chunk(heads[0], "x").repeat(2));
    assert!(matches!(decoded([broken.as_bytes()]).1, Err(StreamError::Json(_))));
}

#[test]
fn the_older_function_call_is_a_call() {
    let pieces = [
        json!({"function_call": {"name": "f", "arguments": ""}}),
        json!({"function_call": {"arguments": "{\"x\""}}),
        json!({"function_call": {"arguments": ":1}"}}),
    ];
    let call = ToolCall { id: "call_0_0".into(), name: "f".into(), arguments: "{\"x\":1}".into(), seal: None };
    assert_eq!(parts(&pieces), [Content::ToolCall(call)]);
}

#[test]
fn details_in_pieces_become_whole_entries_at_the_end_of_the_reasoning() {
    let detail = |mut entry: Value, kind: &str, index: u64| {
        entry["type"] = json!(kind);
        entry["index"] = json!(index);
        entry
    };
    let text = |text: &str| detail(json!({"text": text, "format": null}), "reasoning.text", 0);
    let signature = json!({"type": "reasoning.text", "signature": "sig", "format": "anthropic-claude-v1", "index": 0});
    let encrypted = detail(json!({"data": "enc", "id": "r1"}), "reasoning.encrypted", 1);
    let stream = sse(&[
        delta(json!({"reasoning": "a\"", "reasoning_details": [text("a\"")]})),
        delta(json!({"content": "", "reasoning": "b", "reasoning_details": [text("b")]})),
        delta(json!({"content": "", "reasoning": null, "reasoning_details": [signature]})),
        delta(json!({"reasoning_details": [encrypted]})),
        delta(json!({"reasoning_details": [encrypted]})),
        delta(json!({"content": "x"})),
        delta(json!({"reasoning": "c", "reasoning_details": [text("c")]})),
        stop("stop"),
    ]);
    let events = whole(&stream);
    let seals: Vec<_> = events.iter().filter(|event| matches!(event, Event::Seal { .. })).collect();
    assert_eq!(seals.len(), 2);
    let answer = collected(&events);
    let [Content::Reasoning(first), Content::Text(x), Content::Reasoning(last)] =
        [0, 1, 2].map(|place| answer.choices[0].parts[place].content.clone())
    else {
        panic!("{answer:?}")
    };
    assert_eq!((first.text().as_str(), x.as_str(), last.text().as_str()), ("a\"b", "x", "c"));
    let data = |reasoning: &Reasoning| serde_json::from_str::<Value>(&reasoning.seal.as_ref().unwrap().data).unwrap();
    let joined = json!({"type": "reasoning.text", "index": 0, "text": "a\"b", "format": "anthropic-claude-v1", "signature": "sig"});
    assert_eq!(data(&first), json!([joined, encrypted]));
    assert_eq!(data(&last), json!([text("c")]));
    let again = collected(&whole(&written(&events, false)));
    assert_eq!(again.choices, answer.choices, "what is whole is neither joined nor said twice");
}

#[test]
fn a_seal_is_written_as_one_whole_entry() {
    let seal = |family, kind, id: Option<&str>, data: &str| Event::Seal {
        choice: 0,
        seal: Seal { family, kind, id: id.map(str::to_owned), data: data.to_owned() },
    };
    let reason = |text: &str| Event::Reasoning { choice: 0, text: text.to_owned() };
    let sent = written(
        &[
            reason("fi"),
            reason("rst"),
            seal(Family::Anthropic, SealKind::Text, None, "sig"),
            seal(Family::Anthropic, SealKind::Hidden, None, "red"),
            reason("a"),
            Event::ReasoningPart { choice: 0 },
            reason("b"),
            seal(Family::Openai, SealKind::Text, Some("rs_1"), "enc"),
            Event::Text { choice: 0, text: "x".to_owned() },
            seal(Family::Gemini, SealKind::Answer, None, "gem"),
        ],
        false,
    );
    let deltas: Vec<Value> = chunks(&sent).iter().map(|chunk| chunk["choices"][0]["delta"].clone()).collect();
    let reasoning: String = deltas.iter().filter_map(|delta| delta["reasoning_content"].as_str()).collect();
    assert_eq!(reasoning, "first\n\na\n\nb");
    let details: Vec<&Value> =
        deltas.iter().filter_map(|delta| delta["reasoning_details"].as_array()).flatten().collect();
    let (claude, openai) = ("anthropic-claude-v1", "openai-responses-v1");
    assert_eq!(
        json!(details),
        json!([
            {"type": "reasoning.text", "text": "first", "signature": "sig", "format": claude, "index": 0},
            {"type": "reasoning.encrypted", "data": "red", "format": claude, "index": 1},
            {"type": "reasoning.summary", "summary": "a", "id": "rs_1", "format": openai, "index": 2},
            {"type": "reasoning.summary", "summary": "b", "id": "rs_1", "format": openai, "index": 3},
            {"type": "reasoning.encrypted", "data": "enc", "id": "rs_1", "format": openai, "index": 4},
            {"type": "reasoning.encrypted", "data": "gem", "format": "google-gemini-v1", "index": 5},
        ])
    );
}

#[test]
fn usage_comes_once_at_the_end_with_its_cost_and_only_if_asked() {
    let usage = |prompt: u64| json!({"prompt_tokens": prompt, "completion_tokens": 2, "total_tokens": prompt + 2});
    let mut beside = stop("stop");
    beside["usage"] = usage(9);
    let stream = sse(&[
        json!({"x_groq": {"usage": usage(1)}, "choices": [{"index": 0, "delta": {"content": "x"}}]}),
        beside,
        json!({"choices": [], "usage": usage(3)}),
    ]);
    let events = whole(&stream);
    let shown = chunks(&written(&events, true));
    assert_eq!(shown.iter().filter(|chunk| !chunk["usage"].is_null()).count(), 1);
    let last = shown.last().unwrap();
    assert_eq!((&last["choices"], &last["id"]), (&json!([]), &json!("chatcmpl-ours")));
    assert_eq!(last["usage"]["prompt_tokens"], 3);
    assert_eq!(last["usage"]["waypost_cost_usd"], json!(0.000003002));
    let hidden = written(&events, false);
    assert!(chunks(&hidden).iter().all(|chunk| chunk["usage"].is_null()));
    assert!(hidden.ends_with(b"data: [DONE]\n\n"));
}

#[test]
fn an_error_in_a_stream_is_a_failure_and_its_figures_stand() {
    let hello = delta(json!({"content": "x"}));
    for (stream, status) in [
        (format!("data: {hello}\n\nevent: error\ndata: {{\"message\":\"down\",\"status_code\":529}}\n\n"), 529),
        (
            format!("data: {hello}\n\ndata: {{\"error\":{{\"message\":\"down\",\"code\":503}}}}\n\ndata: [DONE]\n\n"),
            503,
        ),
        (format!("data: {hello}\n\ndata: {{\"object\":\"error\",\"message\":\"down\",\"code\":400}}\n\n"), 400),
        (format!("data: {hello}\n\ndata: {{\"x_groq\":{{\"error\":\"down\"}},\"choices\":[]}}\n\n"), 500),
        (
            format!(
                "data: {hello}\n\ndata: {{\"choices\":[{{\"error\":{{\"code\":502}},\"finish_reason\":\"error\"}}]}}\n\n"
            ),
            502,
        ),
        (format!("data: {hello}\n\ndata: {{\"choices\":[{{\"finish_reason\":\"error\"}}]}}\n\n"), 500),
    ] {
        let (events, end) = decoded([stream.as_bytes()]);
        let Err(StreamError::Provider(error)) = end else { panic!("{stream} {end:?}") };
        assert_eq!(error.status, status, "{stream}");
        assert!(events.contains(&Event::Text { choice: 0, text: "x".to_owned() }), "{stream}");
    }
    let counted = b"data: {\"error\":{\"code\":400},\"usage\":{\"prompt_tokens\":4},\"choices\":[]}\n\n";
    let (events, _) = decoded([&counted[..]]);
    assert_eq!(events, [Event::Usage(Usage { input: 4, ..Usage::default() })]);
}

#[test]
fn a_stream_must_be_over_to_end() {
    let hello = delta(json!({"content": "x"}));
    let open = format!("data: {hello}\n\n");
    assert_eq!(decoded([open.as_bytes()]).1, Err(StreamError::Truncated));
    assert_eq!(decoded([&b""[..]]).1, Err(StreamError::Truncated));
    let ended = format!("data: {hello}\n\ndata: {}\n\n", stop("length"));
    let (events, end) = decoded([ended.as_bytes()]);
    assert_eq!((end, events.last()), (Ok(()), Some(&Event::End)));
    assert!(events.contains(&Event::Finish { choice: 0, reason: Finish::Length }));
    let other = json!({"choices": [{"index": 1, "delta": {"content": "y"}}]});
    let half = format!("data: {other}\n\n{ended}");
    assert_eq!(decoded([half.as_bytes()]).1, Err(StreamError::Truncated), "one of two has not ended");
    assert!(matches!(decoded([&b"data: {\"choices\":[\n\n"[..]]).1, Err(StreamError::Json(_))));
    let odd = format!("event: ping\ndata: {{}}\n\ndata: 1\n\n{ended}data: [DONE]\n\ndata: {hello}\n\n");
    assert_eq!(decoded([odd.as_bytes()]).0, events, "what is unknown is passed over, and nothing follows the end");
}

#[test]
fn an_end_that_is_said_too_early_comes_at_the_end() {
    let mut early = delta(json!({"content": "x"}));
    early["choices"][0]["finish_reason"] = json!("length");
    let events = whole(&sse(&[early, delta(json!({"content": "y"})), stop("length")]));
    let finish = Event::Finish { choice: 0, reason: Finish::Length };
    assert_eq!(events[events.len() - 2..], [finish, Event::End]);
}

#[test]
fn a_failure_is_an_event_without_a_clean_end() {
    let mut encoder = Encoder::new(envelope(true));
    let mut out = Vec::new();
    encoder.event(&Event::Text { choice: 0, text: "x".to_owned() }, &mut out);
    out.clear();
    let refusal = Refusal {
        status: 502,
        kind: "server_error",
        code: "upstream_error",
        message: "a\nb",
        param: None,
        request_id: "req",
    };
    encoder.fail(&refusal, &mut out);
    let json = json!({"error": {"message": "a\nb", "type": "server_error", "param": null, "code": "upstream_error"}});
    assert_eq!(chunks(&out), std::slice::from_ref(&json));
    assert!(out.ends_with(b"}}\n\n"));
    let body = super::super::error::body(&refusal);
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), json);
}

#[test]
fn line_ends_between_tokens_do_not_break_an_event() {
    let token = Json::new("{\"token\":\"x\",\r\n\"logprob\":0,\n\"top_logprobs\":[]}".to_owned()).unwrap();
    let sent = written(&[Event::Logprobs { choice: 0, tokens: vec![token] }], false);
    assert_eq!(chunks(&sent)[0]["choices"][0]["logprobs"]["content"][0]["token"], "x");
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z \"\\\\\n\u{0}é🦀]{1,12}", Just("data: [DONE]\n\n".to_owned()), any::<String>()]
        .prop_filter("not empty", |text| !text.is_empty())
}

/// An answer that this format can say whole: one block of reasoning, then text, then calls.
fn answers() -> impl Strategy<Value = Answer> {
    let details = "[a-z]{1,8}".prop_map(|word| Seal {
        family: Family::Details,
        kind: SealKind::Text,
        id: None,
        data: format!("[{{\"type\":\"reasoning.text\",\"text\":\"{word}\",\"signature\":\"s\"}}, {{\"n\": 1.0}}]"),
    });
    let reasoning =
        (texts(), proptest::option::of(details)).prop_map(|(text, seal)| Reasoning { parts: vec![text], seal });
    let signature =
        "[a-zA-Z0-9+/=]{1,20}".prop_map(|data| Seal { family: Family::Gemini, kind: SealKind::Call, id: None, data });
    let call =
        ("[a-zA-Z0-9_.-]{1,12}", texts(), prop_oneof![Just(String::new()), texts()], proptest::option::of(signature));
    let calls = proptest::collection::vec(call, 0..4);
    let tokens = proptest::collection::vec(
        texts().prop_map(|token| {
            Json::of(&json!({"token": token, "logprob": -1.5, "bytes": null, "top_logprobs": []})).unwrap()
        }),
        0..3,
    );
    let finish = prop_oneof![Just(Finish::Stop), Just(Finish::Length), Just(Finish::ContentFilter)];
    let said = (
        proptest::option::of(reasoning),
        proptest::option::of(texts()),
        proptest::option::of(texts()),
        calls,
        tokens,
        finish,
    );
    let choice = said.prop_map(|(reasoning, text, refusal, calls, logprobs, finish)| {
        let finish = match finish {
            Finish::Stop if !calls.is_empty() => Finish::ToolCalls,
            Finish::Stop if refusal.is_some() => Finish::Refusal,
            other => other,
        };
        let mut parts: Vec<Content> = reasoning.map(Content::Reasoning).into_iter().collect();
        parts.extend(text.map(Content::Text));
        parts.extend(refusal.map(Content::Refusal));
        parts.extend(calls.into_iter().enumerate().map(|(place, (id, name, arguments, seal))| {
            Content::ToolCall(ToolCall { id: format!("{id}{place}"), name, arguments, seal })
        }));
        Choice { parts: parts.into_iter().map(Into::into).collect(), finish: Some(finish), logprobs }
    });
    let usage = (0u64..1 << 40, 0u64..1 << 20, 0u64..1 << 20, 0u64..1 << 40, 0u64..1 << 20).prop_map(
        |(input, cached, cache_write, output, reasoning)| Usage {
            input: input + cached + cache_write,
            cached,
            cache_write,
            output: output + reasoning,
            reasoning,
            ..Usage::default()
        },
    );
    (proptest::option::of(texts()), proptest::collection::vec(choice, 1..4), proptest::option::of(usage), 1u64..1 << 40)
        .prop_map(|(name, choices, usage, created)| Answer {
            id: Some(name.clone().unwrap_or_else(|| "id".to_owned())),
            model: Some(name.unwrap_or_else(|| "model".to_owned())),
            created: Some(created),
            choices,
            usage,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_answer_survives_being_written_and_read(answer in answers()) {
        let body = answer::encode(&answer, &envelope(false));
        prop_assert_eq!(&answer::decode(&body).unwrap(), &answer);
        let stream = written(&answer.events(), true);
        let (events, end) = decoded([&stream[..]]);
        prop_assert_eq!(end, Ok(()));
        prop_assert_eq!(&collected(&events), &answer);
        prop_assert_eq!(decoded(stream.chunks(1)).0, events);
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(parts in proptest::collection::vec(0usize..14, 0..8)) {
        const PARTS: [&str; 14] = [
            r#""content":[{"thinking":["#, r#"{"choices":[{"delta":{"#, r#""tool_calls":[{"index":-1,"function":{"arguments":[]}}]"#,
            r#""reasoning_details":[1,{"type":2},{}]"#, "}", "]", ",", r#""content":"x""#, "}}]}", r#""usage":{"prompt_tokens":-1}"#,
            r#""index":99999999999"#, r#""function_call":{}"#, r#"{"choices":[{"delta":{"tool_calls":[{},{"index":5}]}}]}"#, "\\ud800",
        ];
        let data: String = parts.iter().map(|&part| PARTS[part]).collect();
        let (mut decoder, mut out) = (Decoder::new(), Vec::new());
        let read = decoder.event(None, data.as_bytes(), &mut out).is_ok();
        let valid = serde_json::from_str::<serde_json::Map<String, Value>>(&data).is_ok();
        prop_assert!(read || !valid, "{}", data);
        let _ = decoder.finish(&mut out);
    }
}
