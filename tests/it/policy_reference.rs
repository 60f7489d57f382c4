//! The rules against a slow second opinion: an evaluator written from the contract's words alone, on random policies,
//! targets, requests and labels. It shares no code with the gateway, nor the load-time tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use waypost::config;
use waypost::id::TargetId;
use waypost::policy::{
    Circumstances, LabelSources, MaySet, Operation, Policies, Raise, RequestFacts, SetBy, constrain,
    labels as rule_labels,
};

const WORLDS: usize = 400;
const REQUESTS: usize = 250;

const COUNTRIES: [&str; 7] = ["FR", "DE", "IS", "US", "CN", "GB", "JP"];
/// Of those, by the treaties themselves.
const EEA: [&str; 3] = ["FR", "DE", "IS"];
const G7: [&str; 5] = ["FR", "DE", "US", "GB", "JP"];
const CLASSES: [&str; 4] = ["public", "internal", "personal", "secret"];
const PURPOSES: [&str; 3] = ["support", "dev", "batch"];
const TIERS: [&str; 3] = ["weak", "mid", "strong"];
const TENANTS: [(&str, &str); 4] = [("t-eu", "eu"), ("t-us", "us"), ("t-none", ""), ("default", "")];
const TEAMS: [&str; 3] = ["", "red", "blue"];
const KEYS: [&str; 3] = ["", "k1", "k2"];
const MODELS: [&str; 4] = ["auto", "m0", "m1", "p0/m0"];
const CAPABILITIES: [&str; 4] = ["tools", "images", "json_schema", "server_tools"];
const POLICIES: [&str; 3] = ["base", "child", "grandchild"];

/// What a target states. Absent: it states nothing of the kind.
#[derive(Clone, Debug, Default)]
struct Stated {
    sets: BTreeMap<&'static str, BTreeSet<String>>,
    numbers: BTreeMap<&'static str, f64>,
    flags: BTreeMap<&'static str, bool>,
}

#[derive(Clone, Debug)]
enum Wanted {
    /// Members as written, among which may be names of sets.
    Members {
        not: bool,
        written: Vec<&'static str>,
    },
    One(&'static str),
    Number {
        least: Option<bool>,
        bound: f64,
    },
    Flag(bool),
}

#[derive(Clone, Debug)]
struct Condition {
    fact: &'static str,
    wanted: Wanted,
}

#[derive(Clone, Debug)]
struct Rule {
    name: String,
    when: Option<Tree>,
    forbid: bool,
    conditions: Vec<Condition>,
}

/// A `when` as a tree.
#[derive(Clone, Debug)]
enum Tree {
    Class(Vec<usize>),
    Purpose(usize),
    Region(&'static str),
    Tenant(&'static str),
    Team(&'static str),
    Key(&'static str),
    Operation(&'static str),
    Flag(&'static str),
    Model(&'static str),
    ModelBegins(&'static str),
    Tokens {
        more: bool,
        bound: u64,
    },
    /// Division by zero where no purpose is set, else true.
    Fails,
    Not(Box<Tree>),
    And(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
}

/// A request as the second opinion sees it.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    tenant: usize,
    team: &'static str,
    key: &'static str,
    class: String,
    purpose: String,
    operation: Operation,
    model: &'static str,
    flags: BTreeMap<&'static str, bool>,
    tokens: u64,
}

const FLAGS: [&str; 5] = ["stream", "tools", "server_tools", "media", "unscanned"];

impl Tree {
    fn random(random: &mut StdRng, depth: usize) -> Tree {
        if depth > 0 && random.random_bool(0.5) {
            let left = Box::new(Tree::random(random, depth - 1));
            return match random.random_range(0..3) {
                0 => Tree::Not(left),
                1 => Tree::And(left, Box::new(Tree::random(random, depth - 1))),
                _ => Tree::Or(left, Box::new(Tree::random(random, depth - 1))),
            };
        }
        match random.random_range(0..13) {
            0 | 1 => {
                let mut classes: Vec<usize> = (0..CLASSES.len()).filter(|_| random.random_bool(0.4)).collect();
                if classes.is_empty() {
                    classes.push(random.random_range(0..CLASSES.len()));
                }
                Tree::Class(classes)
            }
            2 => Tree::Purpose(random.random_range(0..PURPOSES.len())),
            3 => Tree::Region(["eu", "us"].choose(random).unwrap()),
            4 => Tree::Tenant(TENANTS.choose(random).unwrap().0),
            5 => Tree::Team(["red", "blue"].choose(random).unwrap()),
            6 => Tree::Key(["k1", "k2"].choose(random).unwrap()),
            7 => Tree::Operation(Operation::ALL.choose(random).unwrap().as_str()),
            8 => Tree::Flag(FLAGS.choose(random).unwrap()),
            9 => Tree::Model(["m0", "m1", "auto"].choose(random).unwrap()),
            10 => Tree::ModelBegins(["m", "p0/", "a"].choose(random).unwrap()),
            11 => Tree::Tokens { more: random.random_bool(0.7), bound: *[1, 100, 5000].choose(random).unwrap() },
            _ => Tree::Fails,
        }
    }

    fn cel(&self) -> String {
        match self {
            Tree::Class(classes) if classes.len() == 1 => {
                format!("labels['data-class'] == '{}'", CLASSES[classes[0]])
            }
            Tree::Class(classes) => {
                let names: Vec<String> = classes.iter().map(|class| format!("'{}'", CLASSES[*class])).collect();
                format!("labels['data-class'] in [{}]", names.join(", "))
            }
            Tree::Purpose(purpose) => format!("labels.purpose == '{}'", PURPOSES[*purpose]),
            Tree::Region(region) => format!("tenant.region == '{region}'"),
            Tree::Tenant(name) => format!("tenant.name == '{name}'"),
            Tree::Team(team) => format!("tenant.team == '{team}'"),
            Tree::Key(key) => format!("key.id == '{key}'"),
            Tree::Operation(operation) => format!("request.operation == '{operation}'"),
            Tree::Flag(flag) => format!("request.{flag}"),
            Tree::Model(model) => format!("request.model == '{model}'"),
            Tree::ModelBegins(beginning) => format!("request.model.startsWith('{beginning}')"),
            Tree::Tokens { more: true, bound } => format!("request.input_tokens > {bound}"),
            Tree::Tokens { more: false, bound } => format!("request.input_tokens <= {bound}"),
            Tree::Fails => "size(labels.purpose) / size(labels.purpose) == 1".to_owned(),
            Tree::Not(inner) => format!("!({})", inner.cel()),
            Tree::And(left, right) => format!("({}) && ({})", left.cel(), right.cel()),
            Tree::Or(left, right) => format!("({}) || ({})", left.cel(), right.cel()),
        }
    }

    /// CEL's own logic: an error is absorbed by `false && _` and `true || _`, from either side.
    fn judge(&self, asked: &Asked) -> Option<bool> {
        Some(match self {
            Tree::Class(classes) => classes.iter().any(|class| asked.class == CLASSES[*class]),
            Tree::Purpose(purpose) => asked.purpose == PURPOSES[*purpose],
            Tree::Region(region) => TENANTS[asked.tenant].1 == *region,
            Tree::Tenant(name) => TENANTS[asked.tenant].0 == *name,
            Tree::Team(team) => asked.team == *team,
            Tree::Key(key) => asked.key == *key,
            Tree::Operation(operation) => asked.operation.as_str() == *operation,
            Tree::Flag(flag) => asked.flags[flag],
            Tree::Model(model) => asked.model == *model,
            Tree::ModelBegins(beginning) => asked.model.starts_with(beginning),
            Tree::Tokens { more, bound } => (asked.tokens > *bound) == *more,
            Tree::Fails => return (!asked.purpose.is_empty()).then_some(true),
            Tree::Not(inner) => !inner.judge(asked)?,
            Tree::And(left, right) => match (left.judge(asked), right.judge(asked)) {
                (Some(false), _) | (_, Some(false)) => false,
                (Some(true), Some(true)) => true,
                _ => return None,
            },
            Tree::Or(left, right) => match (left.judge(asked), right.judge(asked)) {
                (Some(true), _) | (_, Some(true)) => true,
                (Some(false), Some(false)) => false,
                _ => return None,
            },
        })
    }
}

impl Asked {
    /// The request without some of its choices: one request for each subset of them.
    fn with_fewer_choices(&self) -> Vec<Asked> {
        let mut all = vec![self.clone()];
        let undo: [&dyn Fn(&mut Asked); 7] = [
            &|asked| asked.model = "auto",
            &|asked| asked.tokens = 0,
            &|asked| *asked.flags.get_mut("stream").unwrap() = false,
            &|asked| *asked.flags.get_mut("tools").unwrap() = false,
            &|asked| *asked.flags.get_mut("server_tools").unwrap() = false,
            &|asked| *asked.flags.get_mut("media").unwrap() = false,
            &|asked| *asked.flags.get_mut("unscanned").unwrap() = false,
        ];
        for undo in undo {
            let mut undone = self.clone();
            undo(&mut undone);
            // What was not chosen cannot be undone.
            if undone != *self {
                for mut fewer in all.clone() {
                    undo(&mut fewer);
                    all.push(fewer);
                }
            }
        }
        all
    }
}

impl Condition {
    fn random(random: &mut StdRng) -> Condition {
        let (fact, wanted) = match random.random_range(0..10) {
            0..3 => {
                let fact =
                    *["location.countries", "operator.jurisdictions", "provenance.country"].choose(random).unwrap();
                let mut written: Vec<&str> = COUNTRIES.into_iter().filter(|_| random.random_bool(0.4)).collect();
                if written.is_empty() || random.random_bool(0.4) {
                    written.push(["EEA", "G7", "ours"].choose(random).unwrap());
                }
                if random.random_bool(0.15) {
                    (fact, Wanted::One(COUNTRIES.choose(random).unwrap()))
                } else {
                    (fact, Wanted::Members { not: random.random_bool(0.4), written })
                }
            }
            3 => {
                let written: Vec<&str> = CAPABILITIES.into_iter().filter(|_| random.random_bool(0.6)).collect();
                let written = if written.is_empty() { vec!["tools"] } else { written };
                ("supports", Wanted::Members { not: random.random_bool(0.5), written })
            }
            4 => ("operator.name", Wanted::One(["op-a", "op-b", "self"].choose(random).unwrap())),
            5 => {
                ("data.retention", Wanted::Number { least: least(random), bound: f64::from(random.random_range(0..4)) })
            }
            6 => ("price.input", Wanted::Number { least: least(random), bound: f64::from(random.random_range(0..4)) }),
            7 => {
                let bound = f64::from(random.random_range(1..4)) * 1000.0;
                ("model.context", Wanted::Number { least: least(random), bound })
            }
            8 => {
                let fact = *["data.trains", "data.dpa", "provenance.open_weights"].choose(random).unwrap();
                (fact, Wanted::Flag(random.random_bool(0.5)))
            }
            _ => (
                "provenance.licence",
                Wanted::Members {
                    not: random.random_bool(0.4),
                    written: vec![["MIT", "Apache-2.0"].choose(random).unwrap()],
                },
            ),
        };
        Condition { fact, wanted }
    }

    fn yaml(&self) -> String {
        let unit = if self.fact == "data.retention" { "d" } else { "" };
        let test = match &self.wanted {
            Wanted::Members { not, written } => {
                format!("{}: [{}]", if *not { "not_in" } else { "in" }, written.join(", "))
            }
            Wanted::One(member) => format!("equals: {member}"),
            Wanted::Number { least, bound } => {
                let operator = match least {
                    None => "equals",
                    Some(true) => "at_least",
                    Some(false) => "at_most",
                };
                format!("{operator}: {bound}{unit}")
            }
            Wanted::Flag(flag) => format!("equals: {flag}"),
        };
        format!("{}: {{ {test} }}", self.fact)
    }

    /// For each member of the fact whether it is as wanted; empty where nothing is stated.
    fn members(&self, stated: &Stated) -> Vec<bool> {
        match &self.wanted {
            Wanted::Members { not, written } => {
                let set: BTreeSet<&str> = written.iter().flat_map(|&word| meaning(word)).collect();
                let members = stated.sets.get(self.fact).into_iter().flatten();
                members.map(|member| set.contains(member.as_str()) != *not).collect()
            }
            Wanted::One(wanted) => {
                let members = stated.sets.get(self.fact).into_iter().flatten();
                members.map(|member| member == wanted).collect()
            }
            Wanted::Number { least, bound } => {
                let judge = |number: f64| match least {
                    None => (number - bound).abs() < 1e-9,
                    Some(true) => number >= *bound,
                    Some(false) => number <= *bound,
                };
                stated.numbers.get(self.fact).map(|number| judge(*number)).into_iter().collect()
            }
            Wanted::Flag(flag) => stated.flags.get(self.fact).map(|said| said == flag).into_iter().collect(),
        }
    }
}

/// `at_least`, `at_most`, or neither: `equals`.
fn least(random: &mut StdRng) -> Option<bool> {
    *[None, Some(true), Some(false), Some(false)].choose(random).unwrap()
}

fn meaning(word: &'static str) -> Vec<&'static str> {
    match word {
        "EEA" => EEA.to_vec(),
        "G7" => G7.to_vec(),
        "ours" => vec!["FR", "GB"],
        member => vec![member],
    }
}

impl Rule {
    fn random(random: &mut StdRng, name: String) -> Rule {
        let mut conditions: Vec<Condition> = Vec::new();
        for _ in 0..random.random_range(1..=2) {
            let condition = Condition::random(random);
            if !conditions.iter().any(|other| other.fact == condition.fact) {
                conditions.push(condition);
            }
        }
        let when = random.random_bool(0.8).then(|| Tree::random(random, 3));
        Rule { name, when, forbid: random.random_bool(0.4), conditions }
    }

    fn lets_pass(&self, stated: &Stated) -> bool {
        let members: Vec<Vec<bool>> = self.conditions.iter().map(|condition| condition.members(stated)).collect();
        // "A fact that a rule names and a target does not state excludes the target", whatever the other facts are.
        if members.iter().any(Vec::is_empty) {
            return false;
        }
        if self.forbid {
            !members.iter().all(|members| members.contains(&true))
        } else {
            members.iter().all(|members| !members.contains(&false))
        }
    }

    /// `seen`: the labels with what the client said and without, with what was found and without.
    fn applies(&self, seen: &[Asked; 4]) -> bool {
        let Some(when) = &self.when else { return true };
        seen.iter()
            .flat_map(Asked::with_fewer_choices)
            // What fails applies.
            .any(|asked| when.judge(&asked).unwrap_or(true))
    }
}

/// Targets, tenants and policies.
struct World {
    config: String,
    policies: Vec<(String, Vec<Rule>)>,
    targets: Vec<Stated>,
}

impl World {
    fn random(random: &mut StdRng) -> World {
        let mut providers = String::new();
        let mut models = String::new();
        let mut targets = Vec::new();
        for place in 0..random.random_range(4..=12) {
            let (provider, model, stated) = target(random, place);
            providers += &provider;
            models += &model;
            targets.push(stated);
        }
        // The tenant `default` is always there and would look for a policy of that name.
        let tenants: String = TENANTS
            .iter()
            .map(|(name, region)| {
                let region = if region.is_empty() { String::new() } else { format!(", region: {region}") };
                format!("  - {{ name: {name}, policy: base{region} }}\n")
            })
            .collect();
        let keys: String = [("k1", "red", "1"), ("k2", "blue", "2")]
            .iter()
            .map(|(id, team, digit)| {
                let hash = digit.repeat(64);
                format!("    - {{ id: {id}, hash: \"hmac-sha256:{hash}\", tenant: t-eu, team: {team} }}\n")
            })
            .collect();
        let config = format!(
            "classifier: {{ model: off }}\nauth:\n  keys:\n{keys}tenants:\n{tenants}labels:\n  data-class: {{ order: [{}], \
             default: internal }}\n  purpose: {{ values: [{}] }}\nproviders:\n{providers}models:\n{models}",
            CLASSES.join(", "),
            PURPOSES.join(", ")
        );
        let mut policies = Vec::new();
        let mut number = 0;
        for (place, name) in POLICIES.iter().enumerate() {
            let mut text = format!("policy: {name}\n");
            if let Some(parent) = place.checked_sub(1).and_then(|parent| POLICIES.get(parent)) {
                writeln!(text, "extends: {parent}").unwrap();
            } else {
                text += "sets: { ours: [FR, GB] }\nobjective: { minimise: cost }\n";
            }
            let mut rules = Vec::new();
            for _ in 0..random.random_range(0..=2) {
                rules.push(Rule::random(random, format!("r{number}")));
                number += 1;
            }
            if !rules.is_empty() {
                text += "rules:\n";
            }
            for rule in &rules {
                writeln!(text, "  - name: {}", rule.name).unwrap();
                if let Some(when) = &rule.when {
                    writeln!(text, "    when: \"{}\"", when.cel()).unwrap();
                }
                writeln!(text, "    {}:", if rule.forbid { "forbid" } else { "require" }).unwrap();
                for condition in &rule.conditions {
                    writeln!(text, "      {}", condition.yaml()).unwrap();
                }
            }
            policies.push((text, rules));
        }
        World { config, policies, targets }
    }

    /// The rules of a policy and of all it extends.
    fn rules(&self, policy: usize) -> impl Iterator<Item = &Rule> {
        self.policies[..=policy].iter().flat_map(|(_, rules)| rules)
    }
}

/// A provider and its one model: as YAML, and what they state.
fn target(random: &mut StdRng, place: usize) -> (String, String, Stated) {
    let mut stated = Stated::default();
    let mut provider = format!(
        "  - name: p{place}\n    kind: openai-compatible\n    endpoints: [\"http://127.0.0.1:{}\"]\n",
        9000 + place
    );
    let mut model = format!(
        "  - name: m{place}\n    provider: p{place}\n    upstream: nobodys-{place}\n    tier: {}\n",
        TIERS[place % 3]
    );
    let countries = |random: &mut StdRng| -> BTreeSet<String> {
        let count = if random.random_bool(0.6) { 1 } else { 2 };
        COUNTRIES.sample(random, count).map(|&country| country.to_owned()).collect()
    };
    let join = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(", ");
    if random.random_bool(0.92) {
        let set = countries(random);
        writeln!(provider, "    location: {{ countries: [{}] }}", join(&set)).unwrap();
        stated.sets.insert("location.countries", set);
    }
    if random.random_bool(0.92) {
        let (name, set) = (*["op-a", "op-b", "self"].choose(random).unwrap(), countries(random));
        writeln!(provider, "    operator: {{ name: {name}, jurisdictions: [{}] }}", join(&set)).unwrap();
        stated.sets.insert("operator.name", BTreeSet::from([name.to_owned()]));
        stated.sets.insert("operator.jurisdictions", set);
    }
    let mut data = Vec::new();
    if random.random_bool(0.92) {
        let days = random.random_range(0..4);
        data.push(format!("retention: {days}d"));
        stated.numbers.insert("data.retention", f64::from(days));
    }
    for (fact, key) in [("data.trains", "trains"), ("data.dpa", "dpa")] {
        if random.random_bool(0.9) {
            let flag = random.random_bool(0.5);
            data.push(format!("{key}: {flag}"));
            stated.flags.insert(fact, flag);
        }
    }
    writeln!(provider, "    data: {{ {} }}", data.join(", ")).unwrap();
    let mut provenance = Vec::new();
    if random.random_bool(0.9) {
        let country = *COUNTRIES.choose(random).unwrap();
        provenance.push(format!("country: {country}"));
        stated.sets.insert("provenance.country", BTreeSet::from([country.to_owned()]));
    }
    if random.random_bool(0.9) {
        let licence = *["MIT", "Apache-2.0", "proprietary"].choose(random).unwrap();
        provenance.push(format!("licence: {licence}"));
        stated.sets.insert("provenance.licence", BTreeSet::from([licence.to_owned()]));
    }
    if random.random_bool(0.9) {
        let open = random.random_bool(0.5);
        provenance.push(format!("open_weights: {open}"));
        stated.flags.insert("provenance.open_weights", open);
    }
    writeln!(model, "    provenance: {{ {} }}", provenance.join(", ")).unwrap();
    if random.random_bool(0.92) {
        let input = random.random_range(0..4);
        writeln!(model, "    price: {{ input: {input}, output: 5 }}").unwrap();
        stated.numbers.insert("price.input", f64::from(input));
    }
    if random.random_bool(0.9) {
        let context = random.random_range(1..4) * 1000;
        writeln!(model, "    context: {context}").unwrap();
        stated.numbers.insert("model.context", f64::from(context));
    }
    if random.random_bool(0.9) {
        let set: BTreeSet<String> =
            CAPABILITIES.into_iter().filter(|_| random.random_bool(0.6)).map(str::to_owned).collect();
        if !set.is_empty() {
            writeln!(model, "    supports: [{}]", join(&set)).unwrap();
            stated.sets.insert("supports", set);
        }
    }
    (provider, model, stated)
}

/// A value for a label, or none.
fn maybe(random: &mut StdRng, values: &[&'static str], likely: f64) -> Option<&'static str> {
    random.random_bool(likely).then(|| *values.choose(random).unwrap())
}

/// The highest of what the operator, a find and the client say. Where nobody said anything it is the default, which a
/// find can only raise and the client's word replaces.
fn class(own: &[Option<&'static str>], found: Option<&'static str>, client: Option<&'static str>) -> String {
    let rank = |class: &&str| CLASSES.iter().position(|known| known == class);
    let mut class = own.iter().flatten().copied().max_by_key(rank);
    if let Some(found) = found.filter(|found| rank(found) >= rank(&class.unwrap_or("internal"))) {
        class = Some(found);
    }
    class.into_iter().chain(client).max_by_key(rank).unwrap_or("internal").to_owned()
}

/// What was said last.
fn purpose(said: &[Option<&'static str>]) -> String {
    said.iter().rev().flatten().next().copied().unwrap_or_default().to_owned()
}

fn one_label(name: &str, value: Option<&str>, other: &str, second: Option<&str>) -> BTreeMap<String, String> {
    let pairs = [(name, value), (other, second)];
    pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect()
}

#[test]
fn a_hundred_thousand_random_cases_come_out_as_a_slow_second_opinion_says() {
    let seed = std::env::var("WAYPOST_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("WAYPOST_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut between = 0;
    for world in 0..WORLDS {
        let world_seed = format!("seed {seed}, world {world}");
        let world = World::random(&mut random);
        for (name, (text, _)) in POLICIES.iter().zip(&world.policies) {
            std::fs::write(folder.path().join(format!("{name}.yaml")), text).unwrap();
        }
        let loaded = config::load_made("reference.yaml".as_ref(), &world.config)
            .unwrap_or_else(|problems| panic!("{world_seed}: {problems:#?}\n{}", world.config));
        let config = loaded.config;
        let (policies, _) = Policies::load(Some(folder.path()), &config)
            .unwrap_or_else(|problems| panic!("{world_seed}: {problems:#?}"));
        for number in 0..REQUESTS {
            let place = format!("{world_seed}, request {number}");
            between += usize::from(one_case(&mut random, &world, &config, &policies, &place));
        }
    }
    let share = between as f64 / (WORLDS * REQUESTS) as f64;
    println!("{:.0} % of the masks neither empty nor full", share * 100.0);
    assert!(share >= 0.3, "only {:.1} % of the masks say anything", share * 100.0);
}

/// Compares one request's masks under every policy; whether the last was neither empty nor full.
fn one_case(random: &mut StdRng, world: &World, config: &config::Config, policies: &Policies, place: &str) -> bool {
    let tenant = random.random_range(0..TENANTS.len());
    let classes: Vec<Option<&str>> = [0.2, 0.3, 0.2, 0.4].map(|likely| maybe(random, &CLASSES, likely)).to_vec();
    let purposes: Vec<Option<&str>> = [0.2, 0.3, 0.2, 0.4].map(|likely| maybe(random, &PURPOSES, likely)).to_vec();
    let bare = |random: &mut StdRng| random.random_bool(0.4);
    let with = Asked {
        tenant,
        team: TEAMS.choose(random).unwrap(),
        key: KEYS.choose(random).unwrap(),
        class: class(&classes[..3], None, classes[3]),
        purpose: purpose(&purposes),
        operation: *Operation::ALL.choose(random).unwrap(),
        model: MODELS.choose(random).unwrap(),
        flags: FLAGS.iter().map(|&flag| (flag, bare(random))).collect(),
        tokens: *[0, 1, 2, 100, 101, 5000, 90_000].choose(random).unwrap(),
    };
    let found = maybe(random, &CLASSES, 0.3);
    let seen = |said: bool, found: Option<&'static str>| Asked {
        class: class(&classes[..3], found, classes[3].filter(|_| said)),
        purpose: purpose(&purposes[..if said { 4 } else { 3 }]),
        ..with.clone()
    };
    let seen = [seen(true, found), seen(true, None), seen(false, found), seen(false, None)];
    let by = SetBy::Detected("detected:iban");
    let raised: Vec<Raise<'_>> = found.map(|value| Raise { name: "data-class", value, by }).into_iter().collect();

    let said = |place: usize| one_label("data-class", classes[place], "purpose", purposes[place]);
    let client: Vec<(String, String)> = said(3).into_iter().collect();
    let (floor, key, claim) = (said(0), said(1), said(2));
    let sources = LabelSources {
        floor: &floor,
        key: &key,
        claim: &claim,
        raised: &raised,
        client: &client,
        may_set: MaySet::All,
    };
    let labels = rule_labels::resolve(policies.labels(), &sources).unwrap();
    let circumstances = Circumstances {
        tenant: &config.tenants[TENANTS[tenant].0],
        team: with.team,
        key: with.key,
        labels: &labels,
        request: RequestFacts {
            operation: with.operation,
            model: with.model,
            stream: with.flags["stream"],
            tools: with.flags["tools"],
            server_tools: with.flags["server_tools"],
            media: with.flags["media"],
            unscanned: with.flags["unscanned"],
            input_tokens: with.tokens,
        },
    };
    let considered: Vec<TargetId> =
        config.targets.iter().map(|target| target.id).filter(|_| random.random_bool(0.9)).collect();

    let mut wider: Option<BTreeSet<usize>> = None;
    for (policy, name) in POLICIES.iter().enumerate() {
        let allowed = constrain(policies.get(name).unwrap(), &circumstances, &considered);
        let found: BTreeSet<usize> = allowed.permitted().map(TargetId::index).collect();
        let applying: Vec<&Rule> = world.rules(policy).filter(|rule| rule.applies(&seen)).collect();
        let expected: BTreeSet<usize> = considered
            .iter()
            .map(|id| id.index())
            .filter(|&target| applying.iter().all(|rule| rule.lets_pass(&world.targets[target])))
            .collect();
        assert_eq!(
            found,
            expected,
            "{place}, policy {name}: {with:?}\nlabels {:?}\n{}",
            said(3),
            world.policies[policy].0
        );
        for id in config.targets.iter().map(|target| target.id) {
            // The first of the applying rules that does not let it pass.
            let remover = applying.iter().find(|rule| !rule.lets_pass(&world.targets[id.index()]));
            let remover = remover.filter(|_| considered.contains(&id)).map(|rule| rule.name.as_str());
            assert_eq!(
                allowed.why_removed(id).map(|removal| removal.rule).as_ref().map(|rule| rule.as_str()),
                remover,
                "{place}, policy {name}"
            );
        }
        assert!(wider.is_none_or(|wider| found.is_subset(&wider)), "{place}: {name} is wider than its parent");
        wider = Some(found);
    }
    let last = wider.unwrap_or_default().len();
    last > 0 && last < considered.len()
}
