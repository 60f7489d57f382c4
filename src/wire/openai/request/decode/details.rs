//! Reasoning as `reasoning_details`: OpenRouter's form, and the one in which seals of every family travel to chat clients
//! and back (<https://openrouter.ai/docs/use-cases/reasoning-tokens>).

use super::named;
use super::parts::signed;
use crate::chat::{Content, Family, Json, Named, Part, Reasoning, Seal, SealKind};
use crate::wire::json::{Members, Misshapen, elements};

/// Reasoning, by where it belongs.
#[derive(Default)]
pub(super) struct Told {
    /// What was thought before the text.
    pub(super) before: Vec<Part>,
    /// Seals of the text.
    pub(super) after: Vec<Part>,
}

/// One entry.
struct Entry {
    kind: String,
    text: String,
    signature: Option<String>,
    data: Option<String>,
    id: Option<String>,
    format: Option<String>,
    index: Option<u64>,
    raw: Json,
}

/// Takes the details out: as reasoning of the family that each entry names, and whole in `others` for a provider whose own form this is.
/// A seal whose id is that of a call goes into the call.
pub(super) fn read(members: &mut Members<'_>, calls: &mut [Part], others: &mut Vec<Named>) -> Result<Told, Misshapen> {
    let mut told = Told::default();
    let Some(raw) = members.raw("reasoning_details") else { return Ok(told) };
    let list = elements(raw, &members.place("reasoning_details"))?;
    if list.is_empty() {
        return Ok(told);
    }
    let mut entries = Vec::new();
    for (path, raw) in list {
        entries.push(entry(Members::read(raw, path)?, Json::from(raw))?);
    }
    told.take(join(entries), calls);
    others.push(named("reasoning_details", Json::from(raw), true));
    Ok(told)
}

fn entry(mut members: Members<'_>, raw: Json) -> Result<Entry, Misshapen> {
    let text = members.text("text")?;
    let summary = members.text("summary")?;
    Ok(Entry {
        kind: members.text("type")?.unwrap_or_default(),
        text: text.or(summary).unwrap_or_default(),
        signature: members.text("signature")?.filter(|signature| !signature.is_empty()),
        data: members.text("data")?,
        id: members.text("id")?,
        format: members.text("format")?,
        index: members.typed("index", "a whole number")?,
        raw,
    })
}

/// Pieces of one text, as a client that keeps a stream's entries has them, become one.
fn join(entries: Vec<Entry>) -> Vec<Entry> {
    let mut joined: Vec<Entry> = Vec::new();
    for entry in entries {
        if let Some(last) = joined.last_mut()
            && (last.kind.as_str(), entry.kind.as_str()) == ("reasoning.text", "reasoning.text")
            && last.signature.is_none()
            && last.index.is_some()
            && (last.index, &last.format) == (entry.index, &entry.format)
        {
            last.text.push_str(&entry.text);
            last.signature = entry.signature;
            continue;
        }
        joined.push(entry);
    }
    joined
}

impl Told {
    fn take(&mut self, entries: Vec<Entry>, calls: &mut [Part]) {
        let mut summary: Vec<Entry> = Vec::new();
        for entry in entries {
            match entry.kind.as_str() {
                "reasoning.summary" => summary.push(entry),
                "reasoning.encrypted" => {
                    let fits = summary
                        .last()
                        .is_some_and(|last| last.format == entry.format && (last.id.is_none() || last.id == entry.id));
                    if !fits {
                        self.unsealed(&mut summary);
                    }
                    let parts: Vec<String> = summary.drain(..).map(|part| part.text).collect();
                    self.encrypted(entry, parts, calls);
                }
                "reasoning.text" => {
                    self.unsealed(&mut summary);
                    self.text(entry);
                }
                _ => {
                    self.unsealed(&mut summary);
                    self.put(Vec::new(), Some(unknown(&entry)));
                }
            }
        }
        self.unsealed(&mut summary);
    }

    fn unsealed(&mut self, summary: &mut Vec<Entry>) {
        if !summary.is_empty() {
            self.put(summary.drain(..).map(|part| part.text).collect(), None);
        }
    }

    fn text(&mut self, entry: Entry) {
        // Entries that name no format have been Anthropic's, the only ones with signatures then.
        let anthropic = entry.format.is_none() || family(entry.format.as_deref()) == Some(Family::Anthropic);
        if entry.signature.is_some() && !anthropic {
            let seal = match family(entry.format.as_deref()) {
                Some(family) => {
                    let data = entry.signature.unwrap_or_default();
                    Seal { family, kind: SealKind::Text, id: entry.id, data }
                }
                None => Seal { kind: SealKind::Text, ..unknown(&entry) },
            };
            return self.put(vec![entry.text], Some(seal));
        }
        self.before.push(Content::Reasoning(signed(entry.text, entry.signature)).into());
    }

    fn encrypted(&mut self, entry: Entry, parts: Vec<String>, calls: &mut [Part]) {
        let (Some(family), Some(data)) = (family(entry.format.as_deref()), entry.data.clone()) else {
            return self.put(parts, Some(unknown(&entry)));
        };
        if family != Family::Gemini {
            let kind = if parts.is_empty() { SealKind::Hidden } else { SealKind::Text };
            return self.put(parts, Some(Seal { family, kind, id: entry.id, data }));
        }
        if !parts.is_empty() {
            self.put(parts, None);
        }
        let seal = |kind, id| Seal { family, kind, id, data };
        for call in calls {
            if let Content::ToolCall(call) = &mut call.content
                && entry.id.as_ref() == Some(&call.id)
            {
                if call.seal.is_none() {
                    call.seal = Some(seal(SealKind::Call, None));
                }
                return;
            }
        }
        let sealed = Reasoning { parts: Vec::new(), seal: Some(seal(SealKind::Answer, entry.id)) };
        self.after.push(Content::Reasoning(sealed).into());
    }

    fn put(&mut self, parts: Vec<String>, seal: Option<Seal>) {
        self.before.push(Content::Reasoning(Reasoning { parts, seal }).into());
    }
}

/// Only the provider of the details can read this one.
fn unknown(entry: &Entry) -> Seal {
    let data = format!("[{}]", entry.raw.text());
    Seal { family: Family::Details, kind: SealKind::Hidden, id: None, data }
}

fn family(format: Option<&str>) -> Option<Family> {
    match format? {
        "anthropic-claude-v1" => Some(Family::Anthropic),
        "openai-responses-v1" => Some(Family::Openai),
        "xai-responses-v1" => Some(Family::Xai),
        "google-gemini-v1" => Some(Family::Gemini),
        _ => None,
    }
}
