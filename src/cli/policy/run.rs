//! Runs every case of a folder of policies.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::cases::{self, Case, CaseFile};
use super::report::{Outcome, Report};
use super::verdict::{self, Verdict};
use crate::chat::Text;
use crate::classify::{self, Classifier};
use crate::config::{self, Config, Problem};
use crate::detect::Detectors;
use crate::gateway::{self, Calibrated};
use crate::policy::Policies;

/// Policies, the cases for them, and what the cases run on.
pub(super) struct Suite {
    /// The policy files with their texts.
    pub(super) policies: Vec<(PathBuf, String)>,
    files: Vec<CaseFile>,
    worlds: BTreeMap<PathBuf, World>,
}

/// What the cases of one configuration run on.
struct World {
    config: Config,
    calibrated: Option<Calibrated>,
    detectors: Detectors,
    policies: Policies,
    scorer: LazyScorer,
}

impl Suite {
    /// Reads the policies of a folder, its cases, and the configurations they name.
    pub(super) fn load(dir: Option<&Path>, config: Option<&Path>) -> Result<Self, Vec<Problem>> {
        let given = config.map(config::load).transpose()?.map(|loaded| loaded.config);
        let dir = dir
            .map(Path::to_owned)
            .or_else(|| given.as_ref().and_then(|config| config.policies.clone()))
            .unwrap_or_else(|| PathBuf::from("policies"));
        let files = cases::read_all(&dir.join("tests"), config)?;
        let (policies, unread) = Policies::files(Some(&dir));
        if !unread.is_empty() {
            return Err(unread);
        }
        let mut suite = Self { policies, files, worlds: BTreeMap::new() };
        let mut problems = Vec::new();
        let mut seen = BTreeSet::new();
        for file in &suite.files {
            if !seen.insert(&file.config) {
                continue;
            }
            match World::load(&file.config, &suite.policies) {
                Ok(world) => {
                    suite.worlds.insert(file.config.clone(), world);
                }
                Err(mut found) => problems.append(&mut found),
            }
        }
        if problems.is_empty() { Ok(suite) } else { Err(problems) }
    }

    /// Judges every case.
    pub(super) fn run(&mut self) -> Report {
        let mut report = Report::default();
        for file in &self.files {
            let Some(world) = self.worlds.get_mut(&file.config) else { continue };
            for case in &file.cases {
                let verdict = world.judge(case);
                report.outcomes.push(Outcome::new(&file.path, case, verdict));
            }
        }
        report
    }

    /// Whether some case fails with these policies instead; `None` where they cannot be loaded at all.
    pub(super) fn notices(&mut self, changed: &[(PathBuf, String)]) -> Option<bool> {
        for (path, world) in &mut self.worlds {
            let Ok((policies, _)) = Policies::read(changed, Vec::new(), &world.config) else { return None };
            let own = std::mem::replace(&mut world.policies, policies);
            let cases = self.files.iter().filter(|file| file.config == *path).flat_map(|file| &file.cases);
            let noticed = cases.into_iter().any(|case| world.judge(case) != Verdict::Passed);
            world.policies = own;
            if noticed {
                return Some(true);
            }
        }
        Some(false)
    }
}

impl World {
    fn load(path: &Path, files: &[(PathBuf, String)]) -> Result<Self, Vec<Problem>> {
        let config = config::load(path)?.config;
        let (policies, _) = Policies::read(files, Vec::new(), &config)?;
        // Cases state scores: whose they are is for `waypost check` to see.
        let calibrated = Calibrated::load(&config, None).map_err(|error| {
            let message = format!("the calibration cannot be used: {error}");
            vec![crate::cli::check::problem(&config, message, "")]
        })?;
        let detectors = Detectors::new(config.detection.clone());
        Ok(Self { config, calibrated, detectors, policies, scorer: LazyScorer::NotYet })
    }

    fn judge(&mut self, case: &Case) -> Verdict {
        let Self { config, calibrated, detectors, policies, scorer } = self;
        let score = &mut |texts: &[Text]| scorer.score(config, texts);
        verdict::judge(case, config, policies, calibrated.as_ref(), detectors, score)
    }
}

/// The classifier, loaded when the first case needs it: most cases state a score.
enum LazyScorer {
    NotYet,
    /// With the scores of the texts seen so far: a mutated policy asks for the same again.
    Loaded(Classifier, HashMap<String, Result<f32, String>>),
    Failed(String),
}

impl LazyScorer {
    fn score(&mut self, config: &Config, texts: &[Text]) -> Result<f32, String> {
        if matches!(self, Self::NotYet) {
            *self = match gateway::classifier_settings(config) {
                None => Self::Failed("the classifier is switched off".to_owned()),
                Some(settings) => match Classifier::load(&settings) {
                    Ok(classifier) => Self::Loaded(classifier, HashMap::new()),
                    Err(error) => Self::Failed(error.to_string()),
                },
            };
        }
        match self {
            Self::Loaded(classifier, seen) => {
                let score = || {
                    let prompt = classify::Prompt { texts, tools: 0, images: 0 };
                    let scored = classifier.score_blocking(&prompt).map(|verdict| verdict.difficulty);
                    scored.map_err(|error| error.to_string())
                };
                seen.entry(format!("{texts:?}")).or_insert_with(score).clone()
            }
            Self::Failed(why) => Err(why.clone()),
            Self::NotYet => Err("the classifier is not loaded".to_owned()),
        }
    }
}
