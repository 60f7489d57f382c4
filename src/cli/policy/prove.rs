//! `waypost policy prove`: a proof that no request under a policy reaches a target with some fact, or a request that does.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};

use super::paint::Paint;
use super::{problem, say};
use crate::cli::{FINDING, fail};
use crate::config::{self, Config, Problem, Tenant};
use crate::policy::node::Source;
use crate::policy::{Condition, Policies, Policy, Proof, prove, read_claim};

/// Exit code of a question that cannot be read: it is neither proved nor refuted.
const USAGE: u8 = 2;

/// The configuration that is taken if none is named.
const DEFAULT_FILE: &str = "waypost.yaml";

/// What is to be proved.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder of policies. Default: the configuration's, else the built-in ones.
    dir: Option<PathBuf>,
    /// The policy.
    #[arg(long, value_name = "POLICY")]
    policy: String,
    /// What no target that may be reached is: `countries in [US]`, `data.retention at_least 1d`. May be repeated.
    #[arg(long, value_name = "CLAIM", required = true)]
    never: Vec<String>,
    /// The configuration with targets, tenants and labels [default: waypost.yaml in this folder]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A question ready to be answered.
struct Question {
    policy: Arc<Policy>,
    tenants: Vec<Arc<Tenant>>,
    never: Vec<Condition>,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let (config, policies) = match load(args) {
        Ok(loaded) => loaded,
        Err(problems) => return problem(&problems),
    };
    let question = match ask(args, &config, &policies) {
        Ok(question) => question,
        Err(problems) => {
            crate::cli::load::print(&problems);
            return ExitCode::from(USAGE);
        }
    };
    let proof = match prove(&question.policy, &question.tenants, &question.never) {
        Ok(proof) => proof,
        Err(error) => return fail(error),
    };
    if args.json {
        say(format_args!("{:#}", json(args, &question, &proof)));
    } else {
        say(text(args, &question, &proof, Paint::for_stdout()).trim_end());
    }
    if proof.counterexamples.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FINDING) }
}

fn load(args: &Args) -> Result<(Config, Policies), Vec<Problem>> {
    let config = config::load(args.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE)))?.config;
    let (policies, _) = Policies::load(args.dir.as_deref().or(config.policies.as_deref()), &config)?;
    Ok((config, policies))
}

/// What is asked, or every reason why it cannot be.
fn ask(args: &Args, config: &Config, policies: &Policies) -> Result<Question, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut never = Vec::new();
    for claim in &args.never {
        let mut source = Source::new(Path::new("--never"), claim);
        never.extend(read_claim(&mut source));
        problems.append(&mut source.problems);
    }
    let policy = policies.get(&args.policy).cloned();
    if policy.is_none() {
        let names: Vec<&str> = policies.names().map(|name| name.as_str()).collect();
        let remedy = crate::policy::node::did_you_mean(&args.policy, names.into_iter());
        problems.push(crate::cli::check::problem(config, format!("there is no policy `{}`", args.policy), &remedy));
    }
    match policy {
        Some(policy) if problems.is_empty() => Ok(Question { tenants: judged_by(&policy, config), policy, never }),
        _ => Err(problems),
    }
}

/// The tenants whose requests the policy may judge: theirs, or one that it extends. Where it is nobody's, whoever there is.
fn judged_by(policy: &Policy, config: &Config) -> Vec<Arc<Tenant>> {
    let judges = |own: &str| policy.name.as_str() == own || policy.extends(own);
    let own: Vec<_> = config.tenants.values().filter(|tenant| judges(tenant.policy.as_str())).cloned().collect();
    if own.is_empty() { config.tenants.values().cloned().collect() } else { own }
}

fn text(args: &Args, question: &Question, proof: &Proof, paint: Paint) -> String {
    let claims: Vec<String> = question.never.iter().map(|condition| format!("`{condition}`")).collect();
    let claim = format!("under `{}` no request reaches a target with {}", args.policy, claims.join(" or "));
    let tried = tried(question, proof);
    if proof.counterexamples.is_empty() {
        return format!("{} {claim}\n  {tried}\n", paint.good("proved:"));
    }
    let mut text = format!("{} {claim}\n", paint.bad("not so:"));
    for found in &proof.counterexamples {
        let mut labels: Vec<String> = Vec::new();
        for (name, value) in &found.labels {
            labels.push(format!("{name}={}", if value.is_empty() { "\"\"" } else { value }));
        }
        labels.extend(found.operation.map(|operation| format!("request.operation={operation}")));
        let labels = if labels.is_empty() { "whatever its labels".to_owned() } else { labels.join(", ") };
        text += &format!("  tenant {}, {labels}: reaches {}, whose {}\n", found.tenant, found.target, found.fact);
        if !found.unless.is_empty() {
            let rules: Vec<&str> = found.unless.iter().map(|rule| rule.as_str()).collect();
            text += &format!("    unless this applies, which hangs on the key or the team: {}\n", rules.join(", "));
        }
    }
    text + &format!("  {tried}\n")
}

/// How much was tried: `96 combinations: …`.
fn tried(question: &Question, proof: &Proof) -> String {
    let tenants: Vec<&str> = question.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
    let labels = if proof.labels.is_empty() {
        "no rule looks at a label".to_owned()
    } else {
        format!("every value of {}", proof.labels.join(", "))
    };
    format!(
        "{} combinations: tenants {}; {labels}; {} targets",
        proof.combinations(),
        tenants.join(", "),
        proof.targets
    )
}

fn json(args: &Args, question: &Question, proof: &Proof) -> Value {
    let never: Vec<String> = question.never.iter().map(ToString::to_string).collect();
    let tenants: Vec<&str> = question.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
    let counterexamples: Vec<Value> = proof
        .counterexamples
        .iter()
        .map(|found| {
            let labels: serde_json::Map<String, Value> =
                found.labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            let unless: Vec<&str> = found.unless.iter().map(|rule| rule.as_str()).collect();
            json!({ "tenant": found.tenant.as_str(), "labels": labels, "operation": found.operation, "target": &*found.target, "fact": found.fact, "unless": unless })
        })
        .collect();
    json!({
        "policy": args.policy,
        "never": never,
        "proved": proof.counterexamples.is_empty(),
        "combinations": proof.combinations(),
        "tenants": tenants,
        "labels": proof.labels,
        "targets": proof.targets,
        "counterexamples": counterexamples,
    })
}
