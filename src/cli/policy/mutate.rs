//! `waypost policy test --mutate`: whether the cases would notice a policy that says something else.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::mutants::{self, Mutant};
use super::paint::Paint;
use super::run::Suite;
use crate::config::Problem;

/// What came of all mutants.
#[derive(Debug, Default)]
pub(super) struct Mutation {
    /// Mutants that made a case fail.
    noticed: usize,
    /// Mutants that no gateway would load, so nobody can run them.
    refused: usize,
    /// Mutants that no case noticed.
    pub(super) survivors: Vec<Survivor>,
}

/// A change that no case noticed.
#[derive(Debug)]
pub(super) struct Survivor {
    file: PathBuf,
    mutant: Mutant,
}

/// Runs every case against every mutant of every policy.
pub(super) fn run(suite: &mut Suite) -> Result<Mutation, Vec<Problem>> {
    let mut mutation = Mutation::default();
    let files = suite.policies.clone();
    for (place, (file, text)) in files.iter().enumerate() {
        for mutant in mutants::of(file, text)? {
            let mut changed = files.clone();
            if let Some((_, text)) = changed.get_mut(place) {
                text.clone_from(&mutant.text);
            }
            match suite.notices(&changed) {
                None => mutation.refused += 1,
                Some(true) => mutation.noticed += 1,
                Some(false) => mutation.survivors.push(Survivor { file: file.clone(), mutant }),
            }
        }
    }
    Ok(mutation)
}

impl Mutation {
    fn all(&self) -> usize {
        self.noticed + self.refused + self.survivors.len()
    }

    pub(super) fn text(&self, paint: Paint) -> String {
        let mut text = String::from("\n");
        for Survivor { file, mutant } in &self.survivors {
            let place = format!("{}:{}:{}", file.display(), mutant.line, mutant.column);
            let said = format!("no case notices that {} in rule `{}`", mutant.change, mutant.rule);
            text += &format!("{place}: {}\n", paint.bad(&said));
        }
        let survived = self.survivors.len();
        let unnoticed = format!("{survived} not noticed");
        let unnoticed = if survived == 0 { unnoticed } else { paint.bad(&unnoticed) };
        text += &format!(
            "{} changed policies: {} noticed, {unnoticed}, {} that no gateway would load\n",
            self.all(),
            self.noticed,
            self.refused
        );
        if survived > 0 {
            text += "  help: add a case for each, or take out what makes no difference\n";
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let survivors: Vec<Value> = self
            .survivors
            .iter()
            .map(|Survivor { file, mutant }| {
                json!({ "file": file, "line": mutant.line, "column": mutant.column, "rule": mutant.rule, "change": mutant.change })
            })
            .collect();
        json!({ "mutants": self.all(), "noticed": self.noticed, "refused": self.refused, "survivors": survivors })
    }
}
