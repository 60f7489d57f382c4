//! Objects taken apart by name, for decoders that must lose nothing: what is not taken is still there at the end.

use std::fmt;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::chat::{Json, Named};

/// A fault of a body, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` {what}")]
pub struct Misshapen {
    /// `messages[3].content[0].type`; empty for the body itself.
    pub path: String,
    /// What is wrong, as a predicate: "must be a text".
    pub what: String,
}

impl Misshapen {
    /// A fault at this place.
    pub fn new(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self { path: path.into(), what: what.into() }
    }
}

/// An object's members, each as the text it came in.
#[derive(Debug)]
pub struct Members<'a> {
    path: String,
    members: Vec<(String, Option<&'a RawValue>)>,
}

impl<'a> Members<'a> {
    /// Reads the object at `path`.
    ///
    /// # Errors
    /// It is no object.
    pub fn read(raw: &'a RawValue, path: impl Into<String>) -> Result<Self, Misshapen> {
        Self::of_text(raw.get(), path)
    }

    /// Reads an object from its text.
    ///
    /// # Errors
    /// It is no object.
    pub fn of_text(text: &'a str, path: impl Into<String>) -> Result<Self, Misshapen> {
        let path = path.into();
        match serde_json::from_str::<InOrder<'a>>(text) {
            Ok(InOrder(members)) => Ok(Self { path, members }),
            Err(_) => Err(Misshapen::new(path, "must be an object")),
        }
    }

    /// Where this object stands, for errors of its reader.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where a member stands.
    #[must_use]
    pub fn place(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Takes a member out; `null` counts as absent.
    pub fn raw(&mut self, name: &str) -> Option<&'a RawValue> {
        let (_, value) = self.members.iter_mut().find(|(key, value)| key == name && value.is_some())?;
        value.take().filter(|value| value.get() != "null")
    }

    /// Puts a member back that was taken out but could not be read.
    pub fn put_back(&mut self, name: &str, raw: &'a RawValue) {
        if let Some((_, value)) = self.members.iter_mut().find(|(key, _)| key == name) {
            *value = Some(raw);
        }
    }

    /// Takes a member out as its text.
    pub fn json(&mut self, name: &str) -> Option<Json> {
        self.raw(name).map(Json::from)
    }

    /// Takes out a member of this type; `what` says what it must be (`"a text"`).
    ///
    /// # Errors
    /// It is another type.
    pub fn typed<T: DeserializeOwned>(&mut self, name: &str, what: &str) -> Result<Option<T>, Misshapen> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        serde_json::from_str(raw.get())
            .map(Some)
            .map_err(|_| Misshapen::new(self.place(name), format!("must be {what}")))
    }

    /// Takes out a text.
    ///
    /// # Errors
    /// It is none.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Misshapen> {
        self.typed(name, "a text")
    }

    /// Takes out a text that has to be there.
    ///
    /// # Errors
    /// It is not, or it is no text.
    pub fn required_text(&mut self, name: &str) -> Result<String, Misshapen> {
        self.text(name)?.ok_or_else(|| Misshapen::new(self.place(name), "is missing; it must be a text"))
    }

    /// Takes out a list, its elements each with its path.
    ///
    /// # Errors
    /// It is no list.
    pub fn list(&mut self, name: &str) -> Result<Option<Vec<(String, &'a RawValue)>>, Misshapen> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let place = self.place(name);
        elements(raw, &place).map(Some)
    }

    /// Takes out an object.
    ///
    /// # Errors
    /// It is none.
    pub fn object(&mut self, name: &str) -> Result<Option<Members<'a>>, Misshapen> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        Members::read(raw, self.place(name)).map(Some)
    }

    /// What was not taken, in order; `is_hint` says which of it cannot change an answer. Absent and `null` are the same.
    pub fn rest(self, is_hint: impl Fn(&str) -> bool) -> Vec<Named> {
        let left = self.members.into_iter().filter_map(|(name, value)| Some((name, value?)));
        left.filter(|(_, value)| value.get() != "null")
            .map(|(name, value)| Named { hint: is_hint(&name), value: Json::from(value), name })
            .collect()
    }
}

/// A list's elements, each with its path.
///
/// # Errors
/// It is no list.
pub fn elements<'a>(raw: &'a RawValue, path: &str) -> Result<Vec<(String, &'a RawValue)>, Misshapen> {
    let values: Vec<&'a RawValue> =
        serde_json::from_str(raw.get()).map_err(|_| Misshapen::new(path, "must be a list"))?;
    Ok(values.into_iter().enumerate().map(|(index, value)| (format!("{path}[{index}]"), value)).collect())
}

/// A text, if the value is one.
#[must_use]
pub fn as_text(raw: &RawValue) -> Option<String> {
    raw.get().starts_with('"').then(|| serde_json::from_str(raw.get()).ok()).flatten()
}

struct InOrder<'a>(Vec<(String, Option<&'a RawValue>)>);

impl<'de: 'a, 'a> Deserialize<'de> for InOrder<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Take<'a> {
            type Value = InOrder<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder<'a>, A::Error> {
                let mut members = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    members.push((name, Some(map.next_value::<&'a RawValue>()?)));
                }
                Ok(InOrder(members))
            }
        }
        deserializer.deserialize_map(Take(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_is_still_there_in_order() {
        let mut members = Members::of_text(r#"{"b":[1, 2],"a":"x","n":null,"c":{"d":1.0}}"#, "m[0]").unwrap();
        assert_eq!(members.text("a").unwrap().as_deref(), Some("x"));
        assert_eq!(members.list("b").unwrap().unwrap()[1].0, "m[0].b[1]");
        assert!(members.raw("n").is_none(), "null is absent");
        let rest = members.rest(|name| name == "c");
        assert_eq!((rest[0].name.as_str(), rest[0].value.text(), rest[0].hint), ("c", r#"{"d":1.0}"#, true));
        assert_eq!(rest.len(), 1);
    }

    #[test]
    fn a_fault_names_its_place() {
        let mut members = Members::of_text(r#"{"a":1}"#, "tools[2]").unwrap();
        assert_eq!(members.text("a").unwrap_err().to_string(), "`tools[2].a` must be a text");
        assert_eq!(members.required_text("b").unwrap_err().path, "tools[2].b");
        assert_eq!(Members::of_text("[]", "x").unwrap_err().what, "must be an object");
    }
}
