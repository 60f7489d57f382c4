//! Tools and the choice among them.

use serde_json::value::RawValue;

use crate::chat::{Hosted, Json, Tool, ToolChoice};
use crate::wire::json::{Members, Misshapen, as_text};

pub(super) fn tool(raw: &RawValue, path: String) -> Result<Tool, Misshapen> {
    let mut members = Members::read(raw, path)?;
    let kind = members.required_text("type")?;
    if kind != "function" {
        return Ok(Tool::Hosted(Hosted { kind, json: raw.into() }));
    }
    Ok(Tool::Function {
        name: members.required_text("name")?,
        description: members.text("description")?,
        parameters: members.json("parameters"),
        strict: members.typed("strict", "a boolean")?,
        others: members.rest(|_| false),
    })
}

pub(super) fn choice(raw: &RawValue) -> Result<ToolChoice, Misshapen> {
    if let Some(word) = as_text(raw) {
        return match word.as_str() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" => Ok(ToolChoice::Required),
            _ => Err(Misshapen::new("tool_choice", "must be 'auto', 'none', 'required' or an object")),
        };
    }
    let Ok(mut members) = Members::read(raw, "tool_choice") else {
        return Err(Misshapen::new("tool_choice", "must be a text or an object"));
    };
    match members.required_text("type")?.as_str() {
        "function" => members.required_text("name").map(ToolChoice::Function),
        "allowed_tools" => {
            let required = members.text("mode")?.as_deref() == Some("required");
            let mut names = Vec::new();
            for (path, tool) in members.list("tools")?.unwrap_or_default() {
                let mut tool = Members::read(tool, path)?;
                if tool.required_text("type")? != "function" {
                    return Ok(ToolChoice::Opaque(Json::from(raw)));
                }
                names.push(tool.required_text("name")?);
            }
            Ok(ToolChoice::Allowed { names, required })
        }
        _ => Ok(ToolChoice::Opaque(raw.into())),
    }
}
