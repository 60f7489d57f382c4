//! The chance of a good answer by tier and difficulty, until a target is calibrated.
//!
//! Difficulty d is by definition the chance that a weak-tier model fails. A stronger model fails on a share of what the
//! weak one fails on, so P(good) = 1 − share · d: a straight line, monotone in difficulty and in tier, and the gap
//! between tiers only grows with difficulty, so that no prompt is given to the weak model for being hopeless.
//!
//! The share of the strong tier is a least-squares fit over the 12,958 rows of `train_permissive` (the routing data's
//! README names the sources) that have both a `weak_score` and a `strong_score`: rows binned by `weak_score` into ten
//! bins of width 0.1, 1 − mean strong = share · (1 − mean weak) weighted by rows gives 0.610 (over single rows 0.611).
//! A shift of the logit, the other form tried, fits three times worse (weighted squares 261 against 89): it says that
//! strong models fail wherever weak ones always do, and the data say they answer 29 % of that.
//! The mid tier, of which the data have no list, lies half way: a convention.

use crate::config::Tier;

/// The difficulty that a prompt without a score is given. Middle: neither the cheapest nor the dearest target by
/// default; the reason `no_score` says that it was so.
pub(super) const NO_SCORE: f32 = 0.5;

/// The chance that a target of this tier answers a prompt of this difficulty well, 0 to 1.
#[must_use]
pub(super) fn p_good(difficulty: f32, tier: Tier) -> f32 {
    // A score that is no number is the hardest: it must not pass for an easy prompt.
    let difficulty = if difficulty.is_nan() { 1.0 } else { difficulty.clamp(0.0, 1.0) };
    let share = match tier {
        Tier::Weak => 1.0,
        Tier::Mid => 0.805,
        Tier::Strong => 0.61,
    };
    1.0 - share * difficulty
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_falls_with_difficulty_and_rises_with_tier() {
        let tiers = [Tier::Weak, Tier::Mid, Tier::Strong];
        for step in 0..100_u8 {
            let (easier, harder) = (f32::from(step) / 100.0, f32::from(step + 1) / 100.0);
            for tier in tiers {
                assert!(p_good(easier, tier) > p_good(harder, tier));
            }
            assert!(p_good(harder, Tier::Weak) < p_good(harder, Tier::Mid));
            assert!(p_good(harder, Tier::Mid) < p_good(harder, Tier::Strong));
        }
        assert_eq!(p_good(0.3, Tier::Weak), 0.7, "difficulty is what the weak tier fails on, by definition");
        assert_eq!(p_good(f32::NAN, Tier::Weak), 0.0);
    }
}
