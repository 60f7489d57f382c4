//! Which targets are failing: after some failures in a row a target is left alone for a while.
//!
//! Times are passed in. A target whose time is up is asked again; the next failure leaves it alone for twice as long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::id::TargetId;

/// Failures in a row after which a target counts as failing.
const FAILURES: u32 = 3;
/// How long it is first left alone, and at most.
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(60);

/// The health of all targets of one configuration, as their answers show it.
#[derive(Debug)]
pub struct Health {
    start: Instant,
    targets: Vec<Arc<State>>,
}

#[derive(Debug, Default)]
struct State {
    failures: AtomicU32,
    /// Milliseconds since the start; 0 where it is not left alone.
    until: AtomicU64,
}

impl Health {
    /// All healthy.
    #[must_use]
    pub fn new(targets: usize, now: Instant) -> Self {
        Self { start: now, targets: (0..targets).map(|_| Arc::default()).collect() }
    }

    /// The health of another configuration's targets, of which `before` says what each was in this one. Requests that
    /// are still under way here go on telling both.
    #[must_use]
    pub fn renewed(&self, before: &[Option<TargetId>]) -> Self {
        let state =
            |was: &Option<TargetId>| was.and_then(|id| self.targets.get(id.index()).cloned()).unwrap_or_default();
        Self { start: self.start, targets: before.iter().map(state).collect() }
    }

    /// Notes a whole answer or a first token.
    pub fn record_success(&self, target: TargetId) {
        if let Some(state) = self.targets.get(target.index()) {
            state.failures.store(0, Relaxed);
            state.until.store(0, Relaxed);
        }
    }

    /// Notes a refused connection, a timeout, a 5xx: what says that the target, not the request, is at fault.
    pub fn record_failure(&self, target: TargetId, now: Instant) {
        let Some(state) = self.targets.get(target.index()) else { return };
        let failures = state.failures.fetch_add(1, Relaxed).saturating_add(1);
        if failures >= FAILURES {
            let doublings = (failures - FAILURES).min(8);
            let pause = FIRST.saturating_mul(1 << doublings).min(LONGEST);
            state.until.store(self.millis(now + pause).max(1), Relaxed);
        }
    }

    /// Whether a target may be asked.
    #[must_use]
    pub fn is_healthy(&self, target: TargetId, now: Instant) -> bool {
        self.at(now).is_healthy(target)
    }

    /// The health of all at a moment, for those who ask for many.
    #[must_use]
    pub fn at(&self, now: Instant) -> Now<'_> {
        Now { targets: &self.targets, millis: self.millis(now) }
    }

    /// When the next of these targets may be asked again: for `retry-after`.
    #[must_use]
    pub fn back_in(&self, targets: impl IntoIterator<Item = TargetId>, now: Instant) -> Option<Duration> {
        let until =
            targets.into_iter().filter_map(|target| Some(self.targets.get(target.index())?.until.load(Relaxed)));
        until.min().map(|until| Duration::from_millis(until.saturating_sub(self.millis(now))))
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }
}

/// The health of all targets at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    targets: &'a [Arc<State>],
    millis: u64,
}

impl Now<'_> {
    /// Whether a target may be asked.
    #[must_use]
    pub fn is_healthy(&self, target: TargetId) -> bool {
        self.targets.get(target.index()).is_some_and(|state| self.millis >= state.until.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: TargetId = TargetId(0);

    #[test]
    fn three_failures_in_a_row_pause_a_target_and_a_success_forgives_them() {
        let start = Instant::now();
        let health = Health::new(2, start);
        health.record_failure(A, start);
        health.record_failure(A, start);
        assert!(health.is_healthy(A, start));
        health.record_success(A);
        health.record_failure(A, start);
        health.record_failure(A, start);
        health.record_failure(A, start);
        assert!(!health.is_healthy(A, start));
        assert!(health.is_healthy(TargetId(1), start));
        assert_eq!(health.back_in([A], start), Some(FIRST));
        let later = start + FIRST;
        assert!(health.is_healthy(A, later));
        health.record_failure(A, later);
        assert_eq!(health.back_in([A], later), Some(FIRST * 2), "the next failure pauses for twice as long");
        health.record_success(A);
        assert!(health.is_healthy(A, later));
    }

    #[test]
    fn a_pause_has_a_longest_and_a_stranger_is_never_healthy() {
        let start = Instant::now();
        let health = Health::new(1, start);
        for _ in 0..1000 {
            health.record_failure(A, start);
        }
        assert_eq!(health.back_in([A], start), Some(LONGEST));
        assert!(!health.is_healthy(TargetId(7), start));
    }

    #[test]
    fn another_configuration_knows_what_failed_under_this_one() {
        let start = Instant::now();
        let old = Health::new(2, start);
        (0..3).for_each(|_| old.record_failure(TargetId(1), start));
        let new = old.renewed(&[Some(TargetId(1)), None]);
        assert!(!new.is_healthy(TargetId(0), start), "the same target at another place");
        assert!(new.is_healthy(TargetId(1), start), "a target that is new");
        old.record_success(TargetId(1));
        assert!(new.is_healthy(TargetId(0), start), "an answer under the old one counts");
    }
}
