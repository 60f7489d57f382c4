//! One provider as calls see it: its endpoints and credentials in turn, endpoints that just failed last.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::HeaderValue;

use super::error::ClientError;
use crate::config::{Endpoint, Provider};

/// How long an endpoint that failed is passed over while others are left.
const REST: Duration = Duration::from_secs(5);

/// The way to one provider.
pub(super) struct Line {
    /// Ready for the `authorization` header.
    credentials: Vec<HeaderValue>,
    next_credential: AtomicUsize,
    next_endpoint: AtomicUsize,
    /// Per endpoint: milliseconds since `began` until which it rests; 0: it is well.
    resting: Vec<AtomicU64>,
    began: Instant,
    pub(super) pool_group: u64,
}

impl Line {
    pub(super) fn new(provider: &Provider, pool_group: u64) -> Result<Self, ClientError> {
        let mut credentials = Vec::with_capacity(provider.credentials.len());
        for secret in &provider.credentials {
            let mut bearer = HeaderValue::try_from(format!("Bearer {}", secret.expose()))
                .map_err(|_| ClientError::Credential { provider: provider.name.clone() })?;
            bearer.set_sensitive(true);
            credentials.push(bearer);
        }
        Ok(Self {
            credentials,
            next_credential: AtomicUsize::new(0),
            next_endpoint: AtomicUsize::new(0),
            resting: provider.endpoints.iter().map(|_| AtomicU64::new(0)).collect(),
            began: Instant::now(),
            pool_group,
        })
    }

    /// The next endpoint in turn that did not just fail; where all did, the next in turn. `None`: there is none.
    pub(super) fn endpoint<'p>(&self, provider: &'p Provider) -> Option<(usize, &'p Endpoint)> {
        let count = provider.endpoints.len().min(self.resting.len());
        let index = match count {
            0 => return None,
            1 => 0,
            _ => self.turn(count, self.now()),
        };
        Some((index, &provider.endpoints[index]))
    }

    fn turn(&self, count: usize, now: u64) -> usize {
        let first = self.next_endpoint.fetch_add(1, Ordering::Relaxed) % count;
        let well = |index: &usize| self.resting[*index].load(Ordering::Relaxed) <= now;
        (first..count).chain(0..first).find(well).unwrap_or(first)
    }

    /// The next credential in turn, as an `authorization` header.
    pub(super) fn credential(&self) -> Option<&HeaderValue> {
        match self.credentials.len() {
            0 | 1 => self.credentials.first(),
            count => self.credentials.get(self.next_credential.fetch_add(1, Ordering::Relaxed) % count),
        }
    }

    pub(super) fn failed(&self, index: usize) {
        let rest = u64::try_from(REST.as_millis()).unwrap_or(u64::MAX);
        self.resting[index].store(self.now() + rest, Ordering::Relaxed);
    }

    pub(super) fn worked(&self, index: usize) {
        if self.resting[index].load(Ordering::Relaxed) != 0 {
            self.resting[index].store(0, Ordering::Relaxed);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
