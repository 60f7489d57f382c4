//! Finding things in JSON that nobody promised a shape for.

use serde_json::{Map, Value};

use crate::money::NanoUsd;

pub(super) type Object = Map<String, Value>;

/// Longest name that is kept, in characters.
const LONGEST_NAME: usize = 100;

/// The first of these members that is there and not null.
pub(super) fn first<'v>(object: &'v Object, names: &[&str]) -> Option<&'v Value> {
    names.iter().find_map(|name| object.get(*name).filter(|value| !value.is_null()))
}

/// A short text that may be shown: the name of a model, a team.
pub(super) fn name(object: &Object, names: &[&str]) -> Option<String> {
    let text = first(object, names)?.as_str()?;
    let name: String = text.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// An amount in US dollars, written as a number or as the text of one; below zero it is none.
pub(super) fn usd(object: &Object, names: &[&str]) -> Option<NanoUsd> {
    let usd = match first(object, names)? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    // Logs hold floats: a nano-dollar is far coarser than their noise for any amount below nine million dollars.
    let nanos = (usd * 1e9).round();
    #[expect(clippy::cast_possible_truncation, reason = "within the range just checked")]
    (0.0..9e18).contains(&nanos).then_some(NanoUsd(nanos as i64))
}

/// A time: RFC 3339, the same without an offset (then in UTC), or seconds or milliseconds since 1970.
pub(super) fn time(object: &Object, names: &[&str]) -> Option<jiff::Timestamp> {
    match first(object, names)? {
        Value::Number(number) => {
            let seconds = number.as_f64()?;
            // As seconds it would be beyond the year 5000.
            let seconds = if seconds > 1e11 { seconds / 1e3 } else { seconds };
            #[expect(clippy::cast_possible_truncation, reason = "jiff refuses what is out of range")]
            jiff::Timestamp::from_second(seconds as i64).ok()
        }
        Value::String(text) => {
            let text = text.trim();
            let civil = || jiff::tz::TimeZone::UTC.to_timestamp(text.parse().ok()?).ok();
            text.parse().ok().or_else(civil)
        }
        _ => None,
    }
}

/// A member that is an object, or the text of one: databases export JSON columns as texts.
pub(super) fn opened(value: &Value) -> Option<Value> {
    match value {
        Value::Object(object) if object.is_empty() => None,
        Value::Array(list) if list.is_empty() => None,
        Value::Object(_) | Value::Array(_) => Some(value.clone()),
        Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
            serde_json::from_str::<Value>(text).ok().and_then(|value| opened(&value))
        }
        _ => None,
    }
}

/// The same where only an object will do.
pub(super) fn opened_object(object: &Object, names: &[&str]) -> Option<Object> {
    match opened(first(object, names)?)? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn times_are_read_in_every_common_spelling() {
        for written in [
            json!("2026-11-24T10:00:00Z"),
            json!("2026-11-24 10:00:00+00:00"),
            json!("2026-11-24 10:00:00"),
            json!("2026-11-24T11:00:00.000+01:00"),
            json!(1_795_514_400),
            json!(1_795_514_400_000_u64),
        ] {
            let at = time(&object(json!({ "at": written })), &["at"]).unwrap_or_else(|| panic!("{written}"));
            assert_eq!(at.as_second(), 1_795_514_400, "{written}");
        }
        assert_eq!(time(&object(json!({ "at": "yesterday" })), &["at"]), None);
    }

    #[test]
    fn money_is_read_to_the_nano_dollar() {
        let read = |value: Value| usd(&object(json!({ "cost": value })), &["cost"]);
        assert_eq!(read(json!(4.25e-5)), Some(NanoUsd(42_500)));
        assert_eq!(read(json!("0.0001")), Some(NanoUsd(100_000)));
        assert_eq!(read(json!(0)), Some(NanoUsd(0)));
        assert_eq!((read(json!(-1)), read(json!("free")), read(json!(null))), (None, None, None));
    }
}
