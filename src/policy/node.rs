//! A YAML file as a tree in which every value knows its place, so that one pass finds every problem.
//!
//! Serde's derive stops at the first fault; a policy's author wants all of them at once.

use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use crate::config::problem::suggestion;
use crate::config::{Problem, Severity};

/// Deepest nesting: far more than a policy or its cases need. A level takes some 30 KB of stack without optimisation, and
/// threads have 2 MB.
const MAX_DEPTH: usize = 32;

/// A value and where it stands.
pub type Node = Spanned<Value>;

/// One YAML value.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing written after the key.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// Any number, as written by Rust: decimal, without exponent.
    Number(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order written. Duplicate keys are a parse error.
    Map(Vec<(Spanned<String>, Node)>),
}

impl Value {
    /// What the value is, for messages.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;

        impl<'de> Visitor<'de> for AnyValue {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a YAML value")
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_none<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
                Value::deserialize(inner)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }

            #[expect(clippy::cast_precision_loss, reason = "no figure of a policy comes near 2^53")]
            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(Value::Number(value as f64))
            }

            #[expect(clippy::cast_precision_loss, reason = "no figure of a policy comes near 2^53")]
            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(Value::Number(value as f64))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(Value::Number(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(Value::Text(value.to_owned()))
            }

            fn visit_string<E>(self, value: String) -> Result<Value, E> {
                Ok(Value::Text(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Value::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
                let mut map: Vec<(Spanned<String>, Node)> = Vec::new();
                while let Some((key, value)) = entries.next_entry::<Spanned<String>, Node>()? {
                    if map.iter().any(|(seen, _)| seen.value == key.value) {
                        return Err(de::Error::custom(format!("duplicate key `{}`", key.value)));
                    }
                    map.push((key, value));
                }
                Ok(Value::Map(map))
            }
        }

        deserializer.deserialize_any(AnyValue)
    }
}

/// One file being read and the problems found in it so far.
pub struct Source<'a> {
    /// The file as the user named it.
    pub file: &'a Path,
    /// Its text.
    pub text: &'a str,
    /// Everything found, errors and warnings.
    pub problems: Vec<Problem>,
}

impl<'a> Source<'a> {
    /// A file with nothing wrong yet.
    #[must_use]
    pub fn new(file: &'a Path, text: &'a str) -> Self {
        Self { file, text, problems: Vec::new() }
    }

    /// The tree, or `None` and a problem where the text is no YAML.
    pub fn parse(&mut self) -> Option<Node> {
        // YAML 1.1 reads NO, Norway's code, as false.
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! { max_depth: MAX_DEPTH },
            strict_booleans: true,
        };
        match serde_saphyr::from_str_with_options(self.text, options) {
            Ok(tree) => Some(tree),
            Err(error) => {
                let (line, column) =
                    error.location().map_or((0, 0), |place| (short(place.line()), short(place.column())));
                let message = error.without_snippet().to_string();
                let snippet = self.snippet(line, column);
                self.problems.push(Problem {
                    file: self.file.to_owned(),
                    line,
                    column,
                    message: message.lines().next().unwrap_or("not YAML").to_owned(),
                    remedy: "correct the YAML".to_owned(),
                    severity: Severity::Error,
                    snippet,
                });
                None
            }
        }
    }

    /// Records an error at a node.
    pub fn error<T>(&mut self, at: &Spanned<T>, message: impl Into<String>, remedy: impl Into<String>) {
        self.at(place(at), Severity::Error, message.into(), remedy.into());
    }

    /// Records a warning at a node.
    pub fn warning<T>(&mut self, at: &Spanned<T>, message: impl Into<String>, remedy: impl Into<String>) {
        self.at(place(at), Severity::Warning, message.into(), remedy.into());
    }

    /// Records a problem at a place that is no node of its own: a word within an expression.
    pub fn at(&mut self, (line, column): (u32, u32), severity: Severity, message: String, remedy: String) {
        let snippet = self.snippet(line, column);
        self.problems.push(Problem { file: self.file.to_owned(), line, column, message, remedy, severity, snippet });
    }

    /// Where `word` first stands at or after a node's place; the node's own place if it does not.
    #[must_use]
    pub fn find<T>(&self, after: &Spanned<T>, word: &str) -> (u32, u32) {
        let (line, column) = place(after);
        for (index, text) in self.text.lines().enumerate().skip(line.saturating_sub(1) as usize) {
            let skipped: usize = if index + 1 == line as usize {
                text.chars().take(column.saturating_sub(1) as usize).map(char::len_utf8).sum()
            } else {
                0
            };
            if let Some(found) = text[skipped..].find(word) {
                return (short(index as u64 + 1), short(text[..skipped + found].chars().count() as u64 + 1));
            }
        }
        (line, column)
    }

    fn snippet(&self, line: u32, column: u32) -> String {
        let Some(text) = self.text.lines().nth(line.wrapping_sub(1) as usize) else {
            return String::new();
        };
        let number = line.to_string();
        let caret = usize::try_from(column).unwrap_or_default();
        let margin = number.len();
        format!("  {number} | {text}\n  {:margin$} | {:>caret$}", "", "^")
    }

    /// The entries of a map, each key checked against `known`; a problem and nothing where it is no map.
    pub fn map<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> &'n [(Spanned<String>, Node)] {
        let Value::Map(entries) = &node.value else {
            self.error(
                node,
                format!("{what} must be a map, not {}", node.value.kind()),
                format!("write the keys {}", known.join(", ")),
            );
            return &[];
        };
        for (key, _) in entries {
            if !known.contains(&key.value.as_str()) {
                self.unknown(key, &format!("unknown key `{}` in {what}", key.value), known.iter().copied());
            }
        }
        entries
    }

    /// Records a misspelt word, with the nearest of the known ones.
    pub fn unknown<'n>(&mut self, at: &Spanned<String>, message: &str, known: impl Iterator<Item = &'n str> + Clone) {
        self.error(at, message, did_you_mean(&at.value, known));
    }

    /// The text of a node, or a problem.
    pub fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        if let Value::Text(text) = &node.value {
            return Some(text);
        }
        self.error(
            node,
            format!("{what} must be text, not {}", node.value.kind()),
            "write it as text, in quotes if need be",
        );
        None
    }

    /// The items of a list, or a problem.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if let Value::List(items) = &node.value {
            return items;
        }
        self.error(node, format!("{what} must be a list, not {}", node.value.kind()), "write it in brackets: [a, b]");
        &[]
    }
}

/// "did you mean `x`?", else the known words.
#[must_use]
pub fn did_you_mean<'n>(written: &str, known: impl Iterator<Item = &'n str> + Clone) -> String {
    if let Some(close) = suggestion(written, known.clone()) {
        return format!("did you mean `{close}`?");
    }
    let known: Vec<&str> = known.collect();
    if known.is_empty() {
        return "there is nothing it could name".to_owned();
    }
    format!("write one of {}", known.join(", "))
}

/// The value of a key, if it is written.
#[must_use]
pub fn get<'n>(entries: &'n [(Spanned<String>, Node)], key: &str) -> Option<&'n Node> {
    entries.iter().find(|(name, _)| name.value == key).map(|(_, node)| node)
}

/// Line and column of a node, from 1.
#[must_use]
pub fn place<T>(node: &Spanned<T>) -> (u32, u32) {
    (short(node.referenced.line()), short(node.referenced.column()))
}

fn short(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_place_and_norway_is_no_boolean() {
        let text = "a: 1\nb:\n  - NO\n  - {c: true, d: 0d}\n";
        let mut source = Source::new(Path::new("x.yaml"), text);
        let tree = source.parse().unwrap();
        let entries = source.map(&tree, "it", &["a", "b"]);
        let list = source.list(get(entries, "b").unwrap(), "b");
        assert!(matches!(&list[0].value, Value::Text(no) if no == "NO"));
        assert_eq!(place(&list[0]), (3, 5));
        let Value::Map(inner) = &list[1].value else { panic!("a map") };
        assert_eq!(place(&inner[1].0), (4, 15));
        assert_eq!(place(&inner[1].1), (4, 18));
        assert!(matches!(&inner[1].1.value, Value::Text(text) if text == "0d"));
        assert!(source.problems.is_empty());
    }

    #[test]
    fn what_is_no_yaml_has_a_place() {
        let mut source = Source::new(Path::new("x.yaml"), "a: [1\nb: 2\n");
        assert!(source.parse().is_none());
        assert!(source.problems[0].line > 0);
        let mut source = Source::new(Path::new("x.yaml"), "a: 1\na: 2\n");
        assert!(source.parse().is_none());
        assert_eq!(source.problems[0].line, 2);
    }
}
