//! A client's request: checked whole in one pass, read where the gateway must judge it, rewritten in place for an attempt.

mod decode;
mod encode;
mod fault;
mod judge;

use std::ops::Range;

use bytes::Bytes;

pub use decode::decode;
pub use encode::encode;
pub use judge::judge;

use super::types;
use crate::chat::{self, Role, Text};
use crate::wire::json::{JsonResult, Kind, Scanner, escaped, splice};

const ASK_USAGE: &[u8] = br#","stream_options":{"include_usage":true}"#;

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

/// The body for an attempt at a target that calls the model `upstream_model`: the client's bytes, but for the model's name
/// and, in a stream, the wish for usage. The same `Bytes` where both stand as they must.
#[must_use]
pub fn pass(request: &chat::Request, upstream_model: &str) -> Bytes {
    let body = &request.body;
    let edits = &request.edits;
    let model = escaped(upstream_model);
    let inside = edits.model.start + 1..edits.model.end.saturating_sub(1);
    let rename = (body.get(inside.clone()) != Some(&model)).then_some((inside, &*model));
    let ask = match &edits.stream_options {
        _ if !request.stream => None,
        // Beside the model, so that the messages keep their distance from the end of the body.
        None => Some((edits.model.end..edits.model.end, ASK_USAGE)),
        Some(options) => ask_usage(body, options),
    };
    Bytes::from(match (rename, ask) {
        (None, None) => return body.clone(),
        (Some(one), None) | (None, Some(one)) => splice(body, &[one]),
        (Some(rename), Some(ask)) if rename.0.start <= ask.0.start => splice(body, &[rename, ask]),
        (Some(rename), Some(ask)) => splice(body, &[ask, rename]),
    })
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

/// The bytes that can change the answer, in order: all but the members that only say how to deliver it. A request for
/// a stream and one for a whole answer have the same.
pub fn cache_view(request: &chat::Request) -> impl Iterator<Item = &[u8]> {
    let [first, second] = &request.edits.without_effect;
    let end = request.body.len();
    // Unused ranges are empty and at the front, so they split off nothing.
    let kept = [0..first.start, first.end..second.start.max(first.end), second.end.max(first.end)..end];
    kept.into_iter().filter_map(|range| request.body.get(range)).filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
mod tests;
