//! What the operator wrote, checked, and the form that runs.

pub mod facts;
pub mod problem;
pub mod running;

pub use facts::{Fact, FactName, Facts};
pub use problem::{Problem, Severity};
pub use running::*;
