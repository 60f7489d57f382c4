//! Proves of a policy that it never lets a target with some fact be asked, or finds a request for which it does.
//!
//! Targets are finite, and so is most of what rules look at. Every combination of tenant, label values and operation is
//! tried with the code that serves. Teams and keys have no end: a comparison with one is taken to hold and not to hold,
//! and a rule that might not apply is counted as not applying. So a proof holds for every request; a counterexample that
//! rests on such a rule says so.
//!
//! What a client says of itself and chooses in its request needs no trying: it can only switch rules on, so the request
//! that chooses nothing reaches the most.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::condition::{Condition, shown};
use super::labels::{self, LabelSources, Labels, MaySet, View};
use super::mask::Mask;
use super::scope::Input;
use super::{Circumstances, Operation, Policy, RequestFacts, Rule};
use crate::config::{LabelSource, Tenant};
use crate::id::{RuleName, TenantName};

/// Most combinations of tenant, label values and operation that are tried.
const MOST: u64 = 4_000_000;

/// What trying came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Tenants, ways of being labelled, and targets that were combined.
    pub tenants: usize,
    /// Different requests that were tried, over all tenants.
    pub requests: u64,
    /// Targets, each with each request.
    pub targets: usize,
    /// The labels that some rule looks at; others make no difference.
    pub labels: Vec<String>,
    /// The first way in which each target is reached that never should be. Empty: proved.
    pub counterexamples: Vec<Counterexample>,
}

impl Proof {
    /// How many combinations of request and target were tried.
    #[must_use]
    pub const fn combinations(&self) -> u64 {
        self.requests * self.targets as u64
    }
}

/// A request and a target that it may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    /// Who asks.
    pub tenant: TenantName,
    /// The labels that rules look at, set by key, claim, floor or default.
    pub labels: Vec<(String, String)>,
    /// The path it comes to, where some rule looks at that.
    pub operation: Option<&'static str>,
    /// The target that it may reach.
    pub target: Arc<str>,
    /// What of the target was never to be: `location.countries is [US]`.
    pub fact: String,
    /// Rules that would forbid it and may not apply, for their `when` looks at the team or the key.
    pub unless: Vec<RuleName>,
}

/// There are more combinations than can be tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{combinations} combinations of tenants, label values and operations are more than can be tried ({MOST})")]
pub struct TooMany {
    /// How many there are.
    pub combinations: u64,
}

/// Tries every combination: does any request of these tenants, judged by this policy, reach a target that one of
/// `never` hits? A fact that a target leaves unstated might be anything, so it hits.
///
/// # Errors
/// Where there are too many combinations to try.
pub fn prove(policy: &Arc<Policy>, tenants: &[Arc<Tenant>], never: &[Condition]) -> Result<Proof, TooMany> {
    let mut wrong = Mask::none(policy.targets.len());
    for (place, target) in policy.targets.iter().enumerate() {
        if never.iter().any(|condition| condition.hits(&target.facts)) {
            wrong.insert(place);
        }
    }
    let places: BTreeSet<usize> = policy.rules.iter().flat_map(|rule| rule.applies.labels()).collect();
    let by_operation = policy.rules.iter().any(|rule| rule.applies.looks_at(Input::Operation));
    let operations = if by_operation { &Operation::ALL[..] } else { &Operation::ALL[..1] };
    let mut found: BTreeMap<usize, Counterexample> = BTreeMap::new();
    let mut requests = 0;
    let by_tenant: Vec<Vec<Axis<'_>>> = tenants.iter().map(|tenant| axes(policy, tenant, &places)).collect();
    let labellings = by_tenant.iter().map(|axes| labellings(axes)).fold(0, u64::saturating_add);
    let combinations = labellings.saturating_mul(operations.len() as u64);
    if combinations > MOST {
        return Err(TooMany { combinations });
    }
    for (tenant, axes) in tenants.iter().zip(&by_tenant) {
        let at = policy.scope.place(tenant);
        each_labelling(policy, tenant, axes, &mut |labels| {
            for &operation in operations {
                requests += 1;
                let request = RequestFacts { operation, ..RequestFacts::BARE };
                let of = Circumstances { request, ..Circumstances::plain(tenant, labels) };
                let mut left = wrong.clone();
                let mut perhaps: Vec<&Rule> = Vec::new();
                for rule in &policy.rules {
                    match rule.applies.whoever(&policy.scope, &of, at) {
                        Some(true) => {
                            left.keep(&rule.passes);
                        }
                        Some(false) => {}
                        None => perhaps.push(rule),
                    }
                }
                for place in left.iter() {
                    let unless = perhaps.iter().filter(|rule| !rule.passes.contains(place));
                    let unless: Vec<RuleName> = unless.map(|rule| rule.name.clone()).collect();
                    // A way that rests on nothing unknown is shown before one that does.
                    if found.get(&place).is_none_or(|known| unless.len() < known.unless.len()) {
                        let named = by_operation.then_some(operation.as_str());
                        found.extend(counterexample(&of, named, &places, (place, policy), never, unless));
                    }
                }
            }
        });
    }
    let name = |place: &usize| policy.scope.labels.get(*place).map(|label| label.name.to_string());
    let mut counterexamples: Vec<Counterexample> = found.into_values().collect();
    counterexamples.sort_by_key(|found| found.unless.len());
    Ok(Proof {
        tenants: tenants.len(),
        requests,
        targets: policy.targets.len(),
        labels: places.iter().filter_map(name).collect(),
        counterexamples,
    })
}

fn counterexample(
    of: &Circumstances<'_>,
    operation: Option<&'static str>,
    places: &BTreeSet<usize>,
    (place, policy): (usize, &Policy),
    never: &[Condition],
    unless: Vec<RuleName>,
) -> Option<(usize, Counterexample)> {
    let target = policy.targets.get(place)?;
    let hit = never.iter().find(|condition| condition.hits(&target.facts))?;
    let named = places.iter().filter_map(|place| {
        let label = policy.scope.labels.get(*place)?;
        Some((label.name.to_string(), of.labels.text(*place, View::Bare).to_owned()))
    });
    let counterexample = Counterexample {
        tenant: of.tenant.name.clone(),
        labels: named.collect(),
        operation,
        target: target.name.as_str().into(),
        fact: format!("{} is {}", hit.fact.path(), shown(&target.facts, hit.fact)),
        unless,
    };
    Some((place, counterexample))
}

/// A label that rules look at, who sets it, and the values that come of it, each once: one below the floor is the floor.
struct Axis<'a> {
    name: &'a str,
    source: LabelSource,
    values: Vec<Option<&'a str>>,
}

/// What a tenant's requests can be labelled with, label by label.
fn axes<'a>(policy: &'a Policy, tenant: &Tenant, places: &BTreeSet<usize>) -> Vec<Axis<'a>> {
    let of = |place: &usize| {
        let label = policy.scope.labels.get(*place)?;
        let source = label.set_by_operator();
        let mut values = vec![None];
        if source.is_some() {
            values.extend(label.values.iter().map(|value| Some(&**value)));
        }
        let (name, source) = (&*label.name, source.unwrap_or(LabelSource::Key));
        let mut seen: BTreeSet<Option<u16>> = BTreeSet::new();
        // Labels do not bear upon each other, so what is different by itself makes different combinations.
        values.retain(|value| {
            let labels = labelled(policy, tenant, value.iter().map(|value| (name, source, *value)));
            labels.is_some_and(|labels| seen.insert(labels.index(*place, View::Bare)))
        });
        Some(Axis { name, source, values })
    };
    places.iter().filter_map(of).collect()
}

/// How many ways of being labelled there are.
fn labellings(axes: &[Axis<'_>]) -> u64 {
    axes.iter().map(|axis| axis.values.len() as u64).fold(1, u64::saturating_mul)
}

/// Hands over every way in which a tenant's request can be labelled, once.
fn each_labelling(policy: &Policy, tenant: &Tenant, axes: &[Axis<'_>], each: &mut dyn FnMut(&Labels)) {
    for index in 0..labellings(axes) {
        let mut rest = index;
        let set = axes.iter().filter_map(|axis| {
            let count = axis.values.len() as u64;
            let value = usize::try_from(rest % count).ok().and_then(|place| axis.values.get(place)).copied().flatten();
            rest /= count;
            value.map(|value| (axis.name, axis.source, value))
        });
        if let Some(labels) = labelled(policy, tenant, set) {
            each(&labels);
        }
    }
}

/// The labels of a tenant's request of which its key and its token say this.
fn labelled<'a>(
    policy: &Policy,
    tenant: &Tenant,
    said: impl Iterator<Item = (&'a str, LabelSource, &'a str)>,
) -> Option<Labels> {
    let (mut key, mut claim) = (BTreeMap::new(), BTreeMap::new());
    for (name, source, value) in said {
        let into = if source == LabelSource::Key { &mut key } else { &mut claim };
        into.insert(name.to_owned(), value.to_owned());
    }
    let sources =
        LabelSources { floor: &tenant.floor, key: &key, claim: &claim, client: &[], may_set: MaySet::All, raised: &[] };
    labels::resolve(&policy.scope.labels, &sources).ok()
}

#[cfg(test)]
mod tests;
