//! Items of the input. What the model said in a row is one message, and so are results of tools.

use serde_json::value::RawValue;

use super::message;
use super::parts::content;
use crate::chat::{Content, Family, Message, Named, Part, Reasoning, Role, Seal, SealKind, ToolCall, ToolResult};
use crate::wire::json::{Members, Misshapen};
use crate::wire::seal;

pub(super) fn read(raw: &RawValue, path: String, messages: &mut Vec<Message>) -> Result<(), Misshapen> {
    let mut members = Members::read(raw, path)?;
    let role = members.text("role")?;
    let kind = members.text("type")?;
    match (kind.as_deref(), role) {
        (Some("message"), role) => said(members, role, messages),
        (None, Some(role)) => said(members, Some(role), messages),
        (Some("function_call"), _) => {
            let call = ToolCall {
                id: members.required_text("call_id")?,
                name: members.required_text("name")?,
                arguments: members.required_text("arguments")?,
                seal: None,
            };
            let part = Part { content: Content::ToolCall(call), others: rest(members) };
            add(Role::Assistant, vec![part], messages);
            Ok(())
        }
        (Some("function_call_output"), _) => {
            let id = members.required_text("call_id")?;
            let Some(output) = members.raw("output") else {
                return Err(Misshapen::new(
                    members.place("output"),
                    "is missing; it must be a text or a list of parts",
                ));
            };
            // An empty text is a result of nothing.
            let parts = if output.get() == r#""""# { Vec::new() } else { content(output, &members.place("output"))? };
            let result = ToolResult { id, parts, is_error: false };
            let part = Part { content: Content::ToolResult(result), others: rest(members) };
            add(Role::Tool, vec![part], messages);
            Ok(())
        }
        (Some("reasoning"), _) => {
            if let Some(part) = reasoning(members)? {
                add(Role::Assistant, vec![part], messages);
            }
            Ok(())
        }
        // Calls and results of hosted and custom tools, references, …
        _ => {
            add(Role::Assistant, vec![Content::Opaque(raw.into()).into()], messages);
            Ok(())
        }
    }
}

/// Puts the seals that came as items of their own where they belong.
pub(super) fn attach_seals(messages: &mut [Message]) {
    for message in messages.iter_mut().filter(|message| message.role == Role::Assistant) {
        seal::attach_calls(&mut message.parts);
    }
}

fn said(mut members: Members<'_>, role: Option<String>, messages: &mut Vec<Message>) -> Result<(), Misshapen> {
    let role = match role.as_deref() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("system" | "developer") => Role::System,
        _ => {
            let what = "must be 'user', 'assistant', 'system' or 'developer'";
            return Err(Misshapen::new(members.place("role"), what));
        }
    };
    let Some(raw) = members.raw("content") else {
        return Err(Misshapen::new(members.place("content"), "is missing; it must be a text or a list of parts"));
    };
    let mut parts = content(raw, &members.place("content"))?;
    let others = rest(members);
    if role != Role::Assistant {
        messages.push(Message { role, parts, others });
        return Ok(());
    }
    // A message of the model is part of a larger one here, so its first part takes its members.
    if let Some(first) = parts.first_mut() {
        first.others.extend(others);
    }
    add(role, parts, messages);
    Ok(())
}

/// Adds to the message before, if that is of the same role.
fn add(role: Role, parts: Vec<Part>, messages: &mut Vec<Message>) {
    match messages.last_mut() {
        Some(last) if last.role == role => last.parts.extend(parts),
        _ => messages.push(message(role, parts)),
    }
}

/// An item's members that say something: not its id, nor that it is complete.
fn rest(members: Members<'_>) -> Vec<Named> {
    let said = |other: &Named| match other.name.as_str() {
        "id" => false,
        "status" => other.value.text() != r#""completed""#,
        _ => true,
    };
    members.rest(|name| matches!(name, "status" | "phase")).into_iter().filter(said).collect()
}

fn reasoning(mut members: Members<'_>) -> Result<Option<Part>, Misshapen> {
    let id = members.text("id")?;
    let sealed = members.text("encrypted_content")?.filter(|data| !data.is_empty());
    let (summary, thoughts) = (texts(&mut members, "summary")?, texts(&mut members, "content")?);
    let (shown, plain) = match summary.is_empty() {
        true => (thoughts.clone(), thoughts),
        false if thoughts.is_empty() => (summary.clone(), summary),
        false => (summary, thoughts),
    };
    let reasoning = match sealed {
        Some(data) if seal::is_ours(&data) => {
            let whole = shown.join("\n\n");
            seal::unsign(&data, &whole).unwrap_or(Reasoning { parts: plain, seal: None })
        }
        Some(data) => {
            let kind = if shown.is_empty() { SealKind::Hidden } else { SealKind::Text };
            Reasoning { parts: shown, seal: Some(Seal { family: Family::Openai, kind, id, data }) }
        }
        None => Reasoning { parts: plain, seal: None },
    };
    if reasoning == Reasoning::default() {
        return Ok(None);
    }
    Ok(Some(Part { content: Content::Reasoning(reasoning), others: rest(members) }))
}

fn texts(members: &mut Members<'_>, name: &str) -> Result<Vec<String>, Misshapen> {
    let mut texts = Vec::new();
    for (path, part) in members.list(name)?.unwrap_or_default() {
        texts.push(Members::read(part, path)?.required_text("text")?);
    }
    Ok(texts)
}
