//! The client's body for a target of the same format: rewritten only where it must be.

use std::ops::Range;

use bytes::Bytes;

use super::encode::chosen_effort;
use super::thoughts::{self, Fitted};
use crate::chat;
use crate::wire::Shape;
use crate::wire::dialect::MaxTokens;
use crate::wire::json::{Scanner, escaped, member_cut, splice};
use crate::wire::openai::types;

const ASK_USAGE: &[u8] = br#","stream_options":{"include_usage":true}"#;

/// The body for an attempt at a target: the client's bytes, but for the model's name, in a stream the wish for usage,
/// the limit of output tokens where the target takes less or knows it by another name, `store` where the provider is stated to
/// keep nothing, and earlier reasoning that the target refuses or cannot read ([`passed_over`] names what is lost of it). The same `Bytes` where all stands as it must.
#[must_use]
pub fn pass(request: &chat::Request, shape: &Shape<'_>) -> Bytes {
    let body = &request.body;
    let edits = &request.edits;
    let model = escaped(shape.model);
    let inside = edits.model.start + 1..edits.model.end.saturating_sub(1);
    let rename = (body.get(inside.clone()) != Some(&model)).then_some((inside, &*model));
    let ask = match &edits.stream_options {
        Some(options) if !shape.dialect.stream_options => Some((member(body, options), &b""[..])),
        _ if !request.stream || !shape.dialect.stream_options => None,
        // Beside the model, so that the messages keep their distance from the end of the body.
        None => Some((edits.model.end..edits.model.end, ASK_USAGE)),
        Some(options) => ask_usage(body, options),
    };
    let chosen = shape.effort.is_some() && request.effort.is_unsaid() && request.format == chat::Format::Chat;
    if chosen || !edits.others.is_empty() || shape.keeps_nothing {
        let mut changes = limits(request, shape);
        changes.extend(fitted(request, shape).changes);
        changes.extend(unstored(request, shape));
        let told = if chosen { chosen_effort(shape) } else { String::new() };
        if !told.is_empty() {
            changes.push((edits.model.end..edits.model.end, format!(",{told}").into_bytes()));
        }
        if !changes.is_empty() {
            return with_changes(body, rename, ask, &changes);
        }
    }
    Bytes::from(match (rename, ask) {
        (None, None) => return body.clone(),
        (Some(one), None) | (None, Some(one)) => splice(body, &[one]),
        (Some(rename), Some(ask)) if rename.0.start <= ask.0.start => splice(body, &[rename, ask]),
        (Some(rename), Some(ask)) => splice(body, &[ask, rename]),
    })
}

type Edit<'a> = (Range<usize>, &'a [u8]);

/// What [`pass`] leaves out for a target of this shape: reasoning that it refuses or cannot read.
#[must_use]
pub fn passed_over(request: &chat::Request, shape: &Shape<'_>) -> Vec<String> {
    fitted(request, shape).dropped
}

fn fitted(request: &chat::Request, shape: &Shape<'_>) -> Fitted {
    match request.edits.others.iter().find(|(name, _)| *name == "thoughts") {
        Some((_, messages)) => thoughts::fit(&request.body, messages, shape.dialect),
        None => Fitted::default(),
    }
}

#[cold]
fn with_changes(
    body: &[u8],
    rename: Option<Edit<'_>>,
    ask: Option<Edit<'_>>,
    changes: &[(Range<usize>, Vec<u8>)],
) -> Bytes {
    let mut all: Vec<Edit<'_>> = rename.into_iter().chain(ask).collect();
    all.extend(changes.iter().map(|(range, new)| (range.clone(), new.as_slice())));
    all.sort_by_key(|(range, _)| (range.start, range.end));
    splice(body, &all).into()
}

/// What makes a provider that is stated to keep nothing keep nothing.
fn unstored(request: &chat::Request, shape: &Shape<'_>) -> Option<(Range<usize>, Vec<u8>)> {
    if !shape.keeps_nothing {
        return None;
    }
    let known = shape.dialect.store && request.format == chat::Format::Chat;
    let stated = request.edits.others.iter().find(|(name, _)| *name == "store").map(|(_, range)| range.clone());
    match stated {
        Some(range) => {
            let told = request.body.get(range.clone()).unwrap_or_default();
            (told == b"true" || known && told != b"false").then(|| (range, b"false".to_vec()))
        }
        None => known.then(|| (request.edits.model.end..request.edits.model.end, br#","store":false"#.to_vec())),
    }
}

/// What must change in the limits of output tokens.
fn limits(request: &chat::Request, shape: &Shape<'_>) -> Vec<(Range<usize>, Vec<u8>)> {
    let (body, others) = (&request.body[..], &request.edits.others);
    let mut changes = Vec::new();
    let most = shape.max_output.unwrap_or(u64::MAX);
    let named = others.iter().filter(|(name, _)| matches!(*name, "max_tokens" | "max_completion_tokens"));
    let count = named.clone().count();
    for (name, value) in named {
        let digits = body.get(value.clone()).unwrap_or_default();
        let limit = types::whole(digits);
        // Compatible servers know both names; only OpenAI's reasoning models refuse one, the older
        // (https://platform.openai.com/docs/api-reference/chat/create).
        // Both names at once are the client's own affair.
        let rename = *name == "max_tokens"
            && count == 1
            && request.format == chat::Format::Chat
            && shape.dialect.max_tokens == MaxTokens::MaxCompletionTokens
            && limit.is_some();
        if rename {
            changes.push((key(body, value), br#""max_completion_tokens""#.to_vec()));
        }
        if limit.is_some_and(|limit| limit > most) {
            changes.push((value.clone(), most.to_string().into_bytes()));
        }
    }
    changes
}

/// The key of the member whose value stands there. It is one that was read by name, so no quote is in it.
fn key(body: &[u8], value: &Range<usize>) -> Range<usize> {
    let quote = |before: usize| body.get(..before).and_then(|bytes| bytes.iter().rposition(|byte| *byte == b'"'));
    let Some(end) = quote(value.start) else { return value.start..value.start };
    let start = quote(end).unwrap_or(end);
    start..end + 1
}

/// The cut that takes the member out whose value stands there.
fn member(body: &[u8], value: &Range<usize>) -> Range<usize> {
    member_cut(body, key(body, value).start, value.end)
}

/// The change that makes `stream_options` ask for usage, its other members kept.
fn ask_usage(body: &[u8], options: &Range<usize>) -> Option<(Range<usize>, &'static [u8])> {
    let object = body.get(options.clone()).unwrap_or_default();
    let mut value: Option<Range<usize>> = None;
    let mut empty = true;
    let read = Scanner::lenient(object).object(|scanner, key| {
        empty = false;
        let range = scanner.value()?;
        if key.name == b"include_usage" {
            value = Some(range);
        }
        Ok::<_, Box<_>>(())
    });
    if read.is_err() {
        // `null`
        return Some((options.clone(), br#"{"include_usage":true}"#));
    }
    let Some(value) = value else {
        let inside = options.start + 1..options.start + 1;
        return Some(if empty { (inside, br#""include_usage":true"#) } else { (inside, br#""include_usage":true,"#) });
    };
    if object.get(value.clone()) == Some(b"true") {
        return None;
    }
    Some((options.start + value.start..options.start + value.end, b"true"))
}
