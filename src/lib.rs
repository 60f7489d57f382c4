//! Waypost.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod catalog;
pub mod chat;
pub mod cli;
pub mod clock;
pub mod config;
pub mod id;
pub mod money;
