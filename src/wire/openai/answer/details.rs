//! OpenRouter's `reasoning_details`: put together from the pieces of a stream, and written for seals of other families.
//!
//! An entry is `reasoning.text`, `reasoning.summary` or `reasoning.encrypted`; in a stream, pieces of one entry share its
//! type and index (openrouter.ai/docs/guides/best-practices/reasoning-tokens).

use crate::chat::{Family, Seal, SealKind};
use crate::wire::json::{JsonError, Kind, List, Object, Scanner};

/// The entries of one block of reasoning so far.
#[derive(Debug, Default)]
pub(crate) struct Details {
    entries: Vec<Entry>,
    /// The list as it came, while it is the only one.
    only: Option<String>,
}

/// One entry.
#[derive(Debug, Default)]
struct Entry {
    /// Names and values, as they came.
    members: Vec<(String, String)>,
    /// The text or summary, all pieces of it, unescaped; its value in `members` only keeps the place.
    words: String,
}

impl Details {
    /// Takes in the next list. Gives the text it holds.
    pub(crate) fn add(&mut self, list: &str) -> String {
        let before = self.entries.len();
        self.only = (before == 0).then(|| list.to_owned());
        let mut said = String::new();
        let read = Scanner::lenient(list.as_bytes()).array(|scanner, _| {
            if !scanner.is(Kind::Object) {
                return scanner.skip();
            }
            let entry = Entry::read(scanner)?;
            said.push_str(&entry.words);
            self.merge(entry, before);
            Ok::<_, Box<JsonError>>(())
        });
        debug_assert!(read.is_ok(), "the list was scanned before");
        said
    }

    /// The whole list, and a new beginning; `None`: nothing came.
    pub(crate) fn take(&mut self) -> Option<String> {
        let entries = std::mem::take(&mut self.entries);
        if let Some(only) = self.only.take() {
            return Some(only);
        }
        let mut list = List::new();
        for entry in &entries {
            list.raw(&entry.write());
        }
        (!entries.is_empty()).then(|| list.finish())
    }

    /// Joins an entry to the one it continues, among the first `before`; entries of one list are apart from each other.
    fn merge(&mut self, entry: Entry, before: usize) {
        let earlier = self.entries.get_mut(..before).unwrap_or_default();
        let same = |one: &&mut Entry| one.get("type") == entry.get("type") && one.get("index") == entry.get("index");
        let continued = earlier.iter_mut().rev().find(same);
        match continued {
            // A signature comes last; what follows it is another block.
            Some(begun) if entry.field().is_some() && (!begun.is_signed() || entry.words.is_empty()) => {
                begun.join(entry);
            }
            // Encrypted entries come whole, some providers' twice.
            Some(begun) if begun.members == entry.members => {}
            _ => self.entries.push(entry),
        }
    }
}

impl Entry {
    fn read(scanner: &mut Scanner<'_>) -> Result<Self, Box<JsonError>> {
        let mut entry = Self::default();
        scanner.object(|scanner, key| {
            let name = std::str::from_utf8(key.name).unwrap_or_default().to_owned();
            if matches!(key.name, b"text" | b"summary") && scanner.is(Kind::String) {
                entry.words = scanner.string()?.text().into_owned();
                entry.members.push((name, String::new()));
                return Ok(());
            }
            let range = scanner.value()?;
            let value = scanner.bytes().get(range).and_then(|bytes| std::str::from_utf8(bytes).ok());
            entry.members.push((name, value.unwrap_or("null").to_owned()));
            Ok::<_, Box<JsonError>>(())
        })?;
        Ok(entry)
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.members.iter().find(|(member, _)| member == name)?;
        (found.1 != "null").then_some(&found.1)
    }

    /// The member whose pieces are joined, by the entry's type.
    fn field(&self) -> Option<&'static str> {
        match self.get("type")? {
            "\"reasoning.text\"" => Some("text"),
            "\"reasoning.summary\"" => Some("summary"),
            _ => None,
        }
    }

    fn is_signed(&self) -> bool {
        self.get("signature").is_some_and(|signature| signature != "\"\"")
    }

    fn join(&mut self, later: Self) {
        self.words.push_str(&later.words);
        for (name, value) in later.members {
            match self.members.iter_mut().find(|(member, _)| *member == name) {
                Some((_, before)) if value != "null" => *before = value,
                Some(_) => {}
                None => self.members.push((name, value)),
            }
        }
    }

    fn write(&self) -> String {
        let (mut object, field) = (Object::new(), self.field());
        for (name, value) in &self.members {
            if Some(name.as_str()) == field || value.is_empty() {
                object.put(name, &self.words);
            } else {
                object.raw(name, value);
            }
        }
        object.finish()
    }
}

/// The entries that carry a block's seal to a chat client and back: complete ones, each with an index of its own, so that
/// a client that joins pieces by index leaves them as they are. `next` is the index of the next one.
///
/// One entry a signature, with the text it signs; for ciphertext first a `reasoning.summary` for each part of the text.
pub(crate) fn entries(parts: &[String], seal: &Seal, next: &mut u32) -> String {
    if seal.family == Family::Details {
        let list = seal.data.trim();
        let inside = list.strip_prefix('[').and_then(|list| list.strip_suffix(']')).unwrap_or_default();
        return inside.trim().to_owned();
    }
    let mut list = String::new();
    let mut put = |kind: &str, text: Option<(&str, &str)>, sealed: Option<(&str, &str)>, id: Option<&str>| {
        let mut entry = Object::new();
        entry.put("type", kind);
        for (name, value) in text.into_iter().chain(sealed) {
            entry.put(name, value);
        }
        entry.put_some("id", id).put("format", format_of(seal.family)).put("index", *next);
        *next = next.saturating_add(1);
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(&entry.finish());
    };
    let signs_text = match seal.family {
        Family::Anthropic => seal.kind == SealKind::Text,
        // A thought without text stays one: as ciphertext it would come back as the seal of the answer.
        Family::Gemini => seal.kind != SealKind::Answer,
        _ => false,
    };
    if signs_text {
        let text = parts.join("\n\n");
        put("reasoning.text", Some(("text", &text)), Some(("signature", &seal.data)), seal.id.as_deref());
        return list;
    }
    for part in parts {
        put("reasoning.summary", Some(("summary", part)), None, seal.id.as_deref());
    }
    put("reasoning.encrypted", None, Some(("data", &seal.data)), seal.id.as_deref());
    list
}

/// OpenRouter's word for whose reasoning it is.
fn format_of(family: Family) -> &'static str {
    match family {
        Family::Anthropic => "anthropic-claude-v1",
        Family::Openai => "openai-responses-v1",
        Family::Xai => "xai-responses-v1",
        Family::Gemini => "google-gemini-v1",
        Family::Details => "unknown",
    }
}
