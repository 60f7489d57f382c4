//! A conversation in neutral words, as a body for a target that speaks this format.

use super::kinds;
use super::thinking::{self, Thinking};
use super::turns::{self, put_members};
use crate::chat::{Conversation, Json, OutputFormat, Tool, ToolChoice};
use crate::wire::Shape;
use crate::wire::json::{List, Members, Object};
use crate::wire::losses::{Encoded, Losses, Unsupported};

/// Writes the body. What grows from turn to turn, the messages, stands last.
///
/// # Errors
/// Something cannot be said in this format, and is not to be dropped.
pub fn encode(conversation: &Conversation, stream: bool, shape: &Shape<'_>) -> Result<Encoded, Unsupported> {
    let mut losses = Losses::new(shape.drop_unsupported, shape.format.as_str());
    let turns = turns::write(conversation, shape, &mut losses)?;
    let thinking = thinking::choose(conversation, shape, &mut losses);
    let mut body = Object::new();
    body.put("model", shape.model).put("max_tokens", thinking.max_tokens);
    if stream {
        body.put("stream", true);
    }
    if let Some(system) = &turns.system {
        body.raw("system", system);
    }
    tools(conversation, &mut body, &mut losses)?;
    tool_choice(conversation, &mut body, &mut losses)?;
    if let Some(config) = &thinking.config {
        body.raw("thinking", config);
    }
    output_config(conversation, &thinking, shape, &mut body, &mut losses)?;
    settings(conversation, &thinking, &mut body, &mut losses)?;
    others(conversation, &mut body, &mut losses)?;
    body.raw("messages", &turns.messages);
    Ok(Encoded { body: body.finish().into(), dropped: losses.into_dropped() })
}

fn tools(conversation: &Conversation, body: &mut Object, losses: &mut Losses) -> Result<(), Unsupported> {
    let mut list = List::new();
    for (index, tool) in conversation.tools.iter().enumerate() {
        let path = format!("tools[{index}]");
        match tool {
            Tool::Function { name, description, parameters, strict, others } => {
                let mut object = Object::new();
                object.put("name", name).put_some("description", description.as_ref());
                object.raw("input_schema", &schema(parameters.as_ref()));
                object.put_some("strict", *strict);
                put_members(&mut object, others, &kinds::FUNCTION_MEMBERS, &path, losses)?;
                list.raw(&object.finish());
            }
            Tool::Hosted(hosted) if kinds::is_own_tool(&hosted.kind) => {
                list.raw(hosted.json.text());
            }
            Tool::Hosted(_) => losses.meaning(path)?,
        }
    }
    if !list.is_empty() {
        body.raw("tools", &list.finish());
    }
    Ok(())
}

/// The schema as written, but for the `type` that Anthropic insists on where others take it as understood.
fn schema(parameters: Option<&Json>) -> String {
    const ANYTHING: &str = r#"{"type":"object","properties":{}}"#;
    let Some(text) = parameters.map(Json::text) else { return ANYTHING.to_owned() };
    let Ok(mut members) = Members::of_text(text, "") else { return ANYTHING.to_owned() };
    if members.raw("type").is_some() {
        return text.to_owned();
    }
    let mut typed = Object::new();
    typed.put("type", "object").put_named(&members.rest(|_| false));
    typed.finish()
}

fn tool_choice(conversation: &Conversation, body: &mut Object, losses: &mut Losses) -> Result<(), Unsupported> {
    let no_tools = conversation.tools.is_empty();
    let one_at_a_time = conversation.parallel_tool_calls == Some(false);
    let mut choice = Object::new();
    match &conversation.tool_choice {
        // Without tools Anthropic refuses the member, and there is nothing to choose.
        None | Some(ToolChoice::Auto | ToolChoice::None) if no_tools => return Ok(()),
        None if one_at_a_time => choice.put("type", "auto"),
        None => return Ok(()),
        Some(ToolChoice::Auto) => choice.put("type", "auto"),
        Some(ToolChoice::None) => {
            body.raw("tool_choice", r#"{"type":"none"}"#);
            return Ok(());
        }
        Some(ToolChoice::Required) => choice.put("type", "any"),
        Some(ToolChoice::Function(name)) => choice.put("type", "tool").put("name", name),
        Some(ToolChoice::Allowed { names, required: true }) if names.len() == 1 => {
            choice.put("type", "tool").put("name", names.first())
        }
        Some(ToolChoice::Allowed { .. } | ToolChoice::Opaque(_)) => return losses.meaning("tool_choice"),
    };
    choice.put_some("disable_parallel_tool_use", conversation.parallel_tool_calls.map(|parallel| !parallel));
    body.raw("tool_choice", &choice.finish());
    Ok(())
}

fn output_config(
    conversation: &Conversation,
    thinking: &Thinking,
    shape: &Shape<'_>,
    body: &mut Object,
    losses: &mut Losses,
) -> Result<(), Unsupported> {
    let mut config = Object::new();
    config.put_some("effort", thinking.effort.map(|effort| effort.as_str()));
    match &conversation.output {
        None | Some(OutputFormat::Text) => {}
        // Anthropic always holds to the schema, and has no name for it: neither changes the answer.
        Some(OutputFormat::JsonSchema { schema, description, .. }) if shape.dialect.json_schema => {
            let mut format = Object::new();
            format.put("type", "json_schema").raw("schema", schema.text());
            config.raw("format", &format.finish());
            if description.is_some() {
                losses.hint("response_format.json_schema.description");
            }
        }
        Some(OutputFormat::JsonObject | OutputFormat::JsonSchema { .. }) => losses.meaning("response_format")?,
    }
    let rest = conversation.others.iter().find(|other| other.name == "output_config");
    if let Some(rest) = rest.and_then(|rest| Members::of_text(rest.value.text(), "").ok()) {
        config.put_named(&rest.rest(|_| true));
    }
    if !config.is_empty() {
        body.raw("output_config", &config.finish());
    }
    Ok(())
}

fn settings(
    conversation: &Conversation,
    thinking: &Thinking,
    body: &mut Object,
    losses: &mut Losses,
) -> Result<(), Unsupported> {
    let said = &conversation.settings;
    let value = |number: &Option<serde_json::Number>| number.as_ref().and_then(serde_json::Number::as_f64);
    // While it thinks, Claude takes no other temperature than 1, no `top_k`, and `top_p` from 0.95 only.
    // https://platform.claude.com/docs/en/build-with-claude/extended-thinking#feature-compatibility
    let thinks = thinking.on;
    if let Some(temperature) = value(&said.temperature) {
        if temperature > 1.0 || thinks && temperature < 1.0 {
            losses.meaning("temperature")?;
        } else {
            body.put_some("temperature", said.temperature.as_ref());
        }
    }
    if let Some(top_p) = value(&said.top_p) {
        if thinks && top_p < 0.95 {
            losses.meaning("top_p")?;
        } else {
            body.put_some("top_p", said.top_p.as_ref());
        }
    }
    if said.top_k.is_some() && thinks {
        losses.meaning("top_k")?;
    } else {
        body.put_some("top_k", said.top_k.as_ref());
    }
    stop(&said.stop, body, losses)?;
    if let Some(user) = &said.user {
        let mut metadata = Object::new();
        metadata.put("user_id", user);
        body.raw("metadata", &metadata.finish());
    }
    let nonzero = |number: &Option<serde_json::Number>| value(number).is_some_and(|value| value != 0.0);
    for (unsayable, name) in [
        (said.n.is_some_and(|n| n > 1), "n"),
        (said.seed.is_some(), "seed"),
        (nonzero(&said.frequency_penalty), "frequency_penalty"),
        (nonzero(&said.presence_penalty), "presence_penalty"),
        (said.logprobs == Some(true), "logprobs"),
        (said.top_logprobs.is_some_and(|top| top > 0), "top_logprobs"),
        (said.verbosity.as_deref().is_some_and(|verbosity| verbosity != "medium"), "verbosity"),
    ] {
        if unsayable {
            losses.meaning(name)?;
        }
    }
    Ok(())
}

/// Anthropic refuses stop sequences of nothing but white space.
fn stop(stop: &[String], body: &mut Object, losses: &mut Losses) -> Result<(), Unsupported> {
    let mut list = List::new();
    for text in stop {
        if text.trim().is_empty() {
            losses.meaning("stop")?;
        } else {
            list.put(text);
        }
    }
    if !list.is_empty() {
        body.raw("stop_sequences", &list.finish());
    }
    Ok(())
}

fn others(conversation: &Conversation, body: &mut Object, losses: &mut Losses) -> Result<(), Unsupported> {
    for other in &conversation.others {
        let value = other.value.text();
        match other.name.as_str() {
            // Written where they belong.
            "output_config" | "thinking" => {}
            // Another format's words for it are not Anthropic's.
            "service_tier" if matches!(value, r#""auto""# | r#""standard_only""#) => {
                body.raw("service_tier", value);
            }
            // Responses has a list of this name.
            "context_management" if value.starts_with('[') => losses.members("", std::slice::from_ref(other))?,
            name if kinds::REQUEST_MEMBERS.contains(&name) => {
                body.raw(name, value);
            }
            _ => losses.members("", std::slice::from_ref(other))?,
        }
    }
    Ok(())
}
