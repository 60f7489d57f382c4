//! Everything that a client said, in neutral words.
//!
//! Ids and states that a client repeats because the server wrote them (`id`, `status: completed`, empty `annotations`)
//! say nothing of its own and are passed over; all else without a neutral name is kept by its name.

mod items;
mod parts;
mod tools;

use serde_json::value::RawValue;

use super::{ENCRYPTED, LOGPROBS};
use crate::chat::{
    self, Content, Conversation, Effort, Format, Json, Message, Named, OutputFormat, ReasoningWish, Role,
};
use crate::wire::json::{Members, Misshapen, as_text};
use crate::wire::request_error::RequestError;

/// Reads the whole conversation of a request that `judge` accepted.
///
/// # Errors
/// A member of the wrong type, by its place.
pub fn decode(request: &chat::Request) -> Result<Conversation, RequestError> {
    let body = std::str::from_utf8(&request.body).map_err(|_| Misshapen::new("", "must be UTF-8"))?;
    let mut members = Members::of_text(body, "")?;
    let mut conversation = Conversation { from: Some(Format::Responses), ..Conversation::default() };
    // These two stand beside the conversation, in `chat::Request`.
    members.raw("model");
    members.raw("stream");
    if let Some(instructions) = members.text("instructions")?.filter(|text| !text.is_empty()) {
        conversation.messages.push(message(Role::System, vec![Content::Text(instructions).into()]));
    }
    if let Some(input) = members.raw("input") {
        read_input(input, &mut conversation.messages)?;
    }
    for (path, tool) in members.list("tools")?.unwrap_or_default() {
        conversation.tools.push(tools::tool(tool, path)?);
    }
    conversation.tool_choice = members.raw("tool_choice").map(tools::choice).transpose()?;
    conversation.parallel_tool_calls = members.typed("parallel_tool_calls", "a boolean")?;
    let settings = &mut conversation.settings;
    settings.max_output_tokens = members.raw("max_output_tokens").and(request.max_output_tokens);
    settings.temperature = members.typed("temperature", "a number")?;
    settings.top_p = members.typed("top_p", "a number")?;
    settings.top_logprobs = members.typed("top_logprobs", "a whole number, zero or above")?;
    settings.user = members.text("user")?;
    let mut others = Vec::new();
    if let Some(mut text) = members.object("text")? {
        settings.verbosity = text.text("verbosity")?;
        conversation.output = text.object("format")?.map(output_format).transpose()?;
        others.extend(below("text", text.rest(|_| false)));
    }
    if let Some(reasoning) = members.object("reasoning")? {
        conversation.reasoning = reasoning_wish(reasoning, &mut others)?;
    }
    if let Some(wishes) = members.list("include")? {
        others.extend(include(&wishes, &mut settings.logprobs));
    }
    others.extend(members.rest(|_| false).into_iter().map(|other| {
        let hint = is_hint(&other);
        Named { hint, ..other }
    }));
    conversation.others = others;
    Ok(conversation)
}

pub(super) fn message(role: Role, parts: Vec<chat::Part>) -> Message {
    Message { role, parts, others: Vec::new() }
}

fn read_input(input: &RawValue, messages: &mut Vec<Message>) -> Result<(), Misshapen> {
    if let Some(text) = as_text(input) {
        messages.push(message(Role::User, vec![Content::Text(text).into()]));
        return Ok(());
    }
    let Ok(list) = crate::wire::json::elements(input, "input") else {
        return Err(Misshapen::new("input", "must be a text or a list of items"));
    };
    for (path, item) in list {
        items::read(item, path, messages)?;
    }
    items::attach_seals(messages);
    Ok(())
}

/// Whether a top-level member cannot change what the answer says.
fn is_hint(member: &Named) -> bool {
    match member.name.as_str() {
        "metadata"
        | "safety_identifier"
        | "prompt_cache_key"
        | "prompt_cache_options"
        | "prompt_cache_retention"
        | "service_tier"
        // Of no effect without hosted tools, and those are refused by their own name.
        | "max_tool_calls"
        | "stream_options" => true,
        "store" | "background" => member.value.text() == "false",
        "truncation" => member.value.text() == r#""disabled""#,
        _ => false,
    }
}

/// Members of a top-level object, by their path.
fn below(object: &str, members: Vec<Named>) -> impl Iterator<Item = Named> {
    members.into_iter().map(move |member| Named { name: format!("{object}.{}", member.name), ..member })
}

fn output_format(mut format: Members<'_>) -> Result<OutputFormat, Misshapen> {
    match format.required_text("type")?.as_str() {
        "text" => Ok(OutputFormat::Text),
        "json_object" => Ok(OutputFormat::JsonObject),
        "json_schema" => Ok(OutputFormat::JsonSchema {
            name: format.text("name")?,
            description: format.text("description")?,
            schema: match format.json("schema") {
                Some(schema) => schema,
                None => return Err(Misshapen::new(format.place("schema"), "is missing; it must be a JSON Schema")),
            },
            strict: format.typed("strict", "a boolean")?,
        }),
        _ => Err(Misshapen::new(format.place("type"), "must be 'text', 'json_object' or 'json_schema'")),
    }
}

fn reasoning_wish(mut members: Members<'_>, others: &mut Vec<Named>) -> Result<ReasoningWish, Misshapen> {
    let mut wish = ReasoningWish::default();
    if let Some(word) = members.text("effort")? {
        wish.effort = Effort::of(&word);
        if wish.effort.is_none() {
            // A degree that only some provider knows.
            let value = Json::of(&word).map_err(|_| Misshapen::new(members.place("effort"), "must be a text"))?;
            others.push(Named { name: "reasoning.effort".to_owned(), value, hint: false });
        }
    }
    let older = members.text("generate_summary")?;
    wish.summary = members.text("summary")?.or(older);
    others.extend(below("reasoning", members.rest(|name| name == "context")));
    Ok(wish)
}

/// What is to be told beside the answer. Encrypted reasoning is always asked for where there may be some.
fn include(wishes: &[(String, &RawValue)], logprobs: &mut Option<bool>) -> Option<Named> {
    let mut rest = crate::wire::json::List::new();
    for (_, wish) in wishes {
        match as_text(wish).as_deref() {
            Some(LOGPROBS) => *logprobs = Some(true),
            Some(ENCRYPTED) => {}
            _ => _ = rest.raw(wish.get()),
        }
    }
    if rest.is_empty() {
        return None;
    }
    // All that is left tells more of hosted tools, which are refused by their own name.
    Json::new(rest.finish()).ok().map(|value| Named { name: "include".to_owned(), value, hint: true })
}
