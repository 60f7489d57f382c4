//! A chat completion request, as far as the scripted provider cares for it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;

use super::endpoint::Format;
use super::refusal::Refusal;

/// As many answers as OpenAI gives at most.
const MAX_N: u64 = 128;

/// What is needed of a request to answer it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ask<'a> {
    pub(super) model: Cow<'a, str>,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    pub(super) n: u64,
    pub(super) messages: u64,
    /// Of all texts in all messages.
    pub(super) characters: u64,
    pub(super) images: u64,
    /// The text of the last message of role `user`.
    pub(super) last_user: Cow<'a, str>,
    /// What a provider would refuse, though it can be read; a lenient behaviour answers all the same.
    pub(super) complaint: Option<Refusal>,
    /// The body, for the formats that repeat some of it; null for chat.
    pub(super) body: Value,
}

impl Ask<'_> {
    /// A request in which nothing was said so far.
    pub(super) fn of(model: String, body: Value, complaint: Option<Refusal>) -> Ask<'static> {
        Ask {
            model: Cow::Owned(model),
            stream: body.get("stream") == Some(&Value::Bool(true)),
            include_usage: false,
            n: 1,
            messages: 0,
            characters: 0,
            images: 0,
            last_user: Cow::Borrowed(""),
            complaint,
            body,
        }
    }

    /// One more message, or one more part of the last.
    pub(super) fn heard(&mut self, text: &str) {
        self.characters += text.chars().count() as u64;
    }
}

/// A body as a JSON object, for the formats that are read through one.
pub(super) fn object(body: &[u8], format: Format) -> Result<Value, Refusal> {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err(Refusal::new(400, "The request's body is not a JSON object.")),
        Err(error) => Err(Refusal::new(
            400,
            match format {
                Format::Openai | Format::Responses => {
                    format!("We could not parse the JSON body of your request: {error}")
                }
                Format::Anthropic => format!("The request body is not valid JSON: {error}"),
                Format::Gemini => format!("Invalid JSON payload received. {error}"),
            },
        )),
    }
}

/// Reads and checks a body, lightly, as OpenAI does.
pub(super) fn read(body: &[u8]) -> Result<Ask<'_>, Refusal> {
    let written: Written = match serde_json::from_slice(body) {
        Ok(written) => written,
        Err(error) if error.is_data() => return Err(Refusal::new(400, error.to_string())),
        Err(error) => {
            let message = format!("We could not parse the JSON body of your request: {error}");
            return Err(Refusal::new(400, message));
        }
    };
    let Some(Text(model)) = written.model else {
        return Err(Refusal::new(400, "you must provide a model parameter"));
    };
    let Some(messages) = written.messages else {
        return Err(Refusal::new(400, "Missing required parameter: 'messages'.")
            .about("messages", "missing_required_parameter"));
    };
    if messages.is_empty() {
        let message = "Invalid 'messages': empty array. Expected an array with minimum length 1.";
        return Err(Refusal::new(400, message).about("messages", "empty_array"));
    }
    let n = written.n.unwrap_or(1);
    if !(1..=MAX_N).contains(&n) {
        let message = format!("Invalid 'n': {n} is not between 1 and {MAX_N}.");
        return Err(Refusal::new(400, message).about("n", "invalid_value"));
    }
    if written.stream_options.is_some() && written.stream != Some(true) {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(Refusal::new(400, message).about("stream_options", "invalid_value"));
    }
    let options = written.stream_options.unwrap_or_default();
    let mut ask = Ask {
        model,
        stream: written.stream == Some(true),
        include_usage: options.include_usage == Some(true),
        n,
        messages: messages.len() as u64,
        characters: 0,
        images: 0,
        last_user: Cow::Borrowed(""),
        complaint: None,
        body: Value::Null,
    };
    let mut called: Vec<Cow<'_, str>> = Vec::new();
    for (place, message) in messages.into_iter().enumerate() {
        for call in message.tool_calls.unwrap_or_default() {
            called.extend(call.id.map(|Text(id)| id));
        }
        if message.role.0 == "tool" && ask.complaint.is_none() {
            ask.complaint = uncalled(place, &called, message.tool_call_id);
        }
        let content = message.content.unwrap_or_default();
        ask.characters += content.text.chars().count() as u64;
        ask.images += content.images;
        if message.role.0 == "user" {
            ask.last_user = content.text;
        }
    }
    Ok(ask)
}

/// A tool's answer must answer a call made before it.
fn uncalled(place: usize, called: &[Cow<'_, str>], id: Option<Text<'_>>) -> Option<Refusal> {
    let Some(Text(id)) = id else {
        let param = format!("messages[{place}].tool_call_id");
        let message = format!("Missing required parameter: '{param}'.");
        return Some(Refusal::new(400, message).about(param, "missing_required_parameter"));
    };
    if called.contains(&id) {
        return None;
    }
    let message = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with \
                   'tool_calls'.";
    Some(Refusal { param: Some(format!("messages.[{place}].role")), ..Refusal::new(400, message) })
}

#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    model: Option<Text<'a>>,
    #[serde(borrow)]
    messages: Option<Vec<Message<'a>>>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    n: Option<u64>,
}

#[derive(Default, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Text<'a>,
    #[serde(borrow)]
    content: Option<Content<'a>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<Called<'a>>>,
    #[serde(borrow)]
    tool_call_id: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Called<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
}

/// A JSON string, borrowed from the body where it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

/// A message's content: a string, or parts whose texts are joined.
#[derive(Default)]
struct Content<'a> {
    text: Cow<'a, str>,
    images: u64,
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Content<'a>, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a string or an array of content parts")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Content<'de>, E> {
        Ok(Content { text: Cow::Borrowed(text), images: 0 })
    }

    fn visit_str<E>(self, text: &str) -> Result<Content<'de>, E> {
        Ok(Content { text: Cow::Owned(text.to_owned()), images: 0 })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Content<'de>, A::Error> {
        let mut content = Content::default();
        while let Some(part) = parts.next_element::<Part>()? {
            content.images += u64::from(part.image_url.is_some());
            match part.text {
                Some(Text(text)) if content.text.is_empty() => content.text = text,
                Some(Text(text)) => content.text.to_mut().push_str(&text),
                None => {}
            }
        }
        Ok(content)
    }
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
    image_url: Option<IgnoredAny>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_all_parts_count_and_the_last_user_message_is_found() {
        let body = r#"{"model":"m","messages":[{"role":"system","content":"äöü"},
            {"role":"user","content":[{"type":"text","text":"a\n"},{"type":"image_url","image_url":{"url":"data:"}},
            {"type":"text","text":"b"}]},{"role":"assistant","content":null,"tool_calls":[]}],"n":2,"max_tokens":1e400}"#;
        let ask = read(body.as_bytes()).unwrap();
        assert_eq!((ask.messages, ask.characters, ask.images, ask.n), (3, 6, 1, 2));
        assert_eq!(ask.last_user, "a\nb");
    }

    #[test]
    fn a_tools_answer_without_its_call_is_complained_about() {
        let body = |id: &str| {
            format!(
                r#"{{"model":"m","messages":[{{"role":"user","content":"x"}},
                {{"role":"assistant","content":null,"tool_calls":[{{"id":"c1"}}]}},
                {{"role":"tool","tool_call_id":"{id}","content":"1"}}]}}"#
            )
        };
        assert_eq!(read(body("c1").as_bytes()).unwrap().complaint, None);
        let complaint = read(body("c2").as_bytes()).unwrap().complaint.unwrap();
        assert_eq!(complaint.param.as_deref(), Some("messages.[2].role"));
    }

    #[test]
    fn what_openai_would_refuse_is_refused_with_the_parameter_named() {
        let cases = [
            (r#"{"#, None),
            (r#"[]"#, None),
            (r#"{"messages":[{"role":"user","content":"x"}]}"#, None),
            (r#"{"model":"m"}"#, Some("messages")),
            (r#"{"model":"m","messages":[]}"#, Some("messages")),
            (r#"{"model":"m","messages":[{"content":"x"}]}"#, None),
            (r#"{"model":"m","messages":[{"role":"user","content":7}]}"#, None),
            (r#"{"model":"m","n":0,"messages":[{"role":"user","content":"x"}]}"#, Some("n")),
            (r#"{"model":"m","messages":[{"role":"user","content":"\ud800"}]}"#, None),
            (r#"{"model":"m","stream_options":{},"messages":[{"role":"user","content":"x"}]}"#, Some("stream_options")),
        ];
        for (body, param) in cases {
            let refusal = read(body.as_bytes()).unwrap_err();
            assert_eq!((refusal.status, refusal.param.as_deref()), (400, param), "{body}");
        }
    }
}
