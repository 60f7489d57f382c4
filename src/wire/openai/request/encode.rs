//! Neutral words as a chat body, for any provider that speaks the format in its own dialect.

mod effort;
mod media;
mod messages;
mod reasoning;
mod settings;
mod tools;

use bytes::Bytes;

use crate::chat::{Conversation, Format, Named};
use crate::wire::json::{Members, Object, escape_into};
use crate::wire::losses::{Encoded, Losses, Unsupported};
use crate::wire::{Dialect, Shape};

/// The body for a target, its members always in the same order: model, messages, tools, the rest. The messages of a
/// conversation that goes on begin with those of before, byte for byte.
///
/// # Errors
/// Something that the format or the target's dialect cannot say, unless the target drops such things.
pub fn encode(conversation: &Conversation, stream: bool, shape: &Shape<'_>) -> Result<Encoded, Unsupported> {
    let mut writer = Writer {
        said: conversation,
        shape,
        own: conversation.from == Some(Format::Chat),
        losses: Losses::new(shape.drop_unsupported, Format::Chat.as_str()),
        body: Object::new(),
    };
    writer.body.put("model", shape.model);
    messages::write(&mut writer)?;
    tools::write(&mut writer)?;
    settings::write(&mut writer)?;
    effort::write(&mut writer)?;
    writer.stream(stream);
    if writer.unstored() {
        writer.body.put("store", false);
    }
    writer.others()?;
    Ok(Encoded { body: Bytes::from(writer.body.finish()), dropped: writer.losses.into_dropped() })
}

/// What tells a model the degree that was chosen for it: members with a comma between, as they stand in a body.
pub(super) fn chosen_effort(shape: &Shape<'_>) -> String {
    let mut writer = Writer {
        said: &Conversation::default(),
        shape,
        own: false,
        losses: Losses::new(true, Format::Chat.as_str()),
        body: Object::new(),
    };
    // A loss that may be dropped is no error.
    let _ = effort::write(&mut writer);
    let object = writer.body.finish();
    object.get(1..object.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

/// A body being written.
struct Writer<'a> {
    said: &'a Conversation,
    shape: &'a Shape<'a>,
    /// The client speaks this format: what has no neutral name may go on.
    own: bool,
    losses: Losses,
    body: Object,
}

impl<'a> Writer<'a> {
    fn dialect(&self) -> &'a Dialect {
        self.shape.dialect
    }

    /// The rest of a top-level object that neutral words have a part of.
    fn rest_of(&self, prefix: &str) -> Vec<Named> {
        if !self.own {
            return Vec::new();
        }
        rest_of(&self.said.others, prefix)
    }

    fn stream(&mut self, stream: bool) {
        if !stream {
            return;
        }
        self.body.put("stream", true);
        if self.dialect().stream_options {
            let mut options = Object::new();
            options.put("include_usage", true).put_named(&self.rest_of("stream_options"));
            self.body.put("stream_options", options);
        }
    }

    /// Whether the provider is to be told that it may keep nothing.
    fn unstored(&self) -> bool {
        self.shape.keeps_nothing && self.dialect().store
    }

    /// Members without a neutral name, but for the nested ones: those were written with the rest of their object.
    fn others(&mut self) -> Result<(), Unsupported> {
        let others = &self.said.others;
        if !self.own {
            return self.losses.members("", others);
        }
        let unstored = self.unstored();
        for other in others.iter().filter(|other| !(is_nested(&other.name) || unstored && other.name == "store")) {
            // A degree that nobody here knows, beside a wish that was written.
            if other.name == "reasoning_effort" && !self.said.reasoning.is_empty() {
                self.losses.hint(&other.name);
            } else {
                self.body.raw(&other.name, other.value.text());
            }
        }
        Ok(())
    }

    /// Members of a message, a part or a tool at `path`: written into `object` where they may stand, else named.
    fn members(&mut self, path: &str, others: &[Named], object: &mut Object) -> Result<(), Unsupported> {
        for other in others {
            let mark = other.name == "cache_control";
            if mark && self.dialect().cache_control || self.own && !mark && !is_nested(&other.name) {
                object.raw(&other.name, other.value.text());
            } else if mark || !self.own {
                self.losses.members(path, std::slice::from_ref(other))?;
            }
        }
        Ok(())
    }
}

/// The objects that neutral words have a part of. Their other members are named with the object and a dot before.
const OBJECTS: [&str; 9] = [
    "stream_options",
    "response_format.json_schema",
    "reasoning",
    "thinking",
    "chat_template_kwargs",
    "function",
    "image_url",
    "input_audio",
    "file",
];

fn is_nested(name: &str) -> bool {
    OBJECTS.iter().any(|object| name.strip_prefix(object).is_some_and(|rest| rest.starts_with('.')))
}

/// The members named `PREFIX.…`, without the prefix.
fn rest_of(others: &[Named], prefix: &str) -> Vec<Named> {
    let inside = |name: &str| name.strip_prefix(prefix)?.strip_prefix('.').map(str::to_owned);
    others.iter().filter_map(|other| Some(Named { name: inside(&other.name)?, ..other.clone() })).collect()
}

/// Whether an object of this text has a member of this name.
fn has_member(text: &str, name: &str) -> bool {
    Members::of_text(text, "").is_ok_and(|mut members| members.raw(name).is_some())
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    let mut json = Vec::with_capacity(text.len() + 2);
    json.push(b'"');
    escape_into(text, &mut json);
    json.push(b'"');
    // What was text stays text.
    String::from_utf8(json).unwrap_or_default()
}

#[cfg(test)]
mod tests;
