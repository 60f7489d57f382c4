//! A chat completion request, as far as the scripted provider cares for it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

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
    };
    for message in messages {
        let content = message.content.unwrap_or_default();
        ask.characters += content.text.chars().count() as u64;
        ask.images += content.images;
        if message.role.0 == "user" {
            ask.last_user = content.text;
        }
    }
    Ok(ask)
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
            assert_eq!((refusal.status, refusal.param), (400, param), "{body}");
        }
    }
}
