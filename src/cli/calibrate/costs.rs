//! What outcomes cost, as routing would reckon it.

use crate::chat::Effort;
use crate::config::Target;
use crate::money::Price;
use crate::quality::Labelled;
use crate::quality::data::{Decision, Measured};
use crate::route::lengths::{thought, usual};

/// In nano-USD: by the tokens of this outcome where they are known, else by what the gateway would expect.
pub(super) fn cost(target: &Target, measured: &Measured, input_tokens: u64) -> Option<f64> {
    let input = measured.input_tokens.unwrap_or(input_tokens);
    let rates = target.price.as_ref()?.for_routing(input);
    let effort = measured.effort.as_deref().and_then(Effort::of);
    let output = measured.output_tokens.unwrap_or_else(|| usual(target, effort));
    let cost = rates.input.cost(input) + rates.output_cost(output, thought(target, effort, output));
    Some(cost.0 as f64)
}

/// What an answer that was given cost, of what counts for routing. In nano-USD.
pub(super) fn paid(price: &Price, decision: &Decision) -> f64 {
    if price.is_sunk() { 0.0 } else { decision.cost_nusd as f64 }
}

/// Mean cost of each candidate. Where one is not known all are ranks by mean quality instead, for costs only compare
/// with costs.
pub(super) fn costs(labelled: &mut [Labelled], candidates: usize) -> (Vec<f64>, bool) {
    let mut sums = vec![(0.0, 0.0, 0.0, 0.0); candidates];
    for outcome in labelled.iter().flat_map(|prompt| &prompt.outcomes) {
        let sum = &mut sums[outcome.candidate];
        sum.0 += 1.0;
        sum.1 += outcome.good;
        if let Some(cost) = outcome.cost {
            sum.2 += 1.0;
            sum.3 += cost;
        }
    }
    if sums.iter().all(|sum| sum.2 > 0.0) {
        return (sums.iter().map(|sum| sum.3 / sum.2).collect(), true);
    }
    for outcome in labelled.iter_mut().flat_map(|prompt| &mut prompt.outcomes) {
        outcome.cost = None;
    }
    let mean = |place: usize| sums[place].1 / f64::max(sums[place].0, 1.0);
    let rank = |place: usize| {
        let below = (0..candidates).filter(|&other| (mean(other), other) < (mean(place), place)).count();
        below as f64 + 1.0
    };
    ((0..candidates).map(rank).collect(), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Tier;
    use crate::money::{Rate, Rates};
    use crate::policy::fixture::{config, target};
    use crate::quality::data::{self, Line};
    use crate::wire::dialect::Style;

    #[test]
    fn what_routing_takes_as_free_is_free_however_its_cost_is_known() {
        let per_token = |nusd: i64| Rate(nusd * 1_000_000);
        let rates = Rates { reasoning: Some(per_token(50)), ..Rates::plain(per_token(1), per_token(2)) };
        let mut config = config(vec![target("a", Tier::Mid)]);
        let target = std::sync::Arc::make_mut(&mut config.targets[0]);
        target.reasoning.style = Some(Style::Always);
        let line = r#"{"id":"dec_7","score":{"difficulty":0.2,"stage":"linear","model":"m"},
            "attempts":[{"target":"a","result":"ok"}],"cost_nusd":5000}"#;
        let Ok(Line::Decision(decision)) = data::line(line) else { panic!() };
        let measured = Measured {
            target: "a".to_owned(),
            score: 1.0,
            effort: None,
            input_tokens: Some(10),
            output_tokens: Some(100),
        };
        assert_eq!(cost(target, &measured, 0), None, "no price, no cost");
        let price = Price::flat(rates);
        assert_eq!(paid(&price, &decision), 5000.0);
        target.price = Some(price.clone());
        let thought = thought(target, None, 100) as f64;
        assert_eq!(cost(target, &measured, 0), Some(10.0 + (100.0 - thought) * 2.0 + thought * 50.0));
        assert_eq!(paid(&price.clone().sunk(), &decision), 0.0);
        target.price = Some(price.sunk());
        assert_eq!(cost(target, &measured, 0), Some(0.0));
    }
}
