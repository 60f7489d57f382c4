//! Limits, sampling, the answer's form, and how much to reason.

use serde_json::value::RawValue;

use super::{dotted, named};
use crate::chat::{Conversation, Effort, Json, Named, OutputFormat, ReasoningWish, Settings};
use crate::wire::json::{Members, Misshapen, as_text};

const NUMBER: &str = "a number";
const COUNT: &str = "a whole number, zero or above";

/// Takes out all that has a neutral name.
pub(super) fn read(top: &mut Members<'_>, said: &mut Conversation) -> Result<(), Misshapen> {
    let others = &mut said.others;
    if let Some(mut options) = top.object("stream_options")? {
        // The gateway asks for usage always and shows it if the request says so.
        options.raw("include_usage");
        dotted(options, "stream_options", true, others);
    }
    let limits = [count(top, "max_completion_tokens")?, count(top, "max_tokens")?];
    let seeds = [top.typed("seed", NUMBER)?, top.typed("random_seed", NUMBER)?];
    said.settings = Settings {
        max_output_tokens: limits.into_iter().flatten().next(),
        temperature: top.typed("temperature", NUMBER)?,
        top_p: top.typed("top_p", NUMBER)?,
        top_k: top.typed("top_k", NUMBER)?,
        stop: stop(top)?,
        seed: seeds.into_iter().flatten().next(),
        frequency_penalty: top.typed("frequency_penalty", NUMBER)?,
        presence_penalty: top.typed("presence_penalty", NUMBER)?,
        n: top.typed("n", COUNT)?,
        logprobs: top.typed("logprobs", "a boolean")?,
        top_logprobs: top.typed("top_logprobs", COUNT)?,
        user: top.text("user")?,
        verbosity: top.text("verbosity")?,
    };
    said.output = output(top, others)?;
    said.reasoning = reasoning(top, others)?;
    Ok(())
}

/// A count that may be larger than any number of ours.
fn count(top: &mut Members<'_>, name: &str) -> Result<Option<u64>, Misshapen> {
    let Some(raw) = top.raw(name) else { return Ok(None) };
    let count = crate::wire::openai::types::whole(raw.get().as_bytes());
    count.map(Some).ok_or_else(|| Misshapen::new(top.place(name), format!("must be {COUNT}")))
}

fn stop(top: &mut Members<'_>) -> Result<Vec<String>, Misshapen> {
    let Some(raw) = top.raw("stop") else { return Ok(Vec::new()) };
    match as_text(raw) {
        Some(one) => Ok(vec![one]),
        None => serde_json::from_str(raw.get())
            .map_err(|_| Misshapen::new(top.place("stop"), "must be a text or a list of texts")),
    }
}

fn output(top: &mut Members<'_>, others: &mut Vec<Named>) -> Result<Option<OutputFormat>, Misshapen> {
    let Some(raw) = top.raw("response_format") else { return Ok(None) };
    let mut members = Members::read(raw, top.place("response_format"))?;
    let kind = members.required_text("type")?;
    let schema = match kind.as_str() {
        "text" => return Ok(Some(OutputFormat::Text)),
        "json_object" => match members.raw("schema") {
            None => return Ok(Some(OutputFormat::JsonObject)),
            // llama.cpp's and Together's way to give a schema.
            Some(schema) => return Ok(Some(with_schema(schema))),
        },
        "json_schema" => members.object("json_schema")?,
        _ => None,
    };
    let Some(mut inner) = schema else {
        // A grammar or a regular expression; some servers know them.
        others.push(named("response_format", Json::from(raw), false));
        return Ok(None);
    };
    let output = OutputFormat::JsonSchema {
        name: inner.text("name")?,
        description: inner.text("description")?,
        schema: match inner.json("schema") {
            Some(schema) => schema,
            None => Json::of(&serde_json::Map::new())
                .map_err(|_| Misshapen::new(inner.place("schema"), "is missing; it must be an object"))?,
        },
        strict: inner.typed("strict", "a boolean")?,
    };
    dotted(inner, "response_format.json_schema", false, others);
    Ok(Some(output))
}

fn with_schema(schema: &RawValue) -> OutputFormat {
    OutputFormat::JsonSchema { name: None, description: None, schema: Json::from(schema), strict: None }
}

/// The wish, in whatever provider's words.
fn reasoning(top: &mut Members<'_>, others: &mut Vec<Named>) -> Result<ReasoningWish, Misshapen> {
    let mut wish = ReasoningWish::default();
    effort(top, "reasoning_effort", "reasoning_effort", &mut wish, others)?;
    if let Some(mut object) = top.object("reasoning")? {
        effort(&mut object, "effort", "reasoning.effort", &mut wish, others)?;
        wish.budget = object.typed("max_tokens", COUNT)?;
        wish.enabled = object.typed("enabled", "a boolean")?;
        wish.summary = object.text("summary")?;
        dotted(object, "reasoning", true, others);
    }
    if let Some(mut object) = top.object("thinking")? {
        match object.text("type")?.as_deref() {
            Some("enabled" | "adaptive") => wish.enabled = Some(true),
            Some("disabled") => wish.enabled = Some(false),
            None => {}
            Some(word) => others.push(named("thinking.type", text(word)?, true)),
        }
        wish.budget = object.typed("budget_tokens", COUNT)?.or(wish.budget);
        dotted(object, "thinking", true, others);
    }
    if let Some(mut object) = top.object("chat_template_kwargs")? {
        for name in ["enable_thinking", "thinking"] {
            wish.enabled = object.typed(name, "a boolean")?.or(wish.enabled);
        }
        effort(&mut object, "reasoning_effort", "chat_template_kwargs.reasoning_effort", &mut wish, others)?;
        dotted(object, "chat_template_kwargs", false, others);
    }
    wish.enabled = top.typed("enable_thinking", "a boolean")?.or(wish.enabled);
    wish.budget = top.typed("thinking_budget", COUNT)?.or(wish.budget);
    Ok(wish)
}

/// A degree; one that nobody here knows stays under its own name.
fn effort(
    members: &mut Members<'_>,
    name: &str,
    whole: &str,
    wish: &mut ReasoningWish,
    others: &mut Vec<Named>,
) -> Result<(), Misshapen> {
    let Some(word) = members.text(name)? else { return Ok(()) };
    match Effort::of(&word) {
        Some(effort) => wish.effort = wish.effort.or(Some(effort)),
        None => others.push(named(whole, text(&word)?, true)),
    }
    Ok(())
}

fn text(word: &str) -> Result<Json, Misshapen> {
    Json::of(&word).map_err(|_| Misshapen::new("", "holds a text that is no JSON"))
}
