//! The page: what a report says, in words and tables, for a terminal and for HTML alike.

use std::collections::BTreeSet;
use std::fmt;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table as Grid};
use serde::Serialize;

use super::report::{Band, Count, Moved, Paid, Report, Routed, Setup};
use super::routed::share;
use super::survey::Survey;
use crate::catalog;
use crate::money::NanoUsd;

/// Rows of the models' table.
const TOP: usize = 12;
/// Targets that have a column of their own in the table of bands.
const COLUMNS: usize = 8;

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
            read(report),
            paid(&report.paid),
            routed(&report.routed),
            bands(&report.bands),
            policy(report),
            own(report),
            models(report),
            setup(&report.setup),
            Section { heading: "Assumptions", list: report.assumptions.clone(), ..Section::default() },
        ],
    }
}

fn headline(report: &Report) -> Vec<Headline> {
    let routed = &report.routed;
    let mut headline = vec![
        Headline { value: usd(routed.paid_nusd), what: format!("paid, on {} comparable requests", routed.lines) },
        Headline { value: usd(routed.routed_nusd), what: "the same, routed".to_owned() },
    ];
    if let Some(saving) = routed.saving_share {
        let what = routed.interval.as_ref().map_or_else(
            || "less".to_owned(),
            |interval| {
                let [low, high] = interval.limits.saving_share;
                format!("less (95 %: {} to {})", percent(low), percent(high))
            },
        );
        headline.push(Headline { value: percent(saving), what });
    }
    headline
}

fn read(report: &Report) -> Section {
    let read = &report.read;
    let kinds: Vec<String> = read.kinds.iter().map(|(kind, lines)| format!("{} {lines}", kind.words())).collect();
    let mut lines = vec![format!("{} lines, {} requests: {}", read.lines, read.used, kinds.join(", "))];
    if let Some((from, to)) = &read.period {
        lines.push(format!("from {} to {}", from.strftime("%F %H:%M UTC"), to.strftime("%F %H:%M UTC")));
    }
    let tokens = &read.tokens;
    lines.push(format!(
        "{} tokens read ({} of them from a provider's cache), {} written ({} reasoning)",
        grouped(tokens.input),
        grouped(tokens.cached),
        grouped(tokens.output),
        grouped(tokens.reasoning)
    ));
    let names: Vec<&str> = read.models.keys().map(String::as_str).take(TOP).collect();
    let more = read.models.len().saturating_sub(TOP);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    lines.push(format!("{} models: {}{more}", read.models.len(), names.join(", ")));
    if read.without_prompt > 0 {
        lines.push(format!(
            "{} requests are logged without their prompt; {} of them with the difficulty found at the time",
            read.without_prompt, read.scored_then
        ));
    }
    if read.estimated > 0 {
        lines.push(format!("the tokens of {} requests were estimates already", read.estimated));
    }
    let mut list: Vec<String> =
        read.unusable.iter().map(|reason| format!("not used: {} lines: {}", reason.lines, reason.why)).collect();
    list.extend(read.first_unusable.iter().map(|named| format!("line {}: {}", named.line, named.why)));
    Section { heading: "What was read", lines, list, ..Section::default() }
}

fn paid(paid: &Paid) -> Section {
    let mut lines = vec![format!("{} in all", usd(paid.total_nusd))];
    if paid.from_log.lines > 0 {
        lines.push(format!("{} on {} requests by the log's own figures", usd(paid.from_log.nusd), paid.from_log.lines));
    }
    if paid.from_log_at_list.lines > 0 {
        let list = &paid.from_log_at_list;
        lines.push(format!("(at list prices {} of those would come to {})", list.lines, usd(list.nusd)));
    }
    if paid.said_free > 0 {
        lines.push(format!("{} requests cost nothing by the log's own figures", paid.said_free));
    }
    if paid.from_list.lines > 0 {
        let (cost, count) = (usd(paid.from_list.nusd), paid.from_list.lines);
        lines.push(format!("{cost} on {count} requests by their tokens at list prices"));
    }
    let list = match paid.unknown.is_empty() {
        true => Vec::new(),
        false => vec![format!("unknown, for no price is known and the log has none: {}", counted(&paid.unknown))],
    };
    Section { heading: "Cost as paid", lines, list, ..Section::default() }
}

fn routed(routed: &Routed) -> Section {
    let mut lines = vec![format!(
        "{} instead of {} on the {} requests that can be compared: {} {}",
        usd(routed.routed_nusd),
        usd(routed.paid_nusd),
        routed.lines,
        usd(NanoUsd(routed.saving_nusd.0.saturating_abs())),
        if routed.saving_nusd < NanoUsd::ZERO { "more" } else { "less" },
    )];
    match &routed.interval {
        Some(interval) => {
            let ([low, high], [least, most]) = (interval.limits.routed_usd, interval.limits.saving_share);
            lines.push(format!(
                "95 % interval: {} to {}, a saving of {} to {}",
                dollars(low),
                dollars(high),
                percent(least),
                percent(most)
            ));
        }
        None => lines.push("no interval: too few requests".to_owned()),
    }
    lines.push(format!("{} requests keep their model", routed.same_model));
    if let (Some(at_least), Some(basis)) = (routed.at_least, &routed.basis) {
        lines.push(format!("quality asked for: at least {at_least} of the best allowed target's; basis: {basis}"));
    }
    let mut list = Vec::new();
    if routed.not_compared > 0 {
        list.push(format!(
            "{} routed requests cannot be compared: one of the two costs is unknown",
            routed.not_compared
        ));
    }
    if routed.not_placed > 0 {
        list.push(format!(
            "{} requests are not routed: their models have no list price, so a configuration must say what they cost",
            routed.not_placed
        ));
    }
    if routed.unreadable_prompts > 0 {
        list.push(format!(
            "{} prompts could not be read as a request: routed by their size",
            routed.unreadable_prompts
        ));
    }
    for refused in &routed.refused {
        list.push(format!("{} requests would be refused: {}", refused.lines, refused.name));
    }
    Section { heading: "Cost routed", lines, list, ..Section::default() }
}

fn bands(bands: &[Band]) -> Section {
    let mut totals: Vec<(&str, u64)> = Vec::new();
    for share in bands.iter().flat_map(|band| &band.targets) {
        match totals.iter_mut().find(|(target, _)| *target == share.target) {
            Some((_, lines)) => *lines += share.lines,
            None => totals.push((&share.target, share.lines)),
        }
    }
    totals.sort_by_key(|(_, lines)| std::cmp::Reverse(*lines));
    let columns: Vec<&str> = totals.iter().take(COLUMNS).map(|(target, _)| *target).collect();
    let others = totals.len() > COLUMNS;
    let denied = bands.iter().any(|band| band.denied > 0);
    let mut head = vec!["difficulty".to_owned(), "requests".to_owned()];
    head.extend(columns.iter().map(|target| (*target).to_owned()));
    head.extend(others.then(|| "others".to_owned()));
    head.extend(denied.then(|| "denied".to_owned()));
    let mut rows = Vec::new();
    for band in bands.iter().filter(|band| band.from.is_some() || band.lines > 0) {
        let name = match (band.from, band.to) {
            (Some(from), Some(to)) => format!("{from:.1} to {to:.1}"),
            _ => "not scored".to_owned(),
        };
        let mut row: Vec<Cell> = vec![name.into(), band.lines.to_string().into()];
        let of = |lines: u64| part(lines, band.lines);
        for column in &columns {
            row.push(of(band.targets.iter().filter(|share| share.target == *column).map(|share| share.lines).sum()));
        }
        if others {
            let shown = |target: &str| columns.contains(&target);
            row.push(of(band.targets.iter().filter(|share| !shown(&share.target)).map(|share| share.lines).sum()));
        }
        if denied {
            row.push(of(band.denied));
        }
        rows.push(row);
    }
    Section {
        heading: "Who would answer, by difficulty",
        lines: vec!["Difficulty is one minus the chance that a weak model answers well.".to_owned()],
        table: Some(Table { head, rows }),
        ..Section::default()
    }
}

fn policy(report: &Report) -> Section {
    let denied = &report.policy;
    let mut lines = vec![format!("policy `{}`, tenant `{}`", report.setup.policy, report.setup.tenant)];
    lines.push(if denied.denied.lines == 0 {
        "no request would be denied: each has a target that the rules allow".to_owned()
    } else {
        format!("{} requests would be denied ({} then)", denied.denied.lines, usd(denied.denied.nusd))
    });
    let mut list: Vec<String> =
        denied.denied_by.iter().map(|by| format!("denied by {}: {} requests", by.name, by.lines)).collect();
    if denied.model_denied > 0 {
        let by = counted(&denied.model_denied_by);
        list.push(format!("the model that answered then would be denied to {} requests: {by}", denied.model_denied));
    }
    if denied.model_not_in_setup > 0 {
        let count = denied.model_not_in_setup;
        list.push(format!("{count} requests were answered by a model that is no target of this set-up"));
    }
    Section { heading: "What policy would deny", lines, list, ..Section::default() }
}

fn own(report: &Report) -> Section {
    let own = &report.own;
    let names = |of: &dyn Fn(&super::report::TargetRow) -> bool| {
        let names: BTreeSet<&str> =
            report.setup.targets.iter().filter(|row| of(row)).map(|row| row.target.as_str()).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    };
    let of_all = |lines: u64| percent(share(lines, report.read.used));
    let moved = |moved: &Moved| {
        let (lines, share) = (moved.lines, of_all(moved.lines));
        format!("{lines} requests ({share}), paid {} then, {} routed", usd(moved.paid_nusd), usd(moved.routed_nusd))
    };
    let mut lines = Vec::new();
    if report.setup.targets.iter().any(|row| row.own) {
        lines.push(format!("to machines of your own ({}): {}", names(&|row| row.own), moved(&own.own)));
        lines.push(format!(
            "good enough there, whatever the price: {} requests ({})",
            own.good_enough,
            of_all(own.good_enough)
        ));
    } else {
        lines.push("no target of this set-up is operated by yourself (`operator: { name: self }`)".to_owned());
    }
    if report.setup.targets.iter().any(|row| row.open_weights && !row.own) {
        let hosted = names(&|row| row.open_weights && !row.own);
        lines.push(format!("to open weights at others ({hosted}): {}", moved(&own.open_weights)));
    }
    Section { heading: "What could move to own models", lines, ..Section::default() }
}

fn models(report: &Report) -> Section {
    let head = ["model then", "requests", "moved", "tokens in", "out", "paid", "routed", "saving", ""];
    let mut rows = Vec::new();
    for row in report.models.iter().take(TOP) {
        let known = row.compared > 0;
        let cost = |cost: NanoUsd| if known { usd(cost) } else { "unknown".to_owned() };
        let saved = if row.paid_nusd > NanoUsd::ZERO {
            percent(row.saving_nusd.as_usd() / row.paid_nusd.as_usd())
        } else {
            String::new()
        };
        rows.push(vec![
            row.model.clone().into(),
            row.lines.to_string().into(),
            part(row.moved, row.lines),
            grouped(row.tokens.input).into(),
            grouped(row.tokens.output).into(),
            cost(row.paid_nusd).into(),
            cost(row.routed_nusd).into(),
            cost(row.saving_nusd).into(),
            saved.into(),
        ]);
    }
    let more = report.models.len().saturating_sub(TOP);
    let lines = if more > 0 { vec![format!("{more} more models are in the JSON form")] } else { Vec::new() };
    let table = Some(Table { head: head.map(str::to_owned).to_vec(), rows });
    Section { heading: "Largest savings, by the model of then", lines, table, ..Section::default() }
}

fn setup(setup: &Setup) -> Section {
    let head = ["target", "tier", "USD per 1M in", "out", "own", "open weights", "requests"];
    let yes = |yes: bool| if yes { "yes" } else { "" }.to_owned();
    let rate = |rate: Option<f64>| rate.map_or_else(|| "unknown".to_owned(), |rate| format!("{rate}"));
    let rows = setup.targets.iter().map(|row| {
        let cells = [
            row.target.clone(),
            row.tier.to_owned(),
            rate(row.input_usd),
            rate(row.output_usd),
            yes(row.own),
            yes(row.open_weights),
            row.lines.to_string(),
        ];
        cells.map(Cell::from).into()
    });
    let lines = match &setup.config {
        Some(config) => vec![config.clone()],
        None => vec![
            "assumed, for no configuration was named: the log's models at list prices, and two open models of your own \
             at assumed prices"
                .to_owned(),
            "with your own: waypost try HISTORY.jsonl --config FILE (config/try.yaml is one to begin with)".to_owned(),
        ],
    };
    Section {
        heading: "Set-up",
        lines,
        table: Some(Table { head: head.map(str::to_owned).to_vec(), rows: rows.collect() }),
        text: setup.assumed.clone(),
        text_of: "the assumed configuration",
        ..Section::default()
    }
}

/// What the figures rest on.
pub(super) fn assumptions(setup: &Setup, survey: &Survey, routed: &Routed) -> Vec<String> {
    let mut list = vec![
        "Every answer takes as many tokens at its new target as it took at the old one. Models differ in how much they \
         write, reasoning models most."
            .to_owned(),
        match routed.basis.as_deref() {
            Some("calibrated") => "What is good enough is judged by calibrated quality.".to_owned(),
            _ => "What is good enough is judged by each target's tier, a prior that claims no confidence: no answer was \
                  compared. Measure before you move."
                .to_owned(),
        },
        "Waypost's own cache of answers is not counted. Input that came from a provider's prompt cache keeps its price \
         where the model stays the same, and is new input everywhere else."
            .to_owned(),
        format!(
            "Prices are those of the set-up; list prices as of {}. Every target is up and has room.",
            catalog::today()
        ),
        "The interval is a bootstrap over prompts (1,000 resamples, fixed seed). It tells how the sums would vary with \
         other prompts of the same kind, not whether these assumptions hold."
            .to_owned(),
    ];
    if survey.without_prompt > survey.scored_then {
        list.push(format!(
            "{} requests have neither prompt nor score: they are routed by their size alone, as of middle difficulty.",
            survey.without_prompt - survey.scored_then
        ));
    }
    list.push(match setup.classifier.as_str() {
        "" => "Nothing scores prompts in this set-up: all are routed as of middle difficulty.".to_owned(),
        name => format!("Difficulty is judged on this machine by {name}."),
    });
    if setup.config.is_none() {
        list.push(
            "Every request stays with its model of then, which is taken for strong, or goes to an own model: weak (8B) or \
             mid (32B), at the hours of their machines when well filled. The log's models do not stand in for each other."
                .to_owned(),
        );
    }
    list
}

fn counted(counts: &[Count]) -> String {
    let counted: Vec<String> = counts.iter().take(TOP).map(|count| format!("{} {}", count.name, count.lines)).collect();
    counted.join(", ")
}

fn part(lines: u64, whole: u64) -> Cell {
    if lines == 0 {
        return Cell { text: "-".to_owned(), share: None };
    }
    let share = share(lines, whole);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a percentage")]
    Cell { text: percent(share), share: Some((share * 100.0).round() as u8) }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn usd(cost: NanoUsd) -> String {
    dollars(cost.as_usd())
}

/// As many decimals as the amount needs to say something.
fn dollars(usd: f64) -> String {
    let decimals = match usd.abs() {
        0.0 | 1.0.. => 2,
        0.01..1.0 => 4,
        _ => 6,
    };
    let text = format!("{:.decimals$}", usd.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let sign = if usd < 0.0 { "-" } else { "" };
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), grouped);
    format!("{sign}${whole}.{fraction}")
}

/// `1,234,567`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
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
