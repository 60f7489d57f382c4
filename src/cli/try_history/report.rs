//! What comes out: the JSON form, schema 1. Sums are in integer nano-USD; nothing in it is of a prompt.

use serde::Serialize;

use super::interval::Interval;
use super::survey::{Survey, Tokens};
use crate::money::NanoUsd;

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) schema: u8,
    pub(super) file: String,
    pub(super) setup: Setup,
    pub(super) read: Survey,
    pub(super) paid: Paid,
    pub(super) routed: Routed,
    /// Rising difficulty, then the prompts without a score.
    pub(super) bands: Vec<Band>,
    pub(super) policy: Denied,
    pub(super) own: Own,
    /// By the model that answered then; the largest saving first.
    pub(super) models: Vec<ModelRow>,
    pub(super) assumptions: Vec<String>,
}

/// What was decided with.
#[derive(Debug, Serialize)]
pub(super) struct Setup {
    /// The configuration; null where one was assumed.
    pub(super) config: Option<String>,
    /// The assumed configuration.
    pub(super) assumed: Option<String>,
    pub(super) tenant: String,
    pub(super) policy: String,
    /// What scored the prompts; empty where nothing did.
    pub(super) classifier: String,
    pub(super) targets: Vec<TargetRow>,
}

/// A target of the set-up.
#[derive(Debug, Serialize)]
pub(super) struct TargetRow {
    pub(super) target: String,
    pub(super) tier: &'static str,
    /// US dollars per million tokens of short prompts.
    pub(super) input_usd: Option<f64>,
    pub(super) output_usd: Option<f64>,
    /// Operated by oneself.
    pub(super) own: bool,
    pub(super) open_weights: bool,
    /// Prompts that would go there.
    pub(super) lines: u64,
}

/// Cost as paid.
#[derive(Debug, Default, Serialize)]
pub(super) struct Paid {
    pub(super) total_nusd: NanoUsd,
    /// By the log's own figures.
    pub(super) from_log: Sum,
    /// The same lines at list prices, where there is one for each: a check of prices against the log.
    pub(super) from_log_at_list: Sum,
    /// By usage and price list, where the log says nothing.
    pub(super) from_list: Sum,
    /// Lines for which the log says that they cost nothing.
    pub(super) said_free: u64,
    /// Models whose lines could not be priced.
    pub(super) unknown: Vec<Count>,
}

/// So many lines and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Sum {
    pub(super) lines: u64,
    pub(super) nusd: NanoUsd,
}

impl Sum {
    pub(super) fn add(&mut self, cost: NanoUsd) {
        self.lines += 1;
        self.nusd += cost;
    }
}

/// Something and on how many lines it is.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Count {
    pub(super) name: String,
    pub(super) lines: u64,
}

/// Cost routed, over the lines for which both costs are known.
#[derive(Debug, Default, Serialize)]
pub(super) struct Routed {
    pub(super) lines: u64,
    pub(super) paid_nusd: NanoUsd,
    pub(super) routed_nusd: NanoUsd,
    pub(super) saving_nusd: NanoUsd,
    /// 1 − routed / paid; null where nothing was paid.
    pub(super) saving_share: Option<f64>,
    pub(super) interval: Option<IntervalRow>,
    /// `prior` or `calibrated`; null where the policy states no quality.
    pub(super) basis: Option<String>,
    pub(super) at_least: Option<f32>,
    /// Lines that would be routed, but not at a known price, or of which it is not known what was paid.
    pub(super) not_compared: u64,
    /// Lines whose model has no list price and so no place in the assumed set-up: they are not routed.
    pub(super) not_placed: u64,
    /// Lines that keep their model.
    pub(super) same_model: u64,
    /// Lines whose prompt was kept but could not be read as a request.
    pub(super) unreadable_prompts: u64,
    /// Requests that would be refused for another reason than policy, by error code.
    pub(super) refused: Vec<Count>,
}

/// The interval and how it was made.
#[derive(Debug, Serialize)]
pub(super) struct IntervalRow {
    pub(super) level: f64,
    pub(super) resamples: usize,
    pub(super) seed: u64,
    #[serde(flatten)]
    pub(super) limits: Interval,
}

/// Prompts of like difficulty and where they would go.
#[derive(Debug, Serialize)]
pub(super) struct Band {
    /// Null for prompts without a score.
    pub(super) from: Option<f64>,
    pub(super) to: Option<f64>,
    pub(super) lines: u64,
    pub(super) denied: u64,
    pub(super) targets: Vec<Share>,
}

/// A target's part of a band.
#[derive(Debug, Serialize)]
pub(super) struct Share {
    pub(super) target: String,
    pub(super) lines: u64,
    /// Of the band's lines.
    pub(super) share: f64,
}

/// What policy would do.
#[derive(Debug, Default, Serialize)]
pub(super) struct Denied {
    /// Requests for which no target is left, and what they cost then.
    pub(super) denied: Sum,
    /// The rules (or ceilings) that left none. One request may be denied by several.
    pub(super) denied_by: Vec<Count>,
    /// Requests whose model of then policy would not let them have.
    pub(super) model_denied: u64,
    pub(super) model_denied_by: Vec<Count>,
    /// Requests whose model of then is no target of the set-up, so that policy cannot judge it.
    pub(super) model_not_in_setup: u64,
}

/// What goes, or could go, to models of one's own.
#[derive(Debug, Default, Serialize)]
pub(super) struct Own {
    /// Would go to targets that one operates oneself.
    pub(super) own: Moved,
    /// Would go to open weights that somebody else operates: they could be run on own machines.
    pub(super) open_weights: Moved,
    /// Scored prompts for which some target of one's own is allowed and good enough, whatever it costs.
    pub(super) good_enough: u64,
}

/// Lines, what was paid for them, and what they would cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Moved {
    pub(super) lines: u64,
    pub(super) paid_nusd: NanoUsd,
    pub(super) routed_nusd: NanoUsd,
}

/// One model of the log.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct ModelRow {
    pub(super) model: String,
    pub(super) lines: u64,
    pub(super) tokens: Tokens,
    /// Lines that would go to another model.
    pub(super) moved: u64,
    /// Lines for which both costs are known; the costs are theirs.
    pub(super) compared: u64,
    pub(super) paid_nusd: NanoUsd,
    pub(super) routed_nusd: NanoUsd,
    pub(super) saving_nusd: NanoUsd,
}
