//! The candidates of a request: every target considered at every effort there is to choose from, with its figures.

use std::time::Duration;

use super::cost::{expected_cost, switching};
use super::prior::{NO_SCORE, p_good};
use super::{Calibrated, Candidate, Inputs, RemovedBy};
use crate::chat::Effort;
use crate::config::Target;
use crate::id::TargetId;
use crate::money::NanoUsd;
use crate::policy::{Allowed, Minimise, Objective};

/// The calibration, if it can decide this request: the prompt has a score, a threshold was found for the floor, and all
/// that may be asked were measured at the effort they would be asked with. A measured figure and one by tier do not
/// compare, so it is all or none.
pub(super) fn applicable<'a>(allowed: &Allowed, objective: &Objective, inputs: &Inputs<'a>) -> Option<Calibrated<'a>> {
    let calibrated = inputs.calibrated?;
    inputs.difficulty?;
    if objective.at_least.is_some() && calibrated.tau.is_none() {
        return None;
    }
    let mut asked = allowed.considered().filter(|id| allowed.contains(*id) && (inputs.healthy)(*id));
    let mut efforts = Vec::new();
    let measured = asked.all(|id| {
        to_choose(id, Some(&calibrated), inputs, &mut efforts);
        // What there is to choose from was measured; a single effort may come from elsewhere.
        efforts.len() > 1 || efforts.iter().all(|effort| (calibrated.p_good)(id, *effort).is_some())
    });
    measured.then_some(calibrated)
}

/// The efforts that a target is a candidate with; at least one.
fn to_choose(
    id: TargetId,
    calibrated: Option<&Calibrated<'_>>,
    inputs: &Inputs<'_>,
    efforts: &mut Vec<Option<Effort>>,
) {
    efforts.clear();
    // What a client names is asked as it stands.
    if let Some(calibrated) = calibrated.filter(|_| inputs.named.is_none()) {
        (calibrated.efforts)(id, efforts);
    }
    if efforts.is_empty() {
        efforts.push((inputs.effort)(id));
    }
}

pub(super) fn figures(
    allowed: &Allowed,
    objective: &Objective,
    minimise: Minimise,
    inputs: &Inputs<'_>,
    calibrated: Option<&Calibrated<'_>>,
) -> Vec<Candidate> {
    let ceilings = Ceilings::of(objective, inputs);
    let mut candidates = Vec::new();
    let mut efforts = Vec::new();
    for id in allowed.considered() {
        let Some(target) = allowed.target(id) else { continue };
        let rule = allowed.removed_by(id);
        // Of what a rule removes, one is enough to say so.
        to_choose(id, calibrated.filter(|_| rule.is_none()), inputs, &mut efforts);
        for &effort in &efforts {
            let mut candidate = candidate(target, effort, inputs, calibrated);
            candidate.removed_by = match rule {
                Some(rule) => Some(RemovedBy::Rule(rule.clone())),
                None => ceilings.exceeded(&candidate),
            };
            if candidate.removed_by.is_none() && !(inputs.healthy)(id) {
                candidate.removed_by = Some(RemovedBy::Health);
            }
            candidates.push(candidate);
        }
    }
    if minimise == Minimise::Cost && inputs.named.is_none() {
        leave_warm(allowed, inputs, &mut candidates);
    }
    candidates
}

fn candidate(
    target: &Target,
    effort: Option<Effort>,
    inputs: &Inputs<'_>,
    calibrated: Option<&Calibrated<'_>>,
) -> Candidate {
    let id = target.id;
    let output = (inputs.output)(id, effort);
    let measured = calibrated.and_then(|calibrated| (calibrated.p_good)(id, effort));
    let by_tier = |difficulty| p_good(difficulty, target.tier);
    Candidate {
        target: id,
        effort,
        output,
        expected_cost: expected_cost(target, effort, output.median, inputs),
        p_good: match calibrated {
            // A target that is out and was not measured has no figure that compares with the others'.
            Some(_) => measured,
            None => inputs.difficulty.map(by_tier),
        },
        quality: measured.unwrap_or_else(|| by_tier(inputs.difficulty.unwrap_or(NO_SCORE))),
        ttft: (inputs.ttft)(id),
        answer: (inputs.answer)(id, effort),
        switching: NanoUsd::ZERO,
        removed_by: None,
    }
}

/// The ceilings of a request.
struct Ceilings {
    cost: Option<NanoUsd>,
    first: Option<Duration>,
    answer: Option<Duration>,
}

impl Ceilings {
    /// Those on latency do not apply to what a client names.
    fn of(objective: &Objective, inputs: &Inputs<'_>) -> Self {
        let slowest = |ms: Option<u64>| ms.filter(|_| inputs.named.is_none()).map(Duration::from_millis);
        Self {
            cost: match (objective.max_cost, inputs.ceiling) {
                (Some(policy), Some(client)) => Some(policy.min(client)),
                (policy, client) => policy.or(client),
            },
            first: slowest(objective.first_token_p95_ms),
            answer: slowest(objective.first_answer_token_p95_ms),
        }
    }

    fn exceeded(&self, candidate: &Candidate) -> Option<RemovedBy> {
        let dear = |ceiling| candidate.expected_cost.is_none_or(|cost| cost > ceiling);
        if self.cost.is_some_and(dear) {
            return Some(RemovedBy::MaxCost);
        }
        let slow = self.first.is_some_and(|slowest| candidate.ttft > slowest)
            || self.answer.is_some_and(|slowest| candidate.answer > slowest);
        slow.then_some(RemovedBy::Latency)
    }
}

/// What it costs each candidate that the conversation is cached at another, if that one may be asked at all.
fn leave_warm(allowed: &Allowed, inputs: &Inputs<'_>, candidates: &mut [Candidate]) {
    let Some(warm) = inputs.warm else { return };
    let Some(there) = allowed.target(warm.target).and_then(|target| target.price.as_ref()) else { return };
    if !candidates.iter().any(|candidate| candidate.target == warm.target && candidate.removed_by.is_none()) {
        return;
    }
    for candidate in candidates.iter_mut().filter(|candidate| candidate.target != warm.target) {
        let here = allowed.target(candidate.target).and_then(|target| target.price.as_ref());
        candidate.switching = switching(&warm, there, here, inputs);
    }
}
