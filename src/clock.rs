//! Wall-clock time behind a seam, so that tests can hold it, and how times are written.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde::Serializer;

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

/// Writes a time as RFC 3339 in UTC with milliseconds; for `#[serde(serialize_with)]`.
pub(crate) fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let time = jiff::Timestamp::try_from(*time).map_err(serde::ser::Error::custom)?;
    serializer.collect_str(&format_args!("{time:.3}"))
}

/// Writes a duration in milliseconds; microseconds are kept, noise below is not.
pub(crate) fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1e6).round() / 1e3)
}
