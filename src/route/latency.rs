//! Times to the first token as they were lately seen, per target.
//!
//! A histogram of a minute and the one before; what is older is forgotten, so that a target which was slow once and is
//! therefore not asked gets another chance. While there are few samples the prior stands in for the missing ones.
//! Recording is a few atomic additions; reading is two loads, for it happens for every candidate of every request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

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
    targets: Vec<Arc<Series>>,
}

#[derive(Debug)]
struct Series {
    prior: u64,
    windows: [Window; 2],
    /// Microseconds and the window they were last reckoned in; window 0 is "never".
    p95: AtomicU64,
    mean: AtomicU64,
    last: AtomicU64,
}

#[derive(Debug)]
struct Window {
    number: AtomicU64,
    counts: [AtomicU32; BUCKETS],
    sum: AtomicU64,
}

impl Observed {
    /// Nothing seen yet; `priors` in the order of the configuration's targets.
    #[must_use]
    pub fn new(priors: impl IntoIterator<Item = Duration>, now: Instant) -> Self {
        Self { start: now, targets: priors.into_iter().map(|prior| Arc::new(Series::new(prior))).collect() }
    }

    /// The times of another configuration's targets, of which `before` says what each was in this one. A target with
    /// another prior begins anew: its operator knows something that was not seen yet.
    #[must_use]
    pub fn renewed(&self, priors: impl IntoIterator<Item = Duration>, before: &[Option<TargetId>]) -> Self {
        let series = |(prior, was): (Duration, &Option<TargetId>)| {
            let seen = was.and_then(|id| self.targets.get(id.index())).filter(|series| series.prior == micros(prior));
            seen.cloned().unwrap_or_else(|| Arc::new(Series::new(prior)))
        };
        Self { start: self.start, targets: priors.into_iter().zip(before).map(series).collect() }
    }

    /// Notes a first token. Two threads that begin a new window at once may lose a few samples of it.
    pub fn record(&self, target: TargetId, taken: Duration, now: Instant) {
        let Some(series) = self.targets.get(target.index()) else { return };
        let number = self.window(now);
        let window = &series.windows[usize::from(number % 2 == 1)];
        if window.number.swap(number, Relaxed) != number {
            for count in &window.counts {
                count.store(0, Relaxed);
            }
            window.sum.store(0, Relaxed);
        }
        let taken = micros(taken);
        window.counts[bucket(taken)].fetch_add(1, Relaxed);
        window.sum.fetch_add(taken, Relaxed);
        series.reckon(number);
    }

    /// The time that 95 of 100 requests stay within.
    #[must_use]
    pub fn first_token_p95(&self, target: TargetId, now: Instant) -> Duration {
        self.read(target, now, |series| &series.p95)
    }

    /// The mean time.
    #[must_use]
    pub fn first_token_mean(&self, target: TargetId, now: Instant) -> Duration {
        self.read(target, now, |series| &series.mean)
    }

    fn read(&self, target: TargetId, now: Instant, figure: impl Fn(&Series) -> &AtomicU64) -> Duration {
        let Some(series) = self.targets.get(target.index()) else {
            return Duration::MAX;
        };
        let last = series.last.load(Relaxed);
        if last == 0 || last + 1 < self.window(now) {
            return Duration::from_micros(series.prior);
        }
        Duration::from_micros(figure(series).load(Relaxed))
    }

    /// From 1.
    fn window(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.start).as_secs() / WINDOW.as_secs() + 1
    }
}

impl Series {
    fn new(prior: Duration) -> Self {
        Self {
            prior: micros(prior),
            windows: std::array::from_fn(|_| Window {
                number: AtomicU64::new(0),
                counts: std::array::from_fn(|_| AtomicU32::new(0)),
                sum: AtomicU64::new(0),
            }),
            p95: AtomicU64::new(0),
            mean: AtomicU64::new(0),
            last: AtomicU64::new(0),
        }
    }

    fn reckon(&self, number: u64) {
        let fresh = |window: &&Window| window.number.load(Relaxed) + 1 >= number;
        let mut counts = [0_u64; BUCKETS];
        let mut sum: u64 = 0;
        for window in self.windows.iter().filter(fresh) {
            for (total, count) in counts.iter_mut().zip(&window.counts) {
                *total += u64::from(count.load(Relaxed));
            }
            sum = sum.saturating_add(window.sum.load(Relaxed));
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
        self.mean.store((sum + missing * self.prior) / total.max(1), Relaxed);
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

    #[test]
    fn the_prior_holds_until_something_is_seen_and_again_after_silence() {
        let start = Instant::now();
        let observed = Observed::new([Duration::from_millis(400)], start);
        assert_eq!(observed.first_token_p95(A, start), Duration::from_millis(400));
        for _ in 0..100 {
            observed.record(A, Duration::from_secs(5), start);
        }
        assert!(observed.first_token_p95(A, start) >= Duration::from_secs(5));
        assert!(observed.first_token_p95(A, start) <= Duration::from_secs(7));
        assert_eq!(observed.first_token_mean(A, start), Duration::from_secs(5));
        let later = start + Duration::from_secs(180);
        assert_eq!(observed.first_token_p95(A, later), Duration::from_millis(400), "it gets another chance");
        assert_eq!(observed.first_token_p95(TargetId(9), start), Duration::MAX);
    }

    #[test]
    fn a_percentile_is_at_most_a_quarter_too_high() {
        let start = Instant::now();
        let observed = Observed::new([Duration::from_millis(1)], start);
        for ms in 1..=1000 {
            observed.record(A, Duration::from_millis(ms), start);
        }
        let p95 = observed.first_token_p95(A, start).as_millis();
        assert!((950..=1190).contains(&p95), "{p95}");
    }

    #[test]
    fn one_slow_answer_does_not_outweigh_the_prior() {
        let start = Instant::now();
        let observed = Observed::new([Duration::from_millis(100)], start);
        observed.record(A, Duration::from_secs(60), start);
        assert!(observed.first_token_p95(A, start) < Duration::from_millis(150));
        assert!(observed.first_token_mean(A, start) > Duration::from_secs(3));
        observed.record(A, Duration::from_secs(60), start);
        assert!(observed.first_token_p95(A, start) > Duration::from_secs(50), "two of twenty are more than 5 %");
    }

    #[test]
    fn another_configuration_knows_what_was_seen_under_this_one() {
        let (start, prior) = (Instant::now(), Duration::from_millis(100));
        let old = Observed::new([prior], start);
        (0..100).for_each(|_| old.record(A, Duration::from_secs(5), start));
        let new = old.renewed([prior, Duration::from_millis(200), prior], &[None, Some(A), Some(A)]);
        assert_eq!(new.first_token_mean(A, start), prior, "a target that is new");
        assert_eq!(new.first_token_mean(TargetId(1), start), Duration::from_millis(200), "one with another prior");
        assert_eq!(new.first_token_mean(TargetId(2), start), Duration::from_secs(5));
    }

    #[test]
    fn every_duration_has_a_bucket_whose_top_is_not_below_it() {
        for micros in [0, 1, 127, 128, 129, 1000, 12_345, 134_217_727] {
            assert!(upper(bucket(micros)) >= micros, "{micros}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }
}
