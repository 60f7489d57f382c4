//! The body for a target of the same format: the client's bytes with only what must change rewritten in place.

use std::ops::Range;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{ENCRYPTED, named};
use crate::chat;
use crate::wire::dialect::{Shape, Style};
use crate::wire::json::{List, Object, quote, splice};
use crate::wire::{json, seal};

type Edit = (Range<usize>, Vec<u8>);

/// The body for an attempt at a target of this shape. The client's bytes, but for the model's name, a limit above the
/// target's, and what makes a conversation work without state at the provider: where the client did not speak of `store`,
/// it is set to false and reasoning is asked for in a form that can be sent back. Reasoning that stands in one of our own
/// signatures is written back for the family that can read it, and left out for any other ([`passed_over`] names it).
/// The same `Bytes` where all stands as it must.
#[must_use]
pub fn pass(request: &chat::Request, shape: &Shape<'_>) -> Bytes {
    let body = &request.body;
    let at = |range: &Range<usize>| body.get(range.clone()).unwrap_or_default();
    let mut edits: Vec<Edit> = Vec::new();
    let model = quote(shape.model);
    if at(&request.edits.model) != model {
        edits.push((request.edits.model.clone(), model));
    }
    if let (Some(range), Some(most)) = (named(request, "max_output_tokens"), shape.max_output)
        && request.max_output_tokens.is_some_and(|wish| wish > most)
    {
        edits.push((range, most.to_string().into_bytes()));
    }
    // Beside the model, so that the input keeps its distance from the end of the body.
    let mut added = Vec::new();
    let store = named(request, "store");
    if store.as_ref().is_none_or(|range| at(range) == b"null") {
        match store {
            Some(range) => edits.push((range, b"false".to_vec())),
            None => added.extend_from_slice(br#","store":false"#),
        }
        if shape.reasoning.style != Some(Style::None) {
            match named(request, "include") {
                Some(range) => edits.extend(ask_encrypted(at(&range)).map(|list| (range, list))),
                None => added.extend_from_slice(format!(r#","include":["{ENCRYPTED}"]"#).as_bytes()),
            }
        }
    }
    if !added.is_empty() {
        let end = request.edits.model.end;
        edits.push((end..end, added));
    }
    if named(request, "signed").is_some()
        && let Some((items, _)) = unsigned(at(&request.edits.messages), shape)
    {
        edits.push((request.edits.messages.clone(), items.into_bytes()));
    }
    if edits.is_empty() {
        return body.clone();
    }
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let edits: Vec<(Range<usize>, &[u8])> = edits.iter().map(|(range, new)| (range.clone(), &**new)).collect();
    splice(body, &edits).into()
}

/// What [`pass`] leaves out for a target of this shape: reasoning of another family.
#[must_use]
pub fn passed_over(request: &chat::Request, shape: &Shape<'_>) -> Vec<String> {
    if named(request, "signed").is_none() {
        return Vec::new();
    }
    let input = request.body.get(request.edits.messages.clone()).unwrap_or_default();
    unsigned(input, shape).map(|(_, left_out)| left_out).unwrap_or_default()
}

/// The list `include` with the wish for encrypted reasoning; `None`: it is there.
fn ask_encrypted(include: &[u8]) -> Option<Vec<u8>> {
    let wishes: Option<Vec<&RawValue>> = serde_json::from_slice(include).unwrap_or_default();
    let wishes = wishes.unwrap_or_default();
    if wishes.iter().any(|wish| json::as_text(wish).as_deref() == Some(ENCRYPTED)) {
        return None;
    }
    let mut list = List::new();
    for wish in wishes {
        list.raw(wish.get());
    }
    list.put(ENCRYPTED);
    Some(list.finish().into_bytes())
}

/// The items with every block in a signature of ours as its own family wrote it, or without it; and the places of
/// those left out. The bytes of all others stay.
fn unsigned(input: &[u8], shape: &Shape<'_>) -> Option<(String, Vec<String>)> {
    let items: Vec<&RawValue> = serde_json::from_slice(input).ok()?;
    let (mut list, mut left_out) = (List::new(), Vec::new());
    for (index, item) in items.into_iter().enumerate() {
        let Some(signature) = signature(item) else {
            list.raw(item.get());
            continue;
        };
        let reasoning = seal::unsign(&signature, "");
        match reasoning.and_then(|reasoning| reasoning.seal).filter(|seal| Some(seal.family) == shape.dialect.seals) {
            Some(seal) => list.raw(&resealed(item, &seal)?),
            None => {
                left_out.push(format!("input[{index}]"));
                &mut list
            }
        };
    }
    Some((list.finish(), left_out))
}

/// The item's signature, if it is one of ours.
fn signature(item: &RawValue) -> Option<String> {
    let mut members = json::Members::read(item, "").ok()?;
    members.text("encrypted_content").ok().flatten().filter(|signature| seal::is_ours(signature))
}

/// The item with its own family's seal.
fn resealed(item: &RawValue, seal: &chat::Seal) -> Option<String> {
    let members = json::Members::read(item, "").ok()?;
    let mut object = Object::new();
    for member in members.rest(|_| false) {
        match member.name.as_str() {
            "encrypted_content" => object.put("encrypted_content", &seal.data),
            "id" if seal.id.is_some() => object.put("id", &seal.id),
            name => object.raw(name, member.value.text()),
        };
    }
    Some(object.finish())
}
