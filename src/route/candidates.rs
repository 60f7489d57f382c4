//! The candidates of a request: every target considered at every effort there is to choose from, with its figures.

use std::time::Duration;

use super::cost::{Terms, switching};
use super::order::fits;
use super::prior::{NO_SCORE, p_good};
use super::{Calibrated, Candidate, Inputs, Known, RemovedBy};
use crate::chance::Chance;
use crate::chat::Effort;
use crate::config::Target;
use crate::money::NanoUsd;
use crate::policy::{Allowed, Objective};

/// All candidates, and the calibration if it decides this request: the prompt has a score, a threshold was found for the
/// floor, and all that may be asked were measured at the efforts they would be asked with. A measured figure and one by
/// tier do not compare, so it is all or none.
pub(super) fn candidates(
    allowed: &Allowed,
    objective: &Objective,
    inputs: &Inputs<'_>,
    known: &impl Known,
) -> (Vec<Candidate>, Option<Calibrated>) {
    let fits = |calibrated: &Calibrated| objective.at_least.is_none() || calibrated.tau.is_some();
    let scored = inputs.calibrated.filter(|_| inputs.difficulty.is_some());
    if let Some(calibrated) = scored.filter(fits) {
        let candidates = figures(allowed, objective, inputs, known, true);
        if candidates.iter().all(|candidate| !candidate.up || candidate.scored) {
            return (candidates, Some(calibrated));
        }
    }
    (figures(allowed, objective, inputs, known, false), None)
}

fn figures(
    allowed: &Allowed,
    objective: &Objective,
    inputs: &Inputs<'_>,
    known: &impl Known,
    calibrated: bool,
) -> Vec<Candidate> {
    let ceilings = Ceilings::of(objective, inputs);
    // What a client names is asked as it stands.
    let choosing = calibrated && inputs.named.is_none();
    let most = allowed.considered().count() + if choosing { MANY * allowed.len() } else { 0 };
    let mut candidates = Vec::with_capacity(most);
    for id in allowed.considered() {
        let Some(target) = allowed.target(id) else { continue };
        let permitted = allowed.contains(id);
        let one = OfTarget::new(target, permitted, inputs, known, calibrated);
        let before = candidates.len();
        // Of what a rule removes, one is enough to say so.
        if choosing && permitted {
            known.choices(id, |effort, chance| candidates.push(one.at(effort, Some(chance), known, &ceilings)));
        }
        if candidates.len() == before {
            let effort = known.effort(id);
            let measured = if calibrated { known.p_good(id, effort) } else { None };
            candidates.push(one.at(effort, measured, known, &ceilings));
        }
    }
    // A record may keep them for long.
    candidates.shrink_to_fit();
    candidates
}

/// Efforts that there is room for at first: hardly any model was measured at more.
const MANY: usize = 4;

/// What is the same for a target at every effort.
struct OfTarget<'a> {
    target: &'a Target,
    permitted: bool,
    up: bool,
    fits: bool,
    cost: Option<Terms<'a>>,
    ttft: Duration,
    /// By tier, for what was not measured.
    quality: Chance,
    /// Whether that is of this prompt and compares with the others'.
    scored: bool,
}

impl<'a> OfTarget<'a> {
    fn new(target: &'a Target, permitted: bool, inputs: &Inputs<'_>, known: &impl Known, calibrated: bool) -> Self {
        let by_tier = p_good(inputs.difficulty.unwrap_or(NO_SCORE), target.tier);
        Self {
            target,
            permitted,
            up: permitted && known.is_healthy(target.id),
            fits: fits(target, inputs),
            cost: Terms::of(target, inputs),
            ttft: known.ttft(target.id),
            quality: Chance::Of(f64::from(by_tier)),
            // A target that is out and was not measured has no figure that compares with the others'.
            scored: !calibrated && inputs.difficulty.is_some(),
        }
    }

    /// Always inlined, so that a candidate is built where it stays: copying it takes as long as all its figures.
    #[inline(always)]
    fn at(
        &self,
        effort: Option<Effort>,
        measured: Option<Chance>,
        known: &impl Known,
        ceilings: &Ceilings,
    ) -> Candidate {
        let id = self.target.id;
        let output = known.output(id, effort);
        let answer = known.answer(id, effort);
        let expected_cost = self.cost.as_ref().map(|terms| terms.expected(effort, output.median));
        let removed_by = match (self.permitted, ceilings.exceeded(expected_cost, self.ttft, answer)) {
            (false, _) => Some(RemovedBy::Rule),
            (true, Some(ceiling)) => Some(ceiling),
            (true, None) => (!self.up).then_some(RemovedBy::Health),
        };
        Candidate {
            target: id,
            effort,
            output,
            expected_cost,
            scored: self.scored || measured.is_some(),
            quality: measured.unwrap_or(self.quality),
            up: self.up,
            fits: self.fits,
            ttft: self.ttft,
            answer,
            switching: NanoUsd::ZERO,
            removed_by,
        }
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

    fn exceeded(&self, expected: Option<NanoUsd>, ttft: Duration, answer: Duration) -> Option<RemovedBy> {
        if self.cost.is_some_and(|ceiling| expected.is_none_or(|cost| cost > ceiling)) {
            return Some(RemovedBy::MaxCost);
        }
        let slow =
            self.first.is_some_and(|slowest| ttft > slowest) || self.answer.is_some_and(|slowest| answer > slowest);
        slow.then_some(RemovedBy::Latency)
    }
}

/// What it costs each candidate that the conversation is cached at another, if that one may be asked at all.
pub(super) fn leave_warm(allowed: &Allowed, inputs: &Inputs<'_>, candidates: &mut [Candidate]) {
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
