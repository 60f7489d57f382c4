//! A call's arguments that come in pieces, each with the place where it belongs.

use super::chunk::Piece;
use crate::wire::json::{List, Object};

/// Deepest place that is followed. Functions of people are nested five deep; a wild path must not cost a stack.
const MAX_STEPS: usize = 64;

/// Arguments being put together, members in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Partial(Node);

#[derive(Debug)]
enum Node {
    Object(Vec<(String, Node)>),
    List(Vec<Node>),
    /// A text, which may grow.
    Text(String),
    /// Any other value, as JSON.
    Leaf(String),
}

impl Default for Node {
    fn default() -> Self {
        Self::Object(Vec::new())
    }
}

enum Step {
    Key(String),
    Index(usize),
}

impl Partial {
    /// Puts a piece at its place; one whose place cannot be read is passed over.
    pub(super) fn add(&mut self, piece: &Piece) {
        let Some(steps) = piece.json_path.as_deref().and_then(steps) else { return };
        let Some(place) = self.0.at(&steps) else { return };
        let value = match (&piece.string_value, &piece.number_value, piece.bool_value) {
            (Some(text), ..) => {
                if let Node::Text(before) = place {
                    before.push_str(text);
                    return;
                }
                Node::Text(text.clone())
            }
            (_, Some(number), _) => Node::Leaf(number.to_string()),
            (_, _, Some(yes)) => Node::Leaf(yes.to_string()),
            _ => Node::Leaf("null".to_owned()),
        };
        *place = value;
    }

    /// The arguments as JSON text.
    pub(super) fn finish(self) -> String {
        self.0.json()
    }
}

impl Node {
    fn at(&mut self, steps: &[Step]) -> Option<&mut Self> {
        let mut node = self;
        for step in steps {
            node = match step {
                Step::Key(key) => node.member(key)?,
                Step::Index(index) => node.element(*index)?,
            };
        }
        Some(node)
    }

    fn member(&mut self, key: &str) -> Option<&mut Self> {
        if !matches!(self, Self::Object(_)) {
            *self = Self::default();
        }
        let Self::Object(members) = self else { return None };
        let place = members.iter().position(|(name, _)| name == key).unwrap_or(members.len());
        if place == members.len() {
            members.push((key.to_owned(), Self::default()));
        }
        members.get_mut(place).map(|(_, node)| node)
    }

    /// Lists grow by one element at a time; a number beyond that is no place.
    fn element(&mut self, index: usize) -> Option<&mut Self> {
        if !matches!(self, Self::List(_)) {
            *self = Self::List(Vec::new());
        }
        let Self::List(elements) = self else { return None };
        if index == elements.len() {
            elements.push(Self::default());
        }
        elements.get_mut(index)
    }

    fn json(&self) -> String {
        match self {
            Self::Object(members) => {
                let mut object = Object::new();
                for (name, node) in members {
                    object.raw(name, &node.json());
                }
                object.finish()
            }
            Self::List(elements) => {
                let mut list = List::new();
                for node in elements {
                    list.raw(&node.json());
                }
                list.finish()
            }
            Self::Text(said) => serde_json::Value::from(said.as_str()).to_string(),
            Self::Leaf(json) => json.clone(),
        }
    }
}

/// The steps of a path like `$.a[0]['b c'].d`; `None`: it is none.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if steps.len() == MAX_STEPS {
            return None;
        }
        if let Some(inside) = rest.strip_prefix('[') {
            let quoted = inside.chars().next().filter(|c| matches!(c, '\'' | '"'));
            let (step, after) = match quoted {
                Some(mark) => {
                    let (key, after) = inside.get(1..)?.split_once(&format!("{mark}]"))?;
                    (Step::Key(key.to_owned()), after)
                }
                None => {
                    let (index, after) = inside.split_once(']')?;
                    (Step::Index(index.parse().ok()?), after)
                }
            };
            steps.push(step);
            rest = after;
            continue;
        }
        let key = rest.strip_prefix('.').unwrap_or(rest);
        let end = key.find(['.', '[']).unwrap_or(key.len());
        let (name, after) = key.split_at(end);
        if name.is_empty() {
            return None;
        }
        steps.push(Step::Key(name.to_owned()));
        rest = after;
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(pieces: &str) -> String {
        let mut partial = Partial::default();
        for piece in serde_json::from_str::<Vec<Piece>>(pieces).unwrap() {
            partial.add(&piece);
        }
        partial.finish()
    }

    #[test]
    fn pieces_find_their_places() {
        let pieces = r#"[{"jsonPath":"$.z","stringValue":"Bos"},{"jsonPath":"$.z","stringValue":"ton \""},
            {"jsonPath":"$.a[0].n","numberValue":2},{"jsonPath":"$.a[0].n","numberValue":3},{"jsonPath":"$.a[1]","boolValue":true},
            {"jsonPath":"$['b c'].d","nullValue":null},{"jsonPath":"$.f","numberValue":0.5}]"#;
        assert_eq!(arguments(pieces), r#"{"z":"Boston \"","a":[{"n":3},true],"b c":{"d":null},"f":0.5}"#);
    }

    #[test]
    fn a_wild_place_is_passed_over() {
        let deep = format!("${}", ".a".repeat(1000));
        for path in ["$.a[4000000000]", "$.", "$.a..b", "$[x]", "$['a", &deep] {
            let said = arguments(&format!(r#"[{{"jsonPath":"{path}","stringValue":"x"}}]"#));
            assert!(said == "{}" || said == r#"{"a":[]}"#, "{path}: {said}");
        }
        assert_eq!(arguments(r#"[{"stringValue":"x"}]"#), "{}");
    }
}
