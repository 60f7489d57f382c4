use super::*;
use crate::config::Permission;

fn known(key: &VirtualKey) -> Key {
    Key {
        id: "k1".into(),
        hmac: key.hash(),
        tenant: "acme".into(),
        team: Some("search".into()),
        models: vec!["auto".to_owned(), "r1*".to_owned()],
        expires: Some(START + 100),
        may_set: vec!["purpose".to_owned()],
        labels: BTreeMap::from([("purpose".to_owned(), "dev".to_owned())]),
        permissions: vec![Permission::Route],
        limits: Limits { requests_per_minute: Some(60), concurrent: None },
    }
}

#[tokio::test]
async fn a_known_key_brings_what_the_configuration_gives_it() {
    let key = VirtualKey::generate().unwrap();
    let world = World::new(false, vec![known(&key)]);
    let principal = world.bearer(key.expose()).await.unwrap();
    assert_eq!(principal.tenant.name.as_str(), "acme");
    assert_eq!(principal.key.as_ref().unwrap().as_str(), "k1");
    assert!(principal.models.allows("r1-distill-32b") && !principal.models.allows("gpt-x"));
    assert!(principal.may_set.allows("purpose") && !principal.may_set.allows("other"));
    assert!(principal.may(Permission::Route));
    assert_eq!(principal.limits.requests_per_minute, Some(60));
    let again = world.bearer(key.expose()).await.unwrap();
    assert!(Arc::ptr_eq(&principal, &again), "nothing is made per request");
}

#[tokio::test]
async fn either_header_will_do_but_not_two_that_differ() {
    let key = VirtualKey::generate().unwrap();
    let other = VirtualKey::generate().unwrap();
    let world = World::new(false, vec![known(&key)]);
    let ask = async |authorization: Option<String>, x_api_key: Option<&str>| {
        let authorization = authorization.as_deref().map(str::as_bytes);
        let given = Given { authorization, x_api_key: x_api_key.map(str::as_bytes), loopback: false };
        world.door.authenticate(given).await.map(drop).map_err(AuthError::reason)
    };
    let bearer = |key: &VirtualKey| Some(format!("bearer {}", key.expose()));
    assert_eq!(ask(None, Some(key.expose())).await, Ok(()));
    assert_eq!(ask(bearer(&key), Some(key.expose())).await, Ok(()));
    assert_eq!(ask(bearer(&key), Some("")).await, Ok(()), "an empty header is no key");
    assert_eq!(ask(bearer(&key), Some(other.expose())).await, Err("conflict"));
    assert_eq!(ask(Some(format!("Basic {}", key.expose())), None).await, Err("malformed"));
    assert_eq!(ask(Some(key.expose().to_owned()), None).await, Err("malformed"));
}

#[tokio::test]
async fn forged_unknown_and_expired_keys_are_refused_alike() {
    let key = VirtualKey::generate().unwrap();
    let world = World::new(true, vec![known(&key)]);
    let unknown = VirtualKey::generate().unwrap();
    let other = if key.expose().ends_with('x') { 'y' } else { 'x' };
    let forged = format!("{}{other}", &key.expose()[..40]);
    assert_eq!(world.bearer(unknown.expose()).await.unwrap_err(), "unknown_key");
    assert_eq!(world.bearer(&forged).await.unwrap_err(), "malformed");
    world.pass(99);
    assert!(world.bearer(key.expose()).await.is_ok());
    world.pass(1);
    assert_eq!(world.bearer(key.expose()).await.unwrap_err(), "expired");

    let texts = [Cause::UnknownKey, Cause::Expired, Cause::Missing, Cause::Signature].map(|c| AuthError(c).to_string());
    assert!(texts.iter().all(|text| *text == texts[0]), "a client learns nothing from the text");
    assert_eq!(world.server.asked(), 0, "no key makes us ask an issuer");
}

#[tokio::test]
async fn open_mode_is_for_loopback_without_a_key() {
    for (open, loopback, let_in) in [(true, true, true), (true, false, false), (false, true, false)] {
        let world = World::new(open, Vec::new());
        for authorization in [None, Some(&b"Bearer "[..]), Some(b"Bearer")] {
            let result = world.door.authenticate(Given { authorization, x_api_key: None, loopback }).await;
            assert_eq!(result.is_ok(), let_in, "open {open}, loopback {loopback}");
            if let Ok(principal) = result {
                assert_eq!(principal.tenant.name.as_str(), "default");
                assert!(principal.may(Permission::Route) && principal.may_set.allows("anything"));
            }
        }
        let forged = Given { authorization: Some(b"Bearer wp-forged"), x_api_key: None, loopback };
        assert!(world.door.authenticate(forged).await.is_err(), "a bad key is worse than none");
    }
}

#[tokio::test]
async fn garbage_is_refused_without_a_panic() {
    let world = World::new(false, Vec::new());
    let long = [b"Bearer ".as_slice(), &vec![b'a'; 8 * 1024]].concat();
    let bad: [&[u8]; 10] = [
        &long,
        "Bearer schlüssel".as_bytes(),
        b"Bearer \xff\xfe",
        b"Bearer a.b.c",
        b"Bearer ..",
        b"Bearer .",
        b"Bearer eyJhbGciOiJSUzI1NiJ9..",
        b"Bearer \0",
        b"\t",
        b"Bearer a b",
    ];
    for value in bad {
        for given in [
            Given { authorization: Some(value), ..Given::default() },
            Given { x_api_key: Some(value), ..Given::default() },
        ] {
            assert!(world.door.authenticate(given).await.is_err(), "{}", value.escape_ascii());
        }
    }
    assert_eq!(world.server.asked(), 0);
}

#[tokio::test]
async fn a_key_that_two_reloads_later_is_gone_is_revoked_for_whoever_began_with_it() {
    let key = VirtualKey::generate().unwrap();
    let world = World::new(false, vec![known(&key)]);
    let auth = |keys| Auth { open_on_loopback: false, keys, jwt: Vec::new() };
    let fetch: Fetch = Arc::new(|_| Box::pin(async { Err("not asked".to_owned()) }));
    let renewed = |keys, before: &Authenticator| {
        Authenticator::of(&auth(keys), &world.door.tenants, &fetch, world.door.clock.clone(), Some(before))
    };
    let principal = world.bearer(key.expose()).await.unwrap();
    let second = renewed(vec![known(&key)], &world.door);
    world.door.revoke_all_but(&second);
    assert!(!principal.is_revoked());
    let third = renewed(Vec::new(), &second);
    second.revoke_all_but(&third);
    assert!(principal.is_revoked());
}
