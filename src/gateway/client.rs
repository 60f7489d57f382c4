//! The client's side of one exchange, as the request path sees it: a head, a body to read, an answer to write, and
//! the fact of whether anybody is still there.

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// The client hung up, or stopped reading for longer than the write timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client is gone")]
pub struct HungUp;

/// Why a request body could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Longer than `listen.max_body`, by its content-length or by what arrived.
    #[error("the request body is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Did not arrive within `listen.body_timeout`.
    #[error("the request body did not arrive within {limit:?}")]
    Slow {
        /// The limit.
        limit: Duration,
    },
    /// The gateway holds as much as it may.
    #[error("the gateway holds as many request bodies as it may (listen.max_inflight); try again")]
    NoRoom,
    /// Framing errors, or the client hung up.
    #[error("the request body could not be read")]
    Broken,
}

/// One exchange with one client over any HTTP version.
pub trait Client: Send {
    /// Method, target and headers.
    fn head(&self) -> &http::request::Parts;

    /// The peer's address, if it has one.
    fn address(&self) -> Option<IpAddr>;

    /// Reads the whole body. `room` is told of each piece before it is kept, and says whether it may be.
    fn body(
        &mut self,
        limit: usize,
        timeout: Duration,
        room: &mut (dyn FnMut(usize) -> bool + Send),
    ) -> impl Future<Output = Result<Bytes, BodyError>> + Send;

    /// Resolves when the client hangs up. May be dropped and called again.
    fn gone(&mut self) -> impl Future<Output = ()> + Send;

    /// Writes a whole answer.
    fn respond(
        &mut self,
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
    ) -> impl Future<Output = Result<(), HungUp>> + Send;

    /// Writes the head of an answer whose length is not known.
    fn start(&mut self, status: StatusCode, headers: HeaderMap) -> impl Future<Output = Result<(), HungUp>> + Send;

    /// Writes a piece of a started answer; it reaches the client at once.
    fn write(&mut self, piece: Bytes) -> impl Future<Output = Result<(), HungUp>> + Send;

    /// Ends a started answer cleanly. An answer that is dropped instead is visibly cut off.
    fn end(&mut self) -> impl Future<Output = Result<(), HungUp>> + Send;
}
