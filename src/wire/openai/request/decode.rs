//! A chat body as neutral words: everything it says, nothing lost.

mod details;
mod messages;
mod parts;
mod settings;
mod tools;

use crate::chat::{self, Conversation, Format, Json, Named};
use crate::wire::json::{Members, Misshapen};
use crate::wire::request_error::RequestError;

/// Members at the top that cannot change what an answer says.
const HINTS: [&str; 15] = [
    "user",
    "metadata",
    "safety_identifier",
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "cache_control",
    "moderation",
    "include_reasoning",
    "reasoning_effort",
    "reasoning_format",
    "reasoning_split",
    "return_progress",
    "usage",
];
/// Switches that say nothing when they are off.
const OFF_BY_DEFAULT: [&str; 5] = ["store", "safe_prompt", "prefix", "echo", "ignore_eos"];

/// Reads all that a client says. The body is one that `judge` has accepted.
///
/// # Errors
/// A member whose meaning must be known is not what the format says.
pub fn decode(request: &chat::Request) -> Result<Conversation, RequestError> {
    let text = std::str::from_utf8(&request.body).map_err(|_| Misshapen::new("", "must be UTF-8"))?;
    read(text).map_err(RequestError::from)
}

fn read(text: &str) -> Result<Conversation, Misshapen> {
    let mut top = Members::of_text(text, "")?;
    let mut said = Conversation { from: Some(Format::Chat), ..Conversation::default() };
    // The request itself says these.
    top.raw("model");
    top.raw("stream");
    if let Some(messages) = top.list("messages")? {
        said.messages = messages::read(messages)?;
    }
    tools::read(&mut top, &mut said)?;
    settings::read(&mut top, &mut said)?;
    let rest = top.rest(|name| HINTS.contains(&name));
    said.others.extend(rest.into_iter().map(switch));
    Ok(said)
}

/// The same, a hint if it is a switch that is off.
fn switch(member: Named) -> Named {
    let off = OFF_BY_DEFAULT.contains(&member.name.as_str()) && member.value.text() == "false";
    Named { hint: member.hint || off, ..member }
}

/// What is left of a nested object, as members with dotted names: `reasoning.exclude`.
fn dotted(object: Members<'_>, prefix: &str, hint: bool, others: &mut Vec<Named>) {
    for member in object.rest(|_| hint) {
        others.push(Named { name: format!("{prefix}.{}", member.name), ..member });
    }
}

/// One member without a neutral name.
fn named(name: &str, value: Json, hint: bool) -> Named {
    Named { name: name.to_owned(), value, hint }
}

#[cfg(test)]
mod tests;
