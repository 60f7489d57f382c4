//! What a request is labelled with, and who said so.
//!
//! A label is declared with its values; a request carries, for each, the value with what came with the request (what its
//! client said, what was found in it) and the value without. Rules are judged on both, so a client can only tighten.

mod header;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::header::cut;
pub use self::header::{LabelError, parse_header};
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

/// Where values come from, in rising order of precedence for unordered labels.
#[derive(Clone, Copy, Debug)]
pub struct LabelSources<'a> {
    /// The tenant's floor.
    pub floor: &'a BTreeMap<String, String>,
    /// Set on the virtual key.
    pub key: &'a BTreeMap<String, String>,
    /// From the token's claims.
    pub claim: &'a BTreeMap<String, String>,
    /// From `x-waypost-labels`.
    pub client: &'a [(String, String)],
    /// The unordered labels that the client may set.
    pub may_set: MaySet<'a>,
    /// What the request's content calls for.
    pub found: &'a [Found<'a>],
}

/// A value that a request's content calls for. It can only raise an ordered label; and since it is the client who
/// chooses the content, rules are judged with and without it, like the client's own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// The label, an ordered one.
    pub label: &'a str,
    /// The value it is raised to, unless it is higher already.
    pub value: &'a str,
    /// What found it.
    pub by: SetBy,
}

/// The unordered labels that a client may set. Ordered ones it may always raise.
#[derive(Clone, Copy, Debug)]
pub enum MaySet<'a> {
    /// Open mode on loopback.
    All,
    /// Those that its key names.
    Named(&'a BTreeSet<String>),
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
    /// The client's header.
    Client,
    /// Something in the request that nobody here can read, under the tenant's `unscanned_as`.
    Unscanned,
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
            Self::Client => "client",
            Self::Unscanned => "unscanned",
        }
    }
}

/// A request's labels.
#[derive(Clone, Debug)]
pub struct Labels {
    declared: Arc<Declared>,
    set: Vec<Set>,
    from_client: bool,
}

#[derive(Clone, Copy, Debug)]
struct Set {
    with: Option<u16>,
    by: SetBy,
    without: Option<u16>,
}

/// One label as the decision record shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelValue<'a> {
    /// The label.
    pub name: &'a str,
    /// The value in force, client's word included; "" where nobody set one and there is no default.
    pub value: &'a str,
    /// Who set it.
    pub by: SetBy,
}

impl Labels {
    /// The value in force, the client's word included; "" where there is none.
    #[must_use]
    pub fn with(&self, name: &str) -> &str {
        self.find(name, |set| set.with)
    }

    /// The value that holds without the client's word.
    #[must_use]
    pub fn without(&self, name: &str) -> &str {
        self.find(name, |set| set.without)
    }

    /// The place of a label's higher value in its order; `None` where the label has no value.
    #[must_use]
    pub fn rank(&self, name: &str) -> Option<u16> {
        let position = self.declared.position(name)?;
        let set = self.set.get(position)?;
        set.with.max(set.without)
    }

    /// Whether an ordered label is at most at this value, the client's word and the word without it both. A label or
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
            value: value(label, set.with),
            by: set.by,
        })
    }

    /// Whether the client, or what was found in its request, changed anything: only then are rules judged twice.
    #[must_use]
    pub const fn from_client(&self) -> bool {
        self.from_client
    }

    pub(crate) const fn declared(&self) -> &Arc<Declared> {
        &self.declared
    }

    pub(crate) fn index(&self, position: usize, client: bool) -> Option<u16> {
        let set = self.set.get(position)?;
        if client { set.with } else { set.without }
    }

    pub(crate) fn text(&self, position: usize, client: bool) -> &str {
        self.declared.get(position).map_or("", |label| value(label, self.index(position, client)))
    }

    fn find(&self, name: &str, side: impl Fn(&Set) -> Option<u16>) -> &str {
        let Some(position) = self.declared.position(name) else {
            return "";
        };
        match (self.declared.get(position), self.set.get(position)) {
            (Some(label), Some(set)) => value(label, side(set)),
            _ => "",
        }
    }
}

fn value(label: &Declaration, index: Option<u16>) -> &str {
    index.and_then(|index| label.values.get(usize::from(index))).map_or("", |value| value)
}

/// Brings the sources together: an ordered label takes the highest of them, an unordered one the last of floor, key,
/// claim, client; a label that none names has its default, or "". What was found in the request raises ordered labels
/// above all that.
///
/// # Errors
/// A label or value that is not declared, or a source that may not set it. Fails for every source alike: a token with
/// an unknown value must not pass for one without.
pub fn resolve(declared: &Arc<Declared>, sources: &LabelSources<'_>) -> Result<Labels, LabelError> {
    let mut labels = Labels {
        declared: Arc::clone(declared),
        set: declared
            .iter()
            .map(|label| Set { with: label.default, by: SetBy::Default, without: label.default })
            .collect(),
        from_client: false,
    };
    for (map, by) in [(sources.floor, SetBy::Floor), (sources.key, SetBy::Key), (sources.claim, SetBy::Claim)] {
        for (name, value) in map {
            labels.apply(name, value, by)?;
        }
    }
    for set in &mut labels.set {
        set.without = set.with;
    }
    for (name, value) in sources.client {
        let position = labels.known(name)?;
        let ordered = declared.get(position).is_some_and(|label| label.ordered);
        let named = match sources.may_set {
            MaySet::All => true,
            MaySet::Named(names) => names.contains(name),
        };
        if !ordered && !named {
            return Err(LabelError::NotSettable { name: name.clone(), by: SetBy::Client });
        }
        labels.apply(name, value, SetBy::Client)?;
    }
    for found in sources.found {
        labels.raise(found)?;
    }
    labels.from_client = labels.set.iter().any(|set| set.with != set.without);
    Ok(labels)
}

impl Labels {
    fn known(&self, name: &str) -> Result<usize, LabelError> {
        self.declared
            .position(name)
            .ok_or_else(|| LabelError::Undeclared { name: cut(name), declared: join(self.declared.names()) })
    }

    fn raise(&mut self, found: &Found<'_>) -> Result<(), LabelError> {
        let position = self.known(found.label)?;
        let before = self.set.get(position).copied();
        self.apply(found.label, found.value, found.by)?;
        // Not even a default is lowered.
        if let (Some(before), Some(set)) = (before, self.set.get_mut(position))
            && set.with <= before.with
        {
            *set = before;
        }
        Ok(())
    }

    fn apply(&mut self, name: &str, value: &str, by: SetBy) -> Result<(), LabelError> {
        let position = self.known(name)?;
        let (Some(label), Some(set)) = (self.declared.get(position), self.set.get_mut(position)) else {
            return Ok(());
        };
        let Some(new) = label.values.iter().position(|known| **known == *value).and_then(index) else {
            return Err(LabelError::Value {
                name: name.to_owned(),
                value: cut(value),
                declared: join(label.values.iter().map(|value| &**value)),
            });
        };
        if !label.ordered && !may(&label.from, by) {
            return Err(LabelError::NotSettable { name: name.to_owned(), by });
        }
        // A default is no source: whoever speaks replaces it. Against a source, an ordered label only rises.
        if !label.ordered || set.by == SetBy::Default || set.with < Some(new) {
            *set = Set { with: Some(new), by, ..*set };
        }
        Ok(())
    }
}

/// `from` restricts who may set an unordered label; all may where it says nothing. The tenant's floor is the
/// operator's own word.
fn may(from: &[LabelSource], by: SetBy) -> bool {
    let source = match by {
        SetBy::Default | SetBy::Floor => return true,
        SetBy::Key => LabelSource::Key,
        SetBy::Claim => LabelSource::Claim,
        SetBy::Client => LabelSource::Client,
        SetBy::Unscanned => return false,
    };
    from.is_empty() || from.contains(&source)
}

fn index(position: usize) -> Option<u16> {
    u16::try_from(position).ok()
}

fn join<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(", ")
}

#[cfg(test)]
mod tests;
