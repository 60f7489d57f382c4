//! Fits a target's curve, by the method that its labels support.
//!
//! Platt's line is the least that can be learnt and needs few labels. A fit on the prompt's vector and a free rising
//! curve can say more but need more, so they are tried from 200 and 1,000 labels on, and taken only where they forecast
//! rows they have not seen better than the line does.

use super::curve::{Curve, Method};
use super::fold;
use super::isotonic;
use super::logistic::{self, Belief, Line, logistic, logit};
use super::ridge::{self, Ridge, Seen};

/// Labels with vectors from which on the ridge is tried.
const RIDGE_FROM: usize = 200;
/// Labels from which on the rising curve is tried.
const ISOTONIC_FROM: usize = 1000;
/// Strongest first. Vectors are scaled to a spread of one in every dimension.
const PENALTIES: [f64; 5] = [3000.0, 1000.0, 300.0, 100.0, 30.0];
/// Rows that cross-validation of the ridge looks at: more change its choice no more and take their time.
const RIDGE_ROWS: usize = 3000;
/// Before any data, a target is believed to follow the score as the weak tier does. A weight of four is a standard
/// deviation of one half.
const BELIEF: Belief = Belief { slope: 1.0, weight: 4.0 };
/// Weight of what all targets have in common against a target's own labels: that of a hundred or so.
const COMMON: f64 = 20.0;

/// One prompt's outcome at one target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample<'a> {
    /// 0 to 1.
    pub(super) difficulty: f64,
    /// The classifier's vector of the prompt, if it gives one.
    pub(super) vector: Option<&'a [f32]>,
    /// How good the answer was, 0 to 1.
    pub(super) good: f64,
}

/// How to fit, as cross-validation chose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Recipe {
    method: Method,
    /// Of the ridge: how much each penalty is believed; what is missing to one is belief in the line.
    shares: [f64; PENALTIES.len()],
}

impl Recipe {
    const fn plain(method: Method) -> Self {
        Self { method, shares: [0.0; PENALTIES.len()] }
    }
}

/// A share of belief too small to be worth a fit.
const NEGLIGIBLE: f64 = 0.02;

/// What is believed of each target once all have been looked at: that it follows the score as they do on average.
///
/// Few labels tell a target's own slope badly, and it is the *difference* of two targets' curves that routes; slopes
/// that differ by chance would send the hardest prompts to the weaker one.
pub(super) fn common(samples: &[Vec<Sample<'_>>]) -> Belief {
    let (mut sum, mut weight) = (0.0, 0.0);
    for samples in samples {
        sum += line(samples, BELIEF).slope * samples.len() as f64;
        weight += samples.len() as f64;
    }
    if weight > 0.0 { Belief { slope: sum / weight, weight: COMMON } } else { BELIEF }
}

/// Fits by a recipe.
pub(super) fn fit_as(samples: &[Sample<'_>], recipe: Recipe, belief: Belief) -> Curve {
    let line = line(samples, belief);
    let ridge = (recipe.method == Method::Ridge).then(|| averaged(samples, line, &recipe.shares));
    let isotonic = (recipe.method == Method::Isotonic).then(|| rising(samples, line));
    Curve { line, ridge, isotonic }
}

/// For each target the method that forecasts unseen rows best. Whether the vector helps, and how much of it to believe,
/// is decided for all targets together: it is the same vector, and one target's labels tell it badly.
pub(super) fn choose(targets: &[Vec<Sample<'_>>], belief: Belief, seed: u64) -> Vec<Recipe> {
    let with_vector: Vec<Vec<Sample<'_>>> = targets
        .iter()
        .map(|samples| samples.iter().copied().filter(|sample| sample.vector.is_some()).take(RIDGE_ROWS).collect())
        .collect();
    let enough = |samples: &Vec<Sample<'_>>| samples.len() >= RIDGE_FROM;
    let mut losses = vec![0.0; PENALTIES.len() + 1];
    for samples in with_vector.iter().filter(|samples| enough(samples)) {
        for (sum, loss) in losses.iter_mut().zip(ridge_losses(samples, belief, seed)) {
            *sum += loss;
        }
    }
    let shares = believed(&losses);
    let recipe = |(samples, with_vector): (&Vec<Sample<'_>>, &Vec<Sample<'_>>)| match shares {
        Some(shares) if enough(with_vector) => Recipe { method: Method::Ridge, shares },
        _ => without_vector(samples, belief, seed),
    };
    targets.iter().zip(&with_vector).map(recipe).collect()
}

/// How much to believe each penalty, given the losses of the line and of each: in proportion to the likelihood of the
/// unseen outcomes. Picking the one with the least loss instead would follow the chance of a few hundred labels. `None`
/// where the line is all that is worth believing.
fn believed(losses: &[f64]) -> Option<[f64; PENALTIES.len()]> {
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let likelihood = |loss: f64| (least - loss).exp();
    let sum: f64 = losses.iter().map(|loss| likelihood(*loss)).sum();
    let mut shares = [0.0; PENALTIES.len()];
    for (share, loss) in shares.iter_mut().zip(losses.iter().skip(1)) {
        let believed = likelihood(*loss) / sum;
        *share = if believed < NEGLIGIBLE { 0.0 } else { believed };
    }
    (shares.iter().sum::<f64>() >= NEGLIGIBLE).then_some(shares)
}

/// The mean of line and ridges by belief. All are straight in the logit, so their mean is one of the kind.
fn averaged(samples: &[Sample<'_>], line: Line, shares: &[f64; PENALTIES.len()]) -> Ridge {
    let believed: Vec<(f64, f64)> =
        PENALTIES.iter().zip(shares).filter(|(_, share)| **share > 0.0).map(|(p, share)| (*p, *share)).collect();
    let penalties: Vec<f64> = believed.iter().map(|(penalty, _)| *penalty).collect();
    let fits = ridges(samples, line, &penalties);
    let rest = 1.0 - believed.iter().map(|(_, share)| share).sum::<f64>();
    let width = fits.first().map_or(0, |fit| fit.weights.len());
    let mut mean = Ridge { intercept: rest * line.intercept, slope: rest * line.slope, weights: vec![0.0; width] };
    for (fit, (_, share)) in fits.iter().zip(&believed) {
        mean.intercept += share * fit.intercept;
        mean.slope += share * fit.slope;
        for (mean, weight) in mean.weights.iter_mut().zip(&fit.weights) {
            *mean += share * weight;
        }
    }
    mean
}

fn without_vector(samples: &[Sample<'_>], belief: Belief, seed: u64) -> Recipe {
    let [platt, isotonic] = [Recipe::plain(Method::Platt), Recipe::plain(Method::Isotonic)];
    let better = || held_out_loss(samples, isotonic, belief, seed) < held_out_loss(samples, platt, belief, seed);
    if samples.len() >= ISOTONIC_FROM && better() { isotonic } else { platt }
}

/// Summed loss on unseen rows: of the line, then of the ridge by penalty.
fn ridge_losses(samples: &[Sample<'_>], belief: Belief, seed: u64) -> Vec<f64> {
    let count = 5;
    let folds = dealt(samples, count, seed);
    let mut losses = vec![0.0; PENALTIES.len() + 1];
    for fold in 0..count {
        let (train, test) = split(samples, &folds, fold);
        let line = line(&train, belief);
        let ridges = ridges(&train, line, &PENALTIES);
        for sample in test {
            let x = logit(1.0 - sample.difficulty);
            losses[0] += logistic::loss(sample.good, line.logit(x));
            for (loss, ridge) in losses[1..].iter_mut().zip(&ridges) {
                let along = sample.vector.and_then(|vector| ridge.logit(x, vector)).unwrap_or_else(|| line.logit(x));
                *loss += logistic::loss(sample.good, along);
            }
        }
    }
    losses
}

fn held_out_loss(samples: &[Sample<'_>], recipe: Recipe, belief: Belief, seed: u64) -> f64 {
    let count = 5;
    let folds = dealt(samples, count, seed);
    let mut loss = 0.0;
    for fold in 0..count {
        let (train, test) = split(samples, &folds, fold);
        let curve = fit_as(&train, recipe, belief);
        loss += test
            .iter()
            .map(|sample| logistic::loss(sample.good, logit(curve.p_good(sample.difficulty, sample.vector))))
            .sum::<f64>();
    }
    loss
}

fn dealt(samples: &[Sample<'_>], count: usize, seed: u64) -> Vec<usize> {
    let keys: Vec<u64> = samples.iter().map(|sample| fold::key(sample.difficulty, sample.vector)).collect();
    fold::folds(&keys, count, seed)
}

fn split<'a>(samples: &[Sample<'a>], folds: &[usize], fold: usize) -> (Vec<Sample<'a>>, Vec<Sample<'a>>) {
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (sample, of) in samples.iter().zip(folds) {
        if *of == fold { test.push(*sample) } else { train.push(*sample) }
    }
    (train, test)
}

/// Platt's line, with his smoothed targets (Platt 1999, section 2.2): outcomes are moved a little away from 0 and 1 by as
/// much as one imagined outcome of each kind would. A slope below zero says nothing but that the score is no help.
fn line(samples: &[Sample<'_>], belief: Belief) -> Line {
    let good: f64 = samples.iter().map(|sample| sample.good).sum();
    let bad = samples.len() as f64 - good;
    let (high, low) = ((good + 1.0) / (good + 2.0), 1.0 / (bad + 2.0));
    let points: Vec<(f64, f64)> = samples
        .iter()
        .map(|sample| (logit(1.0 - sample.difficulty), low + (high - low) * sample.good.clamp(0.0, 1.0)))
        .collect();
    let line = logistic::fit(&points, belief);
    if line.slope >= 0.0 {
        return line;
    }
    // The belief weighs more than any data: the slope is zero and only the level is fitted.
    logistic::fit(&points, Belief { slope: 0.0, weight: 1e12 }).level()
}

impl Line {
    const fn level(self) -> Self {
        Self { intercept: self.intercept, slope: 0.0 }
    }
}

fn ridges(samples: &[Sample<'_>], line: Line, penalties: &[f64]) -> Vec<Ridge> {
    let width = samples.iter().find_map(|sample| sample.vector).map_or(0, <[f32]>::len);
    let seen: Vec<Seen<'_>> = samples
        .iter()
        .filter_map(|sample| {
            let vector = sample.vector.filter(|vector| vector.len() == width)?;
            Some((logit(1.0 - sample.difficulty), vector, sample.good))
        })
        .collect();
    ridge::path(&seen, line, penalties)
}

fn rising(samples: &[Sample<'_>], line: Line) -> isotonic::Rising {
    let points: Vec<(f64, f64)> =
        samples.iter().map(|sample| (line.logit(logit(1.0 - sample.difficulty)), sample.good)).collect();
    let mean = points.iter().map(|(_, good)| good).sum::<f64>() / (points.len().max(1) as f64);
    isotonic::fit(&points, if mean.is_finite() { mean } else { logistic(0.0) })
}
