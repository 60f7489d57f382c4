//! The neutral words for a chat exchange: what the steps need to know of it, whatever the wire format.
//!
//! [`Request`] is what the gateway judges: a few figures beside the client's bytes. [`Conversation`] is all that was
//! said, needed only where client and target speak different formats. [`Answer`] and [`Event`] are what a model says, whole and
//! streamed.

mod answer;
mod conversation;
mod event;
mod format;
mod json;
mod outcome;
mod reasoning;
mod request;
mod usage;

pub use answer::{Answer, Choice, Finish};
pub use conversation::{
    Content, Conversation, Hosted, Media, Message, Named, OutputFormat, Part, Settings, Source, Tool, ToolCall,
    ToolChoice, ToolResult,
};
pub use event::Event;
pub use format::Format;
pub use json::Json;
pub use outcome::Outcome;
pub use reasoning::{Effort, Family, OwnEffort, Reasoning, ReasoningWish, Seal, SealKind};
pub use request::{Edits, Request};
pub use usage::Usage;

/// Who says a part of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions of the application (`system` and `developer`).
    System,
    /// The end user.
    User,
    /// The model.
    Assistant,
    /// A tool's result.
    Tool,
}

/// One text of the conversation, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Who said it.
    pub role: Role,
    /// What was said, unescaped.
    pub text: String,
}
