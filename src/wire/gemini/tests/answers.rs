//! Whole answers and streams, against recordings; what is expected is read from them by `serde_json` alone.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::chat::{Answer, Content, Event, Family, Finish, SealKind, Usage};
use crate::wire::gemini::{answer, stream};
use crate::wire::provider_error::ProviderErrorKind;
use crate::wire::recorded::{Exchange, exchanges, folder};
use crate::wire::stream::{AnswerError, Decoder as _, StreamError};
use crate::wire::{sse, sse::Splitter};

/// One answer as its pieces say it, in the words of this test.
#[derive(Debug, Default, PartialEq)]
struct Said {
    text: String,
    reasoning: String,
    calls: Vec<(String, String)>,
    /// What each signature stands at, and the signature.
    signatures: Vec<(&'static str, String)>,
    finish: Option<Finish>,
    usage: Option<Usage>,
    id: Option<String>,
    model: Option<String>,
}

fn expected(pieces: &[Value]) -> Said {
    let mut said = Said::default();
    for piece in pieces {
        let candidate = &piece["candidates"][0];
        for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
            let at = if part["functionCall"].is_object() {
                let call = &part["functionCall"];
                said.calls.push((call["name"].as_str().unwrap().to_owned(), call["args"].to_string()));
                "call"
            } else if part["thought"] == true {
                said.reasoning.push_str(part["text"].as_str().unwrap());
                "thought"
            } else {
                said.text.push_str(part["text"].as_str().unwrap());
                "text"
            };
            if let Some(signature) = part["thoughtSignature"].as_str() {
                said.signatures.push((at, signature.to_owned()));
            }
        }
        said.finish = match candidate["finishReason"].as_str() {
            Some("STOP") if said.calls.is_empty() => Some(Finish::Stop),
            Some("STOP") => Some(Finish::ToolCalls),
            Some("MAX_TOKENS") => Some(Finish::Length),
            Some("SAFETY") => Some(Finish::ContentFilter),
            Some(other) => panic!("{other}"),
            None => said.finish,
        };
        let counts = &piece["usageMetadata"];
        if !counts["promptTokenCount"].is_null() {
            let of = |name: &str| counts[name].as_u64().unwrap_or(0);
            let usage = Usage {
                input: of("promptTokenCount"),
                cached: of("cachedContentTokenCount"),
                output: of("candidatesTokenCount") + of("thoughtsTokenCount"),
                reasoning: of("thoughtsTokenCount"),
                ..Usage::default()
            };
            assert_eq!(usage.input + usage.output, of("totalTokenCount"), "as Google adds them up");
            said.usage = Some(usage);
        }
        said.model = piece["modelVersion"].as_str().map(str::to_owned);
        said.id = piece["responseId"].as_str().map(str::to_owned);
    }
    said
}

fn got(answer: &Answer) -> Said {
    let mut said = Said { id: answer.id.clone(), model: answer.model.clone(), usage: answer.usage, ..Said::default() };
    assert_eq!(answer.choices.len(), 1);
    said.finish.clone_from(&answer.choices[0].finish);
    for part in &answer.choices[0].parts {
        let (at, seal) = match &part.content {
            Content::Text(text) => {
                said.text.push_str(text);
                continue;
            }
            Content::Reasoning(reasoning) => {
                said.reasoning.push_str(&reasoning.text());
                let at = match reasoning.seal.as_ref().map(|seal| seal.kind) {
                    Some(SealKind::Answer) => "text",
                    _ => "thought",
                };
                (at, reasoning.seal.as_ref())
            }
            Content::ToolCall(call) => {
                assert!(!call.id.is_empty());
                let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
                said.calls.push((call.name.clone(), arguments.to_string()));
                ("call", call.seal.as_ref())
            }
            other => panic!("{other:?}"),
        };
        if let Some(seal) = seal {
            assert_eq!((seal.family, seal.kind == SealKind::Call), (Family::Gemini, at == "call"));
            said.signatures.push((at, seal.data.clone()));
        }
    }
    said
}

/// Every call's arguments stand in the raw answer as they are.
fn assert_verbatim(answer: &Answer, raw: &[u8]) {
    let raw = std::str::from_utf8(raw).unwrap().replace("\"args\": ", "\"args\":");
    for part in &answer.choices[0].parts {
        if let Content::ToolCall(call) = &part.content {
            assert!(raw.contains(&format!("\"args\":{}", call.arguments)), "{}", call.arguments);
        }
    }
}

fn pieces(stream: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stream).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// What a decoder makes of a stream that arrives in these pieces.
fn heard<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, Result<(), StreamError>) {
    let (mut decoder, mut splitter) = (stream::Decoder::new(), Splitter::default());
    let (mut event, mut out) = (Vec::new(), Vec::new());
    for mut piece in pieces {
        if splitter.owes_line_feed(piece, !event.is_empty()) {
            piece = &piece[1..];
        }
        while let Some(end) = splitter.end(piece) {
            event.extend_from_slice(&piece[..end]);
            let read = sse::parse(&event);
            if let Some(data) = &read.data
                && let Err(error) = decoder.event(read.name, data, &mut out)
            {
                return (out, Err(error));
            }
            event.clear();
            piece = &piece[end..];
        }
        event.extend_from_slice(piece);
    }
    let end = decoder.finish(&mut out);
    (out, end)
}

fn collected(events: &[Event]) -> Answer {
    let mut answer = Answer::default();
    for event in events {
        answer.add(event);
    }
    answer
}

fn streams() -> Vec<Exchange> {
    exchanges("gen-stream").into_iter().filter(|exchange| exchange.status() == 200).collect()
}

fn lines(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder().join("response-only").join(name)).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn decoded(chunks: &[impl AsRef<[u8]>]) -> Result<Vec<Event>, StreamError> {
    let (mut decoder, mut out) = (stream::Decoder::new(), Vec::new());
    for chunk in chunks {
        decoder.event(None, chunk.as_ref(), &mut out)?;
    }
    decoder.finish(&mut out)?;
    Ok(out)
}

#[test]
fn every_recorded_answer_says_what_it_said() {
    let mut signed = 0;
    for exchange in exchanges("gen").iter().filter(|exchange| exchange.status() == 200) {
        let body = exchange.answered().unwrap();
        let answer = answer::decode(&body).unwrap_or_else(|error| panic!("{}: {error}", exchange.name));
        let expected = expected(&[serde_json::from_slice(&body).unwrap()]);
        signed += expected.signatures.len();
        assert_eq!(got(&answer), expected, "{}", exchange.name);
        assert!(answer.complete());
        assert_verbatim(&answer, &body);
        if exchange.meta["provider"] == "vertex" {
            assert!(answer.created.is_some_and(|created| created > 1_700_000_000), "{}", exchange.name);
        }
        assert_eq!(answer::decode(&body).unwrap(), answer, "always the same, made-up ids as well");
    }
    assert!(signed >= 5);
}

#[test]
fn every_recorded_stream_says_what_it_said_however_it_arrives() {
    let mut random = 1u64;
    for exchange in streams() {
        let bytes = exchange.stream.unwrap();
        let (events, end) = heard([&bytes[..]]);
        assert_eq!(end, Ok(()), "{}", exchange.name);
        assert_eq!(events.last(), Some(&Event::End));
        assert_eq!(got(&collected(&events)), expected(&pieces(&bytes)), "{}", exchange.name);
        assert_verbatim(&collected(&events), &bytes);
        assert_eq!(heard(bytes.chunks(1)), (events.clone(), Ok(())), "{} byte by byte", exchange.name);
        for _ in 0..50 {
            let (mut parts, mut rest) = (Vec::new(), &bytes[..]);
            while !rest.is_empty() {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let (part, after) = rest.split_at(rest.len().min((random >> 33) as usize % 700 + 1));
                parts.push(part);
                rest = after;
            }
            assert_eq!(heard(parts).0, events, "{}", exchange.name);
        }
    }
}

#[test]
fn a_stream_that_stops_early_is_no_answer() {
    for exchange in streams() {
        let bytes = exchange.stream.unwrap();
        let last = bytes.windows(6).rposition(|window| window == b"data: ").unwrap();
        let (events, end) = heard([&bytes[..last]]);
        assert_eq!(end, Err(StreamError::Truncated), "{}", exchange.name);
        assert!(!events.contains(&Event::End));
    }
    let two = json!({"candidates": [{"index": 0, "finishReason": "STOP"}, {"index": 1, "content": {"parts": [{"text": "a"}]}}]});
    assert_eq!(decoded(&[two.to_string()]), Err(StreamError::Truncated), "one of two answers is open");
    assert_eq!(decoded(&[] as &[&str]), Err(StreamError::Truncated));
}

#[test]
fn a_signature_in_an_empty_part_seals_the_text_before_it() {
    let chunks = lines("google-reasoning-gemini3.chunks.jsonl");
    let events = decoded(&chunks).unwrap();
    let last: Value = serde_json::from_str(&chunks[2]).unwrap();
    let signature = &last["candidates"][0]["content"]["parts"][0]["thoughtSignature"];
    let answer = collected(&events);
    let parts = &answer.choices[0].parts;
    assert!(matches!(&parts[0].content, Content::Text(text) if text.ends_with("St**r**awbe**rr**y")));
    let Content::Reasoning(sealed) = &parts[1].content else { panic!() };
    let seal = sealed.seal.as_ref().unwrap();
    assert_eq!((seal.kind, sealed.parts.len()), (SealKind::Answer, 0));
    assert_eq!(*signature, json!(seal.data));
    assert_eq!(answer.usage.unwrap().reasoning, 302);
}

#[test]
fn arguments_that_come_in_pieces_are_put_together() {
    let events = decoded(&lines("google-stream-tool-call-arguments.chunks.jsonl")).unwrap();
    let answer = collected(&events);
    let calls: Vec<_> = answer.choices[0]
        .parts
        .iter()
        .map(|part| match &part.content {
            Content::ToolCall(call) => call,
            other => panic!("{other:?}"),
        })
        .collect();
    let said: Vec<_> = calls.iter().map(|call| (call.name.as_str(), call.arguments.as_str())).collect();
    assert_eq!(said, [("getWeather", r#"{"location":"Boston"}"#), ("getWeather", r#"{"location":"San Francisco"}"#)]);
    assert!(calls[0].seal.as_ref().unwrap().data.starts_with("CiMBjz1r") && calls[1].seal.is_none());
    assert_ne!(calls[0].id, calls[1].id);
    assert_eq!(answer.choices[0].finish, Some(Finish::ToolCalls));
    assert_eq!((answer.usage.unwrap().input, answer.usage.unwrap().output), (26, 155));
}

#[test]
fn calls_without_an_id_get_one_that_no_other_call_has() {
    let chunk = |id: Value, prompt: u64, args: &str| {
        let part = format!(r#"{{"functionCall":{{"name":"f","args":{args}}}}}"#);
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{part},{part}]}},"finishReason":"STOP"}},{{"index":1,"content":{{"parts":[{part}]}},"finishReason":"STOP"}}],"responseId":{id},"usageMetadata":{{"promptTokenCount":{prompt}}}}}"#
        )
    };
    let ids = |body: &str| -> Vec<String> {
        let answer = answer::decode(body.as_bytes()).unwrap();
        let parts = answer.choices.iter().flat_map(|choice| &choice.parts);
        parts
            .filter_map(|part| match &part.content {
                Content::ToolCall(call) => Some((call.id.clone(), call.arguments.as_str())),
                _ => None,
            })
            .map(|(id, arguments)| {
                assert_eq!(arguments, r#"{ "a":1.0 }"#, "byte for byte");
                id
            })
            .collect()
    };
    let arguments = r#"{ "a":1.0 }"#;
    assert_eq!(ids(&chunk(json!("R-1_x"), 5, arguments)), ["call_R-1_x_0", "call_R-1_x_1", "call_R-1_x_c1_0"]);
    let mut all = ids(&chunk(Value::Null, 5, arguments));
    assert!(all.iter().all(|id| id.len() <= 40));
    all.extend(ids(&chunk(Value::Null, 6, arguments)));
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 6, "also from one turn to the next");
    let given = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"id":"z9","name":"g"}}]}}]}"#;
    let Content::ToolCall(call) = answer::decode(given.as_bytes()).unwrap().choices[0].parts[0].content.clone() else {
        panic!()
    };
    assert_eq!((call.id.as_str(), call.arguments.as_str()), ("z9", "{}"), "its own id, and arguments that can be read");
}

#[test]
fn thoughts_are_reasoning_and_bear_their_own_seals() {
    let body = json!({"candidates": [{"content": {"parts": [
        {"text": "hm", "thought": true}, {"text": "", "thought": true, "thoughtSignature": "YQ=="},
        {"text": "", "thought": true, "thoughtSignature": "Yg=="}, {"executableCode": {"code": "1"}, "thoughtSignature": "eA=="},
        {"text": "so", "thoughtSignature": "Yw=="}, {"inlineData": {"data": "", "mimeType": "image/png"}}, {"text": "ok"}, {"thoughtSignature": "ZA=="}]},
        "finishReason": "STOP"}]});
    let answer = answer::decode(body.to_string().as_bytes()).unwrap();
    let kinds: Vec<_> = answer.choices[0]
        .parts
        .iter()
        .map(|part| match &part.content {
            Content::Text(text) => text.clone(),
            Content::Reasoning(r) => {
                format!("{}:{:?}:{}", r.text(), r.seal.as_ref().unwrap().kind, r.seal.as_ref().unwrap().data)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["hm:Text:YQ==", ":Hidden:Yg==", "so", ":Answer:Yw==", "ok", ":Answer:ZA=="]);
}

#[test]
fn why_an_answer_ended_is_told() {
    for (word, reason) in [
        ("STOP", Finish::Stop),
        ("MAX_TOKENS", Finish::Length),
        ("RECITATION", Finish::ContentFilter),
        ("PROHIBITED_CONTENT", Finish::ContentFilter),
        ("SPII", Finish::ContentFilter),
        ("MALFORMED_FUNCTION_CALL", Finish::Other("MALFORMED_FUNCTION_CALL".to_owned())),
    ] {
        let body = json!({"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": word}]});
        assert_eq!(answer::decode(body.to_string().as_bytes()).unwrap().choices[0].finish, Some(reason));
    }
}

#[test]
fn a_blocked_prompt_is_an_answer_that_was_withheld() {
    let body = r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":8},"modelVersion":"m"}"#;
    let answer = answer::decode(body.as_bytes()).unwrap();
    assert_eq!(answer.choices.len(), 1);
    assert_eq!((answer.choices[0].finish.clone(), answer.usage.unwrap().input), (Some(Finish::ContentFilter), 8));
    let events = decoded(&[body]).unwrap();
    assert!(
        events.contains(&Event::Finish { choice: 0, reason: Finish::ContentFilter }) && events.ends_with(&[Event::End])
    );
    let allowed = r#"{"promptFeedback":{"safetyRatings":[]}}"#;
    assert_eq!(answer::decode(allowed.as_bytes()), Err(AnswerError::NoChoices));
}

#[test]
fn errors_in_a_stream_and_under_status_200_are_errors() {
    let one = r#"{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED"}}"#;
    for body in [one.to_owned(), format!("[{one}\n]")] {
        let Err(StreamError::Provider(error)) = decoded(&[&body]) else { panic!("{body}") };
        assert_eq!((error.status, error.kind, error.message.as_str()), (429, ProviderErrorKind::RateLimit, "Quota"));
        assert!(matches!(answer::decode(body.as_bytes()), Err(AnswerError::Provider(_))));
    }
    for (body, json) in
        [("<html>", true), ("", true), ("{\"candidates\":[", true), ("{\"candidates\":7}", false), ("[]", false)]
    {
        let error = decoded(&[body]).unwrap_err();
        assert_eq!(matches!(error, StreamError::Json(_)), json, "{body} {error:?}");
    }
    assert_eq!(answer::decode(b"{}"), Err(AnswerError::NoChoices));
    let wild = r#"{"candidates":[{"index":4000000000}]}"#;
    assert!(matches!(decoded(&[wild]), Err(StreamError::Shape(_))));
}

#[test]
fn recorded_and_quoted_errors_mean_what_they_say() {
    use crate::wire::provider_error::read_error;
    for (name, kind) in
        [("058-gemini-gen-err", ProviderErrorKind::ModelNotFound), ("064-vertex-gen-err", ProviderErrorKind::Request)]
    {
        let exchange = exchanges("gen").into_iter().find(|exchange| exchange.name == name).unwrap();
        let error = read_error(u16::try_from(exchange.status()).unwrap(), &exchange.answered().unwrap());
        assert_eq!(error.kind, kind, "{name}");
        assert_eq!(Value::from(error.message), exchange.meta["response"]["body"]["error"]["message"]);
    }
    let quoted: Vec<Value> =
        serde_json::from_slice(&std::fs::read(folder().join("errors-quoted.json")).unwrap()).unwrap();
    let overloaded = quoted.iter().find(|error| error["provider"] == "gemini").unwrap();
    let error = read_error(503, overloaded["body"].to_string().as_bytes());
    assert_eq!((error.kind, error.error_type.as_deref()), (ProviderErrorKind::Provider, Some("UNAVAILABLE")));
}

#[test]
fn chances_of_tokens_are_told_as_chat_tells_them() {
    let body = r#"{"candidates":[{"content":{"parts":[{"text":"é"}]},"finishReason":"STOP","logprobsResult":{
        "chosenCandidates":[{"token":"é","tokenId":7,"logProbability":-0.10}],
        "topCandidates":[{"candidates":[{"token":"é","logProbability":-0.10},{"token":"e","logProbability":-2}]}]}}]}"#;
    let answer = answer::decode(body.as_bytes()).unwrap();
    let token = r#"{"token":"é","logprob":-0.10,"bytes":[195,169],"top_logprobs":[{"token":"é","logprob":-0.10,"bytes":[195,169]},{"token":"e","logprob":-2,"bytes":[101]}]}"#;
    let told: Vec<&str> = answer.choices[0].logprobs.iter().map(crate::chat::Json::text).collect();
    assert_eq!(told, [token]);
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(garbage in ".{0,80}", place in 0usize..4000, byte: u8) {
        let _ = answer::decode(garbage.as_bytes());
        let chunks = lines("google-stream-tool-call-arguments.chunks.jsonl");
        let mut bent = chunks.join("").into_bytes();
        let place = place % bent.len();
        bent[place] = byte;
        let (mut decoder, mut out) = (stream::Decoder::new(), Vec::new());
        let _ = decoder.event(None, &bent[..chunks[0].len()], &mut out);
        let _ = decoder.finish(&mut out);
    }
}
