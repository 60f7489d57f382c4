//! What a rule's `when` may name: the tenant and its labels.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::labels::Declared;
use crate::config::{Config, Tenant};
use crate::id::TenantName;

/// The names and values that a `when` is checked against at load.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) labels: Arc<Declared>,
    /// In order; the place is what truth tables are indexed by.
    pub(crate) tenants: Vec<Arc<Tenant>>,
    places: BTreeMap<TenantName, usize>,
}

impl Scope {
    /// The labels and tenants of a configuration.
    pub(crate) fn new(config: &Config) -> Self {
        let tenants: Vec<Arc<Tenant>> = config.tenants.values().cloned().collect();
        Self {
            labels: Declared::new(&config.labels),
            places: tenants.iter().enumerate().map(|(place, tenant)| (tenant.name.clone(), place)).collect(),
            tenants,
        }
    }

    /// The place of a tenant; `None` for one that is not the configured one, region included.
    pub(crate) fn place(&self, tenant: &Tenant) -> Option<usize> {
        let place = *self.places.get(&tenant.name)?;
        (self.tenants.get(place)?.region == tenant.region).then_some(place)
    }
}

/// One thing that a `when` looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Input {
    /// `tenant.name`.
    TenantName,
    /// `tenant.region`.
    TenantRegion,
    /// A label, by its place among the declared.
    Label(usize),
}
