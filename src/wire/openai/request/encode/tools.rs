//! Tools, and which of them the model must call.

use super::{Writer, rest_of};
use crate::chat::{Hosted, Tool, ToolChoice};
use crate::wire::json::{List, Object};
use crate::wire::losses::Unsupported;

/// Writes `tools` and what belongs to them.
pub(super) fn write(writer: &mut Writer<'_>) -> Result<(), Unsupported> {
    let mut list = List::new();
    let said = writer.said;
    let wanted = restriction(writer);
    for (index, tool) in said.tools.iter().enumerate() {
        let path = format!("tools[{index}]");
        match tool {
            Tool::Function { name, .. } if wanted.is_some_and(|names| !names.contains(name)) => {}
            Tool::Function { .. } => {
                list.raw(&function(writer, tool, &path)?);
            }
            Tool::Hosted(Hosted { json, .. }) if writer.own => {
                list.raw(json.text());
            }
            Tool::Hosted(_) => writer.losses.meaning(path)?,
        }
    }
    if list.is_empty() {
        // A choice among nothing is refused by most servers, and means nothing.
        return match &said.tool_choice {
            None | Some(ToolChoice::Auto | ToolChoice::None) => Ok(()),
            Some(_) => writer.losses.meaning("tool_choice"),
        };
    }
    writer.body.raw("tools", &list.finish());
    if let Some(choice) = &said.tool_choice {
        put_choice(writer, choice)?;
    }
    writer.body.put_some("parallel_tool_calls", said.parallel_tool_calls);
    Ok(())
}

/// The functions that may be called, where the choice is among some. Only OpenAI knows such a choice; declaring no others
/// says the same everywhere.
fn restriction<'a>(writer: &Writer<'a>) -> Option<&'a Vec<String>> {
    match &writer.said.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) if !writer.own => Some(names),
        _ => None,
    }
}

fn function(writer: &mut Writer<'_>, tool: &Tool, path: &str) -> Result<String, Unsupported> {
    let Tool::Function { name, description, parameters, strict, others } = tool else { return Ok(String::new()) };
    let mut inner = Object::new();
    inner.put("name", name).put_some("description", description.as_ref());
    inner.put_some("parameters", parameters.as_ref()).put_some("strict", *strict);
    if writer.own {
        inner.put_named(&rest_of(others, "function"));
    }
    let mut object = Object::new();
    object.put("type", "function").put("function", inner);
    writer.members(path, others, &mut object)?;
    Ok(object.finish())
}

fn put_choice(writer: &mut Writer<'_>, choice: &ToolChoice) -> Result<(), Unsupported> {
    let required = writer.dialect().required;
    let name = "tool_choice";
    match choice {
        ToolChoice::Auto => writer.body.put(name, "auto"),
        ToolChoice::None => writer.body.put(name, "none"),
        ToolChoice::Required => writer.body.put(name, required),
        ToolChoice::Function(function) => writer.body.raw(name, &named(function)),
        ToolChoice::Allowed { required: must, .. } if !writer.own => {
            writer.body.put(name, if *must { required } else { "auto" })
        }
        ToolChoice::Allowed { names, required: must } => {
            let mut tools = List::new();
            for name in names {
                tools.raw(&named(name));
            }
            let mut inner = Object::new();
            inner.put("mode", if *must { "required" } else { "auto" }).raw("tools", &tools.finish());
            let mut object = Object::new();
            object.put("type", "allowed_tools").put("allowed_tools", inner);
            writer.body.put(name, object)
        }
        ToolChoice::Opaque(json) if writer.own => writer.body.raw(name, json.text()),
        ToolChoice::Opaque(_) => return writer.losses.meaning(name),
    };
    Ok(())
}

fn named(function: &str) -> String {
    let mut inner = Object::new();
    inner.put("name", function);
    let mut object = Object::new();
    object.put("type", "function").put("function", inner);
    object.finish()
}
