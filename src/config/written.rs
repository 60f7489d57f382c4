//! The configuration as it is written: every key, its documentation and its shape. `waypost check --schema` prints
//! this as JSON Schema, so the comments on fields are for operators.

use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::Deserialize;

use super::running::{ErrorDetail, LogFormat, Role};
use super::values::{AddressText, At, DurationText, Lenient, List, Named, PathText, SecretText, SizeText, SwitchText};

pub(super) use self::detection::*;
pub(super) use self::identity::*;
pub(super) use self::models::*;

mod detection;
mod identity;
mod models;

/// Configuration of Waypost, an AI gateway. Every scalar may hold `${VAR}` or `${VAR:-default}`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Config {
    /// Where the data listener listens and what it lets in.
    pub(super) listen: Listen,
    /// The admin listener: metrics and health.
    pub(super) admin: Admin,
    /// Who may call.
    pub(super) auth: Auth,
    /// Tenants. `default` always exists; write it to change it.
    pub(super) tenants: List<Tenant>,
    /// Labels that requests may carry and policies may read, by name. `data-class` exists undeclared: public, internal
    /// (the default), personal, secret.
    pub(super) labels: Named<Label>,
    /// What is looked for in the text of requests, and what a find does. Default: everything is observed.
    pub(super) detection: Detection,
    /// Endpoints that serve models.
    pub(super) providers: List<Provider>,
    /// Models at providers. Each is a target named `model@provider`.
    pub(super) models: List<Model>,
    /// Where `price: catalog` looks. Left out: the prices that are built in.
    pub(super) prices: Prices,
    /// Names for one target or a weighted choice of several.
    pub(super) aliases: List<Alias>,
    /// Folder of policies. Left out: the policy `default` that is built in.
    pub(super) policies: Option<At<PathText>>,
    /// What scores the difficulty of prompts.
    pub(super) classifier: Classifier,
    /// Calibration file that `waypost calibrate` wrote. Default: none, quality is told by tier.
    pub(super) calibration: Option<At<PathText>>,
    /// The cache of whole answers. Off unless switched on.
    pub(super) cache: Cache,
    /// What replicas share.
    pub(super) store: Store,
    /// Records of decisions.
    pub(super) decisions: Decisions,
    /// Behaviour of streams before content.
    pub(super) streaming: Streaming,
    /// Retries at one target.
    pub(super) retry: Retry,
    /// The process's own log.
    pub(super) logging: Logging,
    /// Bounds for metrics.
    pub(super) metrics: Metrics,
    /// Connections to the outside.
    pub(super) egress: Egress,
    /// What refusals tell the client.
    pub(super) errors: Errors,
    /// What becomes of settings that a target's format cannot say, unless its model says otherwise. Default: reject.
    pub(super) on_unsupported: Option<At<OnUnsupported>>,
}

/// Where the data listener listens and what it lets in.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Listen {
    /// Address and port. Default: 127.0.0.1:4000.
    pub(super) address: Option<At<AddressText>>,
    /// Host names that requests may name, without port; others are 421. Default: localhost, 127.0.0.1, [::1].
    pub(super) hosts: Option<List<At<String>>>,
    /// Origins of browser apps that may call: `https://app.example`. Default: none.
    pub(super) cors: List<At<String>>,
    /// Longest request body. Default: 20MiB.
    pub(super) max_body: Option<At<SizeText>>,
    /// Bytes of request bodies held at one time. Default: 512MiB.
    pub(super) max_inflight: Option<At<SizeText>>,
    /// Longest wait for a request's headers. Default: 10s.
    pub(super) header_timeout: Option<At<DurationText>>,
    /// Longest wait for a request's body. Default: 60s.
    pub(super) body_timeout: Option<At<DurationText>>,
    /// How long running requests may go on after SIGTERM. Default: 30s.
    pub(super) drain: Option<At<DurationText>>,
    /// Certificate and key. Left out: plain HTTP.
    pub(super) tls: Option<Lenient<Tls>>,
}

/// PEM files of the listener.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    /// Certificate chain.
    pub(super) cert: At<PathText>,
    /// Private key.
    pub(super) key: At<PathText>,
}

/// The admin listener.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Admin {
    /// Address and port. Default: 127.0.0.1:4001.
    pub(super) address: Option<At<AddressText>>,
    /// Bearer tokens. Needed unless the address is loopback.
    pub(super) tokens: List<AdminToken>,
}

/// A token for the admin listener.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AdminToken {
    /// Who it belongs to.
    pub(super) name: At<String>,
    /// `sha256:` and the SHA-256 of the token in hexadecimal.
    pub(super) hash: At<String>,
    /// What its holder may see and do. Default: viewer.
    pub(super) role: Option<At<Role>>,
}

/// What scores the difficulty of prompts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Classifier {
    /// `embedded`, `linear` (embedded, without the network), `off`, or a folder with a model. Default: embedded.
    pub(super) model: Option<At<String>>,
    /// `auto`, or the path of the ONNX Runtime library. Default: auto, found beside the binary.
    pub(super) runtime: Option<At<String>>,
    /// Longest wait for the network; after it the linear head's score stands. Default: 20ms.
    pub(super) deadline: Option<At<DurationText>>,
    /// Threads that run the network. Default: 1.
    pub(super) threads: Option<At<u32>>,
    /// Prompts that may wait for the network. Default: 64.
    pub(super) queue: Option<At<u32>>,
    /// Most tokens that the network reads of a prompt. Default: 512, or what its declaration says if fewer.
    pub(super) max_tokens: Option<At<u32>>,
}

/// The cache of whole answers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Cache {
    /// Whether equal requests of one tenant under one policy get the answer given before. Default: off.
    pub(super) exact: Option<At<SwitchText>>,
    /// How long an answer is good. Default: 1h.
    pub(super) ttl: Option<At<DurationText>>,
    /// Room for the cache in memory. Default: 256MiB.
    pub(super) max: Option<At<SizeText>>,
    /// Also cache answers with a temperature above zero. Default: false.
    pub(super) sampled: Option<At<bool>>,
    /// Highest value of the label `data-class` that may be cached. Default: `internal` where that label has it, else
    /// its lowest value.
    pub(super) max_data_class: Option<At<String>>,
}

/// What replicas share.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Store {
    /// `local`, `redis://…` or `rediss://…`. Default: local.
    pub(super) url: Option<At<SecretText>>,
    /// Longest wait for the store; after it the request goes on without. Default: 50ms.
    pub(super) deadline: Option<At<DurationText>>,
}

/// Records of decisions.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Decisions {
    /// Records kept in memory for `/v1/decisions`. Default: 10000.
    pub(super) keep: Option<At<u32>>,
    /// File that records are appended to as JSON lines. Default: none.
    pub(super) file: Option<At<PathText>>,
}

/// Behaviour of streams before content.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Streaming {
    /// Time without content after which status and headers go out. Default: 15s.
    pub(super) commit_after: Option<At<DurationText>>,
    /// Time between comments that keep a waiting stream open. Default: 15s.
    pub(super) ping: Option<At<DurationText>>,
}

/// Retries at one target.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Retry {
    /// Tries at one target, the first included. Default: 2.
    pub(super) attempts: Option<At<u32>>,
    /// Retries allowed as a share of requests, from 0 to 1. Default: 0.2.
    pub(super) budget: Option<At<f64>>,
}

/// The process's own log.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Logging {
    /// Text, JSON, or text on a terminal and JSON elsewhere. Default: auto.
    pub(super) format: Option<At<LogFormat>>,
}

/// Bounds for metrics.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Metrics {
    /// Label combinations per metric; more are counted as `other`. Default: 5000.
    pub(super) max_series: Option<At<u32>>,
}

/// Connections to the outside.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Egress {
    /// PEM file of certificate authorities to trust beside the usual ones. Default: none.
    pub(super) ca: Option<At<PathText>>,
}

/// What refusals tell the client.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Errors {
    /// Nothing, the names of the rules, or every candidate with its rule. Default: rules.
    pub(super) detail: Option<At<ErrorDetail>>,
}

/// The JSON Schema of the written form.
pub(super) fn schema() -> &'static serde_json::Value {
    static SCHEMA: OnceLock<serde_json::Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut schema = schemars::schema_for!(Config);
        schema.insert("title".to_owned(), "Waypost configuration".into());
        schema.to_value()
    })
}

/// Keys that a struct of the written form cannot do without.
pub(super) fn required(name: &str) -> Vec<&'static str> {
    let schema = schema();
    let shape = if name == "Config" { Some(schema) } else { schema.pointer(&format!("/$defs/{name}")) };
    let required = shape.and_then(|shape| shape.get("required")).and_then(|required| required.as_array());
    required.into_iter().flatten().filter_map(|key| key.as_str()).collect()
}

/// What a struct of the written form is called in a message.
pub(super) fn thing(name: &str) -> String {
    let named = match name {
        "Config" => "the configuration",
        "AdminToken" => "a member of `admin.tokens`",
        "AliasTarget" => "a target of an alias",
        "Alias" => "an alias",
        "Claims" => "`claims`",
        "Credential" => "a member of `credentials`",
        "Data" => "`data`",
        "DetectorSettings" => "a detector",
        "JwtIssuer" => "a member of `auth.jwt`",
        "Key" => "a member of `auth.keys`",
        "Label" => "a label",
        "LatencyPrior" => "`latency_prior`",
        "Model" => "a model",
        "Provider" => "a provider",
        "Tenant" => "a tenant",
        section => return format!("`{}`", section.to_lowercase()),
    };
    named.to_owned()
}

/// ` in listen` and the like, to end a message with.
pub(super) fn place_in(name: &str) -> String {
    if name == "Config" { String::new() } else { format!(" in {}", thing(name)) }
}

/// What a word of an enumeration is called in a message.
pub(super) fn word_of(name: &str) -> &'static str {
    match name {
        "Capability" => "capability",
        "DetectionMode" => "mode",
        "ErrorDetail" => "level of detail",
        "JwtAlgorithm" => "algorithm",
        "LabelSource" => "source of a label",
        "LogFormat" => "log format",
        "Open" => "setting of `open`",
        "Permission" => "permission",
        "ProviderKind" => "kind of provider",
        "RouteBy" => "way to route",
        "Tier" => "tier",
        _ => "word",
    }
}
