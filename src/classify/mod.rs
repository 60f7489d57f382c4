//! Scores how hard a request is: one minus the chance that a weak-tier model answers it well.
//!
//! Two stages. The linear head over hashed n-grams always runs, on the caller's own thread: tens of microseconds,
//! whatever the length of the conversation. The network over tokens runs on threads of its own behind a bounded queue,
//! equal shares for tenants and a deadline. Late, crowded out, failed or not there, the linear score stands and the
//! reason is told. No score is ever made up.

mod chars;
mod declaration;
mod error;
mod features;
mod files;
mod lanes;
mod linear;
mod network;
mod onnx;
mod prompt;
mod runtime;
mod score;
mod scorer;
mod surface;
mod text;
mod workers;

#[cfg(test)]
mod network_tests;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use declaration::Reading;
pub use error::ClassifyError;
pub use features::Features;
use files::Files;
use linear::Inline;
pub use network::{Network, NetworkScore};
pub use prompt::Prompt;
pub use score::{Score, Stage, Unscored};
pub use scorer::{Scorer, Seen, Stages, Verdict};
use text::TextReading;
use workers::Workers;

use crate::chat::{Role, Text};
use crate::id::TenantName;

/// Buffers kept for the next prompts; more are only in use under load and are dropped after it.
const SPARE_BUFFERS: usize = 64;

/// The `classifier:` section as it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The model files.
    pub model: ModelSource,
    /// ONNX Runtime's library; `None` searches for it (see [`ClassifyError::RuntimeMissing`]).
    pub runtime: Option<PathBuf>,
    /// How long a request waits for the network at most.
    pub deadline: Duration,
    /// Threads that run the network.
    pub threads: usize,
    /// Prompts that may wait for a thread.
    pub queue: usize,
    /// Most tokens that the network reads of a prompt; its declaration may say fewer.
    pub max_tokens: usize,
}

impl Settings {
    /// For a program that scores one prompt after the other and waits for each.
    #[must_use]
    pub fn alone(model: ModelSource) -> Self {
        let deadline = Duration::from_secs(60);
        Self { model, runtime: None, deadline, threads: 1, queue: 1, max_tokens: usize::MAX }
    }
}

/// Where the stages come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// Both built into the program.
    Embedded,
    /// The linear head built into the program, and no network.
    Linear,
    /// A folder with `model.onnx` and a `declaration.json`, which says of which stage it is.
    Folder(PathBuf),
}

/// The difficulty classifier of one gateway. Cheap to clone.
#[derive(Clone)]
pub struct Classifier {
    running: Option<Arc<Running>>,
}

struct Running {
    linear: Inline,
    linear_hash: Arc<str>,
    network: Option<SecondStage>,
    reading: Reading,
    deadline: Duration,
    spare: Mutex<Vec<Seen>>,
    /// Of the last stage there is.
    name: String,
}

struct SecondStage {
    workers: Workers,
    reading: TextReading,
    hash: Arc<str>,
}

impl Classifier {
    /// Loads models, declarations and runtime, and starts the threads.
    ///
    /// # Errors
    /// Files that are missing, do not belong together or do not fit this program, and a runtime that cannot be used.
    pub fn load(settings: &Settings) -> Result<Classifier, ClassifyError> {
        let Files { linear, network } = Files::read(&settings.model)?;
        let reading = linear.declaration.reading()?;
        let runtime = settings.runtime.as_deref();
        let head = Inline::open(|| Ok(Box::new(linear.open(&reading, runtime)?)))?;
        let mut running = Running {
            linear: head,
            linear_hash: format!("sha256:{}", linear.sha256).into(),
            network: None,
            reading,
            deadline: settings.deadline,
            spare: Mutex::default(),
            name: linear.declaration.name.clone(),
        };
        if let Some(files) = network {
            let mut scorers: Vec<Box<dyn Scorer>> = Vec::new();
            let mut known = None;
            for _ in 0..settings.threads.max(1) {
                let network = Network::open(&files, settings.max_tokens, runtime)?;
                network.belongs_to(&linear.sha256)?;
                known = Some((network.reading().clone(), network.name.clone(), network.model_sha256.clone()));
                scorers.push(Box::new(network));
            }
            if let Some((reading, name, sha256)) = known {
                let workers = Workers::start(scorers, settings.queue)?;
                running.network = Some(SecondStage { workers, reading, hash: format!("sha256:{sha256}").into() });
                running.name = name;
            }
        }
        Ok(Classifier { running: Some(Arc::new(running)) })
    }

    /// A classifier that scores nothing.
    #[must_use]
    pub fn off() -> Classifier {
        Classifier { running: None }
    }

    /// The last stage there is, whose scores stand while it keeps up.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match &self.running {
            None => Stage::None,
            Some(running) if running.network.is_some() => Stage::Network,
            Some(_) => Stage::Linear,
        }
    }

    /// `sha256:…` of a stage's model file; `None` for one that is not there.
    #[must_use]
    pub fn model_hash(&self, stage: Stage) -> Option<&Arc<str>> {
        let running = self.running.as_ref()?;
        match stage {
            Stage::Network => running.network.as_ref().map(|network| &network.hash),
            Stage::Linear => Some(&running.linear_hash),
            Stage::None => None,
        }
    }

    /// Most tokens that a stage reads of a prompt: the lower of the setting and its declaration; `None` for one that reads
    /// none.
    #[must_use]
    pub fn max_tokens(&self, stage: Stage) -> Option<usize> {
        let network = self.running.as_ref()?.network.as_ref()?;
        (stage == Stage::Network).then(|| network.reading.max_tokens())
    }

    /// The name in the last stage's declaration; empty when switched off.
    #[must_use]
    pub fn name(&self) -> &str {
        self.running.as_ref().map_or("", |running| &running.name)
    }

    /// Scores a tenant's prompt, by the network if it answers within the deadline. May be dropped at any time.
    pub async fn score(&self, tenant: &TenantName, prompt: &Prompt<'_>) -> Score {
        let started = Instant::now();
        let Some(running) = &self.running else {
            return Score::none(Unscored::Off, started.elapsed());
        };
        let Ok(seen) = running.first(prompt) else {
            return Score::none(Unscored::Failed, started.elapsed());
        };
        let linear = seen.linear;
        let (seen, verdict) = match &running.network {
            None => (Some(seen), Err(Unscored::Absent)),
            Some(network) => {
                let left = running.deadline.saturating_sub(started.elapsed());
                network.workers.score(tenant, seen, left).await
            }
        };
        if let Some(seen) = seen {
            running.keep(seen);
        }
        match verdict {
            Ok(verdict) => Score {
                difficulty: Some(verdict.difficulty),
                stage: Stage::Network,
                elapsed: started.elapsed(),
                reason: None,
                embedding: verdict.embedding,
            },
            Err(reason) => Score {
                difficulty: Some(linear),
                stage: Stage::Linear,
                elapsed: started.elapsed(),
                reason: Some(reason),
                embedding: None,
            },
        }
    }

    /// The last stage's verdict on this thread, without queue and deadline: for commands and for measuring the bare cost.
    ///
    /// # Errors
    /// Switched off, or a model that fails.
    pub fn score_blocking(&self, prompt: &Prompt<'_>) -> Result<Verdict, ClassifyError> {
        Ok(self.stages_blocking(prompt)?.last)
    }

    /// As [`Classifier::score_blocking`], with what the linear head said beside it.
    ///
    /// # Errors
    /// Switched off, or a model that fails.
    pub fn stages_blocking(&self, prompt: &Prompt<'_>) -> Result<Stages, ClassifyError> {
        let running = self.running.as_ref().ok_or(ClassifyError::Off)?;
        let seen = running.first(prompt)?;
        let linear = seen.linear;
        let verdict = match &running.network {
            Some(network) => network.workers.score_blocking(&seen),
            None => Ok(Verdict { difficulty: linear, embedding: None }),
        };
        running.keep(seen);
        Ok(Stages { last: verdict?, linear })
    }
}

impl fmt::Debug for Classifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Classifier").field("name", &self.name()).field("stage", &self.stage()).finish_non_exhaustive()
    }
}

impl Running {
    /// Reads a prompt and runs the first stage.
    fn first(&self, prompt: &Prompt<'_>) -> Result<Seen, ClassifyError> {
        let mut seen = self.spare.lock().pop().unwrap_or_default();
        seen.features.extract(prompt, &self.reading);
        if let Some(network) = &self.network {
            seen.excerpt.take(prompt, &network.reading);
        }
        seen.linear = self.linear.score(&seen)?;
        Ok(seen)
    }

    fn keep(&self, seen: Seen) {
        let mut spare = self.spare.lock();
        if spare.len() < SPARE_BUFFERS {
            spare.push(seen);
        }
    }
}

/// Loads everything and scores "hi", as `waypost check` does.
///
/// # Errors
/// As [`Classifier::load`], and a model that fails.
pub fn check(settings: &Settings) -> Result<Classifier, ClassifyError> {
    let texts = [Text { role: Role::User, text: "hi".to_owned() }];
    let classifier = Classifier::load(settings)?;
    classifier.score_blocking(&Prompt { texts: &texts, tools: 0, images: 0 })?;
    Ok(classifier)
}
