//! In which order the candidates that are left are tried.

use std::cmp::Ordering;

use super::{Candidate, Inputs, Named, Reason};
use crate::config::{Fact, FactName, Target};
use crate::id::TargetId;
use crate::money::NanoUsd;
use crate::policy::{Allowed, Minimise};

pub(super) fn named_order(named: &Named<'_>, candidates: &[Candidate], free: Vec<usize>) -> (Vec<usize>, Reason) {
    let place = |target: TargetId| free.iter().copied().find(|&place| candidates[place].target == target);
    let written: Vec<(usize, u64)> =
        named.targets.iter().filter_map(|&(target, weight)| Some((place(target)?, u64::from(weight)))).collect();
    let total: u64 = written.iter().map(|(_, weight)| weight).sum();
    let mut order: Vec<usize> = Vec::with_capacity(free.len());
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
    for place in written.into_iter().map(|(place, _)| place).chain(free) {
        if !order.contains(&place) {
            order.push(place);
        }
    }
    (order, named.reason)
}

/// Keeps the first candidate of each target: one that failed is not asked again with another effort.
pub(super) fn once_each(order: &mut Vec<usize>, candidates: &[Candidate]) {
    let mut seen = vec![false; candidates.iter().map(|candidate| candidate.target.index() + 1).max().unwrap_or(0)];
    order.retain(|&place| {
        let target = candidates.get(place).map(|candidate| candidate.target);
        let seen = target.and_then(|target| seen.get_mut(target.index()));
        seen.is_some_and(|seen| !std::mem::replace(seen, true))
    });
}

/// Whether a target can do what the request needs, by what it states; one that states nothing may be able to. Those that
/// cannot come last, so that a wrong statement costs a detour and no answer.
fn fits(target: &Target, inputs: &Inputs<'_>) -> bool {
    let able = match target.facts.get(FactName::Supports) {
        Some(Fact::Set(supports)) => inputs.needs.iter().all(|need| supports.contains(*need)),
        _ => true,
    };
    able && target.context.is_none_or(|context| inputs.input_tokens <= context)
}

pub(super) fn auto_order(
    allowed: &Allowed,
    minimise: Minimise,
    inputs: &Inputs<'_>,
    candidates: &[Candidate],
    free: Vec<usize>,
    floor: Option<(usize, f32)>,
) -> (Vec<usize>, Reason) {
    let good_enough = |place: usize| {
        let Some((best, tau)) = floor else { return true };
        let p = |place: usize| candidates[place].quality;
        // The margin is for f32: 0.8 - 0.75 is a little more than 0.05.
        p(best) - p(place) <= tau + 1e-6
    };
    let fits = |place: usize| allowed.target(candidates[place].target).is_some_and(|target| fits(target, inputs));
    let (fitting, mut unfit): (Vec<usize>, Vec<usize>) = free.into_iter().partition(|&place| fits(place));
    let (mut order, mut rest): (Vec<usize>, Vec<usize>) = fitting.into_iter().partition(|&place| good_enough(place));
    let compare = match minimise {
        Minimise::Cost => by_cost,
        Minimise::Latency => by_latency,
        Minimise::None => by_quality,
    };
    let none_good_enough = order.is_empty();
    order.sort_by(|&a, &b| compare(allowed, &candidates[a], &candidates[b]));
    let stays = minimise == Minimise::Cost && sticks(allowed, inputs, candidates, &order);
    rest.sort_by(|&a, &b| by_quality(allowed, &candidates[a], &candidates[b]));
    order.append(&mut rest);
    unfit.sort_by(|&a, &b| by_quality(allowed, &candidates[a], &candidates[b]));
    order.append(&mut unfit);
    let reason = if order.len() == 1 {
        Reason::OnlyAllowed
    } else if stays {
        Reason::Sticky
    } else if inputs.difficulty.is_none() {
        Reason::NoScore
    } else if none_good_enough {
        Reason::BestQuality
    } else {
        match minimise {
            Minimise::Cost => Reason::CheapestGoodEnough,
            Minimise::Latency => Reason::FastestGoodEnough,
            Minimise::None => Reason::BestQuality,
        }
    };
    (order, reason)
}

/// Whether the first is so only because its cache is warm: by costs alone it would be another target.
fn sticks(allowed: &Allowed, inputs: &Inputs<'_>, candidates: &[Candidate], order: &[usize]) -> bool {
    let (Some(warm), Some(&first)) = (inputs.warm, order.first()) else { return false };
    let alone = |a: &Candidate, b: &Candidate| cost(a).cmp(&cost(b)).then_with(|| by_speed(allowed, a, b));
    let cheapest = order.iter().map(|&place| &candidates[place]).min_by(|a, b| alone(a, b));
    candidates[first].target == warm.target && cheapest.is_some_and(|cheapest| cheapest.target != warm.target)
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

pub(super) fn by_quality(allowed: &Allowed, a: &Candidate, b: &Candidate) -> Ordering {
    b.quality.total_cmp(&a.quality).then_with(|| by_cost(allowed, a, b))
}

fn by_name(allowed: &Allowed, a: &Candidate, b: &Candidate) -> Ordering {
    let name = |candidate: &Candidate| allowed.target(candidate.target).map(|target| &target.name);
    name(a).cmp(&name(b))
}

fn cost(candidate: &Candidate) -> (bool, NanoUsd) {
    (candidate.expected_cost.is_none(), candidate.expected_cost.unwrap_or_default())
}
