//! What could not be said, by the name that it has in the client's own format: encoders know only the neutral one.

use super::losses::{Encoded, Unsupported};
use crate::chat::{Format, Request};

/// Neutral names of settings and what the Responses API calls them.
const RESPONSES: [(&str, &str); 8] = [
    ("reasoning_effort", "reasoning.effort"),
    ("max_tokens", "max_output_tokens"),
    ("response_format.json_schema.name", "text.format.name"),
    ("response_format.json_schema.description", "text.format.description"),
    ("response_format.json_schema", "text.format"),
    ("response_format", "text.format"),
    ("verbosity", "text.verbosity"),
    ("thinking", "reasoning"),
];

/// The same of Anthropic's Messages.
const MESSAGES: [(&str, &str); 8] = [
    ("reasoning", "thinking"),
    ("reasoning.max_tokens", "thinking.budget_tokens"),
    ("reasoning.summary", "thinking.display"),
    ("stop", "stop_sequences"),
    ("user", "metadata.user_id"),
    ("parallel_tool_calls", "tool_choice.disable_parallel_tool_use"),
    ("response_format.json_schema", "output_config.format"),
    ("response_format", "output_config.format"),
];

/// An encoder's result with its names as in the client's body.
pub(super) fn in_the_clients_words(
    request: &Request,
    result: Result<Encoded, Unsupported>,
) -> Result<Encoded, Unsupported> {
    match result {
        Ok(mut encoded) => {
            for name in &mut encoded.dropped {
                rename(request, name);
            }
            Ok(encoded)
        }
        Err(mut unsupported) => {
            rename(request, &mut unsupported.field);
            Err(unsupported)
        }
    }
}

fn rename(request: &Request, name: &mut String) {
    let table: &[(&str, &str)] = match request.format {
        Format::Responses => &RESPONSES,
        // A degree is asked for in one of two places.
        Format::Messages if name == "reasoning_effort" => {
            let degree = memchr::memmem::find(&request.body, br#""effort""#).is_some();
            *name = if degree { "output_config.effort" } else { "thinking" }.to_owned();
            return;
        }
        Format::Messages => &MESSAGES,
        Format::Chat | Format::Gemini | Format::Completions | Format::Embeddings => return,
    };
    if let Some((_, theirs)) = table.iter().find(|(neutral, _)| *neutral == name.as_str()) {
        *name = (*theirs).to_owned();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::wire::ask;

    fn named(format: Format, body: &'static str, field: &str) -> (Vec<String>, String) {
        let request = ask::judge(format, Bytes::from_static(body.as_bytes())).unwrap();
        let encoded = Encoded { body: Bytes::new(), dropped: vec![field.to_owned()] };
        let unsupported = Unsupported { field: field.to_owned(), target: "chat" };
        let dropped = in_the_clients_words(&request, Ok(encoded)).unwrap().dropped;
        (dropped, in_the_clients_words(&request, Err(unsupported)).unwrap_err().field)
    }

    fn both(name: &str) -> (Vec<String>, String) {
        (vec![name.to_owned()], name.to_owned())
    }

    #[test]
    fn a_setting_is_named_as_its_client_wrote_it() {
        let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
        assert_eq!(named(Format::Messages, body, "reasoning_effort"), both("thinking"));
        assert_eq!(named(Format::Messages, body, "stop"), both("stop_sequences"));
        assert_eq!(named(Format::Messages, body, "messages[0].content[1]"), both("messages[0].content[1]"));
        assert_eq!(named(Format::Chat, body, "reasoning_effort"), both("reasoning_effort"));
        let degree = r#"{"model":"m","max_tokens":9,"output_config":{"effort":"low"},"messages":[{"role":"user","content":"hi"}]}"#;
        assert_eq!(named(Format::Messages, degree, "reasoning_effort"), both("output_config.effort"));
        let input = r#"{"model":"m","input":"hi"}"#;
        assert_eq!(named(Format::Responses, input, "response_format"), both("text.format"));
        assert_eq!(named(Format::Responses, input, "reasoning_effort"), both("reasoning.effort"));
    }
}
