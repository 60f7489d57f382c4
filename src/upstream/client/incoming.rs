//! The answer to one call, piece by piece, and what becomes of its connection.

use std::future::Future as _;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::Stream;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::protocols::http::v1::client::HttpSession as Http1;
use pingora_core::upstreams::peer::HttpPeer;

use super::idle::{Idle, POOL_IDLE};
use super::watch::Watch;
use crate::upstream::error::CallError;

/// An answer: its head, and the way to its body. Dropping it closes the connection or resets the stream, at once.
pub struct Incoming {
    /// Status of the answer.
    pub status: u16,
    /// Where the request went.
    pub peer: SocketAddr,
    /// Whether an earlier request had opened the connection.
    pub reused: bool,
    pub(super) session: Box<HttpSession>,
    pub(super) back: Back,
    pub(super) watch: Watch,
    pub(super) first_by: Instant,
    pub(super) total_by: Instant,
    pub(super) idle: Duration,
    pub(super) content: bool,
    pub(super) complete: bool,
    pub(super) sent: bool,
}

/// Where a connection goes when its answer is complete.
pub(super) enum Back {
    /// HTTP/1: to the way that it leads.
    Way(Arc<Idle>),
    /// HTTP/2: to the connector.
    Connector(Arc<Connector>, Box<HttpPeer>),
}

impl Incoming {
    /// SHA-256 of the certificate that the server showed; `None` without TLS.
    #[must_use]
    pub fn tls_sha256(&self) -> Option<[u8; 32]> {
        let digest = self.session.digest()?.ssl_digest.as_ref()?;
        digest.cert_digest.as_slice().try_into().ok()
    }

    /// The headers of the answer, names in lower case.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        static NONE: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);
        self.session.response_header().map_or(&*NONE, |head| &head.headers)
    }

    /// Says that content has come: from here `idle` bounds each wait, until here `first_token` bounded all of them.
    pub fn content_has_come(&mut self) {
        self.content = true;
    }

    /// The next piece of the body as it came, never empty; `None` after the last. May be dropped and asked again.
    ///
    /// # Errors
    /// `FirstByteTimeout` before [`Self::content_has_come`], `Idle` after it, `Total`, or `Protocol` where the body
    /// breaks off.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, CallError> {
        // The last piece of a body whose length is known is known to be the last.
        while !self.complete {
            let now = Instant::now();
            let (by, late) = if self.content {
                (now + self.idle, CallError::Idle)
            } else {
                (self.first_by, CallError::FirstByteTimeout)
            };
            let (by, late) = if self.total_by < by { (self.total_by, CallError::Total) } else { (by, late) };
            if by <= now {
                return Err(late);
            }
            let read = {
                let read = pin!(self.session.read_response_body());
                self.watch.within(by, read).await
            };
            let piece = read.ok_or(late)?.map_err(|error| CallError::Protocol(error))?;
            self.complete = piece.is_none() || self.session.response_done();
            match piece {
                Some(piece) if piece.is_empty() => {}
                piece => return Ok(piece),
            }
        }
        Ok(None)
    }

    /// The whole body.
    ///
    /// # Errors
    /// `TooLarge` beyond `max` bytes, and whatever [`Self::chunk`] says.
    pub async fn whole(&mut self, max: usize) -> Result<Bytes, CallError> {
        let length = self.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > max) {
            return Err(CallError::TooLarge);
        }
        let Some(first) = self.chunk().await? else {
            return Ok(Bytes::new());
        };
        self.content_has_come();
        let Some(second) = self.chunk().await? else {
            return within(first, max);
        };
        let mut body = BytesMut::with_capacity(length.unwrap_or(first.len() + second.len()));
        body.extend_from_slice(&first);
        let mut next = Some(second);
        while let Some(piece) = next {
            if body.len() + piece.len() > max {
                return Err(CallError::TooLarge);
            }
            body.extend_from_slice(&piece);
            next = self.chunk().await?;
        }
        Ok(body.freeze())
    }

    /// Gives the connection back for the next request, if the body has come to its end; else closes it.
    pub async fn release(mut self) {
        if !self.sent || !(self.complete || self.session.response_done()) {
            return;
        }
        match self.back {
            Back::Way(idle) => {
                if let HttpSession::H1(session) = *self.session
                    && let Some(stream) = reusable(session)
                {
                    idle.put(stream, self.peer, Instant::now());
                }
            }
            // Boxed: it is large and HTTP/2's alone.
            Back::Connector(connector, route) => {
                let session = self.session;
                Box::pin(async move { connector.release_http_session(*session, &*route, Some(POOL_IDLE)).await }).await;
            }
        }
    }
}

/// The connection of a complete answer, if it can carry another request.
fn reusable(mut session: Http1) -> Option<Stream> {
    session.respect_keepalive();
    // One that is kept is there at once. One that is not is shut down first, for which nobody need wait.
    let reuse = pin!(session.reuse());
    match reuse.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(stream) => stream,
        Poll::Pending => None,
    }
}

fn within(body: Bytes, max: usize) -> Result<Bytes, CallError> {
    if body.len() > max { Err(CallError::TooLarge) } else { Ok(body) }
}
