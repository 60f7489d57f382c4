//! Reads policy files: every problem of every file at once, each with its place.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::check;
use super::dead_end;
use super::mask::Mask;
use super::node::{self, Node, Source, Value, get};
use super::rule::{Demand, Rule};
use super::scope::Scope;
use super::when::{Behaviour, When};
use super::{Policies, Policy, objective};
use crate::config::{Config, Problem, Severity, Tenant};
use crate::id::{PolicyName, RuleName};

/// Policies for a configuration that names no folder.
const EMBEDDED: [(&str, &str); 4] = [
    ("built-in policies/default.yaml", include_str!("../../policies/default.yaml")),
    ("built-in policies/eu-residency.yaml", include_str!("../../policies/eu-residency.yaml")),
    ("built-in policies/open-weights-only.yaml", include_str!("../../policies/open-weights-only.yaml")),
    ("built-in policies/unrestricted.yaml", include_str!("../../policies/unrestricted.yaml")),
];

const KEYS: [&str; 5] = ["policy", "sets", "rules", "objective", "on_none"];
const RULE_KEYS: [&str; 4] = ["name", "when", "require", "forbid"];

/// Names that denials use for what is no rule of a file.
pub(crate) const RESERVED: [&str; 3] = ["max_cost", "latency", "health"];

/// Longest `when`, in bytes: nesting within it is not bounded by CEL itself.
const WHEN_MAX: usize = 4096;

/// Named sets that conditions may use.
pub(super) type Sets = BTreeMap<String, BTreeSet<String>>;

impl Policies {
    /// Reads every `*.yaml` of a folder, or the built-in policies, and readies them for a configuration's targets.
    /// Returns warnings beside the policies.
    ///
    /// # Errors
    /// All problems, warnings included, if any of them is an error.
    pub fn load(dir: Option<&Path>, config: &Config) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let (files, problems) = Self::files(dir);
        Self::read(&files, problems, config)
    }

    /// The policy files of a folder, or the built-in ones, with their texts; and what could not be read.
    #[must_use]
    pub fn files(dir: Option<&Path>) -> (Vec<(PathBuf, String)>, Vec<Problem>) {
        let mut problems = Vec::new();
        let files = match dir {
            None => EMBEDDED.map(|(name, text)| (PathBuf::from(name), text.to_owned())).to_vec(),
            Some(dir) => read_folder(dir, &mut problems),
        };
        (files, problems)
    }

    /// Readies policies from the texts of their files. `problems`: those found before.
    ///
    /// # Errors
    /// All problems, warnings included, if any of them is an error.
    pub fn read(
        files: &[(PathBuf, String)],
        mut problems: Vec<Problem>,
        config: &Config,
    ) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let scope = Arc::new(Scope::new(config));
        let mut by_name: BTreeMap<PolicyName, Arc<Policy>> = BTreeMap::new();
        for (file, text) in files {
            let mut source = Source::new(file, text);
            if let Some((policy, at)) = read_policy(&mut source, config, &scope) {
                if by_name.contains_key(&policy.name) {
                    let message = format!("a second policy is named `{}`", policy.name);
                    source.error(&at, message, "give each policy its own name");
                }
                by_name.insert(policy.name.clone(), Arc::new(policy));
            }
            problems.append(&mut source.problems);
        }
        let broken = problems.iter().any(|problem| problem.severity == Severity::Error);
        for tenant in config.tenants.values() {
            // A file that did not parse may be the one that is missing.
            if !broken && !by_name.contains_key(&tenant.policy) {
                problems.push(missing(config, tenant, &by_name));
            }
        }
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(problems);
        }
        let policies = Self { by_name, scope };
        problems.extend(dead_end::warnings(&policies, config));
        Ok((policies, problems))
    }

    /// Readies one policy from its text, beside those already there.
    ///
    /// # Errors
    /// All problems, if any of them is an error.
    #[cfg(test)]
    pub(crate) fn from_text(text: &str, config: &Config) -> Result<(Arc<Policy>, Vec<Problem>), Vec<Problem>> {
        let scope = Arc::new(Scope::new(config));
        let mut source = Source::new(Path::new("policies/test.yaml"), text);
        let policy = read_policy(&mut source, config, &scope);
        match policy {
            Some((policy, _)) if source.problems.iter().all(|problem| problem.severity == Severity::Warning) => {
                Ok((Arc::new(policy), source.problems))
            }
            _ => Err(source.problems),
        }
    }
}

/// A tenant is under a policy that is not there.
fn missing(config: &Config, tenant: &Tenant, there: &BTreeMap<PolicyName, Arc<Policy>>) -> Problem {
    let place = config.path.as_deref().and_then(|path| place_of(path, tenant));
    let mut remedy = node::did_you_mean(tenant.policy.as_str(), there.keys().map(PolicyName::as_str));
    if place.is_none()
        && tenant.policy.as_str() == "default"
        && let Some(first) = there.keys().next()
    {
        // The tenant `default`, which nobody wrote.
        remedy = format!("add `tenants: [ {{ name: {}, policy: {first} }} ]`", tenant.name);
    }
    let (line, column) = place.unwrap_or_default();
    Problem {
        file: config.path.clone().unwrap_or_else(|| PathBuf::from("configuration")),
        line,
        column,
        message: format!("tenant `{}` has the policy `{}`, which does not exist", tenant.name, tenant.policy),
        remedy,
        severity: Severity::Error,
        // The line may hold more than the tenant, and that may be secret.
        snippet: String::new(),
    }
}

/// Where the configuration says which policy a tenant is under, or else its name.
pub(super) fn place_of(config: &Path, tenant: &Tenant) -> Option<(u32, u32)> {
    let text = fs::read_to_string(config).ok()?;
    let tree = Source::new(config, &text).parse()?;
    let Value::Map(entries) = &tree.value else { return None };
    let Value::List(tenants) = &get(entries, "tenants")?.value else { return None };
    tenants.iter().find_map(|written| {
        let Value::Map(entries) = &written.value else { return None };
        let name = get(entries, "name")?;
        let named = matches!(&name.value, Value::Text(text) if text == tenant.name.as_str());
        named.then(|| node::place(get(entries, "policy").unwrap_or(name)))
    })
}

impl Policy {
    /// The labels its `when`s were checked against.
    #[cfg(test)]
    pub(crate) fn labels(&self) -> &Arc<super::Declared> {
        &self.scope.labels
    }
}

fn read_folder(dir: &Path, problems: &mut Vec<Problem>) -> Vec<(PathBuf, String)> {
    let mut failed = |path: &Path, message: String, remedy: &str| {
        problems.push(Problem {
            file: path.to_owned(),
            line: 0,
            column: 0,
            message,
            remedy: remedy.to_owned(),
            severity: Severity::Error,
            snippet: String::new(),
        });
    };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => {
            failed(dir, format!("cannot read the policy folder: {error}"), "correct `policies` in the configuration");
            return Vec::new();
        }
    };
    let mut paths = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => paths.push(entry.path()),
            Err(error) => failed(dir, format!("cannot read the policy folder: {error}"), "check its permissions"),
        }
    }
    paths.retain(|path| path.is_file() && path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    if paths.is_empty() {
        failed(dir, "no policy in this folder".to_owned(), "put a file such as default.yaml there");
    }
    let mut files = Vec::new();
    for path in paths {
        match fs::read_to_string(&path) {
            Ok(text) => files.push((path, text)),
            Err(error) => {
                failed(&path, format!("cannot be read: {error}"), "check its permissions and encoding (UTF-8)")
            }
        }
    }
    files
}

fn read_policy(
    source: &mut Source<'_>,
    config: &Config,
    scope: &Arc<Scope>,
) -> Option<(Policy, serde_saphyr::Spanned<String>)> {
    let tree = source.parse()?;
    let entries = source.map(&tree, "a policy file", &KEYS);
    if !matches!(tree.value, Value::Map(_)) {
        return None;
    }

    let mut at = serde_saphyr::Spanned::new(String::new(), tree.referenced, tree.defined);
    match get(entries, "policy") {
        None => source.error(&tree, "the policy has no name", "add policy: NAME"),
        Some(node) => {
            if let Some(name) = source.text(node, "policy") {
                at = serde_saphyr::Spanned::new(name.to_owned(), node.referenced, node.defined);
            }
        }
    }
    let sets = get(entries, "sets").map(|node| read_sets(source, node)).unwrap_or_default();
    let mut rules: Vec<Rule> = Vec::new();
    if let Some(list) = get(entries, "rules") {
        for item in source.list(list, "rules") {
            rules.extend(read_rule(source, item, &sets, config, scope, &rules));
        }
    }
    let Some(written) = get(entries, "objective") else {
        source.error(
            &tree,
            "the policy has no objective",
            "add objective: { minimise: cost, quality: { at_least: 0.95 } }",
        );
        return None;
    };
    let objective = objective::read(source, written);
    if let Some(node) = get(entries, "on_none")
        && source.text(node, "on_none").is_some_and(|word| word != "deny")
    {
        source.error(node, "where nothing is allowed, nothing is sent", "write on_none: deny, or leave it out");
    }
    let policy = Policy {
        name: PolicyName::from(at.value.as_str()),
        hash: sha256(source.text).into(),
        rules,
        objective,
        targets: config.targets.clone(),
        scope: Arc::clone(scope),
    };
    Some((policy, at))
}

fn read_sets(source: &mut Source<'_>, node: &Node) -> Sets {
    let mut sets = Sets::new();
    let Value::Map(entries) = &node.value else {
        source.error(node, "sets must be a map", "write sets: { ours: [FR, DE] }");
        return sets;
    };
    for (name, members) in entries {
        if crate::catalog::countries().sets.contains_key(&name.value) {
            source.error(name, format!("`{}` is a shipped set", name.value), "choose another name");
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
    sets
}

fn read_rule(
    source: &mut Source<'_>,
    node: &Node,
    sets: &Sets,
    config: &Config,
    scope: &Scope,
    before: &[Rule],
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
    let (when, behaviour) = When::new(program, &checked.inputs, scope);
    if behaviour == Behaviour::AlwaysFails {
        source.warning(
            node,
            "`when` fails to evaluate for every request, so the rule always applies",
            "correct the expression, or leave `when` out if that is meant",
        );
    }
    when
}

fn sha256(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
