//! All that a client said in this format, in neutral words.

use serde_json::value::RawValue;

use super::blocks;
use super::kinds;
use crate::chat::{
    self, Content, Conversation, Effort, Format, Hosted, Json, Message, Named, OutputFormat, Part, ReasoningWish, Role,
    Tool, ToolChoice,
};
use crate::wire::json::{Members, Misshapen, Object};
use crate::wire::request_error::RequestError;
use crate::wire::seal;

/// Reads a whole request, [`judge`](super::judge)d before.
///
/// # Errors
/// A member of the wrong type, with its place.
pub fn decode(request: &chat::Request) -> Result<Conversation, RequestError> {
    let text = std::str::from_utf8(&request.body).map_err(|_| Misshapen::new("", "must be UTF-8"))?;
    Ok(conversation(Members::of_text(text, "")?)?)
}

fn conversation(mut body: Members<'_>) -> Result<Conversation, Misshapen> {
    let mut said = Conversation { from: Some(Format::Messages), ..Conversation::default() };
    for known in ["model", "stream"] {
        let _ = body.raw(known);
    }
    if let Some(raw) = body.raw("system") {
        let parts = blocks::text_or_blocks(raw, "system")?;
        said.messages.push(Message { role: Role::System, parts, others: Vec::new() });
    }
    let messages = body.list("messages")?.ok_or_else(|| Misshapen::new("messages", "is missing; it must be a list"))?;
    for (path, raw) in messages {
        message(raw, path, &mut said.messages)?;
    }
    for (path, raw) in body.list("tools")?.unwrap_or_default() {
        said.tools.push(tool(raw, path)?);
    }
    if let Some(raw) = body.raw("tool_choice") {
        (said.tool_choice, said.parallel_tool_calls) = tool_choice(raw)?;
    }
    let settings = &mut said.settings;
    settings.max_output_tokens = body.typed("max_tokens", "a whole number, zero or above")?;
    settings.temperature = body.typed("temperature", "a number")?;
    settings.top_p = body.typed("top_p", "a number")?;
    settings.top_k = body.typed("top_k", "a number")?;
    settings.stop = body.typed("stop_sequences", "a list of texts")?.unwrap_or_default();
    let mut left = Vec::new();
    if let Some(mut metadata) = body.object("metadata")? {
        settings.user = metadata.text("user_id")?;
        left.extend(rest_of("metadata", metadata));
    }
    left.extend(thinking(&mut body, &mut said.reasoning)?);
    if let Some(mut config) = body.object("output_config")? {
        if let Some(word) = config.text("effort")? {
            let effort = Effort::of(&word);
            let known = "must be `low`, `medium`, `high`, `xhigh` or `max`";
            said.reasoning.effort = Some(effort.ok_or_else(|| Misshapen::new(config.place("effort"), known))?);
        }
        said.output = config.object("format")?.map(output_format).transpose()?;
        left.extend(rest_of("output_config", config));
    }
    // The name it had at first.
    if let Some(format) = body.object("output_format")? {
        said.output = Some(output_format(format)?);
    }
    said.others = body.rest(kinds::request_hint);
    said.others.extend(left);
    Ok(said)
}

/// What is left of an object whose other members have neutral words, under the object's name.
fn rest_of(name: &str, members: Members<'_>) -> Option<Named> {
    let mut object = Object::new();
    object.put_named(&members.rest(|_| true));
    if object.is_empty() {
        return None;
    }
    Json::new(object.finish()).ok().map(|value| Named { name: name.to_owned(), value, hint: true })
}

fn thinking(body: &mut Members<'_>, wish: &mut ReasoningWish) -> Result<Option<Named>, Misshapen> {
    let Some(raw) = body.raw("thinking") else { return Ok(None) };
    let mut members = Members::read(raw, "thinking")?;
    match members.required_text("type")?.as_str() {
        "disabled" => wish.enabled = Some(false),
        "enabled" => {
            wish.enabled = Some(true);
            wish.budget = members.typed("budget_tokens", "a whole number, zero or above")?;
        }
        "adaptive" => wish.enabled = Some(true),
        // A way of thinking that no other format can ask for.
        _ => {
            wish.enabled = Some(true);
            return Ok(Some(Named { name: "thinking".to_owned(), value: raw.into(), hint: true }));
        }
    }
    let display = members.text("display")?;
    if display.as_deref() == Some("summarized") {
        wish.summary = Some("auto".to_owned());
    }
    let mut rest = Object::new();
    rest.put_some("display", display.filter(|display| display != "summarized"));
    rest.put_named(&members.rest(|_| true));
    let value = if rest.is_empty() { None } else { Json::new(rest.finish()).ok() };
    Ok(value.map(|value| Named { name: "thinking".to_owned(), value, hint: true }))
}

fn output_format(mut format: Members<'_>) -> Result<OutputFormat, Misshapen> {
    let kind = format.required_text("type")?;
    if kind != "json_schema" {
        return Err(Misshapen::new(format.place("type"), "must be `json_schema`"));
    }
    let schema = format.json("schema").ok_or_else(|| Misshapen::new(format.place("schema"), "is missing"))?;
    let (name, description) = (format.text("name")?, format.text("description")?);
    Ok(OutputFormat::JsonSchema { name, description, schema, strict: None })
}

/// One message; a user's that holds tools' results becomes two, the results first, as the format has them.
fn message(raw: &RawValue, path: String, messages: &mut Vec<Message>) -> Result<(), Misshapen> {
    let mut members = Members::read(raw, path)?;
    let named = members.required_text("role")?;
    let role = kinds::role(named.as_bytes())
        .ok_or_else(|| Misshapen::new(members.place("role"), "must be `user`, `assistant` or `system`"))?;
    let place = members.place("content");
    let content = members.raw("content");
    let content = content.ok_or_else(|| Misshapen::new(&place, "is missing; it must be a text or a list of blocks"))?;
    let mut parts = blocks::text_or_blocks(content, &place)?;
    seal::attach_calls(&mut parts);
    let mut others = members.rest(|_| false);
    let is_result = |part: &Part| matches!(part.content, Content::ToolResult(_));
    let (results, parts): (Vec<Part>, Vec<Part>) = parts.into_iter().partition(is_result);
    if role != Role::User && !results.is_empty() {
        return Err(Misshapen::new(place, "holds a tool's result, which only a user's message can"));
    }
    if !results.is_empty() {
        messages.push(Message { role: Role::Tool, parts: results, others: std::mem::take(&mut others) });
        if parts.is_empty() {
            return Ok(());
        }
    }
    messages.push(Message { role, parts, others });
    Ok(())
}

fn tool(raw: &RawValue, path: String) -> Result<Tool, Misshapen> {
    let mut members = Members::read(raw, path)?;
    let kind = members.text("type")?;
    if let Some(kind) = kind.filter(|kind| !kinds::is_function(kind)) {
        return Ok(Tool::Hosted(Hosted { kind, json: raw.into() }));
    }
    let name = members.required_text("name")?;
    let description = members.text("description")?;
    let parameters = members.json("input_schema");
    if let Some(schema) = &parameters {
        Members::of_text(schema.text(), members.place("input_schema"))?;
    }
    let strict = members.typed("strict", "true or false")?;
    let mut others = members.rest(kinds::function_hint);
    for other in &mut others {
        // What is so unless said otherwise.
        other.hint |= other.name == "allowed_callers" && other.value.text().replace(' ', "") == r#"["direct"]"#;
    }
    Ok(Tool::Function { name, description, parameters, strict, others })
}

fn tool_choice(raw: &RawValue) -> Result<(Option<ToolChoice>, Option<bool>), Misshapen> {
    let mut members = Members::read(raw, "tool_choice")?;
    let kind = members.required_text("type")?;
    let disabled: Option<bool> = members.typed("disable_parallel_tool_use", "true or false")?;
    let choice = match kind.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Function(members.required_text("name")?),
        _ => return Err(Misshapen::new(members.place("type"), "must be `auto`, `any`, `tool` or `none`")),
    };
    Ok((Some(choice), disabled.map(|disabled| !disabled)))
}
