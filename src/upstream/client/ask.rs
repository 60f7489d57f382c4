//! One request on one connection: out, and the head of the answer in.

use std::net::SocketAddr;

use pingora_core::protocols::Stream;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::protocols::http::v1::client::HttpSession as Http1;
use pingora_core::protocols::http::v2::client::Http2Session as Http2;
use pingora_core::upstreams::peer::HttpPeer;
use tokio::io::AsyncWriteExt;

use super::Call;
use super::faults::{unanswered, unsent};
use crate::upstream::error::CallError;

/// Interim (1xx) heads read before the answer's own; more is a server that plays.
const INTERIM: usize = 16;

/// Largest body that goes out in one piece with its head: what one TLS record holds. To copy so much costs less than a
/// second system call.
const TOGETHER: usize = 16 << 10;

/// A connection, before the request.
pub(super) struct Connection {
    pub(super) link: Link,
    /// Whether an earlier request had opened it.
    pub(super) reused: bool,
    pub(super) address: SocketAddr,
}

pub(super) enum Link {
    Http1(Stream),
    /// With what the connector needs to take it back.
    Http2(Box<Http2>, Box<HttpPeer>),
}

/// A request that went out, and the head of its answer.
pub(super) struct Answered {
    /// Boxed: an answer is handed on several times.
    pub(super) session: Box<HttpSession>,
    pub(super) route: Option<Box<HttpPeer>>,
    /// Whether the whole request went out.
    pub(super) sent: bool,
}

/// Writes the request and reads the head of the answer.
pub(super) async fn ask(link: Link, call: &Call<'_>) -> Result<Answered, CallError> {
    match link {
        Link::Http1(mut stream) => {
            let sent = write(&mut stream, call).await?;
            // Pingora's session writes the head alone, one system call more; what it reads does not depend on that.
            let mut session = Box::new(HttpSession::H1(Http1::new(stream)));
            let head = read_head(&mut session).await;
            answered(session, None, sent, head)
        }
        Link::Http2(stream, route) => Box::pin(ask_h2(stream, route, call)).await,
    }
}

async fn ask_h2(stream: Box<Http2>, route: Box<HttpPeer>, call: &Call<'_>) -> Result<Answered, CallError> {
    let mut session = Box::new(HttpSession::H2(*stream));
    let sent = write_h2(&mut session, call).await?;
    let head = read_head(&mut session).await;
    answered(session, Some(route), sent, head)
}

/// A server may refuse a request that it has not read to its end (413): its answer counts more than our write.
fn answered(
    session: Box<HttpSession>,
    route: Option<Box<HttpPeer>>,
    sent: Result<(), CallError>,
    head: Result<(), CallError>,
) -> Result<Answered, CallError> {
    match (sent, head) {
        (sent, Ok(())) => Ok(Answered { session, route, sent: sent.is_ok() }),
        (Err(error), Err(_)) | (Ok(()), Err(error)) => Err(error),
    }
}

/// Writes a request as HTTP/1, a small body together with its head. The outer error: nothing of it can have been
/// answered. The inner one: the head went out, and the server may have answered that.
async fn write(stream: &mut Stream, call: &Call<'_>) -> Result<Result<(), CallError>, CallError> {
    let together = call.body.len() <= TOGETHER;
    let room = if together { call.body.len() } else { 0 };
    let mut first = call.opening.bytes(call.own, call.body.len(), room);
    if together {
        first.extend_from_slice(&call.body);
    }
    stream.write_all(&first).await.map_err(|_| CallError::Closed)?;
    // The stream holds back what is small until it is flushed.
    stream.flush().await.map_err(|_| CallError::Closed)?;
    if together {
        return Ok(Ok(()));
    }
    let mut sent = stream.write_all(&call.body).await;
    if sent.is_ok() {
        sent = stream.flush().await;
    }
    Ok(sent.map_err(|_| CallError::Closed))
}

async fn write_h2(session: &mut HttpSession, call: &Call<'_>) -> Result<Result<(), CallError>, CallError> {
    let head = call.opening.head(call.own, call.body.len()).map_err(|error| CallError::Request(error))?;
    session.write_request_header(Box::new(head)).await.map_err(unsent)?;
    let mut sent = Ok(());
    if !call.body.is_empty() {
        sent = session.write_request_body(call.body.clone(), true).await;
    }
    if sent.is_ok() {
        sent = session.finish_request_body().await;
    }
    Ok(sent.map_err(unanswered))
}

async fn read_head(session: &mut HttpSession) -> Result<(), CallError> {
    for _ in 0..INTERIM {
        session.read_response_header().await.map_err(unanswered)?;
        let Some(status) = session.response_header().map(|head| head.status) else {
            break;
        };
        if !status.is_informational() {
            return Ok(());
        }
        // HTTP/2 passes over interim heads itself; what it shows is the answer's own, and can be read once.
        if status.as_u16() == 101 || matches!(session, HttpSession::H2(_)) {
            break;
        }
    }
    Err(CallError::Protocol("the server sent no head but interim ones".into()))
}
