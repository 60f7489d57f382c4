//! Prompts whose outcomes are as a test says, for calibrations.

use std::path::Path;

/// Sums are easy and proofs are hard; whether this one is.
pub(crate) fn prompt(number: usize) -> (String, bool) {
    let hard = number % 2 == 1;
    let text = if hard {
        format!(
            "Prove rigorously that every integer n > {number} has the property stated, and generalise the argument to \
                 arbitrary commutative rings; discuss each counterexample and its cohomological obstruction."
        )
    } else {
        format!("What is {number} + 2?")
    };
    (text, hard)
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
