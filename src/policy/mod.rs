//! The law.
pub mod node;
