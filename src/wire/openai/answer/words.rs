//! The words that whole answers and chunks for a client share.

use crate::chat::{Family, Finish, Json, ToolCall, Usage};
use crate::money::NanoUsd;
use crate::wire::json::{JsonError, Object, Scanner};

/// `finish_reason`. A refusal is `stop` beside its `refusal` text, and `content_filter` where there is none to show.
pub(crate) fn finish_reason(reason: &Finish, refused: bool) -> &'static str {
    match reason {
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
        Finish::Refusal if !refused => "content_filter",
        Finish::Stop | Finish::StopSequence(_) | Finish::Refusal | Finish::Pause | Finish::Other(_) => "stop",
    }
}

/// The `usage` object.
pub(crate) fn usage(usage: &Usage, cost: Option<NanoUsd>) -> String {
    let (mut prompt, mut completion) = (Object::new(), Object::new());
    prompt.put("cached_tokens", usage.cached);
    prompt.put_some("cache_write_tokens", (usage.cache_write > 0).then_some(usage.cache_write));
    completion.put("reasoning_tokens", usage.reasoning);
    let mut object = Object::new();
    object
        .put("prompt_tokens", usage.input)
        .put("completion_tokens", usage.output)
        .put("total_tokens", usage.input.saturating_add(usage.output))
        .raw("prompt_tokens_details", &prompt.finish())
        .raw("completion_tokens_details", &completion.finish());
    if let Some(cost) = cost {
        object.raw("waypost_cost_usd", &cost.to_string());
    }
    object.finish()
}

/// An element of `tool_calls`; `index` only in streams.
pub(crate) fn tool_call(call: &ToolCall, index: Option<u32>) -> String {
    let (mut function, mut object) = (Object::new(), Object::new());
    function.put("name", &call.name).put("arguments", &call.arguments);
    object.put_some("index", index).put("id", &call.id).put("type", "function").raw("function", &function.finish());
    if let Some(seal) = call.seal.as_ref().filter(|seal| seal.family == Family::Gemini) {
        let (mut google, mut extra) = (Object::new(), Object::new());
        google.put("thought_signature", &seal.data);
        extra.raw("google", &google.finish());
        object.raw("extra_content", &extra.finish());
    }
    object.finish()
}

/// The `logprobs` object. OpenAI's clients want `top_logprobs` in every token, where some servers leave it out.
pub(crate) fn logprobs(tokens: &[Json]) -> String {
    let mut object = String::from("{\"content\":[");
    for (place, token) in tokens.iter().enumerate() {
        if place > 0 {
            object.push(',');
        }
        let text = token.text();
        let (mut any, mut others) = (false, false);
        let read = Scanner::lenient(text.as_bytes()).object(|scanner, key| {
            any = true;
            others |= key.name == b"top_logprobs";
            scanner.skip()?;
            Ok::<_, Box<JsonError>>(())
        });
        match text.strip_suffix('}') {
            Some(open) if read.is_ok() && any && !others => {
                object.push_str(open);
                object.push_str(",\"top_logprobs\":[]}");
            }
            _ => object.push_str(text),
        }
    }
    object.push_str("],\"refusal\":null}");
    object
}
