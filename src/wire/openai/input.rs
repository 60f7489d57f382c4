//! What the formats without messages are given: a text, several, or tokens.

use super::request::values::BYTES_PER_TOKEN;
use crate::chat::{Request, Role, Text};
use crate::wire::fault::Fault;
use crate::wire::json::{JsonResult, Kind, Scanner};

/// How much an input is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    text_bytes: usize,
    tokens: usize,
}

impl Size {
    /// Whether there are tokens by their numbers, which are no text that anybody here reads.
    pub(super) const fn has_tokens(self) -> bool {
        self.tokens > 0
    }

    /// In tokens, roughly.
    pub(super) fn estimate(self) -> u64 {
        (self.text_bytes.div_ceil(BYTES_PER_TOKEN) + self.tokens) as u64
    }
}

/// Reads an input: a text, a list of texts, a list of tokens, or a list of such lists.
pub(super) fn read(scanner: &mut Scanner<'_>) -> Result<Size, Fault> {
    let mut size = Size::default();
    match scanner.kind()? {
        Kind::String => size.text_bytes = scanner.string()?.raw().len(),
        Kind::Array => scanner.array(|scanner, _| element(scanner, &mut size))?,
        got => return Err(Fault::kind("a string or an array", got)),
    }
    Ok(size)
}

fn element(scanner: &mut Scanner<'_>, size: &mut Size) -> Result<(), Fault> {
    match scanner.kind()? {
        Kind::String => size.text_bytes += scanner.string()?.raw().len(),
        Kind::Number => {
            scanner.skip()?;
            size.tokens += 1;
        }
        Kind::Array => scanner.array(|scanner, _| {
            let kind = scanner.kind()?;
            if kind != Kind::Number {
                return Err(Fault::kind("a token's number", kind));
            }
            size.tokens += 1;
            Ok(scanner.skip()?)
        })?,
        got => return Err(Fault::kind("a string, a number or an array", got)),
    }
    Ok(())
}

/// The texts of the input, as the user's; tokens are no text.
pub(super) fn texts(request: &Request) -> Vec<Text> {
    let input = request.body.get(request.edits.messages.clone()).unwrap_or_default();
    let mut texts = Vec::new();
    let mut scanner = Scanner::lenient(input);
    // What `judge` accepted cannot fail here; if it did, what was read so far would be judged.
    let _ = if scanner.is(Kind::String) {
        text(&mut scanner, &mut texts)
    } else {
        scanner.array(|scanner, _| text(scanner, &mut texts))
    };
    texts
}

fn text(scanner: &mut Scanner<'_>, texts: &mut Vec<Text>) -> JsonResult<()> {
    if !scanner.is(Kind::String) {
        return scanner.skip();
    }
    texts.push(Text { role: Role::User, text: scanner.string()?.text().into_owned() });
    Ok(())
}
