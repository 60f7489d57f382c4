//! What the gateway knows of its targets at the moment of a choice.

use std::time::Duration;

use super::Gateway;
use super::calibrated::Forecast;
use super::choose::Efforts;
use crate::chance::Chance;
use crate::chat::Effort;
use crate::id::TargetId;
use crate::route::{self, Expected, health, latency, lengths};

/// All of it.
pub(super) struct Known<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) efforts: Efforts<'a>,
    /// What a calibration says of the prompt.
    pub(super) forecast: Option<Forecast<'a>>,
    pub(super) health: health::Now<'a>,
    pub(super) latency: latency::Now<'a>,
    pub(super) lengths: lengths::Now<'a>,
}

impl route::Known for Known<'_> {
    fn is_healthy(&self, target: TargetId) -> bool {
        self.health.is_healthy(target) && self.gateway.places.has_room(target)
    }

    fn effort(&self, target: TargetId) -> Option<Effort> {
        self.efforts.fixed(target)
    }

    fn output(&self, target: TargetId, effort: Option<Effort>) -> Expected {
        self.lengths.expected(target, effort)
    }

    fn ttft(&self, target: TargetId) -> Duration {
        self.latency.first_token_p95(target)
    }

    fn answer(&self, target: TargetId, effort: Option<Effort>) -> Duration {
        self.latency.first_answer_p95(target, effort)
    }

    fn choices(&self, target: TargetId, each: impl FnMut(Option<Effort>, Chance)) {
        if let Some(forecast) = self.forecast.filter(|_| self.efforts.are_free()) {
            let bounds = self.efforts.bounds(target);
            forecast.choices(target, |effort| bounds.leave(effort), each);
        }
    }

    fn p_good(&self, target: TargetId, effort: Option<Effort>) -> Option<Chance> {
        self.forecast.filter(|_| self.efforts.is_known(target))?.p_good(target, effort)
    }
}
