//! The configuration that runs: checked, complete, every name resolved. Nothing here can be missing or wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::facts::Facts;
use crate::id::{KeyId, ModelName, PolicyName, ProviderName, TargetId, TargetName, TeamName, TenantName};
use crate::money::Rate;

/// Everything a gateway instance is told.
#[derive(Debug)]
pub struct Config {
    /// SHA-256 over the written form, `sha256:…`; names the configuration in decisions and metrics.
    pub hash: String,
    /// Where it came from; `None` when discovered.
    pub path: Option<PathBuf>,
    pub listen: Listen,
    pub admin: Admin,
    pub auth: Auth,
    /// Always holds `default`.
    pub tenants: BTreeMap<TenantName, Arc<Tenant>>,
    pub labels: Vec<Label>,
    /// In the order written; `TargetId` is the index.
    pub targets: Vec<Arc<Target>>,
    pub providers: Vec<Arc<Provider>>,
    pub aliases: BTreeMap<String, Alias>,
    /// Folder of policies; `None`: the embedded `default` policy.
    pub policies: Option<PathBuf>,
    pub classifier: Classifier,
    pub cache: Cache,
    pub store: Store,
    pub decisions: Decisions,
    pub streaming: Streaming,
    pub retry: Retry,
    pub logging: Logging,
    pub max_series: usize,
    pub egress: Egress,
    pub error_detail: ErrorDetail,
}

#[derive(Debug, Clone)]
pub struct Listen {
    pub address: SocketAddr,
    /// Host names (without port) that requests may name, lower case.
    pub hosts: Vec<String>,
    /// Origins whose browser apps may call.
    pub cors: Vec<String>,
    pub max_body: usize,
    pub max_inflight: u64,
    pub header_timeout: Duration,
    pub body_timeout: Duration,
    pub drain: Duration,
    pub tls: Option<Tls>,
}

#[derive(Debug, Clone)]
pub struct Tls {
    pub cert: PathBuf,
    pub key: PathBuf,
}

#[derive(Debug, Clone)]
pub struct Admin {
    pub address: SocketAddr,
    pub tokens: Vec<AdminToken>,
}

#[derive(Debug, Clone)]
pub struct AdminToken {
    pub name: String,
    /// SHA-256 of the token, 32 bytes.
    pub sha256: [u8; 32],
}

#[derive(Debug)]
pub struct Auth {
    /// Requests without a key are tenant `default` if they come over loopback.
    pub open_on_loopback: bool,
    pub keys: Vec<Key>,
    pub jwt: Vec<JwtIssuer>,
}

/// A virtual key as the configuration knows it: by its hash.
#[derive(Debug)]
pub struct Key {
    pub id: KeyId,
    /// As `waypost keys create` printed it, decoded.
    pub hmac: [u8; 32],
    pub tenant: TenantName,
    pub team: Option<TeamName>,
    /// Patterns with `*`; empty means every model.
    pub models: Vec<String>,
    /// Seconds since 1970.
    pub expires: Option<u64>,
    pub may_set: Vec<String>,
    pub labels: BTreeMap<String, String>,
    pub permissions: Vec<Permission>,
    pub limits: Limits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// `POST /v1/route`.
    Route,
}

#[derive(Debug)]
pub struct JwtIssuer {
    pub issuer: String,
    pub audience: String,
    pub algorithms: Vec<JwtAlgorithm>,
    pub leeway: Duration,
    pub jwks: Jwks,
    pub claims: Claims,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
pub enum JwtAlgorithm {
    RS256,
    ES256,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

#[derive(Debug, Clone)]
pub struct Jwks {
    pub url: url::Url,
    pub refresh: Duration,
    pub min_refetch: Duration,
    pub max_stale: Duration,
}

/// JSON pointers into a token's claims.
#[derive(Debug, Clone)]
pub struct Claims {
    pub tenant: String,
    pub team: Option<String>,
    pub models: Option<String>,
    pub labels: BTreeMap<String, String>,
}

#[derive(Debug)]
pub struct Tenant {
    pub name: TenantName,
    pub region: Option<String>,
    pub policy: PolicyName,
    /// Lowest value of ordered labels.
    pub floor: BTreeMap<String, String>,
    pub limits: Limits,
}

/// `None`: unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    pub requests_per_minute: Option<u32>,
    pub concurrent: Option<u32>,
}

#[derive(Debug, Clone)]
pub struct Label {
    pub name: String,
    pub kind: LabelKind,
    pub default: Option<String>,
    /// Who may set it, for unordered labels; all where not said.
    pub from: Vec<LabelSource>,
}

#[derive(Debug, Clone)]
pub enum LabelKind {
    /// Lowest first; the highest of all sources wins.
    Ordered(Vec<String>),
    /// One of these.
    Values(Vec<String>),
}

impl LabelKind {
    /// All values, lowest first where they have an order.
    #[must_use]
    pub fn values(&self) -> &[String] {
        match self {
            Self::Ordered(values) | Self::Values(values) => values,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LabelSource {
    Key,
    Claim,
    Client,
}

/// One model at one provider.
#[derive(Debug)]
pub struct Target {
    pub id: TargetId,
    pub name: TargetName,
    pub model: ModelName,
    /// What the provider calls the model.
    pub upstream: String,
    pub provider: Arc<Provider>,
    pub tier: Tier,
    pub facts: Facts,
    pub price: Option<Price>,
    /// Tokens.
    pub context: Option<u64>,
    pub max_output: Option<u64>,
    pub max_concurrent: Option<u32>,
    pub latency_prior: LatencyPrior,
}

/// The prior for quality until calibrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    Weak,
    Mid,
    Strong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    pub input: Rate,
    pub output: Rate,
    /// Input read from the prompt cache; the full input price where not stated.
    pub cached_input: Rate,
    /// Input written to the prompt cache; the full input price where not stated.
    pub cache_write: Rate,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatencyPrior {
    pub first_token: Duration,
    pub tokens_per_second: f64,
}

#[derive(Debug)]
pub struct Provider {
    pub name: ProviderName,
    pub kind: ProviderKind,
    /// At least one. Empty only for `scripted` without an endpoint: `serve` starts one in the process and fills it in.
    pub endpoints: Vec<Endpoint>,
    pub credentials: Vec<Secret>,
    pub timeouts: Timeouts,
}

/// Which native paths and quirks apply; data, looked up in `catalog`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderKind {
    Openai,
    Mistral,
    Deepseek,
    Groq,
    Openrouter,
    Xai,
    Vllm,
    Sglang,
    Llamacpp,
    Ollama,
    OpenaiCompatible,
    Scripted,
}

impl ProviderKind {
    /// The word the configuration uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Mistral => "mistral",
            Self::Deepseek => "deepseek",
            Self::Groq => "groq",
            Self::Openrouter => "openrouter",
            Self::Xai => "xai",
            Self::Vllm => "vllm",
            Self::Sglang => "sglang",
            Self::Llamacpp => "llamacpp",
            Self::Ollama => "ollama",
            Self::OpenaiCompatible => "openai-compatible",
            Self::Scripted => "scripted",
        }
    }
}

/// Where one provider listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub tls: bool,
    /// Name or address, without brackets; also SNI and the host that egress allows.
    pub host: String,
    pub port: u16,
    /// `host` or `host:port`, as the Host header wants it.
    pub authority: String,
    /// Whole path of chat completions: `/v1/chat/completions`.
    pub chat_path: String,
}

#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    pub connect: Duration,
    pub first_token: Duration,
    pub idle: Duration,
    pub total: Duration,
}

/// A secret that no `Debug` prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself; only where it goes on the wire.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[derive(Debug, Clone)]
pub struct Alias {
    /// Target and weight, in the order written.
    pub targets: Vec<(TargetId, u32)>,
}

#[derive(Debug, Clone)]
pub struct Classifier {
    pub model: ClassifierModel,
    /// `None`: found beside the binary.
    pub runtime: Option<PathBuf>,
    pub deadline: Duration,
    pub threads: usize,
    pub queue: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClassifierModel {
    Embedded,
    Folder(PathBuf),
    Off,
}

#[derive(Debug, Clone)]
pub struct Cache {
    pub exact: bool,
    pub ttl: Duration,
    /// Bytes, for the cache in memory.
    pub max: u64,
    /// Also cache answers drawn at random (temperature above zero).
    pub sampled: bool,
    /// Highest `data-class` that may be cached, if that label is declared.
    pub max_data_class: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Store {
    pub url: StoreUrl,
    pub deadline: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    Local,
    /// `redis://` or `rediss://`
    Redis(Secret),
}

#[derive(Debug, Clone)]
pub struct Decisions {
    pub keep: usize,
    pub file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy)]
pub struct Streaming {
    pub commit_after: Duration,
    pub ping: Duration,
}

#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Tries at one target.
    pub attempts: u32,
    /// Retries allowed as a share of requests (tower's retry budget), so that retries never multiply an outage.
    pub budget: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logging {
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    Text,
    Json,
}

#[derive(Debug, Clone, Default)]
pub struct Egress {
    /// PEM file of extra roots.
    pub ca: Option<PathBuf>,
}

/// How much a refusal tells the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ErrorDetail {
    None,
    Rules,
    Full,
}
