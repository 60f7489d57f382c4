//! A whole answer told as a stream, for a hit of the cache.

use bytes::Bytes;

use super::chunk::with_cost;
use super::{DONE, as_event};
use crate::money::NanoUsd;
use crate::wire::json::{JsonError, JsonResult, Kind, Scanner};

/// The events of a stream that says what the whole answer `body` says. If usage is to be shown, it is the recorded one
/// at no cost: nothing was bought.
///
/// # Errors
/// `body` is not JSON.
pub fn replay(body: &[u8], include_usage: bool) -> JsonResult<Bytes> {
    let mut head = b"{\"object\":\"chat.completion.chunk\"".to_vec();
    let mut choices = Vec::new();
    let mut usage: &[u8] = b"null";
    let mut scanner = Scanner::lenient(body);
    scanner.object(|scanner, key| {
        let kind = scanner.kind()?;
        match key.name {
            b"choices" if kind == Kind::Array => {
                scanner.array(|scanner, position| {
                    choices.push(choice(scanner, position)?);
                    Ok::<_, Box<JsonError>>(())
                })?;
            }
            b"usage" if kind == Kind::Object => usage = body.get(scanner.value()?).unwrap_or(usage),
            name @ (b"id" | b"created" | b"model" | b"system_fingerprint" | b"service_tier") => {
                let value = scanner.value()?;
                head.extend_from_slice(b",\"");
                head.extend_from_slice(name);
                head.extend_from_slice(b"\":");
                head.extend_from_slice(body.get(value).unwrap_or_default());
            }
            _ => scanner.skip()?,
        }
        Ok::<_, Box<JsonError>>(())
    })?;
    scanner.end()?;
    let tail: &[u8] = if include_usage { b",\"usage\":null}" } else { b"}" };
    let mut events = Vec::with_capacity(body.len() + 1024);
    for choice in choices {
        for [index, delta, reason] in [[&choice.index, &choice.delta, NULL], [&choice.index, b"{}", &choice.reason]] {
            let parts: [&[u8]; 9] = [
                &head,
                b",\"choices\":[{\"index\":",
                index,
                b",\"delta\":",
                delta,
                b",\"logprobs\":null,\"finish_reason\":",
                reason,
                b"}]",
                tail,
            ];
            events.extend_from_slice(&as_event(parts.concat()));
        }
    }
    if include_usage && usage != NULL {
        let chunk = [&head[..], b",\"choices\":[],\"usage\":", usage, b"}"].concat();
        events.extend_from_slice(&as_event(with_cost(&chunk, NanoUsd::ZERO)));
    }
    events.extend_from_slice(&DONE);
    Ok(events.into())
}

const NULL: &[u8] = b"null";

/// The JSON of one choice's parts.
struct Choice {
    index: Vec<u8>,
    delta: Vec<u8>,
    reason: Vec<u8>,
}

fn choice(scanner: &mut Scanner<'_>, position: usize) -> JsonResult<Choice> {
    let bytes = scanner.bytes();
    let mut choice = Choice { index: position.to_string().into(), delta: b"{}".to_vec(), reason: NULL.to_vec() };
    scanner.object(|scanner, key| {
        match (key.name, scanner.kind()?) {
            (b"message", Kind::Object) => choice.delta = delta(scanner)?,
            (b"index", _) => choice.index = bytes.get(scanner.value()?).unwrap_or_default().to_vec(),
            (b"finish_reason", _) => choice.reason = bytes.get(scanner.value()?).unwrap_or_default().to_vec(),
            _ => scanner.skip()?,
        }
        Ok::<_, Box<JsonError>>(())
    })?;
    Ok(choice)
}

/// A message as one delta: its members as they are, but tool calls get the index they have in a stream.
fn delta(scanner: &mut Scanner<'_>) -> JsonResult<Vec<u8>> {
    let bytes = scanner.bytes();
    let mut delta = b"{".to_vec();
    scanner.object(|scanner, key| {
        if delta.len() > 1 {
            delta.push(b',');
        }
        delta.extend_from_slice(bytes.get(key.span()).unwrap_or_default());
        delta.push(b':');
        if key.name != b"tool_calls" || scanner.kind()? != Kind::Array {
            delta.extend_from_slice(bytes.get(scanner.value()?).unwrap_or_default());
            return Ok(());
        }
        delta.push(b'[');
        scanner.array(|scanner, position| tool_call(scanner, position, &mut delta))?;
        delta.push(b']');
        Ok::<_, Box<JsonError>>(())
    })?;
    delta.push(b'}');
    Ok(delta)
}

fn tool_call(scanner: &mut Scanner<'_>, position: usize, delta: &mut Vec<u8>) -> JsonResult<()> {
    let bytes = scanner.bytes();
    if position > 0 {
        delta.push(b',');
    }
    delta.extend_from_slice(format!("{{\"index\":{position}").as_bytes());
    scanner.object(|scanner, key| {
        let value = scanner.value()?;
        if key.name != b"index" {
            delta.push(b',');
            delta.extend_from_slice(bytes.get(key.span().start..value.end).unwrap_or_default());
        }
        Ok::<_, Box<JsonError>>(())
    })?;
    delta.push(b'}');
    Ok(())
}
