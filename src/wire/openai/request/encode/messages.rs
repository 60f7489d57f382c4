//! The messages, in order.

use std::borrow::Cow;

use super::reasoning::{self, Told};
use super::{Writer, has_member, media, quoted};
use crate::chat::{Content, Message, Named, Part, Role, ToolCall, ToolResult};
use crate::wire::json::{List, Object};
use crate::wire::losses::Unsupported;
use crate::wire::tool_ids;

/// Writes `messages`.
pub(super) fn write(writer: &mut Writer<'_>) -> Result<(), Unsupported> {
    let mut list = List::new();
    let said = writer.said;
    for (index, message) in said.messages.iter().enumerate() {
        let path = format!("messages[{index}]");
        match message.role {
            Role::System => list.raw(&plain(writer, "system", message, &path)?),
            Role::User => list.raw(&plain(writer, "user", message, &path)?),
            Role::Assistant => list.raw(&assistant(writer, index, message, &path)?),
            Role::Tool => {
                results(writer, message, &path, &mut list)?;
                continue;
            }
        };
    }
    writer.body.raw("messages", &list.finish());
    Ok(())
}

fn plain(writer: &mut Writer<'_>, role: &str, message: &Message, path: &str) -> Result<String, Unsupported> {
    let mut object = Object::new();
    object.put("role", role);
    let mut parts = Parts::default();
    for (place, part) in message.parts.iter().enumerate() {
        parts.take(writer, message.role, part, &format!("{path}.content[{place}]"))?;
    }
    object.raw("content", &parts.content());
    writer.members(path, &message.others, &mut object)?;
    Ok(object.finish())
}

fn assistant(writer: &mut Writer<'_>, index: usize, message: &Message, path: &str) -> Result<String, Unsupported> {
    let mut object = Object::new();
    object.put("role", "assistant");
    let mut told = reasoning::of(writer, index, message, path);
    let mut parts = Parts::default();
    let mut refusals = message.parts.iter().filter(|part| matches!(part.content, Content::Refusal(_)));
    let refusal = match (refusals.next(), refusals.next()) {
        (Some(Part { content: Content::Refusal(text), others }), None) if others.is_empty() => Some(text),
        _ => None,
    };
    if let Some(thought) = &told.part {
        parts.raw(thought);
    }
    let mut calls = List::new();
    for (place, part) in message.parts.iter().enumerate() {
        let at = format!("{path}.content[{place}]");
        match &part.content {
            Content::Reasoning(_) => writer.losses.members(&at, &part.others)?,
            Content::Refusal(_) if refusal.is_some() => {}
            Content::ToolCall(call) => {
                calls.raw(&tool_call(writer, call, part, &told, &at)?);
            }
            // A call of a tool that is no function. No other part has an id.
            Content::Opaque(json) if writer.own && has_member(json.text(), "id") => {
                calls.raw(json.text());
            }
            _ => parts.take(writer, Role::Assistant, part, &at)?,
        }
    }
    let silent = parts.is_empty() && (refusal.is_some() || !calls.is_empty());
    object.raw("content", if silent { Cow::Borrowed("null") } else { Cow::Owned(parts.content()) }.as_ref());
    object.put_some("refusal", refusal);
    let others = reasoning::others(writer, message, &mut told);
    for (name, value) in &told.members {
        object.raw(name, value);
    }
    if !calls.is_empty() {
        object.raw("tool_calls", &calls.finish());
    }
    writer.members(path, &others, &mut object)?;
    Ok(object.finish())
}

fn tool_call(
    writer: &mut Writer<'_>,
    call: &ToolCall,
    part: &Part,
    told: &Told,
    path: &str,
) -> Result<String, Unsupported> {
    let mut function = Object::new();
    function.put("name", &call.name).put("arguments", &call.arguments);
    if writer.own {
        function.put_named(&super::rest_of(&part.others, "function"));
    }
    let mut object = Object::new();
    object.put("id", tool_ids::fit(&call.id, writer.dialect().tool_ids)).put("type", "function");
    object.put("function", function);
    let mut others = Cow::Borrowed(&part.others);
    if let Some(seal) = &call.seal {
        let whole = others.iter().any(|other| other.name == "extra_content");
        if writer.dialect().seals != Some(seal.family) {
            others.to_mut().retain(|other| other.name != "extra_content");
            if !told.holds(&seal.data) {
                writer.losses.hint(format!("{path}.extra_content"));
            }
        } else if !whole || !writer.own {
            object.raw("extra_content", &reasoning::extra_content(&seal.data));
        }
    }
    writer.members(path, &others, &mut object)?;
    Ok(object.finish())
}

/// One message for each result.
fn results(writer: &mut Writer<'_>, message: &Message, path: &str, list: &mut List) -> Result<(), Unsupported> {
    for (place, part) in message.parts.iter().enumerate() {
        let at = format!("{path}.content[{place}]");
        let Content::ToolResult(result) = &part.content else {
            writer.losses.meaning(at)?;
            continue;
        };
        list.raw(&tool_result(writer, message, result, &part.others, (path, &at))?);
    }
    Ok(())
}

fn tool_result(
    writer: &mut Writer<'_>,
    message: &Message,
    result: &ToolResult,
    others: &[Named],
    (path, at): (&str, &str),
) -> Result<String, Unsupported> {
    let mut object = Object::new();
    object.put("role", "tool").put("tool_call_id", tool_ids::fit(&result.id, writer.dialect().tool_ids));
    let mut parts = Parts::default();
    let (marks, others): (Vec<Named>, Vec<Named>) =
        others.iter().cloned().partition(|other| other.name == "cache_control" && !result.parts.is_empty());
    for (place, part) in result.parts.iter().enumerate() {
        let at = format!("{at}.content[{place}]");
        // The block's own mark stands on its last part.
        if place + 1 == result.parts.len() && !marks.is_empty() && part.others.iter().all(|o| o.name != "cache_control")
        {
            let marked = Part { others: part.others.iter().chain(&marks).cloned().collect(), ..part.clone() };
            parts.take(writer, Role::Tool, &marked, &at)?;
        } else {
            parts.take(writer, Role::Tool, part, &at)?;
        }
    }
    object.raw("content", &parts.content());
    if result.is_error {
        // The text tells as well.
        writer.losses.hint(format!("{at}.is_error"));
    }
    writer.members(at, &others, &mut object)?;
    writer.members(path, &message.others, &mut object)?;
    Ok(object.finish())
}

/// A content being written: one text while it is no more than that, else a list.
#[derive(Default)]
pub(super) struct Parts {
    list: List,
    count: usize,
    /// The text, while it is all there is.
    only: Option<String>,
}

impl Parts {
    fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn raw(&mut self, json: &str) {
        self.count += 1;
        self.list.raw(json);
    }

    /// Adds a part of a message of this role, or accounts for it.
    fn take(&mut self, writer: &mut Writer<'_>, role: Role, part: &Part, path: &str) -> Result<(), Unsupported> {
        let mut object = Object::new();
        let text = match &part.content {
            Content::Text(text) => {
                object.put("type", "text").put("text", text);
                Some(text)
            }
            Content::Refusal(text) if role == Role::Assistant => {
                object.put("type", "refusal").put("refusal", text);
                None
            }
            Content::Refusal(text) => {
                object.put("type", "text").put("text", text);
                Some(text)
            }
            Content::Image(_) | Content::Document(_) | Content::Audio(_) => {
                match media::put(writer, role, part, path, &mut object)? {
                    true => None,
                    false => return Ok(()),
                }
            }
            Content::Opaque(json) if writer.own => {
                self.raw(json.text());
                return Ok(());
            }
            // Reasoning of anyone but the model is of no use to it.
            Content::Reasoning(_) => {
                writer.losses.hint(path);
                return Ok(());
            }
            Content::Opaque(_) | Content::ToolCall(_) | Content::ToolResult(_) => {
                writer.losses.meaning(path)?;
                return Ok(());
            }
        };
        let mut members = Object::new();
        writer.members(path, &part.others, &mut members)?;
        let bare = members.is_empty();
        if !bare {
            writer.members(path, &part.others, &mut object)?;
        }
        self.only = text.filter(|_| bare && self.count == 0).cloned();
        self.raw(&object.finish());
        Ok(())
    }

    fn content(self) -> String {
        match self.only {
            Some(text) if self.count == 1 => quoted(&text),
            _ if self.count == 0 => String::from("\"\""),
            _ => self.list.finish(),
        }
    }
}
