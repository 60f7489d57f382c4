//! What several replicas share, and what outlives one of them.

pub mod redis;

pub use redis::{Redis, StoreError};
