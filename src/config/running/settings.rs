//! How the gateway itself works: classifier, cache, store, records, streams, retries, log, egress, refusals.

use std::path::PathBuf;
use std::time::Duration;

use super::Secret;

/// What scores prompts.
#[derive(Debug, Clone)]
pub struct Classifier {
    /// Which model.
    pub model: ClassifierModel,
    /// `None`: found beside the binary.
    pub runtime: Option<PathBuf>,
    /// Longest wait for the network; after it the linear score stands.
    pub deadline: Duration,
    /// Threads that run the network, at least one.
    pub threads: usize,
    /// Prompts that may wait, at least one.
    pub queue: usize,
    /// Most tokens that the network reads of a prompt.
    pub max_tokens: usize,
}

/// Where the classifier's model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClassifierModel {
    /// The one in the binary.
    Embedded,
    /// The one in the binary without its network.
    Linear,
    /// A folder.
    Folder(PathBuf),
    /// No scores.
    Off,
}

/// The cache of whole answers.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Where it is.
    pub url: StoreUrl,
    /// Longest wait for the network; after it the linear score stands.
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
#[derive(Debug, Clone, Copy, PartialEq)]
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
