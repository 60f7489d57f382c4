//! Who would answer, what policy says, and what could move.

use std::collections::BTreeSet;

use super::figures::{counted, grouped, part, percent, plural, rate, usd};
use super::{Cell, Section, TOP, Table};
use crate::cli::try_history::report::{Band, Moved, Report, Setup, TargetRow};
use crate::cli::try_history::routed::share;
use crate::money::NanoUsd;

/// Targets that have a column of their own in the table of bands.
const COLUMNS: usize = 8;

pub(super) fn bands(bands: &[Band]) -> Section {
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

pub(super) fn policy(report: &Report) -> Section {
    let denied = &report.policy;
    let mut lines = vec![format!("policy `{}`, tenant `{}`", report.setup.policy, report.setup.tenant)];
    lines.push(if denied.denied.lines == 0 {
        "no request would be denied: each has a target that the rules allow".to_owned()
    } else {
        format!("{} would be denied ({} then)", plural(denied.denied.lines, "request"), usd(denied.denied.nusd))
    });
    if report.setup.config.is_none() {
        lines.push("built-in policies to try: --policy default, eu-residency or open-weights-only".to_owned());
    }
    let mut list: Vec<String> =
        denied.denied_by.iter().map(|by| format!("denied by {}: {}", by.name, plural(by.lines, "request"))).collect();
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

pub(super) fn own(report: &Report) -> Section {
    let own = &report.own;
    let names = |of: &dyn Fn(&TargetRow) -> bool| {
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

pub(super) fn models(report: &Report) -> Section {
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

pub(super) fn setup(setup: &Setup) -> Section {
    let head = ["target", "tier", "USD per 1M in", "out", "own", "open weights", "requests"];
    let yes = |yes: bool| if yes { "yes" } else { "" }.to_owned();
    let price = |usd: Option<f64>| usd.map_or_else(|| "unknown".to_owned(), rate);
    let rows = setup.targets.iter().map(|row| {
        let cells = [
            row.target.clone(),
            row.tier.to_owned(),
            price(row.input_usd),
            price(row.output_usd),
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
