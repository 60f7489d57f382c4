//! What one answer or one chunk of it says, as it stands on the wire, whichever provider wrote it.

use std::borrow::Cow;
use std::ops::Range;

use super::super::types::read_usage;
use super::value::{natural, raw, read_error, text, thought_signature};
use crate::chat::{Json, Usage};
use crate::wire::json::{JsonError, JsonResult, Kind, Scanner};
use crate::wire::provider_error::{Fields, ProviderError, read_error_event};

/// One body or chunk.
#[derive(Debug, Default)]
pub(crate) struct Said<'a> {
    /// `None` where it is empty, as in the first chunk of Azure.
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) model: Option<Cow<'a, str>>,
    pub(crate) created: Option<u64>,
    pub(crate) choices: Vec<Spoken<'a>>,
    /// Whether there is a list of choices at all.
    pub(crate) listed: bool,
    /// Where the list's key stands.
    pub(crate) listed_at: usize,
    pub(crate) usage: Option<Usage>,
    pub(crate) error: Option<ProviderError>,
    /// Where the inside of a string stands that is fill without meaning.
    pub(crate) fill: Option<Range<usize>>,
}

/// One choice, or a piece of it.
#[derive(Debug, Default)]
pub(crate) struct Spoken<'a> {
    pub(crate) index: u32,
    /// The reasoning, counted once where it stands under two names.
    pub(crate) reasoning: Option<Cow<'a, str>>,
    /// OpenRouter's `reasoning_details`, the list as it stands; `None` where it is empty.
    pub(crate) details: Option<&'a str>,
    /// The content where it is a text.
    pub(crate) text: Option<Cow<'a, str>>,
    /// The content where it is a list.
    pub(crate) parts: Vec<Piece<'a>>,
    pub(crate) refusal: Option<Cow<'a, str>>,
    pub(crate) calls: Vec<Fragment<'a>>,
    /// Gemini's signature of the text.
    pub(crate) signature: Option<Cow<'a, str>>,
    pub(crate) tokens: Vec<Json>,
    pub(crate) finish: Option<Cow<'a, str>>,
    /// The stop sequence that came up.
    pub(crate) stop: Option<Cow<'a, str>>,
    /// Where the insides of the model's words stand.
    words: Option<Range<usize>>,
    /// How many strings of such there are.
    strings: u32,
}

/// A part of the content.
#[derive(Debug)]
pub(crate) enum Piece<'a> {
    Text(Cow<'a, str>),
    Thought(Cow<'a, str>),
    Refusal(Cow<'a, str>),
}

/// Words that nothing else is said with, by where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alone {
    Text,
    Reasoning,
    /// A text in a content that is a list.
    Part,
    /// Reasoning there.
    Thought,
}

/// A tool call, or a piece of it.
#[derive(Debug, Default)]
pub(crate) struct Fragment<'a> {
    pub(crate) index: Option<u64>,
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) name: Option<Cow<'a, str>>,
    /// Text, or an object's own text where a server sends one.
    pub(crate) arguments: Option<Cow<'a, str>>,
    /// Gemini's `extra_content.google.thought_signature`.
    pub(crate) signature: Option<Cow<'a, str>>,
    /// It is the older `function_call`, of which there is one.
    pub(crate) legacy: bool,
}

/// What a choice adds to the whole: errors and figures that belong above it.
#[derive(Default)]
struct Aside {
    error: Option<ProviderError>,
    failed: bool,
    usage: Option<Usage>,
}

impl<'a> Said<'a> {
    /// Reads one body or chunk, its id, model and time only if they are wanted.
    ///
    /// # Errors
    /// It is not JSON, or no object.
    pub(crate) fn read(data: &'a [u8], with_head: bool) -> JsonResult<Self> {
        let mut said = Self::default();
        let mut aside = Aside::default();
        let mut scanner = Scanner::lenient(data);
        scanner.object(|scanner, key| {
            match key.name {
                b"id" if with_head => said.id = text(scanner)?,
                b"model" if with_head => said.model = text(scanner)?,
                b"created" if with_head => said.created = natural(scanner)?.filter(|&created| created > 0),
                b"choices" if scanner.is(Kind::Array) => {
                    if !std::mem::replace(&mut said.listed, true) {
                        said.listed_at = key.span().start;
                    }
                    said.choices.reserve_exact(1);
                    scanner.array(|scanner, position| {
                        said.choices.push(Spoken::read(scanner, position, &mut aside)?);
                        Ok::<_, Box<JsonError>>(())
                    })?;
                }
                b"usage" => said.usage = read_usage(scanner)?,
                // Groq's first place for it (console.groq.com/docs/api-reference).
                b"x_groq" if scanner.is(Kind::Object) => aside.groq(scanner)?,
                b"error" if !scanner.is(Kind::Null) => said.error = Some(read_error(scanner)?),
                // vLLM and SGLang: `{"object":"error","message":…}`.
                b"object" if scanner.is(Kind::String) => {
                    if scanner.string()?.raw() == b"error" {
                        said.error = Some(read_error_event(data));
                    }
                }
                // OpenAI's and Mistral's fill, which hides how long the words are.
                b"obfuscation" | b"p" if scanner.is(Kind::String) => said.fill = Some(scanner.string()?.inside()),
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        scanner.end()?;
        said.usage = said.usage.or(aside.usage);
        said.error = said.error.or(aside.error).or_else(|| aside.failed.then(|| Fields::default().finish(None)));
        Ok(said)
    }
}

impl Aside {
    fn groq(&mut self, scanner: &mut Scanner<'_>) -> JsonResult<()> {
        scanner.object(|scanner, key| {
            match key.name {
                b"usage" => self.usage = read_usage(scanner)?.or(self.usage),
                b"error" if !scanner.is(Kind::Null) => self.error = Some(read_error(scanner)?),
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })
    }
}

impl<'a> Spoken<'a> {
    fn read(scanner: &mut Scanner<'a>, position: usize, aside: &mut Aside) -> JsonResult<Self> {
        let mut spoken = Self { index: u32::try_from(position).unwrap_or(u32::MAX), ..Self::default() };
        scanner.object(|scanner, key| {
            match key.name {
                b"index" => {
                    let index = natural(scanner)?.map(|index| u32::try_from(index).unwrap_or(u32::MAX));
                    spoken.index = index.unwrap_or(spoken.index);
                }
                b"delta" | b"message" if scanner.is(Kind::Object) => spoken.message(scanner)?,
                b"finish_reason" => spoken.finish = text(scanner)?,
                // vLLM's name and SGLang's; a number is the id of the token that ends every answer.
                b"stop_reason" | b"matched_stop" => spoken.stop = text(scanner)?.or(spoken.stop.take()),
                b"logprobs" if scanner.is(Kind::Object) => spoken.logprobs(scanner)?,
                // Moonshot counts here in streams (platform.moonshot.ai/docs/api/chat).
                b"usage" => aside.usage = read_usage(scanner)?.or(aside.usage),
                // OpenRouter reports a failed choice inside it (openrouter.ai/docs/api/reference/errors-and-debugging).
                b"error" if !scanner.is(Kind::Null) => aside.error = Some(read_error(scanner)?),
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        aside.failed |= spoken.finish.as_deref() == Some("error");
        Ok(spoken)
    }

    fn message(&mut self, scanner: &mut Scanner<'a>) -> JsonResult<()> {
        let mut other_name = None;
        scanner.object(|scanner, key| {
            match key.name {
                b"content" if scanner.is(Kind::Array) => {
                    scanner.array(|scanner, _| self.part(scanner))?;
                }
                b"content" => self.text = self.words(scanner)?,
                // DeepSeek, xAI, llama.cpp, SGLang and older vLLM.
                b"reasoning_content" => self.reasoning = self.words(scanner)?,
                // Groq, OpenRouter, Ollama and newer vLLM, which for a while sent both.
                b"reasoning" => other_name = self.words(scanner)?,
                b"reasoning_details" if scanner.is(Kind::Array) => {
                    let list = raw(scanner)?;
                    self.details = list.filter(|list| list.len() > 2 && *list.trim_matches(BRACKETS) != *"");
                }
                b"refusal" => self.refusal = text(scanner)?,
                b"tool_calls" if scanner.is(Kind::Array) => {
                    scanner.array(|scanner, _| {
                        self.calls.extend(Fragment::read(scanner)?);
                        Ok::<_, Box<JsonError>>(())
                    })?;
                }
                b"function_call" if scanner.is(Kind::Object) => {
                    let mut call = Fragment { legacy: true, ..Fragment::default() };
                    call.function(scanner)?;
                    self.calls.push(call);
                }
                b"extra_content" => self.signature = thought_signature(scanner)?,
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        self.reasoning = self.reasoning.take().or(other_name);
        Ok(())
    }

    /// One part of a content that is a list: Mistral's `text`, `thinking` and `reference`
    /// (docs.mistral.ai/capabilities/reasoning), and whatever else holds a text.
    fn part(&mut self, scanner: &mut Scanner<'a>) -> JsonResult<()> {
        if !scanner.is(Kind::Object) {
            self.parts.extend(text(scanner)?.map(Piece::Text));
            return Ok(());
        }
        let mut is_thought = false;
        let mut words = None;
        scanner.object(|scanner, key| {
            match key.name {
                b"type" if scanner.is(Kind::String) => {
                    is_thought = matches!(scanner.string()?.raw(), b"thinking" | b"reasoning");
                }
                b"text" => words = self.words(scanner)?,
                b"refusal" => self.parts.extend(text(scanner)?.map(Piece::Refusal)),
                b"thinking" if scanner.is(Kind::Array) => {
                    scanner.array(|scanner, _| {
                        let thought = self.thought(scanner)?;
                        self.parts.extend(thought.map(Piece::Thought));
                        Ok::<_, Box<JsonError>>(())
                    })?;
                }
                b"thinking" => self.parts.extend(text(scanner)?.map(Piece::Thought)),
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        self.parts.extend(words.map(if is_thought { Piece::Thought } else { Piece::Text }));
        Ok(())
    }

    fn logprobs(&mut self, scanner: &mut Scanner<'a>) -> JsonResult<()> {
        scanner.object(|scanner, key| {
            if key.name != b"content" || !scanner.is(Kind::Array) {
                return scanner.skip();
            }
            scanner.array(|scanner, _| {
                let token = raw(scanner)?.filter(|token| token.starts_with('{'));
                self.tokens.extend(token.and_then(|token| Json::new(token.to_owned()).ok()));
                Ok::<_, Box<JsonError>>(())
            })
        })
    }

    /// One element of Mistral's `thinking`: a text, or a part that holds one.
    fn thought(&mut self, scanner: &mut Scanner<'a>) -> JsonResult<Option<Cow<'a, str>>> {
        if !scanner.is(Kind::Object) {
            return text(scanner);
        }
        let mut words = None;
        scanner.object(|scanner, key| {
            match key.name {
                b"text" => words = self.words(scanner)?,
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        Ok(words)
    }

    /// The next value as a text that is the model's words, if it is one and not empty.
    fn words(&mut self, scanner: &mut Scanner<'a>) -> JsonResult<Option<Cow<'a, str>>> {
        if !scanner.is(Kind::String) {
            scanner.skip()?;
            return Ok(None);
        }
        let text = scanner.string()?;
        if text.is_empty() {
            return Ok(None);
        }
        self.strings += 1;
        self.words = Some(text.inside());
        Ok(Some(text.text()))
    }

    /// Where the words stand and which they are, if nothing else is said: no other string, no call, no end.
    pub(crate) fn only_words(&self) -> Option<(Alone, Range<usize>)> {
        let Self { details: None, refusal: None, signature: None, finish: None, .. } = self else { return None };
        if self.strings != 1 || !self.calls.is_empty() || !self.tokens.is_empty() {
            return None;
        }
        let which = match (&self.text, &self.reasoning, self.parts.as_slice()) {
            (Some(_), None, []) => Alone::Text,
            (None, Some(_), []) => Alone::Reasoning,
            (None, None, [Piece::Text(_)]) => Alone::Part,
            (None, None, [Piece::Thought(_)]) => Alone::Thought,
            _ => return None,
        };
        Some((which, self.words.clone()?))
    }
}

impl<'a> Fragment<'a> {
    fn read(scanner: &mut Scanner<'a>) -> JsonResult<Option<Self>> {
        if !scanner.is(Kind::Object) {
            scanner.skip()?;
            return Ok(None);
        }
        let mut call = Self::default();
        scanner.object(|scanner, key| {
            match key.name {
                b"index" => call.index = natural(scanner)?,
                b"id" => call.id = text(scanner)?,
                b"function" | b"custom" if scanner.is(Kind::Object) => call.function(scanner)?,
                b"extra_content" => call.signature = thought_signature(scanner)?,
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        Ok(Some(call))
    }

    fn function(&mut self, scanner: &mut Scanner<'a>) -> JsonResult<()> {
        scanner.object(|scanner, key| {
            match (key.name, scanner.kind()?) {
                (b"name", _) => self.name = text(scanner)?,
                (b"arguments" | b"input", Kind::String) => self.arguments = text(scanner)?,
                (b"arguments" | b"input", Kind::Object | Kind::Array) => {
                    self.arguments = raw(scanner)?.map(Cow::Borrowed);
                }
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })
    }
}

const BRACKETS: [char; 6] = ['[', ']', ' ', '\t', '\n', '\r'];
