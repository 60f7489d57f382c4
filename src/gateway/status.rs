//! What an operator may see of a running gateway: how its targets do, and what it decided lately.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::Gateway;
use crate::chat::Outcome;
use crate::config::{Fact, FactName};
use crate::id::{ModelName, PolicyName, ProviderName, RuleName, TargetName, TenantName};
use crate::ledger::Decision;

/// One target as it is now.
#[derive(Debug, Serialize)]
pub struct TargetStatus {
    /// `model@provider`.
    pub target: TargetName,
    /// As the operator names it.
    pub model: ModelName,
    /// Who serves it.
    pub provider: ProviderName,
    /// What the provider calls it.
    pub upstream: String,
    /// Whether requests go there.
    pub healthy: bool,
    /// Milliseconds until one may try again; 0 where it is healthy.
    pub resting_ms: u64,
    /// Requests under way.
    pub in_flight: u32,
    /// Most at one time; null: unlimited.
    pub max_concurrent: Option<u32>,
    /// Milliseconds to the first token that 95 of 100 requests lately stayed within; the prior where few were seen.
    pub first_token_p95_ms: f64,
    /// The same to the first token of the answer itself, at the model's own effort.
    pub first_answer_p95_ms: f64,
    /// What is stated of it, by the names that policies use.
    pub facts: BTreeMap<&'static str, serde_json::Value>,
}

/// A policy in force.
#[derive(Debug, Serialize)]
pub struct PolicyStatus {
    /// Its name.
    pub name: PolicyName,
    /// Hash of its file.
    pub hash: Arc<str>,
    /// Its rules, in order.
    pub rules: Vec<RuleName>,
}

impl Gateway {
    /// Every target, in the configuration's order.
    #[must_use]
    pub fn targets(&self) -> Vec<TargetStatus> {
        let now = Instant::now();
        let mut targets = Vec::with_capacity(self.config.targets.len());
        for target in &self.config.targets {
            let resting = self.health.back_in([target.id], now).unwrap_or_default();
            let stated = |name: FactName| Some((name.path(), value(target.facts.get(name)?)));
            targets.push(TargetStatus {
                target: target.name.clone(),
                model: target.model.clone(),
                provider: target.provider.name.clone(),
                upstream: target.upstream.clone(),
                healthy: self.health.is_healthy(target.id, now),
                resting_ms: u64::try_from(resting.as_millis()).unwrap_or(u64::MAX),
                in_flight: self.places.now(target.id),
                max_concurrent: target.max_concurrent,
                first_token_p95_ms: self.latency.first_token_p95(target.id, now).as_secs_f64() * 1e3,
                first_answer_p95_ms: self.latency.first_answer_p95(target.id, None, now).as_secs_f64() * 1e3,
                facts: FactName::ALL.into_iter().filter_map(stated).collect(),
            });
        }
        targets
    }

    /// Every policy, by name.
    #[must_use]
    pub fn policy_statuses(&self) -> Vec<PolicyStatus> {
        let policies = self.policies.names().filter_map(|name| self.policies.get(name.as_str()));
        let status = |policy: &Arc<crate::policy::Policy>| PolicyStatus {
            name: policy.name.clone(),
            hash: Arc::clone(&policy.hash),
            rules: policy.rules.iter().map(|rule| rule.name.clone()).collect(),
        };
        policies.map(status).collect()
    }

    /// The last decisions that are kept, the newest first.
    #[must_use]
    pub fn decisions(&self, tenant: Option<&TenantName>, outcome: Option<Outcome>, limit: usize) -> Vec<Arc<Decision>> {
        self.decisions.latest(limit, |decision| {
            tenant.is_none_or(|tenant| decision.tenant == *tenant)
                && outcome.is_none_or(|outcome| decision.outcome == outcome)
        })
    }
}

fn value(fact: &Fact) -> serde_json::Value {
    match fact {
        Fact::Set(set) => set.iter().cloned().collect(),
        Fact::Text(text) => text.as_str().into(),
        Fact::Number(number) => (*number).into(),
        Fact::Bool(yes) => (*yes).into(),
    }
}
