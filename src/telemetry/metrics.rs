//! Metrics in Prometheus form: OpenTelemetry's GenAI names where they exist, `waypost_…` for what is ours.
//!
//! One registry per gateway instance. Series that a request touches are looked up by index in tables that fill as they
//! are used, so the request path neither hashes label values nor allocates for them.

mod buckets;
mod inflight;
mod series;

use std::time::Duration;

use prometheus::{
    Counter, CounterVec, Encoder as _, Gauge, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry, TextEncoder,
};

use self::buckets::{DIFFICULTY, DURATION, FIRST_TOKEN, OWN, TOKENS};
pub use self::inflight::InFlight;
use self::series::{Names, Registrar, Table};
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
    registry: Registry,
    shape: Shape,
    tenants: Names,
    policies: Names,
    models: Names,

    token_usage: HistogramVec,
    operation_duration: HistogramVec,
    first_token: HistogramVec,
    decisions: IntCounterVec,
    denials: IntCounterVec,
    removed: IntCounterVec,
    score_seconds: HistogramVec,
    difficulty: Histogram,
    unscored: IntCounterVec,
    detections: IntCounterVec,
    cost: CounterVec,
    saving: CounterVec,
    cache: IntCounterVec,
    attempts: IntCounterVec,
    overhead: Histogram,
    inflight_requests: IntGauge,
    inflight_bytes: IntGauge,
    store_up: Gauge,

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
        let registry = Registry::new();
        let add = Registrar(&registry);
        let operation_labels =
            ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_response_model"];
        let token_labels = [&operation_labels[..], &["gen_ai_token_type"]].concat();
        let tenants = Names::new(shape.tenants.iter().cloned());
        let policies = Names::new(shape.policies.iter().cloned().chain(["none".to_owned()]));
        let all_models = Names::new(shape.models.iter().cloned());
        let bounded = all_models.len() * shape.targets.len().max(1) <= shape.max_series;
        let models = if bounded { all_models } else { Names::new([]) };
        let targets = shape.targets.len();

        let config_info = add.add(prometheus::IntGaugeVec::new(
            Opts::new("waypost_config_info", "The running configuration's hash; always 1."),
            &["hash"],
        ));
        config_info.with_label_values(&[&shape.config]).set(1);
        #[cfg(target_os = "linux")]
        add.add_process();

        Self {
            token_usage: add.histograms(
                "gen_ai_client_token_usage",
                "Tokens of one request, by type (input, output).",
                &token_labels,
                TOKENS,
            ),
            operation_duration: add.histograms(
                "gen_ai_client_operation_duration_seconds",
                "Time from the request's head to the end of its answer.",
                &operation_labels,
                DURATION,
            ),
            first_token: add.histograms(
                "gen_ai_server_time_to_first_token_seconds",
                "Time from sending to the upstream to its first content (whole answers: to its end).",
                &operation_labels,
                FIRST_TOKEN,
            ),
            decisions: add.counters(
                "waypost_decisions_total",
                "Requests by policy, chosen target (none where there was none) and outcome.",
                &["policy", "target", "outcome"],
            ),
            denials: add.counters("waypost_denials_total", "Refusals by policy and rule.", &["policy", "rule"]),
            removed: add.counters("waypost_candidates_removed_total", "Candidates removed, by rule.", &["rule"]),
            score_seconds: add.histograms(
                "waypost_score_seconds",
                "Time until a prompt's difficulty was known, by stage.",
                &["stage"],
                OWN,
            ),
            difficulty: add.histogram("waypost_difficulty", "Difficulty scores of prompts, 0 to 1.", DIFFICULTY),
            unscored: add.counters(
                "waypost_unscored_total",
                "Prompts that the network did not score, by reason.",
                &["reason"],
            ),
            detections: add.counters(
                "waypost_detections_total",
                "Values found in requests, by detector and by whether they raised a label (enforce) or not (observe).",
                &["detector", "mode"],
            ),
            cost: add.amounts("waypost_cost_usd_total", "Cost of requests in US dollars.", &["tenant", "target"]),
            saving: add.amounts(
                "waypost_saving_usd_total",
                "Saved against the best allowed target in US dollars, by what the quality rests on.",
                &["tenant", "basis"],
            ),
            cache: add.counters("waypost_cache_total", "Cache look-ups by kind and result.", &["kind", "result"]),
            attempts: add.counters("waypost_attempts_total", "Calls to upstreams by result.", &["target", "result"]),
            overhead: add.histogram(
                "waypost_overhead_seconds",
                "Time a request spent in the gateway itself, without waiting for client or upstream.",
                OWN,
            ),
            inflight_requests: add.add(IntGauge::new("waypost_inflight_requests", "Requests being served.")),
            inflight_bytes: add.add(IntGauge::new("waypost_inflight_bytes", "Bytes of request bodies being held.")),
            store_up: add.add(Gauge::new("waypost_store_up", "Whether the store answers: 1 or 0.")),
            operation_series: Table::new(models.len() * OPERATIONS.len(), targets),
            spend_series: Table::new(tenants.len(), targets),
            decision_series: Table::new(policies.len() * Outcome::COUNT, targets + 1),
            attempt_ok: Table::new(1, targets),
            registry,
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
                self.decisions.with_label_values(&[self.policies.name(policy), target_name, settled.outcome.word()])
            })
            .inc();
        self.overhead.observe(settled.overhead.as_secs_f64());
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
            let tokens = |kind| self.token_usage.with_label_values(&[&values[..], &[kind]].concat());
            Operation {
                input_tokens: tokens("input"),
                output_tokens: tokens("output"),
                duration: self.operation_duration.with_label_values(&values),
                first_token: self.first_token.with_label_values(&values),
            }
        })
    }

    fn spend(&self, tenant: &str, target: TargetId) -> &Spend {
        let place = self.tenants.place(tenant);
        self.spend_series.get(place, target.index(), || Spend {
            cost: self.cost.with_label_values(&[self.tenants.name(place), &self.shape.targets[target.index()].target]),
            saving: ["prior", "calibrated"]
                .map(|basis| self.saving.with_label_values(&[self.tenants.name(place), basis])),
        })
    }

    /// One call to an upstream: `ok`, or the word of its failure.
    pub fn attempt(&self, target: TargetId, result: &str) {
        let name = &self.shape.targets[target.index()].target;
        if result == "ok" {
            self.attempt_ok.get(0, target.index(), || self.attempts.with_label_values(&[name, "ok"])).inc();
        } else {
            self.attempts.with_label_values(&[name, result]).inc();
        }
    }

    /// A refusal by a rule.
    pub fn denied(&self, policy: &str, rule: &str) {
        self.denials.with_label_values(&[self.policies.name(self.policies.place(policy)), rule]).inc();
    }

    /// Candidates that a rule removed.
    pub fn candidates_removed(&self, rule: &str, count: u64) {
        self.removed.with_label_values(&[rule]).inc_by(count);
    }

    /// A prompt's score.
    pub fn scored(&self, stage: &str, elapsed: Duration, difficulty: Option<f32>) {
        self.score_seconds.with_label_values(&[stage]).observe(elapsed.as_secs_f64());
        if let Some(difficulty) = difficulty {
            self.difficulty.observe(f64::from(difficulty));
        }
    }

    /// A prompt without a score.
    pub fn unscored(&self, reason: &str) {
        self.unscored.with_label_values(&[reason]).inc();
    }

    /// Values that a detector found in a request.
    pub fn detected(&self, detector: &str, mode: &str, count: u64) {
        self.detections.with_label_values(&[detector, mode]).inc_by(count);
    }

    /// A cache look-up: `hit`, `miss` or `bypass`.
    pub fn cache(&self, result: &str) {
        self.cache.with_label_values(&["exact", result]).inc();
    }

    /// Whether the store answers.
    pub fn store_up(&self, up: bool) {
        self.store_up.set(f64::from(u8::from(up)));
    }

    /// Counts a request and its body as in flight until dropped.
    #[must_use]
    pub fn request_started(&self) -> InFlight {
        InFlight::begin(&self.inflight_requests, &self.inflight_bytes)
    }

    /// Everything in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut text) {
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
        for family in metrics.registry.gather() {
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
