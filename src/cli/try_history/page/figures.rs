//! Numbers as people read them.

use super::Cell;
use crate::cli::try_history::report::Count;
use crate::cli::try_history::routed::share;
use crate::money::NanoUsd;

/// Names that are counted out in one line.
const NAMES: usize = 12;

/// `search 12, support 3`
pub(super) fn counted(counts: &[Count]) -> String {
    let counted: Vec<String> =
        counts.iter().take(NAMES).map(|count| format!("{} {}", count.name, count.lines)).collect();
    counted.join(", ")
}

/// A part of a whole, with its bar.
pub(super) fn part(lines: u64, whole: u64) -> Cell {
    if lines == 0 {
        return Cell { text: "-".to_owned(), share: None };
    }
    let share = share(lines, whole);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a percentage")]
    Cell { text: percent(share), share: Some((share * 100.0).round() as u8) }
}

/// `42 %`
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// An amount as [`dollars`] writes it.
pub(super) fn usd(cost: NanoUsd) -> String {
    dollars(cost.as_usd())
}

/// As many decimals as the amount needs to say something.
pub(super) fn dollars(usd: f64) -> String {
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
pub(super) fn grouped(number: u64) -> String {
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

/// `1 line`, `2 lines`
pub(super) fn plural(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A price in dollars per million tokens: list prices have no more than four decimals, and hours divided by speed have
/// nine.
pub(super) fn rate(usd: f64) -> String {
    format!("{}", (usd * 1e4).round() / 1e4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_as_many_decimals_as_say_something() {
        for (nanos, text) in [
            (0, "$0.00"),
            (1_234_567_890_000_000, "$1,234,567.89"),
            (42_000_000, "$0.0420"),
            (1_500, "$0.000002"),
            (-2_500_000_000, "-$2.50"),
        ] {
            assert_eq!(usd(NanoUsd(nanos)), text);
        }
        assert_eq!(
            (percent(0.275), rate(0.148_148_149), plural(1, "line")),
            ("28 %".into(), "0.1481".into(), "1 line".into())
        );
    }
}
