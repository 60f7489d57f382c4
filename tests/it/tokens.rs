//! JSON Web Tokens of an issuer whose keys come from a real JWKS endpoint.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

use crate::harness::{Gateway, Setup, Upstream, chat, repository};

/// A server of one JSON document.
struct Issuer {
    address: SocketAddr,
    fetches: Arc<AtomicU64>,
    down: Arc<AtomicBool>,
}

impl Issuer {
    fn serving(document: Value) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let issuer = Self { address: listener.local_addr().unwrap(), fetches: Arc::default(), down: Arc::default() };
        let (fetches, down) = (Arc::clone(&issuer.fetches), Arc::clone(&issuer.down));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = [0; 4096];
                let _ = stream.read(&mut head);
                fetches.fetch_add(1, Ordering::SeqCst);
                let (status, body) = match down.load(Ordering::SeqCst) {
                    true => ("503 Service Unavailable", String::new()),
                    false => ("200 OK", document.to_string()),
                };
                let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n");
                let _ = write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len());
            }
        });
        issuer
    }

    fn fetches(&self) -> u64 {
        self.fetches.load(Ordering::SeqCst)
    }

    fn go_down(&self) {
        self.down.store(true, Ordering::SeqCst);
    }
}

/// A key that signs.
enum Signer {
    Ed(Ed25519KeyPair),
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Signer {
    fn ed() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    fn ec() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self::Ec(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap())
    }

    fn rsa() -> Self {
        let pkcs8 = std::fs::read(repository().join("src/auth/testdata/rsa-2048.pkcs8.der")).unwrap();
        Self::Rsa(RsaKeyPair::from_pkcs8(&pkcs8).unwrap())
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed(_) => "EdDSA",
            Self::Ec(_) => "ES256",
            Self::Rsa(_) => "RS256",
        }
    }

    /// The public half, as RFC 7517 has it.
    fn jwk(&self, kid: &str) -> Value {
        let encode = |bytes: &[u8]| BASE64URL.encode(bytes);
        let mut jwk = match self {
            Self::Ed(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) }),
            Self::Ec(pair) => {
                // 0x04, then both coordinates of 32 bytes.
                let point = pair.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..]) })
            }
            Self::Rsa(pair) => {
                let parts = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "n": encode(&parts.n), "e": encode(&parts.e) })
            }
        };
        jwk["kid"] = json!(kid);
        jwk["alg"] = json!(self.algorithm());
        jwk["use"] = json!("sig");
        jwk
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", BASE64URL.encode(header.to_string()), BASE64URL.encode(claims.to_string()));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Ed(pair) => pair.sign(text.as_bytes()).as_ref().to_vec(),
            Self::Ec(pair) => pair.sign(&random, text.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{text}.{}", BASE64URL.encode(signature))
    }

    /// A token for `acme` with changes to its claims.
    fn token(&self, kid: &str, changes: Value) -> String {
        let mut claims = json!({
            "iss": "https://idp.example", "aud": "waypost", "org": "acme", "sub": "u1",
            "exp": jiff::Timestamp::now().as_second() + 600,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.sign(&json!({ "alg": self.algorithm(), "typ": "JWT", "kid": kid }), &claims)
    }
}

fn start(upstream: &Upstream, issuer: &Issuer, algorithms: &str) -> Gateway {
    Setup::one(upstream)
        .model("large", "own", "tier: strong")
        .section("tenants: [{ name: acme }]")
        .section(&format!(
            "auth: {{ jwt: [{{ issuer: \"https://idp.example\", audience: waypost, algorithms: [{algorithms}], \
             jwks: {{ url: \"http://{}/jwks\" }}, claims: {{ tenant: /org, models: /wp/models }} }}] }}",
            issuer.address
        ))
        .start()
}

fn status(gateway: &Gateway, token: &str) -> u16 {
    gateway.chat(&chat("small", "hi")).key(token).send().status
}

#[test]
fn tokens_of_each_algorithm_are_let_in() {
    let upstream = Upstream::plain();
    let signers = [Signer::ed(), Signer::ec(), Signer::rsa()];
    let keys: Vec<_> = signers.iter().map(|signer| signer.jwk(signer.algorithm())).collect();
    let issuer = Issuer::serving(json!({ "keys": keys }));
    let gateway = start(&upstream, &issuer, "RS256, ES256, EdDSA");
    for signer in &signers {
        let answer = gateway.chat(&chat("small", "hi")).key(&signer.token(signer.algorithm(), json!({}))).send();
        assert_eq!(answer.status, 200, "{}: {}", signer.algorithm(), answer.text());
        assert_eq!(gateway.line_of(answer.expect_header("x-request-id"))["tenant"], "acme");
    }
    assert_eq!(issuer.fetches(), 1, "one fetch serves all");
}

#[test]
fn a_token_with_any_flaw_is_refused() {
    let upstream = Upstream::plain();
    let (good, other) = (Signer::ed(), Signer::ed());
    let issuer = Issuer::serving(json!({ "keys": [good.jwk("k1")] }));
    let gateway = start(&upstream, &issuer, "EdDSA");
    let ago = jiff::Timestamp::now().as_second() - 3600;
    let valid = good.token("k1", json!({}));
    let (text, _) = valid.rsplit_once('.').unwrap();
    let unsigned = format!("{}.{}.", BASE64URL.encode(r#"{"alg":"none","kid":"k1"}"#), text.split('.').nth(1).unwrap());
    for (flaw, token) in [
        ("foreign signature", other.token("k1", json!({}))),
        ("expired", good.token("k1", json!({ "exp": ago }))),
        ("not yet valid", good.token("k1", json!({ "nbf": ago + 7200 }))),
        ("other audience", good.token("k1", json!({ "aud": "else" }))),
        ("other issuer", good.token("k1", json!({ "iss": "https://evil.example" }))),
        ("unknown tenant", good.token("k1", json!({ "org": "nobody" }))),
        ("no tenant", good.token("k1", json!({ "org": null }))),
        ("no expiry", good.token("k1", json!({ "exp": null }))),
        ("none", unsigned),
        ("signature cut off", format!("{text}.")),
    ] {
        let answer = gateway.chat(&chat("small", "hi")).key(&token).send();
        assert_eq!(answer.status, 401, "{flaw}: {}", answer.text());
    }
    upstream.must_be_untouched();
    assert_eq!(status(&gateway, &valid), 200);
}

#[test]
fn the_algorithm_is_the_configurations_and_not_the_tokens() {
    let upstream = Upstream::plain();
    let (ed, ec) = (Signer::ed(), Signer::ec());
    let issuer = Issuer::serving(json!({ "keys": [ed.jwk("k1"), ec.jwk("k2")] }));
    let gateway = start(&upstream, &issuer, "EdDSA");
    assert_eq!(
        status(&gateway, &ec.token("k2", json!({}))),
        401,
        "a good signature by an algorithm that is not listed"
    );
    assert_eq!(status(&gateway, &ed.token("k1", json!({}))), 200);
}

#[test]
fn a_tokens_claims_bound_its_models() {
    let upstream = Upstream::plain();
    let signer = Signer::ed();
    let issuer = Issuer::serving(json!({ "keys": [signer.jwk("k1")] }));
    let gateway = start(&upstream, &issuer, "EdDSA");
    let token = signer.token("k1", json!({ "wp": { "models": ["small"] } }));
    assert_eq!(status(&gateway, &token), 200);
    gateway.chat(&chat("large", "hi")).key(&token).send().must_be_error(404, "model_not_found");
}

#[test]
fn a_tokens_label_that_does_not_exist_is_not_blamed_on_a_header_that_nobody_sent() {
    let upstream = Upstream::plain();
    let signer = Signer::ed();
    let issuer = Issuer::serving(json!({ "keys": [signer.jwk("k1")] }));
    let gateway = Setup::one(&upstream)
        .section("tenants: [{ name: acme }]")
        .section(&format!(
            "auth: {{ jwt: [{{ issuer: \"https://idp.example\", audience: waypost, algorithms: [EdDSA], \
             jwks: {{ url: \"http://{}/jwks\" }}, claims: {{ tenant: /org, labels: {{ data-class: /class }} }} }}] }}",
            issuer.address
        ))
        .start();
    let token = signer.token("k1", json!({ "class": "cosmic" }));
    let bare = gateway.chat(&chat("small", "hi")).key(&token).send();
    assert!(bare.must_be_error(400, "label_invalid").contains("cosmic"), "{}", bare.text());
    assert_eq!(bare.json()["error"]["param"], Value::Null);
    let said = gateway.chat(&chat("small", "hi")).key(&token).labels("data-class=nonsense").send();
    said.must_be_error(400, "label_invalid");
    assert_eq!(said.json()["error"]["param"], "x-waypost-labels");
    upstream.must_be_untouched();
}

#[test]
fn unknown_key_ids_refetch_once_and_not_for_each_request() {
    let upstream = Upstream::plain();
    let signer = Signer::ed();
    let issuer = Issuer::serving(json!({ "keys": [signer.jwk("k1")] }));
    let gateway = start(&upstream, &issuer, "EdDSA");
    assert_eq!(status(&gateway, &signer.token("k1", json!({}))), 200);
    for turn in 0..10 {
        assert_eq!(status(&gateway, &signer.token(&format!("made-up-{turn}"), json!({}))), 401);
    }
    assert!(issuer.fetches() <= 2, "{} fetches: a stranger could make the gateway hammer the issuer", issuer.fetches());
}

#[test]
fn known_keys_survive_an_outage_of_the_issuer() {
    let upstream = Upstream::plain();
    let signer = Signer::ed();
    let issuer = Issuer::serving(json!({ "keys": [signer.jwk("k1")] }));
    let gateway = start(&upstream, &issuer, "EdDSA");
    assert_eq!(status(&gateway, &signer.token("k1", json!({}))), 200);
    issuer.go_down();
    assert_eq!(status(&gateway, &signer.token("k1", json!({ "sub": "u2" }))), 200);
}

#[test]
fn an_issuer_that_cannot_be_reached_lets_nobody_in() {
    let upstream = Upstream::plain();
    let signer = Signer::ed();
    let issuer = Issuer::serving(json!({ "keys": [signer.jwk("k1")] }));
    issuer.go_down();
    let gateway = start(&upstream, &issuer, "EdDSA");
    assert_eq!(status(&gateway, &signer.token("k1", json!({}))), 401);
    upstream.must_be_untouched();
}
