//! A client's request: checked whole in one pass, read where the gateway must judge it, rewritten in place for an attempt,
//! read whole and written anew where client and target speak different formats.

mod blocks;
mod decode;
mod encode;
mod fault;
mod judge;
mod kinds;
mod media;
mod pass;
mod thinking;
mod told;
mod turns;

pub use decode::decode;
pub use encode::encode;
pub use judge::{judge, judge_count};
pub use pass::pass;
pub use thinking::DEFAULT_MAX_TOKENS;

use crate::chat::{self, Role, Text};
use crate::wire::json::{JsonResult, Kind, Scanner};

/// The texts of the conversation in order, the system's first, then one a message; a tool's result is one of its own.
#[must_use]
pub fn prompt(request: &chat::Request) -> Vec<Text> {
    let body = &request.body;
    let mut texts = Vec::new();
    let system = request.edits.others.iter().find(|(name, _)| *name == "system");
    // What `judge` accepted cannot fail here; if it did, what was read so far would be judged.
    if let Some((_, range)) = system {
        let mut said = Said::default();
        let _ = said.content(&mut Scanner::lenient(body.get(range.clone()).unwrap_or_default()));
        texts.extend(said.text.map(|text| Text { role: Role::System, text }));
    }
    let messages = body.get(request.edits.messages.clone()).unwrap_or_default();
    let _ = Scanner::lenient(messages).array(|scanner, _| message_texts(scanner, &mut texts));
    texts
}

fn message_texts(scanner: &mut Scanner<'_>, texts: &mut Vec<Text>) -> JsonResult<()> {
    let (mut role, mut said) = (Role::User, Said::default());
    scanner.object(|scanner, key| {
        match key.name {
            b"role" => role = kinds::role(&scanner.string()?.bytes()).unwrap_or(role),
            b"content" => said.content(scanner)?,
            _ => scanner.skip()?,
        }
        Ok::<_, Box<_>>(())
    })?;
    texts.extend(said.results.into_iter().map(|text| Text { role: Role::Tool, text }));
    texts.extend(said.text.map(|text| Text { role, text }));
    Ok(())
}

/// The texts of one content.
#[derive(Debug, Default)]
struct Said {
    /// Its blocks' texts belong together, a line each.
    text: Option<String>,
    results: Vec<String>,
}

impl Said {
    fn content(&mut self, scanner: &mut Scanner<'_>) -> JsonResult<()> {
        match scanner.kind()? {
            Kind::String => self.add(&scanner.string()?.text()),
            Kind::Array => scanner.array(|scanner, _| self.block(scanner))?,
            _ => scanner.skip()?,
        }
        Ok(())
    }

    fn block(&mut self, scanner: &mut Scanner<'_>) -> JsonResult<()> {
        let (mut is_result, mut inner) = (false, Self::default());
        scanner.object(|scanner, key| {
            match key.name {
                b"type" if scanner.is(Kind::String) => is_result = scanner.string()?.raw() == b"tool_result",
                b"text" if scanner.is(Kind::String) => self.add(&scanner.string()?.text()),
                b"content" => inner.content(scanner)?,
                _ => scanner.skip()?,
            }
            Ok::<_, Box<_>>(())
        })?;
        if is_result {
            self.results.extend(inner.text);
        }
        Ok(())
    }

    fn add(&mut self, text: &str) {
        match &mut self.text {
            Some(said) => {
                said.push('\n');
                said.push_str(text);
            }
            None => self.text = Some(text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
