//! Headers in both directions: what a client may ask for beside its body, and what an answer says beside its own.

use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::error::{Code, GatewayError, whole_seconds};
use crate::auth::{Given, REFUSED};
use crate::id::RequestId;
use crate::limit::RateLimit;
use crate::money::NanoUsd;
use crate::upstream;

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const LABELS: HeaderName = HeaderName::from_static("x-waypost-labels");
const POLICY: HeaderName = HeaderName::from_static("x-waypost-policy");
const MAX_COST: HeaderName = HeaderName::from_static("x-waypost-max-cost-usd");
const CACHE: HeaderName = HeaderName::from_static("x-waypost-cache");

const DECISION: HeaderName = HeaderName::from_static("x-waypost-decision");
const MODEL: HeaderName = HeaderName::from_static("x-waypost-model");
const PROVIDER: HeaderName = HeaderName::from_static("x-waypost-provider");
const DIFFICULTY: HeaderName = HeaderName::from_static("x-waypost-difficulty");
const REASON: HeaderName = HeaderName::from_static("x-waypost-reason");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-waypost-attempts");
const COST: HeaderName = HeaderName::from_static("x-waypost-cost-usd");
const UPSTREAM_ID: HeaderName = HeaderName::from_static("x-waypost-upstream-id");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit-requests");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining-requests");
const DROPPED: HeaderName = HeaderName::from_static("x-waypost-dropped");
const ESTIMATED: HeaderName = HeaderName::from_static("x-waypost-estimated");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset-requests");

/// Said by proxies in between.
static FORWARDING: [HeaderName; 6] = [
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
];

/// What a client asks for in its headers.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    pub(super) labels: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) max_cost: Option<NanoUsd>,
    pub(super) cache: CacheWish,
    /// Goes to the provider.
    pub(super) passed: upstream::Passed,
}

/// `x-waypost-cache`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum CacheWish {
    /// Read and write.
    #[default]
    Use,
    /// Write only: a fresh answer is wanted.
    NoCache,
    /// Neither.
    NoStore,
}

impl Wishes {
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, GatewayError> {
        let [labels, policy, max_cost, cache] =
            singles(headers, [&LABELS, &POLICY, &MAX_COST, &CACHE]).map_err(twice)?;
        let max_cost = match text(&MAX_COST, max_cost)? {
            None => None,
            Some(usd) => Some(usd.parse().map_err(|error| invalid(&MAX_COST, &format!("{error}")))?),
        };
        let cache = match text(&CACHE, cache)? {
            None => CacheWish::Use,
            Some("no-cache") => CacheWish::NoCache,
            Some("no-store") => CacheWish::NoStore,
            Some(_) => return Err(invalid(&CACHE, "use `no-store` or `no-cache`")),
        };
        Ok(Self {
            labels: text(&LABELS, labels)?.map(str::to_owned),
            policy: text(&POLICY, policy)?.map(str::to_owned),
            max_cost,
            cache,
            passed: upstream::forwarded(headers),
        })
    }
}

/// The values of these headers, in one walk over all that came: most requests have none of them. The name of the first
/// one that is there twice is the error, for two readers could take two different values.
fn singles<'h, 'n, const N: usize>(
    headers: &'h HeaderMap,
    names: [&'n HeaderName; N],
) -> Result<[Option<&'h HeaderValue>; N], &'n HeaderName> {
    let mut found = [None; N];
    for (name, value) in headers {
        let Some(place) = names.iter().position(|wanted| *wanted == name) else { continue };
        if found[place].replace(value).is_some() {
            return Err(names[place]);
        }
    }
    Ok(found)
}

fn text<'h>(name: &HeaderName, value: Option<&'h HeaderValue>) -> Result<Option<&'h str>, GatewayError> {
    let Some(value) = value else { return Ok(None) };
    value.to_str().map(|text| Some(text.trim())).map_err(|_| invalid(name, "only ASCII is allowed"))
}

fn twice(name: &HeaderName) -> GatewayError {
    invalid(name, "it is given more than once")
}

fn invalid(name: &HeaderName, what: &str) -> GatewayError {
    let code = if *name == LABELS { Code::LabelInvalid } else { Code::InvalidRequest };
    GatewayError::new(code, format!("header `{name}`: {what}")).param(name.as_str())
}

/// Whether a proxy stands in between, as far as it says so. Behind one the peer's address says nothing of the client's,
/// so a request that was forwarded does not count as coming from this machine.
#[must_use]
pub fn was_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| FORWARDING.contains(name))
}

/// The client's credentials, as they came.
pub(super) fn credentials(headers: &HeaderMap, loopback: bool) -> Result<Given<'_>, GatewayError> {
    let [authorization, x_api_key] = singles(headers, [&header::AUTHORIZATION, &X_API_KEY])
        .map_err(|_| GatewayError::new(Code::InvalidApiKey, REFUSED))?;
    Ok(Given {
        authorization: authorization.map(HeaderValue::as_bytes),
        x_api_key: x_api_key.map(HeaderValue::as_bytes),
        loopback: loopback && !was_forwarded(headers),
    })
}

/// The client's request id, or a fresh one.
pub(super) fn request_id(headers: &HeaderMap) -> RequestId {
    RequestId::from_client(headers.get(X_REQUEST_ID).map(HeaderValue::as_bytes))
}

/// Refuses a body that is not declared as plain JSON: a compressed one would be read as gibberish. Browsers cannot send
/// `application/json` across origins without asking first, so this also closes the door to forms.
pub(super) fn expect_json(headers: &HeaderMap) -> Result<(), GatewayError> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(GatewayError::new(Code::UnsupportedMediaType, "send the body without `content-encoding`"));
    }
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(GatewayError::new(Code::UnsupportedMediaType, "send the body as `content-type: application/json`"))
}

/// What an answer says beside its body. Fields that are not known yet are left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes<'a> {
    pub(super) request_id: Option<&'a RequestId>,
    pub(super) decision: Option<crate::id::DecisionId>,
    pub(super) served_by: Option<&'a ServedBy>,
    pub(super) difficulty: Option<f32>,
    pub(super) reason: Option<&'static str>,
    pub(super) attempts: Option<usize>,
    pub(super) cache: Option<&'static str>,
    pub(super) cost: Option<NanoUsd>,
    pub(super) upstream_id: Option<HeaderValue>,
    /// Settings that the target's format could not say.
    pub(super) dropped: &'a [String],
    /// The figures in the body are the gateway's own guess.
    pub(super) estimated: bool,
    pub(super) rate: Option<RateLimit>,
    pub(super) overhead: Option<Duration>,
}

/// A target's names, ready to be sent.
#[derive(Clone, Debug)]
pub(super) struct ServedBy {
    model: HeaderValue,
    provider: HeaderValue,
}

impl ServedBy {
    pub(super) fn new(model: &str, provider: &str) -> Self {
        Self { model: printable(model), provider: printable(provider) }
    }
}

impl Notes<'_> {
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let mut values = Values::default();
        if let Some(id) = self.request_id {
            headers.insert(X_REQUEST_ID, values.next(|text| text.extend_from_slice(id.as_str().as_bytes())));
        }
        if let Some(id) = self.decision {
            headers.insert(DECISION, values.next(|text| id.write(text)));
        }
        if let Some(served_by) = self.served_by {
            headers.insert(MODEL, served_by.model.clone());
            headers.insert(PROVIDER, served_by.provider.clone());
        }
        if let Some(difficulty) = self.difficulty {
            headers.insert(DIFFICULTY, values.next(|text| fixed(text, thousandths(f64::from(difficulty)))));
        }
        if let Some(reason) = self.reason {
            headers.insert(REASON, HeaderValue::from_static(reason));
        }
        if let Some(attempts) = self.attempts {
            headers.insert(ATTEMPTS, HeaderValue::from(attempts));
        }
        if let Some(cache) = self.cache {
            headers.insert(CACHE, HeaderValue::from_static(cache));
        }
        if let Some(cost) = self.cost {
            headers.insert(COST, values.next(|text| cost.write(text)));
        }
        if let Some(id) = &self.upstream_id {
            headers.insert(UPSTREAM_ID, id.clone());
        }
        if !self.dropped.is_empty() {
            headers.insert(DROPPED, printable(&listed(self.dropped)));
        }
        if self.estimated {
            headers.insert(ESTIMATED, HeaderValue::from_static("true"));
        }
        if let Some(rate) = self.rate {
            headers.insert(LIMIT, HeaderValue::from(rate.limit));
            headers.insert(REMAINING, HeaderValue::from(rate.remaining));
            let seconds = whole_seconds(rate.reset);
            headers.insert(RESET, values.next(|text| text.extend_from_slice(format!("{seconds}s").as_bytes())));
        }
        if let Some(overhead) = self.overhead {
            let timing = values.next(|text| {
                text.extend_from_slice(b"gateway;dur=");
                fixed(text, u64::try_from(overhead.as_micros()).unwrap_or(u64::MAX));
            });
            headers.insert(SERVER_TIMING, timing);
        }
    }
}

/// Header values that are written into one buffer: an answer has many, and each is short.
struct Values(BytesMut);

impl Default for Values {
    fn default() -> Self {
        Self(BytesMut::with_capacity(160))
    }
}

impl Values {
    /// What is written here is always valid; if it were not, the value would be empty rather than break a line.
    fn next(&mut self, write: impl FnOnce(&mut BytesMut)) -> HeaderValue {
        write(&mut self.0);
        HeaderValue::from_maybe_shared(self.0.split().freeze()).unwrap_or(HeaderValue::from_static(""))
    }
}

/// A number of thousandths as a decimal: `8253` is `8.253`.
fn fixed(text: &mut BytesMut, thousandths: u64) {
    text.extend_from_slice(itoa::Buffer::new().format(thousandths / 1000).as_bytes());
    let digit = |place: u64| b'0' + u8::try_from(thousandths / place % 10).unwrap_or_default();
    text.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
fn thousandths(number: f64) -> u64 {
    (number * 1e3).round() as u64
}

/// Longest list of dropped settings in a header, in bytes.
const MAX_DROPPED: usize = 1024;

/// Names in one line; what is too long for a header ends in `…` as ASCII.
fn listed(names: &[String]) -> String {
    let mut list = String::new();
    for name in names {
        if list.len() + name.len() > MAX_DROPPED {
            list.push_str(", ...");
            break;
        }
        if !list.is_empty() {
            list.push_str(", ");
        }
        list.extend(name.chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }));
    }
    list
}

fn printable(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// Lets the page of an allowed origin read the answer (the listener has refused all other origins).
pub(super) fn allow_origin(request: &HeaderMap, response: &mut HeaderMap) {
    if let Some(origin) = request.get(header::ORIGIN) {
        response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
        response.insert(header::VARY, HeaderValue::from_static("origin"));
    }
}

/// The answer to a browser's question whether it may call.
pub(super) fn preflight(request: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    allow_origin(request, &mut headers);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        request.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned().unwrap_or(HeaderValue::from_static("*")),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name.clone(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        map
    }

    #[test]
    fn a_wish_given_twice_is_refused_since_two_readers_could_differ() {
        let error = Wishes::read(&headers(&[(LABELS, "a=b"), (LABELS, "a=c")])).unwrap_err();
        assert_eq!(error.code, Code::LabelInvalid);
    }

    #[test]
    fn a_request_that_was_forwarded_is_not_from_this_machine() {
        assert!(credentials(&HeaderMap::new(), true).unwrap().loopback);
        for name in &FORWARDING {
            assert!(!credentials(&headers(&[(name.clone(), "x")]), true).unwrap().loopback, "{name}");
        }
    }

    #[test]
    fn a_credential_given_twice_is_refused_in_the_words_of_any_other() {
        let error = credentials(&headers(&[(X_API_KEY, "a"), (X_API_KEY, "b")]), true).err().unwrap();
        assert_eq!((error.code, error.message.as_str()), (Code::InvalidApiKey, REFUSED));
    }

    #[test]
    fn wishes_are_read() {
        let wishes = Wishes::read(&headers(&[
            (MAX_COST, "0.02"),
            (CACHE, "no-store"),
            (HeaderName::from_static("traceparent"), "00-ab"),
        ]))
        .unwrap();
        assert_eq!(wishes.max_cost, Some(NanoUsd(20_000_000)));
        assert_eq!(wishes.cache, CacheWish::NoStore);
        assert_eq!(wishes.passed.len(), 1);
        assert!(Wishes::read(&headers(&[(MAX_COST, "cheap")])).is_err());
        assert!(Wishes::read(&headers(&[(CACHE, "maybe")])).is_err());
    }

    #[test]
    fn only_json_is_read() {
        assert!(expect_json(&headers(&[(header::CONTENT_TYPE, "application/json; charset=utf-8")])).is_ok());
        for other in ["text/plain", "application/x-www-form-urlencoded", ""] {
            assert!(expect_json(&headers(&[(header::CONTENT_TYPE, other)])).is_err());
        }
        let zipped = [(header::CONTENT_TYPE, "application/json"), (header::CONTENT_ENCODING, "gzip")];
        assert!(expect_json(&headers(&zipped)).is_err());
    }
}
