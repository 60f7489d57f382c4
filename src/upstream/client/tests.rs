//! The client against real sockets.

mod tls;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::*;

const LONG: Duration = Duration::from_secs(20);
/// Long enough for a busy machine to connect and answer in.
const SHORT: Duration = Duration::from_millis(400);
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Serves each connection with `answer(number, stream)`; returns the address.
async fn serve<F, Fut>(answer: F) -> SocketAddr
where
    F: Fn(usize, TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(answer(number, stream));
        }
    });
    address
}

/// One request, head and body; `None` at the end of the connection.
async fn request<S: tokio::io::AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        text.push(byte[0]);
    }
    let head = String::from_utf8(text.clone()).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    text.extend(body);
    Some(String::from_utf8(text).unwrap())
}

/// Answers every request of a connection with the same bytes.
async fn always(mut stream: TcpStream, answer: &'static [u8]) {
    while request(&mut stream).await.is_some() {
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint {
        tls: false,
        host: address.ip().to_string(),
        port: address.port(),
        authority: address.to_string(),
        prefix: String::new(),
    }
}

fn local() -> Client {
    Client::for_hosts(&["127.0.0.1", "localhost"]).unwrap()
}

fn timeouts() -> Timeouts {
    Timeouts { connect: LONG, first_token: LONG, idle: LONG, total: LONG }
}

const BODY: Bytes = Bytes::from_static(b"{\"x\":1}");

fn way(client: &Client, address: SocketAddr) -> Way {
    client.way(endpoint(address), 1).unwrap()
}

/// A POST of `body`.
async fn send(client: &Client, way: &Way, path: &str, body: Bytes, timeouts: Timeouts) -> Result<Incoming, CallError> {
    let opening = way.opening(Method::POST, path, &[]).unwrap();
    client.send(way, Call { opening: &opening, own: &[], body, timeouts }, Instant::now()).await
}

/// A POST of a small body with long limits.
async fn post(client: &Client, way: &Way) -> Result<Incoming, CallError> {
    send(client, way, "/v1/chat/completions", BODY, timeouts()).await
}

/// The only POST of a client.
async fn once(address: SocketAddr, timeouts: Timeouts) -> Result<Incoming, CallError> {
    let client = local();
    send(&client, &way(&client, address), "/v1/chat/completions", BODY, timeouts).await
}

#[tokio::test]
async fn a_request_carries_our_headers_and_its_length_and_nothing_else() {
    let (seen, mut got) = tokio::sync::mpsc::unbounded_channel();
    let address = serve(move |_, mut stream| {
        let seen = seen.clone();
        async move {
            seen.send(request(&mut stream).await.unwrap()).unwrap();
            stream.write_all(OK).await.unwrap();
        }
    })
    .await;
    let client = local();
    let way = way(&client, address);
    let extra = [(http::header::AUTHORIZATION, HeaderValue::from_static("Bearer k"))];
    let opening = way.opening(Method::POST, "/v1/chat/completions", &extra).unwrap();
    let own = [(HeaderName::from_static("traceparent"), HeaderValue::from_static("00-1"))];
    let call = Call { opening: &opening, own: &own, body: BODY, timeouts: timeouts() };
    let mut incoming = client.send(&way, call, Instant::now()).await.unwrap();
    assert_eq!((incoming.status, incoming.peer, incoming.reused), (200, address, false));
    assert_eq!(incoming.whole(10).await.unwrap(), "ok");
    let text = got.recv().await.unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_lowercase).collect();
    lines.sort();
    let version = env!("CARGO_PKG_VERSION");
    let mut expected = vec![
        "".to_owned(),
        "accept-encoding: identity".to_owned(),
        "accept: application/json, text/event-stream".to_owned(),
        "authorization: bearer k".to_owned(),
        "content-length: 7".to_owned(),
        format!("host: {address}"),
        "post /v1/chat/completions http/1.1".to_owned(),
        "traceparent: 00-1".to_owned(),
        format!("user-agent: waypost/{version}"),
        "{\"x\":1}".to_owned(),
    ];
    expected.sort();
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_released_connection_is_used_again_and_ways_do_not_share() {
    let address = serve(|_, stream| always(stream, OK)).await;
    let client = local();
    let here = way(&client, address);
    for reused in [false, true, true] {
        let mut incoming = post(&client, &here).await.unwrap();
        assert_eq!(incoming.reused, reused);
        assert_eq!(incoming.whole(10).await.unwrap(), "ok");
        incoming.release().await;
    }
    assert!(!post(&client, &way(&client, address)).await.unwrap().reused);
}

#[tokio::test]
async fn an_answer_that_was_not_read_to_its_end_closes_its_connection() {
    let (closed, mut was_closed) = tokio::sync::mpsc::unbounded_channel();
    let address = serve(move |_, mut stream| {
        let closed = closed.clone();
        async move {
            request(&mut stream).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n").await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            closed.send(()).unwrap();
        }
    })
    .await;
    let client = local();
    let way = way(&client, address);
    let mut released = post(&client, &way).await.unwrap();
    assert_eq!(released.chunk().await.unwrap().unwrap(), "a");
    released.release().await;
    was_closed.recv().await.unwrap();
    let dropped = post(&client, &way).await.unwrap();
    assert!(!dropped.reused);
    drop(dropped);
    was_closed.recv().await.unwrap();
}

#[tokio::test]
async fn a_kept_connection_that_closes_on_a_request_is_replaced_once_unseen() {
    // The first two connections answer once and close on the second request: both end up in the pool.
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let both = Arc::new(tokio::sync::Barrier::new(2));
    let address = serve(move |number, mut stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        let both = Arc::clone(&both);
        async move {
            request(&mut stream).await.unwrap();
            if number < 2 {
                both.wait().await;
                stream.write_all(OK).await.unwrap();
                request(&mut stream).await;
                return;
            }
            stream.write_all(OK).await.unwrap();
            always(stream, OK).await;
        }
    })
    .await;
    let client = local();
    let way = way(&client, address);
    let (one, two) = tokio::join!(post(&client, &way), post(&client, &way));
    for incoming in [one, two] {
        let mut incoming = incoming.unwrap();
        incoming.whole(10).await.unwrap();
        incoming.release().await;
    }
    let mut incoming = post(&client, &way).await.unwrap();
    assert!(!incoming.reused, "the second dead connection must not be tried");
    assert_eq!(incoming.whole(10).await.unwrap(), "ok");
    incoming.release().await;
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_fresh_connection_that_closes_is_reported_and_not_repeated() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let address = serve(move |_, mut stream| {
        let counted = Arc::clone(&counted);
        async move {
            request(&mut stream).await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let failed = once(address, timeouts()).await.err().unwrap();
    assert!(matches!(failed, CallError::Closed), "{failed:?}");
    assert!(failed.is_retryable());
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn half_a_head_is_an_answer_so_the_request_is_not_repeated() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let address = serve(move |_, mut stream| {
        let counted = Arc::clone(&counted);
        async move {
            request(&mut stream).await.unwrap();
            stream.write_all(OK).await.unwrap();
            request(&mut stream).await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncont").await.unwrap();
        }
    })
    .await;
    let client = local();
    let way = way(&client, address);
    let mut incoming = post(&client, &way).await.unwrap();
    incoming.whole(10).await.unwrap();
    incoming.release().await;
    let failed = post(&client, &way).await.err().unwrap();
    assert!(matches!(failed, CallError::Protocol(_)), "{failed:?}");
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_socket_that_accepts_nothing_is_a_connect_timeout() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = tokio::time::timeout(SHORT * 2, TcpStream::connect(address)).await {
        held.push(stream.unwrap());
    }
    let limits = Timeouts { connect: SHORT, ..timeouts() };
    let failed = once(address, limits).await.err().unwrap();
    assert!(matches!(failed, CallError::ConnectTimeout), "{failed:?}");
}

#[tokio::test]
async fn a_closed_port_is_a_connect_error() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let failed = once(address, timeouts()).await.err().unwrap();
    assert!(matches!(failed, CallError::Connect(_)), "{failed:?}");
    assert!(failed.is_retryable());
}

#[tokio::test]
async fn a_silent_server_ends_with_the_first_byte_or_the_total_timeout() {
    let address = serve(|_, mut stream| async move {
        request(&mut stream).await;
        request(&mut stream).await;
    })
    .await;
    let first = Timeouts { first_token: SHORT, ..timeouts() };
    let failed = once(address, first).await.err().unwrap();
    assert!(matches!(failed, CallError::FirstByteTimeout), "{failed:?}");
    let total = Timeouts { total: SHORT, ..timeouts() };
    let failed = once(address, total).await.err().unwrap();
    assert!(matches!(failed, CallError::Total), "{failed:?}");
}

/// A stream of one event, then silence.
async fn one_event(mut stream: TcpStream) {
    request(&mut stream).await;
    stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n: a\r\n").await.unwrap();
    request(&mut stream).await;
}

#[tokio::test]
async fn a_stall_is_first_byte_before_content_idle_after_it_and_total_in_the_end() {
    let address = serve(|_, stream| one_event(stream)).await;
    for (limits, content, expected) in [
        (Timeouts { first_token: SHORT, ..timeouts() }, false, "first_byte_timeout"),
        (Timeouts { idle: SHORT, ..timeouts() }, true, "idle_timeout"),
        (Timeouts { total: SHORT, ..timeouts() }, true, "total_timeout"),
    ] {
        let mut incoming = once(address, limits).await.unwrap();
        assert_eq!(incoming.chunk().await.unwrap().unwrap(), ": a");
        if content {
            incoming.content_has_come();
        }
        assert_eq!(incoming.chunk().await.unwrap_err().word(), expected);
    }
}

#[tokio::test]
async fn a_wait_for_a_piece_may_be_given_up_and_taken_up_again() {
    let address = serve(|_, mut stream| async move {
        request(&mut stream).await;
        for byte in
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0c;x=y\r\ndefghijklmno\r\n0\r\n\r\n"
        {
            stream.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut incoming = once(address, timeouts()).await.unwrap();
    let mut body = Vec::new();
    loop {
        match tokio::time::timeout(Duration::ZERO, incoming.chunk()).await {
            Ok(piece) => match piece.unwrap() {
                Some(piece) => body.extend_from_slice(&piece),
                None => break,
            },
            Err(_) => tokio::task::yield_now().await,
        }
    }
    assert_eq!(body, b"abcdefghijklmno");
}

#[tokio::test]
async fn a_small_body_comes_in_one_piece_with_its_head() {
    let (seen, mut got) = tokio::sync::mpsc::unbounded_channel();
    let address = serve(move |_, mut stream| {
        let seen = seen.clone();
        async move {
            loop {
                stream.readable().await.unwrap();
                let mut some = vec![0; 64 << 10];
                let Ok(read) = stream.try_read(&mut some) else {
                    continue;
                };
                seen.send(read).unwrap();
                stream.write_all(OK).await.unwrap();
            }
        }
    })
    .await;
    let client = local();
    let way = way(&client, address);
    for length in [0, 1, 1300, 9000] {
        let body = Bytes::from(vec![b'x'; length]);
        let mut incoming = send(&client, &way, "/", body, timeouts()).await.unwrap();
        incoming.whole(10).await.unwrap();
        incoming.release().await;
        assert!(got.recv().await.unwrap() > length);
        assert!(got.is_empty());
    }
}

#[tokio::test]
async fn a_body_of_any_size_arrives_whole_on_one_connection() {
    let (seen, mut got) = tokio::sync::mpsc::unbounded_channel();
    let address = serve(move |number, mut stream| {
        let seen = seen.clone();
        async move {
            while let Some(text) = request(&mut stream).await {
                let body = text.split_once("\r\n\r\n").unwrap().1.to_owned();
                seen.send((number, body)).unwrap();
                stream.write_all(OK).await.unwrap();
            }
        }
    })
    .await;
    let client = local();
    let way = way(&client, address);
    for length in [0, 1, 1000, 1459, 1460, 1461, 16 << 10, (16 << 10) + 1, 3 << 20] {
        let body: String = (0..length).map(|at| char::from(b'a' + u8::try_from(at % 23).unwrap())).collect();
        let mut incoming = send(&client, &way, "/", body.clone().into(), timeouts()).await.unwrap();
        assert_eq!(incoming.whole(10).await.unwrap(), "ok");
        incoming.release().await;
        assert!(got.recv().await.unwrap() == (0, body), "{length}");
    }
}

#[tokio::test]
async fn a_server_that_takes_no_more_of_a_body_is_given_up_in_time() {
    let address = serve(|_, mut stream| async move {
        let mut some = [0; 64];
        stream.read_exact(&mut some).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let client = local();
    let body = Bytes::from(vec![b'x'; 32 << 20]);
    let limits = Timeouts { first_token: SHORT, ..timeouts() };
    let failed = send(&client, &way(&client, address), "/", body, limits).await.err().unwrap();
    assert!(matches!(failed, CallError::FirstByteTimeout), "{failed:?}");
}

#[tokio::test]
async fn a_kept_connection_that_resets_is_replaced_also_for_a_large_body() {
    let address = serve(move |number, mut stream| async move {
        request(&mut stream).await.unwrap();
        stream.write_all(OK).await.unwrap();
        if number == 0 {
            // Closing with bytes unread resets the connection.
            let mut some = [0; 64];
            stream.read_exact(&mut some).await.unwrap();
            return;
        }
        always(stream, OK).await;
    })
    .await;
    let client = local();
    let way = way(&client, address);
    for length in [1, 4 << 20] {
        let body = Bytes::from(vec![b'x'; length]);
        let mut incoming = send(&client, &way, "/", body, timeouts()).await.unwrap();
        assert!(!incoming.reused);
        assert_eq!(incoming.whole(10).await.unwrap(), "ok");
        incoming.release().await;
    }
}

#[tokio::test]
async fn bytes_that_nobody_asked_for_are_never_an_answer() {
    let twice = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
    let address = serve(move |number, stream| always(stream, if number == 0 { twice } else { OK })).await;
    let client = local();
    let way = way(&client, address);
    for reused in [false, false, true] {
        let mut incoming = post(&client, &way).await.unwrap();
        assert_eq!(incoming.reused, reused);
        assert_eq!(incoming.whole(10).await.unwrap(), "ok");
        incoming.release().await;
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_leads_nowhere() {
    let address = serve(|_, stream| {
        always(stream, b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")
    })
    .await;
    let incoming = once(address, timeouts()).await.unwrap();
    assert_eq!(incoming.status, 302);
    let url = format!("http://{address}/keys").parse().unwrap();
    assert!(matches!(local().get(&url, 10, LONG).await, Err(GetError::Status(302))));
}

#[tokio::test]
async fn a_host_that_is_not_configured_is_never_called() {
    let address = serve(|_, stream| always(stream, OK)).await;
    let client = Client::for_hosts(&["api.example.com"]).unwrap();
    let refused = client.way(endpoint(address), 1).err().unwrap();
    assert!(matches!(refused, CallError::HostNotAllowed));
}

#[tokio::test]
async fn interim_heads_are_passed_over() {
    let address = serve(|_, stream| {
        always(stream, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    })
    .await;
    let mut incoming = once(address, timeouts()).await.unwrap();
    assert_eq!(incoming.status, 200);
    assert!(incoming.headers().get("link").is_none());
    assert_eq!(incoming.whole(10).await.unwrap(), "ok");
}

#[tokio::test]
async fn a_body_ends_by_length_by_chunks_or_by_the_close() {
    for answer in [
        OK,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\n\r\nok",
    ] {
        let address = serve(move |_, mut stream| async move {
            request(&mut stream).await;
            stream.write_all(answer).await.unwrap();
        })
        .await;
        let mut incoming = once(address, timeouts()).await.unwrap();
        assert_eq!(incoming.whole(2).await.unwrap(), "ok");
        incoming.release().await;
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_or_is_too_large_is_an_error() {
    let broken: [&'static [u8]; 2] = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
    ];
    for answer in broken {
        let address = serve(move |_, mut stream| async move {
            request(&mut stream).await;
            stream.write_all(answer).await.unwrap();
        })
        .await;
        let mut incoming = once(address, timeouts()).await.unwrap();
        assert_eq!(incoming.whole(99).await.unwrap_err().word(), "protocol");
    }
    let address = serve(|_, stream| always(stream, OK)).await;
    let mut incoming = once(address, timeouts()).await.unwrap();
    assert!(matches!(incoming.whole(1).await, Err(CallError::TooLarge)));
}

#[tokio::test]
async fn a_refusal_before_the_whole_body_was_taken_is_an_answer() {
    let address = serve(|_, mut stream| async move {
        let mut some = [0; 64];
        stream.read_exact(&mut some).await.unwrap();
        stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
        // Keep the reading side open until the client has gone, so that no reset overtakes the answer.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    })
    .await;
    let client = local();
    let body = Bytes::from(vec![b'x'; 8 << 20]);
    let incoming = send(&client, &way(&client, address), "/", body, timeouts()).await.unwrap();
    assert_eq!(incoming.status, 413);
}

#[tokio::test]
async fn a_name_is_resolved_and_a_get_brings_a_small_document() {
    let address = serve(|_, stream| always(stream, OK)).await;
    let client = local();
    for _ in 0..2 {
        let url = format!("http://localhost:{}/keys?a=b#c", address.port()).parse().unwrap();
        assert_eq!(client.get(&url, 10, LONG).await.unwrap(), "ok");
    }
    assert!(matches!(client.get(&"file:///etc/passwd".parse().unwrap(), 10, LONG).await, Err(GetError::Address)));
}
