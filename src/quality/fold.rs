//! Rows dealt into folds, for judging a fit on rows it has not seen.

use std::collections::HashMap;

use super::seed::Seeded;

/// The fold of each row: equal shares, in an order drawn from the seed. Rows of one key are one prompt asked again; they
/// stay together, or a fit would have seen what it is judged on.
pub(super) fn folds(keys: &[u64], count: usize, seed: u64) -> Vec<usize> {
    let mut places: HashMap<u64, usize> = HashMap::new();
    let groups: Vec<usize> = keys
        .iter()
        .map(|key| {
            let next = places.len();
            *places.entry(*key).or_insert(next)
        })
        .collect();
    let mut folds: Vec<usize> = (0..places.len()).map(|group| group % count.max(1)).collect();
    Seeded::new(seed).shuffle(&mut folds);
    groups.into_iter().filter_map(|group| folds.get(group).copied()).collect()
}

/// What tells a prompt from another: its score and the beginning of its vector.
pub(super) fn key(difficulty: f64, vector: Option<&[f32]>) -> u64 {
    let mut key = difficulty.to_bits();
    for value in vector.unwrap_or_default().iter().take(8) {
        key = key.rotate_left(5).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(value.to_bits());
    }
    key
}

/// How many folds so many rows are dealt into: many while data are few, for then every row counts.
pub(super) const fn count(rows: usize) -> usize {
    if rows < 1000 { 10 } else { 5 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_equal_and_a_prompt_asked_twice_is_in_one() {
        let keys: Vec<u64> = (0..100).map(|row| row % 50).collect();
        let folds = folds(&keys, 5, 7);
        for fold in 0..5 {
            assert_eq!(folds.iter().filter(|of| **of == fold).count(), 20);
        }
        assert!((0..50).all(|row| folds[row] == folds[row + 50]));
        assert_ne!(key(0.5, Some(&[0.1])), key(0.5, Some(&[0.2])));
        assert_eq!(key(0.5, None), key(0.5, Some(&[])));
    }
}
