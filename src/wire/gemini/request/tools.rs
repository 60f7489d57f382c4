//! What the model may and must call.

use crate::chat::{Conversation, Tool, ToolChoice};
use crate::wire::json::{List, Object};
use crate::wire::losses::{Losses, Unsupported};

/// Longest name of a function.
const MAX_NAME: usize = 64;

/// Puts `tools` and `toolConfig` into the body.
pub(super) fn write(conversation: &Conversation, body: &mut Object, losses: &mut Losses) -> Result<(), Unsupported> {
    let mut functions = List::new();
    for (place, tool) in conversation.tools.iter().enumerate() {
        declare(tool, &format!("tools[{place}]"), &mut functions, losses)?;
    }
    let none = functions.is_empty();
    if !none {
        let mut tool = Object::new();
        tool.raw("functionDeclarations", &functions.finish());
        let mut tools = List::new();
        tools.raw(&tool.finish());
        body.raw("tools", &tools.finish());
    }
    if conversation.parallel_tool_calls == Some(false) {
        // The API has no such switch.
        if none { losses.hint("parallel_tool_calls") } else { losses.meaning("parallel_tool_calls")? }
    }
    choose(conversation.tool_choice.as_ref(), none, body, losses)
}

fn declare(tool: &Tool, path: &str, functions: &mut List, losses: &mut Losses) -> Result<(), Unsupported> {
    let Tool::Function { name, description, parameters, strict, others } = tool else {
        return losses.meaning(path);
    };
    if !is_name(name) {
        return losses.meaning(format!("{path}.function.name"));
    }
    losses.members(path, others)?;
    if *strict == Some(true) {
        losses.hint(format!("{path}.function.strict"));
    }
    let mut function = Object::new();
    function.put("name", name).put_some("description", description.as_ref());
    // All of JSON Schema, where `parameters` takes a part of OpenAPI's (<https://ai.google.dev/api/caching#FunctionDeclaration>).
    if let Some(schema) = parameters {
        function.raw("parametersJsonSchema", schema.text());
    }
    functions.raw(&function.finish());
    Ok(())
}

fn choose(
    choice: Option<&ToolChoice>,
    no_tools: bool,
    body: &mut Object,
    losses: &mut Losses,
) -> Result<(), Unsupported> {
    let names: &[String];
    let mode = match choice {
        None => return Ok(()),
        // Without a function the API refuses to be told how to call one.
        Some(ToolChoice::Auto | ToolChoice::None) if no_tools => return Ok(()),
        Some(ToolChoice::Opaque(_)) => return losses.meaning("tool_choice"),
        Some(_) if no_tools => return losses.meaning("tool_choice"),
        Some(ToolChoice::Auto) => {
            names = &[];
            "AUTO"
        }
        Some(ToolChoice::None) => {
            names = &[];
            "NONE"
        }
        Some(ToolChoice::Required) => {
            names = &[];
            "ANY"
        }
        Some(ToolChoice::Function(name)) => {
            names = std::slice::from_ref(name);
            "ANY"
        }
        // `AUTO` takes no names; `VALIDATED` is the same with them (<https://ai.google.dev/gemini-api/docs/function-calling#function_calling_modes>).
        Some(ToolChoice::Allowed { names: allowed, required }) => {
            names = allowed;
            if *required { "ANY" } else { "VALIDATED" }
        }
    };
    let mut calling = Object::new();
    calling.put("mode", mode);
    if !names.is_empty() {
        calling.put("allowedFunctionNames", names);
    }
    let mut config = Object::new();
    config.raw("functionCallingConfig", &calling.finish());
    body.raw("toolConfig", &config.finish());
    Ok(())
}

/// Gemini's alphabet: begins with a letter or `_`, then also digits, `.`, `:` and `-`.
fn is_name(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let goes_on = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-'));
    begins && goes_on && name.len() <= MAX_NAME
}
