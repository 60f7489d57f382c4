//! What the scripted provider shall do: a script (model name → behaviour) and its YAML.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::endpoint::Format;
use super::fields::{Millis, Point, ToolCall, bounded_answer, bounded_events, status};

/// Behaviour by model name. YAML:
///
/// ```yaml
/// default: { text: "Hello." }
/// models:
///   slow:  { before_first_token: 2s, per_event: 20ms }
///   flaky: { fail_first: 2, status: 503 }
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Script {
    /// For every model that `models` does not name.
    pub default: Behaviour,
    /// Behaviour by exact model name. These names are also what `GET …/models` lists.
    pub models: BTreeMap<String, Behaviour>,
    /// Whether a marker in the last user message may change the behaviour. Default: yes.
    pub markers: bool,
    /// Whether a model that `models` does not name is answered with 404. Default: no.
    pub only_listed: bool,
}

impl Default for Script {
    fn default() -> Script {
        Script { default: Behaviour::default(), models: BTreeMap::new(), markers: true, only_listed: false }
    }
}

impl Script {
    /// One behaviour for every model.
    pub fn always(behaviour: Behaviour) -> Script {
        Script { default: behaviour, ..Script::default() }
    }

    /// This script with a behaviour for one more model.
    #[must_use]
    pub fn model(mut self, name: &str, behaviour: Behaviour) -> Script {
        self.models.insert(name.to_owned(), behaviour);
        self
    }

    /// Reads a script from YAML (or JSON). Unknown keys are errors; an empty text is the default
    /// script.
    pub fn from_yaml(yaml: &str) -> Result<Script, ScriptError> {
        let read: Result<Option<Script>, _> = serde_saphyr::from_str(yaml);
        match read {
            Ok(script) => Ok(script.unwrap_or_default()),
            Err(error) => {
                let place = error.location();
                Err(ScriptError {
                    line: place.map_or(1, |place| place.line()),
                    column: place.map_or(1, |place| place.column()),
                    message: plain_message(&error),
                })
            }
        }
    }

    pub(super) fn behaviour(&self, model: &str) -> Option<&Behaviour> {
        match self.models.get(model) {
            Some(behaviour) => Some(behaviour),
            None if self.only_listed => None,
            None => Some(&self.default),
        }
    }
}

/// Why a script could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ScriptError {
    /// From 1.
    pub line: u64,
    /// From 1, in characters.
    pub column: u64,
    /// What is wrong, and for an unknown key what may stand there.
    pub message: String,
}

/// The parser's message with neither its snippet nor the place, which [`ScriptError`] holds.
fn plain_message(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let message = match text.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((_place, message)) => message,
        None => text,
    };
    let end = message.rfind(" at line ").unwrap_or(message.len());
    message[..end].to_owned()
}

/// What is done with one request. The default answers a plain text at once.
///
/// The keys are the same in YAML and in a marker; [the module page](super) lists them with
/// examples.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// The answer's text. Default: a sentence saying that this is no model; none beside tool calls.
    pub text: Option<String>,
    /// Reasoning, sent before the text in its own field.
    pub reasoning: Option<String>,
    /// The name of that field: `reasoning_content` (default), or `reasoning` as vLLM and OpenRouter
    /// have it.
    pub reasoning_field: Option<String>,
    /// Reasoning in front of the text between `<think>` and `</think>`, as raw R1 output has it.
    pub think: Option<String>,
    /// Tool calls, all in one answer, streamed one after the other in fragments.
    pub tool_calls: Vec<ToolCall>,
    /// Default: `stop`, or `tool_calls`.
    pub finish_reason: Option<String>,
    /// Reasoning comes as a `redacted_thinking` block in Messages; elsewhere as ever.
    pub redacted: bool,
    /// Answer also what a provider would refuse, as long as it can be read.
    pub lenient: bool,
    /// Refuse a Gemini function call of the current turn that comes back without its thought signature.
    pub require_signatures: bool,
    /// Answer with a JSON text telling what was received: method, path, credentials, the body's
    /// length and SHA-256, and the body.
    pub echo: bool,

    /// Where the usage is put.
    pub usage: UsagePlace,
    /// Default: 3 for each message, 85 for each image, and one for each 4 characters.
    pub prompt_tokens: Option<u64>,
    /// Default: one for each 4 characters.
    pub completion_tokens: Option<u64>,
    /// Of the prompt tokens. Default: 0.
    pub cached_tokens: Option<u64>,
    /// Of the prompt tokens, written to the cache. Default: 0, and not named where the format allows that.
    pub cache_write_tokens: Option<u64>,
    /// Of the completion tokens. Default: one for each 4 characters of reasoning.
    pub reasoning_tokens: Option<u64>,

    /// Wait before anything is sent.
    pub before_headers: Millis,
    /// Wait after the headers (and the event that only names the role).
    pub before_first_token: Millis,
    /// Wait before each token event but the first.
    pub per_event: Millis,
    /// So many token events: the text's words are repeated or cut. Default: one for each word.
    #[serde(deserialize_with = "bounded_events")]
    pub events: Option<u64>,
    /// Each text event is padded to so many bytes, `data: ` and the blank line included.
    #[serde(deserialize_with = "bounded_answer")]
    pub event_bytes: Option<usize>,
    /// The body of a whole answer is padded to so many bytes.
    #[serde(deserialize_with = "bounded_answer")]
    pub answer_bytes: Option<usize>,
    /// So many bytes for each TCP write, headers included.
    pub chunk: Option<NonZeroUsize>,
    /// An SSE comment sent after the headers, before the first event.
    pub comment: Option<String>,
    /// Whether a stream ends with `data: [DONE]`. Default: yes.
    pub done: bool,

    /// Send nothing more after so many token events, until the client goes.
    pub stall_after: Option<Point>,
    /// Close the connection after so many bytes of the body (chunk framing not counted).
    pub fin_after: Option<Point>,
    /// The same with a TCP reset.
    pub rst_after: Option<Point>,
    /// An error event after so many token events of a stream; a whole answer becomes a 500.
    pub error_after: Option<u64>,
    /// Broken JSON instead of the token event after so many; a whole answer is cut in half.
    pub malformed_after: Option<u64>,

    /// Status code. From 300 an error is answered. Default: 200.
    #[serde(deserialize_with = "status")]
    pub status: Option<u16>,
    /// Further headers; `content-type` replaces ours. Sent as they stand, bytes unchecked.
    pub headers: BTreeMap<String, String>,
    /// A `retry-after` header, in seconds.
    pub retry_after: Option<u64>,
    /// The error's message, instead of the status's usual one.
    pub error_message: Option<String>,
    /// The error's type.
    pub error_type: Option<String>,
    /// The error's code. `context_length_exceeded` and `insufficient_quota` bring their status
    /// and message.
    pub error_code: Option<String>,
    /// A raw body instead of any JSON of ours.
    pub body: Option<String>,
    /// Only the first so many requests meet the faults above (a 500 if none is stated).
    pub fail_first: u64,
}

impl Default for Behaviour {
    fn default() -> Behaviour {
        Behaviour {
            text: None,
            reasoning: None,
            reasoning_field: None,
            think: None,
            tool_calls: Vec::new(),
            finish_reason: None,
            redacted: false,
            lenient: false,
            require_signatures: false,
            echo: false,
            usage: UsagePlace::Last,
            prompt_tokens: None,
            completion_tokens: None,
            cached_tokens: None,
            cache_write_tokens: None,
            reasoning_tokens: None,
            before_headers: Millis(0),
            before_first_token: Millis(0),
            per_event: Millis(0),
            events: None,
            event_bytes: None,
            answer_bytes: None,
            chunk: None,
            comment: None,
            done: true,
            stall_after: None,
            fin_after: None,
            rst_after: None,
            error_after: None,
            malformed_after: None,
            status: None,
            headers: BTreeMap::new(),
            retry_after: None,
            error_message: None,
            error_type: None,
            error_code: None,
            body: None,
            fail_first: 0,
        }
    }
}

impl Behaviour {
    /// A plain answer with this text.
    pub fn text(text: &str) -> Behaviour {
        Behaviour { text: Some(text.to_owned()), ..Behaviour::default() }
    }

    /// An error with this status.
    pub fn status(status: u16) -> Behaviour {
        Behaviour { status: Some(status), ..Behaviour::default() }
    }

    /// The status sent, with what a code alone implies in this format.
    pub(super) fn status_in(&self, format: Format) -> u16 {
        match (format, self.status, self.error_code.as_deref()) {
            (Format::Anthropic, None, Some("insufficient_quota")) if self.error_after.is_none() => 400,
            _ => self.effective_status(),
        }
    }

    fn effective_status(&self) -> u16 {
        if self.error_after.is_some() {
            return self.status.unwrap_or(200);
        }
        match (self.status, self.error_code.as_deref()) {
            (Some(status), _) => status,
            (None, Some("context_length_exceeded")) => 400,
            (None, Some("insufficient_quota")) => 429,
            (None, _) => 200,
        }
    }

    fn is_faulty(&self) -> bool {
        self.stall_after.is_some()
            || self.fin_after.is_some()
            || self.rst_after.is_some()
            || self.error_after.is_some()
            || self.malformed_after.is_some()
            || self.body.is_some()
            || self.effective_status() >= 300
    }

    /// How one of the first requests under `fail_first` is treated.
    pub(super) fn failing(&self) -> Behaviour {
        let mut failing = self.clone();
        if !failing.is_faulty() {
            failing.status = Some(500);
        }
        failing
    }

    /// How the requests after those are treated.
    pub(super) fn recovered(&self) -> Behaviour {
        Behaviour {
            stall_after: None,
            fin_after: None,
            rst_after: None,
            error_after: None,
            malformed_after: None,
            status: None,
            headers: BTreeMap::new(),
            retry_after: None,
            error_code: None,
            body: None,
            fail_first: 0,
            ..self.clone()
        }
    }
}

/// Where an answer's usage is put. Whole answers always have one, except under `omit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UsagePlace {
    /// As OpenAI does: if `stream_options.include_usage` asks for it, one last chunk without choices.
    Last,
    /// If asked for, in the chunk that has the finish reason.
    BesideChoice,
    /// If asked for, in both places.
    Twice,
    /// As `last`, asked for or not.
    Always,
    /// Nowhere, not in whole answers either.
    Omit,
}
