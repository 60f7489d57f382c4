//! Body in, `chat::Request` out: one pass that checks everything and keeps only what the gateway needs.

use std::ops::Range;

use bytes::Bytes;

use super::super::types;
use super::fault::{Fault, What, named};
use crate::chat::{self, Edits};
use crate::wire::json::{Key, Kind, Scanner};
use crate::wire::request_error::RequestError;

/// Longest model name accepted, in bytes.
const MODEL_BYTES: usize = 256;
/// Most answers to one request, as OpenAI allows.
const MAX_CHOICES: u64 = 128;
/// Bytes of text a token, roughly, in most languages and tokenizers.
const BYTES_PER_TOKEN: usize = 4;

/// What one pass finds.
#[derive(Debug, Default)]
struct Found {
    model: Option<String>,
    edits: Edits,
    messages: bool,
    stream: bool,
    include_usage: bool,
    max_completion_tokens: Option<u64>,
    max_tokens: Option<u64>,
    n: Option<u32>,
    cold: bool,
    seed: bool,
    tools: usize,
    media: usize,
    text_bytes: usize,
    trim: Trim,
}

/// Finds the members without effect, and the comma that goes with each.
#[derive(Debug, Default)]
struct Trim {
    cuts: [Range<usize>; 2],
    used: usize,
    /// The last member was one without effect.
    open: bool,
    /// End of the last member that stays.
    kept_end: usize,
}

impl Trim {
    /// A member begins at `key`: what was cut before it goes up to here, comma and all.
    fn begin(&mut self, key: usize) {
        if self.open
            && let Some(last) = self.used.checked_sub(1).and_then(|last| self.cuts.get_mut(last))
        {
            last.end = key;
        }
        self.open = false;
    }

    fn keep(&mut self, end: usize) {
        self.kept_end = end;
    }

    fn cut(&mut self, member: Range<usize>) {
        if let Some(free) = self.cuts.get_mut(self.used) {
            *free = member;
            self.used += 1;
            self.open = true;
        }
    }

    /// The object has ended. A cut at its end takes the comma before it, and with it what was cut next to it.
    fn end(mut self) -> [Range<usize>; 2] {
        let [first, second] = &mut self.cuts;
        match (self.open, self.used) {
            (true, 1) if self.kept_end > 0 => first.start = self.kept_end,
            (true, 2) if self.kept_end > 0 && first.start >= self.kept_end => {
                *first = self.kept_end..second.end;
                *second = first.end..first.end;
            }
            (true, 2) if self.kept_end > 0 => second.start = self.kept_end,
            _ => {}
        }
        if self.used < 2 {
            *second = first.end..first.end;
        }
        self.cuts
    }
}

/// Reads a chat request. The body is checked to its last byte: valid UTF-8, valid JSON, no key twice, every member that
/// the gateway reads of the right type.
///
/// # Errors
/// What is wrong, where, in the words of OpenAI's API.
pub fn judge(body: Bytes) -> Result<chat::Request, RequestError> {
    let mut found = Found::default();
    found.scan(&body)?;
    let model = found.model.ok_or_else(|| Fault::missing("model"))?;
    if !found.messages {
        return Err(Fault::missing("messages").into());
    }
    Ok(chat::Request {
        format: chat::Format::Chat,
        hosted: None,
        state: None,
        in_tool_loop: false,
        model,
        stream: found.stream,
        include_usage: found.include_usage,
        max_output_tokens: found.max_completion_tokens.or(found.max_tokens),
        n: found.n.unwrap_or(1),
        tools: found.tools,
        media: found.media,
        sampled: !found.cold && !found.seed,
        input_tokens_estimate: found.text_bytes.div_ceil(BYTES_PER_TOKEN) as u64,
        edits: found.edits,
        body,
    })
}

impl Found {
    fn scan(&mut self, body: &[u8]) -> Result<(), Fault> {
        let mut scanner = Scanner::strict(body)?;
        expect(&mut scanner, Kind::Object)?;
        scanner.object(|scanner, key| self.member(scanner, key))?;
        scanner.end()?;
        self.edits.without_effect = std::mem::take(&mut self.trim).end();
        Ok(())
    }

    fn member(&mut self, scanner: &mut Scanner<'_>, key: Key<'_>) -> Result<(), Fault> {
        let key_at = key.span().start;
        self.trim.begin(key_at);
        let value_at = scanner.position();
        match key.name {
            b"model" => self.model = Some(self.model(scanner)?),
            b"messages" => {
                self.messages(scanner)?;
                self.edits.messages = value_at..scanner.position();
            }
            b"stream" => {
                self.stream = flag(scanner)?.unwrap_or(false);
                self.trim.cut(key_at..scanner.position());
                return Ok(());
            }
            b"stream_options" => {
                self.stream_options(scanner)?;
                self.edits.stream_options = Some(value_at..scanner.position());
                self.trim.cut(key_at..scanner.position());
                return Ok(());
            }
            b"max_completion_tokens" => self.max_completion_tokens = natural(scanner)?,
            b"max_tokens" => self.max_tokens = natural(scanner)?,
            b"n" => self.n = choices(scanner)?,
            b"temperature" => self.cold = number(scanner)?.is_some_and(is_zero),
            b"seed" => self.seed = number(scanner)?.is_some(),
            b"tools" | b"functions" => self.tools(scanner)?,
            _ => scanner.skip()?,
        }
        self.trim.keep(scanner.position());
        Ok(())
    }

    fn model(&mut self, scanner: &mut Scanner<'_>) -> Result<String, Fault> {
        expect(scanner, Kind::String)?;
        let name = scanner.string()?;
        self.edits.model = name.span();
        let text = name.text();
        // Most names are plain ASCII, and a glance at their bytes tells.
        let plain = text.bytes().all(|byte| (0x20..0x7F).contains(&byte));
        if text.is_empty() {
            return Err(What::Value("the name is empty").into());
        }
        if text.len() > MODEL_BYTES {
            return Err(What::Value("the name is longer than 256 bytes").into());
        }
        if !plain && text.chars().any(char::is_control) {
            return Err(What::Value("the name contains a control character").into());
        }
        Ok(text.into_owned())
    }

    fn messages(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        expect(scanner, Kind::Array)?;
        self.messages = false;
        scanner.array(|scanner, _| {
            self.messages = true;
            self.message(scanner)
        })?;
        if !self.messages {
            return Err(What::Value("the array is empty, at least one message is needed").into());
        }
        Ok(())
    }

    fn message(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        expect(scanner, Kind::Object)?;
        let mut role = None;
        let mut content = false;
        let mut stands_without = false;
        scanner.object(|scanner, key| {
            match key.name {
                b"role" => {
                    expect(scanner, Kind::String)?;
                    role = types::role(&scanner.string()?.bytes());
                    if role.is_none() {
                        return Err(What::Value(ROLES).into());
                    }
                }
                b"content" => {
                    content = true;
                    self.content(scanner)?;
                }
                b"tool_calls" => {
                    stands_without |= optional(scanner, Kind::Array)?;
                    self.text_bytes += scanner.value()?.len();
                }
                b"function_call" | b"audio" | b"refusal" | b"reasoning_content" | b"reasoning" => {
                    stands_without |= scanner.kind()? != Kind::Null;
                    self.text_bytes += scanner.value()?.len();
                }
                _ => scanner.skip()?,
            }
            Ok::<_, Fault>(())
        })?;
        if role.is_none() {
            return Err(Fault::missing("role"));
        }
        stands_without &= role == Some(chat::Role::Assistant);
        if !content && !stands_without {
            return Err(Fault::missing("content"));
        }
        Ok(())
    }

    fn content(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        if scanner.is(Kind::String) {
            self.text_bytes += scanner.string()?.raw().len();
            return Ok(());
        }
        match scanner.kind()? {
            Kind::Null => scanner.skip()?,
            Kind::Array => scanner.array(|scanner, _| self.part(scanner))?,
            other => return Err(What::Type { expected: "a string or an array of parts", got: named(other) }.into()),
        }
        Ok(())
    }

    fn part(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        expect(scanner, Kind::Object)?;
        let mut kind = None;
        let mut text = false;
        scanner.object(|scanner, key| {
            match key.name {
                b"type" => {
                    expect(scanner, Kind::String)?;
                    kind = Some(scanner.string()?.bytes());
                }
                b"text" | b"refusal" if scanner.is(Kind::String) => {
                    text = true;
                    self.text_bytes += scanner.string()?.raw().len();
                }
                _ => scanner.skip()?,
            }
            Ok::<_, Fault>(())
        })?;
        match kind.as_deref() {
            None => Err(Fault::missing("type")),
            Some(b"text") if !text => Err(Fault::missing("text")),
            Some(b"text" | b"refusal") => Ok(()),
            // Whatever is not known to be text counts as something that nobody here can read.
            Some(_) => {
                self.media += 1;
                Ok(())
            }
        }
    }

    fn stream_options(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        if !optional(scanner, Kind::Object)? {
            scanner.skip()?;
            return Ok(());
        }
        scanner.object(|scanner, key| {
            if key.name == b"include_usage" {
                self.include_usage = flag(scanner)?.unwrap_or(false);
            } else {
                scanner.skip()?;
            }
            Ok::<_, Fault>(())
        })?;
        Ok(())
    }

    fn tools(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        if !optional(scanner, Kind::Array)? {
            scanner.skip()?;
            return Ok(());
        }
        let start = scanner.position();
        scanner.array(|scanner, _| {
            expect(scanner, Kind::Object)?;
            scanner.skip()?;
            self.tools += 1;
            Ok::<_, Fault>(())
        })?;
        self.text_bytes += scanner.position() - start;
        Ok(())
    }
}

const ROLES: &str = "supported values are 'system', 'developer', 'user', 'assistant', 'tool' and 'function'";

/// Makes sure that the next value is of this kind.
#[inline]
fn expect(scanner: &mut Scanner<'_>, wanted: Kind) -> Result<(), Fault> {
    if scanner.is(wanted) { Ok(()) } else { Err(mismatch(scanner, wanted)) }
}

#[cold]
fn mismatch(scanner: &mut Scanner<'_>, wanted: Kind) -> Fault {
    match scanner.kind() {
        Ok(got) => What::Type { expected: named(wanted), got: named(got) }.into(),
        Err(error) => error.into(),
    }
}

/// Whether the next value is there, that is: of this kind and not `null`.
fn optional(scanner: &mut Scanner<'_>, wanted: Kind) -> Result<bool, Fault> {
    if scanner.is(Kind::Null) {
        return Ok(false);
    }
    expect(scanner, wanted).map(|()| true)
}

fn flag(scanner: &mut Scanner<'_>) -> Result<Option<bool>, Fault> {
    if optional(scanner, Kind::Bool)? {
        return Ok(Some(scanner.bool()?));
    }
    scanner.skip()?;
    Ok(None)
}

fn number<'a>(scanner: &mut Scanner<'a>) -> Result<Option<&'a [u8]>, Fault> {
    let there = optional(scanner, Kind::Number)?;
    let range = scanner.value()?;
    Ok(if there { scanner.bytes().get(range) } else { None })
}

fn natural(scanner: &mut Scanner<'_>) -> Result<Option<u64>, Fault> {
    let Some(digits) = number(scanner)? else { return Ok(None) };
    match types::whole(digits) {
        Some(value) => Ok(Some(value)),
        None => Err(What::Value("expected a whole number, zero or above").into()),
    }
}

fn choices(scanner: &mut Scanner<'_>) -> Result<Option<u32>, Fault> {
    let Some(n) = natural(scanner)? else { return Ok(None) };
    if !(1..=MAX_CHOICES).contains(&n) {
        return Err(What::Value("expected a whole number from 1 to 128").into());
    }
    Ok(u32::try_from(n).ok())
}

/// Whether a JSON number is zero or below: the digits before any exponent are all zero, or there is a minus.
fn is_zero(number: &[u8]) -> bool {
    let mantissa = number.split(|byte| matches!(byte, b'e' | b'E')).next().unwrap_or_default();
    number.first() == Some(&b'-') || mantissa.iter().all(|byte| matches!(byte, b'0' | b'.'))
}
