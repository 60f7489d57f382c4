//! Case files as they are written: `policies/tests/*.yaml`.
//!
//! ```yaml
//! config: targets.yaml            # targets, tenants and labels; relative to this file; default: --config
//! policy: eu-residency            # default: the tenant's
//! cases:
//!   - name: personal data stays in the EEA
//!     given: { tenant: acme, labels: { data-class: personal }, score: 0.2 }
//!     expect: { never: { location.countries: [US] } }
//! ```
//!
//! `labels` are set by the key, so they hold as they are; `client` holds what the client's header says, which can only
//! tighten.

use std::fs;
use std::path::{Path, PathBuf};

use crate::chat::{Role, Text};
use crate::config::Problem;
use crate::money::NanoUsd;
use crate::policy::node::{Node, Source, Value, did_you_mean, get, place};
use crate::policy::{Condition, Operation, RequestFacts, read_never};

/// One file of cases.
#[derive(Debug)]
pub(super) struct CaseFile {
    pub(super) path: PathBuf,
    pub(super) config: PathBuf,
    pub(super) cases: Vec<Case>,
}

/// One case.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) line: u32,
    pub(super) policy: Option<String>,
    pub(super) given: Given,
    pub(super) expect: Vec<Expect>,
}

/// The request and the state of the world.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) tenant: String,
    pub(super) team: String,
    pub(super) key: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) client: Vec<(String, String)>,
    pub(super) model: String,
    pub(super) texts: Vec<Text>,
    pub(super) max_tokens: Option<u64>,
    pub(super) n: u32,
    /// What rules may ask of the request, but for model and input tokens.
    pub(super) facts: RequestFacts<'static>,
    /// As stated; else it is estimated from the texts.
    pub(super) input_tokens: Option<u64>,
    pub(super) score: Option<f32>,
    pub(super) down: Vec<String>,
    pub(super) max_cost: Option<NanoUsd>,
}

/// What must come of it.
#[derive(Debug)]
pub(super) enum Expect {
    /// This target is tried first.
    Target(String),
    /// Nothing is tried, and these rules or ceilings are named.
    DeniedBy(Vec<String>),
    /// No allowed target has, or might have, any of these facts.
    Never(Vec<Condition>),
}

const GIVEN: [&str; 10] =
    ["tenant", "team", "key", "labels", "client", "request", "prompt", "score", "health", "max_cost_usd"];

/// What a request may say: what a chat body does, and what rules may ask of a request.
const REQUEST: [&str; 11] = [
    "model",
    "messages",
    "max_tokens",
    "n",
    "operation",
    "stream",
    "tools",
    "server_tools",
    "media",
    "unscanned",
    "input_tokens",
];

/// Reads every case file of a folder; files that another names as its `config` are none.
pub(super) fn read_all(folder: &Path, config: Option<&Path>) -> Result<Vec<CaseFile>, Vec<Problem>> {
    let mut paths: Vec<PathBuf> = match fs::read_dir(folder) {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
        Err(error) => {
            let remedy = "put cases such as default.yaml there";
            return Err(vec![Problem::of_file(folder, format!("cannot read the folder of cases: {error}"), remedy)]);
        }
    };
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();

    let mut files = Vec::new();
    let mut problems = Vec::new();
    let mut without_cases = Vec::new();
    for path in &paths {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                problems.push(Problem::of_file(path, format!("cannot be read: {error}"), "check its permissions"));
                continue;
            }
        };
        let mut source = Source::new(path, &text);
        if let Some(tree) = source.parse() {
            if matches!(&tree.value, Value::Map(entries) if get(entries, "cases").is_some()) {
                files.extend(read_file(&mut source, &tree, config));
            } else {
                without_cases.push(path.clone());
            }
        }
        problems.append(&mut source.problems);
    }
    for path in without_cases {
        if !files.iter().any(|file: &CaseFile| file.config == path) {
            problems.push(Problem::of_file(
                &path,
                "holds no cases".to_owned(),
                "add cases: [], or name it as another's config",
            ));
        }
    }
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}

fn read_file(source: &mut Source<'_>, tree: &Node, config: Option<&Path>) -> Option<CaseFile> {
    let path = source.file.to_owned();
    let entries = source.map(tree, "a case file", &["config", "policy", "cases"]);
    let beside = get(entries, "config").and_then(|node| source.text(node, "config"));
    let beside = beside.map(|name| path.parent().unwrap_or(Path::new("")).join(name));
    let policy = get(entries, "policy").and_then(|node| source.text(node, "policy")).map(str::to_owned);
    let mut cases = Vec::new();
    for item in source.list(get(entries, "cases")?, "cases") {
        cases.extend(read_case(source, item, policy.as_deref()));
    }
    let Some(config) = beside.or_else(|| config.map(Path::to_owned)) else {
        source.error(tree, "the cases have no targets", "add config: targets.yaml, or give --config FILE");
        return None;
    };
    Some(CaseFile { path, config, cases })
}

fn read_case(source: &mut Source<'_>, node: &Node, policy: Option<&str>) -> Option<Case> {
    let entries = source.map(node, "a case", &["name", "policy", "given", "expect"]);
    let name = match get(entries, "name") {
        Some(name) => source.text(name, "name")?.to_owned(),
        None => {
            source.error(node, "the case has no name", "add name: what it promises");
            return None;
        }
    };
    let own = get(entries, "policy").and_then(|node| source.text(node, "policy"));
    let given = read_given(source, get(entries, "given"))?;
    let expect = match get(entries, "expect") {
        Some(expect) => read_expect(source, expect),
        None => Vec::new(),
    };
    if expect.is_empty() {
        source.error(node, "the case expects nothing", "add expect: { target: … }, { denied_by: … } or { never: … }");
    }
    let policy = own.or(policy).map(str::to_owned);
    Some(Case { name, line: place(node).0, policy, given, expect })
}

fn read_given(source: &mut Source<'_>, node: Option<&Node>) -> Option<Given> {
    let mut given = Given {
        tenant: "default".to_owned(),
        team: String::new(),
        key: String::new(),
        labels: Vec::new(),
        client: Vec::new(),
        model: "auto".to_owned(),
        texts: Vec::new(),
        max_tokens: None,
        n: 1,
        facts: RequestFacts::BARE,
        input_tokens: None,
        score: None,
        down: Vec::new(),
        max_cost: None,
    };
    let Some(node) = node else { return Some(given) };
    for (key, value) in source.map(node, "given", &GIVEN) {
        match key.value.as_str() {
            "tenant" => given.tenant = source.text(value, "tenant")?.to_owned(),
            "team" => given.team = source.text(value, "team")?.to_owned(),
            "key" => given.key = source.text(value, "key")?.to_owned(),
            "labels" => given.labels = read_words(source, value, "labels"),
            "client" => given.client = read_words(source, value, "client"),
            "prompt" => {
                let text = source.text(value, "prompt")?.to_owned();
                given.texts.push(Text { role: Role::User, text });
            }
            "request" => read_request(source, value, &mut given),
            "score" => match value.value {
                #[expect(clippy::cast_possible_truncation, reason = "a share between 0 and 1")]
                Value::Number(score) if (0.0..=1.0).contains(&score) => given.score = Some(score as f32),
                _ => source.error(value, "score must lie between 0 and 1", "write score: 0.2"),
            },
            "health" => {
                for (target, state) in read_words(source, value, "health") {
                    match state.as_str() {
                        "down" => given.down.push(target),
                        "up" => {}
                        _ => source.error(value, format!("health cannot be `{state}`"), "write up or down"),
                    }
                }
            }
            "max_cost_usd" => {
                let text = match &value.value {
                    Value::Number(usd) => usd.to_string(),
                    Value::Text(text) => text.clone(),
                    _ => String::new(),
                };
                given.max_cost = text.parse().ok();
                if given.max_cost.is_none() {
                    source.error(value, "max_cost_usd must be US dollars", "write 0.05");
                }
            }
            _ => {}
        }
    }
    Some(given)
}

fn read_request(source: &mut Source<'_>, node: &Node, given: &mut Given) {
    for (key, value) in source.map(node, "request", &REQUEST) {
        match key.value.as_str() {
            "model" => given.model = source.text(value, "model").unwrap_or("auto").to_owned(),
            "messages" => {
                for message in source.list(value, "messages") {
                    let entries = source.map(message, "a message", &["role", "content"]);
                    let role = get(entries, "role").and_then(|role| source.text(role, "role"));
                    let role = match role {
                        Some("system" | "developer") => Role::System,
                        Some("assistant") => Role::Assistant,
                        Some("tool") => Role::Tool,
                        _ => Role::User,
                    };
                    let content = get(entries, "content").and_then(|content| source.text(content, "content"));
                    given.texts.extend(content.map(|content| Text { role, text: content.to_owned() }));
                }
            }
            "operation" => {
                let word = source.text(value, "operation").unwrap_or("chat");
                match Operation::ALL.into_iter().find(|operation| operation.as_str() == word) {
                    Some(operation) => given.facts.operation = operation,
                    None => {
                        let remedy = did_you_mean(word, Operation::ALL.iter().map(|operation| operation.as_str()));
                        source.error(value, format!("there is no operation `{word}`"), remedy);
                    }
                }
            }
            "stream" | "tools" | "server_tools" | "media" | "unscanned" => {
                let Value::Bool(yes) = value.value else {
                    source.error(value, format!("{} is true or false", key.value), "write true or false");
                    continue;
                };
                match key.value.as_str() {
                    "stream" => given.facts.stream = yes,
                    "tools" => given.facts.tools = yes,
                    "server_tools" => given.facts.server_tools = yes,
                    "media" => given.facts.media = yes,
                    _ => given.facts.unscanned = yes,
                }
            }
            "max_tokens" | "n" | "input_tokens" => match value.value {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the range checked")]
                Value::Number(number) if (1.0..=1e9).contains(&number) && number.fract() == 0.0 => {
                    match key.value.as_str() {
                        "n" => given.n = number as u32,
                        "max_tokens" => given.max_tokens = Some(number as u64),
                        _ => given.input_tokens = Some(number as u64),
                    }
                }
                _ => source.error(value, format!("{} must be a whole number", key.value), "write a number from 1"),
            },
            _ => {}
        }
    }
}

fn read_words(source: &mut Source<'_>, node: &Node, what: &str) -> Vec<(String, String)> {
    let Value::Map(entries) = &node.value else {
        source.error(node, format!("{what} must be a map"), format!("write {what}: {{ name: value }}"));
        return Vec::new();
    };
    let mut words = Vec::new();
    for (name, value) in entries {
        words.extend(source.text(value, &name.value).map(|text| (name.value.clone(), text.to_owned())));
    }
    words
}

fn read_expect(source: &mut Source<'_>, node: &Node) -> Vec<Expect> {
    let mut expect = Vec::new();
    let Value::Map(entries) = &node.value else {
        source.error(node, "expect must be a map", "write expect: { target: … }");
        return expect;
    };
    for (key, value) in entries {
        match key.value.as_str() {
            "target" => expect.extend(source.text(value, "target").map(|name| Expect::Target(name.to_owned()))),
            "denied_by" => {
                let items = match &value.value {
                    Value::List(items) => items.as_slice(),
                    _ => std::slice::from_ref(value),
                };
                let names = items.iter().filter_map(|item| source.text(item, "a rule").map(str::to_owned)).collect();
                expect.push(Expect::DeniedBy(names));
            }
            "never" => expect.push(Expect::Never(read_never(source, value))),
            other => {
                let remedy = did_you_mean(other, ["target", "denied_by", "never"].into_iter());
                source.error(key, format!("nothing can be expected of `{other}`"), remedy);
            }
        }
    }
    expect
}
