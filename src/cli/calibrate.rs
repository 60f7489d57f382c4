//! `waypost calibrate`: from a team's own outcomes to each target's curve and the threshold that keeps a promise.

mod costs;
mod gather;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use super::score::{self, Scorer};
use super::{fail, lines, say};
use crate::config::Config;
use crate::policy::{CONFIDENCE, Policies};
use crate::quality::{self, Calibration, FEW, FEWEST, Fitted, Floor, Promise, TargetCurve, Terms, Weighed};
use gather::Gathered;

/// The floor that is promised where neither the command nor a policy names one.
const AT_LEAST: f64 = 0.95;

/// Fits quality curves and finds thresholds.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Outcomes as JSON lines, packed with gzip or not (see docs/calibration.md); or a decisions file with feedback.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The configuration: its classifier, targets and prices [default: waypost.yaml in this folder, if there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the calibration is written.
    #[arg(long, value_name = "FILE", default_value = "calibration.json")]
    out: PathBuf,
    /// Share of the best's quality to keep; may be repeated [default: those of the policies, else 0.95]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    at_least: Vec<f64>,
    /// How sure the promise is to be [default: the policies' highest, else 0.9]
    #[arg(long, value_name = "SHARE", value_parser = confidence)]
    confidence: Option<f64>,
    /// Draw the cost–quality curve into an SVG file.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Seed of the folds.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    between(text, 0.0)
}

fn confidence(text: &str) -> Result<f64, String> {
    between(text, 0.5).and_then(|value| if value < 1.0 { Ok(value) } else { Err("nothing is certain".to_owned()) })
}

fn between(text: &str, least: f64) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "this is no number".to_owned())?;
    if (least..=1.0).contains(&number) { Ok(number) } else { Err(format!("it must lie between {least} and 1")) }
}

/// What came of it, for printing.
struct Done {
    calibration: Calibration,
    weighed: Weighed,
    gathered: Gathered,
    warnings: Vec<String>,
}

pub(super) fn run(args: &Args) -> ExitCode {
    match calibrate(args) {
        Ok(done) => {
            say(if args.json { report::json(&done, &args.out) } else { report::text(&done, &args.out) }.trim_end());
            ExitCode::SUCCESS
        }
        Err(message) => fail(message),
    }
}

fn calibrate(args: &Args) -> Result<Done, String> {
    let config = score::configuration(args.config.as_deref())?;
    let scorer = Scorer::load(config.as_ref())?;
    let (text, hash) = lines::read(&args.data)?;
    let (gathered, by_linear) = gather::gather(&text, &args.data, config.as_ref(), &scorer)?;
    let promises = promises(args, config.as_ref())?;
    let of = Of { hash, made: now()?, promises, seed: args.seed };
    let (mut calibration, weighed) =
        of.fitted(&gathered, &scorer.last).map_err(|error| format!("{error}{}", gathered.left_out()))?;
    let mut warnings = warnings(&gathered, &weighed);
    if let Some((by_linear, linear)) = by_linear.as_ref().zip(scorer.linear.as_ref()) {
        match of.fitted(by_linear, linear) {
            Ok((fitted, _)) => calibration.linear = Some(Box::new(fitted)),
            Err(quality::TooFew(count)) => warnings.push(format!(
                "{count} labels by the linear head's scores are too few: where the network is late, quality is told by tier"
            )),
        }
    }
    let done = Done { calibration, weighed, gathered, warnings };
    let text = serde_json::to_string_pretty(&done.calibration).map_err(|error| error.to_string())?;
    std::fs::write(&args.out, text + "\n")
        .map_err(|error| format!("`{}` cannot be written: {error}", args.out.display()))?;
    if let Some(path) = &args.plot {
        report::plot(&done).ok_or("there is no threshold and so no curve to draw")?.write_svg(path)?;
    }
    Ok(done)
}

fn now() -> Result<String, String> {
    Ok(jiff::Timestamp::now().round(jiff::Unit::Second).map_err(|error| error.to_string())?.to_string())
}

/// What a calibration by any stage's scores is of.
struct Of {
    hash: String,
    made: String,
    promises: Vec<Promise>,
    seed: u64,
}

impl Of {
    fn fitted(&self, gathered: &Gathered, scorer: &quality::Scorer) -> Result<(Calibration, Weighed), quality::TooFew> {
        let count = gathered.labelled.len();
        if count < FEWEST {
            return Err(quality::TooFew(count));
        }
        let routed = gathered.routed();
        let (costs, promises) = (gathered.costs.clone(), self.promises.clone());
        let terms = Terms { costs, routed, promises, seed: self.seed };
        let weighed = quality::calibrate(&gathered.labelled, &terms)?;
        let calibration = Calibration {
            schema: 1,
            made: self.made.clone(),
            data: Fitted { hash: self.hash.clone(), prompts: count, paired: weighed.paired },
            classifier: scorer.clone(),
            floors: floors(&weighed, gathered.priced),
            targets: curves(&weighed, gathered, &terms.routed),
            buckets: weighed.buckets.clone(),
            linear: None,
        };
        Ok((calibration, weighed))
    }
}

/// What is odd of the calibration by the last stage's scores.
fn warnings(gathered: &Gathered, weighed: &Weighed) -> Vec<String> {
    let count = gathered.labelled.len();
    let mut warnings = gathered.warnings.clone();
    let routed = gathered.routed();
    warnings.extend(gathered.left_unrouted(&routed));
    if count < FEW {
        warnings.push(format!(
            "{count} labels give a coarse calibration: from {FEW} on more can be saved for the same promise"
        ));
    }
    for (name, curve) in gathered.names.iter().zip(&weighed.curves) {
        if curve.is_none() {
            warnings.push(format!("{name} has fewer than {FEWEST} labels and gets no curve"));
        }
    }
    if routed.len() < 2 {
        let few = "fewer than two targets or efforts can be routed to, so there is nothing to choose between";
        warnings.push(format!("no threshold: {few}"));
    } else if weighed.thresholds.is_empty() {
        warnings.push(format!(
            "no threshold: {} prompts have an outcome at every target, {FEWEST} are needed to compare them; the curves alone \
             claim no confidence",
            weighed.paired
        ));
    }
    warnings
}

/// What is asked for, else what the policies want.
fn promises(args: &Args, config: Option<&Config>) -> Result<Vec<Promise>, String> {
    let mut wanted: Vec<(f64, f64)> = Vec::new();
    if let Some(config) = config {
        let (policies, _) = Policies::load(config.policies.as_deref(), config).map_err(|problems| {
            super::load::print(&problems);
            format!("{} problem(s) above", problems.len())
        })?;
        for name in policies.names() {
            if let Some(objective) = policies.get(name.as_str()).map(|policy| &policy.objective)
                && let Some(at_least) = objective.at_least
            {
                wanted.push((shortest(at_least), shortest(objective.confidence)));
            }
        }
    }
    let highest = wanted.iter().map(|(_, confidence)| *confidence).fold(0.0, f64::max);
    let confidence = args.confidence.unwrap_or(if highest > 0.0 { highest.min(0.999) } else { shortest(CONFIDENCE) });
    let mut floors: Vec<f64> = if args.at_least.is_empty() {
        wanted.iter().map(|(at_least, _)| *at_least).collect()
    } else {
        args.at_least.clone()
    };
    if floors.is_empty() {
        floors.push(AT_LEAST);
    }
    floors.sort_by(f64::total_cmp);
    floors.dedup();
    Ok(floors.into_iter().map(|at_least| Promise { at_least, confidence }).collect())
}

/// 0.95 of 0.95_f32, not 0.949999988.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}

fn floors(weighed: &Weighed, priced: bool) -> Vec<Floor> {
    let floor = |(promise, threshold): &(Promise, quality::Threshold)| Floor {
        at_least: promise.at_least,
        confidence: promise.confidence,
        tau: threshold.found.tau,
        quality: threshold.found.quality,
        lower: threshold.found.lower,
        saving: priced.then_some(1.0 - threshold.found.cost),
        kept: threshold.found.kept,
    };
    weighed.thresholds.iter().map(floor).collect()
}

fn curves(weighed: &Weighed, gathered: &Gathered, routed: &[usize]) -> Vec<TargetCurve> {
    let mut curves = Vec::new();
    for (place, (name, curve)) in gathered.names.iter().zip(&weighed.curves).enumerate() {
        let Some((curve, labels, mean)) = curve else { continue };
        curves.push(TargetCurve {
            target: name.target.clone(),
            effort: name.effort.clone(),
            routed: routed.contains(&place),
            output: gathered.output(place),
            labels: *labels,
            mean: *mean,
            method: curve.method(),
            curve: curve.clone(),
        });
    }
    curves
}
