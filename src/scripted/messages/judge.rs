//! Refuses what Anthropic would refuse of a request's settings; its messages are judged in [`super::history`].
//!
//! Source: https://docs.claude.com/en/api/messages and the messages of the API itself.

use serde_json::Value;

use super::super::judge::{Verdict, bad, is_name, list, stranger, text};
use super::history;

const MEMBERS: [&str; 25] = [
    "model",
    "messages",
    "max_tokens",
    "system",
    "stream",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "tools",
    "tool_choice",
    "thinking",
    "metadata",
    "service_tier",
    "cache_control",
    "container",
    "context_management",
    "mcp_servers",
    "output_config",
    "output_format",
    "inference_geo",
    "speed",
    "diagnostics",
    "user_profile_id",
    "fallbacks",
];
const LEAST_BUDGET: i64 = 1024;
const MAX_BREAKPOINTS: usize = 4;

/// `counting`: `count_tokens` needs no `max_tokens`.
pub(super) fn judge(body: &Value, has_version: bool, counting: bool) -> Verdict {
    if !has_version {
        return bad("anthropic-version: header is required");
    }
    if let Some(name) = stranger(body, &MEMBERS) {
        return bad(format!("{name}: Extra inputs are not permitted"));
    }
    if !counting {
        limits(body)?;
    }
    sampling(body)?;
    tools(body)?;
    match breakpoints(body) {
        count if count > MAX_BREAKPOINTS => {
            bad(format!("A maximum of 4 blocks with cache_control may be provided. Found {count}."))
        }
        _ => history::judge(body),
    }
}

fn limits(body: &Value) -> Verdict {
    let max_tokens = match body.get("max_tokens") {
        None => return bad("max_tokens: Field required"),
        Some(written) => match written.as_i64() {
            Some(count) if count >= 1 => count,
            Some(_) => return bad("max_tokens: must be greater than or equal to 1"),
            None => return bad("max_tokens: Input should be a valid integer"),
        },
    };
    let Some(thinking) = body.get("thinking") else {
        return Ok(());
    };
    match text(thinking, "type") {
        Some("disabled" | "adaptive") => return Ok(()),
        Some("enabled") => {}
        _ => {
            return bad("thinking: Input tag found using 'type' does not match any of the expected tags: 'disabled', \
                 'enabled', 'adaptive'");
        }
    }
    match thinking.get("budget_tokens").and_then(Value::as_i64) {
        None => bad("thinking.enabled.budget_tokens: Field required"),
        Some(budget) if budget < LEAST_BUDGET => {
            bad("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        }
        Some(budget) if budget >= max_tokens => bad("`max_tokens` must be greater than `thinking.budget_tokens`."),
        Some(_) => Ok(()),
    }
}

fn sampling(body: &Value) -> Verdict {
    for name in ["temperature", "top_p"] {
        match body.get(name).map(Value::as_f64) {
            None => {}
            Some(Some(value)) if (0.0..=1.0).contains(&value) => {}
            Some(Some(_)) => return bad(format!("{name}: range: 0..1")),
            Some(None) => return bad(format!("{name}: Input should be a valid number")),
        }
    }
    let thinks = matches!(body.pointer("/thinking/type").and_then(Value::as_str), Some("enabled" | "adaptive"));
    let temperature = body.get("temperature").and_then(Value::as_f64);
    if thinks && temperature.is_some_and(|value| value != 1.0) {
        return bad("`temperature` may only be set to 1 when thinking is enabled.");
    }
    let forced = matches!(body.pointer("/tool_choice/type").and_then(Value::as_str), Some("any" | "tool"));
    if thinks && forced {
        return bad("Thinking may not be enabled when tool_choice forces tool use.");
    }
    for sequence in list(body, "stop_sequences") {
        if sequence.as_str().is_none_or(|sequence| sequence.trim().is_empty()) {
            return bad("stop_sequences: each stop sequence must contain non-whitespace");
        }
    }
    match body.get("system") {
        None | Some(Value::String(_)) => Ok(()),
        Some(Value::Array(blocks)) => {
            for (place, block) in blocks.iter().enumerate() {
                if text(block, "type") != Some("text") {
                    return bad(format!("system.{place}.type: Input should be 'text'"));
                }
                if text(block, "text").is_none_or(str::is_empty) {
                    return bad("system: text content blocks must be non-empty");
                }
            }
            Ok(())
        }
        Some(_) => bad("system: Input should be a valid string"),
    }
}

fn tools(body: &Value) -> Verdict {
    let tools = list(body, "tools");
    let mut names: Vec<&str> = Vec::new();
    for (place, tool) in tools.iter().enumerate() {
        let name = text(tool, "name").unwrap_or_default();
        if !is_name(name, 128) {
            return bad(format!("tools.{place}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"));
        }
        if names.contains(&name) {
            return bad("tools: Tool names must be unique.");
        }
        names.push(name);
        if !matches!(text(tool, "type"), None | Some("custom")) {
            continue;
        }
        let Some(schema) = tool.get("input_schema") else {
            return bad(format!("tools.{place}.custom.input_schema: Field required"));
        };
        if text(schema, "type") != Some("object") {
            return bad(format!("tools.{place}.custom.input_schema.type: Field required"));
        }
        let known = [
            "type",
            "name",
            "description",
            "input_schema",
            "cache_control",
            "strict",
            "eager_input_streaming",
            "defer_loading",
            "allowed_callers",
            "input_examples",
        ];
        if let Some(name) = stranger(tool, &known) {
            return bad(format!("tools.{place}.custom.{name}: Extra inputs are not permitted"));
        }
    }
    let Some(choice) = body.get("tool_choice") else {
        return Ok(());
    };
    match text(choice, "type") {
        _ if tools.is_empty() => bad("tool_choice: may only be specified while providing `tools`."),
        Some("auto" | "any" | "none") => Ok(()),
        Some("tool") => match text(choice, "name") {
            Some(name) if names.contains(&name) => Ok(()),
            Some(name) => bad(format!("Tool '{name}' not found in provided tools")),
            None => bad("tool_choice.tool.name: Field required"),
        },
        _ => bad("tool_choice: Input tag does not match any of the expected tags: 'auto', 'any', 'tool', 'none'"),
    }
}

/// How many blocks have `cache_control`, wherever they stand.
fn breakpoints(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(breakpoints).sum(),
        Value::Object(members) => {
            let own = usize::from(members.get("cache_control").is_some_and(|control| !control.is_null()));
            let inner = members.iter().filter(|(name, _)| *name != "input" && *name != "input_schema");
            own + inner.map(|(_, member)| breakpoints(member)).sum::<usize>()
        }
        _ => 0,
    }
}
