//! What goes wrong on purpose.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::client::{ask, ask_streamed, post, read_until, request, start, start_with};
use crate::scripted::{Behaviour, Point, Script};

#[tokio::test]
async fn a_status_brings_its_usual_error_and_the_headers_asked_for() {
    let server = start(Script::default());
    let prompt = r#"[[scripted: status=429 retry_after=7 headers={"x-ratelimit-remaining":"0"}]]"#;
    for request in [ask(prompt), ask_streamed(prompt)] {
        let answer = post(&server, &request).await;
        assert_eq!(answer.status, 429);
        assert!(answer.head.contains("\r\nretry-after: 7"));
        assert!(answer.head.contains("\r\nx-ratelimit-remaining: 0"));
        assert!(answer.head.contains("\r\nx-scripted: true"));
        assert_eq!(answer.json()["error"]["code"], "rate_limit_exceeded");
        assert_eq!(answer.json()["system_fingerprint"], "scripted");
    }
    let prompt = "[[scripted: error_code=context_length_exceeded]]";
    let answer = post(&server, &ask(prompt)).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["code"], "context_length_exceeded");
    let prompt = r#"[[scripted: status=500 error_message="so it is" error_type=odd]]"#;
    let error = post(&server, &ask(prompt)).await.json();
    assert_eq!(error["error"]["message"], "so it is");
    assert_eq!(error["error"]["type"], "odd");
}

#[tokio::test]
async fn a_raw_body_is_sent_as_it_stands() {
    let server = start(Script::default());
    let prompt = r#"[[scripted: status=502 body="<html>" headers={"Content-Type":"text/html"}]]"#;
    let answer = post(&server, &ask(prompt)).await;
    assert_eq!((answer.status, answer.body.as_str()), (502, "<html>"));
    assert!(!answer.head.contains("application/json"));
}

#[tokio::test]
async fn the_connection_ends_after_exactly_so_many_bytes_of_the_body() {
    let server = start(Script::default());
    for count in [0_usize, 1, 300, 999_999] {
        for (key, reset) in [("fin_after", false), ("rst_after", true)] {
            let prompt = format!("[[scripted: {key}={count}]]");
            let stream = post(&server, &ask_streamed(&prompt)).await;
            assert_eq!(stream.was_reset, reset, "{prompt}");
            assert_eq!(stream.status, 200);
            assert!(!stream.complete, "the last chunk is never sent");
            if count < 999_999 {
                assert_eq!(stream.body.len(), count, "{prompt}");
            } else {
                assert!(stream.body.ends_with("data: [DONE]\n\n"));
            }
            let whole = post(&server, &ask(&prompt)).await;
            assert_eq!(whole.was_reset, reset);
            assert_eq!(whole.complete, count == 999_999);
            assert_eq!(whole.body.len() == count, count < 999_999, "{prompt}");
        }
    }
    let stats = server.wait_for(|stats| stats.open == 0).await.unwrap();
    assert_eq!((stats.finished, stats.cancelled), (16, 0), "a scripted cut is no hang-up");
}

#[tokio::test]
async fn the_connection_ends_before_the_headers() {
    let server = start(Script::default());
    let closed = post(&server, &ask("[[scripted: fin_after=head]]")).await;
    assert!(closed.raw.is_empty() && !closed.was_reset);
    let reset = post(&server, &ask("[[scripted: rst_after=head]]")).await;
    assert!(reset.raw.is_empty() && reset.was_reset);
}

#[tokio::test]
async fn a_stalled_answer_stays_open_until_the_client_goes() {
    let server = start(Script::default());
    let cases = [
        (ask_streamed("[[scripted: stall_after=3]]"), "This "),
        (ask_streamed("[[scripted: stall_after=0]]"), "\"role\":\"assistant\""),
        (ask("[[scripted: stall_after=0]]"), "\r\n\r\n"),
        (ask("[[scripted: before_headers=1h]]"), ""),
        (ask("[[scripted: stall_after=head]]"), ""),
        (ask("[[scripted: before_first_token=1h]]"), ""),
        (ask_streamed("[[scripted: before_first_token=1h]]"), "\"role\":\"assistant\""),
        (ask_streamed("[[scripted: per_event=1h]]"), "[scripted "),
    ];
    for (done, (body, seen)) in (0..).zip(cases) {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let bytes = request(&body.to_string());
        stream.write_all(bytes.as_bytes()).await.unwrap();
        read_until(&mut stream, seen).await;
        let stats = server.wait_for(|stats| stats.open == 1).await.unwrap();
        assert_eq!(stats.cancelled, done);
        drop(stream);
        let stats = server.wait_for(|stats| stats.open == 0).await.unwrap();
        assert_eq!((stats.cancelled, stats.finished), (done + 1, 0), "{body}");
    }
}

#[tokio::test]
async fn a_stream_fails_inside() {
    let server = start(Script::default());
    let prompt = "[[scripted: error_after=2 error_message=overloaded]]";
    let stream = post(&server, &ask_streamed(prompt)).await;
    let events = stream.events();
    assert_eq!(events.len(), 1 + 2 + 1 + 1, "role, two tokens, the error, the end");
    assert_eq!(events[3]["error"]["message"], "overloaded");
    assert_eq!(post(&server, &ask(prompt)).await.status, 500);

    let prompt = "[[scripted: malformed_after=1]]";
    let stream = post(&server, &ask_streamed(prompt)).await;
    assert_eq!(stream.events()[2], "malformed");
    assert!(stream.events().len() > 4, "and goes on");
    let whole = post(&server, &ask(prompt)).await;
    assert!(whole.complete && serde_json::from_str::<serde_json::Value>(&whole.body).is_err());

    let stream = post(&server, &ask_streamed("[[scripted: done=false]]")).await;
    assert!(stream.complete && !stream.body.contains("[DONE]"));
    let stream = post(&server, &ask_streamed("[[scripted: comment=keep-alive]]")).await;
    assert!(stream.body.starts_with(": keep-alive\n\ndata: "));
}

#[tokio::test]
async fn only_the_first_requests_fail() {
    let flaky = Behaviour { fail_first: 2, status: Some(503), retry_after: Some(1), ..Behaviour::text("at last") };
    let server = start(Script::default().model("m", flaky));
    for status in [503, 503, 200, 200] {
        assert_eq!(post(&server, &ask("x")).await.status, status);
    }
    server.reset();
    assert_eq!(post(&server, &ask("x")).await.status, 200, "counts, not behaviour, are reset");
    for (prompt, status) in [("A", 500), ("B", 500), ("A", 200), ("B", 200)] {
        let prompt = format!("[[scripted: status=200 retry_after=0 fail_first=1]] {prompt}");
        assert_eq!(post(&server, &ask(&prompt)).await.status, status, "{prompt}");
    }
}

#[tokio::test]
async fn one_byte_at_a_time_arrives_the_same() {
    let server = start_with(Behaviour { chunk: std::num::NonZeroUsize::new(1), ..Behaviour::text("slow") });
    let stream = post(&server, &ask_streamed("x")).await;
    assert!(stream.complete);
    assert_eq!(stream.joined("content"), "slow");
}

#[tokio::test]
async fn faults_can_be_scripted_in_code() {
    let server = start_with(Behaviour { rst_after: Some(Point::After(10)), ..Behaviour::default() });
    let answer = post(&server, &ask("x")).await;
    assert!(answer.was_reset);
    assert_eq!(answer.body.len(), 10);
}
