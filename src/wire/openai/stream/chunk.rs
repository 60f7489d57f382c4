//! One chunk of a streamed answer, read.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::super::types::{Member, finished_well, read_usage, whole};
use crate::chat::Usage;
use crate::money::NanoUsd;
use crate::wire::json::{JsonError, JsonResult, Kind, Scanner, splice};
use crate::wire::provider_error::{Fields, ProviderError, read_error_event};

/// Which choices have been seen and which have ended. Choices beyond the 128 that can be asked for count as the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ends {
    seen: u128,
    ended: u128,
    ill: bool,
}

impl Ends {
    fn note(&mut self, index: u64, reason: Option<&[u8]>) {
        let bit = 1 << index.min(127);
        self.seen |= bit;
        if let Some(reason) = reason {
            self.ended |= bit;
            self.ill |= !finished_well(reason);
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.seen |= other.seen;
        self.ended |= other.ended;
        self.ill |= other.ill;
    }

    /// Whether all choices have ended, of which so many were asked for.
    pub(super) fn all(&self, wanted: u32) -> bool {
        self.ended == self.seen && self.ended.count_ones() >= wanted
    }

    /// Whether all choices, of which so many were asked for, have ended by themselves or with tool calls.
    pub(super) fn all_well(&self, wanted: u32) -> bool {
        self.all(wanted) && !self.ill
    }
}

/// What one chunk says.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) error: Option<ProviderError>,
    /// `usage`, if it names figures.
    pub(super) usage: Option<Member>,
    /// `x_groq.usage`, where Groq put it first (console.groq.com/docs/api-reference).
    pub(super) groq_usage: Option<Member>,
    pub(super) tokens: Option<Usage>,
    pub(super) choices: usize,
    pub(super) content: bool,
    /// Content that is no reasoning.
    pub(super) answer: bool,
    pub(super) ends: Ends,
    /// The values of `id`, `created` and `model`.
    head: [Option<Range<usize>>; 3],
    /// Of the legacy Completions format.
    legacy: bool,
}

const HEAD: [&str; 3] = ["id", "created", "model"];

impl Chunk {
    pub(super) fn read(data: &[u8]) -> JsonResult<Self> {
        let mut chunk = Self::default();
        let mut groq_tokens = None;
        let mut scanner = Scanner::lenient(data);
        scanner.object(|scanner, key| {
            let (at, kind) = (key.span().start, scanner.kind()?);
            match key.name {
                b"id" => chunk.head[0] = Some(scanner.value()?),
                b"created" => chunk.head[1] = Some(scanner.value()?),
                b"model" => chunk.head[2] = Some(scanner.value()?),
                b"choices" if kind == Kind::Array => {
                    scanner.array(|scanner, index| chunk.choice(scanner, index))?;
                }
                b"usage" => {
                    let start = scanner.position();
                    chunk.tokens = read_usage(scanner)?;
                    chunk.usage = chunk.tokens.map(|_| Member { key: at, value: start..scanner.position() });
                }
                b"x_groq" if kind == Kind::Object => groq_tokens = chunk.groq(scanner)?,
                b"error" if kind != Kind::Null => chunk.read_error(scanner)?,
                // vLLM and SGLang: `{"object":"error","message":…}`.
                b"object" if kind == Kind::String => {
                    let object = scanner.string()?;
                    chunk.legacy = object.raw() == b"text_completion";
                    if object.raw() == b"error" {
                        chunk.error = Some(read_error_event(data));
                    }
                }
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        scanner.end()?;
        chunk.tokens = chunk.tokens.or(groq_tokens);
        Ok(chunk)
    }

    fn read_error(&mut self, scanner: &mut Scanner<'_>) -> JsonResult<()> {
        let mut fields = Fields::default();
        Fields::read(scanner, &mut fields)?;
        self.error = Some(fields.finish(None));
        Ok(())
    }

    fn groq(&mut self, scanner: &mut Scanner<'_>) -> JsonResult<Option<Usage>> {
        let mut tokens = None;
        scanner.object(|scanner, key| {
            let (at, kind) = (key.span().start, scanner.kind()?);
            match key.name {
                b"usage" => {
                    let start = scanner.position();
                    tokens = read_usage(scanner)?;
                    self.groq_usage = tokens.map(|_| Member { key: at, value: start..scanner.position() });
                }
                b"error" if kind != Kind::Null => self.read_error(scanner)?,
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        Ok(tokens)
    }

    fn choice(&mut self, scanner: &mut Scanner<'_>, position: usize) -> JsonResult<()> {
        self.choices += 1;
        let mut index = position as u64;
        let mut reason = None;
        scanner.object(|scanner, key| {
            match (key.name, scanner.kind()?) {
                (b"index", Kind::Number) => {
                    let digits = scanner.number()?;
                    index = scanner.bytes().get(digits).and_then(whole).unwrap_or(index);
                }
                (b"finish_reason", Kind::String) => reason = Some(scanner.string()?.bytes()),
                (b"delta", Kind::Object) => self.delta(scanner)?,
                // Completions.
                (b"text", Kind::String) => self.says(says_something(scanner)?, true),
                (b"error", kind) if kind != Kind::Null => self.read_error(scanner)?,
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        self.ends.note(index, reason.as_deref());
        Ok(())
    }

    fn delta(&mut self, scanner: &mut Scanner<'_>) -> JsonResult<()> {
        scanner.object(|scanner, key| {
            match key.name {
                b"reasoning_content" | b"reasoning" | b"reasoning_details" => {
                    self.says(says_something(scanner)?, false);
                }
                b"content" | b"refusal" | b"tool_calls" | b"function_call" | b"audio" => {
                    self.says(says_something(scanner)?, true);
                }
                _ => scanner.skip()?,
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        Ok(())
    }

    fn says(&mut self, something: bool, answer: bool) {
        self.content |= something;
        self.answer |= something && answer;
    }

    /// The `usage` object, wherever it stands.
    pub(super) fn usage_value<'a>(&self, data: &'a [u8]) -> Option<&'a [u8]> {
        let usage = self.usage.as_ref().or(self.groq_usage.as_ref())?;
        data.get(usage.value.clone())
    }

    /// The chunk that shows this one's usage and nothing else.
    pub(super) fn usage_alone(&self, data: &[u8]) -> Vec<u8> {
        if self.choices == 0 && self.usage.is_some() && self.groq_usage.is_none() {
            return data.to_vec();
        }
        let mut json = b"{".to_vec();
        for (name, value) in HEAD.iter().zip(&self.head) {
            if let Some(value) = value.clone().and_then(|range| data.get(range)) {
                json.extend_from_slice(format!("\"{name}\":").as_bytes());
                json.extend_from_slice(value);
                json.push(b',');
            }
        }
        let object = if self.legacy { "text_completion" } else { "chat.completion.chunk" };
        json.extend_from_slice(format!(r#""object":"{object}","choices":[],"usage":"#).as_bytes());
        json.extend_from_slice(self.usage_value(data).unwrap_or(b"null"));
        json.push(b'}');
        json
    }
}

/// Whether the next value is a text, list or object with something in it.
fn says_something(scanner: &mut Scanner<'_>) -> JsonResult<bool> {
    Ok(match scanner.kind()? {
        Kind::String => !scanner.string()?.is_empty(),
        Kind::Array => {
            let mut any = false;
            scanner.array(|scanner, _| {
                any = true;
                scanner.skip()
            })?;
            any
        }
        Kind::Object => {
            scanner.skip()?;
            true
        }
        _ => {
            scanner.skip()?;
            false
        }
    })
}

/// `json` with `waypost_cost_usd` in its `usage`: a chained gateway's own figure is replaced.
pub(super) fn with_cost(json: &[u8], cost: NanoUsd) -> Vec<u8> {
    let figure = cost.to_string();
    let mut at = None;
    let read = Scanner::lenient(json).object(|scanner, key| {
        if key.name != b"usage" || scanner.kind()? != Kind::Object {
            return scanner.skip();
        }
        let mut there = None;
        let mut empty = true;
        scanner.object(|scanner, key| {
            empty = false;
            let value = scanner.value()?;
            if key.name == b"waypost_cost_usd" {
                there = Some(value);
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        let brace = scanner.position() - 1;
        at = Some((there.unwrap_or(brace..brace), empty));
        Ok::<_, Box<JsonError>>(())
    });
    let Some((range, empty)) = at.filter(|_| read.is_ok()) else { return json.to_vec() };
    let member = match (range.is_empty(), empty) {
        (false, _) => figure,
        (true, false) => format!(",\"waypost_cost_usd\":{figure}"),
        (true, true) => format!("\"waypost_cost_usd\":{figure}"),
    };
    splice(json, &[(range, member.as_bytes())])
}

struct Words {
    usage: Finder<'static>,
    error: Finder<'static>,
    finish_reason: Finder<'static>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| Words {
    usage: Finder::new("\"usage\""),
    error: Finder::new("\"error\""),
    finish_reason: Finder::new("\"finish_reason\""),
});

/// Whether a chunk after the first content may say more than content. Never wrongly no: inside a JSON string the closing
/// quote of these words would be escaped, so they stand in the bytes where they are keys or whole strings.
pub(super) fn needs_reading(data: &[u8]) -> bool {
    let words = &*WORDS;
    is_set(data, &words.finish_reason)
        || is_set(data, &words.usage)
        || words.error.find(data).is_some_and(|at| {
            // `"error":null` is common; as a value (`"object":"error"`) no colon follows.
            after_colon(data, at + words.error.needle().len()).is_none_or(|value| !value.starts_with(b"null"))
        })
}

/// Whether this key has a value other than `null` somewhere.
fn is_set(data: &[u8], key: &Finder<'_>) -> bool {
    let mut from = 0;
    while let Some(at) = data.get(from..).and_then(|rest| key.find(rest)) {
        from += at + key.needle().len();
        if after_colon(data, from).is_some_and(|value| !value.starts_with(b"null")) {
            return true;
        }
    }
    false
}

/// What follows the colon at `at`, if one follows.
fn after_colon(data: &[u8], at: usize) -> Option<&[u8]> {
    let rest = data.get(at..)?.trim_ascii_start();
    Some(rest.strip_prefix(b":")?.trim_ascii_start())
}
