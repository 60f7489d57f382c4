//! Redis behind a deadline: an operation answers in time or is skipped, and a Redis that is down costs nobody twice.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use tokio::sync::watch;

use crate::config::Secret;

/// How often a Redis that is down is asked whether it is back.
const PROBE: Duration = Duration::from_secs(1);

/// Longest a connection may take. Operations do not wait for it longer than their own deadline.
const CONNECT: Duration = Duration::from_secs(2);

/// Why an operation brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address in the configuration is not Redis's. It may hold a password, so it is not repeated.
    #[error("store.url is not a valid redis:// or rediss:// address")]
    Address,
    /// Known to be down; nothing was tried.
    #[error("the store is down")]
    Down,
    /// Nothing within `store.deadline`.
    #[error("the store did not answer in time")]
    Deadline,
    /// Redis answered with an error, or the connection failed.
    #[error("the store failed: {0}")]
    Failed(&'static str),
}

/// A Redis. Cheap to clone.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    client: redis::Client,
    deadline: Duration,
    /// Made by the first operation, inside a runtime; connects by itself, and again after a loss.
    manager: Mutex<Option<ConnectionManager>>,
    /// False from a failure until a probe has succeeded. While it is false, one task probes.
    up: watch::Sender<bool>,
}

impl Redis {
    /// A Redis at this address. Connects with the first operation.
    ///
    /// # Errors
    /// The address cannot be read.
    pub fn new(url: &Secret, deadline: Duration) -> Result<Self, StoreError> {
        let client = redis::Client::open(url.expose()).map_err(|_| StoreError::Address)?;
        let (up, _) = watch::channel(true);
        Ok(Self(Arc::new(Inner { client, deadline, manager: Mutex::new(None), up })))
    }

    /// Whether the last that was heard of it was good. True before the first operation: see [`Self::check`].
    #[must_use]
    pub fn is_up(&self) -> bool {
        *self.0.up.borrow()
    }

    /// Each change of [`Self::is_up`].
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<bool> {
        self.0.up.subscribe()
    }

    /// Asks it now, within the deadline; where it is known to be down, says so at once.
    pub async fn check(&self) -> bool {
        self.run(&redis::cmd("PING")).await.is_ok()
    }

    /// The value of a key, `None` where there is none.
    ///
    /// # Errors
    /// Down, late or failed; never later than the deadline.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        match self.run(redis::cmd("GET").arg(key)).await? {
            redis::Value::BulkString(value) => Ok(Some(value.into())),
            redis::Value::Nil => Ok(None),
            _ => Err(StoreError::Failed("not a string")),
        }
    }

    /// Sets a key for a time; a time below a millisecond sets nothing.
    ///
    /// # Errors
    /// Down, late or failed; never later than the deadline.
    pub async fn set(&self, key: &[u8], value: &[u8], keep: Duration) -> Result<(), StoreError> {
        let keep = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX).min(MAX_KEEP);
        if keep == 0 {
            return Ok(());
        }
        self.run(redis::cmd("SET").arg(key).arg(value).arg("PX").arg(keep)).await?;
        Ok(())
    }

    async fn run(&self, command: &redis::Cmd) -> Result<redis::Value, StoreError> {
        if !self.is_up() {
            return Err(StoreError::Down);
        }
        let result = self.0.send(command, self.0.deadline).await;
        if result.is_err() {
            self.0.has_failed();
        }
        result
    }
}

/// Longest expiry that Redis takes without complaint, in milliseconds: a century.
const MAX_KEEP: u64 = 100 * 365 * 86_400_000;

impl Inner {
    async fn send(&self, command: &redis::Cmd, within: Duration) -> Result<redis::Value, StoreError> {
        let mut manager = self.manager()?;
        match tokio::time::timeout(within, manager.send_packed_command(command)).await {
            Err(_) => Err(StoreError::Deadline),
            Ok(Ok(value)) => Ok(value),
            // Redis's own text may quote what it was sent; its kind says enough.
            Ok(Err(error)) => Err(StoreError::Failed(match error.kind() {
                redis::ErrorKind::AuthenticationFailed => "authentication",
                redis::ErrorKind::Server(_) => "refused by the server",
                _ if error.is_io_error() || error.is_connection_dropped() => "connection",
                _ => "unexpected answer",
            })),
        }
    }

    fn manager(&self) -> Result<ConnectionManager, StoreError> {
        let mut manager = self.manager.lock();
        if let Some(manager) = &*manager {
            return Ok(manager.clone());
        }
        // Time limits of operations are ours; a failed connection is tried again by our own probe, not in a loop here.
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(Some(CONNECT))
            .set_number_of_retries(0);
        let fresh = ConnectionManager::new_lazy_with_config(self.client.clone(), config)
            .map_err(|_| StoreError::Failed("connection"))?;
        Ok(manager.insert(fresh).clone())
    }

    /// Marks it down and probes in the background until it is back; the first failure of many does so.
    fn has_failed(self: &Arc<Self>) {
        if self.up.send_if_modified(|up| std::mem::replace(up, false)) {
            tokio::spawn(probe(Arc::downgrade(self)));
        }
    }
}

/// Asks until an answer comes within the deadline, or nobody holds the store any more.
async fn probe(inner: Weak<Inner>) {
    let mut beat = tokio::time::interval(PROBE);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let Some(inner) = inner.upgrade() else { return };
        let ping = redis::cmd("PING");
        // The first may have to connect; only the second tells how fast it answers.
        if inner.send(&ping, CONNECT).await.is_err() {
            // It keeps a connection that was refused (wrong password, still loading) as it is, for ever.
            inner.manager.lock().take();
            continue;
        }
        let asked = Instant::now();
        if inner.send(&ping, inner.deadline).await.is_ok() && asked.elapsed() <= inner.deadline {
            inner.up.send_replace(true);
            return;
        }
    }
}

#[cfg(test)]
mod tests;
