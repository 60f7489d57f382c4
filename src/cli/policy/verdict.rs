//! Runs one case through `constrain` and `choose`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::cases::{Case, Expect, Given};
use crate::chance::Chance;
use crate::chat::{Effort, Text};
use crate::config::{Config, LabelSource};
use crate::detect::{Detectors, Findings};
use crate::gateway::{self, Calibrated, Forecast};
use crate::id::TargetId;
use crate::policy::labels::Declaration;
use crate::policy::{
    Allowed, Circumstances, Declared, LabelSources, MaySet, Policies, Raise, RequestFacts, SetBy, constrain, labels,
};
use crate::route::latency::{self, Observed, Prior};
use crate::route::{self, Candidate, Expected, Inputs, Known, Named, NoCandidate, Plan, Reason, Why, lengths};

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    /// It could not be judged: it names what does not exist.
    Broken(String),
    Failed {
        differences: Vec<Difference>,
        /// Every target that was considered, and what became of it.
        candidates: Vec<String>,
    },
}

/// One expectation that was not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) expected: String,
    pub(super) got: String,
}

/// Scores the prompt of a case that states no score.
pub(super) type Scorer<'a> = dyn FnMut(&[Text]) -> Result<f32, String> + 'a;

/// Judges a case.
pub(super) fn judge(
    case: &Case,
    config: &Config,
    policies: &Policies,
    calibrated: Option<&Calibrated>,
    detectors: &Detectors,
    scorer: &mut Scorer<'_>,
) -> Verdict {
    let (allowed, chosen) = match run(case, config, policies, calibrated, detectors, scorer) {
        Ok(ran) => ran,
        Err(message) => return Verdict::Broken(message),
    };
    let mut differences = Vec::new();
    for expect in &case.expect {
        match differs(expect, &allowed, &chosen, config) {
            Ok(found) => differences.extend(found),
            Err(message) => return Verdict::Broken(message),
        }
    }
    if differences.is_empty() {
        return Verdict::Passed;
    }
    let candidates = match &chosen {
        Ok(plan) => &plan.candidates,
        Err(none) => &none.candidates,
    };
    Verdict::Failed { differences, candidates: candidates.iter().map(|candidate| show(candidate, &allowed)).collect() }
}

type Chosen = Result<Plan, NoCandidate>;

fn run(
    case: &Case,
    config: &Config,
    policies: &Policies,
    calibrated: Option<&Calibrated>,
    detectors: &Detectors,
    scorer: &mut Scorer<'_>,
) -> Result<(Allowed, Chosen), String> {
    let given = &case.given;
    let tenant =
        config.tenants.get(given.tenant.as_str()).ok_or_else(|| format!("there is no tenant `{}`", given.tenant))?;
    let name = case.policy.as_deref().unwrap_or(tenant.policy.as_str());
    let policy = policies.get(name).ok_or_else(|| format!("there is no policy `{name}`"))?;
    // Nothing here can read a picture, a sound or a file.
    let unscanned = given.facts.unscanned || given.facts.media;
    let mut raised = detected(detectors, &given.texts);
    if let Some(value) = tenant.unscanned_as.as_deref().filter(|_| unscanned) {
        raised.push(Raise { name: detectors.label(), value, by: SetBy::Unscanned });
    }
    let (claim, key): (BTreeMap<_, _>, BTreeMap<_, _>) =
        given.labels.iter().cloned().partition(|(name, _)| is_claimed(policies.labels(), name));
    let sources = LabelSources {
        floor: &tenant.floor,
        key: &key,
        claim: &claim,
        raised: &raised,
        client: &given.client,
        may_set: MaySet::All,
    };
    let labels = labels::resolve(policies.labels(), &sources).map_err(|error| error.to_string())?;

    for name in &given.down {
        find(config, name)?;
    }
    let meant = config.meant_by(&given.model).ok_or_else(|| format!("there is no model `{}`", given.model))?;
    let considered: Vec<TargetId> = match meant.weighted() {
        Some(named) => named.iter().map(|(id, _)| *id).collect(),
        None => config.targets.iter().map(|target| target.id).collect(),
    };
    let request = RequestFacts { model: &given.model, input_tokens: input_tokens(given), unscanned, ..given.facts };
    let of = Circumstances { tenant, team: &given.team, key: &given.key, labels: &labels, request };
    let allowed = constrain(policy, &of, &considered);

    let difficulty = match (given.score, given.texts.is_empty()) {
        (Some(score), _) => Some(score),
        (None, true) => None,
        (None, false) => Some(scorer(&given.texts).map_err(|why| format!("the prompt cannot be scored: {why}"))?),
    };
    let now = Instant::now();
    let times = Observed::new(config.targets.iter().map(|target| Prior::of(target)), now);
    let lengths = gateway::lengths(config, calibrated);
    let by_last = calibrated.and_then(Calibrated::by_last);
    let known = Stated {
        down: config.targets.iter().map(|target| given.down.iter().any(|name| name == target.name.as_str())).collect(),
        forecast: by_last.zip(difficulty).map(|(calibrated, difficulty)| calibrated.forecast(difficulty, None)),
        lengths: lengths.at(difficulty),
        times: times.at(now),
    };
    let inputs = Inputs {
        difficulty,
        input_tokens: input_tokens(given),
        max_output: given.max_tokens,
        n: given.n,
        needs: &[],
        ceiling: given.max_cost,
        named: meant.weighted().map(|targets| Named { targets, random: 0, reason: Reason::Named }),
        calibrated: by_last.map(|calibrated| route::Calibrated { tau: calibrated.tau(&policy.objective) }),
        warm: None,
    };
    let chosen = route::choose(&allowed, &policy.objective, &inputs, &known);
    Ok((allowed, chosen))
}

/// What is known of targets that nobody has asked anything: what is stated of them.
struct Stated<'a> {
    /// By target.
    down: Vec<bool>,
    forecast: Option<Forecast<'a>>,
    lengths: lengths::Now<'a>,
    times: latency::Now<'a>,
}

impl Known for Stated<'_> {
    fn is_healthy(&self, target: TargetId) -> bool {
        self.down.get(target.index()) == Some(&false)
    }

    fn effort(&self, _: TargetId) -> Option<Effort> {
        None
    }

    fn output(&self, target: TargetId, effort: Option<Effort>) -> Expected {
        self.lengths.expected(target, effort)
    }

    fn ttft(&self, target: TargetId) -> Duration {
        self.times.first_token_p95(target)
    }

    fn answer(&self, target: TargetId, effort: Option<Effort>) -> Duration {
        self.times.first_answer_p95(target, effort)
    }

    fn choices(&self, target: TargetId, each: impl FnMut(Option<Effort>, Chance)) {
        if let Some(forecast) = self.forecast {
            forecast.choices(target, |_| true, each);
        }
    }

    fn p_good(&self, target: TargetId, effort: Option<Effort>) -> Option<Chance> {
        self.forecast?.p_good(target, effort)
    }
}

/// Whether the operator's word for a label comes by the token, since no key may set it.
fn is_claimed(declared: &Declared, name: &str) -> bool {
    let label = declared.position(name).and_then(|place| declared.get(place));
    label.and_then(Declaration::set_by_operator) == Some(LabelSource::Claim)
}

/// The lowest values that the case's texts set.
fn detected<'d>(detectors: &'d Detectors, texts: &[Text]) -> Vec<Raise<'d>> {
    let mut findings = Findings::default();
    for text in texts {
        detectors.look(&text.text, "", &mut findings);
    }
    let raises = detectors.found(&findings).filter_map(|found| {
        let by = SetBy::Detected(found.detector.source());
        Some(Raise { name: detectors.label(), value: found.raises_to?, by })
    });
    raises.collect()
}

/// As stated, else four bytes a token, as the gateway estimates.
fn input_tokens(given: &Given) -> u64 {
    if let Some(stated) = given.input_tokens {
        return stated;
    }
    let bytes: usize = given.texts.iter().map(|text| text.text.len()).sum();
    u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX)
}

fn find(config: &Config, name: &str) -> Result<TargetId, String> {
    let target = config.targets.iter().find(|target| target.name.as_str() == name);
    target.map(|target| target.id).ok_or_else(|| format!("there is no target `{name}`"))
}

/// What differs from the expectation; empty if nothing does.
fn differs(expect: &Expect, allowed: &Allowed, chosen: &Chosen, config: &Config) -> Result<Vec<Difference>, String> {
    match expect {
        Expect::Target(name) => {
            find(config, name)?;
            let got = match chosen {
                Ok(plan) => plan.chosen().and_then(|candidate| allowed.target(candidate.target)),
                Err(_) => None,
            };
            if got.is_some_and(|target| target.name.as_str() == name) {
                return Ok(Vec::new());
            }
            Ok(vec![Difference { expected: name.clone(), got: outcome(allowed, chosen) }])
        }
        Expect::DeniedBy(names) => {
            let blamed: Vec<&str> = match chosen {
                Ok(_) => Vec::new(),
                Err(none) if none.why == Why::Rules => allowed.rules().map(|rule| rule.as_str()).collect(),
                Err(none) => vec![none.why.as_str()],
            };
            if !names.is_empty() && names.iter().all(|name| blamed.contains(&name.as_str())) {
                return Ok(Vec::new());
            }
            let expected = format!("a denial by {}", names.join(", "));
            Ok(vec![Difference { expected, got: outcome(allowed, chosen) }])
        }
        Expect::Never(conditions) => {
            let mut differences = Vec::new();
            for id in allowed.permitted() {
                let Some(target) = allowed.target(id) else { continue };
                for condition in conditions.iter().filter(|condition| condition.hits(&target.facts)) {
                    let got = match target.facts.get(condition.fact) {
                        Some(fact) => format!("{} allowed, with {}", target.name, fact.shown(condition.fact)),
                        None => format!("{} allowed, which does not state it", target.name),
                    };
                    differences.push(Difference { expected: format!("never {condition}"), got });
                }
            }
            Ok(differences)
        }
    }
}

fn outcome(allowed: &Allowed, chosen: &Chosen) -> String {
    match chosen {
        Ok(plan) => {
            let target = plan.chosen().and_then(|candidate| allowed.target(candidate.target));
            let name = target.map_or("nothing", |target| target.name.as_str());
            format!("{name} ({})", plan.reason.as_str())
        }
        Err(none) if none.why == Why::Rules => {
            let rules: Vec<&str> = allowed.rules().map(|rule| rule.as_str()).collect();
            format!("a denial by {}", rules.join(", "))
        }
        Err(none) => format!("a denial by {}", none.why.as_str()),
    }
}

fn show(candidate: &Candidate, allowed: &Allowed) -> String {
    let name = allowed.target(candidate.target).map_or("", |target| target.name.as_str());
    let name = match candidate.effort {
        Some(effort) => format!("{name} at {}", effort.as_str()),
        None => name.to_owned(),
    };
    if let Some(removal) = allowed.why_removed(candidate.target) {
        return format!("{name}: removed by {} ({})", removal.rule, removal.detail);
    }
    let cost = candidate.expected_cost.map_or_else(|| "unknown".to_owned(), |cost| format!("{cost} USD"));
    let p_good = candidate.p_good().map_or_else(|| "-".to_owned(), |p| format!("{p:.2}"));
    let removed = candidate.removed_by.map_or_else(String::new, |by| format!(", removed by {}", by.as_str()));
    let (first, answer) = (candidate.ttft.as_millis(), candidate.answer.as_millis());
    format!("{name}: cost {cost}, p_good {p_good}, first token {first} ms, answer {answer} ms{removed}")
}
