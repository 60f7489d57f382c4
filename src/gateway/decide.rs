//! The decision: what may be asked (the rules), how hard the prompt is, and what is best (the objective).
//!
//! Serving and dry runs take the same three steps, so `POST /v1/route` and `waypost explain` cannot tell a story of
//! their own.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::Gateway;
use super::asked::{self, Asked};
use super::decode::aside;
use super::error::{Code, GatewayError};
use super::headers::Wishes;
use super::pins::Turn;
use super::record::Record;
use crate::auth::{self, Principal};
use crate::chat::{self, Format};
use crate::classify::{Prompt, Score};
use crate::config::{ErrorDetail, Meant, Target};
use crate::id::{KeyId, TargetId, TeamName, TenantName};
use crate::policy::{self, Allowed, Circumstances, LabelSources, Labels, Permitted, RequestFacts, labels};
use crate::route::{self, Inputs, Named, NoCandidate, Reason, RemovedBy, Why};
use crate::wire::ask;

/// When to come again if nothing is known.
const ONE_SECOND: Duration = Duration::from_secs(1);

/// What a client reads where it is to learn nothing of rules.
const NOTHING_ALLOWED: &str = "the policy allows no target for this request";

/// What the rules left of what was asked.
pub(super) struct Constrained<'g> {
    pub(super) asked: Asked<'g>,
    pub(super) labels: Labels,
    pub(super) allowed: Allowed,
    pub(super) tenant: TenantName,
    /// The turn that the request belongs to, once somebody has asked for it.
    turn: OnceLock<Option<Turn>>,
}

impl Constrained<'_> {
    /// The turn that the request belongs to; `None` where no tool can be called.
    fn turn(&self, request: &chat::Request) -> Option<&Turn> {
        let found = || aside(request.body.len(), || Turn::of(&self.tenant, request));
        self.turn.get_or_init(found).as_ref()
    }
}

/// Labels and facts → what may be asked. Nothing left is a refusal that names the rules.
pub(super) fn constrain<'g>(
    gateway: &'g Gateway,
    principal: &Principal,
    wishes: &Wishes,
    request: &chat::Request,
    record: &mut Record<'g>,
) -> Result<Constrained<'g>, GatewayError> {
    constrain_among(gateway, principal, wishes, request, None, record)
}

/// The same among these targets only, as if the configuration had no others.
pub(super) fn constrain_among<'g>(
    gateway: &'g Gateway,
    principal: &Principal,
    wishes: &Wishes,
    request: &chat::Request,
    among: Option<&[TargetId]>,
    record: &mut Record<'g>,
) -> Result<Constrained<'g>, GatewayError> {
    let asked = asked::resolve(gateway, principal, &request.model, wishes.policy.as_deref())?;
    let labels = resolve_labels(gateway, principal, wishes)?;
    let mut considered = asked.considered(gateway, request)?;
    if let Some(among) = among {
        considered.retain(|id| among.contains(id));
    }
    let circumstances = Circumstances {
        tenant: &principal.tenant,
        team: principal.team.as_ref().map_or("", TeamName::as_str),
        key: principal.key.as_ref().map_or("", KeyId::as_str),
        labels: &labels,
        request: RequestFacts::of(request),
    };
    let allowed = policy::constrain(asked.policy, &circumstances, &considered);
    record.constrained(asked.policy, &labels, &allowed);
    if allowed.is_empty() {
        record.nothing_allowed(&allowed);
        return Err(denied(gateway, &allowed, record));
    }
    Ok(Constrained { asked, labels, allowed, tenant: principal.tenant.name.clone(), turn: OnceLock::new() })
}

fn resolve_labels(gateway: &Gateway, principal: &Principal, wishes: &Wishes) -> Result<Labels, GatewayError> {
    let refused = |error: policy::LabelError| {
        let code = if error.is_permission() { Code::PermissionDenied } else { Code::LabelInvalid };
        GatewayError::new(code, error.to_string()).param("x-waypost-labels")
    };
    let client = match &wishes.labels {
        Some(header) => labels::parse_header(header).map_err(refused)?,
        None => Vec::new(),
    };
    let sources = LabelSources {
        floor: &principal.tenant.floor,
        key: &principal.key_labels,
        claim: &principal.claim_labels,
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
    let texts = ask::prompt(request);
    let prompt = Prompt { texts: &texts, tools: request.tools, images: request.media };
    Some(gateway.classifier.score(&constrained.tenant, &prompt).await)
}

/// Allowed targets, difficulty, prices and live latency → whom to ask first, and then.
pub(super) fn choose(
    gateway: &Gateway,
    constrained: &Constrained<'_>,
    score: Option<&Score>,
    wishes: &Wishes,
    request: &chat::Request,
    record: &mut Record<'_>,
) -> Result<Vec<Permitted<Arc<Target>>>, GatewayError> {
    if let Some(score) = score {
        record.scored(score);
    }
    let allowed = &constrained.allowed;
    let meant = &constrained.asked.meant;
    let reason = if matches!(meant, Meant::Alias(_)) { Reason::Alias } else { Reason::Named };
    let now = Instant::now();
    let pinned = pinned(gateway, constrained, request).map(|target| [(target, 1)]);
    let calibrated =
        gateway.calibrated.as_ref().filter(|calibrated| score.is_some_and(|score| calibrated.is_of(score)));
    let p_good = |id| Some(calibrated?.p_good(id, score?.difficulty?, score?.embedding.as_deref()));
    let p_good = |id| p_good(id).flatten();
    let objective = &allowed.policy().objective;
    let inputs = Inputs {
        difficulty: score.and_then(|score| score.difficulty),
        input_tokens: request.input_tokens_estimate,
        max_output: request.max_output_tokens,
        n: request.n,
        needs: &needs(request),
        ttft: &|id| gateway.latency.first_token_p95(id, now),
        healthy: &|id| gateway.health.is_healthy(id, now) && gateway.places.has_room(id),
        ceiling: wishes.max_cost,
        named: pinned
            .as_ref()
            .map(|pinned| Named { targets: pinned, random: 0, reason: Reason::Pinned })
            .or_else(|| meant.weighted().map(|targets| Named { targets, random: rand::random(), reason })),
        calibrated: calibrated.map(|calibrated| route::Calibrated { p_good: &p_good, tau: calibrated.tau(objective) }),
    };
    match route::choose(allowed, objective, &inputs) {
        Ok(plan) => {
            let order = plan.order.iter().filter_map(|&place| plan.candidates.get(place));
            let mut order: Vec<TargetId> = order.map(|candidate| candidate.target).collect();
            if let Some([(target, _)]) = pinned {
                order.retain(|id| *id == target);
                if order.is_empty() {
                    record.considered(allowed, &plan.candidates);
                    return Err(pinned_out(gateway, allowed, target, &plan.candidates, record));
                }
            } else if request.format == Format::Embeddings {
                // Vectors of two models do not mix.
                let model = |id: &TargetId| &gateway.config.targets[id.index()].model;
                let first = order.first().map(|id| model(id).clone());
                order.retain(|id| first.as_ref() == Some(model(id)));
            }
            record.planned(allowed, &plan);
            Ok(order.into_iter().filter_map(|id| allowed.permit(id)).collect())
        }
        Err(none) => {
            record.considered(allowed, &none.candidates);
            Err(no_candidate(gateway, allowed, &none, now, record))
        }
    }
}

/// The target that began the tool loop this request is in the middle of, if it is known and still allowed. A model
/// asked for by name is where it was.
fn pinned(gateway: &Gateway, constrained: &Constrained<'_>, request: &chat::Request) -> Option<TargetId> {
    if !request.in_tool_loop {
        return None;
    }
    gateway.pins.get(constrained.turn(request)?).filter(|id| constrained.allowed.contains(*id))
}

/// Why the target that began a tool loop cannot go on with it.
fn pinned_out(
    gateway: &Gateway,
    allowed: &Allowed,
    target: TargetId,
    candidates: &[route::Candidate],
    record: &Record<'_>,
) -> GatewayError {
    let removed = candidates.iter().find(|candidate| candidate.target == target).and_then(|it| it.removed_by.as_ref());
    match removed {
        Some(ceiling @ (RemovedBy::MaxCost | RemovedBy::Latency)) => beyond(gateway, allowed, ceiling.as_str(), record),
        _ => {
            let message = "the model that began this tool loop is failing or full at the moment";
            GatewayError::new(Code::NoHealthyTarget, message).retry_after(ONE_SECOND)
        }
    }
}

/// Remembers who answers, in case it calls tools and their results come back.
pub(super) fn pin(
    gateway: &Gateway,
    constrained: &Constrained<'_>,
    request: &chat::Request,
    target: &Permitted<Arc<Target>>,
) {
    if constrained.allowed.len() > 1
        && let Some(turn) = constrained.turn(request)
    {
        gateway.pins.put(*turn, target.id);
    }
}

/// What the request cannot do without, in the words of `supports`.
fn needs(request: &chat::Request) -> Vec<&'static str> {
    let needs = [(request.tools > 0, "tools"), (request.media > 0, "images")];
    needs.into_iter().filter(|(needed, _)| *needed).map(|(_, word)| word).collect()
}

fn no_candidate(
    gateway: &Gateway,
    allowed: &Allowed,
    none: &NoCandidate,
    now: Instant,
    record: &Record<'_>,
) -> GatewayError {
    if none.why == Why::Health {
        let back_in = gateway.health.back_in(allowed.permitted(), now);
        let message = "every allowed target is failing or full at the moment";
        // None is known for a target that is full; zero would have clients come again at once.
        let back_in = back_in.filter(|wait| !wait.is_zero()).unwrap_or(ONE_SECOND);
        return GatewayError::new(Code::NoHealthyTarget, message).retry_after(back_in);
    }
    beyond(gateway, allowed, none.why.as_str(), record)
}

/// The refusal of what no target may cost or take.
fn beyond(gateway: &Gateway, allowed: &Allowed, ceiling: &str, record: &Record<'_>) -> GatewayError {
    record.denied(allowed.policy().name.as_str(), ceiling);
    let message = match gateway.config.error_detail {
        ErrorDetail::None => NOTHING_ALLOWED.to_owned(),
        ErrorDetail::Rules | ErrorDetail::Full => format!("no allowed target meets the ceiling `{ceiling}`"),
    };
    GatewayError::new(Code::PolicyDenied, message)
}
