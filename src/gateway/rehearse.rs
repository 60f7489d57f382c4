//! Decisions without the call, by the code that serves: `POST /v1/route`, `waypost explain`, and requests of the past for
//! `waypost try`.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::error::{Code, GatewayError};
use super::headers::Wishes;
use super::record::Record;
use super::{Gateway, decide, decode, detect};
use crate::auth::Principal;
use crate::chat::{self, Format};
use crate::classify::Score;
use crate::id::{RequestId, TargetId, TenantName};
use crate::ledger::Decision;
use crate::wire::ask;

/// What a log tells of a request.
#[derive(Debug)]
pub struct Past<'a> {
    /// The tenant that asked.
    pub tenant: &'a str,
    /// Labels as a client would send them: `data-class=personal,purpose=support`.
    pub labels: Option<String>,
    /// The only targets to choose from; `None`: all.
    pub among: Option<&'a [TargetId]>,
    /// What was asked.
    pub asked: PastPrompt,
}

/// The prompt, as far as it was kept.
#[derive(Debug)]
pub enum PastPrompt {
    /// The whole body, in this format. Whatever model it names, `auto` is asked for.
    Body(Format, Bytes),
    /// Only its size is known, and how hard it was if somebody scored it at the time.
    Size {
        /// Tokens of input.
        input: u64,
        /// 0 to 1.
        difficulty: Option<f32>,
    },
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

/// What would be decided, for the command line: all permissions of the tenant, no limits, nothing recorded. A denial is a
/// finding, not an error.
///
/// # Errors
/// An unknown tenant, or a request that would be refused for another reason than policy.
pub async fn explain(gateway: &Gateway, question: Question<'_>) -> Result<Decision, GatewayError> {
    let request = decode::checked(ask::judge(Format::Chat, question.body))?;
    on_behalf(gateway, question.tenant, question.labels, &request, Rehearsal::default()).await
}

/// What would be decided for it now, by the code that serves: rules, difficulty, choice. Nothing is called, limited or
/// recorded. A denial is a finding, not an error.
///
/// # Errors
/// An unknown tenant, or a request that would be refused for another reason than policy.
pub async fn decide_again(gateway: &Gateway, past: Past<'_>) -> Result<Decision, GatewayError> {
    let (request, scored) = read(past.asked)?;
    on_behalf(gateway, past.tenant, past.labels, &request, Rehearsal { among: past.among, scored }).await
}

/// A decision for a tenant that is only named, with all its permissions.
async fn on_behalf(
    gateway: &Gateway,
    tenant: &str,
    labels: Option<String>,
    request: &chat::Request,
    rehearsal: Rehearsal<'_>,
) -> Result<Decision, GatewayError> {
    let tenant = gateway.config.tenants.get(&TenantName::from(tenant)).ok_or_else(|| {
        let known: Vec<&str> = gateway.config.tenants.keys().map(TenantName::as_str).collect();
        let message = format!("the tenant `{tenant}` is not configured; known: {}", known.join(", "));
        GatewayError::new(Code::NotFound, message)
    })?;
    let principal = Arc::new(Principal::open(Arc::clone(tenant)));
    let wishes = Wishes { labels, ..Wishes::default() };
    let mut record = Record::rehearse(gateway, Arc::clone(&principal), RequestId::new(), Instant::now());
    record.asked(&request.model);
    decide_only(gateway, &principal, &wishes, request, rehearsal, record).await
}

/// In what a dry run differs from a request.
#[derive(Default)]
pub(super) struct Rehearsal<'a> {
    /// The only targets to choose from; `None`: all.
    among: Option<&'a [TargetId]>,
    scored: Scored,
}

/// The steps of a decision without the call. A denial is a finding of a dry run, not an error.
pub(super) async fn decide_only<'g>(
    gateway: &'g Gateway,
    principal: &Principal,
    wishes: &Wishes,
    request: &chat::Request,
    Rehearsal { among, scored }: Rehearsal<'_>,
    mut record: Record<'g>,
) -> Result<Decision, GatewayError> {
    let planned = async {
        let detected = detect::detect(gateway, principal, request, &mut record);
        let constrained = decide::constrain_among(gateway, principal, wishes, request, &detected, among, &mut record)?;
        let score = match scored {
            Scored::Now => decide::classify(gateway, &constrained, request).await,
            Scored::Then(score) => score,
        };
        decide::choose(gateway, &constrained, score.as_ref(), wishes, request, &mut record).map(|_| ())
    }
    .await;
    match planned {
        Ok(()) => record.completed(),
        Err(error) if matches!(error.code, Code::PolicyDenied | Code::ServerToolDenied) => record.failed(&error),
        Err(error) => return Err(error),
    }
    Ok(record.into_decision())
}

/// Who scores the prompt.
#[derive(Default)]
enum Scored {
    /// The classifier.
    #[default]
    Now,
    /// Somebody did at the time, or nobody.
    Then(Option<Score>),
}

fn read(asked: PastPrompt) -> Result<(chat::Request, Scored), GatewayError> {
    match asked {
        PastPrompt::Body(format, body) => {
            let mut request = decode::checked(ask::judge(format, body))?;
            "auto".clone_into(&mut request.model);
            Ok((request, Scored::Now))
        }
        PastPrompt::Size { input, difficulty } => {
            let body = Bytes::from_static(br#"{"model":"auto","messages":[{"role":"user","content":""}]}"#);
            let mut request = decode::checked(ask::judge(Format::Chat, body))?;
            request.input_tokens_estimate = input;
            Ok((request, Scored::Then(difficulty.map(Score::given))))
        }
    }
}
