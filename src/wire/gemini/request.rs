//! A conversation as Gemini's `generateContent` wants it.
//!
//! System messages all go into `systemInstruction`, also those that stood later: the format has no other place for
//! them. `contents` comes last, so the body of the next turn begins with all of this one.

mod contents;
mod media;
mod settings;
mod tools;

use crate::chat::{Conversation, Format};
use crate::wire::dialect::Shape;
use crate::wire::json::Object;
use crate::wire::losses::{Encoded, Losses, Unsupported};

use super::model::Model;

/// Writes a body. Whether it is streamed is said in the URL (`:streamGenerateContent?alt=sse`), and so is the model.
///
/// # Errors
/// Something that was said cannot be said to Gemini, and is not to be dropped.
pub fn encode(conversation: &Conversation, _stream: bool, shape: &Shape<'_>) -> Result<Encoded, Unsupported> {
    let mut losses = Losses::new(shape.drop_unsupported, Format::Gemini.as_str());
    let model = Model::of(shape.model);
    let mut body = Object::new();
    if let Some(system) = contents::system(conversation, &mut losses)? {
        body.raw("systemInstruction", &system);
    }
    tools::write(conversation, &mut body, &mut losses)?;
    let settings = settings::write(conversation, shape, model, &mut losses)?;
    if !settings.is_empty() {
        body.raw("generationConfig", &settings.finish());
    }
    body.raw("contents", &contents::write(conversation, shape, model, &mut losses)?);
    losses.members("", &conversation.others)?;
    Ok(Encoded { body: body.finish().into(), dropped: losses.into_dropped() })
}
