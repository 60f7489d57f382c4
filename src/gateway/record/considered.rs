//! What was considered, as the record tells it.

use super::Record;
use crate::chat::Effort;
use crate::ledger::{Candidate, Tokens};
use crate::money::NanoUsd;
use crate::policy::Allowed;
use crate::route::{self, Expected, RemovedBy};

impl Record<'_> {
    /// Every target that was considered, with its figures or with what removed it.
    pub(in crate::gateway) fn considered(&mut self, allowed: &Allowed, candidates: &[route::Candidate]) {
        let scored = self.difficulty().is_some();
        self.candidates = candidates
            .iter()
            .map(|candidate| Candidate {
                target: self.gateway.config.targets[candidate.target.index()].name.clone(),
                effort: candidate.effort.map(Effort::as_str),
                cost_nusd: candidate.expected_cost,
                switch_nusd: Some(candidate.switching).filter(|price| *price > NanoUsd::ZERO),
                output: self.rehearsal.then_some(candidate.output).map(tokens),
                p_good: candidate.p_good.filter(|_| scored),
                ttft_ms: Some(candidate.ttft.as_secs_f64() * 1e3),
                answer_ms: Some(candidate.answer.as_secs_f64() * 1e3),
                removed_by: candidate.removed_by.as_ref().map(|removed| match removed {
                    RemovedBy::Rule(rule) => rule.clone(),
                    ceiling => ceiling.as_str().into(),
                }),
                detail: allowed.why_removed(candidate.target).map(|removal| removal.detail.into()),
            })
            .collect();
    }

    /// The rules left nothing to choose from.
    pub(in crate::gateway) fn nothing_allowed(&mut self, allowed: &Allowed) {
        self.candidates = allowed
            .considered()
            .filter_map(|id| {
                let removal = allowed.why_removed(id)?;
                Some(Candidate {
                    target: allowed.target(id)?.name.clone(),
                    effort: None,
                    cost_nusd: None,
                    switch_nusd: None,
                    output: None,
                    p_good: None,
                    ttft_ms: None,
                    answer_ms: None,
                    removed_by: Some(removal.rule),
                    detail: Some(removal.detail.into()),
                })
            })
            .collect();
    }
}

fn tokens(Expected { p10, median, p90 }: Expected) -> Tokens {
    Tokens { p10, median, p90 }
}
