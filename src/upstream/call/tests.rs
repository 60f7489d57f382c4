//! Exchanges with providers on loopback.

use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::forwarded::forwarded;
use super::*;
use crate::config::{Endpoint, Facts, LatencyPrior, ModelKind, ProviderKind, Secret, Tier};
use crate::id::TargetId;
use crate::wire::dialect::ReasoningModel;

const RETRY: Retry = Retry { attempts: 2, budget: 0.2 };

/// A provider's endpoint that answers everything with `answer` and keeps the heads of requests, in lower case.
async fn endpoint(answer: &'static str) -> (Endpoint, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let mut text = Vec::new();
                let mut some = [0; 4096];
                loop {
                    let read = stream.read(&mut some).await.unwrap_or(0);
                    if read == 0 {
                        return;
                    }
                    text.extend_from_slice(&some[..read]);
                    // The tests' only body.
                    if text.ends_with(b"\r\n\r\n{}") {
                        seen.lock().unwrap().push(String::from_utf8(std::mem::take(&mut text)).unwrap().to_lowercase());
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                }
            });
        }
    });
    (at(address.port()), heads)
}

fn at(port: u16) -> Endpoint {
    Endpoint {
        tls: false,
        host: "127.0.0.1".to_owned(),
        port,
        authority: format!("127.0.0.1:{port}"),
        prefix: String::new(),
    }
}

async fn closed_port() -> Endpoint {
    at(TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port())
}

fn target(endpoints: Vec<Endpoint>, keys: &[&str]) -> Target {
    let long = Duration::from_secs(20);
    let provider = Arc::new(Provider {
        name: "p".into(),
        kind: ProviderKind::Openai,
        native: crate::catalog::kind("openai").unwrap(),
        endpoints,
        credentials: keys.iter().map(|key| Secret::new((*key).to_owned())).collect(),
        timeouts: Timeouts { connect: long, first_token: long, idle: long, total: long },
    });
    Target {
        id: TargetId(0),
        name: "m@p".into(),
        model: "m".into(),
        upstream: "m".to_owned(),
        provider,
        kind: ModelKind::Chat,
        wire: None,
        reasoning: ReasoningModel::default(),
        show_reasoning: true,
        drop_unsupported: false,
        tier: Tier::Weak,
        facts: Facts::default(),
        price: None,
        context: None,
        max_output: None,
        max_concurrent: None,
        latency_prior: LatencyPrior { first_token: long, tokens_per_second: 1.0 },
    }
}

fn upstreams(target: &Target) -> Upstreams {
    let client = Client::for_hosts(&["127.0.0.1"]).unwrap();
    Upstreams::with(client, std::slice::from_ref(&Arc::clone(&target.provider)), &[Arc::new(target.clone())], RETRY)
        .unwrap()
}

fn exchange(passed: &[(HeaderName, HeaderValue)]) -> Exchange<'_> {
    Exchange {
        path: "/v1/chat/completions",
        body: Bytes::from_static(b"{}"),
        stream: true,
        passed,
        from: Instant::now(),
        by: None,
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-request-id: up-1\r\n\r\n{}";

async fn done(mut incoming: Incoming) {
    incoming.whole(10).await.unwrap();
    incoming.release().await;
}

#[tokio::test]
async fn only_the_listed_headers_of_a_client_reach_the_provider() {
    let (endpoint, heads) = endpoint(OK).await;
    let target = target(vec![endpoint], &["sk-ours"]);
    let upstreams = upstreams(&target);
    let mut client = HeaderMap::new();
    for (name, value) in [
        ("authorization", "Bearer wp-theirs"),
        ("x-api-key", "wp-theirs"),
        ("cookie", "a=b"),
        ("x-waypost-labels", "data-class=secret"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("idempotency-key", "once"),
        ("openai-beta", "assistants=v2"),
        ("openai-organization", "theirs"),
    ] {
        client.insert(name, value.parse().unwrap());
    }
    let incoming = upstreams.exchange(&target, &exchange(&forwarded(&client))).await.unwrap();
    assert_eq!(upstream_id(incoming.headers()).unwrap(), "up-1");
    done(incoming).await;
    client.insert("openai-beta", "something=new".parse().unwrap());
    client.insert("idempotency-key", "k".repeat(FORWARDED + 1).parse().unwrap());
    done(upstreams.exchange(&target, &exchange(&forwarded(&client))).await.unwrap()).await;

    let heads = heads.lock().unwrap();
    let names = |head: &str| {
        let mut names: Vec<String> =
            head.lines().filter_map(|line| Some(line.split_once(": ")?.0.to_owned())).collect();
        names.sort();
        names.join(" ")
    };
    let always = "accept accept-encoding authorization content-length content-type host";
    assert_eq!(names(&heads[0]), format!("{always} idempotency-key openai-beta traceparent user-agent"));
    assert_eq!(names(&heads[1]), format!("{always} traceparent user-agent"));
    assert!(heads[0].contains("authorization: bearer sk-ours\r\n"));
    assert!(!heads[0].contains("theirs"));
}

#[test]
fn a_header_that_came_twice_goes_on_once_and_ids_are_found_under_either_name() {
    let mut client = HeaderMap::new();
    client.append("idempotency-key", "one".parse().unwrap());
    client.append("idempotency-key", "two".parse().unwrap());
    let passed = forwarded(&client);
    assert_eq!(passed, [(HeaderName::from_static("idempotency-key"), HeaderValue::from_static("one"))]);
    let mut answer = HeaderMap::new();
    assert_eq!(upstream_id(&answer), None);
    answer.insert("request-id", "b".parse().unwrap());
    assert_eq!(upstream_id(&answer).unwrap(), "b");
    answer.insert("x-request-id", "a".parse().unwrap());
    assert_eq!(upstream_id(&answer).unwrap(), "a");
}

#[tokio::test]
async fn credentials_take_turns_and_none_sends_no_authorization() {
    let (endpoint, heads) = endpoint(OK).await;
    let two = target(vec![endpoint.clone()], &["a", "b"]);
    let with_two = upstreams(&two);
    for _ in 0..3 {
        done(with_two.exchange(&two, &exchange(&[])).await.unwrap()).await;
    }
    let open = target(vec![endpoint], &[]);
    done(upstreams(&open).exchange(&open, &exchange(&[])).await.unwrap()).await;
    let sent: Vec<Option<String>> = heads
        .lock()
        .unwrap()
        .iter()
        .map(|head| head.lines().find_map(|line| Some(line.strip_prefix("authorization: bearer ")?.to_owned())))
        .collect();
    assert_eq!(sent, [Some("a".to_owned()), Some("b".to_owned()), Some("a".to_owned()), None]);
}

#[tokio::test]
async fn endpoints_take_turns_and_one_that_failed_is_passed_over() {
    let (one, one_heads) = endpoint(OK).await;
    let (two, two_heads) = endpoint(OK).await;
    let dead = closed_port().await;
    let target = target(vec![dead, one, two], &[]);
    let upstreams = upstreams(&target);
    let first = upstreams.exchange(&target, &exchange(&[])).await.err().unwrap();
    assert_eq!((first.word(), first.retry_same(), first.fall_back()), ("connect", true, true));
    for _ in 0..6 {
        done(upstreams.exchange(&target, &exchange(&[])).await.unwrap()).await;
    }
    assert_eq!(one_heads.lock().unwrap().len() + two_heads.lock().unwrap().len(), 6);
    assert!(!two_heads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_only_endpoint_is_asked_even_after_it_failed() {
    let target = target(vec![closed_port().await], &[]);
    let upstreams = upstreams(&target);
    for _ in 0..2 {
        assert_eq!(upstreams.exchange(&target, &exchange(&[])).await.err().unwrap().word(), "connect");
    }
}

#[tokio::test]
async fn an_error_answer_is_judged_with_its_body_and_its_connection_is_kept() {
    let answer =
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: 3\r\ncontent-length: 22\r\n\r\n{\"error\":{\"code\":\"a\"}}";
    let (endpoint, _) = endpoint(answer).await;
    let target = target(vec![endpoint], &[]);
    let upstreams = upstreams(&target);
    for _ in 0..2 {
        let failure = upstreams.exchange(&target, &exchange(&[])).await.err().unwrap();
        assert_eq!((failure.word(), failure.status), ("rate_limited", Some(429)));
        assert_eq!(failure.retry_after, Some(Duration::from_secs(3)));
        assert_eq!(failure.said.and_then(|said| said.code).as_deref(), Some("a"));
    }
}

#[tokio::test]
async fn a_stream_is_bounded_by_its_first_token_and_a_whole_answer_by_the_total() {
    let short = Duration::from_millis(1);
    let long = Duration::from_secs(9);
    let timeouts = Timeouts { connect: short, first_token: short, idle: short, total: long };
    assert_eq!(limits(timeouts, &exchange(&[])).first_token, short);
    assert_eq!(limits(timeouts, &Exchange { stream: false, ..exchange(&[]) }).first_token, long);
    let over = limits(timeouts, &Exchange { stream: false, by: Some(Instant::now()), ..exchange(&[]) });
    assert_eq!((over.first_token, over.total), (Duration::ZERO, Duration::ZERO));
}

#[test]
fn a_credential_that_no_header_can_hold_is_an_error_without_the_credential() {
    let target = target(vec![], &["sk-\n1"]);
    let client = Client::for_hosts(&[]).unwrap();
    let error = Upstreams::with(
        client,
        std::slice::from_ref(&Arc::clone(&target.provider)),
        &[Arc::new(target.clone())],
        RETRY,
    )
    .err()
    .unwrap();
    assert!(!error.to_string().contains("sk-"));
}
