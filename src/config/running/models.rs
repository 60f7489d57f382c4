//! What may be called: targets, the providers they are at, and aliases.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::config::facts::Facts;
use crate::id::{ModelName, ProviderName, TargetId, TargetName};
use crate::money::Rate;

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
