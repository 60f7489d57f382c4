//! Virtual keys: who is let in, and what everybody else hears.

use crate::harness::{Gateway, Setup, Upstream, VirtualKey, chat, waypost};

fn start(entries: &[String], upstream: &Upstream) -> Gateway {
    Setup::one(upstream)
        .section(&format!("auth: {{ keys: [{}] }}", entries.join(", ")))
        .section("tenants: [{ name: acme }]")
        .start()
}

#[test]
fn a_good_key_is_let_in_by_either_header() {
    let upstream = Upstream::plain();
    let key = VirtualKey::create();
    let gateway = start(&[key.entry("k", "tenant: acme")], &upstream);
    assert_eq!(gateway.chat(&chat("small", "hi")).key(&key.secret).send().status, 200);
    assert_eq!(gateway.chat(&chat("small", "hi")).header("x-api-key", &key.secret).send().status, 200);
}

#[test]
fn every_flaw_of_a_key_gets_the_same_answer_and_reaches_no_upstream() {
    let upstream = Upstream::plain();
    let (key, stranger, expired) = (VirtualKey::create(), VirtualKey::create(), VirtualKey::create());
    let entries = [key.entry("k", ""), expired.entry("old", "expires: 2020-01-01")];
    let gateway = start(&entries, &upstream);
    let mut typo = key.secret.clone().into_bytes();
    typo[10] = if typo[10] == b'a' { b'b' } else { b'a' };
    let typo = String::from_utf8(typo).unwrap();
    let mut said = Vec::new();
    for bad in [
        typo.as_str(),
        stranger.secret.as_str(),
        expired.secret.as_str(),
        "wp-",
        "sk-something-else",
        "",
        &"a".repeat(5000),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.",
    ] {
        let answer = gateway.chat(&chat("small", "hi")).key(bad).send();
        said.push(answer.must_be_error(401, "invalid_api_key"));
    }
    let without = gateway.chat(&chat("small", "hi")).send();
    said.push(without.must_be_error(401, "invalid_api_key"));
    for (path, method) in [("/v1/models", "GET"), ("/v1/decisions/dec_x", "GET"), ("/v1/route", "POST")] {
        let request = if method == "GET" { gateway.get(path) } else { gateway.post(path, &chat("small", "hi")) };
        said.push(request.key(&stranger.secret).send().must_be_error(401, "invalid_api_key"));
    }
    said.dedup();
    assert_eq!(said.len(), 1, "one message for all: {said:?}");
    upstream.must_be_untouched();
    assert!(!gateway.log().contains(&stranger.secret), "no key is ever logged");
}

#[test]
fn a_key_given_twice_is_refused_since_two_readers_could_differ() {
    let upstream = Upstream::plain();
    let (key, stranger) = (VirtualKey::create(), VirtualKey::create());
    let gateway = start(&[key.entry("k", "")], &upstream);
    let body = chat("small", "hi").to_string();
    let mut connection = gateway.connect();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         authorization: Bearer {}\r\nx-api-key: {}\r\n\r\n{body}",
        body.len(),
        key.secret,
        stranger.secret,
    );
    connection.send(head.as_bytes());
    assert_eq!(connection.answer().status, 401);
    upstream.must_be_untouched();
}

#[test]
fn open_mode_is_for_loopback_and_only_without_keys_unless_asked_for() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).start();
    let answer = gateway.chat(&chat("small", "hi")).send();
    assert_eq!(answer.status, 200);
    assert_eq!(gateway.decision_of(&answer)["tenant"], "default");
    let key = VirtualKey::create();
    let both = format!("auth: {{ open: loopback, keys: [{}] }}", key.entry("k", "tenant: acme"));
    let gateway = Setup::one(&upstream).section(&both).section("tenants: [{ name: acme }]").start();
    assert_eq!(gateway.chat(&chat("small", "hi")).send().status, 200);
    let answer = gateway.chat(&chat("small", "hi")).key(&key.secret).send();
    assert_eq!(gateway.line_of(answer.expect_header("x-request-id"))["tenant"], "acme");
}

#[test]
fn check_refuses_a_gateway_that_would_be_open_to_the_network() {
    let upstream = Upstream::plain();
    let (_folder, config) = Setup::one(&upstream).section("admin: { address: \"0.0.0.0:4001\" }").write();
    let ran = waypost(&["check", "--config", config.to_str().unwrap()], &[]);
    assert_eq!(ran.code, 1, "figures without a token: {ran}");
    assert!(ran.all().contains("token"), "{ran}");
    for auth in ["auth: { open: loopback }", "logging: { format: json }"] {
        let (_folder, config) =
            Setup::one(&upstream).section("listen: { address: \"0.0.0.0:4000\" }").section(auth).write();
        let ran = waypost(&["check", "--config", config.to_str().unwrap()], &[]);
        assert_eq!(ran.code, 1, "{auth}: {ran}");
        assert!(ran.all().contains("loopback") || ran.all().contains("key"), "{ran}");
    }
}
