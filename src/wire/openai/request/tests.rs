mod roundtrip;

use bytes::Bytes;

use super::*;
use crate::chat::Request;
use crate::wire::dialect::{MaxTokens, Parser, ReasoningModel};
use crate::wire::{Dialect, Shape};

fn decoded(body: &str) -> Request {
    judge(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn refused(body: &str) -> (String, Option<String>) {
    let error = judge(Bytes::copy_from_slice(body.as_bytes())).unwrap_err();
    assert_eq!(error.code, "invalid_request");
    (error.message, error.param)
}

fn sent(body: &str, model: &str) -> String {
    String::from_utf8(pass(&decoded(body), &plain(model, &NO_REASONING)).to_vec()).unwrap()
}

static NO_REASONING: ReasoningModel =
    ReasoningModel { style: None, parser: Parser::Field, efforts: Vec::new(), template_key: None };

/// A target that speaks the format plainly.
pub(in crate::wire::openai) fn plain<'a>(model: &'a str, reasoning: &'a ReasoningModel) -> Shape<'a> {
    let dialect = &Dialect::PLAIN;
    Shape {
        format: chat::Format::Chat,
        dialect,
        model,
        max_output: None,
        reasoning,
        effort: None,
        drop_unsupported: false,
        keeps_nothing: false,
    }
}

fn key(body: &str) -> String {
    crate::wire::ask::cache_view(&decoded(body)).map(|part| std::str::from_utf8(part).unwrap()).collect()
}

const HI: &str = r#""messages":[{"role":"user","content":"hi"}]"#;

#[test]
fn what_the_gateway_judges_is_read() {
    let request = decoded(
        r#"{"model":"a\u002fb","stream":true,"stream_options":{"include_usage":true},"n":3,"max_tokens":9,
        "max_completion_tokens":70000000000000000000,"temperature":0.0,"tools":[{"type":"function"},{}],
        "messages":[{"content":[{"type":"text","text":"12345678"},{"type":"image_url","image_url":{"url":"x"}}],"role":"user"},
        {"role":"assistant","tool_calls":[]},{"role":"tool","content":"ok","tool_call_id":"1"}]}"#,
    );
    assert_eq!(request.model, "a/b");
    assert!(request.stream && request.include_usage && !request.sampled);
    assert_eq!((request.n, request.tools, request.media), (3, 2, 1));
    assert_eq!(request.max_output_tokens, Some(u64::MAX), "a number beyond 64 bits is no error");
    assert!(request.input_tokens_estimate >= 3);
}

#[test]
fn an_answer_is_drawn_at_random_unless_temperature_or_seed_say_otherwise() {
    for (member, sampled) in [
        (r#""x":0"#, true),
        (r#""temperature":0"#, false),
        (r#""temperature":0.0e5"#, false),
        (r#""temperature":null"#, true),
        (r#""temperature":1e-3"#, true),
        (r#""temperature":1,"seed":7"#, false),
    ] {
        assert_eq!(decoded(&format!(r#"{{"model":"m",{member},{HI}}}"#)).sampled, sampled, "{member}");
    }
}

#[test]
fn every_flaw_names_its_place() {
    for (body, place, words) in [
        (r#"{"messages":[]}"#, "messages", "the array is empty"),
        (r#"{"messages":[{"role":"user","content":"x"}]}"#, "model", "Missing required parameter: 'model'."),
        (r#"{"model":"m"}"#, "messages", "Missing required parameter: 'messages'."),
        (r#"{"model":7}"#, "model", "expected a string, but got a number"),
        (r#"{"model":""}"#, "model", "empty"),
        (r#"{"model":"a\nb"}"#, "model", "control character"),
        (r#"{"model":"m","messages":{}}"#, "messages", "expected an array, but got an object"),
        (r#"{"model":"m","messages":["x"]}"#, "messages[0]", "expected an object"),
        (r#"{"model":"m","messages":[{"content":"x"}]}"#, "messages[0].role", "Missing"),
        (r#"{"model":"m","messages":[{"role":"user"}]}"#, "messages[0].content", "Missing"),
        (r#"{"model":"m","messages":[{"role":"assistant","tool_calls":null}]}"#, "messages[0].content", "Missing"),
        (r#"{"model":"m","messages":[{"role":"robot","content":"x"}]}"#, "messages[0].role", "supported values"),
        (r#"{"model":"m","messages":[{"role":"user","content":1}]}"#, "messages[0].content", "a string or an array"),
        (r#"{"model":"m","messages":[{"role":"user","content":[{}]}]}"#, "messages[0].content[0].type", "Missing"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}"#,
            "messages[0].content[0].text",
            "Missing",
        ),
        (r#"{"model":"m","stream":"yes"}"#, "stream", "expected a boolean"),
        (r#"{"model":"m","stream_options":[]}"#, "stream_options", "expected an object"),
        (r#"{"model":"m","n":0}"#, "n", "from 1 to 128"),
        (r#"{"model":"m","n":129}"#, "n", "from 1 to 128"),
        (r#"{"model":"m","max_tokens":-1}"#, "max_tokens", "whole number"),
        (r#"{"model":"m","temperature":"hot"}"#, "temperature", "expected a number"),
        (r#"{"model":"m","tools":[1]}"#, "tools[0]", "expected an object"),
        (r#"{"model":"m","model":"n"}"#, "model", "the same key appears twice"),
        (r#"{"model":"m","x":{"y":[{"z":1,"z":2}]}}"#, "x.y[0].z", "the same key appears twice"),
        (r#"{"model":"m","messages":[{"role":"user","content":"\ud800"}]}"#, "messages[0].content", "lone surrogate"),
    ] {
        let (message, param) = refused(body);
        assert_eq!(param.as_deref(), Some(place), "{body}");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    for body in ["", "[]", "null", "\"x\"", "{", "{} x", "{\"model\":}"] {
        let (message, _) = refused(body);
        assert!(!message.is_empty());
    }
    assert!(judge(Bytes::from_static(b"{\"model\":\"\xff\"}")).unwrap_err().message.contains("UTF-8"));
    let deep = format!("{{\"x\":{}", "[".repeat(100_000));
    assert!(refused(&deep).0.contains("nested deeper than 128 levels"));
}

#[test]
fn only_the_model_is_rewritten() {
    let body = format!(r#"{{ "seed": 9223372036854775808, "x":1e400,"model" : "auto" ,"y": 0.1, {HI} }}"#);
    assert_eq!(sent(&body, "gpt-\"4\""), body.replace("\"auto\"", r#""gpt-\"4\"""#));
}

#[test]
fn a_body_that_needs_no_change_is_not_copied() {
    let request = decoded(&format!(r#"{{"model":"m",{HI}}}"#));
    assert_eq!(pass(&request, &plain("m", &NO_REASONING)).as_ptr(), request.body.as_ptr());
    let request = decoded(&format!(r#"{{"model":"m","stream":true,"stream_options":{{"include_usage":true}},{HI}}}"#));
    assert_eq!(pass(&request, &plain("m", &NO_REASONING)).as_ptr(), request.body.as_ptr());
}

#[test]
fn a_stream_always_asks_for_usage() {
    for (options, becomes) in [
        ("", r#""model":"m","stream_options":{"include_usage":true},"stream":true,"#),
        (r#""stream_options":null,"#, r#""model":"m","stream":true,"stream_options":{"include_usage":true},"#),
        (r#""stream_options":{},"#, r#""model":"m","stream":true,"stream_options":{"include_usage":true},"#),
        (
            r#""stream_options":{"include_usage":false,"x":1},"#,
            r#""model":"m","stream":true,"stream_options":{"include_usage":true,"x":1},"#,
        ),
        (
            r#""stream_options":{ "x":1},"#,
            r#""model":"m","stream":true,"stream_options":{"include_usage":true, "x":1},"#,
        ),
    ] {
        let body = format!(r#"{{"model":"a","stream":true,{options}{HI}}}"#);
        assert_eq!(sent(&body, "m"), format!("{{{becomes}{HI}}}"));
    }
    let whole = format!(r#"{{"model":"a","stream":false,{HI}}}"#);
    assert!(!sent(&whole, "m").contains("stream_options"), "a whole answer has its usage anyway");
}

#[test]
fn limits_are_cut_and_named_as_the_target_wants_them() {
    let dialect = Dialect { max_tokens: MaxTokens::MaxCompletionTokens, ..Dialect::PLAIN };
    for (members, plainly, openai) in [
        (r#""max_tokens":9"#, r#""max_tokens":9"#, r#""max_completion_tokens":9"#),
        (r#""max_tokens" : 900"#, r#""max_tokens" : 100"#, r#""max_completion_tokens" : 100"#),
        (r#""max\u005ftokens":900"#, r#""max\u005ftokens":100"#, r#""max_completion_tokens":100"#),
        (r#""max_completion_tokens":1e3"#, "", ""),
        (r#""max_completion_tokens":101"#, r#""max_completion_tokens":100"#, r#""max_completion_tokens":100"#),
        (
            r#""max_tokens":7,"max_completion_tokens":99999999999999999999999"#,
            r#""max_tokens":7,"max_completion_tokens":100"#,
            r#""max_tokens":7,"max_completion_tokens":100"#,
        ),
        (r#""max_tokens":null"#, r#""max_tokens":null"#, r#""max_tokens":null"#),
    ] {
        let body = format!(r#"{{{members},"model":"a",{HI}}}"#);
        let Ok(request) = judge(Bytes::from(body)) else {
            assert_eq!(plainly, "", "{members}");
            continue;
        };
        let shape = Shape { max_output: Some(100), ..plain("b", &NO_REASONING) };
        let sent = |shape: &Shape<'_>| String::from_utf8(pass(&request, shape).to_vec()).unwrap();
        assert_eq!(sent(&shape), format!(r#"{{{plainly},"model":"b",{HI}}}"#));
        assert_eq!(sent(&Shape { dialect: &dialect, ..shape }), format!(r#"{{{openai},"model":"b",{HI}}}"#));
    }
}

#[test]
fn options_go_where_the_target_refuses_them() {
    let dialect = Dialect { stream_options: false, ..Dialect::PLAIN };
    let shape = Shape { dialect: &dialect, max_output: Some(5), ..plain("b", &NO_REASONING) };
    let options = r#""stream_options":{"include_usage":true}"#;
    for (body, becomes) in [
        (format!(r#"{{"model":"a","stream":true,{HI}}}"#), format!(r#"{{"model":"b","stream":true,{HI}}}"#)),
        (format!(r#"{{"model":"a",{options},{HI},"stream":true}}"#), format!(r#"{{"model":"b",{HI},"stream":true}}"#)),
        (format!(r#"{{{HI},"stream":true,"model":"a",{options}}}"#), format!(r#"{{{HI},"stream":true,"model":"b"}}"#)),
        (format!(r#"{{{options},"model":"a",{HI}}}"#), format!(r#"{{"model":"b",{HI}}}"#)),
        (
            format!(r#"{{"model":"a",{HI},"max_tokens":9, {options} }}"#),
            format!(r#"{{"model":"b",{HI},"max_tokens":5 }}"#),
        ),
    ] {
        assert_eq!(pass(&decoded(&body), &shape), becomes.as_bytes(), "{body}");
    }
}

#[test]
fn what_needs_more_than_an_answer_is_seen() {
    let of = |members: &str| {
        let request = decoded(&format!(r#"{{"model":"m",{members},{HI}}}"#));
        (request.hosted, request.state)
    };
    let both = |hosted: Option<&str>, state: Option<&str>| (hosted.map(str::to_owned), state.map(str::to_owned));
    assert_eq!(of(r#""tools":[{"type":"function"},{"type":"custom"},{}]"#), both(None, None));
    assert_eq!(
        of(r#""tools":[{"type":"function"},{"type":"web\u005fsearch"},{"type":"x"}]"#),
        both(Some("web_search"), None)
    );
    assert_eq!(of(r#""tools":[{"type":"f\u0075nction"}]"#), both(None, None));
    assert_eq!(of(r#""web_search_options":{}"#), both(Some("web_search_options"), None));
    assert_eq!(of(r#""web_search_options":null,"store":false"#), both(None, None));
    assert_eq!(of(r#""store":true"#), both(None, Some("store")));
    let message = |content: &str| decoded(&format!(r#"{{"model":"m","messages":[{content}]}}"#));
    let file = r#"{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}"#;
    assert_eq!(message(file).state.as_deref(), Some("file_id"));
    assert_eq!(message(&file.replace("file_id", "file_data")).state, None);
    let audio = r#"{"role":"assistant","audio":{"id":"a"}}"#;
    assert_eq!(message(audio).state.as_deref(), Some("audio"));
    let result = r#"{"role":"tool","content":"","tool_call_id":"1"}"#;
    assert!(message(result).in_tool_loop);
    assert!(!message(&format!(r#"{result},{{"role":"user","content":"x"}}"#)).in_tool_loop);
}

#[test]
fn options_before_the_model_are_rewritten_too() {
    let body = format!(r#"{{"stream_options":{{}},"stream":true,{HI},"model":"a"}}"#);
    assert_eq!(
        sent(&body, "m"),
        format!(r#"{{"stream_options":{{"include_usage":true}},"stream":true,{HI},"model":"m"}}"#)
    );
}

#[test]
fn a_stream_and_a_whole_answer_share_a_cache_key() {
    let plain = format!(r#"{{"model":"m", {HI}, "top_p":0.5}}"#);
    let stream = r#""stream":true"#;
    let options = r#""stream_options":{"include_usage":true}"#;
    for body in [
        format!(r#"{{{stream}, "model":"m", {HI}, "top_p":0.5}}"#),
        format!(r#"{{{stream}, {options}, "model":"m", {HI}, "top_p":0.5}}"#),
        format!(r#"{{"model":"m", {stream}, {HI}, {options}, "top_p":0.5}}"#),
        format!(r#"{{"model":"m", {stream}, {options}, {HI}, "top_p":0.5}}"#),
        format!(r#"{{"model":"m", {HI}, "top_p":0.5, {stream}}}"#),
        format!(r#"{{"model":"m", {HI}, "top_p":0.5, {options}, {stream}}}"#),
        format!(r#"{{"model":"m", {options}, {HI}, "top_p":0.5, {stream}}}"#),
        format!(r#"{{{options}, "model":"m", {HI}, "top_p":0.5 , {stream} }}"#).replace(" ,", ",").replace(" }", "}"),
    ] {
        assert_eq!(key(&body), plain, "{body}");
    }
    assert_eq!(key(&plain), plain);
    assert_ne!(key(&plain.replace("0.5", "0.50")), plain);
}

#[test]
fn the_prompt_is_read_in_order_with_its_roles() {
    let request = decoded(
        r#"{"model":"m","messages":[{"role":"developer","content":"be brief"},
        {"content":[{"text":"caf\u00e9","type":"text"},{"type":"image_url","image_url":{"url":"u"}},{"type":"text","text":"2"}],"role":"user"},
        {"role":"assistant","content":null,"tool_calls":[{}]},{"role":"function","content":"r"}]}"#,
    );
    let texts: Vec<(Role, String)> = prompt(&request).into_iter().map(|text| (text.role, text.text)).collect();
    let expected = [(Role::System, "be brief"), (Role::User, "café\n2"), (Role::Tool, "r")];
    assert_eq!(texts, expected.map(|(role, text)| (role, text.to_owned())));
}

#[test]
fn what_nobody_here_can_read_is_told_from_what_merely_leans_on_the_provider() {
    for (members, unscanned, hosted, state) in [
        (HI, false, None, None),
        (r#""messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}]"#, true, None, None),
        (
            r#""messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]"#,
            true,
            None,
            Some("file_id"),
        ),
        (r#""conversation":"c","messages":[{"role":"user","content":"hi"}]"#, true, None, Some("conversation")),
        (r#""store":true,"messages":[{"role":"user","content":"hi"}]"#, false, None, Some("store")),
        (r#""deferred":true,"messages":[{"role":"user","content":"hi"}]"#, false, None, Some("deferred")),
        (
            r#""deferred":false,"store":null,"enable_search":false,"models":null,"messages":[{"role":"user","content":"hi"}]"#,
            false,
            None,
            None,
        ),
        (r#""models":["x/y"],"messages":[{"role":"user","content":"hi"}]"#, false, Some("models"), None),
        (r#""enable_search":true,"messages":[{"role":"user","content":"hi"}]"#, false, Some("enable_search"), None),
    ] {
        let request = decoded(&format!(r#"{{"model":"m",{members}}}"#));
        let found = (request.unscanned, request.hosted.as_deref(), request.state.as_deref());
        assert_eq!(found, (unscanned, hosted, state), "{members}");
        assert!(!request.counted_only);
    }
}

#[test]
fn where_nothing_is_kept_store_is_false() {
    let knows = Dialect { store: true, ..Dialect::PLAIN };
    for (dialect, members, becomes) in [
        (&knows, r#""model":"a""#, r#""model":"b","store":false"#),
        (&knows, r#""model":"a","store":null"#, r#""model":"b","store":false"#),
        (&knows, r#""store" : true,"model":"a""#, r#""store" : false,"model":"b""#),
        (&knows, r#""model":"a","store":false"#, r#""model":"b","store":false"#),
        (&knows, r#""model":"a","max_tokens":900"#, r#""model":"b","store":false,"max_tokens":100"#),
        (&Dialect::PLAIN, r#""model":"a""#, r#""model":"b""#),
        (&Dialect::PLAIN, r#""model":"a","store":true"#, r#""model":"b","store":false"#),
        (&Dialect::PLAIN, r#""model":"a","store":null"#, r#""model":"b","store":null"#),
    ] {
        let request = decoded(&format!("{{{members},{HI}}}"));
        let shape = Shape { dialect, max_output: Some(100), keeps_nothing: true, ..plain("b", &NO_REASONING) };
        assert_eq!(pass(&request, &shape), format!("{{{becomes},{HI}}}").as_bytes(), "{members}");
        let kept = Shape { keeps_nothing: false, ..shape };
        let told = String::from_utf8(pass(&request, &kept).to_vec()).unwrap();
        assert_eq!(told.matches("store").count(), members.matches("store").count(), "else nothing is added: {told}");
    }
}
