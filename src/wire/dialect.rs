//! What sets one provider's dialect of a format apart from another's: typed switches, no names of providers.
//!
//! A kind in `catalog` carries one [`Dialect`]; a target adds what its model can do. Encoders read both from a [`Shape`].

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::chat::{Effort, Family, Format, ReasoningWish};

/// How a provider speaks its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The name of the limit of output tokens (Chat).
    pub max_tokens: MaxTokens,
    /// Whether `stream_options.include_usage` may be sent (Chat). Mistral refuses it and counts anyway.
    pub stream_options: bool,
    /// How much to reason is said so.
    pub effort: EffortDialect,
    /// Earlier reasoning goes back so (Chat).
    pub reasoning_back: ReasoningBack,
    /// What a tool call's id may look like.
    pub tool_ids: ToolIds,
    /// Whose seals this provider takes back.
    pub seals: Option<Family>,
    /// Whether `response_format: {type: json_schema}` is known; else only `json_object` is (Chat).
    pub json_schema: bool,
    /// Whether pictures may be links; else only data.
    pub image_links: bool,
    /// Whether `top_k`, `min_p`, `repetition_penalty` may be sent (Chat): open model servers know them.
    pub open_sampling: bool,
    /// Whether Anthropic's `cache_control` may stand in parts (Chat): OpenRouter passes it on.
    pub cache_control: bool,
    /// The word for "a tool must be called": Mistral says `any` (Chat).
    pub required: &'static str,
    /// Whether `store` is known (Chat). OpenAI keeps the answers of some accounts unless told not to.
    pub store: bool,
    /// The name of `seed` (Chat): Mistral says `random_seed`.
    pub seed: &'static str,
}

/// The name of the limit of output tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxTokens {
    /// `max_tokens`
    MaxTokens,
    /// `max_completion_tokens`: OpenAI's reasoning models refuse the older name.
    MaxCompletionTokens,
}

/// How a provider wants to be told how much to reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffortDialect {
    /// It cannot be told.
    Unsayable,
    /// `reasoning_effort: low` (Chat); the format's own way in Responses, Messages and Gemini.
    Native,
    /// `reasoning: {effort | max_tokens | enabled}` (OpenRouter).
    Object,
    /// `thinking: {type: enabled | disabled}` (DeepSeek, GLM, Kimi).
    Thinking,
    /// `chat_template_kwargs: {enable_thinking | thinking: bool}` and, for gpt-oss, `reasoning_effort` (vLLM, SGLang, llama.cpp).
    Template,
}

/// How earlier reasoning goes back to a chat provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasoningBack {
    /// It refuses or ignores it.
    Never,
    /// In `reasoning_content`, within the current turn's tool loop (DeepSeek, Kimi, vLLM, SGLang, llama.cpp).
    Content,
    /// In `reasoning`, within the current turn's tool loop (Groq, Ollama).
    Reasoning,
    /// In `reasoning_details`, unchanged (OpenRouter).
    Details,
    /// As a `thinking` part of the content (Mistral).
    Parts,
}

/// What a tool call's id may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolIds {
    /// Anything.
    Any,
    /// At most so many characters.
    AtMost(usize),
    /// `[a-zA-Z0-9_-]`, at least one and at most so many (Anthropic).
    Word(usize),
    /// Exactly nine of `[a-zA-Z0-9]` (Mistral).
    Nine,
}

impl Dialect {
    /// The plain format: what an unknown OpenAI-compatible server is most likely to take.
    pub const PLAIN: Self = Self {
        max_tokens: MaxTokens::MaxTokens,
        stream_options: true,
        effort: EffortDialect::Native,
        reasoning_back: ReasoningBack::Content,
        tool_ids: ToolIds::Any,
        seals: None,
        json_schema: true,
        image_links: true,
        open_sampling: false,
        cache_control: false,
        required: "required",
        store: false,
        seed: "seed",
    };
}

/// How a model reasons, as `models[].reasoning` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReasoningModel {
    /// What can be asked of it; `None`: not said, so a wish goes on as the client said it.
    pub style: Option<Style>,
    /// Where its reasoning stands in the answer; `None`: where the format has it.
    pub parser: Parser,
    /// Tokens for a degree, where a budget is wanted; the degrees it knows, where a degree is.
    pub efforts: Vec<(Effort, u64)>,
    /// The switch in `chat_template_kwargs`: `enable_thinking` (Qwen) unless said.
    pub template_key: Option<String>,
}

impl ReasoningModel {
    /// Tokens for a degree: as configured, else a convention (each degree four times the one before, in the range that
    /// Anthropic and Gemini name for their budgets).
    #[must_use]
    pub fn budget_of(&self, effort: Effort) -> u64 {
        let stated = self.efforts.iter().find(|(degree, _)| *degree == effort);
        stated.map_or(
            match effort {
                Effort::None => 0,
                Effort::Minimal => 512,
                Effort::Low => 1024,
                Effort::Medium => 4096,
                Effort::High => 16_384,
                Effort::Xhigh | Effort::Max => 32_768,
            },
            |(_, tokens)| *tokens,
        )
    }

    /// Whether it can be told this degree and no other instead.
    #[must_use]
    pub fn knows(&self, effort: Effort) -> bool {
        match self.style {
            Some(Style::None | Style::Always) => false,
            Some(Style::Effort) => self.efforts.is_empty() || self.efforts.iter().any(|(known, _)| *known == effort),
            Some(Style::Toggle | Style::Budget) | None => true,
        }
    }
}

/// What can be asked of a model's reasoning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// It does not reason.
    None,
    /// It always does (DeepSeek R1).
    Always,
    /// On or off (Qwen3, DeepSeek V3.1).
    Toggle,
    /// By degree (gpt-oss, OpenAI's o-series).
    Effort,
    /// By tokens (Claude up to 4.5, Gemini 2.5).
    Budget,
}

/// Where a model's reasoning stands in its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Parser {
    /// In the format's own field.
    #[default]
    Field,
    /// In the text, between `<think>` and `</think>` at its beginning.
    Think,
}

/// One target as an encoder sees it.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    /// The format it is called in.
    pub format: Format,
    /// How its provider speaks that format.
    pub dialect: &'a Dialect,
    /// What the provider calls the model.
    pub model: &'a str,
    /// Longest answer in tokens, if stated: a larger wish is cut to it.
    pub max_output: Option<u64>,
    /// How the model reasons.
    pub reasoning: &'a ReasoningModel,
    /// The degree that the gateway chose for it. What a client says itself goes before.
    pub effort: Option<Effort>,
    /// What cannot be said is dropped and named, instead of refused.
    pub drop_unsupported: bool,
    /// The provider is stated to keep nothing (`data.retention: 0d`), so it is told not to, whatever the client says.
    pub keeps_nothing: bool,
}

impl Shape<'_> {
    /// What to tell the model: the client's wish, else the degree that was chosen.
    #[must_use]
    pub fn wish<'w>(&self, said: &'w ReasoningWish) -> Cow<'w, ReasoningWish> {
        let Some(effort) = self.effort.filter(|_| said.is_empty()) else { return Cow::Borrowed(said) };
        Cow::Owned(match self.reasoning.style {
            // A switch has no degrees.
            Some(Style::Toggle) => ReasoningWish { enabled: Some(effort != Effort::None), ..ReasoningWish::default() },
            _ => ReasoningWish { effort: Some(effort), ..ReasoningWish::default() },
        })
    }

    /// Tokens for a degree, as [`ReasoningModel::budget_of`] says.
    #[must_use]
    pub fn budget_of(&self, effort: Effort) -> u64 {
        self.reasoning.budget_of(effort)
    }

    /// The degree for a number of tokens: the highest of low, medium and high whose own budget it reaches; at least low.
    #[must_use]
    pub fn effort_of(&self, budget: u64) -> Effort {
        match budget {
            0 => Effort::None,
            _ => {
                [Effort::High, Effort::Medium].into_iter().find(|&e| budget >= self.budget_of(e)).unwrap_or(Effort::Low)
            }
        }
    }
}
