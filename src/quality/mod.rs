//! How good each target's answers are, measured: curves fitted to outcomes, and the threshold that keeps a promise.
//!
//! A *curve* says how likely a target answers a prompt of a given difficulty well. A *threshold* τ says how far below
//! the best a target may be expected to lie and still be chosen. Both come from a team's own outcomes through
//! `waypost calibrate`, are kept in a file ([`Calibration`]) and read by the gateway. [`judge`] measures a difficulty
//! score itself, for `waypost eval`.
//!
//! Everything here is plain arithmetic on values that are handed in: no files, no clock, and random numbers only from a
//! seed, so that the same data give the same calibration everywhere.

pub mod bound;
mod calibration;
mod curve;
pub mod data;
mod fit;
mod fold;
pub mod isotonic;
pub mod judge;
pub mod logistic;
mod ridge;
pub mod seed;
mod threshold;
mod weigh;

pub use calibration::{Bucket, Calibration, CalibrationError, Fitted, Floor, Scorer, TargetCurve};
pub use curve::{Curve, Method, ease};
pub use threshold::{Ladder, Point, Promise, Row, Threshold, find};
pub use weigh::{Labelled, Outcome, Terms, TooFew, Weighed, calibrate};

/// Fewest labels a calibration can be made from: fewer cannot tell a good target from a lucky one.
pub const FEWEST: usize = 50;
/// Labels below which a calibration is coarse, and its reader is warned.
pub const FEW: usize = 200;

#[cfg(test)]
mod tests;
