use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::super::tests::{Exchange, exchanges};
use super::*;

/// All that a client and the gateway can see of a relayed stream.
#[derive(Debug, PartialEq)]
struct Observed {
    out: String,
    content: bool,
    events: u64,
    end: Result<End, StreamError>,
}

fn relay(show: bool) -> Relay {
    Relay::new(show, |usage| Some(NanoUsd(i64::try_from(usage.input * 1000 + usage.output).unwrap())))
}

fn relayed<'a>(mut relay: Relay, pieces: impl IntoIterator<Item = &'a [u8]>) -> Observed {
    let mut out = Vec::new();
    let mut failed = None;
    for piece in pieces {
        if let Err(error) = relay.push(Bytes::copy_from_slice(piece), &mut out) {
            failed = Some(error);
            break;
        }
    }
    let end = failed.map_or_else(|| relay.finish(&mut out), Err);
    let out = String::from_utf8_lossy(&out.concat()).into_owned();
    Observed { out, content: relay.seen().content, events: relay.events(), end }
}

fn whole(show: bool, stream: &str) -> Observed {
    relayed(relay(show), [stream.as_bytes()])
}

fn streams() -> Vec<(String, Bytes)> {
    let streams: Vec<_> =
        exchanges().into_iter().filter_map(|Exchange { name, stream, .. }| Some((name, stream?))).collect();
    assert!(streams.len() > 15);
    streams
}

fn chunks(sse: &str) -> Vec<Value> {
    let lines = sse.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    lines.map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn figures(chunk: &Value) -> bool {
    chunk["usage"].is_object() || chunk["x_groq"]["usage"].is_object()
}

#[test]
fn any_cut_of_a_recorded_stream_gives_the_same_bytes_and_signals() {
    let mut random = StdRng::seed_from_u64(7);
    for (name, stream) in streams() {
        let text = String::from_utf8(stream.to_vec()).unwrap();
        for variant in [text.clone(), text.replace('\n', "\r\n"), format!("\u{feff}{}", text.replace('\n', "\r"))] {
            let bytes = variant.as_bytes();
            for show in [false, true] {
                let all = relayed(relay(show), [bytes]);
                assert_eq!(relayed(relay(show), bytes.chunks(1)), all, "{name}");
                for _ in 0..40 {
                    let mut cuts: Vec<usize> =
                        (0..random.random_range(1..12)).map(|_| random.random_range(0..bytes.len())).collect();
                    cuts.extend([0, bytes.len()]);
                    cuts.sort_unstable();
                    let pieces = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
                    assert_eq!(relayed(relay(show), pieces), all, "{name} cut at {cuts:?}");
                }
            }
        }
    }
}

#[test]
fn a_recorded_stream_loses_nothing_but_its_usage() {
    for (name, stream) in streams() {
        let text = String::from_utf8(stream.to_vec()).unwrap();
        let failing = name.contains("error");
        let seen = whole(false, &text);
        assert_eq!(seen.end.is_err(), failing, "{name}: {:?}", seen.end);
        assert!(seen.content, "{name}");
        if failing {
            assert!(matches!(seen.end, Err(StreamError::Provider(_))), "{name}");
            assert!(!seen.out.contains("[DONE]") && text.starts_with(&seen.out), "{name}");
            continue;
        }
        let end = seen.end.unwrap();
        assert_eq!(end.good, !text.contains(r#""finish_reason":"length""#), "{name}");
        let mut expected = chunks(&text);
        let usage = expected.iter().rev().find(|chunk| figures(chunk)).cloned();
        assert_eq!(end.usage.is_some(), usage.is_some(), "{name}");
        expected.retain(|chunk| !(figures(chunk) && chunk["choices"] == json!([])));
        for chunk in expected.iter_mut().filter(|chunk| figures(chunk)) {
            chunk.as_object_mut().unwrap().remove("usage");
            if let Some(groq) = chunk["x_groq"].as_object_mut() {
                groq.remove("usage");
            }
        }
        for chunk in expected.iter_mut().filter(|chunk| chunk["x_groq"].is_null()) {
            chunk.as_object_mut().unwrap().remove("x_groq");
        }
        assert_eq!(chunks(&seen.out), expected, "{name}");
        assert!(seen.out.ends_with("data: [DONE]\n\n"), "{name}");
        assert_eq!(seen.out.matches(": OPENROUTER").count(), text.matches(": OPENROUTER").count(), "{name}");
    }
}

#[test]
fn usage_is_shown_once_at_the_end_with_its_cost() {
    for (name, stream) in streams() {
        let text = String::from_utf8(stream.to_vec()).unwrap();
        let seen = whole(true, &text);
        let Ok(End { usage: Some(usage), .. }) = seen.end else { continue };
        let sent = chunks(&seen.out);
        assert_eq!(sent.iter().filter(|chunk| figures(chunk)).count(), 1, "{name}");
        let last = sent.last().unwrap();
        assert_eq!(last["choices"], json!([]), "{name}");
        assert_eq!(last["usage"]["prompt_tokens"], usage.input, "{name}");
        assert_eq!(last["id"], sent[sent.len() - 2]["id"], "{name}");
        let nanos = i64::try_from(usage.input * 1000 + usage.output).unwrap();
        assert_eq!(
            last["usage"]["waypost_cost_usd"].to_string().parse::<f64>().unwrap(),
            NanoUsd(nanos).as_usd(),
            "{name}"
        );
    }
}

#[test]
fn a_piece_that_needs_no_change_is_not_copied() {
    let mut relay = relay(false);
    let mut out = Vec::new();
    let piece = Bytes::from_static(
        b": hi\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choices\":[]}\n\n",
    );
    assert!(relay.push(piece.clone(), &mut out).unwrap().content);
    assert_eq!((out.len(), out[0].as_ptr(), out[0].len()), (1, piece.as_ptr(), piece.len()));
}

#[test]
fn content_is_the_first_text_reasoning_or_tool_call() {
    for (delta, content) in [
        (r#"{"role":"assistant"}"#, false),
        (r#"{"role":"assistant","content":""}"#, false),
        (r#"{"content":null,"reasoning_content":"","tool_calls":[]}"#, false),
        (r#"{"content":"x"}"#, true),
        (r#"{"content":null,"reasoning_content":"x"}"#, true),
        (r#"{"reasoning":"x"}"#, true),
        (r#"{"refusal":"x"}"#, true),
        (r#"{"tool_calls":[{"index":0}]}"#, true),
        (r#"{"content":[{"type":"thinking"}]}"#, true),
    ] {
        let seen = whole(false, &format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n"));
        assert_eq!(seen.content, content, "{delta}");
    }
}

const HELLO: &str =
    "data: {\"id\":\"i\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":null}]}\n\n";
const STOP: &str = "data: {\"id\":\"i\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

#[test]
fn a_stream_of_legacy_completions_has_content_and_keeps_its_kind() {
    let stream = "data: {\"id\":\"c\",\"object\":\"text_completion\",\"choices\":[{\"index\":0,\"text\":\"hi\",\
                  \"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";
    let observed = whole(true, stream);
    assert!(observed.content, "held back for ever else");
    let chunks = chunks(&observed.out);
    assert_eq!(chunks.len(), 2);
    assert!(chunks.iter().all(|chunk| chunk["object"] == "text_completion"));
    assert_eq!(chunks[0]["choices"][0]["text"], "hi");
    assert_eq!(chunks[1]["usage"]["completion_tokens"], 2);
}

#[test]
fn a_stream_that_ends_too_early_is_a_failure() {
    for stream in ["", HELLO, &HELLO[..20], &format!("{HELLO}data: {{\"choices\":[{{\"finish_reason\":\"st")] {
        assert_eq!(whole(false, stream).end, Err(StreamError::Truncated), "{stream}");
    }
    let two = relayed(relay(false).expecting(2), [HELLO.as_bytes(), STOP.as_bytes()]);
    assert_eq!(two.end, Err(StreamError::Truncated), "one of two choices has ended");
}

#[test]
fn a_missing_done_is_supplied() {
    for stream in [
        format!("{HELLO}{STOP}"),
        format!("{HELLO}{STOP}data: [DONE]"),
        format!("{HELLO}{STOP}data: [DONE]\n"),
        format!("{HELLO}{}", STOP.trim_end()),
    ] {
        let seen = whole(false, &stream);
        assert!(seen.end.unwrap().good);
        assert_eq!(seen.out.matches("[DONE]").count(), 1, "{stream}");
        assert!(seen.out.ends_with("data: [DONE]\n\n"));
        assert_eq!(chunks(&seen.out).len(), 2);
    }
}

#[test]
fn nothing_follows_done() {
    let seen = whole(false, &format!("{HELLO}data: [DONE]\n\n{HELLO}data: {{\"error\":1}}\n\n"));
    assert_eq!(seen.out, format!("{HELLO}data: [DONE]\n\n"));
    assert!(!seen.end.unwrap().good, "no choice said why it ended");
}

#[test]
fn an_error_in_the_stream_is_never_passed_on() {
    for error in [
        "data: {\"error\":{\"message\":\"overloaded\",\"code\":529}}\n\n",
        "event: error\ndata: {\"message\":\"overloaded\"}\n\n",
        "data: {\"object\":\"error\",\"message\":\"overloaded\",\"code\":500}\n\n",
        "data: {\"id\":\"i\",\"error\" : {\"message\":\"overloaded\"},\"choices\":[]}\n\n",
        "data: {\"choices\":[],\"x_groq\":{\"error\":\"overloaded\"}}\n\n",
        "{\"error\":{\"message\":\"overloaded\"}}\n\n",
        "{\"error\":{\"message\":\"overloaded\"}}",
        "{\n  \"error\": {\n    \"message\": \"overloaded\"\n  }\n}\n",
        "data: {\"error\":{\"message\":\"overloaded\"}}",
    ] {
        for before in ["", HELLO] {
            let seen = whole(false, &format!("{before}{error}"));
            let Err(StreamError::Provider(said)) = seen.end else { panic!("{error}: {:?}", seen.end) };
            assert_eq!((said.message.as_str(), seen.out.as_str()), ("overloaded", before));
        }
    }
}

#[test]
fn words_in_the_answer_are_no_signals() {
    let tricky = r#"data: {"choices":[{"index":0,"delta":{"content":"\"usage\":{\"prompt_tokens\":1} \"error\":{} \"finish_reason\":\"stop\""}}],"error":null,"usage":null}"#;
    let value =
        r#"data: {"choices":[{"index":0,"delta":{"content":"usage"}},{"index":0,"delta":{"content":"error"}}]}"#;
    let stream = format!("{HELLO}{tricky}\n\n{value}\n\n{STOP}data: [DONE]\n\n");
    let seen = whole(true, &stream);
    assert_eq!(seen.out, stream);
    assert_eq!(seen.end, Ok(End { usage: None, good: true }));
}

#[test]
fn usage_on_every_chunk_is_taken_at_its_last_value() {
    let with = |content: &str, tokens: u32| {
        format!(
            "data: {{\"id\":\"i\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{content}\"}},\"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":1,\"completion_tokens\":{tokens}}}}}\n\n"
        )
    };
    let stream = format!("{}{}data: [DONE]\n\n", with("a", 1), with("b", 2));
    let hidden = whole(false, &stream);
    assert!(!hidden.out.contains("usage"));
    assert_eq!(hidden.end.unwrap().usage.unwrap().output, 2);
    let shown = chunks(&whole(true, &stream).out);
    assert_eq!(
        shown.iter().map(|chunk| chunk["usage"]["completion_tokens"].clone()).collect::<Vec<_>>(),
        [Value::Null, Value::Null, json!(2)]
    );
}

#[test]
fn data_over_many_lines_is_one_event() {
    let usage = "data: {\"choices\":\ndata: [{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}],\ndata: \"usage\":{\"prompt_tokens\":3,\ndata: \"completion_tokens\":1}}\n\n";
    let seen = whole(false, &format!("{usage}data: [DONE]\n\n"));
    assert_eq!(seen.end.unwrap().usage.unwrap().input, 3);
    assert_eq!(chunks(&seen.out)[0]["choices"][0]["delta"]["content"], "x");
}

#[test]
fn an_event_without_end_is_refused() {
    let long = format!("data: {}", "x".repeat(200));
    let seen = relayed(relay(false).at_most(100), [long.as_bytes()]);
    assert_eq!(seen.end, Err(StreamError::TooLarge(100)));
    let ended = format!("{HELLO}{long}\n\n");
    let seen = relayed(relay(false).at_most(100), [ended.as_bytes()]);
    assert_eq!((seen.end, seen.out.as_str()), (Err(StreamError::TooLarge(100)), HELLO));
}

#[test]
fn an_event_that_must_be_read_and_cannot_is_a_failure() {
    assert!(matches!(whole(false, "data: {\"choices\":[\n\n").end, Err(StreamError::Json(_))));
}

fn collected(stream: &[u8]) -> Option<Value> {
    let mut in_one = Collector::new(1 << 20);
    in_one.push(stream);
    let mut in_bytes = Collector::new(1 << 20);
    stream.chunks(1).for_each(|piece| in_bytes.push(piece));
    let (one, other) = (in_one.whole(), in_bytes.whole());
    assert_eq!(one, other);
    one.map(|body| serde_json::from_slice(&body).unwrap())
}

fn joined(chunks: &[Value], field: &str) -> String {
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"][field].as_str()).collect()
}

#[test]
fn a_streamed_answer_is_put_together_whole() {
    let mut count = 0;
    for (name, stream) in streams() {
        let text = String::from_utf8(stream.to_vec()).unwrap();
        let Some(whole) = collected(&stream) else {
            assert!(
                name.contains("error")
                    || text.contains(r#""finish_reason":"length""#)
                    || text.contains("reasoning_details")
                    || text.contains(r#""content":["#),
                "{name}"
            );
            continue;
        };
        count += 1;
        let sent = chunks(&text);
        let message = &whole["choices"][0]["message"];
        for field in ["content", "reasoning_content", "reasoning"] {
            assert_eq!(message[field].as_str().unwrap_or_default(), joined(&sent, field), "{name}");
        }
        let arguments: String = sent
            .iter()
            .filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array())
            .flatten()
            .filter_map(|call| call["function"]["arguments"].as_str())
            .collect();
        let got: String = message["tool_calls"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|call| call["function"]["arguments"].as_str().unwrap())
            .collect();
        assert_eq!(got, arguments, "{name}");
        let answer = super::super::read(&serde_json::to_vec(&whole).unwrap()).unwrap();
        assert!(answer.good, "{name}");
    }
    assert!(count >= 12, "{count}");
}

#[test]
fn a_kept_answer_is_replayed_as_the_stream_it_was() {
    for (name, stream) in streams() {
        let Some(whole) = collected(&stream) else { continue };
        let body = serde_json::to_vec(&whole).unwrap();
        for include in [false, true] {
            let events = replay(&body, include).unwrap();
            let text = String::from_utf8(events.to_vec()).unwrap();
            assert!(text.ends_with("data: [DONE]\n\n"));
            let sent = chunks(&text);
            let shown = sent.iter().filter(|chunk| figures(chunk)).count();
            assert_eq!(shown, usize::from(include && whole["usage"].is_object()), "{name}");
            if shown == 1 {
                assert_eq!(sent.last().unwrap()["usage"]["waypost_cost_usd"], 0);
            }
            assert!(sent.iter().all(|chunk| chunk["object"] == "chat.completion.chunk"));
            let mut again = collected(&events).unwrap();
            let mut first = whole.clone();
            if !include {
                first.as_object_mut().unwrap().remove("usage");
            }
            again["object"] = first["object"].clone();
            assert_eq!(again, first, "{name}");
        }
    }
}

#[test]
fn a_relayed_cost_is_not_kept() {
    let usage =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"waypost_cost_usd\":0.5}}\n\n";
    let whole = collected(format!("{HELLO}{STOP}{usage}data: [DONE]\n\n").as_bytes()).unwrap();
    assert_eq!(whole["usage"], json!({"prompt_tokens":1,"completion_tokens":1}));
}

#[test]
fn a_kept_answer_has_the_usage_that_its_client_was_not_shown() {
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n";
    let stream = format!("{HELLO}{STOP}{usage}data: [DONE]\n\n");
    let (mut relay, mut out) = (relay(false), Vec::new());
    relay.push(stream.into(), &mut out).unwrap();
    let mut collector = Collector::new(1000);
    out.iter().for_each(|piece| collector.push(piece));
    collector.counted(relay.usage_json().unwrap());
    let whole: Value = serde_json::from_slice(&collector.whole().unwrap()).unwrap();
    assert_eq!(whole["usage"], json!({"prompt_tokens":1,"completion_tokens":1}));
}

#[test]
fn what_cannot_be_joined_or_is_too_long_is_not_kept() {
    let odd = "data: {\"choices\":[{\"index\":0,\"delta\":{\"audio\":{\"data\":\"x\"}}}]}\n\n";
    assert!(collected(format!("{odd}{STOP}").as_bytes()).is_none());
    assert!(collected(HELLO.as_bytes()).is_none(), "not whole");
    let mut collector = Collector::new(10);
    (0..20).for_each(|_| collector.push(HELLO.as_bytes()));
    collector.push(STOP.as_bytes());
    assert!(collector.whole().is_none());
}

#[test]
fn a_healthy_stream_is_looked_through_once() {
    let envelope = crate::wire::Envelope {
        id: "x".into(),
        model: "x".into(),
        created: 1,
        show_usage: false,
        echo: None,
        cost: std::sync::Arc::new(|_| None),
    };
    for (name, stream) in streams() {
        if !name.contains("openai-chat-stream-text") {
            continue;
        }
        let mut relay = relay(false).mending(super::super::Mend::default(), envelope.clone());
        relay.push(stream.clone(), &mut Vec::new()).unwrap();
        let alike = &relay.mending.as_ref().unwrap().alike;
        let text = std::str::from_utf8(&stream).unwrap();
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let with_text = data.filter(|data| data.contains(r#""delta":{"content":"#));
        assert!(with_text.clone().count() > 1 && with_text.clone().all(|data| alike.knows(data.as_bytes())), "{name}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(1500))]

    #[test]
    fn any_cut_of_any_bytes_gives_the_same(
        parts in proptest::collection::vec(0usize..16, 0..14),
        cuts in proptest::collection::vec(0usize..400, 0..6),
        show in proptest::bool::ANY,
    ) {
        const PARTS: [&str; 16] = [
            "\n", "\r", "\r\n", "\n\n", "\r\n\r\n", "\u{feff}", ": c", "data: ", "data", "event: error", "data: [DONE]", "{\"error\":1}",
            "data: {\"choices\":[{\"delta\":{\"content\":\"é\"}}]}", "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}",
            "data: {\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":2}}", "{",
        ];
        let stream: String = parts.iter().map(|&part| PARTS[part]).collect();
        let bytes = stream.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).chain([0, bytes.len()]).collect();
        cuts.sort_unstable();
        let all = relayed(relay(show), [bytes]);
        proptest::prop_assert_eq!(&relayed(relay(show), cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]])), &all);
        proptest::prop_assert_eq!(&relayed(relay(show), bytes.chunks(1)), &all);
    }
}
