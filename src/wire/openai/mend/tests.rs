use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::super::tests::exchanges;
use super::*;
use crate::wire::StreamError;
use crate::wire::openai::stream::{Collector, End, Relay};

fn envelope() -> Envelope {
    Envelope {
        id: "chatcmpl-ours".into(),
        model: "asked-for".into(),
        created: 1_700_000_000,
        show_usage: true,
        echo: None,
        cost: Arc::new(|_| None),
    }
}

/// What OpenAI's SDK would not take, as its types say (openai 3.54.0, types/chat).
fn faults(value: &Value, whole: bool) -> Vec<String> {
    let mut faults = Faults(Vec::new());
    faults.check(value["id"].is_string(), "id");
    faults.check(value["model"].is_string(), "model");
    faults.check(value["created"].is_u64(), "created");
    faults.check(value["object"] == if whole { "chat.completion" } else { "chat.completion.chunk" }, "object");
    faults.literal(&value["service_tier"], &["auto", "default", "flex", "scale", "priority", "fast"], "service_tier");
    faults.text(&value["system_fingerprint"], "system_fingerprint");
    let usage = &value["usage"];
    let counts = |name: &str| usage[name].as_f64().is_some_and(|figure| figure.fract() == 0.0);
    let counted = ["prompt_tokens", "completion_tokens", "total_tokens"].into_iter().all(counts);
    let details = ["prompt_tokens_details", "completion_tokens_details"];
    let detailed = details.into_iter().all(|name| usage[name].is_null() || usage[name].is_object());
    faults.check(usage.is_null() || (counted && detailed), "usage");
    let metadata = value["metadata"].as_object();
    faults.check(!whole || metadata.is_none_or(|pairs| pairs.values().all(Value::is_string)), "metadata");
    faults.check(value["choices"].is_array(), "choices");
    for choice in value["choices"].as_array().into_iter().flatten() {
        faults.choice(choice, whole);
    }
    faults.0
}

struct Faults(Vec<String>);

impl Faults {
    fn check(&mut self, good: bool, what: &str) {
        if !good {
            self.0.push(what.to_owned());
        }
    }

    fn text(&mut self, value: &Value, what: &str) {
        self.check(value.is_null() || value.is_string(), what);
    }

    fn literal(&mut self, value: &Value, literals: &[&str], what: &str) {
        self.check(value.is_null() || value.as_str().is_some_and(|value| literals.contains(&value)), what);
    }

    fn choice(&mut self, choice: &Value, whole: bool) {
        self.check(choice["index"].is_u64(), "index");
        let reasons = ["stop", "length", "tool_calls", "content_filter", "function_call"];
        self.literal(&choice["finish_reason"], &reasons, "finish_reason");
        self.check(!whole || choice["finish_reason"].is_string(), "finish_reason is missing");
        for name in ["content", "refusal"] {
            let list = &choice["logprobs"][name];
            self.check(list.is_null() || list.is_array(), "logprobs");
            for token in list.as_array().into_iter().flatten() {
                let good =
                    token["token"].is_string() && token["logprob"].is_number() && token["top_logprobs"].is_array();
                self.check(good, "logprobs of a token");
            }
        }
        self.check(choice["logprobs"].is_null() || choice["logprobs"].is_object(), "logprobs");
        let said = if whole { &choice["message"] } else { &choice["delta"] };
        self.check(said.is_object(), "message or delta");
        let roles: &[&str] = if whole { &["assistant"] } else { &["developer", "system", "user", "assistant", "tool"] };
        self.literal(&said["role"], roles, "role");
        self.check(!whole || said["role"].is_string(), "role is missing");
        for name in ["content", "refusal"] {
            self.text(&said[name], name);
        }
        for name in ["tool_calls", "annotations"] {
            self.check(said[name].is_null() || said[name].is_array(), name);
        }
        for name in ["function_call", "audio"] {
            self.check(said[name].is_null() || said[name].is_object(), name);
        }
        for note in said["annotations"].as_array().into_iter().flatten().filter(|_| whole) {
            let cited = &note["url_citation"];
            let placed = cited["start_index"].is_u64() && cited["end_index"].is_u64();
            self.check(placed && cited["title"].is_string() && cited["url"].is_string(), "url_citation");
        }
        for call in said["tool_calls"].as_array().into_iter().flatten() {
            self.call(call, whole);
        }
    }

    fn call(&mut self, call: &Value, whole: bool) {
        let function = &call["function"];
        self.text(&call["id"], "id of a call");
        if !whole {
            self.check(call["index"].is_u64(), "index of a call");
            self.literal(&call["type"], &["function"], "type of a call");
            self.check(function.is_null() || function.is_object(), "function");
            self.text(&function["name"], "name");
            return self.text(&function["arguments"], "arguments");
        }
        self.check(call["id"].is_string(), "id of a call is missing");
        let said = match call["type"].as_str() {
            Some("function") => function["name"].is_string() && function["arguments"].is_string(),
            Some("custom") => call["custom"]["name"].is_string() && call["custom"]["input"].is_string(),
            _ => false,
        };
        self.check(said, "call");
    }
}

fn mended(body: &Value, mend: Mend) -> Value {
    let body = serde_json::to_vec(body).unwrap();
    let body = whole(body.into(), &mend, &envelope()).unwrap();
    let value = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {body:?}"));
    assert_eq!(faults(&value, true), Vec::<String>::new(), "{value}");
    let again = whole(body.clone(), &mend, &envelope()).unwrap();
    assert_eq!(again, body, "what is right stays");
    value
}

/// What a client sees of a stream: its bytes, its chunks, and how it ended.
struct Seen {
    out: String,
    chunks: Vec<Value>,
    end: Result<End, StreamError>,
}

fn relayed<'a>(mend: Mend, show: bool, pieces: impl IntoIterator<Item = &'a [u8]>) -> Seen {
    let mut relay = Relay::new(show, |_| None).mending(mend, envelope());
    let mut out = Vec::new();
    let mut failed = None;
    for piece in pieces {
        if let Err(error) = relay.push(Bytes::copy_from_slice(piece), &mut out) {
            failed = Some(error);
            break;
        }
    }
    let end = failed.map_or_else(|| relay.finish(&mut out), Err);
    let out = String::from_utf8(out.concat()).unwrap();
    let lines = out.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    let chunks: Vec<Value> =
        lines.map(|data| serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"))).collect();
    for chunk in &chunks {
        assert_eq!(faults(chunk, false), Vec::<String>::new(), "{chunk}");
    }
    Seen { out, chunks, end }
}

/// A stream of these chunks, each only what is given of it.
fn stream(chunks: &[Value]) -> String {
    let mut stream: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    stream.push_str("data: [DONE]\n\n");
    stream
}

/// A whole chunk with this delta.
fn chunk(delta: Value, reason: Value) -> Value {
    json!({"id": "i", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
}

fn answer(message: Value) -> Value {
    json!({"id": "i", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
}

fn told(chunks: &[Value], name: &str) -> String {
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"][name].as_str()).collect()
}

const PLAIN: Mend = Mend { think: None, withhold: false };
const THINK: Mend = Mend { think: Some(false), withhold: false };
const ALWAYS: Mend = Mend { think: Some(true), withhold: false };
const WITHHOLD: Mend = Mend { think: None, withhold: true };

/// What a recorded text or list of parts says, and thinks.
fn said(content: &Value) -> (String, String) {
    let mut both = (String::new(), String::new());
    if let Some(text) = content.as_str() {
        both.0.push_str(text);
    }
    for part in content.as_array().into_iter().flatten() {
        both.0.push_str(part["text"].as_str().unwrap_or_default());
        let thoughts = part["thinking"].as_array().into_iter().flatten();
        thoughts.for_each(|thought| both.1.push_str(thought["text"].as_str().unwrap_or_default()));
    }
    both
}

fn reasoning(message: &Value) -> String {
    let own = message["reasoning_content"].as_str().or(message["reasoning"].as_str()).unwrap_or_default();
    format!("{own}{}", said(&message["content"]).1)
}

#[test]
fn every_recorded_answer_passes_the_sdk_and_says_the_same() {
    let (mut whole_ones, mut changed) = (0, 0);
    for exchange in exchanges() {
        let Some(body) = exchange.answered().filter(|_| exchange.status() == 200) else { continue };
        let name = &exchange.name;
        let before: Value = serde_json::from_slice(&body).unwrap();
        let after = mended(&before, PLAIN);
        whole_ones += 1;
        if faults(&before, true).is_empty() && before["choices"][0]["message"]["reasoning"].is_null() {
            assert_eq!(whole(body.clone(), &PLAIN, &envelope()).unwrap().as_ptr(), body.as_ptr(), "{name}");
        } else {
            changed += 1;
        }
        assert_eq!(after["id"], before["id"], "{name}");
        assert_eq!(after["usage"], before["usage"], "{name}");
        for (one, other) in before["choices"].as_array().unwrap().iter().zip(after["choices"].as_array().unwrap()) {
            let (one, other) = (&one["message"], &other["message"]);
            assert_eq!(said(&one["content"]).0, other["content"].as_str().unwrap_or_default(), "{name}");
            assert_eq!(reasoning(one), other["reasoning_content"].as_str().unwrap_or_default(), "{name}");
            assert_eq!(one["reasoning_details"], other["reasoning_details"], "{name}");
            for (one, other) in [(one, other)].iter().flat_map(|(one, other)| {
                let calls = |message: &Value| message["tool_calls"].as_array().cloned().unwrap_or_default();
                calls(one).into_iter().zip(calls(other))
            }) {
                assert_eq!((&one["id"], &one["function"]), (&other["id"], &other["function"]), "{name}");
            }
        }
        let hidden = mended(&before, WITHHOLD);
        assert_eq!(reasoning(&hidden["choices"][0]["message"]), "", "{name}");
        assert_eq!(hidden["choices"][0]["message"]["content"], after["choices"][0]["message"]["content"], "{name}");
    }
    assert!(whole_ones > 20 && changed > 4, "{whole_ones} {changed}");
}

#[test]
fn every_recorded_stream_passes_the_sdk_and_says_the_same() {
    for exchange in exchanges() {
        let Some(bytes) = &exchange.stream else { continue };
        let name = &exchange.name;
        let text = std::str::from_utf8(bytes).unwrap();
        let before: Vec<Value> = text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .filter_map(|data| serde_json::from_str(data).ok())
            .collect();
        let seen = relayed(PLAIN, true, [&bytes[..]]);
        assert_eq!(seen.end.is_err(), name.contains("error"), "{name}: {:?}", seen.end);
        let deltas: Vec<&Value> = before.iter().map(|chunk| &chunk["choices"][0]["delta"]).collect();
        let content: String = deltas.iter().map(|delta| said(&delta["content"]).0).collect();
        let thought: String = deltas.iter().map(|delta| reasoning(delta)).collect();
        assert_eq!(told(&seen.chunks, "content"), content, "{name}");
        assert_eq!(told(&seen.chunks, "reasoning_content"), thought, "{name}");
        let hidden = relayed(WITHHOLD, true, [&bytes[..]]);
        assert_eq!(told(&hidden.chunks, "content"), content, "{name}");
        for key in ["\"reasoning\":", "\"reasoning_content\"", "\"reasoning_details\""] {
            assert!(!hidden.out.contains(key), "{name}");
        }
        let healthy = before
            .iter()
            .all(|chunk| faults(chunk, false).is_empty() && told(std::slice::from_ref(chunk), "reasoning").is_empty());
        if healthy {
            let mut plain = Relay::new(true, |_| None);
            let mut out = Vec::new();
            plain.push(bytes.clone(), &mut out).unwrap();
            plain.finish(&mut out).unwrap();
            assert_eq!(seen.out.as_bytes(), out.concat(), "{name}");
        }
    }
}

#[test]
fn any_cut_of_a_recorded_stream_is_mended_to_the_same_bytes() {
    let mut random = StdRng::seed_from_u64(11);
    for exchange in exchanges() {
        let Some(bytes) = &exchange.stream else { continue };
        for (mend, show) in [(PLAIN, true), (WITHHOLD, false), (ALWAYS, true)] {
            let all = relayed(mend, show, [&bytes[..]]);
            let single = relayed(mend, show, bytes.chunks(1));
            assert_eq!((&single.out, &single.end), (&all.out, &all.end), "{}", exchange.name);
            for _ in 0..10 {
                let mut cuts: Vec<usize> =
                    (0..random.random_range(1..9)).map(|_| random.random_range(0..bytes.len())).collect();
                cuts.extend([0, bytes.len()]);
                cuts.sort_unstable();
                let cut = relayed(mend, show, cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]));
                assert_eq!((&cut.out, &cut.end), (&all.out, &all.end), "{} at {cuts:?}", exchange.name);
            }
        }
    }
}

#[test]
fn reasoning_is_renamed_where_it_stands() {
    let body = br#"{ "id":"i","object":"chat.completion","created":1,"model":"m","x": 1.50, "choices":[{"index":0,"message":{"role":"assistant", "reasoning" : "a\u0062", "content":"c"},"finish_reason":"stop"}] }"#;
    let after = whole(Bytes::from_static(body), &PLAIN, &envelope()).unwrap();
    let expected = std::str::from_utf8(body).unwrap().replace("\"reasoning\"", "\"reasoning_content\"");
    assert_eq!(after, expected);
    for (before, after) in [
        (json!({"reasoning": "a", "reasoning_content": "a"}), json!({"reasoning_content": "a"})),
        (json!({"reasoning": "a", "reasoning_content": null}), json!({"reasoning_content": "a"})),
        (json!({"reasoning": "a", "reasoning_content": ""}), json!({"reasoning_content": "a"})),
        (json!({"reasoning": "a", "reasoning_content": "b"}), json!({"reasoning": "a", "reasoning_content": "b"})),
        (json!({"reasoning": null}), json!({"reasoning": null})),
        (
            json!({"reasoning": "a", "reasoning_details": [1]}),
            json!({"reasoning_content": "a", "reasoning_details": [1]}),
        ),
    ] {
        let mut message = before;
        message["role"] = json!("assistant");
        message["content"] = json!("c");
        let mut expected = after;
        expected["role"] = json!("assistant");
        expected["content"] = json!("c");
        assert_eq!(mended(&answer(message.clone()), PLAIN)["choices"][0]["message"], expected);
        let seen = relayed(
            PLAIN,
            false,
            [stream(&[chunk(message.clone(), json!(null)), chunk(message, json!("stop"))]).as_bytes()],
        );
        assert!(seen.chunks.iter().all(|chunk| chunk["choices"][0]["delta"] == expected), "{}", seen.out);
    }
}

#[test]
fn members_that_are_cut_leave_no_comma() {
    for message in [
        r#"{"role":"assistant","content":"c","reasoning":"a","reasoning_content":"a","reasoning_details":[]}"#,
        r#"{"reasoning":"a","reasoning_content":"a","role":"assistant","reasoning_details":[],"content":"c"}"#,
        r#"{"reasoning":"a" , "role":"assistant" , "content":"c" , "reasoning_details":[] }"#,
    ] {
        let body = format!(
            r#"{{"id":"i","object":"chat.completion","created":1,"model":"m","service_tier":"on_demand","choices":[{{"index":0,"message":{message},"finish_reason":"stop"}}]}}"#
        );
        let after = mended(&serde_json::from_str(&body).unwrap(), WITHHOLD);
        assert_eq!(after["choices"][0]["message"], json!({"role": "assistant", "content": "c"}));
        let raw = whole(body.into(), &WITHHOLD, &envelope()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&raw).unwrap(), after);
    }
}

#[test]
fn a_whole_answers_gaps_are_filled() {
    assert_eq!(
        mended(&json!({"choices": [{}, {"message": {"tool_calls": [{}]}}]}), PLAIN),
        json!({"id": "chatcmpl-ours", "object": "chat.completion", "created": 1_700_000_000, "model": "asked-for", "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": null}},
            {"index": 1, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_chatcmpl-ours_1_0", "type": "function", "function": {"name": "", "arguments": "{}"}}]}}]})
    );
    let odd = json!({"id": 7, "object": "", "created": 1.5, "model": null, "service_tier": "on_demand", "system_fingerprint": 3,
        "usage": {"prompt_tokens": 3, "completion_tokens": 4}, "metadata": {"a": 1}, "x": {"y": 1},
        "choices": [{"index": null, "finish_reason": "model_length", "logprobs": [], "message": {"role": "model", "content": 5,
            "refusal": false, "annotations": {}, "audio": 1, "function_call": [],
            "tool_calls": [{"id": "a", "type": "", "function": {"name": "f", "arguments": {"b": [1, "é\""]}}}, {"id": "", "type": "custom", "custom": {}}]}}]});
    assert_eq!(
        mended(&odd, PLAIN),
        json!({"id": "7", "object": "chat.completion", "created": 1, "model": "asked-for", "system_fingerprint": "3",
            "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}, "metadata": {"a": "1"}, "x": {"y": 1},
            "choices": [{"index": 0, "finish_reason": "length", "logprobs": null, "message": {"role": "assistant", "content": null,
                "refusal": null, "annotations": null, "audio": null, "function_call": null,
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"b\":[1,\"é\\\"\"]}"}},
                    {"id": "call_chatcmpl-ours_0_1", "type": "custom", "custom": {"name": "", "input": ""}}]}}]})
    );
}

#[test]
fn a_providers_reason_is_told_in_the_formats_words() {
    for (said, told) in [
        ("eos", "stop"),
        ("end_turn", "stop"),
        ("STOP", "stop"),
        ("model_length", "length"),
        ("MAX_TOKENS", "length"),
        ("insufficient_system_resource", "length"),
        ("error", "length"),
        ("tool_use", "tool_calls"),
        ("SAFETY", "content_filter"),
        ("", "stop"),
    ] {
        let mut before = answer(json!({"role": "assistant", "content": "x"}));
        before["choices"][0]["finish_reason"] = json!(said);
        assert_eq!(mended(&before, PLAIN)["choices"][0]["finish_reason"], told, "{said}");
        let seen = relayed(PLAIN, false, [stream(&[chunk(json!({"content": "x"}), json!(said))]).as_bytes()]);
        let expected = if said.is_empty() { json!(null) } else { json!(told) };
        assert_eq!(seen.chunks[0]["choices"][0]["finish_reason"], expected, "{said}");
        assert_eq!(seen.end.unwrap().good, matches!(told, "stop" | "tool_calls") && !said.is_empty(), "{said}");
    }
}

#[test]
fn errors_are_nobodys_format() {
    for error in [json!({"error": {"message": "down"}}), json!({"object": "error", "message": "down", "choices": []})] {
        let body = Bytes::from(serde_json::to_vec(&error).unwrap());
        assert_eq!(whole(body.clone(), &PLAIN, &envelope()).unwrap(), body);
        let seen = relayed(PLAIN, false, [stream(&[error]).as_bytes()]);
        assert!(matches!(seen.end, Err(StreamError::Provider(error)) if error.message == "down"));
    }
    assert_eq!(whole(Bytes::from_static(b"{}"), &PLAIN, &envelope()), Err(AnswerError::NoChoices));
    assert!(matches!(whole(Bytes::from_static(b"{"), &PLAIN, &envelope()), Err(AnswerError::Json(_))));
}

#[test]
fn fragments_of_calls_without_an_index_get_one() {
    let call = |call: Value| chunk(json!({"tool_calls": [call]}), json!(null));
    let seen = relayed(
        PLAIN,
        false,
        [stream(&[
            call(json!({"id": "a", "function": {"name": "f", "arguments": "{"}})),
            call(json!({"function": {"arguments": "}"}})),
            call(json!({"id": "b", "type": "", "function": {"name": "g", "arguments": {"x": 1}}})),
            call(json!({"id": "a", "function": {"arguments": " "}})),
            call(json!({"id": null, "function": {"name": "h"}})),
            call(json!({"index": 3, "id": "", "function": {"name": "i"}})),
            call(json!({"index": 3, "id": "", "function": {"arguments": "{}"}})),
            chunk(json!({}), json!("tool_calls")),
        ])
        .as_bytes()],
    );
    let calls: Vec<Value> =
        seen.chunks.iter().map(|chunk| chunk["choices"][0]["delta"]["tool_calls"][0].clone()).collect();
    let indexes: Vec<_> = calls.iter().filter_map(|call| call["index"].as_u64()).collect();
    assert_eq!(indexes, [0, 0, 1, 0, 2, 3, 3]);
    assert_eq!(calls[2]["function"]["arguments"], r#"{"x":1}"#);
    assert_eq!(calls[4]["id"], "call_chatcmpl-ours_0_2");
    assert_eq!(calls[5]["id"], "call_chatcmpl-ours_0_3");
    assert_eq!(calls[6]["id"], "", "only the first fragment names the call");
}

#[test]
fn bare_chunks_are_filled() {
    let seen = relayed(
        PLAIN,
        true,
        [stream(&[
            json!({"choices": [{"delta": {"role": "", "content": "a"}}]}),
            json!({"choices": [{"delta": {"content": [{"type": "text", "text": "b"}]}}, {"delta": null}]}),
            json!({"choices": [{"finish_reason": "stop"}, {"finish_reason": "eos_token"}]}),
            json!({"usage": {"prompt_tokens": 2, "completion_tokens": 3}}),
        ])
        .as_bytes()],
    );
    assert_eq!(told(&seen.chunks, "content"), "ab");
    let last = seen.chunks.last().unwrap();
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(5)));
    assert!(seen.end.unwrap().good);
}

#[test]
fn a_block_of_text_is_told_as_reasoning() {
    let deltas = ["<thi", "nk>\n", "we", "igh <", "b \n", "</think>\n", "\nThe", " answer <think>"];
    let mut chunks: Vec<Value> = deltas.iter().map(|text| chunk(json!({"content": text}), json!(null))).collect();
    chunks.push(chunk(json!({}), json!("stop")));
    let seen = relayed(THINK, false, [stream(&chunks).as_bytes()]);
    assert_eq!(told(&seen.chunks, "reasoning_content"), "weigh <b");
    assert_eq!(told(&seen.chunks, "content"), "The answer <think>");
    let text = deltas.concat();
    let message = &mended(&answer(json!({"role": "assistant", "content": text})), THINK)["choices"][0]["message"];
    assert_eq!(
        (&message["reasoning_content"], &message["content"]),
        (&json!("weigh <b"), &json!("The answer <think>"))
    );
    let hidden = relayed(Mend { withhold: true, ..THINK }, false, [stream(&chunks).as_bytes()]);
    assert_eq!(told(&hidden.chunks, "content"), "The answer <think>");
    assert!(!hidden.out.contains("reasoning") && !hidden.out.contains("weigh"));
}

#[test]
fn what_is_held_of_a_block_comes_out_at_the_end() {
    let call = json!({"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    for (chunks, reasoning, content) in [
        (vec![chunk(json!({"content": "a </th"}), json!(null)), chunk(json!({}), json!("stop"))], "a </th", ""),
        (vec![chunk(json!({"content": "a </th"}), json!("stop"))], "a </th", ""),
        (vec![chunk(json!({"content": "a <"}), json!(null)), chunk(call, json!("tool_calls"))], "a <", ""),
        (vec![chunk(json!({"content": "a <"}), json!(null))], "a <", ""),
        (
            vec![chunk(json!({"content": "a <"}), json!(null)), json!({"choices": [{"finish_reason": "stop"}]})],
            "a <",
            "",
        ),
        (
            vec![chunk(json!({"reasoning": "r"}), json!(null)), chunk(json!({"content": "a </think>"}), json!("stop"))],
            "r",
            "a </think>",
        ),
        (vec![chunk(json!({"content": "<"}), json!(null)), chunk(json!({"reasoning": "r"}), json!("stop"))], "<r", ""),
    ] {
        let seen = relayed(ALWAYS, false, [stream(&chunks).as_bytes()]);
        let mut thought: Vec<char> = told(&seen.chunks, "reasoning_content").chars().collect();
        let mut expected: Vec<char> = reasoning.chars().collect();
        thought.sort_unstable();
        expected.sort_unstable();
        assert_eq!((thought, told(&seen.chunks, "content").as_str()), (expected, content), "{}", seen.out);
    }
}

#[test]
fn the_chances_of_withheld_tokens_are_withheld() {
    let chances = |token: &str| json!({"content": [{"token": token, "logprob": -0.5}]});
    let mut thought = chunk(json!({"content": "<think>secret"}), json!(null));
    thought["choices"][0]["logprobs"] = chances("secret");
    let mut said = chunk(json!({"content": "</think>open"}), json!("stop"));
    said["choices"][0]["logprobs"] = chances("open");
    let mend = Mend { withhold: true, ..THINK };
    let seen = relayed(mend, false, [stream(&[thought.clone(), said.clone()]).as_bytes()]);
    assert!(!seen.out.contains("secret") && seen.out.contains(r#""token":"open""#), "{}", seen.out);
    let shown = relayed(THINK, false, [stream(&[thought, said]).as_bytes()]);
    assert!(shown.out.contains(r#""token":"secret""#));
    let mut whole = answer(json!({"role": "assistant", "content": "<think>secret</think>open"}));
    whole["choices"][0]["logprobs"] = chances("secret");
    assert!(!mended(&whole, mend).to_string().contains("secret"));
    assert!(mended(&whole, THINK).to_string().contains(r#""token":"secret""#));
}

#[test]
fn a_kept_answer_is_the_one_that_the_client_saw() {
    let bytes = exchanges()
        .into_iter()
        .find(|exchange| exchange.name == "088-mistral-chat-stream-text")
        .unwrap()
        .stream
        .unwrap();
    let seen = relayed(PLAIN, true, [&bytes[..]]);
    let mut collector = Collector::new(1 << 20);
    collector.push(seen.out.as_bytes());
    let kept: Value = serde_json::from_slice(&collector.whole().unwrap()).unwrap();
    let message = &kept["choices"][0]["message"];
    assert_eq!(message["reasoning_content"], told(&seen.chunks, "reasoning_content"));
    assert_eq!(message["content"], told(&seen.chunks, "content"));
    assert_eq!(faults(&kept, true), Vec::<String>::new());
}

#[test]
fn words_that_look_like_members_are_words() {
    let tricky = "\",\"reasoning\":\"x\",\"usage\":{} \\";
    let chunks: Vec<Value> =
        ["a", tricky, "\\\"", "", "usage"].iter().map(|text| chunk(json!({"content": text}), json!(null))).collect();
    let all = stream(&[&chunks[..], &[chunk(json!({}), json!("stop"))]].concat());
    let seen = relayed(PLAIN, false, [all.as_bytes()]);
    assert_eq!(seen.out, all);
    let broken = format!(
        "{}data: {{\"id\":\"i\",\"choices\":[{{\"delta\":{{\"content\":\"x\n\n",
        stream(&chunks).replace("data: [DONE]\n\n", "")
    );
    assert!(matches!(relayed(PLAIN, false, [broken.as_bytes()]).end, Err(StreamError::Json(_))));
}

#[test]
fn what_is_like_the_last_chunk_may_still_not_hide_a_change() {
    let plain = chunk(json!({"content": "x"}), json!(null));
    let late = [
        chunk(json!({"content": [{"type": "text", "text": "y"}]}), json!(null)),
        chunk(json!({"reasoning": "y"}), json!(null)),
        json!({"choices": [{"delta": {"content": "y"}}]}),
    ];
    for late in late {
        let seen = relayed(
            PLAIN,
            false,
            [stream(&[plain.clone(), plain.clone(), late, chunk(json!({}), json!("stop"))]).as_bytes()],
        );
        assert!(seen.out.contains("y") && seen.end.unwrap().good);
    }
}

/// Spoils one member somewhere in the value, in a way that some provider might.
fn spoil(value: &mut Value, random: &mut StdRng) {
    match value {
        Value::Array(list) if !list.is_empty() => {
            let at = random.random_range(0..list.len());
            spoil(&mut list[at], random);
        }
        Value::Object(members) if !members.is_empty() => {
            let keys: Vec<String> = members.keys().cloned().collect();
            let key = &keys[random.random_range(0..keys.len())];
            // What stands in these is the provider's affair.
            let opaque = ["annotations", "x_groq", "error", "timings", "reasoning_details"];
            let member = members.get_mut(key).unwrap();
            if key == "logprobs" && member.is_null() {
                *member = json!({"content": [{"token": "a", "logprob": -0.1, "bytes": [97],
                    "top_logprobs": [{"token": "b", "logprob": null}]}], "tokens": ["a"]});
            }
            let inner = (member.is_object() || member.is_array()) && !opaque.contains(&key.as_str());
            if inner && random.random_bool(0.8) {
                return spoil(member, random);
            }
            let odd = [
                json!(null),
                json!(""),
                json!("odd"),
                json!(5),
                json!(1.5),
                json!(true),
                json!([]),
                json!({}),
                json!([{"type": "text", "text": "x"}, {"type": "thinking", "thinking": [{"type": "text", "text": "y"}]}]),
                json!({"a": [1, "\n"]}),
                json!(-1),
                json!("<think>a</think>b"),
            ];
            if key == "annotations" {
                return drop(members.remove(key));
            }
            match random.random_range(0..odd.len() + 4) {
                at if at < odd.len() => *member = odd[at].clone(),
                _ => drop(members.remove(key)),
            }
        }
        _ => {}
    }
}

#[test]
fn whatever_is_spoiled_in_a_recording_passes_the_sdk() {
    let mut random = StdRng::seed_from_u64(5);
    for exchange in exchanges().into_iter().filter(|exchange| exchange.status() == 200) {
        for _ in 0..60 {
            let mend = [PLAIN, THINK, ALWAYS, WITHHOLD][random.random_range(0..4)];
            let mut spoil = |value: &Value| {
                let mut value = value.clone();
                (0..random.random_range(1..4)).for_each(|_| spoil(&mut value, &mut random));
                value
            };
            if let Some(body) = exchange.answered() {
                let spoiled = spoil(&serde_json::from_slice(&body).unwrap());
                if spoiled["choices"].is_array() && spoiled["error"].is_null() {
                    mended(&spoiled, mend);
                }
                continue;
            }
            let text = String::from_utf8(exchange.stream.as_ref().unwrap().to_vec()).unwrap();
            let chunks: Vec<Value> = text
                .lines()
                .filter_map(|line| line.strip_prefix("data: "))
                .filter_map(|data| serde_json::from_str(data).ok())
                .map(|chunk| spoil(&chunk))
                .take(40)
                .collect();
            let all = stream(&chunks);
            relayed(mend, true, [all.as_bytes()]);
        }
    }
}

#[test]
fn one_scan_tells_of_an_answer_what_two_tell() {
    let usage =
        r#""usage":{"prompt_tokens":9,"completion_tokens":4,"completion_tokens_details":{"reasoning_tokens":3}}"#;
    let choice = r#"{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}"#;
    let bodies = [
        format!(r#"{{"id":"1","choices":[{choice}],{usage}}}"#),
        format!(r#"{{"choices":[{choice},{choice}]}}"#),
        format!(r#"{{{usage},"choices":[{choice}],"usage":null}}"#),
        format!(r#"{{{usage},"choices":[{choice}],"usage":{{"prompt_tokens":1}}}}"#),
        format!(r#"{{"choices":[{choice}],"usage":7}}"#),
        r#"{"choices":[]}"#.into(),
        r#"{"choices":{}}"#.into(),
        r#"{"choices":[7]}"#.into(),
        r#"{"choices":[{"finish_reason":"length"},{"finish_reason":"tool_calls"}]}"#.into(),
        r#"{"choices":[{"finish_reason":null}]}"#.into(),
        r#"{"choices":[{"finish_reason":7}]}"#.into(),
        r#"{"choices":[{"message":{}}]}"#.into(),
        r#"{"choices":[{"finish_reason":"st\u006fp"}]}"#.into(),
        r#"{"choices":[{"finish_reason":"length","finish_reason":"stop"}]}"#.into(),
        r#"{"choices":[{"finish_reason":"stop","error":{"message":"m"}}]}"#.into(),
        r#"{"choices":[{"finish_reason":"stop","error":null}]}"#.into(),
        r#"{"object":"error","message":"m"}"#.into(),
        r#"{"object":"error","choices":[{"finish_reason":"stop"}]}"#.into(),
        r#"{"error":{"message":"m"},"choices":[]}"#.into(),
        r#"{"error":null,"choices":[{"finish_reason":"stop"}]}"#.into(),
        r#"{"choices":[{"finish_reason":"stop"}]} x"#.into(),
        r#"{"choices":[{"finish_reason":"stop"}"#.into(),
        "<html>".into(),
        "{}".into(),
    ];
    let counted = [
        r#""prompt_tokens":9,"completion_tokens":4,"total_tokens":13"#,
        r#""prompt_tokens":9,"completion_tokens":4,"total_tokens":16,"completion_tokens_details":{"reasoning_tokens":3}"#,
        r#""prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_tokens_details":null"#,
        r#""prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":null}"#,
        r#""prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_tokens":"x""#,
        r#""prompt_tokens":"x","completion_tokens":4,"total_tokens":13,"prompt_tokens":9"#,
        r#""prompt_token\u0073":9,"completion_tokens":4,"total_tokens":13"#,
        r#""prompt_tokens":99999999999999999999,"completion_tokens":4,"total_tokens":13"#,
        r#""prompt_tokens":9.0,"completion_tokens":4,"total_tokens":13"#,
        r#""prompt_tokens":9,"completion_tokens":4,"total_tokens":13 "#,
        r#""prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"#,
    ];
    let deep = |levels: usize| {
        format!(
            r#""prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"x":{}{}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    let counted = counted.into_iter().map(str::to_owned).chain((124..129).map(deep));
    let counted = counted.flat_map(|usage| {
        [
            format!(r#"{{"choices":[{choice}],"usage":{{{usage}}}}}"#),
            format!(r#"{{"choices":[{choice}],"usage":{{{usage}"#),
        ]
    });
    for body in bodies.into_iter().chain(counted.collect::<Vec<_>>()) {
        for mend in [Mend::default(), Mend { think: Some(true), withhold: true }] {
            let bytes = Bytes::from(body.clone());
            let apart =
                response::read(&bytes).and_then(|answer| Ok((whole(bytes.clone(), &mend, &envelope())?, answer)));
            assert_eq!(read(bytes, &mend, &envelope()), apart, "{body}");
        }
    }
}
