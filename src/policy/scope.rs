//! The names that a rule's `when` may use, and what is known of their values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators as op};

use super::circumstances::{AUTO, Operation};
use super::labels::Declared;
use crate::config::{Config, Tenant};
use crate::id::TenantName;

/// The names and values that a `when` is checked against at load.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) labels: Arc<Declared>,
    /// In order; the place is what truth tables are indexed by.
    pub(crate) tenants: Vec<Arc<Tenant>>,
    /// The teams that keys belong to.
    pub(crate) teams: BTreeSet<String>,
    /// Whether tokens may name further teams.
    pub(crate) open_teams: bool,
    /// The keys' ids.
    pub(crate) keys: BTreeSet<String>,
    /// What a client may ask for, beside `auto/POLICY`.
    pub(crate) models: BTreeSet<String>,
    places: BTreeMap<TenantName, usize>,
}

impl Scope {
    /// The labels, tenants, keys and models of a configuration.
    pub(crate) fn new(config: &Config) -> Self {
        let tenants: Vec<Arc<Tenant>> = config.tenants.values().cloned().collect();
        let keys = &config.auth.keys;
        let mut models: BTreeSet<String> = config.aliases.keys().cloned().collect();
        models.insert(AUTO.to_owned());
        for target in &config.targets {
            models.insert(target.model.to_string());
            models.insert(format!("{}/{}", target.provider.name, target.model));
        }
        Self {
            labels: Declared::new(&config.labels),
            places: tenants.iter().enumerate().map(|(place, tenant)| (tenant.name.clone(), place)).collect(),
            tenants,
            teams: keys.iter().filter_map(|key| key.team.as_ref()).map(ToString::to_string).collect(),
            open_teams: config.auth.jwt.iter().any(|issuer| issuer.claims.team.is_some()),
            keys: keys.iter().map(|key| key.id.to_string()).collect(),
            models,
        }
    }

    /// The place of a tenant; `None` for one that is not the configured one, region included.
    pub(crate) fn place(&self, tenant: &Tenant) -> Option<usize> {
        let place = *self.places.get(&tenant.name)?;
        (self.tenants.get(place)?.region == tenant.region).then_some(place)
    }

    /// What `root.field` is.
    pub(crate) fn input(&self, root: &str, field: &str) -> Option<Input> {
        if root == "labels" {
            return self.labels.position(field).map(Input::Label);
        }
        let known = FIELDS.iter().find(|(of, name, _)| *of == root && *name == field);
        known.map(|(_, _, input)| *input)
    }
}

/// What a `when` may begin with.
pub(crate) const ROOTS: [&str; 4] = ["tenant", "key", "labels", "request"];

const FIELDS: [(&str, &str, Input); 12] = [
    ("tenant", "name", Input::TenantName),
    ("tenant", "region", Input::TenantRegion),
    ("tenant", "team", Input::TenantTeam),
    ("key", "id", Input::KeyId),
    ("request", "operation", Input::Operation),
    ("request", "model", Input::Model),
    ("request", "stream", Input::Stream),
    ("request", "tools", Input::Tools),
    ("request", "server_tools", Input::ServerTools),
    ("request", "media", Input::Media),
    ("request", "unscanned", Input::Unscanned),
    ("request", "input_tokens", Input::Tokens),
];

/// The fields of `tenant`, `key` or `request`.
pub(crate) fn fields(root: &str) -> impl Iterator<Item = &'static str> + Clone {
    FIELDS.iter().filter(move |(of, _, _)| *of == root).map(|(_, field, _)| *field)
}

/// `tenant.name`, `labels["x"]`: root and field, where an expression is just that. Whether a macro's variable hides the
/// root is for the caller to know.
pub(crate) fn named(expression: &IdedExpr) -> Option<(&str, &str)> {
    let (of, field) = match &expression.expr {
        Expr::Select(select) if !select.test => (&*select.operand, select.field.as_str()),
        Expr::Call(call) if call.func_name == op::INDEX => {
            let [of, key] = call.args.as_slice() else { return None };
            let Expr::Literal(LiteralValue::String(key)) = &key.expr else { return None };
            (of, key.inner())
        }
        _ => return None,
    };
    match &of.expr {
        Expr::Ident(root) if ROOTS.contains(&root.as_str()) => Some((root, field)),
        _ => None,
    }
}

/// One thing that a `when` looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Input {
    /// `tenant.name`.
    TenantName,
    /// `tenant.region`.
    TenantRegion,
    /// `tenant.team`.
    TenantTeam,
    /// `key.id`.
    KeyId,
    /// A label, by its place among the declared.
    Label(usize),
    /// `request.operation`.
    Operation,
    /// `request.model`.
    Model,
    /// `request.stream`.
    Stream,
    /// `request.tools`.
    Tools,
    /// `request.server_tools`.
    ServerTools,
    /// `request.media`.
    Media,
    /// `request.unscanned`.
    Unscanned,
    /// `request.input_tokens`.
    Tokens,
}

/// What an input's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Text,
    Flag,
    Number,
}

impl Input {
    /// What of a request its client chooses. Labels are judged by themselves, in each view; the operation is the path.
    pub(crate) const CHOSEN: [Self; 7] =
        [Self::Model, Self::Stream, Self::Tools, Self::ServerTools, Self::Media, Self::Unscanned, Self::Tokens];

    pub(crate) const fn sort(self) -> Sort {
        match self {
            Self::Stream | Self::Tools | Self::ServerTools | Self::Media | Self::Unscanned => Sort::Flag,
            Self::Tokens => Sort::Number,
            Self::TenantName
            | Self::TenantRegion
            | Self::TenantTeam
            | Self::KeyId
            | Self::Label(_)
            | Self::Operation
            | Self::Model => Sort::Text,
        }
    }

    /// How many values it may have, where a truth table has an axis for it; `None`: the tenants are an axis of their
    /// own, or there is no end of values.
    pub(crate) fn values(self, labels: &Declared) -> Option<usize> {
        match self {
            // "No value" is one.
            Self::Label(place) => Some(labels.get(place).map_or(0, |label| label.values.len()) + 1),
            Self::Operation => Some(Operation::ALL.len()),
            _ if self.sort() == Sort::Flag => Some(2),
            _ => None,
        }
    }

    /// Whether there is no end of values.
    pub(crate) const fn is_endless(self) -> bool {
        matches!(self, Self::TenantTeam | Self::KeyId | Self::Model | Self::Tokens)
    }

    /// Root and field, for all but labels.
    pub(crate) fn field(self) -> Option<(&'static str, &'static str)> {
        FIELDS.iter().find(|(_, _, input)| *input == self).map(|(root, field, _)| (*root, *field))
    }
}
