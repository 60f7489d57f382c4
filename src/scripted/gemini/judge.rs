//! Refuses what Gemini would refuse of a request's settings; its contents are judged in [`super::history`].
//!
//! Source: https://ai.google.dev/api/generate-content and the messages of the API itself. As protobuf's JSON allows,
//! each member may be spelled in camel or in snake case.

use serde_json::Value;

use super::super::judge::{Verdict, bad, is_name, list, text};
use super::{history, member};

/// As many candidates as Gemini gives at most.
pub(super) const MAX_CANDIDATES: u64 = 8;
const MAX_STOP_SEQUENCES: usize = 5;

const REQUEST: [&str; 11] = [
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "safetySettings",
    "generationConfig",
    "cachedContent",
    "labels",
    "model",
    "serviceTier",
    "store",
];
const CONFIG: [&str; 26] = [
    "candidateCount",
    "stopSequences",
    "maxOutputTokens",
    "temperature",
    "topP",
    "topK",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseLogprobs",
    "logprobs",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "_responseJsonSchema",
    "responseFormat",
    "responseModalities",
    "speechConfig",
    "thinkingConfig",
    "imageConfig",
    "mediaResolution",
    "audioTimestamp",
    "routingConfig",
    "enableAffectiveDialog",
    "enableEnhancedCivicAnswers",
    "translationConfig",
];
const TOOL: [&str; 10] = [
    "functionDeclarations",
    "codeExecution",
    "computerUse",
    "enterpriseWebSearch",
    "googleMaps",
    "googleSearch",
    "googleSearchRetrieval",
    "retrieval",
    "urlContext",
    "fileSearch",
];
const DECLARATION: [&str; 7] =
    ["name", "description", "behavior", "parameters", "parametersJsonSchema", "response", "responseJsonSchema"];
/// Of a `Schema`, which is not JSON Schema. Source: https://ai.google.dev/api/caching#Schema
const SCHEMA: [&str; 25] = [
    "type",
    "format",
    "title",
    "description",
    "nullable",
    "enum",
    "maxItems",
    "minItems",
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "pattern",
    "example",
    "anyOf",
    "propertyOrdering",
    "default",
    "items",
    "minimum",
    "maximum",
    "additionalProperties",
    "defs",
    "ref",
];

pub(super) fn judge(body: &Value) -> Verdict {
    members(body, "", &REQUEST)?;
    if list(body, "contents").is_empty() {
        return bad("* GenerateContentRequest.contents: contents is not specified\n");
    }
    if let Some(config) = member(body, "generationConfig", "generation_config") {
        judge_config(config)?;
    }
    tools(body)?;
    history::judge(body)
}

/// Refuses a member that is none of these, in the words of protobuf's parser.
pub(super) fn members(value: &Value, at: &str, known: &[&str]) -> Verdict {
    let Some(members) = value.as_object() else {
        return bad(format!("Invalid value at '{at}': it is not a message."));
    };
    match members.keys().find(|name| !known.contains(&camel(name).as_str())) {
        Some(name) if at.is_empty() => {
            bad(format!("Invalid JSON payload received. Unknown name \"{name}\": Cannot find field."))
        }
        Some(name) => {
            bad(format!("Invalid JSON payload received. Unknown name \"{name}\" at '{at}': Cannot find field."))
        }
        None => Ok(()),
    }
}

fn camel(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        match c {
            '_' if !camel.is_empty() => upper = true,
            c if upper => {
                camel.extend(c.to_uppercase());
                upper = false;
            }
            c => camel.push(c),
        }
    }
    camel
}

fn judge_config(config: &Value) -> Verdict {
    let at = "generation_config";
    members(config, at, &CONFIG)?;
    for (camel, snake, most) in [("temperature", "temperature", 2.0), ("topP", "top_p", 1.0)] {
        match member(config, camel, snake).map(Value::as_f64) {
            None => {}
            Some(Some(value)) if (0.0..=most).contains(&value) => {}
            Some(_) => {
                return bad(format!(
                    "* GenerateContentRequest.generation_config.{snake}: {snake} must be in the range [0.0, {most:.1}]"
                ));
            }
        }
    }
    if let Some(count) = member(config, "candidateCount", "candidate_count")
        && !count.as_u64().is_some_and(|count| (1..=MAX_CANDIDATES).contains(&count))
    {
        return bad("* GenerateContentRequest.generation_config.candidate_count: must be in the range [1, 8]");
    }
    if let Some(count) = member(config, "maxOutputTokens", "max_output_tokens")
        && count.as_i64().is_none_or(|count| count < 1)
    {
        return bad("* GenerateContentRequest.generation_config.max_output_tokens: must be positive");
    }
    let stops = member(config, "stopSequences", "stop_sequences").and_then(Value::as_array);
    if stops.is_some_and(|stops| stops.len() > MAX_STOP_SEQUENCES) {
        return bad("* GenerateContentRequest.generation_config.stop_sequences: at most 5 stop sequences are allowed");
    }
    if let Some(schema) = member(config, "responseSchema", "response_schema") {
        judge_schema(schema, "generation_config.response_schema")?;
    }
    let Some(thinking) = member(config, "thinkingConfig", "thinking_config") else {
        return Ok(());
    };
    let at = "generation_config.thinking_config";
    members(thinking, at, &["includeThoughts", "thinkingBudget", "thinkingLevel"])?;
    let budget = member(thinking, "thinkingBudget", "thinking_budget").is_some();
    if budget && member(thinking, "thinkingLevel", "thinking_level").is_some() {
        return bad("You can only set only one of thinking budget and thinking level.");
    }
    Ok(())
}

fn tools(body: &Value) -> Verdict {
    for (place, tool) in list(body, "tools").iter().enumerate() {
        members(tool, &format!("tools[{place}]"), &TOOL)?;
        let declared = member(tool, "functionDeclarations", "function_declarations").and_then(Value::as_array);
        for (index, function) in declared.map_or(&[][..], Vec::as_slice).iter().enumerate() {
            let at = format!("tools[{place}].function_declarations[{index}]");
            members(function, &at, &DECLARATION)?;
            let name = text(function, "name").unwrap_or_default();
            let plain = name.replace(['.', ':'], "_");
            if !is_name(&plain, 128) || name.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
                return bad(format!(
                    "* GenerateContentRequest.{at}.name: Invalid function name. Must start with a letter or an \
                     underscore. Must be alphameric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes \
                     (-), with a maximum length of 128."
                ));
            }
            if let Some(parameters) = function.get("parameters") {
                judge_schema(parameters, &format!("{at}.parameters"))?;
            }
        }
    }
    let config = member(body, "toolConfig", "tool_config");
    let Some(calling) = config.and_then(|config| member(config, "functionCallingConfig", "function_calling_config"))
    else {
        return Ok(());
    };
    let at = "tool_config.function_calling_config";
    members(calling, at, &["mode", "allowedFunctionNames", "streamFunctionCallArguments"])?;
    let mode = text(calling, "mode").unwrap_or("AUTO");
    if !matches!(mode, "MODE_UNSPECIFIED" | "AUTO" | "ANY" | "NONE" | "VALIDATED") {
        return bad(format!("Invalid value at '{at}.mode' (type.googleapis.com/…Mode), \"{mode}\""));
    }
    let names = member(calling, "allowedFunctionNames", "allowed_function_names").and_then(Value::as_array);
    if names.is_some_and(|names| !names.is_empty()) && !matches!(mode, "ANY" | "VALIDATED") {
        return bad(
            "Function calling config is set without function calling mode ANY but with allowed_function_names.",
        );
    }
    Ok(())
}

fn judge_schema(schema: &Value, at: &str) -> Verdict {
    members(schema, at, &SCHEMA)?;
    if schema.get("type").is_some_and(|kind| !kind.is_string()) {
        return bad(format!("Invalid value at '{at}.type': Proto field is not repeating, cannot start list."));
    }
    for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        judge_schema(inner, &format!("{at}.properties[{name}]"))?;
    }
    if let Some(items) = schema.get("items") {
        judge_schema(items, &format!("{at}.items"))?;
    }
    let choices = member(schema, "anyOf", "any_of").and_then(Value::as_array);
    for (place, inner) in choices.into_iter().flatten().enumerate() {
        judge_schema(inner, &format!("{at}.any_of[{place}]"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::camel;

    #[test]
    fn both_spellings_of_a_member_are_the_same() {
        assert_eq!(camel("system_instruction"), "systemInstruction");
        assert_eq!(camel("topP"), "topP");
        assert_eq!(camel("_responseJsonSchema"), "_responseJsonSchema");
    }
}
