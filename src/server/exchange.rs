//! One exchange over a Pingora session: what `gateway::Client` means in HTTP/1.1 and HTTP/2.

use std::future::{Future as _, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use pingora_core::protocols::http::ServerSession;
use pingora_http::ResponseHeader;

use crate::gateway::{BodyError, Client, HungUp};

/// How much of a refused body is read and thrown away, so that the client sees the refusal and not a reset.
const LINGER_BYTES: usize = 64 << 20;
/// How long that may take.
const LINGER_TIME: Duration = Duration::from_secs(2);

/// How much of a body may still come.
struct Room<'a> {
    limit: usize,
    taken: usize,
    overall: &'a mut (dyn FnMut(usize) -> bool + Send),
}

impl Room<'_> {
    fn take(&mut self, bytes: usize) -> Result<(), BodyError> {
        self.taken += bytes;
        if self.taken > self.limit {
            return Err(BodyError::TooLarge { limit: self.limit });
        }
        if (self.overall)(bytes) { Ok(()) } else { Err(BodyError::NoRoom) }
    }
}

/// A session whose head has been read.
pub(super) struct Exchange {
    session: ServerSession,
}

impl Exchange {
    pub(super) fn new(session: ServerSession) -> Self {
        Self { session }
    }

    pub(super) fn into_session(self) -> ServerSession {
        self.session
    }

    fn declared_length(&self) -> Option<usize> {
        let length = self.session.get_header(header::CONTENT_LENGTH)?;
        length.to_str().ok()?.trim().parse().ok()
    }

    async fn read_to_end(&mut self, room: &mut Room<'_>) -> Result<Bytes, BodyError> {
        // One read is the common case: its bytes are handed on without a copy.
        let Some(first) = self.read_piece(room).await? else { return Ok(Bytes::new()) };
        let Some(second) = self.read_piece(room).await? else { return Ok(first) };
        let expected = self.declared_length().unwrap_or(first.len() + second.len()).min(room.limit);
        let mut body = BytesMut::with_capacity(expected);
        body.extend_from_slice(&first);
        let mut piece = Some(second);
        while let Some(bytes) = piece {
            body.extend_from_slice(&bytes);
            piece = self.read_piece(room).await?;
        }
        Ok(body.freeze())
    }

    async fn read_piece(&mut self, room: &mut Room<'_>) -> Result<Option<Bytes>, BodyError> {
        let piece = self.session.read_request_body().await.map_err(|_| BodyError::Broken)?;
        if let Some(piece) = &piece {
            room.take(piece.len())?;
        }
        Ok(piece)
    }

    /// Closing with unread bytes in the socket would reset the connection (HTTP/2: the stream) and could take the answer
    /// with it.
    async fn linger(&mut self) {
        let mut left = LINGER_BYTES;
        let drain = async {
            while let Ok(Some(piece)) = self.session.read_request_body().await {
                left = left.saturating_sub(piece.len());
                if left == 0 {
                    return;
                }
            }
        };
        // Whether it was drained or not, the connection is closed next.
        let _ = tokio::time::timeout(LINGER_TIME, drain).await;
    }

    fn is_http1(&self) -> bool {
        !self.session.is_http2()
    }
}

impl Client for Exchange {
    fn head(&self) -> &http::request::Parts {
        self.session.req_header()
    }

    fn address(&self) -> Option<IpAddr> {
        self.session.client_addr()?.as_inet().map(std::net::SocketAddr::ip)
    }

    async fn body(
        &mut self,
        limit: usize,
        timeout: Duration,
        room: &mut (dyn FnMut(usize) -> bool + Send),
    ) -> Result<Bytes, BodyError> {
        if self.declared_length().is_some_and(|length| length > limit) {
            return Err(BodyError::TooLarge { limit });
        }
        let expects_continue = self
            .session
            .get_header(header::EXPECT)
            .is_some_and(|expect| expect.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        if expects_continue {
            self.session.write_continue_response().await.map_err(|_| BodyError::Broken)?;
        }
        let mut room = Room { limit, taken: 0, overall: room };
        let mut read = pin!(self.read_to_end(&mut room));
        // Most bodies have come with their head, and need no timer.
        if let Poll::Ready(body) = poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await {
            return body;
        }
        tokio::time::timeout(timeout, read).await.unwrap_or(Err(BodyError::Slow { limit: timeout }))
    }

    async fn gone(&mut self) {
        // Ok can only be bytes after the body on a connection without pipelining: not a hang-up, but nobody reads on.
        while let Ok(Some(_)) = self.session.read_body_or_idle(true).await {}
    }

    async fn respond(&mut self, status: StatusCode, mut headers: HeaderMap, body: Bytes) -> Result<(), HungUp> {
        // RFC 9110, 8.6: never in a 204.
        if status != StatusCode::NO_CONTENT {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let unread = !self.session.is_body_done();
        if unread {
            self.session.set_keepalive(None);
        }
        let headless = self.head().method == http::Method::HEAD;
        write_head(&mut self.session, status, headers).await?;
        let body = if headless { Bytes::new() } else { body };
        self.session.write_response_body(body, true).await.map_err(|_| HungUp)?;
        if unread {
            self.linger().await;
        }
        Ok(())
    }

    async fn start(&mut self, status: StatusCode, mut headers: HeaderMap) -> Result<(), HungUp> {
        if self.is_http1() {
            if self.head().version == http::Version::HTTP_11 {
                headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            } else {
                // HTTP/1.0 knows no chunks: the end of the connection ends the body.
                self.session.set_keepalive(None);
            }
        }
        write_head(&mut self.session, status, headers).await
    }

    async fn write(&mut self, piece: Bytes) -> Result<(), HungUp> {
        self.session.write_response_body(piece, false).await.map_err(|_| HungUp)
    }

    async fn end(&mut self) -> Result<(), HungUp> {
        self.session.write_response_body(Bytes::new(), true).await.map_err(|_| HungUp)
    }
}

async fn write_head(session: &mut ServerSession, status: StatusCode, headers: HeaderMap) -> Result<(), HungUp> {
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = status;
    parts.headers = headers;
    session.write_response_header(Box::new(ResponseHeader::from(parts))).await.map_err(|_| HungUp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_stopped_at_its_own_limit_and_at_that_of_all() {
        let mut held = 90;
        let mut overall = |bytes| {
            held += bytes;
            held <= 100
        };
        let mut room = Room { limit: 20, taken: 0, overall: &mut overall };
        assert_eq!(room.take(10), Ok(()));
        assert_eq!(room.take(1), Err(BodyError::NoRoom));
        assert_eq!(room.take(10), Err(BodyError::TooLarge { limit: 20 }));
    }
}
