//! What comes of scoring one request, and in which words it is told.

use std::sync::Arc;
use std::time::Duration;

/// The result for one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// 0 (any model will do) to 1; `None` if unscored.
    pub difficulty: Option<f32>,
    /// Which stage gave it.
    pub stage: Stage,
    /// From the call to the result, reading the prompt included.
    pub elapsed: Duration,
    /// Why the network did not give it.
    pub reason: Option<Unscored>,
    /// The prompt as numbers, which calibrated curves may look at; only the network gives them.
    pub embedding: Option<Arc<[f32]>>,
}

impl Score {
    /// No score at all.
    #[must_use]
    pub fn none(reason: Unscored, elapsed: Duration) -> Score {
        Score { difficulty: None, stage: Stage::None, elapsed, reason: Some(reason), embedding: None }
    }

    /// A difficulty that somebody found at another time, by whatever means.
    #[must_use]
    pub fn given(difficulty: f32) -> Score {
        Score {
            difficulty: Some(difficulty),
            stage: Stage::None,
            elapsed: Duration::ZERO,
            reason: None,
            embedding: None,
        }
    }
}

/// The stage of the classifier that gave a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The network over tokens.
    Network,
    /// The linear head over hashed n-grams.
    Linear,
    /// None did.
    None,
}

impl Stage {
    /// The word for records and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Stage::Network => "network",
            Stage::Linear => "linear",
            Stage::None => "none",
        }
    }
}

/// Why the network did not score a request. But for `Off` and a linear head that fails, the linear score stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unscored {
    /// The deadline passed first, or would have with so much waiting ahead.
    Late,
    /// Too many prompts were waiting, or too many of this tenant's.
    QueueFull,
    /// There is no network, only the linear head.
    Absent,
    /// The classifier is switched off.
    Off,
    /// The model gave an error or no probability.
    Failed,
}

impl Unscored {
    /// The word for records and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Unscored::Late => "late",
            Unscored::QueueFull => "queue_full",
            Unscored::Absent => "absent",
            Unscored::Off => "off",
            Unscored::Failed => "failed",
        }
    }
}
