//! Body in, `chat::Request` out: one pass that checks everything and keeps only what the gateway needs.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::fault::Fault;
use super::kinds;
use crate::chat::{self, Edits, OwnEffort};
use crate::wire::json::{Key, Kind, Scanner, member_cut};
use crate::wire::own_effort;
use crate::wire::request_error::RequestError;

/// Longest model name accepted, in bytes.
const MODEL_BYTES: usize = 256;
/// Bytes of text a token, roughly, in most languages and tokenizers.
const BYTES_PER_TOKEN: usize = 4;

/// Reads a Messages request. The body is checked to its last byte: valid UTF-8, valid JSON, no key twice, every member
/// that the gateway reads of the right type.
///
/// # Errors
/// What is wrong, and where.
pub fn judge(body: Bytes) -> Result<chat::Request, RequestError> {
    read(body, true)
}

/// Reads a request to count tokens: a Messages request that needs no `max_tokens`.
///
/// # Errors
/// What is wrong, and where.
pub fn judge_count(body: Bytes) -> Result<chat::Request, RequestError> {
    read(body, false)
}

fn read(body: Bytes, limited: bool) -> Result<chat::Request, RequestError> {
    let mut found = Found::default();
    found.scan(&body)?;
    let model = found.model.ok_or_else(|| Fault::member("model", "is missing; it must be a text"))?;
    if !found.messages {
        return Err(Fault::member("messages", "is missing; it must be a list").into());
    }
    if limited && found.max_tokens.is_none() {
        return Err(Fault::member("max_tokens", "is missing; it must be a whole number").into());
    }
    Ok(chat::Request {
        format: chat::Format::Messages,
        model,
        stream: found.stream,
        // The format always counts, and always says so.
        include_usage: true,
        max_output_tokens: found.max_tokens,
        n: 1,
        tools: found.tools,
        media: found.media,
        unscanned: found.media > 0 || found.state.is_some(),
        counted_only: !limited,
        hosted: found.hosted,
        state: found.state,
        in_tool_loop: found.answers_tool,
        sampled: !found.cold,
        effort: found.effort,
        steered: found.steered,
        input_tokens_estimate: found.text_bytes.div_ceil(BYTES_PER_TOKEN) as u64,
        edits: found.edits,
        body,
    })
}

/// What one pass finds.
#[derive(Debug, Default)]
struct Found {
    model: Option<String>,
    edits: Edits,
    messages: bool,
    stream: bool,
    max_tokens: Option<u64>,
    cold: bool,
    effort: OwnEffort,
    steered: bool,
    tools: usize,
    media: usize,
    text_bytes: usize,
    hosted: Option<String>,
    state: Option<String>,
    /// The last message read is a user's that holds a tool's result.
    answers_tool: bool,
}

/// What one block says of itself; its members come in any order.
#[derive(Debug, Default)]
struct Block<'a> {
    kind: Option<Cow<'a, [u8]>>,
    text: bool,
    file: bool,
}

impl Found {
    fn scan(&mut self, body: &[u8]) -> Result<(), Fault> {
        let mut scanner = Scanner::strict(body)?;
        expect(&mut scanner, Kind::Object, "must be an object")?;
        scanner.object(|scanner, key| self.member(scanner, key))?;
        scanner.end()?;
        Ok(())
    }

    fn member(&mut self, scanner: &mut Scanner<'_>, key: Key<'_>) -> Result<(), Fault> {
        let key_at = key.span().start;
        let value_at = scanner.position();
        let rewritten = match key.name {
            b"model" => return self.model(scanner),
            b"messages" => {
                self.messages(scanner)?;
                self.edits.messages = value_at..scanner.position();
                return Ok(());
            }
            b"stream" => {
                self.stream = there(scanner, Kind::Bool, "must be true or false")? && scanner.bool()?;
                let cut = member_cut(scanner.bytes(), key_at, scanner.position());
                self.edits.without_effect = [cut.clone(), cut.end..cut.end];
                return Ok(());
            }
            b"max_tokens" => {
                self.max_tokens = natural(scanner)?;
                "max_tokens"
            }
            b"system" => {
                self.system(scanner)?;
                "system"
            }
            b"thinking" => {
                own_effort::read(scanner, &mut self.effort)?;
                "thinking"
            }
            b"output_config" => {
                own_effort::read(scanner, &mut self.effort)?;
                "output_config"
            }
            b"top_p" | b"top_k" => {
                self.steered |= !scanner.is(Kind::Null);
                return Ok(scanner.skip()?);
            }
            b"tool_choice" => {
                self.steered |= own_effort::forces(scanner)?;
                return Ok(());
            }
            b"temperature" => return self.temperature(scanner),
            b"tools" => return self.tools(scanner),
            b"mcp_servers" => return self.others_run(scanner, "mcp_servers"),
            // Another model may answer, of which no policy was asked.
            b"fallbacks" => return self.others_run(scanner, "fallbacks"),
            b"container" => return self.kept(scanner, "container"),
            b"thread" => return self.kept(scanner, "thread"),
            _ => return Ok(scanner.skip()?),
        };
        self.edits.others.push((rewritten, value_at..scanner.position()));
        Ok(())
    }

    fn model(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        expect(scanner, Kind::String, "must be a text")?;
        let name = scanner.string()?;
        self.edits.model = name.span();
        let text = name.text();
        if text.is_empty() {
            return Err(Fault::of("must not be empty"));
        }
        if text.len() > MODEL_BYTES {
            return Err(Fault::of("must not be longer than 256 bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err(Fault::of("must not contain a control character"));
        }
        self.model = Some(text.into_owned());
        Ok(())
    }

    fn temperature(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        if there(scanner, Kind::Number, "must be a number")? {
            self.steered = true;
            let range = scanner.number()?;
            self.cold = number(scanner.bytes(), range).is_some_and(|degrees: f64| degrees <= 0.0);
        }
        Ok(())
    }

    fn system(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        const WANTED: &str = "must be a text or a list of text blocks";
        match scanner.kind()? {
            Kind::Null => scanner.skip()?,
            Kind::String => self.text_bytes += scanner.string()?.raw().len(),
            Kind::Array => scanner.array(|scanner, _| {
                let block = self.block(scanner, "")?;
                if block.kind.as_deref() == Some(b"text") { Ok(()) } else { Err(Fault::of("must be a text block")) }
            })?,
            _ => return Err(Fault::of(WANTED)),
        }
        Ok(())
    }

    fn messages(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        expect(scanner, Kind::Array, "must be a list")?;
        scanner.array(|scanner, index| {
            self.messages = true;
            self.message(scanner, index)
        })?;
        if self.messages { Ok(()) } else { Err(Fault::of("must not be empty")) }
    }

    fn message(&mut self, scanner: &mut Scanner<'_>, index: usize) -> Result<(), Fault> {
        expect(scanner, Kind::Object, "must be an object")?;
        let (mut role, mut content, mut results) = (None, false, false);
        scanner.object(|scanner, key| {
            match key.name {
                b"role" => {
                    expect(scanner, Kind::String, ROLES)?;
                    role = kinds::role(&scanner.string()?.bytes());
                    if role.is_none() {
                        return Err(Fault::of(ROLES));
                    }
                }
                b"content" => {
                    content = true;
                    results = self.content(scanner, index)?;
                }
                _ => scanner.skip()?,
            }
            Ok(())
        })?;
        let Some(role) = role else {
            return Err(Fault::member("role", "is missing; it must be `user` or `assistant`"));
        };
        if !content {
            return Err(Fault::member("content", "is missing; it must be a text or a list of blocks"));
        }
        self.answers_tool = results && role == chat::Role::User;
        Ok(())
    }

    /// Whether there is a tool's result in it.
    fn content(&mut self, scanner: &mut Scanner<'_>, message: usize) -> Result<bool, Fault> {
        let mut results = false;
        match scanner.kind()? {
            Kind::String => self.text_bytes += scanner.string()?.raw().len(),
            Kind::Array => scanner.array(|scanner, index| {
                let block = self.block(scanner, "")?;
                let Some(kind) = block.kind.as_deref() else {
                    return Err(Fault::member("type", "is missing; it must be a text"));
                };
                results |= kind == b"tool_result";
                if block.file && self.state.is_none() {
                    self.state = Some(format!("messages[{message}].content[{index}]"));
                }
                Ok(())
            })?,
            _ => return Err(Fault::of("must be a text or a list of blocks")),
        }
        Ok(results)
    }

    /// A block, or a thing inside one: `inside` is the key that it stands under.
    fn block<'a>(&mut self, scanner: &mut Scanner<'a>, inside: &str) -> Result<Block<'a>, Fault> {
        expect(scanner, Kind::Object, "must be an object")?;
        let mut block = Block::default();
        // The bytes of `data`: text only in a source of that type.
        let mut data = 0;
        scanner.object(|scanner, key| {
            match key.name {
                b"type" => {
                    expect(scanner, Kind::String, "must be a text")?;
                    block.kind = Some(scanner.string()?.bytes());
                }
                b"text" | b"thinking" | b"title" | b"context" if scanner.is(Kind::String) => {
                    block.text |= key.name == b"text";
                    self.text_bytes += scanner.string()?.raw().len();
                }
                b"data" if scanner.is(Kind::String) => data = scanner.string()?.raw().len(),
                b"input" => self.text_bytes += scanner.value()?.len(),
                b"file_id" => {
                    block.file |= !scanner.is(Kind::Null);
                    scanner.skip()?;
                }
                b"source" if scanner.is(Kind::Object) => block.file |= self.block(scanner, "source")?.file,
                b"content" => block.file |= self.inner(scanner)?,
                _ => scanner.skip()?,
            }
            Ok::<_, Fault>(())
        })?;
        let kind = block.kind.as_deref().unwrap_or_default();
        if inside == "source" {
            self.text_bytes += if kind == b"text" { data } else { 0 };
        } else if kind == b"text" && !block.text {
            return Err(Fault::member("text", "is missing; it must be a text"));
        } else if !kind.is_empty() && !kinds::readable(kind) {
            // Whatever is not known to be text counts as something that nobody here can read.
            self.media += 1;
        }
        Ok(block)
    }

    /// The content of a block: text, blocks, or what only the provider knows. Whether there is a file's id in it.
    fn inner(&mut self, scanner: &mut Scanner<'_>) -> Result<bool, Fault> {
        let mut file = false;
        match scanner.kind()? {
            Kind::String => self.text_bytes += scanner.string()?.raw().len(),
            Kind::Object => file = self.block(scanner, "content")?.file,
            Kind::Array => scanner.array(|scanner, _| {
                if scanner.is(Kind::Object) {
                    file |= self.block(scanner, "content")?.file;
                } else {
                    scanner.skip()?;
                }
                Ok::<_, Fault>(())
            })?,
            _ => scanner.skip()?,
        }
        Ok(file)
    }

    fn tools(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        if !there(scanner, Kind::Array, "must be a list")? {
            return Ok(());
        }
        let start = scanner.position();
        scanner.array(|scanner, _| {
            expect(scanner, Kind::Object, "must be an object")?;
            self.tools += 1;
            scanner.object(|scanner, key| {
                if key.name != b"type" || scanner.is(Kind::Null) {
                    return Ok(scanner.skip()?);
                }
                expect(scanner, Kind::String, "must be a text")?;
                let kind = scanner.string()?.text();
                if !kinds::is_function(&kind) && !kinds::run_by_client(&kind) && self.hosted.is_none() {
                    self.hosted = Some(kind.into_owned());
                }
                Ok::<_, Fault>(())
            })
        })?;
        self.text_bytes += scanner.position() - start;
        Ok(())
    }

    /// Others who would do part of the work, out of the gateway's sight.
    fn others_run(&mut self, scanner: &mut Scanner<'_>, name: &str) -> Result<(), Fault> {
        let mut any = !scanner.is(Kind::Null);
        if scanner.is(Kind::Array) {
            any = false;
            scanner.array(|scanner, _| {
                any = true;
                scanner.skip()
            })?;
        } else {
            scanner.skip()?;
        }
        if any && self.hosted.is_none() {
            self.hosted = Some(name.to_owned());
        }
        Ok(())
    }

    /// Something kept at the provider.
    fn kept(&mut self, scanner: &mut Scanner<'_>, name: &str) -> Result<(), Fault> {
        if !scanner.is(Kind::Null) && self.state.is_none() {
            self.state = Some(name.to_owned());
        }
        Ok(scanner.skip()?)
    }
}

const ROLES: &str = "must be `user`, `assistant` or `system`";

/// Makes sure that the next value is of this kind.
fn expect(scanner: &mut Scanner<'_>, wanted: Kind, what: &'static str) -> Result<(), Fault> {
    if scanner.is(wanted) {
        return Ok(());
    }
    scanner.kind()?;
    Err(Fault::of(what))
}

/// Whether the next value is there, that is: of this kind and not `null`, which is passed.
fn there(scanner: &mut Scanner<'_>, wanted: Kind, what: &'static str) -> Result<bool, Fault> {
    if scanner.is(Kind::Null) {
        scanner.skip()?;
        return Ok(false);
    }
    expect(scanner, wanted, what).map(|()| true)
}

fn natural(scanner: &mut Scanner<'_>) -> Result<Option<u64>, Fault> {
    const WANTED: &str = "must be a whole number, zero or above";
    if !there(scanner, Kind::Number, WANTED)? {
        return Ok(None);
    }
    let range = scanner.number()?;
    number(scanner.bytes(), range).map(Some).ok_or_else(|| Fault::of(WANTED))
}

fn number<T: std::str::FromStr>(bytes: &[u8], range: Range<usize>) -> Option<T> {
    std::str::from_utf8(bytes.get(range)?).ok()?.parse().ok()
}
