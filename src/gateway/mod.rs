//! The request path, told from top to bottom.
//!
//! [`serve`] finds the operation; [`answer`] is the life of a request for a model's answer, whatever format it speaks.
//! Each step takes a value that only the step before can make, so the order cannot be got wrong: no upstream can be called
//! without a target that `constrain` has permitted, and nothing is permitted before the principal is known.

mod asked;
mod build;
mod cached;
mod calibrated;
mod call;
mod choose;
mod client;
mod count;
mod decide;
mod decode;
mod detect;
mod error;
mod feedback;
mod headers;
mod known;
mod lasting;
mod listed;
mod other;
mod pins;
mod recent;
mod record;
mod rehearse;
mod relay;
mod routes;
mod status;
mod steps;
mod timed;

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, Method, StatusCode};

pub use self::build::{BuildError, classifier_settings};
use self::cached::Lookup;
pub use self::calibrated::{ByStage, Calibrated, Forecast, LoadError, lengths};
use self::call::Ask;
pub use self::client::{BodyError, Client, HungUp};
pub use self::error::{Code, GatewayError};
pub use self::headers::was_forwarded;
use self::headers::{Notes, ServedBy, Wishes};
use self::pins::Pins;
use self::recent::Recent;
use self::record::Record;
pub use self::rehearse::{Past, PastPrompt, Question, decide_again, explain};
use self::routes::{Found, Serves, find};
pub use self::routes::{ROUTES, Route};
pub use self::status::{PolicyStatus, TargetStatus};
#[doc(hidden)]
pub use self::timed::Timed;
use crate::auth::{Authenticator, Principal};
use crate::cache::Cache;
use crate::chat::Format;
use crate::classify::Classifier;
use crate::config::Config;
use crate::detect::Detectors;
use crate::id::RequestId;
use crate::ledger::Decisions;
use crate::limit::{Admitted, Limiter, RateLimit};
use crate::policy::Policies;
use crate::route::health::Health;
use crate::route::inflight::InFlight;
use crate::route::latency::Observed;
use crate::route::lengths::Lengths;
use crate::store::Redis;
use crate::telemetry::{Metrics, RequestLog};
use crate::upstream::Upstreams;
use crate::wire::ask::Asking;

/// A gateway under one configuration: everything the request path needs, shared by all requests that begin under it.
/// Another configuration makes another one, which [takes over](Gateway::take_over) what has been seen so far.
pub struct Gateway {
    config: Arc<Config>,
    policies: Policies,
    auth: Authenticator,
    limiter: Limiter,
    detectors: Detectors,
    classifier: Classifier,
    store: Option<Redis>,
    cache: Arc<Cache>,
    calls: Arc<Upstreams>,
    latency: Observed,
    lengths: Lengths,
    health: Health,
    places: InFlight,
    pins: Pins,
    recent: Arc<Recent>,
    calibrated: Option<Calibrated>,
    metrics: Metrics,
    decisions: Decisions,
    log: RequestLog,
    served_by: Vec<ServedBy>,
    config_hash: Arc<str>,
}

/// Why the path of a request ends before its answer.
#[derive(Debug)]
enum Stop {
    /// The client is told why.
    Refused(GatewayError),
    /// The client has been told, inside a stream that had begun.
    Told(GatewayError),
    /// Nobody is there to be told.
    HungUp,
}

/// Answers one request on the data listener.
///
/// # Errors
/// The client is gone, or its answer was cut off: the connection cannot be used again.
pub async fn serve<C: Client>(gateway: &Gateway, client: &mut C) -> Result<(), HungUp> {
    let head = client.head();
    if head.method == Method::OPTIONS {
        let headers = headers::preflight(&head.headers);
        return client.respond(StatusCode::NO_CONTENT, headers, bytes::Bytes::new()).await;
    }
    let path = head.uri.path();
    let asked = match find(&head.method, path) {
        Found::Served(Serves::Answer(format), _) => return ask(gateway, client, format).await,
        Found::Served(Serves::Count, _) => return count::serve(gateway, client).await,
        Found::Served(Serves::Models, _) => other::Asked::Models,
        Found::Served(Serves::Model, id) => other::Asked::Model(other::decoded(id)),
        Found::Served(Serves::Decision, id) => other::Asked::Decision(other::decoded(id)),
        Found::Served(Serves::DryRun, _) => other::Asked::DryRun,
        Found::Served(Serves::Feedback, _) => other::Asked::Feedback,
        Found::OtherMethod => {
            other::Asked::Nothing(GatewayError::new(Code::MethodNotAllowed, "this path takes another method"))
        }
        Found::Nothing => other::Asked::Nothing(not_served(path)),
    };
    other::serve(gateway, client, asked).await
}

/// A request for a model's answer: answered, or refused in the client's own shape.
async fn ask<C: Client>(gateway: &Gateway, client: &mut C, format: Format) -> Result<(), HungUp> {
    let started = Instant::now();
    let request_id = headers::request_id(&client.head().headers);
    let principal = match authenticate(gateway, client).await {
        Ok(principal) => principal,
        Err(error) => {
            // Nobody is known: there is a line in the log, but nobody's record.
            other::log(gateway, &request_id, format.as_str(), Some(&error), started);
            let notes = Notes { request_id: Some(&request_id), ..Notes::default() };
            return refuse(client, &error, format, &request_id, &notes).await;
        }
    };
    let mut record = Record::begin(gateway, Arc::clone(&principal), format.as_str(), request_id, started);
    let mut rate = None;
    match answer(gateway, client, format, &principal, &mut record, &mut rate).await {
        Ok(()) => Ok(()),
        Err(Stop::HungUp) => Err(HungUp),
        Err(Stop::Told(error)) => {
            record.failed(&error);
            Ok(())
        }
        Err(Stop::Refused(error)) => {
            record.failed(&error);
            let notes = Notes { rate, overhead: Some(record.overhead()), ..record.notes() };
            refuse(client, &error, format, &record.request_id, &notes).await
        }
    }
}

/// The path of a request, one step a line.
async fn answer<'g, C: Client>(
    gateway: &'g Gateway,
    client: &mut C,
    format: Format,
    principal: &Principal,
    record: &mut Record<'g>,
    rate: &mut Option<RateLimit>,
) -> Result<(), Stop> {
    let _permit = admit(gateway, principal, rate)?;
    let wishes = Wishes::read(&client.head().headers)?;
    let decoded = decode::request(gateway, client, format, record).await?;
    let request = &decoded.request;
    let detected = detect::detect(gateway, principal, request, record);
    let constrained = decide::constrain(gateway, principal, &wishes, request, &detected, record)?;
    let lookup = while_there(client, cached::look_up(gateway, &constrained, &wishes, request)).await?;
    record.cache = Some(lookup.word());
    let slot = match lookup {
        Lookup::Hit(hit) => return relay::cached(client, &hit, request, record, *rate).await,
        Lookup::Miss(slot) => Some(slot),
        Lookup::Bypass => None,
    };
    let score = while_there(client, decide::classify(gateway, &constrained, request)).await?;
    let plan = decide::choose(gateway, &constrained, score.as_ref(), &wishes, request, record)?;
    let asking = Asking::new(request);
    let ask = Ask { asking: &asking, keep: slot.is_some() };
    let answer = call::until_content(gateway, client, &plan, &wishes, ask, record, *rate).await?;
    decide::pin(gateway, &constrained, request, &answer.step);
    let kept = relay::answer(gateway, client, answer, record, *rate, slot.is_some()).await?;
    cached::store(gateway, slot, kept);
    Ok(())
}

/// Waits for a step as long as the client waits for us.
async fn while_there<C: Client, T>(client: &mut C, step: impl Future<Output = T>) -> Result<T, HungUp> {
    tokio::select! {
        biased;
        done = step => Ok(done),
        () = client.gone() => Err(HungUp),
    }
}

/// Head → who is asking. A bad key costs microseconds and reaches no store.
async fn authenticate<C: Client>(gateway: &Gateway, client: &mut C) -> Result<Arc<Principal>, GatewayError> {
    let loopback = client.address().is_some_and(|address| address.is_loopback());
    let given = headers::credentials(&client.head().headers, loopback)?;
    gateway.auth.authenticate(given).await.map_err(|error| {
        tracing::debug!(reason = error.reason(), "a credential was refused");
        GatewayError::new(Code::InvalidApiKey, error.to_string())
    })
}

/// Who is asking → the right to run one request, which returns itself on drop.
fn admit(gateway: &Gateway, principal: &Principal, rate: &mut Option<RateLimit>) -> Result<Admitted, GatewayError> {
    match gateway.limiter.admit(&principal.tenant.name, principal.key.as_ref()) {
        Ok(admitted) => {
            *rate = admitted.headers;
            Ok(admitted)
        }
        Err(error) => {
            *rate = error.headers();
            Err(GatewayError::new(Code::RateLimitExceeded, error.to_string()).retry_after(error.retry_after()))
        }
    }
}

/// Tells the client why not.
async fn refuse<C: Client>(
    client: &mut C,
    error: &GatewayError,
    format: Format,
    request_id: &RequestId,
    notes: &Notes<'_>,
) -> Result<(), HungUp> {
    let mut headers = HeaderMap::with_capacity(12);
    error.write_headers(&mut headers);
    notes.write(&mut headers);
    headers::allow_origin(&client.head().headers, &mut headers);
    client.respond(error.code.status(), headers, error.body(format, request_id)).await
}

fn not_served(path: &str) -> GatewayError {
    if path.starts_with("/v1/") {
        return GatewayError::new(Code::NotProxied, "this operation is not proxied; see GET /v1/models and the README");
    }
    GatewayError::new(Code::NotFound, "the API is under /v1: set the SDK's base_url to http://HOST:PORT/v1")
}

impl Gateway {
    /// The configuration it runs on.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Its metrics.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        self.metrics.store_up(self.store_is_up());
        &self.metrics
    }

    /// Whether the store answers; a gateway without one has nothing that could be down.
    #[must_use]
    pub fn store_is_up(&self) -> bool {
        self.store.as_ref().is_none_or(Redis::is_up)
    }

    /// Name of the difficulty model in use.
    #[must_use]
    pub fn classifier_name(&self) -> &str {
        self.classifier.name()
    }

    /// Names of a policy's rules, in order.
    #[must_use]
    pub fn rule_names(&self, policy: &str) -> Vec<&str> {
        let rules = self.policies.get(policy).map(|policy| policy.rules.as_slice()).unwrap_or_default();
        rules.iter().map(|rule| rule.name.as_str()).collect()
    }

    /// Writes out what is still in memory; for the end of the process.
    pub fn close(&self) {
        self.log.close();
        self.decisions.close();
    }
}

impl From<GatewayError> for Stop {
    fn from(error: GatewayError) -> Self {
        Self::Refused(error)
    }
}

impl From<HungUp> for Stop {
    fn from(_: HungUp) -> Self {
        Self::HungUp
    }
}
