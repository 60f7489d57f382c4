//! The body for a target of the same format: the client's bytes with only what must change rewritten in place.

use std::ops::Range;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::encode::reasoning::effort;
use super::{ENCRYPTED, may_reason, named};
use crate::chat::{self, Effort, ReasoningWish};
use crate::wire::dialect::{Shape, Style};
use crate::wire::json::{List, Object, Scanner, quote, splice};
use crate::wire::losses::Losses;
use crate::wire::{json, seal};

/// A client that says nothing of reasoning.
static UNSAID: ReasoningWish = ReasoningWish { effort: None, budget: None, enabled: None, summary: None };

type Edit = (Range<usize>, Vec<u8>);

/// The body for an attempt at a target of this shape: the client's bytes, but for
/// - the model's name, a limit above the target's, a degree of reasoning that its model does not know;
/// - what makes a conversation work without state at the provider: where the client neither speaks of `store` nor leans
///   on state, `store` is set to false and reasoning is asked for in a form that can be sent back. Where the provider is
///   stated to keep nothing, `store` is false whatever the client says;
/// - reasoning in one of our own signatures: written back for the family that can read it, left out for any other; and
///   reasoning that only a provider with state could find again, also left out ([`passed_over`] names both).
///
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
    if let Some((range, Some(reasoning))) =
        named(request, "reasoning").map(|range| (range.clone(), told(at(&range), shape).0))
    {
        edits.push((range, reasoning.into_bytes()));
    }
    // Beside the model, so that the input keeps its distance from the end of the body.
    let mut added = Vec::new();
    let wish = shape.wish(&UNSAID);
    let chosen = effort(&wish, shape, &mut Losses::new(true, shape.format.as_str()));
    let chosen = chosen.filter(|_| request.effort.is_unsaid());
    if let Some(chosen) = chosen {
        added.extend_from_slice(format!(r#","reasoning":{{"effort":"{}"}}"#, chosen.as_str()).as_bytes());
    }
    let store = named(request, "store");
    let unsaid = store.as_ref().is_none_or(|range| at(range) == b"null");
    let stateless = request.state.is_none() && unsaid;
    if stateless || shape.keeps_nothing {
        match store {
            Some(range) if at(&range) == b"false" => {}
            Some(range) => edits.push((range, b"false".to_vec())),
            None => added.extend_from_slice(br#","store":false"#),
        }
    }
    if stateless {
        let wished = named(request, "reasoning").is_some_and(|range| at(&range) != b"null")
            || chosen.is_some_and(|effort| effort != Effort::None);
        if may_reason(shape, wished) {
            match named(request, "include") {
                Some(range) => edits.extend(ask_encrypted(at(&range)).map(|list| (range, list))),
                None => added.extend_from_slice(format!(r#","include":["{ENCRYPTED}"]"#).as_bytes()),
            }
        }
    }
    if shape.reasoning.style == Some(Style::None)
        && let Some(range) = named(request, "include")
    {
        edits.extend(ask_not(at(&range)).map(|list| (range, list)));
    }
    if !added.is_empty() {
        let end = request.edits.model.end;
        edits.push((end..end, added));
    }
    if named(request, "odd_reasoning").is_some()
        && let Some((items, _)) = readable(request, shape)
    {
        edits.push((request.edits.messages.clone(), items));
    }
    if edits.is_empty() {
        return body.clone();
    }
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let edits: Vec<(Range<usize>, &[u8])> = edits.iter().map(|(range, new)| (range.clone(), &**new)).collect();
    splice(body, &edits).into()
}

/// What [`pass`] leaves out for a target of this shape: reasoning of another family, and a wish to reason that its model
/// cannot be told.
#[must_use]
pub fn passed_over(request: &chat::Request, shape: &Shape<'_>) -> Vec<String> {
    let at = |range: &Range<usize>| request.body.get(range.clone()).unwrap_or_default();
    let mut left_out = Vec::new();
    if named(request, "odd_reasoning").is_some()
        && let Some((_, places)) = readable(request, shape)
    {
        left_out = places;
    }
    left_out.extend(named(request, "reasoning").map(|range| told(at(&range), shape).1).unwrap_or_default());
    left_out
}

/// What `reasoning` becomes for a model that cannot be told it as it stands, and what of it is left out.
fn told(reasoning: &[u8], shape: &Shape<'_>) -> (Option<String>, Vec<String>) {
    let Some(members) = std::str::from_utf8(reasoning).ok().and_then(|text| json::Members::of_text(text, "").ok())
    else {
        return (None, Vec::new());
    };
    let members = members.rest(|_| false);
    if shape.reasoning.style == Some(Style::None) {
        let left_out = members.iter().map(|member| format!("reasoning.{}", member.name)).collect();
        return (Some("null".to_owned()), left_out);
    }
    let word = members.iter().find(|member| member.name == "effort").and_then(|member| member.value.read().ok());
    let Some(wished) = word.and_then(Effort::of) else { return (None, Vec::new()) };
    let mut losses = Losses::new(true, shape.format.as_str());
    let wish = ReasoningWish { effort: Some(wished), ..ReasoningWish::default() };
    let fit = effort(&wish, shape, &mut losses);
    if fit == Some(wished) {
        return (None, Vec::new());
    }
    let mut object = Object::new();
    for member in members {
        match (member.name.as_str(), fit) {
            ("effort", Some(fit)) => object.put("effort", fit.as_str()),
            ("effort", None) => &mut object,
            (name, _) => object.raw(name, member.value.text()),
        };
    }
    let left_out = if losses.into_dropped().is_empty() { Vec::new() } else { vec!["reasoning.effort".to_owned()] };
    (Some(object.finish()), left_out)
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

/// The list `include` without the wish for encrypted reasoning, which a model that does not reason refuses; `None`: it is
/// not there.
fn ask_not(include: &[u8]) -> Option<Vec<u8>> {
    let wishes: Vec<&RawValue> = serde_json::from_slice(include).ok()?;
    let (mut list, mut found) = (List::new(), false);
    for wish in wishes {
        match json::as_text(wish).as_deref() {
            Some(ENCRYPTED) => found = true,
            _ => _ = list.raw(wish.get()),
        }
    }
    found.then(|| list.finish().into_bytes())
}

/// The items with all reasoning as this target can read it, or without; and the places of what is left out. The bytes of
/// all others stay, and those between them. `None`: nothing changes.
fn readable(request: &chat::Request, shape: &Shape<'_>) -> Option<(Vec<u8>, Vec<String>)> {
    let input = request.body.get(request.edits.messages.clone())?;
    let mut items = Vec::new();
    let read = Scanner::lenient(input).array(|scanner, _| {
        items.push(scanner.value()?);
        Ok::<_, Box<_>>(())
    });
    read.ok()?;
    let (mut edits, mut left_out, mut kept) = (Vec::new(), Vec::new(), false);
    for (index, range) in items.iter().enumerate() {
        let item: &RawValue = serde_json::from_slice(input.get(range.clone())?).ok()?;
        let seal = match sealed(item) {
            Sealed::No if shape.dialect.seals.is_none() || request.state.is_some() => None,
            Sealed::Other => None,
            Sealed::By(seal) if Some(seal.family) == shape.dialect.seals => Some(seal),
            Sealed::No | Sealed::Open | Sealed::By(_) => {
                left_out.push(format!("input[{index}]"));
                // With the comma before it; while nothing stands before, with the one behind.
                let before = index.checked_sub(1).and_then(|before| items.get(before)).filter(|_| kept);
                let start = before.map_or(range.start, |before| before.end);
                let next = items.get(index + 1).filter(|_| !kept);
                edits.push((start..next.map_or(range.end, |next| next.start), String::new()));
                continue;
            }
        };
        kept = true;
        if let Some(seal) = seal {
            edits.push((range.clone(), resealed(item, &seal)?));
        }
    }
    let cuts: Vec<(Range<usize>, &[u8])> = edits.iter().map(|(range, new)| (range.clone(), new.as_bytes())).collect();
    (!cuts.is_empty()).then(|| (splice(input, &cuts), left_out))
}

/// How an item is sealed.
enum Sealed {
    /// It is reasoning without a seal. OpenAI looks such an item up by its id, and finds nothing where nothing is stored
    /// (github.com/openai/openai-agents-python/issues/919).
    No,
    /// It is reasoning in a signature of ours that holds no seal.
    Open,
    /// It is reasoning in a signature of ours that holds this seal.
    By(chat::Seal),
    /// By its provider, or it is no reasoning.
    Other,
}

fn sealed(item: &RawValue) -> Sealed {
    let Ok(mut members) = json::Members::read(item, "") else { return Sealed::Other };
    if members.text("type").ok().flatten().as_deref() != Some("reasoning") {
        return Sealed::Other;
    }
    match members.text("encrypted_content") {
        Ok(None) => Sealed::No,
        Ok(Some(data)) if seal::is_ours(&data) => {
            seal::unsign(&data, "").and_then(|reasoning| reasoning.seal).map_or(Sealed::Open, Sealed::By)
        }
        _ => Sealed::Other,
    }
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
