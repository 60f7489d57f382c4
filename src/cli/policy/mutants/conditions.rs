//! Turns round the operator of each condition.

use serde_json::{Map, Value as Json, json};

use super::{Change, as_json};
use crate::policy::node::{Node, Value, place};

/// Facts that are numbers: they have no operator for "anything but".
const NUMBERS: [&str; 4] = ["data.retention", "model.context", "price.input", "price.output"];

/// A change for each operator of a rule's `require` or `forbid`. `whole`: the rule.
pub(super) fn changes(whole: &Json, demand: &str, written: &Node) -> Vec<Change> {
    let Value::Map(facts) = &written.value else { return Vec::new() };
    let mut changes = Vec::new();
    for (fact, tests) in facts {
        let Value::Map(tests) = &tests.value else { continue };
        for (op, value) in tests {
            let (fact, op_name, value) = (fact.value.as_str(), op.value.as_str(), as_json(value));
            let Some((rules, what)) = turned(whole, demand, fact, op_name, &value) else { continue };
            changes.push(Change { rules, what: format!("{what} of {fact}"), at: place(op) });
        }
    }
    changes
}

fn turned(whole: &Json, demand: &str, fact: &str, op: &str, value: &Json) -> Option<(Vec<Json>, String)> {
    let simple = |other: &str, value: Json| {
        (vec![with(whole, demand, fact, op, other, value)], format!("`{op}` became `{other}`"))
    };
    match op {
        "in" => Some(simple("not_in", value.clone())),
        "not_in" => Some(simple("in", value.clone())),
        "at_most" => Some(simple("at_least", value.clone())),
        "at_least" => Some(simple("at_most", value.clone())),
        "equals" => match value {
            Json::Bool(yes) => {
                let rule = with(whole, demand, fact, op, op, json!(!yes));
                Some((vec![rule], format!("`equals: {yes}` was negated")))
            }
            _ if NUMBERS.contains(&fact) => {
                Some((anything_but(whole, demand, fact, value)?, "`equals` was negated".to_owned()))
            }
            _ => {
                Some((vec![with(whole, demand, fact, op, "not_in", json!([value]))], "`equals` was negated".to_owned()))
            }
        },
        _ => None,
    }
}

/// The rule with another operator and value in one place.
fn with(whole: &Json, demand: &str, fact: &str, op: &str, other: &str, value: Json) -> Json {
    let mut rule = whole.clone();
    if let Some(tests) = rule.get_mut(demand).and_then(|facts| facts.get_mut(fact)).and_then(Json::as_object_mut) {
        tests.remove(op);
        tests.insert(other.to_owned(), value);
    }
    rule
}

/// The rule without one test.
fn without(whole: &Json, demand: &str, fact: &str, op: &str) -> Json {
    let mut rule = whole.clone();
    if let Some(facts) = rule.get_mut(demand).and_then(Json::as_object_mut) {
        if let Some(tests) = facts.get_mut(fact).and_then(Json::as_object_mut) {
            tests.remove(op);
        }
        facts.retain(|_, tests| tests.as_object().is_none_or(|tests| !tests.is_empty()));
    }
    rule
}

/// "Is any number but this", which no operator says. Required beside others, it is a rule of its own that forbids the
/// number; forbidden, it is what is below and what is above. `None` where it would be the rule with its demand turned round.
fn anything_but(whole: &Json, demand: &str, fact: &str, value: &Json) -> Option<Vec<Json>> {
    let rest = without(whole, demand, fact, "equals");
    let alone = rest.get(demand).and_then(Json::as_object).is_none_or(Map::is_empty);
    if alone {
        return None;
    }
    if demand == "require" {
        let mut forbidden = renamed(whole);
        if let Some(rule) = forbidden.as_object_mut() {
            rule.remove("require");
            rule.insert("forbid".to_owned(), json!({ fact: { "equals": value } }));
        }
        return Some(vec![rest, forbidden]);
    }
    let (below, above) = beside(value)?;
    let mut rules = vec![with(whole, demand, fact, "equals", "at_least", above)];
    if let Some(below) = below {
        rules.push(with(&renamed(whole), demand, fact, "equals", "at_most", below));
    }
    Some(rules)
}

/// Values just below and just above a number or a duration; below zero there is no duration.
fn beside(value: &Json) -> Option<(Option<Json>, Json)> {
    const NANOSECOND: std::time::Duration = std::time::Duration::from_nanos(1);
    if let Some(number) = value.as_f64() {
        // Far less than any price or window differs by, and more than reading the text could lose.
        let step = number.abs().max(1.0) * 1e-9;
        return Some((Some(json!(number - step)), json!(number + step)));
    }
    let duration = humantime::parse_duration(value.as_str()?).ok()?;
    let text = |duration| json!(humantime::format_duration(duration).to_string());
    Some((duration.checked_sub(NANOSECOND).map(text), text(duration.checked_add(NANOSECOND)?)))
}

/// The rule under another name: names are unique in a policy.
fn renamed(whole: &Json) -> Json {
    let mut rule = whole.clone();
    if let Some(name) = rule.get_mut("name") {
        *name = json!(format!("{} (changed)", name.as_str().unwrap_or_default()));
    }
    rule
}
