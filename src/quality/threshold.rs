//! Finds τ: how far below the best a target may be expected to lie and still be chosen.
//!
//! The promise: the mean quality of what is chosen is at least a share `at_least` of the mean quality of the best, and
//! the calibration that says so is right with the stated confidence. For one τ this is a test on the paired differences
//! *quality of the chosen − at_least · quality of the best*, prompt by prompt, whose mean must not be negative.
//!
//! Taking the largest τ of many that passes would be picking the luckiest. Instead the walk begins at τ = 0, where the
//! best is always chosen and nothing can go wrong, and stops at the first τ that fails: in such a fixed sequence every
//! test may use the full level (Maurer, Hothorn and Lehmacher 1995), however many there are.
//!
//! Rows are judged by curves that have not seen them, so there are several sets of curves, a little higher or lower
//! than each other by chance. A step of the walk is therefore not one τ for all but, in each set, the τ that lets the
//! same share of choices change ([`Ladder`]). Else a prompt at which the cheap target failed would be forecast by curves
//! that flatter it, for want of that failure, and the promise would look worse than it is.

use serde::{Deserialize, Serialize};

use super::bound::Sums;

/// Most steps of a walk. More cost time and gain nothing.
const STEPS: usize = 100;

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Promise {
    /// Share of the best's mean quality that is kept, 0 to 1.
    pub at_least: f64,
    /// How sure, 0.5 to 1.
    pub confidence: f64,
}

/// The thresholds of a walk, step by step, in terms of one set of curves.
#[derive(Clone, Debug)]
pub struct Ladder(Vec<f64>);

/// One prompt, with what was forecast and what came at each target. Forecasts must not have seen the row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Chance of a good answer, by target.
    pub p: Vec<f64>,
    /// How good the answer was, by target.
    pub good: Vec<f64>,
    /// What the answer costs, by target, in any unit.
    pub cost: Vec<f64>,
    /// Which set of curves forecast it: a place among the ladders.
    pub ladder: usize,
}

/// What a threshold comes to on the rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The threshold.
    pub tau: f64,
    /// Share of prompts that do not go to the target that is best on average.
    pub kept: f64,
    /// Mean quality of the chosen over that of the best: the best by forecast for each prompt, or the best on average for
    /// all, whichever did better.
    pub quality: f64,
    /// What that is at least, with the confidence.
    pub lower: f64,
    /// Cost of the chosen over that of the best.
    pub cost: f64,
}

/// The outcome of a walk.
#[derive(Clone, Debug)]
pub struct Threshold {
    /// The last point of the walk that passed; τ = 0 if none other did.
    pub found: Point,
    /// All points, from safe to cheap, those after the walk's end included: the cost–quality curve.
    pub points: Vec<Point>,
}

impl Row {
    /// The target with the highest forecast.
    fn best(&self) -> usize {
        best(&self.p, &self.cost)
    }

    /// The cheapest within τ of the best.
    #[must_use]
    pub fn choose(&self, tau: f64) -> usize {
        let best = self.best();
        let good_enough = |place: &usize| self.p[best] - self.p[*place] <= tau + 1e-9;
        let cheapest = |a: usize, b: usize| {
            let cheaper = self.cost[b] < self.cost[a] || (self.cost[b] == self.cost[a] && self.p[b] > self.p[a]);
            if cheaper { b } else { a }
        };
        (0..self.p.len()).filter(good_enough).fold(best, cheapest)
    }
}

impl Ladder {
    /// Zero, then `steps` thresholds between which equally many choices change, then anything goes. `prompts` are
    /// forecasts and costs of each prompt.
    #[must_use]
    pub fn new<'a>(prompts: impl Iterator<Item = (&'a [f64], &'a [f64])>, steps: usize) -> Self {
        let mut gaps: Vec<f64> = Vec::new();
        for (p, cost) in prompts {
            let best = best(p, cost);
            let cheaper = (0..p.len()).filter(|place| cost[*place] < cost[best]);
            gaps.extend(cheaper.map(|place| (p[best] - p[place]).max(0.0)));
        }
        gaps.sort_by(f64::total_cmp);
        let mut taus = vec![0.0];
        for step in 1..=steps {
            let place = (step * gaps.len() / steps).saturating_sub(1);
            // Half way to the next, so that a curve fitted on a few rows more decides the same.
            taus.push(match (gaps.get(place), gaps.get(place + 1)) {
                (Some(this), Some(next)) => f64::midpoint(*this, *next),
                _ => 1.0,
            });
        }
        Self(taus)
    }

    /// How many steps suit so many rows.
    #[must_use]
    pub fn steps(rows: usize) -> usize {
        rows.min(STEPS)
    }
}

/// Walks from safe to cheap. `ladders` are those that rows name; `own` is in terms of the curves that will route.
#[must_use]
pub fn find(rows: &[Row], ladders: &[Ladder], own: &Ladder, promise: Promise) -> Threshold {
    let targets = rows.first().map_or(0, |row| row.p.len());
    let mean = |place: usize| rows.iter().map(|row| row.good[place]).sum::<f64>();
    let reference = (0..targets).max_by(|&a, &b| mean(a).total_cmp(&mean(b))).unwrap_or(0);
    let mut found = None;
    let mut walking = true;
    let mut points = Vec::new();
    for (step, &tau) in own.0.iter().enumerate() {
        let tau_of = |row: &Row| ladders.get(row.ladder).and_then(|ladder| ladder.0.get(step)).copied().unwrap_or(0.0);
        let by_forecast = Totals::of(rows, tau_of, Row::best);
        let on_average = Totals::of(rows, tau_of, |_| reference);
        walking = walking
            && (step == 0
                || [by_forecast, on_average].iter().all(|totals| totals.passes(promise.at_least, promise.confidence)));
        let strictest = if by_forecast.best > on_average.best { by_forecast } else { on_average };
        let point =
            Point { kept: on_average.changed / on_average.rows.max(1.0), ..strictest.point(tau, promise.confidence) };
        if walking {
            found = Some(point);
        }
        points.push(point);
    }
    let nothing = Point { tau: 0.0, kept: 0.0, quality: 1.0, lower: 0.0, cost: 1.0 };
    Threshold { found: found.unwrap_or(nothing), points }
}

/// The highest forecast, the cheaper of equals.
fn best(p: &[f64], cost: &[f64]) -> usize {
    let better = |a: usize, b: usize| p[a] > p[b] || (p[a] == p[b] && cost[a] < cost[b]);
    (0..p.len()).fold(0, |best, place| if better(place, best) { place } else { best })
}

/// Sums over all rows for one τ: of the quality of the chosen and of the best, and of their costs.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    rows: f64,
    /// Rows where the chosen is not the best.
    changed: f64,
    chosen: f64,
    best: f64,
    chosen_squares: f64,
    best_squares: f64,
    products: f64,
    chosen_cost: f64,
    best_cost: f64,
}

impl Totals {
    fn of(rows: &[Row], tau: impl Fn(&Row) -> f64, best: impl Fn(&Row) -> usize) -> Self {
        let mut totals = Self::default();
        for row in rows {
            let (place, best) = (row.choose(tau(row)), best(row));
            let (chosen, best_good) = (row.good[place], row.good[best]);
            totals.rows += 1.0;
            totals.changed += f64::from(u8::from(place != best));
            totals.chosen += chosen;
            totals.best += best_good;
            totals.chosen_squares += chosen * chosen;
            totals.best_squares += best_good * best_good;
            totals.products += chosen * best_good;
            totals.chosen_cost += row.cost[place];
            totals.best_cost += row.cost[best];
        }
        totals
    }

    /// Whether the mean of *chosen − share · best* is not negative, with the confidence.
    fn passes(&self, share: f64, confidence: f64) -> bool {
        let sums = Sums {
            count: self.rows,
            sum: self.chosen - share * self.best,
            squares: self.chosen_squares - 2.0 * share * self.products + share * share * self.best_squares,
        };
        sums.lower(confidence, -share) >= 0.0
    }

    /// The largest share that the same test would still let pass.
    fn lower(&self, confidence: f64) -> f64 {
        let (mut low, mut high) = (0.0, 1.5);
        for _ in 0..24 {
            let middle = f64::midpoint(low, high);
            if self.passes(middle, confidence) { low = middle } else { high = middle }
        }
        low
    }

    fn point(&self, tau: f64, confidence: f64) -> Point {
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 1.0 };
        Point {
            tau,
            kept: self.changed / self.rows.max(1.0),
            quality: share(self.chosen, self.best),
            lower: self.lower(confidence),
            cost: share(self.chosen_cost, self.best_cost),
        }
    }
}
