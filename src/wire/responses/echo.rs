//! The members of a request that a `Response` object repeats.

use crate::chat::{self, Json};
use crate::wire::json::{Members, Object};

/// Members that stand in the answer as the client wrote them, each with what stands there if it did not: what OpenAI's
/// API writes, or `null` where the model decides and only its provider knows.
const REPEATED: [(&str, &str); 15] = [
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("temperature", "null"),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "null"),
    ("truncation", r#""disabled""#),
    ("user", "null"),
];

/// One object with all that a `Response` says about its request: `background`, `store` and `previous_response_id` as they
/// are without state, `text`, and every member of the request that OpenAI's SDK knows in a `Response`. The client's values
/// stand byte for byte.
#[must_use]
pub fn echo(request: &chat::Request) -> Json {
    let body = std::str::from_utf8(&request.body).unwrap_or("{}");
    write(body).unwrap_or_else(|| write("{}").unwrap_or_else(null))
}

fn write(body: &str) -> Option<Json> {
    let mut members = Members::of_text(body, "").ok()?;
    let mut echo = Object::new();
    echo.put("background", false).raw("previous_response_id", "null").put("store", false);
    for (name, default) in REPEATED {
        echo.raw(name, members.raw(name).map_or(default, |value| value.get()));
    }
    let mut text = Object::new();
    let mut said = members.object("text").ok().flatten();
    let format = said.as_mut().and_then(|said| said.raw("format"));
    text.raw("format", format.map_or(r#"{"type":"text"}"#, |value| value.get()));
    for other in said.map(|said| said.rest(|_| true)).unwrap_or_default() {
        text.raw(&other.name, other.value.text());
    }
    echo.put("text", text);
    // Which tier served the request is not known; which was wished for is.
    if let Some(tier) = members.raw("service_tier") {
        echo.raw("service_tier", tier.get());
    }
    Json::new(echo.finish()).ok()
}

fn null() -> Json {
    Json::from(serde_json::value::RawValue::NULL)
}

#[cfg(test)]
mod tests;
