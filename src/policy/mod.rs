//! The law: which targets a request may reach. Pure: nothing here reads a clock, waits, or does I/O after loading.
//!
//! A policy is a list of hard rules over facts of targets, and one objective. Loading checks every name and judges each
//! rule against each target once; [`constrain`] then only looks up which rules apply to a request and intersects their
//! masks. What is left comes out as [`Permitted`], which nothing else can make.

mod check;
mod condition;
mod constrain;
mod countries;
mod dead_end;
pub mod labels;
mod load;
mod load_condition;
mod mask;
pub mod node;
mod objective;
mod permitted;
mod rule;
mod scope;
mod when;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use condition::{Condition, Test};
pub use constrain::{Allowed, Removal, constrain};
pub use labels::{Declared, LabelError, LabelSources, LabelValue, Labels, MaySet, Raise, SetBy};
pub(crate) use load_condition::read_never;
pub use objective::{CONFIDENCE, Minimise, Objective};
pub use permitted::Permitted;
pub use rule::{Demand, Rule};

use crate::config::Target;
use crate::id::PolicyName;

/// Rules and an objective, ready for the targets of one configuration.
#[derive(Debug)]
pub struct Policy {
    /// As the file says.
    pub name: PolicyName,
    /// SHA-256 of the file, `sha256:…`.
    pub hash: Arc<str>,
    /// In the order written.
    pub rules: Vec<Rule>,
    /// What is best among what is left.
    pub objective: Objective,
    targets: Vec<Arc<Target>>,
    scope: Arc<scope::Scope>,
}

/// All policies of one configuration.
#[derive(Debug)]
pub struct Policies {
    by_name: BTreeMap<PolicyName, Arc<Policy>>,
    scope: Arc<scope::Scope>,
}

impl Policies {
    /// A policy by name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Policy>> {
        self.by_name.get(name)
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &PolicyName> {
        self.by_name.keys()
    }

    /// The labels that requests of this configuration may carry, for [`labels::resolve`].
    #[must_use]
    pub fn labels(&self) -> &Arc<Declared> {
        &self.scope.labels
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
