//! The small value types of a behaviour, each read leniently from YAML and from a marker.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Serialize, Serializer};

/// More token events than this are a mistake.
const MAX_EVENTS: u64 = 1_000_000;
/// A longer answer or event is a mistake. 64 MiB.
const MAX_BYTES: usize = 64 << 20;

/// A wait in whole milliseconds. Read from a number (milliseconds) or a text such as `2s`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

impl Millis {
    pub(super) fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Millis, D::Error> {
        deserializer.deserialize_any(MillisVisitor)
    }
}

struct MillisVisitor;

impl Visitor<'_> for MillisVisitor {
    type Value = Millis;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a duration such as 20ms or 2s, or milliseconds")
    }

    fn visit_u64<E: de::Error>(self, millis: u64) -> Result<Millis, E> {
        Ok(Millis(millis))
    }

    fn visit_i64<E: de::Error>(self, millis: i64) -> Result<Millis, E> {
        u64::try_from(millis).map(Millis).map_err(|_| E::invalid_value(de::Unexpected::Signed(millis), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Millis, E> {
        let duration =
            humantime::parse_duration(text).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))?;
        Ok(Millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// A place in an answer: before its headers (`head`), or after so many events or bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Nothing at all is sent.
    Head,
    /// Events or bytes, as the key says; 0 is right after the headers.
    After(u64),
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Point::Head => serializer.serialize_str("head"),
            Point::After(count) => serializer.serialize_u64(*count),
        }
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Point, D::Error> {
        deserializer.deserialize_any(PointVisitor)
    }
}

struct PointVisitor;

impl Visitor<'_> for PointVisitor {
    type Value = Point;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("`head` or a count")
    }

    fn visit_u64<E: de::Error>(self, count: u64) -> Result<Point, E> {
        Ok(Point::After(count))
    }

    fn visit_i64<E: de::Error>(self, count: i64) -> Result<Point, E> {
        u64::try_from(count).map(Point::After).map_err(|_| E::invalid_value(de::Unexpected::Signed(count), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Point, E> {
        match text {
            "head" => Ok(Point::Head),
            _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }
}

/// One call of a tool. Read from a map, or from a bare name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToolCall {
    /// The function's name.
    pub name: String,
    /// The arguments as they are sent: JSON text, or anything else to test what a client does.
    pub arguments: String,
    /// Default: `call_scripted_` and the call's place; outside of chat also with the answer's number, as
    /// Anthropic wants ids unique in a conversation. Gemini: none.
    pub id: Option<String>,
}

impl ToolCall {
    /// A call with these arguments.
    pub fn new(name: &str, arguments: &str) -> ToolCall {
        ToolCall { name: name.to_owned(), arguments: arguments.to_owned(), id: None }
    }
}

impl<'de> Deserialize<'de> for ToolCall {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ToolCall, D::Error> {
        deserializer.deserialize_any(ToolCallVisitor)
    }
}

struct ToolCallVisitor;

impl<'de> Visitor<'de> for ToolCallVisitor {
    type Value = ToolCall;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a tool's name, or { name, arguments, id }")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<ToolCall, E> {
        Ok(ToolCall::new(name, "{}"))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ToolCall, A::Error> {
        let written = WrittenCall::deserialize(MapAccessDeserializer::new(map))?;
        let arguments = match written.arguments {
            None => "{}".to_owned(),
            Some(serde_json::Value::String(raw)) => raw,
            Some(value) => value.to_string(),
        };
        Ok(ToolCall { name: written.name, arguments, id: written.id })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCall {
    name: String,
    arguments: Option<serde_json::Value>,
    id: Option<String>,
}

pub(super) fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    let status = Option::<u16>::deserialize(deserializer)?;
    match status {
        Some(code) if !(200..=599).contains(&code) => {
            Err(de::Error::custom(format_args!("status {code} is not between 200 and 599")))
        }
        _ => Ok(status),
    }
}

pub(super) fn bounded_events<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let events = Option::<u64>::deserialize(deserializer)?;
    match events {
        Some(count) if count > MAX_EVENTS => {
            Err(de::Error::custom(format_args!("{count} events are more than {MAX_EVENTS}")))
        }
        _ => Ok(events),
    }
}

pub(super) fn bounded_answer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let bytes = Option::<usize>::deserialize(deserializer)?;
    match bytes {
        Some(count) if count > MAX_BYTES => {
            Err(de::Error::custom(format_args!("{count} bytes are more than {MAX_BYTES}")))
        }
        _ => Ok(bytes),
    }
}
