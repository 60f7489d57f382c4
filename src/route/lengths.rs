//! How many tokens answers take, as they lately did: by target, effort and how hard the prompt was.
//!
//! A histogram in logarithmic steps that halves itself now and then, so that old answers fade. While there are few
//! answers a stated default stands in for the missing ones. Reading is three loads, for it happens for every candidate of
//! every request; recording, once an answer, counts it and then goes through the whole histogram to leave the three
//! figures. Neither takes a lock. Nothing here looks at a prompt: public data show that one prompt's answer cannot be
//! foretold well enough to route by.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use serde::Serialize;

use crate::chat::Effort;
use crate::config::Target;
use crate::id::TargetId;
use crate::wire::dialect::Style;

/// Output tokens that an answer is expected to take, beside reasoning, until some were seen. A convention: about the
/// length of an assistant's chat answer; neither the client nor public data says more.
pub const ANSWER: u64 = 400;

/// Answers below which the default fills up: the fewest of which a tenth and nine tenths can be told.
const ENOUGH: u64 = 20;
/// How the default's weight is spread, of [`ENOUGH`]: from a quarter of it to four times it, a factor of two apart.
const SPREAD: [u64; 5] = [3, 4, 6, 4, 3];
/// Answers after which all counts are halved: the last few hundred are what is told of.
const MEMORY: u32 = 512;

/// Four steps an octave from 4 to a million tokens, and each number below on its own.
const BUCKETS: usize = 75;
const MOST: u64 = (1 << 20) - 1;

/// Quarters of the difficulty, and prompts that nobody scored.
pub const BANDS: usize = 5;
/// The model's own effort, and each degree.
pub(super) const EFFORTS: usize = Effort::ALL.len() + 1;

/// Output tokens of an answer, reasoning included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// One answer in ten takes fewer.
    pub p10: u64,
    /// The middle: what costs are reckoned with.
    pub median: u64,
    /// One answer in ten takes more.
    pub p90: u64,
}

impl Expected {
    /// What is expected where nothing was seen but this is usual.
    #[must_use]
    pub const fn about(usual: u64) -> Self {
        Self { p10: usual / 4, median: usual, p90: usual.saturating_mul(4) }
    }
}

/// The lengths of all targets of one configuration.
#[derive(Debug)]
pub struct Lengths(Vec<Arc<[Series; EFFORTS]>>);

/// One target at one effort. Most are never asked at most efforts, so room is made at the first answer.
#[derive(Debug)]
struct Series {
    usual: u64,
    bands: OnceLock<Box<[Cell; BANDS]>>,
}

#[derive(Debug)]
struct Cell {
    counts: [AtomicU32; BUCKETS],
    total: AtomicU32,
    figures: [AtomicU32; 3],
}

impl Lengths {
    /// Nothing seen yet; `usual` is what to start from, for each target and effort.
    #[must_use]
    pub fn new(targets: usize, usual: impl Fn(TargetId, Option<Effort>) -> u64) -> Self {
        let series = |target: usize, place: usize| Series {
            usual: usual(target_id(target), effort_at(place)).clamp(1, MOST),
            bands: OnceLock::new(),
        };
        Self((0..targets).map(|target| Arc::new(std::array::from_fn(|place| series(target, place)))).collect())
    }

    /// With what another configuration has seen of its targets, of which `before` says what each was there. A target of
    /// which something else is usual now begins anew.
    #[must_use]
    pub fn remembering(mut self, other: &Self, before: &[Option<TargetId>]) -> Self {
        for (series, was) in self.0.iter_mut().zip(before) {
            let Some(known) = was.and_then(|id| other.0.get(id.index())) else { continue };
            if series.iter().zip(known.iter()).all(|(new, old)| new.usual == old.usual) {
                *series = Arc::clone(known);
            }
        }
        self
    }

    /// Notes an answer that ended by itself. Answers that come at once may each miss the other in the figures they leave,
    /// until the next one.
    pub fn record(&self, target: TargetId, effort: Option<Effort>, difficulty: Option<f32>, tokens: u64) {
        let Some(series) = self.0.get(target.index()).and_then(|efforts| efforts.get(place(effort))) else { return };
        let cells = series.bands.get_or_init(|| Box::new(std::array::from_fn(|_| Cell::new(series.usual))));
        if let Some(cell) = cells.get(band(difficulty)) {
            cell.record(tokens, series.usual);
        }
    }

    /// What is to be expected.
    #[must_use]
    pub fn expected(&self, target: TargetId, effort: Option<Effort>, difficulty: Option<f32>) -> Expected {
        self.at(difficulty).expected(target, effort)
    }

    /// What is to be expected at a difficulty, for those who ask about many.
    #[must_use]
    pub fn at(&self, difficulty: Option<f32>) -> Now<'_> {
        Now { targets: &self.0, band: band(difficulty) }
    }
}

/// The lengths of answers to a prompt of some difficulty.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    targets: &'a [Arc<[Series; EFFORTS]>],
    band: usize,
}

impl Now<'_> {
    /// As of [`Lengths::expected`].
    #[must_use]
    #[inline]
    pub fn expected(&self, target: TargetId, effort: Option<Effort>) -> Expected {
        let Some(series) = self.targets.get(target.index()).and_then(|efforts| efforts.get(place(effort))) else {
            return Expected::about(ANSWER);
        };
        let cell = series.bands.get().and_then(|cells| cells.get(self.band));
        match cell.map(|cell| cell.figures.each_ref().map(|figure| u64::from(figure.load(Relaxed)))) {
            Some([p10, median, p90]) if median > 0 => Expected { p10, median, p90 },
            _ => Expected::about(series.usual),
        }
    }
}

impl Cell {
    fn new(usual: u64) -> Self {
        let Expected { p10, median, p90 } = Expected::about(usual);
        Self {
            counts: std::array::from_fn(|_| AtomicU32::new(0)),
            total: AtomicU32::new(0),
            figures: [p10, median, p90].map(|tokens| AtomicU32::new(whole(tokens))),
        }
    }

    fn record(&self, tokens: u64, usual: u64) {
        if let Some(count) = self.counts.get(bucket(tokens)) {
            count.fetch_add(1, Relaxed);
        }
        let total = self.total.fetch_add(1, Relaxed) + 1;
        // Whoever brings the total back halves the counts; another who counts meanwhile may be halved with them.
        if total >= MEMORY && self.total.compare_exchange(total, total / 2, Relaxed, Relaxed).is_ok() {
            for count in &self.counts {
                count.store(count.load(Relaxed) / 2, Relaxed);
            }
        }
        self.reckon(usual);
    }

    fn reckon(&self, usual: u64) {
        let mut counts: [u64; BUCKETS] = std::array::from_fn(|place| {
            self.counts.get(place).map_or(0, |count| ENOUGH * u64::from(count.load(Relaxed)))
        });
        let seen = counts.iter().sum::<u64>() / ENOUGH;
        let missing = ENOUGH.saturating_sub(seen);
        for (step, weight) in SPREAD.iter().enumerate() {
            if let Some(count) = counts.get_mut(bucket((usual << step) / 4)) {
                *count += missing * weight;
            }
        }
        let total: u64 = counts.iter().sum();
        for (figure, tenths) in self.figures.iter().zip([1, 5, 9]) {
            let rank = (total * tenths).div_ceil(10).max(1);
            let mut below = 0;
            let at = counts.iter().position(|count| {
                below += count;
                below >= rank
            });
            figure.store(whole(middle(at.unwrap_or(BUCKETS - 1))), Relaxed);
        }
    }
}

/// What an answer of this target takes until some were seen: the answer, and half of what the effort may take at most.
/// Half is a convention; from some answers on it no longer counts.
#[must_use]
pub fn usual(target: &Target, effort: Option<Effort>) -> u64 {
    ANSWER + reasoning(target, effort)
}

/// Tokens of reasoning that come before an answer: half of the effort's budget, as configured or by convention
/// ([`Shape::budget_of`](crate::wire::Shape::budget_of)); a model that always reasons, or by degree, does so
/// middlingly unless told.
#[must_use]
pub fn reasoning(target: &Target, effort: Option<Effort>) -> u64 {
    let effort = match (target.reasoning.style, effort) {
        (Some(Style::None), _) => return 0,
        (Some(Style::Always), _) | (Some(Style::Effort), None) => Effort::Medium,
        (_, Some(effort)) => effort,
        (_, None) => return 0,
    };
    target.reasoning.budget_of(effort) / 2
}

/// Of so many output tokens those that are expected to be reasoning: the same share as of a [`usual`] answer, since what
/// answers took is counted as a whole.
#[must_use]
pub fn thought(target: &Target, effort: Option<Effort>, output: u64) -> u64 {
    let reasoning = u128::from(reasoning(target, effort));
    let share = u128::from(output) * reasoning / (reasoning + u128::from(ANSWER));
    u64::try_from(share).unwrap_or(output)
}

pub(super) fn place(effort: Option<Effort>) -> usize {
    effort.map_or(0, |effort| effort as usize + 1)
}

pub(super) fn effort_at(place: usize) -> Option<Effort> {
    place.checked_sub(1).and_then(|place| Effort::ALL.get(place).copied())
}

/// A configuration has at most as many targets as there are numbers of this kind.
pub(super) fn target_id(index: usize) -> TargetId {
    TargetId(u16::try_from(index).unwrap_or(u16::MAX))
}

fn band(difficulty: Option<f32>) -> usize {
    let quarters = (BANDS - 1) as f32;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 4, and no number becomes 0")]
    difficulty.map_or(BANDS - 1, |difficulty| ((difficulty * quarters) as usize).min(BANDS - 2))
}

fn bucket(tokens: u64) -> usize {
    let tokens = tokens.clamp(1, MOST);
    let octave = tokens.ilog2() as usize;
    let Some(shift) = octave.checked_sub(2) else { return usize::try_from(tokens - 1).unwrap_or_default() };
    let step = usize::try_from((tokens >> shift) & 3).unwrap_or_default();
    3 + shift * 4 + step
}

/// The middle of a bucket: at most an eighth off.
fn middle(bucket: usize) -> u64 {
    let Some(above) = bucket.checked_sub(3) else { return bucket as u64 + 1 };
    let (shift, step) = (above / 4, above as u64 % 4);
    ((4 + step) << shift) + ((1 << shift) - 1) / 2
}

fn whole(tokens: u64) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: TargetId = TargetId(0);

    fn about_400() -> Lengths {
        Lengths::new(2, |_, effort| if effort.is_some() { 4000 } else { 400 })
    }

    #[test]
    fn the_default_holds_until_answers_are_seen_and_fades_with_them() {
        let lengths = about_400();
        assert_eq!(lengths.expected(A, None, Some(0.1)), Expected { p10: 100, median: 400, p90: 1600 });
        assert_eq!(lengths.expected(A, Some(Effort::High), None).median, 4000);
        lengths.record(A, None, Some(0.1), 10);
        let one = lengths.expected(A, None, Some(0.1)).median;
        assert!((350..=450).contains(&one), "one short answer is no median: {one}");
        (0..30).for_each(|_| lengths.record(A, None, Some(0.1), 10));
        let Expected { p10, median, p90 } = lengths.expected(A, None, Some(0.1));
        assert!((9..=11).contains(&median) && p10 <= median && median <= p90 && p90 <= 11, "{p10} {median} {p90}");
    }

    #[test]
    fn target_effort_and_band_are_kept_apart() {
        let lengths = about_400();
        (0..40).for_each(|_| lengths.record(A, Some(Effort::Low), Some(0.9), 50));
        assert!(lengths.expected(A, Some(Effort::Low), Some(0.99)).median < 60, "the same quarter");
        for (target, effort, difficulty) in [
            (TargetId(1), Some(Effort::Low), Some(0.9)),
            (A, Some(Effort::High), Some(0.9)),
            (A, Some(Effort::Low), Some(0.7)),
            (A, Some(Effort::Low), None),
        ] {
            assert_eq!(
                lengths.expected(target, effort, difficulty).median,
                4000,
                "{target:?} {effort:?} {difficulty:?}"
            );
        }
        assert_eq!(lengths.expected(TargetId(7), None, None), Expected::about(ANSWER), "a stranger");
        lengths.record(TargetId(7), None, None, 1);
    }

    #[test]
    fn a_tenth_and_nine_tenths_are_those_of_the_answers() {
        let lengths = about_400();
        (0..5).for_each(|_| (1..=100).for_each(|tokens| lengths.record(A, None, None, tokens * 10)));
        let Expected { p10, median, p90 } = lengths.expected(A, None, None);
        assert!((85..=115).contains(&p10), "{p10}");
        assert!((440..=570).contains(&median), "{median}");
        assert!((790..=1020).contains(&p90), "{p90}");
    }

    #[test]
    fn what_answers_were_like_long_ago_is_forgotten() {
        let lengths = about_400();
        (0..5000).for_each(|_| lengths.record(A, None, None, 100));
        (0..600).for_each(|_| lengths.record(A, None, None, 3000));
        let median = lengths.expected(A, None, None).median;
        assert!((2600..=3400).contains(&median), "{median}");
    }

    #[test]
    fn every_length_has_a_bucket_whose_middle_is_near() {
        for tokens in (1..200).chain([999, 1024, 54_321, 1_000_000]) {
            let middle = middle(bucket(tokens));
            assert!(middle.abs_diff(tokens) <= tokens.div_ceil(8), "{tokens}: {middle}");
        }
        assert_eq!(bucket(0), 0);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        for (difficulty, expected) in
            [(0.0, 0), (0.249, 0), (0.25, 1), (0.5, 2), (0.75, 3), (1.0, 3), (9.0, 3), (-1.0, 0), (f32::NAN, 0)]
        {
            assert_eq!(band(Some(difficulty)), expected, "{difficulty}");
        }
        assert_eq!(band(None), BANDS - 1);
    }

    #[test]
    fn many_threads_lose_next_to_nothing() {
        let lengths = about_400();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| lengths.record(A, None, None, 777)));
            }
        });
        let Expected { p10, median, p90 } = lengths.expected(A, None, None);
        assert!(p10 == p90 && median.abs_diff(777) < 100, "{p10} {median} {p90}");
    }

    #[test]
    fn efforts_have_places_of_their_own() {
        let mut places: Vec<usize> = Effort::ALL.iter().map(|effort| place(Some(*effort))).collect();
        places.push(place(None));
        places.sort_unstable();
        assert_eq!(places, (0..EFFORTS).collect::<Vec<_>>());
        for at in 0..EFFORTS {
            assert_eq!(place(effort_at(at)), at);
        }
    }
}
