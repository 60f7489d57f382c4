//! Tenants and limits.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Context, detection, labels};
use crate::config::running::{Label, LabelKind, Limits, Tenant};
use crate::config::values::{At, List, Named};
use crate::config::written;
use crate::id::TenantName;

/// All tenants, `default` among them.
pub(super) fn tenants(
    written: &List<written::Tenant>,
    looked_for: &written::Detection,
    labels: &[Label],
    context: Context<'_>,
) -> BTreeMap<TenantName, Arc<Tenant>> {
    let mut seen = Vec::new();
    let mut tenants = BTreeMap::new();
    for tenant in &written.0 {
        context.name(&tenant.name, "a tenant");
        context.fresh(&tenant.name, &mut seen, "tenant");
        let running = Tenant {
            name: tenant.name.value.as_str().into(),
            region: tenant.region.as_ref().map(|region| region.value.clone()),
            policy: policy(tenant.policy.as_ref(), context).into(),
            floor: floor(&tenant.floor, labels, context),
            unscanned_as: detection::unscanned(tenant.unscanned_as.as_ref(), looked_for, labels, context),
            limits: limits(&tenant.limits, context),
        };
        tenants.insert(running.name.clone(), Arc::new(running));
    }
    tenants.entry("default".into()).or_insert_with(|| {
        Arc::new(Tenant {
            name: "default".into(),
            region: None,
            policy: "default".into(),
            floor: BTreeMap::new(),
            unscanned_as: None,
            limits: Limits::default(),
        })
    });
    tenants
}

/// Only the name's shape is checked here: whether the policy exists is known where policies are read.
fn policy<'w>(written: Option<&'w At<String>>, context: Context<'_>) -> &'w str {
    let Some(policy) = written else {
        return "default";
    };
    context.name(policy, "a policy");
    &policy.value
}

fn floor(written: &Named<At<String>>, labels: &[Label], context: Context<'_>) -> BTreeMap<String, String> {
    let mut floor = BTreeMap::new();
    for (name, value) in &written.0 {
        let Some(label) = labels::find(name, labels, context) else {
            continue;
        };
        if let LabelKind::Values(values) = &label.kind
            && !values.is_empty()
        {
            let message = format!("label `{}` has no order, so it cannot have a floor", name.value);
            context.error(name.place, message, "declare it with `order`, or remove it from `floor`");
            continue;
        }
        labels::check_value(value, label, context);
        floor.insert(name.value.clone(), value.value.clone());
    }
    floor
}

/// Limits of a key or tenant.
pub(super) fn limits(written: &written::Limits, context: Context<'_>) -> Limits {
    Limits {
        requests_per_minute: limit(written.requests_per_minute.as_ref(), context),
        concurrent: limit(written.concurrent.as_ref(), context),
    }
}

fn limit(written: Option<&At<u32>>, context: Context<'_>) -> Option<u32> {
    let At { value, place } = written?;
    if *value == 0 {
        context.error(*place, "a limit of zero lets nobody in", "write 1 or more, or leave it out for no limit");
    }
    Some(*value)
}
