//! Measures a difficulty score against what a weak and a strong model made of each prompt: APGR, CPT, AUC, ECE.
//!
//! The definitions are those of `RouteLLM` (Ong et al. 2024, arXiv 2406.18665) as its own tool computes them, so that
//! figures can be compared with published ones.

use super::seed::Seeded;

/// Threshold steps of the routing curve: deciles.
const CUTS: usize = 10;
/// Bins of the calibration error.
const BINS: usize = 15;

/// What a router makes of a set of prompts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Routing {
    /// Average performance gap recovered: 0.5 is what random routing gives.
    pub apgr: f64,
    /// Calls to the strong model, in %, that recover half the gap; random: 50.
    pub cpt50: f64,
    /// Those that recover 80 %; random: 80.
    pub cpt80: f64,
}

/// (share of calls to the strong model, mean quality) at the deciles of the score, from none to all.
#[must_use]
pub fn curve(score: &[f64], weak: &[f64], strong: &[f64]) -> Vec<(f64, f64)> {
    let mut sorted = score.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = score.len().max(1) as f64;
    let mut points = Vec::with_capacity(CUTS + 1);
    for cut in 0..=CUTS {
        let threshold = quantile(&sorted, cut as f64 / CUTS as f64);
        let (mut calls, mut quality) = (0.0, 0.0);
        for ((score, weak), strong) in score.iter().zip(weak).zip(strong) {
            let to_strong = if cut == CUTS { *score > threshold } else { *score >= threshold };
            calls += f64::from(u8::from(to_strong));
            quality += if to_strong { strong } else { weak };
        }
        points.push((calls / count, quality / count));
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    points
}

/// APGR and CPT from the eleven-point curve.
#[must_use]
pub fn routing(score: &[f64], weak: &[f64], strong: &[f64]) -> Routing {
    let points = curve(score, weak, strong);
    let (low, high) = (mean(weak), mean(strong));
    let span = points.last().map_or(0.0, |last| last.0) - points.first().map_or(0.0, |first| first.0);
    let apgr = (area(&points) - low * span) / ((high - low) * span);
    let cpt = |recovered: f64| 100.0 * share_at(&points, low + recovered * (high - low));
    Routing { apgr, cpt50: cpt(0.5), cpt80: cpt(0.8) }
}

/// Share of calls to the strong model at which a quality is reached, on the eleven-point curve.
#[must_use]
pub fn share_at(points: &[(f64, f64)], quality: f64) -> f64 {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return f64::NAN };
    if quality > last.1 {
        return last.0;
    }
    if quality < first.1 {
        return first.0;
    }
    // A curve need not rise everywhere. Where it does not, the segment is the one that NumPy's `interp` finds, which
    // published figures come from.
    let place = numpy_segment(points, quality);
    let (Some((x0, y0)), Some((x1, y1))) = (points.get(place), points.get(place + 1)) else { return last.0 };
    if y1 == y0 { *x0 } else { x0 + (x1 - x0) * (quality - y0) / (y1 - y0) }
}

/// NumPy's `binary_search_with_guess` from a guess of 0.
fn numpy_segment(points: &[(f64, f64)], key: f64) -> usize {
    let at = |place: usize| points.get(place).map_or(f64::INFINITY, |point| point.1);
    let (mut low, mut high) = (0, points.len());
    if points.len() <= 4 {
        let mut place = 1;
        while place < points.len() && key >= at(place) {
            place += 1;
        }
        return place - 1;
    }
    if key < at(1) {
        if key < at(0) {
            high = 0;
        } else {
            return 0;
        }
    } else if key < at(2) {
        return 1;
    } else if key < at(3) {
        return 2;
    } else {
        low = 3;
        if points.len() > 10 && key < at(9) {
            high = 9;
        }
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if key >= at(middle) { low = middle + 1 } else { high = middle }
    }
    low.saturating_sub(1)
}

/// APGR over every cut, ties in an order drawn at random: for intervals, since it needs no quantiles.
#[must_use]
pub fn apgr_exact(score: &[f64], weak: &[f64], strong: &[f64], seeded: &mut Seeded) -> f64 {
    let mut order: Vec<(f64, u64, f64)> = score
        .iter()
        .zip(weak.iter().zip(strong))
        .map(|(score, (weak, strong))| (*score, seeded.next(), strong - weak))
        .collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let count = order.len().max(1) as f64;
    let (mut gained, mut area) = (0.0, 0.0);
    for (_, _, gain) in order {
        area += (gained + gain / 2.0) / count;
        gained += gain;
    }
    area / count / (mean(strong) - mean(weak))
}

/// The chance that a success has a higher value than a failure; equal values count half. `None` of one kind only.
#[must_use]
pub fn auc(value: &[f64], success: &[bool]) -> Option<f64> {
    let mut sorted: Vec<(f64, bool)> = value.iter().copied().zip(success.iter().copied()).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let wins = success.iter().filter(|success| **success).count() as f64;
    let losses = sorted.len() as f64 - wins;
    if wins == 0.0 || losses == 0.0 {
        return None;
    }
    let (mut ranks, mut below) = (0.0, 0.0);
    for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
        let count = tied.len() as f64;
        let rank = below + f64::midpoint(1.0, count);
        ranks += rank * tied.iter().filter(|(_, success)| *success).count() as f64;
        below += count;
    }
    Some((ranks - wins * (wins + 1.0) / 2.0) / (wins * losses))
}

/// AUC inside each group, weighted by its rows; groups with fewer than five of either kind are left out.
#[must_use]
pub fn auc_within(value: &[f64], success: &[bool], group: &[&str]) -> Option<f64> {
    let mut groups: Vec<&str> = group.to_vec();
    groups.sort_unstable();
    groups.dedup();
    let (mut sum, mut weight) = (0.0, 0.0);
    for name in groups {
        let here = || group.iter().zip(value.iter().zip(success)).filter(|(of, _)| **of == name).map(|(_, row)| row);
        let values: Vec<f64> = here().map(|(value, _)| *value).collect();
        let successes: Vec<bool> = here().map(|(_, success)| *success).collect();
        let wins = successes.iter().filter(|success| **success).count();
        if wins.min(successes.len() - wins) >= 5
            && let Some(auc) = auc(&values, &successes)
        {
            sum += auc * values.len() as f64;
            weight += values.len() as f64;
        }
    }
    (weight > 0.0).then(|| sum / weight)
}

/// Expected calibration error over fifteen bins of equal width, against graded outcomes.
#[must_use]
pub fn calibration_error(p: &[f64], outcome: &[f64]) -> f64 {
    let mut bins = [(0.0, 0.0); BINS];
    for (p, outcome) in p.iter().zip(outcome) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the number of bins")]
        let bin = ((p.clamp(0.0, 1.0) * BINS as f64) as usize).min(BINS - 1);
        bins[bin].0 += p;
        bins[bin].1 += outcome;
    }
    bins.iter().map(|(p, outcome)| (p - outcome).abs()).sum::<f64>() / (p.len().max(1) as f64)
}

/// The middle 95 % of a figure over resamplings of `rows` rows, drawn with replacement. Draws that give no number are
/// left out.
pub fn interval(rows: usize, draws: usize, seed: u64, mut figure: impl FnMut(&[usize]) -> f64) -> (f64, f64) {
    let mut seeded = Seeded::new(seed);
    let mut values: Vec<f64> = Vec::with_capacity(draws);
    let mut drawn = vec![0; rows];
    for _ in 0..draws {
        for place in &mut drawn {
            *place = seeded.below(rows);
        }
        values.push(figure(&drawn));
    }
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    (quantile(&values, 0.025), quantile(&values, 0.975))
}

/// Linear between the two nearest of sorted values, as NumPy's `quantile`.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = share.clamp(0.0, 1.0) * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the last place")]
    let below = (at.floor() as usize).min(last);
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    // NumPy interpolates from the nearer end, which matters in the last bit, and so for ties with a threshold.
    let part = at - below as f64;
    let step = high - low;
    if part >= 0.5 { high - step * (1.0 - part) } else { low + step * part }
}

/// The mean; NaN of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn area(points: &[(f64, f64)]) -> f64 {
    points.windows(2).map(|pair| (pair[1].1 + pair[0].1) * (pair[1].0 - pair[0].0) / 2.0).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred prompts; the weak model fails on the last thirty, the strong one on the last ten.
    fn rows() -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let place = || (0..100).map(f64::from);
        let good = |fails_from: f64| place().map(|place| f64::from(u8::from(place < fails_from))).collect();
        (place().collect(), good(70.0), good(90.0))
    }

    #[test]
    fn a_router_that_knows_recovers_more_than_chance_and_a_reversed_one_less() {
        let (score, weak, strong) = rows();
        let good = routing(&score, &weak, &strong);
        let reversed: Vec<f64> = score.iter().map(|score| -score).collect();
        assert!(good.apgr > 0.75 && good.cpt50 < 25.0, "{good:?}");
        assert!(routing(&reversed, &weak, &strong).apgr < 0.3);
        // By hand: nothing for the top tenth, then 0.1 for each of the next two, then level.
        assert!((good.apgr - (1.0 - 0.2)).abs() < 0.01, "{good:?}");
        let exact = apgr_exact(&score, &weak, &strong, &mut Seeded::new(1));
        assert!((exact - 0.8).abs() < 1e-9, "{exact}");
    }

    #[test]
    fn equal_scores_are_chance() {
        let (_, weak, strong) = rows();
        let exact = apgr_exact(&[1.0; 100], &weak, &strong, &mut Seeded::new(4));
        assert!((exact - 0.5).abs() < 0.25);
        assert_eq!(auc(&[0.5; 4], &[true, false, true, false]), Some(0.5));
        assert_eq!(auc(&[0.5], &[true]), None);
    }

    #[test]
    fn auc_counts_pairs() {
        // Pairs (success above failure): 0.9>0.8, 0.9>0.1, 0.4<0.8, 0.4>0.1: three of four.
        assert_eq!(auc(&[0.9, 0.8, 0.4, 0.1], &[true, false, true, false]), Some(0.75));
        let group = ["a"; 4];
        assert_eq!(auc_within(&[0.9, 0.8, 0.4, 0.1], &[true, false, true, false], &group), None, "too few");
    }

    #[test]
    fn a_forecast_that_is_right_has_no_calibration_error() {
        assert_eq!(calibration_error(&[0.5, 0.5], &[0.0, 1.0]), 0.0);
        assert!((calibration_error(&[1.0, 1.0], &[0.0, 1.0]) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn quantiles_are_numpys() {
        let values = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(quantile(&values, 0.5), 3.0);
        assert!((quantile(&values, 0.9) - 6.8).abs() < 1e-12);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn an_interval_holds_the_figure() {
        let values: Vec<f64> = (0..200).map(|i| f64::from(i % 2)).collect();
        let figure = |drawn: &[usize]| drawn.iter().map(|&place| values[place]).sum::<f64>() / 200.0;
        let (low, high) = interval(200, 400, 3, figure);
        assert!(low < 0.5 && high > 0.5 && high - low < 0.16 && high - low > 0.1, "{low} {high}");
    }
}
