//! Times to the first token, and to the first token of the answer itself, as they were lately seen: per target, and for
//! the answer per effort.
//!
//! A histogram of a minute and the one before; what is older is forgotten, so that a target which was slow once and is
//! therefore not asked gets another chance. While there are few samples the prior stands in for the missing ones.
//! Reading is two loads, for it happens for every candidate of every request; recording, once an answer, counts it and
//! then goes through the histogram to leave the figure.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::lengths::{EFFORTS, effort_at, place, reasoning};
use crate::chat::Effort;
use crate::config::Target;
use crate::id::TargetId;

/// How long one histogram collects.
const WINDOW: Duration = Duration::from_secs(60);

/// Samples below which the prior fills up: the fewest of which a 95th percentile can be told.
const ENOUGH: u64 = 20;

/// Four steps an octave from 128 µs to 134 s: an estimate is at most a quarter too high.
const BUCKETS: usize = 80;
const FIRST_OCTAVE: usize = 7;

/// Live first-token times of all targets of one configuration.
#[derive(Debug)]
pub struct Observed {
    start: Instant,
    targets: Vec<Arc<Times>>,
}

/// What to assume of a target until something was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prior {
    first: Duration,
    answers: [Duration; EFFORTS],
}

/// One target's times.
#[derive(Debug)]
struct Times {
    prior: Prior,
    first: Series,
    answers: [Answers; EFFORTS],
}

/// Room is made at the first answer: most targets are asked at one effort only.
#[derive(Debug)]
struct Answers {
    prior: Duration,
    series: OnceLock<Box<Series>>,
}

#[derive(Debug)]
struct Series {
    prior: u64,
    windows: [Window; 2],
    /// Microseconds and the window they were last reckoned in; window 0 is "never".
    p95: AtomicU64,
    last: AtomicU64,
}

#[derive(Debug)]
struct Window {
    number: AtomicU64,
    counts: [AtomicU32; BUCKETS],
}

impl Prior {
    /// As the configuration states it: the reasoning that an effort usually takes comes before the answer, at the stated
    /// speed.
    #[must_use]
    pub fn of(target: &Target) -> Self {
        let first = target.latency_prior.first_token;
        let speed = target.latency_prior.tokens_per_second;
        let answer = |effort| {
            let seconds = reasoning(target, effort) as f64 / speed;
            // A speed next to nothing makes it longer than any wait.
            first.saturating_add(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
        };
        Self { first, answers: std::array::from_fn(|place| answer(effort_at(place))) }
    }
}

impl Observed {
    /// Nothing seen yet; `priors` in the order of the configuration's targets.
    #[must_use]
    pub fn new(priors: impl IntoIterator<Item = Prior>, now: Instant) -> Self {
        Self { start: now, targets: priors.into_iter().map(|prior| Arc::new(Times::new(prior))).collect() }
    }

    /// The times of another configuration's targets, of which `before` says what each was in this one. A target with
    /// another prior begins anew: its operator knows something that was not seen yet.
    #[must_use]
    pub fn renewed(&self, priors: impl IntoIterator<Item = Prior>, before: &[Option<TargetId>]) -> Self {
        let times = |(prior, was): (Prior, &Option<TargetId>)| {
            let seen = was.and_then(|id| self.targets.get(id.index())).filter(|times| times.prior == prior);
            seen.cloned().unwrap_or_else(|| Arc::new(Times::new(prior)))
        };
        Self { start: self.start, targets: priors.into_iter().zip(before).map(times).collect() }
    }

    /// Notes a first token. Two threads that begin a new window at once may lose a few samples of it.
    pub fn record(&self, target: TargetId, taken: Duration, now: Instant) {
        if let Some(times) = self.targets.get(target.index()) {
            times.first.record(taken, self.window(now));
        }
    }

    /// Notes the first token of an answer itself.
    pub fn record_answer(&self, target: TargetId, effort: Option<Effort>, taken: Duration, now: Instant) {
        if let Some(Answers { prior, series }) = self.answers(target, effort) {
            series.get_or_init(|| Box::new(Series::new(*prior))).record(taken, self.window(now));
        }
    }

    /// The time to the first token of the answer that 95 of 100 requests stay within.
    #[must_use]
    pub fn first_answer_p95(&self, target: TargetId, effort: Option<Effort>, now: Instant) -> Duration {
        self.at(now).first_answer_p95(target, effort)
    }

    /// The time that 95 of 100 requests stay within.
    #[must_use]
    pub fn first_token_p95(&self, target: TargetId, now: Instant) -> Duration {
        self.at(now).first_token_p95(target)
    }

    /// All times as they are at a moment, for those who ask for many.
    #[must_use]
    pub fn at(&self, now: Instant) -> Now<'_> {
        Now { targets: &self.targets, window: self.window(now) }
    }

    fn answers(&self, target: TargetId, effort: Option<Effort>) -> Option<&Answers> {
        self.targets.get(target.index())?.answers.get(place(effort))
    }

    /// From 1.
    fn window(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.start).as_secs() / WINDOW.as_secs() + 1
    }
}

/// The times of all targets at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    targets: &'a [Arc<Times>],
    window: u64,
}

impl Now<'_> {
    /// As of [`Observed::first_token_p95`].
    #[must_use]
    pub fn first_token_p95(&self, target: TargetId) -> Duration {
        let times = self.targets.get(target.index());
        times.map_or(Duration::MAX, |times| times.first.read(self.window, &times.first.p95))
    }

    /// As of [`Observed::first_answer_p95`].
    #[must_use]
    #[inline]
    pub fn first_answer_p95(&self, target: TargetId, effort: Option<Effort>) -> Duration {
        let answers = self.targets.get(target.index()).and_then(|times| times.answers.get(place(effort)));
        let Some(Answers { prior, series }) = answers else { return Duration::MAX };
        series.get().map_or(*prior, |series| series.read(self.window, &series.p95))
    }
}

impl Times {
    fn new(prior: Prior) -> Self {
        Self {
            prior,
            first: Series::new(prior.first),
            answers: prior.answers.map(|prior| Answers { prior, series: OnceLock::new() }),
        }
    }
}

impl Series {
    fn new(prior: Duration) -> Self {
        Self {
            prior: micros(prior),
            windows: std::array::from_fn(|_| Window {
                number: AtomicU64::new(0),
                counts: std::array::from_fn(|_| AtomicU32::new(0)),
            }),
            p95: AtomicU64::new(0),
            last: AtomicU64::new(0),
        }
    }

    fn record(&self, taken: Duration, number: u64) {
        let window = &self.windows[usize::from(number % 2 == 1)];
        if window.number.swap(number, Relaxed) != number {
            for count in &window.counts {
                count.store(0, Relaxed);
            }
        }
        window.counts[bucket(micros(taken))].fetch_add(1, Relaxed);
        self.reckon(number);
    }

    /// What was last reckoned, unless nothing came for a whole window.
    fn read(&self, window: u64, figure: &AtomicU64) -> Duration {
        let last = self.last.load(Relaxed);
        if last == 0 || last + 1 < window {
            return Duration::from_micros(self.prior);
        }
        Duration::from_micros(figure.load(Relaxed))
    }

    fn reckon(&self, number: u64) {
        let fresh = |window: &&Window| window.number.load(Relaxed) + 1 >= number;
        let mut counts = [0_u64; BUCKETS];
        for window in self.windows.iter().filter(fresh) {
            for (total, count) in counts.iter_mut().zip(&window.counts) {
                *total += u64::from(count.load(Relaxed));
            }
        }
        let seen: u64 = counts.iter().sum();
        let missing = ENOUGH.saturating_sub(seen);
        counts[bucket(self.prior)] += missing;
        let total = seen + missing;
        let rank = (total * 95).div_ceil(100);
        let mut below = 0;
        let at = counts.iter().position(|count| {
            below += count;
            below >= rank
        });
        self.p95.store(upper(at.unwrap_or(BUCKETS - 1)), Relaxed);
        self.last.store(number, Relaxed);
    }
}

fn bucket(micros: u64) -> usize {
    let micros = micros.max(1 << FIRST_OCTAVE);
    let octave = micros.ilog2() as usize;
    let step = usize::try_from((micros >> (octave - 2)) & 3).unwrap_or_default();
    ((octave - FIRST_OCTAVE) * 4 + step).min(BUCKETS - 1)
}

/// The top of a bucket, microseconds.
fn upper(bucket: usize) -> u64 {
    let (octave, step) = (bucket / 4 + FIRST_OCTAVE, bucket % 4);
    ((step as u64) + 5) << (octave - 2)
}

fn micros(duration: Duration) -> u64 {
    // An hour is longer than any first token and keeps sums far from overflow.
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).min(3_600_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: TargetId = TargetId(0);

    fn prior(milliseconds: u64) -> Prior {
        let first = Duration::from_millis(milliseconds);
        Prior { first, answers: [first; EFFORTS] }
    }

    #[test]
    fn the_prior_holds_until_something_is_seen_and_again_after_silence() {
        let start = Instant::now();
        let observed = Observed::new([prior(400)], start);
        assert_eq!(observed.first_token_p95(A, start), Duration::from_millis(400));
        for _ in 0..100 {
            observed.record(A, Duration::from_secs(5), start);
        }
        assert!(observed.first_token_p95(A, start) >= Duration::from_secs(5));
        assert!(observed.first_token_p95(A, start) <= Duration::from_secs(7));
        let later = start + Duration::from_secs(180);
        assert_eq!(observed.first_token_p95(A, later), Duration::from_millis(400), "it gets another chance");
        assert_eq!(observed.first_token_p95(TargetId(9), start), Duration::MAX);
    }

    #[test]
    fn a_percentile_is_at_most_a_quarter_too_high() {
        let start = Instant::now();
        let observed = Observed::new([prior(1)], start);
        for ms in 1..=1000 {
            observed.record(A, Duration::from_millis(ms), start);
        }
        let p95 = observed.first_token_p95(A, start).as_millis();
        assert!((950..=1190).contains(&p95), "{p95}");
    }

    #[test]
    fn one_slow_answer_does_not_outweigh_the_prior() {
        let start = Instant::now();
        let observed = Observed::new([prior(100)], start);
        observed.record(A, Duration::from_secs(60), start);
        assert!(observed.first_token_p95(A, start) < Duration::from_millis(150));
        observed.record(A, Duration::from_secs(60), start);
        assert!(observed.first_token_p95(A, start) > Duration::from_secs(50), "two of twenty are more than 5 %");
    }

    #[test]
    fn answers_are_timed_for_each_effort_and_apart_from_first_tokens() {
        let start = Instant::now();
        let slow = Prior { answers: std::array::from_fn(|place| Duration::from_secs(place as u64 + 1)), ..prior(400) };
        let observed = Observed::new([slow], start);
        let p95 = |effort| observed.first_answer_p95(A, effort, start);
        assert_eq!((p95(None), p95(Some(Effort::None))), (Duration::from_secs(1), Duration::from_secs(2)));
        for _ in 0..100 {
            observed.record_answer(A, Some(Effort::High), Duration::from_millis(20), start);
        }
        assert!(p95(Some(Effort::High)) < Duration::from_millis(26));
        assert_eq!(p95(None), Duration::from_secs(1), "another effort says nothing of it");
        assert_eq!(observed.first_token_p95(A, start), Duration::from_millis(400));
        assert_eq!(observed.first_answer_p95(TargetId(9), None, start), Duration::MAX);
        let later = start + Duration::from_secs(180);
        let again = observed.first_answer_p95(A, Some(Effort::High), later);
        assert_eq!(again, Duration::from_secs(6), "it gets another chance");
    }

    #[test]
    fn another_configuration_knows_what_was_seen_under_this_one() {
        let start = Instant::now();
        let old = Observed::new([prior(100)], start);
        for _ in 0..100 {
            old.record(A, Duration::from_secs(5), start);
            old.record_answer(A, None, Duration::from_secs(5), start);
        }
        let new = old.renewed([prior(100), prior(200), prior(100)], &[None, Some(A), Some(A)]);
        let seen = |place| new.first_token_p95(TargetId(place), start);
        assert_eq!(seen(0), Duration::from_millis(100), "a target that is new");
        assert_eq!(seen(1), Duration::from_millis(200), "one with another prior");
        assert!(seen(2) > Duration::from_secs(4), "the same one");
        assert!(new.first_answer_p95(TargetId(2), None, start) > Duration::from_secs(4));
    }

    #[test]
    fn every_duration_has_a_bucket_whose_top_is_not_below_it() {
        for micros in [0, 1, 127, 128, 129, 1000, 12_345, 134_217_727] {
            assert!(upper(bucket(micros)) >= micros, "{micros}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }
}
