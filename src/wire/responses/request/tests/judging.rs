use super::*;

fn refused(body: &str) -> (String, Option<String>) {
    let error = judge(Bytes::copy_from_slice(body.as_bytes())).unwrap_err();
    assert_eq!(error.code, "invalid_request");
    (error.message, error.param)
}

fn key(body: &str) -> String {
    crate::wire::ask::cache_view(&judged(body)).map(|part| std::str::from_utf8(part).unwrap()).collect()
}

#[test]
fn what_the_gateway_judges_is_read() {
    let request = judged(
        r#"{"model":"a\u002fb","stream":true,"max_output_tokens":70000000000000000000,"temperature":0.0,
        "tools":[{"type":"function","name":"f"},{"type":"custom","name":"c"},{"type":"web_search"},{"type":"mcp"}],
        "instructions":"12345678","input":[{"role":"user","content":[{"type":"input_text","text":"12345678"},
        {"type":"input_image","image_url":"https://x/y.png"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
        {"type":"function_call_output","call_id":"c","output":[{"type":"input_file","file_url":"https://x/y.pdf"}]}]}"#,
    );
    assert_eq!((request.format, request.model.as_str()), (Format::Responses, "a/b"));
    assert!(request.stream && request.include_usage && !request.sampled && request.in_tool_loop);
    assert_eq!((request.n, request.tools, request.media), (1, 4, 2));
    assert_eq!(request.hosted.as_deref(), Some("web_search"));
    assert_eq!(request.state, None);
    assert_eq!(request.max_output_tokens, Some(u64::MAX), "a number beyond 64 bits is no error");
    assert!(request.input_tokens_estimate >= 4);
    let plain = judged(r#"{"model":"m","input":"hi"}"#);
    assert!(!plain.stream && plain.include_usage && plain.sampled && !plain.in_tool_loop);
    assert_eq!(plain.hosted, None);
}

#[test]
fn whatever_leans_on_state_is_named() {
    let hi = r#""input":"hi""#;
    for (members, state) in [
        (r#""previous_response_id":"resp_1""#.to_owned() + "," + hi, Some("previous_response_id")),
        (r#""previous_response_id":"resp_1""#.to_owned(), Some("previous_response_id")),
        (r#""conversation":{"id":"c"},"#.to_owned() + hi, Some("conversation")),
        (r#""background":true,"#.to_owned() + hi, Some("background")),
        (r#""store":true,"#.to_owned() + hi, Some("store")),
        (r#""prompt":{"id":"p"}"#.to_owned(), Some("prompt")),
        (r#""store":false,"background":false,"conversation":null,"#.to_owned() + hi, None),
        (r#""input":[{"type":"item_reference","id":"x"}]"#.to_owned(), Some("input[0]")),
        (r#""input":[{"role":"user","content":"x"},{"id":"x"}]"#.to_owned(), Some("input[1]")),
        (
            r#""input":[{"role":"user","content":[{"type":"input_image","file_id":"f"}]}]"#.to_owned(),
            Some("input[0].content[0].file_id"),
        ),
        (
            r#""input":[{"type":"function_call_output","call_id":"c","output":[{"type":"input_file","file_id":"f"}]}]"#
                .to_owned(),
            Some("input[0].output[0].file_id"),
        ),
    ] {
        let request = judged(&format!(r#"{{"model":"m",{members}}}"#));
        assert_eq!(request.state.as_deref(), state, "{members}");
    }
}

#[test]
fn every_flaw_names_its_place() {
    let item = |item: &str| format!(r#"{{"model":"m","input":[{item}]}}"#);
    for (body, place, words) in [
        (r#"{"input":"hi"}"#.to_owned(), "model", "Missing required parameter: 'model'."),
        (r#"{"model":"m"}"#.to_owned(), "input", "Missing required parameter: 'input'."),
        (r#"{"model":"m","input":null}"#.to_owned(), "input", "Missing"),
        (r#"{"model":"m","input":[]}"#.to_owned(), "input", "at least one item"),
        (r#"{"model":"m","input":{}}"#.to_owned(), "input", "a string or an array of items, but got an object"),
        (r#"{"model":7}"#.to_owned(), "model", "expected a string, but got a number"),
        (r#"{"model":""}"#.to_owned(), "model", "empty"),
        (r#"{"model":"a\nb"}"#.to_owned(), "model", "control character"),
        (r#"{"model":"m","instructions":[]}"#.to_owned(), "instructions", "expected a string"),
        (r#"{"model":"m","stream":"yes"}"#.to_owned(), "stream", "expected a boolean"),
        (r#"{"model":"m","store":1}"#.to_owned(), "store", "expected a boolean"),
        (r#"{"model":"m","include":"x"}"#.to_owned(), "include", "expected an array"),
        (r#"{"model":"m","stream_options":[]}"#.to_owned(), "stream_options", "expected an object"),
        (r#"{"model":"m","max_output_tokens":-1}"#.to_owned(), "max_output_tokens", "whole number"),
        (r#"{"model":"m","temperature":"hot"}"#.to_owned(), "temperature", "expected a number"),
        (r#"{"model":"m","reasoning":"high"}"#.to_owned(), "reasoning", "expected an object"),
        (r#"{"model":"m","tools":[1]}"#.to_owned(), "tools[0]", "expected an object"),
        (r#"{"model":"m","tools":[{"name":"f"}]}"#.to_owned(), "tools[0].type", "Missing"),
        (item("1"), "input[0]", "expected an object"),
        (item(r#"{"role":"robot","content":"x"}"#), "input[0].role", "supported values"),
        (item(r#"{"content":"x"}"#), "input[0].role", "Missing"),
        (item(r#"{"role":"user"}"#), "input[0].content", "Missing"),
        (item(r#"{"role":"user","content":1}"#), "input[0].content", "a string or an array of parts"),
        (item(r#"{"role":"user","content":["x"]}"#), "input[0].content[0]", "expected an object, but got a string"),
        (item(r#"{"role":"user","content":[{"text":"x"}]}"#), "input[0].content[0].type", "Missing"),
        (item(r#"{"role":"user","content":[{"type":"input_text"}]}"#), "input[0].content[0].text", "Missing"),
        (item(r#"{"type":"function_call","name":"f","arguments":"{}"}"#), "input[0].call_id", "Missing"),
        (item(r#"{"type":"function_call","call_id":"c","name":"f","arguments":{}}"#), "input[0].arguments", "Missing"),
        (item(r#"{"type":"function_call_output","call_id":"c"}"#), "input[0].output", "Missing"),
        (item(r#"{"type":"function_call_output","call_id":7,"output":"x"}"#), "input[0].call_id", "expected a string"),
        (r#"{"model":"m","model":"n"}"#.to_owned(), "model", "the same key appears twice"),
        (item(r#"{"x":{"y":[{"z":1,"z":2}]}}"#), "input[0].x.y[0].z", "the same key appears twice"),
        (item(r#"{"role":"user","content":"\ud800"}"#), "input[0].content", "lone surrogate"),
    ] {
        let (message, param) = refused(&body);
        assert_eq!(param.as_deref(), Some(place), "{body}: {message}");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    for body in ["", "[]", "null", "\"x\"", "{", "{} x", "{\"model\":}"] {
        assert!(!refused(body).0.is_empty());
    }
    assert!(judge(Bytes::from_static(b"{\"model\":\"\xff\"}")).unwrap_err().message.contains("UTF-8"));
    let deep = format!("{{\"x\":{}", "[".repeat(100_000));
    assert!(refused(&deep).0.contains("nested deeper than 128 levels"));
}

#[test]
fn items_that_only_the_provider_knows_are_left_to_it() {
    let request = judged(
        r#"{"model":"m","input":[{"type":"shell_call_output","call_id":"c","output":[{"stdout":"x","outcome":{}}]},
        {"type":"tool_search_call","arguments":{"q":1},"call_id":null},{"type":"new_thing","content":["x"]}]}"#,
    );
    assert!(!request.in_tool_loop);
}

#[test]
fn a_stream_and_a_whole_answer_share_a_cache_key() {
    let hi = r#""input":"hi""#;
    let plain = format!(r#"{{"model":"m", {hi}, "top_p":0.5}}"#);
    let (stream, options) = (r#""stream":true"#, r#""stream_options":{"include_obfuscation":false}"#);
    for body in [
        format!(r#"{{{stream}, "model":"m", {hi}, "top_p":0.5}}"#),
        format!(r#"{{{stream}, {options}, "model":"m", {hi}, "top_p":0.5}}"#),
        format!(r#"{{"model":"m", {stream}, {hi}, {options}, "top_p":0.5}}"#),
        format!(r#"{{"model":"m", {stream}, {options}, {hi}, "top_p":0.5}}"#),
        format!(r#"{{"model":"m", {hi}, "top_p":0.5, {stream}}}"#),
        format!(r#"{{"model":"m", {hi}, "top_p":0.5, {options}, {stream}}}"#),
        format!(r#"{{"model":"m", {options}, {hi}, "top_p":0.5, {stream}}}"#),
    ] {
        assert_eq!(key(&body), plain, "{body}");
    }
    assert_eq!(key(&plain), plain);
    assert_ne!(key(&plain.replace("0.5", "0.50")), plain);
}

#[test]
fn the_prompt_is_read_in_order_with_its_roles() {
    let request = judged(
        r#"{"input":[{"role":"developer","content":"be brief"},
        {"content":[{"text":"caf\u00e9","type":"input_text"},{"type":"input_image","image_url":"u"},{"type":"input_text","text":"2"}],"role":"user"},
        {"type":"reasoning","id":"r","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]},
        {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
        {"type":"function_call_output","call_id":"c","output":"r"}],"model":"m","instructions":"be kind"}"#,
    );
    let texts: Vec<(Role, String)> = prompt(&request).into_iter().map(|text| (text.role, text.text)).collect();
    let expected = [(Role::System, "be kind"), (Role::System, "be brief"), (Role::User, "café\n2"), (Role::Tool, "r")];
    assert_eq!(texts, expected.map(|(role, text)| (role, text.to_owned())));
    let short = prompt(&judged(r#"{"model":"m","input":"h\u0069"}"#));
    assert_eq!(short, [Text { role: Role::User, text: "hi".to_owned() }]);
}

#[test]
fn what_nobody_here_can_read_is_known() {
    for (members, unscanned) in [
        (r#""input":"hi""#, false),
        (r#""input":"hi","background":true,"store":true"#, false),
        (r#""input":"hi","prompt":{"id":"p"}"#, true),
        (r#""input":"hi","previous_response_id":"r""#, true),
        (r#""input":[{"type":"item_reference","id":"i"}]"#, true),
        (r#""input":[{"role":"user","content":[{"type":"input_image","image_url":"x"}]}]"#, true),
    ] {
        assert_eq!(judged(&format!(r#"{{"model":"m",{members}}}"#)).unscanned, unscanned, "{members}");
    }
}
