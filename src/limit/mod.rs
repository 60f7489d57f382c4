//! Requests per minute and requests at once, per key and per tenant.
//!
//! First both counts of running requests, then both rates, the key's before the tenant's. A request that is refused
//! anywhere charges nothing: slots return on drop, and the key's rate is given back if the tenant's refuses. The
//! key comes first so that one key over its limit cannot use up its tenant's.
//!
//! Rates are GCRA (`governor`): a full minute's worth may come at once, then one more every 60 s / limit. Counts are
//! in this process and begin anew with it. Another configuration takes them over, also where it changes the limits.

mod rate;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};

use crate::config::{Config, Key, Limits, Tenant};
use crate::id::{KeyId, TenantName};
use rate::Rate;

/// What to tell a client that has too many requests running: nobody knows when one will end.
const RETRY_CONCURRENT: Duration = Duration::from_secs(1);

/// The state of the tightest rate limit, for `x-ratelimit-{limit,remaining,reset}-requests`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests per minute, and at once.
    pub limit: u32,
    /// Requests that would be let in now.
    pub remaining: u32,
    /// Until `remaining` is `limit` again if nothing else comes. Round up for whole seconds.
    pub reset: Duration,
}

/// A request that was let in.
#[derive(Debug)]
pub struct Admitted {
    /// Keep until the request has ended.
    pub permit: Permit,
    /// `None` where neither key nor tenant has a rate.
    pub headers: Option<RateLimit>,
}

/// Whose limit it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The virtual key's own.
    Key,
    /// The whole tenant's.
    Tenant,
}

impl Scope {
    /// As metrics and messages say it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Tenant => "tenant",
        }
    }
}

/// A request that was not let in. Nothing was charged for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Too many requests in too short a time.
    #[error("more than {} requests per minute for this {}", headers.limit, scope.as_str())]
    RateExceeded {
        /// Whose limit.
        scope: Scope,
        /// When one more will be let in.
        retry_after: Duration,
        /// The state of the limit that refused.
        headers: RateLimit,
    },
    /// Too many requests running.
    #[error("more than {limit} requests at once for this {}", scope.as_str())]
    Concurrency {
        /// Whose limit.
        scope: Scope,
        /// Requests at once.
        limit: u32,
    },
}

impl LimitError {
    /// When another try may succeed. Round up for whole seconds.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::RateExceeded { retry_after, .. } => *retry_after,
            Self::Concurrency { .. } => RETRY_CONCURRENT,
        }
    }

    /// The rate that refused; none where it was not a rate.
    #[must_use]
    pub fn headers(&self) -> Option<RateLimit> {
        match self {
            Self::RateExceeded { headers, .. } => Some(*headers),
            Self::Concurrency { .. } => None,
        }
    }
}

/// The right to run one request. Returns itself on drop.
#[derive(Debug, Default)]
#[must_use = "dropping the permit says that the request has ended"]
pub struct Permit {
    _key: Option<Slot>,
    _tenant: Option<Slot>,
}

/// Lets requests in. One per configuration.
pub struct Limiter<C: Clock = MonotonicClock> {
    keys: HashMap<KeyId, Bounds<C>>,
    tenants: HashMap<TenantName, Bounds<C>>,
}

/// What one key or tenant is held to.
struct Bounds<C: Clock> {
    slots: Option<Slots>,
    rate: Option<Arc<Rate<C>>>,
}

impl Limiter {
    /// With every count at zero.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self::with_clock(&config.auth.keys, &config.tenants, None, &MonotonicClock)
    }

    /// With the counts of this one, for another configuration: what was used of a limit is used of the new one.
    #[must_use]
    pub fn renewed(&self, config: &Config) -> Self {
        Self::with_clock(&config.auth.keys, &config.tenants, Some(self), &MonotonicClock)
    }
}

impl<C: Clock + Clone> Limiter<C> {
    fn with_clock(keys: &[Key], tenants: &BTreeMap<TenantName, Arc<Tenant>>, before: Option<&Self>, clock: &C) -> Self {
        let keys = keys.iter().map(|key| (key.id.clone(), key.limits));
        let tenants = tenants.values().map(|tenant| (tenant.name.clone(), tenant.limits));
        Self {
            keys: bounded(keys, before.map(|before| &before.keys), clock),
            tenants: bounded(tenants, before.map(|before| &before.tenants), clock),
        }
    }

    /// Lets a request in or not, and counts it. Where nobody has a limit it does nothing at all
    /// (looking something up in an empty map does not even hash it).
    pub fn admit(&self, tenant: &TenantName, key: Option<&KeyId>) -> Result<Admitted, LimitError> {
        let key = key.and_then(|key| self.keys.get(key));
        let tenant = self.tenants.get(tenant);
        let permit = Permit { _key: slot(key, Scope::Key)?, _tenant: slot(tenant, Scope::Tenant)? };

        let key_rate = key.and_then(|bounds| bounds.rate.as_ref());
        let of_key = check(key_rate, Scope::Key)?;
        let of_tenant = match check(tenant.and_then(|bounds| bounds.rate.as_ref()), Scope::Tenant) {
            Ok(state) => state,
            Err(refused) => {
                if let Some(rate) = key_rate {
                    rate.give_back();
                }
                return Err(refused);
            }
        };
        Ok(Admitted { permit, headers: tightest(of_key, of_tenant) })
    }
}

/// Only those that have a limit.
fn bounded<N: Eq + Hash, C: Clock + Clone>(
    all: impl Iterator<Item = (N, Limits)>,
    before: Option<&HashMap<N, Bounds<C>>>,
    clock: &C,
) -> HashMap<N, Bounds<C>> {
    let mut bounded = HashMap::new();
    for (name, limits) in all {
        let was = before.and_then(|before| before.get(&name));
        let was_rate = was.and_then(|was| was.rate.as_ref());
        // The configuration refuses a rate of zero; as it could only mean "nobody", so it does here.
        let rate = limits.requests_per_minute.map(|limit| match was_rate {
            Some(rate) => Rate::renewed(rate, limit, clock.clone()),
            None => Rate::per_minute(limit, clock.clone()).map(Arc::new),
        });
        let concurrent = if matches!(rate, Some(None)) { Some(0) } else { limits.concurrent };
        let taken = || was.and_then(|was| Some(Arc::clone(&was.slots.as_ref()?.taken))).unwrap_or_default();
        let bounds = Bounds { slots: concurrent.map(|limit| Slots { limit, taken: taken() }), rate: rate.flatten() };
        if bounds.slots.is_some() || bounds.rate.is_some() {
            bounded.insert(name, bounds);
        }
    }
    bounded
}

fn slot<C: Clock>(bounds: Option<&Bounds<C>>, scope: Scope) -> Result<Option<Slot>, LimitError> {
    let Some(slots) = bounds.and_then(|bounds| bounds.slots.as_ref()) else { return Ok(None) };
    match slots.take() {
        Some(slot) => Ok(Some(slot)),
        None => Err(LimitError::Concurrency { scope, limit: slots.limit }),
    }
}

fn check<C: Clock>(rate: Option<&Arc<Rate<C>>>, scope: Scope) -> Result<Option<RateLimit>, LimitError> {
    match rate.map(|rate| rate.check()) {
        None => Ok(None),
        Some(Ok(state)) => Ok(Some(state)),
        Some(Err((retry_after, headers))) => Err(LimitError::RateExceeded { scope, retry_after, headers }),
    }
}

/// The limit that will refuse first: the one with fewer requests left.
fn tightest(one: Option<RateLimit>, other: Option<RateLimit>) -> Option<RateLimit> {
    match (one, other) {
        (Some(one), Some(other)) if other.remaining < one.remaining => Some(other),
        (Some(one), _) => Some(one),
        (None, other) => other,
    }
}

#[derive(Debug)]
struct Slots {
    limit: u32,
    taken: Arc<AtomicU32>,
}

/// One running request.
#[derive(Debug)]
struct Slot(Arc<AtomicU32>);

impl Slots {
    fn take(&self) -> Option<Slot> {
        // Never above the limit, not even for a moment: another request would be refused for nothing.
        let more = |taken| (taken < self.limit).then_some(taken + 1);
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Slot(Arc::clone(&self.taken)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
