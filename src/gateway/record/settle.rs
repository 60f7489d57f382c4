//! The end of a request: charged, counted, logged and kept, on whatever exit it takes.

use std::sync::Arc;
use std::time::Duration;

use super::Record;
use crate::chat::{Effort, Outcome};
use crate::cost;
use crate::id::RequestId;
use crate::ledger::{self, Attempt, Decision};
use crate::money::NanoUsd;
use crate::telemetry::{RequestLine, Settled};

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if self.rehearsal {
            return;
        }
        if self.outcome == Outcome::Cancelled {
            self.cut_short();
            self.estimate_unfinished();
        }
        if self.outcome == Outcome::Ok && !self.free {
            self.remember();
            self.learn();
        }
        let duration = self.started.elapsed();
        let cost = self.cost();
        self.log(duration, cost);
        self.gateway.metrics.settled(&Settled {
            operation: self.operation,
            tenant: self.principal.tenant.name.as_str(),
            policy: self.policy.map(|policy| policy.name.as_str()),
            model: self.model.as_deref().unwrap_or(""),
            target: self.target.as_ref().map(|target| target.id),
            outcome: self.outcome,
            // What came from the cache was made by no model.
            usage: self.usage.filter(|_| !self.free).unwrap_or_default(),
            cost,
            saving: self.saving(cost),
            basis: self.basis.as_str(),
            duration,
            first_token: self.first_token,
            overhead: duration.saturating_sub(self.waited),
        });
        let decision = self.decision(duration, cost);
        self.gateway.decisions.record(decision);
    }
}

impl Record<'_> {
    /// The client left during an attempt. The request was on its way there, and the record has to say so.
    fn cut_short(&mut self) {
        let (Some(bytes_sent), Some(target)) = (self.under_way, self.target.clone()) else { return };
        let elapsed = self.sent_at.map(|sent_at| sent_at.elapsed()).unwrap_or_default();
        let name = target.name.clone();
        let effort = self.effort.map(Effort::as_str);
        let attempt = Attempt {
            target: name,
            effort,
            peer: None,
            tls_sha256: None,
            bytes_sent,
            status: None,
            result: "cancelled",
            elapsed,
        };
        self.attempted(attempt, target.id);
    }

    /// Remembers how long a whole answer was. One that the client's own limit ended says nothing of others, nor do several
    /// of which only the sum is known, nor one at an effort that nobody knows.
    fn learn(&self) {
        let (Some(target), Some(usage)) = (&self.target, &self.usage) else { return };
        let limited = self.max_output.is_some_and(|most| usage.output >= most);
        if self.single && self.effort_known && !usage.estimated && !limited && usage.output > 0 {
            self.gateway.lengths.record(target.id, self.effort, self.difficulty(), usage.output);
        }
    }

    /// A dry run's decision, which is settled nowhere.
    pub(in crate::gateway) fn into_decision(mut self) -> Decision {
        let (duration, cost) = (self.started.elapsed(), self.cost());
        self.decision(duration, cost)
    }

    /// The record as it stands.
    fn decision(&mut self, duration: Duration, cost: NanoUsd) -> Decision {
        Decision {
            schema: 1,
            id: self.id,
            at: self.at,
            request_id: std::mem::replace(&mut self.request_id, RequestId::unknown()),
            tenant: self.principal.tenant.name.clone(),
            team: self.principal.team.clone(),
            key: self.principal.key.clone(),
            operation: self.operation,
            model: self.model.take(),
            config: Arc::clone(&self.gateway.config_hash),
            policy: self
                .policy
                .map(|policy| ledger::Policy { name: policy.name.clone(), hash: Arc::clone(&policy.hash) }),
            labels: self.labels.take(),
            detections: std::mem::take(&mut self.detections),
            score: self.score.take(),
            quality: self.quality,
            candidates: self.take_candidates(),
            chosen: self.chosen,
            reason: self.reason,
            cache: self.cache,
            attempts: std::mem::take(&mut self.attempts),
            expected: self.expected.take(),
            usage: self.usage,
            ttft: self.first_token,
            cost_nusd: cost,
            saving_nusd: self.saving(cost),
            outcome: self.outcome,
            error: self.error,
            ms: duration,
        }
    }

    fn saving(&self, cost: NanoUsd) -> NanoUsd {
        let Some(usage) = self.usage else { return NanoUsd::ZERO };
        let best = self.best.and_then(|id| self.gateway.config.targets[id.index()].price.as_ref());
        cost::saving(&usage, best, cost)
    }

    /// The client left while a whole answer was being made: nobody will say what it cost, but it was paid for. The
    /// target's stated speed times the time it had is the best that is known.
    fn estimate_unfinished(&mut self) {
        let (Some(sent_at), Some(target), Some(usage)) = (self.sent_at, &self.target, &mut self.usage) else { return };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
        let made = (sent_at.elapsed().as_secs_f64() * target.latency_prior.tokens_per_second) as u64;
        usage.output = made.min(self.max_output.or(target.max_output).unwrap_or(made));
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
            decision: Some(self.id),
            tenant: Some(self.principal.tenant.name.as_str()),
            key: self.principal.key.as_ref().map(crate::id::KeyId::as_str),
            operation: self.operation,
            model: self.model.as_deref().unwrap_or(""),
            target: self.target.as_ref().map(|target| target.name.as_str()),
            reason: self.reason,
            status: self.status.as_u16(),
            outcome: self.outcome.word(),
            error: self.error,
            input_tokens: usage.input,
            output_tokens: usage.output,
            cost_nusd: cost.0,
            duration,
            first_token: self.first_token,
            attempts: self.attempts.len(),
            cache: self.cache,
        });
    }
}
