//! The step that says what may be asked.

use std::sync::Arc;

use super::Policy;
use super::circumstances::Circumstances;
use super::mask::Mask;
use super::permitted::Permitted;
use crate::config::Target;
use crate::id::{RuleName, TargetId};

/// What the rules let one request reach, and which rule removed the rest.
#[derive(Clone, Debug)]
pub struct Allowed {
    policy: Arc<Policy>,
    considered: Mask,
    permitted: Mask,
    removers: Mask,
}

/// Why a target may not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The first rule, in the policy's order, that removes it.
    pub rule: RuleName,
    /// The fact that failed: `location.countries is [US], required: in EEA`.
    pub detail: String,
}

/// Applies a policy's rules to the considered targets.
///
/// What a client sets can tighten and never loosen. Its labels and what was found in it are judged apart: a rule applies
/// if it does so with or without either, so what is left is the intersection of the masks of all views. What it chooses in its request (a stream, tools, a model by
/// name) is judged with and without each choice: a rule that applies to the request without some of it applies. Ids of
/// another configuration are ignored.
#[must_use]
pub fn constrain(policy: &Arc<Policy>, of: &Circumstances<'_>, considered: &[TargetId]) -> Allowed {
    let mut asked = Mask::none(policy.targets.len());
    for id in considered.iter().filter(|id| id.index() < policy.targets.len()) {
        asked.insert(id.index());
    }
    let mut permitted = asked.clone();
    let mut removers = Mask::none(policy.rules.len());
    // Labels resolved against another configuration's declarations would be read by the wrong places: every rule
    // applies to them.
    let foreign = !Arc::ptr_eq(of.labels.declared(), &policy.scope.labels);
    let place = policy.scope.place(of.tenant);
    for (index, rule) in policy.rules.iter().enumerate() {
        // Of a rule that would remove nothing more it need not be known whether it applies.
        if permitted.is_within(&rule.passes) {
            continue;
        }
        let applies = |view| rule.applies.applies(&policy.scope, of, place, view);
        if foreign || of.labels.views().any(applies) {
            permitted.keep(&rule.passes);
            removers.insert(index);
        }
    }
    Allowed { policy: Arc::clone(policy), considered: asked, permitted, removers }
}

impl Allowed {
    /// The policy that was applied.
    #[must_use]
    pub const fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// The targets that may be asked, in the configuration's order.
    pub fn permitted(&self) -> impl Iterator<Item = TargetId> + '_ {
        ids(&self.permitted)
    }

    /// The targets that were asked for, in the configuration's order.
    pub fn considered(&self) -> impl Iterator<Item = TargetId> + '_ {
        ids(&self.considered)
    }

    /// How many may be asked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.permitted.len()
    }

    /// Whether nothing may be asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.permitted.is_empty()
    }

    /// Whether a target may be asked.
    #[must_use]
    pub fn contains(&self, id: TargetId) -> bool {
        self.permitted.contains(id.index())
    }

    /// The proof that a target may be asked. The only place where one is made.
    #[must_use]
    pub fn permit(&self, id: TargetId) -> Option<Permitted<Arc<Target>>> {
        if !self.contains(id) {
            return None;
        }
        self.policy.targets.get(id.index()).cloned().map(Permitted::new)
    }

    /// A considered target, whether allowed or not, to show it. No proof of anything.
    #[must_use]
    pub fn target(&self, id: TargetId) -> Option<&Arc<Target>> {
        self.policy.targets.get(id.index())
    }

    /// Shows `take` every target that was removed with the rule that [`Self::why_removed`] names, rule by rule.
    pub fn each_removed<'a>(&'a self, mut take: impl FnMut(TargetId, &'a RuleName)) {
        let mut left = self.considered.clone();
        for rule in self.removing() {
            for id in left.without(&rule.passes).filter_map(id) {
                take(id, &rule.name);
            }
            left.keep(&rule.passes);
        }
    }

    /// The rule that removed a target and the fact that failed.
    #[must_use]
    pub fn why_removed(&self, id: TargetId) -> Option<Removal> {
        let rule = self.remover(id)?;
        let target = self.target(id)?;
        Some(Removal { rule: rule.name.clone(), detail: rule.demand.detail(&target.facts) })
    }

    /// The rules that removed something, in the policy's order.
    pub fn rules(&self) -> impl Iterator<Item = &RuleName> {
        self.removing().map(|rule| &rule.name)
    }

    fn removing(&self) -> impl Iterator<Item = &super::Rule> {
        self.removers.iter().filter_map(|index| self.policy.rules.get(index)).map(AsRef::as_ref)
    }

    /// The first rule that applies and does not let a target pass is one of those that removed something.
    fn remover(&self, id: TargetId) -> Option<&super::Rule> {
        // What every rule that applies lets pass is permitted: there is none to look for.
        if !self.considered.contains(id.index()) || self.contains(id) {
            return None;
        }
        self.removing().find(|rule| !rule.passes.contains(id.index()))
    }
}

fn ids(mask: &Mask) -> impl Iterator<Item = TargetId> + '_ {
    mask.iter().filter_map(id)
}

fn id(place: usize) -> Option<TargetId> {
    u16::try_from(place).ok().map(TargetId)
}
