//! A set of targets, or of rules, as bits: a rule costs a request one AND per 64 targets, and up to 64 allocate nothing.

/// Which places are in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mask {
    low: u64,
    high: Vec<u64>,
}

impl Mask {
    /// Nothing in, room for `len`.
    pub(crate) fn none(len: usize) -> Self {
        Self { low: 0, high: vec![0; len.saturating_sub(1) / 64] }
    }

    /// Adds a place; one beyond the room is ignored.
    pub(crate) fn insert(&mut self, place: usize) {
        let bit = 1 << (place % 64);
        match place / 64 {
            0 => self.low |= bit,
            word => {
                if let Some(word) = self.high.get_mut(word - 1) {
                    *word |= bit;
                }
            }
        }
    }

    /// Whether a place is in.
    pub(crate) fn contains(&self, place: usize) -> bool {
        let word = match place / 64 {
            0 => self.low,
            word => self.high.get(word - 1).copied().unwrap_or_default(),
        };
        word & (1 << (place % 64)) != 0
    }

    /// Keeps what is in both; `true` if anything went.
    pub(crate) fn keep(&mut self, other: &Self) -> bool {
        let mut removed = self.low & !other.low != 0;
        self.low &= other.low;
        for (word, kept) in self.high.iter_mut().zip(&other.high) {
            removed |= *word & !kept != 0;
            *word &= kept;
        }
        removed
    }

    /// Whether the other has all that is in here.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.words().zip(other.words()).all(|(word, other)| word & !other == 0)
    }

    /// Whether nothing is in.
    pub(crate) fn is_empty(&self) -> bool {
        self.low == 0 && self.high.iter().all(|word| *word == 0)
    }

    /// How many are in.
    pub(crate) fn len(&self) -> usize {
        let high: u32 = self.high.iter().map(|word| word.count_ones()).sum();
        (self.low.count_ones() + high) as usize
    }

    /// The places that are in, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        places(self.words())
    }

    /// The places that are in here and not in one of the same room, in order.
    pub(crate) fn without<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = usize> + 'a {
        places(self.words().zip(other.words()).map(|(word, other)| word & !other))
    }

    fn words(&self) -> impl Iterator<Item = u64> + '_ {
        std::iter::once(self.low).chain(self.high.iter().copied())
    }
}

fn places(words: impl Iterator<Item = u64>) -> impl Iterator<Item = usize> {
    words.enumerate().flat_map(|(index, word)| Bits(word).map(move |bit| index * 64 + bit))
}

/// The places of the bits that are set in a word, lowest first.
struct Bits(u64);

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(bit as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_beyond_the_first_word_is_kept_and_removed_like_any_other() {
        let mut all = Mask::none(130);
        let mut some = Mask::none(130);
        for place in [0, 63, 64, 129, 5000] {
            all.insert(place);
        }
        some.insert(129);
        assert!(!all.contains(5000));
        assert_eq!(all.len(), 4);
        assert_eq!(all.without(&some).collect::<Vec<_>>(), [0, 63, 64]);
        assert!(!all.is_within(&some));
        assert!(all.keep(&some));
        assert!(!all.keep(&some) && all.is_within(&some));
        assert_eq!(all.iter().collect::<Vec<_>>(), [129]);
        assert!(!all.is_empty());
        assert!(Mask::none(64).high.is_empty() && Mask::none(0).high.is_empty());
    }
}
