//! How many requests each target is working on, against its `max_concurrent`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use crate::id::TargetId;

/// Counters of all targets of one configuration.
#[derive(Debug)]
pub struct InFlight(Vec<Gauge>);

#[derive(Debug)]
struct Gauge {
    work: Arc<Work>,
    most: u32,
}

/// What a target is doing, whichever configuration sent it there.
#[derive(Debug, Default)]
struct Work {
    now: AtomicU32,
    withdrawn: AtomicBool,
}

/// One request at a target; gives its place back on drop.
#[derive(Debug)]
pub struct Place(Arc<Work>);

impl InFlight {
    /// Nothing in flight; limits in the order of the configuration's targets, `None`: no limit.
    #[must_use]
    pub fn new(limits: impl IntoIterator<Item = Option<u32>>) -> Self {
        Self(limits.into_iter().map(|limit| Gauge::new(Arc::default(), limit)).collect())
    }

    /// The counters of another configuration's targets, of which `before` says what each was in this one.
    #[must_use]
    pub fn renewed(&self, limits: impl IntoIterator<Item = Option<u32>>, before: &[Option<TargetId>]) -> Self {
        let work = |was: &Option<TargetId>| was.and_then(|id| Some(Arc::clone(&self.0.get(id.index())?.work)));
        let gauge = |(limit, was)| Gauge::new(work(was).unwrap_or_default(), limit);
        Self(limits.into_iter().zip(before).map(gauge).collect())
    }

    /// Closes every target that another configuration no longer has: requests that are under way here end where they
    /// are, but none goes there any more.
    pub fn withdraw_all_but(&self, kept: &Self) {
        for gauge in &self.0 {
            if !kept.0.iter().any(|other| Arc::ptr_eq(&other.work, &gauge.work)) {
                gauge.work.withdrawn.store(true, Relaxed);
            }
        }
    }

    /// Whether a target has room.
    #[must_use]
    pub fn has_room(&self, target: TargetId) -> bool {
        self.0.get(target.index()).is_some_and(|gauge| gauge.work.now.load(Relaxed) < gauge.most && gauge.is_open())
    }

    /// How many requests a target is working on.
    #[must_use]
    pub fn now(&self, target: TargetId) -> u32 {
        self.0.get(target.index()).map_or(0, |gauge| gauge.work.now.load(Relaxed))
    }

    /// Takes a place, if there is one.
    #[must_use]
    pub fn enter(&self, target: TargetId) -> Option<Place> {
        let gauge = self.0.get(target.index()).filter(|gauge| gauge.is_open())?;
        let room = |now: u32| (now < gauge.most).then(|| now + 1);
        gauge.work.now.fetch_update(Relaxed, Relaxed, room).ok()?;
        Some(Place(Arc::clone(&gauge.work)))
    }
}

impl Gauge {
    fn new(work: Arc<Work>, limit: Option<u32>) -> Self {
        Self { work, most: limit.unwrap_or(u32::MAX) }
    }

    fn is_open(&self) -> bool {
        !self.work.withdrawn.load(Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Relaxed);
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

    #[test]
    fn requests_of_the_old_configuration_count_against_the_new_limit() {
        let old = InFlight::new([None, None]);
        let place = old.enter(TargetId(1)).unwrap();
        let new = old.renewed([Some(1), Some(1)], &[Some(TargetId(1)), None]);
        assert!(!new.has_room(TargetId(0)));
        assert!(new.has_room(TargetId(1)));
        drop(place);
        assert!(new.has_room(TargetId(0)));
    }

    #[test]
    fn a_target_that_was_taken_away_gets_no_request_of_the_old_configuration_either() {
        let old = InFlight::new([None, None]);
        let running = old.enter(TargetId(0)).unwrap();
        let new = old.renewed([None], &[Some(TargetId(1))]);
        old.withdraw_all_but(&new);
        assert!(old.enter(TargetId(0)).is_none() && !old.has_room(TargetId(0)));
        assert!(old.enter(TargetId(1)).is_some() && new.enter(TargetId(0)).is_some(), "the one that stays");
        drop(running);
        assert_eq!(old.now(TargetId(0)), 0);
    }
}
