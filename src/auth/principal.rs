//! Who is asking, and what their key or token allows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::Cause;
use crate::config::{Claims, Key, Limits, Permission, Tenant};
use crate::id::{KeyId, TeamName, TenantName};

/// The one who asks. Made once per key at load, and once a minute at most per token.
#[derive(Debug)]
pub struct Principal {
    /// Whom the request is for.
    pub tenant: Arc<Tenant>,
    /// The team within the tenant.
    pub team: Option<TeamName>,
    /// The virtual key; `None` for a token and in open mode.
    pub key: Option<KeyId>,
    /// Names that may be asked for. `auto` and an alias stand for whatever of theirs policy allows.
    pub models: ModelPatterns,
    /// What else may be done.
    pub permissions: Vec<Permission>,
    /// Unordered labels that a request may set for itself.
    pub may_set: MaySet,
    /// Labels that the key carries.
    pub key_labels: BTreeMap<String, String>,
    /// Labels that the token carries.
    pub claim_labels: BTreeMap<String, String>,
    /// The key's own limits; the tenant's are in `tenant`.
    pub limits: Limits,
    /// Set when a reload takes the key away; shared by every configuration that knows it.
    pub(super) revoked: Arc<AtomicBool>,
}

impl Principal {
    /// Whether this may be done.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }

    /// Whether the key was taken away after the request began.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::Relaxed)
    }

    /// Open mode: tenant `default` with every permission.
    #[must_use]
    pub fn open(tenant: Arc<Tenant>) -> Self {
        Self {
            tenant,
            team: None,
            key: None,
            models: ModelPatterns::every(),
            permissions: vec![Permission::Route, Permission::Feedback],
            may_set: MaySet::All,
            key_labels: BTreeMap::new(),
            claim_labels: BTreeMap::new(),
            limits: Limits::default(),
            revoked: Arc::default(),
        }
    }

    pub(super) fn of_key(key: &Key, tenant: Arc<Tenant>) -> Self {
        Self {
            tenant,
            team: key.team.clone(),
            key: Some(key.id.clone()),
            models: if key.models.is_empty() {
                ModelPatterns::every()
            } else {
                ModelPatterns::only(key.models.clone())
            },
            permissions: key.permissions.clone(),
            may_set: MaySet::Names(key.may_set.iter().cloned().collect()),
            key_labels: key.labels.clone(),
            claim_labels: BTreeMap::new(),
            limits: key.limits,
            revoked: Arc::default(),
        }
    }

    /// A token carries what its claims say and no permissions: those, and `may_set`, are only given to keys.
    ///
    /// An absent claim is as if the configuration had not named it, except for the tenant; one of the wrong type
    /// refuses the token. An empty list of models allows none.
    pub(super) fn of_claims(
        claims: &Value,
        pointers: &Claims,
        tenants: &BTreeMap<TenantName, Arc<Tenant>>,
    ) -> Result<Self, Cause> {
        let at = |pointer: &str| claims.pointer(pointer).filter(|value| !value.is_null());
        let tenant = at(&pointers.tenant).and_then(Value::as_str).ok_or(Cause::Tenant)?;
        let tenant = Arc::clone(tenants.get(tenant).ok_or(Cause::Tenant)?);
        let team = match pointers.team.as_deref().and_then(at) {
            Some(team) => Some(TeamName::from(team.as_str().ok_or(Cause::Claims)?)),
            None => None,
        };
        let models = match pointers.models.as_deref().and_then(at) {
            Some(models) => ModelPatterns::only(strings(models).ok_or(Cause::Claims)?),
            None => ModelPatterns::every(),
        };
        let mut claim_labels = BTreeMap::new();
        for (label, pointer) in &pointers.labels {
            let Some(value) = at(pointer) else { continue };
            claim_labels.insert(label.clone(), scalar(value).ok_or(Cause::Claims)?);
        }
        Ok(Self {
            tenant,
            team,
            key: None,
            models,
            permissions: Vec::new(),
            may_set: MaySet::Names(BTreeSet::new()),
            key_labels: BTreeMap::new(),
            claim_labels,
            limits: Limits::default(),
            revoked: Arc::default(),
        })
    }
}

/// One string, or a list of strings.
fn strings(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(many) => many.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Which unordered labels a request may set (ordered ones can only be raised, which anyone may).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MaySet {
    /// Every one.
    All,
    /// Only these.
    Names(BTreeSet<String>),
}

impl MaySet {
    /// Whether this label may be set.
    #[must_use]
    pub fn allows(&self, label: &str) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.contains(label),
        }
    }
}

/// Models, as patterns in which `*` stands for any run of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelPatterns(Option<Vec<String>>);

impl ModelPatterns {
    /// Every model.
    #[must_use]
    pub fn every() -> Self {
        Self(None)
    }

    /// Only models that one of these fits; none for an empty list.
    #[must_use]
    pub fn only(patterns: Vec<String>) -> Self {
        Self(Some(patterns))
    }

    /// Whether this name may be asked for.
    #[must_use]
    pub fn allows(&self, model: &str) -> bool {
        self.0.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| fits(pattern, model)))
    }
}

/// Whether `text` fits a pattern. Linear but for backtracking to the last `*`, so no pattern can make it explode.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, taken)) = star {
            // The last star takes one character more.
            star = Some((at, taken + 1));
            p = at + 1;
            t = taken + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        let yes =
            [("auto", "auto"), ("r1*", "r1-distill-32b"), ("*", ""), ("*mini*", "gpt-mini-x"), ("a*b*c", "abxbc")];
        let no = [("auto", "auto2"), ("r1*", "gr1"), ("", "x"), ("a*b", "abc"), ("AUTO", "auto")];
        for (pattern, text) in yes {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in no {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
        assert!(!fits(&"*a".repeat(50), &"b".repeat(5000)));
    }

    #[test]
    fn no_list_means_every_model_and_an_empty_list_none() {
        assert!(ModelPatterns::every().allows("any"));
        assert!(!ModelPatterns::only(Vec::new()).allows("any"));
    }
}
