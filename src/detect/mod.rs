//! What the text of a request holds that should not go everywhere: addresses, account numbers, identities, keys.
//!
//! A detector knows a sort of value by its form and, where there are any, by its check digits; digits that could be
//! anything are asked what stands before them (`context`). [`find`] goes over a text a few times at the speed of a byte
//! search, stopping at what could begin a value; nothing it does there depends on the text's length, so its time is
//! linear and it allocates nothing. [`Detectors`] is what the configuration makes of that: finds counted by detector,
//! never kept.

mod card;
mod context;
mod email;
mod except;
mod groups;
mod iban;
mod national;
mod number;
mod phone;
mod secret;
mod tlds;

use std::collections::HashSet;
use std::hash::BuildHasher as _;
use std::ops::Range;

use crate::config::{Detection, DetectionMode, Detector};

/// Most different values that one request's finds are told apart by; beyond them each occurrence counts.
const MAX_DISTINCT: usize = 4096;

/// The longest value that a find is compared and told apart by, in bytes.
const MAX_VALUE: usize = 256;

/// One text and where it comes from.
#[derive(Clone, Copy, Debug)]
struct Text<'t> {
    bytes: &'t [u8],
    /// The end of the key under which it stands in a JSON object, which tells as much as a word before a value.
    key: &'t str,
}

/// Tells every find in a text, detector and place in bytes; `key` is the name under which it stands, "" for none.
pub fn find(text: &str, key: &str, hit: &mut impl FnMut(Detector, Range<usize>)) {
    let text = Text { bytes: text.as_bytes(), key: context::telling(key) };
    secret::find(text, hit);
    email::find(text, hit);
    number::find(text, hit);
}

/// The detectors as the configuration sets them.
#[derive(Debug)]
pub struct Detectors {
    settings: Detection,
    /// Whether there is anything to look for.
    on: bool,
    hasher: std::hash::RandomState,
}

/// What was found in one request: counts, and no text.
#[derive(Debug, Default)]
pub struct Findings {
    counts: [u32; Detector::ALL.len()],
    /// Hashes of the values, to count each once: a conversation repeats itself with every turn.
    seen: HashSet<u64>,
}

/// What one detector found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'d> {
    /// Which one.
    pub detector: Detector,
    /// Different values.
    pub count: u32,
    /// What the label is raised to; `None` where the finds are only observed: by its mode, or because they are too few.
    pub raises_to: Option<&'d str>,
}

impl Found<'_> {
    /// `enforce` if the finds raise the label, else `observe`.
    #[must_use]
    pub const fn mode(&self) -> &'static str {
        if self.raises_to.is_some() { "enforce" } else { "observe" }
    }
}

impl Detectors {
    /// The detectors of a configuration.
    #[must_use]
    pub fn new(settings: Detection) -> Self {
        let on = settings.detectors.iter().any(|detector| detector.mode != DetectionMode::Off);
        Self { settings, on, hasher: std::hash::RandomState::new() }
    }

    /// Whether there is anything to look for.
    #[must_use]
    pub const fn on(&self) -> bool {
        self.on
    }

    /// The label that finds raise.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.settings.label
    }

    /// Looks through one text of a request; `key` is the name under which it stands, "" for none.
    pub fn look(&self, text: &str, key: &str, findings: &mut Findings) {
        find(text, key, &mut |detector, range| {
            if let Some(value) = text.get(range) {
                self.take(detector, value, findings);
            }
        });
    }

    fn take(&self, detector: Detector, value: &str, findings: &mut Findings) {
        let Some(settings) = self.settings.detectors.get(detector.place()) else { return };
        if settings.mode == DetectionMode::Off {
            return;
        }
        let normal = except::normal(detector, value);
        if settings.except.iter().any(|except| except::covers(except, detector, value, &normal)) {
            return;
        }
        if findings.seen.len() < MAX_DISTINCT && !findings.seen.insert(self.hasher.hash_one((detector, &*normal))) {
            return;
        }
        if let Some(count) = findings.counts.get_mut(detector.place()) {
            *count = count.saturating_add(1);
        }
    }

    /// What was found, by detector.
    pub fn found<'d>(&'d self, findings: &Findings) -> impl Iterator<Item = Found<'d>> + use<'d> {
        let counts = findings.counts;
        self.settings.detectors.iter().zip(counts).filter(|(_, count)| *count > 0).map(|(settings, count)| {
            let enforced = settings.mode == DetectionMode::Enforce && count >= settings.min_count;
            Found { detector: settings.detector, count, raises_to: enforced.then_some(settings.value.as_str()) }
        })
    }
}

#[cfg(test)]
mod tests;
