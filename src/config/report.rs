//! Collects every problem of one file, so that all can be mended in one go.

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::problem::{Problem, Severity};

/// Where in the file something was written. Lines and columns count from 1; zero means nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u32,
    pub(super) column: u32,
    /// In characters; where it spans lines, those of the first.
    pub(super) length: u32,
}

/// The problems found so far in one file.
pub(super) struct Report<'a> {
    file: &'a Path,
    lines: Vec<&'a str>,
    problems: RefCell<Vec<(Place, Problem)>>,
    /// Places whose value could not be read and was replaced by a stand-in.
    stand_ins: RefCell<HashSet<(u32, u32)>>,
    /// Lines that are never shown: they hold or may hold a secret.
    concealed: RefCell<HashSet<u32>>,
    /// Files that the file names and whose content counts.
    files: RefCell<Vec<PathBuf>>,
}

impl<'a> Report<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        Self {
            file,
            lines: text.lines().collect(),
            problems: RefCell::default(),
            stand_ins: RefCell::default(),
            concealed: RefCell::default(),
            files: RefCell::default(),
        }
    }

    /// Something that stops the start.
    pub(super) fn error(&self, place: Place, message: impl Into<String>, remedy: impl Into<String>) {
        self.add(place, message.into(), remedy.into(), Severity::Error);
    }

    /// A value that cannot be read, so that a stand-in takes its place: what later seems wrong there is not reported.
    pub(super) fn unreadable(&self, place: Place, message: impl Into<String>, remedy: impl Into<String>) {
        self.error(place, message, remedy);
        self.stand_ins.borrow_mut().insert((place.line, place.column));
    }

    /// Never shows the line at this place: problems end up in logs.
    pub(super) fn conceal(&self, place: Place) {
        self.concealed.borrow_mut().insert(place.line);
    }

    /// The content of this file counts as if it stood in this one.
    pub(super) fn depends_on(&self, path: &Path) {
        self.files.borrow_mut().push(path.to_owned());
    }

    /// Every file whose content counts, so far.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.files.borrow().clone()
    }

    /// The line at a place, for a closer look.
    pub(super) fn line(&self, place: Place) -> &'a str {
        (place.line as usize).checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or_default()
    }

    /// Something that is probably not meant so.
    pub(super) fn warn(&self, place: Place, message: impl Into<String>, remedy: impl Into<String>) {
        self.add(place, message.into(), remedy.into(), Severity::Warning);
    }

    fn add(&self, place: Place, message: String, remedy: String, severity: Severity) {
        if place.line > 0 && self.stand_ins.borrow().contains(&(place.line, place.column)) {
            return;
        }
        let problem = Problem {
            file: PathBuf::from(self.file),
            line: place.line,
            column: place.column,
            message,
            remedy,
            severity,
            snippet: String::new(),
        };
        self.problems.borrow_mut().push((place, problem));
    }

    /// The line with carets below; nothing where the line may hold a secret.
    fn snippet(&self, place: Place) -> String {
        let line = self.line(place);
        let secret = ["api_key", "credentials"].iter().any(|word| line.contains(word));
        let password = line.contains("//") && line.contains('@');
        if place.line == 0 || secret || password || self.concealed.borrow().contains(&place.line) {
            return String::new();
        }
        let start = (place.column as usize).saturating_sub(1);
        let room = line.chars().count().saturating_sub(start).max(1);
        let carets = (place.length as usize).clamp(1, room);
        // Tabs are kept, so that the carets stand below what they mean.
        let indent: String = line.chars().take(start).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let number = place.line.to_string();
        let gutter = " ".repeat(number.len());
        format!(" {number} | {line}\n {gutter} | {indent}{}", "^".repeat(carets))
    }

    /// All problems in the order of the file.
    pub(super) fn finish(self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (place, mut problem) in self.problems.take() {
            problem.snippet = self.snippet(place);
            problems.push(problem);
        }
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems
    }
}
