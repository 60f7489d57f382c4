//! The trait behind which both stages stand, and what they see of a prompt.

use std::sync::Arc;

use super::ClassifyError;
use super::features::Features;
use super::text::Excerpt;

/// What the stages see of one prompt: owned, bounded in size, and used again for another prompt.
#[derive(Debug, Default)]
pub struct Seen {
    /// For the linear head, and the network's surface inputs.
    pub(super) features: Features,
    /// For the network's tokens; empty where there is no network.
    pub(super) excerpt: Excerpt,
    /// The linear head's difficulty, once it is known.
    pub(super) linear: f32,
}

/// What a stage says of one prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// 0 (any model will do) to 1.
    pub difficulty: f32,
    /// The prompt as numbers; `None` where the stage gives none.
    pub embedding: Option<Arc<[f32]>>,
}

/// What all stages say of one prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Stages {
    /// The last stage there is.
    pub last: Verdict,
    /// The difficulty by the linear head, which stands where the network is late.
    pub linear: f32,
}

/// One stage. It scores one prompt at a time; each thread has its own.
pub trait Scorer: Send {
    /// The verdict on what was seen.
    ///
    /// # Errors
    /// The model cannot be run, or its answer is no probability.
    fn score(&mut self, seen: &Seen) -> Result<Verdict, ClassifyError>;
}
