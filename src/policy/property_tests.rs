//! What must hold for every policy: against a naive evaluator, and that nothing ever loosens.

use proptest::prelude::*;

use super::fixture::{Described, config, labelled, labelled_and_found, set, target};
use super::labels::View;
use super::*;
use crate::config::{Config, Fact, FactName, Facts, Severity, Tier};
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
    Team,
    Operation(usize),
    Stream,
    Media,
    Model(&'static str),
    Begins(&'static str),
    Over(u64),
    /// Tokens and the name's length together: no comparison of one endless thing.
    Long(u64),
    /// Division by zero where no purpose is set, else true.
    Fails,
    Not(Box<Tree>),
    And(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
}

/// All that a tree looks at.
#[derive(Clone, Copy, Debug)]
struct Seen<'a> {
    class: &'a str,
    purpose: &'a str,
    region: &'a str,
    team: bool,
    request: RequestFacts<'a>,
}

impl Tree {
    fn cel(&self) -> String {
        match self {
            Self::Class(class) => format!("labels['data-class'] == '{}'", CLASSES[*class]),
            Self::Purpose(purpose) => format!("labels.purpose == '{}'", PURPOSES[*purpose]),
            Self::Region(region) => format!("tenant.region == '{region}'"),
            Self::Team => "tenant.team == 'search'".to_owned(),
            Self::Operation(place) => format!("'{}' == request.operation", Operation::ALL[*place].as_str()),
            Self::Stream => "request.stream".to_owned(),
            Self::Media => "request.media == true".to_owned(),
            Self::Model(name) => format!("request.model in ['{name}', 't7']"),
            Self::Begins(text) => format!("request.model.startsWith('{text}')"),
            Self::Over(bound) => format!("{bound} < request.input_tokens"),
            Self::Long(bound) => format!("size(request.model) + request.input_tokens > {bound}"),
            Self::Fails => "size(labels.purpose) / size(labels.purpose) == 1".to_owned(),
            Self::Not(inner) => format!("!({})", inner.cel()),
            Self::And(left, right) => format!("({}) && ({})", left.cel(), right.cel()),
            Self::Or(left, right) => format!("({}) || ({})", left.cel(), right.cel()),
        }
    }

    /// CEL's own logic: an error is absorbed by `false && _` and `true || _`, from either side.
    fn judge(&self, seen: &Seen<'_>) -> Option<bool> {
        let both = |left: &Self, right: &Self| (left.judge(seen), right.judge(seen));
        let request = &seen.request;
        match self {
            Self::Class(wanted) => Some(seen.class == CLASSES[*wanted]),
            Self::Purpose(wanted) => Some(seen.purpose == PURPOSES[*wanted]),
            Self::Region(wanted) => Some(seen.region == *wanted),
            Self::Team => Some(seen.team),
            Self::Operation(wanted) => Some(request.operation == Operation::ALL[*wanted]),
            Self::Stream => Some(request.stream),
            Self::Media => Some(request.media),
            Self::Model(name) => Some(request.model == *name || request.model == "t7"),
            Self::Begins(text) => Some(request.model.starts_with(text)),
            Self::Over(bound) => Some(request.input_tokens > *bound),
            Self::Long(bound) => Some(request.model.len() as u64 + request.input_tokens > *bound),
            Self::Fails => (!seen.purpose.is_empty()).then_some(true),
            Self::Not(inner) => inner.judge(seen).map(|value| !value),
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

    /// With and without each thing that the client chose.
    fn applies(&self, seen: &Seen<'_>) -> bool {
        let bare = RequestFacts::BARE;
        let request = seen.request;
        for stream in [request.stream, bare.stream] {
            for media in [request.media, bare.media] {
                for model in [request.model, bare.model] {
                    for input_tokens in [request.input_tokens, bare.input_tokens] {
                        let request = RequestFacts { stream, media, model, input_tokens, ..request };
                        if self.judge(&Seen { request, ..*seen }).unwrap_or(true) {
                            return true;
                        }
                    }
                }
            }
        }
        false
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
        1 => Just(Tree::Team),
        1 => (0..6_usize).prop_map(Tree::Operation),
        1 => Just(Tree::Stream),
        1 => Just(Tree::Media),
        1 => prop_oneof![Just("auto"), Just("t1")].prop_map(Tree::Model),
        1 => prop_oneof![Just("a"), Just("p/")].prop_map(Tree::Begins),
        1 => prop_oneof![Just(0_u64), Just(999)].prop_map(Tree::Over),
        1 => Just(Tree::Long(1000)),
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
    let text = format!("policy: p\n{}objective: {{ minimise: cost }}\n", written(rules, 0));
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

fn asking() -> impl Strategy<Value = RequestFacts<'static>> {
    let model = prop_oneof![Just("auto"), Just("t1"), Just("p/t7"), Just("t7")];
    let tokens = prop_oneof![Just(0_u64), Just(500), Just(998), Just(1500)];
    (0..6_usize, model, any::<bool>(), any::<bool>(), tokens).prop_map(
        |(operation, model, stream, media, input_tokens)| RequestFacts {
            operation: Operation::ALL[operation],
            model,
            stream,
            media,
            input_tokens,
            ..RequestFacts::BARE
        },
    )
}

/// Whoever asks: tenant `acme` of the team `search`.
fn allowed(
    policy: &Arc<Policy>,
    config: &Config,
    request: RequestFacts<'_>,
    key: &Said,
    client: &Said,
) -> Vec<TargetId> {
    allowed_on(policy, config, request, &labelled(policy, &said(key), &said(client)))
}

fn allowed_on(policy: &Arc<Policy>, config: &Config, request: RequestFacts<'_>, labels: &Labels) -> Vec<TargetId> {
    let all: Vec<TargetId> = config.targets.iter().map(|target| target.id).collect();
    let of = Circumstances { team: "search", request, ..Circumstances::plain(&config.tenants["acme"], labels) };
    constrain(policy, &of, &all).permitted().collect()
}

fn written(rules: &[Written], from: usize) -> String {
    if rules.is_empty() {
        return String::new();
    }
    let rules: String = rules.iter().enumerate().map(|(index, rule)| rule.yaml(from + index)).collect();
    format!("rules:\n{rules}")
}

/// Ceilings of an objective: quality, confidence, whether a calibration is asked for, first token, cost in cents.
type Ceilings = (Option<(u32, Option<u32>, Option<bool>)>, Option<u64>, Option<u32>);

fn ceilings() -> impl Strategy<Value = Ceilings> {
    let quality = (90..95_u32, prop::option::of(88..92_u32), prop::option::of(any::<bool>()));
    (prop::option::of(quality), prop::option::of(1..4_u64), prop::option::of(1..4_u32))
}

fn objective((quality, latency, cost): &Ceilings) -> String {
    let mut parts = vec!["minimise: cost".to_owned()];
    if let Some((at_least, confidence, required)) = quality {
        let confidence = confidence.map_or_else(String::new, |share| format!(", confidence: 0.{share}"));
        let required = required.map_or_else(String::new, |required| format!(", require_calibration: {required}"));
        parts.push(format!("quality: {{ at_least: 0.{at_least}{confidence}{required} }}"));
    }
    parts.extend(latency.map(|ms| format!("latency: {{ first_token_p95_ms: {ms} }}")));
    parts.extend(cost.map(|cents| format!("max_cost_usd: 0.0{cents}")));
    format!("objective: {{ {} }}\n", parts.join(", "))
}

/// Whether every ceiling is at least as tight.
fn is_as_tight(child: &Objective, parent: &Objective) -> bool {
    fn most<T: PartialOrd>(child: Option<T>, parent: Option<T>) -> bool {
        parent.is_none_or(|parent| child.is_some_and(|child| child <= parent))
    }
    let quality = parent.at_least.is_none_or(|parent| child.at_least.is_some_and(|child| child >= parent));
    let confidence = parent.at_least.is_none() || child.confidence >= parent.confidence;
    quality
        && confidence
        && child.require_calibration >= parent.require_calibration
        && most(child.first_token_p95_ms, parent.first_token_p95_ms)
        && most(child.first_answer_token_p95_ms, parent.first_answer_token_p95_ms)
        && most(child.max_cost, parent.max_cost)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn constrain_agrees_with_a_naive_evaluator(
        rules in prop::collection::vec(rule(), 0..5),
        targets in prop::collection::vec(stated(), 1..8),
        key in saying(),
        client in saying(),
        request in asking(),
        tenant in prop_oneof![Just("default"), Just("acme"), Just("globex")],
        team in any::<bool>(),
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
                let seen = Seen { class, purpose, region, team, request };
                !rule.when.as_ref().is_none_or(|when| when.applies(&seen)) || rule.lets_pass(&target.facts)
            }))
        }).map(|target| target.id).collect();
        let labels = labelled(&policy, &said(&key), &said(&client));
        let all: Vec<TargetId> = config.targets.iter().map(|target| target.id).collect();
        let team = if team { "search" } else { "" };
        let of = Circumstances { team, request, ..Circumstances::plain(&config.tenants[tenant], &labels) };
        prop_assert_eq!(constrain(&policy, &of, &all).permitted().collect::<Vec<_>>(), expected);

        // The table says what the expression says.
        let place = policy.scope.place(of.tenant);
        for rule in &policy.rules {
            for view in [View::Bare, View::Whole] {
                let tabled = rule.applies.applies(&policy.scope, &of, place, view);
                prop_assert_eq!(tabled, rule.applies.run(&policy.scope, &of, view));
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
        request in asking(),
    ) {
        let config = build(&targets);
        let before = allowed(&load(&rules, &config), &config, request, &key, &client);
        let mut more = rules;
        more.insert(at.index(more.len() + 1), extra);
        let after = allowed(&load(&more, &config), &config, request, &key, &client);
        prop_assert!(after.iter().all(|id| before.contains(id)), "{:?} admits beyond {:?}", after, before);
    }

    #[test]
    fn nothing_that_a_client_says_or_chooses_enlarges_what_is_allowed(
        rules in prop::collection::vec(rule(), 1..5),
        targets in prop::collection::vec(stated(), 1..8),
        key in saying(),
        client in saying(),
        request in asking(),
    ) {
        let config = build(&targets);
        let policy = load(&rules, &config);
        let bare = RequestFacts { operation: request.operation, ..RequestFacts::BARE };
        let silent = allowed(&policy, &config, bare, &key, &(None, None));
        let speaking = allowed(&policy, &config, request, &key, &client);
        prop_assert!(speaking.iter().all(|id| silent.contains(id)), "{:?} beyond {:?}", speaking, silent);

        // Nor does any one choice, whatever the others are.
        for without in [
            RequestFacts { model: bare.model, ..request },
            RequestFacts { stream: bare.stream, ..request },
            RequestFacts { media: bare.media, ..request },
            RequestFacts { input_tokens: bare.input_tokens, ..request },
        ] {
            let fewer = allowed(&policy, &config, without, &key, &client);
            prop_assert!(speaking.iter().all(|id| fewer.contains(id)), "{:?} beyond {:?}", speaking, fewer);
        }
        let unlabelled = allowed(&policy, &config, request, &key, &(None, None));
        prop_assert!(speaking.iter().all(|id| unlabelled.contains(id)), "{:?} beyond {:?}", speaking, unlabelled);
    }

    #[test]
    fn neither_a_word_nor_a_find_opens_what_is_closed_without_it(
        rules in prop::collection::vec(rule(), 1..5),
        targets in prop::collection::vec(stated(), 1..8),
        key in saying(),
        client in saying(),
        found in 0..4_usize,
        request in asking(),
    ) {
        let config = build(&targets);
        let policy = load(&rules, &config);
        let on = |client: &Said, found: Option<usize>| {
            let labels = labelled_and_found(&policy, &said(&key), &said(client), found.map(|class| CLASSES[class]));
            allowed_on(&policy, &config, request, &labels)
        };
        let whole = on(&client, Some(found));
        for less in [on(&client, None), on(&(None, None), Some(found)), on(&(None, None), None)] {
            prop_assert!(whole.iter().all(|id| less.contains(id)), "{:?} beyond {:?}", whole, less);
        }
    }

    #[test]
    fn a_child_policy_is_never_wider_than_its_parent(
        rules in prop::collection::vec(rule(), 0..4),
        more in prop::collection::vec(rule(), 0..4),
        ceilings in ceilings(),
        own in prop::option::of(ceilings()),
        targets in prop::collection::vec(stated(), 1..8),
        key in saying(),
        client in saying(),
        request in asking(),
    ) {
        let config = build(&targets);
        let parent = format!("policy: parent\n{}{}", written(&rules, 0), objective(&ceilings));
        let own = own.as_ref().map(objective).unwrap_or_default();
        let child = format!("policy: child\nextends: parent\n{}{own}", written(&more, rules.len()));
        match Policies::from_texts(&[&child, &parent], &config) {
            Ok((policies, _)) => {
                let [child, parent] = [&policies[0], &policies[1]];
                prop_assert!(child.extends("parent") && !parent.extends("child"));
                let wide = allowed(parent, &config, request, &key, &client);
                let narrow = allowed(child, &config, request, &key, &client);
                prop_assert!(narrow.iter().all(|id| wide.contains(id)), "{:?} beyond {:?}", narrow, wide);
                prop_assert!(is_as_tight(&child.objective, &parent.objective), "{own} loosens {:?}", parent.objective);
            }
            // Refused for what it loosens, and for nothing else.
            Err(problems) => {
                let errors: Vec<_> = problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
                prop_assert!(!errors.is_empty());
                prop_assert!(errors.iter().all(|problem| problem.message.contains("loosens")), "{:?}", errors);
                let alone = Policies::from_text(&format!("policy: alone\n{own}"), &config).unwrap().0;
                let parent = Policies::from_text(&parent, &config).unwrap().0;
                // What it leaves out it keeps; so compare only what it says.
                let said = Objective {
                    at_least: alone.objective.at_least.or(parent.objective.at_least),
                    first_token_p95_ms: alone.objective.first_token_p95_ms.or(parent.objective.first_token_p95_ms),
                    max_cost: alone.objective.max_cost.or(parent.objective.max_cost),
                    ..alone.objective.clone()
                };
                prop_assert!(!is_as_tight(&said, &parent.objective), "{own} loosens nothing of {:?}", parent.objective);
            }
        }
    }

    #[test]
    fn no_text_makes_the_loader_panic(text in "[ -~\n]{0,200}") {
        let config = build(&[(None, None, None)]);
        let _ = Policies::from_text(&text, &config);
        let _ = Policies::from_text(&format!("policy: p\nrules:\n  - name: r\n    when: {text}\n    require: {{ {text} }}\nobjective: {{ {text} }}\n"), &config);
    }
}
