//! The commands, one file each.

mod banner;
mod check;
mod explain;
mod keys;
mod load;
mod policy;
mod serve;
mod try_history;
mod upstream;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::classify;
use crate::config::{Config, Problem, Severity};
use crate::gateway::classifier_settings;
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
        Ok((policies, warnings)) => {
            let count = policies.names().count();
            let counted = format!("{count} {}", if count == 1 { "policy" } else { "policies" });
            check::Checked { counted: Some(counted), problems: warnings }
        }
        Err(problems) => check::Checked { counted: None, problems },
    }
}

fn check_classifier(config: &Config) -> check::Checked {
    let Some(settings) = classifier_settings(config) else { return check::Checked::default() };
    match classify::check(&settings) {
        Ok(()) => check::Checked::default(),
        Err(error) => check::Checked {
            counted: None,
            problems: vec![Problem {
                file: config.path.clone().unwrap_or_default(),
                line: 0,
                column: 0,
                message: format!("the classifier cannot be loaded: {error}"),
                remedy: "mend `classifier.model` or `classifier.runtime`, or switch it off with `model: off`"
                    .to_owned(),
                severity: Severity::Error,
                snippet: String::new(),
            }],
        },
    }
}
