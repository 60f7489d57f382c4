//! The second pass: every request of the log through the decision that serves, and what would come of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::entry::Entry;
use super::interval::{Bootstrap, RESAMPLES, SEED};
use super::listed::{Listed, Lists};
use super::report::{Band, Count, Denied, IntervalRow, ModelRow, Moved, Own, Paid, Routed, Share};
use super::survey::OTHERS;
use crate::chat::Usage;
use crate::config::{Fact, FactName, Target};
use crate::cost::cost;
use crate::gateway::{Code, Gateway, GatewayError, Past, PastPrompt, decide_again};
use crate::id::TargetId;
use crate::ledger::{Candidate, Decision};
use crate::money::NanoUsd;

/// Bands of difficulty.
const BANDS: usize = 5;
/// Models that have a row of their own.
const MOST_MODELS: usize = 500;

/// Instead of a target's name in the bands of an assumed set-up.
const STAYS: &str = "its model of then";

/// What removes a target without being a rule.
const CEILINGS: [&str; 3] = ["max_cost", "latency", "health"];

/// Everything that is counted on the way.
pub(super) struct Tally<'g> {
    gateway: &'g Gateway,
    lists: Lists,
    tenant: String,
    /// What every request carries.
    labels: Vec<String>,
    /// The targets of one's own, if the set-up is assumed: then a request goes to one of them or stays where it was.
    stay_or: Option<Vec<TargetId>>,
    targets: HashMap<String, Arc<Target>>,
    bootstrap: Bootstrap,
    unknown: BTreeMap<String, u64>,
    refused: BTreeMap<&'static str, u64>,
    bands: [BTreeMap<String, u64>; BANDS + 1],
    band_lines: [(u64, u64); BANDS + 1],
    denied_by: BTreeMap<String, u64>,
    model_denied_by: BTreeMap<String, u64>,
    models: BTreeMap<String, ModelRow>,
    pub(super) paid: Paid,
    pub(super) routed: Routed,
    pub(super) denied: Denied,
    pub(super) own: Own,
    /// Prompts by target.
    pub(super) by_target: BTreeMap<String, u64>,
}

impl<'g> Tally<'g> {
    pub(super) fn new(gateway: &'g Gateway, lists: Lists, tenant: &str, labels: &[String], assumed: bool) -> Self {
        let own = || gateway.config().targets.iter().filter(|target| is_own(target)).map(|target| target.id).collect();
        let named = |target: &Arc<Target>| (target.name.to_string(), Arc::clone(target));
        Self {
            gateway,
            lists,
            tenant: tenant.to_owned(),
            labels: labels.to_vec(),
            stay_or: assumed.then(own),
            targets: gateway.config().targets.iter().map(named).collect(),
            bootstrap: Bootstrap::new(),
            unknown: BTreeMap::new(),
            refused: BTreeMap::new(),
            bands: Default::default(),
            band_lines: Default::default(),
            denied_by: BTreeMap::new(),
            model_denied_by: BTreeMap::new(),
            models: BTreeMap::new(),
            paid: Paid::default(),
            routed: Routed::default(),
            denied: Denied::default(),
            own: Own::default(),
            by_target: BTreeMap::new(),
        }
    }

    /// Takes one request.
    ///
    /// # Errors
    /// What is wrong with every request alike: an unknown tenant, a label that cannot be.
    pub(super) async fn take(&mut self, entry: &Entry) -> Result<(), GatewayError> {
        let listed = self.lists.find(&entry.model, entry.provider.as_deref());
        let then = self.target_of_then(entry, listed.as_ref());
        let paid = self.paid(entry, listed.as_ref(), then.as_ref());
        let row = self.row(entry);
        row.lines += 1;
        row.tokens.add(entry);
        let among = match (&self.stay_or, &then) {
            (None, _) => None,
            (Some(own), Some(then)) => Some([own.as_slice(), &[then.id]].concat()),
            (Some(_), None) => {
                self.routed.not_placed += 1;
                return Ok(());
            }
        };
        let decision = match self.decide(entry, among.as_deref()).await {
            Ok(decision) => decision,
            Err(error) if matches!(error.code, Code::NotFound | Code::LabelInvalid) => return Err(error),
            Err(error) => {
                *self.refused.entry(error.code.word()).or_default() += 1;
                return Ok(());
            }
        };
        self.judged(&decision, then.as_ref());
        let band = band(decision.score.as_ref().and_then(|score| score.difficulty));
        self.band_lines[band].0 += 1;
        let chosen = decision.chosen.and_then(|place| decision.candidates.get(place));
        let Some(target) = chosen.and_then(|chosen| self.targets.get(chosen.target.as_str())).cloned() else {
            self.band_lines[band].1 += 1;
            self.refuse(&decision, paid);
            return Ok(());
        };
        *self.by_target.entry(target.name.to_string()).or_default() += 1;
        if let Some(quality) = &decision.quality {
            self.routed.basis = Some(quality.basis.to_owned());
            self.routed.at_least = Some(quality.at_least);
        }
        self.own.good_enough += u64::from(self.own_would_do(&decision));
        let same = then.as_ref().is_some_and(|then| then.id == target.id);
        let stays = same && self.stay_or.is_some();
        let name = if stays { STAYS.to_owned() } else { target.name.to_string() };
        *self.bands[band].entry(name).or_default() += 1;
        // Who stays in an assumed set-up pays what was paid: the log knows its own discounts.
        let there = || target.price.as_ref().map(|price| cost(&usage_there(&entry.usage, same), price));
        let routed = if stays { paid } else { there() };
        self.compare(entry, &target, same, paid, routed);
        Ok(())
    }

    /// By the code that serves; by size alone where the prompt was not kept, or cannot be read.
    async fn decide(&mut self, entry: &Entry, among: Option<&[TargetId]>) -> Result<Decision, GatewayError> {
        let config = self.gateway.config();
        let known = |name: &&String| config.tenants.contains_key(name.as_str());
        let tenant = entry.asked_by.iter().find(known).unwrap_or(&self.tenant);
        let mut labels = self.labels.clone();
        for (name, value) in &entry.labels {
            let declared = config.labels.iter().find(|label| label.name == *name);
            if declared.is_some_and(|label| label.kind.values().contains(value))
                && !labels.iter().any(|set| set.split('=').next() == Some(name))
            {
                labels.push(format!("{name}={value}"));
            }
        }
        let labels = (!labels.is_empty()).then(|| labels.join(","));
        if let Some((format, body)) = &entry.prompt {
            let asked = PastPrompt::Body(*format, body.clone());
            match decide_again(self.gateway, Past { tenant, labels: labels.clone(), among, asked }).await {
                Err(error) if error.code == Code::InvalidRequest => self.routed.unreadable_prompts += 1,
                decided => return decided,
            }
        }
        let asked = PastPrompt::Size { input: entry.usage.input, difficulty: entry.difficulty };
        decide_again(self.gateway, Past { tenant, labels, among, asked }).await
    }

    /// The target that is the model of then.
    fn target_of_then(&self, entry: &Entry, listed: Option<&Listed>) -> Option<Arc<Target>> {
        let targets = &self.gateway.config().targets;
        let at = |target: &&Arc<Target>| match &entry.provider {
            Some(provider) => target.provider.name.as_str() == provider || target.provider.kind.as_str() == provider,
            None => true,
        };
        let called = |target: &&Arc<Target>| {
            target.model.as_str() == entry.model
                || target.upstream == entry.model
                || listed.is_some_and(|listed| {
                    target.upstream == listed.upstream && target.provider.kind.as_str() == listed.kind
                })
        };
        let mut found = targets.iter().filter(called);
        let first = found.clone().next();
        found.find(at).or(first).cloned()
    }

    fn paid(&mut self, entry: &Entry, listed: Option<&Listed>, then: Option<&Arc<Target>>) -> Option<NanoUsd> {
        let price = listed.map(|listed| &listed.price).or_else(|| then?.price.as_ref());
        let at_list = price.map(|price| cost(&entry.usage, price));
        let paid = match (entry.cost, at_list) {
            (Some(paid), at_list) => {
                self.paid.from_log.add(paid);
                self.paid.said_free += u64::from(paid == NanoUsd::ZERO);
                if let Some(at_list) = at_list {
                    self.paid.from_log_at_list.add(at_list);
                }
                paid
            }
            (None, Some(at_list)) => {
                self.paid.from_list.add(at_list);
                at_list
            }
            (None, None) => {
                let named = self.unknown.contains_key(&entry.model) || self.unknown.len() < MOST_MODELS;
                let name = if named { &entry.model } else { OTHERS };
                *self.unknown.entry(name.to_owned()).or_default() += 1;
                return None;
            }
        };
        self.paid.total_nusd += paid;
        Some(paid)
    }

    fn row(&mut self, entry: &Entry) -> &mut ModelRow {
        let named = self.models.contains_key(&entry.model) || self.models.len() < MOST_MODELS;
        let name = if named { &entry.model } else { OTHERS };
        let row = self.models.entry(name.to_owned()).or_default();
        name.clone_into(&mut row.model);
        row
    }

    /// What policy says of the model of then.
    fn judged(&mut self, decision: &Decision, then: Option<&Arc<Target>>) {
        let candidate = then.and_then(|then| decision.candidates.iter().find(|one| one.target == then.name));
        let Some(candidate) = candidate else {
            self.denied.model_not_in_setup += 1;
            return;
        };
        if let Some(rule) = candidate.removed_by.as_ref().filter(|by| !CEILINGS.contains(&by.as_str())) {
            self.denied.model_denied += 1;
            *self.model_denied_by.entry(rule.to_string()).or_default() += 1;
        }
    }

    /// Nothing is left: by a ceiling where rules would have left something, else by every rule that took something.
    fn refuse(&mut self, decision: &Decision, paid: Option<NanoUsd>) {
        self.denied.denied.add(paid.unwrap_or_default());
        let mut by: Vec<&str> =
            decision.candidates.iter().filter_map(|one| Some(one.removed_by.as_ref()?.as_str())).collect();
        by.sort_unstable();
        by.dedup();
        if by.iter().any(|by| CEILINGS.contains(by)) {
            by.retain(|by| CEILINGS.contains(by));
        }
        for rule in by {
            *self.denied_by.entry(rule.to_owned()).or_default() += 1;
        }
    }

    /// Whether a target of one's own is allowed and good enough.
    fn own_would_do(&self, decision: &Decision) -> bool {
        let free = || decision.candidates.iter().filter(|one| one.removed_by.is_none());
        let Some(best) = free().filter_map(|one| one.p_good).max_by(f32::total_cmp) else { return false };
        let tau = decision.quality.as_ref().map_or(1.0, |quality| quality.tau);
        let own = |one: &&Candidate| self.targets.get(one.target.as_str()).is_some_and(|target| is_own(target));
        // The margin is the choice's own: f32 does not hold tenths.
        free().filter(own).filter_map(|one| one.p_good).any(|p| best - p <= tau + 1e-6)
    }

    fn compare(
        &mut self,
        entry: &Entry,
        target: &Arc<Target>,
        same: bool,
        paid: Option<NanoUsd>,
        routed: Option<NanoUsd>,
    ) {
        self.routed.same_model += u64::from(same);
        let both = paid.zip(routed);
        let moved = if is_own(target) {
            Some(&mut self.own.own)
        } else if is_open(target) {
            Some(&mut self.own.open_weights)
        } else {
            None
        };
        if let Some(moved) = moved {
            let Moved { lines, paid_nusd, routed_nusd } = moved;
            *lines += 1;
            if let Some((paid, routed)) = both {
                *paid_nusd += paid;
                *routed_nusd += routed;
            }
        }
        let row = self.row(entry);
        row.moved += u64::from(!same);
        let Some((paid, routed)) = both else {
            self.routed.not_compared += 1;
            return;
        };
        row.compared += 1;
        row.paid_nusd += paid;
        row.routed_nusd += routed;
        self.bootstrap.add(paid, routed);
        self.routed.lines += 1;
        self.routed.paid_nusd += paid;
        self.routed.routed_nusd += routed;
    }

    /// Sums up: bands and models, the rest in its place.
    pub(super) fn finish(&mut self) -> (Vec<Band>, Vec<ModelRow>) {
        let routed = &mut self.routed;
        routed.saving_nusd = routed.paid_nusd - routed.routed_nusd;
        let paid = routed.paid_nusd.as_usd();
        routed.saving_share = (paid > 0.0).then(|| 1.0 - routed.routed_nusd.as_usd() / paid);
        routed.interval = self.bootstrap.interval().map(|limits| IntervalRow {
            level: 0.95,
            resamples: RESAMPLES,
            seed: SEED,
            limits,
        });
        routed.refused = counts(std::mem::take(&mut self.refused).into_iter().map(|(code, n)| (code.to_owned(), n)));
        self.paid.unknown = counts(std::mem::take(&mut self.unknown));
        self.denied.denied_by = counts(std::mem::take(&mut self.denied_by));
        self.denied.model_denied_by = counts(std::mem::take(&mut self.model_denied_by));
        let mut models: Vec<ModelRow> = std::mem::take(&mut self.models).into_values().collect();
        for row in &mut models {
            row.saving_nusd = row.paid_nusd - row.routed_nusd;
        }
        models.sort_by(|a, b| b.saving_nusd.cmp(&a.saving_nusd).then_with(|| a.model.cmp(&b.model)));
        (self.banded(), models)
    }

    fn banded(&self) -> Vec<Band> {
        let mut bands = Vec::new();
        for (place, (targets, (lines, denied))) in self.bands.iter().zip(self.band_lines).enumerate() {
            let scored = place < BANDS;
            let edge = |place: usize| scored.then_some(f64::from(u8::try_from(place).unwrap_or(u8::MAX)) / 5.0);
            let mut shares: Vec<Share> = Vec::new();
            for (target, &count) in targets {
                shares.push(Share { target: target.clone(), lines: count, share: share(count, lines) });
            }
            shares.sort_by_key(|share| std::cmp::Reverse(share.lines));
            bands.push(Band { from: edge(place), to: edge(place + 1), lines, denied, targets: shares });
        }
        bands
    }
}

/// Input that came from the provider's prompt cache came so because the model was the same.
fn usage_there(usage: &Usage, same: bool) -> Usage {
    if same { *usage } else { Usage { cached: 0, cache_write: 0, cache_write_1h: 0, ..*usage } }
}

fn band(difficulty: Option<f32>) -> usize {
    let Some(difficulty) = difficulty else { return BANDS };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
    let band = (difficulty * 5.0) as usize;
    band.min(BANDS - 1)
}

/// A part of a whole, for display.
#[expect(clippy::cast_precision_loss, reason = "no log has 2^53 lines")]
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn counts(map: impl IntoIterator<Item = (String, u64)>) -> Vec<Count> {
    let mut counts: Vec<Count> = map.into_iter().map(|(name, lines)| Count { name, lines }).collect();
    counts.sort_by(|a, b| b.lines.cmp(&a.lines).then_with(|| a.name.cmp(&b.name)));
    counts
}

/// Operated by oneself.
pub(super) fn is_own(target: &Target) -> bool {
    matches!(target.facts.get(FactName::OperatorName), Some(Fact::Text(name)) if name == "self")
}

/// Anybody may run it.
pub(super) fn is_open(target: &Target) -> bool {
    target.facts.get(FactName::ProvenanceOpenWeights) == Some(&Fact::Bool(true))
}
