//! What a rule's `when` may name: the tenant and its labels.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::labels::Declared;
use crate::config::{Config, Label, LabelKind, Tenant};
use crate::id::TenantName;

/// The names and values that a `when` is checked against at load.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) labels: Arc<Declared>,
    /// In order; the place is what truth tables are indexed by.
    pub(crate) tenants: Vec<Arc<Tenant>>,
    places: BTreeMap<TenantName, usize>,
}

/// The label that the built-in policies speak of, for a configuration that declares none of this name.
const DATA_CLASS: [&str; 4] = ["public", "internal", "personal", "secret"];

impl Scope {
    /// The labels and tenants of a configuration.
    pub(crate) fn new(config: &Config) -> Self {
        Self::with(config, &config.labels)
    }

    /// The same for the built-in policies, which bring the label they speak of: a discovered configuration declares
    /// none, and its requests may still say how confidential they are.
    pub(crate) fn built_in(config: &Config) -> Self {
        let mut labels = config.labels.clone();
        if labels.iter().all(|label| label.name != "data-class") {
            labels.push(Label {
                name: "data-class".to_owned(),
                kind: LabelKind::Ordered(DATA_CLASS.map(str::to_owned).to_vec()),
                default: Some("internal".to_owned()),
                from: Vec::new(),
            });
        }
        Self::with(config, &labels)
    }

    fn with(config: &Config, labels: &[Label]) -> Self {
        let tenants: Vec<Arc<Tenant>> = config.tenants.values().cloned().collect();
        Self {
            labels: Declared::new(labels),
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
