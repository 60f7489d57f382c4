//! Every target that a decision considered: with its figures, or with what removed it and the fact that failed.

use std::borrow::Cow;
use std::sync::Arc;

use super::Record;
use crate::chat::Effort;
use crate::config::Target;
use crate::id::{RuleName, TargetId, TargetName};
use crate::ledger::{Candidate, Considered, Tokens};
use crate::money::NanoUsd;
use crate::policy::Allowed;
use crate::route::{self, Expected, RemovedBy};

impl Record<'_> {
    /// A target that does not state what the request needs of it: no rule has to judge it.
    pub(in crate::gateway) fn lacks(&mut self, target: &Target, capability: &'static str) {
        let detail = "`supports` does not state it".into();
        self.lacking.push(removed(target.name.clone(), capability.into(), detail));
    }

    /// All that were considered. Those that lack something come last.
    pub(super) fn take_candidates(&mut self) -> Considered {
        let (judged, lacking) = (std::mem::take(&mut self.candidates), std::mem::take(&mut self.lacking));
        if lacking.is_empty() {
            return judged;
        }
        Considered::later(move || {
            let mut all = judged.tell();
            all.extend(lacking.iter().cloned());
            all
        })
    }

    /// Every target that was considered, with its figures or with what removed it.
    pub(in crate::gateway) fn considered(&mut self, allowed: &Allowed, candidates: Arc<Vec<route::Candidate>>) {
        let unhealthy = candidates.iter().filter(|candidate| candidate.removed_by == Some(RemovedBy::Health));
        let full = unhealthy.map(|candidate| candidate.target).filter(|id| !self.gateway.places.has_room(*id));
        let found = Found {
            full: full.collect(),
            scored: self.difficulty().is_some(),
            rehearsal: self.rehearsal,
            allowed: allowed.clone(),
            candidates,
        };
        self.candidates = Considered::later(move || found.tell());
    }

    /// The rules left nothing to choose from.
    pub(in crate::gateway) fn nothing_allowed(&mut self, allowed: &Allowed) {
        let allowed = allowed.clone();
        self.candidates = Considered::later(move || nothing(&allowed));
    }
}

/// What a decision found, until somebody asks for it.
struct Found {
    allowed: Allowed,
    candidates: Arc<Vec<route::Candidate>>,
    /// Those that had no room.
    full: Vec<TargetId>,
    scored: bool,
    rehearsal: bool,
}

impl Found {
    fn tell(&self) -> Vec<Candidate> {
        self.candidates.iter().filter_map(|candidate| self.tell_of(candidate)).collect()
    }

    fn tell_of(&self, candidate: &route::Candidate) -> Option<Candidate> {
        let (removed_by, detail) = match self.allowed.why_removed(candidate.target) {
            Some(removal) => (Some(removal.rule), Some(removal.detail.into())),
            None => (candidate.removed_by.map(|by| by.as_str().into()), self.what_failed(candidate)),
        };
        Some(Candidate {
            target: self.allowed.target(candidate.target)?.name.clone(),
            effort: candidate.effort.map(Effort::as_str),
            cost_nusd: candidate.expected_cost,
            switch_nusd: Some(candidate.switching).filter(|price| *price > NanoUsd::ZERO),
            output: self.rehearsal.then_some(candidate.output).map(tokens),
            p_good: candidate.p_good().filter(|_| self.scored),
            ttft_ms: Some(candidate.ttft.as_secs_f64() * 1e3),
            answer_ms: Some(candidate.answer.as_secs_f64() * 1e3),
            removed_by,
            detail,
        })
    }

    /// By what a ceiling was missed, or why nobody can be asked.
    fn what_failed(&self, candidate: &route::Candidate) -> Option<Cow<'static, str>> {
        Some(match (candidate.removed_by?, candidate.expected_cost) {
            (RemovedBy::Rule, _) => return None,
            (RemovedBy::MaxCost, None) => "its price is not known".into(),
            (RemovedBy::MaxCost, Some(cost)) => format!("expected to cost {cost} USD").into(),
            (RemovedBy::Latency, _) => format!(
                "first token after {} ms, the answer's after {} ms",
                candidate.ttft.as_millis(),
                candidate.answer.as_millis()
            )
            .into(),
            (RemovedBy::Health, _) if self.full.contains(&candidate.target) => {
                "it has as many requests as it may have".into()
            }
            (RemovedBy::Health, _) => "it fails at the moment".into(),
        })
    }
}

fn nothing(allowed: &Allowed) -> Vec<Candidate> {
    let judged = allowed.considered().filter_map(|id| {
        let removal = allowed.why_removed(id)?;
        Some(removed(allowed.target(id)?.name.clone(), removal.rule, removal.detail.into()))
    });
    judged.collect()
}

/// One of which nothing is said but why it is out.
fn removed(target: TargetName, by: RuleName, detail: Cow<'static, str>) -> Candidate {
    Candidate {
        target,
        effort: None,
        cost_nusd: None,
        switch_nusd: None,
        output: None,
        p_good: None,
        ttft_ms: None,
        answer_ms: None,
        removed_by: Some(by),
        detail: Some(detail),
    }
}

fn tokens(Expected { p10, median, p90 }: Expected) -> Tokens {
    Tokens { p10, median, p90 }
}
