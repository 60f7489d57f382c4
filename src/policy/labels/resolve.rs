//! How labels come about: from whom, in which order, and what is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Declared, Labels, SetBy, View, index};
use crate::config::LabelSource;

/// Longest piece of a client's header that an error repeats, in characters.
pub(super) const SHOWN: usize = 40;

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
    let set = declared.iter().map(|label| [(label.default, SetBy::Default); 4]).collect();
    let mut labels = Labels { declared: Arc::clone(declared), set, views: [true, false, false, false] };
    for (map, by) in [(sources.floor, SetBy::Floor), (sources.key, SetBy::Key), (sources.claim, SetBy::Claim)] {
        for (name, value) in map {
            labels.apply(name, value, by, &View::ALL)?;
        }
    }
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
        labels.apply(name, value, SetBy::Client, &View::SAID)?;
    }
    for view in View::ALL {
        let same = |other: View| labels.set.iter().all(|set| set[view as usize].0 == set[other as usize].0);
        let known = View::ALL.into_iter().take(view as usize).any(same);
        labels.views[view as usize] = !known;
    }
    Ok(labels)
}

impl Labels {
    fn known(&self, name: &str) -> Result<usize, LabelError> {
        self.declared
            .position(name)
            .ok_or_else(|| LabelError::Undeclared { name: cut(name), declared: join(self.declared.names()) })
    }

    /// Sets a value in these views.
    fn apply(&mut self, name: &str, value: &str, by: SetBy, views: &[View]) -> Result<(), LabelError> {
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
        if !source(by).is_none_or(|source| label.may_be_set_by(source)) {
            return Err(LabelError::NotSettable { name: name.to_owned(), by });
        }
        for view in views {
            let state = &mut set[*view as usize];
            // A default is no source: whoever speaks replaces it. Against a source, an ordered label only rises.
            if !label.ordered || state.1 == SetBy::Default || state.0 < Some(new) {
                *state = (Some(new), by);
            }
        }
        Ok(())
    }

    /// Unlike a source's word, a find never takes the place of a default that is higher.
    fn raise(&mut self, raise: &Raise<'_>) -> Result<(), LabelError> {
        let position = self.known(raise.name)?;
        let (Some(label), Some(set)) = (self.declared.get(position), self.set.get(position)) else { return Ok(()) };
        let found = label.values.iter().position(|known| **known == *raise.value).and_then(index);
        if found.is_some() && (!label.ordered || found < set[View::Found as usize].0) {
            return Ok(());
        }
        self.apply(raise.name, raise.value, raise.by, &View::FOUND)
    }
}

/// Whom `from` names as this one; `None` for the operator's own word, which it does not restrict.
const fn source(by: SetBy) -> Option<LabelSource> {
    match by {
        SetBy::Default | SetBy::Floor | SetBy::Detected(_) | SetBy::Unscanned => None,
        SetBy::Key => Some(LabelSource::Key),
        SetBy::Claim => Some(LabelSource::Claim),
        SetBy::Client => Some(LabelSource::Client),
    }
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
