//! From the plan to the first content: attempts, retries and fallback, unseen by the client.
//!
//! Nothing reaches the client until an upstream has given content (the first text, reasoning or tool delta; for whole
//! answers, the answer), so a failure can be retried or moved to the next target. Only when that takes longer than
//! `streaming.commit_after` does a stream begin with comment pings, which no client shows.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::sleep_until;

use super::client::Client;
use super::error::{Code, GatewayError};
use super::headers::Wishes;
use super::record::Record;
use super::{Gateway, Stop, relay};
use crate::chat;
use crate::config::Target;
use crate::ledger::Attempt;
use crate::limit::RateLimit;
use crate::policy::Permitted;
use crate::route::inflight::Place;
use crate::upstream::retry::{Next, next};
use crate::upstream::{CallError, Exchange, Failure, FailureKind, Incoming};
use crate::wire::dialect::ReasoningModel;
use crate::wire::openai;
use crate::wire::openai::stream::Relay;
use crate::wire::{AnswerError, Dialect, Shape, StreamError};

/// Largest whole answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 20;
/// Most that is held of a stream before its content.
const MAX_HELD: usize = 1 << 20;
/// Results of attempts that made no connection: nothing has left the gateway.
const UNSENT: [&str; 6] = ["host_not_allowed", "request", "resolve", "connect", "connect_timeout", "tls"];
const PING: Bytes = Bytes::from_static(b": ping\n\n");

/// An upstream's answer, as far as its first content.
pub(super) struct Answer {
    pub(super) target: Permitted<Arc<Target>>,
    pub(super) incoming: Incoming,
    /// The target is busy with it until this is dropped.
    pub(super) place: Place,
    pub(super) content: Content,
    /// Whether the client's stream has begun already.
    pub(super) committed: bool,
}

/// What has come so far.
pub(super) enum Content {
    /// All of it.
    Whole { body: Bytes, answer: openai::response::Answer },
    /// A stream up to its first content; `over` if that was all.
    Stream { relay: Relay, held: Vec<Bytes>, over: bool },
}

/// Calls the plan's targets in order until one gives content, while the client is there to want it.
pub(super) async fn until_content<C: Client>(
    gateway: &Gateway,
    client: &mut C,
    plan: &[Permitted<Arc<Target>>],
    wishes: &Wishes,
    request: &chat::Request,
    record: &mut Record<'_>,
    rate: Option<RateLimit>,
) -> Result<Answer, Stop> {
    gateway.calls.budget.deposit();
    let streaming = gateway.config.streaming;
    let mut committed = false;
    let mut ping_at = tokio::time::Instant::now() + streaming.commit_after;
    // Only a stream can begin before it is known who will answer.
    let mut begun = if request.stream { relay::early_headers(client, record, rate) } else { HeaderMap::new() };
    let attempts = attempts(gateway, plan, wishes, request, record);
    tokio::pin!(attempts);
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = &mut attempts => break outcome,
            () = client.gone() => return Err(Stop::HungUp),
            () = sleep_until(ping_at), if request.stream => {
                if !committed {
                    client.start(http::StatusCode::OK, std::mem::take(&mut begun)).await?;
                    committed = true;
                }
                client.write(PING).await?;
                ping_at += streaming.ping;
            }
        }
    };
    match outcome {
        Ok(answer) => Ok(Answer { committed, ..answer }),
        Err(error) if committed => {
            // The status is long sent: the failure is told in band.
            relay::end_with(client, &error).await?;
            Err(Stop::Told(error))
        }
        Err(error) => Err(error.into()),
    }
}

async fn attempts(
    gateway: &Gateway,
    plan: &[Permitted<Arc<Target>>],
    wishes: &Wishes,
    request: &chat::Request,
    record: &mut Record<'_>,
) -> Result<Answer, GatewayError> {
    let mut last = GatewayError::new(Code::NoHealthyTarget, "no target is left to ask");
    for (place, target) in plan.iter().enumerate() {
        if place > 0 {
            record.reason = Some("fallback");
        }
        let mut tries = 0;
        // The provider's total time is for all tries at a target together.
        let by = Instant::now() + target.provider.timeouts.total;
        loop {
            tries += 1;
            let failed = match attempt(gateway, target, wishes, request, record, by).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let left = by.saturating_duration_since(Instant::now());
            let then = match &failed {
                Failed::Exchange(failure) | Failed::Inside(failure) => {
                    next(failure, tries, gateway.calls.retry, &gateway.calls.budget, left, rand::random())
                }
                Failed::Answer(_) => Next::FallBack,
            };
            last = failed.into_error(target);
            match then {
                Next::Retry(wait) => {
                    tokio::time::sleep(wait).await;
                    record.waited(wait);
                }
                Next::FallBack => break,
                Next::GiveUp => return Err(last),
            }
        }
    }
    Err(last)
}

/// Why an attempt brought nothing to pass on.
enum Failed {
    /// No answer, or one with an error status.
    Exchange(Failure),
    /// An error inside an answer with status 200.
    Inside(Failure),
    /// An answer with status 200 that is none: broken, or cut off before its content.
    Answer(GatewayError),
}

impl Failed {
    fn of_stream(error: StreamError, target: &Target, peer: SocketAddr) -> Self {
        match error {
            StreamError::Provider(said) => Self::Inside(Failure::of_said(said, peer)),
            other => Self::Answer(bad_answer(target, &other)),
        }
    }

    fn of_answer(error: AnswerError, target: &Target, peer: SocketAddr) -> Self {
        match error {
            AnswerError::Provider(said) => Self::Inside(Failure::of_said(said, peer)),
            other => Self::Answer(bad_answer(target, &other)),
        }
    }
}

impl From<CallError> for Failed {
    fn from(error: CallError) -> Self {
        Self::Exchange(Failure::of_call(error))
    }
}

/// One call to one target.
async fn attempt(
    gateway: &Gateway,
    target: &Permitted<Arc<Target>>,
    wishes: &Wishes,
    request: &chat::Request,
    record: &mut Record<'_>,
    by: Instant,
) -> Result<Answer, Failed> {
    let shape = Shape {
        format: request.format,
        dialect: &Dialect::PLAIN,
        model: &target.upstream,
        max_output: None,
        reasoning: &ReasoningModel::default(),
        drop_unsupported: false,
    };
    let body = openai::request::pass(request, &shape);
    let bytes_sent = body.len();
    let Some(place) = gateway.places.enter(target.id) else { return Err(Failed::Answer(full(target))) };
    let sent = Instant::now();
    record.sent(target, bytes_sent, request);
    let exchange = Exchange { body, stream: request.stream, passed: &wishes.passed, by: Some(by) };
    let mut peer = None;
    let result = match gateway.calls.call(target, &exchange).await {
        Ok(incoming) => {
            peer = Some(incoming.peer);
            read_until_content(target, incoming, place, request).await
        }
        Err(failure) => {
            peer = peer.or(failure.peer);
            Err(Failed::Exchange(failure))
        }
    };
    let elapsed = sent.elapsed();
    let (status, word) = match &result {
        Ok(_) => (Some(200), "ok"),
        Err(Failed::Exchange(failure)) => (failure.status, failure.word()),
        Err(Failed::Inside(failure)) => (Some(200), failure.word()),
        Err(Failed::Answer(_)) => (Some(200), "bad_answer"),
    };
    let bytes_sent = if UNSENT.contains(&word) { 0 } else { bytes_sent };
    let name = target.name.clone();
    record.attempted(Attempt { target: name, peer, bytes_sent, status, result: word, elapsed }, target.id);
    match &result {
        Ok(_) => {
            record.first_token = Some(elapsed);
            gateway.health.record_success(target.id);
            if request.stream {
                gateway.latency.record(target.id, elapsed, Instant::now());
            }
        }
        Err(failed) => {
            record.not_answered();
            if failed.is_the_targets_fault() {
                gateway.health.record_failure(target.id, Instant::now());
            }
        }
    }
    result
}

async fn read_until_content(
    target: &Permitted<Arc<Target>>,
    mut incoming: Incoming,
    place: Place,
    request: &chat::Request,
) -> Result<Answer, Failed> {
    let content = if request.stream {
        stream_until_content(target, &mut incoming, request).await?
    } else {
        let body = incoming.whole(MAX_ANSWER).await?;
        let answer = openai::response::read(&body).map_err(|error| Failed::of_answer(error, target, incoming.peer))?;
        Content::Whole { body, answer }
    };
    Ok(Answer { target: target.clone(), incoming, place, content, committed: false })
}

async fn stream_until_content(
    target: &Permitted<Arc<Target>>,
    incoming: &mut Incoming,
    request: &chat::Request,
) -> Result<Content, Failed> {
    let price = target.price;
    let mut relay = Relay::new(request.include_usage, move |usage| price.map(|price| crate::cost::cost(usage, &price)))
        .expecting(request.n);
    let mut held = Vec::new();
    // How many pieces, and how many bytes in them.
    let (mut counted, mut size) = (0, 0);
    let peer = incoming.peer;
    let broken = |error| Failed::of_stream(error, target, peer);
    loop {
        let Some(chunk) = incoming.chunk().await? else {
            relay.finish(&mut held).map_err(broken)?;
            return Ok(Content::Stream { relay, held, over: true });
        };
        if relay.push(chunk, &mut held).map_err(broken)?.content {
            incoming.content_has_come();
            return Ok(Content::Stream { relay, held, over: false });
        }
        size += held.iter().skip(counted).map(Bytes::len).sum::<usize>();
        counted = held.len();
        if size > MAX_HELD {
            let message = format!("the provider `{}` sent {MAX_HELD} bytes without content", target.provider.name);
            return Err(Failed::Answer(GatewayError::new(Code::UpstreamError, message)));
        }
    }
}

fn full(target: &Target) -> GatewayError {
    GatewayError::new(
        Code::NoHealthyTarget,
        format!("`{}` has as many requests as it may have (max_concurrent)", target.name),
    )
    .retry_after(Duration::from_secs(1))
}

/// A 200 that holds no answer.
pub(super) fn bad_answer(target: &Target, error: &impl std::fmt::Display) -> GatewayError {
    let message = format!("the provider `{}` broke off: {error}", target.provider.name);
    GatewayError::new(Code::UpstreamError, scrub(&message, target))
}

impl Failed {
    /// A fault of the request itself says nothing about the target's health.
    fn is_the_targets_fault(&self) -> bool {
        match self {
            Self::Exchange(failure) | Self::Inside(failure) => failure.is_the_targets(),
            Self::Answer(_) => true,
        }
    }

    fn into_error(self, target: &Target) -> GatewayError {
        let failure = match self {
            Self::Answer(error) => return error,
            Self::Exchange(failure) | Self::Inside(failure) => failure,
        };
        let provider = &target.provider.name;
        let said = || failure.said.as_ref().map(|said| scrub(&said.message, target)).unwrap_or_default();
        let error = match &failure.kind {
            FailureKind::Call(error) if error.is_timeout() => {
                GatewayError::new(Code::UpstreamTimeout, format!("the provider `{provider}` took too long: {error}"))
            }
            FailureKind::Call(error) => {
                GatewayError::new(Code::UpstreamError, format!("the provider `{provider}` gave no answer: {error}"))
            }
            FailureKind::Credential => GatewayError::new(
                Code::UpstreamCredential,
                format!("the provider `{provider}` refused the gateway's own credential; yours is fine"),
            ),
            FailureKind::RateLimited => GatewayError::new(Code::RateLimitExceeded, said()),
            FailureKind::BadRequest => GatewayError::new(Code::InvalidRequest, said()),
            FailureKind::ContextLength => GatewayError::new(Code::ContextLengthExceeded, said()).param("messages"),
            FailureKind::ContentFilter => GatewayError::new(Code::ContentFilter, said()).param("messages"),
            FailureKind::NotFound => GatewayError::new(Code::ModelNotFound, said()).param("model"),
            FailureKind::Status => GatewayError::new(
                Code::UpstreamError,
                format!("the provider `{provider}` answered {}: {}", failure.status.unwrap_or_default(), said()),
            ),
        };
        match failure.retry_after {
            Some(after) => error.retry_after(after),
            None => error,
        }
    }
}

/// A provider's words without our keys and hosts.
fn scrub(message: &str, target: &Target) -> String {
    let keys: Vec<&str> = target.provider.credentials.iter().map(crate::config::Secret::expose).collect();
    let hosts: Vec<&str> = target.provider.endpoints.iter().map(|endpoint| endpoint.authority.as_str()).collect();
    crate::wire::provider_error::scrub(message, &keys, &hosts)
}
