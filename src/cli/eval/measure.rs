//! The figures of `waypost eval`, and how they are shown.

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

use super::rows::Row;
use crate::quality::judge;
use crate::quality::seed::Seeded;

/// Qualities, as a share of the strong model's, whose cost is told.
const KEPT: [f64; 3] = [0.9, 0.95, 0.99];

/// Everything that is measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    notes: Vec<String>,
    rows: usize,
    /// Rows where a strong model was asked as well.
    pairs: usize,
    weak_mean: Option<f64>,
    strong_mean: Option<f64>,
    weak_cost: f64,
    pub(super) routers: Vec<Router>,
    forecast: Option<Forecast>,
}

/// One way to route.
#[derive(Debug, Serialize)]
pub(super) struct Router {
    pub(super) name: &'static str,
    apgr: f64,
    apgr_interval: (f64, f64),
    cpt50: f64,
    cpt80: f64,
    /// Cost as a share of always the strong model, at these shares of its quality.
    cost_at: Vec<(f64, f64)>,
    pub(super) curve: Vec<(f64, f64)>,
}

/// How well one minus the difficulty forecasts that the weak model succeeds.
#[derive(Debug, Serialize)]
struct Forecast {
    auc: Option<f64>,
    auc_interval: (f64, f64),
    auc_within_source: Option<f64>,
    calibration_error: f64,
    calibration_error_interval: (f64, f64),
}

pub(super) fn measure(
    rows: &[Row],
    score: &[f64],
    notes: Vec<String>,
    weak_cost: f64,
    draws: usize,
    seed: u64,
) -> Report {
    let pairs: Vec<(usize, f64, f64)> =
        rows.iter().enumerate().filter_map(|(place, row)| Some((place, row.weak, row.strong?))).collect();
    let weak: Vec<f64> = pairs.iter().map(|pair| pair.1).collect();
    let strong: Vec<f64> = pairs.iter().map(|pair| pair.2).collect();
    let mut routers = Vec::new();
    if !pairs.is_empty() {
        let mut seeded = Seeded::new(seed);
        let ours: Vec<f64> = pairs.iter().map(|pair| score[pair.0]).collect();
        let length = pairs.iter().map(|pair| rows[pair.0].prompt.chars().count() as f64).collect();
        let oracle = weak.iter().zip(&strong).map(|(weak, strong)| strong - weak + seeded.share() * 1e-6).collect();
        for (name, score) in [("score", ours), ("length", length), ("oracle", oracle)] {
            routers.push(router(name, &score, &weak, &strong, weak_cost, draws, seed));
        }
        routers.push(chance(&weak, &strong, weak_cost));
    }
    let mean = |values: &[f64]| (!values.is_empty()).then(|| judge::mean(values));
    Report {
        notes,
        rows: rows.len(),
        pairs: pairs.len(),
        weak_mean: mean(&weak),
        strong_mean: mean(&strong),
        weak_cost,
        routers,
        forecast: forecast(rows, score, draws, seed),
    }
}

fn router(
    name: &'static str,
    score: &[f64],
    weak: &[f64],
    strong: &[f64],
    weak_cost: f64,
    draws: usize,
    seed: u64,
) -> Router {
    let routing = judge::routing(score, weak, strong);
    let mut ties = Seeded::new(seed);
    let apgr_interval = judge::interval(score.len(), draws, seed, |drawn| {
        let of = |values: &[f64]| drawn.iter().map(|&place| values[place]).collect::<Vec<f64>>();
        judge::apgr_exact(&of(score), &of(weak), &of(strong), &mut ties)
    });
    let curve = judge::curve(score, weak, strong);
    let target = judge::mean(strong);
    let cost = |kept: &f64| {
        let share = judge::share_at(&curve, kept * target);
        (*kept, share + (1.0 - share) * weak_cost)
    };
    Router {
        name,
        apgr: routing.apgr,
        apgr_interval,
        cpt50: routing.cpt50,
        cpt80: routing.cpt80,
        cost_at: KEPT.iter().map(cost).collect(),
        curve,
    }
}

/// What choosing at random gives on average, and so for any set: a straight line from weak to strong.
fn chance(weak: &[f64], strong: &[f64], weak_cost: f64) -> Router {
    let (low, high) = (judge::mean(weak), judge::mean(strong));
    let cost = |kept: &f64| {
        let share = ((kept * high - low) / (high - low)).clamp(0.0, 1.0);
        (*kept, share + (1.0 - share) * weak_cost)
    };
    Router {
        name: "random",
        apgr: 0.5,
        apgr_interval: (0.5, 0.5),
        cpt50: 50.0,
        cpt80: 80.0,
        cost_at: KEPT.iter().map(cost).collect(),
        curve: vec![(0.0, low), (1.0, high)],
    }
}

/// `None` where outcomes are no shares of success, such as a judge's marks from 1 to 10, or scores no probabilities.
fn forecast(rows: &[Row], score: &[f64], draws: usize, seed: u64) -> Option<Forecast> {
    let share = |value: &f64| (0.0..=1.0).contains(value);
    if !rows.iter().all(|row| share(&row.weak)) || !score.iter().all(share) {
        return None;
    }
    let p: Vec<f64> = score.iter().map(|score| 1.0 - score).collect();
    let outcome: Vec<f64> = rows.iter().map(|row| row.weak).collect();
    let success: Vec<bool> = outcome.iter().map(|outcome| *outcome >= 0.5).collect();
    let source: Vec<&str> = rows.iter().map(|row| row.source.as_str()).collect();
    let of = |drawn: &[usize], values: &[f64]| drawn.iter().map(|&place| values[place]).collect::<Vec<f64>>();
    let auc_interval = judge::interval(rows.len(), draws, seed, |drawn| {
        let success: Vec<bool> = drawn.iter().map(|&place| success[place]).collect();
        judge::auc(&of(drawn, &p), &success).unwrap_or(f64::NAN)
    });
    let calibration_error_interval = judge::interval(rows.len(), draws, seed, |drawn| {
        judge::calibration_error(&of(drawn, &p), &of(drawn, &outcome))
    });
    Some(Forecast {
        auc: judge::auc(&p, &success),
        auc_interval,
        auc_within_source: judge::auc_within(&p, &success, &source),
        calibration_error: judge::calibration_error(&p, &outcome),
        calibration_error_interval,
    })
}

/// For programs.
pub(super) fn json(report: &Report) -> String {
    serde_json::to_string_pretty(report).unwrap_or_default()
}

/// For people.
pub(super) fn text(report: &Report) -> String {
    let mut lines = report.notes.clone();
    lines.push(match (report.weak_mean, report.strong_mean) {
        (Some(weak), Some(strong)) => {
            format!("{} rows, {} with both models: weak {weak:.4}, strong {strong:.4}", report.rows, report.pairs)
        }
        _ => format!("{} rows, none with both models", report.rows),
    });
    if !report.routers.is_empty() {
        lines.push(String::new());
        lines.push(table(report));
        let weak = if report.weak_cost == 0.0 {
            "the weak model counted as free (--weak-cost)".to_owned()
        } else {
            format!("the weak model at {} of it", report.weak_cost)
        };
        lines.push(format!("cost at a share of the strong model's quality: of always the strong model, {weak}"));
    }
    if let Some(forecast) = &report.forecast {
        let shown = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
        lines.push(String::new());
        lines.push(format!(
            "that the weak model succeeds: AUC {} [{:.3}, {:.3}], within source {}; calibration error {:.3} [{:.3}, {:.3}]",
            shown(forecast.auc),
            forecast.auc_interval.0,
            forecast.auc_interval.1,
            shown(forecast.auc_within_source),
            forecast.calibration_error,
            forecast.calibration_error_interval.0,
            forecast.calibration_error_interval.1
        ));
    }
    lines.push("intervals: 95 %, bootstrap".to_owned());
    lines.join("\n")
}

fn table(report: &Report) -> String {
    let mut table = Table::new();
    let mut header: Vec<String> = ["router", "APGR", "95 %", "CPT(50 %)", "CPT(80 %)"].map(str::to_owned).to_vec();
    header.extend(KEPT.iter().map(|kept| format!("cost at {kept}")));
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    for router in &report.routers {
        let mut row = vec![
            router.name.to_owned(),
            format!("{:.3}", router.apgr),
            format!("[{:.3}, {:.3}]", router.apgr_interval.0, router.apgr_interval.1),
            format!("{:.1}", router.cpt50),
            format!("{:.1}", router.cpt80),
        ];
        row.extend(router.cost_at.iter().map(|(_, cost)| format!("{:.1} %", 100.0 * cost)));
        table.add_row(row);
    }
    table.trim_fmt()
}
