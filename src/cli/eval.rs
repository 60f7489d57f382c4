//! `waypost eval`: how well a difficulty score routes, on recorded outcomes of many prompts.

mod measure;
mod rows;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Deserialize;

use super::plot::{Curve, Plot};
use super::progress::Progress;
use super::score::{self, Scorer};
use super::{fail, lines, say};
use measure::Report;
use rows::{Pair, Row};

/// Measures a difficulty score.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Outcomes as JSON lines, packed with gzip or not (see docs/calibration.md)
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The configuration whose classifier scores [default: waypost.yaml in this folder, if there, else the built-in one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// In rows with `outcomes`: the weak model [default: the one with the lowest mean]
    #[arg(long, value_name = "MODEL")]
    weak: Option<String>,
    /// In rows with `outcomes`: the strong model [default: the one with the highest mean]
    #[arg(long, value_name = "MODEL")]
    strong: Option<String>,
    /// What the weak model costs, as a share of the strong one.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    weak_cost: f64,
    /// Read scores from JSON lines of {"row", "score"} instead of scoring.
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,
    /// Write the scores as JSON lines.
    #[arg(long, value_name = "FILE")]
    write_scores: Option<PathBuf>,
    /// The name of the set in the scores written.
    #[arg(long, default_value = "data")]
    set: String,
    /// Resamplings of each interval [default: 1000, or 200 from 500 rows on]
    #[arg(long)]
    draws: Option<usize>,
    /// Seed of resamplings.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Draw the routing curves into an SVG file.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> ExitCode {
    match eval(args) {
        Ok(report) => {
            say(if args.json { measure::json(&report) } else { measure::text(&report) }.trim_end());
            ExitCode::SUCCESS
        }
        Err(message) => fail(message),
    }
}

fn eval(args: &Args) -> Result<Report, String> {
    let (text, _) = lines::read(&args.data)?;
    let pair = Pair { weak: args.weak.as_deref(), strong: args.strong.as_deref() };
    let (rows, notes) = rows::read(&text, &args.data, &pair)?;
    let score = match &args.scores {
        Some(path) => given(path, rows.len())?,
        None => scored(args, &rows)?,
    };
    if let Some(path) = &args.write_scores {
        write(path, &args.set, &score)?;
    }
    let draws = args.draws.unwrap_or(if rows.len() < 500 { 1000 } else { 200 });
    let report = measure::measure(&rows, &score, notes, args.weak_cost, draws, args.seed);
    if let Some(path) = &args.plot {
        plot(&report).write_svg(path)?;
    }
    Ok(report)
}

fn scored(args: &Args, rows: &[Row]) -> Result<Vec<f64>, String> {
    let config = score::configuration(args.config.as_deref())?;
    let scorer = Scorer::load(config.as_ref())?;
    let progress = Progress::new("scoring", rows.len());
    let mut scores = Vec::with_capacity(rows.len());
    for row in rows {
        let messages = serde_json::json!([{ "role": "user", "content": row.prompt }]).to_string();
        let scored = scorer.score(&messages).map_err(|error| format!("line {}: {error}", row.line))?;
        scores.push(scored.difficulty);
        progress.step();
    }
    Ok(scores)
}

#[derive(Deserialize)]
struct Given {
    row: usize,
    score: f64,
}

fn given(path: &Path, rows: usize) -> Result<Vec<f64>, String> {
    let (text, _) = lines::read(path)?;
    let mut scores = vec![None; rows];
    for (number, line) in lines::numbered(&text) {
        let given: Given =
            serde_json::from_str(line).map_err(|error| format!("{}:{number}: {error}", path.display()))?;
        if let Some(score) = scores.get_mut(given.row).filter(|_| given.score.is_finite()) {
            *score = Some(given.score);
        }
    }
    let missing = scores.iter().position(Option::is_none);
    match missing {
        None => Ok(scores.into_iter().flatten().collect()),
        Some(row) => {
            Err(format!("{} has no score of row {row}; rows count from 0, of those that are used", path.display()))
        }
    }
}

/// In the form that the routing data's own `routing_eval.py` reads.
fn write(path: &Path, set: &str, scores: &[f64]) -> Result<(), String> {
    let mut text = String::new();
    for (row, score) in scores.iter().enumerate() {
        text += &format!("{}\n", serde_json::json!({ "set": set, "row": row, "score": score, "p_weak": 1.0 - score }));
    }
    std::fs::write(path, text).map_err(|error| format!("`{}` cannot be written: {error}", path.display()))
}

fn plot(report: &Report) -> Plot<'static> {
    let curves = report.routers.iter().map(|router| Curve {
        name: router.name.to_owned(),
        points: router.curve.clone(),
        lower: Vec::new(),
        mark: None,
    });
    Plot {
        title: "Quality by share of calls to the strong model",
        x: "share to the strong model",
        y: "mean quality",
        curves: curves.collect(),
    }
}
