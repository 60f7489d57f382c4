//! Reads policy files: every problem of every file at once, each with its place.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::dead_end;
use super::node::{self, Source, Value, get};
use super::read::{self, Above, Head, Loaded};
use super::scope::Scope;
use super::{Policies, Policy};
use crate::config::{Config, Problem, Severity, Tenant};
use crate::id::PolicyName;

/// Policies for a configuration that names no folder.
const EMBEDDED: [(&str, &str); 4] = [
    ("built-in policies/default.yaml", include_str!("../../policies/default.yaml")),
    ("built-in policies/eu-residency.yaml", include_str!("../../policies/eu-residency.yaml")),
    ("built-in policies/open-weights-only.yaml", include_str!("../../policies/open-weights-only.yaml")),
    ("built-in policies/unrestricted.yaml", include_str!("../../policies/unrestricted.yaml")),
];

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
        let by_name = read_all(files, config, &scope, &mut problems);
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
        let (mut policies, problems) = Self::from_texts(&[text], config)?;
        match policies.pop() {
            Some(policy) => Ok((policy, problems)),
            None => Err(problems),
        }
    }

    /// Readies policies from their texts, in the order of their names.
    ///
    /// # Errors
    /// All problems, if any of them is an error.
    #[cfg(test)]
    #[expect(clippy::type_complexity, reason = "for tests only")]
    pub(crate) fn from_texts(
        texts: &[&str],
        config: &Config,
    ) -> Result<(Vec<Arc<Policy>>, Vec<Problem>), Vec<Problem>> {
        let scope = Arc::new(Scope::new(config));
        let file = |place| PathBuf::from(format!("policies/test{place}.yaml"));
        let files: Vec<(PathBuf, String)> =
            texts.iter().enumerate().map(|(place, text)| (file(place), (*text).to_owned())).collect();
        let mut problems = Vec::new();
        let by_name = read_all(&files, config, &scope, &mut problems);
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(problems);
        }
        Ok((by_name.into_values().collect(), problems))
    }
}

/// Reads all files, each after what it extends, whatever order they come in. Problems are told in the order of the files.
fn read_all(
    files: &[(PathBuf, String)],
    config: &Config,
    scope: &Arc<Scope>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<PolicyName, Arc<Policy>> {
    let mut sources: Vec<Source<'_>> = files.iter().map(|(file, text)| Source::new(file, text)).collect();
    let heads: Vec<Option<Head>> = sources.iter_mut().map(read::head).collect();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, (head, source)) in heads.iter().zip(&mut sources).enumerate() {
        let Some(head) = head else { continue };
        if places.contains_key(head.name.value.as_str()) {
            let message = format!("a second policy is named `{}`", head.name.value);
            source.error(&head.name, message, "give each policy its own name");
            continue;
        }
        places.insert(&head.name.value, place);
    }

    let above = |place: usize| heads.get(place)?.as_ref()?.extends.as_ref();
    let mut loaded: Vec<Option<Loaded>> = files.iter().map(|_| None).collect();
    let mut done = vec![false; files.len()];
    for start in 0..files.len() {
        // Up to the first that is done or extends nothing, or back to one that is on the way already.
        let mut way = vec![start];
        while let Some(next) = way.last().and_then(|last| above(*last)).and_then(|name| places.get(name.value.as_str()))
            && !done[*next]
        {
            if way.contains(next) {
                break;
            }
            way.push(*next);
        }
        for place in way.into_iter().rev().filter(|place| !done[*place]).collect::<Vec<_>>() {
            done[place] = true;
            let (Some(head), Some(source)) = (heads.get(place).and_then(Option::as_ref), sources.get_mut(place)) else {
                continue;
            };
            let extended = match &head.extends {
                None => Above::Nothing,
                Some(name) => match places.get(name.value.as_str()) {
                    None => {
                        let others = places.keys().copied().filter(|known| *known != head.name.value);
                        source.unknown(name, &format!("there is no policy `{}` to extend", name.value), others);
                        Above::Broken
                    }
                    Some(_) if is_cycle(place, &heads, &places) => {
                        let message = format!("`{}` extends itself by way of `{}`", head.name.value, name.value);
                        source.error(name, message, "take `extends` out of the one that the others build on");
                        Above::Broken
                    }
                    Some(parent) => loaded.get(*parent).and_then(Option::as_ref).map_or(Above::Broken, Above::Policy),
                },
            };
            loaded[place] = read::body(source, head, extended, config, scope);
        }
    }
    problems.extend(sources.into_iter().flat_map(|source| source.problems));
    loaded.into_iter().flatten().map(|loaded| (loaded.policy.name.clone(), loaded.policy)).collect()
}

/// Whether what a policy extends leads back to it.
fn is_cycle(start: usize, heads: &[Option<Head>], places: &BTreeMap<&str, usize>) -> bool {
    let mut place = start;
    for _ in heads {
        let extends = heads.get(place).and_then(Option::as_ref).and_then(|head| head.extends.as_ref());
        let Some(next) = extends.and_then(|name| places.get(name.value.as_str())) else { return false };
        if *next == start {
            return true;
        }
        place = *next;
    }
    false
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
