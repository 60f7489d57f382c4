//! A whole message: read from a provider, written for a client.

pub(super) mod blocks;
mod encode;
pub(super) mod usage;
pub(super) mod words;

pub use encode::encode;
pub(super) use encode::input;

use blocks::{Block, Blocks};
use usage::Counts;

use crate::chat::{Answer, Choice, Event};
use crate::wire::json::{JsonError, Kind, Scanner};
use crate::wire::stream::AnswerError;

/// Reads a whole message. Citations, blocks of tools that the provider runs itself, and blocks of unknown types are
/// passed over; neighbouring texts become one, as they do in a stream.
///
/// # Errors
/// The body is no message: not JSON, without content, or an error.
pub fn decode(body: &[u8]) -> Result<Answer, AnswerError> {
    let mut scanner = Scanner::lenient(body);
    if !scanner.is(Kind::Object) {
        scanner.skip()?;
        return Err(AnswerError::Shape("it is no object".to_owned()));
    }
    let (mut id, mut model, mut reason, mut sequence) = (None, None, None, None);
    let (mut events, mut blocks, mut counts) = (Vec::new(), Blocks::default(), Counts::default());
    let (mut listed, mut failed) = (false, false);
    scanner.object(|scanner, key| {
        match key.name {
            b"id" => id = words::text(scanner)?,
            b"model" => model = words::text(scanner)?,
            b"stop_reason" => reason = words::text(scanner)?,
            b"stop_sequence" => sequence = words::text(scanner)?,
            b"usage" => counts.read(scanner)?,
            b"type" => failed |= words::text(scanner)?.is_some_and(|kind| kind.raw() == b"error"),
            b"error" => {
                failed |= !scanner.is(Kind::Null);
                scanner.skip()?;
            }
            b"content" if scanner.is(Kind::Array) => {
                listed = true;
                scanner.array(|scanner, _| {
                    if !scanner.is(Kind::Object) {
                        return scanner.skip();
                    }
                    let block = Block::read(scanner)?;
                    blocks.begin(0, &block, &mut events);
                    blocks.end(0, &mut events);
                    Ok::<_, Box<JsonError>>(())
                })?;
            }
            _ => scanner.skip()?,
        }
        Ok::<_, Box<JsonError>>(())
    })?;
    scanner.end()?;
    if failed {
        return Err(AnswerError::Provider(words::error(body)));
    }
    if !listed {
        return Err(AnswerError::NoChoices);
    }
    let mut answer = Answer {
        id: id.map(|id| id.text().into_owned()),
        model: model.map(|model| model.text().into_owned()),
        created: None,
        choices: vec![Choice::default()],
        usage: counts.usage(),
    };
    events.iter().for_each(|event| answer.add(event));
    if let Some(reason) = reason {
        let reason = words::finish(&reason.bytes(), sequence.map(|text| text.text().into_owned()));
        answer.add(&Event::Finish { choice: 0, reason });
    }
    Ok(answer)
}

#[cfg(test)]
pub(super) mod tests;
