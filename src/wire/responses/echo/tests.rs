use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::wire::responses::request::judge;

fn echoed(body: &str) -> Json {
    echo(&judge(Bytes::copy_from_slice(body.as_bytes())).unwrap())
}

#[test]
fn what_the_client_said_is_repeated_byte_for_byte() {
    let echo = echoed(
        r#"{"model":"m","input":"hi","instructions":"caf\u00e9","temperature":0.10,"tools":[{"type":"function", "name":"f"}],
        "tool_choice":"required","metadata":{"a": "b"},"text":{"verbosity":"low"},"reasoning":{"effort":"low"},
        "max_output_tokens":99,"parallel_tool_calls":false,"truncation":"auto","user":"u","top_p":1.0,"service_tier":"flex",
        "store":true,"stream":true}"#,
    );
    for member in [
        r#""instructions":"caf\u00e9""#,
        r#""temperature":0.10"#,
        r#""tools":[{"type":"function", "name":"f"}]"#,
        r#""tool_choice":"required""#,
        r#""metadata":{"a": "b"}"#,
        r#""text":{"format":{"type":"text"},"verbosity":"low"}"#,
        r#""reasoning":{"effort":"low"}"#,
        r#""max_output_tokens":99"#,
        r#""parallel_tool_calls":false"#,
        r#""truncation":"auto""#,
        r#""user":"u""#,
        r#""top_p":1.0"#,
        r#""service_tier":"flex""#,
        r#""store":false"#,
    ] {
        assert!(echo.text().contains(member), "{member} in {}", echo.text());
    }
    assert!(!echo.text().contains("input") && !echo.text().contains("stream"));
}

#[test]
fn what_the_client_left_out_has_its_default() {
    let echo: Value = echoed(r#"{"model":"m","input":"hi","tools":null}"#).read().unwrap();
    let expected = json!({
        "background": false, "previous_response_id": null, "store": false, "instructions": null,
        "max_output_tokens": null, "max_tool_calls": null, "metadata": {}, "parallel_tool_calls": true,
        "prompt_cache_key": null, "reasoning": {"effort": null, "summary": null}, "safety_identifier": null,
        "temperature": null, "tool_choice": "auto", "tools": [], "top_logprobs": 0, "top_p": null,
        "truncation": "disabled", "user": null, "text": {"format": {"type": "text"}},
    });
    assert_eq!(echo, expected);
}
