//! Reads one policy file into rules and an objective, over what it extends.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_saphyr::Spanned;

use super::check::check;
use super::depth;
use super::inherit;
use super::load::Sets;
use super::mask::Mask;
use super::node::{Node, Source, Value, get};
use super::rule::{Demand, Rule};
use super::scope::Scope;
use super::when::When;
use super::{Policy, objective};
use crate::config::{Config, Severity};
use crate::id::{PolicyName, RuleName};

const KEYS: [&str; 6] = ["policy", "extends", "sets", "rules", "objective", "on_none"];
const RULE_KEYS: [&str; 4] = ["name", "when", "require", "forbid"];

/// Names that denials use for what is no rule of a file.
pub(crate) const RESERVED: [&str; 3] = ["max_cost", "latency", "health"];

/// Longest `when`, in bytes.
const WHEN_MAX: usize = 4096;

/// A file's tree and what it says of its place among the others.
pub(super) struct Head {
    pub(super) name: Spanned<String>,
    pub(super) extends: Option<Spanned<String>>,
    tree: Node,
}

/// A policy, and what those that extend it take over.
pub(super) struct Loaded {
    pub(super) policy: Arc<Policy>,
    sets: Sets,
    /// As written, over the objectives above; `None` where it has faults.
    objective: Option<Node>,
}

/// What a policy extends.
#[derive(Clone, Copy)]
pub(super) enum Above<'a> {
    /// Nothing.
    Nothing,
    /// Something that could not be read.
    Broken,
    Policy(&'a Loaded),
}

/// The tree of a file; `None` where it is no policy at all.
pub(super) fn head(source: &mut Source<'_>) -> Option<Head> {
    let tree = source.parse()?;
    let entries = source.map(&tree, "a policy file", &KEYS);
    if !matches!(tree.value, Value::Map(_)) {
        return None;
    }
    let mut word = |key: &str| {
        let node = get(entries, key)?;
        let text = source.text(node, key)?;
        Some(Spanned::new(text.to_owned(), node.referenced, node.defined))
    };
    let (name, extends) = (word("policy"), word("extends"));
    if get(entries, "policy").is_none() {
        source.error(&tree, "the policy has no name", "add policy: NAME");
    }
    let name = name.unwrap_or_else(|| Spanned::new(String::new(), tree.referenced, tree.defined));
    Some(Head { name, extends, tree })
}

/// Reads all but the head. Faults go to the source; `None` where too little is left to go on with.
pub(super) fn body(
    source: &mut Source<'_>,
    head: &Head,
    above: Above<'_>,
    config: &Config,
    scope: &Arc<Scope>,
) -> Option<Loaded> {
    let Value::Map(entries) = &head.tree.value else { return None };
    let parent = match above {
        Above::Policy(parent) => Some(parent),
        Above::Nothing | Above::Broken => None,
    };
    let mut sets = parent.map(|parent| parent.sets.clone()).unwrap_or_default();
    if let Some(node) = get(entries, "sets") {
        read_sets(source, node, &mut sets, parent);
    }
    let mut rules: Vec<Arc<Rule>> = parent.map(|parent| parent.policy.rules.clone()).unwrap_or_default();
    if let Some(list) = get(entries, "rules") {
        for item in source.list(list, "rules") {
            let rule = read_rule(source, item, &sets, config, scope, &rules, parent);
            rules.extend(rule.map(Arc::new));
        }
    }
    if let Some(node) = get(entries, "on_none")
        && source.text(node, "on_none").is_some_and(|word| word != "deny")
    {
        source.error(node, "where nothing is allowed, nothing is sent", "write on_none: deny, or leave it out");
    }
    let (objective, written) = match (get(entries, "objective"), above) {
        (Some(own), Above::Nothing) => read_objective(source, own.clone()),
        (Some(own), Above::Policy(parent)) => {
            let over = inherit::objective(source, parent.policy.name.as_str(), parent.objective.as_ref()?, own);
            read_objective(source, over)
        }
        (None, Above::Policy(parent)) => (parent.policy.objective.clone(), parent.objective.clone()),
        // Whether a figure loosens or one is missing cannot be told without what stands above.
        (_, Above::Broken) => return None,
        (None, Above::Nothing) => {
            let remedy = "add objective: { minimise: cost, quality: { at_least: 0.95 } }";
            source.error(&head.tree, "the policy has no objective", remedy);
            return None;
        }
    };
    let mut ancestors = Vec::new();
    if let Some(parent) = parent {
        ancestors.push(parent.policy.name.clone());
        ancestors.extend_from_slice(&parent.policy.ancestors);
    }
    let policy = Policy {
        name: PolicyName::from(head.name.value.as_str()),
        ancestors,
        hash: hash(parent.map(|parent| &*parent.policy.hash), source.text).into(),
        rules,
        objective,
        targets: config.targets.clone(),
        scope: Arc::clone(scope),
    };
    Some(Loaded { policy: Arc::new(policy), sets, objective: written })
}

/// The objective, and the node it was read from if nothing was wrong with it.
fn read_objective(source: &mut Source<'_>, node: Node) -> (objective::Objective, Option<Node>) {
    let before = source.problems.len();
    let objective = objective::read(source, &node);
    let sound = source.problems.len() == before;
    (objective, sound.then_some(node))
}

fn read_sets(source: &mut Source<'_>, node: &Node, sets: &mut Sets, parent: Option<&Loaded>) {
    let Value::Map(entries) = &node.value else {
        source.error(node, "sets must be a map", "write sets: { ours: [FR, DE] }");
        return;
    };
    for (name, members) in entries {
        if crate::catalog::countries().sets.contains_key(&name.value) {
            source.error(name, format!("`{}` is a shipped set", name.value), "choose another name");
        } else if crate::catalog::countries().codes.contains(name.value.as_str()) {
            source.error(name, format!("`{}` is a country's code", name.value), "choose another name");
        } else if let Some(parent) = parent.filter(|parent| parent.sets.contains_key(&name.value)) {
            let message = format!("`{}` is a set of `{}`, whose rules use it", name.value, parent.policy.name);
            source.error(name, message, "choose another name, or use it as it is");
        }
        let mut set = BTreeSet::new();
        for member in source.list(members, "a set") {
            set.extend(source.text(member, "a member").map(str::to_owned));
        }
        if set.is_empty() {
            source.error(name, format!("the set `{}` is empty", name.value), "list its members");
        }
        sets.insert(name.value.clone(), set);
    }
}

fn read_rule(
    source: &mut Source<'_>,
    node: &Node,
    sets: &Sets,
    config: &Config,
    scope: &Scope,
    before: &[Arc<Rule>],
    parent: Option<&Loaded>,
) -> Option<Rule> {
    let entries = source.map(node, "a rule", &RULE_KEYS);
    if !matches!(node.value, Value::Map(_)) {
        return None;
    }
    let mut name = "";
    match get(entries, "name") {
        None => source.error(node, "the rule has no name", "add name: what-it-protects; denials show it"),
        Some(at) => {
            name = source.text(at, "name").unwrap_or_default();
            if RESERVED.contains(&name) {
                source.error(at, format!("`{name}` names a ceiling of the objective"), "choose another name");
            } else if let Some(parent) =
                parent.filter(|parent| parent.policy.rules.iter().any(|rule| rule.name.as_str() == name))
            {
                let message = format!("`{}` has a rule named `{name}` already", parent.policy.name);
                source.error(at, message, "give this one another name; the rules of what it extends hold as they are");
            } else if before.iter().any(|rule| rule.name.as_str() == name) {
                source.error(at, format!("a second rule is named `{name}`"), "give each rule its own name");
            }
        }
    }
    let demand = match (get(entries, "require"), get(entries, "forbid")) {
        (Some(conditions), None) => Demand::Require(super::load_condition::read(source, conditions, "require", sets)),
        (None, Some(conditions)) => Demand::Forbid(super::load_condition::read(source, conditions, "forbid", sets)),
        (None, None) => {
            source.error(node, "the rule demands nothing", "add require: or forbid:");
            return None;
        }
        (Some(_), Some(forbid)) => {
            source.error(forbid, "a rule either requires or forbids", "make it two rules");
            return None;
        }
    };
    let when = get(entries, "when");
    let text = when.and_then(|node| source.text(node, "when"));
    let applies = match (when, text) {
        (Some(node), Some(text)) => read_when(source, node, text, scope),
        _ => When::Always,
    };
    let mut passes = Mask::none(config.targets.len());
    for (index, target) in config.targets.iter().enumerate() {
        if demand.passes(&target.facts) {
            passes.insert(index);
        }
    }
    Some(Rule { name: RuleName::from(name), when: text.map(str::to_owned), demand, applies, passes })
}

/// A `when` with a fault comes back as `Always`; the fault stops the load.
fn read_when(source: &mut Source<'_>, node: &Node, text: &str, scope: &Scope) -> When {
    if text.len() > WHEN_MAX {
        source.error(node, format!("`when` is longer than {WHEN_MAX} bytes"), "split the rule");
        return When::Always;
    }
    match depth::of(text) {
        Some(deep) if deep <= depth::MAX => {}
        Some(_) => {
            source.error(node, format!("`when` is nested more than {} deep", depth::MAX), "split the rule");
            return When::Always;
        }
        None => {
            source.error(node, "`when` has a text in three quotes", "write it in one pair: \"text\"");
            return When::Always;
        }
    }
    let program = match cel::Program::compile(text) {
        Ok(program) => program,
        Err(errors) => {
            for error in &errors.errors {
                // CEL counts from the expression's start: from there the word is looked for in the file.
                let column = usize::try_from(error.pos.1).unwrap_or(1).saturating_sub(1);
                let line = usize::try_from(error.pos.0).unwrap_or(1).saturating_sub(1);
                let rest: String = text.lines().nth(line).unwrap_or_default().chars().skip(column).collect();
                let at = source.find(node, &rest);
                let message = format!("`when` is no CEL expression: {}", error.msg);
                let remedy = "write something like labels[\"x\"] == \"y\" && tenant.region == \"z\"".to_owned();
                source.at(at, Severity::Error, message, remedy);
            }
            return When::Always;
        }
    };
    let checked = check(program.expression(), scope);
    let mut wrong = false;
    for fault in checked.faults {
        wrong |= fault.severity == Severity::Error;
        let at = source.find(node, &fault.word);
        source.at(at, fault.severity, fault.message, fault.remedy);
    }
    if wrong {
        return When::Always;
    }
    let (when, remarks) = When::new(program, checked.inputs, scope);
    for (root, field) in remarks.no_escape.iter().filter_map(|input| input.field()) {
        source.warning(
            node,
            format!("a client could switch this rule off by {root}.{field}, so it applies without regard to it"),
            format!("write a condition that {root}.{field} can only switch on, or leave it out"),
        );
    }
    if remarks.always_fails {
        source.warning(
            node,
            "`when` fails to evaluate for every request, so the rule always applies",
            "correct the expression, or leave `when` out if that is meant",
        );
    }
    when
}

/// Of a file, and through the hash above it of all that it extends.
fn hash(above: Option<&str>, text: &str) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    if let Some(above) = above {
        context.update(above.as_bytes());
        context.update(b"\n");
    }
    context.update(text.as_bytes());
    let hex: String = context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
