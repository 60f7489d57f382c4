use super::*;
use crate::chat::Role;

#[test]
fn a_request_is_judged_by_what_it_says() {
    let request = judge(bytes(&json!({
        "model": "claude\u{e9}", "max_tokens": 100, "stream": true, "temperature": 0.0,
        "system": [{"type": "text", "text": "12345678"}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}}, {"type": "custom", "name": "g", "input_schema": {}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "1234"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
            ]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [
                {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}}, {"type": "text", "text": "1"},
            ]}]},
        ],
    })))
    .unwrap();
    assert_eq!((request.model.as_str(), request.stream, request.n), ("claude\u{e9}", true, 1));
    assert_eq!((request.max_output_tokens, request.tools, request.media), (Some(100), 2, 2));
    assert!(request.include_usage && request.in_tool_loop && !request.sampled);
    assert_eq!((&request.hosted, &request.state), (&None, &None));
    let tools = r#"[{"input_schema":{"type":"object"},"name":"f"},{"input_schema":{},"name":"g","type":"custom"}]"#;
    let text = 8 + 4 + r#"{"x":1}"#.len() + 1 + tools.len();
    assert_eq!(request.input_tokens_estimate, text.div_ceil(4) as u64);
    assert_eq!(&request.body[request.edits.model.clone()], "\"claude\u{e9}\"".as_bytes());
    assert_eq!(request.body[request.edits.messages.clone()].first(), Some(&b'['));
    let names: Vec<_> =
        request.edits.others.iter().map(|(name, range)| (*name, &request.body[range.clone()])).collect();
    assert_eq!(names[0], ("max_tokens", &b"100"[..]));
}

#[test]
fn what_others_would_do_or_keep_is_named() {
    for (more, hosted, state) in [
        (json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}), Some("web_search_20250305"), None),
        (json!({"tools": [{"type": "tool_search_tool_bm25", "name": "t"}]}), Some("tool_search_tool_bm25"), None),
        (json!({"tools": [{"type": "unheard_of", "name": "t"}]}), Some("unheard_of"), None),
        (
            json!({"tools": [{"type": "bash_20250124", "name": "bash"}, {"type": "memory_20250818", "name": "m"}]}),
            None,
            None,
        ),
        (
            json!({"tools": [{"type": "text_editor_20250728", "name": "t"}, {"type": "computer_20250124", "name": "c"}]}),
            None,
            None,
        ),
        (json!({"mcp_servers": [{"type": "url", "url": "https://x", "name": "x"}]}), Some("mcp_servers"), None),
        (json!({"mcp_servers": []}), None, None),
        (json!({"fallbacks": [{"model": "other"}]}), Some("fallbacks"), None),
        (json!({"container": "c_1"}), None, Some("container")),
        (json!({"container": null, "fallbacks": null}), None, None),
        (
            json!({"messages": [{"role": "user", "content": [
                {"type": "text", "text": "t"}, {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
            ]}]}),
            None,
            Some("messages[0].content[1]"),
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [
                {"type": "document", "source": {"file_id": "file_1", "type": "file"}},
            ]}]}]}),
            None,
            Some("messages[0].content[0]"),
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "file_1"}]}]}),
            None,
            Some("messages[0].content[0]"),
        ),
    ] {
        let request = judge(body(more.clone())).unwrap();
        assert_eq!((request.hosted.as_deref(), request.state.as_deref()), (hosted, state), "{more}");
    }
}

#[test]
fn a_tool_loop_ends_with_the_users_next_words() {
    let result = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "x"}]});
    let text = json!({"role": "user", "content": "and?"});
    for (messages, open) in [(json!([result]), true), (json!([result, text]), false), (json!([text]), false)] {
        assert_eq!(judge(body(json!({"messages": messages}))).unwrap().in_tool_loop, open);
    }
}

#[test]
fn a_fault_is_named_with_its_place() {
    for (more, param) in [
        (json!({"model": 1}), "model"),
        (json!({"model": ""}), "model"),
        (json!({"max_tokens": 1.5}), "max_tokens"),
        (json!({"max_tokens": null}), "max_tokens"),
        (json!({"stream": "yes"}), "stream"),
        (json!({"temperature": "warm"}), "temperature"),
        (json!({"system": 1}), "system"),
        (json!({"system": [{"type": "image"}]}), "system[0]"),
        (json!({"messages": []}), "messages"),
        (json!({"messages": {}}), "messages"),
        (json!({"messages": ["hi"]}), "messages[0]"),
        (json!({"messages": [{"content": "hi"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "tool", "content": "hi"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "user"}]}), "messages[0].content"),
        (json!({"messages": [{"role": "user", "content": 1}]}), "messages[0].content"),
        (json!({"messages": [{"role": "user", "content": [{"text": "x"}]}]}), "messages[0].content[0].type"),
        (json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]}), "messages[0].content[0].text"),
        (json!({"tools": {}}), "tools"),
        (json!({"tools": [1]}), "tools[0]"),
        (json!({"tools": [{"type": 1}]}), "tools[0].type"),
    ] {
        let fault = judge(body(more.clone())).unwrap_err();
        assert_eq!((fault.param.as_deref(), fault.code), (Some(param), "invalid_request"), "{more}");
        assert!(fault.message.contains(param), "{}", fault.message);
    }
}

#[test]
fn a_fault_found_only_on_reading_it_whole_is_named_too() {
    let content = |block: Value| json!({"messages": [{"role": "user", "content": [block]}]});
    for (more, param) in [
        (content(json!({"type": "image"})), "messages[0].content[0].source"),
        (content(json!({"type": "image", "source": {"type": "ftp"}})), "messages[0].content[0].source.type"),
        (content(json!({"type": "image", "source": {"type": "url"}})), "messages[0].content[0].source.url"),
        (content(json!({"type": "tool_use", "id": "a", "name": "f", "input": "{}"})), "messages[0].content[0].input"),
        (content(json!({"type": "tool_use", "name": "f", "input": {}})), "messages[0].content[0].id"),
        (content(json!({"type": "tool_result"})), "messages[0].content[0].tool_use_id"),
        (
            content(json!({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "x"}, 1]})),
            "messages[0].content[0].content[1]",
        ),
        (json!({"tools": [{"input_schema": {}}]}), "tools[0].name"),
        (json!({"tools": [{"name": "f", "input_schema": []}]}), "tools[0].input_schema"),
        (json!({"tool_choice": "auto"}), "tool_choice"),
        (json!({"tool_choice": {"type": "tool"}}), "tool_choice.name"),
        (json!({"thinking": {}}), "thinking.type"),
        (json!({"output_config": {"effort": "huge"}}), "output_config.effort"),
        (json!({"output_config": {"format": {"type": "json_object"}}}), "output_config.format.type"),
        (json!({"stop_sequences": "x"}), "stop_sequences"),
        (json!({"metadata": {"user_id": 1}}), "metadata.user_id"),
    ] {
        let fault = decode(&judge(body(more.clone())).unwrap()).unwrap_err();
        assert_eq!(fault.param.as_deref(), Some(param), "{more}: {}", fault.message);
    }
}

#[test]
fn a_body_is_checked_to_its_last_byte() {
    for broken in [
        &br#"{"model":"m","model":"n","max_tokens":1,"messages":[{"role":"user","content":"x"}]}"#[..],
        br#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x","content":"y"}]}"#,
        br#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"tools":[{"name":"f","name":"g"}]}"#,
        br#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]} x"#,
        br#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]"#,
        b"{\"model\":\"m\",\"max_tokens\":1,\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}",
        br#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"\ud800"}]}"#,
        br#"[]"#,
    ] {
        assert!(judge(Bytes::from_static(broken)).is_err(), "{}", String::from_utf8_lossy(broken));
    }
}

#[test]
fn counting_needs_no_limit() {
    let body = bytes(&json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]}));
    assert_eq!(judge(body.clone()).unwrap_err().param.as_deref(), Some("max_tokens"));
    assert_eq!(judge_count(body).unwrap().max_output_tokens, None);
}

#[test]
fn the_prompt_is_what_each_side_said() {
    let request = judge(body(json!({
        "system": "be brief",
        "messages": [
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "two"}, {"type": "tool_use", "id": "a", "name": "f", "input": {"text": "no"}}]},
            {"role": "user", "content": [{"content": "three", "tool_use_id": "a", "type": "tool_result"},
                {"type": "text", "text": "four"}, {"type": "text", "text": "five"}]},
        ],
    })))
    .unwrap();
    let texts: Vec<_> = prompt(&request).into_iter().map(|text| (text.role, text.text)).collect();
    let expected = [
        (Role::System, "be brief"),
        (Role::User, "one"),
        (Role::Assistant, "two"),
        (Role::Tool, "three"),
        (Role::User, "four\nfive"),
    ];
    assert_eq!(texts, expected.map(|(role, text)| (role, text.to_owned())));
}

#[test]
fn streaming_makes_no_difference_to_the_cache() {
    let view = |body: &str| {
        let request = judge(Bytes::from(body.to_owned())).unwrap();
        crate::wire::ask::cache_view(&request).flatten().copied().collect::<Vec<u8>>()
    };
    let rest = r#""model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]"#;
    let plain = view(&format!("{{{rest}}}"));
    assert_eq!(view(&format!("{{\"stream\":true,{rest}}}")), plain);
    assert_eq!(view(&format!("{{{rest},\"stream\":true}}")), plain);
    assert_ne!(view(&format!("{{{rest},\"top_k\":1}}")), plain);
}

#[test]
fn what_nobody_here_can_read_and_a_mere_count_are_known() {
    let asked =
        |content: Value| json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": content}]});
    for (body, unscanned) in [
        (asked(json!("hi")), false),
        (asked(json!([{"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}])), true),
        (asked(json!([{"type": "document", "source": {"type": "file", "file_id": "f"}}])), true),
    ] {
        assert_eq!(judge(bytes(&body)).unwrap().unscanned, unscanned, "{body}");
        assert_eq!(judge_count(bytes(&body)).unwrap().unscanned, unscanned, "{body}");
    }
    assert!(!judge(bytes(&asked(json!("hi")))).unwrap().counted_only);
    assert!(judge_count(bytes(&asked(json!("hi")))).unwrap().counted_only);
}
