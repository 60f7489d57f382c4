//! Keep-alive, pipelining, bodies in all framings, hang-ups, bad input.

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::client::{ask, ask_streamed, exchange, last_request, post, read_answer, read_until, request, start};
use crate::scripted::Script;

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_on_one_connection() {
    let server = start(Script::default());
    let first = request(&ask("[[scripted: text=first]]").to_string());
    let second = request(&ask_streamed("[[scripted: text=second]]").to_string());
    let third = last_request(&ask("[[scripted: text=third before_headers=5]]").to_string());
    let answer = exchange(&server, format!("{first}{second}{third}").as_bytes()).await;
    let all = String::from_utf8(answer.raw).unwrap();
    let places: Vec<usize> = ["first", "second", "third"].iter().map(|text| all.find(text).unwrap()).collect();
    assert!(places.is_sorted(), "{all}");
    let stats = server.stats();
    assert_eq!((stats.connections, stats.requests, stats.finished), (1, 3, 3));
    assert_eq!(stats.requests_seen.len(), 3);
}

#[tokio::test]
async fn chunked_bodies_and_slow_writers_are_understood() {
    let server = start(Script::default());
    let body = ask("[[scripted: echo]]").to_string();
    let (left, right) = body.split_at(7);
    let bytes = format!(
        "POST /openai/v1/chat/completions HTTP/1.1\r\nhost: u\r\nx-api-key: k-2\r\n\
         transfer-encoding: chunked\r\nconnection: close\r\n\r\n\
         7\r\n{left}\r\n{:x};ext=1\r\n{right}\r\n0\r\ntrailer: 1\r\n\r\n",
        right.len()
    );
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in bytes.as_bytes() {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let answer = read_answer(&mut stream).await;
    assert_eq!(answer.status, 200);
    let stats = server.stats();
    assert_eq!(stats.requests_seen, [body]);
    assert_eq!(stats.credentials, ["k-2"]);
    assert_eq!(stats.bytes_in, bytes.len() as u64);
    let last = stats.last_request.unwrap();
    assert_eq!(last.header("x-api-key"), Some("k-2"));
    assert_eq!(last.path, "/openai/v1/chat/completions");
}

#[tokio::test]
async fn expect_continue_is_answered_before_the_body_comes() {
    let server = start(Script::default());
    let whole = last_request(&ask("x").to_string());
    let whole = whole.replacen("\r\n", "\r\nExpect: 100-continue\r\n", 1);
    let (head, body) = whole.split_once("\r\n\r\n").unwrap();
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(format!("{head}\r\n\r\n").as_bytes()).await.unwrap();
    read_until(&mut stream, "100 Continue\r\n\r\n").await;
    stream.write_all(body.as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut stream).await.status, 200);
}

#[tokio::test]
async fn an_old_client_gets_a_stream_that_ends_with_the_connection() {
    let server = start(Script::default());
    let bytes = request(&ask_streamed("x").to_string()).replacen("HTTP/1.1", "HTTP/1.0", 1);
    let answer = exchange(&server, bytes.as_bytes()).await;
    assert!(!answer.head.contains("transfer-encoding"));
    assert!(answer.body.ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn a_client_gone_while_it_sends_or_reads_is_a_cancelled_request() {
    let server = start(Script::default());
    let bytes = request(&ask("x").to_string());
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let half = &bytes.as_bytes()[..bytes.len() - 5];
    stream.write_all(half).await.unwrap();
    server.wait_for(|stats| stats.open == 1).await.unwrap();
    drop(stream);
    let stats = server.wait_for(|stats| stats.cancelled == 1).await.unwrap();
    assert!(stats.requests_seen.is_empty(), "it never came whole");
    assert_eq!(stats.bytes_in, half.len() as u64);

    // An answer far larger than the socket buffers, nobody reading.
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let big = ask("[[scripted: answer_bytes=60000000]]").to_string();
    stream.write_all(request(&big).as_bytes()).await.unwrap();
    read_until(&mut stream, "\r\n\r\n").await;
    assert_eq!(server.stats().open, 1);
    drop(stream);
    server.wait_for(|stats| stats.cancelled == 2).await.unwrap();
    server.wait_for(|stats| stats.connections_open == 0).await.unwrap();
}

#[tokio::test]
async fn malformed_requests_get_an_error_in_openais_shape() {
    let server = start(Script::default());
    let host = "POST /v1/chat/completions HTTP/1.1\r\nHost: u\r\n";
    let cases = [
        "nonsense\r\n\r\n".to_owned(),
        "POST /v1/chat/completions HTTP/1.1\r\n\r\n".to_owned(),
        "POST /v1/chat/completions HTTP/1.1\nHost: u\n\n".to_owned(),
        format!("{host}Host: v\r\n\r\n"),
        format!("{host}Content-Length: 1x\r\n\r\n"),
        format!("{host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        format!("{host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("{host}Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        format!("{host}Transfer-Encoding: gzip\r\n\r\n"),
        last_request("{"),
        last_request("[[[[[[[[[["),
        last_request(&"[".repeat(100_000)),
        last_request(r#"{"model":"m"}"#),
        last_request(r#"{"model":"m","messages":[]}"#),
        last_request(&ask("[[scripted: nonsense=1]]").to_string()),
        last_request(&ask("[[scripted: status=99]]").to_string()),
    ];
    for bytes in &cases {
        let answer = exchange(&server, bytes.as_bytes()).await;
        let shown: String = bytes.chars().take(120).collect();
        assert_eq!(answer.status, 400, "{shown}");
        assert!(!answer.was_reset, "{shown}");
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error", "{shown}");
    }
    let too_long = format!("{host}X: {}\r\n\r\n", "x".repeat(70_000));
    assert_eq!(exchange(&server, too_long.as_bytes()).await.status, 431);
    let too_large = format!("{host}Content-Length: 999999999999\r\n\r\n");
    assert_eq!(exchange(&server, too_large.as_bytes()).await.status, 413);
}

#[tokio::test]
async fn the_admin_path_shows_and_resets_the_counts() {
    let server = start(Script::default());
    post(&server, &ask("first")).await;
    post(&server, &ask("second")).await;
    let get = b"GET /scripted/stats HTTP/1.1\r\nHost: u\r\nAuthorization: no\r\nConnection: close\r\n\r\n";
    let stats = exchange(&server, get).await.json();
    assert_eq!((&stats["requests"], &stats["finished"]), (&json!(2), &json!(2)));
    assert_eq!(stats["credentials"], json!(["Bearer k-1"]), "looking leaves no trace");
    assert_eq!(stats["last_request"]["method"], "POST");
    assert_eq!(stats["last_request"]["headers"]["content-type"], "application/json");
    assert_eq!(stats["last_request"]["body"], ask("second").to_string());
    assert_eq!(stats["requests_seen"].as_array().unwrap().len(), 2);
    let post_reset = b"POST /scripted/reset HTTP/1.1\r\nHost: u\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(exchange(&server, post_reset).await.status, 200);
    let stats = exchange(&server, get).await.json();
    assert_eq!(stats["requests"], 0);
    assert_eq!(stats["requests_seen"], json!([]));
}

#[tokio::test]
async fn a_request_under_way_at_a_reset_is_counted_nowhere() {
    let server = start(Script::default());
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let stalled = ask("[[scripted: stall_after=head]]").to_string();
    stream.write_all(request(&stalled).as_bytes()).await.unwrap();
    server.wait_for(|stats| stats.requests_seen.len() == 1).await.unwrap();
    server.reset();
    drop(stream);
    let stats = server.wait_for(|stats| stats.connections_open == 0).await.unwrap();
    assert_eq!((stats.open, stats.requests, stats.cancelled), (0, 0, 0));
}

#[tokio::test]
async fn dropping_the_handle_ends_the_server_and_its_connections() {
    let server = start(Script::default());
    let address = server.address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let stalled = ask("[[scripted: stall_after=head]]").to_string();
    stream.write_all(request(&stalled).as_bytes()).await.unwrap();
    server.wait_for(|stats| stats.open == 1).await.unwrap();
    drop(server);
    assert!(read_answer(&mut stream).await.raw.is_empty());
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
}
