//! What a request is labelled with, and who said so.
//!
//! A label is declared with its values; a request carries, for each, the value with what the client said and the value
//! without. Rules are judged on both, so a client can only tighten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::{Label, LabelKind, LabelSource};

/// Longest piece of a client's header that an error repeats, in characters.
const SHOWN: usize = 40;

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

impl Declaration {
    /// Whether such a source may set it: an ordered label anybody, an unordered one whom `from` names.
    pub(crate) fn may_be_set_by(&self, source: LabelSource) -> bool {
        self.ordered || self.from.is_empty() || self.from.contains(&source)
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

/// Where values come from, in rising order of precedence for unordered labels.
#[derive(Clone, Copy, Debug)]
pub struct LabelSources<'a> {
    /// The tenant's floor.
    pub floor: &'a BTreeMap<String, String>,
    /// Set on the virtual key.
    pub key: &'a BTreeMap<String, String>,
    /// From the token's claims.
    pub claim: &'a BTreeMap<String, String>,
    /// What the request itself holds. Can only raise.
    pub raised: &'a [Raise<'a>],
    /// From `x-waypost-labels`.
    pub client: &'a [(String, String)],
    /// The unordered labels that the client may set.
    pub may_set: MaySet<'a>,
}

/// A lowest value for an ordered label, found by looking at the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raise<'a> {
    /// The label.
    pub name: &'a str,
    /// One of its values.
    pub value: &'a str,
    /// What was found: [`SetBy::Detected`] or [`SetBy::Unscanned`].
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

/// Why labels were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// The header is no list of `name=value`.
    #[error("`{0}` is not of the form name=value")]
    Malformed(String),
    /// The same label twice in the header.
    #[error("label `{0}` is given twice")]
    Twice(String),
    /// Not declared.
    #[error("label `{name}` is not declared; declared are: {declared}")]
    Undeclared {
        /// As written.
        name: String,
        /// The declared names.
        declared: String,
    },
    /// Declared, but not this value.
    #[error("label `{name}` has no value `{value}`; its values are: {declared}")]
    Value {
        /// The label.
        name: String,
        /// As written.
        value: String,
        /// The declared values.
        declared: String,
    },
    /// Declared, but not for this source to set.
    #[error("label `{name}` may not be set by this {}", .by.as_str())]
    NotSettable {
        /// The label.
        name: String,
        /// Who tried.
        by: SetBy,
    },
}

impl LabelError {
    /// Whether this is a matter of permission (403 `permission_denied`) rather than of form (400 `label_invalid`).
    #[must_use]
    pub const fn is_permission(&self) -> bool {
        matches!(self, Self::NotSettable { .. })
    }
}

/// A request's labels.
#[derive(Clone, Debug)]
pub struct Labels {
    declared: Arc<Declared>,
    set: Vec<Set>,
    from_request: bool,
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

    /// Whether the client's word or what was found in the request changed anything: only then are rules judged twice.
    #[must_use]
    pub const fn from_request(&self) -> bool {
        self.from_request
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

/// Reads `x-waypost-labels`: `data-class=personal,purpose=support`. Whether the labels exist is asked by [`resolve`].
///
/// # Errors
/// [`LabelError::Malformed`] and [`LabelError::Twice`].
pub fn parse_header(header: &str) -> Result<Vec<(String, String)>, LabelError> {
    let mut labels: Vec<(String, String)> = Vec::new();
    for part in header.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let Some((name, value)) = part.split_once('=') else {
            return Err(LabelError::Malformed(cut(part)));
        };
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || value.is_empty() {
            return Err(LabelError::Malformed(cut(part)));
        }
        if labels.iter().any(|(seen, _)| seen == name) {
            return Err(LabelError::Twice(cut(name)));
        }
        labels.push((name.to_owned(), value.to_owned()));
    }
    Ok(labels)
}

/// Brings the sources together: an ordered label takes the highest of them, an unordered one the last of floor, key,
/// claim, client; a label that none names has its default, or "".
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
        from_request: false,
    };
    for (map, by) in [(sources.floor, SetBy::Floor), (sources.key, SetBy::Key), (sources.claim, SetBy::Claim)] {
        for (name, value) in map {
            labels.apply(name, value, by)?;
        }
    }
    for set in &mut labels.set {
        set.without = set.with;
    }
    // What is in the request is as much the client's choice as what it says of it: a find may switch rules on, but a rule
    // for a lower class must not fall away because somebody put a card number into the prompt.
    for raise in sources.raised {
        labels.raise(raise)?;
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
    labels.from_request = labels.set.iter().any(|set| set.with != set.without);
    Ok(labels)
}

impl Labels {
    fn known(&self, name: &str) -> Result<usize, LabelError> {
        self.declared
            .position(name)
            .ok_or_else(|| LabelError::Undeclared { name: cut(name), declared: join(self.declared.names()) })
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

impl Labels {
    /// Unlike a source's word, a find never takes the place of a default that is higher.
    fn raise(&mut self, raise: &Raise<'_>) -> Result<(), LabelError> {
        let position = self.known(raise.name)?;
        let (Some(label), Some(set)) = (self.declared.get(position), self.set.get(position)) else { return Ok(()) };
        let found = label.values.iter().position(|known| **known == *raise.value).and_then(index);
        if found.is_some() && (!label.ordered || found < set.with) {
            return Ok(());
        }
        self.apply(raise.name, raise.value, raise.by)
    }
}

/// `from` restricts who may set an unordered label; all may where it says nothing. The tenant's floor is the
/// operator's own word.
fn may(from: &[LabelSource], by: SetBy) -> bool {
    let source = match by {
        SetBy::Default | SetBy::Floor | SetBy::Detected(_) | SetBy::Unscanned => return true,
        SetBy::Key => LabelSource::Key,
        SetBy::Claim => LabelSource::Claim,
        SetBy::Client => LabelSource::Client,
    };
    from.is_empty() || from.contains(&source)
}

fn index(position: usize) -> Option<u16> {
    u16::try_from(position).ok()
}

fn cut(text: &str) -> String {
    text.chars().take(SHOWN).collect()
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
