//! What outlives a configuration: connections, counts, and everything the gateway has seen.
//!
//! A reload must not be felt. So each part hands what it knows to the same part under the next configuration, as far as
//! that is about the same thing: a target by its name, model and endpoints, a key or tenant by its name, a provider
//! whose endpoints and credentials are unchanged. Parts share what they hand on, so requests that are still under way
//! go on counting.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Gateway;
use super::build::{BuildError, classifier_settings};
use super::calibrated::{self, Calibrated};
use super::pins::Pins;
use super::recent::Recent;
use crate::auth::{Authenticator, Fetch};
use crate::cache::Cache;
use crate::classify::Classifier;
use crate::clock::Clock;
use crate::config::Config;
use crate::id::TargetId;
use crate::ledger::Decisions;
use crate::limit::Limiter;
use crate::policy::Policies;
use crate::route::health::Health;
use crate::route::inflight::InFlight;
use crate::route::latency::{Observed, Prior};
use crate::route::lengths::Lengths;
use crate::store::{self, Redis};
use crate::telemetry::metrics::TargetLabels;
use crate::telemetry::{Metrics, Shape};
use crate::upstream::Upstreams;

/// Largest key set taken from an issuer, in bytes.
const MAX_JWKS: usize = 256 << 10;
/// How long an issuer may take to hand it over.
const JWKS_TIMEOUT: Duration = Duration::from_secs(10);

/// The parts of a gateway that a reload hands on.
pub(super) struct Lasting {
    pub(super) auth: Authenticator,
    pub(super) limiter: Limiter,
    pub(super) classifier: Classifier,
    /// Read anew each time; lengths begin with what it says.
    pub(super) calibrated: Option<Calibrated>,
    pub(super) store: Option<Redis>,
    pub(super) cache: Arc<Cache>,
    pub(super) calls: Arc<Upstreams>,
    pub(super) latency: Observed,
    pub(super) lengths: Lengths,
    pub(super) health: Health,
    pub(super) places: InFlight,
    pub(super) pins: Pins,
    pub(super) recent: Arc<Recent>,
    pub(super) metrics: Metrics,
    pub(super) decisions: Decisions,
}

impl Lasting {
    /// Nothing seen yet.
    pub(super) fn begin(config: &Config, policies: &Policies) -> Result<Self, BuildError> {
        let now = Instant::now();
        let store = store::open(&config.store)?;
        let calls = Arc::new(Upstreams::new(config)?);
        let classifier = load_classifier(config)?;
        let calibrated = Calibrated::load(config, Some(&classifier))?;
        Ok(Self {
            auth: Authenticator::new(config, fetch(&calls), Clock::System),
            limiter: Limiter::new(config),
            classifier,
            cache: Arc::new(Cache::new(&config.cache, store.clone())),
            store,
            calls,
            latency: Observed::new(priors(config), now),
            lengths: calibrated::lengths(config, calibrated.as_ref()),
            calibrated,
            health: Health::new(config.targets.len(), now),
            places: InFlight::new(room(config)),
            pins: Pins::new(config),
            recent: Arc::default(),
            metrics: Metrics::new(shape(config, policies)),
            decisions: Decisions::new(config.decisions.keep, config.decisions.file.as_deref())
                .map_err(BuildError::Decisions)?,
        })
    }

    /// The parts of this gateway, for another configuration.
    pub(super) fn renewed(gateway: &Gateway, config: &Config, policies: &Policies) -> Result<Self, BuildError> {
        let old = &gateway.config;
        let before = &before(old, config);
        let same_classifier = classifier_settings(old) == classifier_settings(config);
        let store = if old.store == config.store { gateway.store.clone() } else { store::open(&config.store)? };
        let cached = |config: &Config| (config.cache.exact, config.cache.ttl, config.cache.max, config.store.clone());
        let calls = Arc::new(gateway.calls.renewed(config)?);
        let classifier = if same_classifier { gateway.classifier.clone() } else { load_classifier(config)? };
        let calibrated = Calibrated::load(config, Some(&classifier))?;
        Ok(Self {
            auth: gateway.auth.renewed(config, fetch(&calls)),
            limiter: gateway.limiter.renewed(config),
            classifier,
            // Whether a kept answer may still be used is asked of the policy at every hit.
            cache: if cached(old) == cached(config) {
                Arc::clone(&gateway.cache)
            } else {
                Arc::new(Cache::new(&config.cache, store.clone()))
            },
            store,
            calls,
            latency: gateway.latency.renewed(priors(config), before),
            lengths: calibrated::lengths(config, calibrated.as_ref()).remembering(&gateway.lengths, before),
            calibrated,
            health: gateway.health.renewed(before),
            places: gateway.places.renewed(room(config), before),
            pins: gateway.pins.renewed(config),
            // What one classifier calls hard, another need not.
            recent: if same_classifier { Arc::clone(&gateway.recent) } else { Arc::default() },
            metrics: gateway.metrics.renewed(shape(config, policies)),
            decisions: gateway
                .decisions
                .renewed(config.decisions.keep, config.decisions.file.as_deref())
                .map_err(BuildError::Decisions)?,
        })
    }
}

/// What each target was under the old configuration: the same name for the same model at the same endpoints.
fn before(old: &Config, new: &Config) -> Vec<Option<TargetId>> {
    let mut before = Vec::with_capacity(new.targets.len());
    for target in &new.targets {
        let was = old.targets.iter().find(|was| {
            was.name == target.name
                && was.upstream == target.upstream
                && was.provider.endpoints == target.provider.endpoints
        });
        before.push(was.map(|was| was.id));
    }
    before
}

fn load_classifier(config: &Config) -> Result<Classifier, BuildError> {
    match classifier_settings(config) {
        Some(settings) => Ok(Classifier::load(&settings)?),
        None => Ok(Classifier::off()),
    }
}

/// Key sets come through the one outbound client, so that egress is held to the configured hosts.
fn fetch(calls: &Arc<Upstreams>) -> Fetch {
    let calls = Arc::clone(calls);
    Arc::new(move |url| {
        let calls = Arc::clone(&calls);
        Box::pin(
            async move { calls.client().get(&url, MAX_JWKS, JWKS_TIMEOUT).await.map_err(|error| error.to_string()) },
        )
    })
}

fn priors(config: &Config) -> impl Iterator<Item = Prior> {
    config.targets.iter().map(|target| Prior::of(target))
}

fn room(config: &Config) -> impl Iterator<Item = Option<u32>> {
    config.targets.iter().map(|target| target.max_concurrent)
}

fn shape(config: &Config, policies: &Policies) -> Shape {
    let mut models = vec!["auto".to_owned()];
    models.extend(policies.names().map(|policy| format!("auto/{policy}")));
    models.extend(config.aliases.keys().cloned());
    for target in &config.targets {
        models.push(target.model.to_string());
        models.push(format!("{}/{}", target.provider.name, target.model));
    }
    Shape {
        targets: config
            .targets
            .iter()
            .map(|target| TargetLabels {
                target: target.name.to_string(),
                provider: target.provider.name.to_string(),
                upstream: target.upstream.clone(),
            })
            .collect(),
        tenants: config.tenants.keys().map(ToString::to_string).collect(),
        policies: policies.names().map(ToString::to_string).collect(),
        models,
        config: config.hash.clone(),
        max_series: config.max_series,
    }
}
