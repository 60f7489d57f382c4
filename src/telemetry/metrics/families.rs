//! The families of one instance: what is counted, under which names and labels.
//!
//! They outlive a configuration, so that no counter goes back when another one is loaded.

use prometheus::{CounterVec, Gauge, Histogram, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::buckets::{DIFFICULTY, DURATION, FIRST_TOKEN, OWN, TOKENS};
use super::series::Registrar;

/// Handles to every family; a clone counts the same.
#[derive(Clone)]
pub(super) struct Families {
    pub(super) registry: Registry,
    pub(super) token_usage: HistogramVec,
    pub(super) operation_duration: HistogramVec,
    pub(super) first_token: HistogramVec,
    pub(super) decisions: IntCounterVec,
    pub(super) denials: IntCounterVec,
    pub(super) removed: IntCounterVec,
    pub(super) score_seconds: HistogramVec,
    pub(super) difficulty: Histogram,
    pub(super) unscored: IntCounterVec,
    pub(super) detections: IntCounterVec,
    pub(super) cost: CounterVec,
    pub(super) saving: CounterVec,
    pub(super) cache: IntCounterVec,
    pub(super) attempts: IntCounterVec,
    pub(super) overhead: Histogram,
    pub(super) inflight_requests: IntGauge,
    pub(super) inflight_bytes: IntGauge,
    pub(super) store_up: Gauge,
    pub(super) config_info: IntGaugeVec,
    pub(super) reload_failed: IntGauge,
}

impl Families {
    /// All of them, in a registry of their own.
    pub(super) fn register() -> Self {
        let registry = Registry::new();
        let add = Registrar(&registry);
        let operation_labels =
            ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_response_model"];
        let token_labels = [&operation_labels[..], &["gen_ai_token_type"]].concat();
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
            config_info: add.add(IntGaugeVec::new(
                Opts::new("waypost_config_info", "The running configuration's hash; always 1."),
                &["hash"],
            )),
            reload_failed: add.add(IntGauge::new(
                "waypost_reload_failed",
                "Whether the last try to load another configuration failed, so that an older one runs: 1 or 0.",
            )),
            registry,
        }
    }
}
