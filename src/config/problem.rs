//! What is wrong with a configuration or policy: where, what, and what to write instead.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// One problem. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file as the user named it.
    pub file: PathBuf,
    /// 1-based, 0 where the problem has no place (a file that cannot be read).
    pub line: u32,
    /// 1-based, 0 where the problem has no place.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to write or do instead.
    pub remedy: String,
    /// Whether it stops the start.
    pub severity: Severity,
    /// The source lines around the place with a caret, ready to print; empty where there is no place.
    #[serde(skip)]
    pub snippet: String,
}

impl Problem {
    /// An error of a file as a whole, which has no place in it: one that cannot be read, say.
    #[must_use]
    pub fn of_file(file: &Path, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            message: message.into(),
            remedy: remedy.into(),
            severity: Severity::Error,
            snippet: String::new(),
        }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The gateway does not start.
    Error,
    /// The gateway starts; something is probably not meant so.
    Warning,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {severity}: {}", self.message)?;
        if !self.snippet.is_empty() {
            write!(f, "\n{}", self.snippet.trim_end())?;
        }
        if !self.remedy.is_empty() {
            write!(f, "\n  help: {}", self.remedy)?;
        }
        Ok(())
    }
}

/// The closest of `known` to a misspelt name, if one is close enough to be what was meant.
#[must_use]
pub fn suggestion<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(written, name), name))
        .filter(|(distance, name)| *distance <= 1.max(name.len().min(written.len()) / 3))
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_the_one_that_was_meant() {
        let known = ["region", "name", "team"];
        assert_eq!(suggestion("regoin", known), Some("region"));
        assert_eq!(suggestion("colour", known), None);
    }
}
