//! What a client asked for by name: `auto`, an alias, or one model, and the policy that judges it.

use std::sync::Arc;

use super::Gateway;
use super::error::{Code, GatewayError};
use super::record::Record;
use crate::auth::Principal;
use crate::chat::{Format, Request};
use crate::config::Meant;
use crate::id::TargetId;
use crate::policy::Policy;

/// The requested name, resolved.
#[derive(Debug)]
pub(super) struct Asked<'g> {
    /// Targets that the name stands for, before any policy.
    pub(super) meant: Meant<'g>,
    /// The policy in force.
    pub(super) policy: &'g Arc<Policy>,
}

impl Asked<'_> {
    /// Every target that policy is to judge: of those the name stands for, the ones that serve such a request.
    ///
    /// What a provider runs or keeps on its own (hosted tools, stored answers) happens outside of the gateway's sight, so
    /// a target must state that it may. Those that do not are told to the record.
    pub(super) fn considered(
        &self,
        gateway: &Gateway,
        request: &Request,
        record: &mut Record<'_>,
    ) -> Result<Vec<TargetId>, GatewayError> {
        if request.format == Format::Embeddings && self.meant == Meant::Auto {
            let message = "`auto` chooses among models that answer; name an embedding model: GET /v1/models lists them";
            return Err(GatewayError::new(Code::InvalidRequest, message).param("model"));
        }
        let mut ids = self.serving(gateway, request.format);
        if ids.is_empty() {
            let message = format!(
                "the model `{}` does not serve {} requests; GET /v1/models lists what there is",
                cut(&request.model),
                request.format.as_str()
            );
            return Err(GatewayError::new(Code::InvalidRequest, message).param("model"));
        }
        for (needed, capability) in [(&request.hosted, "server_tools"), (&request.state, "state")] {
            let Some(field) = needed else { continue };
            ids.retain(|id| {
                let target = &gateway.config.targets[id.index()];
                let states = target.states(capability);
                if !states {
                    record.lacks(target, capability);
                }
                states
            });
            if ids.is_empty() {
                let message = format!(
                    "`{}` needs the provider to run or keep something on its own, and no target states that it may \
                     (`supports: [{capability}]`)",
                    cut(field)
                );
                return Err(GatewayError::new(Code::ServerToolDenied, message).param(cut(field)));
            }
        }
        Ok(ids)
    }

    /// The targets that the name stands for and that serve clients of this format.
    pub(super) fn serving(&self, gateway: &Gateway, format: Format) -> Vec<TargetId> {
        let mut ids: Vec<TargetId> = match self.meant.weighted() {
            None => gateway.config.targets.iter().map(|target| target.id).collect(),
            Some(targets) => targets.iter().map(|(id, _)| *id).collect(),
        };
        ids.retain(|id| gateway.config.targets[id.index()].format_for(format).is_some());
        ids
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
    let policy_in_name = match model.split_once('/') {
        Some(("auto", policy)) => Some(policy),
        _ => None,
    };
    let meant = meant(gateway, principal, model)
        .ok_or_else(|| GatewayError::new(Code::ModelNotFound, unknown(model)).param("model"))?;
    let own = &principal.tenant.policy;
    let mut policy = gateway.policies.get(own.as_str()).ok_or_else(|| {
        // `check` has refused such a configuration; what is left is a programming mistake, and it fails closed.
        GatewayError::new(Code::PolicyDenied, format!("the policy `{own}` is not loaded"))
    })?;
    for wish in [policy_wish, policy_in_name].into_iter().flatten() {
        // The same answer whether there is such a policy or not. The second wish narrows further, or says the same again.
        let wished = gateway.policies.chosen(own.as_str(), wish).ok_or_else(|| foreign(wish))?;
        policy = match (wished.extends(policy.name.as_str()), policy.extends(wished.name.as_str())) {
            (true, _) => wished,
            (_, true) => policy,
            _ if wished.name == policy.name => policy,
            _ => {
                let message = "the header `x-waypost-policy` and the model's name ask for two policies of which neither \
                               extends the other: name one";
                return Err(GatewayError::new(Code::InvalidRequest, message).param("x-waypost-policy"));
            }
        };
    }
    Ok(Asked { meant, policy })
}

fn foreign(wish: &str) -> GatewayError {
    let message =
        format!("the policy `{}` may not be chosen here: a request can name its own or one that extends it", cut(wish));
    GatewayError::new(Code::PermissionDenied, message)
}

/// What the name means, if this key may ask for it: by that name, or by the model's own. Who may ask for `auto` may ask for
/// it under a narrower policy too.
fn meant<'g>(gateway: &'g Gateway, principal: &Principal, name: &str) -> Option<Meant<'g>> {
    let plain = if name.starts_with("auto/") { "auto" } else { name };
    let mut meant = gateway.config.meant_by(plain)?;
    if principal.models.allows(name) || principal.models.allows(plain) {
        return Some(meant);
    }
    let Meant::Model(targets) = &mut meant else { return None };
    targets.retain(|(id, _)| principal.models.allows(gateway.config.targets[id.index()].model.as_str()));
    (!targets.is_empty()).then_some(meant)
}

fn unknown(model: &str) -> String {
    format!(
        "the model `{}` does not exist or this key may not use it; GET /v1/models lists those it may use",
        cut(model)
    )
}

/// A stranger's text in an error is kept short and on one line.
fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
