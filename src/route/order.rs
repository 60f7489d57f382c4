//! In which order the candidates that are left are tried.

use std::cmp::Ordering;

use super::{Candidate, Inputs, Named, Reason};
use crate::chance::Within;
use crate::config::{Fact, FactName, Target};
use crate::id::TargetId;
use crate::money::NanoUsd;
use crate::policy::{Allowed, Minimise};

/// What a client named: weights draw the first, the rest follow as written.
pub(super) fn named_order(named: &Named<'_>, candidates: &[Candidate]) -> Vec<usize> {
    // Each target is a candidate once: what is named has no efforts to choose from.
    let free = || (0..candidates.len()).filter(|&place| candidates[place].removed_by.is_none());
    let place = |target: TargetId| free().find(|&place| candidates[place].target == target);
    let written: Vec<(usize, u64)> =
        named.targets.iter().filter_map(|&(target, weight)| Some((place(target)?, u64::from(weight)))).collect();
    let total: u64 = written.iter().map(|(_, weight)| weight).sum();
    let mut order: Vec<usize> = Vec::with_capacity(candidates.len());
    if total > 0 {
        let mut drawn = named.random % total;
        for &(place, weight) in &written {
            if drawn < weight {
                order.push(place);
                break;
            }
            drawn -= weight;
        }
    }
    for place in written.into_iter().map(|(place, _)| place).chain(free()) {
        if !order.contains(&place) {
            order.push(place);
        }
    }
    order
}

/// How far a candidate goes towards what is wanted; the first decides, and is told first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// Good enough: by what is minimised.
    Good,
    /// Not good enough: by quality.
    Rest,
    /// Its target states that it cannot do what the request needs: by quality, as the last resort.
    Unfit,
}

/// Whether a target can do what the request needs, by what it states; one that states nothing may be able to. Those that
/// cannot come last, so that a wrong statement costs a detour and no answer.
pub(super) fn fits(target: &Target, inputs: &Inputs<'_>) -> bool {
    let able = match target.facts.get(FactName::Supports) {
        Some(Fact::Set(supports)) => inputs.needs.iter().all(|need| supports.contains(*need)),
        _ => true,
    };
    able && target.context.is_none_or(|context| inputs.input_tokens <= context)
}

/// What candidates are put in order by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aim {
    /// What is minimised among the good enough.
    pub(super) minimise: Minimise,
    /// What is good enough; `None`: everything.
    pub(super) floor: Option<Within>,
}

impl Aim {
    fn class(&self, candidate: &Candidate) -> Class {
        match self.floor {
            _ if !candidate.fits => Class::Unfit,
            Some(floor) if !floor.holds(candidate.quality) => Class::Rest,
            _ => Class::Good,
        }
    }

    /// Between two of one class.
    #[inline]
    fn within(&self, class: Class, allowed: &Allowed, a: &Candidate, b: &Candidate) -> Ordering {
        match (class, self.minimise) {
            (Class::Good, Minimise::Cost) => by_cost(allowed, a, b),
            (Class::Good, Minimise::Latency) => by_latency(allowed, a, b),
            _ => by_quality(allowed, a, b),
        }
    }

    /// The place of the first of a class.
    fn first_of(&self, class: Class, allowed: &Allowed, candidates: &[Candidate]) -> Option<usize> {
        let mut first: Option<(usize, &Candidate)> = None;
        for (place, candidate) in candidates.iter().enumerate() {
            // Hardly any goes before all others, so whether one is good enough is looked at last.
            if candidate.removed_by.is_none()
                && first.is_none_or(|(_, first)| self.within(class, allowed, candidate, first).is_lt())
                && self.class(candidate) == class
            {
                first = Some((place, candidate));
            }
        }
        first.map(|(place, _)| place)
    }
}

/// The one to try first, and why. Candidates that are out do not count; `None`: all are.
pub(super) fn first(
    allowed: &Allowed,
    aim: Aim,
    inputs: &Inputs<'_>,
    candidates: &[Candidate],
) -> Option<(usize, Reason)> {
    let classes = [Class::Good, Class::Rest, Class::Unfit];
    let (class, place) =
        classes.into_iter().find_map(|class| Some((class, aim.first_of(class, allowed, candidates)?)))?;
    let only = candidates.iter().filter(|candidate| candidate.removed_by.is_none()).take(2).count() == 1;
    let reason = if only {
        Reason::OnlyAllowed
    } else if class == Class::Good && aim.minimise == Minimise::Cost && sticks(allowed, aim, inputs, candidates, place)
    {
        Reason::Sticky
    } else if inputs.difficulty.is_none() {
        Reason::NoScore
    } else if class != Class::Good {
        Reason::BestQuality
    } else {
        match aim.minimise {
            Minimise::Cost => Reason::CheapestGoodEnough,
            Minimise::Latency => Reason::FastestGoodEnough,
            Minimise::None => Reason::BestQuality,
        }
    };
    Some((place, reason))
}

/// The best candidate of each target, in the order to try them: one that failed is not asked again with another effort.
pub(super) fn auto_order(allowed: &Allowed, aim: Aim, candidates: &[Candidate]) -> Vec<usize> {
    let compare = |&(a_class, a): &(Class, usize), &(b_class, b): &(Class, usize)| {
        a_class.cmp(&b_class).then_with(|| aim.within(a_class, allowed, &candidates[a], &candidates[b]))
    };
    let mut order: Vec<(Class, usize)> = Vec::with_capacity(allowed.len());
    let mut begin = 0;
    // A target's candidates stand together.
    for of_target in candidates.chunk_by(|a, b| a.target == b.target) {
        let places = begin..begin + of_target.len();
        begin = places.end;
        let free = places.zip(of_target).filter(|(_, candidate)| candidate.removed_by.is_none());
        order.extend(free.map(|(place, candidate)| (aim.class(candidate), place)).min_by(compare));
    }
    order.sort_unstable_by(compare);
    order.into_iter().map(|(_, place)| place).collect()
}

/// The place of the one with the highest quality among those that are up, whatever the ceilings say.
pub(super) fn best(allowed: &Allowed, candidates: &[Candidate]) -> Option<usize> {
    let up = candidates.iter().enumerate().filter(|(_, candidate)| candidate.up);
    up.min_by(|(_, a), (_, b)| by_quality(allowed, a, b)).map(|(place, _)| place)
}

/// Whether the first is so only because its cache is warm: by costs alone it would be another target.
fn sticks(allowed: &Allowed, aim: Aim, inputs: &Inputs<'_>, candidates: &[Candidate], first: usize) -> bool {
    let target = candidates[first].target;
    if inputs.warm.is_none_or(|warm| warm.target != target) {
        return false;
    }
    let alone = |a: &&Candidate, b: &&Candidate| cost(a).cmp(&cost(b)).then_with(|| by_speed(allowed, a, b));
    let good = candidates.iter().filter(|one| one.removed_by.is_none() && aim.class(one) == Class::Good);
    good.min_by(alone).is_some_and(|cheapest| cheapest.target != target)
}

/// Lower first, the price of leaving a warm cache included; a target of unknown price after all priced ones.
fn by_cost(allowed: &Allowed, a: &Candidate, b: &Candidate) -> Ordering {
    let all = |candidate: &Candidate| {
        let (unknown, cost) = cost(candidate);
        (unknown, cost + candidate.switching)
    };
    all(a).cmp(&all(b)).then_with(|| by_speed(allowed, a, b))
}

fn by_latency(allowed: &Allowed, a: &Candidate, b: &Candidate) -> Ordering {
    a.answer.cmp(&b.answer).then_with(|| by_cost(allowed, a, b))
}

/// What decides where all else is equal.
fn by_speed(allowed: &Allowed, a: &Candidate, b: &Candidate) -> Ordering {
    a.answer.cmp(&b.answer).then_with(|| by_name(allowed, a, b)).then_with(|| a.effort.cmp(&b.effort))
}

fn by_quality(allowed: &Allowed, a: &Candidate, b: &Candidate) -> Ordering {
    b.quality.cmp_p(a.quality).then_with(|| by_cost(allowed, a, b))
}

fn by_name(allowed: &Allowed, a: &Candidate, b: &Candidate) -> Ordering {
    let name = |candidate: &Candidate| allowed.target(candidate.target).map(|target| &target.name);
    name(a).cmp(&name(b))
}

fn cost(candidate: &Candidate) -> (bool, NanoUsd) {
    (candidate.expected_cost.is_none(), candidate.expected_cost.unwrap_or_default())
}
