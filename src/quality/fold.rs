//! Rows dealt into folds, for judging a fit on rows it has not seen.

use super::seed::Seeded;

/// The fold of each of `rows` rows: equal shares, in an order drawn from the seed.
pub(super) fn folds(rows: usize, count: usize, seed: u64) -> Vec<usize> {
    let mut folds: Vec<usize> = (0..rows).map(|row| row % count.max(1)).collect();
    Seeded::new(seed).shuffle(&mut folds);
    folds
}

/// How many folds so many rows are dealt into: many while data are few, for then every row counts.
pub(super) const fn count(rows: usize) -> usize {
    if rows < 1000 { 10 } else { 5 }
}
