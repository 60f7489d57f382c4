//! The messages: who said what, the model's reasoning and calls, the tools' results.

use serde_json::value::RawValue;

use super::{details, named, parts, switch};
use crate::chat::{Content, Family, Json, Message, Named, Part, Reasoning, Role, Seal, SealKind, ToolCall, ToolResult};
use crate::wire::json::{Members, Misshapen, as_text};
use crate::wire::openai::types;

/// Members of a message that cannot change what an answer says.
const HINTS: [&str; 7] = [
    "name",
    "cache_control",
    "annotations",
    "extra_content",
    "reasoning_details",
    "reasoning_content",
    "provider_specific_fields",
];

/// Reads the list of messages.
pub(super) fn read(list: Vec<(String, &RawValue)>) -> Result<Vec<Message>, Misshapen> {
    let mut reader = Reader::default();
    list.into_iter().enumerate().map(|(index, (path, raw))| reader.message(index, Members::read(raw, path)?)).collect()
}

/// What earlier messages tell about later ones.
#[derive(Default)]
struct Reader {
    /// Calls without a result yet, id and name: older forms of a result do not name the call's id.
    open: Vec<(String, String)>,
}

impl Reader {
    fn message(&mut self, index: usize, mut members: Members<'_>) -> Result<Message, Misshapen> {
        let word = members.required_text("role")?;
        let Some(role) = types::role(word.as_bytes()) else {
            return Err(Misshapen::new(members.place("role"), "is not a role that is known"));
        };
        let content = parts::content(&mut members, "content")?;
        let (mut said, mut others) = match role {
            Role::Tool => (vec![self.result(content, &mut members)?], Vec::new()),
            Role::Assistant => self.assistant(index, content, &mut members)?,
            Role::System | Role::User => (content, Vec::new()),
        };
        mark_last(&mut members, &mut said);
        others.extend(members.rest(|name| HINTS.contains(&name)).into_iter().map(switch));
        Ok(Message { role, parts: said, others })
    }

    fn result(&mut self, parts: Vec<Part>, members: &mut Members<'_>) -> Result<Part, Misshapen> {
        let id = match members.text("tool_call_id")? {
            Some(id) => id,
            None => self.open_call(members)?,
        };
        self.open.retain(|(open, _)| *open != id);
        Ok(Content::ToolResult(ToolResult { id, parts, is_error: false }).into())
    }

    /// The call that a result without an id belongs to: of the same name, else the first that is open.
    fn open_call(&self, members: &mut Members<'_>) -> Result<String, Misshapen> {
        let name = members.text("name")?;
        let found = match &name {
            Some(name) => self.open.iter().find(|(_, open)| open == name),
            None => self.open.first(),
        };
        found
            .map(|(id, _)| id.clone())
            .ok_or_else(|| Misshapen::new(members.place("tool_call_id"), "is missing; it must be a text"))
    }

    fn assistant(
        &mut self,
        index: usize,
        content: Vec<Part>,
        members: &mut Members<'_>,
    ) -> Result<(Vec<Part>, Vec<Named>), Misshapen> {
        let mut others = Vec::new();
        let mut calls = self.calls(index, members)?;
        let told = details::read(members, &mut calls, &mut others)?;
        let mut said = told.before;
        plain_reasoning(members, &mut said, &mut others)?;
        said.extend(content);
        if let Some(refusal) = members.text("refusal")? {
            said.push(Content::Refusal(refusal).into());
        }
        said.extend(told.after);
        if let Some((seal, rest)) = signature(members, SealKind::Answer)? {
            said.push(Content::Reasoning(Reasoning { parts: Vec::new(), seal: Some(seal) }).into());
            others.extend(rest);
        }
        self.open.clear();
        for call in &calls {
            if let Content::ToolCall(call) = &call.content {
                self.open.push((call.id.clone(), call.name.clone()));
            }
        }
        said.extend(calls);
        Ok((said, others))
    }

    fn calls(&self, index: usize, members: &mut Members<'_>) -> Result<Vec<Part>, Misshapen> {
        let mut calls = Vec::new();
        for (path, raw) in members.list("tool_calls")?.unwrap_or_default() {
            calls.push(call(path, raw)?);
        }
        if let Some(mut legacy) = members.object("function_call")? {
            let name = legacy.required_text("name")?;
            let arguments = legacy.text("arguments")?.unwrap_or_default();
            // The older form has no ids: the message's place gives one, always the same.
            let id = format!("function_call_{index}");
            calls.push(Content::ToolCall(ToolCall { id, name, arguments, seal: None }).into());
        }
        Ok(calls)
    }
}

fn call(path: String, raw: &RawValue) -> Result<Part, Misshapen> {
    let mut members = Members::read(raw, path)?;
    let kind = members.text("type")?;
    let Some(mut function) = members.object("function")? else {
        // `custom`, and whatever may come.
        return match kind.as_deref() {
            None | Some("function") => {
                Err(Misshapen::new(members.place("function"), "is missing; it must be an object"))
            }
            Some(_) => Ok(Content::Opaque(Json::from(raw)).into()),
        };
    };
    // Without an id its result could not be told from another's, and every format wants one.
    let id = members.required_text("id")?;
    if id.is_empty() {
        return Err(Misshapen::new(members.place("id"), "must not be empty"));
    }
    let name = function.required_text("name")?;
    let arguments = arguments(&mut function)?;
    let mut others = Vec::new();
    let mut seal = None;
    if let Some((found, rest)) = signature(&mut members, SealKind::Call)? {
        seal = Some(found);
        others.extend(rest);
    }
    super::dotted(function, "function", true, &mut others);
    others.extend(members.rest(|_| true));
    Ok(Part { content: Content::ToolCall(ToolCall { id, name, arguments, seal }), others })
}

/// The arguments' text. Some clients send the object itself.
fn arguments(function: &mut Members<'_>) -> Result<String, Misshapen> {
    match function.raw("arguments") {
        None => Ok(String::new()),
        Some(raw) if raw.get().starts_with('{') => Ok(raw.get().to_owned()),
        Some(raw) => {
            as_text(raw).ok_or_else(|| Misshapen::new(function.place("arguments"), "must be a text that holds JSON"))
        }
    }
}

/// Gemini's signature where Google's own compatible endpoint puts it
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures>), and the member it stood in if that says more.
fn signature(members: &mut Members<'_>, kind: SealKind) -> Result<Option<(Seal, Option<Named>)>, Misshapen> {
    let Some(raw) = members.raw("extra_content") else { return Ok(None) };
    let keep = named("extra_content", Json::from(raw), true);
    let mut more = false;
    let mut data = None;
    if let Ok(mut extra) = Members::read(raw, members.place("extra_content")) {
        if let Some(mut google) = extra.object("google")? {
            data = google.text("thought_signature")?;
            more |= !google.rest(|_| true).is_empty();
        }
        more |= !extra.rest(|_| true).is_empty();
    }
    match data {
        Some(data) => {
            let seal = Seal { family: Family::Gemini, kind, id: None, data };
            Ok(Some((seal, more.then_some(keep))))
        }
        None => {
            members.put_back("extra_content", raw);
            Ok(None)
        }
    }
}

/// Reasoning as text: what open models think. Beside `reasoning_details` with text it says the same again.
fn plain_reasoning(members: &mut Members<'_>, said: &mut Vec<Part>, others: &mut Vec<Named>) -> Result<(), Misshapen> {
    let told = said.iter().any(|part| matches!(&part.content, Content::Reasoning(known) if !known.parts.is_empty()));
    let mut text = None;
    for name in ["reasoning_content", "reasoning"] {
        let Some(raw) = members.raw(name) else { continue };
        match as_text(raw) {
            // DeepSeek wants an empty one back beside calls that came without reasoning.
            Some(empty) if empty.is_empty() => others.push(named("reasoning_content", Json::from(raw), true)),
            Some(one) => text = text.or(Some(one)),
            None => members.put_back(name, raw),
        }
    }
    if let Some(text) = text.filter(|_| !told) {
        others.retain(|other| other.name != "reasoning_content");
        said.insert(0, Content::Reasoning(Reasoning { parts: vec![text], seal: None }).into());
    }
    Ok(())
}

/// A mark on the message is one on its last part.
fn mark_last(members: &mut Members<'_>, parts: &mut [Part]) {
    let Some(last) = parts.last_mut() else { return };
    if !last.others.iter().any(|other| other.name == "cache_control")
        && let Some(mark) = members.json("cache_control")
    {
        last.others.push(named("cache_control", mark, true));
    }
}
