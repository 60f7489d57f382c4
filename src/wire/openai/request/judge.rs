//! Body in, `chat::Request` out: one pass that checks everything and keeps only what the gateway needs.

use bytes::Bytes;

use super::super::types;
use super::thoughts;
use super::trim::Trim;
use super::values::{self, BYTES_PER_TOKEN, choices, expect, flag, is_zero, natural, number, optional};
use crate::chat::{self, Edits, OwnEffort};
use crate::wire::fault::{Fault, What};
use crate::wire::json::{Key, Kind, Scanner};
use crate::wire::own_effort;
use crate::wire::request_error::RequestError;

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
    effort: OwnEffort,
    steered: bool,
    tools: usize,
    media: usize,
    text_bytes: usize,
    hosted: Option<String>,
    state: Option<&'static str>,
    /// Whether something comes from the provider's keeping into the prompt.
    brings: bool,
    in_tool_loop: bool,
    /// Whether some answer of the model holds reasoning or a signature.
    thoughts: bool,
    trim: Trim,
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
        hosted: found.hosted,
        state: found.state.map(str::to_owned),
        in_tool_loop: found.in_tool_loop,
        model,
        stream: found.stream,
        include_usage: found.include_usage,
        max_output_tokens: found.max_completion_tokens.or(found.max_tokens),
        n: found.n.unwrap_or(1),
        tools: found.tools,
        media: found.media,
        unscanned: found.media > 0 || found.brings,
        counted_only: false,
        sampled: !found.cold && !found.seed,
        effort: found.effort,
        steered: found.steered,
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
            b"model" => {
                let (model, span) = values::model(scanner)?;
                (self.model, self.edits.model) = (Some(model), span);
            }
            b"messages" => {
                self.messages(scanner)?;
                self.edits.messages = value_at..scanner.position();
                if self.thoughts {
                    self.edits.others.push(("thoughts", self.edits.messages.clone()));
                }
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
            b"max_completion_tokens" => {
                self.max_completion_tokens = natural(scanner)?;
                self.edits.others.push(("max_completion_tokens", value_at..scanner.position()));
            }
            b"max_tokens" => {
                self.max_tokens = natural(scanner)?;
                self.edits.others.push(("max_tokens", value_at..scanner.position()));
            }
            b"n" => self.n = choices(scanner)?,
            b"temperature" => {
                let degrees = number(scanner)?;
                self.steered |= degrees.is_some();
                self.cold = degrees.is_some_and(is_zero);
            }
            b"top_p" | b"top_k" => {
                self.steered |= !scanner.is(Kind::Null);
                scanner.skip()?;
            }
            b"tool_choice" => self.steered |= own_effort::forces(scanner)?,
            b"reasoning_effort"
            | b"reasoning"
            | b"thinking"
            | b"chat_template_kwargs"
            | b"enable_thinking"
            | b"thinking_budget" => own_effort::read(scanner, &mut self.effort)?,
            b"seed" => self.seed = number(scanner)?.is_some(),
            b"tools" | b"functions" => self.tools(scanner)?,
            // Searches that the provider runs (OpenAI; xAI), OpenRouter's plugins, and its list of other models that may answer,
            // of which no policy was asked.
            b"web_search_options" | b"search_parameters" | b"plugins" | b"models" => {
                self.hosted_if(!scanner.is(Kind::Null), key.name);
                scanner.skip()?;
            }
            // A search that Alibaba's Qwen runs.
            b"enable_search" => {
                self.hosted_if(is_true(scanner), key.name);
                scanner.skip()?;
            }
            b"store" => {
                self.state_if(is_true(scanner), "store");
                scanner.skip()?;
                self.edits.others.push(("store", value_at..scanner.position()));
            }
            // xAI keeps the answer until it is fetched.
            b"deferred" => {
                self.state_if(is_true(scanner), "deferred");
                scanner.skip()?;
            }
            b"previous_response_id" | b"conversation" => {
                let name = if key.name == b"conversation" { "conversation" } else { "previous_response_id" };
                self.brought_if(!scanner.is(Kind::Null), name);
                scanner.skip()?;
            }
            _ => scanner.skip()?,
        }
        self.trim.keep(scanner.position());
        Ok(())
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
        let mut thoughts = false;
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
                    let calls = scanner.value()?;
                    self.text_bytes += calls.len();
                    thoughts |= thoughts::concerns(key.name, scanner.bytes().get(calls).unwrap_or_default());
                }
                b"function_call" | b"audio" | b"refusal" | b"reasoning_content" | b"reasoning"
                | b"reasoning_details" => {
                    let there = scanner.kind()? != Kind::Null;
                    stands_without |= there;
                    // An earlier answer's sound, by its id.
                    self.brought_if(there && key.name == b"audio", "audio");
                    thoughts |= there && thoughts::concerns(key.name, b"");
                    self.text_bytes += scanner.value()?.len();
                }
                b"extra_content" => {
                    thoughts = true;
                    scanner.skip()?;
                }
                _ => scanner.skip()?,
            }
            Ok::<_, Fault>(())
        })?;
        self.thoughts |= thoughts && role == Some(chat::Role::Assistant);
        if role.is_none() {
            return Err(Fault::missing("role"));
        }
        self.in_tool_loop = role == Some(chat::Role::Tool);
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
            other => return Err(Fault::kind("a string or an array of parts", other)),
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
                b"file" if scanner.is(Kind::Object) => self.file(scanner)?,
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

    fn file(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        scanner.object(|scanner, key| {
            self.brought_if(key.name == b"file_id" && !scanner.is(Kind::Null), "file_id");
            Ok::<_, Fault>(scanner.skip()?)
        })
    }

    fn brought_if(&mut self, leans: bool, name: &'static str) {
        self.brings |= leans;
        self.state_if(leans, name);
    }

    fn state_if(&mut self, leans: bool, name: &'static str) {
        if leans {
            self.state.get_or_insert(name);
        }
    }

    fn hosted_if(&mut self, asked: bool, name: &[u8]) {
        if asked && self.hosted.is_none() {
            self.hosted = Some(String::from_utf8_lossy(name).into_owned());
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
            self.tools += 1;
            self.tool(scanner)
        })?;
        self.text_bytes += scanner.position() - start;
        Ok(())
    }
}

impl Found {
    /// A function, a custom tool of the application, or one that the provider runs.
    fn tool(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        scanner.object(|scanner, key| {
            if key.name != b"type" || !scanner.is(Kind::String) {
                return Ok::<_, Fault>(scanner.skip()?);
            }
            let kind = scanner.string()?;
            if kind.raw() != b"function" {
                self.other_tool(&kind.bytes());
            }
            Ok(())
        })
    }

    #[cold]
    fn other_tool(&mut self, kind: &[u8]) {
        self.hosted_if(kind != b"function" && kind != b"custom", kind);
    }
}

const ROLES: &str = "supported values are 'system', 'developer', 'user', 'assistant', 'tool' and 'function'";

/// Whether `true` stands next.
fn is_true(scanner: &mut Scanner<'_>) -> bool {
    scanner.is(Kind::Bool) && scanner.bytes().get(scanner.position()) == Some(&b't')
}
