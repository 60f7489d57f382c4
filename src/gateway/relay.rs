//! From the first content to the end: what the upstream says reaches the client as it comes, and is counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::cached::Hit;
use super::call::{Answer, Content, bad_answer};
use super::client::{Client, HungUp};
use super::decide::Step;
use super::error::{Code, GatewayError};
use super::headers::{Notes, allow_origin};
use super::record::Record;
use super::{Gateway, Stop};
use crate::chat;
use crate::config::Target;
use crate::limit::RateLimit;
use crate::policy::Permitted;
use crate::upstream::{Incoming, upstream_id};
use crate::wire::StreamError;
use crate::wire::passage::{self, Relay};

/// How long an upstream may take to end its answer after the closing mark.
const LAST_BYTES: Duration = Duration::from_millis(100);

/// A whole good answer, for the cache.
pub(super) struct Whole {
    pub(super) target: Permitted<Arc<Target>>,
    pub(super) body: Bytes,
    pub(super) usage: chat::Usage,
}

/// Passes the answer on to its end. Returns it whole if it is good enough to be kept.
pub(super) async fn answer<C: Client>(
    gateway: &Gateway,
    client: &mut C,
    answer: Answer,
    record: &mut Record<'_>,
    rate: Option<RateLimit>,
    keep: bool,
) -> Result<Option<Whole>, Stop> {
    let Answer { step: Step { target, .. }, mut incoming, place, content, committed } = answer;
    let _place = place;
    let upstream_id = upstream_id(incoming.headers()).cloned();
    match content {
        Content::Whole(whole) => {
            record.used(whole.usage);
            let notes = Notes { upstream_id, rate, cost: Some(record.cost()), ..record.notes() };
            incoming.release().await;
            let writing = Instant::now();
            let written = respond(client, &notes, record, writing, whole.body.clone()).await;
            record.waited(writing.elapsed());
            written?;
            record.completed();
            Ok((keep && whole.good).then(|| Whole { target, body: whole.body, usage: record.usage() }))
        }
        Content::Stream { mut relay, held, over } => {
            if !committed {
                let notes = Notes { upstream_id, rate, ..record.notes() };
                client.start(StatusCode::OK, stream_headers(client, &notes, record)).await?;
            }
            let begun = Instant::now();
            let streamed = pass_on(client, &mut relay, held, over, &mut incoming, record).await;
            // From here the time is the model's and the client's; what the gateway does in between is measured per event
            // in benches/.
            record.waited(begun.elapsed());
            record.streamed(&relay, Relay::estimate);
            match streamed {
                Ok(()) => {
                    // A client that leaves at the closing mark has its answer.
                    record.completed();
                    let ended = client.end().await;
                    let over = Instant::now();
                    let_end(incoming).await;
                    record.waited(over.elapsed());
                    ended?;
                    let whole = relay.whole().filter(|_| keep);
                    Ok(whole.map(|body| Whole { target, body, usage: record.usage() }))
                }
                Err(Cut::HungUp) => Err(Stop::HungUp),
                Err(Cut::Upstream(what)) => {
                    gateway.health.record_failure(target.id, Instant::now());
                    let error = bad_answer(&target, &what);
                    let told = relay.fail(&error.refusal(&record.request_id));
                    end_with(client, told).await?;
                    Err(Stop::Told(error))
                }
            }
        }
    }
}

/// Why a stream ended before its end.
enum Cut {
    HungUp,
    Upstream(String),
}

impl From<HungUp> for Cut {
    fn from(_: HungUp) -> Self {
        Self::HungUp
    }
}

impl From<StreamError> for Cut {
    fn from(error: StreamError) -> Self {
        Self::Upstream(match error {
            StreamError::Provider(said) => said.message,
            other => other.to_string(),
        })
    }
}

async fn pass_on<C: Client>(
    client: &mut C,
    relay: &mut Relay,
    mut pieces: Vec<Bytes>,
    mut over: bool,
    incoming: &mut Incoming,
    record: &mut Record<'_>,
) -> Result<(), Cut> {
    loop {
        // If this is where the process ends, what was passed on is known.
        record.streaming(relay);
        if let Some(piece) = joined(&mut pieces) {
            client.write(piece).await?;
        }
        // Nothing that counts comes after the closing mark, and the client does not wait for the upstream to hang up.
        if over || relay.seen().done {
            return Ok(());
        }
        let chunk = tokio::select! {
            biased;
            chunk = incoming.chunk() => chunk,
            () = client.gone() => return Err(Cut::HungUp),
        };
        match chunk.map_err(|error| Cut::Upstream(error.to_string()))? {
            Some(chunk) => {
                if let Err(error) = relay.push(chunk, &mut pieces) {
                    // What came before the failure is still the client's.
                    if let Some(piece) = joined(&mut pieces) {
                        client.write(piece).await?;
                    }
                    return Err(error.into());
                }
            }
            None => {
                relay.finish(&mut pieces)?;
                over = true;
            }
        }
    }
}

/// Lets an answer that is over come to its end, for its connection can then carry the next one.
async fn let_end(mut incoming: Incoming) {
    let rest = async { while let Ok(Some(_)) = incoming.chunk().await {} };
    // One that does not end in this time is dropped, which closes it.
    if tokio::time::timeout(LAST_BYTES, rest).await.is_ok() {
        incoming.release().await;
    }
}

/// All pieces as one: what came together leaves together, in one write.
fn joined(pieces: &mut Vec<Bytes>) -> Option<Bytes> {
    if pieces.len() < 2 {
        return pieces.pop();
    }
    let whole = pieces.concat();
    pieces.clear();
    Some(whole.into())
}

/// Tells a failure inside a stream that has begun, in the client's format and without its closing mark.
pub(super) async fn end_with<C: Client>(client: &mut C, told: Bytes) -> Result<(), HungUp> {
    client.write(told).await?;
    client.end().await
}

/// Answers from the cache: whole, or as a stream if the client asked for one.
pub(super) async fn cached<C: Client>(
    client: &mut C,
    hit: &Hit,
    request: &chat::Request,
    record: &mut Record<'_>,
    rate: Option<RateLimit>,
) -> Result<(), Stop> {
    record.served_from_cache(&hit.target, hit.entry.usage);
    let body = &hit.entry.body;
    let notes = Notes { rate, cost: Some(record.cost()), ..record.notes() };
    if !request.stream {
        let writing = Instant::now();
        let written = respond(client, &notes, record, writing, body.clone()).await;
        record.waited(writing.elapsed());
        written?;
        record.completed();
        return Ok(());
    }
    let envelope = record.envelope(&hit.target, request);
    let events = passage::replay(request.format, body, envelope)
        .map_err(|error| GatewayError::new(Code::UpstreamError, format!("a kept answer cannot be read: {error}")))?;
    client.start(StatusCode::OK, stream_headers(client, &notes, record)).await?;
    let writing = Instant::now();
    let written = match client.write(events).await {
        Ok(()) => client.end().await,
        gone => gone,
    };
    record.waited(writing.elapsed());
    written?;
    record.completed();
    Ok(())
}

async fn respond<C: Client>(
    client: &mut C,
    notes: &Notes<'_>,
    record: &Record<'_>,
    now: Instant,
    body: Bytes,
) -> Result<(), HungUp> {
    let mut headers = HeaderMap::with_capacity(20);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Notes { overhead: Some(record.overhead_at(now)), ..notes.clone() }.write(&mut headers);
    allow_origin(&client.head().headers, &mut headers);
    client.respond(StatusCode::OK, headers, body).await
}

fn stream_headers<C: Client>(client: &C, notes: &Notes<'_>, record: &Record<'_>) -> HeaderMap {
    let mut headers = event_stream();
    Notes { overhead: Some(record.overhead()), ..notes.clone() }.write(&mut headers);
    allow_origin(&client.head().headers, &mut headers);
    headers
}

/// What a stream says before it is known who will answer.
pub(super) fn early_headers<C: Client>(client: &C, record: &Record<'_>, rate: Option<RateLimit>) -> HeaderMap {
    let mut headers = event_stream();
    Notes { rate, ..record.early_notes() }.write(&mut headers);
    allow_origin(&client.head().headers, &mut headers);
    headers
}

fn event_stream() -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(20);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // nginx in front would otherwise hold events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    headers
}
