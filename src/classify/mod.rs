//! Scores how hard a request is: one minus the chance that a weak-tier model answers it well.
//!
//! The prompt is read on the caller's thread (hashed n-grams and a few counts, bounded in length, some tens of
//! microseconds); the model file runs on the classifier's own threads behind a bounded queue and a deadline. No score
//! is ever made up: late, full, failed or switched off is `difficulty: None` with the reason.

mod chars;
mod declaration;
mod features;
mod network;
mod onnx;
mod prompt;
mod runtime;
mod surface;
mod text;
mod worker;

#[cfg(test)]
mod network_tests;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use declaration::{Declaration, Reading};
pub use features::Features;
pub use network::{Network, NetworkScore};
use onnx::OnnxScorer;
pub use prompt::Prompt;

use crate::chat::{Role, Text};
use worker::{SharedScorer, Workers};

static EMBEDDED_MODEL: &[u8] = include_bytes!("../../config/classifier/linear/model.onnx");
static EMBEDDED_DECLARATION: &str = include_str!("../../config/classifier/linear/declaration.json");

/// Buffers kept for the next prompts; more are only in use under load and are dropped after it.
const SPARE_BUFFERS: usize = 64;

/// The `classifier:` section as it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The model file.
    pub model: ModelSource,
    /// ONNX Runtime's library; `None` searches for it (see [`ClassifyError::RuntimeMissing`]).
    pub runtime: Option<PathBuf>,
    /// How long a request waits for its score at most.
    pub deadline: Duration,
    /// Threads that run the model.
    pub threads: usize,
    /// Prompts that may wait for a thread.
    pub queue: usize,
}

/// Where the model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// The one built into the program.
    Embedded,
    /// A folder with `model.onnx` and `declaration.json`.
    Folder(PathBuf),
}

/// The result for one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// 0 (any model will do) to 1; `None` if unscored.
    pub difficulty: Option<f32>,
    /// Which stage gave it.
    pub stage: Stage,
    /// From the call to the result, reading the prompt included.
    pub elapsed: Duration,
    /// Why there is no score.
    pub reason: Option<Unscored>,
}

/// The stage of the classifier that gave a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The linear head over hashed n-grams.
    Linear,
    /// None did.
    None,
}

impl Stage {
    /// The word for records and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Linear => "linear",
            Stage::None => "none",
        }
    }
}

/// Why a request has no score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unscored {
    /// The deadline passed first.
    Late,
    /// Too many prompts were waiting.
    QueueFull,
    /// The classifier is switched off.
    Off,
    /// The model gave an error or no probability.
    Failed,
}

impl Unscored {
    /// The word for records and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Unscored::Late => "late",
            Unscored::QueueFull => "queue_full",
            Unscored::Off => "off",
            Unscored::Failed => "failed",
        }
    }
}

/// Something that turns features into a difficulty.
pub trait Scorer: Send {
    /// The difficulty, 0 to 1.
    fn score(&mut self, features: &Features) -> Result<f32, ClassifyError>;
}

/// What can be wrong with the classifier's files or its runtime.
#[derive(Debug, thiserror::Error)]
pub enum ClassifyError {
    /// No library was found.
    #[error(
        "ONNX Runtime's library was not found (searched: {searched}); run `make onnxruntime`, or take \
         libonnxruntime.so from the PyPI wheel `onnxruntime` and set classifier.runtime or ORT_DYLIB_PATH to it, \
         or set `classifier: {{model: off}}`"
    )]
    RuntimeMissing {
        /// The places looked at.
        searched: String,
    },
    /// The library cannot be used.
    #[error("ONNX Runtime's library {} cannot be used; run `make onnxruntime` for one that fits", path.display())]
    RuntimeRejected {
        /// The library.
        path: PathBuf,
        /// What the loader said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file cannot be read.
    #[error("cannot read the classifier's file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The declaration is not one.
    #[error("the classifier's declaration {place} is not valid")]
    Declaration {
        /// Which declaration.
        place: String,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// The declaration does not fit the model or this program.
    #[error("the classifier's declaration does not fit: {0}")]
    Unfit(String),
    /// ONNX Runtime refused the model or failed to run it.
    #[error("the classifier's model cannot be run")]
    Model(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The tokenizer is not one, or could not read a prompt.
    #[error("the classifier's tokenizer cannot be used")]
    Tokenizer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The model's answer is no probability.
    #[error("the classifier's model gave {0}, which is no probability")]
    OutOfRange(f32),
    /// A thread could not be started.
    #[error("cannot start a classifier thread")]
    Thread(#[source] std::io::Error),
    /// Asked for a score while switched off.
    #[error("the classifier is switched off")]
    Off,
}

/// The difficulty classifier of one gateway. Cheap to clone.
#[derive(Clone)]
pub struct Classifier {
    running: Option<Arc<Running>>,
}

struct Running {
    workers: Workers,
    /// Borrowed by [`Classifier::score_blocking`].
    scorer: SharedScorer,
    spare: Mutex<Vec<Features>>,
    reading: Reading,
    deadline: Duration,
    name: String,
    model_hash: String,
}

impl Classifier {
    /// Loads model, declaration and runtime, and starts the threads.
    pub fn load(settings: &Settings) -> Result<Classifier, ClassifyError> {
        let (model, declaration) = read_files(&settings.model)?;
        let reading = declaration.reading()?;
        let hash = sha256_hex(&model);
        if hash != declaration.model_sha256 {
            return Err(ClassifyError::Unfit(format!(
                "it belongs to a model file of sha256 {}, this one has {hash}",
                declaration.model_sha256
            )));
        }
        let mut scorers: Vec<Box<dyn Scorer>> = Vec::new();
        for _ in 0..settings.threads.max(1) {
            scorers.push(Box::new(OnnxScorer::open(&model, &declaration, &reading, settings.runtime.as_deref())?));
        }
        Classifier::start(scorers, reading, settings, declaration.name, format!("sha256:{hash}"))
    }

    fn start(
        scorers: Vec<Box<dyn Scorer>>,
        reading: Reading,
        settings: &Settings,
        name: String,
        model_hash: String,
    ) -> Result<Classifier, ClassifyError> {
        let scorers: Vec<SharedScorer> = scorers.into_iter().map(|scorer| Arc::new(Mutex::new(scorer))).collect();
        let workers = Workers::start(&scorers, settings.queue)?;
        let scorer = scorers.into_iter().next().ok_or(ClassifyError::Off)?;
        let deadline = settings.deadline;
        let spare = Mutex::new(Vec::new());
        let running = Running { workers, scorer, spare, reading, deadline, name, model_hash };
        Ok(Classifier { running: Some(Arc::new(running)) })
    }

    /// A classifier that scores nothing.
    pub fn off() -> Classifier {
        Classifier { running: None }
    }

    /// `sha256:…` of the model file; empty when switched off.
    pub fn model_hash(&self) -> &str {
        self.running.as_ref().map_or("", |running| &running.model_hash)
    }

    /// The name in the declaration; empty when switched off.
    pub fn name(&self) -> &str {
        self.running.as_ref().map_or("", |running| &running.name)
    }

    /// Scores a prompt within the deadline. May be dropped at any time.
    pub async fn score(&self, prompt: &Prompt<'_>) -> Score {
        let started = Instant::now();
        let unscored =
            |reason| Score { difficulty: None, stage: Stage::None, elapsed: started.elapsed(), reason: Some(reason) };
        let Some(running) = &self.running else {
            return unscored(Unscored::Off);
        };
        if running.deadline.is_zero() {
            return unscored(Unscored::Late);
        }
        let answer = match running.workers.submit(running.features(prompt)) {
            Ok(answer) => answer,
            Err(reason) => return unscored(reason),
        };
        let left = running.deadline.saturating_sub(started.elapsed());
        match tokio::time::timeout(left, answer).await {
            Err(_) => unscored(Unscored::Late),
            Ok(Err(_)) => unscored(Unscored::Failed),
            Ok(Ok((features, result))) => {
                running.keep(features);
                match result {
                    Err(_) => unscored(Unscored::Failed),
                    Ok(difficulty) => Score {
                        difficulty: Some(difficulty),
                        stage: Stage::Linear,
                        elapsed: started.elapsed(),
                        reason: None,
                    },
                }
            }
        }
    }

    /// Scores a prompt on this thread, without queue and deadline: for commands and for measuring the bare cost.
    pub fn score_blocking(&self, prompt: &Prompt<'_>) -> Result<f32, ClassifyError> {
        let running = self.running.as_ref().ok_or(ClassifyError::Off)?;
        let features = running.features(prompt);
        let score = running.scorer.lock().unwrap_or_else(PoisonError::into_inner).score(&features);
        running.keep(features);
        score
    }
}

impl Running {
    fn features(&self, prompt: &Prompt<'_>) -> Features {
        let mut features = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        features.extract(prompt, &self.reading);
        features
    }

    fn keep(&self, features: Features) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE_BUFFERS {
            spare.push(features);
        }
    }
}

/// Loads everything and scores "hi", as `waypost check` does.
pub fn check(settings: &Settings) -> Result<(), ClassifyError> {
    let texts = [Text { role: Role::User, text: "hi".to_owned() }];
    Classifier::load(settings)?.score_blocking(&Prompt { texts: &texts, tools: 0, images: 0 })?;
    Ok(())
}

fn read_files(source: &ModelSource) -> Result<(std::borrow::Cow<'static, [u8]>, Declaration), ClassifyError> {
    match source {
        ModelSource::Embedded => {
            Ok((EMBEDDED_MODEL.into(), Declaration::parse(EMBEDDED_DECLARATION, "built into the program")?))
        }
        ModelSource::Folder(folder) => {
            let declaration = folder.join("declaration.json");
            let text = String::from_utf8_lossy(&read(&declaration)?).into_owned();
            let declaration = Declaration::parse(&text, &declaration.display().to_string())?;
            Ok((read(&folder.join("model.onnx"))?.into(), declaration))
        }
    }
}

fn sha256_hex(file: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, file);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, ClassifyError> {
    std::fs::read(path).map_err(|source| ClassifyError::Read { path: path.to_owned(), source })
}
