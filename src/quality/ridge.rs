//! Logistic regression on the score and the prompt's vector, held in check by a ridge.
//!
//! Newton's method, with the inner system solved by conjugate gradients: a 384-vector over thousands of rows never
//! needs a matrix.

use serde::{Deserialize, Serialize};

use super::logistic::{Line, logistic, loss};

/// logit P(good) = intercept + slope · x + weights · vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ridge {
    /// At x = 0 and a vector of zeroes.
    pub intercept: f64,
    /// Of the logit of the score.
    pub slope: f64,
    /// One for each dimension of the vector.
    pub weights: Vec<f64>,
}

impl Ridge {
    /// The value before the logistic function; `None` for a vector of another length.
    #[must_use]
    pub fn logit(&self, x: f64, vector: &[f32]) -> Option<f64> {
        if vector.len() != self.weights.len() {
            return None;
        }
        Some(self.intercept + self.slope * x + dot(vector, &self.weights))
    }
}

/// One observation: the logit of the score, the vector, the outcome.
pub(super) type Seen<'a> = (f64, &'a [f32], f64);

/// Vectors moved to mean zero and scaled to a common spread of one, so that a penalty means the same for any network.
struct Scaled {
    mean: Vec<f64>,
    scale: f64,
    rows: Vec<Vec<f64>>,
}

impl Scaled {
    fn of(seen: &[Seen<'_>]) -> Self {
        let width = seen.first().map_or(0, |(_, vector, _)| vector.len());
        let count = (seen.len().max(1)) as f64;
        let mut mean = vec![0.0; width];
        for (_, vector, _) in seen {
            for (sum, value) in mean.iter_mut().zip(*vector) {
                *sum += f64::from(*value) / count;
            }
        }
        let mut squares = 0.0;
        for (_, vector, _) in seen {
            squares += vector.iter().zip(&mean).map(|(value, mean)| (f64::from(*value) - mean).powi(2)).sum::<f64>();
        }
        let spread = (squares / (count * width.max(1) as f64)).sqrt();
        let scale = if spread > 0.0 { 1.0 / spread } else { 0.0 };
        let row = |vector: &[f32]| vector.iter().zip(&mean).map(|(v, m)| (f64::from(*v) - m) * scale).collect();
        let rows = seen.iter().map(|(_, vector, _)| row(vector)).collect();
        Self { mean, scale, rows }
    }
}

/// Fits around a line that is already known: penalties pull the slope to the line's and the weights to zero.
/// `penalties` from the strongest to the weakest give one fit each, every fit beginning where the one before ended.
pub(super) fn path(seen: &[Seen<'_>], line: Line, penalties: &[f64]) -> Vec<Ridge> {
    let scaled = Scaled::of(seen);
    let width = scaled.mean.len();
    // Intercept, slope, weights.
    let mut at = vec![0.0; width + 2];
    at[0] = line.intercept;
    at[1] = line.slope;
    let mut fits = Vec::with_capacity(penalties.len());
    for &penalty in penalties {
        descend(seen, &scaled, line, penalty, &mut at);
        let weights: Vec<f64> = at[2..].iter().map(|weight| weight * scaled.scale).collect();
        let shift: f64 = weights.iter().zip(&scaled.mean).map(|(weight, mean)| weight * mean).sum();
        fits.push(Ridge { intercept: at[0] - shift, slope: at[1], weights });
    }
    fits
}

fn descend(seen: &[Seen<'_>], scaled: &Scaled, line: Line, penalty: f64, at: &mut Vec<f64>) {
    // What is believed of the slope; the intercept is free but for what keeps it finite.
    let pull = [1e-6, 4.0];
    let home = [0.0, line.slope];
    let value = |at: &[f64]| -> f64 {
        let data: f64 = seen.iter().zip(&scaled.rows).map(|(&(x, _, y), row)| loss(y, forward(at, x, row))).sum();
        let ridge: f64 = at[2..].iter().map(|weight| weight * weight).sum();
        data + 0.5 * penalty * ridge + (0..2).map(|i| 0.5 * pull[i] * (at[i] - home[i]).powi(2)).sum::<f64>()
    };
    let mut current = value(at);
    for _ in 0..12 {
        let mut gradient: Vec<f64> = at.iter().map(|weight| penalty * weight).collect();
        for i in 0..2 {
            gradient[i] = pull[i] * (at[i] - home[i]);
        }
        let mut curvature = Vec::with_capacity(seen.len());
        for (&(x, _, y), row) in seen.iter().zip(&scaled.rows) {
            let p = logistic(forward(at, x, row));
            add(&mut gradient, p - y, x, row);
            curvature.push(p * (1.0 - p));
        }
        let hessian = |direction: &[f64]| -> Vec<f64> {
            let mut product: Vec<f64> = direction.iter().map(|value| penalty * value).collect();
            for i in 0..2 {
                product[i] = pull[i] * direction[i];
            }
            for ((&(x, _, _), row), weight) in seen.iter().zip(&scaled.rows).zip(&curvature) {
                add(&mut product, weight * forward(direction, x, row), x, row);
            }
            product
        };
        let step = conjugate(&hessian, &gradient);
        let mut scale = 1.0;
        let mut next: Vec<f64>;
        let next_value = loop {
            next = at.iter().zip(&step).map(|(weight, step)| weight - scale * step).collect();
            let found = value(&next);
            if found <= current || scale < 1e-4 {
                break found;
            }
            scale *= 0.5;
        };
        if next_value >= current {
            break;
        }
        let done = current - next_value < 1e-8 * (1.0 + current.abs());
        *at = next;
        current = next_value;
        if done {
            break;
        }
    }
}

fn forward(at: &[f64], x: f64, row: &[f64]) -> f64 {
    at[0] + at[1] * x + dot(&at[2..], row)
}

/// Eight sums side by side: one alone would wait for each addition before the next.
fn dot<T: Copy + Into<f64>>(a: &[T], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(&a, b)| a.into() * b).sum();
    for (a, b) in a.zip(b) {
        for (sum, (&a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a.into() * b;
        }
    }
    sums.iter().sum::<f64>() + rest
}

fn add(into: &mut [f64], by: f64, x: f64, row: &[f64]) {
    into[0] += by;
    into[1] += by * x;
    for (sum, value) in into[2..].iter_mut().zip(row) {
        *sum += by * value;
    }
}

/// Solves `matrix · step = target` for a positive definite matrix, well enough for a Newton step.
fn conjugate(matrix: &dyn Fn(&[f64]) -> Vec<f64>, target: &[f64]) -> Vec<f64> {
    let mut step = vec![0.0; target.len()];
    let mut left = target.to_vec();
    let mut direction = left.clone();
    let mut size = dot(&left, &left);
    let enough = size * 1e-6;
    for _ in 0..40 {
        if size <= enough || size == 0.0 {
            break;
        }
        let product = matrix(&direction);
        let bend = dot(&direction, &product);
        if bend <= 0.0 {
            break;
        }
        let along = size / bend;
        for i in 0..step.len() {
            step[i] += along * direction[i];
            left[i] -= along * product[i];
        }
        let next = dot(&left, &left);
        for (direction, left) in direction.iter_mut().zip(&left) {
            *direction = left + next / size * *direction;
        }
        size = next;
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::seed::Seeded;

    #[test]
    fn what_only_the_vector_knows_is_found() {
        let mut seeded = Seeded::new(5);
        let rows: Vec<(f64, Vec<f32>, f64)> = (0..400)
            .map(|_| {
                let vector: Vec<f32> = (0..8).map(|_| (seeded.share() * 2.0 - 1.0) as f32).collect();
                let p = logistic(0.5 + 3.0 * f64::from(vector[2]));
                (0.0, vector, f64::from(u8::from(seeded.share() < p)))
            })
            .collect();
        let seen: Vec<Seen<'_>> = rows.iter().map(|(x, vector, y)| (*x, vector.as_slice(), *y)).collect();
        let line = Line { intercept: 0.0, slope: 1.0 };
        let fits = path(&seen, line, &[100.0, 1.0]);
        let largest = |ridge: &Ridge| (0..8).max_by(|&a, &b| ridge.weights[a].abs().total_cmp(&ridge.weights[b].abs()));
        assert_eq!(largest(&fits[1]), Some(2));
        assert!(fits[1].weights[2] > 2.0 && fits[1].weights[2] < 4.0, "{:?}", fits[1]);
        assert!(fits[0].weights[2] < fits[1].weights[2], "a strong penalty shrinks");
        assert_eq!(fits[0].logit(0.0, &[0.0; 3]), None, "another network's vector is no input");
    }

    #[test]
    fn the_gradient_is_zero_at_the_fit() {
        let rows: Vec<(f64, Vec<f32>, f64)> = (0..50_u8)
            .map(|i| {
                (f64::from(i) / 25.0 - 1.0, vec![f32::from(i % 7), f32::from(i % 3)], f64::from(u8::from(i % 4 > 1)))
            })
            .collect();
        let seen: Vec<Seen<'_>> = rows.iter().map(|(x, vector, y)| (*x, vector.as_slice(), *y)).collect();
        let fit = path(&seen, Line { intercept: 0.0, slope: 1.0 }, &[2.0]).remove(0);
        // With a free intercept the mean forecast is the mean outcome.
        let mean = |values: Vec<f64>| values.iter().sum::<f64>() / 50.0;
        let forecast = mean(seen.iter().map(|&(x, v, _)| logistic(fit.logit(x, v).unwrap())).collect());
        assert!((forecast - mean(seen.iter().map(|seen| seen.2).collect())).abs() < 1e-4);
    }
}
