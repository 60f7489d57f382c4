//! In which order the candidates that are left are tried.

use std::cmp::Ordering;

use super::{Candidate, Inputs, Named, Reason};
use crate::config::{Fact, FactName, Target};
use crate::id::TargetId;
use crate::money::NanoUsd;
use crate::policy::{Allowed, Minimise};

/// What a client named: weights draw the first, the rest follow as written.
pub(super) fn named_order(named: &Named<'_>, candidates: &[Candidate]) -> (Vec<usize>, Reason) {
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
    (order, named.reason)
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

/// A candidate in order.
struct Ranked {
    class: Class,
    place: usize,
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

/// The best candidate of each target, in the order to try them: one that failed is not asked again with another effort.
pub(super) fn auto_order(
    allowed: &Allowed,
    minimise: Minimise,
    inputs: &Inputs<'_>,
    candidates: &[Candidate],
    floor: Option<(usize, f32)>,
) -> (Vec<usize>, Reason) {
    let good_enough = |candidate: &Candidate| {
        let Some((best, tau)) = floor else { return true };
        // The margin is for f32: 0.8 - 0.75 is a little more than 0.05.
        candidates[best].quality - candidate.quality <= tau + 1e-6
    };
    let wanted = match minimise {
        Minimise::Cost => by_cost,
        Minimise::Latency => by_latency,
        Minimise::None => by_quality,
    };
    let compare = |a: &Ranked, b: &Ranked| {
        let within = if a.class == Class::Good { wanted } else { by_quality };
        a.class.cmp(&b.class).then_with(|| within(allowed, &candidates[a.place], &candidates[b.place]))
    };
    let mut ranked: Vec<Ranked> = Vec::with_capacity(allowed.len());
    let mut begin = 0;
    // A target's candidates stand together.
    for of_target in candidates.chunk_by(|a, b| a.target == b.target) {
        let places = begin..begin + of_target.len();
        begin = places.end;
        let fits = of_target.first().is_some_and(|one| allowed.target(one.target).is_some_and(|it| fits(it, inputs)));
        let class = |candidate: &Candidate| match (fits, good_enough(candidate)) {
            (false, _) => Class::Unfit,
            (true, true) => Class::Good,
            (true, false) => Class::Rest,
        };
        let free = places.zip(of_target).filter(|(_, candidate)| candidate.removed_by.is_none());
        let free = free.map(|(place, candidate)| Ranked { class: class(candidate), place });
        ranked.extend(free.min_by(compare));
    }
    ranked.sort_unstable_by(compare);
    let good = ranked.iter().take_while(|ranked| ranked.class == Class::Good).count();
    let order: Vec<usize> = ranked.into_iter().map(|ranked| ranked.place).collect();
    let good = order.get(..good).unwrap_or_default();
    let stays = minimise == Minimise::Cost && sticks(allowed, inputs, candidates, good);
    let reason = if candidates.iter().filter(|candidate| candidate.removed_by.is_none()).take(2).count() == 1 {
        Reason::OnlyAllowed
    } else if stays {
        Reason::Sticky
    } else if inputs.difficulty.is_none() {
        Reason::NoScore
    } else if good.is_empty() {
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
