//! A decision over and over, for `cargo bench --bench decide`: the same steps that serve, on a request and a score that
//! are given.

use std::sync::Arc;
use std::time::Instant;

use super::Gateway;
use super::decide::{self, Constrained, Moment};
use super::detect::Detected;
use super::error::{Code, GatewayError};
use super::headers::Wishes;
use super::record::Record;
use crate::auth::Principal;
use crate::chat::{self, Effort};
use crate::classify::Score;
use crate::id::{RequestId, TargetId, TenantName};
use crate::policy::{Allowed, RequestFacts};
use crate::route::Plan;

/// A request on which decisions are timed.
#[doc(hidden)]
pub struct Timed<'g> {
    gateway: &'g Gateway,
    principal: Arc<Principal>,
    request: &'g chat::Request,
    wishes: Wishes,
    score: Score,
    considered: Vec<TargetId>,
    constrained: Constrained<'g>,
    moment: Moment,
}

impl<'g> Timed<'g> {
    /// Of this tenant, with labels as a client would send them. Every target that was measured has answered before.
    ///
    /// # Errors
    /// What a request would be refused for.
    pub fn new(
        gateway: &'g Gateway,
        tenant: &str,
        labels: Option<String>,
        request: &'g chat::Request,
        score: Score,
    ) -> Result<Self, GatewayError> {
        let tenant = gateway.config.tenants.get(&TenantName::from(tenant));
        let tenant = tenant.ok_or_else(|| GatewayError::new(Code::NotFound, "no such tenant"))?;
        let principal = Arc::new(Principal::open(Arc::clone(tenant)));
        let wishes = Wishes { labels, ..Wishes::default() };
        let mut record = rehearsal(gateway, &principal);
        let found = Detected { raises: Vec::new() };
        let constrained = decide::constrain(gateway, &principal, &wishes, request, &found, &mut record)?;
        let considered = constrained.allowed.considered().collect();
        answered(gateway, score.difficulty);
        let moment = Moment::of(gateway, &constrained, request);
        Ok(Self { gateway, principal, request, wishes, score, considered, constrained, moment })
    }

    /// Rules and choice alone: `policy::constrain` and `route::choose`, with what the gateway gives them. Which
    /// conversation the request belongs to is known.
    pub fn choose(&mut self) -> Option<Plan> {
        self.constrained.allowed = self.judge();
        let score = Some(&self.score);
        decide::weigh(self.gateway, &self.constrained, score, &self.wishes, self.request, &self.moment).ok()
    }

    /// The first half of that.
    pub fn constrain(&self) -> usize {
        self.judge().len()
    }

    fn judge(&self) -> Allowed {
        let Constrained { asked, labels, .. } = &self.constrained;
        decide::judge(&self.principal, asked, labels, RequestFacts::of(self.request), &self.considered)
    }

    /// Both steps of a request whole: names, labels, policy and conversation looked up, rules, choice, and what is kept
    /// of them for the decision record, as for a dry run: with the percentile and the bucket, and without metrics.
    pub fn decide(&self) -> usize {
        let mut record = rehearsal(self.gateway, &self.principal);
        let found = Detected { raises: Vec::new() };
        let gateway = self.gateway;
        let constrained = decide::constrain(gateway, &self.principal, &self.wishes, self.request, &found, &mut record);
        let Ok(constrained) = constrained else { return 0 };
        let score = Some(&self.score);
        decide::choose(gateway, &constrained, score, &self.wishes, self.request, &mut record)
            .map_or(0, |plan| plan.iter().take(1).count())
    }
}

/// As if each target had answered at each effort: what was seen is read elsewhere than what is assumed.
fn answered(gateway: &Gateway, difficulty: Option<f32>) {
    let now = Instant::now();
    for target in &gateway.config.targets {
        gateway.latency.record(target.id, target.latency_prior.first_token, now);
        for effort in [None, Some(Effort::Low), Some(Effort::High)] {
            let output = gateway.lengths.expected(target.id, effort, difficulty).median;
            gateway.lengths.record(target.id, effort, difficulty, output);
            let taken = gateway.latency.first_answer_p95(target.id, effort, now);
            gateway.latency.record_answer(target.id, effort, taken, now);
        }
    }
}

fn rehearsal<'g>(gateway: &'g Gateway, principal: &Arc<Principal>) -> Record<'g> {
    Record::rehearse(gateway, Arc::clone(principal), RequestId::new(), Instant::now())
}
