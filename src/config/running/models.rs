//! What may be called: targets, the providers they are at, and aliases.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::catalog;
use crate::chat::{Effort, Format};
use crate::config::facts::{Fact, FactName, Facts};
use crate::id::{ModelName, ProviderName, TargetId, TargetName};
use crate::money::Price;
use crate::wire::Shape;
use crate::wire::dialect::{EffortDialect, ReasoningModel, Style};

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
    /// What it is for.
    pub kind: ModelKind,
    /// The format it is always called in; `None`: the client's own where the provider speaks it.
    pub wire: Option<Format>,
    /// How it reasons.
    pub reasoning: ReasoningModel,
    /// Whether clients are shown what it thinks.
    pub show_reasoning: bool,
    /// Whether what its format cannot say is dropped and named, instead of refused.
    pub drop_unsupported: bool,
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

impl Target {
    /// The format in which it is called for a client that speaks `client`; `None`: it cannot serve such a client.
    #[must_use]
    pub fn format_for(&self, client: Format) -> Option<Format> {
        let native = self.provider.native;
        match client {
            Format::Embeddings => (self.kind == ModelKind::Embedding && native.speaks(client)).then_some(client),
            _ if self.kind == ModelKind::Embedding => None,
            Format::Completions => native.speaks(client).then_some(client),
            Format::Chat | Format::Responses | Format::Messages | Format::Gemini => self.wire.or_else(|| {
                let own = native.formats.iter().find(|(spoken, _)| *spoken == client);
                own.or_else(|| native.formats.first()).map(|(spoken, _)| *spoken)
            }),
        }
    }

    /// The target as an encoder of this format sees it.
    #[must_use]
    pub fn shape(&self, format: Format) -> Shape<'_> {
        Shape {
            format,
            dialect: &self.provider.native.dialect,
            model: &self.upstream,
            max_output: self.max_output,
            reasoning: &self.reasoning,
            effort: None,
            drop_unsupported: self.drop_unsupported,
            keeps_nothing: self.keeps_nothing(),
        }
    }

    /// Whether its provider is stated to keep nothing of what it is sent.
    #[must_use]
    pub fn keeps_nothing(&self) -> bool {
        matches!(self.facts.get(FactName::DataRetention), Some(Fact::Number(seconds)) if *seconds <= 0.0)
    }

    /// Whether it can be asked with this effort.
    #[must_use]
    pub fn can_be_told(&self, effort: Effort) -> bool {
        self.provider.native.dialect.effort != EffortDialect::Unsayable && self.reasoning.knows(effort)
    }

    /// Whether what a client says of effort makes no difference to it.
    #[must_use]
    pub fn ignores_effort(&self) -> bool {
        matches!(self.reasoning.style, Some(Style::None | Style::Always))
            || self.provider.native.dialect.effort == EffortDialect::Unsayable
    }

    /// Whether it is stated to be able to do this (`server_tools`, `state`, …).
    #[must_use]
    pub fn states(&self, capability: &str) -> bool {
        matches!(self.facts.get(FactName::Supports), Some(Fact::Set(words)) if words.contains(capability))
    }
}

/// What a model is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// It answers.
    #[default]
    Chat,
    /// It turns texts into vectors.
    Embedding,
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
    /// The same as data.
    pub native: &'static catalog::Kind,
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
    /// Anthropic.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
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
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
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
    /// What stands before the native paths: empty or like `/gpu/a`.
    pub prefix: String,
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
