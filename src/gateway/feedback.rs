//! `POST /v1/feedback`: how good an answer was, told by whoever can judge it, for `waypost calibrate`.

use bytes::Bytes;
use serde::Deserialize;

use super::client::Client;
use super::error::{Code, GatewayError};
use super::other::Answer;
use super::{Gateway, admit, authenticate, headers};
use crate::config::Permission;
use crate::id::DecisionId;
use crate::ledger::Feedback;

/// Longest body, in bytes: an id and a number.
const MAX: usize = 4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    decision: String,
    score: f64,
}

/// Takes a score for one of the tenant's own decisions that is still remembered.
pub(super) async fn take<C: Client>(gateway: &Gateway, client: &mut C) -> Answer {
    let principal = authenticate(gateway, client).await?;
    if !principal.may(Permission::Feedback) {
        return Err(GatewayError::new(Code::PermissionDenied, "this key does not have the permission `feedback`"));
    }
    let mut rate = None;
    let _permit = admit(gateway, &principal, &mut rate)?;
    headers::expect_json(&client.head().headers)?;
    let limit = MAX.min(gateway.config.listen.max_body);
    let body = client.body(limit, gateway.config.listen.body_timeout, &mut |_| true).await?;
    let told = read(&body)?;
    let tenant = &principal.tenant.name;
    let id = DecisionId::parse(&told.decision)
        .filter(|id| gateway.decisions.get(*id, tenant).is_some())
        .ok_or_else(|| GatewayError::new(Code::NotFound, "no such decision is kept for this tenant"))?;
    let recorded = gateway.decisions.feedback(Feedback::new(id, tenant.clone(), told.score));
    Ok((serde_json::json!({ "decision": id, "recorded": recorded }).to_string(), rate))
}

fn read(body: &Bytes) -> Result<Told, GatewayError> {
    let invalid = |message: String| GatewayError::new(Code::InvalidRequest, message);
    let told: Told = serde_json::from_slice(body).map_err(|error| {
        invalid(format!("the body must be {{\"decision\": \"dec_…\", \"score\": 0 to 1}}: {error}"))
    })?;
    if !(0.0..=1.0).contains(&told.score) {
        return Err(invalid("`score` must be between 0 and 1".to_owned()).param("score"));
    }
    Ok(told)
}
