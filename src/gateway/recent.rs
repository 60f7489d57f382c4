//! The difficulties of the last prompts, to tell where among them another one lies.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

/// Prompts remembered.
const LAST: usize = 1024;
/// Fewest from which a share says anything.
const FEWEST: usize = 20;
/// The bits of a NaN, which no difficulty has: an empty place.
const EMPTY: u32 = u32::MAX;

/// A ring of difficulties; noting one is an atomic store.
#[derive(Debug)]
pub(super) struct Recent {
    places: Box<[AtomicU32]>,
    next: AtomicUsize,
}

impl Default for Recent {
    fn default() -> Self {
        Self { places: (0..LAST).map(|_| AtomicU32::new(EMPTY)).collect(), next: AtomicUsize::new(0) }
    }
}

impl Recent {
    /// Remembers one; a prompt without a score says nothing.
    pub(super) fn note(&self, difficulty: Option<f32>) {
        let Some(difficulty) = difficulty else { return };
        let place = self.next.fetch_add(1, Relaxed) % LAST;
        if let Some(place) = self.places.get(place) {
            place.store(difficulty.to_bits(), Relaxed);
        }
    }

    /// Share of the remembered that are easier, a tie counting half; `None` while there are few.
    pub(super) fn share_below(&self, difficulty: f32) -> Option<f32> {
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
        (0..19).for_each(|_| recent.note(Some(0.9)));
        recent.note(None);
        assert_eq!(recent.share_below(0.5), None);
        recent.note(Some(0.9));
        assert_eq!(recent.share_below(0.5), Some(0.0));
        assert_eq!(recent.share_below(0.9), Some(0.5));
        (0..LAST).for_each(|_| recent.note(Some(0.1)));
        assert_eq!(recent.share_below(0.5), Some(1.0));
    }
}
