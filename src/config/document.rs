//! A YAML file as a tree in which every key and value knows its place.
//!
//! Reading in two steps (text to tree, tree to types) is what lets one run report everything: a fault in one value
//! does not end the reading of the others, as it would in serde's stream.

use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, NonFiniteFloatPolicy, Spanned};

use super::report::{Place, Report};

/// Deepest nesting: far more than a configuration needs, far less than a stack holds.
const MAX_DEPTH: usize = 64;

/// One value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// What YAML knows. Scalars stay text: whoever reads one knows what it must be, and no price passes through a float.
#[derive(Debug)]
pub(super) enum Value {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A map's key and where it stands.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) place: Place,
}

impl Node {
    /// The value under a key, if this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else {
            return None;
        };
        entries.iter().find(|(found, _)| found.text == key).map(|(_, value)| value)
    }

    /// The texts under `key` of all members of the list under `section`, whether or not the rest of them is right.
    pub(super) fn names<'n>(&'n self, section: &str, key: &str) -> Vec<&'n str> {
        let Some(Self { value: Value::List(members), .. }) = self.get(section) else {
            return Vec::new();
        };
        let mut names = Vec::new();
        for member in members {
            if let Some(Self { value: Value::Scalar(name), .. }) = member.get(key) {
                names.push(name.as_str());
            }
        }
        names
    }
}

/// Reads the tree. A syntax error is reported and leaves nothing to go on with.
pub(super) fn parse(text: &str, report: &Report<'_>) -> Option<Node> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: 200_000 },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => Some(node(raw, text)),
        Err(error) => {
            let place = error.location().map_or_else(Place::default, place_of);
            let message = error.without_snippet().to_string();
            // The crate repeats the place at the end of its message; the report prints it already.
            let message = message.split(" at line ").next().unwrap_or_default().to_lowercase();
            let remedy = if report.line(place).contains("${") {
                "put quotes around `${…}`: within `{ }` and `[ ]` YAML takes its braces for its own"
            } else {
                "check indentation, colons, quotes and brackets here and just above"
            };
            report.error(place, format!("this is not valid YAML: {message}"), remedy);
            None
        }
    }
}

fn place_of(location: Location) -> Place {
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Place { line: small(location.line()), column: small(location.column()), length: small(location.span().len()) }
}

fn node(raw: Spanned<Raw>, text: &str) -> Node {
    let place = place_of(raw.referenced);
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Text(text) => Value::Scalar(text),
        Raw::Typed(shown) => Value::Scalar(written(raw.defined, text).map_or(shown, str::to_owned)),
        Raw::List(members) => Value::List(members.into_iter().map(|member| node(member, text)).collect()),
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| (Key { place: place_of(key.referenced), text: key.value }, node(value, text)))
                .collect(),
        ),
    };
    Node { value, place }
}

/// The text of a number or truth value as it stands in the file.
fn written(location: Location, text: &str) -> Option<&str> {
    let start = usize::try_from(location.span().byte_offset()?).ok()?;
    let length = usize::try_from(location.span().byte_len()?).ok()?;
    let written = text.get(start..start.checked_add(length)?)?.trim();
    (!written.is_empty()).then_some(written)
}

/// A value as the parser hands it over; numbers and truth values already interpreted, with their shown form.
enum Raw {
    Null,
    Text(String),
    Typed(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(member) = members.next_element()? {
            list.push(member);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}
