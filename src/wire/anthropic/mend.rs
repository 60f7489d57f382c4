//! A provider's own messages made to fit the format's types, where the provider breaks its format: only the fields at fault
//! are touched, and every other byte passes.
//!
//! What must be there and is not (a thinking block's `signature` from llama.cpp, `web_fetch_requests` in older answers,
//! …) is put in with its empty value; what must be of one type and is of another becomes that or null. Words that the
//! official clients do not know yet pass, since a newer client does: types of blocks, `stop_reason`, `stop_details.category`.
//! Only Chat's words for a `stop_reason` are put right, and unknown service tiers and speeds become null.

mod shapes;

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use shapes::{Member, Want};

use super::answer::{input, words};
use crate::wire::json::{JsonError, JsonResult, Kind, Object, Scanner, splice};
use crate::wire::stream::AnswerError;

/// A whole message, mended; the same bytes where nothing is wrong.
///
/// # Errors
/// The body is not JSON, or an error.
pub fn whole(body: Bytes) -> Result<Bytes, AnswerError> {
    let mut scanner = Scanner::lenient(&body);
    if !scanner.is(Kind::Object) {
        scanner.skip()?;
        return Err(AnswerError::Shape("it is no object".to_owned()));
    }
    // A body without content is an error or nothing; neither may become an empty answer.
    match top(&body)? {
        Top { failed: true, .. } => return Err(AnswerError::Provider(words::error(&body))),
        Top { content: false, .. } => return Err(AnswerError::NoChoices),
        Top { .. } => {}
    }
    let mut edits = Vec::new();
    object(&mut scanner, shapes::MESSAGE, &mut edits)?;
    Ok(apply(&body, edits).map_or(body, Bytes::from))
}

/// One event's data, mended; `None`: it is fine as it is, unknown, or beyond mending.
#[must_use]
pub fn event(data: &[u8]) -> Option<Vec<u8>> {
    let mut scanner = Scanner::lenient(data);
    if !scanner.is(Kind::Object) {
        return None;
    }
    let shape = shapes::event(&kind_of(&scanner)?)?;
    let mut edits = Vec::new();
    object(&mut scanner, shape, &mut edits).ok()?;
    apply(data, edits)
}

/// What a body is.
#[derive(Default)]
struct Top {
    content: bool,
    failed: bool,
}

fn top(body: &[u8]) -> JsonResult<Top> {
    let mut top = Top::default();
    let mut scanner = Scanner::lenient(body);
    scanner.object(|scanner, key| {
        match key.name {
            b"content" => top.content = true,
            b"error" => top.failed |= !scanner.is(Kind::Null),
            b"type" => {
                top.failed |= words::text(scanner)?.is_some_and(|kind| kind.raw() == b"error");
                return Ok(());
            }
            _ => {}
        }
        scanner.skip()?;
        Ok::<_, Box<JsonError>>(())
    })?;
    scanner.end()?;
    Ok(top)
}

type Edits = Vec<(Range<usize>, Cow<'static, str>)>;

fn apply(bytes: &[u8], mut edits: Edits) -> Option<Vec<u8>> {
    if edits.is_empty() {
        return None;
    }
    // What an object lacks is known only at its end and goes to its beginning.
    edits.sort_by_key(|(range, _)| range.start);
    let edits: Vec<_> = edits.iter().map(|(range, new)| (range.clone(), new.as_bytes())).collect();
    Some(splice(bytes, &edits))
}

fn object(scanner: &mut Scanner<'_>, shape: &[Member], edits: &mut Edits) -> JsonResult<()> {
    let inside = scanner.position() + 1;
    let (mut seen, mut empty) = (0u32, true);
    scanner.object(|scanner, key| {
        empty = false;
        let Some(at) = shape.iter().position(|member| member.name.as_bytes() == key.name) else {
            return scanner.skip();
        };
        seen |= 1 << at;
        value(scanner, shape[at].want, edits)
    })?;
    let mut missing = String::new();
    for (at, member) in shape.iter().enumerate() {
        if seen & 1 << at == 0
            && let Some(new) = default(member.want)
        {
            let comma = if missing.is_empty() { "" } else { "," };
            missing = format!("{missing}{comma}\"{}\":{new}", member.name);
        }
    }
    if !missing.is_empty() {
        if !empty {
            missing.push(',');
        }
        edits.push((inside..inside, Cow::Owned(missing)));
    }
    Ok(())
}

fn value(scanner: &mut Scanner<'_>, want: Want, edits: &mut Edits) -> JsonResult<()> {
    let kind = scanner.kind()?;
    match (want, kind) {
        (Want::Text | Want::MaybeText, Kind::String) | (Want::Count | Want::MaybeCount, Kind::Number) => scanner.skip(),
        (Want::Object(shape) | Want::MaybeObject(shape), Kind::Object) => object(scanner, shape, edits),
        (Want::Input, Kind::Object) => scanner.skip(),
        // Some servers give the arguments as the text they are elsewhere.
        (Want::Input, Kind::String) => {
            let text = scanner.string()?;
            edits.push((text.span(), Cow::Owned(input(&text.text()))));
            Ok(())
        }
        (Want::Word(word), Kind::String) => {
            let text = scanner.string()?;
            if text.raw() != word.as_bytes() {
                edits.push((text.span(), Cow::Owned(format!("\"{word}\""))));
            }
            Ok(())
        }
        (Want::MaybeWord(known), Kind::String) => {
            let text = scanner.string()?;
            if !known.iter().any(|word| text.raw() == word.as_bytes()) {
                edits.push((text.span(), Cow::Borrowed("null")));
            }
            Ok(())
        }
        (Want::Reason, Kind::String) => {
            let text = scanner.string()?;
            if let Some(word) = words::canonical(text.raw())
                && word.as_bytes() != text.raw()
            {
                edits.push((text.span(), Cow::Owned(format!("\"{word}\""))));
            }
            Ok(())
        }
        (Want::Blocks, Kind::Array) => scanner.array(|scanner, _| value(scanner, Want::Block, edits)),
        (Want::Blocks, Kind::String) => {
            let range = scanner.value()?;
            edits.push((range.start..range.start, Cow::Borrowed(r#"[{"type":"text","text":"#)));
            edits.push((range.end..range.end, Cow::Borrowed("}]")));
            Ok(())
        }
        (Want::Block | Want::Delta, Kind::Object) => {
            let shape = kind_of(scanner).and_then(|kind| match want {
                Want::Block => shapes::block(&kind),
                _ => shapes::delta(&kind),
            });
            match shape {
                Some(shape) => object(scanner, shape, edits),
                None => scanner.skip(),
            }
        }
        (Want::Block | Want::Delta, _) => scanner.skip(),
        (_, Kind::Null) if default(want).is_none() => scanner.skip(),
        _ => {
            let range = scanner.value()?;
            edits.push((range, default(want).unwrap_or(Cow::Borrowed("null"))));
            Ok(())
        }
    }
}

/// What stands for a value that must be there and is not; `None`: it need not be.
fn default(want: Want) -> Option<Cow<'static, str>> {
    Some(match want {
        Want::Text => Cow::Borrowed("\"\""),
        Want::Count => Cow::Borrowed("0"),
        Want::Input => Cow::Borrowed("{}"),
        Want::Blocks => Cow::Borrowed("[]"),
        Want::Word(word) => Cow::Owned(format!("\"{word}\"")),
        Want::Object(shape) => {
            let mut object = Object::new();
            for member in shape {
                if let Some(new) = default(member.want) {
                    object.raw(member.name, &new);
                }
            }
            Cow::Owned(object.finish())
        }
        Want::Block | Want::Delta | Want::Reason => return None,
        Want::MaybeText | Want::MaybeCount | Want::MaybeWord(_) | Want::MaybeObject(_) => return None,
    })
}

/// The `type` of the object that stands next.
fn kind_of<'a>(scanner: &Scanner<'a>) -> Option<Cow<'a, [u8]>> {
    const FIRST: &[u8] = b"{\"type\":\"";
    let rest = scanner.bytes().get(scanner.position()..)?;
    // As nearly all write it.
    if let Some(rest) = rest.strip_prefix(FIRST)
        && let Some(end) = memchr::memchr2(b'"', b'\\', rest)
        && rest.get(end) == Some(&b'"')
    {
        return rest.get(..end).map(Cow::Borrowed);
    }
    let mut kind = None;
    Scanner::lenient(rest)
        .object(|scanner, key| {
            if key.name == b"type" {
                kind = words::text(scanner)?;
                return Ok(());
            }
            scanner.skip()?;
            Ok::<_, Box<JsonError>>(())
        })
        .ok()?;
    kind.map(|kind| kind.bytes())
}

#[cfg(test)]
mod tests;
