//! A request's way from the format its client speaks to the format its target speaks.

use std::sync::OnceLock;

use bytes::Bytes;

use super::gemini::embeddings::EmbeddingsError;
use super::json::{JsonError, JsonResult, Kind, Located, Scanner, Step};
use super::losses::{Encoded, Unsupported};
use super::openai::types;
use super::request_error::RequestError;
use super::{Shape, anthropic, gemini, openai, responses, spelling};
use crate::chat::{Conversation, Format, Request, Role, Text};

/// Checks a client's body and reads what the gateway judges by.
///
/// # Errors
/// What is wrong, where, in words fit for the client.
pub fn judge(format: Format, body: Bytes) -> Result<Request, RequestError> {
    match format {
        Format::Chat | Format::Gemini => openai::request::judge(body),
        Format::Responses => responses::request::judge(body),
        Format::Messages => anthropic::request::judge(body),
        Format::Completions => openai::completions::judge(body),
        Format::Embeddings => openai::embeddings::judge(body),
    }
}

/// The texts of the conversation in order, for those who judge the prompt.
#[must_use]
pub fn prompt(request: &Request) -> Vec<Text> {
    match request.format {
        Format::Chat | Format::Gemini => openai::request::prompt(request),
        Format::Responses => responses::request::prompt(request),
        Format::Messages => anthropic::request::prompt(request),
        Format::Completions | Format::Embeddings => openai::completions::prompt(request),
    }
}

/// The bytes that can change the answer, in order: all but the members that only say how to deliver it. A request for
/// a stream and one for a whole answer have the same.
pub fn cache_view(request: &Request) -> impl Iterator<Item = &[u8]> {
    let [first, second] = &request.edits.without_effect;
    let end = request.body.len();
    // Unused ranges are empty, so they split off nothing.
    let kept = [0..first.start, first.end..second.start.max(first.end), second.end.max(first.end)..end];
    kept.into_iter().filter_map(|range| request.body.get(range)).filter(|bytes| !bytes.is_empty())
}

/// The beginning of the conversation up to the end of the last user message: the same bytes for every request of one
/// turn, tool results included. `None`: there is none.
#[must_use]
pub fn turn(request: &Request) -> Option<&[u8]> {
    let list = request.body.get(request.edits.messages.clone())?;
    if list.first() != Some(&b'[') {
        return Some(list);
    }
    let mut end = None;
    let read = Scanner::lenient(list).array(|scanner, _| {
        let (mut user, mut results_only) = (false, false);
        scanner.object(|scanner, key| {
            match (key.name, scanner.kind()?) {
                (b"role", Kind::String) => user = scanner.string()?.bytes().as_ref() == b"user",
                (b"content", Kind::Array) => results_only = only_results(scanner)?,
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        if user && !results_only {
            end = Some(scanner.position());
        }
        Ok::<_, Box<JsonError>>(())
    });
    read.ok()?;
    list.get(..end?)
}

/// What a conversation can be told by from one turn to the next: all that stands before the first user message for the
/// model to go by, and that message, given to `take` piece by piece. Cache marks are left out, for clients move them.
/// Nothing after that message is read. `false`: there is no user message.
pub fn opening(request: &Request, take: &mut dyn FnMut(&[u8])) -> bool {
    if !matches!(request.format, Format::Chat | Format::Responses | Format::Messages) {
        return false;
    }
    for (_, range) in request.edits.others.iter().filter(|(name, _)| matches!(*name, "system" | "instructions")) {
        content(request.body.get(range.clone()).unwrap_or_default(), take);
    }
    let list = request.body.get(request.edits.messages.clone()).unwrap_or_default();
    if list.first() != Some(&b'[') {
        content(list, take);
        return !list.is_empty();
    }
    let read = Scanner::lenient(list).array(|scanner, _| {
        let (mut who, mut said) = (None, None);
        scanner.object(|scanner, key| {
            match (key.name, scanner.kind()?) {
                (b"role", Kind::String) => who = types::role(&scanner.string()?.bytes()),
                (b"content", _) => said = Some(scanner.value()?),
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        let said = said.and_then(|range| list.get(range)).unwrap_or_default();
        match who {
            Some(Role::User) => {
                content(said, take);
                Err(Over::Found)
            }
            Some(Role::System) => {
                content(said, take);
                Ok(())
            }
            _ => Ok(()),
        }
    });
    matches!(read, Err(Over::Found))
}

/// Why a list is not read on.
enum Over {
    Found,
    Broken,
}

impl From<Box<JsonError>> for Over {
    fn from(_: Box<JsonError>) -> Self {
        Self::Broken
    }
}

impl Located for Over {
    fn inside(&mut self, _: Step<'_>) {}
}

/// A text, or a list of parts.
fn content(bytes: &[u8], take: &mut dyn FnMut(&[u8])) {
    if bytes.first() != Some(&b'[') {
        take(bytes);
        return;
    }
    // What was judged cannot fail here; if it did, what was read so far would tell.
    let _ = Scanner::lenient(bytes).array(|scanner, _| {
        if !scanner.is(Kind::Object) {
            take(bytes.get(scanner.value()?).unwrap_or_default());
            return Ok(());
        }
        scanner.object(|scanner, key| {
            let value = scanner.value()?;
            if key.name != b"cache_control" {
                take(key.name);
                take(bytes.get(value).unwrap_or_default());
            }
            Ok::<_, Box<JsonError>>(())
        })
    });
}

/// Whether a message's parts are tool results and nothing else, as Messages clients send them.
fn only_results(scanner: &mut Scanner<'_>) -> JsonResult<bool> {
    let (mut any, mut only) = (false, true);
    scanner.array(|scanner, _| {
        any = true;
        let mut result = false;
        if !scanner.is(Kind::Object) {
            only = false;
            return scanner.skip();
        }
        scanner.object(|scanner, key| {
            if key.name == b"type" && scanner.is(Kind::String) {
                result = scanner.string()?.bytes().as_ref() == b"tool_result";
                return Ok(());
            }
            scanner.skip()
        })?;
        only &= result;
        Ok(())
    })?;
    Ok(any && only)
}

/// What no target can be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// The target's format cannot say it.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The body is not what the client's format says.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl From<EmbeddingsError> for Unsendable {
    fn from(error: EmbeddingsError) -> Self {
        match error {
            EmbeddingsError::Misshapen(fault) => Self::Request(fault.into()),
            EmbeddingsError::Unsupported(unsupported) => Self::Unsupported(unsupported),
        }
    }
}

/// One request on its way to any number of targets; read whole at most once, and only if some target speaks another format.
#[derive(Debug)]
pub struct Asking<'r> {
    request: &'r Request,
    conversation: OnceLock<Result<Conversation, RequestError>>,
}

impl<'r> Asking<'r> {
    /// A request that nobody has been sent yet.
    #[must_use]
    pub fn new(request: &'r Request) -> Self {
        Self { request, conversation: OnceLock::new() }
    }

    /// The request as the client sent it.
    #[must_use]
    pub fn request(&self) -> &'r Request {
        self.request
    }

    /// The body for a target.
    ///
    /// # Errors
    /// Its format cannot say what the client said.
    pub fn body(&self, shape: &Shape<'_>) -> Result<Encoded, Unsendable> {
        let request = self.request;
        let plain = |body| Ok(Encoded { body, dropped: Vec::new() });
        match (request.format, shape.format) {
            (Format::Chat, Format::Chat) => Ok(Encoded {
                body: openai::request::pass(request, shape),
                dropped: openai::request::passed_over(request, shape),
            }),
            (Format::Responses, Format::Responses) => Ok(Encoded {
                body: responses::request::pass(request, shape),
                dropped: responses::request::passed_over(request, shape),
            }),
            (Format::Messages, Format::Messages) => Ok(anthropic::request::pass(request, shape)),
            (Format::Completions, _) => plain(openai::completions::pass(request, shape)),
            (Format::Embeddings, Format::Gemini) => Ok(gemini::embeddings::encode(request, shape)?.encoded),
            (Format::Embeddings, _) => plain(openai::embeddings::pass(request, shape)),
            (_, format) => {
                let conversation = self.conversation()?;
                let stream = request.stream;
                let encoded = match format {
                    Format::Responses => responses::request::encode(conversation, stream, shape),
                    Format::Messages => anthropic::request::encode(conversation, stream, shape),
                    Format::Gemini => gemini::request::encode(conversation, stream, shape),
                    Format::Chat | Format::Completions | Format::Embeddings => {
                        openai::request::encode(conversation, stream, shape)
                    }
                };
                let spelled = |field: &String| spelling::of(request, field).into_owned();
                match encoded {
                    Ok(Encoded { body, dropped }) => {
                        Ok(Encoded { body, dropped: dropped.iter().map(spelled).collect() })
                    }
                    Err(Unsupported { field, target }) => Err(Unsupported { field: spelled(&field), target }.into()),
                }
            }
        }
    }

    /// All that was said.
    fn conversation(&self) -> Result<&Conversation, RequestError> {
        let read = self.conversation.get_or_init(|| match self.request.format {
            Format::Responses => responses::request::decode(self.request),
            Format::Messages => anthropic::request::decode(self.request),
            Format::Chat | Format::Gemini | Format::Completions | Format::Embeddings => {
                openai::request::decode(self.request)
            }
        });
        read.as_ref().map_err(Clone::clone)
    }
}

#[cfg(test)]
mod tests;
