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
    /// The data listener.
    pub listen: Listen,
    /// The admin listener.
    pub admin: Admin,
    /// Who may call.
    pub auth: Auth,
    /// Always holds `default`.
    pub tenants: BTreeMap<TenantName, Arc<Tenant>>,
    /// In the order written.
    pub labels: Vec<Label>,
    /// In the order written; `TargetId` is the index.
    pub targets: Vec<Arc<Target>>,
    /// In the order written.
    pub providers: Vec<Arc<Provider>>,
    /// By the name clients ask for.
    pub aliases: BTreeMap<String, Alias>,
    /// Folder of policies; `None`: the embedded `default` policy.
    pub policies: Option<PathBuf>,
    /// What scores prompts.
    pub classifier: Classifier,
    /// The cache of whole answers.
    pub cache: Cache,
    /// What replicas share.
    pub store: Store,
    /// Records of decisions.
    pub decisions: Decisions,
    /// Streams before content.
    pub streaming: Streaming,
    /// Retries at one target.
    pub retry: Retry,
    /// The process's own log.
    pub logging: Logging,
    /// Label combinations per metric; more are counted as `other`.
    pub max_series: usize,
    /// Connections to the outside.
    pub egress: Egress,
    /// How much a refusal tells the client.
    pub error_detail: ErrorDetail,
}

impl Config {
    /// Whether some provider is to be the scripted one inside this process.
    #[must_use]
    pub fn wants_scripted(&self) -> bool {
        self.providers.iter().any(|provider| provider.endpoints.is_empty())
    }

    /// Fills in where the scripted provider of this process listens.
    pub fn place_scripted(&mut self, at: SocketAddr) {
        let endpoint = Endpoint {
            tls: false,
            host: at.ip().to_string(),
            port: at.port(),
            authority: at.to_string(),
            chat_path: "/v1/chat/completions".to_owned(),
        };
        for provider in self.providers.iter_mut().filter(|provider| provider.endpoints.is_empty()) {
            Arc::make_mut(provider).endpoints.push(endpoint.clone());
        }
        for target in &mut self.targets {
            let placed = self.providers.iter().find(|provider| provider.name == target.provider.name);
            if let Some(placed) = placed {
                Arc::make_mut(target).provider = Arc::clone(placed);
            }
        }
    }
}

/// The data listener.
#[derive(Debug, Clone)]
pub struct Listen {
    /// Where it listens.
    pub address: SocketAddr,
    /// Host names (without port) that requests may name, lower case.
    pub hosts: Vec<String>,
    /// Origins whose browser apps may call.
    pub cors: Vec<String>,
    /// Longest request body in bytes.
    pub max_body: usize,
    /// Bytes of request bodies held at one time; at least `max_body`.
    pub max_inflight: u64,
    /// Longest wait for a request's headers.
    pub header_timeout: Duration,
    /// Longest wait for a request's body.
    pub body_timeout: Duration,
    /// How long running requests may go on after SIGTERM.
    pub drain: Duration,
    /// `None`: plain HTTP.
    pub tls: Option<Tls>,
}

/// PEM files, readable when the configuration was checked.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Certificate chain.
    pub cert: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// The admin listener: metrics and health.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Where it listens.
    pub address: SocketAddr,
    /// Empty only on loopback.
    pub tokens: Vec<AdminToken>,
}

/// A bearer token for the admin listener, by its hash.
#[derive(Debug, Clone)]
pub struct AdminToken {
    /// Its name.
    pub name: String,
    /// SHA-256 of the token, 32 bytes.
    pub sha256: [u8; 32],
}

/// Who may call.
#[derive(Debug)]
pub struct Auth {
    /// Requests without a key are tenant `default` if they come over loopback.
    pub open_on_loopback: bool,
    /// Virtual keys; ids and hashes are unique.
    pub keys: Vec<Key>,
    /// Token issuers, each once.
    pub jwt: Vec<JwtIssuer>,
}

/// A virtual key as the configuration knows it: by its hash.
#[derive(Debug)]
pub struct Key {
    /// Names the key in records.
    pub id: KeyId,
    /// As `waypost keys create` printed it, decoded.
    pub hmac: [u8; 32],
    /// The tenant it belongs to; always one of `Config::tenants`.
    pub tenant: TenantName,
    /// The team within the tenant.
    pub team: Option<TeamName>,
    /// Patterns with `*`; empty means every model.
    pub models: Vec<String>,
    /// Seconds since 1970.
    pub expires: Option<u64>,
    /// Labels without order that its holder may set.
    pub may_set: Vec<String>,
    /// By label name.
    pub labels: BTreeMap<String, String>,
    /// What it may do beside asking models.
    pub permissions: Vec<Permission>,
    /// Its limits.
    pub limits: Limits,
}

/// What a key may do beside asking models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// `POST /v1/route`.
    Route,
}

/// An issuer of JSON Web Tokens.
#[derive(Debug)]
pub struct JwtIssuer {
    /// The `iss` claim, letter for letter.
    pub issuer: String,
    /// The `aud` claim.
    pub audience: String,
    /// At least one; whatever else a token names is refused.
    pub algorithms: Vec<JwtAlgorithm>,
    /// Difference of clocks that is forgiven.
    pub leeway: Duration,
    /// Where its public keys are.
    pub jwks: Jwks,
    /// Which claims say what.
    pub claims: Claims,
}

/// Signatures that may be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
pub enum JwtAlgorithm {
    /// RSA PKCS #1 v1.5 with SHA-256.
    RS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// Where an issuer's public keys are and how long they are believed.
#[derive(Debug, Clone)]
pub struct Jwks {
    /// `https`, or `http` on loopback.
    pub url: url::Url,
    /// Time between fetches.
    pub refresh: Duration,
    /// Least time between fetches for keys that are not known yet.
    pub min_refetch: Duration,
    /// How long keys are believed while the issuer cannot be reached; at least `refresh`.
    pub max_stale: Duration,
}

/// JSON pointers into a token's claims.
#[derive(Debug, Clone)]
pub struct Claims {
    /// The tenant's name.
    pub tenant: String,
    /// The team's name.
    pub team: Option<String>,
    /// Names of models the holder may ask for.
    pub models: Option<String>,
    /// By label name.
    pub labels: BTreeMap<String, String>,
}

/// A tenant.
#[derive(Debug)]
pub struct Tenant {
    /// Its name.
    pub name: TenantName,
    /// `tenant.region` for policies.
    pub region: Option<String>,
    /// The policy it is under; whether it exists is checked with the policies.
    pub policy: PolicyName,
    /// Lowest value of ordered labels.
    pub floor: BTreeMap<String, String>,
    /// Its limits.
    pub limits: Limits,
}

/// `None`: unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests started per minute.
    pub requests_per_minute: Option<u32>,
    /// Requests running at one time.
    pub concurrent: Option<u32>,
}

/// A label that requests may carry.
#[derive(Debug, Clone)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// Its values.
    pub kind: LabelKind,
    /// The value of requests without it; one of its values.
    pub default: Option<String>,
    /// Who may set it, for unordered labels; all where not said.
    pub from: Vec<LabelSource>,
}

/// The values of a label, at least one.
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

/// Who may set a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LabelSource {
    /// The virtual key's entry.
    Key,
    /// A claim of the token.
    Claim,
    /// The request itself.
    Client,
}

/// One model at one provider.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its place in `Config::targets`.
    pub id: TargetId,
    /// `model@provider`.
    pub name: TargetName,
    /// As the operator names it.
    pub model: ModelName,
    /// What the provider calls the model.
    pub upstream: String,
    /// Who serves it.
    pub provider: Arc<Provider>,
    /// The prior for quality; mid where nobody said, and then no fact.
    pub tier: Tier,
    /// What is known of it.
    pub facts: Facts,
    /// `None`: unknown.
    pub price: Option<Price>,
    /// Tokens.
    pub context: Option<u64>,
    /// Longest answer in tokens.
    pub max_output: Option<u64>,
    /// Requests running at one time; `None`: unlimited.
    pub max_concurrent: Option<u32>,
    /// Speed to assume until measured.
    pub latency_prior: LatencyPrior,
}

/// The prior for quality until calibrated.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Good for easy prompts.
    Weak,
    /// Between the two.
    Mid,
    /// Among the best there are.
    Strong,
}

/// What a model costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Tokens read.
    pub input: Rate,
    /// Tokens written.
    pub output: Rate,
    /// Input read from the prompt cache; the full input price where not stated.
    pub cached_input: Rate,
    /// Input written to the prompt cache; the full input price where not stated.
    pub cache_write: Rate,
}

/// Speed to assume until measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatencyPrior {
    /// Until the first content.
    pub first_token: Duration,
    /// After the first token; above zero.
    pub tokens_per_second: f64,
}

/// An operator's endpoint.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its name, the second half of a target's.
    pub name: ProviderName,
    /// Which native paths and habits apply.
    pub kind: ProviderKind,
    /// At least one. Empty only for `scripted` without an endpoint: `serve` starts one in the process and fills it in.
    pub endpoints: Vec<Endpoint>,
    /// Used in turn; none: requests go without.
    pub credentials: Vec<Secret>,
    /// Longest waits.
    pub timeouts: Timeouts,
}

/// Which native paths and quirks apply; data, looked up in `catalog`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderKind {
    /// OpenAI.
    Openai,
    /// Mistral AI.
    Mistral,
    /// DeepSeek.
    Deepseek,
    /// Groq.
    Groq,
    /// OpenRouter.
    Openrouter,
    /// xAI.
    Xai,
    /// vLLM.
    Vllm,
    /// SGLang.
    Sglang,
    /// llama.cpp's server.
    Llamacpp,
    /// Ollama.
    Ollama,
    /// Any other server that speaks OpenAI's chat completions.
    OpenaiCompatible,
    /// Our own scripted provider.
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
    /// Whether it is `https`.
    pub tls: bool,
    /// Name or address, without brackets; also SNI and the host that egress allows.
    pub host: String,
    /// Its port, the scheme's own where none was written.
    pub port: u16,
    /// `host` or `host:port`, as the Host header wants it.
    pub authority: String,
    /// Whole path of chat completions: `/v1/chat/completions`.
    pub chat_path: String,
}

/// Longest waits for a provider; none is zero.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For the connection.
    pub connect: Duration,
    /// Until the first content.
    pub first_token: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// For the whole answer.
    pub total: Duration,
}

/// A secret that no `Debug` prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
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

/// A name for one target or a weighted choice of several.
#[derive(Debug, Clone)]
pub struct Alias {
    /// Target and weight, in the order written.
    pub targets: Vec<(TargetId, u32)>,
}

/// What scores prompts.
#[derive(Debug, Clone)]
pub struct Classifier {
    /// Which model.
    pub model: ClassifierModel,
    /// `None`: found beside the binary.
    pub runtime: Option<PathBuf>,
    /// Longest wait; after it the request goes on without.
    pub deadline: Duration,
    /// Threads that score, at least one.
    pub threads: usize,
    /// Prompts that may wait, at least one.
    pub queue: usize,
}

/// Where the classifier's model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClassifierModel {
    /// The one in the binary.
    Embedded,
    /// A folder.
    Folder(PathBuf),
    /// No scores.
    Off,
}

/// The cache of whole answers.
#[derive(Debug, Clone)]
pub struct Cache {
    /// Whether it is on.
    pub exact: bool,
    /// How long an answer is good.
    pub ttl: Duration,
    /// Bytes, for the cache in memory.
    pub max: u64,
    /// Also cache answers drawn at random (temperature above zero).
    pub sampled: bool,
    /// Highest `data-class` that may be cached, if that label is declared.
    pub max_data_class: Option<String>,
}

/// What replicas share.
#[derive(Debug, Clone)]
pub struct Store {
    /// Where it is.
    pub url: StoreUrl,
    /// Longest wait; after it the request goes on without.
    pub deadline: Duration,
}

/// Where the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// In this process.
    Local,
    /// `redis://` or `rediss://`
    Redis(Secret),
}

/// Records of decisions.
#[derive(Debug, Clone)]
pub struct Decisions {
    /// Records kept in memory.
    pub keep: usize,
    /// File that records are appended to as JSON lines.
    pub file: Option<PathBuf>,
}

/// Streams before content.
#[derive(Debug, Clone, Copy)]
pub struct Streaming {
    /// Time without content after which status and headers go out.
    pub commit_after: Duration,
    /// Time between comments that keep a waiting stream open.
    pub ping: Duration,
}

/// Retries at one target.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Tries at one target.
    pub attempts: u32,
    /// Retries allowed as a share of requests (tower's retry budget), so that retries never multiply an outage.
    pub budget: f64,
}

/// The process's own log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logging {
    /// How a line looks.
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Connections to the outside.
#[derive(Debug, Clone, Default)]
pub struct Egress {
    /// PEM file of extra roots.
    pub ca: Option<PathBuf>,
}

/// How much a refusal tells the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ErrorDetail {
    /// Nothing.
    None,
    /// The names of the rules.
    Rules,
    /// Every candidate with what removed it.
    Full,
}
