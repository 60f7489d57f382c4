//! `POST /v1/messages/count_tokens`: how many tokens a request has, before it is sent.
//!
//! A named model is asked itself where its provider counts, after policy: to count is to send the prompt there. For
//! `auto`, and for models whose provider does not count, the gateway's own tokenizer estimates and says so.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::client::{Client, HungUp};
use super::decode::aside;
use super::headers::{Notes, Wishes};
use super::record::Record;
use super::{Gateway, Stop, admit, authenticate, call, decide, decode, detect, headers, other, refuse, while_there};
use crate::auth::Principal;
use crate::chat::{Format, Request};
use crate::config::{Meant, Target};
use crate::limit::RateLimit;
use crate::policy::Permitted;
use crate::wire::{anthropic, ask, tokens};

/// Its word in records and logs.
const OPERATION: &str = "count_tokens";

/// Tokens that a message takes beside its text, roughly: role and marks.
const PER_MESSAGE: u64 = 4;

/// A count, and how it came about.
struct Count {
    body: Bytes,
    estimated: bool,
}

pub(super) async fn serve<C: Client>(gateway: &Gateway, client: &mut C) -> Result<(), HungUp> {
    let started = Instant::now();
    let request_id = headers::request_id(&client.head().headers);
    let principal = match authenticate(gateway, client).await {
        Ok(principal) => principal,
        Err(error) => {
            other::log(gateway, &request_id, OPERATION, Some(&error), started);
            let notes = Notes { request_id: Some(&request_id), ..Notes::default() };
            return refuse(client, &error, Format::Messages, &request_id, &notes).await;
        }
    };
    let mut record = Record::begin(gateway, Arc::clone(&principal), OPERATION, request_id, started);
    let mut rate = None;
    match count(gateway, client, &principal, &mut record, &mut rate).await {
        Ok(count) => {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Notes { rate, estimated: count.estimated, ..record.notes() }.write(&mut headers);
            headers::allow_origin(&client.head().headers, &mut headers);
            let writing = Instant::now();
            let written = client.respond(StatusCode::OK, headers, count.body).await;
            record.waited(writing.elapsed());
            written?;
            record.completed();
            Ok(())
        }
        Err(Stop::HungUp) => Err(HungUp),
        Err(Stop::Refused(error) | Stop::Told(error)) => {
            record.failed(&error);
            let notes = Notes { rate, ..record.notes() };
            refuse(client, &error, Format::Messages, &record.request_id, &notes).await
        }
    }
}

async fn count<'g, C: Client>(
    gateway: &'g Gateway,
    client: &mut C,
    principal: &Principal,
    record: &mut Record<'g>,
    rate: &mut Option<RateLimit>,
) -> Result<Count, Stop> {
    let _permit = admit(gateway, principal, rate)?;
    let wishes = Wishes::read(&client.head().headers)?;
    let decoded = decode::body(gateway, client, record, anthropic::request::judge_count).await?;
    let request = &decoded.request;
    let detected = detect::detect(gateway, principal, request, record);
    let constrained = decide::constrain(gateway, principal, &wishes, request, &detected, record)?;
    if constrained.asked.meant == Meant::Auto {
        return Ok(aside(request.body.len(), || estimated(request)));
    }
    let first = constrained.allowed.permitted().next().and_then(|id| constrained.allowed.permit(id));
    match first.filter(counts) {
        Some(target) => {
            let asked = call::counter(gateway, &target, &wishes, request, record);
            let body = while_there(client, asked).await??;
            Ok(Count { body, estimated: false })
        }
        None => Ok(aside(request.body.len(), || estimated(request))),
    }
}

/// Whether the target's provider counts in this format.
fn counts(target: &Permitted<Arc<Target>>) -> bool {
    target.provider.native.counter.is_some() && target.format_for(Format::Messages) == Some(Format::Messages)
}

fn estimated(request: &Request) -> Count {
    let texts = ask::prompt(request);
    let bytes: usize = texts.iter().map(|text| text.text.len()).sum();
    // What is no message (tools and their schemas) is counted by its bytes.
    let beside = request.input_tokens_estimate.saturating_sub(bytes as u64 / 4);
    let said: u64 = texts.iter().map(|text| tokens::count(&text.text) + PER_MESSAGE).sum();
    Count { body: anthropic::count::body(said + beside), estimated: true }
}
