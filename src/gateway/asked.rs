//! What a client asked for by name: `auto`, an alias, or one model, and the policy that judges it.

use std::sync::Arc;

use super::Gateway;
use super::error::{Code, GatewayError};
use crate::auth::Principal;
use crate::config::Target;
use crate::id::TargetId;
use crate::policy::Policy;

/// The requested name, resolved.
#[derive(Debug)]
pub(super) struct Asked<'g> {
    /// Targets that the name stands for, before any policy.
    pub(super) targets: Considered<'g>,
    /// The policy in force.
    pub(super) policy: &'g Arc<Policy>,
}

/// Which targets a name stands for.
#[derive(Debug)]
pub(super) enum Considered<'g> {
    /// `auto`: all of them, and the objective chooses.
    Auto(&'g [TargetId]),
    /// An alias: these, by weight.
    Alias(&'g [(TargetId, u32)]),
    /// A model by name, at one or several providers, in the order of the configuration.
    Named(Vec<TargetId>),
}

impl Considered<'_> {
    pub(super) fn ids(&self) -> Vec<TargetId> {
        match self {
            Self::Auto(ids) => ids.to_vec(),
            Self::Alias(weighted) => weighted.iter().map(|(id, _)| *id).collect(),
            Self::Named(ids) => ids.clone(),
        }
    }

    pub(super) fn is_auto(&self) -> bool {
        matches!(self, Self::Auto(_))
    }
}

/// Resolves the requested model and policy for this principal.
///
/// A model that does not exist and one that this key may not use are the same 404: keys cannot probe.
pub(super) fn resolve<'g>(
    gateway: &'g Gateway,
    principal: &Principal,
    model: &str,
    policy_wish: Option<&str>,
) -> Result<Asked<'g>, GatewayError> {
    let (model, policy_in_name) = match model.split_once('/') {
        Some(("auto", policy)) => ("auto", Some(policy)),
        _ => (model, None),
    };
    let targets = targets(gateway, principal, model)
        .ok_or_else(|| GatewayError::new(Code::ModelNotFound, unknown(model)).param("model"))?;
    let own = &principal.tenant.policy;
    for wish in [policy_wish, policy_in_name].into_iter().flatten() {
        if wish != own.as_str() {
            let message = format!("the policy `{}` may not be chosen here: a request can only tighten its own", cut(wish));
            return Err(GatewayError::new(Code::PermissionDenied, message));
        }
    }
    let policy = gateway.policies.get(own.as_str()).ok_or_else(|| {
        // `check` has refused such a configuration; what is left is a programming mistake, and it fails closed.
        GatewayError::new(Code::PolicyDenied, format!("the policy `{own}` is not loaded"))
    })?;
    Ok(Asked { targets, policy })
}

fn targets<'g>(gateway: &'g Gateway, principal: &Principal, model: &str) -> Option<Considered<'g>> {
    let allowed = |name: &str| principal.models.allows(name);
    if model == "auto" {
        return allowed("auto").then_some(Considered::Auto(&gateway.all_targets));
    }
    if let Some(alias) = gateway.config.aliases.get(model) {
        return allowed(model).then_some(Considered::Alias(&alias.targets));
    }
    let named: Vec<TargetId> = gateway
        .config
        .targets
        .iter()
        .filter(|target| is_named(target, model) && (allowed(model) || allowed(target.model.as_str())))
        .map(|target| target.id)
        .collect();
    (!named.is_empty()).then_some(Considered::Named(named))
}

/// A model's own name, at any provider, or `provider/model`.
fn is_named(target: &Target, name: &str) -> bool {
    if target.model.as_str() == name {
        return true;
    }
    let rest = name.strip_prefix(target.provider.name.as_str());
    rest.and_then(|rest| rest.strip_prefix('/')) == Some(target.model.as_str())
}

fn unknown(model: &str) -> String {
    format!("the model `{}` does not exist or this key may not use it; GET /v1/models lists those it may use", cut(model))
}

/// A stranger's text in an error is kept short and on one line.
fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// Names this principal may ask for, for `GET /v1/models`.
pub(super) fn names(gateway: &Gateway, principal: &Principal) -> Vec<(String, String)> {
    let mut names = vec![("auto".to_owned(), "waypost".to_owned())];
    names.extend(gateway.config.aliases.keys().map(|alias| (alias.clone(), "waypost".to_owned())));
    for target in &gateway.config.targets {
        names.push((target.model.to_string(), target.provider.name.to_string()));
        names.push((format!("{}/{}", target.provider.name, target.model), target.provider.name.to_string()));
    }
    names.dedup_by(|one, other| one.0 == other.0);
    names.retain(|(name, _)| targets(gateway, principal, name).is_some());
    names
}
