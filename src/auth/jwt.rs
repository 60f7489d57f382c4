//! Tokens of the configured issuers: from text to claims that can be believed.
//!
//! What a token says of itself is used only to find what the configuration says: `iss` and `aud` choose the issuer,
//! `kid` the key. The algorithm has to be on the issuer's list and be the one of the key's type, so a token cannot
//! talk its way to `none` or to HMAC under a public key. Keys, URLs and certificates in a token's header are not
//! looked at.

use std::sync::Once;
use std::time::{Duration, UNIX_EPOCH};

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, Validation};
use serde::Deserialize;
use serde_json::Value;

use super::Cause;
use super::jwks::{Fetch, KeyCache, NoKey};
use super::verify::PublicKey;
use crate::clock::Clock;
use crate::config::{Claims, JwtAlgorithm, JwtIssuer};

/// Everything that checks tokens.
pub(super) struct Tokens {
    issuers: Vec<Issuer>,
    clock: Clock,
}

struct Issuer {
    name: String,
    audience: String,
    algorithms: Vec<JwtAlgorithm>,
    leeway: Duration,
    keys: KeyCache,
    claims: Claims,
}

/// The claims of a token whose every check succeeded.
pub(super) struct Believed<'a> {
    pub(super) claims: Value,
    /// Where the issuer puts what we read.
    pub(super) pointers: &'a Claims,
    /// When the token ends, leeway included; seconds since 1970.
    pub(super) until: u64,
}

/// Read before anything is verified, to choose the issuer.
#[derive(Deserialize)]
struct Addressed {
    iss: String,
    aud: Audience,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn holds(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(many) => many.iter().any(|one| one == audience),
        }
    }
}

impl Tokens {
    /// Issuers that were known before, with the keys they had.
    pub(super) fn new(issuers: &[JwtIssuer], fetch: &Fetch, clock: &Clock, before: Option<&Self>) -> Self {
        install_ring();
        let issuers = issuers
            .iter()
            .map(|issuer| Issuer {
                name: issuer.issuer.clone(),
                audience: issuer.audience.clone(),
                algorithms: issuer.algorithms.clone(),
                leeway: issuer.leeway,
                keys: KeyCache::new(
                    issuer.jwks.clone(),
                    Fetch::clone(fetch),
                    clock.clone(),
                    before.and_then(|before| before.keys_at(&issuer.jwks.url)),
                ),
                claims: issuer.claims.clone(),
            })
            .collect();
        Self { issuers, clock: clock.clone() }
    }

    fn keys_at(&self, url: &url::Url) -> Option<&KeyCache> {
        self.issuers.iter().map(|issuer| &issuer.keys).find(|keys| keys.url() == url)
    }

    /// Whether any issuer is configured.
    pub(super) fn any(&self) -> bool {
        !self.issuers.is_empty()
    }

    /// Checks form, issuer, audience, algorithm, key, signature and times, in the order of their price.
    pub(super) async fn check(&self, token: &str) -> Result<Believed<'_>, Cause> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Cause::Malformed)?;
        // RFC 7515, 4.1.11: who does not know a critical extension must refuse, and we know none.
        if header.crit.is_some() {
            return Err(Cause::Malformed);
        }
        let addressed: Addressed =
            jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| Cause::Malformed)?;
        let issuer = self.issuer(&addressed)?;

        let algorithm = ours(header.alg).filter(|one| issuer.algorithms.contains(one)).ok_or(Cause::Algorithm)?;
        let key = issuer.keys.key(header.kid.as_deref(), algorithm).await.map_err(|cause| match cause {
            NoKey::Unknown => Cause::UnknownKid,
            NoKey::Unavailable => Cause::KeysUnavailable,
        })?;

        let mut validation = Validation::new(header.alg);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&issuer.name]);
        validation.set_audience(&[&issuer.audience]);
        // The library reads the machine's clock; ours can be held.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims =
            jsonwebtoken::decode::<Value>(token, &decoding_key(&key), &validation).map_err(|error| {
                match error.kind() {
                    ErrorKind::InvalidSignature => Cause::Signature,
                    ErrorKind::InvalidAlgorithm => Cause::Algorithm,
                    _ => Cause::Claims,
                }
            })?;
        let until = self.check_times(&claims.claims, issuer.leeway)?;
        Ok(Believed { claims: claims.claims, pointers: &issuer.claims, until })
    }

    /// One issuer may be configured once for each of several audiences.
    fn issuer(&self, addressed: &Addressed) -> Result<&Issuer, Cause> {
        let mut known = false;
        for issuer in self.issuers.iter().filter(|issuer| issuer.name == addressed.iss) {
            if addressed.aud.holds(&issuer.audience) {
                return Ok(issuer);
            }
            known = true;
        }
        Err(if known { Cause::Audience } else { Cause::Issuer })
    }

    fn check_times(&self, claims: &Value, leeway: Duration) -> Result<u64, Cause> {
        let leeway = leeway.as_secs();
        let now = self.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let until = seconds(claims.get("exp")).ok_or(Cause::Claims)?.saturating_add(leeway);
        if now >= until {
            return Err(Cause::Expired);
        }
        if let Some(from) = claims.get("nbf") {
            let from = seconds(Some(from)).ok_or(Cause::Claims)?;
            if from > now.saturating_add(leeway) {
                return Err(Cause::NotYetValid);
            }
        }
        Ok(until)
    }
}

/// RFC 7519 allows fractions of a second; they are cut off.
fn seconds(value: Option<&Value>) -> Option<u64> {
    let value = value?;
    value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        // Above 2^53 a float is no longer a count of seconds.
        (0.0..9_007_199_254_740_992.0).contains(&number).then_some(number as u64)
    })
}

fn ours(algorithm: Algorithm) -> Option<JwtAlgorithm> {
    match algorithm {
        Algorithm::RS256 => Some(JwtAlgorithm::RS256),
        Algorithm::ES256 => Some(JwtAlgorithm::ES256),
        Algorithm::EdDSA => Some(JwtAlgorithm::EdDsa),
        _ => None,
    }
}

/// The library's wrapping of a key; `from_…_der` takes the bytes as they are.
fn decoding_key(key: &PublicKey) -> DecodingKey {
    match key {
        PublicKey::Rsa { n, e } => DecodingKey::from_rsa_raw_components(n, e),
        PublicKey::P256(point) => DecodingKey::from_ec_der(point),
        PublicKey::Ed25519(key) => DecodingKey::from_ed_der(key),
    }
}

/// Makes `ring` the library's only cryptography. Signing and key conversion stay impossible: nothing here needs them.
fn install_ring() {
    static RING: CryptoProvider = CryptoProvider {
        signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
        verifier_factory: ring_verifier,
        key_utils: KeyUtils::new_unimplemented(),
    };
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if RING.install_default().is_err() {
            tracing::warn!("another part of this process chose the cryptography for tokens");
        }
    });
}

struct RingVerifier {
    algorithm: Algorithm,
    key: PublicKey,
}

fn ring_verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let key = match (algorithm, key.kind()) {
        (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            PublicKey::Rsa { n: n.clone(), e: e.clone() }
        }
        (Algorithm::ES256, DecodingKeyKind::SecretOrDer(point)) => PublicKey::P256(point.clone()),
        (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(key)) => PublicKey::Ed25519(key.clone()),
        _ => return Err(ErrorKind::InvalidAlgorithm.into()),
    };
    Ok(Box::new(RingVerifier { algorithm: *algorithm, key }))
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        if self.key.verifies(message, signature) { Ok(()) } else { Err(signature::Error::new()) }
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
