//! The difficulties of the last prompts, to tell where among them another one lies: by stage of the classifier, for what
//! one calls hard, another need not.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

use crate::classify::Stage;

/// Prompts remembered.
const LAST: usize = 1024;
/// Fewest from which a share says anything.
const FEWEST: usize = 20;
/// The bits of a NaN, which no difficulty has: an empty place.
const EMPTY: u32 = u32::MAX;

/// The last scores of each stage.
#[derive(Debug, Default)]
pub(super) struct Recent {
    network: Ring,
    linear: Ring,
}

/// A ring of difficulties; noting one is an atomic store.
#[derive(Debug)]
struct Ring {
    places: Box<[AtomicU32]>,
    next: AtomicUsize,
}

impl Default for Ring {
    fn default() -> Self {
        Self { places: (0..LAST).map(|_| AtomicU32::new(EMPTY)).collect(), next: AtomicUsize::new(0) }
    }
}

impl Recent {
    /// Remembers one; a prompt without a score says nothing.
    pub(super) fn note(&self, stage: Stage, difficulty: Option<f32>) {
        if let (Some(ring), Some(difficulty)) = (self.of(stage), difficulty) {
            ring.note(difficulty);
        }
    }

    /// Share of the remembered that are easier by the same stage, a tie counting half; `None` while there are few.
    pub(super) fn share_below(&self, stage: Stage, difficulty: f32) -> Option<f32> {
        self.of(stage)?.share_below(difficulty)
    }

    fn of(&self, stage: Stage) -> Option<&Ring> {
        match stage {
            Stage::Network => Some(&self.network),
            Stage::Linear => Some(&self.linear),
            Stage::None => None,
        }
    }
}

impl Ring {
    fn note(&self, difficulty: f32) {
        let place = self.next.fetch_add(1, Relaxed) % LAST;
        if let Some(place) = self.places.get(place) {
            place.store(difficulty.to_bits(), Relaxed);
        }
    }

    fn share_below(&self, difficulty: f32) -> Option<f32> {
        let (mut count, mut below) = (0_usize, 0.0);
        for place in &self.places {
            let bits = place.load(Relaxed);
            if bits != EMPTY {
                count += 1;
                let other = f32::from_bits(bits);
                below += if other < difficulty {
                    1.0
                } else if other == difficulty {
                    0.5
                } else {
                    0.0
                };
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "at most a thousand")]
        let share = below / count as f32;
        (count >= FEWEST).then_some(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_needs_some_prompts_and_forgets_old_ones() {
        let recent = Recent::default();
        let note = |difficulty| recent.note(Stage::Network, difficulty);
        let share_below = |difficulty| recent.share_below(Stage::Network, difficulty);
        (0..19).for_each(|_| note(Some(0.9)));
        note(None);
        assert_eq!(share_below(0.5), None);
        note(Some(0.9));
        assert_eq!(share_below(0.5), Some(0.0));
        assert_eq!(share_below(0.9), Some(0.5));
        (0..LAST).for_each(|_| note(Some(0.1)));
        assert_eq!(share_below(0.5), Some(1.0));
    }

    #[test]
    fn scores_of_one_stage_say_nothing_of_the_others() {
        let recent = Recent::default();
        for _ in 0..FEWEST {
            recent.note(Stage::Network, Some(0.9));
            recent.note(Stage::Linear, Some(0.1));
        }
        assert_eq!(recent.share_below(Stage::Network, 0.5), Some(0.0));
        assert_eq!(recent.share_below(Stage::Linear, 0.5), Some(1.0));
        assert_eq!(recent.share_below(Stage::None, 0.5), None);
    }
}
