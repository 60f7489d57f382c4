//! What a model says, piece by piece.

use super::{Finish, Json, Seal, Usage};

/// One step of a streamed answer. `choice` counts from 0, and so do a choice's tool calls.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The answer begins. What is `None` the provider did not say.
    Start {
        /// The provider's id of the answer.
        id: Option<String>,
        /// The model, as the provider names it.
        model: Option<String>,
        /// Seconds since 1970.
        created: Option<u64>,
    },
    /// More text.
    Text {
        /// Of which answer.
        choice: u32,
        /// Never empty.
        text: String,
    },
    /// More of the model's refusal.
    Refusal {
        /// Of which answer.
        choice: u32,
        /// Never empty.
        text: String,
    },
    /// More reasoning.
    Reasoning {
        /// Of which answer.
        choice: u32,
        /// Never empty.
        text: String,
    },
    /// Another part of the same block of reasoning begins.
    ReasoningPart {
        /// Of which answer.
        choice: u32,
    },
    /// Ends a block of reasoning with its seal ([`SealKind::Text`](super::SealKind)), is a hidden block, or seals the text before it.
    Seal {
        /// Of which answer.
        choice: u32,
        /// Of kind `Text`, `Hidden` or `Answer`.
        seal: Seal,
    },
    /// A tool call begins. Its arguments follow.
    ToolCall {
        /// Of which answer.
        choice: u32,
        /// Which call of that answer.
        index: u32,
        /// Its id; never empty.
        id: String,
        /// The tool's name.
        name: String,
        /// Of kind `Call`.
        seal: Option<Seal>,
    },
    /// More of a call's arguments: JSON text in pieces, as the model writes it.
    Arguments {
        /// Of which answer.
        choice: u32,
        /// Which call of that answer.
        index: u32,
        /// Never empty.
        text: String,
    },
    /// Chances of the tokens just said, each as Chat Completions writes it (`{token, logprob, bytes, top_logprobs}`).
    Logprobs {
        /// Of which answer.
        choice: u32,
        /// One a token.
        tokens: Vec<Json>,
    },
    /// An answer ends.
    Finish {
        /// Which.
        choice: u32,
        /// Why.
        reason: Finish,
    },
    /// Tokens so far. May come several times: the last one counts.
    Usage(Usage),
    /// All is said.
    End,
}

impl Event {
    /// Whether it is content of the answer itself, not of the reasoning before it.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Text { .. } | Self::Refusal { .. } | Self::ToolCall { .. })
    }

    /// Whether it is content: the first text, refusal, reasoning or tool call.
    #[must_use]
    pub fn is_content(&self) -> bool {
        matches!(
            self,
            Self::Text { .. }
                | Self::Refusal { .. }
                | Self::Reasoning { .. }
                | Self::Seal { .. }
                | Self::ToolCall { .. }
        )
    }
}
