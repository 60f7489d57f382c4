//! The law: which targets a request may reach. Pure: nothing here reads a clock, waits, or does I/O after loading.
//!
//! A policy is a list of hard rules over facts of targets, and one objective. Loading checks every name and judges each
//! rule against each target once; [`constrain`] then only looks up which rules apply to a request and intersects their
//! masks. What is left comes out as [`Permitted`], which nothing else can make.

mod atom;
mod check;
mod circumstances;
mod condition;
mod constrain;
mod dead_end;
mod depth;
mod inherit;
pub mod labels;
mod literal;
mod load;
mod load_condition;
mod mask;
pub mod node;
mod objective;
mod permitted;
mod prove;
mod read;
mod rule;
mod scope;
mod when;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use circumstances::{Circumstances, Operation, RequestFacts};
pub use condition::{Condition, Test};
pub use constrain::{Allowed, Removal, constrain};
pub use labels::{Declared, LabelError, LabelSources, LabelValue, Labels, MaySet, Raise, SetBy};
pub(crate) use load_condition::{read_claim, read_never};
pub use objective::{CONFIDENCE, Minimise, Objective};
pub use permitted::Permitted;
pub use prove::{Counterexample, Proof, TooMany, prove};
pub use rule::{Demand, Rule};

use crate::config::Target;
use crate::id::PolicyName;

/// Rules and an objective, ready for the targets of one configuration.
#[derive(Debug)]
pub struct Policy {
    /// As the file says.
    pub name: PolicyName,
    /// What it extends, the nearest first.
    pub ancestors: Vec<PolicyName>,
    /// SHA-256 of the file and of what it extends, `sha256:…`.
    pub hash: Arc<str>,
    /// Those of what it extends, then its own, each in the order written.
    pub rules: Vec<Arc<Rule>>,
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

    /// The policy that a request is judged by which is under `own` and asks for `wish`: its own or one that extends it,
    /// which can only be narrower. `None` for any other, whether there is one of that name or not.
    #[must_use]
    pub fn chosen(&self, own: &str, wish: &str) -> Option<&Arc<Policy>> {
        let wished = self.get(wish)?;
        (wish == own || wished.extends(own)).then_some(wished)
    }

    /// The names of those that extend a policy, sorted.
    pub fn extending(&self, name: &str) -> impl Iterator<Item = &PolicyName> {
        self.by_name.iter().filter(move |(_, policy)| policy.extends(name)).map(|(name, _)| name)
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

impl Policy {
    /// The targets that it judges: the configuration's, in its order.
    #[must_use]
    pub fn targets(&self) -> &[Arc<Target>] {
        &self.targets
    }

    /// Whether it extends a policy, be it by way of others.
    #[must_use]
    pub fn extends(&self, name: &str) -> bool {
        self.ancestors.iter().any(|ancestor| ancestor.as_str() == name)
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
