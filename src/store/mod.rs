//! What several replicas share, and what outlives one of them.

pub mod redis;

pub use redis::{Redis, StoreError};

use crate::config::{Store, StoreUrl};

/// The shared store of this configuration; `None` where everything stays in the process. Connects when first used.
///
/// # Errors
/// The address cannot be read.
pub fn open(config: &Store) -> Result<Option<Redis>, StoreError> {
    match &config.url {
        StoreUrl::Local => Ok(None),
        StoreUrl::Redis(url) => Redis::new(url, config.deadline).map(Some),
    }
}
