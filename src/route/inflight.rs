//! How many requests each target is working on, against its `max_concurrent`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::id::TargetId;

/// Counters of all targets of one configuration.
#[derive(Debug)]
pub struct InFlight(Vec<Gauge>);

#[derive(Debug)]
struct Gauge {
    now: AtomicU32,
    most: u32,
}

/// One request at a target; gives its place back on drop.
#[derive(Debug)]
pub struct Place {
    counters: Arc<InFlight>,
    target: TargetId,
}

impl InFlight {
    /// Nothing in flight; limits in the order of the configuration's targets, `None`: no limit.
    #[must_use]
    pub fn new(limits: impl IntoIterator<Item = Option<u32>>) -> Arc<Self> {
        let gauge = |limit: Option<u32>| Gauge { now: AtomicU32::new(0), most: limit.unwrap_or(u32::MAX) };
        Arc::new(Self(limits.into_iter().map(gauge).collect()))
    }

    /// Whether a target has room.
    #[must_use]
    pub fn has_room(&self, target: TargetId) -> bool {
        self.0.get(target.index()).is_some_and(|gauge| gauge.now.load(Relaxed) < gauge.most)
    }

    /// How many requests a target is working on.
    #[must_use]
    pub fn now(&self, target: TargetId) -> u32 {
        self.0.get(target.index()).map_or(0, |gauge| gauge.now.load(Relaxed))
    }

    /// Takes a place, if there is one.
    #[must_use]
    pub fn enter(self: &Arc<Self>, target: TargetId) -> Option<Place> {
        let gauge = self.0.get(target.index())?;
        let room = |now: u32| (now < gauge.most).then(|| now + 1);
        gauge.now.fetch_update(Relaxed, Relaxed, room).ok()?;
        Some(Place { counters: Arc::clone(self), target })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(gauge) = self.counters.0.get(self.target.index()) {
            gauge.now.fetch_sub(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_target_has_room_again_when_a_request_ends() {
        let counters = InFlight::new([Some(1), None]);
        let place = counters.enter(TargetId(0)).unwrap();
        assert!(!counters.has_room(TargetId(0)));
        assert!(counters.enter(TargetId(0)).is_none());
        assert!(counters.enter(TargetId(1)).is_some());
        drop(place);
        assert_eq!(counters.now(TargetId(0)), 0);
        assert!(counters.has_room(TargetId(0)));
        assert!(!counters.has_room(TargetId(5)));
    }
}
