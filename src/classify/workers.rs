//! The threads that run the network, fed by a bounded queue, so that no async worker ever computes it.
//!
//! They run at a lower priority than the threads that relay answers: on a busy machine scores come late, not answers.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use moka::sync::Cache;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::lanes::Lanes;
use super::scorer::{Scorer, Seen, Verdict};
use super::{ClassifyError, Unscored};
use crate::id::TenantName;

/// What comes back: what was seen, to be used again, and the verdict.
type Reply = (Seen, Result<Verdict, ClassifyError>);
/// A scorer that a thread uses and a command may borrow.
pub(super) type SharedScorer = Arc<Mutex<Box<dyn Scorer>>>;

/// Verdicts remembered. With an embedding of 384 numbers each is some 1.6 KB.
const REMEMBERED: u64 = 2048;

/// The niceness of the threads: a core that relays is shared with them at about nine to one (the kernel's weights of
/// niceness 0 and 10, 1024 and 110).
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// The second stage: threads, their queue, and the verdicts of late.
pub(super) struct Workers {
    shared: Arc<Shared>,
    /// One of the scorers, for [`Workers::score_blocking`].
    first: SharedScorer,
}

struct Shared {
    waiting: Mutex<Waiting>,
    ready: Condvar,
    threads: usize,
    /// Threads that run a prompt.
    busy: AtomicUsize,
    /// What a run took of late, nanoseconds of wall time; 0 before the first.
    pace: AtomicU64,
    remembered: Cache<u64, Verdict>,
    /// Secret of this process: nobody outside can make two prompts meet.
    hashed: RandomState,
}

struct Waiting {
    lanes: Lanes<Job>,
    closed: bool,
}

struct Job {
    seen: Seen,
    key: u64,
    reply: oneshot::Sender<Reply>,
}

impl Workers {
    /// One thread per scorer; at most `queue` prompts wait.
    pub(super) fn start(scorers: Vec<Box<dyn Scorer>>, queue: usize) -> Result<Workers, ClassifyError> {
        let scorers: Vec<SharedScorer> = scorers.into_iter().map(|scorer| Arc::new(Mutex::new(scorer))).collect();
        let first = Arc::clone(scorers.first().ok_or(ClassifyError::Off)?);
        let shared = Arc::new(Shared {
            waiting: Mutex::new(Waiting { lanes: Lanes::new(queue), closed: false }),
            ready: Condvar::new(),
            threads: scorers.len(),
            busy: AtomicUsize::new(0),
            pace: AtomicU64::new(0),
            remembered: Cache::new(REMEMBERED),
            hashed: RandomState::new(),
        });
        // Made first, so that the threads already started end if another cannot be.
        let workers = Workers { shared: Arc::clone(&shared), first };
        for scorer in scorers {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("classify".to_owned())
                .spawn(move || serve(&scorer, &shared))
                .map_err(ClassifyError::Thread)?;
        }
        Ok(workers)
    }

    /// The verdict on what was seen, within `left`, and what was seen for another use. Dropping it is safe: a prompt
    /// nobody waits for is skipped.
    pub(super) async fn score(
        &self,
        tenant: &TenantName,
        seen: Seen,
        left: Duration,
    ) -> (Option<Seen>, Result<Verdict, Unscored>) {
        let key = self.shared.key(tenant, &seen);
        if let Some(verdict) = self.shared.remembered.get(&key) {
            return (Some(seen), Ok(verdict));
        }
        if left.is_zero() {
            return (Some(seen), Err(Unscored::Late));
        }
        let (reply, answer) = oneshot::channel();
        if let Some((seen, reason)) = self.shared.submit(tenant, Job { seen, key, reply }, left) {
            return (seen, Err(reason));
        }
        match tokio::time::timeout(left, answer).await {
            Err(_) => (None, Err(Unscored::Late)),
            // It gave its place to another tenant's.
            Ok(Err(_)) => (None, Err(Unscored::QueueFull)),
            Ok(Ok((seen, verdict))) => (Some(seen), verdict.map_err(|_| Unscored::Failed)),
        }
    }

    /// The verdict on this thread, without queue and memory.
    pub(super) fn score_blocking(&self, seen: &Seen) -> Result<Verdict, ClassifyError> {
        self.first.lock().score(seen)
    }

    /// As if a run took so long.
    #[cfg(test)]
    pub(super) fn expect(&self, pace: Duration) {
        self.shared.took(pace);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.waiting.lock().closed = true;
        self.shared.ready.notify_all();
    }
}

impl Shared {
    /// All that a scorer looks at, and the tenant: no other one can find out by the time it takes what was asked.
    fn key(&self, tenant: &TenantName, seen: &Seen) -> u64 {
        let mut hasher = self.hashed.build_hasher();
        tenant.hash(&mut hasher);
        seen.excerpt.hash(&mut hasher);
        for value in seen.features.surface.iter().chain([&seen.linear]) {
            hasher.write_u32(value.to_bits());
        }
        hasher.finish()
    }

    /// Lets a prompt wait, or says why not: it would come late by the pace of late, or finds no place. One that is begun at
    /// once is always taken, so that the pace is found out again after every jam.
    fn submit(&self, tenant: &TenantName, job: Job, left: Duration) -> Option<(Option<Seen>, Unscored)> {
        let mut waiting = self.waiting.lock();
        waiting.lanes.keep(|job| !job.reply.is_closed());
        let ahead = waiting.lanes.ahead_of(tenant) + self.busy.load(Relaxed);
        let rounds = if ahead < self.threads { 0 } else { (ahead / self.threads.max(1)) as u64 + 1 };
        if Duration::from_nanos(self.pace.load(Relaxed).saturating_mul(rounds)) > left {
            return Some((Some(job.seen), Unscored::Late));
        }
        if !waiting.lanes.push(tenant, job) {
            return Some((None, Unscored::QueueFull));
        }
        drop(waiting);
        self.ready.notify_one();
        None
    }

    /// The next prompt that somebody waits for; `None` at the end.
    fn next(&self) -> Option<Job> {
        let mut waiting = self.waiting.lock();
        loop {
            while let Some(job) = waiting.lanes.pop() {
                if !job.reply.is_closed() {
                    // Counted under the lock, so that it is either waiting or running.
                    self.busy.fetch_add(1, Relaxed);
                    return Some(job);
                }
            }
            if waiting.closed {
                return None;
            }
            self.ready.wait(&mut waiting);
        }
    }

    fn took(&self, elapsed: Duration) {
        let new = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        let old = self.pace.load(Relaxed);
        // A moving mean over some eight runs; two threads that write at once lose one of them.
        let pace = if old == 0 { new } else { old - old / 8 + new / 8 };
        self.pace.store(pace, Relaxed);
    }
}

fn serve(scorer: &Mutex<Box<dyn Scorer>>, shared: &Shared) {
    #[cfg(target_os = "linux")]
    {
        // Where it is refused the threads run like all others.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
    }
    while let Some(Job { seen, key, reply }) = shared.next() {
        let started = Instant::now();
        // A thread that died would take the network with it.
        let run = catch_unwind(AssertUnwindSafe(|| scorer.lock().score(&seen)));
        let verdict = run.unwrap_or(Err(ClassifyError::Panicked));
        if matches!(verdict, Err(ClassifyError::Panicked)) {
            tracing::error!("the difficulty network panicked; the linear score stands for this prompt");
        }
        shared.took(started.elapsed());
        shared.busy.fetch_sub(1, Relaxed);
        if let Ok(verdict) = &verdict {
            // Also where it comes late: the next time it will be there.
            shared.remembered.insert(key, verdict.clone());
        }
        // The asker may have gone meanwhile; then nobody needs the verdict.
        let _ = reply.send((seen, verdict));
    }
}
