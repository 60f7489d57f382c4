//! Chat requests of 4 KiB, as clients send them.

use bytes::Bytes;
use serde_json::{Value, json};

/// Bytes of a body.
const SIZE: usize = 4096;

const PROSE: &str = "The committee met on Tuesday and found that, of the 14 proposals before it, only three could be paid \
                     for in 2024; the others were put off until the autumn, when new figures will be at hand.\n\n";
const CODE: &str = "```rust\nfn total(items: &[Item]) -> Money {\n    items.iter().map(|item| item.price * 1.19).sum()\n}\n\n\
                    #[test]\nfn an_empty_basket_is_free() {\n    assert_eq!(total(&[]), Money::ZERO, \"nothing in it\");\n}\n```\n";
const SYSTEM: &str = "You are a careful assistant. Answer in the language of the question, say so where you are not \
                      sure, and keep to the point.";

/// Every kind, by name.
pub(crate) fn all() -> [(&'static str, Bytes); 3] {
    [("one long text", text()), ("a conversation about code", conversation()), ("tools", tools())]
}

/// One message.
fn text() -> Bytes {
    filled(|size| json!({ "model": "auto", "messages": [system(), user(PROSE, size)] }))
}

/// Turns with code between prose, and a few settings.
pub(crate) fn conversation() -> Bytes {
    filled(|size| {
        json!({
            "model": "auto", "temperature": 0.2, "max_completion_tokens": 1024, "stream": true,
            "stream_options": { "include_usage": true }, "user": "a-1042",
            "messages": [
                system(), user(CODE, size / 3), said("assistant", CODE, size / 3), user(PROSE, 180),
                said("assistant", "Yes: as \"price\" may be null, use `unwrap_or_default()`.\n", 57), user(CODE, size / 3),
            ],
        })
    })
}

/// An agent in the middle of its work.
fn tools() -> Bytes {
    let tool = |name: &str, of: &str| {
        json!({ "type": "function", "function": { "name": name, "description": "Reads one of them, by its name.",
            "parameters": { "type": "object", "additionalProperties": false, "required": [of], "properties": {
                of: { "type": "string", "description": "Which one" },
                "limit": { "type": "integer", "minimum": 1, "maximum": 100 },
                "fields": { "type": "array", "items": { "type": "string", "enum": ["id", "name", "state"] } } } } } })
    };
    filled(|size| {
        json!({
            "model": "auto", "stream": true, "parallel_tool_calls": true, "tool_choice": "auto",
            "tools": [tool("read_order", "order"), tool("read_customer", "customer"), tool("search_stock", "article")],
            "messages": [system(), user(CODE, size / 2), said("assistant", PROSE, 180), user(PROSE, size / 2)],
        })
    })
}

fn system() -> Value {
    json!({ "role": "system", "content": SYSTEM })
}

fn user(text: &str, size: usize) -> Value {
    said("user", text, size)
}

fn said(role: &str, text: &str, size: usize) -> Value {
    json!({ "role": role, "content": text.chars().cycle().take(size).collect::<String>() })
}

/// With as much text as makes the body 4 KiB long.
fn filled(body: impl Fn(usize) -> Value) -> Bytes {
    let sizes = (0..=SIZE).rev();
    let bodies = sizes.map(|size| body(size).to_string());
    Bytes::from(bodies.into_iter().find(|body| body.len() <= SIZE).unwrap_or_default())
}
