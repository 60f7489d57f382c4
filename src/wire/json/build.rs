//! Objects and lists written member by member, in the order they are given.

use serde::Serialize;

use crate::chat::{Json, Named};

/// An object being written.
#[derive(Clone, Debug)]
pub struct Object(String);

impl Default for Object {
    fn default() -> Self {
        Self::new()
    }
}

impl Object {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self(String::from("{"))
    }

    /// Adds a member.
    pub fn put(&mut self, name: &str, value: impl Serialize) -> &mut Self {
        self.key(name);
        push(&mut self.0, &value);
        self
    }

    /// Adds a member if there is something to say.
    pub fn put_some(&mut self, name: &str, value: Option<impl Serialize>) -> &mut Self {
        if let Some(value) = value {
            self.put(name, value);
        }
        self
    }

    /// Adds a member whose value is JSON already.
    pub fn raw(&mut self, name: &str, json: &str) -> &mut Self {
        self.key(name);
        self.0.push_str(json);
        self
    }

    /// Adds members without a neutral name, as they came.
    pub fn put_named(&mut self, others: &[Named]) -> &mut Self {
        for other in others {
            self.raw(&other.name, other.value.text());
        }
        self
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.len() == 1
    }

    /// The object's text.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn key(&mut self, name: &str) {
        if !self.is_empty() {
            self.0.push(',');
        }
        push(&mut self.0, &name);
        self.0.push(':');
    }
}

impl Serialize for Object {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = Json::new(self.clone().finish()).map_err(serde::ser::Error::custom)?;
        json.serialize(serializer)
    }
}

/// A list being written.
#[derive(Clone, Debug)]
pub struct List(String);

impl Default for List {
    fn default() -> Self {
        Self::new()
    }
}

impl List {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self(String::from("["))
    }

    /// Adds an element.
    pub fn put(&mut self, value: impl Serialize) -> &mut Self {
        self.comma();
        push(&mut self.0, &value);
        self
    }

    /// Adds an element that is JSON already.
    pub fn raw(&mut self, json: &str) -> &mut Self {
        self.comma();
        self.0.push_str(json);
        self
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.len() == 1
    }

    /// The list's text.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.0.push(']');
        self.0
    }

    fn comma(&mut self) {
        if !self.is_empty() {
            self.0.push(',');
        }
    }
}

fn push(into: &mut String, value: &impl Serialize) {
    match serde_json::to_string(value) {
        Ok(json) => into.push_str(&json),
        // Only maps with keys that are no texts fail, and nothing here has one.
        Err(_) => into.push_str("null"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_in_the_order_given() {
        let mut inner = List::new();
        inner.put(1).raw("{\"x\": 2}");
        let mut object = Object::new();
        object.put("b", "é\"").put_some("none", None::<u8>).raw("a", &inner.finish());
        assert_eq!(object.finish(), r#"{"b":"é\"","a":[1,{"x": 2}]}"#);
        assert_eq!(Object::new().finish(), "{}");
    }
}
