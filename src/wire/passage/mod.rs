//! An answer's way from the format its target speaks to the format its client speaks.
//!
//! Where the two are the same the bytes go on as they are, but for what the provider got wrong; a decoder reads along, so
//! that tokens are counted and failures noticed. Where they differ, a decoder gives neutral events and an encoder writes them anew.

mod same;
mod stream;
mod translated;

use bytes::Bytes;

pub use stream::Relay;

use super::think::{self, Thinking};
use super::{
    AnswerError, Decoder, Encoder, Envelope, Refusal, anthropic, gemini, openai, provider_error, responses, tokens,
};
use crate::chat::{self, Content, Family, Format, Usage};

/// One answer's way.
#[derive(Clone, Debug)]
pub struct Passage {
    /// What the target speaks.
    pub from: Format,
    /// What the client speaks.
    pub to: Format,
    /// The model's text begins with a `<think>` block; the value says whether it always does.
    pub think: Option<bool>,
    /// Whether the client is shown reasoning.
    pub show_reasoning: bool,
    /// Whose seals the target gives.
    pub family: Option<Family>,
    /// How many answers were asked for.
    pub choices: u32,
    /// Whether the client wants its vectors in base64 (Embeddings).
    pub base64: bool,
    /// Tokens of the prompt, for when the provider does not count them.
    pub input_tokens: u64,
    /// What stands around the answer.
    pub envelope: Envelope,
}

/// A whole answer, ready for the client.
#[derive(Clone, Debug)]
pub struct Whole {
    /// In the client's format.
    pub body: Bytes,
    /// Tokens; estimated where the provider did not count them.
    pub usage: Usage,
    /// Fit for the cache: every answer ended by itself.
    pub good: bool,
}

impl Passage {
    /// Takes a whole answer along.
    ///
    /// # Errors
    /// The body is no answer.
    pub fn whole(&self, body: Bytes) -> Result<Whole, AnswerError> {
        match (self.from, self.to) {
            (Format::Chat, Format::Chat) => self.chat(body),
            (Format::Completions, _) => self.completions(body),
            (_, Format::Embeddings) => self.embeddings(body),
            _ if self.passes() => self.passed(body),
            _ => self.translated(&body),
        }
    }

    /// The way of a stream.
    #[must_use]
    pub fn stream(self) -> Relay {
        Relay::new(self)
    }

    /// Whether the bytes go on as they are.
    fn passes(&self) -> bool {
        self.from == self.to && self.think.is_none() && self.show_reasoning
    }

    fn mend(&self) -> openai::mend::Mend {
        openai::mend::Mend { think: self.think, withhold: !self.show_reasoning }
    }

    fn chat(&self, body: Bytes) -> Result<Whole, AnswerError> {
        let (mended, answer) = openai::mend::read(body.clone(), &self.mend(), &self.envelope)?;
        // Of the body as it came: reasoning that is withheld was made all the same.
        let usage = answer.usage.unwrap_or_else(|| self.estimate_of(&body));
        Ok(Whole { body: mended, usage, good: answer.good })
    }

    fn completions(&self, body: Bytes) -> Result<Whole, AnswerError> {
        let answer = openai::response::read(&body)?;
        let usage = answer.usage.unwrap_or_else(|| self.estimate(body.len() as u64 / BYTES_PER_TOKEN));
        Ok(Whole { body, usage, good: answer.good })
    }

    fn embeddings(&self, body: Bytes) -> Result<Whole, AnswerError> {
        if self.from == Format::Gemini {
            let model = &self.envelope.model;
            let (body, usage) = gemini::embeddings::decode(&body, model, self.base64, self.input_tokens)?;
            return Ok(Whole { body, usage, good: true });
        }
        let usage = openai::embeddings::usage(&body)?.unwrap_or_else(|| self.estimate(0));
        Ok(Whole { body, usage, good: true })
    }

    /// A Responses or Messages answer for a client of the same format.
    fn passed(&self, body: Bytes) -> Result<Whole, AnswerError> {
        let answer = self.decoded(&body)?;
        let body = if self.to == Format::Responses {
            responses::mend::whole(body, self.envelope.echo.as_ref())?
        } else {
            anthropic::mend::whole(body)?
        };
        let usage = answer.usage.unwrap_or_else(|| self.estimate(said_tokens(&answer)));
        Ok(Whole { body, usage, good: answer.good() })
    }

    fn translated(&self, body: &[u8]) -> Result<Whole, AnswerError> {
        let mut answer = self.decoded(body)?;
        if let Some(always) = self.think {
            think::split_answer(&mut answer, always);
        }
        let usage = answer.usage.unwrap_or_else(|| self.estimate(said_tokens(&answer)));
        answer.usage = Some(usage);
        if !self.show_reasoning {
            withhold(&mut answer);
        }
        Ok(Whole { body: self.encoded(&answer), usage, good: answer.good() })
    }

    fn decoded(&self, body: &[u8]) -> Result<chat::Answer, AnswerError> {
        match self.from {
            Format::Responses => responses::answer::decode_of(body, self.family.unwrap_or(Family::Openai)),
            Format::Messages => anthropic::answer::decode(body),
            Format::Gemini => gemini::answer::decode(body),
            Format::Chat | Format::Completions | Format::Embeddings => openai::answer::decode(body),
        }
    }

    /// An answer in the client's format.
    fn encoded(&self, answer: &chat::Answer) -> Bytes {
        encode(self.to, answer, &self.envelope)
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        fn with<D: Decoder + 'static>(decoder: D, think: Option<bool>) -> Box<dyn Decoder> {
            match think {
                Some(always) => Box::new(Thinking::new(decoder, always)),
                None => Box::new(decoder),
            }
        }
        match self.from {
            Format::Responses => {
                let family = self.family.unwrap_or(Family::Openai);
                with(responses::stream::Decoder::new().family(family), self.think)
            }
            Format::Messages => with(anthropic::stream::Decoder::new(), self.think),
            Format::Gemini => with(gemini::stream::Decoder::new(), self.think),
            Format::Chat | Format::Completions | Format::Embeddings => with(openai::events::Decoder::new(), self.think),
        }
    }

    /// Tokens where the provider did not count them.
    fn estimate(&self, output: u64) -> Usage {
        Usage { input: self.input_tokens, output, estimated: true, ..Usage::default() }
    }

    fn estimate_of(&self, body: &[u8]) -> Usage {
        // What was just read as an answer is read once more for its words; if that fails, its length stands in.
        let output = self.decoded(body).map_or(body.len() as u64 / BYTES_PER_TOKEN, |answer| said_tokens(&answer));
        self.estimate(output)
    }
}

/// Bytes of JSON a token, where the words themselves cannot be had.
const BYTES_PER_TOKEN: u64 = 4;

/// An answer in a client's format.
#[must_use]
pub fn encode(to: Format, answer: &chat::Answer, envelope: &Envelope) -> Bytes {
    match to {
        Format::Responses => responses::answer::encode(answer, envelope),
        Format::Messages => anthropic::answer::encode(answer, envelope),
        Format::Chat | Format::Gemini | Format::Completions | Format::Embeddings => {
            openai::answer::encode(answer, envelope)
        }
    }
}

/// A whole answer in a client's format as the stream it could have been.
///
/// # Errors
/// It is not in that format.
pub fn replay(to: Format, body: &[u8], envelope: Envelope) -> Result<Bytes, AnswerError> {
    let answer = match to {
        Format::Responses => responses::answer::decode(body)?,
        Format::Messages => anthropic::answer::decode(body)?,
        // Told from its own bytes, so that members without a neutral word are told too.
        Format::Chat | Format::Gemini | Format::Completions | Format::Embeddings => {
            return Ok(openai::stream::replay(body, envelope.show_usage)?);
        }
    };
    let mut encoder = encoder(to, envelope);
    let mut bytes = Vec::with_capacity(body.len() * 2);
    for event in answer.events() {
        encoder.event(&event, &mut bytes);
    }
    Ok(bytes.into())
}

/// The whole of a stream that fails before anything was said.
#[must_use]
pub fn failed(to: Format, envelope: Envelope, refusal: &Refusal<'_>) -> Bytes {
    let mut bytes = Vec::new();
    encoder(to, envelope).fail(refusal, &mut bytes);
    bytes.into()
}

/// Whether a body is a whole good answer in this format.
#[must_use]
pub fn is_good(format: Format, body: &[u8]) -> bool {
    match format {
        Format::Responses => responses::answer::decode(body).is_ok_and(|answer| answer.good()),
        Format::Messages => anthropic::answer::decode(body).is_ok_and(|answer| answer.good()),
        Format::Embeddings => openai::embeddings::usage(body).is_ok(),
        Format::Chat | Format::Completions | Format::Gemini => {
            openai::response::read(body).is_ok_and(|answer| answer.good)
        }
    }
}

fn encoder(to: Format, envelope: Envelope) -> Box<dyn Encoder> {
    match to {
        Format::Responses => Box::new(responses::stream::Encoder::new(envelope)),
        Format::Messages => Box::new(anthropic::stream::Encoder::new(envelope)),
        Format::Chat | Format::Gemini | Format::Completions | Format::Embeddings => {
            Box::new(openai::events::Encoder::new(envelope))
        }
    }
}

fn withhold(answer: &mut chat::Answer) {
    for choice in &mut answer.choices {
        choice.parts.retain(|part| !matches!(part.content, Content::Reasoning(_)));
    }
}

/// Tokens of all that an answer says.
fn said_tokens(answer: &chat::Answer) -> u64 {
    let parts = answer.choices.iter().flat_map(|choice| &choice.parts);
    parts
        .map(|part| match &part.content {
            Content::Text(text) | Content::Refusal(text) => tokens::count(text),
            Content::Reasoning(reasoning) => reasoning.parts.iter().map(|text| tokens::count(text)).sum(),
            Content::ToolCall(call) => tokens::count(&call.name) + tokens::count(&call.arguments),
            _ => 0,
        })
        .sum()
}

/// An error that a server writes instead of a stream, without any framing.
fn bare_error(raw: &[u8]) -> Option<provider_error::ProviderError> {
    let json = raw.trim_ascii();
    let value: serde_json::Value = serde_json::from_slice(json).ok()?;
    let first = value.as_array().and_then(|list| list.first()).unwrap_or(&value);
    let is_error = first.get("error").is_some_and(|error| !error.is_null()) || first.get("type")? == "error";
    is_error.then(|| provider_error::read_error_event(json))
}

#[cfg(test)]
mod tests;
