//! A hard rule: when it applies, and what it wants of a target.

use super::condition::{Condition, shown};
use super::mask::Mask;
use super::when::When;
use crate::config::Facts;
use crate::id::RuleName;

/// One rule of a policy.
#[derive(Debug)]
pub struct Rule {
    /// Unique within its policy.
    pub name: RuleName,
    /// The `when` as written.
    pub when: Option<String>,
    /// What it does to a target.
    pub demand: Demand,
    pub(crate) applies: When,
    /// The targets that it lets pass where it applies.
    pub(crate) passes: Mask,
}

/// What a rule wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Demand {
    /// Every condition holds, for every member.
    Require(Vec<Condition>),
    /// Removes a target that all these conditions hit. A fact that one of them names and nobody stated removes too.
    Forbid(Vec<Condition>),
}

impl Demand {
    /// Whether a target with these facts passes.
    #[must_use]
    pub fn passes(&self, facts: &Facts) -> bool {
        match self {
            Self::Require(conditions) => conditions.iter().all(|condition| condition.met_by(facts)),
            Self::Forbid(conditions) => {
                let hit = conditions.iter().all(|condition| condition.hits(facts));
                !hit && conditions.iter().all(|condition| condition.judges(facts))
            }
        }
    }

    /// The fact that a target failed on, in words; empty for one that passes.
    #[must_use]
    pub fn detail(&self, facts: &Facts) -> String {
        if self.passes(facts) {
            return String::new();
        }
        let (conditions, verb) = match self {
            Self::Require(conditions) => (conditions, "required"),
            Self::Forbid(conditions) => (conditions, "forbidden"),
        };
        let blamed = conditions.iter().find(|condition| !condition.judges(facts)).or_else(|| match self {
            Self::Require(_) => conditions.iter().find(|condition| !condition.met_by(facts)),
            Self::Forbid(_) => conditions.first(),
        });
        blamed.map_or_else(String::new, |condition| {
            let path = condition.fact.path();
            format!("{path} is {}, {verb}: {}", shown(facts, condition.fact), condition.written)
        })
    }
}
