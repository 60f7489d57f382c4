//! How likely something is, kept as it was reckoned: an exponential is taken only where it is shown or decides.
//!
//! Curves over scores give logits. Each candidate of each request has one, and hardly any is ever looked at as a
//! probability: which of two is likelier can be told from the logits, unless they are so close that rounding to `f32`,
//! in which probabilities are compared, could make them the same.

use std::cmp::Ordering;

/// A probability.
#[derive(Clone, Copy, Debug)]
pub enum Chance {
    /// Itself.
    Of(f64),
    /// Its logit.
    Logit(f64),
}

/// Between these logits the logistic function rises by at least 0.0003 a unit.
const STEEP: f64 = 8.0;
/// Logits this far apart and that steep are probabilities more than 3e-7 apart: five times what rounding to `f32` takes.
const APART: f64 = 1e-3;

impl Chance {
    /// The probability.
    #[must_use]
    pub fn value(self) -> f64 {
        match self {
            Self::Of(p) => p,
            Self::Logit(logit) => logistic(logit),
        }
    }

    /// The probability as it is compared and shown.
    #[must_use]
    pub fn p(self) -> f32 {
        #[expect(clippy::cast_possible_truncation, reason = "a probability")]
        let p = self.value() as f32;
        p
    }

    /// As `self.p().total_cmp(&other.p())`.
    #[must_use]
    #[inline]
    pub fn cmp_p(self, other: Self) -> Ordering {
        if let (Self::Logit(a), Self::Logit(b)) = (self, other)
            && are_apart(a, b)
        {
            return a.total_cmp(&b);
        }
        self.p().total_cmp(&other.p())
    }
}

/// What lies at most so far below a chance.
#[derive(Clone, Copy, Debug)]
pub struct Within {
    best: f32,
    most: f32,
    edge: f64,
}

impl Within {
    /// `most` below `best`.
    #[must_use]
    pub fn new(best: Chance, most: f32) -> Self {
        let best = best.p();
        Self { best, most, edge: logit(f64::from(best) - f64::from(most)) }
    }

    /// As `best.p() - chance.p() <= most`.
    #[must_use]
    #[inline]
    pub fn holds(&self, chance: Chance) -> bool {
        match chance {
            Chance::Logit(logit) if are_apart(logit, self.edge) => logit > self.edge,
            _ => self.best - chance.p() <= self.most,
        }
    }
}

/// Whether two logits are surely those of two probabilities in the same order.
fn are_apart(a: f64, b: f64) -> bool {
    a.abs() < STEEP && b.abs() < STEEP && (a - b).abs() > APART
}

/// The logistic function.
#[must_use]
pub fn logistic(x: f64) -> f64 {
    // Either branch's exponential is at most one: nothing overflows.
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// Its inverse, with a probability kept a little away from 0 and 1.
#[must_use]
pub fn logit(p: f64) -> f64 {
    let p = if p.is_nan() { 0.0 } else { p }.clamp(1e-4, 1.0 - 1e-4);
    (p / (1.0 - p)).ln()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two chances, often next to each other, now and then no numbers at all.
    fn two() -> impl Strategy<Value = (Chance, Chance)> {
        let logit = prop_oneof![8 => -12.0..12.0, 1 => -60.0..60.0, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)];
        let step = prop_oneof![-4.0..4.0, -2e-3..2e-3, -1e-6..1e-6, Just(0.0)];
        (logit, step, any::<[bool; 2]>()).prop_map(|(logit, step, known)| {
            let chance = |logit, known| if known { Chance::Of(logistic(logit)) } else { Chance::Logit(logit) };
            (chance(logit, known[0]), chance(logit + step, known[1]))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn chances_compare_as_their_probabilities_do((a, b) in two()) {
            prop_assert_eq!(a.cmp_p(b), a.p().total_cmp(&b.p()));
        }

        #[test]
        fn what_is_within_is_so_by_the_probabilities((best, other) in two(), most in 0.0_f32..1.0, close in any::<bool>()) {
            // As often as not the edge runs where the other lies.
            let most = if close { (best.p() - other.p()).max(0.0) } else { most } + 1e-6;
            prop_assert_eq!(Within::new(best, most).holds(other), best.p() - other.p() <= most);
        }
    }
}
