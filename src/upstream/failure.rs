//! What a failed exchange means: whose fault it is, whether the same target may be asked again, whether another may.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use http::HeaderMap;

use super::error::CallError;
use crate::wire::provider_error::{ProviderError, ProviderErrorKind as Said, read_error};

/// Statuses that a second try may cure. 529 is Anthropic's "overloaded".
const PASSING: [u16; 7] = [408, 500, 502, 503, 504, 529, 429];

/// Why one exchange with one target brought no answer to pass on.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// The provider's status, where it gave one.
    pub status: Option<u16>,
    /// Where the request went, where it got so far.
    pub peer: Option<SocketAddr>,
    /// SHA-256 of the certificate that was shown there, where it got so far.
    pub tls_sha256: Option<[u8; 32]>,
    /// When the provider wants to be asked again.
    pub retry_after: Option<Duration>,
    /// What the provider said, where it said anything: may quote the prompt, so it belongs in no log.
    pub said: Option<ProviderError>,
    retry: bool,
}

/// The kinds of failure that are treated differently.
#[derive(Debug)]
pub enum FailureKind {
    /// No exchange: not reached, broken off, out of time.
    Call(CallError),
    /// The provider refuses *our* credential or account.
    Credential,
    /// Too many requests, or our quota is used up.
    RateLimited,
    /// The provider finds fault with the request itself; it says what in the body.
    BadRequest,
    /// The prompt is too long for the model.
    ContextLength,
    /// The provider's own filter refuses the prompt. To ask the next one would be to shop for a laxer filter.
    ContentFilter,
    /// The provider does not know the model, or the path.
    NotFound,
    /// Any other status that is not success.
    Status,
}

impl Failure {
    /// An exchange that brought no status.
    #[must_use]
    pub fn of_call(error: CallError) -> Self {
        Self {
            retry: error.is_retryable(),
            kind: FailureKind::Call(error),
            status: None,
            peer: None,
            tls_sha256: None,
            retry_after: None,
            said: None,
        }
    }

    /// Judges an answer whose status is not 2xx.
    #[must_use]
    pub fn of_status(status: u16, headers: &HeaderMap, body: &[u8], peer: SocketAddr, now: SystemTime) -> Self {
        let failure = Self::of_said(read_error(status, body), peer);
        let told = retry_after(headers, now).or(failure.retry_after);
        Self { retry_after: told, retry: failure.passes(), ..failure }
    }

    /// Judges an error that stands inside an answer with status 200. It is not asked again: by then the answer had begun.
    #[must_use]
    pub fn of_said(said: ProviderError, peer: SocketAddr) -> Self {
        let status = said.status;
        let kind = match (status, said.kind) {
            (400..500, Said::Credential) | (401 | 402, _) => FailureKind::Credential,
            (429, _) => FailureKind::RateLimited,
            (400 | 413 | 422, Said::ContextLength) => FailureKind::ContextLength,
            (400..500, Said::ContentFilter) => FailureKind::ContentFilter,
            (403, _) => FailureKind::Credential,
            (404 | 410, _) | (400 | 422, Said::ModelNotFound) => FailureKind::NotFound,
            (400 | 422, _) => FailureKind::BadRequest,
            _ => FailureKind::Status,
        };
        let retry_after = said.retry_after;
        Self {
            kind,
            status: Some(status),
            peer: Some(peer),
            tls_sha256: None,
            retry_after,
            said: Some(said),
            retry: false,
        }
    }

    /// Whether a second try may cure it.
    fn passes(&self) -> bool {
        let words = self.said.as_ref().map(|said| [&said.code, &said.error_type]);
        let quota_gone =
            words.is_some_and(|words| words.into_iter().flatten().any(|word| word == "insufficient_quota"));
        let passing = self.status.is_some_and(|status| PASSING.contains(&status));
        passing && !quota_gone && !matches!(self.kind, FailureKind::Credential | FailureKind::ContentFilter)
    }

    /// Whether the same target may be asked again.
    #[must_use]
    pub fn retry_same(&self) -> bool {
        self.retry
    }

    /// Whether the next target may be asked. A request that is faulty in itself would fail there too.
    #[must_use]
    pub fn fall_back(&self) -> bool {
        match &self.kind {
            FailureKind::BadRequest | FailureKind::ContextLength | FailureKind::ContentFilter => false,
            FailureKind::Call(error) => !matches!(error, CallError::Request(_)),
            _ => true,
        }
    }

    /// Whether it says that the target is not well. What a request can bring about by itself (413, 415, …) does not: else
    /// one client could have a target taken from all others.
    #[must_use]
    pub fn is_the_targets(&self) -> bool {
        match (&self.kind, self.status) {
            (FailureKind::Status, Some(status @ 400..500)) => status == 408,
            _ => self.fall_back(),
        }
    }

    /// One word for metrics and decision records.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match &self.kind {
            FailureKind::Call(error) => error.word(),
            FailureKind::Credential => "credential",
            FailureKind::RateLimited => "rate_limited",
            FailureKind::BadRequest => "bad_request",
            FailureKind::ContextLength => "context_length",
            FailureKind::ContentFilter => "content_filter",
            FailureKind::NotFound => "not_found",
            FailureKind::Status => "status",
        }
    }

    /// Whether the endpoint itself, not the model behind it, seems to be down.
    pub(super) fn endpoint_down(&self) -> bool {
        match &self.kind {
            FailureKind::Call(error) => matches!(
                error,
                CallError::Resolve(_)
                    | CallError::Connect(_)
                    | CallError::ConnectTimeout
                    | CallError::Tls(_)
                    | CallError::Closed
                    | CallError::FirstByteTimeout
            ),
            _ => matches!(self.status, Some(502..=504)),
        }
    }
}

/// `retry-after-ms` (OpenAI), else `retry-after` in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(millis) = text("retry-after-ms").and_then(|millis| millis.parse().ok()) {
        return Some(Duration::from_millis(millis));
    }
    let wait = text("retry-after")?;
    if let Ok(seconds) = wait.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = u64::try_from(jiff::fmt::rfc2822::parse(wait).ok()?.timestamp().as_second()).ok()?;
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Some(Duration::from_secs(at).saturating_sub(since_1970))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str) -> Failure {
        let peer = "127.0.0.1:1".parse().unwrap();
        Failure::of_status(status, &HeaderMap::new(), body.as_bytes(), peer, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn each_status_is_retried_or_falls_back_or_is_final() {
        for (status, word, retry, fall_back) in [
            (302, "status", false, true),
            (400, "bad_request", false, false),
            (401, "credential", false, true),
            (402, "credential", false, true),
            (403, "credential", false, true),
            (404, "not_found", false, true),
            (408, "status", true, true),
            (413, "status", false, true),
            (422, "bad_request", false, false),
            (429, "rate_limited", true, true),
            (500, "status", true, true),
            (501, "status", false, true),
            (502, "status", true, true),
            (503, "status", true, true),
            (504, "status", true, true),
            (529, "status", true, true),
        ] {
            let failure = judged(status, "");
            let got = (failure.word(), failure.retry_same(), failure.fall_back());
            assert_eq!(got, (word, retry, fall_back), "{status}");
        }
    }

    #[test]
    fn a_refused_key_is_ours_whatever_its_status() {
        let xai = r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: sk***"}"#;
        let gemini = r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key."}}]"#;
        for body in [xai, gemini] {
            let failure = judged(400, body);
            assert_eq!((failure.word(), failure.retry_same(), failure.fall_back()), ("credential", false, true));
        }
        assert_eq!(judged(400, r#"{"error":{"message":"messages: my api key is wrong"}}"#).word(), "bad_request");
    }

    #[test]
    fn a_prompt_that_is_too_long_is_known_by_its_text() {
        let openai =
            r#"{"error":{"message":"too big","type":"invalid_request_error","code":"context_length_exceeded"}}"#;
        let llama = r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}"#;
        let vllm = r#"{"object":"error","message":"This model's maximum context length is 4096 tokens","code":400}"#;
        for body in [openai, llama, vllm] {
            assert_eq!((judged(400, body).word(), judged(400, body).fall_back()), ("context_length", false));
        }
    }

    #[test]
    fn what_a_provider_says_counts_beside_its_status() {
        let filtered = r#"{"error":{"code":"content_filter","message":"no"}}"#;
        let moderated = r#"{"error":{"code":403,"message":"Your chosen model requires moderation"}}"#;
        for (status, body) in [(400, filtered), (403, moderated)] {
            assert_eq!((judged(status, body).word(), judged(status, body).fall_back()), ("content_filter", false));
        }
        let unknown = judged(400, r#"{"error":{"code":"model_not_found","message":"no such model"}}"#);
        assert_eq!((unknown.word(), unknown.fall_back()), ("not_found", true));
    }

    #[test]
    fn what_a_request_brings_about_is_not_the_targets() {
        for status in [400, 413, 415, 422, 431] {
            assert!(!judged(status, "").is_the_targets(), "{status}");
        }
        for status in [302, 401, 404, 408, 429, 500, 503] {
            assert!(judged(status, "").is_the_targets(), "{status}");
        }
        assert!(Failure::of_call(CallError::Idle).is_the_targets());
    }

    #[test]
    fn an_error_inside_an_answer_is_judged_like_one_before_it_but_not_asked_again() {
        let peer = "127.0.0.1:1".parse().unwrap();
        let inside = |status, body: &[u8]| Failure::of_said(read_error(status, body), peer);
        let busy = inside(503, br#"{"message":"busy"}"#);
        assert_eq!((busy.word(), busy.retry_same(), busy.fall_back()), ("status", false, true));
        let long = inside(400, br#"{"error":{"code":"context_length_exceeded"}}"#);
        assert_eq!((long.word(), long.retry_same(), long.fall_back()), ("context_length", false, false));
    }

    #[test]
    fn a_quota_that_is_used_up_is_not_tried_again() {
        let failure = judged(429, r#"{"error":{"code":"insufficient_quota","message":"pay"}}"#);
        assert_eq!((failure.word(), failure.retry_same(), failure.fall_back()), ("rate_limited", false, true));
    }

    #[test]
    fn retry_after_is_read_in_all_its_forms() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_470);
        for (name, value, expected) in [
            ("retry-after", "7", Some(Duration::from_secs(7))),
            ("retry-after", "0.5", Some(Duration::from_millis(500))),
            ("retry-after-ms", "1500", Some(Duration::from_millis(1500))),
            ("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT", Some(Duration::from_secs(10))),
            ("retry-after", "Wed, 21 Oct 2015 07:20:00 GMT", Some(Duration::ZERO)),
            ("retry-after", "-1", None),
            ("retry-after", "soon", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(retry_after(&headers, now), expected, "{value}");
        }
    }

    #[test]
    fn a_timeout_falls_back_and_is_not_repeated() {
        for error in [CallError::FirstByteTimeout, CallError::Total, CallError::Idle] {
            let failure = Failure::of_call(error);
            assert!(!failure.retry_same() && failure.fall_back());
        }
        assert!(Failure::of_call(CallError::Closed).retry_same());
        assert!(Failure::of_call(CallError::ConnectTimeout).retry_same());
    }
}
