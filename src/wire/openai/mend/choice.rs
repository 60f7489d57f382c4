//! One choice: its place, why it ended, its chances.

use std::collections::HashMap;

use super::Pass;
use super::edits::Frame;
use super::message::Message;
use crate::wire::json::{JsonError, JsonResult, Kind, Scanner};
use crate::wire::openai::types::whole;
use crate::wire::think::Splitter;

/// The SDK's literals for `finish_reason`.
const REASONS: [&[u8]; 5] = [b"stop", b"length", b"tool_calls", b"content_filter", b"function_call"];

/// What is remembered of a choice while it is streamed.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Looks for the block of reasoning in the text.
    pub(super) splitter: Option<Splitter>,
    /// The tool calls by their ids.
    pub(super) calls: HashMap<Vec<u8>, u64>,
    /// One more than the highest index of a tool call.
    pub(super) next_call: u64,
    /// The tool call that is being told.
    pub(super) call: u64,
}

impl Pass<'_> {
    pub(super) fn choice(&mut self, scanner: &mut Scanner<'_>, position: usize) -> JsonResult<()> {
        if !scanner.is(Kind::Object) {
            self.odd = true;
            return scanner.skip();
        }
        let mut frame = Frame::at(scanner.position());
        let mut index = None;
        let mut reason = None;
        let mut chances = None;
        let mut message: Option<Message> = None;
        let name: &[u8] = if self.whole { b"message" } else { b"delta" };
        scanner.object(|scanner, key| {
            let kind = scanner.kind()?;
            let mut goes = false;
            match key.name {
                b"index" => {
                    let value = scanner.value()?;
                    index = scanner.bytes().get(value).and_then(whole);
                    goes = index.is_none();
                }
                b"finish_reason" => {
                    let value = scanner.value()?;
                    self.odd |= reason.is_some();
                    reason = Some((kind, value));
                }
                b"logprobs" => {
                    let (start, noted) = (scanner.position(), self.edits.count());
                    self.logprobs(scanner, kind)?;
                    chances = Some((start..scanner.position(), noted..self.edits.count()));
                }
                b"error" => {
                    let failed = kind != Kind::Null;
                    self.failed |= failed && !self.whole;
                    self.answer.good &= !failed;
                    scanner.skip()?;
                }
                key if key == name => {
                    goes = kind != Kind::Object;
                    if goes {
                        scanner.skip()?;
                    } else {
                        message = Some(self.read_message(scanner)?);
                    }
                }
                _ => scanner.skip()?,
            }
            let member = frame.member(&key, scanner.position());
            if goes {
                frame.remove(member);
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        let bytes = scanner.bytes();
        if index.is_none() {
            frame.add("index", position.to_string().as_bytes());
        }
        let index = index.unwrap_or(position as u64);
        let calls = message.as_ref().is_some_and(Message::calls);
        let said = match &reason {
            Some((Kind::String, value)) => bytes.get(value.start + 1..value.end - 1).unwrap_or_default(),
            _ => b"",
        };
        if self.whole {
            self.odd |= said.contains(&b'\\');
            self.answer.choice(reason.as_ref().filter(|(kind, _)| *kind == Kind::String).map(|_| said));
        }
        let told = literal(said, calls).or_else(|| self.whole.then(|| ending(calls)));
        match (told, reason) {
            (Some(told), Some((_, value))) if told != said => {
                self.edits.replace(value, [b"\"", told, b"\""].concat());
            }
            (Some(told), None) => frame.add("finish_reason", &[b"\"", told, b"\""].concat()),
            (None, Some((kind, value))) if kind != Kind::Null => self.edits.replace(value, *b"null"),
            _ => {}
        }
        let (ends, well) = (told.is_some(), told != Some(b"length"));
        let withheld = match message {
            Some(message) if self.whole => self.settle_whole(bytes, message, well, index),
            Some(message) => self.settle_delta(bytes, message, index, ends),
            None if self.whole => {
                frame.add("message", br#"{"role":"assistant","content":null}"#);
                false
            }
            None => {
                let rest = self.rest_of(index, ends);
                frame.add("delta", &rest);
                false
            }
        };
        // The tokens of reasoning that is withheld would tell it.
        if let Some((chances, noted)) = chances.filter(|_| withheld) {
            self.edits.forget(noted);
            self.edits.replace(chances, *b"null");
        }
        frame.close(&mut self.edits);
        Ok(())
    }

    /// Chances: the list of other tokens must be there. Older forms are under names that nobody reads.
    fn logprobs(&mut self, scanner: &mut Scanner<'_>, kind: Kind) -> JsonResult<()> {
        if kind != Kind::Object {
            let value = scanner.value()?;
            if kind != Kind::Null {
                self.edits.replace(value, *b"null");
            }
            return Ok(());
        }
        scanner.object(|scanner, key| {
            let kind = scanner.kind()?;
            match (key.name, kind) {
                (b"content" | b"refusal", Kind::Array) => scanner.array(|scanner, _| self.token(scanner, true))?,
                (b"content" | b"refusal", Kind::Null) => scanner.skip()?,
                (b"content" | b"refusal", _) => {
                    let value = scanner.value()?;
                    self.edits.replace(value, *b"null");
                }
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })
    }

    /// A token and its chance; `others`: it has a list of the tokens that might have stood there.
    fn token(&mut self, scanner: &mut Scanner<'_>, others: bool) -> JsonResult<()> {
        if !scanner.is(Kind::Object) {
            return scanner.skip();
        }
        let mut frame = Frame::at(scanner.position());
        let (mut token, mut logprob, mut list) = (false, false, !others);
        scanner.object(|scanner, key| {
            let kind = scanner.kind()?;
            let goes = match (key.name, kind) {
                (b"token", _) => {
                    token = kind == Kind::String;
                    !token
                }
                (b"logprob", _) => {
                    logprob = kind == Kind::Number;
                    !logprob
                }
                (b"bytes", _) => !matches!(kind, Kind::Array | Kind::Null),
                (b"top_logprobs", _) if others => {
                    list = kind == Kind::Array;
                    !list
                }
                _ => false,
            };
            if key.name == b"top_logprobs" && others && list {
                scanner.array(|scanner, _| self.token(scanner, false))?;
            } else {
                scanner.skip()?;
            }
            let member = frame.member(&key, scanner.position());
            if goes {
                frame.remove(member);
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        if !token {
            frame.add("token", br#""""#);
        }
        if !logprob {
            // OpenAI's word for a chance too small to tell.
            frame.add("logprob", b"-9999.0");
        }
        if !list {
            frame.add("top_logprobs", b"[]");
        }
        frame.close(&mut self.edits);
        Ok(())
    }
}

/// The reason where the provider names none.
fn ending(calls: bool) -> &'static [u8] {
    if calls { b"tool_calls" } else { b"stop" }
}

/// The SDK's literal for a provider's reason; `None`: it is none.
fn literal(said: &[u8], calls: bool) -> Option<&[u8]> {
    if said.is_empty() {
        return None;
    }
    if REASONS.contains(&said) {
        return Some(said);
    }
    Some(match &*said.to_ascii_lowercase() {
        // Others' words: Hugging Face TGI, Cohere, Anthropic, Gemini.
        b"eos" | b"eos_token" | b"end_turn" | b"stop_sequence" | b"complete" | b"completed" | b"end" | b"done"
        | b"stop" => ending(calls),
        b"tool_use" | b"tool_call" | b"tool_calls" => b"tool_calls",
        // Mistral's `model_length` (docs.mistral.ai/api): the end of the context.
        b"content_filter"
        | b"content-filter"
        | b"safety"
        | b"recitation"
        | b"blocklist"
        | b"prohibited_content"
        | b"sensitive"
        | b"refusal" => b"content_filter",
        // `model_length`, `max_tokens`, `error`, `insufficient_system_resource` (DeepSeek), and what is unknown: rather
        // told as cut off than as done.
        _ => b"length",
    })
}
