//! A client's request: checked whole in one pass, read where the gateway must judge it, rewritten in place for a target of
//! the same format, and translated for and from all others.

mod decode;
mod encode;
mod judge;
mod pass;

use std::ops::Range;

pub use decode::decode;
pub use encode::encode;
pub use judge::judge;
pub use pass::{pass, passed_over};

use crate::chat::{self, Role, Text};
use crate::wire::dialect::{Shape, Style};
use crate::wire::json::{JsonResult, Kind, Scanner};
use crate::wire::openai::types;

/// Asks for reasoning in a form that can be sent back, since no target keeps it for the client.
const ENCRYPTED: &str = "reasoning.encrypted_content";
/// Asks for the chances of the answer's tokens.
const LOGPROBS: &str = "message.output_text.logprobs";

/// The texts of the conversation in order, one a message: a second pass, for those who judge the prompt.
#[must_use]
pub fn prompt(request: &chat::Request) -> Vec<Text> {
    let mut texts = Vec::new();
    let at = |range: Range<usize>| Scanner::lenient(request.body.get(range).unwrap_or_default());
    // What `judge` accepted cannot fail here; if it did, what was read so far would be judged.
    if let Some(range) = named(request, "instructions")
        && let Ok(text) = at(range).string()
        && !text.is_empty()
    {
        texts.push(Text { role: Role::System, text: text.text().into_owned() });
    }
    let mut input = at(request.edits.messages.clone());
    if input.is(Kind::String) {
        texts.extend(input.string().ok().map(|text| Text { role: Role::User, text: text.text().into_owned() }));
    } else {
        let _ = input.array(|scanner, _| item_text(scanner, &mut texts));
    }
    texts
}

/// Whether the model may reason, so that its reasoning is to be asked for in a form that can be sent back. Where nobody
/// said, the client's own wish tells: OpenAI's models that do not reason refuse to be asked
/// (github.com/pydantic/pydantic-ai/pull/2867).
fn may_reason(shape: &Shape<'_>, wished: bool) -> bool {
    match shape.reasoning.style {
        Some(style) => style != Style::None,
        None => wished,
    }
}

/// The value of a member that `judge` took note of.
fn named(request: &chat::Request, name: &str) -> Option<Range<usize>> {
    request.edits.others.iter().find(|(other, _)| *other == name).map(|(_, range)| range.clone())
}

fn item_text(scanner: &mut Scanner<'_>, texts: &mut Vec<Text>) -> JsonResult<()> {
    let (mut role, mut said) = (None, None);
    scanner.object(|scanner, key| {
        match key.name {
            b"role" => role = types::role(&scanner.string()?.bytes()),
            b"output" => {
                role = Some(Role::Tool);
                content_text(scanner, &mut said)?;
            }
            b"content" => content_text(scanner, &mut said)?,
            _ => scanner.skip()?,
        }
        Ok::<_, Box<_>>(())
    })?;
    // Reasoning has content too, but no role.
    texts.extend(role.zip(said).map(|(role, text)| Text { role, text }));
    Ok(())
}

fn content_text(scanner: &mut Scanner<'_>, said: &mut Option<String>) -> JsonResult<()> {
    match scanner.kind()? {
        Kind::String => *said = Some(scanner.string()?.text().into_owned()),
        Kind::Array => scanner
            .array(|scanner, _| if scanner.is(Kind::Object) { part_text(scanner, said) } else { scanner.skip() })?,
        _ => scanner.skip()?,
    }
    Ok(())
}

/// The texts of one item's parts belong together, a line each.
fn part_text(scanner: &mut Scanner<'_>, said: &mut Option<String>) -> JsonResult<()> {
    scanner.object(|scanner, key| {
        if key.name == b"text" && scanner.is(Kind::String) {
            let text = scanner.string()?.text();
            match said {
                Some(said) => {
                    said.push('\n');
                    said.push_str(&text);
                }
                None => *said = Some(text.into_owned()),
            }
        } else {
            scanner.skip()?;
        }
        Ok::<_, Box<_>>(())
    })
}

#[cfg(test)]
mod tests;
