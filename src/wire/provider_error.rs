//! What a provider means by its error, whichever format it speaks: they differ less than they agree.

use std::time::Duration;

use crate::wire::json::{JsonResult, Kind, Scanner};

/// Longest message of a provider that is kept, in bytes.
const MESSAGE_BYTES: usize = 1000;
/// Longest code, parameter or type of a provider that is kept, in bytes.
const WORD_BYTES: usize = 100;

/// What a provider's error means for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderErrorKind {
    /// The prompt, or prompt and answer, exceed the model's context.
    ContextLength,
    /// The provider refused the content.
    ContentFilter,
    /// The provider does not know the model.
    ModelNotFound,
    /// The provider refused our credential.
    Credential,
    /// Too many requests or tokens, or a quota used up.
    RateLimit,
    /// Another fault of the request (4xx).
    Request,
    /// The provider's own failure.
    Provider,
}

/// A provider's error, bounded. Its texts may name keys and hosts of ours: [`scrub`] before a client sees them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the provider answered {status}: {message}")]
pub struct ProviderError {
    /// The HTTP status; in a stream the one the error names, else 500.
    pub status: u16,
    /// What the provider says, at most 1000 bytes, without control characters.
    pub message: String,
    /// What it means.
    pub kind: ProviderErrorKind,
    /// The provider's code (`context_length_exceeded`); a number that repeats the status is none.
    pub code: Option<String>,
    /// The provider's type (`invalid_request_error`).
    pub error_type: Option<String>,
    /// The member of the request it complains of.
    pub param: Option<String>,
    /// When it wants to be asked again, where the body says so (Google's `RetryInfo`).
    pub retry_after: Option<Duration>,
}

/// The fields of an error body, wherever the provider put them.
#[derive(Debug, Default)]
pub(super) struct Fields {
    message: Option<String>,
    /// OpenRouter puts what its own provider said into `metadata.raw`.
    raw: Option<String>,
    code: Option<String>,
    error_type: Option<String>,
    param: Option<String>,
    status: Option<u16>,
    retry_after: Option<Duration>,
}

/// Reads the body of a provider's answer that is not a success.
#[must_use]
pub fn read_error(status: u16, body: &[u8]) -> ProviderError {
    let mut fields = Fields::default();
    let read = Fields::read(&mut Scanner::lenient(body), &mut fields);
    if read.is_err() && fields.message.is_none() && !looks_like_markup(body) {
        fields.message =
            Some(bounded(&String::from_utf8_lossy(body.get(..4 * MESSAGE_BYTES).unwrap_or(body)), MESSAGE_BYTES));
    }
    fields.finish(Some(status))
}

/// Reads the error that stands in a stream as an event of its own.
#[must_use]
pub fn read_error_event(data: &[u8]) -> ProviderError {
    let mut fields = Fields::default();
    if Fields::read(&mut Scanner::lenient(data), &mut fields).is_err() && fields.message.is_none() {
        fields.message =
            Some(bounded(&String::from_utf8_lossy(data.get(..4 * MESSAGE_BYTES).unwrap_or(data)), MESSAGE_BYTES));
    }
    fields.finish(None)
}

impl Fields {
    /// Reads `{"error":{…}}`, `{"error":"…"}`, `{"message":…}`, `{"detail":…}` or the inside of an `error` member.
    pub(super) fn read(scanner: &mut Scanner<'_>, fields: &mut Self) -> JsonResult<()> {
        match scanner.kind()? {
            Kind::String => fields.message = Some(bounded(&scanner.string()?.text(), MESSAGE_BYTES)),
            // FastAPI's `detail` is a list of complaints; llama.cpp and others never send one.
            Kind::Array => scanner.array(|scanner, _| Self::read(scanner, fields))?,
            Kind::Object => scanner.object(|scanner, key| fields.member(scanner, key.name))?,
            Kind::Number | Kind::Bool | Kind::Null => scanner.skip()?,
        }
        Ok(())
    }

    fn member(&mut self, scanner: &mut Scanner<'_>, name: &[u8]) -> JsonResult<()> {
        match (name, scanner.kind()?) {
            (b"error" | b"detail", _) | (b"message", Kind::Object | Kind::Array) => Self::read(scanner, self)?,
            (b"message" | b"msg", Kind::String) => {
                self.message = Some(bounded(&scanner.string()?.text(), MESSAGE_BYTES))
            }
            (b"raw", Kind::String) => self.raw = Some(bounded(&scanner.string()?.text(), MESSAGE_BYTES)),
            // Google's list of particulars, each of its own type (<https://cloud.google.com/apis/design/errors#error_details>).
            (b"details", Kind::Array) => scanner.array(|scanner, _| match scanner.kind()? {
                Kind::Object => scanner.object(|scanner, key| self.particular(scanner, key.name)),
                _ => scanner.skip(),
            })?,
            (b"metadata", Kind::Object) => Self::read(scanner, self)?,
            (b"code", Kind::String) => self.code = Some(bounded(&scanner.string()?.text(), WORD_BYTES)),
            (b"type" | b"status", Kind::String) => {
                self.error_type = Some(bounded(&scanner.string()?.text(), WORD_BYTES))
            }
            (b"param", Kind::String) => self.param = Some(bounded(&scanner.string()?.text(), WORD_BYTES)),
            (b"code" | b"status_code" | b"status", Kind::Number) => {
                let digits = scanner.number()?;
                let number = scanner.bytes().get(digits).and_then(super::openai::types::whole);
                self.status = number.and_then(|number| u16::try_from(number).ok()).filter(|s| (400..600).contains(s));
            }
            _ => scanner.skip()?,
        }
        Ok(())
    }

    fn particular(&mut self, scanner: &mut Scanner<'_>, name: &[u8]) -> JsonResult<()> {
        match (name, scanner.kind()?) {
            (b"retryDelay", Kind::String) => self.retry_after = delay(&scanner.string()?.text()),
            (b"reason", Kind::String) if self.code.is_none() => {
                self.code = Some(bounded(&scanner.string()?.text(), WORD_BYTES));
            }
            _ => scanner.skip()?,
        }
        Ok(())
    }

    /// The error these fields make, under this HTTP status if there is one of its own.
    pub(super) fn finish(self, status: Option<u16>) -> ProviderError {
        let status = status.or(self.status).unwrap_or(500);
        let kind = self.kind(status);
        let mut message = self.message.unwrap_or_default();
        if let Some(raw) = self.raw {
            message = bounded(&format!("{message}: {raw}"), MESSAGE_BYTES);
        }
        if message.trim().is_empty() {
            message = format!("the provider answered with status {status}");
        }
        let Self { code, error_type, param, retry_after, .. } = self;
        ProviderError { status, message, kind, code, error_type, param, retry_after }
    }

    fn kind(&self, status: u16) -> ProviderErrorKind {
        let words = [&self.code, &self.error_type];
        let says = |wanted: &[&str]| {
            words
                .iter()
                .any(|word| word.as_deref().is_some_and(|word| wanted.iter().any(|w| w.eq_ignore_ascii_case(word))))
        };
        let text = [&self.message, &self.raw].map(|text| text.as_deref().unwrap_or_default().to_ascii_lowercase());
        let mentions = |wanted: &[&str]| wanted.iter().any(|words| text.iter().any(|text| text.contains(words)));
        if says(&CONTEXT_CODES) || (status < 500 && mentions(&CONTEXT_TEXTS)) {
            return ProviderErrorKind::ContextLength;
        }
        if says(&FILTER_CODES) || mentions(&FILTER_TEXTS) {
            return ProviderErrorKind::ContentFilter;
        }
        if status == 401 || says(&CREDENTIAL_CODES) || (status < 500 && mentions(&CREDENTIAL_TEXTS)) {
            return ProviderErrorKind::Credential;
        }
        if says(&MODEL_CODES) || (status == 404 && mentions(&["model", "deployment"])) {
            return ProviderErrorKind::ModelNotFound;
        }
        match status {
            403 => ProviderErrorKind::Credential,
            429 => ProviderErrorKind::RateLimit,
            _ if says(&["rate_limit_exceeded", "insufficient_quota", "rate_limit_error"]) => {
                ProviderErrorKind::RateLimit
            }
            400..500 => ProviderErrorKind::Request,
            _ => ProviderErrorKind::Provider,
        }
    }
}

/// OpenAI, llama.cpp (tools/server/server-common.cpp, `ERROR_TYPE_EXCEED_CONTEXT_SIZE`), Groq.
const CONTEXT_CODES: [&str; 3] = ["context_length_exceeded", "exceed_context_size_error", "string_above_max_length"];
/// As vLLM, SGLang, TGI, Mistral, DeepSeek, xAI, OpenRouter, llama.cpp and Google put it.
const CONTEXT_TEXTS: [&str; 11] = [
    "maximum context length",
    "context length is only",
    "model's context length",
    "context window",
    "exceeds the available context size",
    "maximum prompt length",
    "prompt is too long",
    "too large for model with",
    "longer than the model's context",
    "input is too long",
    "exceeds the maximum number of tokens allowed",
];
const FILTER_CODES: [&str; 4] =
    ["content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation", "data_inspection_failed"];
const FILTER_TEXTS: [&str; 4] = ["content management policy", "content policy", "requires moderation", "safety system"];
const CREDENTIAL_CODES: [&str; 4] = ["invalid_api_key", "authentication_error", "UNAUTHENTICATED", "API_KEY_INVALID"];
const CREDENTIAL_TEXTS: [&str; 7] = [
    "incorrect api key",
    "invalid api key",
    "api key not valid",
    "api key expired",
    "invalid x-api-key",
    "no auth credentials",
    "authentication fails",
];
const MODEL_CODES: [&str; 4] = ["model_not_found", "DeploymentNotFound", "unknown_model", "invalid_model"];

/// A duration as Google writes it: `37s`, `1.5s`.
fn delay(text: &str) -> Option<Duration> {
    let seconds = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// An error page of something that stands before the provider; it says nothing to an API client.
fn looks_like_markup(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'<')
}

/// `text` in at most `limit` bytes, control characters made spaces.
fn bounded(text: &str, limit: usize) -> String {
    let mut kept = String::with_capacity(text.len().min(limit));
    for character in text.trim().chars() {
        let shown = if character.is_control() { ' ' } else { character };
        if kept.len() + shown.len_utf8() > limit.saturating_sub('…'.len_utf8()) {
            kept.push('…');
            break;
        }
        kept.push(shown);
    }
    kept
}

/// Beginnings of well-known keys. Providers repeat parts of the key they refuse.
const KEY_PREFIXES: [&str; 7] = ["sk-", "gsk_", "xai-", "aiza", "bearer ", "wp-", "hf_"];

/// `message` without our secrets, without our hosts, and without any word that looks like a key.
#[must_use]
pub fn scrub(message: &str, secrets: &[&str], hosts: &[&str]) -> String {
    let mut scrubbed = message.to_owned();
    for word in secrets.iter().chain(hosts) {
        scrubbed = without(&scrubbed, word, |rest| rest.len().min(word.len()));
    }
    for prefix in KEY_PREFIXES {
        scrubbed = without(&scrubbed, prefix, |rest| {
            let after = rest.get(prefix.len()..).unwrap_or_default();
            let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*' | '.' | '…'));
            let key = after.find(ends).unwrap_or(after.len());
            // A short word such as `sk-1` is hardly a key, and `disk-full` hardly names one.
            if key < 6 { 0 } else { prefix.len() + key }
        });
    }
    scrubbed
}

/// `text` without what begins with `word` in any case; `length` says how many bytes go there, 0 for none.
fn without(text: &str, word: &str, length: impl Fn(&str) -> usize) -> String {
    if word.is_empty() {
        return text.to_owned();
    }
    let (lower, word) = (text.to_ascii_lowercase(), word.to_ascii_lowercase());
    let mut kept = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in lower.match_indices(&word) {
        let inside_word =
            at > 0 && word.len() < 8 && lower.as_bytes().get(at - 1).is_some_and(u8::is_ascii_alphanumeric);
        let cut = text.get(at..).map_or(0, &length);
        if at < from || inside_word || cut == 0 {
            continue;
        }
        kept.push_str(text.get(from..at).unwrap_or_default());
        kept.push_str("[removed]");
        from = at + cut;
    }
    kept.push_str(text.get(from..).unwrap_or_default());
    kept
}

#[cfg(test)]
mod tests;
