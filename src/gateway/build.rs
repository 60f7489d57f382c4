//! Makes a gateway out of a checked configuration and its policies, alone or in the place of another.

use std::sync::Arc;

use super::Gateway;
use super::calibrated::LoadError;
use super::headers::ServedBy;
use super::lasting::Lasting;
use crate::classify::{self, ClassifyError, ModelSource};
use crate::config::{ClassifierModel, Config};
use crate::detect::Detectors;
use crate::policy::Policies;
use crate::store::StoreError;
use crate::telemetry::RequestLog;
use crate::upstream;

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
        let lasting = Lasting::begin(&config, &policies)?;
        Ok(Self::of(config, policies, log, lasting))
    }

    /// The same instance under another configuration, for requests to come. Nothing happens to this one until the
    /// other [takes over](Self::take_over).
    ///
    /// # Errors
    /// As of [`Self::build`].
    pub fn renewed(&self, config: Config, policies: Policies) -> Result<Self, BuildError> {
        let lasting = Lasting::renewed(self, &config, &policies)?;
        Ok(Self::of(config, policies, self.log.clone(), lasting))
    }

    /// Requests come here from now on. Those that began under `before` end as they began, but for what has been taken
    /// away: they go to no target, and with no key, that this configuration does not have.
    pub fn take_over(&self, before: &Self) {
        before.places.withdraw_all_but(&self.places);
        before.auth.revoke_all_but(&self.auth);
        self.metrics.configuration_runs();
    }

    fn of(config: Config, policies: Policies, log: RequestLog, lasting: Lasting) -> Self {
        Self {
            served_by: config
                .targets
                .iter()
                .map(|target| ServedBy::new(target.model.as_str(), target.provider.name.as_str()))
                .collect(),
            config_hash: Arc::from(config.hash.as_str()),
            detectors: Detectors::new(config.detection.clone()),
            config: Arc::new(config),
            policies,
            calibrated: lasting.calibrated,
            log,
            auth: lasting.auth,
            limiter: lasting.limiter,
            classifier: lasting.classifier,
            store: lasting.store,
            cache: lasting.cache,
            calls: lasting.calls,
            latency: lasting.latency,
            lengths: lasting.lengths,
            health: lasting.health,
            places: lasting.places,
            pins: lasting.pins,
            recent: lasting.recent,
            metrics: lasting.metrics,
            decisions: lasting.decisions,
        }
    }
}
