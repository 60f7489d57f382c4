//! Reads the conditions of a rule: `location.countries: { in: EEA }`.

use std::collections::BTreeSet;

use super::condition::{Condition, Test};
use super::load::Sets;
use super::node::{Node, Source, Value, did_you_mean};
use crate::catalog::countries;
use crate::config::{FactName, Severity, Tier};

const OPS: [&str; 5] = ["in", "not_in", "equals", "at_most", "at_least"];

/// What a target may say it supports, as CONTRACT lists it.
const CAPABILITIES: [&str; 11] = [
    "tools",
    "parallel_tools",
    "json_schema",
    "images",
    "documents",
    "audio",
    "logprobs",
    "reasoning",
    "server_tools",
    "state",
    "embeddings",
];

/// What sort of value a fact has.
#[derive(Clone, Copy, PartialEq)]
enum Sort {
    Countries,
    Capabilities,
    Words,
    Tier,
    Kind,
    Duration,
    Number,
    Boolean,
}

const fn sort(fact: FactName) -> Sort {
    match fact {
        FactName::LocationCountries | FactName::OperatorJurisdictions | FactName::ProvenanceCountry => Sort::Countries,
        FactName::Supports => Sort::Capabilities,
        FactName::LocationRegion
        | FactName::OperatorName
        | FactName::DataTransferBasis
        | FactName::ProvenanceDeveloper
        | FactName::ProvenanceLicence
        | FactName::ProvenanceWeightsSha256 => Sort::Words,
        FactName::ModelTier => Sort::Tier,
        FactName::ModelKind => Sort::Kind,
        FactName::DataRetention => Sort::Duration,
        FactName::ModelContext | FactName::PriceInput | FactName::PriceOutput => Sort::Number,
        FactName::DataTrains | FactName::DataHumanReview | FactName::DataDpa | FactName::ProvenanceOpenWeights => {
            Sort::Boolean
        }
    }
}

impl Sort {
    const fn ops(self) -> &'static [&'static str] {
        match self {
            Self::Countries | Self::Capabilities | Self::Words | Self::Kind => &["in", "not_in", "equals"],
            Self::Tier => &OPS,
            Self::Duration | Self::Number => &["equals", "at_most", "at_least"],
            Self::Boolean => &["equals"],
        }
    }
}

/// Reads a map from fact to operators; problems go to the source.
pub(super) fn read(source: &mut Source<'_>, node: &Node, what: &str, sets: &Sets) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let Value::Map(entries) = &node.value else {
        source.error(
            node,
            format!("{what} must be a map of facts, not {}", node.value.kind()),
            "write location.countries: { in: EEA }",
        );
        return conditions;
    };
    if entries.is_empty() {
        source.error(node, format!("{what} names no fact"), "write location.countries: { in: EEA }");
    }
    for (path, tests) in entries {
        let Some(fact) = FactName::ALL.into_iter().find(|fact| fact.path() == path.value) else {
            let known = FactName::ALL.into_iter().map(FactName::path);
            source.unknown(path, &format!("unknown fact `{}`", path.value), known);
            continue;
        };
        let Value::Map(tests) = &tests.value else {
            let remedy = format!("write {}: {{ {}: … }}", path.value, sort(fact).ops()[0]);
            source.error(tests, format!("{} needs an operator", path.value), remedy);
            continue;
        };
        if tests.is_empty() {
            source.error(
                path,
                format!("{} needs an operator", path.value),
                "write in, not_in, equals, at_most or at_least",
            );
        }
        for (op, value) in tests {
            let ops = sort(fact).ops();
            if !ops.contains(&op.value.as_str()) {
                let message = if OPS.contains(&op.value.as_str()) {
                    format!("{} cannot be compared with `{}`", path.value, op.value)
                } else {
                    format!("unknown operator `{}`", op.value)
                };
                source.unknown(op, &message, ops.iter().copied());
                continue;
            }
            if let Some(test) = read_test(source, fact, &op.value, value, sets) {
                conditions.push(Condition { fact, test, written: format!("{} {}", op.value, written(value)) });
            }
        }
    }
    conditions
}

/// Reads what must never be of an allowed target, as policy tests write it: `{ location.countries: [US] }`. Each fact
/// stands by itself.
pub(crate) fn read_never(source: &mut Source<'_>, node: &Node) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let Value::Map(entries) = &node.value else {
        source.error(node, "never must be a map of facts", "write never: { location.countries: [US] }");
        return conditions;
    };
    for (path, value) in entries {
        let Some(fact) = FactName::ALL.into_iter().find(|fact| fact.path() == path.value) else {
            let known = FactName::ALL.into_iter().map(FactName::path);
            source.unknown(path, &format!("unknown fact `{}`", path.value), known);
            continue;
        };
        let op = if sort(fact).ops().contains(&"in") { "in" } else { "equals" };
        if let Some(test) = read_test(source, fact, op, value, &Sets::new()) {
            conditions.push(Condition { fact, test, written: written(value) });
        }
    }
    conditions
}

/// Reads a claim as a command line says it: `countries in [US]`, `data.retention at_least 1d`, `jurisdictions not in EEA`.
/// A fact's last word will do where only one fact ends so. Problems go to the source.
pub(crate) fn read_claim(source: &mut Source<'_>) -> Option<Condition> {
    let written = source.text;
    let example = "write `countries in [US]` or `data.retention at_least 1d`";
    let mut words = written.trim().splitn(2, char::is_whitespace);
    let (name, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().trim_start());
    let spellings = [
        ("not in", "not_in"),
        ("not_in", "not_in"),
        ("in", "in"),
        ("==", "equals"),
        ("equals", "equals"),
        ("<=", "at_most"),
        ("at_most", "at_most"),
        (">=", "at_least"),
        ("at_least", "at_least"),
    ];
    let spelt = spellings.iter().find_map(|(spelling, op)| {
        let value = rest.strip_prefix(spelling)?;
        // `in[US]` and `==0d` are clear; `inside` is not `in`.
        let apart = !value.starts_with(|c: char| c.is_alphanumeric() || c == '_') || spelling.ends_with('=');
        apart.then_some((*op, value.trim()))
    });
    let ends = |fact: &FactName| fact.path() == name || fact.path().rsplit('.').next() == Some(name);
    let Some(fact) = FactName::ALL.into_iter().find(ends) else {
        let last = |fact: FactName| fact.path().rsplit('.').next().unwrap_or_default();
        let known = FactName::ALL.into_iter().map(FactName::path).chain(FactName::ALL.into_iter().map(last));
        let close = crate::config::problem::suggestion(name, known);
        let remedy = close.map_or_else(|| example.to_owned(), |close| format!("did you mean `{close}`?"));
        source.at((1, 1), Severity::Error, format!("unknown fact `{name}`"), remedy);
        return None;
    };
    let Some((op, value)) = spelt.filter(|(_, value)| !value.is_empty()) else {
        source.at((1, 1), Severity::Error, format!("`{written}` is no claim"), example.to_owned());
        return None;
    };
    let text = format!("{}: {{ {op}: {value} }}", fact.path());
    let mut inner = Source::new(source.file, &text);
    let tree = inner.parse();
    let conditions = tree.map(|tree| read(&mut inner, &tree, "a claim", &Sets::new())).unwrap_or_default();
    let sound = inner.problems.is_empty();
    source.problems.append(&mut inner.problems);
    conditions.into_iter().next().filter(|_| sound)
}

fn read_test(source: &mut Source<'_>, fact: FactName, op: &str, value: &Node, sets: &Sets) -> Option<Test> {
    match sort(fact) {
        Sort::Boolean => {
            if let Value::Bool(wanted) = value.value {
                return Some(Test::Is(wanted));
            }
            source.error(value, format!("{} is true or false", fact.path()), "write true or false");
            None
        }
        Sort::Number => {
            match value.value {
                Value::Number(number) if number.is_finite() => return number_test(op, number),
                // Nothing is above infinity, and nothing compares with what is no number: the condition would be none.
                Value::Number(_) => {
                    source.error(value, format!("{} has no such bound", fact.path()), "write a finite number");
                }
                _ => source.error(value, format!("{} is a number", fact.path()), "write a number"),
            }
            None
        }
        Sort::Duration => match &value.value {
            Value::Text(text) if humantime::parse_duration(text).is_ok() => {
                number_test(op, humantime::parse_duration(text).ok()?.as_secs_f64())
            }
            _ => {
                source.error(value, format!("{} is a duration", fact.path()), "write 0d, 12h or 30d");
                None
            }
        },
        Sort::Tier if matches!(op, "at_most" | "at_least") => tier_test(source, op, value),
        _ => {
            let words = words(source, fact, op, value, sets)?;
            Some(if op == "not_in" { Test::NotIn(words) } else { Test::In(words) })
        }
    }
}

fn number_test(op: &str, number: f64) -> Option<Test> {
    match op {
        "equals" => Some(Test::Equals(number)),
        "at_most" => Some(Test::AtMost(number)),
        "at_least" => Some(Test::AtLeast(number)),
        _ => None,
    }
}

/// What a model may be for.
const KINDS: [&str; 2] = ["chat", "embedding"];

const TIERS: [(&str, Tier); 3] = [("weak", Tier::Weak), ("mid", Tier::Mid), ("strong", Tier::Strong)];

fn tier_test(source: &mut Source<'_>, op: &str, value: &Node) -> Option<Test> {
    let word = source.text(value, "a tier")?;
    let Some(&(_, bound)) = TIERS.iter().find(|(name, _)| *name == word) else {
        let remedy = did_you_mean(word, TIERS.iter().map(|(name, _)| *name));
        source.error(value, format!("there is no tier `{word}`"), remedy);
        return None;
    };
    let within = |tier: Tier| if op == "at_most" { tier <= bound } else { tier >= bound };
    let names = TIERS.iter().filter(|(_, tier)| within(*tier)).map(|(name, _)| (*name).to_owned());
    Some(Test::In(names.collect()))
}

/// The words of `in`, `not_in` and `equals`, named sets unfolded and each word checked where all words are known.
fn words(source: &mut Source<'_>, fact: FactName, op: &str, value: &Node, sets: &Sets) -> Option<BTreeSet<String>> {
    let items = match &value.value {
        Value::List(_) if op == "equals" => {
            source.error(value, "equals takes one value", "use in: [a, b]");
            return None;
        }
        Value::List(items) if items.is_empty() => {
            source.error(value, format!("`{op}` lists nothing"), "list at least one value");
            return None;
        }
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(value),
    };
    let mut words = BTreeSet::new();
    for item in items {
        let word = source.text(item, fact.path())?;
        let named =
            sets.get(word).or_else(|| (sort(fact) == Sort::Countries).then(|| countries().sets.get(word)).flatten());
        if let Some(set) = named.filter(|_| op != "equals") {
            for member in set {
                known(source, fact, item, member, sets);
            }
            words.extend(set.iter().cloned());
            continue;
        }
        known(source, fact, item, word, sets);
        words.insert(word.to_owned());
    }
    Some(words)
}

/// Refuses a word that no target could ever state: the rule would silently never match.
fn known(source: &mut Source<'_>, fact: FactName, at: &Node, word: &str, sets: &Sets) {
    match sort(fact) {
        Sort::Countries if !countries().codes.contains(word) => {
            let upper = word.to_uppercase();
            let remedy = match (word, countries().codes.contains(&upper)) {
                ("UK", _) => "did you mean `GB`?".to_owned(),
                (_, true) => format!("did you mean `{upper}`?"),
                _ => {
                    let names = countries().sets.keys().chain(sets.keys()).map(String::as_str);
                    let close = crate::config::problem::suggestion(word, names.clone());
                    close.map_or_else(
                        || {
                            let names: Vec<&str> = names.collect();
                            format!("write an ISO 3166 code such as FR, or a set: {}", names.join(", "))
                        },
                        |close| format!("did you mean `{close}`?"),
                    )
                }
            };
            source.error(at, format!("`{word}` is neither a country nor a set of countries"), remedy);
        }
        Sort::Capabilities if !CAPABILITIES.contains(&word) => {
            let remedy = did_you_mean(word, CAPABILITIES.into_iter());
            source.error(at, format!("nothing supports `{word}`"), remedy);
        }
        Sort::Tier if !TIERS.iter().any(|(name, _)| *name == word) => {
            let remedy = did_you_mean(word, TIERS.iter().map(|(name, _)| *name));
            source.error(at, format!("there is no tier `{word}`"), remedy);
        }
        Sort::Kind if !KINDS.contains(&word) => {
            let remedy = did_you_mean(word, KINDS.into_iter());
            source.error(at, format!("there is no kind of model `{word}`"), remedy);
        }
        _ => {}
    }
}

fn written(value: &Node) -> String {
    match &value.value {
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(boolean) => boolean.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(written).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Null | Value::Map(_) => value.value.kind().to_owned(),
    }
}
