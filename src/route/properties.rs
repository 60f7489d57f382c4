//! What must hold for any targets, figures and wishes.

use std::time::Duration;

use proptest::prelude::*;

use super::tests::{Calibrated, Choice, Setting};
use super::*;
use crate::config::Tier;
use crate::policy::Policies;
use crate::policy::fixture::{config, target};

/// One target's figures.
#[derive(Clone, Debug)]
struct Figures {
    input: u32,
    output: u32,
    priced: bool,
    answer_ms: u64,
    healthy: bool,
    /// For its own effort, low and high.
    good: [f32; 3],
    efforts: bool,
}

fn figures() -> impl Strategy<Value = Figures> {
    let good = proptest::array::uniform3(0.0_f32..=1.0);
    (0_u32..50, 0_u32..50, prop::bool::weighted(0.9), 1_u64..100, prop::bool::weighted(0.9), good, any::<bool>())
        .prop_map(|(input, output, priced, answer_ms, healthy, good, efforts)| Figures {
            input,
            output,
            priced,
            answer_ms,
            healthy,
            good,
            efforts,
        })
}

fn setting(all: &[Figures], objective: &str) -> Setting {
    let described = all.iter().enumerate().map(|(place, figures)| {
        let name: &'static str = NAMES[place];
        let target = target(name, Tier::Mid);
        match figures.priced {
            true => target.price(&figures.input.to_string(), &figures.output.to_string()),
            false => target,
        }
    });
    let config = config(described.collect());
    let (policy, _) = Policies::from_text(&format!("policy: p\nobjective: {objective}\n"), &config).unwrap();
    Setting { config, policy }
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn place(effort: Option<Effort>) -> usize {
    match effort {
        None => 0,
        Some(Effort::Low) => 1,
        Some(_) => 2,
    }
}

/// What is chosen among these targets; `up`: who is there at all.
fn chosen(
    all: &[Figures],
    up: &[bool],
    objective: &str,
    ceiling: Option<u64>,
    named: Option<(u16, Option<Effort>)>,
) -> Option<(Plan, Vec<usize>)> {
    let setting = setting(all, objective);
    let of = |id: TargetId| &all[id.index()];
    let healthy = |id: TargetId| up[id.index()] && of(id).healthy;
    let p_good = |id: TargetId, effort| Some(of(id).good[place(effort)]);
    let choices = |id: TargetId, into: &mut Vec<Choice>| {
        into.push((None, p_good(id, None)));
        if of(id).efforts {
            into.extend([Effort::Low, Effort::High].map(|effort| (Some(effort), p_good(id, Some(effort)))));
        }
    };
    let output = |_: TargetId, effort: Option<Effort>| Expected::about([400, 100, 4000][place(effort)]);
    let answer = |id: TargetId, effort| Duration::from_millis(of(id).answer_ms * [2, 1, 9][place(effort)]);
    let own = |_: TargetId| named.and_then(|(_, effort)| effort);
    let targets = named.map(|(target, _)| [(TargetId(target), 1)]);
    let plan = setting.choose(|inputs| {
        inputs.ttft = &|_| Duration::ZERO;
        inputs.healthy = &healthy;
        inputs.output = &output;
        inputs.answer = &answer;
        inputs.effort = &own;
        inputs.ceiling = ceiling.map(|nanos| NanoUsd(i64::try_from(nanos).unwrap()));
        inputs.named = targets.as_ref().map(|targets| Named { targets, random: 0, reason: Reason::Named });
        inputs.calibrated = Some(Calibrated { choices: &choices, p_good: &p_good, tau: Some(0.1) });
    });
    let plan = plan.ok()?;
    let order = plan.order(&setting.allowed()).into_owned();
    Some((plan, order))
}

/// Figures of which many are the same.
fn alike() -> impl Strategy<Value = Figures> {
    figures().prop_map(|all| Figures {
        input: all.input % 3,
        output: all.output % 2,
        answer_ms: all.answer_ms % 3 + 1,
        good: all.good.map(|good| (good * 10.0).round() / 10.0),
        ..all
    })
}

/// The order by definition: all that is free, sorted as a whole by everything that counts, and then each target once.
fn by_definition(plan: &Plan, minimise: &str) -> Vec<usize> {
    let quality = |candidate: &Candidate| candidate.p_good().unwrap();
    let best = quality(&plan.candidates[plan.best.unwrap()]);
    let mut order: Vec<usize> =
        (0..plan.candidates.len()).filter(|&place| plan.candidates[place].removed_by.is_none()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (&plan.candidates[a], &plan.candidates[b]);
        let worse = |one: &Candidate| best - quality(one) > plan.tau.unwrap() + 1e-6;
        let dearer = |one: &Candidate| (one.expected_cost.is_none(), one.expected_cost.unwrap_or_default());
        let by_quality = quality(b).total_cmp(&quality(a));
        let by_cost = dearer(a).cmp(&dearer(b));
        let by_speed = a.answer.cmp(&b.answer);
        let within = match minimise {
            _ if worse(a) => by_quality.then(by_cost).then(by_speed),
            "cost" => by_cost.then(by_speed),
            "latency" => by_speed.then(by_cost),
            _ => by_quality.then(by_cost).then(by_speed),
        };
        // Targets are named in their order.
        worse(a).cmp(&worse(b)).then(within).then(a.target.cmp(&b.target)).then(a.effort.cmp(&b.effort))
    });
    let mut seen = Vec::new();
    order.retain(|&place| {
        let target = plan.candidates[place].target;
        let new = !seen.contains(&target);
        seen.push(target);
        new
    });
    order
}

const CEILINGS: &str =
    "{ minimise: cost, quality: { at_least: 0.9 }, latency: { first_answer_token_p95_ms: 120 }, max_cost_usd: 0.03 }";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_that_is_tried_breaks_a_ceiling_or_is_tried_twice(
        all in prop::collection::vec(figures(), 1..=6),
        ceiling in prop::option::of(0_u64..60_000_000),
    ) {
        let Some((plan, order)) = chosen(&all, &[true; 6], CEILINGS, ceiling, None) else { return Ok(()) };
        let mut seen = Vec::new();
        for candidate in order.iter().map(|&place| &plan.candidates[place]) {
            let cost = candidate.expected_cost.unwrap();
            prop_assert!(cost <= NanoUsd(30_000_000) && ceiling.is_none_or(|most| cost.0.unsigned_abs() <= most));
            prop_assert!(candidate.answer <= Duration::from_millis(120));
            prop_assert!(all[candidate.target.index()].healthy);
            prop_assert!(!seen.contains(&candidate.target));
            seen.push(candidate.target);
        }
        // Whoever could be tried is.
        let free = plan.candidates.iter().filter(|candidate| candidate.removed_by.is_none());
        for candidate in free {
            prop_assert!(seen.contains(&candidate.target));
        }
    }

    #[test]
    fn the_first_and_those_that_follow_are_those_by_definition(all in prop::collection::vec(alike(), 1..=6)) {
        for minimise in ["cost", "latency", "none"] {
            let objective = format!("{{ minimise: {minimise}, quality: {{ at_least: 0.9 }} }}");
            let Some((plan, order)) = chosen(&all, &[true; 6], &objective, None, None) else { return Ok(()) };
            prop_assert_eq!(&order, &by_definition(&plan, minimise));
            prop_assert_eq!(order.first(), Some(&plan.first));
        }
    }

    #[test]
    fn the_chosen_is_good_enough_and_none_that_is_costs_less(all in prop::collection::vec(figures(), 1..=6)) {
        let objective = "{ minimise: cost, quality: { at_least: 0.9 } }";
        let Some((plan, _)) = chosen(&all, &[true; 6], objective, None, None) else { return Ok(()) };
        let quality = |candidate: &Candidate| candidate.p_good().unwrap();
        let best = quality(&plan.candidates[plan.best.unwrap()]);
        let first = plan.chosen().unwrap();
        prop_assert!(best - quality(first) <= 0.1 + 1e-5);
        for other in plan.candidates.iter().filter(|other| other.removed_by.is_none() && best - quality(other) <= 0.1) {
            let (cost, others) = (first.expected_cost, other.expected_cost);
            prop_assert!(others.is_none_or(|others| cost.is_some_and(|cost| cost <= others)));
        }
    }

    #[test]
    fn more_candidates_never_make_the_choice_worse_by_the_objective(
        all in prop::collection::vec(figures(), 1..=6),
        fewer in prop::collection::vec(any::<bool>(), 6),
    ) {
        for objective in ["cost", "latency", "none"] {
            let text = format!("{{ minimise: {objective} }}");
            let Some((some, _)) = chosen(&all, &fewer, &text, None, None) else { continue };
            let (every, _) = chosen(&all, &[true; 6], &text, None, None).unwrap();
            let (some, every) = (some.chosen().unwrap(), every.chosen().unwrap());
            match objective {
                "cost" => prop_assert!(
                    some.expected_cost.is_none_or(|cost| every.expected_cost.is_some_and(|other| other <= cost))
                ),
                "latency" => prop_assert!(every.answer <= some.answer),
                _ => prop_assert!(every.p_good() >= some.p_good()),
            }
        }
    }

    #[test]
    fn what_is_named_keeps_its_effort(
        all in prop::collection::vec(figures(), 1..=6),
        target in 0_usize..6,
        effort in prop::option::of(prop::sample::select(vec![Effort::Low, Effort::High])),
    ) {
        let target = u16::try_from(target % all.len()).unwrap();
        let objective = "{ minimise: cost, quality: { at_least: 0.9 } }";
        let Some((plan, _)) = chosen(&all, &[true; 6], objective, None, Some((target, effort))) else { return Ok(()) };
        prop_assert_eq!(plan.candidates.len(), all.len(), "one a target");
        prop_assert!(plan.candidates.iter().all(|candidate| candidate.effort == effort));
        if all[usize::from(target)].healthy {
            prop_assert_eq!(plan.chosen().unwrap().target.0, target);
        }
    }
}
