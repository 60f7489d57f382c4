//! Body in, `chat::Request` out: one pass that checks everything and keeps only what the gateway needs.

mod input;

use std::ops::Range;

use bytes::Bytes;

use crate::chat::{self, Edits, OwnEffort};
use crate::wire::fault::{Fault, What};
use crate::wire::json::{Key, Kind, Scanner};
use crate::wire::openai::types;
use crate::wire::own_effort;
use crate::wire::request_error::RequestError;

/// Longest model name accepted, in bytes.
const MODEL_BYTES: usize = 256;
/// Bytes of text a token, roughly, in most languages and tokenizers.
const BYTES_PER_TOKEN: usize = 4;

/// What one pass finds.
#[derive(Debug, Default)]
struct Found {
    model: Option<String>,
    edits: Edits,
    input: Input,
    stream: bool,
    max_output_tokens: Option<u64>,
    cold: bool,
    effort: OwnEffort,
    steered: bool,
    tools: usize,
    hosted: Option<String>,
    state: States,
    text_bytes: usize,
    members: Vec<Member>,
}

/// A top-level member, from its key to its value's end.
#[derive(Debug)]
struct Member {
    range: Range<usize>,
    without_effect: bool,
}

/// What the input holds.
#[derive(Debug, Default)]
struct Input {
    there: bool,
    media: usize,
    text_bytes: usize,
    in_tool_loop: bool,
    /// The first part or item that names something kept at the provider.
    kept: Option<String>,
    /// The first reasoning without a seal, or in one of our own signatures: a target may not take it so.
    odd_reasoning: Option<Range<usize>>,
}

/// The members that lean on something kept at the provider.
#[derive(Debug, Default)]
struct States {
    previous_response_id: bool,
    conversation: bool,
    background: bool,
    store: bool,
    prompt: bool,
}

impl States {
    /// Whether something comes from the provider's keeping into the prompt.
    fn brings(&self) -> bool {
        self.previous_response_id || self.conversation || self.prompt
    }

    fn first(&self) -> Option<&'static str> {
        let all = [
            (self.previous_response_id, "previous_response_id"),
            (self.conversation, "conversation"),
            (self.background, "background"),
            (self.store, "store"),
            (self.prompt, "prompt"),
        ];
        all.into_iter().find_map(|(there, name)| there.then_some(name))
    }
}

/// Reads a request. The body is checked to its last byte: valid UTF-8, valid JSON, no key twice, every member that the
/// gateway reads of the right type.
///
/// # Errors
/// What is wrong, where, in the words of OpenAI's API.
pub fn judge(body: Bytes) -> Result<chat::Request, RequestError> {
    let mut found = Found::default();
    found.scan(&body)?;
    let model = found.model.ok_or_else(|| Fault::missing("model"))?;
    let state = found.state.first().map(str::to_owned).or_else(|| found.input.kept.clone());
    if !found.input.there && state.is_none() {
        return Err(Fault::missing("input").into());
    }
    found.edits.others.extend(found.input.odd_reasoning.map(|range| ("odd_reasoning", range)));
    found.edits.without_effect = without_effect(&found.members);
    Ok(chat::Request {
        format: chat::Format::Responses,
        model,
        stream: found.stream,
        include_usage: true,
        max_output_tokens: found.max_output_tokens,
        n: 1,
        tools: found.tools,
        media: found.input.media,
        unscanned: found.input.media > 0 || found.state.brings() || found.input.kept.is_some(),
        counted_only: false,
        hosted: found.hosted,
        state,
        in_tool_loop: found.input.in_tool_loop,
        sampled: !found.cold,
        effort: found.effort,
        steered: found.steered,
        input_tokens_estimate: (found.text_bytes + found.input.text_bytes).div_ceil(BYTES_PER_TOKEN) as u64,
        edits: found.edits,
        body,
    })
}

/// The ranges to leave out so that the members without effect are gone, with one comma each. There are at most two such
/// members; side by side they make one range.
fn without_effect(members: &[Member]) -> [Range<usize>; 2] {
    let mut cuts: [Range<usize>; 2] = [0..0, 0..0];
    let (mut used, mut kept_end, mut place) = (0, None, 0);
    while let Some(first) = members.get(place) {
        place += 1;
        if !first.without_effect {
            kept_end = Some(first.range.end);
            continue;
        }
        let mut last = first;
        while let Some(next) = members.get(place).filter(|next| next.without_effect) {
            last = next;
            place += 1;
        }
        // At the end of the object the comma before goes, elsewhere the one behind.
        let cut = match members.get(place) {
            Some(next) => first.range.start..next.range.start,
            None => kept_end.unwrap_or(first.range.start)..last.range.end,
        };
        if let Some(free) = cuts.get_mut(used) {
            *free = cut;
            used += 1;
        }
    }
    if used == 1 {
        cuts[1] = cuts[0].end..cuts[0].end;
    }
    cuts
}

impl Found {
    fn scan(&mut self, body: &[u8]) -> Result<(), Fault> {
        let mut scanner = Scanner::strict(body)?;
        expect(&mut scanner, Kind::Object, "an object")?;
        scanner.object(|scanner, key| {
            let (start, without_effect) = (key.span().start, matches!(key.name, b"stream" | b"stream_options"));
            self.member(scanner, key)?;
            self.members.push(Member { range: start..scanner.position(), without_effect });
            Ok::<_, Fault>(())
        })?;
        scanner.end()?;
        Ok(())
    }

    fn member(&mut self, scanner: &mut Scanner<'_>, key: Key<'_>) -> Result<(), Fault> {
        let value_at = scanner.position();
        match key.name {
            b"model" => self.model = Some(self.model(scanner)?),
            b"input" => {
                self.input.read(scanner)?;
                self.edits.messages = value_at..scanner.position();
            }
            b"instructions" => {
                if optional(scanner, Kind::String, "a string")? {
                    self.text_bytes += scanner.string()?.raw().len();
                    self.edits.others.push(("instructions", value_at..scanner.position()));
                } else {
                    scanner.skip()?;
                }
            }
            b"stream" => self.stream = flag(scanner)?,
            b"stream_options" => {
                optional(scanner, Kind::Object, "an object")?;
                scanner.skip()?;
            }
            b"store" => {
                self.state.store = flag(scanner)?;
                self.edits.others.push(("store", value_at..scanner.position()));
            }
            b"include" => {
                optional(scanner, Kind::Array, "an array of strings")?;
                scanner.skip()?;
                self.edits.others.push(("include", value_at..scanner.position()));
            }
            b"max_output_tokens" => {
                self.max_output_tokens = natural(scanner)?;
                self.edits.others.push(("max_output_tokens", value_at..scanner.position()));
            }
            b"reasoning" => {
                optional(scanner, Kind::Object, "an object")?;
                own_effort::read(scanner, &mut self.effort)?;
                self.edits.others.push(("reasoning", value_at..scanner.position()));
            }
            b"temperature" => {
                let degrees = number(scanner)?;
                self.steered |= degrees.is_some();
                self.cold = degrees.is_some_and(is_zero);
            }
            b"top_p" => {
                self.steered |= !scanner.is(Kind::Null);
                scanner.skip()?;
            }
            b"tool_choice" => self.steered |= own_effort::forces(scanner)?,
            b"tools" => self.tools(scanner)?,
            b"previous_response_id" => self.state.previous_response_id = there(scanner)?,
            b"conversation" => self.state.conversation = there(scanner)?,
            b"background" => self.state.background = flag(scanner)?,
            b"prompt" => self.state.prompt = there(scanner)?,
            _ => scanner.skip()?,
        }
        Ok(())
    }

    fn model(&mut self, scanner: &mut Scanner<'_>) -> Result<String, Fault> {
        expect(scanner, Kind::String, "a string")?;
        let name = scanner.string()?;
        self.edits.model = name.span();
        let text = name.text();
        if text.is_empty() {
            return Err(What::Value("the name is empty").into());
        }
        if text.len() > MODEL_BYTES {
            return Err(What::Value("the name is longer than 256 bytes").into());
        }
        if text.chars().any(char::is_control) {
            return Err(What::Value("the name contains a control character").into());
        }
        Ok(text.into_owned())
    }

    fn tools(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        if !optional(scanner, Kind::Array, "an array")? {
            scanner.skip()?;
            return Ok(());
        }
        let start = scanner.position();
        scanner.array(|scanner, _| {
            expect(scanner, Kind::Object, "an object")?;
            let mut kind = None;
            scanner.object(|scanner, key| {
                if key.name == b"type" {
                    expect(scanner, Kind::String, "a string")?;
                    kind = Some(scanner.string()?.text().into_owned());
                } else {
                    scanner.skip()?;
                }
                Ok::<_, Fault>(())
            })?;
            self.tools += 1;
            match kind {
                None => Err(Fault::missing("type")),
                Some(kind) if kind == "function" || kind == "custom" => Ok(()),
                Some(kind) => {
                    self.hosted.get_or_insert(kind);
                    Ok(())
                }
            }
        })?;
        self.text_bytes += scanner.position() - start;
        Ok(())
    }
}

/// Makes sure that the next value is of this kind.
#[inline]
fn expect(scanner: &mut Scanner<'_>, wanted: Kind, words: &'static str) -> Result<(), Fault> {
    if scanner.is(wanted) { Ok(()) } else { Err(mismatch(scanner, words)) }
}

#[cold]
fn mismatch(scanner: &mut Scanner<'_>, words: &'static str) -> Fault {
    match scanner.kind() {
        Ok(got) => Fault::kind(words, got),
        Err(error) => error.into(),
    }
}

/// Whether the next value is there, that is: of this kind and not `null`.
fn optional(scanner: &mut Scanner<'_>, wanted: Kind, words: &'static str) -> Result<bool, Fault> {
    if scanner.is(Kind::Null) {
        return Ok(false);
    }
    expect(scanner, wanted, words).map(|()| true)
}

/// Passes over a value and tells whether it was anything but `null`.
fn there(scanner: &mut Scanner<'_>) -> Result<bool, Fault> {
    let there = !scanner.is(Kind::Null);
    scanner.skip()?;
    Ok(there)
}

fn flag(scanner: &mut Scanner<'_>) -> Result<bool, Fault> {
    if optional(scanner, Kind::Bool, "a boolean")? {
        return Ok(scanner.bool()?);
    }
    scanner.skip()?;
    Ok(false)
}

fn number<'a>(scanner: &mut Scanner<'a>) -> Result<Option<&'a [u8]>, Fault> {
    let there = optional(scanner, Kind::Number, "a number")?;
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

/// Whether a JSON number is zero or below: the digits before any exponent are all zero, or there is a minus.
fn is_zero(number: &[u8]) -> bool {
    let mantissa = number.split(|byte| matches!(byte, b'e' | b'E')).next().unwrap_or_default();
    number.first() == Some(&b'-') || mantissa.iter().all(|byte| matches!(byte, b'0' | b'.'))
}
