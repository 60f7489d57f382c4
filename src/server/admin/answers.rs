//! What each path of the admin listener answers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::{AdminSurface, Asked, Reply, json, problem};
use crate::chat::Outcome;
use crate::gateway::{Gateway, PolicyStatus};
use crate::id::TenantName;
use crate::ledger::Decision;
use crate::server::running::Failed;

/// Decisions that are listed unless asked otherwise, and at most.
const LISTED: usize = 100;
const MOST_LISTED: usize = 1000;

/// `GET /admin/config`
#[derive(Serialize)]
struct Shown<'a> {
    /// Which one runs.
    hash: &'a str,
    path: Option<std::path::PathBuf>,
    #[serde(serialize_with = "crate::clock::rfc3339")]
    loaded_at: SystemTime,
    /// `current`, or `last_good` where the last reload failed.
    state: &'static str,
    failed: Option<Arc<Failed>>,
    policies: Vec<PolicyStatus>,
    /// As it was written, without secrets.
    config: &'a serde_json::Value,
}

/// `GET /admin/decisions`
#[derive(Serialize)]
struct Listed {
    decisions: Vec<Arc<Decision>>,
}

/// Which decisions to list.
struct Filter {
    tenant: Option<TenantName>,
    outcome: Option<Outcome>,
    limit: usize,
}

impl AdminSurface {
    pub(super) async fn answer(&self, gateway: &Gateway, asked: Asked, query: &str) -> Reply {
        match asked {
            Asked::Metrics => Reply {
                status: StatusCode::OK,
                content_type: "text/plain; version=0.0.4; charset=utf-8",
                body: gateway.metrics().render().into(),
            },
            Asked::Alive => json(StatusCode::OK, &json!({ "status": "ok" })),
            Asked::Ready => self.ready(gateway),
            Asked::Targets => json(StatusCode::OK, &json!({ "targets": gateway.targets() })),
            Asked::Decisions => match Filter::parse(query) {
                Ok(Filter { tenant, outcome, limit }) => {
                    json(StatusCode::OK, &Listed { decisions: gateway.decisions(tenant.as_ref(), outcome, limit) })
                }
                Err(message) => problem(StatusCode::BAD_REQUEST, "invalid_request", &message),
            },
            Asked::Config => self.config(gateway),
            Asked::Reload => self.reload().await,
        }
    }

    fn ready(&self, gateway: &Gateway) -> Reply {
        if self.draining.load(Ordering::Acquire) {
            return json(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "draining" }));
        }
        let last_good = self.running.is_last_good();
        let states = [("store", !gateway.store_is_up()), ("config", last_good)];
        let degraded: Vec<&str> = states.into_iter().filter(|(_, is)| *is).map(|(part, _)| part).collect();
        json(StatusCode::OK, &json!({ "degraded": degraded, "config": state(last_good) }))
    }

    fn config(&self, gateway: &Gateway) -> Reply {
        let config = gateway.config();
        let failed = self.running.failed();
        let shown = Shown {
            hash: &config.hash,
            path: config.path.clone(),
            loaded_at: self.running.since(),
            state: state(failed.is_some()),
            failed,
            policies: gateway.policy_statuses(),
            config: &config.shown,
        };
        json(StatusCode::OK, &shown)
    }

    async fn reload(&self) -> Reply {
        let running = Arc::clone(&self.running);
        match tokio::task::spawn_blocking(move || running.reload()).await {
            Ok(Ok(reloaded)) => json(StatusCode::OK, &reloaded),
            Ok(Err(failed)) => json(StatusCode::UNPROCESSABLE_ENTITY, &*failed),
            Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "reload_failed", "the reload ended before its end"),
        }
    }
}

fn state(last_good: bool) -> &'static str {
    if last_good { "last_good" } else { "current" }
}

impl Filter {
    fn parse(query: &str) -> Result<Self, String> {
        let mut filter = Self { tenant: None, outcome: None, limit: LISTED };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "tenant" => filter.tenant = Some(TenantName::from(&*value)),
                "outcome" => {
                    let outcomes = [Outcome::Ok, Outcome::Denied, Outcome::Error, Outcome::Cancelled];
                    let outcome = outcomes.into_iter().find(|outcome| outcome.word() == value);
                    filter.outcome = Some(outcome.ok_or("`outcome` is ok, denied, error or cancelled")?);
                }
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=MOST_LISTED).contains(limit));
                    filter.limit = limit.ok_or_else(|| format!("`limit` is a number from 1 to {MOST_LISTED}"))?;
                }
                _ => return Err("the filters are `tenant`, `outcome` and `limit`".to_owned()),
            }
        }
        Ok(filter)
    }
}
