//! One call to one target, as far as its first content.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::failed::{Failed, bad_answer, full, revoked, speechless};
use super::{Answer, Ask, Content};
use crate::chat::{self, Effort, Format};
use crate::config::Target;
use crate::gateway::Gateway;
use crate::gateway::decide::Step;
use crate::gateway::decode::aside;
use crate::gateway::error::{Code, GatewayError};
use crate::gateway::headers::Wishes;
use crate::gateway::record::Record;
use crate::ledger::Attempt;
use crate::policy::Permitted;
use crate::route::inflight::Place;
use crate::upstream::{Exchange, Incoming, suited};
use crate::wire::dialect::{Parser, Style};
use crate::wire::passage::{Passage, Relay};
use crate::wire::{Encoded, Shape, anthropic, openai};

/// Largest whole answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 20;
/// Most that is held of a stream before its content.
const MAX_HELD: usize = 1 << 20;
/// Results of attempts that made no connection: nothing has left the gateway.
const UNSENT: [&str; 6] = ["host_not_allowed", "request", "resolve", "connect", "connect_timeout", "tls"];

/// The format a target is called in for this request, and the native path; `None`: it cannot serve such a client.
fn way(target: &Target, request: &chat::Request) -> Option<(Format, Cow<'static, str>)> {
    let (format, native) = (target.format_for(request.format)?, target.provider.native);
    Some((native.written(format), native.path(format, &target.upstream, request.stream)?))
}

/// An answer's way back.
struct Way {
    stream: bool,
    passage: Passage,
}

fn passage(target: &Target, from: Format, request: &chat::Request, record: &Record<'_>) -> Way {
    let think = target.reasoning.parser == Parser::Think;
    let passage = Passage {
        from,
        to: request.format,
        think: think.then_some(target.reasoning.style == Some(Style::Always)),
        show_reasoning: target.show_reasoning,
        family: target.provider.native.dialect.seals,
        choices: request.n,
        base64: openai::embeddings::in_base64(request),
        input_tokens: request.input_tokens_estimate,
        envelope: record.envelope(target, request),
    };
    Way { stream: request.stream, passage }
}

/// One call to one target.
pub(super) async fn attempt(
    gateway: &Gateway,
    step: &Step,
    wishes: &Wishes,
    ask: Ask<'_>,
    record: &mut Record<'_>,
    by: Instant,
) -> Result<Answer, Failed> {
    let request = ask.asking.request();
    let target = &step.target;
    let Some((format, path)) = way(target, request) else { return Err(Failed::Answer(speechless(target, request))) };
    let shape = Shape { effort: step.effort, ..target.shape(format) };
    let encoded = aside(request.body.len(), || ask.asking.body(&shape));
    let Encoded { body, dropped } = encoded.map_err(Failed::Unsendable)?;
    record.dropped(dropped);
    let bytes_sent = body.len();
    let Some(place) = gateway.places.enter(target.id) else { return Err(Failed::Answer(full(target))) };
    let sent = Instant::now();
    record.sent(step, sent, bytes_sent, request);
    let passed = suited(&wishes.passed, format);
    let exchange = Exchange { path: &path, body, stream: request.stream, passed: &passed, from: sent, by: Some(by) };
    let (peer, tls_sha256);
    let result = match gateway.calls.call(target, &exchange).await {
        Ok(incoming) => {
            (peer, tls_sha256) = (Some(incoming.peer), incoming.tls_sha256());
            let passage = passage(target, format, request, record);
            read_until_content(step, incoming, place, passage, ask.keep).await
        }
        Err(failure) => {
            (peer, tls_sha256) = (failure.peer, failure.tls_sha256);
            Err(Failed::Exchange(failure))
        }
    };
    let elapsed = sent.elapsed();
    let attempt = over(step, result.as_ref().err(), (peer, tls_sha256), bytes_sent, elapsed);
    record.attempted(attempt, target.id);
    match &result {
        Ok(answer) => {
            record.first_token = Some(elapsed);
            gateway.health.record_success(target.id);
            if request.stream {
                gateway.latency.record(target.id, elapsed, Instant::now());
                record.awaits_answer(sent, &answer.content);
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

/// What is told of an attempt that is over. `failed`: how it failed, if it did.
fn over(
    step: &Step,
    failed: Option<&Failed>,
    (peer, tls_sha256): (Option<SocketAddr>, Option<[u8; 32]>),
    bytes_sent: usize,
    elapsed: Duration,
) -> Attempt {
    let (status, result) = match failed {
        None => (Some(200), "ok"),
        Some(Failed::Exchange(failure)) => (failure.status, failure.word()),
        Some(Failed::Inside(failure)) => (Some(200), failure.word()),
        Some(Failed::Answer(_) | Failed::Unsendable(_)) => (Some(200), "bad_answer"),
    };
    let bytes_sent = if UNSENT.contains(&result) { 0 } else { bytes_sent };
    let effort = step.effort.map(Effort::as_str);
    Attempt { target: step.target.name.clone(), effort, peer, tls_sha256, bytes_sent, status, result, elapsed }
}

async fn read_until_content(
    step: &Step,
    mut incoming: Incoming,
    place: Place,
    passage: Way,
    keep: bool,
) -> Result<Answer, Failed> {
    let target = &step.target;
    let content = if passage.stream {
        let mut relay = passage.passage.stream();
        if keep {
            relay.collect();
        }
        stream_until_content(target, &mut incoming, relay).await?
    } else {
        let body = incoming.whole(MAX_ANSWER).await?;
        let whole = aside(body.len(), || passage.passage.whole(body))
            .map_err(|error| Failed::of_answer(error, target, incoming.peer))?;
        Content::Whole(whole)
    };
    Ok(Answer { step: step.clone(), incoming, place, content, committed: false })
}

async fn stream_until_content(
    target: &Permitted<Arc<Target>>,
    incoming: &mut Incoming,
    relay: Relay,
) -> Result<Content, Failed> {
    let mut relay = Box::new(relay);
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

/// Asks a target how many tokens a Messages request has. Its answer goes to the client as it is.
pub(in crate::gateway) async fn counter(
    gateway: &Gateway,
    target: &Permitted<Arc<Target>>,
    wishes: &Wishes,
    request: &chat::Request,
    record: &mut Record<'_>,
) -> Result<Bytes, GatewayError> {
    if !record.is_welcome() {
        return Err(revoked());
    }
    let encoded = aside(request.body.len(), || anthropic::request::pass(request, &target.shape(Format::Messages)));
    let Encoded { body, dropped } = encoded;
    record.dropped(dropped);
    let bytes_sent = body.len();
    let Some(_place) = gateway.places.enter(target.id) else { return Err(full(target)) };
    let passed = suited(&wishes.passed, Format::Messages);
    let path = target.provider.native.counter.unwrap_or_default();
    let by = Instant::now() + target.provider.timeouts.total;
    let step = Step { target: target.clone(), effort: None, known: true };
    let sent = Instant::now();
    record.asks(&step, sent, bytes_sent);
    let exchange = Exchange { path, body, stream: false, passed: &passed, from: sent, by: Some(by) };
    let (peer, tls_sha256, counted) = match gateway.calls.call(target, &exchange).await {
        Ok(mut incoming) => {
            let body = incoming.whole(MAX_HELD).await.map_err(Failed::from);
            let (peer, tls_sha256) = (Some(incoming.peer), incoming.tls_sha256());
            incoming.release().await;
            let counted = match body {
                Ok(body) if anthropic::count::decode(&body).is_none() => {
                    Err(Failed::Answer(bad_answer(target, &"its count of tokens is none")))
                }
                body => body,
            };
            (peer, tls_sha256, counted)
        }
        Err(failure) => (failure.peer, failure.tls_sha256, Err(Failed::Exchange(failure))),
    };
    let attempt = over(&step, counted.as_ref().err(), (peer, tls_sha256), bytes_sent, sent.elapsed());
    record.attempted(attempt, target.id);
    // Counting is free, and whoever counts is no answer's target.
    record.not_answered();
    counted.map_err(|failed| failed.into_error(target))
}
