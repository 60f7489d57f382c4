//! Waiting for what happens by itself: look again until it is there, for a bounded time.

use std::time::{Duration, Instant};

/// Longest wait. A healthy machine needs milliseconds; a busy one is given much more before a test calls it a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks until there is something to see.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(began.elapsed() < PATIENCE, "not seen within {PATIENCE:?}: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}
