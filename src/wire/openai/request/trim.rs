//! The members of a body that only say how to deliver the answer, for cache keys without them.

use std::ops::Range;

/// Finds the members without effect, and the comma that goes with each.
#[derive(Debug, Default)]
pub(in crate::wire::openai) struct Trim {
    cuts: [Range<usize>; 2],
    used: usize,
    /// The last member was one without effect.
    open: bool,
    /// End of the last member that stays.
    kept_end: usize,
}

impl Trim {
    /// A member begins at `key`: what was cut before it goes up to here, comma and all.
    pub(in crate::wire::openai) fn begin(&mut self, key: usize) {
        if self.open
            && let Some(last) = self.used.checked_sub(1).and_then(|last| self.cuts.get_mut(last))
        {
            last.end = key;
        }
        self.open = false;
    }

    /// The last member stays.
    pub(in crate::wire::openai) fn keep(&mut self, end: usize) {
        self.kept_end = end;
    }

    /// The last member goes.
    pub(in crate::wire::openai) fn cut(&mut self, member: Range<usize>) {
        if let Some(free) = self.cuts.get_mut(self.used) {
            *free = member;
            self.used += 1;
            self.open = true;
        }
    }

    /// The object has ended. A cut at its end takes the comma before it, and with it what was cut next to it.
    pub(in crate::wire::openai) fn end(mut self) -> [Range<usize>; 2] {
        let [first, second] = &mut self.cuts;
        match (self.open, self.used) {
            (true, 1) if self.kept_end > 0 => first.start = self.kept_end,
            (true, 2) if self.kept_end > 0 && first.start >= self.kept_end => {
                *first = self.kept_end..second.end;
                *second = first.end..first.end;
            }
            (true, 2) if self.kept_end > 0 => second.start = self.kept_end,
            _ => {}
        }
        if self.used < 2 {
            *second = first.end..first.end;
        }
        self.cuts
    }
}
