//! `waypost policy`: `test` (given a request, which target, or which rule says no) and `prove` (does any request reach
//! what it never should), by the code that serves.

mod cases;
mod mutants;
mod mutate;
mod paint;
mod prove;
mod report;
mod run;
mod verdict;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::{fail, say};
use crate::config::Problem;
use paint::Paint;

/// Tests policies.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the cases of DIR/tests/*.yaml against the policies of DIR.
    Test(TestArgs),
    /// Prove that no request under a policy reaches a target with some fact, or show one that does.
    Prove(prove::Args),
}

#[derive(Debug, clap::Args)]
struct TestArgs {
    /// The folder of policies. Default: the configuration's, else `policies`.
    dir: Option<PathBuf>,
    /// The configuration for case files that name none.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Then delete each rule and flip each operator: every such change must make some case fail.
    #[arg(long)]
    mutate: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Also write the outcome as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> ExitCode {
    match &args.command {
        Command::Test(args) => test(args),
        Command::Prove(args) => prove::run(args),
    }
}

fn test(args: &TestArgs) -> ExitCode {
    let (mut suite, report) = match tested(args) {
        Ok(done) => done,
        Err(problems) => return problem(&problems),
    };
    if let Some(path) = &args.junit
        && let Err(error) = std::fs::write(path, report.junit())
    {
        return fail(format_args!("`{}` cannot be written: {error}", path.display()));
    }
    let passed = report.failed() == 0 && report.passed() > 0;
    let mutation = (args.mutate && passed).then(|| mutate::run(&mut suite));
    let mutation = match mutation.transpose() {
        Ok(mutation) => mutation,
        Err(problems) => return problem(&problems),
    };
    if args.json {
        let mut json = report.json();
        if let (Some(mutation), Some(json)) = (&mutation, json.as_object_mut()) {
            json.insert("mutation".to_owned(), mutation.json());
        }
        say(format_args!("{json:#}"));
    } else {
        let paint = Paint::for_stdout();
        say(report.text(paint).trim_end());
        match &mutation {
            Some(mutation) => say(mutation.text(paint).trim_end()),
            None if args.mutate => say("not mutated: the cases must pass first"),
            None => {}
        }
    }
    let held = mutation.is_none_or(|mutation| mutation.survivors.is_empty());
    if passed && held { ExitCode::SUCCESS } else { ExitCode::from(super::FINDING) }
}

fn tested(args: &TestArgs) -> Result<(run::Suite, report::Report), Vec<Problem>> {
    let mut suite = run::Suite::load(args.dir.as_deref(), args.config.as_deref())?;
    let report = suite.run();
    Ok((suite, report))
}

fn problem(problems: &[Problem]) -> ExitCode {
    super::load::print(problems);
    fail(format_args!("{} problem(s) above", problems.len()))
}

#[cfg(test)]
mod tests;
