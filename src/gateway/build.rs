//! Makes a gateway instance out of a checked configuration and its policies.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Gateway;
use super::calibrated::{self, Calibrated, LoadError};
use super::headers::ServedBy;
use super::pins::Pins;
use super::recent::Recent;
use crate::auth::{Authenticator, Fetch};
use crate::cache::Cache;
use crate::classify::{self, Classifier, ClassifyError, ModelSource};
use crate::clock::Clock;
use crate::config::{ClassifierModel, Config};
use crate::detect::Detectors;
use crate::ledger::Decisions;
use crate::limit::Limiter;
use crate::policy::Policies;
use crate::route::health::Health;
use crate::route::inflight::InFlight;
use crate::route::latency::{Observed, Prior};
use crate::store::{self, StoreError};
use crate::telemetry::metrics::TargetLabels;
use crate::telemetry::{Metrics, RequestLog, Shape};
use crate::upstream::{self, Upstreams};

/// Largest key set taken from an issuer, in bytes.
const MAX_JWKS: usize = 256 << 10;
/// How long an issuer may take to hand it over.
const JWKS_TIMEOUT: Duration = Duration::from_secs(10);

/// Why an instance cannot be made, though its configuration is sound.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The model file or ONNX Runtime's library.
    #[error("the classifier cannot be loaded: {0}")]
    Classifier(#[from] ClassifyError),
    /// Certificates for calls to upstreams.
    #[error("the upstream client cannot be made: {0}")]
    Client(#[from] upstream::ClientError),
    /// The calibration file.
    #[error("the calibration cannot be used: {0}")]
    Calibration(#[from] LoadError),
    /// The store's address.
    #[error("the store cannot be used: {0}")]
    Store(#[from] StoreError),
    /// The decisions file.
    #[error("`decisions.file` cannot be opened: {0}")]
    Decisions(#[source] std::io::Error),
}

/// What `classifier:` means for the classifier itself; `None` where it is off.
#[must_use]
pub fn classifier_settings(config: &Config) -> Option<classify::Settings> {
    let model = match &config.classifier.model {
        ClassifierModel::Embedded => ModelSource::Embedded,
        ClassifierModel::Linear => ModelSource::Linear,
        ClassifierModel::Folder(folder) => ModelSource::Folder(folder.clone()),
        ClassifierModel::Off => return None,
    };
    Some(classify::Settings {
        model,
        runtime: config.classifier.runtime.clone(),
        deadline: config.classifier.deadline,
        threads: config.classifier.threads,
        queue: config.classifier.queue,
        max_tokens: config.classifier.max_tokens,
    })
}

impl Gateway {
    /// An instance of its own: metrics, limits and memory are shared with no other.
    ///
    /// # Errors
    /// Whatever cannot be loaded or opened; each says what to do.
    pub fn build(config: Config, policies: Policies, log: RequestLog) -> Result<Self, BuildError> {
        let config = Arc::new(config);
        let classifier = match classifier_settings(&config) {
            Some(settings) => Classifier::load(&settings)?,
            None => Classifier::off(),
        };
        let calibrated = Calibrated::load(&config, Some(&classifier))?;
        let calls = Arc::new(Upstreams::new(&config)?);
        let store = store::open(&config.store)?;
        let now = Instant::now();
        let decisions =
            Decisions::new(config.decisions.keep, config.decisions.file.as_deref()).map_err(BuildError::Decisions)?;
        let metrics = Metrics::new(shape(&config, &policies));
        Ok(Self {
            served_by: config
                .targets
                .iter()
                .map(|target| ServedBy::new(target.model.as_str(), target.provider.name.as_str()))
                .collect(),
            config_hash: Arc::from(config.hash.as_str()),
            auth: Authenticator::new(&config, fetch(Arc::clone(&calls)), Clock::System),
            limiter: Limiter::new(&config),
            detectors: Detectors::new(config.detection.clone()),
            latency: Observed::new(config.targets.iter().map(|target| Prior::of(target)), now),
            lengths: calibrated::lengths(&config, calibrated.as_ref()),
            health: Health::new(config.targets.len(), now),
            places: InFlight::new(config.targets.iter().map(|target| target.max_concurrent)),
            pins: Pins::new(&config),
            recent: Recent::default(),
            calibrated,
            cache: Cache::new(&config.cache, store.clone()),
            store,
            calls,
            classifier,
            policies,
            metrics,
            decisions,
            log,
            config,
        })
    }
}

/// Key sets come through the one outbound client, so that egress is held to the configured hosts.
fn fetch(calls: Arc<Upstreams>) -> Fetch {
    Arc::new(move |url| {
        let calls = Arc::clone(&calls);
        Box::pin(
            async move { calls.client().get(&url, MAX_JWKS, JWKS_TIMEOUT).await.map_err(|error| error.to_string()) },
        )
    })
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
