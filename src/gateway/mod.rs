//! The request path, told from top to bottom.
//!
//! [`serve`] finds the operation; [`answer`] is the life of a chat request. Each step takes a value that only the step
//! before can make, so the order cannot be got wrong: no upstream can be called without a target that `constrain` has
//! permitted, and nothing is permitted before the principal is known.

mod asked;
mod build;
mod call;
mod client;
mod decide;
mod error;
mod headers;
mod other;
mod record;
mod relay;

use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, Method, StatusCode};

pub use self::build::{BuildError, classifier_settings};
pub use self::client::{BodyError, Client, HungUp};
pub use self::error::{Code, GatewayError};
use self::headers::{CacheWish, Notes, ServedBy, Wishes};
pub use self::other::{Question, explain};
use self::record::Record;
use crate::auth::{Authenticator, Principal};
use crate::cache::Cache;
use crate::chat;
use crate::classify::Classifier;
use crate::config::{Config, Permission};
use crate::id::TargetId;
use crate::ledger::Decisions;
use crate::limit::{Admitted, Limiter, RateLimit};
use crate::policy::{Policies, labels};
use crate::route::{Health, Observed};
use crate::telemetry::{Metrics, RequestLog};
use crate::upstream::Calls;
use crate::wire::openai;

/// One gateway instance: everything the request path needs, shared by all requests.
pub struct Gateway {
    config: Arc<Config>,
    policies: Policies,
    labels: Arc<labels::Declared>,
    auth: Authenticator,
    limiter: Limiter,
    classifier: Classifier,
    cache: Cache,
    calls: Calls,
    latency: Observed,
    health: Health,
    metrics: Metrics,
    decisions: Decisions,
    log: RequestLog,
    all_targets: Vec<TargetId>,
    served_by: Vec<ServedBy>,
    config_hash: Arc<str>,
    classifier_hash: Arc<str>,
}

/// Why the path of a request ends before its answer.
#[derive(Debug)]
enum Stop {
    /// The client is told why.
    Refused(GatewayError),
    /// Nobody is there to be told, or the answer is already cut off.
    HungUp,
}

/// Answers one request on the data listener.
///
/// # Errors
/// The client is gone, or its answer was cut off: the connection cannot be used again.
pub async fn serve<C: Client>(gateway: &Gateway, client: &mut C) -> Result<(), HungUp> {
    let head = client.head();
    let (method, path) = (head.method.clone(), head.uri.path().to_owned());
    match (method, path.as_str()) {
        (Method::POST, "/v1/chat/completions") => chat(gateway, client).await,
        (Method::POST, "/v1/route") => other::route(gateway, client).await,
        (Method::GET, "/v1/models") => other::models(gateway, client).await,
        (Method::GET, path) if path.starts_with("/v1/models/") => other::model(gateway, client).await,
        (Method::GET, path) if path.starts_with("/v1/decisions/") => other::decision(gateway, client).await,
        (Method::OPTIONS, _) => {
            let headers = headers::preflight(&client.head().headers);
            client.respond(StatusCode::NO_CONTENT, headers, bytes::Bytes::new()).await
        }
        (_, "/v1/chat/completions" | "/v1/route" | "/v1/models") => {
            refuse(client, &GatewayError::new(Code::MethodNotAllowed, "this path takes another method"), &Notes::default()).await
        }
        (_, path) => refuse(client, &not_served(path), &Notes::default()).await,
    }
}

/// A chat completion: answered, or refused in the client's own shape.
async fn chat<C: Client>(gateway: &Gateway, client: &mut C) -> Result<(), HungUp> {
    let started = Instant::now();
    let request_id = headers::request_id(&client.head().headers);
    let principal = match authenticate(gateway, client).await {
        Ok(principal) => principal,
        Err(Stop::HungUp) => return Err(HungUp),
        Err(Stop::Refused(error)) => {
            let notes = Notes { request_id: Some(&request_id), ..Notes::default() };
            return refuse(client, &error, &notes).await;
        }
    };
    let mut record = Record::begin(gateway, Arc::clone(&principal), request_id, started);
    let mut rate = None;
    match answer(gateway, client, &principal, &mut record, &mut rate).await {
        Ok(()) => Ok(()),
        Err(Stop::HungUp) => Err(HungUp),
        Err(Stop::Refused(error)) => {
            record.failed(&error);
            let notes = Notes { rate, overhead: Some(record.overhead()), ..record.notes() };
            refuse(client, &error, &notes).await
        }
    }
}

/// The path of a request, one step a line.
async fn answer<C: Client>(
    gateway: &Gateway,
    client: &mut C,
    principal: &Principal,
    record: &mut Record<'_>,
    rate: &mut Option<RateLimit>,
) -> Result<(), Stop> {
    let _permit = admit(gateway, principal, rate)?;
    let wishes = Wishes::read(&client.head().headers)?;
    let (request, _held) = decode(gateway, client, record).await?;
    let constrained = decide::constrain(gateway, principal, &wishes, &request, record)?;
    let cached = look_up(gateway, client, &constrained, &wishes, &request, record).await?;
    let store_as = match cached {
        Cached::Hit(entry) => return relay::cached(client, &entry, &request, record, *rate).await,
        Cached::Miss(key) => Some(key),
        Cached::Bypassed => None,
    };
    let score = classify(gateway, client, &constrained, &request, record).await?;
    let plan = decide::choose(gateway, &constrained, score, &wishes, &request, record)?;
    let answer = call::until_content(gateway, client, &plan, &wishes, &request, record).await?;
    let whole = relay::answer(gateway, client, answer, &request, record, *rate).await?;
    store(gateway, store_as, whole, record);
    Ok(())
}

/// Head → who is asking. A bad key costs microseconds and reaches no store.
async fn authenticate<C: Client>(gateway: &Gateway, client: &mut C) -> Result<Arc<Principal>, Stop> {
    let loopback = client.address().is_some_and(|address| address.is_loopback());
    let given = headers::credentials(&client.head().headers, loopback);
    gateway.auth.authenticate(given).await.map_err(|error| {
        tracing::debug!(reason = error.reason(), "a credential was refused");
        GatewayError::new(Code::InvalidApiKey, error.to_string()).into()
    })
}

/// Who is asking → the right to run one request, which returns itself on drop.
fn admit(gateway: &Gateway, principal: &Principal, rate: &mut Option<RateLimit>) -> Result<Admitted, Stop> {
    match gateway.limiter.admit(&principal.tenant.name, principal.key.as_ref()) {
        Ok(admitted) => {
            *rate = admitted.headers;
            Ok(admitted)
        }
        Err(error) => {
            *rate = error.headers();
            Err(GatewayError::new(Code::RateLimitExceeded, error.to_string()).retry_after(error.retry_after()).into())
        }
    }
}
