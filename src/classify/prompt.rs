//! What is scored: the conversation as the gateway hands it over.

use crate::chat::Text;

/// What is scored. The last user text counts most; tools and images enter as numbers, not as text.
#[derive(Clone, Copy, Debug)]
pub struct Prompt<'a> {
    /// The conversation in order, one text a message.
    pub texts: &'a [Text],
    /// How many tools the request offers.
    pub tools: usize,
    /// How many images and other attachments it carries.
    pub images: usize,
}
