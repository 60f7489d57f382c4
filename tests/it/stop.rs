//! A graceful stop: running streams end, nobody new is let in, and the wait is bounded.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{Setup, Upstream, chat, chat_stream, eventually, is_done, said};

#[test]
fn a_running_stream_ends_and_new_connections_are_refused() {
    let upstream = Upstream::that("text: one two three four five six seven eight nine ten, per_event: 150ms");
    let mut gateway = Setup::one(&upstream).section("listen: { drain: 60s }").start();
    let mut events = gateway.chat(&chat_stream("small", "hi")).header("x-request-id", "last").stream();
    let mut heard = events.content();
    gateway.ask_to_stop();
    eventually("new connections are refused", || match TcpStream::connect(gateway.data) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Some(()),
        _ => None,
    });
    assert_eq!(gateway.admin_get("/readyz").status, 503, "a balancer sees the drain");
    assert!(gateway.is_running(), "the stream is still running");
    let rest = events.rest();
    heard.push_str(&said(&rest));
    assert_eq!(heard, "one two three four five six seven eight nine ten");
    assert!(is_done(&rest));
    let waiting = Instant::now();
    assert!(gateway.ended().success(), "exit code 0");
    assert!(waiting.elapsed() < Duration::from_secs(10), "it ends with its last request, not with the drain time");
    assert_eq!(gateway.line_of("last")["outcome"], "ok");
}

#[test]
fn a_whole_answer_that_is_being_made_is_still_given() {
    let upstream = Upstream::that("text: done, before_headers: 700ms");
    let mut gateway = Setup::one(&upstream).start();
    let mut waiting = gateway.chat(&chat("small", "hi")).begin();
    upstream.wait_for("it is under way", |stats| stats.open == 1);
    gateway.ask_to_stop();
    assert_eq!(waiting.answer().said(), "done");
    assert!(gateway.ended().success());
}

#[test]
fn what_is_not_done_when_the_drain_is_over_is_cut_off_and_charged() {
    let upstream = Upstream::that("text: one two three, stall_after: 2");
    let mut gateway =
        Setup::one(&upstream).section("listen: { drain: 500ms }").section("decisions: { file: d.jsonl }").start();
    let mut events = gateway.chat(&chat_stream("small", "hi")).header("x-request-id", "cut").stream();
    events.content();
    let stopping = Instant::now();
    gateway.ask_to_stop();
    let rest = events.rest();
    assert!(!rest.iter().any(|event| event.contains("[DONE]")), "not a clean end: {rest:?}");
    assert!(events.cut_off() || rest.iter().any(|event| event.contains("\"error\"")), "{rest:?}");
    gateway.ended();
    assert!(stopping.elapsed() < Duration::from_secs(10), "{:?}", stopping.elapsed());
    upstream.wait_for("the upstream is cancelled", |stats| stats.cancelled == 1);
    let record = std::fs::read_to_string(gateway.file("d.jsonl")).unwrap();
    let record: serde_json::Value = serde_json::from_str(record.trim()).unwrap();
    assert_eq!(record["request_id"], "cut", "{record}");
    let output = record["usage"]["output"].as_u64().unwrap();
    assert!((1..=3).contains(&output), "two events were passed on, and that is what is charged: {record}");
}

#[test]
fn what_was_begun_under_another_file_of_decisions_is_written_there_before_the_end() {
    let upstream = Upstream::that("text: one two three, stall_after: 2");
    let setup = |file: &str| {
        Setup::one(&upstream).section("listen: { drain: 500ms }").section(&format!("decisions: {{ file: {file} }}"))
    };
    let mut gateway = setup("a.jsonl").start();
    let mut events = gateway.chat(&chat_stream("small", "hi")).header("x-request-id", "cut").stream();
    events.content();
    let answer = gateway.reload(&setup("b.jsonl").text());
    assert_eq!(answer.status, 200, "{}", answer.text());
    gateway.ask_to_stop();
    events.rest();
    gateway.ended();
    let record = std::fs::read_to_string(gateway.file("a.jsonl")).unwrap();
    let record: serde_json::Value = serde_json::from_str(record.trim()).unwrap();
    assert_eq!(record["request_id"], "cut", "{record}");
}

#[test]
fn an_idle_gateway_stops_at_once() {
    let upstream = Upstream::plain();
    let mut gateway = Setup::one(&upstream).section("listen: { drain: 60s }").start();
    // A kept connection without a request must not hold up the end.
    let mut kept = gateway.connect();
    gateway.chat(&chat("small", "hi")).over(&mut kept);
    let stopping = Instant::now();
    assert!(gateway.terminate().success());
    assert!(stopping.elapsed() < Duration::from_secs(10), "{:?}", stopping.elapsed());
}
