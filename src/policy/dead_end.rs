//! A warning for tenants whose every request would be refused: a gateway that starts and then says 403 to everybody is
//! found out by its users.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::load::place_of;
use super::{Circumstances, LabelSources, MaySet, Policies, constrain, labels};
use crate::config::{Config, Problem, Severity, Tenant};
use crate::id::TargetId;

/// One warning for each tenant that somebody can be and whose policy leaves nothing to a request that says nothing of
/// itself.
pub(super) fn warnings(policies: &Policies, config: &Config) -> Vec<Problem> {
    let tenants = config.tenants.values().filter(|tenant| is_reached(config, tenant));
    tenants.filter_map(|tenant| warning(policies, config, tenant)).collect()
}

fn is_reached(config: &Config, tenant: &Tenant) -> bool {
    let open = config.auth.open_on_loopback && tenant.name.as_str() == "default";
    open || !config.auth.jwt.is_empty() || config.auth.keys.iter().any(|key| key.tenant == tenant.name)
}

fn warning(policies: &Policies, config: &Config, tenant: &Tenant) -> Option<Problem> {
    let policy = policies.get(tenant.policy.as_str())?;
    let nothing = BTreeMap::new();
    let sources = LabelSources {
        floor: &tenant.floor,
        key: &nothing,
        claim: &nothing,
        raised: &[],
        client: &[],
        may_set: MaySet::All,
    };
    let labels = labels::resolve(policies.labels(), &sources).ok()?;
    let targets: Vec<TargetId> = config.targets.iter().map(|target| target.id).collect();
    let allowed = constrain(policy, &Circumstances::plain(tenant, &labels), &targets);
    if !allowed.is_empty() {
        return None;
    }
    let first = allowed.considered().next()?;
    let (target, removal) = (allowed.target(first)?, allowed.why_removed(first)?);
    let (line, column) = config.path.as_deref().and_then(|path| place_of(path, tenant)).unwrap_or_default();
    Some(Problem {
        file: config.path.clone().unwrap_or_else(|| PathBuf::from("configuration")),
        line,
        column,
        message: format!(
            "the policy `{}` refuses every ordinary request of tenant `{}`; {} by `{}`: {}",
            policy.name, tenant.name, target.name, removal.rule, removal.detail
        ),
        remedy: "state the facts that its rules ask for at providers and models, or give the tenant another policy"
            .to_owned(),
        severity: Severity::Warning,
        snippet: String::new(),
    })
}
