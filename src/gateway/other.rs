//! What is served beside chat: the models a key may use, kept decisions, and the dry run of a decision.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::client::{Client, HungUp};
use super::error::{Code, GatewayError};
use super::headers::{Notes, Wishes};
use super::listed::{self, Listed};
use super::record::Record;
use super::{Gateway, admit, authenticate, decide, decode, detect, feedback, headers, refuse};
use crate::auth::Principal;
use crate::chat::{self, Format, Outcome};
use crate::config::Permission;
use crate::id::{DecisionId, RequestId, TenantName};
use crate::ledger::Decision;
use crate::limit::RateLimit;
use crate::telemetry::RequestLine;
use crate::wire::ask;

/// A body to answer with, and the limits to tell of; or why not.
pub(super) type Answer = Result<(String, Option<RateLimit>), GatewayError>;

/// What is asked for beside chat.
pub(super) enum Asked {
    Models,
    /// By its name.
    Model(String),
    /// By its id.
    Decision(String),
    DryRun,
    Feedback,
    /// Nothing that is served.
    Nothing(GatewayError),
}

/// Answers what is no chat request, with a line in the log.
pub(super) async fn serve<C: Client>(gateway: &Gateway, client: &mut C, asked: Asked) -> Result<(), HungUp> {
    let started = Instant::now();
    let request_id = headers::request_id(&client.head().headers);
    let (operation, answer) = match asked {
        Asked::Models => ("models", models(gateway, client).await),
        Asked::Model(name) => ("models", model(gateway, client, &name).await),
        Asked::Decision(id) => ("decision", decision(gateway, client, &id).await),
        Asked::DryRun => ("route", dry_run(gateway, client, &request_id, started).await),
        Asked::Feedback => ("feedback", feedback::take(gateway, client).await),
        Asked::Nothing(error) => ("none", Err(error)),
    };
    log(gateway, &request_id, operation, answer.as_ref().err(), started);
    let notes = Notes { request_id: Some(&request_id), ..Notes::default() };
    match answer {
        Ok((body, rate)) => {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Notes { rate, ..notes }.write(&mut headers);
            headers::allow_origin(&client.head().headers, &mut headers);
            client.respond(StatusCode::OK, headers, body.into()).await
        }
        Err(error) => {
            let format = super::format_of(client.head().uri.path());
            refuse(client, &error, format, &request_id, &notes).await
        }
    }
}

/// The line of a request that leaves no record.
pub(super) fn log(
    gateway: &Gateway,
    request_id: &RequestId,
    operation: &'static str,
    error: Option<&GatewayError>,
    started: Instant,
) {
    if !gateway.log.enabled() {
        return;
    }
    let outcome = if error.is_some() { Outcome::Error } else { Outcome::Ok };
    let duration = started.elapsed();
    gateway.log.write(&RequestLine {
        at: SystemTime::now() - duration,
        request_id: request_id.as_str(),
        decision: None,
        tenant: None,
        key: None,
        operation,
        model: "",
        target: None,
        reason: None,
        status: error.map_or(StatusCode::OK, |error| error.code.status()).as_u16(),
        outcome: outcome.word(),
        error: error.map(|error| error.code.word()),
        input_tokens: 0,
        output_tokens: 0,
        cost_nusd: 0,
        duration,
        first_token: None,
        attempts: 0,
        cache: None,
    });
}

/// `GET /v1/models`
async fn models<C: Client>(gateway: &Gateway, client: &mut C) -> Answer {
    let (principal, rate) = admitted(gateway, client).await?;
    let data: Vec<Value> = listed::all(gateway, &principal)?.iter().map(model_object).collect();
    Ok((json!({ "object": "list", "data": data }).to_string(), rate))
}

/// `GET /v1/models/{id}`
async fn model<C: Client>(gateway: &Gateway, client: &mut C, id: &str) -> Answer {
    let (principal, rate) = admitted(gateway, client).await?;
    let named = listed::one(gateway, &principal, id)?.ok_or_else(|| {
        GatewayError::new(Code::ModelNotFound, "this model does not exist or this key may not use it").param("model")
    })?;
    Ok((model_object(&named).to_string(), rate))
}

fn model_object(named: &Listed) -> Value {
    // The gateway does not know when a model was made; clients expect a number.
    json!({ "id": named.name, "object": "model", "created": 0, "owned_by": named.owner })
}

/// `GET /v1/decisions/{id}`: only the tenant's own.
async fn decision<C: Client>(gateway: &Gateway, client: &mut C, id: &str) -> Answer {
    let (principal, rate) = admitted(gateway, client).await?;
    let decision = DecisionId::parse(id)
        .and_then(|id| gateway.decisions.get(id, &principal.tenant.name))
        .ok_or_else(|| GatewayError::new(Code::NotFound, "no such decision is kept for this tenant"))?;
    Ok((show(&decision)?, rate))
}

/// `POST /v1/route`: what would be decided for this chat request, by the code that decides.
async fn dry_run<C: Client>(gateway: &Gateway, client: &mut C, request_id: &RequestId, started: Instant) -> Answer {
    let principal = authenticate(gateway, client).await?;
    if !principal.may(Permission::Route) {
        return Err(GatewayError::new(Code::PermissionDenied, "this key does not have the permission `route`"));
    }
    let mut rate = None;
    let _permit = admit(gateway, &principal, &mut rate)?;
    let wishes = Wishes::read(&client.head().headers)?;
    let mut record = Record::rehearse(gateway, Arc::clone(&principal), request_id.clone(), started);
    let decoded = decode::request(gateway, client, Format::Chat, &mut record).await?;
    let decision = decide_only(gateway, &principal, &wishes, &decoded.request, record).await?;
    Ok((show(&decision)?, rate))
}

/// The steps of a decision without the call. A denial is a finding of a dry run, not an error.
async fn decide_only<'g>(
    gateway: &'g Gateway,
    principal: &Principal,
    wishes: &Wishes,
    request: &chat::Request,
    mut record: Record<'g>,
) -> Result<Decision, GatewayError> {
    let planned = async {
        let detected = detect::detect(gateway, principal, request, &mut record);
        let constrained = decide::constrain(gateway, principal, wishes, request, &detected, &mut record)?;
        let score = decide::classify(gateway, &constrained, request).await;
        decide::choose(gateway, &constrained, score.as_ref(), wishes, request, &mut record)
    }
    .await;
    match planned {
        Ok(_) => record.completed(),
        Err(error) if matches!(error.code, Code::PolicyDenied | Code::ServerToolDenied) => record.failed(&error),
        Err(error) => return Err(error),
    }
    Ok(record.into_decision())
}

/// A question to `waypost explain`.
#[derive(Debug)]
pub struct Question<'a> {
    /// The tenant that asks.
    pub tenant: &'a str,
    /// Labels as a client would send them: `data-class=personal,purpose=support`.
    pub labels: Option<String>,
    /// A chat request's body.
    pub body: Bytes,
}

/// What would be decided, for the command line: all permissions of the tenant, no limits, nothing recorded.
///
/// # Errors
/// An unknown tenant, or a request that would be refused for another reason than policy.
pub async fn explain(gateway: &Gateway, question: Question<'_>) -> Result<Decision, GatewayError> {
    let tenant = TenantName::from(question.tenant);
    let tenant = gateway.config.tenants.get(&tenant).ok_or_else(|| {
        let known: Vec<&str> = gateway.config.tenants.keys().map(TenantName::as_str).collect();
        GatewayError::new(
            Code::NotFound,
            format!("the tenant `{}` is not configured; known: {}", question.tenant, known.join(", ")),
        )
    })?;
    let principal = Arc::new(Principal::open(Arc::clone(tenant)));
    let request = decode::checked(ask::judge(Format::Chat, question.body))?;
    let wishes = Wishes { labels: question.labels, ..Wishes::default() };
    let mut record = Record::rehearse(gateway, Arc::clone(&principal), RequestId::new(), Instant::now());
    record.asked(&request.model);
    decide_only(gateway, &principal, &wishes, &request, record).await
}

/// Authentication and admission for what has no body.
async fn admitted<C: Client>(
    gateway: &Gateway,
    client: &mut C,
) -> Result<(Arc<Principal>, Option<RateLimit>), GatewayError> {
    let principal = authenticate(gateway, client).await?;
    let mut rate = None;
    let _permit = admit(gateway, &principal, &mut rate)?;
    Ok((principal, rate))
}

/// A part of a path as it is meant: model names may hold a slash.
pub(super) fn decoded(part: &str) -> String {
    percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// As text: a tree would sort the fields and widen the floats.
fn show(decision: &Decision) -> Result<String, GatewayError> {
    serde_json::to_string(decision)
        .map_err(|error| GatewayError::new(Code::NotFound, format!("the decision cannot be shown: {error}")))
}
