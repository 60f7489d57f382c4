//! The commands.

pub mod keys;
