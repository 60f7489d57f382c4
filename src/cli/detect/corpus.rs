//! Precision and recall on texts whose values are known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{ByDetector, lines, say, table};
use crate::config::Detector;
use crate::detect;

#[derive(Deserialize)]
struct Line {
    kind: String,
    text: String,
    values: Vec<(String, String)>,
}

/// How often a detector was right.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    found: usize,
    missed: usize,
    wrong: usize,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.found += other.found;
        self.missed += other.missed;
        self.wrong += other.wrong;
    }

    /// Of what was found, how much is a value.
    fn precision(self) -> Option<f64> {
        share(self.found, self.found + self.wrong)
    }

    /// Of the values, how many were found.
    fn recall(self) -> Option<f64> {
        share(self.found, self.found + self.missed)
    }

    fn json(self) -> Value {
        json!({
            "values": self.found + self.missed, "found": self.found, "missed": self.missed, "wrong": self.wrong,
            "precision": self.precision(), "recall": self.recall(),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of lines stay far below 2^53")]
fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// What a corpus says of all detectors.
#[derive(Debug, Default)]
pub(super) struct Report {
    texts: usize,
    by_detector: ByDetector<Counts>,
    by_kind: BTreeMap<String, Counts>,
    /// Texts without a value, and those of them in which something was found.
    empty: usize,
    disturbed: usize,
}

/// Measures all detectors on corpora.
pub(super) fn measure(files: &[PathBuf], show: bool) -> Result<Report, String> {
    let mut report = Report::default();
    for file in files {
        let (text, _) = lines::read(file)?;
        for (number, line) in lines::numbered(&text) {
            report.line(line, show).map_err(|error| at(file, number, &error))?;
        }
    }
    if report.texts == 0 {
        return Err("the corpus has no texts".to_owned());
    }
    Ok(report)
}

fn at(file: &Path, line: usize, error: &str) -> String {
    format!("{}:{line}: {error}", file.display())
}

impl Report {
    fn line(&mut self, line: &str, show: bool) -> Result<(), String> {
        let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let mut wanted = Vec::new();
        for (name, value) in &line.values {
            let detector = Detector::named(name).ok_or_else(|| format!("there is no detector `{name}`"))?;
            let start = line.text.find(value.as_str()).ok_or_else(|| format!("the {name} is not in its text"))?;
            wanted.push((detector, start..start + value.len()));
        }
        self.texts += 1;
        let mut counts: ByDetector<Counts> = Default::default();
        let mut hits = 0;
        let mut rest = wanted.clone();
        detect::find(&line.text, "", &mut |detector, range| {
            hits += 1;
            // Of a key file the beginning is enough; of all else the value is to be found whole.
            let is = |(other, value): &(Detector, std::ops::Range<usize>)| {
                *other == detector
                    && (value == &range || detector == Detector::PrivateKey && value.start == range.start)
            };
            let Some(counts) = counts.get_mut(detector.place()) else { return };
            match rest.iter().position(is) {
                Some(place) => {
                    rest.swap_remove(place);
                    counts.found += 1;
                }
                None => {
                    counts.wrong += 1;
                    if show {
                        say(format_args!("wrong   {:18} {:?}", detector.as_str(), line.text));
                    }
                }
            }
        });
        for (detector, _) in rest {
            if let Some(counts) = counts.get_mut(detector.place()) {
                counts.missed += 1;
            }
            if show {
                say(format_args!("missed  {:18} {:?}", detector.as_str(), line.text));
            }
        }
        if wanted.is_empty() {
            self.empty += 1;
            self.disturbed += usize::from(hits > 0);
        }
        let kind = self.by_kind.entry(line.kind).or_default();
        for (all, own) in self.by_detector.iter_mut().zip(counts) {
            all.add(own);
            kind.add(own);
        }
        Ok(())
    }

    pub(super) fn json(&self) -> Value {
        let by_detector: BTreeMap<&str, Value> =
            Detector::ALL.iter().zip(self.by_detector).map(|(name, counts)| (name.as_str(), counts.json())).collect();
        let by_kind: BTreeMap<&str, Value> =
            self.by_kind.iter().map(|(kind, counts)| (kind.as_str(), counts.json())).collect();
        json!({
            "texts": self.texts, "detectors": by_detector, "kinds": by_kind,
            "empty": self.empty, "disturbed": self.disturbed,
        })
    }

    pub(super) fn text(&self) -> String {
        let header = ["", "values", "found", "missed", "wrong", "precision", "recall"];
        let mut figures = table(&header);
        let shown = |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{share:.3}"));
        let mut row = |name: &str, counts: Counts| {
            let Counts { found, missed, wrong } = counts;
            let figures_of = [found + missed, found, missed, wrong].map(|figure| figure.to_string());
            let mut cells = vec![name.to_owned()];
            cells.extend(figures_of);
            cells.extend([shown(counts.precision()), shown(counts.recall())]);
            figures.add_row(cells);
        };
        let mut all = Counts::default();
        for (detector, counts) in Detector::ALL.iter().zip(self.by_detector) {
            row(detector.as_str(), counts);
            all.add(counts);
        }
        row("all", all);
        for (kind, counts) in &self.by_kind {
            row(&format!("in {kind}"), *counts);
        }
        format!(
            "{}\n\n{} texts; of {} without a value, something was found in {}",
            figures.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n"),
            self.texts,
            self.empty,
            self.disturbed
        )
    }
}
