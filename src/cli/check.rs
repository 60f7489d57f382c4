//! `waypost check`: every problem of the configuration and of what belongs to it, at once.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::{self, Config, Problem, Severity};

/// Exit codes: nothing found, something found, called wrongly.
const OK: u8 = 0;
const FOUND: u8 = 1;
const USAGE: u8 = 2;

/// The file that is taken if none is named.
const DEFAULT_FILE: &str = "waypost.yaml";

/// Check the configuration and its policies; print every problem.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Args {
    /// The configuration file [default: waypost.yaml in this folder]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Print the JSON Schema of the configuration file instead
    #[arg(long)]
    pub(super) schema: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What a further check of a configuration came to.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// For the summary: `2 policies`.
    pub(super) counted: Option<String>,
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
}

/// A problem of the configuration as a whole.
pub(super) fn problem(config: &Config, message: String, remedy: &str) -> Problem {
    Problem::of_file(config.path.as_deref().unwrap_or(Path::new("")), message, remedy)
}

/// A check of something that the configuration names: policies, the classifier. It may be handed a configuration
/// with stand-ins for what could not be read, so that its problems appear in the same run.
pub(super) type Check<'a> = &'a dyn Fn(&Config) -> Checked;

/// Runs the command and prints to standard output.
#[must_use]
pub(super) fn run(args: &Args, further: &[Check<'_>]) -> ExitCode {
    match check(args, further, &mut io::stdout().lock()) {
        Ok(code) => ExitCode::from(code),
        // Nobody reads on, as in `waypost check | head`.
        Err(_) => ExitCode::from(FOUND),
    }
}

fn check(args: &Args, further: &[Check<'_>], out: &mut impl Write) -> io::Result<u8> {
    if args.schema {
        writeln!(out, "{}", config::schema())?;
        return Ok(OK);
    }
    let path = match &args.config {
        Some(path) => path.as_path(),
        None if Path::new(DEFAULT_FILE).is_file() => Path::new(DEFAULT_FILE),
        None => {
            writeln!(
                out,
                "no configuration: there is no {DEFAULT_FILE} in this folder\n  help: name one with `--config FILE`"
            )?;
            return Ok(USAGE);
        }
    };
    let (config, mut problems) = config::examine(path);
    let mut counted = Vec::new();
    if let Some(config) = &config {
        counted.push(count(config.providers.len(), "provider"));
        counted.push(count(config.targets.len(), "target"));
        for further in further {
            let checked = further(config);
            counted.extend(checked.counted);
            problems.extend(checked.problems);
        }
    }
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    if args.json {
        let report = serde_json::json!({ "ok": errors == 0, "file": path, "problems": problems });
        writeln!(out, "{report:#}")?;
    } else {
        for problem in &problems {
            writeln!(out, "{problem}\n")?;
        }
        let warnings = problems.len() - errors;
        match (errors, warnings) {
            (0, 0) => writeln!(out, "ok: {}", counted.join(", "))?,
            (0, _) => writeln!(out, "ok, with {}: {}", count(warnings, "warning"), counted.join(", "))?,
            (_, 0) => writeln!(out, "{}", count(errors, "error"))?,
            _ => writeln!(out, "{} and {}", count(errors, "error"), count(warnings, "warning"))?,
        }
    }
    Ok(if errors == 0 { OK } else { FOUND })
}

fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str, json: bool, further: &[Check<'_>]) -> (u8, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("waypost.yaml");
        std::fs::write(&path, text).unwrap();
        let mut out = Vec::new();
        let code = check(&Args { config: Some(path), schema: false, json }, further, &mut out).unwrap();
        (code, String::from_utf8(out).unwrap().replace(&folder.path().display().to_string(), "DIR"))
    }

    const GOOD: &str = "providers: [{ name: p, kind: scripted }]\n\
        models: [{ name: m, provider: p, tier: weak, price: { input: 0, output: 0 } }]\n";

    #[test]
    fn a_good_file_is_summed_up_in_one_line() {
        let policies = |_: &Config| Checked { counted: Some("2 policies".to_owned()), problems: Vec::new() };
        assert_eq!(checked(GOOD, false, &[&policies]), (0, "ok: 1 provider, 1 target, 2 policies\n".to_owned()));
    }

    #[test]
    fn a_problem_shows_place_line_and_remedy() {
        let (code, out) = checked(&GOOD.replace("tier: weak", "teir: weak"), false, &[]);
        assert_eq!(code, 1);
        insta::assert_snapshot!(out);
    }

    #[test]
    fn problems_of_policies_appear_in_the_same_run_as_those_of_the_configuration() {
        let broken = |config: &Config| {
            let problem = Problem {
                file: "policies/default.yaml".into(),
                line: 3,
                column: 5,
                message: format!("unknown label; the last known one is {}", config.labels.last().unwrap().name),
                remedy: String::new(),
                severity: Severity::Error,
                snippet: String::new(),
            };
            Checked { counted: None, problems: vec![problem] }
        };
        let (code, out) = checked("labels: { a: { values: [x], default: y } }\n", true, &[&broken]);
        let report: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(code, 1);
        assert_eq!(report["ok"], false);
        let messages: Vec<_> = report["problems"].as_array().unwrap().iter().map(|p| p["message"].clone()).collect();
        assert!(messages.contains(&"unknown value of label `a` `y`".into()), "{messages:?}");
        assert!(messages.contains(&"unknown label; the last known one is a".into()), "{messages:?}");
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error_with_its_name() {
        let mut out = Vec::new();
        let args = Args { config: Some("/nowhere/waypost.yaml".into()), ..Args::default() };
        assert_eq!(check(&args, &[], &mut out).unwrap(), 1);
        assert!(String::from_utf8(out).unwrap().starts_with("/nowhere/waypost.yaml: error: cannot read this file"));
    }
}
