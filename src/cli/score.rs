//! Scores prompts for commands, by the configuration's classifier.

use std::path::{Path, PathBuf};

use crate::chat::Format;
use crate::classify::{Classifier, ModelSource, Prompt, Settings, Stage, Stages};
use crate::config::{self, Config};
use crate::gateway::classifier_settings;
use crate::quality;
use crate::wire::ask;

/// The file that is taken if none is named and it is there.
const DEFAULT_FILE: &str = "waypost.yaml";

/// A classifier and what it is called.
pub(super) struct Scorer {
    classifier: Classifier,
    /// The stage whose scores these are, and its file.
    pub(super) last: quality::Scorer,
    /// The linear head, where it is not the last stage.
    pub(super) linear: Option<quality::Scorer>,
}

/// What was found out of one prompt.
pub(super) struct Scored {
    /// 0 to 1.
    pub(super) difficulty: f64,
    /// The prompt's vector, if the classifier gives one.
    pub(super) vector: Option<Vec<f32>>,
    /// The difficulty by the linear head.
    pub(super) linear: f64,
    /// Estimated tokens of the request.
    pub(super) input_tokens: u64,
}

impl Scored {
    /// The same by the linear head.
    pub(super) fn by_linear(&self) -> Self {
        Self { difficulty: self.linear, vector: None, linear: self.linear, input_tokens: self.input_tokens }
    }
}

/// The configuration that a command is told of, or the one in this folder; `None` where there is neither.
pub(super) fn configuration(path: Option<&Path>) -> Result<Option<Config>, String> {
    let path = match path {
        Some(path) => path.to_owned(),
        None if Path::new(DEFAULT_FILE).is_file() => PathBuf::from(DEFAULT_FILE),
        None => return Ok(None),
    };
    let loaded = config::load(&path).map_err(|problems| {
        super::load::print(&problems);
        format!("{} problem(s) above", problems.len())
    })?;
    Ok(Some(loaded.config))
}

impl Scorer {
    /// The configuration's classifier, or the one in the program.
    pub(super) fn load(config: Option<&Config>) -> Result<Self, String> {
        let settings = match config {
            Some(config) => {
                classifier_settings(config).ok_or("the classifier is switched off in this configuration")?
            }
            None => Settings::alone(ModelSource::Embedded),
        };
        let classifier = Classifier::load(&settings).map_err(|error| error.to_string())?;
        let of = |stage: Stage| quality::Scorer {
            hash: classifier.model_hash(stage).map(ToString::to_string).unwrap_or_default(),
            stage: stage.as_str().to_owned(),
            max_tokens: classifier.max_tokens(stage),
        };
        let last = of(classifier.stage());
        let linear = (classifier.stage() != Stage::Linear).then(|| of(Stage::Linear));
        Ok(Self { classifier, last, linear })
    }

    /// Scores the messages of a chat request, given as JSON, as the gateway would.
    pub(super) fn score(&self, messages: &str) -> Result<Scored, String> {
        let body = format!("{{\"model\":\"auto\",\"messages\":{messages}}}");
        let request = ask::judge(Format::Chat, body.into()).map_err(|error| error.message)?;
        let texts = ask::prompt(&request);
        let prompt = Prompt { texts: &texts, tools: request.tools, images: request.media };
        let Stages { last, linear } = self.classifier.stages_blocking(&prompt).map_err(|error| error.to_string())?;
        Ok(Scored {
            difficulty: f64::from(last.difficulty),
            vector: last.embedding.map(|embedding| embedding.to_vec()),
            linear: f64::from(linear),
            input_tokens: request.input_tokens_estimate,
        })
    }
}
