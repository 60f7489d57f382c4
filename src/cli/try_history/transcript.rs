//! A stream that was logged as the text that came: server-sent events of any vendor, read for model and usage.

use serde_json::{Map, Value};

use super::fields::{Object, first};

/// What the events add up to, as far as it is of interest here; `None` where the text is no stream.
pub(super) fn answer(text: &str) -> Option<Object> {
    if !text.starts_with("data:") && !text.starts_with("event:") && !text.starts_with(':') {
        return None;
    }
    let mut answer = Map::new();
    let mut usage = Map::new();
    for data in text.lines().filter_map(|line| line.strip_prefix("data:")) {
        let Ok(Value::Object(event)) = serde_json::from_str(data.trim()) else { continue };
        // Messages and Responses begin and end with the whole answer in an event.
        let inner = ["message", "response"].iter().find_map(|name| event.get(*name)?.as_object());
        for place in [inner, Some(&event)].into_iter().flatten() {
            for member in ["model", "modelVersion", "created", "created_at", "error"] {
                if let Some(value) = first(place, &[member]) {
                    answer.insert(member.to_owned(), value.clone());
                }
            }
            // The last value counts, field by field: Messages says input first and output last.
            for name in ["usage", "usageMetadata"] {
                let counted = place.get(name).and_then(Value::as_object).into_iter().flatten();
                usage.extend(counted.filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())));
            }
        }
        if event.get("type").and_then(Value::as_str) == Some("message_start") {
            answer.insert("type".to_owned(), "message".into());
        }
    }
    if !usage.is_empty() {
        answer.insert("usage".to_owned(), usage.into());
    }
    (!answer.is_empty()).then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Usage;

    #[test]
    fn a_logged_stream_tells_model_and_usage() {
        let text = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-x\",\
                    \"usage\":{\"input_tokens\":3,\"cache_read_input_tokens\":4,\"output_tokens\":1}}}\n\n\
                    data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":9}}\n\n";
        let answer = answer(text).unwrap();
        assert_eq!(answer["model"], "claude-x");
        let expected = Usage { input: 7, cached: 4, output: 9, ..Usage::default() };
        assert_eq!(crate::cli::try_history::usage::usage(&answer["usage"]), Some(expected));
        assert_eq!(super::answer("hello"), None);
    }
}
