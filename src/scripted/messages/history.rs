//! Refuses what Anthropic would refuse of the messages: their order, their blocks, calls without results.

use std::collections::HashSet;

use serde_json::Value;

use super::super::judge::{Verdict, bad, is_name, list, stranger, text};
use super::super::seal;

/// Messages of one side in a row, which Anthropic takes for one; each block with its place.
struct Turn<'a> {
    from_user: bool,
    first: usize,
    blocks: Vec<(String, &'a Value)>,
}

pub(super) fn judge(body: &Value) -> Verdict {
    let messages = list(body, "messages");
    if messages.is_empty() {
        return bad("messages: at least one message is required");
    }
    let mut turns: Vec<Turn<'_>> = Vec::new();
    let mut ids = HashSet::new();
    for (place, message) in messages.iter().enumerate() {
        let from_user = match text(message, "role") {
            Some("user") => true,
            Some("assistant") => false,
            Some(other) => return bad(format!("messages: Unexpected role \"{other}\".")),
            None => return bad(format!("messages.{place}.role: Field required")),
        };
        if place == 0 && !from_user {
            return bad("messages: first message must use the \"user\" role");
        }
        if let Some(name) = stranger(message, &["role", "content"]) {
            return bad(format!("messages.{place}.{name}: Extra inputs are not permitted"));
        }
        if turns.last().is_none_or(|turn| turn.from_user != from_user) {
            turns.push(Turn { from_user, first: place, blocks: Vec::new() });
        }
        let last = place + 1 == messages.len();
        for (index, block) in content(message, place, last && !from_user)?.iter().enumerate() {
            let at = format!("messages.{place}.content.{index}");
            judge_block(block, &at, from_user, &mut ids)?;
            if let Some(turn) = turns.last_mut() {
                turn.blocks.push((at, block));
            }
        }
    }
    for (place, turn) in turns.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|before| turns.get(before));
        results_follow_calls(turn, before)?;
        if place + 1 == turns.len() && !turn.from_user && !calls(turn).is_empty() {
            return unanswered(turn, &calls(turn));
        }
    }
    starts_with_thinking(body, &turns)
}

fn content(message: &Value, place: usize, may_be_empty: bool) -> Result<&[Value], super::Refusal> {
    let empty = "all messages must have non-empty content except for the optional final assistant message";
    match message.get("content") {
        None => bad(format!("messages.{place}.content: Field required")),
        Some(Value::String(text)) if text.is_empty() && !may_be_empty => bad(format!("messages.{place}: {empty}")),
        Some(Value::String(text)) if text.ends_with(char::is_whitespace) && may_be_empty => {
            bad("messages: final assistant content cannot end with trailing whitespace")
        }
        Some(Value::String(text)) if text.trim().is_empty() && !text.is_empty() => {
            bad("messages: text content blocks must contain non-whitespace text")
        }
        Some(Value::String(_)) => Ok(&[]),
        Some(Value::Array(blocks)) if blocks.is_empty() && !may_be_empty => bad(format!("messages.{place}: {empty}")),
        Some(Value::Array(blocks)) => Ok(blocks),
        Some(_) => bad(format!("messages.{place}.content: Input should be a valid list")),
    }
}

fn judge_block<'a>(block: &'a Value, at: &str, from_user: bool, ids: &mut HashSet<&'a str>) -> Verdict {
    let required = |name: &str| match text(block, name) {
        Some(value) => Ok(value),
        None => bad(format!("{at}.{}.{name}: Field required", text(block, "type").unwrap_or("block"))),
    };
    let Some(kind) = text(block, "type") else {
        return bad(format!("{at}.type: Field required"));
    };
    let known: &[&str] = match kind {
        "text" => &["type", "text", "cache_control", "citations"],
        "image" => &["type", "source", "cache_control"],
        "tool_use" => &["type", "id", "name", "input", "cache_control", "caller"],
        "tool_result" => &["type", "tool_use_id", "content", "is_error", "cache_control"],
        "thinking" => &["type", "thinking", "signature"],
        "redacted_thinking" => &["type", "data"],
        "document" | "search_result" | "container_upload" | "server_tool_use" | "mcp_tool_use" => return Ok(()),
        other if other.ends_with("_tool_result") => return Ok(()),
        other => {
            return bad(format!(
                "{at}: Input tag '{other}' found using 'type' does not match any of the expected tags"
            ));
        }
    };
    if let Some(name) = stranger(block, known) {
        return bad(format!("{at}.{kind}.{name}: Extra inputs are not permitted"));
    }
    let users = matches!(kind, "image" | "tool_result");
    let models = matches!(kind, "tool_use" | "thinking" | "redacted_thinking");
    if (from_user && models) || (!from_user && users) {
        let role = if from_user { "user" } else { "assistant" };
        return bad(format!("{at}: `{kind}` blocks are not allowed in `{role}` messages"));
    }
    match kind {
        "text" if required("text")?.is_empty() => bad("messages: text content blocks must be non-empty"),
        "text" if required("text")?.trim().is_empty() => {
            bad("messages: text content blocks must contain non-whitespace text")
        }
        "image" => judge_image(block, at),
        "tool_use" => {
            let id = required("id")?;
            if !is_name(id, usize::MAX) {
                return bad(format!("{at}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"));
            }
            if !ids.insert(id) {
                return bad(format!("{at}: `tool_use` ids must be unique"));
            }
            if !is_name(required("name")?, 200) {
                return bad(format!("{at}.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{{1,200}}$'"));
            }
            match block.get("input") {
                Some(Value::Object(_)) => Ok(()),
                Some(_) => bad(format!("{at}.tool_use.input: Input should be a valid dictionary")),
                None => bad(format!("{at}.tool_use.input: Field required")),
            }
        }
        "tool_result" => {
            required("tool_use_id")?;
            for inner in list(block, "content") {
                if text(inner, "type") == Some("text") && text(inner, "text").is_none_or(str::is_empty) {
                    return bad("messages: text content blocks must be non-empty");
                }
            }
            Ok(())
        }
        "thinking" if !seal::is_thinking(required("signature")?, required("thinking")?) => {
            bad(format!("{at}: Invalid `signature` in `thinking` block"))
        }
        "redacted_thinking" if seal::open("redacted", required("data")?).is_none() => {
            bad(format!("{at}: Invalid `data` in `redacted_thinking` block"))
        }
        _ => Ok(()),
    }
}

fn judge_image(block: &Value, at: &str) -> Verdict {
    let member = |name: &str| block.get("source").and_then(|source| text(source, name));
    match member("type") {
        Some("url") if member("url").is_some() => Ok(()),
        Some("file") if member("file_id").is_some() => Ok(()),
        Some("base64") => match (member("media_type"), member("data")) {
            (Some("image/jpeg" | "image/png" | "image/gif" | "image/webp"), Some(data)) if !data.is_empty() => Ok(()),
            (_, None | Some("")) => bad(format!("{at}.image.source.base64.data: Field required")),
            _ => bad(format!(
                "{at}.image.source.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or \
                 'image/webp'"
            )),
        },
        _ => bad(format!("{at}.image.source: Input tag does not match any of the expected tags")),
    }
}

fn calls<'a>(turn: &Turn<'a>) -> Vec<&'a str> {
    let of_kind = turn.blocks.iter().filter(|(_, block)| text(block, "type") == Some("tool_use"));
    of_kind.filter_map(|(_, block)| text(block, "id")).collect()
}

/// Each call is answered in the next turn, before anything else is said there.
fn results_follow_calls(turn: &Turn<'_>, before: Option<&Turn<'_>>) -> Verdict {
    if !turn.from_user {
        return Ok(());
    }
    let mut open = before.map(calls).unwrap_or_default();
    let called = open.clone();
    let mut spoke = false;
    for (at, block) in &turn.blocks {
        if text(block, "type") != Some("tool_result") {
            spoke = true;
            continue;
        }
        let id = text(block, "tool_use_id").unwrap_or_default();
        if !called.contains(&id) {
            return bad(format!(
                "{at}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must \
                 have a corresponding `tool_use` block in the previous message."
            ));
        }
        if !open.contains(&id) {
            return bad(format!(
                "{at}: each tool_use must have a single result. Found multiple `tool_result` blocks with id: {id}"
            ));
        }
        if !spoke {
            open.retain(|known| *known != id);
        }
    }
    match before {
        Some(before) if !open.is_empty() => unanswered(before, &open),
        _ => Ok(()),
    }
}

fn unanswered(turn: &Turn<'_>, open: &[&str]) -> Verdict {
    let (first, ids) = (turn.first, open.join(", "));
    bad(format!(
        "messages.{first}: `tool_use` ids were found without `tool_result` blocks immediately after: {ids}. Each \
         `tool_use` block must have a corresponding `tool_result` block in the next message."
    ))
}

/// While thinking is enabled, the turn whose calls are being answered begins with its thinking.
/// Source: https://docs.claude.com/en/docs/build-with-claude/extended-thinking#preserving-thinking-blocks
fn starts_with_thinking(body: &Value, turns: &[Turn<'_>]) -> Verdict {
    if body.pointer("/thinking/type").and_then(Value::as_str) != Some("enabled") {
        return Ok(());
    }
    let [.., calling, answering] = turns else {
        return Ok(());
    };
    if !answering.from_user || calls(calling).is_empty() {
        return Ok(());
    }
    match calling.blocks.first() {
        Some((at, block)) => match text(block, "type") {
            Some("thinking" | "redacted_thinking") | None => Ok(()),
            Some(found) => bad(format!(
                "{at}.type: Expected `thinking` or `redacted_thinking`, but found `{found}`. When `thinking` is \
                 enabled, a final `assistant` message must start with a thinking block."
            )),
        },
        None => Ok(()),
    }
}
