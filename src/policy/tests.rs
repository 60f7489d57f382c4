use super::fixture::{config, labelled, set, target, tenant};
use super::*;
use crate::config::{Config, Fact, FactName, Problem, Severity, Tier};
use crate::id::TargetId;

const OBJECTIVE: &str = "objective: { minimise: cost }\n";

fn policy(rules: &str, config: &Config) -> Arc<Policy> {
    let text = format!("policy: test\nrules:\n{rules}{OBJECTIVE}");
    match Policies::from_text(&text, config) {
        Ok((policy, _)) => policy,
        Err(problems) => panic!("{}", listing(&problems)),
    }
}

fn listing(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

fn problems(rules: &str) -> Vec<Problem> {
    let text = format!("policy: test\nrules:\n{rules}{OBJECTIVE}");
    match Policies::from_text(&text, &four()) {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    }
}

/// fr and de in the EEA, us, and one that states nothing.
fn four() -> Config {
    config(vec![
        target("fr", Tier::Weak).countries(&["FR"]).jurisdictions(&["FR"]).operator("self").retention(0),
        target("de", Tier::Mid).countries(&["DE"]).jurisdictions(&["DE"]).operator("hoster").retention(0),
        target("us", Tier::Strong).countries(&["US"]).jurisdictions(&["US"]).operator("bigco").retention(30),
        target("unknown", Tier::Strong),
    ])
}

fn all(config: &Config) -> Vec<TargetId> {
    config.targets.iter().map(|target| target.id).collect()
}

fn allowed(policy: &Arc<Policy>, config: &Config, key: &[(&str, &str)], client: &[(&str, &str)]) -> Vec<String> {
    let acme = &config.tenants["acme"];
    let allowed = constrain(policy, acme, &labelled(policy, key, client), &all(config));
    allowed.permitted().map(|id| config.targets[id.index()].name.to_string()).collect()
}

#[test]
fn require_keeps_the_eea_and_an_unstated_fact_excludes() {
    let config = four();
    let policy = policy("  - { name: eea, require: { location.countries: { in: EEA } } }\n", &config);
    assert_eq!(allowed(&policy, &config, &[], &[]), ["fr", "de"]);
}

#[test]
fn forbid_removes_what_matches_and_an_unstated_fact_excludes() {
    let config = four();
    let policy = policy("  - { name: not-us, forbid: { operator.jurisdictions: { in: [US] } } }\n", &config);
    assert_eq!(allowed(&policy, &config, &[], &[]), ["fr", "de"]);
}

#[test]
fn several_facts_in_one_forbid_must_all_match() {
    let config = four();
    let rule = "  - { name: x, forbid: { location.countries: { in: [US, DE] }, data.retention: { at_least: 1d } } }\n";
    assert_eq!(allowed(&policy(rule, &config), &config, &[], &[]), ["fr", "de"], "de keeps nothing");
}

#[test]
fn a_rule_applies_when_its_label_says_so() {
    let config = four();
    let rule = "  - name: personal\n    when: labels[\"data-class\"] == \"personal\"\n    require: { data.retention: { equals: 0d } }\n";
    let policy = policy(rule, &config);
    assert_eq!(allowed(&policy, &config, &[], &[]).len(), 4);
    assert_eq!(allowed(&policy, &config, &[("data-class", "personal")], &[]), ["fr", "de"]);
    assert_eq!(allowed(&policy, &config, &[], &[("data-class", "personal")]), ["fr", "de"], "a client may tighten");
}

#[test]
fn a_client_cannot_escape_a_rule_by_its_label() {
    let config = four();
    let rule = "  - name: only-batch-leaves\n    when: labels.purpose != \"batch\"\n    require: { operator.name: { equals: self } }\n";
    let policy = policy(rule, &config);
    assert_eq!(allowed(&policy, &config, &[("purpose", "batch")], &[]).len(), 4, "the key may say so");
    assert_eq!(allowed(&policy, &config, &[], &[("purpose", "batch")]), ["fr"], "the client may not");
    assert_eq!(allowed(&policy, &config, &[("purpose", "batch")], &[("purpose", "dev")]), ["fr"]);
}

#[test]
fn a_rule_sees_tenant_name_and_region() {
    let config = four();
    let rule = "  - name: eu\n    when: tenant.region == \"eu\" && tenant.name != \"globex\"\n    require: { location.countries: { in: EEA } }\n";
    let policy = policy(rule, &config);
    assert!(policy.rules[0].applies.is_table());
    assert_eq!(allowed(&policy, &config, &[], &[]), ["fr", "de"]);
    let labels = labelled(&policy, &[], &[]);
    assert_eq!(constrain(&policy, &config.tenants["globex"], &labels, &all(&config)).len(), 4);
    let stranger = tenant("stranger", Some("eu"));
    assert_eq!(constrain(&policy, &stranger, &labels, &all(&config)).len(), 2, "one that no table knows is judged too");
}

#[test]
fn a_when_that_fails_to_evaluate_applies_its_rule() {
    let config = four();
    let rule = "  - name: broken\n    when: size(labels.purpose) / size(labels.purpose) == 2\n    require: { location.countries: { in: EEA } }\n";
    let policy = policy(rule, &config);
    assert_eq!(allowed(&policy, &config, &[], &[]), ["fr", "de"], "division by zero: it applies");
    assert_eq!(allowed(&policy, &config, &[("purpose", "dev")], &[]).len(), 4, "evaluates to false");

    let rule = "  - name: never\n    when: 1 / 0 == 2\n    require: { location.countries: { in: EEA } }\n";
    let warnings = problems(rule);
    assert!(warnings[0].severity == Severity::Warning && warnings[0].message.contains("always applies"));
}

#[test]
fn a_removed_target_names_the_first_rule_and_the_fact_that_failed() {
    let config = four();
    let policy = policy(
        "  - { name: eea, require: { location.countries: { in: EEA } } }\n  - { name: own, require: { operator.name: { equals: self } } }\n  - { name: idle, require: { data.retention: { at_most: 30d } } }\n",
        &config,
    );
    let labels = labelled(&policy, &[], &[]);
    let allowed = constrain(&policy, &config.tenants["acme"], &labels, &all(&config));
    let why =
        |index: u16| allowed.why_removed(TargetId(index)).map(|removal| (removal.rule.to_string(), removal.detail));
    assert_eq!(why(0), None);
    assert_eq!(why(1), Some(("own".into(), "operator.name is hoster, required: equals self".into())));
    assert_eq!(why(2), Some(("eea".into(), "location.countries is [US], required: in EEA".into())));
    assert_eq!(why(3), Some(("eea".into(), "location.countries is not stated, required: in EEA".into())));
    assert_eq!(why(99), None);
    let rules: Vec<&str> = allowed.rules().map(|rule| rule.as_str()).collect();
    assert_eq!(rules, ["eea", "own"]);
    assert!(allowed.permit(TargetId(2)).is_none() && allowed.permit(TargetId(99)).is_none());
    let permitted = allowed.permit(TargetId(0)).unwrap();
    assert_eq!(permitted.name.as_str(), "fr");
    assert_eq!(permitted.get().id, TargetId(0));
}

#[test]
fn only_considered_targets_are_allowed() {
    let config = four();
    let policy = policy("  - { name: eea, require: { location.countries: { in: EEA } } }\n", &config);
    let labels = labelled(&policy, &[], &[]);
    let allowed = constrain(&policy, &config.tenants["acme"], &labels, &[TargetId(1), TargetId(2), TargetId(500)]);
    assert_eq!(allowed.permitted().collect::<Vec<_>>(), [TargetId(1)]);
    assert_eq!(allowed.considered().collect::<Vec<_>>(), [TargetId(1), TargetId(2)]);
    assert!(allowed.why_removed(TargetId(3)).is_none(), "never considered");
}

#[test]
fn labels_of_another_configuration_get_every_rule() {
    let config = four();
    let rule = "  - name: personal\n    when: labels[\"data-class\"] == \"personal\"\n    require: { location.countries: { in: EEA } }\n";
    let (one, other) = (policy(rule, &config), policy(rule, &config));
    let labels = labelled(&other, &[], &[]);
    assert_eq!(constrain(&one, &config.tenants["acme"], &labels, &all(&config)).len(), 2);
}

#[test]
fn tiers_prices_booleans_and_own_sets_are_compared() {
    let config = config(vec![
        target("a", Tier::Weak)
            .fact(FactName::ModelTier, Fact::Text("weak".into()))
            .fact(FactName::PriceInput, Fact::Number(0.5))
            .fact(FactName::DataTrains, Fact::Bool(false))
            .fact(FactName::Supports, set(&["tools"])),
        target("b", Tier::Strong)
            .fact(FactName::ModelTier, Fact::Text("strong".into()))
            .fact(FactName::PriceInput, Fact::Number(5.0))
            .fact(FactName::DataTrains, Fact::Bool(true))
            .fact(FactName::Supports, set(&["tools", "images"])),
    ]);
    for (condition, expected) in [
        ("model.tier: { at_least: mid }", "b"),
        ("model.tier: { at_most: mid }", "a"),
        ("price.input: { at_most: 1.5 }", "a"),
        ("price.input: { at_least: 1, at_most: 5 }", "b"),
        ("data.trains: { equals: false }", "a"),
        ("supports: { in: ours }", "a"),
        ("supports: { equals: tools }", "a"),
    ] {
        let text = format!(
            "policy: t\nsets: {{ ours: [tools, audio] }}\nrules: [{{ name: r, require: {{ {condition} }} }}]\n{OBJECTIVE}"
        );
        let (policy, _) =
            Policies::from_text(&text, &config).unwrap_or_else(|problems| panic!("{}", listing(&problems)));
        assert_eq!(allowed(&policy, &config, &[], &[]), [expected], "{condition}");
    }
}

#[test]
fn all_problems_are_reported_at_once_each_with_its_place_and_remedy() {
    let text = "\
policy: broken
extends: base
rules:
  - name: a
    when: tenant.regoin == \"eu\" || labels[\"data-clas\"] == \"personal\"
    require:
      location.countrys: { in: EEA }
      data.retention: { equals: 0 }
  - name: a
    when: labels[\"data-class\"] == \"persnal\"
    require: { location.countries: { in: EAE } }
    forbids: { operator.name: { in: [x] } }
objective:
  minimize: cost
  quality: { at_least: 95, certainty: 0.9 }
on_none: send
";
    let problems = Policies::from_text(text, &four()).unwrap_err();
    let expected = [
        (2, 1, "unknown key `extends`", "write one of"),
        (5, 18, "tenant has no `regoin`", "did you mean `region`?"),
        (5, 44, "label `data-clas` is not declared", "did you mean `data-class`?"),
        (7, 7, "unknown fact `location.countrys`", "did you mean `location.countries`?"),
        (8, 33, "data.retention is a duration", "write 0d"),
        (9, 11, "a second rule is named `a`", ""),
        (10, 36, "label `data-class` has no value `persnal`", "did you mean `personal`?"),
        (11, 42, "`EAE` is neither a country nor a set", "did you mean `EEA`?"),
        (12, 5, "unknown key `forbids`", "did you mean `forbid`?"),
        (14, 3, "unknown key `minimize`", "did you mean `minimise`?"),
        (14, 3, "objective says nothing to minimise", ""),
        (15, 24, "at_least must be a share", ""),
        (15, 28, "unknown key `certainty`", ""),
        (16, 10, "where nothing is allowed, nothing is sent", ""),
    ];
    for (line, column, message, remedy) in expected {
        let found = problems.iter().find(|problem| problem.message.contains(message));
        let found = found.unwrap_or_else(|| panic!("nothing says `{message}` in\n{}", listing(&problems)));
        assert_eq!((found.line, found.column), (line, column), "{found}");
        assert!(found.remedy.contains(remedy), "{found}");
        assert_eq!(found.severity, Severity::Error);
    }
    assert_eq!(problems.len(), expected.len(), "{}", listing(&problems));
}

#[test]
fn what_could_never_match_in_a_when_is_an_error() {
    for (when, word) in [
        ("tenant.team == 'x'", "tenant has no `team`"),
        ("tenannt.name == 'acme'", "unknown name `tenannt`"),
        ("labels.data-class == 'personal'", "subtracts"),
        ("labels['data-class'] in ['personal', 'secrt']", "no value `secrt`"),
        ("'persnal' == labels['data-class']", "no value `persnal`"),
        ("labels['data-class'] >= 'personal'", "compare letters"),
        ("labels.purpose == 1", "never equal"),
        ("labels.purpose", "not a condition"),
        ("labels.purpose && true", "used as a condition"),
        ("has(labels.purpose)", "always true"),
        ("labels.purpose.startWith('s')", "unknown function `startWith`"),
        ("labels[tenant.name] == 'x'", "must be written out"),
        ("labels == tenant", "stands alone"),
        ("request.model == 'x'", "unknown name `request`"),
        ("difficulty > 0.5", "unknown name `difficulty`"),
        ("tenant.region ==", "no CEL expression"),
        ("['a'].exists(labels, labels == 'a') && labls.x == 'y'", "unknown name `labls`"),
    ] {
        let found = problems(&format!(
            "  - name: r\n    when: \"{when}\"\n    require: {{ location.countries: {{ in: EEA }} }}\n"
        ));
        let hit = found.iter().find(|problem| problem.message.contains(word));
        let hit = hit.unwrap_or_else(|| panic!("{when}: nothing says `{word}` in\n{}", listing(&found)));
        assert!(hit.severity == Severity::Error && hit.line == 4 && !hit.remedy.is_empty(), "{hit}");
    }
}

#[test]
fn a_sound_when_has_no_problem_and_a_stranger_tenant_warns() {
    for when in [
        "labels['data-class'] == 'personal' || tenant.region == 'eu'",
        "!(labels.purpose in ['dev', 'batch']) && tenant.name.startsWith('ac')",
        "['acme', 'globex'].exists(t, t == tenant.name)",
        "labels.purpose == '' ? tenant.name == 'acme' : size(labels.purpose) > 3",
        "tenant.name.matches('^a.*e$')",
    ] {
        let found = problems(&format!(
            "  - name: r\n    when: \"{when}\"\n    require: {{ location.countries: {{ in: EEA }} }}\n"
        ));
        assert!(found.is_empty(), "{when}:\n{}", listing(&found));
    }
    let found = problems("  - { name: r, when: 'tenant.name == \"acne\"', require: { supports: { in: [tools] } } }\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].severity == Severity::Warning && found[0].remedy.contains("acme"), "{}", found[0]);
}

#[test]
fn operators_and_values_that_no_fact_could_have_are_errors() {
    for (condition, word) in [
        ("data.trains: { in: [yes] }", "cannot be compared with `in`"),
        ("location.countries: { equals: [FR] }", "takes one value"),
        ("location.countries: { at_most: FR }", "cannot be compared"),
        ("location.countries: { in: [] }", "lists nothing"),
        ("location.countries: { in: [fr] }", "neither a country"),
        ("location.countries: { inn: [FR] }", "unknown operator"),
        ("location.countries: [FR]", "needs an operator"),
        ("location.countries: {}", "needs an operator"),
        ("operator.jurisdictions: { not_in: [UK] }", "neither a country"),
        ("model.tier: { at_least: middle }", "no tier"),
        ("model.kind: { equals: talk }", "no kind of model"),
        ("model.kid: { equals: chat }", "unknown fact"),
        ("price.input: { at_most: cheap }", "is a number"),
        ("supports: { in: [tool] }", "nothing supports"),
        ("data.trains: { equals: 'false' }", "true or false"),
    ] {
        let found = problems(&format!("  - {{ name: r, require: {{ {condition} }} }}\n"));
        let hit = found.iter().find(|problem| problem.message.contains(word));
        assert!(hit.is_some_and(|hit| hit.severity == Severity::Error), "{condition}:\n{}", listing(&found));
    }
    for (rule, word) in [
        ("{ name: r }", "demands nothing"),
        ("{ require: { supports: { in: [tools] } } }", "has no name"),
        ("{ name: max_cost, require: { supports: { in: [tools] } } }", "ceiling"),
        ("{ name: r, require: {} }", "names no fact"),
        ("text", "must be a map"),
        (
            "{ name: r, require: { supports: { in: [tools] } }, forbid: { supports: { in: [audio] } } }",
            "either requires or forbids",
        ),
    ] {
        let found = problems(&format!("  - {rule}\n"));
        assert!(found.iter().any(|problem| problem.message.contains(word)), "{rule}:\n{}", listing(&found));
    }
}

#[test]
fn too_many_combinations_are_run_instead_of_tabled() {
    let mut config = four();
    for index in 0..8 {
        let values = (0..9).map(|value| format!("v{value}")).collect();
        config.labels.push(crate::config::Label {
            name: format!("l{index}"),
            kind: crate::config::LabelKind::Values(values),
            default: None,
            from: vec![],
        });
    }
    let all_labels: Vec<String> = (0..8).map(|index| format!("labels.l{index} == 'v1'")).collect();
    let rule = format!(
        "  - {{ name: r, when: \"{}\", require: {{ location.countries: {{ in: EEA }} }} }}\n",
        all_labels.join(" || ")
    );
    let policy = policy(&rule, &config);
    assert!(!policy.rules[0].applies.is_table());
    assert_eq!(allowed(&policy, &config, &[("l7", "v1")], &[]), ["fr", "de"]);
    assert_eq!(allowed(&policy, &config, &[("l7", "v2")], &[]).len(), 4);
}

#[test]
fn the_shipped_policies_load_without_a_word() {
    let mut config = four();
    config.tenants = [("default".into(), Arc::new(tenant("default", None)))].into();
    let (policies, warnings) =
        Policies::load(None, &config).unwrap_or_else(|problems| panic!("{}", listing(&problems)));
    assert!(warnings.is_empty(), "{}", listing(&warnings));
    let names: Vec<&str> = policies.names().map(|name| name.as_str()).collect();
    assert_eq!(names, ["default", "eu-residency", "open-weights-only", "unrestricted"]);
    let default = policies.get("default").unwrap();
    assert!(default.hash.starts_with("sha256:") && default.hash.len() == 71);
    assert!(default.rules.iter().all(|rule| !matches!(rule.applies, when::When::Run(_))));
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let (from_folder, _) = Policies::load(Some(&folder), &config).unwrap();
    assert_eq!(from_folder.get("default").unwrap().hash, default.hash);
    assert!(policies.get("nonesuch").is_none());
}

#[test]
fn a_tenant_with_an_unknown_policy_and_a_missing_folder_are_problems() {
    let mut config = four();
    let mut lost = tenant("lost", None);
    lost.policy = "defualt".into();
    config.tenants.insert("lost".into(), Arc::new(lost));
    let found = Policies::load(None, &config).unwrap_err();
    assert!(found[0].message.contains("tenant `lost`") && found[0].remedy.contains("`default`"), "{}", found[0]);

    let folder = tempfile::tempdir().unwrap();
    assert!(Policies::load(Some(&folder.path().join("none")), &config).is_err());
    assert!(Policies::load(Some(folder.path()), &config).unwrap_err()[0].message.contains("no policy"));
    std::fs::write(folder.path().join("a.yaml"), format!("policy: default\n{OBJECTIVE}")).unwrap();
    std::fs::write(folder.path().join("b.yaml"), format!("policy: default\n{OBJECTIVE}")).unwrap();
    std::fs::write(folder.path().join("c.yaml"), "policy: [").unwrap();
    let found = Policies::load(Some(folder.path()), &config).unwrap_err();
    assert_eq!(found.len(), 2, "{}", listing(&found));
    assert!(found[0].file.ends_with("b.yaml") && found[0].message.contains("second policy"));
    assert!(found[1].file.ends_with("c.yaml") && found[1].line > 0);
}
