//! Corrects JSON in place to a shape: what is missing is put in, what cannot be read as its type is replaced, and every
//! other byte stays.

use std::ops::Range;

use crate::wire::json::{JsonError, JsonResult, Kind, Scanner, quote, splice};

/// What a value must look like.
#[derive(Debug)]
pub(super) enum Shape {
    /// Anything.
    Any,
    /// An object with these members, and any others.
    Object(&'static [Member]),
    /// A list of such values.
    List(&'static Shape),
    /// An object whose `type` says which; other types are left alone.
    Tagged(&'static [(&'static str, Shape)]),
    /// An object of nothing but texts: any other value becomes the text of its JSON, null an empty one.
    Texts,
    /// One of these texts; the pairs are misspellings, and anything else becomes the last.
    Word(&'static [&'static str], &'static [(&'static str, &'static str)], &'static str),
}

/// A member of an object.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) need: Need,
    pub(super) shape: Shape,
}

/// Whether a member must be there.
#[derive(Debug)]
pub(super) enum Need {
    /// It may be absent or null; if it is there it has its shape.
    No,
    /// It must be of the kind of this JSON, which else stands in its place.
    Json(&'static str),
    /// It must be there and not null; whoever calls says what else stands in its place.
    Given(Given, &'static str),
}

/// What only the caller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// The event's number in the stream.
    Sequence,
    /// The id of the item at that place of the output.
    Item,
    /// The cost of the usage. Not said where there is none.
    Cost,
    /// The sum of input and output tokens.
    Total,
    /// What the request said under this name.
    Echo(&'static str),
}

/// Who fills in what is [`Given`]: the members of the object so far, and its place in its list.
pub(super) type Fill<'f> = &'f dyn Fn(Given, &Found<'_>, usize) -> Option<String>;

/// The members of an object: name and value. Names are taken as written; nobody writes these with escapes.
pub(super) struct Found<'a> {
    bytes: &'a [u8],
    members: Vec<(&'a [u8], Range<usize>)>,
    /// Where the closing brace stands.
    end: usize,
}

impl<'a> Found<'a> {
    /// The members of the object that `bytes` is.
    pub(super) fn read(bytes: &'a [u8]) -> JsonResult<Self> {
        let mut members = Vec::new();
        let mut scanner = Scanner::lenient(bytes);
        scanner.object(|scanner, key| {
            let name = key.span().start + 1..key.span().end - 1;
            members.push((bytes.get(name).unwrap_or_default(), scanner.value()?));
            Ok::<_, Box<JsonError>>(())
        })?;
        let end = scanner.position() - 1;
        scanner.end()?;
        Ok(Self { bytes, members, end })
    }

    fn place(&self, name: &str) -> Option<Range<usize>> {
        self.members.iter().rfind(|(key, _)| *key == name.as_bytes()).map(|(_, place)| place.clone())
    }

    /// A member's bytes.
    pub(super) fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.bytes.get(self.place(name)?)
    }

    /// A member's text, escapes and all.
    pub(super) fn word(&self, name: &str) -> Option<&'a str> {
        let inside = self.get(name)?.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        std::str::from_utf8(inside).ok()
    }

    /// A member that is a natural number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        std::str::from_utf8(self.get(name)?).ok()?.parse().ok()
    }
}

/// `bytes` corrected; `None`: nothing is wrong with them.
///
/// # Errors
/// They are not JSON.
pub(super) fn mend(bytes: &[u8], shape: &Shape, fill: Fill<'_>) -> JsonResult<Option<Vec<u8>>> {
    let mut edits = Vec::new();
    walk(bytes, 0, shape, 0, fill, &mut edits)?;
    if edits.is_empty() {
        return Ok(None);
    }
    let edits: Vec<(Range<usize>, &[u8])> = edits.iter().map(|(range, new)| (range.clone(), new.as_slice())).collect();
    Ok(Some(splice(bytes, &edits)))
}

type Edits = Vec<(Range<usize>, Vec<u8>)>;

/// Notes what is to be corrected in a value that begins at `base` of all bytes. Edits come in order: nothing inside a value
/// that is replaced is looked at.
fn walk(bytes: &[u8], base: usize, shape: &Shape, place: usize, fill: Fill<'_>, edits: &mut Edits) -> JsonResult<()> {
    match shape {
        Shape::Any => {}
        Shape::Object(members) if kind(bytes) == Some(Kind::Object) => {
            object(&Found::read(bytes)?, base, members, place, fill, edits)?;
        }
        Shape::Tagged(sorts) if kind(bytes) == Some(Kind::Object) => {
            let found = Found::read(bytes)?;
            let sort = found.word("type");
            if let Some((_, Shape::Object(members))) = sorts.iter().find(|(name, _)| Some(*name) == sort) {
                object(&found, base, members, place, fill, edits)?;
            }
        }
        Shape::List(of) if kind(bytes) == Some(Kind::Array) => {
            let mut values = Vec::new();
            Scanner::lenient(bytes).array(|scanner, _| {
                values.push(scanner.value()?);
                Ok::<_, Box<JsonError>>(())
            })?;
            for (place, value) in values.into_iter().enumerate() {
                let start = base + value.start;
                walk(bytes.get(value).unwrap_or_default(), start, of, place, fill, edits)?;
            }
        }
        Shape::Texts if kind(bytes) == Some(Kind::Object) => {
            for (_, value) in Found::read(bytes)?.members {
                let text = bytes.get(value.clone()).unwrap_or_default();
                if kind(text) != Some(Kind::String) {
                    let text = if text == b"null" { "" } else { std::str::from_utf8(text).unwrap_or_default() };
                    edits.push((base + value.start..base + value.end, quote(text)));
                }
            }
        }
        Shape::Word(known, misspelt, other) if kind(bytes) == Some(Kind::String) => {
            let inside = bytes.get(1..bytes.len().saturating_sub(1)).unwrap_or_default();
            if !known.iter().any(|word| word.as_bytes() == inside) {
                let meant = misspelt.iter().find(|(word, _)| word.as_bytes() == inside);
                let meant = meant.map_or_else(|| other.as_bytes().to_vec(), |(_, meant)| quote(meant));
                edits.push((base..base + bytes.len(), meant));
            }
        }
        _ => {}
    }
    Ok(())
}

fn object(
    found: &Found<'_>,
    base: usize,
    members: &[Member],
    place: usize,
    fill: Fill<'_>,
    edits: &mut Edits,
) -> JsonResult<()> {
    let mut changed: Edits = Vec::new();
    let mut missing = Vec::new();
    for member in members {
        let value = found.place(member.name);
        let bytes = value.clone().and_then(|value| found.bytes.get(value));
        let Some((value, bytes)) = value.zip(bytes) else {
            if let Some(json) = member.need.json(found, place, fill) {
                let first = missing.is_empty() && found.members.is_empty();
                missing.extend_from_slice(if first { b"\"" } else { b",\"" });
                missing.extend_from_slice(member.name.as_bytes());
                missing.extend_from_slice(b"\":");
                missing.extend_from_slice(json.as_bytes());
            }
            continue;
        };
        let range = base + value.start..base + value.end;
        if member.need.met_by(bytes) {
            walk(bytes, range.start, &member.shape, place, fill, &mut changed)?;
        } else if let Some(new) = member.need.instead_of(bytes, found, place, fill) {
            changed.push((range, new));
        }
    }
    changed.sort_by_key(|(range, _)| range.start);
    edits.append(&mut changed);
    if !missing.is_empty() {
        edits.push((base + found.end..base + found.end, missing));
    }
    Ok(())
}

impl Need {
    fn met_by(&self, value: &[u8]) -> bool {
        match self {
            Self::No => true,
            Self::Json(json) => kind(value) == kind(json.as_bytes()),
            Self::Given(Given::Cost, _) => false,
            Self::Given(..) => value != b"null",
        }
    }

    /// What stands where the member is missing.
    fn json(&self, found: &Found<'_>, place: usize, fill: Fill<'_>) -> Option<String> {
        match self {
            Self::No => None,
            Self::Json(json) => Some((*json).to_owned()),
            Self::Given(Given::Cost, _) => fill(Given::Cost, found, place),
            Self::Given(given, json) => Some(fill(*given, found, place).unwrap_or_else(|| (*json).to_owned())),
        }
    }

    /// What stands where this value cannot: arguments that are no text are the text of their JSON.
    fn instead_of(&self, value: &[u8], found: &Found<'_>, place: usize, fill: Fill<'_>) -> Option<Vec<u8>> {
        match (self, kind(value)) {
            (Self::Json("\"\""), Some(Kind::Object | Kind::Array | Kind::Number)) => {
                Some(quote(std::str::from_utf8(value).unwrap_or_default()))
            }
            _ => self.json(found, place, fill).map(String::into_bytes),
        }
    }
}

/// What a valid value is, by its first byte.
fn kind(value: &[u8]) -> Option<Kind> {
    Scanner::lenient(value).kind().ok()
}
