//! The step that says what is best among the allowed. Pure: live figures come in as values.
//!
//! Every target that was considered becomes a candidate with its figures, or with the rule that removed it, so that
//! what explains a decision is what made it.

mod estimate;
pub mod health;
pub mod inflight;
pub mod latency;
mod order;
mod prior;

use std::time::Duration;

pub use estimate::{EXPECTED_OUTPUT, expected_cost, expected_output};
use order::{auto_order, by_quality, named_order};
pub use prior::{NO_SCORE, p_good};

use crate::id::{RuleName, TargetId};
use crate::money::NanoUsd;
use crate::policy::{Allowed, Minimise, Objective};

/// What is known of a request and of the targets at this moment.
pub struct Inputs<'a> {
    /// One minus the chance that a weak-tier model answers well; `None` where nobody scored the prompt.
    pub difficulty: Option<f32>,
    /// Estimated input tokens.
    pub input_tokens: u64,
    /// The client's own limit of output tokens.
    pub max_output: Option<u64>,
    /// How many answers are asked for.
    pub n: u32,
    /// What the request cannot do without, in the words of `supports`: `tools`, `images`.
    pub needs: &'a [&'a str],
    /// Time to the first token, as high as 95 of 100 requests see it.
    pub ttft: &'a dyn Fn(TargetId) -> Duration,
    /// Whether a target answers and has room.
    pub healthy: &'a dyn Fn(TargetId) -> bool,
    /// The client's own ceiling; the lower of it and the policy's holds.
    pub ceiling: Option<NanoUsd>,
    /// What the client named instead of `auto`.
    pub named: Option<Named<'a>>,
    /// What a calibration says; `None` where there is none or it does not hold for this score.
    pub calibrated: Option<Calibrated<'a>>,
}

/// Measured qualities, instead of the prior by tier.
#[derive(Clone, Copy)]
pub struct Calibrated<'a> {
    /// A target's chance of a good answer to this request; `None` for one that was not measured.
    pub p_good: &'a dyn Fn(TargetId) -> Option<f32>,
    /// How far below the best still keeps the policy's floor; `None` where no threshold was found for it.
    pub tau: Option<f32>,
}

/// What the qualities of a decision rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The tier: claims no confidence.
    Prior,
    /// Outcomes that were measured.
    Calibrated,
}

impl Basis {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prior => "prior",
            Self::Calibrated => "calibrated",
        }
    }
}

/// One model or an alias. Quality floor and latency ceiling do not apply to what was named; rules and cost ceilings do.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// Targets and weights in the order written; a single target has one entry.
    pub targets: &'a [(TargetId, u32)],
    /// Drawn by the caller, uniform over `u64`: decides between the weights.
    pub random: u64,
    /// What was named: `Named` or `Alias`.
    pub reason: Reason,
}

/// What may be tried, in order.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Every target considered, allowed or not, in the configuration's order.
    pub candidates: Vec<Candidate>,
    /// Places in `candidates`: the chosen one, then the fallbacks. Never empty; all satisfy rules and ceilings.
    pub order: Vec<usize>,
    /// Why the first is first.
    pub reason: Reason,
    /// How far a candidate's quality may lie below the best; `None` where the policy states no floor.
    pub tau: Option<f32>,
    /// The policy's floor.
    pub at_least: Option<f32>,
    /// What qualities and tau rest on.
    pub basis: Basis,
    /// Place in `candidates` of the allowed, healthy one with the highest `p_good`: what savings are measured against.
    pub best: Option<usize>,
}

impl Plan {
    /// The target tried first.
    #[must_use]
    pub fn chosen(&self) -> Option<&Candidate> {
        self.order.first().and_then(|&place| self.candidates.get(place))
    }
}

/// One target with its figures.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The target.
    pub target: TargetId,
    /// `None` where no price is known.
    pub expected_cost: Option<NanoUsd>,
    /// Output tokens that this goes by.
    pub expected_output: u64,
    /// Chance of a good answer, by calibration or the tier's prior; `None` where nobody scored the prompt.
    pub p_good: Option<f32>,
    /// What the choice went by: `p_good`, or that of a prompt of middle difficulty.
    quality: f32,
    /// Time to the first token, 95th percentile.
    pub ttft: Duration,
    /// What keeps it out; `None` for one that may be tried.
    pub removed_by: Option<RemovedBy>,
}

/// What keeps a candidate out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemovedBy {
    /// A rule of the policy.
    Rule(RuleName),
    /// Expected to cost more than the ceiling, or of unknown price.
    MaxCost,
    /// Too long to the first token.
    Latency,
    /// Failing, or full.
    Health,
}

impl RemovedBy {
    /// The rule's name, or the ceiling's.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Rule(name) => name.as_str(),
            Self::MaxCost => "max_cost",
            Self::Latency => "latency",
            Self::Health => "health",
        }
    }
}

/// Why the first candidate is first: `x-waypost-reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The only one that may be tried.
    OnlyAllowed,
    /// The cheapest whose quality lies within tau of the best.
    CheapestGoodEnough,
    /// The fastest whose quality lies within tau of the best.
    FastestGoodEnough,
    /// The best: the policy minimises nothing, or nothing within the ceilings is good enough.
    BestQuality,
    /// Nobody scored the prompt: chosen as for a prompt of middle difficulty.
    NoScore,
    /// The client named the target.
    Named,
    /// The client named an alias.
    Alias,
    /// It began the tool loop that the request is in the middle of.
    Pinned,
}

impl Reason {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnlyAllowed => "only_allowed",
            Self::CheapestGoodEnough => "cheapest_good_enough",
            Self::FastestGoodEnough => "fastest_good_enough",
            Self::BestQuality => "best_quality",
            Self::NoScore => "no_score",
            Self::Named => "named",
            Self::Alias => "alias",
            Self::Pinned => "pinned",
        }
    }
}

/// Why there is no plan.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no candidate is left: {}", .why.as_str())]
pub struct NoCandidate {
    /// What is to blame.
    pub why: Why,
    /// All candidates with what removed them.
    pub candidates: Vec<Candidate>,
}

/// What is to blame for an empty plan. The first two are 403 `policy_denied`, the last 503 `no_healthy_target`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The rules: `Allowed::rules` names them.
    Rules,
    /// A ceiling that no candidate meets.
    MaxCost,
    /// A ceiling that no candidate meets.
    Latency,
    /// A candidate meets rules and ceilings, but is failing or full.
    Health,
}

impl Why {
    /// The word that a denial names.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::MaxCost => "max_cost",
            Self::Latency => "latency",
            Self::Health => "health",
        }
    }
}

/// Chooses among what is allowed.
///
/// Ceilings first, and a target of unknown price meets no cost ceiling. Then, by the policy's objective, the best of
/// those whose quality lies within tau of the best allowed and healthy target; the rest follow as fallbacks, good
/// enough ones before the others.
///
/// # Errors
/// [`NoCandidate`] where nothing may be tried.
pub fn choose(allowed: &Allowed, objective: &Objective, inputs: &Inputs<'_>) -> Result<Plan, NoCandidate> {
    let calibrated = applicable(allowed, objective, inputs);
    let basis = if calibrated.is_some() { Basis::Calibrated } else { Basis::Prior };
    let candidates = figures(allowed, objective, inputs, calibrated.as_ref());
    let free: Vec<usize> = (0..candidates.len()).filter(|&place| candidates[place].removed_by.is_none()).collect();
    if free.is_empty() {
        return Err(NoCandidate { why: blame(allowed, &candidates), candidates });
    }
    let best = (0..candidates.len())
        .filter(|&place| {
            let target = candidates[place].target;
            allowed.contains(target) && (inputs.healthy)(target)
        })
        .min_by(|&a, &b| by_quality(allowed, &candidates[a], &candidates[b]));
    let prior = objective.at_least.map(|share| 1.0 - share);
    let tau = calibrated.and_then(|calibrated| calibrated.tau).or(prior).filter(|_| prior.is_some());
    let minimise =
        if objective.require_calibration && basis == Basis::Prior { Minimise::None } else { objective.minimise };
    let (order, reason) = match &inputs.named {
        Some(named) => named_order(named, &candidates, free),
        None => auto_order(allowed, minimise, inputs, &candidates, free, best.zip(tau)),
    };
    Ok(Plan { candidates, order, reason, tau, at_least: objective.at_least, basis, best })
}

/// The calibration, if it can decide this request: the prompt has a score, a threshold was found for the floor, and all
/// that may be asked were measured. A measured figure and one by tier do not compare, so it is all or none.
fn applicable<'a>(allowed: &Allowed, objective: &Objective, inputs: &Inputs<'a>) -> Option<Calibrated<'a>> {
    let calibrated = inputs.calibrated?;
    inputs.difficulty?;
    if objective.at_least.is_some() && calibrated.tau.is_none() {
        return None;
    }
    let mut asked = allowed.considered().filter(|id| allowed.contains(*id) && (inputs.healthy)(*id));
    asked.all(|id| (calibrated.p_good)(id).is_some()).then_some(calibrated)
}

fn figures(
    allowed: &Allowed,
    objective: &Objective,
    inputs: &Inputs<'_>,
    calibrated: Option<&Calibrated<'_>>,
) -> Vec<Candidate> {
    let ceiling = match (objective.max_cost, inputs.ceiling) {
        (Some(policy), Some(client)) => Some(policy.min(client)),
        (policy, client) => policy.or(client),
    };
    let slowest = objective.first_token_p95_ms.filter(|_| inputs.named.is_none()).map(Duration::from_millis);
    let mut candidates = Vec::new();
    for id in allowed.considered() {
        let Some(target) = allowed.target(id) else { continue };
        let expected = target.price.as_ref().map(|price| expected_cost(price, target.max_output, inputs));
        let ttft = (inputs.ttft)(id);
        let removed_by = if let Some(rule) = allowed.removed_by(id) {
            Some(RemovedBy::Rule(rule.clone()))
        } else if ceiling.is_some_and(|ceiling| expected.is_none_or(|cost| cost > ceiling)) {
            Some(RemovedBy::MaxCost)
        } else if slowest.is_some_and(|slowest| ttft > slowest) {
            Some(RemovedBy::Latency)
        } else if !(inputs.healthy)(id) {
            Some(RemovedBy::Health)
        } else {
            None
        };
        let measured = calibrated.and_then(|calibrated| (calibrated.p_good)(id));
        let by_tier = |difficulty| p_good(difficulty, target.tier);
        candidates.push(Candidate {
            target: id,
            expected_cost: expected,
            expected_output: expected_output(target.max_output, inputs),
            p_good: match calibrated {
                // A target that is out and was not measured has no figure that compares with the others'.
                Some(_) => measured,
                None => inputs.difficulty.map(by_tier),
            },
            quality: measured.unwrap_or_else(|| by_tier(inputs.difficulty.unwrap_or(NO_SCORE))),
            ttft,
            removed_by,
        });
    }
    candidates
}

/// A target that only its health keeps out may come back, so that is said first; then what the client can change.
fn blame(allowed: &Allowed, candidates: &[Candidate]) -> Why {
    let any = |what: &RemovedBy| candidates.iter().any(|candidate| candidate.removed_by.as_ref() == Some(what));
    if allowed.is_empty() {
        Why::Rules
    } else if any(&RemovedBy::Health) {
        Why::Health
    } else if any(&RemovedBy::MaxCost) {
        Why::MaxCost
    } else {
        Why::Latency
    }
}

#[cfg(test)]
mod tests;
