//! Changes to a policy file that its cases ought to notice: each rule deleted, each operator turned round.
//!
//! A mutant is the file's own tree, changed and written out again as JSON, which YAML reads. It is loaded like any other
//! policy, so nothing here knows how rules are evaluated.

mod conditions;
mod when;

use std::path::Path;

use serde_json::{Map, Number, Value as Json, json};

use crate::config::Problem;
use crate::policy::node::{Node, Source, Value, get, place};

/// One change of one file.
#[derive(Debug)]
pub(super) struct Mutant {
    /// The whole file, changed.
    pub(super) text: String,
    /// The rule that was changed.
    pub(super) rule: String,
    /// What was done to it: ``"`in` became `not_in`"``.
    pub(super) change: String,
    /// Where, from 1.
    pub(super) line: u32,
    pub(super) column: u32,
}

/// A rule with one change: what stands in its place, and where and what it was.
struct Change {
    rules: Vec<Json>,
    what: String,
    at: (u32, u32),
}

/// Every mutant of a policy file.
pub(super) fn of(path: &Path, text: &str) -> Result<Vec<Mutant>, Vec<Problem>> {
    let mut source = Source::new(path, text);
    let Some(tree) = source.parse() else {
        return Err(source.problems);
    };
    let Value::Map(entries) = &tree.value else { return Ok(Vec::new()) };
    let Some(Value::List(rules)) = get(entries, "rules").map(|rules| &rules.value) else {
        return Ok(Vec::new());
    };
    let whole = as_json(&tree);
    let mut mutants = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let Value::Map(parts) = &rule.value else { continue };
        let name = match get(parts, "name").map(|name| &name.value) {
            Some(Value::Text(name)) => name.clone(),
            _ => String::new(),
        };
        for change in changes(&mut source, rule) {
            let mut mutated = whole.clone();
            if let Some(Json::Array(rules)) = mutated.get_mut("rules") {
                rules.splice(index..=index, change.rules);
            }
            let (line, column) = change.at;
            let text = mutated.to_string();
            mutants.push(Mutant { text, rule: name.clone(), change: change.what, line, column });
        }
    }
    Ok(mutants)
}

/// Every change of one rule.
fn changes(source: &mut Source<'_>, rule: &Node) -> Vec<Change> {
    let Value::Map(parts) = &rule.value else { return Vec::new() };
    let mut changes = vec![Change { rules: Vec::new(), what: "the rule was deleted".to_owned(), at: place(rule) }];
    let whole = as_json(rule);
    for (demand, other) in [("require", "forbid"), ("forbid", "require")] {
        let Some((key, written)) = parts.iter().find(|(key, _)| key.value == demand) else { continue };
        let mut turned = whole.clone();
        if let Some(turned) = turned.as_object_mut()
            && let Some(conditions) = turned.remove(demand)
        {
            turned.insert(other.to_owned(), conditions);
        }
        changes.push(Change { rules: vec![turned], what: format!("`{demand}` became `{other}`"), at: place(key) });
        changes.extend(conditions::changes(&whole, demand, written));
    }
    if let Some((_, node)) = parts.iter().find(|(key, _)| key.value == "when")
        && let Value::Text(written) = &node.value
    {
        for flip in when::flips(written) {
            let mut turned = whole.clone();
            if let Some(turned) = turned.as_object_mut() {
                turned.insert("when".to_owned(), json!(flip.text));
            }
            // From the operator to the end of its line: an operator alone may stand there more than once.
            let rest = written.get(flip.at..).and_then(|rest| rest.lines().next()).unwrap_or_default();
            let at = source.find(node, rest);
            changes.push(Change { rules: vec![turned], what: format!("{} in `when`", flip.what), at });
        }
    }
    changes
}

/// A node as JSON, which YAML reads back as the same node.
fn as_json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(yes) => Json::Bool(*yes),
        Value::Number(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Value::Text(text) => Json::String(text.clone()),
        Value::List(items) => Json::Array(items.iter().map(as_json).collect()),
        Value::Map(entries) => {
            let entries: Map<String, Json> =
                entries.iter().map(|(key, value)| (key.value.clone(), as_json(value))).collect();
            Json::Object(entries)
        }
    }
}

#[cfg(test)]
mod tests;
