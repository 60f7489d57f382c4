//! A conversation as the body for a target that speaks Responses.
//!
//! The input stands right behind the model, one item after the other and each written from itself alone, so that the body
//! of the next turn begins with this turn's bytes. Nothing is kept at the provider: `store` is always false, and reasoning
//! comes and goes encrypted.

mod items;
mod media;
pub(super) mod reasoning;
mod tools;

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{ENCRYPTED, LOGPROBS, may_reason};
use crate::chat::{Conversation, Named, OutputFormat, Settings};
use crate::wire::dialect::Shape;
use crate::wire::json::{List, Object};
use crate::wire::losses::{Encoded, Losses, Unsupported};

/// The API refuses smaller limits (`max_output_tokens`, minimum 16 in OpenAI's published schema).
const LEAST_OUTPUT: u64 = 16;

/// Top-level members that the format knows by the name and in the form that a client wrote them.
const KNOWN: [&str; 9] = [
    "background",
    "context_management",
    "max_tool_calls",
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "truncation",
];
const TIERS: [&str; 7] = ["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"];

/// Writes the body.
///
/// # Errors
/// The first thing that the format cannot say, unless such things are to be dropped.
pub fn encode(conversation: &Conversation, stream: bool, shape: &Shape<'_>) -> Result<Encoded, Unsupported> {
    let mut losses = Losses::new(shape.drop_unsupported, shape.format.as_str());
    let (mut body, mut nested) = (Object::new(), Nested::default());
    body.put("model", shape.model);
    body.raw("input", &items::input(conversation, shape, &mut losses)?);
    let tools = tools::tools(&conversation.tools, &mut losses)?;
    if !tools.is_empty() {
        body.raw("tools", &tools.finish());
    }
    if let Some(choice) = &conversation.tool_choice {
        tools::choice(choice, &mut body, &mut losses)?;
    }
    body.put_some("parallel_tool_calls", conversation.parallel_tool_calls);
    for other in &conversation.others {
        nested.other(other, stream, &mut body, &mut losses)?;
    }
    reasoning::wish(conversation, shape, &nested.reasoning, &mut losses, &mut body);
    text(conversation, &nested.text, &mut body);
    settings(&conversation.settings, shape, &mut body, &mut losses)?;
    include(conversation, shape, nested.include, &mut body);
    body.put("store", false);
    if stream {
        body.put("stream", true);
    }
    Ok(Encoded { body: body.finish().into(), dropped: losses.into_dropped() })
}

/// Members of the client's body that belong into objects that are written here.
#[derive(Default)]
struct Nested<'a> {
    text: Vec<(&'a str, &'a Named)>,
    reasoning: Vec<(&'a str, &'a Named)>,
    include: Option<&'a Named>,
}

impl<'a> Nested<'a> {
    fn other(
        &mut self,
        other: &'a Named,
        stream: bool,
        body: &mut Object,
        losses: &mut Losses,
    ) -> Result<(), Unsupported> {
        let value = other.value.text();
        let name = other.name.as_str();
        let said = match name {
            // Always false here.
            "store" if value == "false" => return Ok(()),
            "include" => {
                self.include = Some(other);
                return Ok(());
            }
            "metadata" => other.value.read::<BTreeMap<String, String>>().is_ok(),
            "service_tier" => other.value.read::<String>().is_ok_and(|tier| TIERS.contains(&tier.as_str())),
            "stream_options" => stream && value.contains("include_obfuscation"),
            "background" => value == "false",
            _ => KNOWN.contains(&name),
        };
        if said {
            body.raw(name, value);
        } else if let Some(below) = name.strip_prefix("text.") {
            self.text.push((below, other));
        } else if let Some(below) = name.strip_prefix("reasoning.") {
            self.reasoning.push((below, other));
        } else {
            losses.members("", std::slice::from_ref(other))?;
        }
        Ok(())
    }
}

fn text(conversation: &Conversation, nested: &[(&str, &Named)], body: &mut Object) {
    let mut text = Object::new();
    if let Some(output) = &conversation.output {
        let mut format = Object::new();
        match output {
            OutputFormat::Text => _ = format.put("type", "text"),
            OutputFormat::JsonObject => _ = format.put("type", "json_object"),
            OutputFormat::JsonSchema { name, description, schema, strict } => {
                format.put("type", "json_schema").put("name", name.as_deref().unwrap_or("response"));
                format.put_some("description", description.as_ref()).put("schema", schema);
                format.put_some("strict", *strict);
            }
        }
        text.put("format", format);
    }
    text.put_some("verbosity", conversation.settings.verbosity.as_ref());
    for (name, other) in nested {
        text.raw(name, other.value.text());
    }
    if !text.is_empty() {
        body.put("text", text);
    }
}

fn settings(settings: &Settings, shape: &Shape<'_>, body: &mut Object, losses: &mut Losses) -> Result<(), Unsupported> {
    if let Some(wish) = settings.max_output_tokens {
        if wish < LEAST_OUTPUT {
            losses.hint("max_tokens");
        }
        body.put("max_output_tokens", wish.max(LEAST_OUTPUT).min(shape.max_output.unwrap_or(u64::MAX)));
    }
    body.put_some("temperature", settings.temperature.as_ref()).put_some("top_p", settings.top_p.as_ref());
    body.put_some("top_logprobs", settings.top_logprobs).put_some("user", settings.user.as_ref());
    let set = [
        ("stop", !settings.stop.is_empty()),
        ("n", settings.n.is_some_and(|n| n > 1)),
        ("seed", settings.seed.is_some()),
        ("top_k", settings.top_k.is_some()),
    ];
    for (name, _) in set.iter().filter(|(_, set)| *set) {
        losses.meaning(*name)?;
    }
    let penalties =
        [("frequency_penalty", &settings.frequency_penalty), ("presence_penalty", &settings.presence_penalty)];
    for (name, penalty) in penalties {
        match penalty.as_ref().and_then(serde_json::Number::as_f64) {
            None => {}
            // Many clients write the default.
            Some(0.0) => losses.hint(name),
            Some(_) => losses.meaning(name)?,
        }
    }
    Ok(())
}

fn include(conversation: &Conversation, shape: &Shape<'_>, named: Option<&Named>, body: &mut Object) {
    let mut list = List::new();
    let wish = shape.wish(&conversation.reasoning);
    let wished = !wish.is_empty() && !wish.off();
    if may_reason(shape, wished) {
        list.put(ENCRYPTED);
    }
    if conversation.settings.logprobs == Some(true) {
        list.put(LOGPROBS);
    }
    let wishes: Vec<&RawValue> = named.and_then(|named| named.value.read().ok()).unwrap_or_default();
    for wish in wishes {
        list.raw(wish.get());
    }
    if !list.is_empty() {
        body.raw("include", &list.finish());
    }
}
