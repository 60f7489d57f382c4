//! Digits as people write them: in groups with a mark between.

/// Most digits and groups that are read; no value has more.
pub(super) const MAX_DIGITS: usize = 20;
const MAX_GROUPS: usize = 8;

/// What stands between two groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// A blank, also one that does not break or is thin.
    Space,
    /// A hyphen or dash.
    Dash,
    Dot,
}

/// The mark that stands here, and how many bytes it has.
pub(super) fn gap(bytes: &[u8], at: usize) -> Option<(Gap, usize)> {
    match bytes.get(at)? {
        b' ' => Some((Gap::Space, 1)),
        b'-' => Some((Gap::Dash, 1)),
        b'.' => Some((Gap::Dot, 1)),
        // U+00A0
        0xC2 if bytes.get(at + 1) == Some(&0xA0) => Some((Gap::Space, 2)),
        0xE2 if bytes.get(at + 1) == Some(&0x80) => match bytes.get(at + 2)? {
            // U+2009, U+202F
            0x89 | 0xAF => Some((Gap::Space, 3)),
            // U+2010 to U+2013
            0x90..=0x93 => Some((Gap::Dash, 3)),
            _ => None,
        },
        _ => None,
    }
}

/// Groups of digits from one place on, single marks between them.
#[derive(Debug, Default)]
pub(super) struct Groups {
    digits: [u8; MAX_DIGITS],
    total: usize,
    lengths: [usize; MAX_GROUPS],
    ends: [usize; MAX_GROUPS],
    gaps: [Option<Gap>; MAX_GROUPS],
    count: usize,
}

impl Groups {
    /// Reads the groups that begin here, as many as are told apart; the first may be too long to be kept.
    pub(super) fn read(bytes: &[u8], start: usize) -> Self {
        let mut groups = Self::default();
        let mut at = start;
        while groups.count < MAX_GROUPS {
            let end = run_end(bytes, at);
            let Some(run) = bytes.get(at..end).filter(|run| groups.total + run.len() <= MAX_DIGITS) else { break };
            groups.add(run, end);
            match gap(bytes, end) {
                Some((gap, length)) if bytes.get(end + length).is_some_and(u8::is_ascii_digit) => {
                    groups.mark(gap);
                    at = end + length;
                }
                _ => break,
            }
        }
        groups
    }

    fn add(&mut self, run: &[u8], end: usize) {
        for &byte in run {
            if let Some(digit) = self.digits.get_mut(self.total) {
                *digit = byte - b'0';
                self.total += 1;
            }
        }
        if let (Some(length), Some(place)) = (self.lengths.get_mut(self.count), self.ends.get_mut(self.count)) {
            (*length, *place) = (run.len(), end);
            self.count += 1;
        }
    }

    /// The mark behind the last group.
    fn mark(&mut self, gap: Gap) {
        if let Some(mark) = self.count.checked_sub(1).and_then(|last| self.gaps.get_mut(last)) {
            *mark = Some(gap);
        }
    }

    /// The lengths of the groups.
    pub(super) fn lengths(&self) -> &[usize] {
        self.lengths.get(..self.count).unwrap_or_default()
    }

    /// How many digits there are.
    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// The digits of the first `groups` groups.
    pub(super) fn digits(&self, groups: usize) -> &[u8] {
        let count: usize = self.lengths().iter().take(groups).sum();
        self.digits.get(..count).unwrap_or_default()
    }

    /// Where the first `groups` groups end.
    pub(super) fn end(&self, groups: usize) -> Option<usize> {
        self.ends.get(..self.count)?.get(groups.checked_sub(1)?).copied()
    }

    /// The mark between the first `groups` groups, if it is the same everywhere.
    pub(super) fn mark_within(&self, groups: usize) -> Option<Gap> {
        let marks = self.gaps.get(..groups.checked_sub(1)?)?;
        let first = (*marks.first()?)?;
        marks.iter().all(|mark| *mark == Some(first)).then_some(first)
    }

    /// Whether these are the lengths of the first groups.
    pub(super) fn begins(&self, lengths: &[usize]) -> bool {
        self.lengths().starts_with(lengths)
    }

    /// The mark behind the first `groups` groups and the length of the group after it.
    pub(super) fn after(&self, groups: usize) -> Option<(Gap, usize)> {
        let gap = (*self.gaps.get(groups.checked_sub(1)?)?)?;
        // A group that was too long to be read is one all the same.
        Some((gap, self.lengths().get(groups).copied().unwrap_or(MAX_DIGITS)))
    }
}

/// Where the run of digits ends that goes on here.
pub(super) fn run_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len())
}

/// The digits as one number; at most 19 of them.
pub(super) fn as_number(digits: &[u8]) -> u64 {
    digits.iter().fold(0u64, |value, &digit| value.wrapping_mul(10).wrapping_add(u64::from(digit)))
}
