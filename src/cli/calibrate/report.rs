//! What `waypost calibrate` prints.

use std::path::Path;

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde_json::json;

use super::Done;
use crate::cli::plot::{Curve, Plot};
use crate::quality::{Calibration, Point, Promise, Threshold};

/// Difficulties at which curves are shown.
const SHOWN: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];

/// For people.
pub(super) fn text(done: &Done, out: &Path) -> String {
    let calibration = &done.calibration;
    let mut lines: Vec<String> = done.warnings.iter().map(|warning| format!("warning: {warning}")).collect();
    lines.push(format!(
        "{} labelled prompts, {} with an outcome at every target; classifier {} ({})",
        calibration.data.prompts, calibration.data.paired, calibration.classifier.hash, calibration.classifier.stage
    ));
    lines.push(String::new());
    lines.push(curves(done));
    let best = best(done);
    for (promise, threshold) in &done.weighed.thresholds {
        lines.push(String::new());
        lines.extend(floor(promise, threshold, done.gathered.priced, &best));
    }
    if let Some(linear) = &calibration.linear {
        lines.push(String::new());
        lines.extend(late(linear));
    }
    if let Some(plot) = plot(done) {
        lines.push(String::new());
        lines.push(plot.dots(64, 14));
    }
    lines.push(format!("written to {}; name it in the configuration: `calibration: {}`", out.display(), out.display()));
    lines.join("\n")
}

/// For programs.
pub(super) fn json(done: &Done, out: &Path) -> String {
    let walks: Vec<_> = done
        .weighed
        .thresholds
        .iter()
        .map(|(promise, threshold)| json!({ "promise": promise, "found": threshold.found, "points": threshold.points }))
        .collect();
    let report = json!({
        "file": out,
        "warnings": done.warnings,
        "priced": done.gathered.priced,
        "calibration": done.calibration,
        "walks": walks,
    });
    format!("{report:#}")
}

/// What stands where the network is late.
fn late(linear: &Calibration) -> Vec<String> {
    let mut lines = vec![format!(
        "where the network is late, by the linear score ({} labelled prompts, {} with an outcome at every target):",
        linear.data.prompts, linear.data.paired
    )];
    if linear.floors.is_empty() {
        lines.push("  curves alone, no threshold".to_owned());
    }
    for floor in &linear.floors {
        lines.push(format!(
            "  at least {} of the best's quality: tau {:.4}, {:.1} % of prompts stay off the best{}",
            floor.at_least,
            floor.tau,
            100.0 * floor.kept,
            floor.saving.map(|saving| format!("; {:.1} % of its cost saved", 100.0 * saving)).unwrap_or_default()
        ));
    }
    lines
}

fn curves(done: &Done) -> String {
    let mut table = Table::new();
    let mut header: Vec<String> = ["target", "labels", "mean", "fitted by"].map(str::to_owned).to_vec();
    header.extend(SHOWN.iter().map(|difficulty| format!("p at {difficulty}")));
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    for (name, curve) in done.gathered.names.iter().zip(&done.weighed.curves) {
        let Some((curve, labels, mean)) = curve else { continue };
        let mut row =
            vec![name.to_string(), labels.to_string(), format!("{mean:.3}"), curve.method().as_str().to_owned()];
        row.extend(SHOWN.iter().map(|difficulty| format!("{:.3}", curve.p_good(*difficulty, None))));
        table.add_row(row);
    }
    table.trim_fmt()
}

/// The target that is best on average.
fn best(done: &Done) -> String {
    let named = done.gathered.names.iter().zip(&done.weighed.curves);
    let means = named.filter_map(|(name, curve)| Some((name, curve.as_ref()?.2)));
    means.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(String::new(), |(name, _)| name.to_string())
}

fn floor(promise: &Promise, threshold: &Threshold, priced: bool, best: &str) -> Vec<String> {
    let found = &threshold.found;
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut lines = vec![format!(
        "at least {} of the best's quality: tau {:.4}, chosen {} of the quality (at least {} with confidence {})",
        promise.at_least,
        found.tau,
        percent(found.quality),
        percent(found.lower),
        promise.confidence
    )];
    let saving = if priced {
        format!("{} of the best's cost saved", percent(1.0 - found.cost))
    } else {
        "saving not known without prices".to_owned()
    };
    lines.push(format!("  {} of prompts stay off {best}; {saving}", percent(found.kept)));
    if found.lower < promise.at_least {
        lines.push(
            "  the labels cannot tell the targets apart surely enough: the best answers nearly everything".to_owned(),
        );
    }
    lines
}

/// Cost and quality along the walk of the highest floor.
pub(super) fn plot(done: &Done) -> Option<Plot<'static>> {
    let (promise, threshold) = done.weighed.thresholds.last()?;
    let priced = done.gathered.priced;
    let x = |point: &Point| if priced { point.cost } else { 1.0 - point.kept };
    let mut points: Vec<&Point> = threshold.points.iter().collect();
    points.sort_by(|a, b| x(a).total_cmp(&x(b)));
    let lower: Vec<(f64, f64)> = points.iter().map(|point| (x(point), point.lower)).collect();
    let ours = Curve {
        name: "routed; * what the threshold comes to".to_owned(),
        points: points.iter().map(|point| (x(point), point.quality)).collect(),
        lower: lower.clone(),
        mark: Some((x(&threshold.found), threshold.found.quality)),
    };
    let surely = Curve {
        name: format!("what that is at least, with confidence {}", promise.confidence),
        points: lower,
        lower: Vec::new(),
        mark: None,
    };
    let ends = (points.first()?, points.last()?);
    let floor = Curve {
        name: format!("the floor, {}", promise.at_least),
        points: vec![(x(ends.0), promise.at_least), (x(ends.1), promise.at_least)],
        lower: Vec::new(),
        mark: None,
    };
    Some(Plot {
        title: "Cost and quality, against always the best",
        x: if priced { "cost" } else { "share of calls to the best" },
        y: "quality",
        curves: vec![ours, surely, floor],
    })
}
