//! One provider as calls see it: its endpoints and credentials in turn, endpoints that just failed last.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method};

use super::client::{Client, Opening, Way};
use super::error::{CallError, ClientError};
use crate::catalog::{KeyHeader, Kind};
use crate::chat::Format;
use crate::config::{Endpoint, Provider};

/// How long an endpoint that failed is passed over while others are left.
const REST: Duration = Duration::from_secs(5);

const JSON: (HeaderName, HeaderValue) = (CONTENT_TYPE, HeaderValue::from_static("application/json"));

/// The way to one provider.
pub(super) struct Line {
    provider: Arc<Provider>,
    /// Every native path that a request may take, in the order of each place's openings.
    paths: Vec<Cow<'static, str>>,
    endpoints: Vec<Place>,
    next_credential: AtomicUsize,
    next_endpoint: AtomicUsize,
    began: Instant,
}

/// One endpoint of a provider.
pub(super) struct Place {
    pub(super) way: Way,
    /// How a request begins: for each path one per credential, or one without where there is none.
    openings: Vec<Vec<Opening>>,
    /// Milliseconds since the line began until which it rests; 0: it is well.
    resting: AtomicU64,
}

impl Line {
    /// The way to a provider on these native paths.
    pub(super) fn new(
        client: &Client,
        provider: &Arc<Provider>,
        paths: Vec<Cow<'static, str>>,
    ) -> Result<Self, ClientError> {
        let headers = headers(provider)?;
        let group = client.new_group();
        let mut endpoints = Vec::with_capacity(provider.endpoints.len());
        for endpoint in &provider.endpoints {
            let place = Place::new(client, endpoint, group, &headers, &paths);
            endpoints.push(place.map_err(|cause| ClientError::Endpoint { provider: provider.name.clone(), cause })?);
        }
        Ok(Self {
            provider: Arc::clone(provider),
            paths,
            endpoints,
            next_credential: AtomicUsize::new(0),
            next_endpoint: AtomicUsize::new(0),
            began: Instant::now(),
        })
    }

    /// Whether a line made for this provider and these paths would be the same.
    pub(super) fn is_for(&self, provider: &Provider, paths: &[Cow<'static, str>]) -> bool {
        let Provider { name, kind, endpoints, credentials, .. } = &*self.provider;
        (name, kind, endpoints) == (&provider.name, &provider.kind, &provider.endpoints)
            && *credentials == provider.credentials
            && self.paths == paths
    }

    /// The next endpoint in turn that did not just fail; where all did, the next in turn. `None`: there is none.
    pub(super) fn endpoint(&self) -> Option<&Place> {
        match self.endpoints.len() {
            0 | 1 => self.endpoints.first(),
            count => self.endpoints.get(self.turn(count, self.now())),
        }
    }

    fn turn(&self, count: usize, now: u64) -> usize {
        let first = self.next_endpoint.fetch_add(1, Ordering::Relaxed) % count;
        let well = |index: &usize| self.endpoints[*index].resting.load(Ordering::Relaxed) <= now;
        (first..count).chain(0..first).find(well).unwrap_or(first)
    }

    /// The next credential in turn, as how a request to this endpoint on this native path begins.
    pub(super) fn opening<'p>(&self, place: &'p Place, path: &str) -> Option<&'p Opening> {
        let openings = place.openings.get(self.paths.iter().position(|known| known == path)?)?;
        match openings.len() {
            0 | 1 => openings.first(),
            count => openings.get(self.next_credential.fetch_add(1, Ordering::Relaxed) % count),
        }
    }

    pub(super) fn failed(&self, place: &Place) {
        let rest = u64::try_from(REST.as_millis()).unwrap_or(u64::MAX);
        place.resting.store(self.now() + rest, Ordering::Relaxed);
    }

    pub(super) fn worked(&self, place: &Place) {
        if place.resting.load(Ordering::Relaxed) != 0 {
            place.resting.store(0, Ordering::Relaxed);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Place {
    fn new(
        client: &Client,
        endpoint: &Endpoint,
        group: u64,
        headers: &[Vec<(HeaderName, HeaderValue)>],
        paths: &[Cow<'static, str>],
    ) -> Result<Self, CallError> {
        let way = client.way(endpoint.clone(), group)?;
        let mut openings = Vec::with_capacity(paths.len());
        for path in paths {
            let path = Kind::under(&endpoint.prefix, path);
            let each = headers.iter().map(|headers| way.opening(Method::POST, &path, headers));
            openings.push(each.collect::<Result<_, _>>()?);
        }
        Ok(Self { openings, way, resting: AtomicU64::new(0) })
    }
}

/// Every native path of a kind that requests for these models can take.
pub(super) fn paths<'m>(kind: &'static Kind, models: impl Iterator<Item = &'m str>) -> Vec<Cow<'static, str>> {
    let mut paths: Vec<Cow<'static, str>> = kind.counter.map(Cow::Borrowed).into_iter().collect();
    for model in models {
        for format in Format::ALL {
            for stream in [false, true] {
                let path = kind.path(format, model, stream);
                paths.extend(path.filter(|path| !paths.contains(path)));
            }
        }
    }
    paths
}

/// The headers of every request, once per credential.
fn headers(provider: &Provider) -> Result<Vec<Vec<(HeaderName, HeaderValue)>>, ClientError> {
    if provider.credentials.is_empty() {
        return Ok(vec![vec![JSON]]);
    }
    let mut headers = Vec::with_capacity(provider.credentials.len());
    for secret in &provider.credentials {
        let (name, value) = match provider.native.key {
            KeyHeader::Bearer => (AUTHORIZATION, format!("Bearer {}", secret.expose())),
            KeyHeader::XApiKey => (HeaderName::from_static("x-api-key"), secret.expose().to_owned()),
            KeyHeader::XGoogApiKey => (HeaderName::from_static("x-goog-api-key"), secret.expose().to_owned()),
        };
        let mut value =
            HeaderValue::try_from(value).map_err(|_| ClientError::Credential { provider: provider.name.clone() })?;
        value.set_sensitive(true);
        headers.push(vec![JSON, (name, value)]);
    }
    Ok(headers)
}
