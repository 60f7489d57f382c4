//! The decision: what may be asked (the rules), how hard the prompt is, and what is best (the objective).
//!
//! Serving and dry runs take the same three steps, so `POST /v1/route` and `waypost explain` cannot tell a story of
//! their own.

use std::sync::OnceLock;

use super::Gateway;
use super::asked::{self, Asked};
pub(super) use super::choose::{Moment, choose, pin, weigh};
use super::decode::aside;
use super::detect::Detected;
use super::error::{Code, GatewayError};
use super::headers::Wishes;
use super::pins::Known;
use super::record::Record;
pub(super) use super::steps::{Step, Steps};
use crate::auth::{self, Principal};
use crate::chat;
use crate::classify::{Prompt, Score};
use crate::config::{ErrorDetail, Meant};
use crate::id::{KeyId, TargetId, TeamName, TenantName};
use crate::policy::{self, Allowed, Circumstances, LabelSources, Labels, RequestFacts, labels};
use crate::wire::ask;

/// What a client reads where it is to learn nothing of rules.
pub(super) const NOTHING_ALLOWED: &str = "the policy allows no target for this request";

/// What the rules left of what was asked.
pub(super) struct Constrained<'g> {
    pub(super) asked: Asked<'g>,
    pub(super) labels: Labels,
    pub(super) allowed: Allowed,
    pub(super) tenant: TenantName,
    /// The turn that the request belongs to, once somebody has asked for it.
    turn: OnceLock<Option<Known>>,
}

impl Constrained<'_> {
    /// The turn that the request belongs to; `None` where no tool can be called.
    pub(super) fn turn(&self, gateway: &Gateway, request: &chat::Request) -> Option<&Known> {
        let found = || aside(request.body.len(), || gateway.pins.turn_of(&self.tenant, request));
        self.turn.get_or_init(found).as_ref()
    }
}

/// Labels and facts → what may be asked. Nothing left is a refusal that names the rules.
pub(super) fn constrain<'g>(
    gateway: &'g Gateway,
    principal: &Principal,
    wishes: &Wishes,
    request: &chat::Request,
    detected: &Detected<'_>,
    record: &mut Record<'g>,
) -> Result<Constrained<'g>, GatewayError> {
    constrain_among(gateway, principal, wishes, request, detected, None, record)
}

/// The same among these targets only, as if the configuration had no others.
pub(super) fn constrain_among<'g>(
    gateway: &'g Gateway,
    principal: &Principal,
    wishes: &Wishes,
    request: &chat::Request,
    detected: &Detected<'_>,
    among: Option<&[TargetId]>,
    record: &mut Record<'g>,
) -> Result<Constrained<'g>, GatewayError> {
    let asked = asked::resolve(gateway, principal, &request.model, wishes.policy.as_deref())?;
    let labels = resolve_labels(gateway, principal, wishes, detected)?;
    record.judged(asked.policy, &labels);
    let mut considered = asked.considered(gateway, request, record)?;
    if let Some(among) = among {
        considered.retain(|id| among.contains(id));
    }
    let allowed = judge(principal, &asked, &labels, RequestFacts::of(request), &considered);
    record.constrained(&allowed);
    if allowed.is_empty() {
        record.nothing_allowed(&allowed);
        return Err(denied(gateway, &allowed, record));
    }
    Ok(Constrained { asked, labels, allowed, tenant: principal.tenant.name.clone(), turn: OnceLock::new() })
}

/// What the rules leave of these targets.
pub(super) fn judge(
    principal: &Principal,
    asked: &Asked<'_>,
    labels: &Labels,
    request: RequestFacts<'_>,
    considered: &[TargetId],
) -> Allowed {
    let circumstances = Circumstances {
        tenant: &principal.tenant,
        team: principal.team.as_ref().map_or("", TeamName::as_str),
        key: principal.key.as_ref().map_or("", KeyId::as_str),
        labels,
        request,
    };
    policy::constrain(asked.policy, &circumstances, considered)
}

/// The labels of a request: who asks, what its client says of it, what it holds.
pub(super) fn resolve_labels(
    gateway: &Gateway,
    principal: &Principal,
    wishes: &Wishes,
    detected: &Detected<'_>,
) -> Result<Labels, GatewayError> {
    let refused = |error: policy::LabelError| {
        let code = if error.is_permission() { Code::PermissionDenied } else { Code::LabelInvalid };
        let refusal = GatewayError::new(code, error.to_string());
        // A client that sent none has nothing to mend there: it is its key's or its token's label.
        if wishes.labels.is_some() { refusal.param("x-waypost-labels") } else { refusal }
    };
    let client = match &wishes.labels {
        Some(header) => labels::parse_header(header).map_err(refused)?,
        None => Vec::new(),
    };
    let sources = LabelSources {
        floor: &principal.tenant.floor,
        key: &principal.key_labels,
        claim: &principal.claim_labels,
        raised: &detected.raises,
        client: &client,
        may_set: match &principal.may_set {
            auth::MaySet::All => labels::MaySet::All,
            auth::MaySet::Names(names) => labels::MaySet::Named(names),
        },
    };
    labels::resolve(gateway.policies.labels(), &sources).map_err(refused)
}

/// The refusal when nothing is allowed; how much it tells is configured.
fn denied(gateway: &Gateway, allowed: &Allowed, record: &Record<'_>) -> GatewayError {
    let policy = allowed.policy().name.as_str();
    for rule in allowed.rules() {
        record.denied(policy, rule.as_str());
    }
    let rules = || allowed.rules().map(|rule| format!("`{rule}`")).collect::<Vec<_>>().join(", ");
    let message = match gateway.config.error_detail {
        ErrorDetail::None => NOTHING_ALLOWED.to_owned(),
        ErrorDetail::Rules => format!("the policy `{policy}` allows no target for this request; rules: {}", rules()),
        ErrorDetail::Full => {
            let why = allowed.considered().filter_map(|id| {
                let removal = allowed.why_removed(id)?;
                Some(format!("{} by `{}` ({})", allowed.target(id)?.name, removal.rule, removal.detail))
            });
            format!("the policy `{policy}` allows no target for this request: {}", why.collect::<Vec<_>>().join("; "))
        }
    };
    GatewayError::new(Code::PolicyDenied, message)
}

/// Prompt → difficulty. Only where there is something to choose: a named model goes where it was sent.
pub(super) async fn classify(
    gateway: &Gateway,
    constrained: &Constrained<'_>,
    request: &chat::Request,
) -> Option<Score> {
    if constrained.asked.meant != Meant::Auto {
        return None;
    }
    let texts = aside(request.body.len(), || ask::prompt(request));
    let prompt = Prompt { texts: &texts, tools: request.tools, images: request.media };
    Some(gateway.classifier.score(&constrained.tenant, &prompt).await)
}
