//! The client's bytes → a request that can be judged, or a clear refusal.

use std::time::Instant;

use bytes::Bytes;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::client::Client;
use super::error::{Code, GatewayError};
use super::record::Record;
use super::{Gateway, headers};
use crate::chat::{self, Format};
use crate::telemetry::metrics::InFlight;
use crate::wire::{RequestError, ask};

/// Bodies up to this many bytes are worked on in place: at about a gigabyte a second that keeps a worker for less than
/// a tenth of a millisecond.
const IN_PLACE: usize = 64 << 10;

/// Works on a body of so many bytes. For a large one the worker hands its other tasks on first, where there are other
/// workers: a command has none.
pub(super) fn aside<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let others = || Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    if bytes > IN_PLACE && others() { tokio::task::block_in_place(work) } else { work() }
}

/// A request whose body counts as in flight while it lives.
pub(super) struct Decoded {
    pub(super) request: chat::Request,
    _held: InFlight,
}

/// A request for a model's answer in this format.
pub(super) async fn request<C: Client>(
    gateway: &Gateway,
    client: &mut C,
    format: Format,
    record: &mut Record<'_>,
) -> Result<Decoded, GatewayError> {
    body(gateway, client, record, |body| ask::judge(format, body)).await
}

/// A body that `judge` accepts.
pub(super) async fn body<C: Client>(
    gateway: &Gateway,
    client: &mut C,
    record: &mut Record<'_>,
    judge: impl FnOnce(Bytes) -> Result<chat::Request, RequestError>,
) -> Result<Decoded, GatewayError> {
    let listen = &gateway.config.listen;
    headers::expect_json(&client.head().headers)?;
    let mut held = gateway.metrics.request_started();
    let reading = Instant::now();
    // Counted as it comes: many slow uploads at once must not add up unseen.
    let mut room = |bytes| held.holds(bytes) <= listen.max_inflight;
    let read = client.body(listen.max_body, listen.body_timeout, &mut room).await;
    record.waited(reading.elapsed());
    let body = read?;
    let request = checked(aside(body.len(), || judge(body)))?;
    record.asked(&request.model);
    Ok(Decoded { request, _held: held })
}

/// A refused body in the gateway's words.
pub(super) fn checked(decoded: Result<chat::Request, RequestError>) -> Result<chat::Request, GatewayError> {
    decoded.map_err(refused)
}

/// What the client is told of it.
pub(super) fn refused(error: RequestError) -> GatewayError {
    let plain = GatewayError::new(Code::InvalidRequest, error.message);
    match error.param {
        Some(param) => plain.param(param),
        None => plain,
    }
}
