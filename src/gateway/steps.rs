//! Whom to ask, one after the other.
//!
//! Most requests are answered by the first, so those that follow are put in order when it has failed and not before.

use std::sync::Arc;

use super::choose::Efforts;
use crate::chat::{Effort, Format};
use crate::config::Target;
use crate::policy::{Allowed, Permitted};
use crate::route::{Candidate, Plan};

/// A target to ask, and how.
#[derive(Clone)]
pub(super) struct Step {
    pub(super) target: Permitted<Arc<Target>>,
    /// What it is told where the client says nothing; `None`: nothing.
    pub(super) effort: Option<Effort>,
    /// Whether that is all there is to its effort. A budget or a switch of the client's own is a degree that nobody knows.
    pub(super) known: bool,
}

/// A plan as the gateway follows it.
pub(super) struct Steps<'a> {
    pub(super) allowed: &'a Allowed,
    pub(super) plan: Arc<Plan>,
    pub(super) efforts: Efforts<'a>,
}

impl Steps<'_> {
    /// In the order to ask them.
    pub(super) fn iter(&self) -> impl Iterator<Item = Step> + '_ {
        let rest = std::iter::once_with(|| self.plan.order(self.allowed).into_owned()).flatten().skip(1);
        let places = std::iter::once(self.plan.first).chain(rest);
        let candidates = places.filter_map(|place| self.plan.candidates.get(place));
        candidates.filter(|candidate| self.may_follow(candidate)).filter_map(|candidate| self.step(candidate))
    }

    /// Whether what the first began could be gone on with elsewhere.
    fn may_follow(&self, candidate: &Candidate) -> bool {
        let Some(first) = self.plan.chosen() else { return false };
        if let Some(way) = self.efforts.pinned {
            return candidate.target == way.target;
        }
        if self.efforts.request.format == Format::Embeddings {
            // Vectors of two models do not mix.
            let model = |of: &Candidate| self.allowed.target(of.target).map(|target| &target.model);
            return model(candidate) == model(first);
        }
        true
    }

    fn step(&self, candidate: &Candidate) -> Option<Step> {
        let target = self.allowed.permit(candidate.target)?;
        Some(Step { target, effort: candidate.effort, known: self.efforts.is_known(candidate.target) })
    }
}
