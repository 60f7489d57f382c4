//! A client's request: checked whole in one pass, read where the gateway must judge it, rewritten in place for an attempt.

mod decode;
mod encode;
mod judge;
mod pass;
mod thoughts;
pub(super) mod trim;
pub(super) mod values;

pub use decode::decode;
pub use encode::encode;
pub use judge::judge;
pub use pass::{pass, passed_over};

use super::types;
use crate::chat::{self, Role, Text};
use crate::wire::json::{JsonResult, Kind, Scanner};

/// The texts of the conversation in order, one a message: a second pass, for those who judge the prompt.
#[must_use]
pub fn prompt(request: &chat::Request) -> Vec<Text> {
    let messages = request.body.get(request.edits.messages.clone()).unwrap_or_default();
    let mut texts = Vec::new();
    // What `judge` accepted cannot fail here; if it did, what was read so far would be judged.
    let _ = Scanner::lenient(messages).array(|scanner, _| message_texts(scanner, &mut texts));
    texts
}

fn message_texts(scanner: &mut Scanner<'_>, texts: &mut Vec<Text>) -> JsonResult<()> {
    let (mut role, mut said) = (Role::User, None);
    scanner.object(|scanner, key| {
        match key.name {
            b"role" => role = types::role(&scanner.string()?.bytes()).unwrap_or(role),
            b"content" => match scanner.kind()? {
                Kind::String => said = Some(scanner.string()?.text().into_owned()),
                Kind::Array => scanner.array(|scanner, _| part_text(scanner, &mut said))?,
                _ => scanner.skip()?,
            },
            _ => scanner.skip()?,
        }
        Ok::<_, Box<_>>(())
    })?;
    texts.extend(said.map(|text| Text { role, text }));
    Ok(())
}

/// The texts of one message's parts belong together, a line each.
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
    })?;
    Ok(())
}

#[cfg(test)]
pub(super) mod tests;
