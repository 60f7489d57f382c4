//! Answers to exactly the same request, kept in memory or in a shared Redis. A hit counts only where its target is
//! allowed now.

mod entry;
mod key;

pub use entry::Entry;
pub use key::Key;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::chat::Usage;
use crate::config::{self, Target};
use crate::id::TargetName;
use crate::policy::Permitted;
use crate::store::Redis;

/// Largest answer kept, in bytes. A longer one is rare, and asked for again even less often.
const LARGEST: usize = 4 << 20;

/// Answers on their way to a shared store at once; what comes on top is not kept.
const WRITES: usize = 32;

/// The exact cache of one configuration.
pub struct Cache {
    place: Place,
    ttl: Duration,
}

enum Place {
    Off,
    Memory(moka::sync::Cache<Key, Entry>),
    Redis { redis: Redis, writes: Arc<Semaphore> },
}

/// What a look into the cache found.
#[derive(Debug)]
pub enum Lookup<P> {
    /// An answer whose target is allowed, with what proves it.
    Hit {
        /// The answer.
        entry: Entry,
        /// The proof that its target is allowed.
        permitted: P,
    },
    /// Nothing that may be used.
    Miss,
    /// Not looked.
    Bypass(Bypass),
}

/// Why the cache was passed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bypass {
    /// Switched off.
    Off,
    /// The store is down or late.
    Store,
}

impl Cache {
    /// The cache that is configured: off, in `redis` where there is one, else in memory.
    #[must_use]
    pub fn new(config: &config::Cache, redis: Option<Redis>) -> Self {
        let place = match redis {
            _ if !config.exact => Place::Off,
            Some(redis) => Place::Redis { redis, writes: Arc::new(Semaphore::new(WRITES)) },
            None => Place::Memory(
                moka::sync::Cache::builder()
                    .max_capacity(config.max)
                    .weigher(|_: &Key, entry: &Entry| entry.weight())
                    .time_to_live(config.ttl)
                    .build(),
            ),
        };
        Self { place, ttl: config.ttl }
    }

    /// Whether it is switched off: then no key need be made.
    #[must_use]
    pub fn is_off(&self) -> bool {
        matches!(self.place, Place::Off)
    }

    /// Looks for an answer. `permit` gives the proof that the target that gave it is allowed now; without it an entry
    /// is a miss. Never later than the store's deadline.
    pub async fn get(
        &self,
        key: &Key,
        permit: impl FnOnce(&TargetName) -> Option<Permitted<Arc<Target>>>,
    ) -> Lookup<Permitted<Arc<Target>>> {
        self.find(key, permit).await
    }

    async fn find<P>(&self, key: &Key, permit: impl FnOnce(&TargetName) -> Option<P>) -> Lookup<P> {
        let found = match &self.place {
            Place::Off => return Lookup::Bypass(Bypass::Off),
            Place::Memory(memory) => memory.get(key),
            Place::Redis { redis, .. } => match redis.get(&stored_key(key)).await {
                Ok(found) => found.and_then(|bytes| Entry::from_bytes(&bytes)).filter(|entry| self.is_fresh(entry)),
                Err(_) => return Lookup::Bypass(Bypass::Store),
            },
        };
        let Some(entry) = found else { return Lookup::Miss };
        match permit(&entry.target) {
            Some(permitted) => Lookup::Hit { entry, permitted },
            None => Lookup::Miss,
        }
    }

    /// Keeps an answer; that it is whole and good is for the caller to see to. Returns at once; a store that is busy,
    /// late or down keeps nothing.
    pub fn put(&self, key: Key, target: &Permitted<Arc<Target>>, body: Bytes, usage: Usage) {
        let (target, upstream) = (target.name.clone(), target.upstream.clone());
        self.keep(key, Entry { target, upstream, body, usage, stored_at: SystemTime::now() });
    }

    fn keep(&self, key: Key, entry: Entry) {
        if entry.body.len() > LARGEST {
            return;
        }
        match &self.place {
            Place::Off => {}
            Place::Memory(memory) => memory.insert(key, entry),
            Place::Redis { redis, writes } => {
                let Ok(turn) = Arc::clone(writes).try_acquire_owned() else {
                    return;
                };
                let (redis, ttl) = (redis.clone(), self.ttl);
                tokio::spawn(async move {
                    if let Some(bytes) = entry.to_bytes() {
                        // A failure shows in the state of the store; there is nobody here to tell.
                        let _ = redis.set(&stored_key(&key), &bytes, ttl).await;
                    }
                    drop(turn);
                });
            }
        }
    }

    /// A store shared with another configuration may hold what was to be kept for longer. An entry from the future
    /// comes from a clock that is ahead; the store's own expiry bounds it.
    fn is_fresh(&self, entry: &Entry) -> bool {
        SystemTime::now().duration_since(entry.stored_at).map_or(true, |age| age < self.ttl)
    }
}

fn stored_key(key: &Key) -> Vec<u8> {
    const PREFIX: &[u8] = b"waypost:cache:";
    let mut stored = Vec::with_capacity(PREFIX.len() + 32);
    stored.extend_from_slice(PREFIX);
    stored.extend_from_slice(key.as_bytes());
    stored
}

#[cfg(test)]
mod tests;
