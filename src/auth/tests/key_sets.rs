use super::*;

const DAY: u64 = 86_400;

#[tokio::test]
async fn a_hundred_unknown_kids_at_once_cost_one_fetch() {
    let signer = Signer::ed25519();
    let world = Arc::new(World::new(false, Vec::new()));
    world.server.serve(&[signer.jwk("a")]);
    world.server.close();
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let token = if n == 50 { signer.good("a", json!({})) } else { signer.good(&format!("x{n}"), json!({})) };
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.bearer(&token).await.map(drop) })
        })
        .collect();
    settle().await;
    assert!(tasks.iter().all(|task| !task.is_finished()), "all wait for the one fetch");
    world.server.open();
    for (n, task) in tasks.into_iter().enumerate() {
        let wanted = if n == 50 { Ok(()) } else { Err("unknown_kid") };
        assert_eq!(task.await.unwrap(), wanted);
    }
    assert_eq!(world.server.asked(), 1);
}

#[tokio::test]
async fn an_unknown_kid_is_looked_for_once_a_minute() {
    let (old, new) = (Signer::p256(), Signer::p256());
    let world = World::new(false, Vec::new());
    world.server.serve(&[old.jwk("old")]);
    assert!(world.bearer(&old.good("old", json!({}))).await.is_ok());

    world.server.serve(&[old.jwk("old"), new.jwk("new")]);
    let token = new.good("new", json!({}));
    for _ in 0..59 {
        world.pass(1);
        assert_eq!(world.bearer(&token).await.unwrap_err(), "unknown_kid");
    }
    assert_eq!(world.server.asked(), 1);
    world.pass(1);
    assert!(world.bearer(&token).await.is_ok(), "the rotation is seen after a minute");
    assert_eq!(world.server.asked(), 2);
}

#[tokio::test]
async fn a_failed_fetch_is_not_repeated_within_the_minute_either() {
    let signer = Signer::p256();
    let world = World::new(false, Vec::new());
    for _ in 0..10 {
        assert_eq!(world.bearer(&signer.good("a", json!({}))).await.unwrap_err(), "keys_unavailable");
    }
    assert_eq!(world.server.asked(), 1);
    world.server.serve(&[signer.jwk("a")]);
    world.pass(60);
    assert!(world.bearer(&signer.good("a", json!({}))).await.is_ok());
}

#[tokio::test]
async fn known_keys_serve_through_an_outage_but_not_for_ever() {
    let signer = Signer::p256();
    let world = World::new(false, Vec::new());
    let token = signer.good("a", json!({ "exp": START + 10 * DAY }));
    world.server.serve(&[signer.jwk("a")]);
    assert!(world.bearer(&token).await.is_ok());
    for outage in ["error", "nonsense", "empty"] {
        match outage {
            "error" => world.server.fail(),
            "nonsense" => *world.server.answer.lock() = Ok(Bytes::from_static(b"<html>maintenance</html>")),
            _ => world.server.serve(&[]),
        }
        world.pass(DAY / 4);
        assert!(world.bearer(&token).await.is_ok(), "{outage}");
        settle().await;
    }
    world.pass(DAY / 4);
    assert!(world.bearer(&token).await.is_ok(), "to the last second");
    world.pass(61);
    assert_eq!(world.bearer(&token).await.unwrap_err(), "keys_unavailable", "then refused, never open");

    world.server.serve(&[signer.jwk("a")]);
    world.pass(60);
    assert!(world.bearer(&token).await.is_ok());
}

#[tokio::test]
async fn old_keys_are_renewed_while_they_serve() {
    let (old, new) = (Signer::p256(), Signer::p256());
    let world = World::new(false, Vec::new());
    world.server.serve(&[old.jwk("a")]);
    let token = old.good("a", json!({}));
    assert!(world.bearer(&token).await.is_ok());

    world.pass(601);
    world.server.serve(&[new.jwk("b")]);
    world.server.close();
    assert!(world.bearer(&token).await.is_ok(), "nobody waits for the renewal");
    settle().await;
    assert_eq!(world.server.asked(), 2);
    world.server.open();
    settle().await;
    assert!(world.bearer(&new.good("b", json!({}))).await.is_ok());
    world.pass(60);
    assert_eq!(world.bearer(&token).await.unwrap_err(), "unknown_kid", "a withdrawn key ends");
    assert_eq!(world.server.asked(), 3);
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_take_the_fetch_with_it() {
    let signer = Signer::p256();
    let world = Arc::new(World::new(false, Vec::new()));
    world.server.serve(&[signer.jwk("a")]);
    world.server.close();
    let token = signer.good("a", json!({}));
    let first = tokio::spawn({
        let (world, token) = (Arc::clone(&world), token.clone());
        async move { world.bearer(&token).await.map(drop) }
    });
    settle().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    world.server.open();
    settle().await;
    assert!(world.bearer(&token).await.is_ok());
    assert_eq!(world.server.asked(), 1);
}

#[tokio::test]
async fn a_token_without_kid_needs_a_set_of_one() {
    let (signer, other) = (Signer::p256(), Signer::rsa());
    let claims = json!({ "iss": ISSUER, "aud": "waypost", "exp": START + 3600, "org": "acme" });
    let token = signer.token(&json!({ "alg": "ES256" }), &claims);
    for (keys, wanted) in [(vec![signer.jwk("a")], None), (vec![signer.jwk("a"), other.jwk("b")], Some("unknown_kid"))]
    {
        let world = World::new(false, Vec::new());
        world.server.serve(&keys);
        assert_eq!(world.bearer(&token).await.err(), wanted);
    }
}

#[tokio::test]
async fn only_keys_meant_for_our_signatures_are_taken() {
    let signer = Signer::p256();
    let with = |name: &str, value: Value| {
        let mut key = signer.jwk("a");
        key[name] = value;
        key
    };
    let unfit = [
        with("use", json!("enc")),
        with("alg", json!("ES384")),
        with("alg", json!("RS256")),
        with("crv", json!("P-384")),
        with("kty", json!("oct")),
        with("key_ops", json!(["sign"])),
        with("x", json!("AAAA")),
        with("x", json!("not base64!")),
        with("kid", json!(7)),
        json!("not a key"),
    ];
    for key in unfit {
        let world = World::new(false, Vec::new());
        // A second, sound key: the set as a whole is taken.
        world.server.serve(&[key.clone(), Signer::ed25519().jwk("z")]);
        assert_eq!(world.bearer(&signer.good("a", json!({}))).await.unwrap_err(), "unknown_kid", "{key}");
    }
    let world = World::new(false, Vec::new());
    world.server.serve(&[with("x5c", json!(["AAAA"])), json!({ "kty": "future" })]);
    assert!(world.bearer(&signer.good("a", json!({}))).await.is_ok(), "what we do not know does no harm");
}

#[tokio::test]
async fn a_key_set_without_end_is_not_read() {
    let signer = Signer::p256();
    let world = World::new(false, Vec::new());
    world.server.serve(&[signer.jwk("a"), json!("x".repeat(600 * 1024))]);
    assert_eq!(world.bearer(&signer.good("a", json!({}))).await.unwrap_err(), "keys_unavailable");
}

#[tokio::test]
async fn a_reload_while_the_issuer_is_down_shuts_nobody_out() {
    let signer = Signer::p256();
    let world = World::new(false, Vec::new());
    world.server.serve(&[signer.jwk("a")]);
    let token = signer.good("a", json!({}));
    assert!(world.bearer(&token).await.is_ok());
    let down: Fetch = Arc::new(|_| Box::pin(async { Err("down".to_owned()) }));
    let auth = |audience: &str| {
        let known = JwtIssuer { audience: audience.to_owned(), ..issuer(vec![JwtAlgorithm::ES256]) };
        Auth { open_on_loopback: false, keys: Vec::new(), jwt: vec![known] }
    };
    let renewed = |audience| {
        Authenticator::of(&auth(audience), &world.door.tenants, &down, world.door.clock.clone(), Some(&world.door))
    };
    let value = format!("Bearer {token}");
    let given = Given { authorization: Some(value.as_bytes()), ..Given::default() };
    assert!(renewed("waypost").authenticate(given).await.is_ok(), "its keys are known");
    let refused = renewed("somebody-else").authenticate(given).await.unwrap_err();
    assert_eq!(refused.reason(), "audience", "a token that was believed is judged anew");
}
