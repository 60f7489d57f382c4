//! Rows of recorded outcomes, in the forms that routing data come in.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::cli::lines;

/// One prompt with what a weak and a strong model made of it.
#[derive(Debug)]
pub(super) struct Row {
    /// In the file, from 1.
    pub(super) line: usize,
    pub(super) prompt: String,
    /// Where it is from; empty if that is not said.
    pub(super) source: String,
    pub(super) weak: f64,
    /// `None` where only a weak model was asked.
    pub(super) strong: Option<f64>,
}

/// Which models of `outcomes` are meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    pub(super) weak: Option<&'a str>,
    pub(super) strong: Option<&'a str>,
}

#[derive(Deserialize)]
struct Written {
    prompt: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    contaminated: bool,
    #[serde(default)]
    split: Option<String>,
    #[serde(default)]
    weak: Option<Quality>,
    #[serde(default)]
    strong: Option<Quality>,
    #[serde(default)]
    weak_score: Option<f64>,
    #[serde(default)]
    strong_score: Option<f64>,
    #[serde(default)]
    outcomes: Option<BTreeMap<String, Measured>>,
}

/// One number, or one for each turn, which count as their mean.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Quality {
    One(f64),
    Turns(Vec<f64>),
}

impl Quality {
    fn mean(&self) -> f64 {
        match self {
            Self::One(value) => *value,
            Self::Turns(values) => crate::quality::judge::mean(values),
        }
    }
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Measured {
    Bare(f64),
    One { score: f64 },
}

impl Measured {
    const fn score(&self) -> f64 {
        match self {
            Self::Bare(score) | Self::One { score } => *score,
        }
    }
}

/// The rows that can be used, and what is to be said of the choice.
pub(super) fn read(text: &str, path: &Path, pair: &Pair<'_>) -> Result<(Vec<Row>, Vec<String>), String> {
    let mut written = Vec::new();
    for (number, line) in lines::numbered(text) {
        let row: Written =
            serde_json::from_str(line).map_err(|error| format!("{}:{number}: {error}", path.display()))?;
        written.push((number, row));
    }
    let mut notes = Vec::new();
    let all = written.len();
    written.retain(|(_, row)| !row.contaminated && row.split.as_deref().is_none_or(|split| split == "dev"));
    if written.len() < all {
        notes.push(format!("{} rows are left out: contaminated, or of the training split", all - written.len()));
    }
    let direct = |row: &Written| row.weak_score.is_some() || row.weak.is_some();
    let names = if written.iter().any(|(_, row)| direct(row)) {
        None
    } else {
        let names = names(&written, pair)?;
        notes.push(format!("weak: {}; strong: {}", names.0, names.1));
        Some(names)
    };
    let mut rows = Vec::new();
    for (line, row) in written {
        let outcome = |name: &str| row.outcomes.as_ref()?.get(name).map(Measured::score);
        let (weak, strong) = match &names {
            Some((weak, strong)) => (outcome(weak), outcome(strong)),
            None => (
                row.weak.as_ref().map(Quality::mean).or(row.weak_score),
                row.strong.as_ref().map(Quality::mean).or(row.strong_score),
            ),
        };
        let Some(weak) = weak.filter(|weak| weak.is_finite()) else { continue };
        rows.push(Row { line, prompt: row.prompt, source: row.source, weak, strong });
    }
    if rows.is_empty() {
        return Err(format!("{} has no row with the outcome of a weak model", path.display()));
    }
    Ok((rows, notes))
}

/// The models named, else those of the lowest and highest mean over the rows.
fn names(rows: &[(usize, Written)], pair: &Pair<'_>) -> Result<(String, String), String> {
    let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (name, measured) in rows.iter().filter_map(|(_, row)| row.outcomes.as_ref()).flatten() {
        let sum = sums.entry(name).or_default();
        *sum = (sum.0 + measured.score(), sum.1 + 1.0);
    }
    let mean = |name: &&str| sums.get(*name).map_or(0.0, |(sum, count)| sum / count);
    let compare = |a: &&str, b: &&str| mean(a).total_cmp(&mean(b));
    let pick = |given: Option<&str>, found: Option<&str>| match given.or(found) {
        Some(name) if sums.contains_key(name) => Ok(name.to_owned()),
        Some(name) => Err(format!("no row has an outcome of `{name}`; there are: {}", listed(sums.keys()))),
        None => Err("the rows have neither `weak` and `strong` nor `outcomes`".to_owned()),
    };
    let weak = pick(pair.weak, sums.keys().copied().min_by(compare))?;
    let strong = pick(pair.strong, sums.keys().copied().max_by(compare))?;
    if weak == strong {
        return Err(format!("`{weak}` cannot be both the weak and the strong model"));
    }
    Ok((weak, strong))
}

fn listed<'a>(names: impl Iterator<Item = &'a &'a str>) -> String {
    names.copied().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EITHER: Pair<'static> = Pair { weak: None, strong: None };

    fn rows(text: &str, pair: &Pair<'_>) -> Result<(Vec<Row>, Vec<String>), String> {
        read(text, Path::new("d"), pair)
    }

    #[test]
    fn the_forms_of_the_routing_data_are_read() {
        let routellm = "{\"prompt\":\"a\",\"weak\":0,\"strong\":1,\"contaminated\":false}\n\
                        {\"prompt\":\"b\",\"weak\":[4,6],\"strong\":[8,9],\"contaminated\":false}\n\
                        {\"prompt\":\"c\",\"weak\":1,\"strong\":1,\"contaminated\":true}\n";
        let (read, notes) = rows(routellm, &EITHER).unwrap();
        assert_eq!(
            read.iter().map(|row| (row.weak, row.strong)).collect::<Vec<_>>(),
            [(0.0, Some(1.0)), (5.0, Some(8.5))]
        );
        assert!(notes[0].contains("1 rows"));
        let training = "{\"prompt\":\"a\",\"weak_score\":0.5,\"strong_score\":null,\"split\":\"dev\",\"source\":\"s\"}\n\
                        {\"prompt\":\"b\",\"weak_score\":null,\"strong_score\":null,\"split\":\"dev\"}\n\
                        {\"prompt\":\"c\",\"weak_score\":0.5,\"strong_score\":1,\"split\":\"train\"}\n";
        let (read, _) = rows(training, &EITHER).unwrap();
        assert_eq!((read.len(), read[0].strong, read[0].source.as_str()), (1, None, "s"));
    }

    #[test]
    fn of_many_models_the_worst_and_the_best_are_taken_unless_named() {
        let text = "{\"prompt\":\"a\",\"outcomes\":{\"x\":0,\"y\":1,\"z\":{\"score\":0.5}}}\n";
        let (read, notes) = rows(text, &EITHER).unwrap();
        assert_eq!((read[0].weak, read[0].strong, notes[0].as_str()), (0.0, Some(1.0), "weak: x; strong: y"));
        let named = Pair { weak: Some("z"), strong: None };
        assert_eq!(rows(text, &named).unwrap().0[0].weak, 0.5);
        let unknown = Pair { weak: Some("w"), strong: None };
        assert!(rows(text, &unknown).unwrap_err().contains("x, y, z"));
        assert!(rows("{\"prompt\":\"a\"}", &EITHER).is_err());
        assert!(rows("{\"prompt\":1}", &EITHER).unwrap_err().starts_with("d:1: "));
    }
}
