//! One rate per minute, by `governor`, whose state can also be told and given back.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use super::RateLimit;

pub(super) struct Rate<C: Clock> {
    limiter: RateLimiter<NotKeyed, Arrival, C, StateInformationMiddleware>,
    arrival: Arrival,
    /// What `arrival` counts from; nanoseconds earlier than the limiter's own, which it does not tell.
    start: C::Instant,
    quota: Quota,
}

impl<C: Clock + Clone> Rate<C> {
    /// `None` for zero, which is no rate.
    pub(super) fn per_minute(limit: u32, clock: C) -> Option<Self> {
        Some(Self::of(Quota::per_minute(NonZeroU32::new(limit)?), Arrival::default(), clock))
    }

    /// The same rate, or another one of which as many requests are used up as are of this.
    pub(super) fn renewed(before: &Arc<Self>, limit: u32, clock: C) -> Option<Arc<Self>> {
        let quota = Quota::per_minute(NonZeroU32::new(limit)?);
        if quota == before.quota {
            return Some(Arc::clone(before));
        }
        let [old, new] = [before.quota, quota].map(|quota| quota.replenish_interval().as_nanos().max(1));
        let owed = before.state(0).reset.as_nanos().saturating_mul(new) / old;
        // Nobody ever owes more than a whole minute's worth.
        let owed = owed.min(quota.burst_size_replenished_in().as_nanos());
        let arrival = Arrival(Arc::new(AtomicU64::new(u64::try_from(owed).unwrap_or(u64::MAX))));
        Some(Arc::new(Self::of(quota, arrival, clock)))
    }

    fn of(quota: Quota, arrival: Arrival, clock: C) -> Self {
        let start = clock.now();
        let limiter = RateLimiter::new(quota, arrival.clone(), clock);
        Self { limiter, arrival, start, quota }
    }
}

impl<C: Clock> Rate<C> {
    /// Counts one request, or says after what time to come back.
    pub(super) fn check(&self) -> Result<RateLimit, (Duration, RateLimit)> {
        match self.limiter.check() {
            Ok(state) => Ok(self.state(state.remaining_burst_capacity())),
            Err(refused) => Err((refused.wait_time_from(self.limiter.clock().now()), self.state(0))),
        }
    }

    /// Takes back one counted request, exactly as if it had not come.
    pub(super) fn give_back(&self) {
        let interval = u64::try_from(self.quota.replenish_interval().as_nanos()).unwrap_or(u64::MAX);
        let back = |arrival: u64| Some(arrival.saturating_sub(interval));
        // The closure always answers, so this always succeeds.
        let _ = self.arrival.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, back);
    }

    fn state(&self, remaining: u32) -> RateLimit {
        let since_start = self.limiter.clock().now().duration_since(self.start).as_u64();
        let full_at = self.arrival.0.load(Ordering::Acquire);
        RateLimit {
            limit: self.quota.burst_size().get(),
            remaining,
            reset: Duration::from_nanos(full_at.saturating_sub(since_start)),
        }
    }
}

/// GCRA's whole state: when the next request would be due if all came evenly, which is also when the rate is whole
/// again, in nanoseconds since the start. `governor`'s own store keeps the same number, but neither shows it nor takes
/// anything back.
#[derive(Clone, Default)]
struct Arrival(Arc<AtomicU64>);

impl StateStore for Arrival {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut before = self.0.load(Ordering::Acquire);
        loop {
            let (answer, after) = decide((before != 0).then(|| Nanos::from(before)))?;
            match self.0.compare_exchange_weak(before, after.as_u64(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(answer),
                Err(now) => before = now,
            }
        }
    }
}
