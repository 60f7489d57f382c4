//! Refuses what OpenAI would refuse of a response's input items.

use serde_json::Value;

use super::super::judge::{Verdict, list, stranger, text};
use super::super::refusal::Refusal;
use super::super::seal;
use super::judge::{invalid, missing, unknown};

/// `earlier`: whether the input goes on from something stored, so that calls may lie there.
pub(super) fn judge(items: &[Value], earlier: bool) -> Verdict {
    if items.is_empty() && !earlier {
        return invalid("Invalid 'input': empty array.", "input", "empty_array");
    }
    let mut called: Vec<&str> = Vec::new();
    let mut answered: Vec<&str> = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let at = format!("input[{place}]");
        match text(item, "type").unwrap_or("message") {
            "message" => message(item, &at)?,
            "function_call" => {
                for name in ["call_id", "name", "arguments"] {
                    required(item, &at, name)?;
                }
                members(item, &at, &["type", "id", "call_id", "name", "arguments", "status", "caller", "namespace"])?;
                id_begins(item, &at, "fc")?;
                called.extend(text(item, "call_id"));
            }
            "function_call_output" => {
                let id = required(item, &at, "call_id")?;
                if item.get("output").is_none_or(Value::is_null) {
                    return missing(&format!("{at}.output"));
                }
                members(item, &at, &["type", "id", "call_id", "output", "status", "caller", "name", "namespace"])?;
                if !called.contains(&id) && !earlier {
                    let message = format!("No tool call found for function call output with call_id {id}.");
                    return Err(Refusal { param: Some("input".to_owned()), ..Refusal::new(400, message) });
                }
                answered.push(id);
            }
            "reasoning" => reasoning(item, &at, items.get(place + 1))?,
            "item_reference" => return not_found(text(item, "id").unwrap_or_default()),
            "custom_tool_call" | "custom_tool_call_output" | "compaction" | "mcp_list_tools" => {}
            other if other.ends_with("_call") || other.ends_with("_output") || other.starts_with("mcp_") => {}
            other => {
                let message = format!("Invalid value: '{other}'. It is not the type of an input item.");
                return invalid(message, format!("{at}.type"), "invalid_value");
            }
        }
    }
    match called.iter().find(|id| !answered.contains(id)) {
        Some(id) => {
            let message = format!("No tool output found for function call {id}.");
            Err(Refusal { param: Some("input".to_owned()), ..Refusal::new(400, message) })
        }
        None => Ok(()),
    }
}

fn message(item: &Value, at: &str) -> Verdict {
    let role = required(item, at, "role")?;
    let allowed: &[&str] = match role {
        "user" | "system" | "developer" => &["input_text", "input_image", "input_file", "input_audio"],
        "assistant" => &["output_text", "refusal"],
        other => {
            let message = format!(
                "Invalid value: '{other}'. Supported values are: 'assistant', 'system', 'developer', and 'user'."
            );
            return invalid(message, format!("{at}.role"), "invalid_value");
        }
    };
    members(item, at, &["type", "id", "role", "content", "status", "phase"])?;
    id_begins(item, at, "msg")?;
    match item.get("content") {
        None | Some(Value::Null) => return missing(&format!("{at}.content")),
        Some(Value::String(_)) => return Ok(()),
        Some(Value::Array(_)) => {}
        Some(_) => {
            let param = format!("{at}.content");
            return invalid(format!("Invalid type for '{param}'."), param, "invalid_type");
        }
    }
    for (place, part) in list(item, "content").iter().enumerate() {
        let at = format!("{at}.content[{place}]");
        let kind = required(part, &at, "type")?;
        if !allowed.contains(&kind) {
            let supported = allowed.join("', '");
            let message = format!("Invalid value: '{kind}'. Supported values are: '{supported}'.");
            return invalid(message, at, "invalid_value");
        }
        let known: &[&str] = match kind {
            "input_text" => &["type", "text", "prompt_cache_breakpoint"],
            "output_text" => &["type", "text", "annotations", "logprobs"],
            "refusal" => &["type", "refusal"],
            "input_image" => &["type", "image_url", "file_id", "detail", "prompt_cache_breakpoint"],
            _ => continue,
        };
        members(part, &at, known)?;
        if kind.ends_with("_text") {
            required(part, &at, "text")?;
        }
        if kind == "input_image" && text(part, "image_url").or(text(part, "file_id")).is_none() {
            return missing(&format!("{at}.image_url"));
        }
    }
    Ok(())
}

fn reasoning(item: &Value, at: &str, next: Option<&Value>) -> Verdict {
    members(item, at, &["type", "id", "summary", "content", "encrypted_content", "status"])?;
    if !item.get("summary").is_some_and(Value::is_array) {
        return missing(&format!("{at}.summary"));
    }
    id_begins(item, at, "rs")?;
    let id = text(item, "id");
    if let Some(sealed) = text(item, "encrypted_content") {
        let bound = seal::open("reasoning", sealed);
        if bound.is_none() || id.is_some_and(|id| bound.as_deref() != Some(id)) {
            let reason = match bound {
                Some(_) => "Encrypted content item_id did not match the target item id.",
                None => "Encrypted content could not be decrypted or parsed.",
            };
            let which = id.map(|id| format!(" for item {id}")).unwrap_or_default();
            let message = format!("The encrypted content{which} could not be verified. Reason: {reason}");
            let refusal = Refusal::new(400, message);
            return Err(Refusal { code: Some("invalid_encrypted_content".to_owned()), ..refusal });
        }
    } else if id.is_none_or(|id| !id.starts_with("rs_scripted_")) {
        return not_found(id.unwrap_or_default());
    }
    let follows = next.is_some_and(|next| match text(next, "type") {
        Some("function_call" | "reasoning" | "custom_tool_call") => true,
        Some("message") | None => text(next, "role") == Some("assistant"),
        Some(_) => false,
    });
    if follows {
        return Ok(());
    }
    let message = format!(
        "Item '{}' of type 'reasoning' was provided without its required following item.",
        id.unwrap_or_default()
    );
    Err(Refusal { param: Some("input".to_owned()), ..Refusal::new(400, message) })
}

fn not_found(id: &str) -> Verdict {
    let message = format!("Item with id '{id}' not found. The scripted provider stores nothing.");
    Err(Refusal { param: Some("input".to_owned()), ..Refusal::new(404, message) })
}

fn required<'a>(value: &'a Value, at: &str, name: &str) -> Result<&'a str, Refusal> {
    match text(value, name) {
        Some(text) => Ok(text),
        None => missing(&format!("{at}.{name}")),
    }
}

fn members(value: &Value, at: &str, known: &[&str]) -> Verdict {
    match stranger(value, known) {
        Some(name) => unknown(&format!("{at}.{name}")),
        None => Ok(()),
    }
}

fn id_begins(item: &Value, at: &str, prefix: &str) -> Verdict {
    match text(item, "id") {
        Some(id) if !id.starts_with(prefix) => {
            let param = format!("{at}.id");
            let message = format!("Invalid '{param}': '{id}'. Expected an ID that begins with '{prefix}'.");
            invalid(message, param, "invalid_value")
        }
        _ => Ok(()),
    }
}
