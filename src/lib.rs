//! Waypost.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod chat;
pub mod clock;
pub mod config;
pub mod cost;
pub mod id;
pub mod money;
pub mod policy;
pub mod route;
