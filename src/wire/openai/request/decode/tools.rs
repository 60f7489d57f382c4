//! Tools, and which of them the model must call.

use serde_json::value::RawValue;

use super::dotted;
use crate::chat::{Conversation, Hosted, Json, Tool, ToolChoice};
use crate::wire::json::{Members, Misshapen, as_text};

/// Takes out all that is said of tools, in today's words and the older ones.
pub(super) fn read(top: &mut Members<'_>, said: &mut Conversation) -> Result<(), Misshapen> {
    for (path, raw) in top.list("tools")?.unwrap_or_default() {
        said.tools.push(tool(path, raw)?);
    }
    for (path, raw) in top.list("functions")?.unwrap_or_default() {
        said.tools.push(function(Members::read(raw, path)?, Vec::new())?);
    }
    said.tool_choice = match (top.raw("tool_choice"), top.raw("function_call")) {
        (Some(raw), _) => Some(choice(raw, &top.place("tool_choice"))?),
        (None, Some(raw)) => Some(legacy_choice(raw, &top.place("function_call"))?),
        (None, None) => None,
    };
    said.parallel_tool_calls = top.typed("parallel_tool_calls", "a boolean")?;
    Ok(())
}

fn tool(path: String, raw: &RawValue) -> Result<Tool, Misshapen> {
    let mut members = Members::read(raw, path)?;
    let kind = members.text("type")?;
    match kind.as_deref() {
        None | Some("function") => {}
        Some(kind) => return Ok(Tool::Hosted(Hosted { kind: kind.to_owned(), json: Json::from(raw) })),
    }
    let Some(inner) = members.object("function")? else {
        return Err(Misshapen::new(members.place("function"), "is missing; it must be an object"));
    };
    let others = members.rest(|name| name == "cache_control");
    function(inner, others)
}

fn function(mut members: Members<'_>, mut others: Vec<crate::chat::Named>) -> Result<Tool, Misshapen> {
    let name = members.required_text("name")?;
    let description = members.text("description")?;
    let parameters = members.json("parameters");
    let strict = members.typed("strict", "a boolean")?;
    dotted(members, "function", false, &mut others);
    Ok(Tool::Function { name, description, parameters, strict, others })
}

fn choice(raw: &RawValue, path: &str) -> Result<ToolChoice, Misshapen> {
    if let Some(word) = as_text(raw) {
        return word_choice(&word).ok_or_else(|| Misshapen::new(path, "is not a choice that is known"));
    }
    let mut members = Members::read(raw, path)?;
    let kind = members.required_text("type")?;
    Ok(match kind.as_str() {
        "function" => match members.object("function")? {
            Some(mut function) => ToolChoice::Function(function.required_text("name")?),
            None => ToolChoice::Function(members.required_text("name")?),
        },
        "allowed_tools" => allowed(members)?.unwrap_or_else(|| ToolChoice::Opaque(Json::from(raw))),
        word => word_choice(word).unwrap_or_else(|| ToolChoice::Opaque(Json::from(raw))),
    })
}

fn word_choice(word: &str) -> Option<ToolChoice> {
    match word {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        // `any` is Mistral's word.
        "required" | "any" => Some(ToolChoice::Required),
        _ => None,
    }
}

/// `None` where tools other than functions are among them.
fn allowed(mut members: Members<'_>) -> Result<Option<ToolChoice>, Misshapen> {
    let Some(mut inner) = members.object("allowed_tools")? else {
        return Err(Misshapen::new(members.place("allowed_tools"), "is missing; it must be an object"));
    };
    let required = match inner.required_text("mode")?.as_str() {
        "auto" => false,
        "required" => true,
        _ => return Err(Misshapen::new(inner.place("mode"), "must be `auto` or `required`")),
    };
    let mut names = Vec::new();
    for (path, raw) in inner.list("tools")?.unwrap_or_default() {
        let mut tool = Members::read(raw, path)?;
        let Some(mut function) = tool.object("function")? else { return Ok(None) };
        names.push(function.required_text("name")?);
    }
    Ok(Some(ToolChoice::Allowed { names, required }))
}

fn legacy_choice(raw: &RawValue, path: &str) -> Result<ToolChoice, Misshapen> {
    match as_text(raw) {
        Some(word) => word_choice(&word).ok_or_else(|| Misshapen::new(path, "is not a choice that is known")),
        None => Ok(ToolChoice::Function(Members::read(raw, path)?.required_text("name")?)),
    }
}
