//! A request of the past, decided again: what `waypost try` asks of a log's lines.

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

/// What would be decided for it now, by the code that serves: rules, difficulty, choice. Nothing is called, limited or
/// recorded. A denial is a finding, not an error.
///
/// # Errors
/// An unknown tenant, or a request that would be refused for another reason than policy.
pub async fn decide_again(gateway: &Gateway, past: Past<'_>) -> Result<Decision, GatewayError> {
    let tenant = gateway.config.tenants.get(&TenantName::from(past.tenant)).ok_or_else(|| {
        let known: Vec<&str> = gateway.config.tenants.keys().map(TenantName::as_str).collect();
        let message = format!("the tenant `{}` is not configured; known: {}", past.tenant, known.join(", "));
        GatewayError::new(Code::NotFound, message)
    })?;
    let principal = Arc::new(Principal::open(Arc::clone(tenant)));
    let wishes = Wishes { labels: past.labels, ..Wishes::default() };
    let (request, scored) = read(past.asked)?;
    let mut record = Record::rehearse(gateway, Arc::clone(&principal), RequestId::new(), Instant::now());
    record.asked(&request.model);
    let planned = async {
        let detected = detect::detect(gateway, &principal, &request, &mut record);
        let constrained =
            decide::constrain_among(gateway, &principal, &wishes, &request, &detected, past.among, &mut record)?;
        let score = match scored {
            Scored::Now => decide::classify(gateway, &constrained, &request).await,
            Scored::Then(score) => score,
        };
        decide::choose(gateway, &constrained, score.as_ref(), &wishes, &request, &mut record)
    }
    .await;
    match planned {
        Ok(_) => record.completed(),
        Err(error) if error.code == Code::PolicyDenied => record.failed(&error),
        Err(error) => return Err(error),
    }
    Ok(record.into_decision())
}

/// Who scores the prompt.
enum Scored {
    /// The classifier.
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
