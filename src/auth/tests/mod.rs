//! An issuer with real keys, a clock we hold, and a door to knock at.

mod key_sets;
mod keys;
mod tokens;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use parking_lot::Mutex;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::*;
use crate::config::{Claims, Jwks, JwtAlgorithm, JwtIssuer, Key, Limits};

/// The held clock begins here; tokens are valid an hour around it.
const START: u64 = 1_800_000_000;
const ISSUER: &str = "https://idp.example";

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A private key of an issuer.
enum Signer {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    fn rsa() -> Self {
        let key = RsaKeyPair::from_pkcs8(include_bytes!("../testdata/rsa-2048.pkcs8.der")).unwrap();
        Self::Rsa(Box::new(key))
    }

    fn p256() -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self::P256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random).unwrap())
    }

    fn ed25519() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Rsa(key) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(key.public());
                json!({ "kty": "RSA", "kid": kid, "use": "sig", "n": base64(public.n), "e": base64(public.e) })
            }
            Self::P256(key) => {
                let point = key.public_key().as_ref();
                let (x, y) = (base64(&point[1..33]), base64(&point[33..]));
                json!({ "kty": "EC", "kid": kid, "alg": "ES256", "crv": "P-256", "x": x, "y": y })
            }
            Self::Ed25519(key) => {
                json!({ "kty": "OKP", "kid": kid, "crv": "Ed25519", "x": base64(key.public_key().as_ref()) })
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Self::P256(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    /// A token signed over exactly these parts.
    fn token(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
        let signature = base64(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// A good token, but for what `change` does to its claims.
    fn good(&self, kid: &str, change: Value) -> String {
        let mut claims = json!({
            "iss": ISSUER, "aud": "waypost", "sub": "someone", "exp": START + 3600, "nbf": START - 3600, "org": "acme",
        });
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.token(&json!({ "alg": self.algorithm(), "kid": kid, "typ": "JWT" }), &claims)
    }
}

/// What the issuer's key set URL answers, how often it was asked, and a gate before the answer.
struct KeySetServer {
    answer: Mutex<Result<Bytes, String>>,
    asked: AtomicUsize,
    gate: Semaphore,
}

impl KeySetServer {
    fn serve(&self, keys: &[Value]) {
        *self.answer.lock() = Ok(Bytes::from(json!({ "keys": keys }).to_string()));
    }

    fn fail(&self) {
        *self.answer.lock() = Err("connection refused".to_owned());
    }

    /// Answers wait until `open`.
    fn close(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    fn open(&self) {
        self.gate.add_permits(1_000_000);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

struct World {
    door: Arc<Authenticator>,
    server: Arc<KeySetServer>,
    hand: Arc<AtomicU64>,
}

impl World {
    /// Tenants `default` and `acme`, these keys, one issuer with every algorithm.
    fn new(open: bool, keys: Vec<Key>) -> Self {
        let all = vec![JwtAlgorithm::RS256, JwtAlgorithm::ES256, JwtAlgorithm::EdDsa];
        Self::with_issuers(open, keys, vec![issuer(all)])
    }

    fn with_issuers(open: bool, keys: Vec<Key>, jwt: Vec<JwtIssuer>) -> Self {
        let server = Arc::new(KeySetServer {
            answer: Mutex::new(Err("nothing is served".to_owned())),
            asked: AtomicUsize::new(0),
            gate: Semaphore::new(1_000_000),
        });
        let fetch: Fetch = Arc::new({
            let server = Arc::clone(&server);
            move |_| {
                let server = Arc::clone(&server);
                Box::pin(async move {
                    server.asked.fetch_add(1, Ordering::SeqCst);
                    drop(server.gate.acquire().await);
                    server.answer.lock().clone()
                })
            }
        });
        let tenants = ["default", "acme"].map(|name| {
            let tenant = Tenant {
                name: name.into(),
                region: None,
                policy: "default".into(),
                floor: BTreeMap::new(),
                unscanned_as: None,
                limits: Limits::default(),
            };
            (name.into(), Arc::new(tenant))
        });
        let (clock, hand) = Clock::held(START);
        let auth = Auth { open_on_loopback: open, keys, jwt };
        let door = Arc::new(Authenticator::of(&auth, &BTreeMap::from(tenants), &fetch, clock, None));
        Self { door, server, hand }
    }

    fn pass(&self, seconds: u64) {
        self.hand.fetch_add(seconds, Ordering::SeqCst);
    }

    async fn bearer(&self, token: &str) -> Result<Arc<Principal>, &'static str> {
        let value = format!("Bearer {token}");
        let given = Given { authorization: Some(value.as_bytes()), ..Given::default() };
        self.door.authenticate(given).await.map_err(AuthError::reason)
    }
}

fn issuer(algorithms: Vec<JwtAlgorithm>) -> JwtIssuer {
    JwtIssuer {
        issuer: ISSUER.to_owned(),
        audience: "waypost".to_owned(),
        algorithms,
        leeway: Duration::from_secs(30),
        jwks: Jwks {
            url: "https://idp.example/jwks".parse().unwrap(),
            refresh: Duration::from_secs(600),
            min_refetch: Duration::from_secs(60),
            max_stale: Duration::from_secs(86_400),
        },
        claims: Claims {
            tenant: "/org".to_owned(),
            team: Some("/team".to_owned()),
            models: Some("/wp/models".to_owned()),
            labels: BTreeMap::from([("purpose".to_owned(), "/purpose".to_owned())]),
        },
    }
}

/// Lets every task that can run do so.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
