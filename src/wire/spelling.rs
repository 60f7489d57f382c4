//! What a client calls a field that an encoder names in a word of its own.

use std::borrow::Cow;

use super::json::Scanner;
use crate::chat::{Format, Request};

/// An encoder's word, and what clients may have written for it; the first that stands in the body is meant.
type Words = &'static [(&'static str, &'static [&'static str])];

const CHAT: Words = &[
    ("max_tokens", &["max_completion_tokens", "max_tokens"]),
    ("reasoning_effort", &["reasoning_effort", "reasoning", "thinking", "chat_template_kwargs", "enable_thinking"]),
    ("reasoning.max_tokens", &["reasoning.max_tokens", "thinking.budget_tokens", "reasoning_effort"]),
    ("thinking.budget_tokens", &["thinking.budget_tokens", "reasoning.max_tokens", "reasoning_effort"]),
    ("thinking", &["thinking", "reasoning_effort", "reasoning", "chat_template_kwargs", "enable_thinking"]),
];
const RESPONSES: Words = &[
    ("verbosity", &["text.verbosity"]),
    ("response_format.json_schema", &["text.format"]),
    ("response_format", &["text.format"]),
    ("reasoning_effort", &["reasoning.effort"]),
    ("thinking", &["reasoning"]),
    ("max_tokens", &["max_output_tokens"]),
];
const MESSAGES: Words = &[
    ("stop", &["stop_sequences"]),
    ("response_format.json_schema", &["output_config.format", "output_format"]),
    ("response_format", &["output_config.format", "output_format"]),
    ("reasoning_effort", &["output_config.effort", "thinking"]),
    ("reasoning.max_tokens", &["thinking.budget_tokens", "output_config.effort"]),
    ("reasoning.summary", &["thinking.display"]),
    ("reasoning", &["thinking", "output_config.effort"]),
    ("parallel_tool_calls", &["tool_choice.disable_parallel_tool_use"]),
    ("user", &["metadata.user_id"]),
];

/// A field as the client of this request wrote it. Where a message stands among all of them is not known in Responses: its items
/// are not messages.
#[must_use]
pub fn of<'f>(request: &Request, field: &'f str) -> Cow<'f, str> {
    let words = match request.format {
        Format::Chat => CHAT,
        Format::Responses => RESPONSES,
        Format::Messages => MESSAGES,
        Format::Gemini | Format::Completions | Format::Embeddings => return field.into(),
    };
    for (word, own) in words {
        let Some(rest) = field.strip_prefix(word).filter(|rest| rest.is_empty() || rest.starts_with(['.', '['])) else {
            continue;
        };
        let written = own.iter().find(|name| is_in(&request.body, name)).or(own.first());
        return written.map_or(field.into(), |name| format!("{name}{rest}").into());
    }
    if request.format != Format::Chat
        && let Some((tool, rest)) = field.split_once("].function.").filter(|(tool, _)| tool.starts_with("tools["))
    {
        return format!("{tool}].{rest}").into();
    }
    if request.format == Format::Responses
        && let Some((_, rest)) = field.strip_prefix("messages[").and_then(|rest| rest.split_once(']'))
    {
        return format!("input{rest}").into();
    }
    field.into()
}

/// Whether a top-level member of that name, up to its first dot, stands in the body.
fn is_in(body: &[u8], name: &str) -> bool {
    let top = name.split('.').next().unwrap_or(name).as_bytes();
    let mut found = false;
    // What `judge` accepted cannot fail here.
    let _ = Scanner::lenient(body).object(|scanner, key| {
        found |= key.name == top;
        scanner.skip()
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ask;

    #[test]
    fn a_field_is_named_as_its_client_wrote_it() {
        let hi = r#""messages":[{"role":"user","content":"hi"}]"#;
        for (format, body, field, own) in [
            (Format::Responses, r#""input":"hi""#, "verbosity", "text.verbosity"),
            (Format::Responses, r#""input":"hi""#, "response_format.json_schema.name", "text.format.name"),
            (Format::Responses, r#""input":"hi""#, "messages[3].content[0].image_url", "input.content[0].image_url"),
            (Format::Messages, r#""max_tokens":9"#, "stop", "stop_sequences"),
            (Format::Messages, r#""max_tokens":9"#, "stopping", "stopping"),
            (Format::Messages, r#""max_tokens":9"#, "messages[3].content[0]", "messages[3].content[0]"),
            (Format::Messages, r#""max_tokens":9,"thinking":{"type":"disabled"}"#, "reasoning_effort", "thinking"),
            (Format::Messages, r#""max_tokens":9"#, "tools[1].function.strict", "tools[1].strict"),
            (Format::Chat, r#""max_tokens":9"#, "tools[1].function.strict", "tools[1].function.strict"),
            (Format::Chat, r#""max_tokens":9"#, "max_tokens", "max_tokens"),
            (Format::Chat, r#""max_completion_tokens":9"#, "max_tokens", "max_completion_tokens"),
            (Format::Chat, r#""chat_template_kwargs":{}"#, "reasoning_effort", "chat_template_kwargs"),
            (Format::Chat, r#""verbosity":"low""#, "verbosity", "verbosity"),
        ] {
            let said = if format == Format::Responses { String::new() } else { format!(",{hi}") };
            let body = format!(r#"{{"model":"m",{body}{said}}}"#);
            let request = ask::judge(format, body.into()).unwrap();
            assert_eq!(of(&request, field), own);
        }
    }
}
