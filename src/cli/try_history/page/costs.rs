//! What was read, what was paid, and what it would cost.

use super::figures::{counted, dollars, grouped, percent, plural, usd};
use super::{Section, TOP};
use crate::cli::try_history::report::{Paid, Report, Routed};
use crate::money::NanoUsd;

pub(super) fn read(report: &Report) -> Section {
    let read = &report.read;
    let kinds: Vec<String> = read.kinds.iter().map(|(kind, lines)| format!("{} {lines}", kind.words())).collect();
    let mut lines =
        vec![format!("{}, {}: {}", plural(read.lines, "line"), plural(read.used, "request"), kinds.join(", "))];
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
    let mut models: Vec<_> = read.models.iter().collect();
    models.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.lines));
    let names: Vec<&str> = models.iter().take(TOP).map(|(name, _)| name.as_str()).collect();
    let more = read.models.len().saturating_sub(TOP);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    lines.push(format!("{}: {}{more}", plural(models.len() as u64, "model"), names.join(", ")));
    if read.without_prompt > 0 {
        lines.push(format!(
            "{} requests are logged without their prompt; {} of them with the difficulty found at the time",
            read.without_prompt, read.scored_then
        ));
    }
    if read.estimated > 0 {
        lines.push(format!("the tokens of {} requests were estimates already", read.estimated));
    }
    let mut list: Vec<String> = read
        .unusable
        .iter()
        .map(|reason| format!("{} not used: {}", plural(reason.lines, "line"), reason.why))
        .collect();
    list.extend(read.first_unusable.iter().map(|named| format!("line {}: {}", named.line, named.why)));
    Section { heading: "What was read", lines, list, ..Section::default() }
}

pub(super) fn paid(paid: &Paid) -> Section {
    let mut lines = vec![format!("{} in all", usd(paid.total_nusd))];
    if paid.from_log.lines > 0 {
        lines.push(format!("{} on {} requests by the log's own figures", usd(paid.from_log.nusd), paid.from_log.lines));
    }
    if paid.from_log_at_list.lines > 0 {
        let list = &paid.from_log_at_list;
        lines.push(format!("(at list prices {} of those would come to {})", list.lines, usd(list.nusd)));
    }
    if paid.said_free > 0 {
        lines.push(format!("{} cost nothing by the log's own figures", plural(paid.said_free, "request")));
    }
    if paid.from_list.lines > 0 {
        let (cost, count) = (usd(paid.from_list.nusd), paid.from_list.lines);
        lines.push(format!(
            "{cost} on {count} requests by their tokens at list prices (the configuration's where no list has one)"
        ));
    }
    let list = match paid.unknown.is_empty() {
        true => Vec::new(),
        false => vec![format!("unknown, for no price is known and the log has none: {}", counted(&paid.unknown))],
    };
    Section { heading: "Cost as paid", lines, list, ..Section::default() }
}

pub(super) fn routed(routed: &Routed) -> Section {
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
    lines.push(format!("{} would keep the model", plural(routed.same_model, "request")));
    if let (Some(at_least), Some(basis)) = (routed.at_least, &routed.basis) {
        lines.push(format!("quality asked for: at least {at_least} of the best allowed target's; basis: {basis}"));
    }
    let mut list = Vec::new();
    if routed.not_compared > 0 {
        list.push(format!(
            "{} routed and not compared: one of the two costs is unknown",
            plural(routed.not_compared, "request")
        ));
    }
    if routed.not_placed > 0 {
        list.push(format!(
            "{} not routed: no list has a price of the model, so a configuration must say what it costs",
            plural(routed.not_placed, "request")
        ));
    }
    if routed.unreadable_prompts > 0 {
        list.push(format!(
            "{} could not be read as a request and went by size",
            plural(routed.unreadable_prompts, "prompt")
        ));
    }
    for refused in &routed.refused {
        list.push(format!("{} would be refused: {}", plural(refused.lines, "request"), refused.name));
    }
    Section { heading: "Cost routed", lines, list, ..Section::default() }
}
