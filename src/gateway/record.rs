//! What becomes known of one request on its way, settled exactly once on whatever exit it takes.
//!
//! The record is a guard: dropping it charges, counts, logs and keeps the decision. A request whose future is dropped
//! in mid-flight (the client hung up) is settled like any other, as `cancelled`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::StatusCode;

use super::Gateway;
use super::error::GatewayError;
use crate::auth::Principal;
use crate::chat::{Outcome, Usage};
use crate::config::Target;
use crate::cost;
use crate::id::{DecisionId, RequestId, TargetId};
use crate::ledger::{self, Attempt, Candidate, Decision, Label};
use crate::money::NanoUsd;
use crate::policy::{Allowed, Labels, Policy};
use crate::route::Plan;
use crate::telemetry::{RequestLine, Settled};

/// One authenticated request.
pub(super) struct Record<'g> {
    gateway: &'g Gateway,
    pub(super) id: DecisionId,
    pub(super) request_id: RequestId,
    principal: Arc<Principal>,
    at: SystemTime,
    started: Instant,
    /// Time spent waiting for the client or an upstream: not ours.
    waited: Duration,
    model: Option<String>,
    policy: Option<&'g Arc<Policy>>,
    labels: Arc<[(String, Label)]>,
    score: Option<ledger::Score>,
    quality: Option<ledger::Quality>,
    candidates: Vec<Candidate>,
    chosen: Option<usize>,
    pub(super) reason: Option<&'static str>,
    pub(super) cache: Option<&'static str>,
    pub(super) attempts: Vec<Attempt>,
    /// The target that answers, and the price and best alternative its cost is set against.
    target: Option<Arc<Target>>,
    best: Option<TargetId>,
    pub(super) usage: Option<Usage>,
    pub(super) first_token: Option<Duration>,
    status: StatusCode,
    outcome: Outcome,
    error: Option<&'static str>,
}

impl<'g> Record<'g> {
    pub(super) fn begin(gateway: &'g Gateway, principal: Arc<Principal>, request_id: RequestId, started: Instant) -> Self {
        Self {
            gateway,
            id: DecisionId::new(),
            request_id,
            principal,
            at: SystemTime::now(),
            started,
            waited: Duration::ZERO,
            model: None,
            policy: None,
            labels: Arc::from([]),
            score: None,
            quality: None,
            candidates: Vec::new(),
            chosen: None,
            reason: None,
            cache: None,
            attempts: Vec::new(),
            target: None,
            best: None,
            usage: None,
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

    /// What the rules left.
    pub(super) fn constrained(&mut self, policy: &'g Arc<Policy>, labels: &Labels, allowed: &Allowed) {
        self.policy = Some(policy);
        self.labels = labels
            .iter()
            .map(|label| (label.name.to_owned(), Label { value: label.value.to_owned(), by: label.by.as_str() }))
            .collect();
        for removal in allowed.removed() {
            self.gateway.metrics.candidates_removed(removal.rule.as_str(), 1);
        }
    }

    /// How hard the prompt is.
    pub(super) fn scored(&mut self, score: &crate::classify::Score) {
        self.gateway.metrics.scored(score.stage.as_str(), score.elapsed, score.difficulty);
        if let Some(reason) = score.reason {
            self.gateway.metrics.unscored(reason.as_str());
        }
        self.score = Some(ledger::Score {
            difficulty: score.difficulty,
            stage: score.stage.as_str(),
            unscored: score.reason.map(crate::classify::Unscored::as_str),
            model: Arc::clone(&self.gateway.classifier_hash),
            elapsed: score.elapsed,
        });
    }

    pub(super) fn difficulty(&self) -> Option<f32> {
        self.score.as_ref()?.difficulty
    }

    /// All candidates with their figures, and the one that comes first.
    pub(super) fn planned(&mut self, allowed: &Allowed, plan: &Plan) {
        self.candidates = candidates(self.gateway, allowed, Some(plan));
        self.chosen = plan.first().map(|first| self.place_of(first));
        self.reason = Some(plan.reason.as_str());
        self.quality = plan.quality;
        self.best = plan.best();
    }

    /// Nothing was left to choose from.
    pub(super) fn nothing_allowed(&mut self, allowed: &Allowed) {
        self.candidates = candidates(self.gateway, allowed, None);
    }

    /// The target that answers.
    pub(super) fn answered_by(&mut self, target: &Arc<Target>) {
        self.target = Some(Arc::clone(target));
    }

    /// Time that was spent waiting for somebody else.
    pub(super) fn waited(&mut self, duration: Duration) {
        self.waited += duration;
    }

    /// What the gateway itself has taken so far.
    pub(super) fn overhead(&self) -> Duration {
        self.started.elapsed().saturating_sub(self.waited)
    }

    /// What the usage costs at the answering target's price.
    pub(super) fn cost(&self) -> NanoUsd {
        let usage = self.usage.unwrap_or_default();
        self.target.as_ref().and_then(|target| target.price.as_ref()).map_or(NanoUsd::ZERO, |price| cost::cost(&usage, price))
    }

    /// The client has its whole answer.
    pub(super) fn completed(&mut self) {
        self.status = StatusCode::OK;
        self.outcome = Outcome::Ok;
    }

    /// The request ends with an error; `status` is what the client was told.
    pub(super) fn failed(&mut self, error: &GatewayError) {
        self.status = error.code.status();
        self.outcome = if error.code.is_denial() { Outcome::Denied } else { Outcome::Error };
        self.error = Some(error.code.word());
    }

    /// The record as it stands, for a dry run's answer.
    pub(super) fn decision(&mut self) -> Decision {
        let cost = self.cost();
        Decision {
            schema: 1,
            id: self.id,
            at: self.at,
            request_id: self.request_id.clone(),
            tenant: self.principal.tenant.name.clone(),
            team: self.principal.team.clone(),
            key: self.principal.key.clone(),
            operation: "chat",
            model: self.model.take(),
            config: Arc::clone(&self.gateway.config_hash),
            policy: self.policy.map(|policy| ledger::Policy { name: policy.name.clone(), hash: Arc::clone(&policy.hash) }),
            labels: Arc::clone(&self.labels),
            score: self.score.take(),
            quality: self.quality,
            candidates: std::mem::take(&mut self.candidates),
            chosen: self.chosen,
            reason: self.reason,
            cache: self.cache,
            attempts: std::mem::take(&mut self.attempts),
            usage: self.usage,
            cost_nusd: cost,
            saving_nusd: self.saving(cost),
            outcome: self.outcome,
            error: self.error,
            ms: self.started.elapsed(),
        }
    }

    fn saving(&self, cost: NanoUsd) -> NanoUsd {
        let Some(usage) = self.usage else { return NanoUsd::ZERO };
        let best = self.best.and_then(|id| self.gateway.config.targets[id.index()].price.as_ref());
        cost::saving(&usage, best, cost)
    }

    fn place_of(&self, target: TargetId) -> usize {
        let name = &self.gateway.config.targets[target.index()].name;
        self.candidates.iter().position(|candidate| candidate.target == *name).unwrap_or_default()
    }

    fn log(&self, duration: Duration, cost: NanoUsd) {
        let log = &self.gateway.log;
        if !log.enabled() {
            return;
        }
        let usage = self.usage.unwrap_or_default();
        log.write(&RequestLine {
            at: self.at,
            request_id: self.request_id.as_str(),
            decision: self.id,
            tenant: self.principal.tenant.name.as_str(),
            key: self.principal.key.as_ref().map(crate::id::KeyId::as_str),
            operation: "chat",
            model: self.model.as_deref().unwrap_or(""),
            target: self.target.as_ref().map(|target| target.name.as_str()),
            reason: self.reason,
            status: self.status.as_u16(),
            outcome: self.outcome.word(),
            error: self.error,
            input_tokens: usage.input,
            output_tokens: usage.output,
            cost_nusd: cost.0,
            ms: duration,
            ttft_ms: self.first_token,
            attempts: self.attempts.len(),
            cache: self.cache,
        });
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        let duration = self.started.elapsed();
        let cost = self.cost();
        self.log(duration, cost);
        self.gateway.metrics.settled(&Settled {
            tenant: self.principal.tenant.name.as_str(),
            policy: self.policy.map(|policy| policy.name.as_str()),
            model: self.model.as_deref().unwrap_or(""),
            target: self.target.as_ref().map(|target| target.id),
            outcome: self.outcome,
            usage: self.usage.unwrap_or_default(),
            cost,
            saving: self.saving(cost),
            duration,
            first_token: self.first_token,
            overhead: duration.saturating_sub(self.waited),
        });
        let decision = self.decision();
        self.gateway.decisions.record(decision);
    }
}

/// Every target that was considered, with its figures or with what removed it.
pub(super) fn candidates(gateway: &Gateway, allowed: &Allowed, plan: Option<&Plan>) -> Vec<Candidate> {
    let full = gateway.config.error_detail == crate::config::ErrorDetail::Full;
    let _ = full;
    let mut candidates = Vec::new();
    for candidate in plan.into_iter().flat_map(|plan| &plan.candidates) {
        candidates.push(Candidate {
            target: gateway.config.targets[candidate.target.index()].name.clone(),
            cost_nusd: candidate.expected_cost,
            p_good: candidate.p_good,
            ttft_ms: Some(candidate.ttft.as_secs_f64() * 1e3),
            removed_by: candidate.removed_by.clone(),
            detail: None,
        });
    }
    for removal in allowed.removed() {
        candidates.push(Candidate {
            target: gateway.config.targets[removal.target.index()].name.clone(),
            cost_nusd: None,
            p_good: None,
            ttft_ms: None,
            removed_by: Some(removal.rule.clone()),
            detail: Some(Cow::Owned(removal.detail())),
        });
    }
    candidates
}
