//! `waypost explain`: where a prompt would go and why, by the code that serves, without sending it anywhere.

mod catalogue;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde_json::json;

use super::{FINDING, fail, load, say};
use crate::chat::Outcome;
use crate::config::Target;
use crate::gateway::{Gateway, Question, explain};
use crate::ledger::{Candidate, Decision, Detection, Tokens};
use crate::telemetry::RequestLog;

/// How long the network may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Explains a decision.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration; without it, what `serve` would discover.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Who asks.
    #[arg(long, default_value = "default")]
    tenant: String,
    /// A label as the client would send it; may be repeated.
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<String>,
    /// The model name to ask for.
    #[arg(long, default_value = "auto")]
    model: String,
    /// Print the decision record as JSON.
    #[arg(long)]
    json: bool,
    /// A chat request's body as a file, instead of a prompt.
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    request: Option<PathBuf>,
    /// The prompt.
    #[arg(required_unless_present = "request")]
    prompt: Option<String>,
}

pub(super) fn run(args: Args) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(format_args!("the runtime cannot be started: {error}")),
    };
    match runtime.block_on(decide(&args)) {
        Ok((decision, _)) if args.json => {
            match serde_json::to_string_pretty(&decision) {
                Ok(text) => say(text),
                Err(error) => return fail(error),
            }
            code(&decision)
        }
        Ok((decision, targets)) => {
            say(show(&decision));
            for line in catalogue::filled_in(&targets) {
                say(line);
            }
            code(&decision)
        }
        Err(message) => fail(message),
    }
}

/// A denial is a finding.
fn code(decision: &Decision) -> ExitCode {
    if decision.outcome == Outcome::Denied { ExitCode::from(FINDING) } else { ExitCode::SUCCESS }
}

/// The decision, and the targets it was about.
async fn decide(args: &Args) -> Result<(Decision, Vec<Arc<Target>>), String> {
    let body = match &args.request {
        Some(path) => std::fs::read(path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?,
        None => {
            let messages = json!([{ "role": "user", "content": args.prompt.as_deref().unwrap_or_default() }]);
            json!({ "model": args.model, "messages": messages }).to_string().into_bytes()
        }
    };
    let loaded = load::load(args.config.as_deref()).await.map_err(|problems| {
        load::print(&problems);
        format!("{} problem(s) above", problems.len())
    })?;
    let mut config = loaded.config;
    let mut targets = config.targets.clone();
    // Nobody waits behind this one prompt, and the network's first run is its slowest.
    config.classifier.deadline = config.classifier.deadline.max(PATIENCE);
    let gateway = Gateway::build(config, loaded.policies, RequestLog::off()).map_err(|error| error.to_string())?;
    let labels = (!args.labels.is_empty()).then(|| args.labels.join(","));
    let question = Question { tenant: &args.tenant, labels, body: body.into() };
    let decision = explain(&gateway, question).await.map_err(|error| error.message)?;
    targets.retain(|target| decision.candidates.iter().any(|candidate| candidate.target == target.name));
    Ok((decision, targets))
}

/// A table for people; the JSON form is for programs.
fn show(decision: &Decision) -> String {
    let mut lines = Vec::new();
    if let Some(score) = &decision.score {
        let difficulty = score.difficulty.map_or("none".to_owned(), |difficulty| format!("{difficulty:.3}"));
        lines.push(format!("difficulty  {difficulty} ({})", score.unscored.unwrap_or(score.stage)));
        lines.push(
            "percentile  not known here: recent traffic is the running gateway's, POST /v1/route tells".to_owned(),
        );
    }
    if let Some(policy) = &decision.policy {
        lines.push(format!("policy      {} ({})", policy.name, policy.hash));
    }
    for (name, label) in decision.labels() {
        let value = if label.value.is_empty() { "\"\"" } else { label.value };
        lines.push(format!("label       {name} = {value} (by {})", label.by));
    }
    lines.extend(decision.detections.iter().map(found));
    if let Some(quality) = &decision.quality {
        lines.push(format!(
            "quality     at least {} of the best allowed, shortfall up to {:.3} ({}{})",
            quality.at_least,
            quality.tau,
            quality.basis,
            quality.stage.map(|stage| format!(" by the {stage} score")).unwrap_or_default()
        ));
        if let Some(bucket) = &quality.bucket {
            lines.push(format!(
                "labels      {} of difficulty {:.3} to {:.3}, the calibration's bucket next to this prompt",
                bucket.labels, bucket.from, bucket.to
            ));
        }
    }
    let chosen = decision.chosen.and_then(|place| decision.candidates.get(place));
    let reason = decision.reason.unwrap_or("-");
    lines.push(match chosen {
        Some(candidate) => format!("chosen      {} ({reason})", named(candidate)),
        None => format!("chosen      nothing: {}", decision.error.unwrap_or("no target is allowed")),
    });
    if let Some(expected) = &decision.expected {
        let cost = expected.cost_nusd.map_or("an unknown price".to_owned(), |cost| format!("{cost} USD"));
        lines.push(format!(
            "expected    {} tokens in, {} out, {cost}, first token within {:.0} ms",
            expected.input, expected.output, expected.ttft_ms
        ));
    }
    lines.push(table(decision).trim_fmt());
    lines.join("\n")
}

/// What a detector found, and whether it counts.
fn found(detection: &Detection) -> String {
    let Detection { detector, count, mode } = detection;
    let what = if *mode == "observe" { ", which sets no label" } else { "" };
    format!("detected    {count} × {detector} ({mode}{what})")
}

/// Target and effort.
fn named(candidate: &Candidate) -> String {
    candidate.effort.map_or_else(|| candidate.target.to_string(), |effort| format!("{} at {effort}", candidate.target))
}

/// What it is expected to cost, and what leaving a warm cache adds.
fn cost(candidate: &Candidate) -> String {
    let Some(cost) = candidate.cost_nusd else { return "-".to_owned() };
    candidate.switch_nusd.map_or_else(|| cost.to_string(), |switch| format!("{cost} + {switch} to switch"))
}

fn table(decision: &Decision) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header([
        "",
        "target",
        "p(good)",
        "expected USD",
        "tokens out (p10–p90)",
        "first token",
        "answer",
        "removed by",
    ]);
    for (place, candidate) in decision.candidates.iter().enumerate() {
        let removed = candidate.removed_by.as_ref().map(|rule| match &candidate.detail {
            Some(detail) => format!("{rule}: {detail}"),
            None => rule.to_string(),
        });
        table.add_row([
            if decision.chosen == Some(place) { "→".to_owned() } else { String::new() },
            named(candidate),
            candidate.p_good.map_or("-".to_owned(), |p| format!("{p:.3}")),
            cost(candidate),
            candidate.output.map_or("-".to_owned(), |Tokens { p10, median, p90 }| format!("{median} ({p10}–{p90})")),
            candidate.ttft_ms.map_or("-".to_owned(), |ms| format!("{ms:.0} ms")),
            candidate.answer_ms.map_or("-".to_owned(), |ms| format!("{ms:.0} ms")),
            removed.unwrap_or_default(),
        ]);
    }
    table
}
