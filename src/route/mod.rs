//! The step that says what is best among the allowed. Pure: live figures come in as values.
//!
//! Every target that was considered becomes a candidate with its figures, or with the rule that removed it, so that
//! what explains a decision is what made it. Where a calibration knows a target at several efforts, it becomes a
//! candidate for each.

mod candidates;
mod cost;
pub mod health;
pub mod inflight;
mod known;
pub mod latency;
pub mod lengths;
mod order;
mod prior;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use candidates::{candidates, leave_warm};

pub use known::Known;
pub use lengths::Expected;
use order::{Aim, auto_order, named_order};

use crate::chance::{Chance, Within};
use crate::chat::Effort;
use crate::id::TargetId;
use crate::money::NanoUsd;
use crate::policy::{Allowed, Minimise, Objective};

/// What is known of a request.
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
    /// The client's own ceiling; the lower of it and the policy's holds.
    pub ceiling: Option<NanoUsd>,
    /// What the client named instead of `auto`.
    pub named: Option<Named<'a>>,
    /// What a calibration says; `None` where there is none or it does not hold for this score.
    pub calibrated: Option<Calibrated>,
    /// Where the beginning of this conversation is cached, if anywhere.
    pub warm: Option<Warm>,
}

/// The target that served a conversation last, and what it has kept of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warm {
    /// Who.
    pub target: TargetId,
    /// Tokens of input that need not be read again.
    pub tokens: u64,
}

/// Measured qualities, instead of the prior by tier.
#[derive(Clone, Copy, Debug)]
pub struct Calibrated {
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
    /// What was named, or that it is what began the work: `Named`, `Alias` or `Pinned`.
    pub reason: Reason,
}

/// What may be tried, in order.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Every target considered, allowed or not, in the configuration's order, at each effort there is to choose from.
    pub candidates: Arc<Vec<Candidate>>,
    /// Place in `candidates` of the one to try first.
    pub first: usize,
    rest: Rest,
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

/// Who follows the first.
#[derive(Clone, Debug)]
enum Rest {
    /// All in this order, the first as well.
    Written(Vec<usize>),
    /// As the objective has it. Few first ones fail, so nothing is sorted until one does.
    By(Aim),
}

impl Plan {
    /// The target tried first.
    #[must_use]
    pub fn chosen(&self) -> Option<&Candidate> {
        self.candidates.get(self.first)
    }

    /// Places in `candidates`: the chosen one, then the fallbacks, each target once. Never empty; all satisfy rules and
    /// ceilings. `allowed` is what was chosen among.
    #[must_use]
    pub fn order(&self, allowed: &Allowed) -> Cow<'_, [usize]> {
        match &self.rest {
            Rest::Written(order) => Cow::Borrowed(order),
            Rest::By(aim) => Cow::Owned(auto_order(allowed, *aim, &self.candidates)),
        }
    }
}

/// One target at one effort, with its figures.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The target.
    pub target: TargetId,
    /// The effort; `None`: the model's own, or what the client says is no degree.
    pub effort: Option<Effort>,
    /// Output tokens that one answer is expected to take.
    pub output: Expected,
    /// `None` where no price is known.
    pub expected_cost: Option<NanoUsd>,
    /// What the choice went by: the chance of a good answer, or that of a prompt of middle difficulty.
    quality: Chance,
    /// Whether it is of this prompt.
    scored: bool,
    /// Allowed and healthy, whatever the ceilings say: one that the best may be.
    up: bool,
    /// Whether it can do what the request needs, as far as is stated.
    fits: bool,
    /// Time to the first token, 95th percentile.
    pub ttft: Duration,
    /// Time to the first token of the answer itself, 95th percentile.
    pub answer: Duration,
    /// What leaving the conversation's warm cache for this target costs; nothing where there is none to leave, or cost
    /// is not what decides.
    pub switching: NanoUsd,
    /// What keeps it out; `None` for one that may be tried.
    pub removed_by: Option<RemovedBy>,
}

impl Candidate {
    /// Chance of a good answer, by calibration or the tier's prior; `None` where nobody scored the prompt.
    #[must_use]
    pub fn p_good(&self) -> Option<f32> {
        self.scored.then(|| self.quality.p())
    }
}

/// What keeps a candidate out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovedBy {
    /// A rule of the policy: [`Allowed::why_removed`] names it.
    Rule,
    /// Expected to cost more than the ceiling, or of unknown price.
    MaxCost,
    /// Too long to the first token, or to the answer's.
    Latency,
    /// Failing, or full.
    Health,
}

impl RemovedBy {
    /// The ceiling's name, or `rule`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
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
    /// The fastest to its answer whose quality lies within tau of the best.
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
    /// It served the conversation before, and what its cache saves is more than another would.
    Sticky,
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
            Self::Sticky => "sticky",
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
    pub candidates: Arc<Vec<Candidate>>,
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
/// those whose quality lies within tau of the best allowed and healthy one; the rest follow as fallbacks, good
/// enough ones before the others. Cost counts what it takes to leave a conversation's warm cache.
///
/// # Errors
/// [`NoCandidate`] where nothing may be tried.
pub fn choose(
    allowed: &Allowed,
    objective: &Objective,
    inputs: &Inputs<'_>,
    known: &impl Known,
) -> Result<Plan, NoCandidate> {
    let (mut candidates, calibrated) = candidates(allowed, objective, inputs, known);
    let basis = if calibrated.is_some() { Basis::Calibrated } else { Basis::Prior };
    let minimise =
        if objective.require_calibration && basis == Basis::Prior { Minimise::None } else { objective.minimise };
    if minimise == Minimise::Cost && inputs.named.is_none() {
        leave_warm(allowed, inputs, &mut candidates);
    }
    let best = order::best(allowed, &candidates);
    let prior = objective.at_least.map(|share| 1.0 - share);
    let tau = calibrated.and_then(|calibrated| calibrated.tau).or(prior).filter(|_| prior.is_some());
    // The margin is for f32: 0.8 - 0.75 is a little more than 0.05.
    let within = |(best, tau): (&Candidate, f32)| Within::new(best.quality, tau + 1e-6);
    let floor = best.and_then(|best| candidates.get(best)).zip(tau).map(within);
    let chosen = match &inputs.named {
        Some(named) => {
            let order = named_order(named, &candidates);
            order.first().copied().map(|first| (first, Rest::Written(order), named.reason))
        }
        None => {
            let aim = Aim { minimise, floor };
            let first = order::first(allowed, aim, inputs, &candidates);
            first.map(|(first, reason)| (first, Rest::By(aim), reason))
        }
    };
    let candidates = Arc::new(candidates);
    let Some((first, rest, reason)) = chosen else {
        return Err(NoCandidate { why: blame(allowed, &candidates), candidates });
    };
    Ok(Plan { candidates, first, rest, reason, tau, at_least: objective.at_least, basis, best })
}

/// A target that only its health keeps out may come back, so that is said first; then what the client can change.
fn blame(allowed: &Allowed, candidates: &[Candidate]) -> Why {
    let any = |what| candidates.iter().any(|candidate| candidate.removed_by == Some(what));
    if allowed.is_empty() {
        Why::Rules
    } else if any(RemovedBy::Health) {
        Why::Health
    } else if any(RemovedBy::MaxCost) {
        Why::MaxCost
    } else {
        Why::Latency
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
