//! Metrics in Prometheus form: OpenTelemetry's GenAI names where they exist, `waypost_…` for what is ours.
//!
//! One registry per gateway instance, whatever it is configured to do. Series that a request touches are looked up by
//! index in tables that fill as they are used, so the request path neither hashes label values nor allocates for them.

mod buckets;
mod families;
mod inflight;
mod series;

use std::time::Duration;

use prometheus::{Counter, Encoder as _, Histogram, IntCounter, TextEncoder};

use self::families::Families;
pub use self::inflight::InFlight;
use self::series::{Names, Table};
use crate::chat::{Outcome, Usage};
use crate::id::TargetId;
use crate::money::NanoUsd;

/// Stands for every name that configuration does not know.
const OTHER: &str = "other";

/// What bounds the label values of one instance.
#[derive(Debug, Default)]
pub struct Shape {
    /// Target, model, provider and the provider's name for the model, by `TargetId`.
    pub targets: Vec<TargetLabels>,
    pub tenants: Vec<String>,
    pub policies: Vec<String>,
    /// Names that clients may ask for.
    pub models: Vec<String>,
    /// The configuration's hash.
    pub config: String,
    /// `metrics.max_series`: beyond this many combinations of requested name and target, names become `other`.
    pub max_series: usize,
}

/// One target's label values.
#[derive(Debug, Clone)]
pub struct TargetLabels {
    pub target: String,
    pub provider: String,
    pub upstream: String,
}

/// What one finished request adds.
#[derive(Debug)]
pub struct Settled<'a> {
    /// What was asked for: `chat`, `responses`, `embeddings`, …
    pub operation: &'a str,
    pub tenant: &'a str,
    pub policy: Option<&'a str>,
    /// The name the client asked for.
    pub model: &'a str,
    pub target: Option<TargetId>,
    pub outcome: Outcome,
    pub usage: Usage,
    pub cost: NanoUsd,
    pub saving: NanoUsd,
    /// What told the qualities by which the saving's yardstick was picked: `prior` or `calibrated`.
    pub basis: &'static str,
    pub duration: Duration,
    pub first_token: Option<Duration>,
    /// Time spent in the gateway itself.
    pub overhead: Duration,
}

/// Series of one requested name at one target.
struct Operation {
    input_tokens: Histogram,
    output_tokens: Histogram,
    duration: Histogram,
    first_token: Histogram,
}

/// Series of one tenant at one target.
struct Spend {
    cost: Counter,
    /// By the basis `prior` and `calibrated`.
    saving: [Counter; 2],
}

/// One instance's metrics.
pub struct Metrics {
    families: Families,
    shape: Shape,
    tenants: Names,
    policies: Names,
    models: Names,
    operation_series: Table<Operation>,
    spend_series: Table<Spend>,
    decision_series: Table<IntCounter>,
    attempt_ok: Table<IntCounter>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").field("shape", &self.shape).finish_non_exhaustive()
    }
}

/// `gen_ai.operation.name`, in the conventions' words (Responses and Messages are chat to them).
const OPERATIONS: [&str; 4] = ["chat", "text_completion", "embeddings", "count_tokens"];

fn operation_place(operation: &str) -> usize {
    match operation {
        "completions" => 1,
        "embeddings" => 2,
        "count_tokens" => 3,
        _ => 0,
    }
}

impl Metrics {
    /// All families of one instance, in a registry of their own.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let metrics = Self::of(Families::register(), shape);
        metrics.configuration_runs();
        metrics
    }

    /// The same families for another configuration: what was counted stays, whatever is configured now.
    #[must_use]
    pub fn renewed(&self, shape: Shape) -> Self {
        Self::of(self.families.clone(), shape)
    }

    fn of(families: Families, shape: Shape) -> Self {
        let tenants = Names::new(shape.tenants.iter().cloned());
        let policies = Names::new(shape.policies.iter().cloned().chain(["none".to_owned()]));
        let all_models = Names::new(shape.models.iter().cloned());
        let bounded = all_models.len() * shape.targets.len().max(1) <= shape.max_series;
        let models = if bounded { all_models } else { Names::new([]) };
        let targets = shape.targets.len();
        Self {
            operation_series: Table::new(models.len() * OPERATIONS.len(), targets),
            spend_series: Table::new(tenants.len(), targets),
            decision_series: Table::new(policies.len() * Outcome::COUNT, targets + 1),
            attempt_ok: Table::new(1, targets),
            families,
            shape,
            tenants,
            policies,
            models,
        }
    }

    /// One finished request.
    pub fn settled(&self, settled: &Settled<'_>) {
        let policy = self.policies.place(settled.policy.unwrap_or("none"));
        let column = settled.target.map_or(self.shape.targets.len(), TargetId::index);
        let target_name = settled.target.map_or("none", |id| &self.shape.targets[id.index()].target);
        self.decision_series
            .get(policy * Outcome::COUNT + settled.outcome as usize, column, || {
                self.families.decisions.with_label_values(&[
                    self.policies.name(policy),
                    target_name,
                    settled.outcome.word(),
                ])
            })
            .inc();
        self.families.overhead.observe(settled.overhead.as_secs_f64());
        let Some(target) = settled.target else { return };

        let operation = self.operation(settled.operation, settled.model, target);
        operation.duration.observe(settled.duration.as_secs_f64());
        if let Some(first_token) = settled.first_token {
            operation.first_token.observe(first_token.as_secs_f64());
        }
        operation.input_tokens.observe(as_float(settled.usage.input));
        operation.output_tokens.observe(as_float(settled.usage.output));

        let spend = self.spend(settled.tenant, target);
        spend.cost.inc_by(settled.cost.as_usd().max(0.0));
        spend.saving[usize::from(settled.basis == "calibrated")].inc_by(settled.saving.as_usd().max(0.0));
    }

    fn operation(&self, operation: &str, model: &str, target: TargetId) -> &Operation {
        let place = self.models.place(model);
        let operation = operation_place(operation);
        self.operation_series.get(place * OPERATIONS.len() + operation, target.index(), || {
            let labels = &self.shape.targets[target.index()];
            let values = [OPERATIONS[operation], &labels.provider, self.models.name(place), &labels.upstream];
            let tokens = |kind| self.families.token_usage.with_label_values(&[&values[..], &[kind]].concat());
            Operation {
                input_tokens: tokens("input"),
                output_tokens: tokens("output"),
                duration: self.families.operation_duration.with_label_values(&values),
                first_token: self.families.first_token.with_label_values(&values),
            }
        })
    }

    fn spend(&self, tenant: &str, target: TargetId) -> &Spend {
        let place = self.tenants.place(tenant);
        self.spend_series.get(place, target.index(), || Spend {
            cost: self
                .families
                .cost
                .with_label_values(&[self.tenants.name(place), &self.shape.targets[target.index()].target]),
            saving: ["prior", "calibrated"]
                .map(|basis| self.families.saving.with_label_values(&[self.tenants.name(place), basis])),
        })
    }

    /// One call to an upstream: `ok`, or the word of its failure.
    pub fn attempt(&self, target: TargetId, result: &str) {
        let name = &self.shape.targets[target.index()].target;
        if result == "ok" {
            self.attempt_ok.get(0, target.index(), || self.families.attempts.with_label_values(&[name, "ok"])).inc();
        } else {
            self.families.attempts.with_label_values(&[name, result]).inc();
        }
    }

    /// A refusal by a rule.
    pub fn denied(&self, policy: &str, rule: &str) {
        self.families.denials.with_label_values(&[self.policies.name(self.policies.place(policy)), rule]).inc();
    }

    /// Candidates that a rule removed.
    pub fn candidates_removed(&self, rule: &str, count: u64) {
        self.families.removed.with_label_values(&[rule]).inc_by(count);
    }

    /// A prompt's score.
    pub fn scored(&self, stage: &str, elapsed: Duration, difficulty: Option<f32>) {
        self.families.score_seconds.with_label_values(&[stage]).observe(elapsed.as_secs_f64());
        if let Some(difficulty) = difficulty {
            self.families.difficulty.observe(f64::from(difficulty));
        }
    }

    /// A prompt without a score.
    pub fn unscored(&self, reason: &str) {
        self.families.unscored.with_label_values(&[reason]).inc();
    }

    /// Values that a detector found in a request.
    pub fn detected(&self, detector: &str, mode: &str, count: u64) {
        self.families.detections.with_label_values(&[detector, mode]).inc_by(count);
    }

    /// A cache look-up: `hit`, `miss` or `bypass`.
    pub fn cache(&self, result: &str) {
        self.families.cache.with_label_values(&["exact", result]).inc();
    }

    /// From now on this configuration is the one that runs.
    pub fn configuration_runs(&self) {
        self.families.config_info.reset();
        self.families.config_info.with_label_values(&[&self.shape.config]).set(1);
        self.families.reload_failed.set(0);
    }

    /// The last try to load another configuration failed; this one stays.
    pub fn reload_failed(&self) {
        self.families.reload_failed.set(1);
    }

    /// Whether the store answers.
    pub fn store_up(&self, up: bool) {
        self.families.store_up.set(f64::from(u8::from(up)));
    }

    /// Counts a request and its body as in flight until dropped.
    #[must_use]
    pub fn request_started(&self) -> InFlight {
        InFlight::begin(&self.families.inflight_requests, &self.families.inflight_bytes)
    }

    /// Everything in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        match TextEncoder::new().encode(&self.families.registry.gather(), &mut text) {
            Ok(()) => String::from_utf8(text).unwrap_or_default(),
            Err(error) => {
                tracing::error!(%error, "metrics cannot be rendered");
                String::new()
            }
        }
    }

    /// Names of all families, with the suffixes that Prometheus stores histograms under. Families without a series yet
    /// are not in `render`, so dashboards are checked against this.
    #[must_use]
    pub fn names() -> Vec<String> {
        let metrics = Self::new(Shape { targets: vec![TargetLabels::blank()], max_series: 10, ..Shape::default() });
        metrics.touch();
        let mut names = Vec::new();
        for family in metrics.families.registry.gather() {
            let name = family.name();
            if family.get_field_type() == prometheus::proto::MetricType::HISTOGRAM {
                names.extend(["_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}")));
            } else {
                names.push(name.to_owned());
            }
        }
        names
    }

    fn touch(&self) {
        let target = TargetId(0);
        self.settled(&Settled {
            operation: "chat",
            tenant: OTHER,
            policy: None,
            model: OTHER,
            target: Some(target),
            outcome: Outcome::Ok,
            usage: Usage::default(),
            cost: NanoUsd::ZERO,
            saving: NanoUsd::ZERO,
            basis: "prior",
            duration: Duration::ZERO,
            first_token: Some(Duration::ZERO),
            overhead: Duration::ZERO,
        });
        self.attempt(target, "ok");
        self.denied(OTHER, OTHER);
        self.candidates_removed(OTHER, 0);
        self.scored("linear", Duration::ZERO, None);
        self.unscored("off");
        self.cache("miss");
        self.detected("email", "observe", 0);
    }
}

impl TargetLabels {
    fn blank() -> Self {
        Self { target: OTHER.to_owned(), provider: OTHER.to_owned(), upstream: OTHER.to_owned() }
    }
}

#[expect(clippy::cast_precision_loss, reason = "token counts stay far below 2^53")]
fn as_float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
