//! What must hold for every policy: against a naive evaluator, and that nothing ever loosens.

use proptest::prelude::*;

use super::fixture::{Described, config, labelled, set, target};
use super::*;
use crate::config::{Config, Fact, FactName, Facts, Tier};
use crate::id::TargetId;

const NAMES: [&str; 8] = ["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"];
const CLASSES: [&str; 4] = ["public", "internal", "personal", "secret"];
const PURPOSES: [&str; 3] = ["support", "dev", "batch"];

/// `when` as a tree that the test judges by itself.
#[derive(Clone, Debug)]
enum Tree {
    Class(usize),
    Purpose(usize),
    Region(&'static str),
    /// Division by zero where no purpose is set, else true.
    Fails,
    Not(Box<Tree>),
    And(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
}

impl Tree {
    fn cel(&self) -> String {
        match self {
            Self::Class(class) => format!("labels['data-class'] == '{}'", CLASSES[*class]),
            Self::Purpose(purpose) => format!("labels.purpose == '{}'", PURPOSES[*purpose]),
            Self::Region(region) => format!("tenant.region == '{region}'"),
            Self::Fails => "size(labels.purpose) / size(labels.purpose) == 1".to_owned(),
            Self::Not(inner) => format!("!({})", inner.cel()),
            Self::And(left, right) => format!("({}) && ({})", left.cel(), right.cel()),
            Self::Or(left, right) => format!("({}) || ({})", left.cel(), right.cel()),
        }
    }

    /// CEL's own logic: an error is absorbed by `false && _` and `true || _`, from either side.
    fn judge(&self, class: &str, purpose: &str, region: &str) -> Option<bool> {
        let both =
            |left: &Self, right: &Self| (left.judge(class, purpose, region), right.judge(class, purpose, region));
        match self {
            Self::Class(wanted) => Some(class == CLASSES[*wanted]),
            Self::Purpose(wanted) => Some(purpose == PURPOSES[*wanted]),
            Self::Region(wanted) => Some(region == *wanted),
            Self::Fails => (!purpose.is_empty()).then_some(true),
            Self::Not(inner) => inner.judge(class, purpose, region).map(|value| !value),
            Self::And(left, right) => match both(left, right) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(left, right) => match both(left, right) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        }
    }
}

#[derive(Clone, Debug)]
enum Wanted {
    Countries { not: bool, set: Vec<&'static str> },
    Retention { least: bool, days: u32 },
    Trains(bool),
}

#[derive(Clone, Debug)]
struct Written {
    when: Option<Tree>,
    forbid: bool,
    wanted: Vec<Wanted>,
}

impl Written {
    fn yaml(&self, index: usize) -> String {
        let when = self.when.as_ref().map_or_else(String::new, |when| format!("    when: \"{}\"\n", when.cel()));
        let verb = if self.forbid { "forbid" } else { "require" };
        let mut yaml = format!("  - name: r{index}\n{when}    {verb}:\n");
        for wanted in &self.wanted {
            yaml += &match wanted {
                Wanted::Countries { not, set } => {
                    format!(
                        "      location.countries: {{ {}: [{}] }}\n",
                        if *not { "not_in" } else { "in" },
                        set.join(", ")
                    )
                }
                Wanted::Retention { least, days } => {
                    format!("      data.retention: {{ {}: {days}d }}\n", if *least { "at_least" } else { "at_most" })
                }
                Wanted::Trains(value) => format!("      data.trains: {{ equals: {value} }}\n"),
            };
        }
        yaml
    }

    /// The contract's words, as plainly as they can be put.
    fn lets_pass(&self, facts: &Facts) -> bool {
        let mut any_unstated = false;
        let mut all_of_every = true;
        let mut any_of_every = true;
        for wanted in &self.wanted {
            let verdicts: Vec<bool> = match wanted {
                Wanted::Countries { not, set } => match facts.get(FactName::LocationCountries) {
                    Some(Fact::Set(members)) => {
                        members.iter().map(|member| set.contains(&member.as_str()) != *not).collect()
                    }
                    _ => vec![],
                },
                Wanted::Retention { least, days } => match facts.get(FactName::DataRetention) {
                    Some(Fact::Number(seconds)) => {
                        let bound = f64::from(*days) * 86_400.0;
                        vec![if *least { *seconds >= bound } else { *seconds <= bound }]
                    }
                    _ => vec![],
                },
                Wanted::Trains(value) => match facts.get(FactName::DataTrains) {
                    Some(Fact::Bool(stated)) => vec![stated == value],
                    _ => vec![],
                },
            };
            any_unstated |= verdicts.is_empty();
            all_of_every &= verdicts.iter().all(|verdict| *verdict);
            any_of_every &= verdicts.iter().any(|verdict| *verdict);
        }
        !any_unstated && if self.forbid { !any_of_every } else { all_of_every }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        3 => (0..4_usize).prop_map(Tree::Class),
        3 => (0..3_usize).prop_map(Tree::Purpose),
        2 => prop_oneof![Just("eu"), Just("us")].prop_map(Tree::Region),
        1 => Just(Tree::Fails),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|tree| Tree::Not(Box::new(tree))),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| Tree::And(Box::new(left), Box::new(right))),
            (inner.clone(), inner).prop_map(|(left, right)| Tree::Or(Box::new(left), Box::new(right))),
        ]
    })
}

fn countries() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(vec!["FR", "DE", "US", "CN"], 1..=3)
}

fn rule() -> impl Strategy<Value = Written> {
    let countries = (any::<bool>(), countries()).prop_map(|(not, set)| Wanted::Countries { not, set });
    let retention = (any::<bool>(), 0..3_u32).prop_map(|(least, days)| Wanted::Retention { least, days });
    let wanted = (prop::option::of(countries), prop::option::of(retention), prop::option::of(any::<bool>()))
        .prop_map(|(a, b, c)| a.into_iter().chain(b).chain(c.map(Wanted::Trains)).collect::<Vec<_>>())
        .prop_filter("a rule names a fact", |wanted| !wanted.is_empty());
    (prop::option::weighted(0.7, tree()), any::<bool>(), wanted).prop_map(|(when, forbid, wanted)| Written {
        when,
        forbid,
        wanted,
    })
}

/// Countries, retention in days, training: each may be unstated.
type Stated = (Option<Vec<&'static str>>, Option<u32>, Option<bool>);

fn stated() -> impl Strategy<Value = Stated> {
    (
        prop::option::weighted(0.85, countries()),
        prop::option::weighted(0.85, 0..3_u32),
        prop::option::weighted(0.85, any::<bool>()),
    )
}

fn described(index: usize, (countries, days, trains): &Stated) -> Described {
    let mut described = target(NAMES[index], Tier::Mid);
    if let Some(countries) = countries {
        described = described.fact(FactName::LocationCountries, set(countries));
    }
    if let Some(days) = days {
        described = described.retention(*days);
    }
    if let Some(trains) = trains {
        described = described.fact(FactName::DataTrains, Fact::Bool(*trains));
    }
    described
}

fn build(targets: &[Stated]) -> Config {
    config(targets.iter().enumerate().map(|(index, stated)| described(index, stated)).collect())
}

fn load(rules: &[Written], config: &Config) -> Arc<Policy> {
    let rules: String = rules.iter().enumerate().map(|(index, rule)| rule.yaml(index)).collect();
    let text = format!("policy: p\nrules:\n{rules}objective: {{ minimise: cost }}\n");
    let text = text.replace("rules:\nobjective", "objective");
    Policies::from_text(&text, config).unwrap_or_else(|problems| panic!("{text}\n{problems:?}")).0
}

type Said = (Option<usize>, Option<usize>);

fn said((class, purpose): &Said) -> Vec<(&'static str, &'static str)> {
    let class = class.map(|class| ("data-class", CLASSES[class]));
    let purpose = purpose.map(|purpose| ("purpose", PURPOSES[purpose]));
    class.into_iter().chain(purpose).collect()
}

fn saying() -> impl Strategy<Value = Said> {
    (prop::option::of(0..4_usize), prop::option::of(0..3_usize))
}

fn allowed(policy: &Arc<Policy>, config: &Config, tenant: &str, key: &Said, client: &Said) -> Vec<TargetId> {
    let labels = labelled(policy, &said(key), &said(client));
    let all: Vec<TargetId> = config.targets.iter().map(|target| target.id).collect();
    constrain(policy, &config.tenants[tenant], &labels, &all).permitted().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn constrain_agrees_with_a_naive_evaluator(
        rules in prop::collection::vec(rule(), 0..5),
        targets in prop::collection::vec(stated(), 1..8),
        key in saying(),
        client in saying(),
        tenant in prop_oneof![Just("default"), Just("acme"), Just("globex")],
    ) {
        let config = build(&targets);
        let policy = load(&rules, &config);
        let region = match tenant { "acme" => "eu", "globex" => "us", _ => "" };
        let class_without = key.0.unwrap_or(1);
        let class_with = match (key.0, client.0) {
            (Some(key), Some(client)) => key.max(client),
            (None, Some(client)) => client,
            (key, None) => key.unwrap_or(1),
        };
        let text = |purpose: Option<usize>| purpose.map_or("", |purpose| PURPOSES[purpose]);
        let sides = [
            (CLASSES[class_without], text(key.1)),
            (CLASSES[class_with], text(client.1.or(key.1))),
        ];
        let expected: Vec<TargetId> = config.targets.iter().filter(|target| {
            sides.iter().all(|(class, purpose)| rules.iter().all(|rule| {
                let applies = rule.when.as_ref().is_none_or(|when| when.judge(class, purpose, region).unwrap_or(true));
                !applies || rule.lets_pass(&target.facts)
            }))
        }).map(|target| target.id).collect();
        prop_assert_eq!(allowed(&policy, &config, tenant, &key, &client), expected);

        // The table says what the expression says.
        let labels = labelled(&policy, &said(&key), &said(&client));
        let tenant = &config.tenants[tenant];
        let place = policy.scope.place(tenant);
        for rule in &policy.rules {
            for client in [false, true] {
                let tabled = rule.applies.applies(&policy.scope, tenant, place, &labels, client);
                prop_assert_eq!(tabled, rule.applies.run(&policy.scope, tenant, &labels, client));
            }
        }
    }

    #[test]
    fn adding_a_rule_never_admits_a_target(
        rules in prop::collection::vec(rule(), 0..4),
        extra in rule(),
        at in any::<prop::sample::Index>(),
        targets in prop::collection::vec(stated(), 1..8),
        key in saying(),
        client in saying(),
    ) {
        let config = build(&targets);
        let before = allowed(&load(&rules, &config), &config, "acme", &key, &client);
        let mut more = rules;
        more.insert(at.index(more.len() + 1), extra);
        let after = allowed(&load(&more, &config), &config, "acme", &key, &client);
        prop_assert!(after.iter().all(|id| before.contains(id)), "{:?} admits beyond {:?}", after, before);
    }

    #[test]
    fn no_label_of_a_client_enlarges_what_is_allowed(
        rules in prop::collection::vec(rule(), 1..5),
        targets in prop::collection::vec(stated(), 1..8),
        key in saying(),
        client in saying(),
    ) {
        let config = build(&targets);
        let policy = load(&rules, &config);
        let silent = allowed(&policy, &config, "acme", &key, &(None, None));
        let speaking = allowed(&policy, &config, "acme", &key, &client);
        prop_assert!(speaking.iter().all(|id| silent.contains(id)), "{:?} beyond {:?}", speaking, silent);
    }

    #[test]
    fn no_text_makes_the_loader_panic(text in "[ -~\n]{0,200}") {
        let config = build(&[(None, None, None)]);
        let _ = Policies::from_text(&text, &config);
        let _ = Policies::from_text(&format!("policy: p\nrules:\n  - name: r\n    when: {text}\n    require: {{ {text} }}\nobjective: {{ {text} }}\n"), &config);
    }
}
