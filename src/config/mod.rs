//! What the operator wrote, checked, and the form that runs.
//!
//! A file becomes a tree in which everything knows its place (`document`), the environment is filled in
//! (`environment`), the tree becomes the written form (`reader`, `written`), and that is resolved into `Config`
//! (`resolve`). Every step reports and goes on, so one run names every problem.

use std::path::{Path, PathBuf};

use serde::Deserialize as _;

pub use discover::{Discovered, Found, discover};
pub use facts::{Fact, FactName, Facts};
pub use names::{Meant, free_name};
pub use problem::{Problem, Severity};
pub use resolve::{NAME_REMEDY, is_name};
pub use running::*;

use environment::Lookup;
use reader::Reader;
use report::Report;

pub mod facts;
pub mod problem;
pub mod running;

mod discover;
mod document;
mod environment;
mod names;
mod reader;
mod report;
mod resolve;
mod shown;
mod values;
mod written;

/// A configuration that may run, and what is odd about it.
#[derive(Debug)]
pub struct Loaded {
    /// Checked and complete.
    pub config: Config,
    /// Problems that do not stop the start.
    pub warnings: Vec<Problem>,
}

/// Reads a configuration file with the process's environment.
///
/// # Errors
/// Every problem of the file, warnings included, if at least one is an error.
pub fn load(path: &Path) -> Result<Loaded, Vec<Problem>> {
    loaded(examine(path))
}

/// Reads a configuration that a command has put together; `name` stands for it in problems.
///
/// # Errors
/// As of [`load`].
pub fn load_made(name: &Path, text: &str) -> Result<Loaded, Vec<Problem>> {
    load_text(name, None, text, &|_| None)
}

/// Reads a configuration file for checking only: where something is wrong the configuration holds stand-ins, so that
/// what belongs to it (policies, the classifier) can be checked in the same run. Never run it if there are errors.
#[must_use]
pub fn examine(path: &Path) -> (Option<Config>, Vec<Problem>) {
    let text = std::fs::read(path).and_then(|bytes| {
        String::from_utf8(bytes)
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error.utf8_error()))
    });
    match text {
        Ok(text) => examine_text(path, Some(path), &text, &|name| std::env::var(name).ok()),
        Err(error) => {
            let message = format!("cannot read this file: {error}");
            (None, vec![Problem::of_file(path, message, "name a readable file with `--config FILE`")])
        }
    }
}

/// Where a configuration file says something, as line and column; zeros where it does not. For what is wrong with it
/// only beside another one.
#[must_use]
pub fn place_of(path: &Path, keys: &[&str]) -> (u32, u32) {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let report = Report::new(path, &text);
    let root = document::parse(&text, &report);
    let mut node = root.as_ref();
    for key in keys {
        node = node.and_then(|node| node.get(key));
    }
    node.map_or((0, 0), |node| (node.place.line, node.place.column))
}

fn loaded((config, problems): (Option<Config>, Vec<Problem>)) -> Result<Loaded, Vec<Problem>> {
    match config {
        Some(config) if problems.iter().all(|problem| problem.severity == Severity::Warning) => {
            Ok(Loaded { config, warnings: problems })
        }
        _ => Err(problems),
    }
}

/// Reads a configuration from its text. `file` names it in problems; `path` is where it is, if it is a file.
fn load_text(file: &Path, path: Option<&Path>, text: &str, lookup: Lookup<'_>) -> Result<Loaded, Vec<Problem>> {
    loaded(examine_text(file, path, text, lookup))
}

fn examine_text(file: &Path, path: Option<&Path>, text: &str, lookup: Lookup<'_>) -> (Option<Config>, Vec<Problem>) {
    // A byte order mark is not part of the text; without it columns of the first line are right.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let report = Report::new(file, text);
    let config = config(path, text, lookup, &report);
    (config, report.finish())
}

fn config(path: Option<&Path>, text: &str, lookup: Lookup<'_>, report: &Report<'_>) -> Option<Config> {
    let mut root = document::parse(text, report)?;
    let shown = shown::shown(&root);
    environment::fill(&mut root, lookup, report);
    let written = written::Config::deserialize(Reader { node: &root, report }).ok()?;
    let base = path.and_then(Path::parent).map(Path::to_owned).unwrap_or_default();
    let context = resolve::Context { report, base: &base, root: &root };
    let resolved = resolve::config(&written, hash(text), path.map(PathBuf::from), context);
    Some(Config { shown, ..resolved })
}

fn hash(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let mut hash = String::from("sha256:");
    for byte in digest.as_ref() {
        hash.push_str(&format!("{byte:02x}"));
    }
    hash
}

/// The JSON Schema of the configuration file, for editors and `waypost check --schema`.
#[must_use]
pub fn schema() -> String {
    format!("{:#}", written::schema())
}

#[cfg(test)]
mod tests;
