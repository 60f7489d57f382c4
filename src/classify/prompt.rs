//! What is scored: the conversation as the gateway hands it over.

use std::borrow::Cow;

/// Who wrote a part of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions of the application (`system`, `developer`).
    System,
    /// The person asking.
    User,
    /// The model's earlier answers.
    Assistant,
    /// Results of tools.
    Tool,
}

/// One message of the conversation; a message made of several texts is joined by the caller.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// Who wrote it.
    pub role: Role,
    /// What it says.
    pub text: Cow<'a, str>,
}

/// What is scored. The last user part counts most; tools and images enter as numbers, not as text.
#[derive(Clone, Copy, Debug)]
pub struct Prompt<'a> {
    /// The conversation's parts in order.
    pub texts: &'a [Part<'a>],
    /// How many tools the request offers.
    pub tools: usize,
    /// How many images and other attachments it carries.
    pub images: usize,
}
