//! Heads that two parsers could read differently, hosts and origins that are not ours, and clients that dawdle.

use crate::harness::{Answer, Connection, Gateway, Gone, Setup, Upstream, chat, curl};

fn start(listen: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).section(&format!("listen: {{ {listen} }}")).start();
    (upstream, gateway)
}

/// A chat request with these header lines.
fn post(lines: &str) -> String {
    let body = chat("small", "hi").to_string();
    let length = body.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{lines}\r\n{body}"
    )
}

fn answer_to(gateway: &Gateway, bytes: &[u8]) -> (Answer, Connection) {
    let mut connection = gateway.connect();
    connection.send(bytes);
    (connection.answer(), connection)
}

/// Refused with this status, and nothing more is read from that connection.
fn is_refused_for_good(bytes: &[u8], status: u16) {
    let (upstream, gateway) = start("max_body: 1MiB");
    let (answer, mut connection) = answer_to(&gateway, bytes);
    assert_eq!(answer.status, status, "{}: {}", String::from_utf8_lossy(bytes), answer.text());
    assert!(
        connection.is_ended_by_peer(),
        "nobody knows where the next request begins: {}",
        String::from_utf8_lossy(bytes)
    );
    upstream.must_be_untouched();
    assert_eq!(gateway.chat(&chat("small", "hi")).send().status, 200);
}

#[test]
fn both_lengths_are_refused() {
    let body = chat("small", "hi").to_string();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for lines in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "transfer-encoding: x, chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
    ] {
        is_refused_for_good(format!("{head}{lines}\r\n{chunked}").as_bytes(), 400);
    }
    for lines in ["content-length: 5\r\ncontent-length: 6\r\n", "content-length: -5\r\n", "content-length: 5, 5\r\n"] {
        is_refused_for_good(format!("{head}{lines}\r\n{body}").as_bytes(), 400);
    }
}

#[test]
fn a_bare_line_feed_is_refused() {
    let good = post("host: localhost\r\n");
    let (head, body) = good.split_once("\r\n\r\n").unwrap();
    is_refused_for_good(format!("{}\n\n{body}", head.replace("\r\n", "\n")).as_bytes(), 400);
    is_refused_for_good(good.replacen("host: localhost\r\n", "host: localhost\n", 1).as_bytes(), 400);
}

#[test]
fn a_head_that_is_no_http_is_refused() {
    is_refused_for_good(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello tls\r\n\r\n", 400);
    is_refused_for_good(post("host: localhost\r\nx bad: 1\r\n").as_bytes(), 400);
    is_refused_for_good(post("host: localhost\r\nx-bad : 1\r\n").as_bytes(), 400);
    is_refused_for_good(post("host: localhost\r\nx-bad: a\rb\r\n").as_bytes(), 400);
    is_refused_for_good(post("host: localhost\r\nx-bad: a\0b\r\n").as_bytes(), 400);
}

#[test]
fn a_head_without_a_host_or_with_two_is_refused() {
    let (upstream, gateway) = start("max_body: 1MiB");
    for lines in ["", "host: localhost\r\nhost: localhost\r\n", "host: localhost\r\nhost: evil.example\r\n"] {
        let (answer, _) = answer_to(&gateway, post(lines).as_bytes());
        assert_eq!(answer.status, 400, "{lines:?}");
        assert!(answer.json()["error"]["message"].is_string());
    }
    upstream.must_be_untouched();
}

#[test]
fn a_host_that_is_not_ours_is_421_on_both_listeners() {
    let (upstream, gateway) = start("max_body: 1MiB");
    for host in ["evil.example", "evil.example:4000", "localhost.evil.example", "127.0.0.1.evil.example", ""] {
        let (answer, _) = answer_to(&gateway, post(&format!("host: {host}\r\n")).as_bytes());
        assert!([421, 400].contains(&answer.status), "{host:?}: {}", answer.text());
        assert!(!host.starts_with("evil") || answer.status == 421, "{host:?}");
        let mut connection = Connection::open(gateway.admin);
        connection.send(format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes());
        assert!([421, 400].contains(&connection.answer().status), "{host:?}");
    }
    upstream.must_be_untouched();
    for host in ["localhost", "127.0.0.1", "LOCALHOST:1234"] {
        let (answer, _) = answer_to(&gateway, post(&format!("host: {host}\r\n")).as_bytes());
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[test]
fn every_refusal_has_a_request_id() {
    let (_upstream, gateway) = start("max_body: 1MiB");
    let foreign = post("host: evil.example\r\nx-request-id: mine\r\n");
    assert_eq!(answer_to(&gateway, foreign.as_bytes()).0.expect_header("x-request-id"), "mine");
    for path in ["/v1/audio", "/other"] {
        assert!(gateway.get(path).send().expect_header("x-request-id").starts_with("req_"));
    }
}

#[test]
fn a_connection_that_says_nothing_is_not_held() {
    let (upstream, gateway) = start("header_timeout: 300ms");
    for said in ["", "POST /v1"] {
        let mut connection = gateway.connect();
        connection.send(said.as_bytes());
        assert!(connection.is_ended_by_peer(), "{said:?}");
    }
    upstream.must_be_untouched();
}

#[test]
fn a_foreign_host_over_http2_is_421_too() {
    let (upstream, gateway) = start("max_body: 1MiB");
    let body = chat("small", "hi").to_string();
    let answer = curl(&[
        "--http2-prior-knowledge",
        "-H",
        "host: evil.example",
        "-H",
        "content-type: application/json",
        "-d",
        &body,
        &gateway.url("/v1/chat/completions"),
    ]);
    assert_eq!(answer.status, 421);
    upstream.must_be_untouched();
}

#[test]
fn a_foreign_origin_is_403_and_an_allowed_one_may_read() {
    let (upstream, gateway) = start("cors: [\"https://app.example\"]");
    for origin in ["https://evil.example", "null", "http://app.example", "https://app.example.evil.example"] {
        let answer = gateway.chat(&chat("small", "hi")).header("origin", origin).send();
        assert_eq!(answer.status, 403, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    upstream.must_be_untouched();
    let answer = gateway.chat(&chat("small", "hi")).header("origin", "https://app.example").send();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.expect_header("access-control-allow-origin"), "https://app.example");
    for (origin, status) in [("https://app.example", 204), ("https://evil.example", 403)] {
        let mut connection = gateway.connect();
        let head = "OPTIONS /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\naccess-control-request-method: POST";
        connection.send(format!("{head}\r\norigin: {origin}\r\n\r\n").as_bytes());
        assert_eq!(connection.answer().status, status, "{origin} asks first");
    }
    let mut connection = Connection::open(gateway.admin);
    connection.send(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\norigin: https://evil.example\r\n\r\n");
    assert_eq!(connection.answer().status, 403);
}

#[test]
fn a_head_that_comes_too_slowly_is_408() {
    let (upstream, gateway) = start("header_timeout: 300ms");
    let mut connection = gateway.connect();
    connection.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: local");
    let answer = connection.answer();
    assert_eq!(answer.status, 408, "{}", answer.text());
    assert!(connection.is_ended_by_peer());
    upstream.must_be_untouched();
}

#[test]
fn a_body_that_comes_too_slowly_is_408() {
    let (upstream, gateway) = start("body_timeout: 300ms");
    let mut connection = gateway.connect();
    let whole = post("host: localhost\r\n");
    connection.send(&whole.as_bytes()[..whole.len() - 10]);
    let answer = connection.answer();
    assert_eq!(answer.status, 408, "{}", answer.text());
    assert!(answer.json()["error"]["message"].is_string());
    upstream.must_be_untouched();
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let (upstream, gateway) = start("max_body: 1MiB");
    let lines = format!("host: localhost\r\nx-large: {}\r\n", "a".repeat(200_000));
    let (answer, _) = answer_to(&gateway, post(&lines).as_bytes());
    assert_eq!(answer.status, 431, "{}", answer.text());
    upstream.must_be_untouched();
}

#[test]
fn no_id_can_break_a_line() {
    let (_upstream, gateway) = start("max_body: 1MiB");
    for id in ["a b", "a\tb", "\u{fc}", &"x".repeat(129)] {
        let answer = gateway.chat(&chat("small", "hi")).header("x-request-id", id).send();
        assert_eq!(answer.status, 200);
        assert!(answer.expect_header("x-request-id").starts_with("req_"), "{id:?} is replaced by one of ours");
    }
    let answer = gateway.get("/v1/decisions/%0d%0aset-cookie:%20a=b").send();
    answer.must_be_error(404, "not_found");
    assert_eq!(answer.header("set-cookie"), None);
    let answer = gateway.get("/v1/models/a%0d%0ax-injected:%20b").send();
    answer.must_be_error(404, "model_not_found");
    assert_eq!(answer.header("x-injected"), None);
    assert!(!gateway.log().contains("x-injected: b"));
}

#[test]
fn a_method_that_is_not_served_is_405() {
    let (upstream, gateway) = start("max_body: 1MiB");
    assert_eq!(gateway.get("/v1/chat/completions").send().status, 405);
    assert_eq!(gateway.post("/v1/models", &chat("small", "hi")).send().status, 405);
    upstream.must_be_untouched();
}

#[test]
fn requests_may_follow_each_other_without_waiting() {
    let (upstream, gateway) = start("max_body: 1MiB");
    let mut connection = gateway.connect();
    let request = post("host: localhost\r\n");
    connection.send(request.repeat(3).as_bytes());
    for turn in 0..3 {
        assert_eq!(connection.answer().status, 200, "{turn}");
    }
    assert_eq!(upstream.requests(), 3);
}

#[test]
fn a_client_that_waits_for_100_continue_is_told_to_go_on() {
    let (_upstream, gateway) = start("max_body: 1MiB");
    let mut connection = gateway.connect();
    let whole = post("host: localhost\r\nexpect: 100-continue\r\n");
    let (head, body) = whole.split_once("\r\n\r\n").unwrap();
    connection.send(format!("{head}\r\n\r\n").as_bytes());
    connection.send(body.as_bytes());
    assert_eq!(connection.answer().status, 200);
}

#[test]
fn chunks_of_any_size_make_the_same_body() {
    let (upstream, gateway) = start("max_body: 1MiB");
    let body = chat("small", "hi").to_string();
    let mut request = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                       transfer-encoding: chunked\r\n\r\n"
        .to_owned();
    body.chars().for_each(|byte| request.push_str(&format!("1\r\n{byte}\r\n")));
    request.push_str("0\r\n\r\n");
    let (answer, _) = answer_to(&gateway, request.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(upstream.last_body(), body);
}

#[test]
fn broken_chunks_are_refused() {
    let (upstream, gateway) = start("max_body: 1MiB");
    for chunks in ["zz\r\n{}\r\n0\r\n\r\n", "-1\r\n{}\r\n0\r\n\r\n", "fffffffffffffffff\r\n{}"] {
        let mut connection = gateway.connect();
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                    transfer-encoding: chunked\r\n\r\n";
        connection.send(format!("{head}{chunks}").as_bytes());
        if let Some((status, _)) = connection.head() {
            assert!((400..500).contains(&status), "{chunks:?}: {status}");
        }
        connection.leave(Gone::Fin);
    }
    upstream.must_be_untouched();
    assert_eq!(gateway.chat(&chat("small", "hi")).send().status, 200);
}
