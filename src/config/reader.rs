//! Turns the tree into the written types, reporting every fault on the way instead of stopping at the first.
//!
//! A serde deserializer over `document::Node`. An unknown key is reported and skipped; a value that cannot be read is
//! reported and replaced by a stand-in (zero, nothing, the first word of an enumeration), so that reading goes on.
//! The result is used only if nothing was reported.

use std::collections::HashSet;
use std::fmt;

use serde::de::Visitor;

use access::{Entries, Members, Placed, Shorthand, Word};

use super::document::{Key, Node, Value};
use super::problem::suggestion;
use super::report::Report;
use super::values::{AT, SCALAR};
use super::written;

mod access;

/// A deserializer for one node.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) node: &'a Node,
    pub(super) report: &'a Report<'a>,
}

/// Why a value came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("already reported")]
    Reported,
    #[error("{0}")]
    Other(String),
}

impl serde::de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }

    fn missing_field(_: &'static str) -> Self {
        // Every struct's missing keys are reported before it is read.
        Self::Reported
    }
}

impl<'a> Reader<'a> {
    fn child(self, node: &'a Node) -> Self {
        Self { node, ..self }
    }

    /// The scalar's text, or a report that says what was expected.
    fn scalar(self, expected: &str) -> Option<&'a str> {
        if let Value::Scalar(text) = &self.node.value {
            return Some(text);
        }
        self.unreadable(expected);
        None
    }

    fn unreadable(self, expected: &str) {
        let found = match &self.node.value {
            Value::Null => "nothing".to_owned(),
            Value::Scalar(text) if self.may_show(expected, text) => format!("`{text}`"),
            Value::Scalar(_) => "a text".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        };
        self.report.unreadable(
            self.node.place,
            format!("expected {expected}, found {found}"),
            format!("write {expected} here"),
        );
    }

    /// Whether a text may appear in a problem: not if it is long or stands where a map or list should, for then it
    /// may be a key in the wrong place.
    fn may_show(self, expected: &str, text: &str) -> bool {
        let misplaced = expected.starts_with("a map") || expected.starts_with("a list");
        if misplaced {
            self.report.conceal(self.node.place);
        }
        !misplaced && text.chars().count() <= 40
    }

    /// The scalar as a number, or zero with a report.
    fn number<T: std::str::FromStr + Default>(self, expected: &str) -> T {
        let Some(text) = self.scalar(expected) else {
            return T::default();
        };
        // YAML writes large numbers with underscores in places.
        text.replace('_', "").parse().unwrap_or_else(|_| {
            self.unreadable(expected);
            T::default()
        })
    }

    /// Entries of a map whose keys were not there before.
    fn entries(self, expected: &str) -> Vec<&'a (Key, Node)> {
        let entries = match &self.node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Null => &[],
            _ => {
                self.unreadable(expected);
                &[]
            }
        };
        let mut seen = HashSet::new();
        let mut fresh = Vec::new();
        for entry in entries {
            if seen.insert(entry.0.text.as_str()) {
                fresh.push(entry);
            } else {
                self.report.error(entry.0.place, format!("`{}` is written twice", entry.0.text), "keep one of the two");
            }
        }
        fresh
    }

    /// Reports what a struct lacks, as the schema knows it.
    fn missing(self, name: &'static str) {
        let required = written::required(name);
        for key in required.iter().filter(|key| self.node.get(key).is_none()) {
            let what = written::thing(name);
            self.report.error(self.node.place, format!("{what} lacks `{key}`"), format!("add `{key}: …`"));
        }
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $expected:literal;)*) => {$(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
            visitor.$visit(self.number($expected))
        }
    )*};
}

impl<'a> serde::Deserializer<'a> for Reader<'a> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Scalar(text) => visitor.visit_borrowed_str(text),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let value = match self.scalar("true or false") {
            Some("true") => true,
            Some("false") | None => false,
            Some(_) => {
                self.unreadable("true or false");
                false
            }
        };
        visitor.visit_bool(value)
    }

    numbers! {
        deserialize_i8 visit_i8 "a whole number";
        deserialize_i16 visit_i16 "a whole number";
        deserialize_i32 visit_i32 "a whole number";
        deserialize_i64 visit_i64 "a whole number";
        deserialize_u8 visit_u8 "a whole number from 0 to 255";
        deserialize_u16 visit_u16 "a whole number from 0 to 65535";
        deserialize_u32 visit_u32 "a whole number from 0 to 4294967295";
        deserialize_u64 visit_u64 "a whole number from 0 up";
        deserialize_f32 visit_f32 "a number";
        deserialize_f64 visit_f64 "a number";
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_borrowed_str(self.scalar("a text").unwrap_or_default())
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let members = match &self.node.value {
            Value::List(members) => members.as_slice(),
            Value::Null => &[],
            _ => {
                self.unreadable("a list");
                &[]
            }
        };
        visitor.visit_seq(Members { members: members.iter(), reader: self })
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if name == AT {
            return visitor.visit_seq(Placed { step: 0, reader: self });
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_map(Entries { entries: self.entries("a map").into_iter(), value: None, reader: self })
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if fields.contains(&SCALAR) && matches!(self.node.value, Value::Scalar(_)) {
            return visitor.visit_map(Shorthand { step: 0, reader: self });
        }
        let known = || fields.iter().copied().filter(|field| *field != SCALAR);
        let expected = format!("a map with {}", listing(known()));
        let mut entries = self.entries(&expected);
        entries.retain(|(key, _)| {
            if known().any(|field| field == key.text) {
                return true;
            }
            let remedy = match suggestion(&key.text, known()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known here: {}", listing(known())),
            };
            let message = format!("unknown key `{}`{}", key.text, written::place_in(name));
            self.report.error(key.place, message, remedy);
            false
        });
        if matches!(self.node.value, Value::Map(_) | Value::Null) {
            self.missing(name);
        }
        visitor.visit_map(Entries { entries: entries.into_iter(), value: None, reader: self }).map_err(|error| {
            if let ReadError::Other(message) = error {
                self.report.error(self.node.place, message, "");
            }
            ReadError::Reported
        })
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let stand_in = variants.first().copied().unwrap_or_default();
        let Some(text) = self.scalar(&format!("one of {}", listing(variants.iter().copied()))) else {
            return visitor.visit_enum(Word(stand_in));
        };
        if let Some(variant) = variants.iter().find(|variant| **variant == text) {
            return visitor.visit_enum(Word(variant));
        }
        let remedy = match suggestion(text, variants.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write one of {}", listing(variants.iter().copied())),
        };
        self.report.unreadable(self.node.place, format!("unknown {} `{text}`", written::word_of(name)), remedy);
        visitor.visit_enum(Word(stand_in))
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'a>>
        i128 u128 char bytes byte_buf unit unit_struct tuple identifier ignored_any
    }
}

/// `a`, `b` or `c`.
pub(super) fn listing<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let quoted: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
