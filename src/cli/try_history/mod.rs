//! `waypost try`: what a team's own log would have cost through Waypost. Offline: the log is read, every request is
//! decided by the code that serves, and nothing is called.
//!
//! Two passes over the log, line by line, so that neither its length nor its prompts are held in memory: the first
//! counts what is there (without a configuration its models become targets), the second decides.

mod assumed;
mod decision;
mod entry;
mod exchange;
mod fields;
mod html;
mod interval;
mod lines;
mod listed;
mod litellm;
mod page;
mod report;
mod routed;
mod survey;
mod transcript;
mod usage;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::{FINDING, load, say};
use crate::config::{Config, StoreUrl, Tier};
use crate::gateway::Gateway;
use crate::id::TenantName;
use crate::policy::Policies;
use crate::telemetry::RequestLog;
use lines::{Line, Lines};
use listed::Lists;
use report::{Report, Setup, TargetRow};
use routed::Tally;
use survey::Survey;

/// Exit code of a wrong call or an unreadable file.
const USAGE: u8 = 2;
/// As long as a score may take: nobody waits for these answers.
const PATIENCE: Duration = Duration::from_mins(1);

/// Tries a log.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The log: JSON lines, or the same as .gz. Requests with responses, LiteLLM's spend log, or Waypost's decisions.
    history: PathBuf,
    /// The configuration; without it, the log's own models and two open ones of your own are assumed.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Who asks, where the log names no tenant of the configuration.
    #[arg(long, default_value = "default")]
    tenant: String,
    /// The policy of that tenant, instead of the configured one.
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// A label that every request carries; may be repeated.
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<String>,
    /// Read only the first N lines.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Also write the page as HTML.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
enum TryError {
    #[error("`{}` cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{}` cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("nothing in `{}` can be used: {why}", path.display())]
    NothingUsable { path: PathBuf, why: String },
    #[error("{0} problem(s) above")]
    Config(usize),
    #[error("{0}")]
    Build(#[from] crate::gateway::BuildError),
    #[error("{0}")]
    Asked(String),
    #[error("the page cannot be made: {0}")]
    Page(#[from] html::HtmlError),
    #[error("the runtime cannot be started: {0}")]
    Runtime(std::io::Error),
}

impl TryError {
    fn code(&self) -> u8 {
        match self {
            Self::Read { .. } | Self::Write { .. } | Self::Asked(_) => USAGE,
            _ => FINDING,
        }
    }
}

pub(super) fn run(args: &Args) -> ExitCode {
    match report(args).and_then(|report| show(args, &report)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.code())
        }
    }
}

fn show(args: &Args, report: &Report) -> Result<(), TryError> {
    let page = page::page(report);
    if let Some(path) = &args.html {
        let html = html::render(&page)?;
        std::fs::write(path, html).map_err(|source| TryError::Write { path: path.clone(), source })?;
    }
    if args.json {
        say(serde_json::to_string_pretty(report).unwrap_or_default());
    } else {
        say(page);
    }
    Ok(())
}

fn report(args: &Args) -> Result<Report, TryError> {
    let unreadable = |source| TryError::Read { path: args.history.clone(), source };
    let limit = args.limit.unwrap_or(u64::MAX);
    let mut lists = Lists::new();
    let survey = survey::survey(&args.history, limit, &mut lists).map_err(unreadable)?;
    if survey.used == 0 {
        return Err(TryError::NothingUsable { path: args.history.clone(), why: reasons(&survey) });
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(TryError::Runtime)?;
    runtime.block_on(async {
        let (gateway, assumed) = set_up(args, &survey).await?;
        let mut tally = Tally::new(&gateway, lists, &args.tenant, &args.labels, assumed.is_some());
        let mut lines = Lines::open(&args.history, "routing").map_err(unreadable)?;
        let mut read = 0;
        while read < limit
            && let Some((_, line)) = lines.next().map_err(unreadable)?
        {
            read += 1;
            let Line::Text(text) = line else { continue };
            let Ok(entry) = entry::read(text) else { continue };
            tally.take(&entry).await.map_err(|error| TryError::Asked(error.message))?;
        }
        drop(lines);
        Ok(sum_up(args, &gateway, survey, tally, assumed))
    })
}

fn reasons(survey: &Survey) -> String {
    if survey.lines == 0 {
        return "it is empty".to_owned();
    }
    let reasons: Vec<String> =
        survey.unusable.iter().map(|reason| format!("{} ({} lines)", reason.why, reason.lines)).collect();
    let first: Vec<String> = survey.first_unusable.iter().map(|named| named.line.to_string()).collect();
    format!("{}; first in lines {}", reasons.join(", "), first.join(", "))
}

/// A gateway that decides and touches nothing outside: no store, no file of decisions, no deadline for a score.
async fn set_up(args: &Args, survey: &Survey) -> Result<(Gateway, Option<String>), TryError> {
    let broken = |problems: Vec<crate::config::Problem>| {
        load::print(&problems);
        TryError::Config(problems.len())
    };
    let (mut config, policies, assumed): (Config, Policies, _) = match args.config.as_deref() {
        Some(path) => {
            let loaded = load::load(Some(path)).await.map_err(broken)?;
            load::print(&loaded.warnings);
            (loaded.config, loaded.policies, None)
        }
        None => {
            let written = assumed::written(survey);
            let config = assumed::load(&written).map_err(broken)?.config;
            let (policies, _) = Policies::load(None, &config).map_err(broken)?;
            (config, policies, Some(written))
        }
    };
    if let Some(name) = &args.policy {
        let known: Vec<&str> = policies.names().map(|name| name.as_str()).collect();
        if !known.contains(&name.as_str()) {
            return Err(TryError::Asked(format!("there is no policy `{name}`; known: {}", known.join(", "))));
        }
        if let Some(tenant) = config.tenants.get_mut(&TenantName::from(args.tenant.as_str())) {
            Arc::make_mut(tenant).policy = name.as_str().into();
        }
    }
    config.store.url = StoreUrl::Local;
    config.decisions.file = None;
    config.classifier.deadline = PATIENCE;
    Ok((Gateway::build(config, policies, RequestLog::off())?, assumed))
}

fn sum_up(args: &Args, gateway: &Gateway, survey: Survey, mut tally: Tally<'_>, assumed: Option<String>) -> Report {
    let (bands, models) = tally.finish();
    let config = gateway.config();
    let policy = config.tenants.iter().find(|(name, _)| name.as_str() == args.tenant);
    let setup = Setup {
        config: args.config.as_ref().map(|path| path.display().to_string()),
        assumed,
        tenant: args.tenant.clone(),
        policy: policy.map(|(_, tenant)| tenant.policy.to_string()).unwrap_or_default(),
        classifier: gateway.classifier_name().to_owned(),
        targets: config.targets.iter().map(|target| row(target, &tally)).collect(),
    };
    let assumptions = page::assumptions(&setup, &survey, &tally.routed);
    Report {
        schema: 1,
        file: args.history.display().to_string(),
        setup,
        read: survey,
        paid: tally.paid,
        routed: tally.routed,
        bands,
        policy: tally.denied,
        own: tally.own,
        models,
        assumptions,
    }
}

fn row(target: &crate::config::Target, tally: &Tally<'_>) -> TargetRow {
    let rates = target.price.as_ref().map(|price| price.base());
    TargetRow {
        target: target.name.to_string(),
        tier: match target.tier {
            Tier::Weak => "weak",
            Tier::Mid => "mid",
            Tier::Strong => "strong",
        },
        input_usd: rates.map(|rates| rates.input.as_usd()),
        output_usd: rates.map(|rates| rates.output.as_usd()),
        own: routed::is_own(target),
        open_weights: routed::is_open(target),
        lines: tally.by_target.get(target.name.as_str()).copied().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
