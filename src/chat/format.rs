//! The wire formats by name.

/// A JSON and SSE shape that clients or providers speak.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// OpenAI Chat Completions.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages.
    Messages,
    /// Gemini `generateContent`.
    Gemini,
    /// OpenAI's legacy Completions; passed through only.
    Completions,
    /// OpenAI Embeddings.
    Embeddings,
}

impl Format {
    /// How many there are.
    pub const COUNT: usize = 6;
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Chat, Self::Responses, Self::Messages, Self::Gemini, Self::Completions, Self::Embeddings];

    /// The word in configuration, records and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Gemini => "gemini",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
        }
    }
}
