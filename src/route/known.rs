//! What is known of the targets at the moment of a choice.

use std::time::Duration;

use super::Expected;
use crate::chance::Chance;
use crate::chat::Effort;
use crate::id::TargetId;

/// Whoever knows it. A trait and no list of functions, so that what is asked for every candidate is compiled into the one
/// loop that asks.
pub trait Known {
    /// Whether a target answers and has room.
    fn is_healthy(&self, target: TargetId) -> bool;

    /// The effort that a target is asked with where there is none to choose: the client's own, that of the loop it is in,
    /// or `None`, the model's own.
    fn effort(&self, target: TargetId) -> Option<Effort>;

    /// Output tokens of one answer.
    fn output(&self, target: TargetId, effort: Option<Effort>) -> Expected;

    /// Time to the first token, as high as 95 of 100 requests see it.
    fn ttft(&self, target: TargetId) -> Duration;

    /// The same to the first token of the answer itself, reasoning over.
    fn answer(&self, target: TargetId, effort: Option<Effort>) -> Duration;

    /// Shows `each` the efforts to choose from for a target, with the chance of a good answer; none where only
    /// [`Known::effort`] will do.
    fn choices(&self, target: TargetId, each: impl FnMut(Option<Effort>, Chance));

    /// The chance of a good answer of a target at an effort; `None` for what was not measured.
    fn p_good(&self, target: TargetId, effort: Option<Effort>) -> Option<Chance>;
}
