//! Refuses what Gemini would refuse of the contents: roles, parts, responses without their calls.

use serde_json::Value;

use super::super::judge::{Verdict, bad, list, text};
use super::super::refusal::Refusal;
use super::super::seal;
use super::judge::members;
use super::member;

/// Google takes these for a signature where there is none to send.
/// Source: https://ai.google.dev/gemini-api/docs/thought-signatures
const STAND_INS: [&str; 2] = ["context_engineering_is_the_way_to_go", "skip_thought_signature_validator"];

const PART: [&str; 12] = [
    "text",
    "thought",
    "thoughtSignature",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "videoMetadata",
    "mediaResolution",
    "partMetadata",
];

fn call(part: &Value) -> Option<&Value> {
    member(part, "functionCall", "function_call")
}

fn response(part: &Value) -> Option<&Value> {
    member(part, "functionResponse", "function_response")
}

fn signature(part: &Value) -> Option<&str> {
    member(part, "thoughtSignature", "thought_signature").and_then(Value::as_str)
}

pub(super) fn judge(body: &Value) -> Verdict {
    if let Some(system) = member(body, "systemInstruction", "system_instruction") {
        members(system, "system_instruction", &["parts", "role"])?;
    }
    let contents = list(body, "contents");
    let mut before: Vec<&Value> = Vec::new();
    for (place, content) in contents.iter().enumerate() {
        let at = format!("contents[{place}]");
        members(content, &at, &["parts", "role"])?;
        if !matches!(text(content, "role"), None | Some("user" | "model" | "function")) {
            return bad("Please use a valid role: user, model.");
        }
        let parts = list(content, "parts");
        if parts.is_empty() {
            return bad(format!("* GenerateContentRequest.{at}.parts: contents.parts must not be empty.\n"));
        }
        for (index, part) in parts.iter().enumerate() {
            judge_part(part, &format!("{at}.parts[{index}]"))?;
        }
        let responses: Vec<&Value> = parts.iter().filter_map(response).collect();
        answers(&responses, &before)?;
        before = parts.iter().filter_map(call).collect();
        if !before.is_empty() && (place == 0 || text(content, "role") != Some("model")) {
            return bad(
                "Please ensure that function call turn comes immediately after a user turn or after a function \
                 response turn.",
            );
        }
    }
    Ok(())
}

/// The responses of a turn belong to the calls of the turn before it.
fn answers(responses: &[&Value], calls: &[&Value]) -> Verdict {
    if responses.is_empty() && calls.is_empty() {
        return Ok(());
    }
    if calls.is_empty() {
        return bad("Please ensure that function response turn comes immediately after a function call turn.");
    }
    if responses.len() != calls.len() {
        return bad(
            "Please ensure that the number of function response parts is equal to the number of function call parts \
             of the function call turn.",
        );
    }
    for response in responses {
        let name = text(response, "name").unwrap_or_default();
        let Some(called) = calls.iter().find(|call| text(call, "name") == Some(name)) else {
            return bad(format!("Function response `{name}` has no function call in the turn before."));
        };
        let known = calls.iter().any(|call| text(call, "id") == text(response, "id"));
        if text(called, "id").is_some() && text(response, "id").is_some() && !known {
            return bad(format!("Function response `{name}` has an id that no function call has."));
        }
    }
    Ok(())
}

fn judge_part(part: &Value, at: &str) -> Verdict {
    members(part, at, &PART)?;
    let annotations = ["thought", "thoughtSignature", "thought_signature", "videoMetadata", "mediaResolution"];
    let says = part.as_object().is_some_and(|part| part.keys().any(|name| !annotations.contains(&name.as_str())));
    if !says {
        return bad(format!(
            "* GenerateContentRequest.{at}.data: required oneof field 'data' must have one initialized field\n"
        ));
    }
    let is_struct = |value: Option<&Value>| value.is_none_or(Value::is_object);
    if let Some(call) = call(part) {
        members(call, &format!("{at}.function_call"), &["id", "name", "args", "partialArgs", "willContinue"])?;
        if text(call, "name").is_none_or(str::is_empty) {
            return bad(format!("* GenerateContentRequest.{at}.function_call.name: Name cannot be empty."));
        }
        if !is_struct(call.get("args")) {
            return bad(format!(
                "Invalid value at '{at}.function_call.args' (type.googleapis.com/google.protobuf.Struct)"
            ));
        }
    }
    if let Some(response) = response(part) {
        let place = format!("{at}.function_response");
        members(response, &place, &["id", "name", "response", "parts", "scheduling", "willContinue"])?;
        if text(response, "name").is_none_or(str::is_empty) {
            return bad(format!("* GenerateContentRequest.{place}.name: Name cannot be empty."));
        }
        if !is_struct(response.get("response")) {
            return bad(format!("Invalid value at '{place}.response' (type.googleapis.com/google.protobuf.Struct)"));
        }
    }
    let Some(signature) = signature(part).filter(|signature| !STAND_INS.contains(signature)) else {
        return Ok(());
    };
    let bound = match call(part) {
        Some(call) => seal::open("call", signature).filter(|name| text(call, "name") == Some(name)),
        None => seal::open("text", signature),
    };
    match bound {
        Some(_) => Ok(()),
        None => bad(format!("Thought signature is not valid at {at}.")),
    }
}

/// The first call of the current turn that came back without its signature.
pub(in super::super) fn unsigned(body: &Value) -> Option<Refusal> {
    let contents = list(body, "contents");
    let asks = |content: &&Value| {
        text(content, "role") != Some("model") && !list(content, "parts").iter().any(|part| response(part).is_some())
    };
    let last = contents.iter().rposition(|content| asks(&content))?;
    for (place, content) in contents.iter().enumerate().skip(last) {
        let first = list(content, "parts").iter().find(|part| call(part).is_some());
        if let Some(part) = first
            && signature(part).is_none()
        {
            let name = call(part).and_then(|call| text(call, "name")).unwrap_or_default();
            let message = format!(
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to \
                 work correctly. Additional data, function call `default_api:{name}` , position {}.",
                place + 1
            );
            return Some(Refusal::new(400, message));
        }
    }
    None
}
