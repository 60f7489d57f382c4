//! The admin listener: metrics, liveness and readiness for the platform's own machinery; decisions, targets and the
//! configuration for operators.

mod answers;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::app::{Ending, Surface};
use super::exchange::Exchange;
use super::head::Admission;
use super::running::Running;
use crate::config::{AdminToken, Config, Role};
use crate::gateway::{Client as _, Gateway, was_forwarded};
use crate::wire::openai::error::error_body;

pub(super) struct AdminSurface {
    pub(super) running: Arc<Running>,
    /// Set from the first sign of a stop until the process is gone.
    pub(super) draining: Arc<AtomicBool>,
}

struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
}

/// What is served, and to whom.
#[derive(Clone, Copy)]
enum Asked {
    Metrics,
    Alive,
    Ready,
    Targets,
    Decisions,
    Config,
    Reload,
}

const PATHS: [(&str, Asked); 7] = [
    ("/metrics", Asked::Metrics),
    ("/livez", Asked::Alive),
    ("/readyz", Asked::Ready),
    ("/admin/targets", Asked::Targets),
    ("/admin/decisions", Asked::Decisions),
    ("/admin/config", Asked::Config),
    ("/admin/reload", Asked::Reload),
];

impl Asked {
    /// Whether a token of this role may ask for it.
    fn is_for(self, role: Role) -> bool {
        match self {
            Self::Metrics | Self::Alive | Self::Ready | Self::Targets => true,
            Self::Decisions | Self::Config => matches!(role, Role::Operator | Role::Compliance),
            Self::Reload => role == Role::Operator,
        }
    }

    fn takes(self, method: &Method) -> bool {
        match self {
            Self::Reload => method == Method::POST,
            _ => method == Method::GET || method == Method::HEAD,
        }
    }
}

impl Surface for AdminSurface {
    /// Pages that may ask models have no business here.
    fn admission(config: &Config) -> Admission<'_> {
        Admission { hosts: &config.listen.hosts, cors: &[] }
    }

    async fn serve(&self, gateway: &Gateway, exchange: &mut Exchange) -> Ending {
        let reply = match asked(gateway, exchange) {
            Ok(asked) => self.answer(gateway, asked, exchange.head().uri.query().unwrap_or_default()).await,
            Err(reply) => reply,
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match exchange.respond(reply.status, headers, reply.body).await {
            Ok(()) => Ending::Complete,
            Err(_) => Ending::Broken,
        }
    }
}

/// What is asked for, by somebody who may; or why it is not answered.
fn asked(gateway: &Gateway, exchange: &Exchange) -> Result<Asked, Reply> {
    let head = exchange.head();
    let loopback = exchange.address().is_some_and(|address| address.is_loopback());
    let role = if loopback && !was_forwarded(&head.headers) {
        None
    } else {
        let token = token(&gateway.config().admin.tokens, &head.headers).ok_or_else(|| {
            let message = "an admin token is needed: Authorization: Bearer …";
            problem(StatusCode::UNAUTHORIZED, "invalid_api_key", message)
        })?;
        Some(token.role)
    };
    let path = head.uri.path();
    let Some((_, asked)) = PATHS.iter().find(|(served, _)| *served == path) else {
        let served = PATHS.map(|(path, _)| path).join(", ");
        return Err(problem(StatusCode::NOT_FOUND, "not_found", &format!("served here: {served}")));
    };
    if !asked.takes(&head.method) {
        let message =
            if matches!(asked, Asked::Reload) { "only POST is served here" } else { "only GET is served here" };
        return Err(problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message));
    }
    match role {
        Some(role) if !asked.is_for(role) => {
            let message = format!("a token of the role `{}` may not ask for this", role.as_str());
            Err(problem(StatusCode::FORBIDDEN, "permission_denied", &message))
        }
        _ => Ok(*asked),
    }
}

fn token<'t>(tokens: &'t [AdminToken], headers: &HeaderMap) -> Option<&'t AdminToken> {
    let token = headers.get(header::AUTHORIZATION)?.as_bytes().strip_prefix(b"Bearer ")?;
    // A digest is compared, so the time taken says nothing about the token.
    let digest = ring::digest::digest(&ring::digest::SHA256, token);
    tokens.iter().find(|known| known.sha256 == digest.as_ref())
}

fn json(status: StatusCode, body: &impl serde::Serialize) -> Reply {
    match serde_json::to_string(body) {
        Ok(body) => Reply { status, content_type: "application/json", body: body.into() },
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, "not_shown", &format!("it cannot be shown: {error}")),
    }
}

fn problem(status: StatusCode, code: &str, message: &str) -> Reply {
    Reply {
        status,
        content_type: "application/json",
        body: error_body(message, "invalid_request_error", None, Some(code)),
    }
}
