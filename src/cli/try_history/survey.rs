//! The first pass: what is in the log at all.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Serialize;

use super::entry::{self, Entry, Kind, Unusable};
use super::lines::{Line, Lines};
use super::listed::{Listed, Lists};

/// Unusable lines that are named one by one.
const NAMED: usize = 10;
/// Models counted by name; further ones are counted together.
const MOST_MODELS: usize = 500;
/// The name of all further models.
pub(super) const OTHERS: &str = "(other models)";

/// What was read.
#[derive(Debug, Default, Serialize)]
pub(super) struct Survey {
    /// Lines with something in them.
    pub(super) lines: u64,
    /// Of them, requests that were answered.
    pub(super) used: u64,
    /// Of those, by what wrote them.
    pub(super) kinds: BTreeMap<Kind, u64>,
    /// Of those, without the text of the prompt.
    pub(super) without_prompt: u64,
    /// Of these, with the difficulty that was found at the time.
    pub(super) scored_then: u64,
    /// Usage that somebody estimated.
    pub(super) estimated: u64,
    pub(super) unusable: Vec<Reason>,
    /// The first unusable lines.
    pub(super) first_unusable: Vec<Named>,
    /// First and last time that a line names, RFC 3339.
    #[serde(serialize_with = "period")]
    pub(super) period: Option<(jiff::Timestamp, jiff::Timestamp)>,
    pub(super) tokens: Tokens,
    #[serde(skip)]
    pub(super) models: BTreeMap<String, Seen>,
}

/// Lines that were unusable for one reason.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Reason {
    pub(super) why: String,
    pub(super) lines: u64,
}

/// One unusable line.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Named {
    /// From 1.
    pub(super) line: u64,
    pub(super) why: String,
}

/// Sums of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Tokens {
    pub(super) input: u64,
    /// Part of `input`.
    pub(super) cached: u64,
    pub(super) output: u64,
    /// Part of `output`.
    pub(super) reasoning: u64,
}

/// A model that the log names.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) lines: u64,
    pub(super) listed: Option<Listed>,
}

/// Reads the log, or its first `limit` lines.
pub(super) fn survey(path: &Path, limit: u64, lists: &mut Lists) -> io::Result<Survey> {
    let mut survey = Survey::default();
    let mut unusable: BTreeMap<Unusable, u64> = BTreeMap::new();
    let mut lines = Lines::open(path, "reading")?;
    while survey.lines < limit
        && let Some((number, line)) = lines.next()?
    {
        survey.lines += 1;
        let read = match line {
            Line::Text(text) => entry::read(text),
            Line::TooLong => Err(Unusable::TooLong),
        };
        match read {
            Ok(entry) => survey.count(&entry, lists),
            Err(why) => {
                *unusable.entry(why).or_default() += 1;
                if survey.first_unusable.len() < NAMED {
                    survey.first_unusable.push(Named { line: number, why: why.to_string() });
                }
            }
        }
    }
    survey.unusable = unusable.into_iter().map(|(why, lines)| Reason { why: why.to_string(), lines }).collect();
    survey.unusable.sort_by_key(|reason| std::cmp::Reverse(reason.lines));
    Ok(survey)
}

impl Survey {
    fn count(&mut self, entry: &Entry, lists: &mut Lists) {
        self.used += 1;
        *self.kinds.entry(entry.kind).or_default() += 1;
        self.without_prompt += u64::from(entry.prompt.is_none());
        self.scored_then += u64::from(entry.prompt.is_none() && entry.difficulty.is_some());
        self.estimated += u64::from(entry.usage.estimated);
        self.tokens.add(entry);
        if let Some(at) = entry.at {
            let (from, to) = self.period.unwrap_or((at, at));
            self.period = Some((from.min(at), to.max(at)));
        }
        let known = self.models.contains_key(&entry.model) || self.models.len() < MOST_MODELS;
        let name = if known { &entry.model } else { OTHERS };
        let seen = self.models.entry(name.to_owned()).or_default();
        seen.lines += 1;
        if seen.listed.is_none() && known {
            seen.listed = lists.find(&entry.model, entry.provider.as_deref());
        }
    }
}

impl Tokens {
    pub(super) fn add(&mut self, entry: &Entry) {
        let usage = &entry.usage;
        for (sum, more) in [
            (&mut self.input, usage.input),
            (&mut self.cached, usage.cached),
            (&mut self.output, usage.output),
            (&mut self.reasoning, usage.reasoning),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

#[expect(clippy::ref_option, reason = "serde hands the field over by reference")]
fn period<S: serde::Serializer>(
    period: &Option<(jiff::Timestamp, jiff::Timestamp)>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match period {
        None => serializer.serialize_none(),
        Some((from, to)) => {
            let map = [("from", from.strftime("%FT%TZ").to_string()), ("to", to.strftime("%FT%TZ").to_string())];
            serializer.collect_map(map)
        }
    }
}
