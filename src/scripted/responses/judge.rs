//! Refuses what OpenAI would refuse of a response's settings; its input is judged in [`super::history`].
//!
//! Source: https://platform.openai.com/docs/api-reference/responses/create and the messages of the API itself.

use serde_json::Value;

use super::super::judge::{Verdict, is_name, list, stranger, text};
use super::super::refusal::Refusal;
use super::history;

const MEMBERS: [&str; 36] = [
    "background",
    "background_options",
    "access_programs",
    "context_management",
    "conversation",
    "image",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "moderation",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
    "verbosity",
    "max_messages",
];
const INCLUDABLE: [&str; 8] = [
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
];
const LEAST_OUTPUT: i64 = 16;

pub(super) fn invalid<T>(message: impl Into<String>, param: impl Into<String>, code: &str) -> Result<T, Refusal> {
    Err(Refusal::new(400, message).about(param, code))
}

pub(super) fn missing<T>(param: &str) -> Result<T, Refusal> {
    invalid(format!("Missing required parameter: '{param}'."), param, "missing_required_parameter")
}

pub(super) fn unknown<T>(param: &str) -> Result<T, Refusal> {
    invalid(format!("Unknown parameter: '{param}'."), param, "unknown_parameter")
}

pub(super) fn judge(body: &Value) -> Verdict {
    if let Some(name) = stranger(body, &MEMBERS) {
        return unknown(name);
    }
    let said = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    if !["input", "previous_response_id", "prompt", "conversation"].into_iter().any(said) {
        return missing("input");
    }
    for (name, most) in [("temperature", 2.0), ("top_p", 1.0)] {
        range(body, name, most)?;
    }
    if said("max_output_tokens") {
        match body.get("max_output_tokens").and_then(Value::as_i64) {
            Some(count) if count >= LEAST_OUTPUT => {}
            count => {
                let got = count.unwrap_or_default();
                let message = format!(
                    "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got {got} \
                     instead."
                );
                return invalid(message, "max_output_tokens", "integer_below_min_value");
            }
        }
    }
    if said("stream_options") && body.get("stream") != Some(&Value::Bool(true)) {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return invalid(message, "stream_options", "invalid_value");
    }
    for (place, wanted) in list(body, "include").iter().enumerate() {
        if wanted.as_str().is_none_or(|wanted| !INCLUDABLE.contains(&wanted)) {
            let param = format!("include[{place}]");
            return invalid(format!("Invalid value: {wanted} of '{param}'."), param, "invalid_value");
        }
    }
    tools(body)?;
    match body.get("input") {
        None | Some(Value::Null | Value::String(_)) => Ok(()),
        Some(Value::Array(items)) => history::judge(items, said("previous_response_id") || said("conversation")),
        Some(_) => invalid("Invalid type for 'input': expected a string or an array.", "input", "invalid_type"),
    }
}

fn range(body: &Value, name: &str, most: f64) -> Verdict {
    let written = body.get(name).filter(|value| !value.is_null());
    match written.map(Value::as_f64) {
        Some(Some(value)) if value < 0.0 => invalid(
            format!("Invalid '{name}': decimal below minimum value. Expected a value >= 0, but got {value} instead."),
            name,
            "decimal_below_min_value",
        ),
        Some(Some(value)) if value > most => invalid(
            format!(
                "Invalid '{name}': decimal above maximum value. Expected a value <= {most}, but got {value} instead."
            ),
            name,
            "decimal_above_max_value",
        ),
        Some(None) => invalid(format!("Invalid type for '{name}': expected a decimal."), name, "invalid_type"),
        _ => Ok(()),
    }
}

fn tools(body: &Value) -> Verdict {
    for (place, tool) in list(body, "tools").iter().enumerate() {
        let Some(kind) = text(tool, "type") else {
            return missing(&format!("tools[{place}].type"));
        };
        if kind != "function" {
            continue;
        }
        let Some(name) = text(tool, "name") else {
            return missing(&format!("tools[{place}].name"));
        };
        let param = format!("tools[{place}].name");
        if !is_name(name, 128) {
            let message = format!("Invalid '{param}': string does not match pattern '^[a-zA-Z0-9_-]+$'.");
            return invalid(message, param, "invalid_value");
        }
        let known = ["type", "name", "description", "parameters", "strict", "defer_loading", "output_schema"];
        if let Some(name) = stranger(tool, &known) {
            return unknown(&format!("tools[{place}].{name}"));
        }
    }
    Ok(())
}
