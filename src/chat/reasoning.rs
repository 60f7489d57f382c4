//! What a reasoning model thinks, and what the provider signs it with.

/// A block of reasoning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// Its text, in the parts the provider made (OpenAI's summaries have several); none where only the seal is known.
    pub parts: Vec<String>,
    /// What the provider signed or encrypted it with. Without one it is plain text of an open model.
    pub seal: Option<Seal>,
}

impl Reasoning {
    /// The text as one; parts are paragraphs.
    #[must_use]
    pub fn text(&self) -> String {
        self.parts.join("\n\n")
    }
}

/// A provider's signature or encrypted reasoning: opaque, of use only to its own family, and there only unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Who can read it.
    pub family: Family,
    /// What it seals.
    pub kind: SealKind,
    /// The provider's id of the block (OpenAI: `rs_…`).
    pub id: Option<String>,
    /// The signature or ciphertext, as it came; for [`Family::Details`] the JSON array `reasoning_details`.
    pub data: String,
}

/// Who can read a seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Anthropic's models, wherever they run.
    Anthropic,
    /// OpenAI's, in the Responses format.
    Openai,
    /// xAI's, in the Responses format.
    Xai,
    /// Google's Gemini.
    Gemini,
    /// A chat provider's `reasoning_details` (OpenRouter).
    Details,
}

/// What a seal seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SealKind {
    /// The reasoning whose text stands with it.
    Text,
    /// Reasoning that is not shown: redacted or encrypted, all of it in the seal.
    Hidden,
    /// The tool call that it stands in.
    Call,
    /// The text of the answer just before it.
    Answer,
}

/// How much a client wants the model to reason. All fields empty: it did not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReasoningWish {
    /// By degree.
    pub effort: Option<Effort>,
    /// By tokens.
    pub budget: Option<u64>,
    /// On or off.
    pub enabled: Option<bool>,
    /// Whether and how it wants the reasoning shown (Responses: `auto`, `concise`, `detailed`; Gemini's `includeThoughts`: `auto`).
    pub summary: Option<String>,
}

impl ReasoningWish {
    /// Whether the client said nothing of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the client wants none: `none`, a budget of zero, or off.
    #[must_use]
    pub fn off(&self) -> bool {
        self.enabled == Some(false) || self.effort == Some(Effort::None) || self.budget == Some(0)
    }
}

/// Whether a client itself says how much to reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnEffort {
    /// Not a word: the gateway may choose.
    #[default]
    Unsaid,
    /// Something, and so it stays. The degree, where it is one: a budget or a switch is none.
    Said(Option<Effort>),
}

impl OwnEffort {
    /// In records, what stands for an effort of the client's own that is no degree.
    pub const NO_DEGREE: &str = "client";

    /// Whether the client says nothing of it.
    #[must_use]
    pub fn is_unsaid(self) -> bool {
        self == Self::Unsaid
    }
}

/// A degree of reasoning, in the formats' own words.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as the model can.
    Minimal,
    /// A little.
    Low,
    /// Middling.
    Medium,
    /// Much.
    High,
    /// More than much (OpenAI, Anthropic).
    Xhigh,
    /// As much as the model can (Anthropic).
    Max,
}

impl Effort {
    /// All of them, the lowest first.
    pub const ALL: [Self; 7] = [Self::None, Self::Minimal, Self::Low, Self::Medium, Self::High, Self::Xhigh, Self::Max];

    /// The formats' word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The degree by its word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.as_str() == word)
    }
}
