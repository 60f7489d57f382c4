//! A calibration as the gateway uses it: each target's curve, if the score at hand is of the kind it was made with.

use std::path::PathBuf;

use crate::classify::{Classifier, Score};
use crate::config::Config;
use crate::id::TargetId;
use crate::policy::Objective;
use crate::quality::{Bucket, Calibration, CalibrationError, Curve};

/// The configuration's calibration, its curves in the order of the targets.
#[derive(Debug)]
pub struct Calibrated {
    calibration: Calibration,
    curves: Vec<Option<Curve>>,
}

/// Why a calibration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// It is none, or not one for this configuration.
    #[error("{}: {source}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: CalibrationError,
    },
}

impl Calibrated {
    /// The file that the configuration names; `None` where it names none. Without a classifier it is not checked whose
    /// scores it is for: fit for what works on given scores.
    ///
    /// # Errors
    /// A file that cannot be read, is no calibration, or was made with another classifier.
    pub fn load(config: &Config, classifier: Option<&Classifier>) -> Result<Option<Self>, LoadError> {
        let Some(path) = &config.calibration else { return Ok(None) };
        let text = std::fs::read_to_string(path).map_err(|source| LoadError::Read { path: path.clone(), source })?;
        let unfit = |source| LoadError::Unfit { path: path.clone(), source };
        let calibration = Calibration::parse(&text).map_err(unfit)?;
        if let Some(classifier) = classifier {
            let hash = classifier.model_hash(classifier.stage()).map_or("", |hash| hash);
            calibration.belongs_to(hash).map_err(unfit)?;
        }
        let curve = |name: &str| calibration.curve(name).map(|of| of.curve.clone());
        let curves = config.targets.iter().map(|target| curve(target.name.as_str())).collect();
        Ok(Some(Self { calibration, curves }))
    }

    /// Names of targets that the calibration knows and the configuration does not.
    #[must_use]
    pub fn strangers(&self, config: &Config) -> Vec<&str> {
        let known = |name: &str| config.targets.iter().any(|target| target.name.as_str() == name);
        self.calibration.targets.iter().map(|of| of.target.as_str()).filter(|name| !known(name)).collect()
    }

    /// Whether a score is of the stage that the curves are of: what one stage calls hard, another need not.
    #[must_use]
    pub fn is_of(&self, score: &Score) -> bool {
        self.calibration.classifier.stage == score.stage.as_str()
    }

    /// The chance that a target answers a prompt of this difficulty well; `None` where it was not measured.
    #[must_use]
    pub fn p_good(&self, id: TargetId, difficulty: f32, vector: Option<&[f32]>) -> Option<f32> {
        let curve = self.curves.get(id.index())?.as_ref()?;
        #[expect(clippy::cast_possible_truncation, reason = "a probability")]
        let p = curve.p_good(f64::from(difficulty), vector) as f32;
        Some(p)
    }

    /// The threshold that keeps a policy's floor with its confidence, if one was found.
    #[must_use]
    pub fn tau(&self, objective: &Objective) -> Option<f32> {
        #[expect(clippy::cast_possible_truncation, reason = "a difference of probabilities")]
        let tau = |tau: f64| tau as f32;
        self.calibration.tau(f64::from(objective.at_least?), f64::from(objective.confidence)).map(tau)
    }

    /// Where the labels lie next to a difficulty.
    #[must_use]
    pub fn bucket(&self, difficulty: f32) -> Option<&Bucket> {
        self.calibration.bucket(f64::from(difficulty))
    }
}
