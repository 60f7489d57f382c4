//! The model's earlier reasoning: back to whom it is of use, and in whose form.

use super::{Writer, quoted};
use crate::chat::{Content, Family, Message, Named, Reasoning, Role, Seal, SealKind};
use crate::wire::dialect::ReasoningBack;
use crate::wire::json::{List, Object};

/// Where Google's compatible endpoint has its signatures.
const EXTRA: &str = "extra_content";

/// What an assistant's message says of its reasoning.
#[derive(Default)]
pub(super) struct Told {
    /// Members of the message, as JSON.
    pub(super) members: Vec<(&'static str, String)>,
    /// A first part of its content (Mistral).
    pub(super) part: Option<String>,
}

impl Told {
    fn is_sealed(&self) -> bool {
        self.members.iter().any(|(name, _)| *name == EXTRA)
    }

    /// Whether a seal stands in what goes back.
    pub(super) fn holds(&self, data: &str) -> bool {
        self.members.iter().any(|(_, json)| json.contains(data))
    }
}

/// The message's other members: those that are not about its reasoning.
pub(super) fn others(writer: &Writer<'_>, message: &Message, told: &mut Told) -> Vec<Named> {
    let sealed = message.parts.iter().any(|part| match &part.content {
        Content::Reasoning(reasoning) => reasoning.seal.as_ref().is_some_and(|seal| seal.family == Family::Gemini),
        _ => false,
    });
    let mut others = message.others.clone();
    others.retain(|other| match other.name.as_str() {
        "reasoning_details" | "reasoning_content" => false,
        // More than the signature stands in it: it goes back as it came, or not at all.
        EXTRA if sealed => writer.own && writer.dialect().seals == Some(Family::Gemini),
        _ => true,
    });
    if others.iter().any(|other| other.name == EXTRA) {
        told.members.retain(|(name, _)| *name != EXTRA);
    }
    others
}

/// Gemini's signature as Google's compatible endpoint has it.
pub(super) fn extra_content(signature: &str) -> String {
    let mut google = Object::new();
    google.put("thought_signature", signature);
    let mut extra = Object::new();
    extra.put("google", google);
    extra.finish()
}

/// What goes back of the reasoning in message `index`. What does not is named, but for text of earlier turns that no model
/// wants.
pub(super) fn of(writer: &mut Writer<'_>, index: usize, message: &Message, path: &str) -> Told {
    let mut told = Told::default();
    let back = writer.dialect().reasoning_back;
    let takes = if back == ReasoningBack::Details { Some(Family::Details) } else { writer.dialect().seals };
    if takes == Some(Family::Details) {
        let whole = message.others.iter().find(|other| other.name == "reasoning_details" && writer.own);
        if let Some(whole) = whole {
            told.members.push(("reasoning_details", whole.value.text().to_owned()));
            // Text that stands beside it and not in it is OpenRouter's summary of what is encrypted: in it already.
            plain(&mut told, back, open_texts(message).next().filter(|_| !has_text(whole.value.text())));
            return told;
        }
    }
    let mut details = List::new();
    for part in &message.parts {
        let Content::Reasoning(Reasoning { seal: Some(seal), .. }) = &part.content else { continue };
        match seal.family {
            Family::Details if takes == Some(Family::Details) => add_details(&mut details, seal),
            // There is room for one.
            Family::Gemini if takes == Some(Family::Gemini) && seal.kind == SealKind::Answer && !told.is_sealed() => {
                told.members.push((EXTRA, extra_content(&seal.data)));
            }
            _ => writer.losses.hint(format!("{path}.reasoning")),
        }
    }
    if !details.is_empty() {
        told.members.push(("reasoning_details", details.finish()));
        return told;
    }
    let wanted = in_tool_turn(writer, index);
    match back {
        ReasoningBack::Parts => told.part = thinking(message),
        ReasoningBack::Never if wanted && open_texts(message).next().is_some() => {
            writer.losses.hint(format!("{path}.reasoning"));
        }
        ReasoningBack::Never => {}
        ReasoningBack::Content | ReasoningBack::Reasoning | ReasoningBack::Details if wanted => {
            let texts: Vec<String> = open_texts(message).collect();
            plain(&mut told, back, (!texts.is_empty()).then(|| texts.join("\n\n")));
            let empty = message.others.iter().find(|other| other.name == "reasoning_content" && writer.own);
            if back == ReasoningBack::Content
                && texts.is_empty()
                && let Some(empty) = empty
            {
                told.members.push(("reasoning_content", empty.value.text().to_owned()));
            }
        }
        ReasoningBack::Content | ReasoningBack::Reasoning | ReasoningBack::Details => {}
    }
    told
}

/// Whether the message calls tools or stands in its turn after such calls. DeepSeek refuses later requests, too, that leave the
/// reasoning out of such a turn, and ignores it in any other (<https://api-docs.deepseek.com/guides/thinking_mode>);
/// a model that wants it only in the current turn leaves it out by its own template. Nothing that follows the message
/// matters, so what was sent once is always sent.
fn in_tool_turn(writer: &Writer<'_>, index: usize) -> bool {
    let so_far = writer.said.messages.iter().take(index + 1).rev();
    so_far.take_while(|message| message.role != Role::User).any(|message| {
        message.role == Role::Tool || message.parts.iter().any(|part| matches!(part.content, Content::ToolCall(_)))
    })
}

/// Reasoning that nobody signed.
fn open_texts(message: &Message) -> impl Iterator<Item = String> {
    message.parts.iter().filter_map(|part| match &part.content {
        Content::Reasoning(reasoning @ Reasoning { seal: None, .. }) if !reasoning.parts.is_empty() => {
            Some(reasoning.text())
        }
        _ => None,
    })
}

fn plain(told: &mut Told, back: ReasoningBack, text: Option<String>) {
    let name = if back == ReasoningBack::Content { "reasoning_content" } else { "reasoning" };
    if let Some(text) = text {
        told.members.push((name, quoted(&text)));
    }
}

fn add_details(details: &mut List, seal: &Seal) {
    let inside = seal.data.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(inside) = inside.filter(|inside| !inside.trim().is_empty()) {
        details.raw(inside);
    }
}

fn has_text(details: &str) -> bool {
    let entries: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(details).unwrap_or_default();
    entries.iter().any(|entry| entry.contains_key("text") || entry.contains_key("summary"))
}

/// Mistral's part.
fn thinking(message: &Message) -> Option<String> {
    let mut pieces = List::new();
    for part in &message.parts {
        let Content::Reasoning(Reasoning { parts, seal: None }) = &part.content else { continue };
        for text in parts {
            let mut piece = Object::new();
            piece.put("type", "text").put("text", text);
            pieces.put(piece);
        }
    }
    if pieces.is_empty() {
        return None;
    }
    let mut thinking = Object::new();
    thinking.put("type", "thinking").raw("thinking", &pieces.finish());
    Some(thinking.finish())
}
