//! `waypost policy test`: given a request, which target, or which rule says no; by the code that serves.

mod cases;
mod verdict;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::{fail, say};
use crate::chat::Text;
use crate::classify::{self, Classifier};
use crate::config::{self, Config, Problem};
use crate::gateway::{self, Calibrated};
use crate::policy::Policies;
use cases::CaseFile;
use verdict::Outcome;

/// Tests policies.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the cases of DIR/tests/*.yaml against the policies of DIR.
    Test {
        /// The folder of policies. Default: the configuration's, else `policies`.
        dir: Option<PathBuf>,
        /// The configuration for case files that name none.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

pub(super) fn run(args: &Args) -> ExitCode {
    let Command::Test { dir, config } = &args.command;
    match test(dir.as_deref(), config.as_deref()) {
        Ok(report) => {
            say(report.text.trim_end());
            if report.failed == 0 && report.passed > 0 { ExitCode::SUCCESS } else { ExitCode::from(super::FINDING) }
        }
        Err(problems) => {
            super::load::print(&problems);
            fail(format_args!("{} problem(s) above", problems.len()))
        }
    }
}

/// What came of all cases.
#[derive(Debug, Default)]
struct Report {
    text: String,
    passed: usize,
    failed: usize,
}

fn test(dir: Option<&Path>, config: Option<&Path>) -> Result<Report, Vec<Problem>> {
    let given = config.map(config::load).transpose()?.map(|loaded| loaded.config);
    let dir = dir
        .map(Path::to_owned)
        .or_else(|| given.as_ref().and_then(|config| config.policies.clone()))
        .unwrap_or_else(|| PathBuf::from("policies"));
    let files = cases::read_all(&dir.join("tests"), config)?;

    let mut prepared: BTreeMap<PathBuf, Prepared> = BTreeMap::new();
    let mut problems = Vec::new();
    for file in &files {
        if prepared.contains_key(&file.config) {
            continue;
        }
        match prepare(&file.config, &dir) {
            Ok(ready) => {
                prepared.insert(file.config.clone(), ready);
            }
            Err(mut found) => problems.append(&mut found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut report = Report::default();
    for file in &files {
        if let Some(prepared) = prepared.get_mut(&file.config) {
            judge(file, prepared, &mut report);
        }
    }
    let (passed, failed) = (report.passed, report.failed);
    report.text += &format!("\n{} cases: {passed} passed, {failed} failed\n", passed + failed);
    Ok(report)
}

/// What the cases of one configuration need.
struct Prepared {
    config: Config,
    policies: Policies,
    calibrated: Option<Calibrated>,
    scorer: LazyScorer,
}

fn prepare(path: &Path, dir: &Path) -> Result<Prepared, Vec<Problem>> {
    let config = config::load(path)?.config;
    let (policies, _) = Policies::load(Some(dir), &config)?;
    // Cases state scores: whose they are is for `waypost check` to see.
    let calibrated = Calibrated::load(&config, None).map_err(|error| {
        vec![super::check::problem(&config, format!("the calibration cannot be used: {error}"), "")]
    })?;
    Ok(Prepared { config, policies, calibrated, scorer: LazyScorer::NotYet })
}

fn judge(file: &CaseFile, prepared: &mut Prepared, report: &mut Report) {
    let Prepared { config, policies, calibrated, scorer } = prepared;
    report.text += &format!("{}\n", file.path.display());
    for case in &file.cases {
        match verdict::judge(case, config, policies, calibrated.as_ref(), &mut |texts| scorer.score(config, texts)) {
            Outcome::Passed => {
                report.passed += 1;
                report.text += &format!("  ok    {}\n", case.name);
            }
            Outcome::Failed(lines) => {
                report.failed += 1;
                report.text += &format!("  FAIL  {} (line {})\n", case.name, case.line);
                for line in lines {
                    report.text += &format!("          {line}\n");
                }
            }
        }
    }
}

/// The classifier, loaded when the first case needs it: most cases state a score.
enum LazyScorer {
    NotYet,
    Loaded(Classifier),
    Failed(String),
}

impl LazyScorer {
    fn score(&mut self, config: &Config, texts: &[Text]) -> Result<f32, String> {
        if matches!(self, Self::NotYet) {
            *self = match gateway::classifier_settings(config) {
                None => Self::Failed("the classifier is switched off".to_owned()),
                Some(settings) => match Classifier::load(&settings) {
                    Ok(classifier) => Self::Loaded(classifier),
                    Err(error) => Self::Failed(error.to_string()),
                },
            };
        }
        match self {
            Self::Loaded(classifier) => classifier
                .score_blocking(&classify::Prompt { texts, tools: 0, images: 0 })
                .map(|verdict| verdict.difficulty)
                .map_err(|error| error.to_string()),
            Self::Failed(why) => Err(why.clone()),
            Self::NotYet => Err("the classifier is not loaded".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
