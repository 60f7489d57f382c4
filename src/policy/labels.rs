//! What a request is labelled with, and who said so.
//!
//! A label is declared with its values; a request carries, for each, the value with and without what the client said, and
//! with and without what was found in the request. Rules are judged in each of these [views](View), so neither the client's
//! word nor its content can do more than tighten.

mod resolve;

use std::sync::Arc;

pub use self::resolve::{LabelError, LabelSources, MaySet, Raise, parse_header, resolve};
use crate::config::{Label, LabelKind, LabelSource};

/// The labels that the configuration declares.
#[derive(Debug)]
pub struct Declared(Vec<Declaration>);

#[derive(Debug)]
pub(crate) struct Declaration {
    pub(crate) name: Box<str>,
    pub(crate) values: Vec<Box<str>>,
    pub(crate) ordered: bool,
    default: Option<u16>,
    from: Vec<LabelSource>,
}

/// In which light labels are read. What is in a request is as much its client's choice as what it says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// As the operator has it: floor, key, token.
    Bare,
    /// With the client's word.
    Said,
    /// With what was found in the request.
    Found,
    /// With both: what is in force.
    Whole,
}

impl View {
    const ALL: [Self; 4] = [Self::Bare, Self::Said, Self::Found, Self::Whole];
    const SAID: [Self; 2] = [Self::Said, Self::Whole];
    const FOUND: [Self; 2] = [Self::Found, Self::Whole];
}

impl Declaration {
    /// Whether such a source may set it: an ordered label anybody, an unordered one whom `from` names.
    pub(crate) fn may_be_set_by(&self, source: LabelSource) -> bool {
        self.ordered || self.from.is_empty() || self.from.contains(&source)
    }

    /// Who may set it, its client aside: the key, else the token. Without either it is the tenant's floor or its default.
    pub(crate) fn set_by_operator(&self) -> Option<LabelSource> {
        [LabelSource::Key, LabelSource::Claim].into_iter().find(|source| self.may_be_set_by(*source))
    }
}

impl Declared {
    /// The labels of a configuration. A default that is no value of its label is left out: `config` refuses it.
    #[must_use]
    pub fn new(labels: &[Label]) -> Arc<Self> {
        let declaration = |label: &Label| {
            let (values, ordered) = match &label.kind {
                LabelKind::Ordered(values) => (values, true),
                LabelKind::Values(values) => (values, false),
            };
            let position = |value: &String| values.iter().position(|known| known == value);
            Declaration {
                name: label.name.as_str().into(),
                values: values.iter().map(|value| value.as_str().into()).collect(),
                ordered,
                default: label.default.as_ref().and_then(position).and_then(index),
                from: label.from.clone(),
            }
        };
        Arc::new(Self(labels.iter().map(declaration).collect()))
    }

    /// The declared names, in the order written.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.iter().map(|label| &*label.name)
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|label| *label.name == *name)
    }

    pub(crate) fn get(&self, position: usize) -> Option<&Declaration> {
        self.0.get(position)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Declaration> {
        self.0.iter()
    }
}

/// Who set a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetBy {
    /// Nobody: the declared default, or nothing.
    Default,
    /// The tenant's floor.
    Floor,
    /// The virtual key.
    Key,
    /// The token.
    Claim,
    /// A detector, by its word: `detected:iban`.
    Detected(&'static str),
    /// The tenant's word for what cannot be read.
    Unscanned,
    /// The client's header.
    Client,
}

impl SetBy {
    /// The word in decision records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Floor => "floor",
            Self::Key => "key",
            Self::Claim => "claim",
            Self::Detected(detector) => detector,
            Self::Unscanned => "unscanned",
            Self::Client => "client",
        }
    }
}

/// A request's labels.
#[derive(Debug)]
pub struct Labels {
    declared: Arc<Declared>,
    set: Vec<Set>,
    /// The views in which some value is another than in those before.
    views: [bool; 4],
}

impl Clone for Labels {
    fn clone(&self) -> Self {
        Self { declared: Arc::clone(&self.declared), set: self.set.clone(), views: self.views }
    }

    fn clone_from(&mut self, other: &Self) {
        self.declared.clone_from(&other.declared);
        self.set.clone_from(&other.set);
        self.views = other.views;
    }
}

/// A label's value and who set it, by view.
type Set = [(Option<u16>, SetBy); 4];

/// One label as the decision record shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelValue<'a> {
    /// The label.
    pub name: &'a str,
    /// The value in force, the client's word and finds included; "" where nobody set one and there is no default.
    pub value: &'a str,
    /// Who set it.
    pub by: SetBy,
}

impl Labels {
    /// The place of a label's highest value in its order, of all views; `None` where the label has no value.
    #[must_use]
    pub fn rank(&self, name: &str) -> Option<u16> {
        let position = self.declared.position(name)?;
        let set = self.set.get(position)?;
        set.iter().map(|(value, _)| *value).max().flatten()
    }

    /// Whether an ordered label is at most at this value in every view. A label or
    /// value that is not declared, and a label without a value, are not.
    #[must_use]
    pub fn at_most(&self, name: &str, highest: &str) -> bool {
        let declaration = self.declared.position(name).and_then(|position| self.declared.get(position));
        let place =
            declaration.and_then(|label| label.values.iter().position(|value| **value == *highest)).and_then(index);
        self.rank(name).zip(place).is_some_and(|(rank, highest)| rank <= highest)
    }

    /// Every label with its value and who set it, in the order declared.
    pub fn iter(&self) -> impl Iterator<Item = LabelValue<'_>> {
        self.declared.iter().zip(&self.set).map(|(label, set)| LabelValue {
            name: &label.name,
            value: value(label, set[View::Whole as usize].0),
            by: set[View::Whole as usize].1,
        })
    }

    /// The views in which rules are to be judged: one, unless the client's word or a find changed something.
    pub(crate) fn views(&self) -> impl Iterator<Item = View> {
        View::ALL.into_iter().filter(|view| self.views[*view as usize])
    }

    pub(crate) const fn declared(&self) -> &Arc<Declared> {
        &self.declared
    }

    pub(crate) fn index(&self, position: usize, view: View) -> Option<u16> {
        self.set.get(position)?[view as usize].0
    }

    pub(crate) fn text(&self, position: usize, view: View) -> &str {
        self.declared.get(position).map_or("", |label| value(label, self.index(position, view)))
    }
}

fn value(label: &Declaration, index: Option<u16>) -> &str {
    index.and_then(|index| label.values.get(usize::from(index))).map_or("", |value| value)
}

fn index(position: usize) -> Option<u16> {
    u16::try_from(position).ok()
}

#[cfg(test)]
mod tests;
