//! The marker in a prompt: `[[scripted: status=429 retry_after=1]]` changes what is done with that
//! one request.
//!
//! `key=value` pairs with the keys of [`Behaviour`], separated by blanks. A value is JSON if it
//! begins with `"`, `[` or `{` (so it may hold blanks), else a word up to the next blank: a number,
//! `true`, `false`, or a text. A key alone means `true`.

use serde_json::{Map, Value};

use super::script::Behaviour;

const START: &str = "[[scripted:";
const END: &str = "]]";

/// Why a marker could not be followed. The message names the key and the cause.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("in the [[scripted: …]] marker: {0}")]
pub(super) struct MarkerError(String);

/// The text from the first marker's beginning on, if there is one.
pub(super) fn find(prompt: &str) -> Option<&str> {
    let at = memchr::memmem::find(prompt.as_bytes(), START.as_bytes())?;
    prompt.get(at..)
}

/// Lays a marker's keys over a behaviour.
pub(super) fn apply(marked: &str, base: &Behaviour) -> Result<Behaviour, MarkerError> {
    let keys = read(marked)?;
    let written = serde_json::to_value(base).map_err(|error| MarkerError(error.to_string()))?;
    let Value::Object(mut merged) = written else {
        return Err(MarkerError("a behaviour is not an object".to_owned()));
    };
    merged.extend(keys);
    serde_json::from_value(Value::Object(merged)).map_err(|error| MarkerError(error.to_string()))
}

fn read(marked: &str) -> Result<Map<String, Value>, MarkerError> {
    let mut rest = marked.strip_prefix(START).unwrap_or(marked).trim_start();
    let mut keys = Map::new();
    while !rest.starts_with(END) {
        let key_end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .ok_or_else(|| MarkerError(format!("`{END}` is missing")))?;
        let (key, after) = rest.split_at(key_end);
        if key.is_empty() {
            let found: String = after.chars().take(12).collect();
            return Err(MarkerError(format!("a key is expected, not `{found}`")));
        }
        let value;
        match after.strip_prefix('=') {
            Some(written) => (value, rest) = read_value(key, written)?,
            None => (value, rest) = (Value::Bool(true), after),
        }
        if keys.insert(key.to_owned(), value).is_some() {
            return Err(MarkerError(format!("`{key}` stands twice")));
        }
        rest = rest.trim_start();
    }
    Ok(keys)
}

fn read_value<'a>(key: &str, written: &'a str) -> Result<(Value, &'a str), MarkerError> {
    if written.starts_with(['"', '[', '{']) {
        let mut values = serde_json::Deserializer::from_str(written).into_iter::<Value>();
        let value = match values.next() {
            Some(Ok(value)) => value,
            Some(Err(error)) => return Err(MarkerError(format!("`{key}`: {error}"))),
            None => return Err(MarkerError(format!("`{key}` has no value"))),
        };
        return Ok((value, &written[values.byte_offset()..]));
    }
    let blank = written.find(char::is_whitespace).unwrap_or(written.len());
    let end = written.find(END).unwrap_or(written.len()).min(blank);
    let (word, rest) = written.split_at(end);
    let value = match word {
        "" => return Err(MarkerError(format!("`{key}` has no value"))),
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match word.parse::<u64>() {
            Ok(number) => Value::from(number),
            Err(_) => Value::from(word),
        },
    };
    Ok((value, rest))
}
