use std::sync::Arc;

use super::*;
use crate::config::{Config, Fact, FactName, Target, Tier};
use crate::money::{Price, Rate, Rates};
use crate::policy::fixture::{config, labelled, target};
use crate::policy::{Circumstances, Policies, Policy, constrain};
use crate::wire::dialect::Style;

pub(super) struct Setting {
    pub(super) config: Config,
    pub(super) policy: Arc<Policy>,
}

/// own (weak, free of charge), mid, and big (strong, dear), all allowed but for one in the US.
fn setting(objective: &str) -> Setting {
    let config = config(vec![
        target("own", Tier::Weak).countries(&["FR"]).price("0.01", "0.02"),
        target("mid", Tier::Mid).countries(&["FR"]).price("0.5", "1.5"),
        target("big", Tier::Strong).countries(&["FR"]).price("3", "15"),
        target("unpriced", Tier::Strong).countries(&["FR"]),
        target("us", Tier::Strong).countries(&["US"]).price("0.1", "0.1"),
    ]);
    let text = format!(
        "policy: p\nrules: [{{ name: eea, require: {{ location.countries: {{ in: EEA }} }} }}]\nobjective: {objective}\n"
    );
    let (policy, _) = Policies::from_text(&text, &config).unwrap();
    Setting { config, policy }
}

const COST: &str = "{ minimise: cost, quality: { at_least: 0.95 } }";

/// An effort to choose, and the chance of a good answer with it.
pub(super) type Choice = (Option<Effort>, Option<f32>);

/// What [`choose`] is given and what is known of the targets, each piece to be changed by itself.
pub(super) struct Inputs<'a> {
    pub(super) difficulty: Option<f32>,
    pub(super) input_tokens: u64,
    pub(super) max_output: Option<u64>,
    pub(super) n: u32,
    pub(super) needs: &'a [&'a str],
    pub(super) effort: &'a dyn Fn(TargetId) -> Option<Effort>,
    pub(super) output: &'a dyn Fn(TargetId, Option<Effort>) -> Expected,
    pub(super) ttft: &'a dyn Fn(TargetId) -> Duration,
    pub(super) answer: &'a dyn Fn(TargetId, Option<Effort>) -> Duration,
    pub(super) healthy: &'a dyn Fn(TargetId) -> bool,
    pub(super) ceiling: Option<NanoUsd>,
    pub(super) named: Option<Named<'a>>,
    pub(super) calibrated: Option<Calibrated<'a>>,
    pub(super) warm: Option<Warm>,
}

#[derive(Clone, Copy)]
pub(super) struct Calibrated<'a> {
    pub(super) choices: &'a dyn Fn(TargetId, &mut Vec<Choice>),
    pub(super) p_good: &'a dyn Fn(TargetId, Option<Effort>) -> Option<f32>,
    pub(super) tau: Option<f32>,
}

impl<'a> Inputs<'a> {
    fn of_request(&self) -> super::Inputs<'a> {
        super::Inputs {
            difficulty: self.difficulty,
            input_tokens: self.input_tokens,
            max_output: self.max_output,
            n: self.n,
            needs: self.needs,
            ceiling: self.ceiling,
            named: self.named,
            calibrated: self.calibrated.map(|calibrated| super::Calibrated { tau: calibrated.tau }),
            warm: self.warm,
        }
    }
}

/// As a curve gives it and as a prior does, in turn.
fn chance(p: f32) -> Chance {
    let p = f64::from(p);
    if p > 0.0 && p < 1.0 && p.to_bits().count_ones() % 2 == 0 {
        Chance::Logit((p / (1.0 - p)).ln())
    } else {
        Chance::Of(p)
    }
}

impl Known for Inputs<'_> {
    fn is_healthy(&self, target: TargetId) -> bool {
        (self.healthy)(target)
    }

    fn effort(&self, target: TargetId) -> Option<Effort> {
        (self.effort)(target)
    }

    fn output(&self, target: TargetId, effort: Option<Effort>) -> Expected {
        (self.output)(target, effort)
    }

    fn ttft(&self, target: TargetId) -> Duration {
        (self.ttft)(target)
    }

    fn answer(&self, target: TargetId, effort: Option<Effort>) -> Duration {
        (self.answer)(target, effort)
    }

    fn choices(&self, target: TargetId, mut each: impl FnMut(Option<Effort>, Chance)) {
        let mut choices = Vec::new();
        (self.calibrated.unwrap().choices)(target, &mut choices);
        for (effort, p_good) in choices {
            each(effort, chance(p_good.unwrap()));
        }
    }

    fn p_good(&self, target: TargetId, effort: Option<Effort>) -> Option<Chance> {
        (self.calibrated?.p_good)(target, effort).map(chance)
    }
}

/// One effort for every target: its own.
fn one(_: TargetId, _: &mut Vec<Choice>) {}

fn in_hundreds(id: TargetId) -> Duration {
    Duration::from_millis(100 * (u64::from(id.0) + 1))
}

impl Setting {
    pub(super) fn allowed(&self) -> Allowed {
        let all: Vec<TargetId> = self.config.targets.iter().map(|target| target.id).collect();
        let labels = labelled(&self.policy, &[], &[]);
        constrain(&self.policy, &Circumstances::plain(&self.config.tenants["acme"], &labels), &all)
    }

    pub(super) fn choose<'a>(&self, change: impl FnOnce(&mut Inputs<'a>)) -> Result<Plan, NoCandidate> {
        let mut inputs = Inputs {
            difficulty: Some(0.5),
            input_tokens: 1000,
            max_output: None,
            n: 1,
            needs: &[],
            effort: &|_| None,
            output: &|_, _| Expected::about(400),
            ttft: &in_hundreds,
            answer: &|id, _| in_hundreds(id),
            healthy: &|_| true,
            ceiling: None,
            named: None,
            calibrated: None,
            warm: None,
        };
        change(&mut inputs);
        choose(&self.allowed(), &self.policy.objective, &inputs.of_request(), &inputs)
    }
}

/// The targets in the order in which they are tried.
fn order(setting: &Setting, plan: &Plan) -> Vec<u16> {
    let order = plan.order(&setting.allowed());
    assert_eq!(order.first(), Some(&plan.first));
    order.iter().map(|&place| plan.candidates[place].target.0).collect()
}

#[test]
fn an_easy_prompt_stays_on_the_own_model_and_a_hard_one_goes_up() {
    let setting = setting(COST);
    let easy = setting.choose(|inputs| inputs.difficulty = Some(0.1)).unwrap();
    assert_eq!(order(&setting, &easy), [0, 1, 2, 3]);
    assert_eq!(easy.reason, Reason::CheapestGoodEnough);
    let middling = setting.choose(|inputs| inputs.difficulty = Some(0.2)).unwrap();
    assert_eq!(order(&setting, &middling), [1, 2, 3, 0], "mid is within 0.05 of big, own is a fallback");
    for hard in [0.5, 0.99, 1.0] {
        let plan = setting.choose(|inputs| inputs.difficulty = Some(hard)).unwrap();
        assert_eq!(order(&setting, &plan), [2, 3, 1, 0], "never the weak one for being hopeless");
        assert_eq!(plan.best, Some(2));
        assert!((plan.tau.unwrap() - 0.05).abs() < 1e-6);
    }
}

#[test]
fn every_considered_target_is_a_candidate_with_its_figures_or_its_rule() {
    let plan = setting(COST).choose(|_| {}).unwrap();
    assert_eq!(plan.candidates.len(), 5);
    assert_eq!(plan.candidates[4].removed_by, Some(RemovedBy::Rule));
    assert_eq!(plan.candidates[3].expected_cost, None);
    // 1,000 tokens in at 3 USD a million and the expected 400 out at 15.
    assert_eq!(plan.candidates[2].expected_cost, Some(NanoUsd(3_000_000 + 6_000_000)));
    assert_eq!(plan.chosen().unwrap().ttft, Duration::from_millis(300));
}

#[test]
fn a_long_prompt_is_expected_to_cost_what_long_prompts_cost() {
    let config = config(vec![target("a", Tier::Mid).price("1", "2").price_above(200_000, "2", "3")]);
    let (policy, _) = Policies::from_text(&format!("policy: p\nobjective: {COST}\n"), &config).unwrap();
    let setting = Setting { config, policy };
    let expected = |tokens| {
        let plan = setting.choose(|inputs| inputs.input_tokens = tokens).unwrap();
        plan.candidates[0].expected_cost
    };
    assert_eq!(expected(200_000), Some(NanoUsd(200_000 * 1000 + 400 * 2000)));
    assert_eq!(expected(200_001), Some(NanoUsd(200_001 * 2000 + 400 * 3000)));
}

#[test]
fn the_lower_ceiling_wins_and_an_unknown_price_meets_none() {
    let setting = setting("{ minimise: none, max_cost_usd: 0.005 }");
    let plan = setting.choose(|_| {}).unwrap();
    assert_eq!(order(&setting, &plan), [1, 0]);
    assert_eq!(plan.candidates[2].removed_by, Some(RemovedBy::MaxCost));
    assert_eq!(plan.candidates[3].removed_by, Some(RemovedBy::MaxCost));
    let named = [(TargetId(3), 1)];
    let named = || Named { targets: &named, random: 0, reason: Reason::Named };
    let plan = setting.choose(|inputs| inputs.named = Some(named())).unwrap();
    assert!(!order(&setting, &plan).contains(&3), "nor does it when a client names it");
    let plan = setting.choose(|inputs| inputs.ceiling = Some("1".parse().unwrap())).unwrap();
    assert_eq!(order(&setting, &plan), [1, 0], "a client cannot raise the policy's");
    let plan = setting.choose(|inputs| inputs.ceiling = Some("0.0001".parse().unwrap())).unwrap();
    assert_eq!(order(&setting, &plan), [0]);
    let none = setting.choose(|inputs| inputs.ceiling = Some(NanoUsd::ZERO)).unwrap_err();
    assert_eq!(none.why, Why::MaxCost);
    assert_eq!(none.candidates.len(), 5);
}

#[test]
fn a_short_answer_costs_less_and_several_cost_more() {
    let setting = setting(COST);
    let cost = |plan: Plan| plan.candidates[2].expected_cost.unwrap();
    assert_eq!(cost(setting.choose(|inputs| inputs.max_output = Some(10)).unwrap()), NanoUsd(3_000_000 + 150_000));
    assert_eq!(cost(setting.choose(|inputs| inputs.n = 3).unwrap()), NanoUsd(3_000_000 + 18_000_000));
}

#[test]
fn a_target_too_slow_to_its_first_token_is_out() {
    let setting = setting("{ minimise: none, latency: { first_token_p95_ms: 250 } }");
    let plan = setting.choose(|_| {}).unwrap();
    assert_eq!(order(&setting, &plan), [1, 0]);
    assert_eq!(plan.candidates[2].removed_by, Some(RemovedBy::Latency));
    let slow = |_: TargetId| Duration::from_secs(9);
    assert_eq!(setting.choose(|inputs| inputs.ttft = &slow).unwrap_err().why, Why::Latency);
}

#[test]
fn the_fastest_that_is_good_enough_is_chosen_by_latency() {
    let setting = setting("{ minimise: latency, quality: { at_least: 0.9 } }");
    let plan = setting.choose(|inputs| inputs.difficulty = Some(0.5)).unwrap();
    assert_eq!(order(&setting, &plan), [1, 2, 3, 0]);
    assert_eq!(plan.reason, Reason::FastestGoodEnough);
}

#[test]
fn a_failing_target_is_passed_over_and_the_best_healthy_one_sets_the_bar() {
    let setting = setting(COST);
    let up = |id: TargetId| id.0 < 2;
    let plan = setting.choose(|inputs| {
        inputs.healthy = &up;
        inputs.difficulty = Some(0.2);
    });
    let plan = plan.unwrap();
    assert_eq!(order(&setting, &plan), [0, 1], "0.8 against 0.839 of mid, the best that is up");
    assert_eq!(plan.best, Some(1));
    assert_eq!(plan.candidates[2].removed_by, Some(RemovedBy::Health));
    assert_eq!(setting.choose(|inputs| inputs.healthy = &|_| false).unwrap_err().why, Why::Health);
}

#[test]
fn one_candidate_and_no_score_say_so() {
    let setting = setting(COST);
    let only = |id: TargetId| id.0 == 0;
    assert_eq!(setting.choose(|inputs| inputs.healthy = &only).unwrap().reason, Reason::OnlyAllowed);
    let plan = setting.choose(|inputs| inputs.difficulty = None).unwrap();
    assert_eq!(plan.reason, Reason::NoScore);
    assert_eq!(plan.candidates[0].p_good(), None, "no figure is made up");
    assert_eq!(order(&setting, &plan), [2, 3, 1, 0], "as for a prompt of middle difficulty");
}

#[test]
fn what_a_client_names_is_taken_by_weight_within_the_rules() {
    let setting = setting("{ minimise: cost, quality: { at_least: 0.95 }, latency: { first_token_p95_ms: 1 } }");
    let targets = [(TargetId(4), 50), (TargetId(0), 90), (TargetId(2), 10)];
    for (random, expected) in [(0, [0, 2]), (89, [0, 2]), (90, [2, 0]), (99, [2, 0]), (100, [0, 2])] {
        let named = Named { targets: &targets, random, reason: Reason::Alias };
        let plan = setting.choose(|inputs| inputs.named = Some(named)).unwrap();
        assert_eq!(order(&setting, &plan)[..2], expected, "the one in the US is not drawn");
        assert_eq!(plan.reason, Reason::Alias);
    }
    let one = [(TargetId(0), 1)];
    let named = Named { targets: &one, random: 7, reason: Reason::Named };
    let plan = setting.choose(|inputs| inputs.named = Some(named)).unwrap();
    assert_eq!((order(&setting, &plan)[0], plan.reason), (0, Reason::Named));
}

#[test]
fn a_tie_is_broken_by_latency_then_by_name() {
    let config = config(vec![
        target("b", Tier::Mid).price("1", "1"),
        target("a", Tier::Mid).price("1", "1"),
        target("c", Tier::Mid).price("1", "1"),
    ]);
    let (policy, _) = Policies::from_text(&format!("policy: p\nobjective: {COST}\n"), &config).unwrap();
    let setting = Setting { config, policy };
    let answer = |id: TargetId, _: Option<Effort>| Duration::from_millis(if id.0 == 2 { 1 } else { 2 });
    assert_eq!(order(&setting, &setting.choose(|inputs| inputs.answer = &answer).unwrap()), [2, 1, 0]);
}

#[test]
fn nothing_allowed_blames_the_rules() {
    let setting = setting(COST);
    let labels = labelled(&setting.policy, &[], &[]);
    let allowed =
        constrain(&setting.policy, &Circumstances::plain(&setting.config.tenants["acme"], &labels), &[TargetId(4)]);
    let ttft = |_: TargetId| Duration::ZERO;
    let inputs = Inputs {
        difficulty: None,
        input_tokens: 0,
        max_output: None,
        n: 1,
        needs: &[],
        effort: &|_| None,
        output: &|_, _| Expected::about(400),
        ttft: &ttft,
        answer: &|id, _| ttft(id),
        healthy: &|_| true,
        ceiling: None,
        named: None,
        calibrated: None,
        warm: None,
    };
    let none = choose(&allowed, &setting.policy.objective, &inputs.of_request(), &inputs).unwrap_err();
    assert_eq!(none.why, Why::Rules);
    assert_eq!(none.to_string(), "no candidate is left: rules");
}

#[test]
fn a_target_that_cannot_do_what_is_needed_is_asked_last() {
    let mut setting = setting(COST);
    let states = |target: &mut Arc<Target>, words: &[&str]| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Arc::make_mut(target).facts.set(FactName::Supports, Fact::Set(words));
    };
    states(&mut setting.config.targets[0], &["tools"]);
    states(&mut setting.config.targets[1], &["tools", "images"]);
    let text = format!("policy: p\nobjective: {COST}\n");
    setting.policy = Policies::from_text(&text, &setting.config).unwrap().0;
    let easy = |inputs: &mut Inputs<'_>| inputs.difficulty = Some(0.0);
    assert_eq!(order(&setting, &setting.choose(easy).unwrap())[0], 0, "nothing is needed");
    let plan = setting
        .choose(|inputs| {
            inputs.difficulty = Some(0.0);
            inputs.needs = &["images"];
        })
        .unwrap();
    assert_ne!(order(&setting, &plan)[0], 0, "it states that it has no images");
    assert_eq!(order(&setting, &plan).last(), Some(&0), "and is still there if all others fail");
}

#[test]
fn measured_qualities_decide_with_their_own_threshold() {
    let setting = setting(COST);
    // own is nearly as good as big; mid, which its tier would put between them, is bad.
    let p = |id: TargetId, _: Option<Effort>| {
        [Some(0.80), Some(0.40), Some(0.88), Some(0.87)].get(id.index()).copied().flatten()
    };
    let calibrated = Some(Calibrated { choices: &one, p_good: &p, tau: Some(0.1) });
    let plan = setting.choose(|inputs| inputs.calibrated = calibrated).unwrap();
    assert_eq!((order(&setting, &plan)[0], plan.basis, plan.tau), (0, Basis::Calibrated, Some(0.1)));
    assert_eq!(plan.candidates[1].p_good(), Some(0.40));
    assert_eq!(plan.candidates[4].p_good(), None, "removed and not measured: no figure that compares");
    let calibrated = Some(Calibrated { choices: &one, p_good: &p, tau: Some(0.05) });
    let plan = setting.choose(|inputs| inputs.calibrated = calibrated).unwrap();
    assert_eq!(order(&setting, &plan), [2, 3, 0, 1], "fallbacks by measured quality");
}

#[test]
fn a_calibration_that_does_not_cover_the_case_claims_nothing() {
    let setting = setting(COST);
    let all = |_: TargetId, _: Option<Effort>| Some(0.9);
    let some = |id: TargetId, _: Option<Effort>| (id.0 > 0).then_some(0.9);
    let (up, first_down) = (|_: TargetId| true, |id: TargetId| id.0 > 0);
    let basis = |calibrated, difficulty, healthy| {
        let plan = setting.choose(|inputs| {
            (inputs.calibrated, inputs.difficulty, inputs.healthy) = (Some(calibrated), difficulty, healthy);
        });
        plan.unwrap().basis
    };
    let every = Calibrated { choices: &one, p_good: &all, tau: Some(0.1) };
    let all_but_one = Calibrated { choices: &one, p_good: &some, tau: Some(0.1) };
    assert_eq!(basis(every, Some(0.5), &up as &dyn Fn(TargetId) -> bool), Basis::Calibrated);
    assert_eq!(basis(Calibrated { tau: None, ..every }, Some(0.5), &up), Basis::Prior, "no threshold");
    assert_eq!(basis(all_but_one, Some(0.5), &up), Basis::Prior, "not all were measured");
    assert_eq!(basis(every, None, &up), Basis::Prior, "no score");
    assert_eq!(
        basis(all_but_one, Some(0.5), &first_down),
        Basis::Calibrated,
        "what cannot be asked need not be measured"
    );
}

#[test]
fn where_calibration_is_required_nothing_below_the_best_is_chosen_without_it() {
    let setting = setting("{ minimise: cost, quality: { at_least: 0.95, require_calibration: true } }");
    let plan = setting.choose(|inputs| inputs.difficulty = Some(0.01)).unwrap();
    assert_eq!((order(&setting, &plan)[0], plan.reason), (2, Reason::BestQuality));
    let all = |_: TargetId, _: Option<Effort>| Some(0.9);
    let calibrated = Some(Calibrated { choices: &one, p_good: &all, tau: Some(0.1) });
    let plan = setting.choose(|inputs| inputs.calibrated = calibrated).unwrap();
    assert_eq!((order(&setting, &plan)[0], plan.reason), (0, Reason::CheapestGoodEnough));
}

#[test]
fn a_reasoner_does_not_win_by_thinking_aloud() {
    let answers = |id: TargetId, _: Option<Effort>| Duration::from_secs(if id.0 == 1 { 20 } else { 2 });
    let fastest = setting("{ minimise: latency, quality: { at_least: 0.9 } }");
    let plan = fastest.choose(|inputs| inputs.answer = &answers).unwrap();
    assert_eq!(order(&fastest, &plan), [2, 3, 1, 0], "mid has the first token first, and its answer last");
    let capped = setting("{ minimise: none, latency: { first_token_p95_ms: 350, first_answer_token_p95_ms: 8000 } }");
    let plan = capped.choose(|inputs| inputs.answer = &answers).unwrap();
    assert_eq!(order(&capped, &plan), [2, 0]);
    for slow in [1, 3] {
        assert_eq!(plan.candidates[slow].removed_by, Some(RemovedBy::Latency));
    }
    let named = [(TargetId(1), 1)];
    let named = Some(Named { targets: &named, random: 0, reason: Reason::Named });
    let plan = capped.choose(|inputs| (inputs.answer, inputs.named) = (&answers, named)).unwrap();
    assert_eq!(order(&capped, &plan)[0], 1, "what is named may take its time");
}

/// own and mid at low and high effort, big at its own.
fn two_efforts(id: TargetId, into: &mut Vec<Choice>) {
    let efforts: &[Option<Effort>] = if id.0 < 2 { &[Some(Effort::Low), Some(Effort::High)] } else { &[None] };
    into.extend(efforts.iter().map(|&effort| (effort, by_effort(id, effort))));
}

fn by_effort(id: TargetId, effort: Option<Effort>) -> Option<f32> {
    match (id.0, effort) {
        (0, Some(Effort::Low)) => Some(0.5),
        (0, Some(Effort::High)) => Some(0.7),
        (1, Some(Effort::Low)) => Some(0.75),
        (1, Some(Effort::High)) => Some(0.88),
        (2 | 3, None) => Some(0.9),
        _ => None,
    }
}

fn longer_when_thinking(_: TargetId, effort: Option<Effort>) -> Expected {
    Expected::about(if effort == Some(Effort::High) { 4000 } else { 400 })
}

#[test]
fn a_candidate_is_a_target_at_one_effort_and_the_cheapest_good_enough_is_chosen() {
    let setting = setting(COST);
    let chosen = |tau| {
        let calibrated = Some(Calibrated { choices: &two_efforts, p_good: &by_effort, tau: Some(tau) });
        let plan = setting.choose(|inputs| {
            (inputs.calibrated, inputs.output) = (calibrated, &longer_when_thinking);
        });
        let plan = plan.unwrap();
        let candidate = plan.chosen().unwrap();
        (candidate.target.0, candidate.effort, plan)
    };
    let (target, effort, plan) = chosen(0.05);
    assert_eq!((target, effort), (1, Some(Effort::High)), "at low effort it is not good enough");
    assert_eq!(plan.candidates.len(), 7, "two targets at two efforts, two at one, and the one that is not allowed");
    let figures = |place: usize| (plan.candidates[place].target.0, plan.candidates[place].effort);
    assert_eq!((figures(2), figures(3)), ((1, Some(Effort::Low)), (1, Some(Effort::High))));
    assert_eq!(plan.candidates[3].expected_cost, Some(NanoUsd(500 * 1000 + 4000 * 1500)));
    assert_eq!(plan.candidates[3].output.p90, 16_000);
    assert_eq!(order(&setting, &plan), [1, 2, 3, 0], "a target that failed is not asked again with another effort");
    assert_eq!(chosen(0.2).0, 0);
    assert_eq!((chosen(0.2).1, chosen(0.5).1), (Some(Effort::High), Some(Effort::Low)), "more is only paid for need");
}

#[test]
fn without_a_calibration_that_holds_no_effort_is_chosen() {
    let setting = setting(COST);
    let calibrated = Some(Calibrated { choices: &two_efforts, p_good: &by_effort, tau: None });
    let plan = setting.choose(|inputs| inputs.calibrated = calibrated).unwrap();
    assert_eq!((plan.basis, plan.candidates.len()), (Basis::Prior, 5));
    assert!(plan.candidates.iter().all(|candidate| candidate.effort.is_none()));
}

#[test]
fn a_clients_own_effort_stays_and_counts_only_where_it_was_measured() {
    let setting = setting(COST);
    let calibrated = Some(Calibrated { choices: &one, p_good: &by_effort, tau: Some(0.05) });
    let high = |id: TargetId| (id.0 < 2).then_some(Effort::High);
    let plan = setting.choose(|inputs| (inputs.effort, inputs.calibrated) = (&high, calibrated)).unwrap();
    assert_eq!((plan.basis, plan.chosen().unwrap().effort), (Basis::Calibrated, Some(Effort::High)));
    assert_eq!(plan.candidates.len(), 5);
    let medium = |id: TargetId| (id.0 < 2).then_some(Effort::Medium);
    let plan = setting.choose(|inputs| (inputs.effort, inputs.calibrated) = (&medium, calibrated)).unwrap();
    assert_eq!((plan.basis, plan.candidates[1].effort), (Basis::Prior, Some(Effort::Medium)), "nobody measured it");
}

/// `a` at 10 dollars, of which the cache takes 9 off; `b` at 2, whose cache costs 3 to write.
fn cached() -> Setting {
    let mut config = config(vec![target("a", Tier::Mid), target("b", Tier::Mid)]);
    let rate = |usd: &str| Rate::per_million(usd.parse().unwrap());
    let dear = Rates { cached_input: rate("1"), ..Rates::plain(rate("10"), rate("10")) };
    let cheap = Rates { cache_write: rate("3"), ..Rates::plain(rate("2"), rate("2")) };
    for (target, rates) in config.targets.iter_mut().zip([dear, cheap]) {
        Arc::make_mut(target).price = Some(Price::flat(rates));
    }
    let (policy, _) = Policies::from_text(&format!("policy: p\nobjective: {COST}\n"), &config).unwrap();
    Setting { config, policy }
}

#[test]
fn a_conversation_stays_where_its_cache_saves_more_than_another_target_would() {
    let setting = cached();
    let plan = |tokens| {
        let warm = Some(Warm { target: TargetId(0), tokens });
        setting.choose(|inputs| (inputs.warm, inputs.input_tokens) = (warm, 10_000)).unwrap()
    };
    let cold = plan(0);
    assert_eq!((order(&setting, &cold)[0], cold.reason), (1, Reason::CheapestGoodEnough));
    // b saves 8 dollars a million on 10,400 tokens; going there loses 9 and pays 1 more on those that are cached.
    let gain = NanoUsd(10_400 * 8000);
    let place = |tokens| plan(tokens).candidates[1].switching;
    assert_eq!((place(8320), place(1)), (gain, NanoUsd(10_000)));
    let equal = plan(8320);
    assert_eq!(
        (order(&setting, &equal)[0], equal.reason),
        (0, Reason::Sticky),
        "a tie is broken by latency, and a is first"
    );
    let warm = plan(9000);
    assert_eq!((order(&setting, &warm)[0], warm.reason), (0, Reason::Sticky));
    assert_eq!(warm.candidates[0].switching, NanoUsd::ZERO);
    let cool = plan(8000);
    assert_eq!((order(&setting, &cool)[0], cool.reason), (1, Reason::CheapestGoodEnough));
    assert_eq!(place(50_000), place(10_000), "no more is cached than is sent");
}

#[test]
fn a_warm_cache_keeps_nobody_whom_ceilings_health_quality_or_another_aim_rule_out() {
    let setting = cached();
    let warm = Some(Warm { target: TargetId(0), tokens: 9000 });
    let first = |change: &dyn Fn(&mut Inputs<'_>)| {
        let plan = setting.choose(|inputs| {
            (inputs.warm, inputs.input_tokens) = (warm, 10_000);
            change(inputs);
        });
        let plan = plan.unwrap();
        (order(&setting, &plan)[0], plan.candidates[1].switching)
    };
    assert_eq!(first(&|_| {}).0, 0);
    let nothing_to_leave = (1, NanoUsd::ZERO);
    assert_eq!(first(&|inputs| inputs.healthy = &|id| id.0 == 1), nothing_to_leave);
    assert_eq!(first(&|inputs| inputs.ceiling = Some(NanoUsd(10_400 * 5000))), nothing_to_leave);
    let named = [(TargetId(1), 1)];
    let plan = setting.choose(|inputs| {
        inputs.warm = warm;
        inputs.named = Some(Named { targets: &named, random: 0, reason: Reason::Named });
    });
    assert_eq!(plan.unwrap().reason, Reason::Named);
    let p = |id: TargetId, _: Option<Effort>| Some(if id.0 == 0 { 0.5 } else { 0.9 });
    let calibrated = Some(Calibrated { choices: &one, p_good: &p, tau: Some(0.05) });
    let plan = setting.choose(|inputs| (inputs.warm, inputs.calibrated) = (warm, calibrated)).unwrap();
    assert_eq!((order(&setting, &plan)[0], plan.reason), (1, Reason::CheapestGoodEnough), "a is not good enough");
    for other in ["{ minimise: latency }", "{ minimise: none }"] {
        let mut setting = cached();
        let text = format!("policy: p\nobjective: {other}\n");
        setting.policy = Policies::from_text(&text, &setting.config).unwrap().0;
        let plan = setting.choose(|inputs| inputs.warm = warm).unwrap();
        assert!(plan.reason != Reason::Sticky && plan.candidates[1].switching == NanoUsd::ZERO);
    }
}

#[test]
fn a_machine_that_is_paid_for_is_chosen_as_free_and_still_has_its_price() {
    let mut setting = setting("{ minimise: cost }");
    let big = Arc::make_mut(&mut setting.config.targets[2]);
    big.price = big.price.take().map(Price::sunk);
    let text = "policy: p\nrules: [{ name: eea, require: { location.countries: { in: EEA } } }]\nobjective: { minimise: cost }\n";
    setting.policy = Policies::from_text(text, &setting.config).unwrap().0;
    let plan = setting.choose(|_| {}).unwrap();
    assert_eq!((order(&setting, &plan)[0], plan.candidates[2].expected_cost), (2, Some(NanoUsd::ZERO)));
}

#[test]
fn reasoning_that_has_a_price_of_its_own_is_routed_by_it() {
    let mut setting = setting("{ minimise: cost }");
    let big = Arc::make_mut(&mut setting.config.targets[2]);
    big.reasoning.style = Some(Style::Always);
    let per_token = |nusd: i64| Rate(nusd * 1_000_000);
    let rates = Rates { reasoning: Some(per_token(100_000)), ..Rates::plain(Rate(0), per_token(1000)) };
    big.price = Some(Price::flat(rates));
    big.max_output = Some(9000);
    let text = "policy: p\nrules: [{ name: eea, require: { location.countries: { in: EEA } } }]\nobjective: { minimise: cost }\n";
    setting.policy = Policies::from_text(text, &setting.config).unwrap().0;
    let reasoning = lengths::reasoning(&setting.config.targets[2], None);
    let cost = |median: u64, n: u32, most: Option<u64>| {
        let output = |_, _| Expected::about(median);
        let plan = setting.choose(|inputs| (inputs.output, inputs.n, inputs.max_output) = (&output, n, most)).unwrap();
        plan.candidates.iter().find(|it| it.target == TargetId(2)).unwrap().expected_cost.unwrap().0
    };
    let usual = lengths::ANSWER + reasoning;
    let expected = |answer: u64, reasoning: u64| i64::try_from(answer * 1000 + reasoning * 100_000).unwrap();
    assert_eq!(cost(usual, 1, None), expected(lengths::ANSWER, reasoning), "as the default tells");
    assert_eq!(cost(usual / 2, 3, None), expected(3 * (lengths::ANSWER / 2), 3 * (reasoning / 2)), "the share stays");
    assert_eq!(cost(usual, 1, Some(100)), expected(0, 100), "reasoning comes first, and the limit ends it");
    assert_eq!(cost(100_000, 1, None), expected(0, 9000), "as does the model's own");
}
