//! What the judges of all formats look for, and where they say it.

use serde_json::Value;

use super::refusal::Refusal;

/// A judge's finding: nothing, or the first thing a provider would refuse.
pub(super) type Verdict = Result<(), Refusal>;

/// A 400 with this message.
pub(super) fn bad<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(400, message))
}

/// The first member that is none of these.
pub(super) fn stranger<'a>(value: &'a Value, known: &[&str]) -> Option<&'a str> {
    let members = value.as_object()?;
    members.keys().map(String::as_str).find(|name| !known.contains(name))
}

/// A text member.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// A list member; empty where there is none.
pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Letters, digits, `_` and `-`, of which there is at least one and at most so many.
pub(super) fn is_name(text: &str, longest: usize) -> bool {
    let of_those = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    of_those && !text.is_empty() && text.len() <= longest
}
