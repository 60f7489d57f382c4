//! The gateway that runs, and how another configuration takes its place: whole or not at all.
//!
//! Everything that can fail happens before anything changes: the file and what it names are read and checked, the next
//! gateway is made. Then one pointer is swapped. A request takes the pointer once, when its head has been read, and
//! keeps what it points to; so the old gateway goes with its last request.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use serde::Serialize;

use super::tls::{self, Certificate};
use crate::config::{self, Config, Problem, Severity};
use crate::gateway::Gateway;
use crate::policy::Policies;

/// The gateway of this process, whatever its configuration.
pub struct Running {
    current: ArcSwap<Gateway>,
    since: ArcSwap<SystemTime>,
    failed: ArcSwapOption<Failed>,
    certificate: Option<Arc<Certificate>>,
    /// Where the scripted provider inside this process listens, if there is one.
    scripted: Option<SocketAddr>,
    /// Held by the one reload that is under way.
    turn: Mutex<()>,
}

/// What a reload brought.
#[derive(Debug, Clone, Serialize)]
pub struct Reloaded {
    /// Hash of the configuration that runs now.
    pub config: String,
    /// What is odd about it.
    pub warnings: Vec<Problem>,
}

/// Why the last reload brought nothing.
#[derive(Debug, Clone, Serialize)]
pub struct Failed {
    /// When it was tried.
    #[serde(serialize_with = "crate::clock::rfc3339")]
    pub at: SystemTime,
    /// At least one of them is an error.
    pub problems: Vec<Problem>,
}

/// What a reload has made and not yet put in place.
struct Next {
    gateway: Gateway,
    certificate: Option<Certificate>,
    warnings: Vec<Problem>,
}

impl Running {
    pub(super) fn new(gateway: Gateway, certificate: Option<Arc<Certificate>>, scripted: Option<SocketAddr>) -> Self {
        Self {
            current: ArcSwap::from_pointee(gateway),
            since: ArcSwap::from_pointee(SystemTime::now()),
            failed: ArcSwapOption::empty(),
            certificate,
            scripted,
            turn: Mutex::default(),
        }
    }

    /// The gateway for a request that begins now.
    #[must_use]
    pub fn gateway(&self) -> Arc<Gateway> {
        self.current.load_full()
    }

    /// A look at it.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Gateway) -> T) -> T {
        look(&self.current.load())
    }

    /// When the configuration that runs was loaded.
    pub(super) fn since(&self) -> SystemTime {
        **self.since.load()
    }

    /// Why the last reload failed; `None` where it did not.
    pub(super) fn failed(&self) -> Option<Arc<Failed>> {
        self.failed.load_full()
    }

    /// Whether the last reload failed, so that an older configuration runs than the one that is written.
    #[must_use]
    pub fn is_last_good(&self) -> bool {
        self.failed.load().is_some()
    }

    /// Loads the configuration file again, with everything it names. Reads files and may load a model: not for an
    /// async worker.
    ///
    /// # Errors
    /// Every problem, each of which has been logged; then the configuration that ran goes on running.
    pub fn reload(&self) -> Result<Reloaded, Arc<Failed>> {
        let _turn = self.turn.lock();
        let old = self.gateway();
        let Some(path) = &old.config().path else { return Err(Arc::new(nothing_written())) };
        match self.next(path, &old) {
            Ok(next) => Ok(self.put_in_place(&old, next)),
            Err(problems) => {
                problems.iter().for_each(log);
                tracing::error!(
                    problems = problems.len(),
                    config = old.config().hash,
                    "the configuration was not reloaded: the one that ran goes on"
                );
                old.metrics().reload_failed();
                let failed = Arc::new(Failed { at: SystemTime::now(), problems });
                self.failed.store(Some(Arc::clone(&failed)));
                Err(failed)
            }
        }
    }

    fn next(&self, path: &Path, old: &Gateway) -> Result<Next, Vec<Problem>> {
        let config::Loaded { mut config, mut warnings } = config::load(path)?;
        if let Some(fixed) = fixed(path, old.config(), &config) {
            return Err(vec![fixed]);
        }
        if config.wants_scripted() {
            let Some(address) = self.scripted else {
                let message = "the scripted provider is not running in this process";
                return Err(vec![problem(path, &["providers"], message.to_owned(), "give it an endpoint, or restart")]);
            };
            config.place_scripted(address);
        }
        let (policies, more) = Policies::load(config.policies.as_deref(), &config)?;
        warnings.extend(more);
        let unusable = |message: String| vec![problem(path, &[], message, "mend it; `waypost check` tells more")];
        let tls = config.listen.tls.as_ref().map(tls::load).transpose();
        let certificate = tls.map_err(|error| unusable(error.to_string()))?;
        let gateway = old.renewed(config, policies).map_err(|error| unusable(error.to_string()))?;
        Ok(Next { gateway, certificate, warnings })
    }

    fn put_in_place(&self, old: &Gateway, next: Next) -> Reloaded {
        let Next { gateway, certificate, warnings } = next;
        let new = Arc::new(gateway);
        if let (Some(serving), Some(certificate)) = (&self.certificate, certificate) {
            serving.replace(certificate);
        }
        self.current.store(Arc::clone(&new));
        new.take_over(old);
        self.since.store(Arc::new(SystemTime::now()));
        self.failed.store(None);
        warnings.iter().for_each(log);
        let config = new.config().hash.clone();
        tracing::info!(config, before = old.config().hash, "the configuration was reloaded");
        Reloaded { config, warnings }
    }
}

/// Nothing has failed: there is just no file.
fn nothing_written() -> Failed {
    let message = "there is no configuration file to load: this gateway runs on what the environment offered";
    let problem = problem(Path::new("environment"), &[], message.to_owned(), "start it with `--config FILE`");
    log(&Problem { severity: Severity::Warning, ..problem.clone() });
    Failed { at: SystemTime::now(), problems: vec![problem] }
}

/// What a running process cannot change: its sockets, and the form of a log that somebody is reading.
fn fixed(path: &Path, old: &Config, new: &Config) -> Option<Problem> {
    let tls = |config: &Config| if config.listen.tls.is_some() { "TLS" } else { "plain HTTP" };
    let format = |config: &Config| format!("{:?}", config.logging.format).to_lowercase();
    let fixed: [(&[&str], String, String); 4] = [
        (&["listen", "address"], old.listen.address.to_string(), new.listen.address.to_string()),
        (&["admin", "address"], old.admin.address.to_string(), new.admin.address.to_string()),
        (&["listen", "tls"], tls(old).to_owned(), tls(new).to_owned()),
        (&["logging", "format"], format(old), format(new)),
    ];
    let (keys, old, new) = fixed.into_iter().find(|(_, old, new)| old != new)?;
    let message = format!("`{}` cannot change while the gateway runs: it is {old}, not {new}", keys.join("."));
    Some(problem(path, keys, message, "restart the gateway, or put it back"))
}

fn problem(file: &Path, keys: &[&str], message: String, remedy: &str) -> Problem {
    let (line, column) = if keys.is_empty() { (0, 0) } else { config::place_of(file, keys) };
    Problem {
        file: file.to_owned(),
        line,
        column,
        message,
        remedy: remedy.to_owned(),
        severity: Severity::Error,
        snippet: String::new(),
    }
}

fn log(problem: &Problem) {
    let Problem { file, line, column, message, remedy, severity, .. } = problem;
    let file = file.display();
    match severity {
        Severity::Error => tracing::error!(%file, line, column, remedy, "{message}"),
        Severity::Warning => tracing::warn!(%file, line, column, remedy, "{message}"),
    }
}
