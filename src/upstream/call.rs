//! One exchange with one target: which endpoint and credential, which headers, and what a failure means.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use super::client::{Call, Client, Incoming};
use super::error::{CallError, ClientError};
use super::failure::Failure;
use super::forwarded::FORWARDED;
use super::line::{self, Line};
use super::retry::Budget;
use crate::config::{Config, Provider, Retry, Target, Timeouts};
use crate::policy::Permitted;

/// Most of an error body that is read.
const ERROR_BODY: usize = 64 << 10;

/// How long an error body may take: the status already says the most of it.
const ERROR_WAIT: Duration = Duration::from_secs(5);

/// A provider of one configuration, and the line to it, which may be older.
type Served = (Arc<Provider>, Arc<Line>);

/// The way to every provider of one configuration.
pub struct Upstreams {
    client: Client,
    /// One per provider, in the order of the configuration.
    lines: Vec<Served>,
    /// Shared by all requests.
    pub budget: Arc<Budget>,
    /// As configured.
    pub retry: Retry,
}

/// What is sent, whoever gets it.
pub struct Exchange<'a> {
    /// The native path below the endpoint: one of those that the target's kind has.
    pub path: &'a str,
    /// The body for this target, its own model name in it.
    pub body: Bytes,
    /// Whether a stream is asked for. A whole answer sends no byte before it is complete, so only `total` bounds it.
    pub stream: bool,
    /// The client's headers that go on: what [`forwarded`](super::forwarded()) took from them.
    pub passed: &'a [(HeaderName, HeaderValue)],
    /// When it begins: now.
    pub from: Instant,
    /// When all tries at this target must be over.
    pub by: Option<Instant>,
}

impl Upstreams {
    /// The ways to the providers of this configuration.
    ///
    /// # Errors
    /// Root certificates or credentials that cannot be used.
    pub fn new(config: &Config) -> Result<Self, ClientError> {
        Self::with(Client::new(config)?, &config.providers, &config.targets, config.retry)
    }

    /// The ways of another configuration. Those to providers that it leaves as they are stay, with their connections.
    ///
    /// # Errors
    /// As of [`Self::new`].
    pub fn renewed(&self, config: &Config) -> Result<Self, ClientError> {
        let client = self.client.renewed(config)?;
        let kept: &[_] = if client.shares_connections(&self.client) { &self.lines } else { &[] };
        let lines = lines(&client, &config.providers, &config.targets, kept)?;
        let budget =
            if self.retry == config.retry { Arc::clone(&self.budget) } else { Arc::new(Budget::new(config.retry)) };
        Ok(Self { client, lines, budget, retry: config.retry })
    }

    fn with(
        client: Client,
        providers: &[Arc<Provider>],
        targets: &[Arc<Target>],
        retry: Retry,
    ) -> Result<Self, ClientError> {
        let lines = lines(&client, providers, targets, &[])?;
        Ok(Self { client, lines, budget: Arc::new(Budget::new(retry)), retry })
    }

    /// The client itself, for what is not a model's answer.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends the exchange to one target, once. `Ok` is an answer with status 2xx; its body is the caller's to read.
    ///
    /// # Errors
    /// Everything else, judged: see [`Failure`].
    pub async fn call(&self, target: &Permitted<Arc<Target>>, exchange: &Exchange<'_>) -> Result<Incoming, Failure> {
        self.exchange(target, exchange).await
    }

    async fn exchange(&self, target: &Target, exchange: &Exchange<'_>) -> Result<Incoming, Failure> {
        let missing = || Failure::of_call(CallError::HostNotAllowed);
        let line = self.line(&target.provider).ok_or_else(missing)?;
        let place = line.endpoint().ok_or_else(missing)?;
        let call = Call {
            opening: line.opening(place, exchange.path).ok_or_else(missing)?,
            own: exchange.passed,
            body: exchange.body.clone(),
            timeouts: limits(target.provider.timeouts, exchange),
        };
        let result = match self.client.send(&place.way, call, exchange.from).await {
            Ok(incoming) if (200..300).contains(&incoming.status) => Ok(incoming),
            Ok(incoming) => Err(Box::pin(refused(incoming)).await),
            Err(error) => Err(Failure::of_call(error)),
        };
        match &result {
            Err(failure) if failure.endpoint_down() => line.failed(place),
            _ => line.worked(place),
        }
        result
    }

    /// The line of a provider. Providers are few and shared by their targets, so the same one is found soonest by its
    /// place in memory.
    fn line(&self, provider: &Arc<Provider>) -> Option<&Line> {
        let same = self.lines.iter().find(|(served, _)| Arc::ptr_eq(served, provider));
        let found = same.or_else(|| self.lines.iter().find(|(served, _)| served.name == provider.name));
        found.map(|(_, line)| &**line)
    }
}

/// A line for every provider: the one that was there before, if nothing has changed for it.
fn lines(
    client: &Client,
    providers: &[Arc<Provider>],
    targets: &[Arc<Target>],
    before: &[Served],
) -> Result<Vec<Served>, ClientError> {
    let mut lines = Vec::with_capacity(providers.len());
    for provider in providers {
        let served = targets.iter().filter(|target| target.provider.name == provider.name);
        let paths = line::paths(provider.native, served.map(|target| target.upstream.as_str()));
        let line = match before.iter().find(|(_, line)| line.is_for(provider, &paths)) {
            Some((_, line)) => Arc::clone(line),
            None => Arc::new(Line::new(client, provider, paths)?),
        };
        lines.push((Arc::clone(provider), line));
    }
    Ok(lines)
}

/// The provider's own id of the request, for `x-waypost-upstream-id`.
#[must_use]
pub fn upstream_id(headers: &HeaderMap) -> Option<&HeaderValue> {
    // One walk instead of two look-ups: answers have few headers, and most of them neither of these.
    let mut other = None;
    for (name, value) in headers {
        match name.as_str() {
            "x-request-id" => return Some(value).filter(|id| id.len() <= FORWARDED),
            "request-id" if other.is_none() => other = Some(value),
            _ => {}
        }
    }
    other.filter(|id| id.len() <= FORWARDED)
}

fn limits(timeouts: Timeouts, exchange: &Exchange<'_>) -> Timeouts {
    let left = exchange.by.map_or(timeouts.total, |by| by.saturating_duration_since(exchange.from));
    let total = timeouts.total.min(left);
    let first_token = if exchange.stream { timeouts.first_token } else { total };
    Timeouts { first_token, total, ..timeouts }
}

async fn refused(mut incoming: Incoming) -> Failure {
    let read = tokio::time::timeout(ERROR_WAIT, incoming.whole(ERROR_BODY)).await;
    let body = read.ok().and_then(Result::ok).unwrap_or_default();
    let mut failure = Failure::of_status(incoming.status, incoming.headers(), &body, incoming.peer, SystemTime::now());
    failure.tls_sha256 = incoming.tls_sha256();
    incoming.release().await;
    failure
}

#[cfg(test)]
mod tests;
