//! A bounded queue with a lane for each tenant: lanes are served in turn, and one tenant's crowd takes no other's place.

use std::collections::VecDeque;

use crate::id::TenantName;

/// Jobs that wait, by tenant. No lane is empty.
pub(super) struct Lanes<T> {
    lanes: VecDeque<(TenantName, VecDeque<T>)>,
    waiting: usize,
    room: usize,
}

impl<T> Lanes<T> {
    /// For at most `room` jobs, at least one.
    pub(super) fn new(room: usize) -> Lanes<T> {
        Lanes { lanes: VecDeque::new(), waiting: 0, room: room.max(1) }
    }

    /// How many are served before another one of this tenant: its own, and of each other lane as many as turns come round
    /// until then.
    pub(super) fn ahead_of(&self, tenant: &TenantName) -> usize {
        let own = self.lanes.iter().find(|(name, _)| name == tenant).map_or(0, |(_, jobs)| jobs.len());
        let before =
            |(name, jobs): &(TenantName, VecDeque<T>)| if name == tenant { own } else { jobs.len().min(own + 1) };
        self.lanes.iter().map(before).sum()
    }

    /// Lets a job wait. Without room the newest job of the longest lane gives way, unless that is the lane of this one:
    /// then it is not taken. Says whether it was.
    pub(super) fn push(&mut self, tenant: &TenantName, job: T) -> bool {
        let own = self.lanes.iter().position(|(name, _)| name == tenant);
        if self.waiting == self.room {
            let length = |place: usize| self.lanes.get(place).map_or(0, |(_, jobs)| jobs.len());
            let longest = (0..self.lanes.len()).max_by_key(|&place| length(place));
            // As long as it would become is long enough: otherwise two tenants would throw each other out in turn.
            let Some(longest) = longest.filter(|&place| length(place) > own.map_or(0, length) + 1) else {
                return false;
            };
            if let Some((_, jobs)) = self.lanes.get_mut(longest) {
                jobs.pop_back();
                self.waiting -= 1;
            }
        }
        match own.and_then(|place| self.lanes.get_mut(place)) {
            Some((_, jobs)) => jobs.push_back(job),
            None => self.lanes.push_back((tenant.clone(), VecDeque::from([job]))),
        }
        self.waiting += 1;
        true
    }

    /// The next job: the oldest of the lane whose turn it is.
    pub(super) fn pop(&mut self) -> Option<T> {
        let (tenant, mut jobs) = self.lanes.pop_front()?;
        let job = jobs.pop_front();
        self.waiting -= usize::from(job.is_some());
        if !jobs.is_empty() {
            self.lanes.push_back((tenant, jobs));
        }
        job
    }

    /// Forgets the jobs that nobody waits for any more.
    pub(super) fn keep(&mut self, wanted: impl Fn(&T) -> bool) {
        for (_, jobs) in &mut self.lanes {
            jobs.retain(&wanted);
        }
        self.lanes.retain(|(_, jobs)| !jobs.is_empty());
        self.waiting = self.lanes.iter().map(|(_, jobs)| jobs.len()).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> TenantName {
        TenantName::from(name)
    }

    fn all(lanes: &mut Lanes<u32>) -> Vec<u32> {
        std::iter::from_fn(|| lanes.pop()).collect()
    }

    #[test]
    fn tenants_are_served_in_turn() {
        let mut lanes = Lanes::new(10);
        for job in 0..4 {
            assert!(lanes.push(&tenant("busy"), job));
        }
        assert!(lanes.push(&tenant("quiet"), 10) && lanes.push(&tenant("quiet"), 11));
        assert_eq!(lanes.ahead_of(&tenant("busy")), 6);
        assert_eq!((lanes.ahead_of(&tenant("quiet")), lanes.ahead_of(&tenant("new"))), (5, 2));
        assert_eq!(all(&mut lanes), [0, 10, 1, 11, 2, 3]);
        assert_eq!(lanes.ahead_of(&tenant("busy")), 0);
    }

    #[test]
    fn a_crowd_gives_way_to_others_and_to_nobody_of_its_own() {
        let mut lanes = Lanes::new(4);
        for job in 0..4 {
            assert!(lanes.push(&tenant("busy"), job));
        }
        assert!(!lanes.push(&tenant("busy"), 4));
        assert!(lanes.push(&tenant("quiet"), 10) && lanes.push(&tenant("quiet"), 11));
        // Both have two places now: equal shares.
        assert!(!lanes.push(&tenant("quiet"), 12) && !lanes.push(&tenant("busy"), 5));
        assert_eq!(all(&mut lanes), [0, 10, 1, 11]);
    }

    #[test]
    fn what_nobody_waits_for_makes_room() {
        let mut lanes = Lanes::new(2);
        assert!(lanes.push(&tenant("a"), 1) && lanes.push(&tenant("b"), 2) && !lanes.push(&tenant("c"), 3));
        lanes.keep(|job| *job != 1);
        assert_eq!(lanes.ahead_of(&tenant("b")), 1);
        assert!(lanes.push(&tenant("c"), 3));
        assert_eq!(all(&mut lanes), [2, 3]);
    }
}
