//! One issuer's public keys, fetched, kept and renewed.
//!
//! Requests never wait for a renewal while they have what they need: keys older than `refresh` are renewed behind
//! their back. A token with a `kid` nobody knows may be the first after a rotation, so it is worth a fetch, but anyone
//! can invent such tokens: at most one fetch per `min_refetch` begins, successful or not, and only one is in flight,
//! on which the others wait. Known keys outlive an outage of the issuer up to `max_stale`; then, and where there never
//! were any, every token is refused.
//!
//! Fetches run in a task of their own: a client that hangs up must not take the one permitted fetch with it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::verify::PublicKey;
use crate::clock::Clock;
use crate::config::{Jwks, JwtAlgorithm};

/// GET of one URL: the body of a 200, or why not. The gateway gives the client that keeps to the egress rules.
pub type Fetch = Arc<dyn Fn(url::Url) -> Pin<Box<dyn Future<Output = Result<Bytes, String>> + Send>> + Send + Sync>;

/// Largest key set taken, in bytes. The largest in public use are below 50 KB.
const MAX_BODY: usize = 512 * 1024;
/// Most keys taken from one set.
const MAX_KEYS: usize = 128;
/// Longest a fetch may take.
const FETCH_DEADLINE: Duration = Duration::from_secs(10);
/// Longest a request waits for a fetch.
const WAIT_DEADLINE: Duration = Duration::from_secs(5);
/// Most requests that wait for one issuer's fetch; the next are refused.
const MAX_WAITING: usize = 1024;

/// Why there is no key for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The set is good, but holds no such key.
    Unknown,
    /// There is no set, or only one older than `max_stale`.
    Unavailable,
}

/// The keys of one issuer.
#[derive(Clone)]
pub(super) struct KeyCache(Arc<Inner>);

struct Inner {
    settings: Jwks,
    fetch: Fetch,
    clock: Clock,
    current: ArcSwapOption<KeySet>,
    fetching: Mutex<Fetching>,
    waiting: Semaphore,
}

#[derive(Default)]
struct Fetching {
    /// When the last fetch began.
    last: Option<SystemTime>,
    /// Closes when the fetch in flight ends.
    in_flight: Option<watch::Receiver<()>>,
}

struct KeySet {
    keys: Vec<(Option<String>, PublicKey)>,
    fetched: SystemTime,
}

impl KeySet {
    /// A token without `kid` is only clear where there is one key.
    fn find(&self, kid: Option<&str>, algorithm: JwtAlgorithm) -> Option<&PublicKey> {
        let (_, key) = match (kid, self.keys.as_slice()) {
            (None, [only]) => only,
            (None, _) => return None,
            // Issuers may use one id for keys of two types.
            (Some(kid), keys) => {
                keys.iter().find(|(name, key)| name.as_deref() == Some(kid) && key.algorithm() == algorithm)?
            }
        };
        (key.algorithm() == algorithm).then_some(key)
    }
}

impl KeyCache {
    /// Begins with what was fetched before, if it was, and when: an issuer that is down at a reload shuts nobody out.
    pub(super) fn new(settings: Jwks, fetch: Fetch, clock: Clock, before: Option<&Self>) -> Self {
        let last = before.and_then(|before| before.0.fetching.lock().last);
        Self(Arc::new(Inner {
            settings,
            fetch,
            clock,
            current: ArcSwapOption::new(before.and_then(|before| before.0.current.load_full())),
            fetching: Mutex::new(Fetching { last, in_flight: None }),
            waiting: Semaphore::new(MAX_WAITING),
        }))
    }

    /// Where the keys come from.
    pub(super) fn url(&self) -> &url::Url {
        &self.0.settings.url
    }

    /// The key that a token names, from memory where possible.
    pub(super) async fn key(&self, kid: Option<&str>, algorithm: JwtAlgorithm) -> Result<PublicKey, NoKey> {
        match self.known(kid, algorithm) {
            Ok((key, age)) => {
                if age >= self.0.settings.refresh {
                    // Not waited for: the known key serves.
                    drop(self.begin_fetch());
                }
                return Ok(key);
            }
            Err(_) => self.fetch_and_wait().await?,
        }
        self.known(kid, algorithm).map(|(key, _)| key)
    }

    fn known(&self, kid: Option<&str>, algorithm: JwtAlgorithm) -> Result<(PublicKey, Duration), NoKey> {
        let set = self.0.current.load();
        let Some(set) = set.as_ref() else { return Err(NoKey::Unavailable) };
        // A clock that was set back makes the set young, not refused.
        let age = self.0.clock.now().duration_since(set.fetched).unwrap_or_default();
        if age > self.0.settings.max_stale {
            return Err(NoKey::Unavailable);
        }
        let key = set.find(kid, algorithm).ok_or(NoKey::Unknown)?;
        Ok((key.clone(), age))
    }

    async fn fetch_and_wait(&self) -> Result<(), NoKey> {
        let Some(mut end) = self.begin_fetch() else { return Ok(()) };
        let Ok(_place) = self.0.waiting.try_acquire() else { return Err(NoKey::Unavailable) };
        // Nothing is ever sent: the channel closes when the fetch has ended, well or not.
        let _ = timeout(WAIT_DEADLINE, end.changed()).await;
        Ok(())
    }

    /// Joins the fetch in flight or begins one; `None` if one began less than `min_refetch` ago.
    fn begin_fetch(&self) -> Option<watch::Receiver<()>> {
        let mut fetching = self.0.fetching.lock();
        if let Some(end) = &fetching.in_flight {
            return Some(end.clone());
        }
        let now = self.0.clock.now();
        if let Some(last) = fetching.last
            && now.duration_since(last).is_ok_and(|since| since < self.0.settings.min_refetch)
        {
            return None;
        }
        fetching.last = Some(now);
        let (sender, end) = watch::channel(());
        fetching.in_flight = Some(end.clone());
        drop(fetching);
        let flight = Flight { cache: self.clone(), _end: sender };
        tokio::spawn(async move { flight.cache.fetch().await });
        Some(end)
    }

    async fn fetch(&self) {
        let url = &self.0.settings.url;
        // Only the host is logged: a query may hold a secret.
        let host = url.host_str().unwrap_or_default();
        let began = self.0.clock.now();
        let body = match timeout(FETCH_DEADLINE, (self.0.fetch)(url.clone())).await {
            Ok(body) => body,
            Err(_) => Err("no answer in time".to_owned()),
        };
        match body.and_then(|body| read(&body)) {
            Ok(keys) => {
                tracing::debug!(host, keys = keys.len(), "key set fetched");
                self.0.current.store(Some(Arc::new(KeySet { keys, fetched: began })));
            }
            Err(cause) => tracing::warn!(host, cause, "key set not fetched; known keys stay until max_stale"),
        }
    }
}

/// Ends the fetch in flight on every way out, also by panic or at the runtime's end.
struct Flight {
    cache: KeyCache,
    /// Dropped after `in_flight` is cleared, so that who is woken sees the new state.
    _end: watch::Sender<()>,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.cache.0.fetching.lock().in_flight = None;
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

/// The members of RFC 7517 and 7518 that are needed; everything else in a key is ignored.
#[derive(Deserialize)]
struct Written {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys of a set that can check a signature by one of our algorithms. Others (encryption keys, other curves,
/// secrets, malformed ones) are normal in a set and passed over; a set without a usable key is an error, so that it
/// does not replace a good one.
fn read(body: &[u8]) -> Result<Vec<(Option<String>, PublicKey)>, String> {
    if body.len() > MAX_BODY {
        return Err(format!("the key set has {} bytes; {MAX_BODY} are allowed", body.len()));
    }
    let document: Document = serde_json::from_slice(body).map_err(|error| format!("not a key set: {error}"))?;
    let mut keys = Vec::new();
    for value in document.keys.into_iter().take(MAX_KEYS) {
        let Ok(written) = serde_json::from_value::<Written>(value) else { continue };
        if let Some(key) = usable(&written) {
            keys.push((written.kid, key));
        }
    }
    if keys.is_empty() {
        return Err("the key set holds no usable key".to_owned());
    }
    Ok(keys)
}

fn usable(written: &Written) -> Option<PublicKey> {
    if written.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    if written.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
        return None;
    }
    let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
    let (key, names): (_, &[&str]) = match (written.kty.as_str(), written.crv.as_deref()) {
        ("RSA", _) => (PublicKey::rsa(&bytes(&written.n)?, &bytes(&written.e)?)?, &["RS256"]),
        ("EC", Some("P-256")) => (PublicKey::p256(&bytes(&written.x)?, &bytes(&written.y)?)?, &["ES256"]),
        // RFC 9864 renames EdDSA with this curve to Ed25519.
        ("OKP", Some("Ed25519")) => (PublicKey::ed25519(&bytes(&written.x)?)?, &["EdDSA", "Ed25519"]),
        _ => return None,
    };
    written.alg.as_deref().is_none_or(|alg| names.contains(&alg)).then_some(key)
}
