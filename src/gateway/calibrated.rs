//! A calibration as the gateway uses it: each target's curve, by the stage of the classifier that scored.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::chance::Chance;
use crate::chat::Effort;
use crate::classify::{Classifier, Stage};
use crate::config::{ClassifierModel, Config, Target};
use crate::id::TargetId;
use crate::policy::Objective;
use crate::quality::{Bucket, Calibration, CalibrationError, Curve, Scorer, TargetCurve, ease};
use crate::route::lengths::{ANSWER, Lengths, usual};

/// The configuration's calibration.
#[derive(Debug)]
pub struct Calibrated {
    /// The stage that scores unless it is late comes first.
    stages: Vec<ByStage>,
    unsayable: Vec<String>,
}

/// What was fitted on the scores of one stage. Another's mean something else: what one calls hard, another need not.
#[derive(Debug)]
pub struct ByStage {
    calibration: Calibration,
    /// In the order of the targets.
    targets: Vec<Measured>,
}

/// What was measured of one target.
#[derive(Debug, Default)]
struct Measured {
    /// By effort: those that the target can be asked with.
    curves: Vec<(Option<Effort>, Curve)>,
    /// Places in `curves` that its threshold is for.
    routed: Vec<usize>,
    /// Usual output tokens, in the order of `curves`.
    output: Vec<Option<u64>>,
    /// The target cannot be told an effort, so its one curve is for all.
    one_for_all: bool,
}

/// Why a calibration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// It is none, or not one for this configuration.
    #[error("{}: {source}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: CalibrationError,
    },
}

impl Calibrated {
    /// The file that the configuration names; `None` where it names none. Without a classifier it is not checked whose
    /// scores it is for: fit for what works on given scores.
    ///
    /// # Errors
    /// A file that cannot be read, is no calibration, or was made with another classifier.
    pub fn load(config: &Config, classifier: Option<&Classifier>) -> Result<Option<Self>, LoadError> {
        let Some(path) = &config.calibration else { return Ok(None) };
        let text = std::fs::read_to_string(path).map_err(|source| LoadError::Read { path: path.clone(), source })?;
        let unfit = |source| LoadError::Unfit { path: path.clone(), source };
        let calibration = Calibration::parse(&text).map_err(unfit)?;
        if let Some(classifier) = classifier {
            calibration.belongs_to(&stages(classifier)).map_err(unfit)?;
        }
        let mut unsayable = Vec::new();
        let by_stage = |calibration: &Calibration| {
            let of = |target: &Arc<Target>| Measured::of(target, calibration, &mut unsayable);
            ByStage { calibration: calibration.clone(), targets: config.targets.iter().map(of).collect() }
        };
        let mut stages: Vec<ByStage> = calibration.stages().map(by_stage).collect();
        let last = match classifier {
            Some(classifier) => Some(classifier.stage()),
            None => (config.classifier.model == ClassifierModel::Linear).then_some(Stage::Linear),
        };
        if let Some(last) = last {
            // Stable: where it holds no scores of that stage the order stays.
            stages.sort_by_key(|by| by.calibration.classifier.stage != last.as_str());
        }
        unsayable.sort_unstable();
        unsayable.dedup();
        Ok(Some(Self { stages, unsayable }))
    }

    /// Curves that are left aside because their target cannot be asked with their effort, each as `TARGET at EFFORT`.
    #[must_use]
    pub fn unsayable(&self) -> &[String] {
        &self.unsayable
    }

    /// Names of targets that the calibration knows and the configuration does not.
    #[must_use]
    pub fn strangers(&self, config: &Config) -> Vec<&str> {
        let known = |name: &str| config.targets.iter().any(|target| target.name.as_str() == name);
        let targets = self.stages.iter().flat_map(|stage| &stage.calibration.targets);
        let names: BTreeSet<&str> = targets.map(|of| of.target.as_str()).filter(|name| !known(name)).collect();
        names.into_iter().collect()
    }

    /// What holds for the scores of a stage, in the word of [`Stage::as_str`].
    #[must_use]
    pub fn by(&self, stage: &str) -> Option<&ByStage> {
        self.stages.iter().find(|by| by.calibration.classifier.stage == stage)
    }

    /// What holds for the scores of the last stage there is; for what works on scores without knowing their stage.
    #[must_use]
    pub fn by_last(&self) -> Option<&ByStage> {
        self.stages.first()
    }
}

/// The stages of a classifier, the last one first.
fn stages(classifier: &Classifier) -> Vec<Scorer> {
    let of = |stage: Stage| {
        let hash = classifier.model_hash(stage)?.to_string();
        let max_tokens = classifier.max_tokens(stage);
        Some(Scorer { hash, stage: stage.as_str().to_owned(), max_tokens })
    };
    [Stage::Network, Stage::Linear].into_iter().filter_map(of).collect()
}

impl ByStage {
    /// What the curves say of one prompt.
    #[must_use]
    pub fn forecast<'a>(&'a self, difficulty: f32, vector: Option<&'a [f32]>) -> Forecast<'a> {
        Forecast { targets: &self.targets, ease: ease(f64::from(difficulty)), vector }
    }

    /// Usual output tokens of a target at this effort, where its outcomes tell.
    #[must_use]
    pub fn output(&self, id: TargetId, effort: Option<Effort>) -> Option<u64> {
        let measured = self.targets.get(id.index())?;
        *measured.output.get(measured.place(effort)?)?
    }

    /// The threshold that keeps a policy's floor with its confidence, if one was found.
    #[must_use]
    pub fn tau(&self, objective: &Objective) -> Option<f32> {
        #[expect(clippy::cast_possible_truncation, reason = "a difference of probabilities")]
        let tau = |tau: f64| tau as f32;
        self.calibration.tau(f64::from(objective.at_least?), f64::from(objective.confidence)).map(tau)
    }

    /// Where the labels lie next to a difficulty.
    #[must_use]
    pub fn bucket(&self, difficulty: f32) -> Option<&Bucket> {
        self.calibration.bucket(f64::from(difficulty))
    }
}

/// What a calibration says of one prompt.
#[derive(Clone, Copy, Debug)]
pub struct Forecast<'a> {
    targets: &'a [Measured],
    ease: f64,
    vector: Option<&'a [f32]>,
}

impl Forecast<'_> {
    /// The chance that a target, asked with this effort, answers the prompt well; `None` where it was not measured.
    #[must_use]
    pub fn p_good(&self, id: TargetId, effort: Option<Effort>) -> Option<Chance> {
        let measured = self.targets.get(id.index())?;
        let (_, curve) = measured.curves.get(measured.place(effort)?)?;
        Some(curve.chance(self.ease, self.vector))
    }

    /// Shows `each` the efforts to choose from for a target among those that `may` be asked for, with the chance of a good
    /// answer; none where nothing was measured.
    pub fn choices(
        &self,
        id: TargetId,
        may: impl Fn(Option<Effort>) -> bool,
        mut each: impl FnMut(Option<Effort>, Chance),
    ) {
        let Some(measured) = self.targets.get(id.index()) else { return };
        for (effort, curve) in measured.routed().filter(|(effort, _)| may(*effort)) {
            each(*effort, curve.chance(self.ease, self.vector));
        }
    }
}

impl Measured {
    fn of(target: &Target, calibration: &Calibration, unsayable: &mut Vec<String>) -> Self {
        let name = target.name.as_str();
        let mut measured = Self { one_for_all: target.ignores_effort(), ..Self::default() };
        if measured.one_for_all {
            if let Some(curve) = calibration.curve(name) {
                measured.add(None, curve, true);
            }
            return measured;
        }
        for curve in calibration.targets.iter().filter(|curve| curve.target == name) {
            let effort = match curve.effort.as_deref() {
                None => None,
                Some(word) => match Effort::of(word).filter(|effort| target.can_be_told(*effort)) {
                    Some(effort) => Some(effort),
                    None => {
                        unsayable.push(format!("{name} at {word}"));
                        continue;
                    }
                },
            };
            measured.add(effort, curve, calibration.is_routed(curve));
        }
        measured
    }

    fn add(&mut self, effort: Option<Effort>, of: &TargetCurve, routed: bool) {
        if routed {
            self.routed.push(self.curves.len());
        }
        self.curves.push((effort, of.curve.clone()));
        self.output.push(of.output);
    }

    fn routed(&self) -> impl Iterator<Item = &(Option<Effort>, Curve)> {
        self.routed.iter().filter_map(|&place| self.curves.get(place))
    }

    fn place(&self, effort: Option<Effort>) -> Option<usize> {
        if self.one_for_all {
            return (!self.curves.is_empty()).then_some(0);
        }
        self.curves.iter().position(|(of, _)| *of == effort)
    }
}

/// How long answers are expected to be, before any was seen: as outcomes tell, else by stated defaults.
#[must_use]
pub fn lengths(config: &Config, calibrated: Option<&Calibrated>) -> Lengths {
    Lengths::new(config.targets.len(), |id, effort| {
        let measured = calibrated.and_then(Calibrated::by_last).and_then(|by_last| by_last.output(id, effort));
        let stated = || config.targets.get(id.index()).map_or(ANSWER, |target| usual(target, effort));
        measured.unwrap_or_else(stated)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::{ModelSource, Settings};
    use crate::config::Tier;
    use crate::policy::fixture::{config, target};

    #[test]
    fn a_linear_head_in_a_folder_goes_by_the_linear_heads_calibration() {
        let folder = tempfile::tempdir().unwrap();
        let linear = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/classifier/linear");
        for file in ["model.onnx", "declaration.json"] {
            std::fs::copy(linear.join(file), folder.path().join(file)).unwrap();
        }
        let settings = Settings::alone(ModelSource::Folder(folder.path().to_owned()));
        let classifier = Classifier::load(&settings).unwrap();
        let hash = classifier.model_hash(Stage::Linear).unwrap();
        let part = |hash: &str, stage: &str, output: u64, linear: &str| {
            format!(
                r#"{{"schema":1,"made":"now","data":{{"hash":"h","prompts":60,"paired":0}},
                "classifier":{{"hash":"{hash}","stage":"{stage}"}},"floors":[],"buckets":[],
                "targets":[{{"target":"a","effort":null,"output":{output},"labels":60,"mean":0.5,"method":"platt",
                "curve":{{"line":{{"intercept":0.0,"slope":1.0}}}}}}]{linear}}}"#
            )
        };
        let inner = format!(",\"linear\":{}", part(hash, "linear", 70, ""));
        let path = folder.path().join("calibration.json");
        std::fs::write(&path, part("sha256:n", "network", 3000, &inner)).unwrap();
        let mut config = config(vec![target("a", Tier::Mid)]);
        config.classifier.model = ClassifierModel::Folder(folder.path().to_owned());
        config.calibration = Some(path);
        let calibrated = Calibrated::load(&config, Some(&classifier)).unwrap().unwrap();
        assert_eq!(calibrated.by_last().unwrap().output(TargetId(0), None), Some(70));
        assert_eq!(lengths(&config, Some(&calibrated)).expected(TargetId(0), None, None).median, 70);
    }
}
