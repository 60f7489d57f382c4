//! Logistic regression on one variable: Platt's curve over the logit of a score.

use serde::{Deserialize, Serialize};

pub use crate::chance::{logistic, logit};

/// P(good) = 1 / (1 + exp(−(intercept + slope · x))).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// At x = 0, which is a score of one half.
    pub intercept: f64,
    /// Not below 0 where a calibration made it: quality does not rise with difficulty.
    pub slope: f64,
}

/// What is believed of the slope before any data: how much it weighs, in units of information (one over variance).
#[derive(Clone, Copy, Debug)]
pub struct Belief {
    /// The expected slope.
    pub slope: f64,
    /// 0: nothing is believed.
    pub weight: f64,
}

impl Line {
    /// The value before the logistic function.
    #[must_use]
    pub fn logit(&self, x: f64) -> f64 {
        self.intercept + self.slope * x
    }
}

/// What an outcome of `y` (0 to 1) costs a forecast with this logit: the logarithmic loss.
#[must_use]
pub fn loss(y: f64, logit: f64) -> f64 {
    // ln(1 + exp(logit)) without overflow.
    let softplus = if logit > 0.0 { logit + (-logit).exp().ln_1p() } else { logit.exp().ln_1p() };
    softplus - y * logit
}

/// Fits a line to (x, outcome 0 to 1) by Newton's method. The intercept has a belief of weight 1e-6 around 0, so that
/// outcomes that are all good or all bad end at a finite one; Platt's own remedy, a pseudo outcome of each kind, is what
/// [`super::fit`] adds.
#[must_use]
pub fn fit(points: &[(f64, f64)], belief: Belief) -> Line {
    let objective = |line: Line| {
        let data: f64 = points.iter().map(|&(x, y)| loss(y, line.logit(x))).sum();
        data + 0.5 * belief.weight * (line.slope - belief.slope).powi(2) + 0.5e-6 * line.intercept.powi(2)
    };
    let mut line = Line { intercept: 0.0, slope: belief.slope };
    let mut value = objective(line);
    for _ in 0..100 {
        let (mut g0, mut g1) = (1e-6 * line.intercept, belief.weight * (line.slope - belief.slope));
        let (mut h00, mut h01, mut h11) = (1e-6, 0.0, belief.weight + 1e-9);
        for &(x, y) in points {
            let p = logistic(line.logit(x));
            let weight = p * (1.0 - p);
            g0 += p - y;
            g1 += (p - y) * x;
            h00 += weight;
            h01 += weight * x;
            h11 += weight * x * x;
        }
        let determinant = h00 * h11 - h01 * h01;
        if determinant <= 0.0 || !determinant.is_finite() {
            break;
        }
        let step0 = (h11 * g0 - h01 * g1) / determinant;
        let step1 = (h00 * g1 - h01 * g0) / determinant;
        let mut scale = 1.0;
        let next = loop {
            let next = Line { intercept: line.intercept - scale * step0, slope: line.slope - scale * step1 };
            if objective(next) <= value || scale < 1e-6 {
                break next;
            }
            scale *= 0.5;
        };
        let next_value = objective(next);
        if next_value > value {
            break;
        }
        let done = value - next_value < 1e-12 * (1.0 + value.abs());
        (line, value) = (next, next_value);
        if done {
            break;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Belief = Belief { slope: 0.0, weight: 0.0 };

    #[test]
    fn hours_of_study_give_the_textbook_coefficients() {
        // https://en.wikipedia.org/wiki/Logistic_regression#Example: intercept -4.1, coefficient 1.5.
        let hours = [
            0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.25, 3.5, 4.0, 4.25, 4.5, 4.75, 5.0, 5.5,
        ];
        let pass = [0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1];
        let points: Vec<(f64, f64)> = hours.iter().zip(pass).map(|(&x, y)| (x, f64::from(y))).collect();
        let line = fit(&points, NONE);
        assert!((line.intercept + 4.0777).abs() < 1e-3 && (line.slope - 1.5046).abs() < 1e-3, "{line:?}");
    }

    #[test]
    fn outcomes_that_are_all_good_end_at_a_finite_curve() {
        let points: Vec<(f64, f64)> = (0..60).map(|x| (f64::from(x) / 30.0 - 1.0, 1.0)).collect();
        let line = fit(&points, Belief { slope: 1.0, weight: 4.0 });
        assert!(line.intercept.is_finite() && line.slope.is_finite());
        assert!(logistic(line.logit(0.0)) > 0.99);
        let empty = fit(&[], Belief { slope: 1.0, weight: 4.0 });
        assert!((empty.slope - 1.0).abs() < 1e-9 && empty.intercept == 0.0);
    }

    #[test]
    fn extremes_are_numbers() {
        assert_eq!((logistic(1e4), logistic(-1e4)), (1.0, 0.0));
        assert!(logit(0.0).is_finite() && logit(1.0).is_finite() && logit(f64::NAN) == logit(0.0));
        assert!((loss(1.0, 50.0)).abs() < 1e-12 && (loss(0.0, 50.0) - 50.0).abs() < 1e-9);
    }
}
