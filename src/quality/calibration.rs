//! The calibration file: what `waypost calibrate` found and the gateway goes by.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::curve::{Curve, Method};

/// A calibration, `schema: 1`: everything by the scores of one stage of a classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Version of this shape: 1.
    pub schema: u8,
    /// When it was made, RFC 3339 in UTC.
    pub made: String,
    /// What it was made from.
    pub data: Fitted,
    /// What scored the prompts. It holds for no other score.
    pub classifier: Scorer,
    /// What is promised and by which threshold; empty where the data only support curves.
    pub floors: Vec<Floor>,
    /// One curve for each target and effort.
    pub targets: Vec<TargetCurve>,
    /// Where the labels lie, from easy to hard.
    pub buckets: Vec<Bucket>,
    /// The same by the linear head's scores, which stand where the network is late; null where this is it, and where its
    /// scores have too few labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear: Option<Box<Calibration>>,
}

/// The stage whose scores a nested calibration is of.
const LINEAR: &str = "linear";

/// What a calibration was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fitted {
    /// `sha256:…` of the data file.
    pub hash: String,
    /// Prompts with at least one label.
    pub prompts: usize,
    /// Prompts with a label at every target: those that thresholds rest on.
    pub paired: usize,
}

/// What scored the prompts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scorer {
    /// `sha256:…` of the classifier's file.
    pub hash: String,
    /// The stage whose scores the curves are of: `linear` or `network`.
    pub stage: String,
}

/// A promise and the threshold that keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    /// Share of the best's mean quality that is kept.
    pub at_least: f64,
    /// How sure.
    pub confidence: f64,
    /// Largest shortfall in the chance of a good answer.
    pub tau: f64,
    /// Measured mean quality over that of the best.
    pub quality: f64,
    /// What it is at least, with the confidence.
    pub lower: f64,
    /// Cost saved against always the best, 0 to 1; null where no prices were known.
    pub saving: Option<f64>,
    /// Share of prompts that stay off the best target.
    pub kept: f64,
}

/// One target's curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetCurve {
    /// `model@provider`
    pub target: String,
    /// The effort it was asked with; null for the model's own.
    pub effort: Option<String>,
    /// Whether the thresholds were found with it to choose from. Where a target has no such curve it is asked with its
    /// own effort, else with the one that was seen most.
    #[serde(default)]
    pub routed: bool,
    /// Median of the output tokens, reasoning included, where the outcomes tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// Labels it was fitted on.
    pub labels: usize,
    /// Their mean.
    pub mean: f64,
    /// How it was fitted.
    pub method: Method,
    /// The curve.
    pub curve: Curve,
}

/// A range of difficulty and how many labelled prompts lie in it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Lowest difficulty in it.
    pub from: f64,
    /// Highest difficulty in it.
    pub to: f64,
    /// Labelled prompts in it.
    pub labels: usize,
}

/// What is wrong with a calibration file.
#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    /// It is not one.
    #[error("this is no calibration: {0}")]
    Shape(#[from] serde_json::Error),
    /// A version that this program does not know.
    #[error("it has schema {0}; this program reads schema 1")]
    Schema(u8),
    /// A calibration inside another that is not the linear head's.
    #[error("`linear` may only hold a calibration by the linear head's scores, inside one by the network's")]
    Nested,
    /// A number that no fit gives.
    #[error("{0} is out of range")]
    Range(String),
    /// It was made with another classifier.
    #[error(
        "it was made with the classifier {made}, this configuration has {running}: a score of one says nothing of the other's"
    )]
    Classifier {
        /// Hash in the file.
        made: String,
        /// Hash of the one in use; empty where it is off.
        running: String,
    },
}

impl Calibration {
    /// Reads a file's text.
    ///
    /// # Errors
    /// Anything that no calibration can hold.
    pub fn parse(text: &str) -> Result<Self, CalibrationError> {
        let calibration: Self = serde_json::from_str(text)?;
        calibration.validate()?;
        if let Some(linear) = &calibration.linear {
            let fits = linear.classifier.stage == LINEAR && calibration.classifier.stage != LINEAR;
            if !fits || linear.linear.is_some() {
                return Err(CalibrationError::Nested);
            }
            linear.validate()?;
        }
        Ok(calibration)
    }

    fn validate(&self) -> Result<(), CalibrationError> {
        if self.schema != 1 {
            return Err(CalibrationError::Schema(self.schema));
        }
        let range = |what: String| Err(CalibrationError::Range(what));
        for floor in &self.floors {
            let share = |value: f64| (0.0..=1.0).contains(&value);
            if !share(floor.at_least) || !share(floor.confidence) || !share(floor.tau) {
                return range(format!("the threshold for at_least {}", floor.at_least));
            }
        }
        let mut seen = BTreeSet::new();
        for target in &self.targets {
            if !target.curve.is_sound() {
                return range(format!("the curve of {}", target.target));
            }
            if !seen.insert((&target.target, &target.effort)) {
                return range(format!("a second curve of {}", target.target));
            }
        }
        Ok(())
    }

    /// One calibration for each stage that it holds.
    pub fn stages(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.linear.as_deref())
    }

    /// Whether it was made with this classifier, given as its stages, the last one first: it must hold that one, and
    /// no other file's scores for any.
    ///
    /// # Errors
    /// [`CalibrationError::Classifier`] if not.
    pub fn belongs_to(&self, running: &[Scorer]) -> Result<(), CalibrationError> {
        let of = |stage: &str| self.stages().find(|part| part.classifier.stage == stage);
        let other = |made: &Self, running: &str| {
            Err(CalibrationError::Classifier { made: made.classifier.hash.clone(), running: running.to_owned() })
        };
        let Some(last) = running.first() else { return other(self, "") };
        if of(&last.stage).is_none() {
            return other(self, &last.hash);
        }
        for scorer in running {
            if let Some(part) = of(&scorer.stage).filter(|part| part.classifier.hash != scorer.hash) {
                return other(part, &scorer.hash);
            }
        }
        Ok(())
    }

    /// The curve of a target at its own effort, else at the effort that was seen most.
    #[must_use]
    pub fn curve(&self, target: &str) -> Option<&TargetCurve> {
        let of = self.targets.iter().filter(|curve| curve.target == target);
        of.max_by_key(|curve| (curve.effort.is_none(), curve.labels))
    }

    /// Whether routing may choose this curve's target at this curve's effort.
    #[must_use]
    pub fn is_routed(&self, curve: &TargetCurve) -> bool {
        let marked = self.targets.iter().any(|other| other.target == curve.target && other.routed);
        if marked { curve.routed } else { self.curve(&curve.target).is_some_and(|one| one.effort == curve.effort) }
    }

    /// The threshold for a floor: one found for a floor and a confidence at least as high, for it keeps the lower
    /// promise as well; the most generous of those.
    #[must_use]
    pub fn tau(&self, at_least: f64, confidence: f64) -> Option<f64> {
        // The margin is for a floor that was an f32 in between.
        let keeps = |floor: &&Floor| floor.at_least >= at_least - 1e-6 && floor.confidence >= confidence - 1e-6;
        self.floors.iter().filter(keeps).map(|floor| floor.tau).max_by(f64::total_cmp)
    }

    /// The bucket that a difficulty lies in or next to.
    #[must_use]
    pub fn bucket(&self, difficulty: f64) -> Option<&Bucket> {
        let distance = |bucket: &Bucket| (bucket.from - difficulty).max(difficulty - bucket.to).max(0.0);
        self.buckets.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))
    }
}
