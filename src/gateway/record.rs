//! What becomes known of one request on its way, settled exactly once on whatever exit it takes.
//!
//! The record is a guard: dropping it charges, counts, logs and keeps the decision. A request whose future is dropped
//! in mid-flight (the client hung up) is settled like any other, as `cancelled`.

mod answered;
mod considered;
mod settle;
mod told;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::StatusCode;

use super::Gateway;
use super::decide::Step;
use super::error::GatewayError;
use super::pins::Known;
use crate::auth::Principal;
use crate::chat::{self, Effort, Format, Outcome, OwnEffort, Usage};
use crate::config::Target;
use crate::cost;
use crate::detect::Found;
use crate::id::{DecisionId, RequestId, RuleName, TargetId};
use crate::ledger::{self, Attempt, Considered};
use crate::money::NanoUsd;
use crate::policy::{Allowed, Labels, Policy};
use crate::route::{Basis, Plan};

/// One authenticated request.
pub(super) struct Record<'g> {
    gateway: &'g Gateway,
    rehearsal: bool,
    operation: &'static str,
    pub(super) id: DecisionId,
    pub(super) request_id: RequestId,
    principal: Arc<Principal>,
    at: SystemTime,
    started: Instant,
    /// Time spent waiting for the client or an upstream: not ours.
    waited: Duration,
    model: Option<String>,
    policy: Option<&'g Arc<Policy>>,
    labels: Option<Labels>,
    detections: Vec<ledger::Detection>,
    score: Option<ledger::Score>,
    quality: Option<ledger::Quality>,
    candidates: Considered,
    /// Those that do not state what the request needs.
    lacking: Vec<ledger::Candidate>,
    chosen: Option<usize>,
    expected: Option<ledger::Expected>,
    pub(super) reason: Option<&'static str>,
    pub(super) cache: Option<&'static str>,
    pub(super) attempts: Vec<Attempt>,
    /// The target that answers, or was asked last.
    target: Option<Arc<Target>>,
    /// How it is asked, and whether that is known.
    effort: Option<Effort>,
    effort_known: bool,
    /// The conversation that the answer goes on with, until it is remembered.
    conversation: Option<Known>,
    /// Since when a stream is awaited to come to the answer itself.
    answer_awaited: Option<Instant>,
    /// What savings are measured against, and what told that it is the best.
    best: Option<TargetId>,
    basis: Basis,
    /// While an answer is awaited.
    sent_at: Option<Instant>,
    /// Bytes of an attempt of which nothing has come back yet.
    under_way: Option<usize>,
    /// The client's limit for all answers together.
    max_output: Option<u64>,
    /// One answer to one prompt is asked for: its length says something of others.
    single: bool,
    /// Answered from the cache.
    free: bool,
    usage: Option<Usage>,
    /// Settings that the target's format could not say.
    dropped: Vec<String>,
    pub(super) first_token: Option<Duration>,
    status: StatusCode,
    outcome: Outcome,
    error: Option<&'static str>,
}

impl<'g> Record<'g> {
    /// A dry run: settled nowhere.
    pub(super) fn rehearse(
        gateway: &'g Gateway,
        principal: Arc<Principal>,
        request_id: RequestId,
        started: Instant,
    ) -> Self {
        let mut record = Self::begin(gateway, principal, "chat", request_id, started);
        record.rehearsal = true;
        record
    }

    pub(super) fn begin(
        gateway: &'g Gateway,
        principal: Arc<Principal>,
        operation: &'static str,
        request_id: RequestId,
        started: Instant,
    ) -> Self {
        Self {
            gateway,
            rehearsal: false,
            operation,
            id: DecisionId::new(),
            request_id,
            principal,
            at: SystemTime::now(),
            started,
            waited: Duration::ZERO,
            model: None,
            policy: None,
            labels: None,
            detections: Vec::new(),
            score: None,
            quality: None,
            candidates: Considered::default(),
            lacking: Vec::new(),
            chosen: None,
            expected: None,
            reason: None,
            cache: None,
            attempts: Vec::new(),
            target: None,
            effort: None,
            effort_known: true,
            conversation: None,
            answer_awaited: None,
            best: None,
            basis: Basis::Prior,
            sent_at: None,
            under_way: None,
            max_output: None,
            single: true,
            free: false,
            usage: None,
            dropped: Vec::new(),
            first_token: None,
            // What a log shows for a client that is gone; nginx' word for it.
            status: StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            outcome: Outcome::Cancelled,
            error: None,
        }
    }

    /// The model name that was asked for.
    pub(super) fn asked(&mut self, model: &str) {
        self.model = Some(model.to_owned());
    }

    /// What a detector found.
    pub(super) fn detected(&mut self, found: &Found<'_>) {
        let (detector, mode) = (found.detector.as_str(), found.mode());
        self.detections.push(ledger::Detection { detector, count: found.count, mode });
        if !self.rehearsal {
            self.gateway.metrics.detected(detector, mode, u64::from(found.count));
        }
    }

    /// By which policy it is judged, and with which labels.
    pub(super) fn judged(&mut self, policy: &'g Arc<Policy>, labels: &Labels) {
        self.policy = Some(policy);
        self.labels = Some(labels.clone());
    }

    /// What the rules left.
    pub(super) fn constrained(&self, allowed: &Allowed) {
        if self.rehearsal {
            return;
        }
        let mut counts: Vec<(&RuleName, u64)> = Vec::new();
        allowed.each_removed(|_, rule| match counts.last_mut() {
            Some((of, count)) if *of == rule => *count += 1,
            _ => counts.push((rule, 1)),
        });
        for (rule, count) in counts {
            self.gateway.metrics.candidates_removed(rule.as_str(), count);
        }
    }

    /// How hard the prompt is.
    pub(super) fn scored(&mut self, score: &crate::classify::Score) {
        if !self.rehearsal {
            self.gateway.recent.note(score.stage, score.difficulty);
            self.gateway.metrics.scored(score.stage.as_str(), score.elapsed, score.difficulty);
            if let Some(reason) = score.reason {
                self.gateway.metrics.unscored(reason.as_str());
            }
        }
        self.score = Some(ledger::Score {
            difficulty: score.difficulty,
            stage: score.stage.as_str(),
            unscored: score.reason.map(crate::classify::Unscored::as_str),
            percentile: score
                .difficulty
                .filter(|_| self.rehearsal)
                .and_then(|difficulty| self.gateway.recent.share_below(score.stage, difficulty)),
            model: self.gateway.classifier.model_hash(score.stage).cloned().unwrap_or_default(),
            elapsed: score.elapsed,
        });
    }

    /// Where the calibration's labels lie next to this prompt.
    fn bucket(&self) -> Option<ledger::Bucket> {
        let calibrated = self.gateway.calibrated.as_ref()?.by(self.score.as_ref()?.stage)?;
        let bucket = calibrated.bucket(self.difficulty()?)?;
        Some(ledger::Bucket { from: bucket.from, to: bucket.to, labels: bucket.labels })
    }

    pub(super) fn difficulty(&self) -> Option<f32> {
        self.score.as_ref()?.difficulty
    }

    /// Whom to ask, in which order, and why.
    pub(super) fn planned(&mut self, allowed: &Allowed, plan: &Plan, request: &chat::Request) {
        self.chosen = Some(plan.first);
        self.expected = plan.chosen().map(|candidate| {
            let own = allowed.target(candidate.target).and_then(|target| target.max_output).unwrap_or(u64::MAX);
            let most = request.max_output_tokens.unwrap_or(u64::MAX).min(own);
            ledger::Expected {
                input: request.input_tokens_estimate,
                output: candidate.output.median.min(most).saturating_mul(u64::from(request.n.max(1))),
                cost_nusd: candidate.expected_cost,
                ttft_ms: candidate.ttft.as_secs_f64() * 1e3,
            }
        });
        self.reason = Some(plan.reason.as_str());
        self.basis = plan.basis;
        self.best = plan.best.and_then(|place| plan.candidates.get(place)).map(|best| best.target);
        if let (Some(at_least), Some(tau)) = (plan.at_least, plan.tau) {
            let basis = plan.basis.as_str();
            let is_calibrated = plan.basis == Basis::Calibrated;
            let stage = self.score.as_ref().filter(|_| is_calibrated).map(|score| score.stage);
            let bucket = if self.rehearsal && is_calibrated { self.bucket() } else { None };
            self.quality = Some(ledger::Quality { at_least, tau, basis, stage, bucket });
        }
        self.considered(allowed, Arc::clone(&plan.candidates));
    }

    /// A rule or ceiling refuses the request.
    pub(super) fn denied(&self, policy: &str, rule: &str) {
        if !self.rehearsal {
            self.gateway.metrics.denied(policy, rule);
        }
    }

    /// Whether the request may still be sent: its key may have been revoked since it began.
    pub(super) fn is_welcome(&self) -> bool {
        !self.principal.is_revoked()
    }

    /// The request is on its way to a target: from here it may cost something, whatever comes back.
    pub(super) fn sent(&mut self, step: &Step, at: Instant, bytes: usize, request: &chat::Request) {
        self.asks(step, at, bytes);
        // A completion may be of several prompts.
        self.single = request.n <= 1 && request.format != Format::Completions;
        self.max_output = request.max_output_tokens.map(|tokens| tokens.saturating_mul(u64::from(request.n)));
        self.usage = Some(Usage { input: request.input_tokens_estimate, estimated: true, ..Usage::default() });
    }

    /// The request is on its way to a target that is asked something free.
    pub(super) fn asks(&mut self, step: &Step, at: Instant, bytes: usize) {
        self.target = Some(Arc::clone(&step.target));
        (self.effort, self.effort_known) = (step.effort, step.known);
        self.sent_at = Some(at);
        self.under_way = Some(bytes);
    }

    /// What became of the attempt, as far as its first content.
    pub(super) fn attempted(&mut self, mut attempt: Attempt, target: TargetId) {
        self.under_way = None;
        if !self.effort_known {
            attempt.effort = Some(OwnEffort::NO_DEGREE);
        }
        self.waited(attempt.elapsed);
        self.gateway.metrics.attempt(target, attempt.result);
        self.attempts.push(attempt);
    }

    /// The attempt came to nothing, and nothing is charged for it.
    pub(super) fn not_answered(&mut self) {
        self.target = None;
        self.sent_at = None;
        self.usage = None;
    }

    /// What an attempt's body had to leave out.
    pub(super) fn dropped(&mut self, dropped: Vec<String>) {
        self.dropped = dropped;
    }

    /// Time that was spent waiting for somebody else.
    pub(super) fn waited(&mut self, duration: Duration) {
        self.waited += duration;
    }

    /// What the gateway itself has taken so far.
    pub(super) fn overhead(&self) -> Duration {
        self.overhead_at(Instant::now())
    }

    pub(super) fn overhead_at(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started).saturating_sub(self.waited)
    }

    /// What the usage costs at the answering target's price.
    pub(super) fn cost(&self) -> NanoUsd {
        if self.free {
            return NanoUsd::ZERO;
        }
        let usage = self.usage.unwrap_or_default();
        self.target
            .as_ref()
            .and_then(|target| target.price.as_ref())
            .map_or(NanoUsd::ZERO, |price| cost::cost(&usage, price))
    }

    /// The client has its whole answer.
    pub(super) fn completed(&mut self) {
        self.status = StatusCode::OK;
        self.outcome = Outcome::Ok;
    }

    /// The request ends with an error; `status` is what the client was told.
    pub(super) fn failed(&mut self, error: &GatewayError) {
        self.status = error.code.status();
        // A provider's 429 has the same code as our own, but is no refusal of ours.
        let denied = error.code.is_denial() && self.attempts.is_empty();
        self.outcome = if denied { Outcome::Denied } else { Outcome::Error };
        self.error = Some(error.code.word());
    }
}
