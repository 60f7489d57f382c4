//! Wall-clock time behind a seam, so that tests can hold it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Where expiry of keys and tokens reads the time.
#[derive(Clone, Default)]
pub enum Clock {
    /// The machine's own clock.
    #[default]
    System,
    /// A clock that moves only when told to: seconds since 1970.
    Held(Arc<AtomicU64>),
}

impl Clock {
    /// A held clock and the handle that moves it.
    #[must_use]
    pub fn held(seconds_since_1970: u64) -> (Self, Arc<AtomicU64>) {
        let hand = Arc::new(AtomicU64::new(seconds_since_1970));
        (Self::Held(Arc::clone(&hand)), hand)
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        match self {
            Self::System => SystemTime::now(),
            Self::Held(hand) => SystemTime::UNIX_EPOCH + Duration::from_secs(hand.load(Ordering::Acquire)),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "Clock::System",
            Self::Held(_) => "Clock::Held",
        })
    }
}
