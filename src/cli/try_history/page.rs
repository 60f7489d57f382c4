//! The page: what a report says, in words and tables, for a terminal and for HTML alike.

mod answers;
mod assumptions;
mod costs;
mod figures;

use std::fmt;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table as Grid};
use serde::Serialize;

pub(super) use assumptions::assumptions;

use super::report::Report;
use figures::{percent, plural, usd};

/// Rows of the models' table.
const TOP: usize = 12;
/// Everything that is shown.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    title: &'static str,
    subtitle: String,
    version: &'static str,
    headline: Vec<Headline>,
    sections: Vec<Section>,
}

/// A figure that stands out.
#[derive(Debug, Serialize)]
struct Headline {
    value: String,
    what: String,
}

#[derive(Debug, Default, Serialize)]
struct Section {
    heading: &'static str,
    lines: Vec<String>,
    table: Option<Table>,
    list: Vec<String>,
    /// A longer text, folded away in HTML and left out on a terminal.
    text: Option<String>,
    text_of: &'static str,
}

#[derive(Debug, Serialize)]
struct Table {
    head: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Debug, Serialize)]
struct Cell {
    text: String,
    /// Percent of a whole, drawn as a bar.
    share: Option<u8>,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, share: None }
    }
}

/// Lays a report out.
pub(super) fn page(report: &Report) -> Page {
    let subtitle = match &report.read.period {
        Some((from, to)) => format!("{}, {} to {}", report.file, from.strftime("%F"), to.strftime("%F")),
        None => report.file.clone(),
    };
    Page {
        title: "Your log through Waypost",
        subtitle,
        version: env!("CARGO_PKG_VERSION"),
        headline: headline(report),
        sections: vec![
            costs::read(report),
            costs::paid(&report.paid),
            costs::routed(&report.routed),
            answers::bands(&report.bands),
            answers::policy(report),
            answers::own(report),
            answers::models(report),
            answers::setup(&report.setup),
            Section { heading: "Assumptions", list: report.assumptions.clone(), ..Section::default() },
        ],
    }
}

fn headline(report: &Report) -> Vec<Headline> {
    let routed = &report.routed;
    let requests = plural(routed.lines, "comparable request");
    let mut headline = vec![
        Headline { value: usd(routed.paid_nusd), what: format!("paid, on {requests}") },
        Headline { value: usd(routed.routed_nusd), what: "the same, routed".to_owned() },
    ];
    if let Some(saving) = routed.saving_share {
        let (less, sign) = if saving < 0.0 { ("more", -1.0) } else { ("less", 1.0) };
        let what = routed.interval.as_ref().map_or_else(
            || less.to_owned(),
            |interval| {
                let mut limits = interval.limits.saving_share.map(|limit| limit * sign);
                limits.sort_by(f64::total_cmp);
                format!("{less} (95 %: {} to {})", percent(limits[0]), percent(limits[1]))
            },
        );
        headline.push(Headline { value: percent(saving * sign), what });
    }
    headline
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}\n", self.title, self.subtitle)?;
        for fact in &self.headline {
            writeln!(f, "  {:>12}  {}", fact.value, fact.what)?;
        }
        for section in &self.sections {
            writeln!(f, "\n{}", section.heading)?;
            for line in &section.lines {
                writeln!(f, "  {line}")?;
            }
            if let Some(table) = &section.table {
                let text = grid(table);
                for line in text.lines() {
                    writeln!(f, "  {}", line.trim_end())?;
                }
            }
            for item in &section.list {
                writeln!(f, "  - {item}")?;
            }
        }
        Ok(())
    }
}

fn grid(table: &Table) -> String {
    let mut grid = Grid::new();
    grid.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(&table.head);
    for row in &table.rows {
        grid.add_row(row.iter().map(|cell| cell.text.as_str()));
    }
    for column in grid.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    grid.trim_fmt()
}
