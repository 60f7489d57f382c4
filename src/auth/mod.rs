//! Who is asking: a virtual key, an issuer's token, or nobody over loopback in open mode.
//!
//! A key is parsed (checksum), hashed and looked up in memory: about a microsecond, no store, and less for a
//! malformed one. Looking up by hash needs no comparison in constant time: what an attacker could learn from its
//! timing are bits of the HMAC of a guess, which bring no further guess closer.
//!
//! A token is verified against its issuer's keys; one that passed is remembered by its SHA-256 for up to a minute,
//! so that a signature is not paid for on every request. A key withdrawn by the issuer therefore still serves that
//! minute. Refused tokens are not remembered: they could push good ones out.
//!
//! Every refusal looks the same from outside.

pub mod key;

mod jwks;
mod jwt;
mod principal;
mod verify;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, UNIX_EPOCH};

use moka::sync::Cache;
use ring::digest;

pub use jwks::Fetch;
pub use principal::{MaySet, ModelPatterns, Principal};

use crate::clock::Clock;
use crate::config::{Auth, Config, Tenant};
use crate::id::TenantName;
use jwt::Tokens;
use key::VirtualKey;

/// Longest `authorization` or `x-api-key` looked at, in bytes.
const MAX_CREDENTIAL: usize = 8 * 1024;
/// Longest a verified token is remembered.
const REMEMBER: Duration = Duration::from_secs(60);
/// Most tokens remembered.
const MAX_REMEMBERED: u64 = 10_000;

/// The credentials of one request, as they came.
#[derive(Clone, Copy, Default)]
pub struct Given<'a> {
    /// The value of `authorization`.
    pub authorization: Option<&'a [u8]>,
    /// The value of `x-api-key`.
    pub x_api_key: Option<&'a [u8]>,
    /// Whether the connection comes from this machine.
    pub loopback: bool,
}

/// What every refusal says, whatever its cause.
pub const REFUSED: &str = "the API key or token is missing or not valid";

/// Why a request was refused. `Display` is one text for every cause; the cause is for metrics and debug logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", REFUSED)]
pub struct AuthError(Cause);

impl AuthError {
    /// One word of a small, fixed set. Not for the client.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self.0 {
            Cause::Missing => "missing",
            Cause::Malformed => "malformed",
            Cause::Conflict => "conflict",
            Cause::UnknownKey => "unknown_key",
            Cause::Expired => "expired",
            Cause::NotYetValid => "not_yet_valid",
            Cause::Issuer => "issuer",
            Cause::Audience => "audience",
            Cause::Algorithm => "algorithm",
            Cause::UnknownKid => "unknown_kid",
            Cause::KeysUnavailable => "keys_unavailable",
            Cause::Signature => "signature",
            Cause::Claims => "claims",
            Cause::Tenant => "tenant",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// No credential at all, and open mode does not apply.
    Missing,
    /// Neither a key nor a token by its form.
    Malformed,
    /// Two headers with two different credentials.
    Conflict,
    UnknownKey,
    Expired,
    NotYetValid,
    Issuer,
    Audience,
    /// Not on the issuer's list.
    Algorithm,
    UnknownKid,
    /// The issuer's keys were never fetched or are too old.
    KeysUnavailable,
    Signature,
    /// A claim is absent or of the wrong type.
    Claims,
    /// No such tenant is configured.
    Tenant,
}

/// Tells who is asking. One per configuration.
pub struct Authenticator {
    keys: HashMap<[u8; 32], KnownKey>,
    tenants: BTreeMap<TenantName, Arc<Tenant>>,
    /// Who asks without a credential over loopback, if that is allowed.
    open: Option<Arc<Principal>>,
    tokens: Tokens,
    remembered: Cache<[u8; 32], Remembered>,
    clock: Clock,
}

struct KnownKey {
    principal: Arc<Principal>,
    /// Seconds since 1970.
    expires: Option<u64>,
}

#[derive(Clone)]
struct Remembered {
    principal: Arc<Principal>,
    /// Seconds since 1970.
    until: u64,
}

impl Authenticator {
    /// Prepares a principal for every key. Nothing is fetched before the first token comes.
    #[must_use]
    pub fn new(config: &Config, fetch: Fetch, clock: Clock) -> Self {
        Self::of(&config.auth, &config.tenants, &fetch, clock, None)
    }

    /// The same for another configuration. Issuers' keys that are known stay known; remembered tokens do not.
    #[must_use]
    pub fn renewed(&self, config: &Config, fetch: Fetch) -> Self {
        Self::of(&config.auth, &config.tenants, &fetch, self.clock.clone(), Some(self))
    }

    /// Revokes every key that another configuration no longer has, for requests that began under this one.
    pub fn revoke_all_but(&self, kept: &Self) {
        for (_, known) in self.keys.iter().filter(|(hash, _)| !kept.keys.contains_key(*hash)) {
            known.principal.revoked.store(true, Ordering::Relaxed);
        }
    }

    fn of(
        auth: &Auth,
        tenants: &BTreeMap<TenantName, Arc<Tenant>>,
        fetch: &Fetch,
        clock: Clock,
        before: Option<&Self>,
    ) -> Self {
        let mut keys = HashMap::with_capacity(auth.keys.len());
        for key in &auth.keys {
            // The configuration is checked, so the tenant is there; if it were not, the key is refused.
            if let Some(tenant) = tenants.get(&key.tenant) {
                let mut principal = Principal::of_key(key, Arc::clone(tenant));
                if let Some(known) = before.and_then(|before| before.keys.get(&key.hmac)) {
                    principal.revoked = Arc::clone(&known.principal.revoked);
                }
                let principal = Arc::new(principal);
                keys.insert(key.hmac, KnownKey { principal, expires: key.expires });
            }
        }
        let open = tenants
            .get("default")
            .filter(|_| auth.open_on_loopback)
            .map(|tenant| Arc::new(Principal::open(Arc::clone(tenant))));
        Self {
            keys,
            tenants: tenants.clone(),
            open,
            tokens: Tokens::new(&auth.jwt, fetch, &clock, before.map(|before| &before.tokens)),
            remembered: Cache::builder().max_capacity(MAX_REMEMBERED).time_to_live(REMEMBER).build(),
            clock,
        }
    }

    /// Who is asking.
    ///
    /// Waits only for an issuer's keys, and at most some seconds.
    pub async fn authenticate(&self, given: Given<'_>) -> Result<Arc<Principal>, AuthError> {
        let principal = match presented(given).map_err(AuthError)? {
            None => self.open.as_ref().filter(|_| given.loopback).cloned().ok_or(Cause::Missing),
            Some(text) if text.starts_with(key::PREFIX) => self.by_key(text),
            // SDKs insist on some key. Where there is nothing that a credential could be checked against, one that does
            // not even claim to be ours is as good as none.
            Some(_) if self.nothing_to_check() && given.loopback => self.open.clone().ok_or(Cause::Malformed),
            Some(text) => self.by_token(text).await,
        };
        principal.map_err(AuthError)
    }

    fn nothing_to_check(&self) -> bool {
        self.keys.is_empty() && !self.tokens.any()
    }

    fn by_key(&self, text: &str) -> Result<Arc<Principal>, Cause> {
        let key = VirtualKey::parse(text.as_bytes()).ok_or(Cause::Malformed)?;
        let known = self.keys.get(&key.hash()).ok_or(Cause::UnknownKey)?;
        if known.expires.is_some_and(|expires| self.seconds() >= expires) {
            return Err(Cause::Expired);
        }
        Ok(Arc::clone(&known.principal))
    }

    async fn by_token(&self, text: &str) -> Result<Arc<Principal>, Cause> {
        if !self.tokens.any() {
            return Err(Cause::Malformed);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        if let Some(known) = self.remembered.get(&hash)
            && self.seconds() < known.until
        {
            return Ok(known.principal);
        }
        let believed = self.tokens.check(text).await?;
        let principal = Arc::new(Principal::of_claims(&believed.claims, believed.pointers, &self.tenants)?);
        let until = believed.until.min(self.seconds().saturating_add(REMEMBER.as_secs()));
        self.remembered.insert(hash, Remembered { principal: Arc::clone(&principal), until });
        Ok(principal)
    }

    fn seconds(&self) -> u64 {
        self.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }
}

/// The one credential that a request presents; `None` where it presents none. An empty value, which some SDKs send
/// when they have no key, is none.
fn presented(given: Given<'_>) -> Result<Option<&str>, Cause> {
    let bearer = match given.authorization {
        Some(value) => bearer(readable(value)?)?,
        None => None,
    };
    let api_key = match given.x_api_key {
        Some(value) => Some(readable(value)?.trim()).filter(|key| !key.is_empty()),
        None => None,
    };
    match (bearer, api_key) {
        (Some(bearer), Some(api_key)) if bearer != api_key => Err(Cause::Conflict),
        (bearer, api_key) => Ok(bearer.or(api_key)),
    }
}

fn readable(value: &[u8]) -> Result<&str, Cause> {
    if value.len() > MAX_CREDENTIAL || !value.is_ascii() {
        return Err(Cause::Malformed);
    }
    std::str::from_utf8(value).map_err(|_| Cause::Malformed)
}

/// What follows `Bearer`, whose case does not matter (RFC 9110, 11.1). Other schemes are refused, not ignored.
fn bearer(value: &str) -> Result<Option<&str>, Cause> {
    let value = value.trim();
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if scheme.is_empty() {
        return Ok(None);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Cause::Malformed);
    }
    Ok(Some(token.trim()).filter(|token| !token.is_empty()))
}
