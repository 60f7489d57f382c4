//! From the plan to the first content: attempts, retries and fallback, unseen by the client.
//!
//! Nothing reaches the client until an upstream has given content (the first text, reasoning or tool delta; for whole
//! answers, the answer), so a failure can be retried or moved to the next target. Only when that takes longer than
//! `streaming.commit_after` does a stream begin with comment pings, which no client shows.

mod attempt;
mod failed;

use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::sleep_until;

use self::attempt::attempt;
pub(super) use self::attempt::counter;
pub(super) use self::failed::bad_answer;
use self::failed::{Failed, revoked};
use super::client::Client;
use super::decide::{Step, Steps};
use super::error::{Code, GatewayError};
use super::headers::Wishes;
use super::record::Record;
use super::{Gateway, Stop, relay};
use crate::limit::RateLimit;
use crate::route::inflight::Place;
use crate::upstream::Incoming;
use crate::upstream::retry::{Next, next};
use crate::wire::ask::Asking;
use crate::wire::passage::{Relay, Whole};

const PING: Bytes = Bytes::from_static(b": ping\n\n");

/// What is asked, of whomever.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    /// The request on its way to any number of targets.
    pub(super) asking: &'a Asking<'a>,
    /// Whether the answer is to be kept whole.
    pub(super) keep: bool,
}

/// An upstream's answer, as far as its first content.
pub(super) struct Answer {
    pub(super) step: Step,
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
    Whole(Whole),
    /// A stream up to its first content; `over` if that was all.
    Stream { relay: Box<Relay>, held: Vec<Bytes>, over: bool },
}

/// Calls the plan's targets in order until one gives content, while the client is there to want it.
pub(super) async fn until_content<C: Client>(
    gateway: &Gateway,
    client: &mut C,
    plan: &Steps<'_>,
    wishes: &Wishes,
    ask: Ask<'_>,
    record: &mut Record<'_>,
    rate: Option<RateLimit>,
) -> Result<Answer, Stop> {
    let request = ask.asking.request();
    gateway.calls.budget.deposit();
    let streaming = gateway.config.streaming;
    let mut committed = false;
    // Only a stream can begin before it is known who will answer.
    let (mut ping_at, mut begun) = (None, HeaderMap::new());
    if request.stream {
        ping_at = Some(tokio::time::Instant::now() + streaming.commit_after);
        begun = relay::early_headers(client, record, rate);
    }
    let outcome = {
        let attempts = attempts(gateway, plan, wishes, ask, record);
        tokio::pin!(attempts);
        loop {
            tokio::select! {
                biased;
                outcome = &mut attempts => break outcome,
                () = client.gone() => return Err(Stop::HungUp),
                Some(at) = ping(ping_at) => {
                    if !committed {
                        client.start(http::StatusCode::OK, std::mem::take(&mut begun)).await?;
                        committed = true;
                    }
                    client.write(PING).await?;
                    ping_at = Some(at + streaming.ping);
                }
            }
        }
    };
    match outcome {
        Ok(answer) => Ok(Answer { committed, ..answer }),
        Err(error) if committed => {
            // The status is long sent: the failure is told in band.
            let told = error.event(request.format, record.early_envelope(request), &record.request_id);
            relay::end_with(client, told).await?;
            Err(Stop::Told(error))
        }
        Err(error) => Err(error.into()),
    }
}

/// Waits until then; `None`: for nothing.
async fn ping(at: Option<tokio::time::Instant>) -> Option<tokio::time::Instant> {
    sleep_until(at?).await;
    at
}

async fn attempts(
    gateway: &Gateway,
    plan: &Steps<'_>,
    wishes: &Wishes,
    ask: Ask<'_>,
    record: &mut Record<'_>,
) -> Result<Answer, GatewayError> {
    let mut last = None;
    for (place, step) in plan.iter().enumerate() {
        let target = &step.target;
        if place > 0 {
            record.reason = Some("fallback");
        }
        let mut tries = 0;
        // The provider's total time is for all tries at a target together.
        let by = Instant::now() + target.provider.timeouts.total;
        loop {
            tries += 1;
            if !record.is_welcome() {
                return Err(revoked());
            }
            let failed = match attempt(gateway, &step, wishes, ask, record, by).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let left = by.saturating_duration_since(Instant::now());
            let then = match &failed {
                Failed::Exchange(failure) | Failed::Inside(failure) => {
                    next(failure, tries, gateway.calls.retry, &gateway.calls.budget, left, rand::random())
                }
                Failed::Answer(_) | Failed::Unsendable(_) => Next::FallBack,
            };
            // That a target has no words for the request tells the client less than how another one failed.
            let untold = matches!(failed, Failed::Unsendable(_)) && last.is_some();
            let error = failed.into_error(target);
            if !untold {
                last = Some(error.clone());
            }
            match then {
                Next::Retry(wait) => {
                    tokio::time::sleep(wait).await;
                    record.waited(wait);
                }
                Next::FallBack => break,
                Next::GiveUp => return Err(error),
            }
        }
    }
    Err(last.unwrap_or_else(|| GatewayError::new(Code::NoHealthyTarget, "no target is left to ask")))
}
