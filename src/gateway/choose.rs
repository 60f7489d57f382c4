//! The last step of a decision: what is best among the allowed, by what is known at this moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Gateway;
use super::decide::{Constrained, NOTHING_ALLOWED};
use super::decode::aside;
use super::error::{Code, GatewayError};
use super::headers::Wishes;
use super::known::Known;
use super::pins::{self, Way};
use super::record::Record;
use super::steps::{Step, Steps};
use crate::chat::{self, Effort, Format, OwnEffort};
use crate::classify::Score;
use crate::config::{ErrorDetail, Meant, Target};
use crate::id::TargetId;
use crate::policy::{Allowed, Minimise};
use crate::route::{self, Inputs, Named, NoCandidate, Plan, Reason, RemovedBy, Why};
use crate::wire::dialect::Style;

/// When to come again if nothing is known.
const ONE_SECOND: Duration = Duration::from_secs(1);
/// The least that Claude takes as a budget of thought.
const LEAST_BUDGET: u64 = 1024;

/// Allowed targets, difficulty, prices and live latency → whom to ask first, and then.
pub(super) fn choose<'a>(
    gateway: &'a Gateway,
    constrained: &'a Constrained<'_>,
    score: Option<&Score>,
    wishes: &Wishes,
    request: &'a chat::Request,
    record: &mut Record<'_>,
) -> Result<Steps<'a>, GatewayError> {
    if let Some(score) = score {
        record.scored(score);
    }
    let allowed = &constrained.allowed;
    let moment = Moment::of(gateway, constrained, request);
    let plan = match weigh(gateway, constrained, score, wishes, request, &moment) {
        Ok(plan) => Arc::new(plan),
        Err(none) => {
            let error = no_candidate(gateway, allowed, &none, moment.now, record);
            record.considered(allowed, none.candidates);
            return Err(error);
        }
    };
    let pinned = moment.pinned;
    if let Some(Way { target, .. }) = pinned
        && plan.chosen().is_none_or(|first| first.target != target)
    {
        let error = pinned_out(gateway, allowed, target, &plan.candidates, record);
        record.considered(allowed, Arc::clone(&plan.candidates));
        return Err(error);
    }
    record.planned(allowed, &plan, request);
    record.converses(moment.conversation);
    Ok(Steps { allowed, plan, efforts: Efforts { gateway, request, pinned } })
}

/// What a choice rests on that another moment may change.
pub(super) struct Moment {
    now: Instant,
    /// The target that began the tool loop.
    pinned: Option<Way>,
    /// The conversation that is gone on with.
    conversation: Option<pins::Known>,
}

impl Moment {
    pub(super) fn of(gateway: &Gateway, constrained: &Constrained<'_>, request: &chat::Request) -> Self {
        Self {
            now: Instant::now(),
            pinned: pinned(gateway, constrained, request),
            conversation: conversation(gateway, constrained, request),
        }
    }
}

/// All that is known at this moment, weighed.
pub(super) fn weigh(
    gateway: &Gateway,
    constrained: &Constrained<'_>,
    score: Option<&Score>,
    wishes: &Wishes,
    request: &chat::Request,
    &Moment { now, pinned, conversation }: &Moment,
) -> Result<Plan, NoCandidate> {
    let allowed = &constrained.allowed;
    let meant = &constrained.asked.meant;
    let reason = if matches!(meant, Meant::Alias(_)) { Reason::Alias } else { Reason::Named };
    let only = pinned.map(|way| [(way.target, 1)]);
    let objective = &allowed.policy().objective;
    let difficulty = score.and_then(|score| score.difficulty);
    let calibrated = gateway.calibrated.as_ref().and_then(|calibrated| calibrated.by(score?.stage.as_str()));
    let vector = score.and_then(|score| score.embedding.as_deref());
    let known = Known {
        gateway,
        efforts: Efforts { gateway, request, pinned },
        forecast: calibrated.zip(difficulty).map(|(calibrated, difficulty)| calibrated.forecast(difficulty, vector)),
        health: gateway.health.at(now),
        latency: gateway.latency.at(now),
        lengths: gateway.lengths.at(difficulty),
    };
    let inputs = Inputs {
        difficulty,
        input_tokens: request.input_tokens_estimate,
        max_output: request.max_output_tokens,
        n: request.n,
        needs: &needs(request),
        ceiling: wishes.max_cost,
        named: only
            .as_ref()
            .map(|only| Named { targets: only, random: 0, reason: Reason::Pinned })
            .or_else(|| meant.weighted().map(|targets| Named { targets, random: rand::random(), reason })),
        calibrated: calibrated.map(|calibrated| route::Calibrated { tau: calibrated.tau(objective) }),
        warm: conversation.and_then(|conversation| gateway.pins.warm(&conversation)),
    };
    route::choose(allowed, objective, &inputs, &known)
}

/// At which efforts the targets may be asked for one request.
#[derive(Clone, Copy)]
pub(super) struct Efforts<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) request: &'a chat::Request,
    pub(super) pinned: Option<Way>,
}

impl Efforts<'_> {
    fn target(&self, id: TargetId) -> &Target {
        &self.gateway.config.targets[id.index()]
    }

    /// Whether there is a choice: the client leaves it open, and the model is not in the middle of its work.
    pub(super) fn are_free(&self) -> bool {
        let sayable = matches!(self.request.format, Format::Chat | Format::Responses | Format::Messages);
        sayable && self.request.effort.is_unsaid() && !self.request.in_tool_loop
    }

    /// The effort where there is none to choose.
    pub(super) fn fixed(&self, id: TargetId) -> Option<Effort> {
        if self.target(id).ignores_effort() {
            return None;
        }
        match self.request.effort {
            OwnEffort::Said(effort) => effort,
            OwnEffort::Unsaid => {
                let begun = self.pinned.filter(|way| way.target == id).and_then(|way| way.effort);
                begun.filter(|effort| *effort == Effort::None || self.bounds(id).thinks)
            }
        }
    }

    /// Whether the target's effort is one that outcomes can be about: a budget or a switch of the client's own is none.
    pub(super) fn is_known(&self, id: TargetId) -> bool {
        self.request.effort != OwnEffort::Said(None) || self.target(id).ignores_effort()
    }

    /// At which efforts the target can be asked.
    pub(super) fn bounds(&self, id: TargetId) -> Bounds<'_> {
        let target = self.target(id);
        let format = target.format_for(self.request.format);
        // What was steered would be refused or lost while it thinks.
        let thinks = format.is_some_and(|format| format != Format::Messages || !self.request.steered);
        let by_budget = match target.reasoning.style {
            Some(Style::Budget) => true,
            None => matches!(format, Some(Format::Messages | Format::Gemini)),
            Some(_) => false,
        };
        let most = self.request.max_output_tokens.into_iter().chain(target.max_output).min();
        Bounds { target, thinks, budget_below: most.filter(|_| by_budget) }
    }
}

/// What efforts a request leaves to a target.
pub(super) struct Bounds<'a> {
    target: &'a Target,
    /// Whether it can be asked to reason at all.
    thinks: bool,
    /// A budget of thought must leave room for the answer.
    budget_below: Option<u64>,
}

impl Bounds<'_> {
    pub(super) fn leave(&self, effort: Option<Effort>) -> bool {
        let Some(effort) = effort.filter(|effort| *effort != Effort::None) else { return true };
        let room = |most| self.target.reasoning.budget_of(effort).max(LEAST_BUDGET) < most;
        self.thinks && self.budget_below.is_none_or(room)
    }
}

/// The target that began the tool loop this request is in the middle of, if it is known and still allowed. A model
/// asked for by name is where it was.
fn pinned(gateway: &Gateway, constrained: &Constrained<'_>, request: &chat::Request) -> Option<Way> {
    if !request.in_tool_loop {
        return None;
    }
    let turn = constrained.turn(gateway, request)?;
    gateway.pins.turn(turn).filter(|way| constrained.allowed.contains(way.target))
}

/// The conversation that is gone on with. Of use only where a target is chosen, and by its cost.
fn conversation(gateway: &Gateway, constrained: &Constrained<'_>, request: &chat::Request) -> Option<pins::Known> {
    let by_cost = constrained.allowed.policy().objective.minimise == Minimise::Cost;
    if constrained.asked.meant != Meant::Auto || !by_cost {
        return None;
    }
    aside(request.body.len(), || gateway.pins.conversation_of(&constrained.tenant, request))
}

/// Why the target that began a tool loop cannot go on with it.
fn pinned_out(
    gateway: &Gateway,
    allowed: &Allowed,
    target: TargetId,
    candidates: &[route::Candidate],
    record: &Record<'_>,
) -> GatewayError {
    let removed = candidates.iter().find(|candidate| candidate.target == target).and_then(|it| it.removed_by);
    match removed {
        Some(ceiling @ (RemovedBy::MaxCost | RemovedBy::Latency)) => beyond(gateway, allowed, ceiling.as_str(), record),
        _ => {
            let message = "the model that began this tool loop is failing or full at the moment";
            GatewayError::new(Code::NoHealthyTarget, message).retry_after(ONE_SECOND)
        }
    }
}

/// Remembers who answers, in case it calls tools and their results come back.
pub(super) fn pin(gateway: &Gateway, constrained: &Constrained<'_>, request: &chat::Request, step: &Step) {
    let more = constrained.allowed.len() > 1 || step.effort.is_some();
    if more && let Some(turn) = constrained.turn(gateway, request) {
        gateway.pins.answers(*turn, Way { target: step.target.id, effort: step.effort });
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
