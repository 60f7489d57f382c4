//! A body that is wrong gets a clear error in OpenAI's shape, and nothing is sent upstream.

use crate::harness::{Gateway, Setup, Upstream, chat};

/// A gateway and an upstream that must never hear of what is wrong.
struct Refusing {
    upstream: Upstream,
    gateway: Gateway,
}

impl Refusing {
    fn start() -> Self {
        let upstream = Upstream::plain();
        let gateway = Setup::one(&upstream).section("listen: { max_body: 1MiB }").start();
        Self { upstream, gateway }
    }

    /// The body is refused with 400, and says why.
    #[track_caller]
    fn refuses(&self, body: impl Into<Vec<u8>>) -> String {
        let answer = self.gateway.chat_raw(body).send();
        let message = answer.must_be_error(400, "invalid_request");
        assert!(!message.is_empty());
        assert!(answer.header("x-request-id").is_some());
        message
    }
}

impl Drop for Refusing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.upstream.must_be_untouched();
        assert_eq!(self.gateway.chat(&chat("small", "hi")).send().status, 200, "the gateway is well after it");
        assert!(!self.gateway.log().contains("panicked"), "{}", self.gateway.log());
    }
}

const MESSAGES: &str = r#""messages":[{"role":"user","content":"hi"}]"#;

/// A good body with one more member.
fn with(member: &str) -> String {
    format!(r#"{{"model":"small",{MESSAGES},{member}}}"#)
}

#[test]
fn malformed_json() {
    let gateway = Refusing::start();
    for body in [
        "",
        " ",
        "{",
        "}",
        "null",
        "[]",
        "\"text\"",
        "1",
        "{\"model\":\"small\"",
        "{'model':'small'}",
        "not json at all",
        "{\"model\":\"small\",}",
        "\u{feff}{}",
        "{\"a\":1}{\"b\":2}",
    ] {
        gateway.refuses(body);
    }
    gateway.refuses(with(r#""x":NaN"#));
    gateway.refuses(with(r#""x":01"#));
    gateway.refuses(with("\"x\":\"line\nbreak\""));
    gateway.refuses(with(r#""x":"\x""#));
    gateway.refuses(format!("{} trailing", with(r#""x":1"#)));
}

#[test]
fn json_a_hundred_thousand_deep() {
    let gateway = Refusing::start();
    let deep = |open: &str, close: &str| with(&format!("\"x\":{}{}", open.repeat(100_000), close.repeat(100_000)));
    gateway.refuses(deep("[", "]"));
    gateway.refuses(deep("{\"a\":", "}").replace(":}", ":1}"));
    gateway.refuses("[".repeat(100_000));
}

#[test]
fn a_key_twice_at_any_depth() {
    let gateway = Refusing::start();
    gateway.refuses(format!(r#"{{"model":"small","model":"large",{MESSAGES}}}"#));
    gateway.refuses(format!(r#"{{"model":"small",{MESSAGES},{MESSAGES}}}"#));
    let message = gateway.refuses(with(r#""x":{"deep":[{"y":1,"y":2}]}"#));
    assert!(message.contains('y'), "it says which: {message}");
    gateway.refuses(with(r#""x":{"ab":1,"\u0061b":2}"#));
    gateway.refuses(r#"{"model":"small","messages":[{"role":"user","content":"a","content":"b"}]}"#);
}

#[test]
fn text_that_is_not_unicode() {
    let gateway = Refusing::start();
    let around = |bad: &[u8]| {
        [br#"{"model":"small","messages":[{"role":"user","content":""#.as_slice(), bad, br#""}]}"#].concat()
    };
    gateway.refuses(around(b"\xff\xfe"));
    gateway.refuses(around(b"cut off \xe2\x82"));
    gateway.refuses(around(b"overlong \xc0\xaf"));
    gateway.refuses(around(b"surrogate \xed\xa0\x80"));
}

#[test]
fn a_lone_surrogate() {
    let gateway = Refusing::start();
    gateway.refuses(with(r#""x":"\ud800""#));
    gateway.refuses(with(r#""x":"\udc00 \ud800""#));
    gateway.refuses(with(r#""x":"\ud83d\u0041""#));
    gateway.refuses(r#"{"model":"small","messages":[{"role":"user","content":"\udead"}]}"#);
}

#[test]
fn wrong_messages() {
    let gateway = Refusing::start();
    for messages in [
        "null",
        "\"hi\"",
        "{}",
        "1",
        "[]",
        "[1]",
        "[null]",
        r#"["hi"]"#,
        "[{}]",
        r#"[{"role":"user"}]"#,
        r#"[{"content":"hi"}]"#,
        r#"[{"role":"king","content":"hi"}]"#,
        r#"[{"role":"user","content":1}]"#,
        r#"[{"role":1,"content":"hi"}]"#,
        r#"[{"role":"user","content":[1]}]"#,
    ] {
        let message = gateway.refuses(format!(r#"{{"model":"small","messages":{messages}}}"#));
        assert!(message.contains("messages"), "it says where: {message}");
    }
    gateway.refuses(r#"{"model":"small"}"#);
}

#[test]
fn members_of_the_wrong_type() {
    let gateway = Refusing::start();
    for (member, name) in [
        (r#""stream":"yes""#, "stream"),
        (r#""max_tokens":"many""#, "max_tokens"),
        (r#""max_tokens":-1"#, "max_tokens"),
        (r#""max_tokens":1.5"#, "max_tokens"),
        (r#""n":0"#, "n"),
        (r#""n":1000000"#, "n"),
        (r#""temperature":"hot""#, "temperature"),
        (r#""tools":{}"#, "tools"),
        (r#""stream_options":1"#, "stream_options"),
    ] {
        let message = gateway.refuses(with(member));
        assert!(message.contains(name), "{member}: {message}");
    }
}

#[test]
fn an_unknown_or_absent_model() {
    let gateway = Refusing::start();
    let answer = gateway.gateway.chat(&chat("no-such-model", "hi")).send();
    answer.must_be_error(404, "model_not_found");
    assert_eq!(answer.json()["error"]["param"], "model");
    for model in ["null", "1", "{}", "[]"] {
        gateway.refuses(format!(r#"{{"model":{model},{MESSAGES}}}"#));
    }
    gateway.refuses(format!("{{{MESSAGES}}}"));
    for name in ["", "../../etc/passwd", "small\\u0000", "small\\r\\nx: y", "auto/../default"] {
        let answer = gateway.gateway.chat_raw(format!(r#"{{"model":"{name}",{MESSAGES}}}"#)).send();
        assert!([400, 403, 404].contains(&answer.status), "{name}: {}", answer.text());
        assert_eq!(answer.header("x"), None);
    }
}

#[test]
fn a_body_over_the_limit_with_a_length() {
    let gateway = Refusing::start();
    let big = with(&format!("\"x\":\"{}\"", "a".repeat(2 << 20)));
    let answer = gateway.gateway.chat_raw(big).send();
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert!(answer.json()["error"]["message"].is_string());
}

#[test]
fn a_body_that_says_it_is_huge_is_refused_before_it_is_sent() {
    let gateway = Refusing::start();
    let mut connection = gateway.gateway.connect();
    connection.send(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
          content-length: 99999999999\r\n\r\n{",
    );
    assert_eq!(connection.answer().status, 413);
}

#[test]
fn a_body_over_the_limit_without_a_length() {
    let gateway = Refusing::start();
    let mut connection = gateway.gateway.connect();
    connection.send(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
          transfer-encoding: chunked\r\n\r\n",
    );
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
    for _ in 0..40 {
        if !connection.send_all(chunk.as_bytes()) {
            break;
        }
    }
    connection.send(b"0\r\n\r\n");
    assert_eq!(connection.answer().status, 413);
}

#[test]
fn a_wrong_content_type() {
    let gateway = Refusing::start();
    let body = chat("small", "hi");
    for wrong in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", ""]
    {
        let answer = gateway.gateway.chat(&body).header("content-type", wrong).send();
        assert_eq!(answer.status, 415, "{wrong}: {}", answer.text());
        assert!(answer.json()["error"]["message"].is_string());
    }
    let answer = gateway
        .gateway
        .chat(&body)
        .header("content-type", "application/json")
        .header("content-encoding", "gzip")
        .send();
    assert_eq!(answer.status, 415, "a compressed body would be read wrong: {}", answer.text());
}

#[test]
fn twenty_megabytes_within_the_limit_pass_whole() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).start();
    let body = with(&format!("\"x\":\"{}\"", "a".repeat((20 << 20) - 200)));
    let answer = gateway.chat_raw(body.clone()).send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(upstream.last_body().len(), body.len());
    let answer = gateway.chat_raw(with(&format!("\"x\":\"{}\"", "a".repeat(20 << 20)))).send();
    assert_eq!(answer.status, 413);
    assert_eq!(upstream.requests(), 1);
}
