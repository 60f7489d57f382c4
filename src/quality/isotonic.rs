//! A curve that is only known to rise: pooled adjacent violators, with straight lines between the pools.

use serde::{Deserialize, Serialize};

/// Fewest observations in a pool: smaller ones follow the noise, at the ends above all.
const POOL: f64 = 25.0;

/// A rising curve through knots; straight between them and level beyond the first and last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rising {
    /// Positions, ascending.
    pub at: Vec<f64>,
    /// Values there, not falling; as many as positions.
    pub value: Vec<f64>,
}

impl Rising {
    /// The value at a position; 0 of a curve without knots.
    #[must_use]
    pub fn value(&self, x: f64) -> f64 {
        let after = self.at.partition_point(|&at| at < x);
        let knot = |place: usize| Some((*self.at.get(place)?, *self.value.get(place)?));
        match (after.checked_sub(1).and_then(knot), knot(after)) {
            (Some((x0, y0)), Some((x1, y1))) if x1 > x0 => y0 + (y1 - y0) * (x - x0) / (x1 - x0),
            (_, Some((_, y))) | (Some((_, y)), None) => y,
            (None, None) => 0.0,
        }
    }

    /// Whether it is a curve: as many values as positions, at least one, in order and within 0 to 1.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        !self.at.is_empty()
            && self.at.len() == self.value.len()
            && self.at.is_sorted()
            && self.value.is_sorted()
            && self.at.iter().all(|x| x.is_finite())
            && self.value.iter().all(|p| (0.0..=1.0).contains(p))
    }
}

#[derive(Clone, Copy)]
struct Pool {
    weight: f64,
    /// Sums of positions and of values.
    x: f64,
    y: f64,
}

impl Pool {
    fn mean(&self) -> f64 {
        self.y / self.weight
    }

    fn join(&mut self, other: Self) {
        self.weight += other.weight;
        self.x += other.x;
        self.y += other.y;
    }
}

/// The least-squares rising step function over points (x, y): pool means in order of x, with the pools' sizes. Equal
/// positions are one observation of their mean first, so the result does not depend on the order of ties.
#[cfg(test)]
fn pools(points: &[(f64, f64)]) -> Vec<(f64, f64, f64)> {
    pooled(points, 0.0).iter().map(|pool| (pool.x / pool.weight, pool.mean(), pool.weight)).collect()
}

fn pooled(points: &[(f64, f64)], least: f64) -> Vec<Pool> {
    let mut sorted: Vec<(f64, f64)> = points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut tied: Vec<(f64, Pool)> = Vec::new();
    for (x, y) in sorted {
        let one = Pool { weight: 1.0, x, y };
        match tied.last_mut() {
            Some((at, last)) if *at == x || last.weight < least => last.join(one),
            _ => tied.push((x, one)),
        }
    }
    // The last pool may have come out too small.
    if tied.len() > 1
        && let Some((_, last)) = tied.pop_if(|(_, last)| last.weight < least)
        && let Some((_, before)) = tied.last_mut()
    {
        before.join(last);
    }
    let mut pools: Vec<Pool> = Vec::new();
    for (_, next) in tied {
        pools.push(next);
        while let [.., before, last] = pools.as_slice()
            && before.mean() >= last.mean()
        {
            let last = *last;
            pools.pop();
            if let Some(before) = pools.last_mut() {
                before.join(last);
            }
        }
    }
    pools
}

/// Fits a rising curve: pools of at least 25 observations, a knot at each one's mean position and mean value, pulled
/// towards `prior` by two observations so that no pool claims certainty.
#[must_use]
pub fn fit(points: &[(f64, f64)], prior: f64) -> Rising {
    let pools = pooled(points, POOL);
    let at = pools.iter().map(|pool| pool.x / pool.weight).collect();
    let mut value: Vec<f64> = pools.iter().map(|pool| (pool.y + 2.0 * prior) / (pool.weight + 2.0)).collect();
    // Small pools are pulled more than large ones, which may turn a rise into a fall.
    for place in 1..value.len() {
        value[place] = value[place].max(value[place - 1]);
    }
    Rising { at, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violators_are_pooled_into_the_known_solution() {
        // The example of scikit-learn's isotonic tests: y = [3, 7, 5, 9, 8, 7, 10] becomes 3, 6, 6, 8, 8, 8, 10.
        let y = [3.0, 7.0, 5.0, 9.0, 8.0, 7.0, 10.0];
        let points: Vec<(f64, f64)> = y.iter().enumerate().map(|(x, &y)| (f64::from(x as u32), y)).collect();
        let means: Vec<(f64, f64)> = pools(&points).iter().map(|&(_, mean, weight)| (mean, weight)).collect();
        assert_eq!(means, [(3.0, 1.0), (6.0, 2.0), (8.0, 3.0), (10.0, 1.0)]);
    }

    #[test]
    fn ties_count_as_one_position_whatever_their_order() {
        let one = [(1.0, 0.0), (1.0, 1.0), (2.0, 1.0)];
        let other = [(2.0, 1.0), (1.0, 1.0), (1.0, 0.0)];
        assert_eq!(pools(&one), pools(&other));
        assert_eq!(pools(&one), [(1.0, 0.5, 2.0), (2.0, 1.0, 1.0)]);
    }

    #[test]
    fn a_fitted_curve_rises_and_is_level_beyond_its_ends() {
        let points: Vec<(f64, f64)> =
            (0..1000).map(|i| (f64::from(i) / 1000.0, f64::from(u8::from((i * 7919) % 1000 < i)))).collect();
        let curve = fit(&points, 0.5);
        assert!(curve.is_sound() && curve.at.len() > 5, "{curve:?}");
        assert_eq!(curve.value(-5.0), curve.value[0]);
        assert_eq!(curve.value(5.0), *curve.value.last().unwrap());
        assert!((curve.value(0.5) - 0.5).abs() < 0.08);
        assert_eq!(fit(&[], 0.5).value(0.3), 0.0);
    }
}
