//! What a requested model name stands for.

use super::running::{Config, Target};
use crate::id::TargetId;

/// The targets that a name stands for, before any policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant<'c> {
    /// `auto`: all of them, and the policy's objective chooses.
    Auto,
    /// An alias: these, by weight.
    Alias(&'c [(TargetId, u32)]),
    /// A model by its own name, at one or several providers: the first written, the others as its fallbacks.
    Model(Vec<(TargetId, u32)>),
}

impl Meant<'_> {
    /// Targets and weights; `None` for `auto`.
    #[must_use]
    pub fn weighted(&self) -> Option<&[(TargetId, u32)]> {
        match self {
            Self::Auto => None,
            Self::Alias(targets) => Some(targets),
            Self::Model(targets) => Some(targets),
        }
    }
}

impl Config {
    /// Looks up `auto`, an alias, a model's own name or `provider/model`.
    #[must_use]
    pub fn meant_by(&self, name: &str) -> Option<Meant<'_>> {
        if name == "auto" {
            return Some(Meant::Auto);
        }
        if let Some(alias) = self.aliases.get(name) {
            return Some(Meant::Alias(&alias.targets));
        }
        let named = self.targets.iter().filter(|target| is_called(target, name));
        let targets: Vec<_> = named.enumerate().map(|(place, target)| (target.id, u32::from(place == 0))).collect();
        (!targets.is_empty()).then_some(Meant::Model(targets))
    }
}

fn is_called(target: &Target, name: &str) -> bool {
    if target.model.as_str() == name {
        return true;
    }
    let rest = name.strip_prefix(target.provider.name.as_str());
    rest.and_then(|rest| rest.strip_prefix('/')) == Some(target.model.as_str())
}
