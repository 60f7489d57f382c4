//! After content, a failure is told in band and never as a clean end; each event comes as the upstream sends it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde_json::json;

use crate::harness::{Gateway, Setup, Upstream, chat_stream, error_in, is_done, said, with};

/// `small` at two providers, so that a fallback after content would be seen.
fn pair(first: &Upstream, second: &Upstream) -> Gateway {
    Setup::new()
        .provider("first", first, "timeouts: { idle: 300ms }")
        .model("small", "first", "tier: weak")
        .provider("second", second, "")
        .model("small", "second", "tier: weak")
        .section("retry: { attempts: 3, budget: 1.0 }")
        .start()
}

/// The stream begins with the first target's text and ends with an error event; nobody else is asked.
fn ends_in_band(behaviour: &str) -> String {
    let (first, second) = (Upstream::that(behaviour), Upstream::plain());
    let gateway = pair(&first, &second);
    let mut events = gateway.chat(&chat_stream("small", "hi")).header("x-request-id", "cut-1").stream();
    assert_eq!(events.status, 200);
    assert_eq!(events.header("x-waypost-provider"), Some("first"));
    let all = events.rest();
    assert!(said(&all).starts_with("one two"), "{behaviour}: {all:?}");
    let error = error_in(&all).unwrap_or_else(|| panic!("{behaviour}: an error event in {all:?}"));
    assert!(error["error"]["message"].is_string() && error["error"]["code"].is_string(), "{error}");
    assert!(!all.iter().any(|event| event.contains("[DONE]")), "{behaviour}: never a clean end: {all:?}");
    assert!(!all.iter().any(|event| event.contains("finish_reason\":\"stop")), "{behaviour}: {all:?}");
    assert_eq!(first.requests(), 1, "{behaviour}: nothing is asked twice after content");
    second.must_be_untouched();
    let line = gateway.line_of("cut-1");
    assert_eq!(line["outcome"], "error", "{behaviour}");
    assert!(line["cost_nusd"].as_i64() > Some(0), "{behaviour}: what was used is charged: {line}");
    error["error"]["message"].as_str().unwrap().to_owned()
}

const TEXT: &str = "text: one two three four five six seven eight nine ten";

#[test]
fn a_stream_that_falls_silent_ends_in_band() {
    ends_in_band(&format!("{TEXT}, stall_after: 3"));
}

#[test]
fn a_stream_that_is_closed_early_ends_in_band() {
    ends_in_band(&format!("{TEXT}, fin_after: 1000"));
}

#[test]
fn a_stream_that_is_reset_ends_in_band() {
    ends_in_band(&format!("{TEXT}, per_event: 20ms, rst_after: 1000"));
}

#[test]
fn an_error_event_after_content_is_passed_on_in_band() {
    let message = ends_in_band(&format!("{TEXT}, error_after: 3, error_message: 'out of memory'"));
    assert!(message.contains("out of memory"), "the client reads what the provider said: {message}");
}

#[test]
fn a_missing_done_is_mended_where_the_answer_was_whole() {
    let upstream = Upstream::that("text: all of it, done: false");
    let gateway = Setup::one(&upstream).start();
    let answer = gateway.chat(&chat_stream("small", "hi")).send();
    assert_eq!(said(&answer.events()), "all of it");
    assert!(is_done(&answer.events()), "{}", answer.text());
}

#[test]
fn each_event_reaches_the_client_before_the_next_is_sent() {
    // The upstream says three words and then nothing: whatever is held back would never come.
    let upstream = Upstream::that("text: one two three four five, stall_after: 3");
    let gateway = Setup::one(&upstream).start();
    let mut events = gateway.chat(&chat_stream("small", "hi")).stream();
    let mut heard = String::new();
    while heard != "one two three " && heard != "one two three" {
        heard.push_str(&events.content());
    }
    assert_eq!(upstream.stats().open, 1, "the upstream is still at it");
}

#[test]
fn a_broken_event_amid_the_stream_is_told_in_band_and_not_passed_on() {
    let upstream = Upstream::that("text: one two three four five, malformed_after: 3");
    let gateway = Setup::one(&upstream).start();
    let answer = gateway.chat(&chat_stream("small", "hi")).send();
    let events = answer.events();
    assert!(said(&events).starts_with("one two three"), "{}", answer.text());
    assert_eq!(error_in(&events).expect("an error in band")["error"]["code"], "upstream_error");
    assert!(!is_done(&events), "{}", answer.text());
    assert!(!answer.text().contains("\"choices\":[{\n"), "half an event is passed on: {}", answer.text());
}

#[test]
fn an_answer_cut_into_single_bytes_comes_out_the_same() {
    let upstream = Upstream::that("text: 'Grüße, 你好 👋🏽 \"quoted\" \\ back', reasoning: Hm., chunk: 1");
    let gateway = Setup::one(&upstream).start();
    let answer = gateway.chat(&chat_stream("small", "hi")).send();
    assert_eq!(said(&answer.events()), "Grüße, 你好 👋🏽 \"quoted\" \\ back");
    assert!(is_done(&answer.events()));
}

#[test]
fn comments_of_the_upstream_do_not_count_as_content() {
    let (first, second) =
        (Upstream::that("text: a b, comment: keep-alive, error_after: 0"), Upstream::that("text: from the second"));
    let gateway = pair(&first, &second);
    let answer = gateway.chat(&chat_stream("small", "hi")).send();
    assert_eq!(said(&answer.events()), "from the second");
}

#[test]
fn an_empty_answer_is_an_answer() {
    let upstream = Upstream::that("text: ''");
    let gateway = Setup::one(&upstream).start();
    let answer = gateway.chat(&chat_stream("small", "hi")).send();
    assert_eq!(answer.status, 200);
    assert_eq!(said(&answer.events()), "");
    assert!(is_done(&answer.events()), "{}", answer.text());
}

#[test]
fn a_long_stream_comes_whole() {
    let upstream = Upstream::that("text: word, events: 5000");
    let gateway = Setup::one(&upstream).start();
    let body = with(chat_stream("small", "hi"), "stream_options", json!({ "include_usage": true }));
    let answer = gateway.chat(&body).send();
    assert_eq!(answer.text().matches("\"content\":\"word").count(), 5000);
    assert!(is_done(&answer.events()));
    assert!(!answer.cut_off);
}

#[test]
fn the_closing_mark_ends_the_answer_though_the_upstream_holds_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let (done, until_done) = std::sync::mpsc::channel::<()>();
    let upstream = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"}") {
            let mut piece = [0; 4096];
            let read = stream.read(&mut piece).unwrap();
            request.extend_from_slice(&piece[..read]);
        }
        let events = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\n\
                      data: [DONE]\n\n";
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(format!("{head}{:x}\r\n{events}\r\n", events.len()).as_bytes()).unwrap();
        // No end of the body: the connection stays as it is until the client has seen the whole answer.
        until_done.recv().unwrap();
    });
    let gateway = Setup::new().provider_at("own", &origin, "").model("small", "own", "tier: weak").start();
    let answer = gateway.chat(&chat_stream("small", "hi")).header("x-request-id", "held").send();
    done.send(()).unwrap();
    upstream.join().unwrap();
    assert_eq!(said(&answer.events()), "hi");
    assert!(is_done(&answer.events()) && !answer.cut_off, "{}", answer.text());
    assert_eq!(gateway.line_of("held")["outcome"], "ok");
}
