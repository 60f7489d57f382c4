use ring::hmac;

use super::*;
use crate::config::Permission;

#[tokio::test]
async fn a_good_token_of_each_algorithm_is_believed() {
    for signer in [Signer::rsa(), Signer::p256(), Signer::ed25519()] {
        let world = World::new(false, Vec::new());
        world.server.serve(&[signer.jwk("a")]);
        let claims =
            json!({ "team": "search", "wp": { "models": ["auto", "r1*"] }, "purpose": "dev", "aud": ["x", "waypost"] });
        let principal = world.bearer(&signer.good("a", claims)).await.unwrap();
        assert_eq!(principal.tenant.name.as_str(), "acme");
        assert_eq!(principal.team.as_ref().unwrap().as_str(), "search");
        assert!(principal.models.allows("r1-x") && !principal.models.allows("gpt-x"));
        assert_eq!(principal.claim_labels["purpose"], "dev");
        assert!(!principal.may(Permission::Route) && !principal.may_set.allows("purpose"));
    }
}

#[tokio::test]
async fn each_flaw_of_a_token_is_refused() {
    let signer = Signer::p256();
    let world = World::new(false, Vec::new());
    world.server.serve(&[signer.jwk("a"), Signer::rsa().jwk("b")]);
    let flaws = [
        (json!({ "exp": START - 30 }), "expired"),
        (json!({ "exp": START as f64 - 30.0 }), "expired"),
        (json!({ "exp": null }), "claims"),
        (json!({ "exp": "tomorrow" }), "claims"),
        (json!({ "exp": -1 }), "claims"),
        (json!({ "nbf": START + 31 }), "not_yet_valid"),
        (json!({ "nbf": "now" }), "claims"),
        (json!({ "iss": "https://evil.example" }), "issuer"),
        (json!({ "iss": [ISSUER, "https://evil.example"] }), "malformed"),
        (json!({ "aud": "other" }), "audience"),
        (json!({ "aud": [] }), "audience"),
        (json!({ "aud": null }), "malformed"),
        (json!({ "org": "unheard-of" }), "tenant"),
        (json!({ "org": null }), "tenant"),
        (json!({ "org": ["acme"] }), "tenant"),
        (json!({ "team": 7 }), "claims"),
        (json!({ "wp": { "models": [7] } }), "claims"),
        (json!({ "purpose": ["dev"] }), "claims"),
    ];
    for (change, reason) in flaws {
        let token = signer.good("a", change.clone());
        assert_eq!(world.bearer(&token).await.unwrap_err(), reason, "{change}");
    }
    assert!(world.bearer(&signer.good("a", json!({ "exp": START - 29, "nbf": START + 30 }))).await.is_ok(), "leeway");
}

#[tokio::test]
async fn a_token_ends_though_it_was_remembered() {
    let signer = Signer::ed25519();
    let world = World::new(false, Vec::new());
    world.server.serve(&[signer.jwk("a")]);
    let token = signer.good("a", json!({ "exp": START + 10 }));
    let first = world.bearer(&token).await.unwrap();
    assert!(Arc::ptr_eq(&first, &world.bearer(&token).await.unwrap()), "remembered");
    world.pass(39);
    assert!(world.bearer(&token).await.is_ok());
    world.pass(1);
    assert_eq!(world.bearer(&token).await.unwrap_err(), "expired");
}

#[tokio::test]
async fn a_changed_payload_or_signature_is_refused() {
    for signer in [Signer::rsa(), Signer::p256(), Signer::ed25519()] {
        let world = World::new(false, Vec::new());
        world.server.serve(&[signer.jwk("a")]);
        let token = signer.good("a", json!({}));
        let parts: Vec<&str> = token.split('.').collect();
        let other = signer.good("a", json!({ "org": "default" }));
        let other: Vec<&str> = other.split('.').collect();
        let zeros = base64(vec![0; URL_SAFE_NO_PAD.decode(parts[2]).unwrap().len()]);
        for signature in [parts[2], &zeros, "", "AAAA"] {
            let payload = if signature == parts[2] { other[1] } else { parts[1] };
            let changed = format!("{}.{payload}.{signature}", parts[0]);
            assert_eq!(world.bearer(&changed).await.unwrap_err(), "signature");
        }
        assert!(world.bearer(&token).await.is_ok(), "the refusals are not remembered against a good one");
    }
}

#[tokio::test]
async fn no_token_talks_its_way_out_of_the_algorithm() {
    let rsa = Signer::rsa();
    let world = World::new(false, Vec::new());
    world.server.serve(&[rsa.jwk("a"), Signer::p256().jwk("b")]);
    assert!(world.bearer(&rsa.good("a", json!({}))).await.is_ok());
    let good = rsa.good("a", json!({}));
    let payload = good.split('.').nth(1).unwrap();

    // HS256 under the public key, in the forms an attacker can have it.
    let Signer::Rsa(key) = &rsa else { unreachable!() };
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(key.public());
    for secret in [public.n.clone(), base64(&public.n).into_bytes(), key.public().as_ref().to_vec()] {
        let message = format!("{}.{payload}", base64(json!({ "alg": "HS256", "kid": "a" }).to_string()));
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
        assert_eq!(world.bearer(&format!("{message}.{}", base64(signature))).await.unwrap_err(), "algorithm");
    }
    for none in ["none", "None", "NONE", ""] {
        let header = base64(json!({ "alg": none, "kid": "a" }).to_string());
        assert_eq!(world.bearer(&format!("{header}.{payload}.")).await.unwrap_err(), "malformed");
    }
    // A key of the right name but another type is no key.
    let claims = json!({ "iss": ISSUER, "aud": "waypost", "exp": START + 60, "org": "acme" });
    let swapped = rsa.token(&json!({ "alg": "ES256", "kid": "a" }), &claims);
    assert_eq!(world.bearer(&swapped).await.unwrap_err(), "unknown_kid");
    let pss = rsa.token(&json!({ "alg": "PS256", "kid": "a" }), &claims);
    assert_eq!(world.bearer(&pss).await.unwrap_err(), "algorithm");
    let critical = rsa.token(&json!({ "alg": "RS256", "kid": "a", "crit": ["b64"], "b64": false }), &claims);
    assert_eq!(world.bearer(&critical).await.unwrap_err(), "malformed");
}

#[tokio::test]
async fn a_key_in_the_header_is_not_looked_at() {
    let (issuer, stranger) = (Signer::p256(), Signer::p256());
    let world = World::new(false, Vec::new());
    world.server.serve(&[issuer.jwk("a")]);
    let claims = json!({ "iss": ISSUER, "aud": "waypost", "exp": START + 60, "org": "acme" });
    let header = json!({ "alg": "ES256", "kid": "a", "jwk": stranger.jwk("a"), "jku": "https://evil.example/jwks" });
    assert_eq!(world.bearer(&stranger.token(&header, &claims)).await.unwrap_err(), "signature");
}

#[tokio::test]
async fn an_algorithm_that_the_issuer_does_not_use_is_refused() {
    let signer = Signer::p256();
    let world = World::with_issuers(false, Vec::new(), vec![issuer(vec![JwtAlgorithm::RS256])]);
    world.server.serve(&[signer.jwk("a")]);
    assert_eq!(world.bearer(&signer.good("a", json!({}))).await.unwrap_err(), "algorithm");
    assert_eq!(world.server.asked(), 0);
}

#[tokio::test]
async fn one_issuer_may_serve_two_audiences() {
    let signer = Signer::p256();
    let mut second = issuer(vec![JwtAlgorithm::ES256]);
    second.audience = "other".to_owned();
    second.claims.tenant = "/second".to_owned();
    let world = World::with_issuers(false, Vec::new(), vec![issuer(vec![JwtAlgorithm::ES256]), second]);
    world.server.serve(&[signer.jwk("a")]);
    let token = signer.good("a", json!({ "aud": "other", "second": "default" }));
    assert_eq!(world.bearer(&token).await.unwrap().tenant.name.as_str(), "default");
}

#[tokio::test]
async fn without_issuers_a_token_is_just_a_bad_key() {
    let world = World::with_issuers(true, Vec::new(), Vec::new());
    assert_eq!(world.bearer(&Signer::p256().good("a", json!({}))).await.unwrap_err(), "malformed");
}
