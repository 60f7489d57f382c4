//! The first stage: a linear head, run on the caller's own thread, for it takes less time than handing it over would.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

use super::ClassifyError;
use super::scorer::{Scorer, Seen};

/// Most copies of the head; each is some 600 KB, and a run takes tens of microseconds.
const MOST: usize = 8;

/// Copies of the head, so that threads seldom wait for each other.
pub(super) struct Inline {
    scorers: Vec<Mutex<Box<dyn Scorer>>>,
    next: AtomicUsize,
}

impl Inline {
    /// As many copies as threads may ask at once, made by `open`.
    pub(super) fn open(
        mut open: impl FnMut() -> Result<Box<dyn Scorer>, ClassifyError>,
    ) -> Result<Inline, ClassifyError> {
        let count = std::thread::available_parallelism().map_or(1, usize::from).min(MOST);
        let scorers = (0..count).map(|_| open().map(Mutex::new)).collect::<Result<_, _>>()?;
        Ok(Inline { scorers, next: AtomicUsize::new(0) })
    }

    /// The difficulty, 0 to 1.
    pub(super) fn score(&self, seen: &Seen) -> Result<f32, ClassifyError> {
        let count = self.scorers.len();
        let first = self.next.fetch_add(1, Relaxed);
        let mut places = (0..count).filter_map(|step| self.scorers.get((first + step) % count));
        let free = places.find_map(Mutex::try_lock);
        let mut scorer = match free {
            Some(scorer) => scorer,
            None => self.scorers.get(first % count.max(1)).ok_or(ClassifyError::Off)?.lock(),
        };
        Ok(scorer.score(seen)?.difficulty)
    }
}
