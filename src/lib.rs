//! Waypost: an AI gateway.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod auth;
pub mod cache;
pub mod catalog;
pub mod chat;
pub mod classify;
pub mod cli;
pub mod clock;
pub mod config;
pub mod cost;
pub mod gateway;
pub mod id;
pub mod ledger;
pub mod limit;
pub mod money;
pub mod policy;
pub mod route;
pub mod scripted;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod upstream;
pub mod wire;
