//! From labelled prompts to curves and thresholds: all of `waypost calibrate` but reading, scoring and printing.

use super::curve::Curve;
use super::fit::{self, Recipe, Sample};
use super::fold;
use super::threshold::{self, Ladder, Promise, Row, Threshold};
use super::{Bucket, FEWEST};

/// Buckets of difficulty whose counts a calibration keeps.
const BUCKETS: usize = 10;

/// One prompt with its score and what came of it.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// 0 to 1.
    pub difficulty: f64,
    /// The classifier's vector, if it gives one.
    pub vector: Option<Vec<f32>>,
    /// At most one for each candidate.
    pub outcomes: Vec<Outcome>,
}

/// What came of a prompt at one candidate.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Which candidate: a place in [`Terms::costs`].
    pub candidate: usize,
    /// How good, 0 to 1.
    pub good: f64,
    /// What it cost, where known for this prompt.
    pub cost: Option<f64>,
}

/// What to fit and to promise.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Usual cost of each candidate, in any unit: what "cheaper" means.
    pub costs: Vec<f64>,
    /// The candidates that routing chooses among; others only get their curve.
    pub routed: Vec<usize>,
    /// One threshold is sought for each.
    pub promises: Vec<Promise>,
    /// For dealing rows into folds.
    pub seed: u64,
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Weighed {
    /// By candidate, with its number of labels and their mean; `None` where there are fewer than fifty.
    pub curves: Vec<Option<(Curve, usize, f64)>>,
    /// One for each promise; empty where fewer than fifty prompts have an outcome at every routed candidate.
    pub thresholds: Vec<(Promise, Threshold)>,
    /// Prompts with an outcome at every routed candidate.
    pub paired: usize,
    /// Where the labels lie.
    pub buckets: Vec<Bucket>,
}

/// Too few labels to say anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} labelled prompts are too few: {FEWEST} are the least from which a curve can be told from luck")]
pub struct TooFew(pub usize);

/// Fits every candidate's curve, and finds the thresholds on rows that the curves used there have not seen.
///
/// # Errors
/// [`TooFew`] where no candidate has fifty labels.
pub fn calibrate(labelled: &[Labelled], terms: &Terms) -> Result<Weighed, TooFew> {
    let count = terms.costs.len();
    let samples: Vec<Vec<Sample<'_>>> = (0..count).map(|place| samples_of(labelled, place, |_| true)).collect();
    let belief = fit::common(&samples);
    let recipes = fit::choose(&samples, belief, terms.seed);
    let mut curves = Vec::with_capacity(count);
    for (samples, recipe) in samples.iter().zip(&recipes) {
        curves.push((samples.len() >= FEWEST).then(|| {
            let mean = samples.iter().map(|sample| sample.good).sum::<f64>() / samples.len() as f64;
            (fit::fit_as(samples, *recipe, belief), samples.len(), mean)
        }));
    }
    if curves.iter().all(Option::is_none) {
        return Err(TooFew(labelled.len()));
    }
    let known: Vec<(usize, Recipe)> = terms
        .routed
        .iter()
        .filter(|place| curves.get(**place).is_some_and(Option::is_some))
        .filter_map(|&place| Some((place, *recipes.get(place)?)))
        .collect();
    let paired = if known.len() == terms.routed.len() { paired(labelled, terms) } else { Vec::new() };
    let mut thresholds = Vec::new();
    if paired.len() >= FEWEST && terms.routed.len() > 1 {
        let (rows, ladders) = held_out(labelled, terms, &known, &paired);
        let routed: Vec<Curve> =
            terms.routed.iter().filter_map(|&place| Some(curves.get(place)?.as_ref()?.0.clone())).collect();
        let own = ladder(labelled, &paired, &routed);
        thresholds =
            terms.promises.iter().map(|&promise| (promise, threshold::find(&rows, &ladders, &own, promise))).collect();
    }
    Ok(Weighed { curves, thresholds, paired: paired.len(), buckets: buckets(labelled) })
}

fn samples_of<'a>(labelled: &'a [Labelled], candidate: usize, with: impl Fn(usize) -> bool) -> Vec<Sample<'a>> {
    let mut samples = Vec::new();
    for (row, prompt) in labelled.iter().enumerate() {
        if let Some(outcome) = prompt.outcomes.iter().find(|outcome| outcome.candidate == candidate)
            && with(row)
        {
            let vector = prompt.vector.as_deref();
            samples.push(Sample { difficulty: prompt.difficulty, vector, good: outcome.good });
        }
    }
    samples
}

/// A prompt with an outcome at every routed candidate: its place, and qualities and costs in the order of `routed`.
struct Paired {
    place: usize,
    good: Vec<f64>,
    cost: Vec<f64>,
}

fn paired(labelled: &[Labelled], terms: &Terms) -> Vec<Paired> {
    let of = |(place, prompt): (usize, &Labelled)| {
        let mut paired = Paired { place, good: Vec::new(), cost: Vec::new() };
        for candidate in &terms.routed {
            let outcome = prompt.outcomes.iter().find(|outcome| outcome.candidate == *candidate)?;
            paired.good.push(outcome.good);
            paired.cost.push(outcome.cost.or_else(|| terms.costs.get(*candidate).copied())?);
        }
        Some(paired)
    };
    labelled.iter().enumerate().filter_map(of).collect()
}

/// The paired prompts, each forecast by curves fitted without its fold, and each fold's ladder. The method of a curve
/// was chosen with all rows: one word, not a parameter that could follow a single outcome.
fn held_out(
    labelled: &[Labelled],
    terms: &Terms,
    known: &[(usize, Recipe)],
    paired: &[Paired],
) -> (Vec<Row>, Vec<Ladder>) {
    let count = fold::count(labelled.len());
    let keys: Vec<u64> = labelled.iter().map(|prompt| fold::key(prompt.difficulty, prompt.vector.as_deref())).collect();
    let folds = fold::folds(&keys, count, terms.seed);
    let (mut rows, mut ladders) = (Vec::with_capacity(paired.len()), Vec::with_capacity(count));
    for fold in 0..count {
        let others = |row: usize| folds.get(row) != Some(&fold);
        let samples: Vec<_> = known.iter().map(|(place, _)| samples_of(labelled, *place, others)).collect();
        let belief = fit::common(&samples);
        let fitted: Vec<Curve> =
            known.iter().zip(&samples).map(|((_, recipe), samples)| fit::fit_as(samples, *recipe, belief)).collect();
        ladders.push(ladder(labelled, paired, &fitted));
        for prompt in paired.iter().filter(|prompt| !others(prompt.place)) {
            let p = forecasts(labelled, prompt, &fitted);
            rows.push(Row { p, good: prompt.good.clone(), cost: prompt.cost.clone(), ladder: fold });
        }
    }
    (rows, ladders)
}

/// In terms of these curves, over all paired prompts: it needs no outcomes.
fn ladder(labelled: &[Labelled], paired: &[Paired], curves: &[Curve]) -> Ladder {
    let p: Vec<Vec<f64>> = paired.iter().map(|prompt| forecasts(labelled, prompt, curves)).collect();
    let prompts = p.iter().zip(paired).map(|(p, prompt)| (p.as_slice(), prompt.cost.as_slice()));
    Ladder::new(prompts, Ladder::steps(paired.len()))
}

fn forecasts(labelled: &[Labelled], prompt: &Paired, curves: &[Curve]) -> Vec<f64> {
    let Some(prompt) = labelled.get(prompt.place) else { return vec![0.0; curves.len()] };
    curves.iter().map(|curve| curve.p_good(prompt.difficulty, prompt.vector.as_deref())).collect()
}

/// Ten buckets of equally many prompts; equal difficulties stay together.
fn buckets(labelled: &[Labelled]) -> Vec<Bucket> {
    let mut sorted: Vec<f64> = labelled.iter().map(|prompt| prompt.difficulty).collect();
    sorted.sort_by(f64::total_cmp);
    let mut buckets: Vec<Bucket> = Vec::new();
    let size = sorted.len().div_ceil(BUCKETS).max(1);
    for difficulty in sorted {
        match buckets.last_mut() {
            Some(last) if last.labels < size || last.to >= difficulty => {
                last.to = difficulty;
                last.labels += 1;
            }
            _ => buckets.push(Bucket { from: difficulty, to: difficulty, labels: 1 }),
        }
    }
    buckets
}
