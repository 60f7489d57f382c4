//! What was said, as `contents`: turns of a user and of a model.
//!
//! Messages of one speaker in a row are one turn. Results of tools are a turn apart from what the user says, as the API
//! matches them one to one with the calls of the turn before.

use std::collections::HashMap;

use crate::chat::{
    Content, Conversation, Family, Json, Message, Part, Reasoning, Role, Seal, SealKind, ToolCall, ToolResult,
};
use crate::wire::dialect::Shape;
use crate::wire::gemini::model::Model;
use crate::wire::json::{List, Object};
use crate::wire::losses::{Losses, Unsupported};
use crate::wire::tool_ids;

use super::media;

/// Stands where a signature must but none can be, because another model made the call. Gemini 3 refuses the first call
/// of a turn without one (<https://ai.google.dev/gemini-api/docs/thought-signatures#faqs>).
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Longest number, in characters, that a Struct (a double) surely holds.
const EXACT_DIGITS: usize = 15;

/// `systemInstruction`, if there is something to say in it.
pub(super) fn system(conversation: &Conversation, losses: &mut Losses) -> Result<Option<String>, Unsupported> {
    let mut parts = List::new();
    for (place, message) in conversation.messages.iter().enumerate().filter(|(_, message)| message.role == Role::System)
    {
        let path = format!("messages[{place}]");
        losses.members(&path, &message.others)?;
        for (index, part) in message.parts.iter().enumerate() {
            let path = format!("{path}.content[{index}]");
            losses.members(&path, &part.others)?;
            match &part.content {
                Content::Text(text) if text.is_empty() => {}
                Content::Text(text) => {
                    parts.raw(&text_part(text).finish());
                }
                _ => losses.meaning(path)?,
            }
        }
    }
    if parts.is_empty() {
        return Ok(None);
    }
    let mut system = Object::new();
    system.raw("parts", &parts.finish());
    Ok(Some(system.finish()))
}

/// `contents`.
pub(super) fn write(
    conversation: &Conversation,
    shape: &Shape<'_>,
    model: Model,
    losses: &mut Losses,
) -> Result<String, Unsupported> {
    let (done, turn) = (List::new(), Turn::new(Speaker::User));
    let mut contents = Contents { called: HashMap::new(), shape, model, losses, done, turn, seal: None };
    for (place, message) in conversation.messages.iter().enumerate() {
        contents.message(place, message)?;
    }
    contents.switch(None);
    if contents.done.is_empty() {
        // Without a turn there is no answer; an empty one is accepted.
        let mut turn = Turn::new(Speaker::User);
        turn.parts.push(text_part(""));
        contents.done.raw(&turn.finish());
    }
    Ok(contents.done.finish())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaker {
    User,
    Model,
    Tool,
}

struct Turn {
    speaker: Speaker,
    parts: Vec<Object>,
    /// Whether the last part is text that bears no signature yet.
    unsigned_text: bool,
    /// Whether there is a call.
    called: bool,
    /// Media of tools' results that can only stand in a turn of the user's.
    after: Vec<Object>,
}

impl Turn {
    fn new(speaker: Speaker) -> Self {
        Self { speaker, parts: Vec::new(), unsigned_text: false, called: false, after: Vec::new() }
    }

    fn push(&mut self, part: Object) {
        self.unsigned_text = false;
        self.parts.push(part);
    }

    fn finish(self) -> String {
        let mut parts = List::new();
        for part in self.parts {
            parts.raw(&part.finish());
        }
        let mut turn = Object::new();
        turn.put("role", if self.speaker == Speaker::Model { "model" } else { "user" });
        turn.raw("parts", &parts.finish());
        turn.finish()
    }
}

struct Contents<'a> {
    /// Names of the tools that were called so far, by the calls' ids. What is called later is no business of a result.
    called: HashMap<&'a str, &'a str>,
    shape: &'a Shape<'a>,
    model: Model,
    losses: &'a mut Losses,
    done: List,
    turn: Turn,
    /// A signature that came apart from its call, which follows.
    seal: Option<&'a Seal>,
}

impl<'a> Contents<'a> {
    /// Ends the turn unless this speaker goes on.
    fn switch(&mut self, to: Option<Speaker>) {
        if to == Some(self.turn.speaker) {
            return;
        }
        let mut turn = std::mem::replace(&mut self.turn, Turn::new(to.unwrap_or(Speaker::User)));
        let after = std::mem::take(&mut turn.after);
        if !turn.parts.is_empty() {
            self.done.raw(&turn.finish());
        }
        if !after.is_empty() {
            let mut shown = Turn::new(Speaker::User);
            shown.parts = after;
            if to == Some(Speaker::User) {
                self.turn = shown;
            } else {
                self.done.raw(&shown.finish());
            }
        }
    }

    fn message(&mut self, place: usize, message: &'a Message) -> Result<(), Unsupported> {
        let speaker = match message.role {
            Role::System => return Ok(()),
            Role::User => Speaker::User,
            Role::Assistant => Speaker::Model,
            Role::Tool => Speaker::Tool,
        };
        self.switch(Some(speaker));
        let path = format!("messages[{place}]");
        self.losses.members(&path, &message.others)?;
        for (index, part) in message.parts.iter().enumerate() {
            self.part(&format!("{path}.content[{index}]"), part)?;
        }
        if let Some(seal) = self.seal.take() {
            // Its call is gone.
            self.losses.hint(format!("{path}.{}", word(seal)));
        }
        if speaker == Speaker::User && self.turn.parts.is_empty() {
            self.turn.push(text_part(""));
        }
        Ok(())
    }

    fn part(&mut self, path: &str, part: &'a Part) -> Result<(), Unsupported> {
        self.losses.members(path, &part.others)?;
        match &part.content {
            Content::Text(text) | Content::Refusal(text) => {
                // The model's empty text says nothing, and beside calls the clients always send one.
                if !text.is_empty() || self.turn.speaker == Speaker::User {
                    self.turn.push(text_part(text));
                    self.turn.unsigned_text = true;
                }
            }
            Content::Image(media) | Content::Document(media) | Content::Audio(media) => {
                if let Some(part) = media::part(media, path, self.shape, self.losses)? {
                    self.turn.push(part);
                }
            }
            Content::Reasoning(reasoning) => self.reasoning(path, reasoning),
            Content::ToolCall(call) => self.call(path, call)?,
            Content::ToolResult(result) => self.result(path, result)?,
            Content::Opaque(_) => self.losses.meaning(path)?,
        }
        Ok(())
    }

    fn reasoning(&mut self, path: &str, reasoning: &'a Reasoning) {
        let Some(seal) = reasoning.seal.as_ref().filter(|seal| seal.family == Family::Gemini) else {
            return self.losses.hint(path);
        };
        match seal.kind {
            SealKind::Call => self.seal = Some(seal),
            SealKind::Answer => {
                let last = self.turn.parts.last_mut().filter(|_| self.turn.unsigned_text);
                if let Some(text) = last {
                    text.put("thoughtSignature", &seal.data);
                    self.turn.unsigned_text = false;
                } else {
                    let mut part = text_part("");
                    part.put("thoughtSignature", &seal.data);
                    self.turn.push(part);
                }
            }
            SealKind::Text | SealKind::Hidden => {
                let mut part = text_part(&reasoning.text());
                part.put("thought", true).put("thoughtSignature", &seal.data);
                self.turn.push(part);
            }
        }
    }

    fn call(&mut self, path: &str, call: &'a ToolCall) -> Result<(), Unsupported> {
        let mut said = Object::new();
        let id = tool_ids::fit(&call.id, self.shape.dialect.tool_ids);
        said.put_some("id", Some(id).filter(|id| !id.is_empty())).put("name", &call.name);
        match object(&call.arguments) {
            Some(arguments) => said.raw("args", arguments.text()),
            None => {
                if !call.arguments.trim().is_empty() {
                    self.losses.meaning(format!("{path}.arguments"))?;
                }
                said.raw("args", "{}")
            }
        };
        let mut part = Object::new();
        part.raw("functionCall", &said.finish());
        let seal = call.seal.as_ref().or(self.seal.take());
        match seal.filter(|seal| seal.family == Family::Gemini) {
            Some(seal) => {
                part.put("thoughtSignature", &seal.data);
            }
            None => {
                if let Some(foreign) = seal {
                    self.losses.hint(format!("{path}.{}", word(foreign)));
                }
                // Of several calls at once only the first bears a signature.
                if !self.turn.called && !self.model.older {
                    part.put("thoughtSignature", NO_SIGNATURE);
                }
            }
        }
        self.turn.called = true;
        self.called.insert(&call.id, &call.name);
        self.turn.push(part);
        Ok(())
    }

    fn result(&mut self, path: &str, result: &ToolResult) -> Result<(), Unsupported> {
        let Some(&name) = self.called.get(result.id.as_str()) else {
            return self.losses.meaning(format!("{path}.tool_call_id"));
        };
        let (mut texts, mut media) = (Vec::new(), List::new());
        for (index, part) in result.parts.iter().enumerate() {
            let path = format!("{path}.content[{index}]");
            self.losses.members(&path, &part.others)?;
            match &part.content {
                Content::Text(text) => texts.push(text.as_str()),
                Content::Image(shown) | Content::Document(shown) | Content::Audio(shown) => {
                    let Some(part) = media::part(shown, &path, self.shape, self.losses)? else { continue };
                    if !self.model.older && media::fits_result(shown) {
                        media.raw(&part.finish());
                    } else {
                        self.turn.after.push(part);
                    }
                }
                _ => self.losses.meaning(path)?,
            }
        }
        let mut said = Object::new();
        let id = tool_ids::fit(&result.id, self.shape.dialect.tool_ids);
        said.put_some("id", Some(id).filter(|id| !id.is_empty())).put("name", name);
        said.raw("response", &response(&texts, result.is_error));
        if !media.is_empty() {
            said.raw("parts", &media.finish());
        }
        let mut part = Object::new();
        part.raw("functionResponse", &said.finish());
        self.turn.push(part);
        Ok(())
    }
}

/// A result as the object it must be: `{"result": …}` or `{"error": …}`. A text that is a JSON object stays one, unless
/// its numbers would suffer (the API keeps them as doubles) or it names a member that means something here
/// (<https://ai.google.dev/api/caching#FunctionResponse>).
fn response(texts: &[&str], is_error: bool) -> String {
    let mut response = Object::new();
    let name = if is_error { "error" } else { "result" };
    match texts {
        [] => response.put(name, ""),
        [text] => match object(text).filter(|json| exact(json.text())) {
            Some(json) if is_error || reserved(&json) => response.raw(name, json.text()),
            Some(json) => return json.text().to_owned(),
            None => response.put(name, text),
        },
        several => response.put(name, several),
    };
    response.finish()
}

fn object(text: &str) -> Option<Json> {
    text.trim_start().starts_with('{').then(|| Json::new(text.to_owned()).ok()).flatten()
}

fn reserved(object: &Json) -> bool {
    #[derive(serde::Deserialize)]
    struct Reserved {
        output: Option<serde::de::IgnoredAny>,
        error: Option<serde::de::IgnoredAny>,
    }
    // What names one of them twice is none of ours to read either.
    object.read::<Reserved>().map_or(true, |found| found.output.is_some() || found.error.is_some())
}

/// Whether every number of this JSON is short enough for a double.
fn exact(json: &str) -> bool {
    let (mut inside, mut escaped, mut digits) = (false, false, 0);
    for byte in json.bytes() {
        if inside {
            inside = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        digits = match byte {
            b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E' => digits + 1,
            _ => 0,
        };
        if digits > EXACT_DIGITS {
            return false;
        }
        inside = byte == b'"';
    }
    true
}

fn text_part(text: &str) -> Object {
    let mut part = Object::new();
    part.put("text", text);
    part
}

/// What a seal is called in the clients' formats.
fn word(seal: &Seal) -> &'static str {
    match seal.family {
        Family::Gemini => "extra_content.google.thought_signature",
        Family::Details => "reasoning_details",
        Family::Anthropic | Family::Openai | Family::Xai => "signature",
    }
}
