//! Changes to a body, noted while it is scanned and made at once.

use std::ops::Range;

use crate::wire::json::{Key, splice};

/// What is to change in a body.
#[derive(Debug, Default)]
pub(super) struct Edits(Vec<(Range<usize>, Vec<u8>)>);

impl Edits {
    /// Notes that `new` is to stand in place of this range.
    pub(super) fn replace(&mut self, range: Range<usize>, new: impl Into<Vec<u8>>) {
        self.0.push((range, new.into()));
    }

    /// How many changes are noted.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Forgets the changes of these numbers.
    pub(super) fn forget(&mut self, numbers: Range<usize>) {
        self.0.drain(numbers.start.min(self.0.len())..numbers.end.min(self.0.len()));
    }

    /// The body with the changes; `None`: there are none.
    pub(super) fn apply(mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.0.is_empty() {
            return None;
        }
        // What is put in stands before what is replaced at the same place.
        self.0.sort_by_key(|(range, _)| (range.start, range.end));
        let edits: Vec<_> = self.0.iter().map(|(range, new)| (range.clone(), new.as_slice())).collect();
        Some(splice(bytes, &edits))
    }
}

/// An object of which members may go and to which members may be added.
#[derive(Debug)]
pub(super) struct Frame {
    /// Behind the opening brace.
    inside: usize,
    members: Vec<Seen>,
    added: Vec<u8>,
}

#[derive(Debug)]
struct Seen {
    key: usize,
    end: usize,
    gone: bool,
}

impl Frame {
    /// For the object whose opening brace stands at `at`.
    pub(super) fn at(at: usize) -> Self {
        // Most objects of the format have so many at most.
        Self { inside: at + 1, members: Vec::with_capacity(8), added: Vec::new() }
    }

    /// Notes a member, read to `end`; its number among the members.
    pub(super) fn member(&mut self, key: &Key<'_>, end: usize) -> usize {
        self.members.push(Seen { key: key.span().start, end, gone: false });
        self.members.len() - 1
    }

    /// Takes a member out.
    pub(super) fn remove(&mut self, member: usize) {
        if let Some(member) = self.members.get_mut(member) {
            member.gone = true;
        }
    }

    /// Takes the members of this name out.
    pub(super) fn remove_named(&mut self, name: &str, bytes: &[u8]) {
        let quoted = [b"\"", name.as_bytes(), b"\""].concat();
        for member in &mut self.members {
            let said = bytes.get(member.key..).unwrap_or_default();
            member.gone |= said.starts_with(&quoted);
        }
    }

    /// Adds a member; `value` is JSON.
    pub(super) fn add(&mut self, name: &str, value: &[u8]) {
        if !self.added.is_empty() {
            self.added.push(b',');
        }
        self.added.push(b'"');
        self.added.extend_from_slice(name.as_bytes());
        self.added.extend_from_slice(b"\":");
        self.added.extend_from_slice(value);
    }

    /// The object is read: notes what changes.
    pub(super) fn close(mut self, edits: &mut Edits) {
        let mut kept = None;
        // Where the members to be cut begin that no kept one has followed yet, and where they end.
        let mut cut: Option<Range<usize>> = None;
        for member in &self.members {
            if member.gone {
                cut.get_or_insert(member.key..member.end).end = member.end;
                continue;
            }
            if let Some(cut) = cut.take() {
                edits.replace(cut.start..member.key, []);
            }
            kept = Some(member.end);
        }
        if let Some(cut) = cut {
            edits.replace(kept.unwrap_or(cut.start)..cut.end, []);
        }
        if !self.added.is_empty() {
            if kept.is_some() {
                self.added.push(b',');
            }
            edits.replace(self.inside..self.inside, self.added);
        }
    }
}
