//! Whether and when to try again: full jitter, the provider's own wish, the deadline, and a budget.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::failure::Failure;
use crate::config::Retry;

/// Longest wait before the first retry; each further one doubles it.
const BASE: Duration = Duration::from_millis(100);

/// Longest wait at all.
const CAP: Duration = Duration::from_secs(2);

/// A provider that wants more time than this is left for the next target.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The same target again after this wait.
    Retry(Duration),
    /// The next target at once, where there is one.
    FallBack,
    /// Nothing: the failure is the answer.
    GiveUp,
}

/// Decides. `tries` counts the exchanges with this target so far, `left` is the time until the deadline of all tries at
/// it, `random` is drawn evenly from 0 to 1. Takes from the budget where it says `Retry`.
#[must_use]
pub fn next(failure: &Failure, tries: u32, retry: Retry, budget: &Budget, left: Duration, random: f64) -> Next {
    let otherwise = if failure.fall_back() { Next::FallBack } else { Next::GiveUp };
    if !failure.retry_same() || tries >= retry.attempts {
        return otherwise;
    }
    let wait = match failure.retry_after {
        Some(wished) if wished > PATIENCE => return otherwise,
        Some(wished) => wished.max(backoff(tries, random)),
        None => backoff(tries, random),
    };
    if wait >= left || !budget.withdraw() {
        return otherwise;
    }
    Next::Retry(wait)
}

/// Full jitter: anything from nothing to `BASE` doubled with each try, `CAP` at most.
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>
#[must_use]
pub fn backoff(tries: u32, random: f64) -> Duration {
    let longest = BASE.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(CAP);
    longest.mul_f64(random.clamp(0.0, 1.0))
}

/// Retries as a share of requests, so that they never multiply an outage: each request pays in its share, each retry
/// takes out one. One retry a second is free, so that a quiet gateway may retry too (the shape of tower's budget).
#[derive(Debug)]
pub struct Budget {
    /// What one request pays in, in thousandths of a retry.
    share: i64,
    /// Thousandths of a retry.
    balance: AtomicI64,
    began: Instant,
    /// Second since `began` of the last free retry, plus one; 0: none yet.
    free: AtomicU64,
}

/// Most that can be saved up: a hundred retries.
const FULL: i64 = 100_000;

impl Budget {
    /// A budget that begins with ten retries.
    #[must_use]
    pub fn new(retry: Retry) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "clamped to 0..=1000 first")]
        let share = (retry.budget * 1000.0).clamp(0.0, 1000.0) as i64;
        let balance = if share == 0 { 0 } else { 10_000 };
        Self { share, balance: AtomicI64::new(balance), began: Instant::now(), free: AtomicU64::new(0) }
    }

    /// Counts one request; once for each, whatever its attempts.
    pub fn deposit(&self) {
        // Two threads may overshoot the mark by a share each, which harms nobody.
        if self.balance.load(Ordering::Relaxed) < FULL {
            self.balance.fetch_add(self.share, Ordering::Relaxed);
        }
    }

    fn withdraw(&self) -> bool {
        self.withdraw_at(self.began.elapsed().as_secs())
    }

    fn withdraw_at(&self, second: u64) -> bool {
        if self.share == 0 {
            return false;
        }
        let taken = self
            .balance
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |balance| (balance >= 1000).then_some(balance - 1000));
        taken.is_ok() || self.free.fetch_max(second + 1, Ordering::Relaxed) <= second
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::error::CallError;

    const RETRY: Retry = Retry { attempts: 2, budget: 0.2 };
    const LONG: Duration = Duration::from_secs(60);

    fn closed() -> Failure {
        Failure::of_call(CallError::Closed)
    }

    #[test]
    fn the_wait_grows_with_each_try_and_stays_under_its_cap() {
        let longest: Vec<u128> = (1..=7).map(|tries| backoff(tries, 1.0).as_millis()).collect();
        assert_eq!(longest, [100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(backoff(3, 0.5), Duration::from_millis(200));
        assert_eq!(backoff(u32::MAX, 0.0), Duration::ZERO);
    }

    #[test]
    fn tries_are_limited_and_the_last_failure_falls_back() {
        let budget = Budget::new(RETRY);
        assert_eq!(next(&closed(), 1, RETRY, &budget, LONG, 1.0), Next::Retry(Duration::from_millis(100)));
        assert_eq!(next(&closed(), 2, RETRY, &budget, LONG, 1.0), Next::FallBack);
        let refused = Failure::of_call(CallError::FirstByteTimeout);
        assert_eq!(next(&refused, 1, RETRY, &budget, LONG, 1.0), Next::FallBack);
    }

    #[test]
    fn the_providers_wish_is_kept_within_patience_and_deadline() {
        let budget = Budget::new(RETRY);
        let wishing = |wish| {
            let mut failure = closed();
            failure.retry_after = Some(wish);
            failure
        };
        let second = Duration::from_secs(1);
        assert_eq!(next(&wishing(second), 1, RETRY, &budget, LONG, 0.0), Next::Retry(second));
        assert_eq!(next(&wishing(LONG), 1, RETRY, &budget, LONG, 0.0), Next::FallBack);
        assert_eq!(next(&wishing(second), 1, RETRY, &budget, second, 0.0), Next::FallBack);
    }

    #[test]
    fn retries_never_exceed_their_share_of_the_requests() {
        let budget = Budget::new(RETRY);
        let mut retries = 0;
        for _ in 0..1000 {
            budget.deposit();
            retries += u32::from(budget.withdraw_at(0));
        }
        // A fifth, the ten it begins with, and the free one.
        assert_eq!(retries, 200 + 10 + 1);
        assert!(!budget.withdraw_at(0));
        assert!(budget.withdraw_at(1) && !budget.withdraw_at(1) && budget.withdraw_at(2));
        assert!(!Budget::new(Retry { budget: 0.0, ..RETRY }).withdraw_at(0));
    }
}
