//! Tools and the choice among them.

use crate::chat::{Hosted, Json, Tool, ToolChoice};
use crate::wire::json::{List, Members, Object};
use crate::wire::losses::{Losses, Unsupported};

/// Tools that the format knows beside functions, by their `type`.
const HOSTED: [&str; 17] = [
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use_preview",
    "custom",
    "file_search",
    "image_generation",
    "local_shell",
    "mcp",
    "namespace",
    "programmatic_tool_calling",
    "shell",
    "tool_search",
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
];
/// Members of a function without a neutral name.
const KNOWN: [&str; 4] = ["allowed_callers", "async", "defer_loading", "output_schema"];

pub(super) fn tools(tools: &[Tool], losses: &mut Losses) -> Result<List, Unsupported> {
    let mut list = List::new();
    for (index, tool) in tools.iter().enumerate() {
        let path = format!("tools[{index}]");
        match tool {
            Tool::Function { name, description, parameters, strict, others } => {
                let mut object = Object::new();
                object.put("type", "function").put("name", name).put_some("description", description.as_ref());
                match parameters {
                    Some(parameters) => object.put("parameters", parameters),
                    None => object.raw("parameters", r#"{"type":"object","properties":{}}"#),
                };
                // Unsaid means strict here, and not strict where most conversations come from.
                object.put("strict", strict.unwrap_or(false));
                for other in others {
                    if KNOWN.contains(&other.name.as_str()) {
                        object.raw(&other.name, other.value.text());
                    } else {
                        losses.members(&path, std::slice::from_ref(other))?;
                    }
                }
                list.raw(&object.finish());
            }
            Tool::Hosted(Hosted { kind, json }) if HOSTED.contains(&kind.as_str()) && !is_of_chat(json) => {
                list.raw(json.text());
            }
            Tool::Hosted(_) => losses.meaning(path)?,
        }
    }
    Ok(list)
}

pub(super) fn choice(choice: &ToolChoice, body: &mut Object, losses: &mut Losses) -> Result<(), Unsupported> {
    match choice {
        ToolChoice::Auto => body.put("tool_choice", "auto"),
        ToolChoice::None => body.put("tool_choice", "none"),
        ToolChoice::Required => body.put("tool_choice", "required"),
        ToolChoice::Function(name) => body.put("tool_choice", function(name)),
        ToolChoice::Allowed { names, required } => {
            let mut tools = List::new();
            for name in names {
                tools.put(function(name));
            }
            let mut object = Object::new();
            object.put("type", "allowed_tools").put("mode", if *required { "required" } else { "auto" });
            object.raw("tools", &tools.finish());
            body.put("tool_choice", object)
        }
        ToolChoice::Opaque(json) if is_known(json) => body.raw("tool_choice", json.text()),
        ToolChoice::Opaque(_) => return losses.meaning("tool_choice"),
    };
    Ok(())
}

fn function(name: &str) -> Object {
    let mut object = Object::new();
    object.put("type", "function").put("name", name);
    object
}

fn is_known(choice: &Json) -> bool {
    let Ok(mut members) = Members::of_text(choice.text(), "") else { return false };
    let Ok(Some(kind)) = members.text("type") else { return false };
    (kind == "allowed_tools" && members.raw("tools").is_some())
        || (HOSTED.contains(&kind.as_str()) || kind == "computer_use") && !is_of_chat(choice)
}

/// Whether a custom tool is in the form of Chat Completions, one level deeper.
fn is_of_chat(json: &Json) -> bool {
    Members::of_text(json.text(), "").is_ok_and(|mut members| members.raw("custom").is_some())
}
