//! What was decided, and why: one record per authenticated request.
//!
//! The last ones are kept in memory for `GET /v1/decisions/{id}`; a file takes all of them where configured. A record is
//! built from values that the request path already holds and is turned into JSON only when somebody asks.

mod considered;
mod file;
mod record;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

pub use self::considered::Considered;
use self::file::{File, Line};
pub use self::record::{
    Attempt, Bucket, Candidate, Decision, Detection, Expected, Feedback, Label, Policy, Quality, Score, Tokens,
};
use crate::id::{DecisionId, TenantName};

/// Shards of the memory, so that workers do not meet at one lock.
const SHARDS: usize = 16;

type Shard = Mutex<VecDeque<Arc<Decision>>>;

/// The records of one gateway instance.
#[derive(Debug)]
pub struct Decisions {
    shards: Arc<[Shard; SHARDS]>,
    /// Records per shard.
    keep: usize,
    file: Option<Arc<File>>,
}

impl Decisions {
    /// Keeps the last `keep` records in memory and, if given, appends all of them to `file` as JSON lines.
    ///
    /// # Errors
    /// A file that cannot be opened for appending.
    pub fn new(keep: usize, file: Option<&Path>) -> std::io::Result<Self> {
        let file = file.map(File::open).transpose()?.map(Arc::new);
        Ok(Self { shards: Arc::default(), keep: keep.div_ceil(SHARDS), file })
    }

    /// The same records for another configuration. The file is opened anew where it is another one, also by the same
    /// name: a log that was rotated away is left to its end.
    ///
    /// # Errors
    /// As of [`Self::new`].
    pub fn renewed(&self, keep: usize, file: Option<&Path>) -> std::io::Result<Self> {
        let file = match (file, &self.file) {
            (Some(path), Some(open)) if open.is_at(path) => Some(Arc::clone(open)),
            (Some(path), _) => Some(Arc::new(File::open(path)?)),
            (None, _) => None,
        };
        // Where nothing is kept any more, what was kept goes with those that still use it.
        let shards = if keep == 0 { Arc::default() } else { Arc::clone(&self.shards) };
        Ok(Self { shards, keep: keep.div_ceil(SHARDS), file })
    }

    /// Takes a record. Never waits.
    pub fn record(&self, decision: Decision) {
        if self.keep == 0 {
            if let Some(file) = &self.file {
                file.append(Line::Decision(Arc::new(decision)));
            }
            return;
        }
        let shard = self.shard(decision.id);
        let decision = match self.oldest(shard) {
            Some(oldest) => taking_over(oldest, decision),
            None => Arc::new(decision),
        };
        if let Some(file) = &self.file {
            file.append(Line::Decision(Arc::clone(&decision)));
        }
        shard.lock().push_back(decision);
    }

    /// Takes the oldest record out of a shard that is full.
    fn oldest(&self, shard: &Shard) -> Option<Arc<Decision>> {
        let mut shard = shard.lock();
        // More than one only after a reload that keeps fewer.
        while shard.len() > self.keep {
            shard.pop_front();
        }
        if shard.len() == self.keep { shard.pop_front() } else { None }
    }

    /// A record of this tenant's. Another tenant's is as unknown as one that never was.
    #[must_use]
    pub fn get(&self, id: DecisionId, tenant: &TenantName) -> Option<Arc<Decision>> {
        let shard = self.shard(id).lock();
        shard.iter().rev().find(|decision| decision.id == id && decision.tenant == *tenant).cloned()
    }

    /// The last records that are wanted, the newest first.
    #[must_use]
    pub fn latest(&self, limit: usize, wanted: impl Fn(&Decision) -> bool) -> Vec<Arc<Decision>> {
        let mut latest = Vec::new();
        for shard in self.shards.iter() {
            // No shard can give more than all together.
            let shard = shard.lock();
            latest.extend(shard.iter().rev().filter(|decision| wanted(decision)).take(limit).cloned());
        }
        // Ids sort by time.
        latest.sort_unstable_by_key(|decision| std::cmp::Reverse(decision.id));
        latest.truncate(limit);
        latest
    }

    /// Appends what a client says of an answer to the file. Returns whether there is one. Never waits.
    pub fn feedback(&self, feedback: Feedback) -> bool {
        let Some(file) = &self.file else { return false };
        file.append(Line::Feedback(feedback));
        true
    }

    /// Writes out what is queued for the file; for the end of the process.
    pub fn close(&self) {
        if let Some(file) = &self.file {
            file.close();
        }
    }

    fn shard(&self, id: DecisionId) -> &Shard {
        &self.shards[id.spread() % SHARDS]
    }
}

/// The record in the place of an older one, which nobody reads any more in most cases. The older one has left the
/// processor's caches long ago: to write over it touches its memory once, to free it and to take other memory twice.
fn taking_over(mut oldest: Arc<Decision>, decision: Decision) -> Arc<Decision> {
    let Some(place) = Arc::get_mut(&mut oldest) else { return Arc::new(decision) };
    place.turn_into(decision);
    oldest
}

/// The JSON Schema of a record, as `docs/schemas/decision.json` publishes it.
#[must_use]
pub fn schema() -> String {
    let schema = schemars::schema_for!(Decision);
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_record_makes_room() {
        let decisions = Decisions::new(SHARDS, None).unwrap();
        let all: Vec<_> = (0..200).map(|_| Decision::blank("acme")).collect();
        let ids: Vec<_> = all.iter().map(|decision| decision.id).collect();
        all.into_iter().for_each(|decision| decisions.record(decision));
        let kept = ids.iter().filter(|id| decisions.get(**id, &"acme".into()).is_some()).count();
        assert!(kept <= SHARDS, "{kept} records are more than was asked to keep");
        assert!(decisions.get(*ids.last().unwrap(), &"acme".into()).is_some(), "the newest is there");
    }

    #[test]
    fn a_reload_that_keeps_none_keeps_none_of_the_old_either() {
        let decisions = Decisions::new(100, None).unwrap();
        decisions.record(Decision::blank("acme"));
        assert_eq!(decisions.renewed(50, None).unwrap().latest(10, |_| true).len(), 1);
        let none = decisions.renewed(0, None).unwrap();
        assert_eq!(decisions.latest(10, |_| true).len(), 1, "nothing happens to what still runs");
        let held = Arc::downgrade(&decisions.shards);
        drop(decisions);
        assert!(none.latest(10, |_| true).is_empty() && held.upgrade().is_none());
        assert!(none.renewed(100, None).unwrap().latest(10, |_| true).is_empty(), "nor do they come back");
    }

    #[test]
    fn the_newest_come_first_however_fast_they_are_made() {
        let decisions = Decisions::new(1000, None).unwrap();
        let made: Vec<_> = (0..200).map(|_| Decision::blank("acme")).collect();
        let mut ids: Vec<_> = made.iter().map(|decision| decision.id).collect();
        made.into_iter().for_each(|decision| decisions.record(decision));
        ids.reverse();
        let latest: Vec<_> = decisions.latest(200, |_| true).iter().map(|decision| decision.id).collect();
        assert_eq!(latest, ids);
    }

    #[test]
    fn a_record_that_takes_over_anothers_memory_holds_nothing_of_it() {
        let decisions = Decisions::new(SHARDS, None).unwrap();
        let attempt = |bytes_sent| Attempt {
            target: "small@own".into(),
            effort: None,
            peer: None,
            tls_sha256: None,
            bytes_sent,
            status: Some(200),
            result: "ok",
            elapsed: std::time::Duration::ZERO,
        };
        let mut written = Vec::new();
        for round in 0..40 {
            let mut decision = Decision::blank(if round % 3 == 0 { "acme" } else { "rival" });
            decision.attempts = (0..round % 7).map(attempt).collect();
            decision.model = (round % 2 == 0).then(|| format!("model-{round}"));
            written.push((decision.id, serde_json::to_string(&decision).unwrap()));
            decisions.record(decision);
        }
        // Somebody reads one while its place is taken.
        let (id, before) = written.last().unwrap();
        let read = decisions.latest(1, |_| true).remove(0);
        let kept: Vec<_> = decisions.latest(100, |_| true);
        assert!((1..=SHARDS).contains(&kept.len()));
        for decision in &kept {
            let (_, json) = written.iter().find(|(id, _)| *id == decision.id).unwrap();
            assert_eq!(serde_json::to_string(decision).unwrap(), *json);
        }
        drop(kept);
        (0..100).for_each(|_| decisions.record(Decision::blank("acme")));
        assert_eq!((read.id, serde_json::to_string(&read).unwrap()), (*id, before.clone()));
    }

    #[test]
    fn labels_and_ids_of_any_length_are_those_of_the_new_record() {
        let config = crate::policy::fixture::config(Vec::new());
        let text = "policy: p\nrules: []\nobjective: { minimise: cost }\n";
        let policy = crate::policy::Policies::from_text(text, &config).unwrap().0;
        let record = |id: &str, labels: Option<&[(&str, &str)]>| {
            let mut decision = Decision::blank("acme");
            decision.request_id = crate::id::RequestId::from_client(Some(id.as_bytes()));
            decision.labels = labels.map(|labels| crate::policy::fixture::labelled(&policy, labels, &[]));
            decision
        };
        let all = || {
            [
                record(&"l".repeat(128), Some(&[("data-class", "secret")])),
                record("abc", Some(&[("data-class", "public")])),
                record("none", None),
            ]
        };
        for old in 0..3 {
            for new in 0..3 {
                let (mut place, other) = (all().into_iter().nth(old).unwrap(), all().into_iter().nth(new).unwrap());
                let expected = serde_json::to_string(&other).unwrap();
                place.turn_into(other);
                assert_eq!(serde_json::to_string(&place).unwrap(), expected, "{new} over {old}");
            }
        }
    }

    #[test]
    fn another_tenants_record_is_unknown() {
        let decisions = Decisions::new(100, None).unwrap();
        let decision = Decision::blank("acme");
        let id = decision.id;
        decisions.record(decision);
        assert!(decisions.get(id, &"acme".into()).is_some());
        assert!(decisions.get(id, &"rival".into()).is_none());
    }

    #[test]
    fn the_published_schema_is_that_of_the_records() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schemas/decision.json");
        let generated = format!("{}\n", schema());
        if std::env::var_os("WRITE_SCHEMAS").is_some() {
            std::fs::write(path, &generated).unwrap();
        }
        let published = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            published == generated,
            "{path} is out of date: run this test with WRITE_SCHEMAS=1 and commit what it writes"
        );
    }

    #[test]
    fn the_file_gets_one_line_a_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decisions.jsonl");
        let decisions = Decisions::new(0, Some(&path)).unwrap();
        for _ in 0..3 {
            decisions.record(Decision::blank("acme"));
        }
        assert!(decisions.feedback(Feedback::new(DecisionId::new(), "acme".into(), 0.5)));
        decisions.close();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 4);
        assert_eq!((&lines[3]["kind"], &lines[3]["score"]), (&"feedback".into(), &0.5.into()));
        assert_eq!(lines[0]["schema"], 1);
        assert_eq!(lines[0]["tenant"], "acme");
    }
}
