//! Limits, sampling and the answer's form.

use super::Writer;
use crate::chat::OutputFormat;
use crate::wire::dialect::MaxTokens;
use crate::wire::json::Object;
use crate::wire::losses::Unsupported;

/// Writes them.
pub(super) fn write(writer: &mut Writer<'_>) -> Result<(), Unsupported> {
    let said = writer.said;
    let settings = &said.settings;
    let dialect = writer.dialect();
    let limit = match dialect.max_tokens {
        MaxTokens::MaxTokens => "max_tokens",
        MaxTokens::MaxCompletionTokens => "max_completion_tokens",
    };
    let most = writer.shape.max_output.unwrap_or(u64::MAX);
    let body = &mut writer.body;
    body.put_some(limit, settings.max_output_tokens.map(|wanted| wanted.min(most)));
    body.put_some("temperature", settings.temperature.as_ref()).put_some("top_p", settings.top_p.as_ref());
    if let Some(top_k) = &settings.top_k {
        if dialect.open_sampling {
            body.put("top_k", top_k);
        } else {
            writer.losses.meaning("top_k")?;
        }
    }
    let body = &mut writer.body;
    body.put_some("stop", (!settings.stop.is_empty()).then_some(&settings.stop));
    body.put_some(dialect.seed, settings.seed.as_ref());
    body.put_some("frequency_penalty", settings.frequency_penalty.as_ref());
    body.put_some("presence_penalty", settings.presence_penalty.as_ref());
    body.put_some("n", settings.n).put_some("logprobs", settings.logprobs);
    body.put_some("top_logprobs", settings.top_logprobs);
    if let Some(user) = &settings.user {
        // Who refuses so common an option as `stream_options` refuses whatever it does not know (Mistral: 422, "extra inputs
        // are not permitted").
        if writer.own || dialect.stream_options {
            body.put("user", user);
        } else {
            writer.losses.hint("user");
        }
    }
    writer.body.put_some("verbosity", settings.verbosity.as_ref());
    output(writer)
}

fn output(writer: &mut Writer<'_>) -> Result<(), Unsupported> {
    let Some(output) = &writer.said.output else { return Ok(()) };
    let mut format = Object::new();
    match output {
        OutputFormat::Text => format.put("type", "text"),
        OutputFormat::JsonObject => format.put("type", "json_object"),
        OutputFormat::JsonSchema { .. } if !writer.dialect().json_schema => {
            writer.losses.meaning("response_format.json_schema")?;
            format.put("type", "json_object")
        }
        OutputFormat::JsonSchema { name, description, schema, strict } => {
            let mut inner = Object::new();
            inner.put("name", name.as_deref().unwrap_or("response")).put_some("description", description.as_ref());
            inner.put("schema", schema).put_some("strict", *strict);
            inner.put_named(&writer.rest_of("response_format.json_schema"));
            format.put("type", "json_schema").put("json_schema", inner)
        }
    };
    writer.body.put("response_format", format);
    Ok(())
}
