//! The admin listener: metrics, liveness and readiness, for the platform's own machinery.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::app::{Ending, Surface};
use super::exchange::Exchange;
use crate::config::Admin;
use crate::gateway::{Client as _, Gateway, was_forwarded};
use crate::wire::openai::error::error_body;

pub(super) struct AdminSurface {
    pub(super) gateway: Arc<Gateway>,
    pub(super) settings: Admin,
    /// Set from the first sign of a stop until the process is gone.
    pub(super) draining: Arc<AtomicBool>,
}

struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
}

impl Surface for AdminSurface {
    async fn serve(&self, exchange: &mut Exchange) -> Ending {
        let reply = self.reply(exchange);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match exchange.respond(reply.status, headers, reply.body).await {
            Ok(()) => Ending::Complete,
            Err(_) => Ending::Broken,
        }
    }
}

impl AdminSurface {
    fn reply(&self, exchange: &Exchange) -> Reply {
        let head = exchange.head();
        let loopback = exchange.address().is_some_and(|address| address.is_loopback());
        let local = loopback && !was_forwarded(&head.headers);
        if !local && !self.knows_token(&head.headers) {
            return problem(
                StatusCode::UNAUTHORIZED,
                "invalid_api_key",
                "an admin token is needed: Authorization: Bearer …",
            );
        }
        if head.method != Method::GET && head.method != Method::HEAD {
            return problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "only GET is served here");
        }
        match head.uri.path() {
            "/metrics" => Reply {
                status: StatusCode::OK,
                content_type: "text/plain; version=0.0.4; charset=utf-8",
                body: self.gateway.metrics().render().into(),
            },
            "/livez" => json(StatusCode::OK, r#"{"status":"ok"}"#.to_owned()),
            "/readyz" => self.ready(),
            _ => problem(StatusCode::NOT_FOUND, "not_found", "served here: /metrics, /livez, /readyz"),
        }
    }

    fn ready(&self) -> Reply {
        if self.draining.load(Ordering::Acquire) {
            return json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"draining"}"#.to_owned());
        }
        let degraded: &[&str] = if self.gateway.store_is_up() { &[] } else { &["store"] };
        json(StatusCode::OK, serde_json::json!({ "degraded": degraded }).to_string())
    }

    fn knows_token(&self, headers: &HeaderMap) -> bool {
        let Some(token) =
            headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
        else {
            return false;
        };
        // A digest is compared, so the time taken says nothing about the token.
        let digest = ring::digest::digest(&ring::digest::SHA256, token);
        self.settings.tokens.iter().any(|known| known.sha256 == digest.as_ref())
    }
}

fn json(status: StatusCode, body: String) -> Reply {
    Reply { status, content_type: "application/json", body: body.into() }
}

fn problem(status: StatusCode, code: &str, message: &str) -> Reply {
    Reply {
        status,
        content_type: "application/json",
        body: error_body(message, "invalid_request_error", None, Some(code)),
    }
}
