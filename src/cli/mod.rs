//! The commands, one file each.

mod banner;
mod calibrate;
mod check;
mod detect;
mod eval;
mod explain;
mod keys;
mod lines;
mod load;
mod plot;
mod policy;
mod progress;
mod score;
mod serve;
mod try_history;
mod upstream;
mod watch;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::classify::{self, Classifier};
use crate::config::{Config, Problem, Severity};
use crate::gateway::{Calibrated, classifier_settings};
use crate::policy::Policies;

/// Exit code of a finding: a problem in a configuration, a failed case, a start that did not happen.
const FINDING: u8 = 1;

/// An AI gateway that sends each chat request to the cheapest model that may see it, is good enough for it and is fast
/// enough.
#[derive(Debug, Parser)]
#[command(name = "waypost", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway; without a configuration, on what the environment offers.
    Serve(serve::Args),
    /// Find every problem of a configuration and its policies.
    Check(check::Args),
    /// Show where a prompt would go and why, without sending it.
    Explain(explain::Args),
    /// Test policies.
    Policy(policy::Args),
    /// Show what a log of yours would have cost through Waypost, offline.
    Try(try_history::Args),
    /// Fit each target's quality to outcomes, and find the threshold that keeps a promise.
    Calibrate(calibrate::Args),
    /// Measure the difficulty score on outcomes of prompts.
    Eval(eval::Args),
    /// Try the detectors on a text, or measure them.
    Detect(detect::Args),
    /// Make virtual keys.
    Keys(keys::Keys),
    /// Run the scripted provider, which plays a model or a fault.
    Upstream(upstream::Args),
}

/// Runs the command line: 0 ok, 1 a finding, 2 wrong usage (clap's own code).
#[must_use]
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Check(args) => check::run(&args, &[&check_policies, &check_classifier]),
        Command::Explain(args) => explain::run(args),
        Command::Policy(args) => policy::run(&args),
        Command::Try(args) => try_history::run(&args),
        Command::Calibrate(args) => calibrate::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Detect(args) => detect::run(&args),
        Command::Keys(args) => match keys::run(&args, &mut std::io::stdout().lock()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(error),
        },
        Command::Upstream(args) => upstream::run(args),
    }
}

/// Prints a line to standard output. That nobody reads it (any more), as under `| head -1`, is no reason to end: the
/// standard macros would panic.
fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Tells why a command cannot go on.
fn fail(error: impl std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(FINDING)
}

fn check_policies(config: &Config) -> check::Checked {
    match Policies::load(config.policies.as_deref(), config) {
        Ok((policies, mut warnings)) => {
            let count = policies.names().count();
            let counted = format!("{count} {}", if count == 1 { "policy" } else { "policies" });
            warnings.extend(uncalibrated(config, &policies));
            check::Checked { counted: Some(counted), problems: warnings }
        }
        Err(problems) => check::Checked { counted: None, problems },
    }
}

/// A policy that chooses below the best only on a calibration's word, and no calibration.
fn uncalibrated(config: &Config, policies: &Policies) -> Option<Problem> {
    let requires = |name: &str| policies.get(name).is_some_and(|policy| policy.objective.require_calibration);
    let name = policies.names().find(|name| requires(name.as_str())).filter(|_| config.calibration.is_none())?;
    let message =
        format!("the policy `{name}` requires a calibration, and there is none: it will always choose the best");
    let remedy = "make one with `waypost calibrate` and name it with `calibration: FILE`";
    Some(Problem { severity: Severity::Warning, ..check::problem(config, message, remedy) })
}

fn check_classifier(config: &Config) -> check::Checked {
    let mut problems = Vec::new();
    let classifier = match classifier_settings(config) {
        None => Some(Classifier::off()),
        Some(settings) => match classify::check(&settings) {
            Ok(classifier) => Some(classifier),
            Err(error) => {
                let message = format!("the classifier cannot be loaded: {error}");
                let remedy = "mend `classifier.model` or `classifier.runtime`, or switch it off with `model: off`";
                problems.push(check::problem(config, message, remedy));
                None
            }
        },
    };
    match Calibrated::load(config, classifier.as_ref()) {
        Ok(calibrated) => {
            let strangers = calibrated.as_ref().map(|calibrated| calibrated.strangers(config)).unwrap_or_default();
            if !strangers.is_empty() {
                let message =
                    format!("the calibration knows targets that are not configured: {}", strangers.join(", "));
                problems.push(Problem { severity: Severity::Warning, ..check::problem(config, message, "") });
            }
            let unsayable = calibrated.as_ref().map(Calibrated::unsayable).unwrap_or_default();
            if !unsayable.is_empty() {
                let message = format!(
                    "the calibration has efforts that their targets cannot be asked with: {}",
                    unsayable.join(", ")
                );
                let remedy = "correct `reasoning` of these models, or calibrate without these outcomes";
                problems.push(Problem { severity: Severity::Warning, ..check::problem(config, message, remedy) });
            }
        }
        Err(error) => {
            let message = format!("the calibration cannot be used: {error}");
            let remedy = "make one for this classifier with `waypost calibrate`, or remove `calibration`";
            problems.push(check::problem(config, message, remedy));
        }
    }
    check::Checked { counted: None, problems }
}
