//! Reads the labels: prompts with outcomes, and feedback with the decisions that it is about.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;

use super::costs::{cost, costs, paid};
use crate::chat::{Effort, OwnEffort};
use crate::cli::lines;
use crate::cli::progress::Progress;
use crate::cli::score::{Scored, Scorer};
use crate::config::{Config, Target};
use crate::quality::data::{self, Decision, Line, Prompt};
use crate::quality::{self, Labelled, Outcome};

/// Mistakes told before the rest is only counted.
const TOLD: usize = 5;

/// What routing can choose: a target, asked with an effort.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) target: String,
    pub(super) effort: Option<String>,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.effort {
            Some(effort) => write!(f, "{} ({effort})", self.target),
            None => f.write_str(&self.target),
        }
    }
}

/// All labels, scored.
pub(super) struct Gathered {
    /// Candidates; outcomes name them by their place.
    pub(super) names: Vec<Name>,
    pub(super) labelled: Vec<Labelled>,
    /// Whether the target of each can be asked so.
    sayable: Vec<bool>,
    /// Output tokens of each, as far as they were told.
    output: Vec<Vec<u64>>,
    /// Mean cost of each candidate in nano-USD; ranks where prices are not known.
    pub(super) costs: Vec<f64>,
    /// Whether costs are money.
    pub(super) priced: bool,
    /// What is odd.
    pub(super) warnings: Vec<String>,
}

impl Gathered {
    /// What routing is to choose among: each target at every effort that has labels enough, if enough prompts were
    /// answered by all of these; else at one, its own effort or the one that was seen most.
    pub(super) fn routed(&self) -> Vec<usize> {
        let all = self.fitted();
        let paired = self
            .labelled
            .iter()
            .filter(|prompt| all.iter().all(|place| prompt.outcomes.iter().any(|outcome| outcome.candidate == *place)));
        if paired.count() >= crate::quality::FEWEST { all } else { self.one_each() }
    }

    /// What routing does not choose among although it has a curve.
    pub(super) fn left_unrouted(&self, routed: &[usize]) -> Option<String> {
        let names: Vec<String> = self
            .fitted()
            .into_iter()
            .filter(|place| !routed.contains(place))
            .map(|place| self.names[place].to_string())
            .collect();
        let few = crate::quality::FEWEST;
        (!names.is_empty()).then(|| {
            format!(
                "{} only tell what they are like: routing chooses one effort a target, since fewer than {few} prompts have \
                 an outcome at every target and effort",
                names.join(", ")
            )
        })
    }

    /// Places with labels enough for a curve, of efforts that the target can be asked with.
    fn fitted(&self) -> Vec<usize> {
        let labels = self.labels();
        (0..self.names.len()).filter(|&place| labels[place] >= crate::quality::FEWEST && self.sayable[place]).collect()
    }

    fn labels(&self) -> Vec<usize> {
        let mut labels = vec![0; self.names.len()];
        for outcome in self.labelled.iter().flat_map(|prompt| &prompt.outcomes) {
            labels[outcome.candidate] += 1;
        }
        labels
    }

    /// Median of the output tokens at a place, where any were told.
    pub(super) fn output(&self, place: usize) -> Option<u64> {
        let mut tokens = self.output.get(place)?.clone();
        tokens.sort_unstable();
        tokens.get(tokens.len() / 2).copied()
    }

    fn one_each(&self) -> Vec<usize> {
        let labels = self.labels();
        let mut routed: BTreeMap<&str, usize> = BTreeMap::new();
        for place in self.fitted() {
            let name = &self.names[place];
            let held = routed.entry(name.target.as_str()).or_insert(place);
            let rank = |place: usize| (self.names[place].effort.is_none(), labels[place]);
            if rank(place) > rank(*held) {
                *held = place;
            }
        }
        routed.into_values().collect()
    }

    /// For a refusal: what did not count.
    pub(super) fn left_out(&self) -> String {
        self.warnings.iter().map(|warning| format!("\n  {warning}")).collect()
    }
}

/// The labels by the last stage's scores, and by the linear head's where it is another.
pub(super) fn gather(
    text: &str,
    path: &Path,
    config: Option<&Config>,
    scorer: &Scorer,
) -> Result<(Gathered, Option<Gathered>), String> {
    let read = read(text, path)?;
    let mut by_last = Gatherer::new(config);
    let mut by_linear = scorer.linear.as_ref().map(|linear| (Gatherer::new(config), linear));
    let progress = Progress::new("scoring", read.prompts.len());
    for (number, prompt) in &read.prompts {
        let scored = scorer
            .score(prompt.messages.get())
            .map_err(|error| format!("{}:{number}: this prompt cannot be scored: {error}", path.display()))?;
        if let Some((by_linear, _)) = &mut by_linear {
            by_linear.prompt(prompt, scored.by_linear());
        }
        by_last.prompt(prompt, scored);
        progress.step();
    }
    drop(progress);
    by_last.feedback(&read, &scorer.last, scorer.linear.as_ref());
    let by_linear = by_linear.map(|(mut by_linear, linear)| {
        by_linear.feedback(&read, linear, Some(&scorer.last));
        by_linear.finish()
    });
    Ok((by_last.finish(), by_linear))
}

#[derive(Default)]
struct Read {
    prompts: Vec<(usize, Prompt)>,
    decisions: HashMap<String, Decision>,
    /// By decision; the last word counts.
    feedback: BTreeMap<String, f64>,
}

fn read(text: &str, path: &Path) -> Result<Read, String> {
    let mut read = Read::default();
    let mut mistakes = Vec::new();
    for (number, line) in lines::numbered(text) {
        match data::line(line) {
            Ok(Line::Prompt(prompt)) => read.prompts.push((number, prompt)),
            Ok(Line::Decision(decision)) => {
                read.decisions.insert(decision.id.clone(), decision);
            }
            Ok(Line::Feedback { decision, score }) => {
                read.feedback.insert(decision, score);
            }
            Ok(Line::Other) => {}
            Err(error) => mistakes.push(format!("{}:{number}: {error}", path.display())),
        }
    }
    if mistakes.is_empty() {
        return Ok(read);
    }
    let more = mistakes.len().saturating_sub(TOLD);
    mistakes.truncate(TOLD);
    if more > 0 {
        mistakes.push(format!("and {more} more"));
    }
    Err(mistakes.join("\n"))
}

struct Gatherer<'a> {
    config: Option<&'a Config>,
    places: BTreeMap<Name, usize>,
    names: Vec<Name>,
    labelled: Vec<Labelled>,
    sayable: Vec<bool>,
    output: Vec<Vec<u64>>,
    /// Outcomes at targets that are not configured, by name.
    strangers: BTreeMap<String, usize>,
    /// Feedback that says nothing: its decision is not here, or was scored by another classifier.
    unknown: usize,
    other_scores: usize,
    /// Feedback on answers at an effort that nobody knows.
    no_degree: usize,
}

impl<'a> Gatherer<'a> {
    fn new(config: Option<&'a Config>) -> Self {
        Self {
            config,
            places: BTreeMap::new(),
            names: Vec::new(),
            labelled: Vec::new(),
            sayable: Vec::new(),
            output: Vec::new(),
            strangers: BTreeMap::new(),
            unknown: 0,
            other_scores: 0,
            no_degree: 0,
        }
    }

    fn prompt(&mut self, prompt: &Prompt, scored: Scored) {
        let mut outcomes = Vec::new();
        for measured in &prompt.outcomes {
            let Some((candidate, target)) = self.candidate(&measured.target, measured.effort.as_ref()) else {
                continue;
            };
            if outcomes.iter().any(|other: &Outcome| other.candidate == candidate) {
                continue;
            }
            self.output[candidate].extend(measured.output_tokens);
            let cost = target.and_then(|target| cost(target, measured, scored.input_tokens));
            outcomes.push(Outcome { candidate, good: measured.score, cost });
        }
        if !outcomes.is_empty() {
            self.labelled.push(Labelled { difficulty: scored.difficulty, vector: scored.vector, outcomes });
        }
    }

    /// Feedback on decisions by this stage's scores. Those by the other stage's are for another calibration.
    fn feedback(&mut self, read: &Read, stage: &quality::Scorer, other: Option<&quality::Scorer>) {
        for (id, score) in &read.feedback {
            let Some(decision) = read.decisions.get(id) else {
                self.unknown += 1;
                continue;
            };
            let is_of = |stage: &quality::Scorer| decision.classifier == stage.hash && decision.stage == stage.stage;
            if !is_of(stage) {
                self.other_scores += usize::from(!other.is_some_and(is_of));
                continue;
            }
            if decision.effort.as_deref() == Some(OwnEffort::NO_DEGREE) {
                self.no_degree += 1;
                continue;
            }
            let Some((candidate, target)) = self.candidate(&decision.target, decision.effort.as_ref()) else {
                continue;
            };
            let cost = target.and_then(|target| target.price.as_ref()).map(|price| paid(price, decision));
            let outcomes = vec![Outcome { candidate, good: *score, cost }];
            self.labelled.push(Labelled { difficulty: decision.difficulty, vector: None, outcomes });
        }
    }

    /// The candidate of this name; with a configuration only what is configured, by `model@provider` or, where it is
    /// clear, by the model alone.
    fn candidate(&mut self, name: &str, effort: Option<&String>) -> Option<(usize, Option<&'a Target>)> {
        let target = match self.config {
            None => None,
            Some(config) => match find(config, name) {
                Some(target) => Some(target),
                None => {
                    *self.strangers.entry(name.to_owned()).or_default() += 1;
                    return None;
                }
            },
        };
        let target_name = target.map_or(name, |target| target.name.as_str()).to_owned();
        // One that no effort reaches answers always the same.
        let effort = effort.filter(|_| target.is_none_or(|target| !target.ignores_effort()));
        let name = Name { target: target_name, effort: effort.cloned() };
        if let Some(place) = self.places.get(&name) {
            return Some((*place, target));
        }
        let place = self.names.len();
        self.sayable.push(target.is_none_or(|target| can_be_asked(target, name.effort.as_deref())));
        self.output.push(Vec::new());
        self.names.push(name.clone());
        self.places.insert(name, place);
        Some((place, target))
    }

    fn finish(self) -> Gathered {
        let mut warnings = Vec::new();
        for (name, count) in &self.strangers {
            warnings.push(format!("{count} outcomes at `{name}` are left out: no such target is configured"));
        }
        if self.unknown > 0 {
            warnings.push(format!(
                "{} feedback lines are left out: their decision is not in the file or has no score",
                self.unknown
            ));
        }
        if self.other_scores > 0 {
            warnings.push(format!(
                "{} feedback lines are left out: another classifier scored their prompts",
                self.other_scores
            ));
        }
        if self.no_degree > 0 {
            warnings.push(format!(
                "{} feedback lines are left out: the client itself said how much to reason, and in no degree",
                self.no_degree
            ));
        }
        for (name, _) in self.names.iter().zip(&self.sayable).filter(|(_, sayable)| !**sayable) {
            warnings.push(format!("{name} is not routed: the target cannot be asked with this effort"));
        }
        let mut labelled = self.labelled;
        let (costs, priced) = costs(&mut labelled, self.names.len());
        if !priced && self.names.len() > 1 {
            warnings.push(
                "prices are not known for every target: the worse on average is taken to be the cheaper".to_owned(),
            );
        }
        Gathered { names: self.names, labelled, sayable: self.sayable, output: self.output, costs, priced, warnings }
    }
}

fn find<'a>(config: &'a Config, name: &str) -> Option<&'a Target> {
    let by_name = config.targets.iter().find(|target| target.name.as_str() == name);
    let mut by_model = config.targets.iter().filter(|target| target.model.as_str() == name);
    match (by_name, by_model.next(), by_model.next()) {
        (Some(target), _, _) | (None, Some(target), None) => Some(target),
        _ => None,
    }
}

/// Whether a target can be asked with the effort that outcomes name.
fn can_be_asked(target: &Target, effort: Option<&str>) -> bool {
    match effort {
        None => true,
        Some(word) => Effort::of(word).is_some_and(|effort| target.can_be_told(effort)),
    }
}
