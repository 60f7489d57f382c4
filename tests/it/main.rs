//! What Waypost promises, seen from outside: real processes on loopback, one integration binary.
//!
//! A test arranges with a builder (`harness::Setup`), acts once and looks at what a client or an operator can see. It
//! waits for nothing but what it can observe, and never longer than `harness::PATIENCE`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod harness;

mod architecture;
mod auth;
mod bad_bodies;
mod bad_http;
mod cache;
mod cache_store;
mod calibrate;
mod check;
mod clients;
mod commands;
mod commit;
mod controls;
mod dashboards;
mod dashboards_load;
mod decisions;
mod detection;
mod discovery;
mod effort;
mod fallback;
mod formats;
mod formats_cuts;
mod formats_other;
mod fuzz_corpus;
mod hang_up;
mod hang_up_llama;
mod hops;
mod limits;
mod log;
mod metrics;
mod models;
mod money;
mod mutated_files;
mod passthrough;
mod policy;
mod policy_choice;
mod policy_reference;
mod prices;
mod provider_errors;
mod reload;
mod reload_keeps;
mod reload_tls;
mod routing;
mod stop;
mod streams;
mod tokens;
mod translation;
mod try_history;
mod usage;
