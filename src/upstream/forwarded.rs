//! The client's headers that go on to the provider: a short list, the same for everybody.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use crate::chat::Format;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const OPENAI_BETA: HeaderName = HeaderName::from_static("openai-beta");
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const ANTHROPIC_BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// The version of the Messages format that is spoken where the client names none
/// (<https://docs.claude.com/en/api/versioning>).
const VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// Values of `openai-beta` that go on: those OpenAI's own SDKs send. Another might switch on what no policy has seen.
/// <https://github.com/openai/openai-python>
const OPENAI_BETAS: [&str; 3] = ["assistants=v2", "realtime=v1", "responses=experimental"];

/// Beginnings of `anthropic-beta` values that go on: they change how the model works with what is in the request, and
/// reach no tool, file or server that policy has not seen (`mcp-client`, `files-api`, `code-execution`, `skills` do).
/// <https://docs.claude.com/en/api/beta-headers>
const ANTHROPIC_BETAS: [&str; 16] = [
    "prompt-caching-",
    "extended-cache-ttl-",
    "interleaved-thinking-",
    "fine-grained-tool-streaming-",
    "token-efficient-tools-",
    "output-128k-",
    "context-1m-",
    "structured-outputs-",
    "claude-code-",
    "effort-",
    "context-management-",
    "token-counting-",
    "max-tokens-3-5-sonnet-",
    "pdfs-",
    "computer-use-",
    "advanced-tool-use-",
];

/// Longest header of the client that goes on, in bytes.
pub(super) const FORWARDED: usize = 256;

/// Headers that go with a request.
pub type Passed = Vec<(HeaderName, HeaderValue)>;

/// The client's headers that go to the provider, each once. The trace and the client's own key for repeats are passed
/// as they are, versions and betas by a list; nothing else of the client's is.
#[must_use]
pub fn forwarded(client: &HeaderMap) -> Passed {
    let mut passed: Passed = Vec::new();
    let mut betas: Vec<&str> = Vec::new();
    for (name, value) in client {
        let (name, passes) = match name.as_str() {
            "traceparent" => (TRACEPARENT, value.len() <= FORWARDED),
            "idempotency-key" => (IDEMPOTENCY_KEY, value.len() <= FORWARDED),
            "openai-beta" => (OPENAI_BETA, OPENAI_BETAS.iter().any(|beta| beta.as_bytes() == value.as_bytes())),
            "anthropic-version" => (ANTHROPIC_VERSION, value.len() <= FORWARDED),
            "anthropic-beta" => {
                let listed = value.to_str().unwrap_or_default().split(',').map(str::trim);
                betas.extend(listed.filter(|beta| is_known(beta)));
                continue;
            }
            _ => continue,
        };
        if passes && passed.iter().all(|(before, _)| *before != name) {
            passed.push((name, value.clone()));
        }
    }
    betas.truncate(ANTHROPIC_BETAS.len());
    if let Some(value) = HeaderValue::from_str(&betas.join(",")).ok().filter(|value| !value.is_empty()) {
        passed.push((ANTHROPIC_BETA, value));
    }
    passed
}

/// Whether a beta of Anthropic's goes on: a known word and a date (`effort-2025-11-24`), and nothing that only begins so.
fn is_known(beta: &str) -> bool {
    let date = |rest: &str| rest.len() <= 10 && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    ANTHROPIC_BETAS.iter().any(|known| beta.strip_prefix(known).is_some_and(date))
}

/// Those of them that a provider of this format knows, and what the format itself demands.
#[must_use]
pub fn suited(passed: &Passed, format: Format) -> Cow<'_, Passed> {
    let anthropic = |name: &HeaderName| *name == ANTHROPIC_VERSION || *name == ANTHROPIC_BETA;
    if format == Format::Messages {
        let mut suited: Passed = passed.iter().filter(|(name, _)| *name != OPENAI_BETA).cloned().collect();
        if suited.iter().all(|(name, _)| *name != ANTHROPIC_VERSION) {
            suited.push((ANTHROPIC_VERSION, VERSION));
        }
        return Cow::Owned(suited);
    }
    if passed.iter().any(|(name, _)| anthropic(name)) {
        return Cow::Owned(passed.iter().filter(|(name, _)| !anthropic(name)).cloned().collect());
    }
    Cow::Borrowed(passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn betas_that_reach_outside_do_not_go_on() {
        let passed = forwarded(&client(&[
            ("anthropic-beta", "interleaved-thinking-2025-05-14, mcp-client-2025-04-04"),
            ("anthropic-beta", "files-api-2025-04-14,effort-2025-11-24,effort-and-mcp-client"),
            ("anthropic-version", "2023-06-01"),
        ]));
        let beta = passed.iter().find(|(name, _)| *name == ANTHROPIC_BETA).unwrap();
        assert_eq!(beta.1, "interleaved-thinking-2025-05-14,effort-2025-11-24");
        assert!(suited(&passed, Format::Chat).is_empty(), "no other format is told of them");
        assert_eq!(suited(&passed, Format::Messages).len(), 2);
    }

    #[test]
    fn the_messages_format_always_names_its_version() {
        let passed = forwarded(&client(&[("openai-beta", "responses=experimental"), ("cookie", "a=b")]));
        assert_eq!(suited(&passed, Format::Messages)[..], [(ANTHROPIC_VERSION, VERSION)]);
        assert_eq!(suited(&passed, Format::Responses).len(), 1);
    }
}
