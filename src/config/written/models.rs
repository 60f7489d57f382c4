//! Who answers: providers, models, prices, aliases.

use schemars::{JsonSchema, Schema, json_schema};
use serde::Deserialize;

use crate::config::running::{ModelKind, ProviderKind, Tier};
use crate::config::values::{At, CountryText, DecimalText, DurationText, List, Named, PathText, SCALAR, SecretText};
use crate::wire::dialect::{Parser, Style};

/// An endpoint that serves models.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Provider {
    /// Its name, the second half of a target's.
    pub(in crate::config) name: At<String>,
    /// Which native paths and habits apply.
    pub(in crate::config) kind: At<ProviderKind>,
    /// Origins with an optional prefix: `http://10.0.0.5:8000`. Default: the public endpoint of a public kind.
    #[serde(default)]
    pub(in crate::config) endpoints: List<At<String>>,
    /// Keys, used in turn. Default: none are sent.
    #[serde(default)]
    pub(in crate::config) credentials: List<Credential>,
    /// Where prompts are processed.
    #[serde(default)]
    pub(in crate::config) location: Option<Location>,
    /// Who runs it.
    #[serde(default)]
    pub(in crate::config) operator: Option<Operator>,
    /// What becomes of prompts.
    #[serde(default)]
    pub(in crate::config) data: Data,
    /// Longest waits.
    #[serde(default)]
    pub(in crate::config) timeouts: Timeouts,
}

/// A credential of the provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Credential {
    /// Sent as a bearer token.
    pub(in crate::config) api_key: At<SecretText>,
}

/// Where prompts are processed. What is left out is unknown, and a rule that asks for it excludes the target.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Location {
    /// Every country that prompts may reach.
    pub(in crate::config) countries: Option<List<At<CountryText>>>,
    /// The provider's own name of the region.
    pub(in crate::config) region: Option<At<String>>,
}

/// Who runs it. What is left out comes from the catalogue for known public providers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Operator {
    /// The company, or `self`.
    pub(in crate::config) name: Option<At<String>>,
    /// Countries whose law binds the operator.
    pub(in crate::config) jurisdictions: Option<List<At<CountryText>>>,
}

/// What becomes of prompts. What is left out is unknown, and a rule that asks for it excludes the target.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Data {
    /// How long prompts are kept; `0d` for not at all.
    pub(in crate::config) retention: Option<At<DurationText>>,
    /// Whether prompts train models.
    pub(in crate::config) trains: Option<At<bool>>,
    /// Whether people may read prompts.
    pub(in crate::config) human_review: Option<At<bool>>,
    /// Whether a data processing agreement is signed.
    pub(in crate::config) dpa: Option<At<bool>>,
    /// Legal basis of transfers: `none`, `adequacy`, `scc`.
    pub(in crate::config) transfer_basis: Option<At<String>>,
}

/// Longest waits for a provider.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Timeouts {
    /// For the connection. Default: 2s.
    pub(in crate::config) connect: Option<At<DurationText>>,
    /// For the first content. Default: 120s.
    pub(in crate::config) first_token: Option<At<DurationText>>,
    /// Between two pieces of an answer. Default: 60s.
    pub(in crate::config) idle: Option<At<DurationText>>,
    /// For the whole answer. Default: 15m.
    pub(in crate::config) total: Option<At<DurationText>>,
}

/// One model at one provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Model {
    /// Its name, the first half of the target's.
    pub(in crate::config) name: At<String>,
    /// Who serves it.
    pub(in crate::config) provider: At<String>,
    /// What the provider calls it. Default: the name.
    #[serde(default)]
    pub(in crate::config) upstream: Option<At<String>>,
    /// What it is for. Default: chat.
    #[serde(default)]
    pub(in crate::config) kind: Option<At<ModelKind>>,
    /// The format it is called in. Default: the client's own if its provider's kind speaks it, else the kind's first.
    #[serde(default)]
    pub(in crate::config) wire: Option<At<Wire>>,
    /// How it reasons.
    #[serde(default)]
    pub(in crate::config) reasoning: Reasoning,
    /// What becomes of settings that its format cannot say. Default: as `on_unsupported` at the top says.
    #[serde(default)]
    pub(in crate::config) on_unsupported: Option<At<OnUnsupported>>,
    /// How good it is, until measured. Default: mid, with a warning.
    #[serde(default)]
    pub(in crate::config) tier: Option<At<Tier>>,
    /// Where the weights come from. What is left out comes from the catalogue for known models.
    #[serde(default)]
    pub(in crate::config) provenance: Provenance,
    /// What it costs. Default: unknown, with a warning.
    #[serde(default)]
    pub(in crate::config) price: Option<At<Price>>,
    /// Tokens of prompt and answer together.
    #[serde(default)]
    pub(in crate::config) context: Option<At<u64>>,
    /// Longest answer in tokens.
    #[serde(default)]
    pub(in crate::config) max_output: Option<At<u64>>,
    /// Requests running at one time. Default: unlimited.
    #[serde(default)]
    pub(in crate::config) max_concurrent: Option<At<u32>>,
    /// What it can do beside text.
    #[serde(default)]
    pub(in crate::config) supports: Option<List<At<Capability>>>,
    /// Speed to assume until measured.
    #[serde(default)]
    pub(in crate::config) latency_prior: LatencyPrior,
}

/// A format that a model can be called in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Wire {
    /// OpenAI Chat Completions.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages.
    Messages,
    /// Gemini `generateContent`.
    Gemini,
}

/// What becomes of a setting that the target's format cannot say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum OnUnsupported {
    /// The request is refused: 400 `unsupported_in_format`, naming the field.
    Reject,
    /// It is dropped and named in `x-waypost-dropped`.
    Drop,
}

/// How a model reasons.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Reasoning {
    /// What can be asked of it: `none`, `always` (DeepSeek R1), `toggle` (Qwen3), `effort` (gpt-oss), `budget`. Default: a
    /// client's wish goes on as its provider's kind says it.
    pub(in crate::config) style: Option<At<Style>>,
    /// Where it stands in the answer: in the format's own `field`, or in the text between `<think>` and `</think>`
    /// (`think`), for servers that leave it there. Default: field.
    pub(in crate::config) parser: Option<At<Parser>>,
    /// Tokens for each degree, where the model takes a budget: `{ low: 1024, high: 16384 }`.
    pub(in crate::config) efforts: Named<At<u64>>,
    /// The switch in `chat_template_kwargs` that turns it on: `enable_thinking` (the default) or `thinking`.
    pub(in crate::config) switch: Option<At<String>>,
    /// Whether clients are shown it. Default: true.
    pub(in crate::config) show: Option<At<bool>>,
}

/// Where a model's weights come from.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Provenance {
    /// Who trained it.
    pub(in crate::config) developer: Option<At<String>>,
    /// The developer's country.
    pub(in crate::config) country: Option<At<CountryText>>,
    /// SPDX identifier of the weights' licence.
    pub(in crate::config) licence: Option<At<String>>,
    /// Whether the weights can be downloaded.
    pub(in crate::config) open_weights: Option<At<bool>>,
    /// SHA-256 of the weights that run, 64 hexadecimal digits.
    pub(in crate::config) weights_sha256: Option<At<String>>,
}

/// What a model costs: by tokens, by the hours of its machines, or `catalog`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = or_catalog)]
pub(in crate::config) struct Price {
    #[serde(rename = "$word")]
    pub(in crate::config) word: Option<At<String>>,
    /// US dollars per million tokens read.
    pub(in crate::config) input: Option<At<DecimalText>>,
    /// US dollars per million tokens written.
    pub(in crate::config) output: Option<At<DecimalText>>,
    /// US dollars per million tokens read from the provider's prompt cache. Default: `input`.
    pub(in crate::config) cached_input: Option<At<DecimalText>>,
    /// US dollars per million tokens written to the provider's prompt cache. Default: `input`.
    pub(in crate::config) cache_write: Option<At<DecimalText>>,
    /// US dollars per million tokens written to the provider's prompt cache for an hour. Default: `cache_write`.
    pub(in crate::config) cache_write_1h: Option<At<DecimalText>>,
    /// US dollars per million tokens of reasoning. Default: `output`.
    pub(in crate::config) reasoning: Option<At<DecimalText>>,
    /// Prices of requests with long prompts, for all of their tokens.
    pub(in crate::config) above: List<At<LongPrice>>,
    /// The model's name in the file that `prices.litellm` names, where it is not found by provider and name:
    /// `together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo`.
    pub(in crate::config) litellm: Option<At<String>>,
    /// US dollars per hour of one GPU.
    pub(in crate::config) gpu_hour_usd: Option<At<DecimalText>>,
    /// GPUs that serve the model. Default: 1.
    pub(in crate::config) gpus: Option<At<u32>>,
    /// Tokens, read and written together, that they get through in a second.
    pub(in crate::config) tokens_per_second: Option<At<DecimalText>>,
    /// By which price it is chosen. What is charged is amortised. Default: amortised.
    pub(in crate::config) route_by: Option<At<RouteBy>>,
}

/// What a model costs where the prompt is long. What is left out has its default from these, not from the shorter ones.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct LongPrice {
    /// Holds where the input, cached tokens included, has more tokens than this.
    pub(in crate::config) tokens: At<u64>,
    /// US dollars per million tokens read.
    pub(in crate::config) input: At<DecimalText>,
    /// US dollars per million tokens written.
    pub(in crate::config) output: At<DecimalText>,
    /// US dollars per million tokens read from the provider's prompt cache. Default: `input`.
    #[serde(default)]
    pub(in crate::config) cached_input: Option<At<DecimalText>>,
    /// US dollars per million tokens written to the provider's prompt cache. Default: `input`.
    #[serde(default)]
    pub(in crate::config) cache_write: Option<At<DecimalText>>,
    /// US dollars per million tokens written to the provider's prompt cache for an hour. Default: `cache_write`.
    #[serde(default)]
    pub(in crate::config) cache_write_1h: Option<At<DecimalText>>,
    /// US dollars per million tokens of reasoning. Default: `output`.
    #[serde(default)]
    pub(in crate::config) reasoning: Option<At<DecimalText>>,
}

/// Where `price: catalog` looks.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Prices {
    /// LiteLLM's `model_prices_and_context_window.json`, looked into before the prices that are built in.
    pub(in crate::config) litellm: Option<At<PathText>>,
}

/// How the hours of own machines become a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum RouteBy {
    /// One request more on a machine that runs anyway costs nothing.
    Marginal,
    /// Each token, read or written, carries its share of the hour at full load.
    Amortised,
}

/// What a model can do beside text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Capability {
    Tools,
    ParallelTools,
    JsonSchema,
    Images,
    Documents,
    Audio,
    Logprobs,
    Reasoning,
    ServerTools,
    State,
    Embeddings,
}

impl Capability {
    /// The contract's word.
    pub(in crate::config) const fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::ParallelTools => "parallel_tools",
            Self::JsonSchema => "json_schema",
            Self::Images => "images",
            Self::Documents => "documents",
            Self::Audio => "audio",
            Self::Logprobs => "logprobs",
            Self::Reasoning => "reasoning",
            Self::ServerTools => "server_tools",
            Self::State => "state",
            Self::Embeddings => "embeddings",
        }
    }
}

/// Speed to assume until measured.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct LatencyPrior {
    /// Milliseconds until the first token. Default: 400.
    pub(in crate::config) first_token_ms: Option<At<u32>>,
    /// Tokens per second after it. Default: 40.
    pub(in crate::config) tokens_per_second: Option<At<f64>>,
}

/// A name for one target or a weighted choice of several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Alias {
    /// What clients ask for.
    pub(in crate::config) name: At<String>,
    /// What they may get.
    pub(in crate::config) targets: At<List<AliasTarget>>,
}

/// A target of an alias.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct AliasTarget {
    /// A model's name, or `model@provider` where several providers serve it.
    pub(in crate::config) model: At<String>,
    /// Its share against the others. Default: 1.
    #[serde(default)]
    pub(in crate::config) weight: Option<At<u32>>,
}

/// A price is also written as the word `catalog`.
fn or_catalog(schema: &mut Schema) {
    if let Some(properties) = schema.get_mut("properties").and_then(|properties| properties.as_object_mut()) {
        properties.remove(SCALAR);
    }
    let map = schema.clone();
    *schema = json_schema!({
        "description": "What a model costs: by tokens, by the hours of its machines, or the word `catalog` for the list price.",
        "anyOf": [{ "const": "catalog" }, map]
    });
}
