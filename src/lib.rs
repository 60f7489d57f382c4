//! Waypost.
pub mod classify;
