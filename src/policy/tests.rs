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
    let labels = labelled(policy, key, client);
    let allowed = constrain(policy, &Circumstances::plain(acme, &labels), &all(config));
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
    assert_eq!(constrain(&policy, &Circumstances::plain(&config.tenants["globex"], &labels), &all(&config)).len(), 4);
    let stranger = tenant("stranger", Some("eu"));
    assert_eq!(
        constrain(&policy, &Circumstances::plain(&stranger, &labels), &all(&config)).len(),
        2,
        "one that no table knows is judged too"
    );
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
    let allowed = constrain(&policy, &Circumstances::plain(&config.tenants["acme"], &labels), &all(&config));
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
    let allowed = constrain(
        &policy,
        &Circumstances::plain(&config.tenants["acme"], &labels),
        &[TargetId(1), TargetId(2), TargetId(500)],
    );
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
    assert_eq!(constrain(&one, &Circumstances::plain(&config.tenants["acme"], &labels), &all(&config)).len(), 2);
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
extend: base
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
        (2, 1, "unknown key `extend`", "did you mean `extends`?"),
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
        ("tenant.plan == 'x'", "tenant has no `plan`"),
        ("tenant.team == 'serch'", "no key is of the team `serch`"),
        ("request.operation == 'embedding'", "there is no operation `embedding`"),
        ("request.operation in ['chat', '']", "there is no operation ``"),
        ("request.tools > 0", "neither less nor more than"),
        ("request.tools == 1", "true or false is never equal to a number"),
        ("request.model > 'a'", "compare letters"),
        ("request.input_tokens == '1000'", "a number is never equal to text"),
        ("request.input_tokens > '1000'", "neither less nor more than"),
        ("request.input_tokens > 1.5", "whole and not below zero"),
        ("request.input_tokens in [1, 'x']", "never in a list with text"),
        ("request.inputtokens > 1", "request has no `inputtokens`"),
        ("request.difficulty > 1", "request has no `difficulty`"),
        ("key.name == 'k'", "key has no `name`"),
        ("request == key", "`request` stands alone"),
        ("has(request.tools)", "always true"),
        ("request.model", "not a condition"),
        ("request.stream > false", "true is not more than false"),
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
        ("requests.model == 'x'", "unknown name `requests`"),
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
        "tenant.team == 'search' && key.id != 'k2'",
        "request.operation in ['chat', 'messages'] && request.media",
        "request.stream == true || request.tools || request.server_tools || request.unscanned",
        "1000 < request.input_tokens && request.model.startsWith('f')",
        "request['model'] in ['fr', 'de'] && request.input_tokens >= 8",
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
fn a_pattern_that_is_no_regular_expression_is_an_error_at_its_place() {
    for (when, word) in [
        ("(request.model == 'fr') || request.model.matches('(')", "matches"),
        ("matches(request.model, '[a')", "[a"),
        ("tenant.region == 'eu' || ['a'].exists(t, t.matches('a{2,1}'))", "a{2,1}"),
    ] {
        let found = problems(&format!(
            "  - name: r\n    when: \"{when}\"\n    require: {{ location.countries: {{ in: EEA }} }}\n"
        ));
        let hit = found.iter().find(|problem| problem.message.contains("is no regular expression"));
        let hit = hit.unwrap_or_else(|| panic!("{when}:\n{}", listing(&found)));
        let column = 12 + u32::try_from(when.find(word).unwrap()).unwrap();
        assert_eq!((hit.severity, hit.line, hit.column), (Severity::Error, 4, column), "{when}: {hit}");
    }
}

#[test]
fn a_bound_that_nothing_is_beyond_is_an_error_at_its_place() {
    for bound in [".inf", "-.inf", ".nan", "1e999", "-1e999"] {
        let found = problems(&format!("  - {{ name: r, require: {{ price.input: {{ at_most: {bound} }} }} }}\n"));
        let [only] = found.as_slice() else { panic!("{bound}:\n{}", listing(&found)) };
        assert_eq!((only.severity, only.line), (Severity::Error, 3), "{bound}: {only}");
        assert!((50..=51).contains(&only.column), "{bound}: {only}");
    }
}

#[test]
fn a_set_of_ones_own_has_no_countrys_code_for_a_name() {
    let text = "policy: p\nsets: { US: [FR] }\nrules: [{ name: r, require: { location.countries: { in: US } } }]\n\
                objective: { minimise: cost }\n";
    let found = Policies::from_text(text, &four()).unwrap_err();
    let [only] = found.as_slice() else { panic!("{}", listing(&found)) };
    assert_eq!((only.line, only.column, only.severity), (2, 9, Severity::Error));
    assert_eq!(only.message, "`US` is a country's code");
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
    assert!(default.rules.iter().all(|rule| rule.when.is_none() || rule.applies.is_table()));
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

/// `when` under a rule that keeps only `fr`, judged for a request.
fn applies(when: &str, request: RequestFacts<'_>) -> bool {
    let config = four();
    let rule = format!("  - {{ name: r, when: {when}, require: {{ operator.name: {{ equals: self }} }} }}\n");
    let policy = policy(&rule, &config);
    let labels = labelled(&policy, &[], &[]);
    let of =
        Circumstances { request, key: "k1", team: "search", ..Circumstances::plain(&config.tenants["acme"], &labels) };
    constrain(&policy, &of, &all(&config)).len() == 1
}

#[test]
fn a_rule_sees_the_operation_the_model_and_what_the_request_holds() {
    let bare = RequestFacts::BARE;
    for (when, request, expected) in [
        ("request.operation == 'chat'", bare, true),
        ("request.operation == 'chat'", RequestFacts { operation: Operation::CountTokens, ..bare }, false),
        (
            "request.operation in ['embeddings', 'count_tokens']",
            RequestFacts { operation: Operation::Embeddings, ..bare },
            true,
        ),
        ("request.media", bare, false),
        ("request.media", RequestFacts { media: true, ..bare }, true),
        ("request.unscanned", RequestFacts { unscanned: true, ..bare }, true),
        ("request.server_tools || request.tools", RequestFacts { tools: true, ..bare }, true),
        ("request.stream && request.tools", RequestFacts { tools: true, ..bare }, false),
        ("request.model == 'us'", RequestFacts { model: "us", ..bare }, true),
        ("request.model == 'us'", RequestFacts { model: "de", ..bare }, false),
        ("request.model.endsWith('s')", RequestFacts { model: "us", ..bare }, true),
        ("request.input_tokens > 1000", RequestFacts { input_tokens: 1001, ..bare }, true),
        ("request.input_tokens > 1000", RequestFacts { input_tokens: 1000, ..bare }, false),
        ("1000 <= request.input_tokens", RequestFacts { input_tokens: 1000, ..bare }, true),
        ("request.input_tokens > 1000", RequestFacts { input_tokens: u64::MAX, ..bare }, true),
        ("key.id == 'k1' && tenant.team in ['search']", bare, true),
        ("key.id != 'k1'", bare, false),
        ("size(request.model) > 4", RequestFacts { model: "p/model", ..bare }, true),
        ("size(request.model) > 4", bare, false),
    ] {
        assert_eq!(applies(&format!("\"{when}\""), request), expected, "{when} {request:?}");
    }
}

#[test]
fn what_a_client_chooses_can_switch_a_rule_on_and_never_off() {
    let bare = RequestFacts::BARE;
    for (when, request, chosen) in [
        ("!request.stream", RequestFacts { stream: true, ..bare }, "request.stream"),
        ("request.model != 'us'", RequestFacts { model: "us", ..bare }, "request.model"),
        ("request.model == 'auto'", RequestFacts { model: "us", ..bare }, "request.model"),
        ("request.input_tokens < 1000", RequestFacts { input_tokens: 5000, ..bare }, "request.input_tokens"),
        ("request.tools && !request.media", RequestFacts { tools: true, media: true, ..bare }, "request.media"),
    ] {
        assert!(applies(&format!("\"{when}\""), request), "{when}");
        let rule = format!("  - {{ name: r, when: \"{when}\", require: {{ location.countries: {{ in: EEA }} }} }}\n");
        let said = problems(&rule);
        let warned = said.iter().find(|problem| problem.message.contains("could switch this rule off"));
        let warned = warned.unwrap_or_else(|| panic!("{when}:\n{}", listing(&said)));
        assert!(warned.severity == Severity::Warning && warned.message.contains(chosen), "{warned}");
    }
    // The operation is the path, which is no choice within one request.
    assert!(!applies(
        "\"request.operation != 'embeddings'\"",
        RequestFacts { operation: Operation::Embeddings, ..bare }
    ));
}

#[test]
fn a_comparison_with_something_endless_is_answered_from_a_table() {
    let config = four();
    for (when, tabled) in [
        ("request.model in ['us', 'de'] || request.input_tokens >= 100 && key.id.startsWith('k')", true),
        ("tenant.team != 'search' && ['eu'].exists(r, r == tenant.region)", true),
        ("request.model.contains('u') ? request.stream : request.input_tokens == 3", true),
        ("size(request.model) > 3", false),
        ("['us'].exists(m, m == request.model)", false),
        ("request.model == key.id", false),
    ] {
        let rule = format!("  - {{ name: r, when: \"{when}\", require: {{ location.countries: {{ in: EEA }} }} }}\n");
        let policy = policy(&rule, &config);
        assert_eq!(policy.rules[0].applies.is_table(), tabled, "{when}");
    }
}

#[test]
fn an_unknown_team_key_or_model_is_found_at_load() {
    for (when, severity, word, remedy) in [
        ("tenant.team == 'serch'", Severity::Error, "no key is of the team `serch`", "did you mean `search`?"),
        ("key.id in ['k3']", Severity::Warning, "no key has the id `k3`", "did you mean"),
        (
            "request.model == 'unknwn'",
            Severity::Warning,
            "no model or alias is named `unknwn`",
            "did you mean `unknown`?",
        ),
    ] {
        let rule = format!("  - {{ name: r, when: \"{when}\", require: {{ location.countries: {{ in: EEA }} }} }}\n");
        let said = problems(&rule);
        let hit = said.iter().find(|problem| problem.message.contains(word));
        let hit = hit.unwrap_or_else(|| panic!("{when}:\n{}", listing(&said)));
        assert!(hit.severity == severity && hit.remedy.contains(remedy), "{hit}");
    }
}

const BASE: &str = "\
policy: base
sets: { ours: [FR, DE] }
rules:
  - { name: at-home, require: { location.countries: { in: ours } } }
objective:
  minimise: cost
  quality: { at_least: 0.9, confidence: 0.95 }
  latency: { first_token_p95_ms: 1500 }
  max_cost_usd: 0.05
";

fn loaded(texts: &[&str]) -> Vec<Arc<Policy>> {
    Policies::from_texts(texts, &four()).unwrap_or_else(|problems| panic!("{}", listing(&problems))).0
}

#[test]
fn a_child_has_its_parents_rules_sets_and_ceilings_whatever_the_order_of_files() {
    let child = "\
policy: a-child
extends: base
rules:
  - { name: own, require: { operator.name: { equals: self }, location.countries: { in: ours } } }
objective: { minimise: latency, quality: { at_least: 0.97 }, latency: { first_token_p95_ms: 900 } }
";
    let grandchild = "policy: a-grandchild\nextends: a-child\n";
    for texts in [[grandchild, child, BASE], [BASE, child, grandchild], [child, BASE, grandchild]] {
        let policies = loaded(&texts);
        let [child, grandchild, base] = policies.as_slice() else { panic!("three") };
        let names = |policy: &Policy| policy.rules.iter().map(|rule| rule.name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(child), ["at-home", "own"]);
        assert_eq!(names(grandchild), ["at-home", "own"]);
        let objective = &child.objective;
        assert_eq!(
            (objective.minimise, objective.at_least, objective.confidence),
            (Minimise::Latency, Some(0.97), 0.95)
        );
        assert_eq!(objective.first_token_p95_ms, Some(900));
        assert_eq!(objective.max_cost, base.objective.max_cost);
        assert_eq!(grandchild.objective, child.objective, "a child without an objective has its parent's");
        assert_eq!(grandchild.ancestors, ["a-child".into(), "base".into()]);
        assert!(grandchild.extends("base") && !base.extends("base") && !base.extends("a-child"));
        let config = four();
        let labels = labelled(child, &[], &[]);
        let left = |policy: &Arc<Policy>| {
            constrain(policy, &Circumstances::plain(&config.tenants["acme"], &labels), &all(&config)).len()
        };
        // These labels are of another configuration to all but `child`, but no rule here looks at them.
        assert_eq!((left(base), left(child), left(grandchild)), (2, 1, 1));
    }
}

#[test]
fn the_hash_of_a_policy_covers_what_it_extends() {
    let child = "policy: child\nextends: base\n";
    let hash =
        |base: &str| loaded(&[base, child]).iter().find(|policy| policy.name.as_str() == "child").unwrap().hash.clone();
    let changed = BASE.replace("0.05", "0.04");
    assert_ne!(hash(BASE), hash(&changed));
    assert_eq!(hash(BASE), hash(BASE));
    assert!(hash(BASE).starts_with("sha256:") && hash(BASE).len() == 71);
}

#[test]
fn what_loosens_an_inherited_ceiling_is_an_error_with_its_place() {
    for (objective, place, name, remedy) in [
        ("quality: { at_least: 0.8 }", (3, 35), "quality.at_least", "write at least 0.9"),
        ("quality: { confidence: 0.9 }", (3, 37), "quality.confidence", "write at least 0.95"),
        ("latency: { first_token_p95_ms: 1501 }", (3, 45), "latency.first_token_p95_ms", "write at most 1500"),
        ("max_cost_usd: 0.051", (3, 28), "max_cost_usd", "write at most 0.05"),
        ("max_cost_usd: '1'", (3, 28), "max_cost_usd", "write at most 0.05"),
    ] {
        let child = format!("policy: child\nextends: base\nobjective: {{ {objective} }}\n");
        let found = Policies::from_texts(&[BASE, &child], &four()).unwrap_err();
        assert_eq!(found.len(), 1, "{}", listing(&found));
        assert_eq!((found[0].line, found[0].column), place, "{}", found[0]);
        assert!(found[0].message.contains(name) && found[0].message.contains("`base`"), "{}", found[0]);
        assert!(found[0].remedy.contains(remedy), "{}", found[0]);
    }
    let strict = BASE.replace("confidence: 0.95", "require_calibration: true");
    let child = "policy: child\nextends: base\nobjective: { quality: { require_calibration: false } }\n";
    assert!(Policies::from_texts(&[&strict, child], &four()).unwrap_err()[0].message.contains("require_calibration"));
    // Nothing said of the confidence is 0.9.
    let silent = BASE.replace(", confidence: 0.95", "");
    let child = "policy: child\nextends: base\nobjective: { quality: { confidence: 0.6 } }\n";
    assert!(Policies::from_texts(&[&silent, child], &four()).unwrap_err()[0].message.contains("quality.confidence"));
    // A ceiling cannot be taken away by saying nothing in its place.
    for objective in ["{ quality: }", "{ max_cost_usd: }", "{ latency: }", "{ latency: { first_token_p95_ms: } }"] {
        let child = format!("policy: child\nextends: base\nobjective: {objective}\n");
        assert!(Policies::from_texts(&[BASE, &child], &four()).is_err(), "{objective}");
    }
}

#[test]
fn what_extends_nothing_itself_or_takes_a_name_is_an_error() {
    let objective = "objective: { minimise: cost }\n";
    type Files<'a> = &'a [&'a str];
    type Told<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Files<'_>, Told<'_>); 5] = [
        (&[BASE, "policy: child\nextends: bse\n"], &[("there is no policy `bse`", "did you mean `base`?")]),
        (&["policy: a\nextends: a\n"], &[("`a` extends itself", "take `extends` out")]),
        (
            &["policy: a\nextends: b\n", "policy: b\nextends: c\n", "policy: c\nextends: b\n"],
            &[("`b` extends itself by way of `c`", ""), ("`c` extends itself by way of `b`", "")],
        ),
        (
            &[
                BASE,
                "policy: child\nextends: base\nrules: [{ name: at-home, require: { supports: { in: [tools] } } }]\n",
            ],
            &[("`base` has a rule named `at-home` already", "another name")],
        ),
        (
            &[BASE, "policy: child\nextends: base\nsets: { ours: [US] }\n"],
            &[("`ours` is a set of `base`", "another name")],
        ),
    ];
    for (texts, expected) in cases {
        let found = Policies::from_texts(texts, &four()).unwrap_err();
        assert_eq!(found.len(), expected.len(), "{}", listing(&found));
        for ((message, remedy), found) in expected.iter().zip(&found) {
            assert!(found.message.contains(message) && found.remedy.contains(remedy), "{found}");
            assert!(found.line > 0 && found.column > 0, "{found}");
        }
    }
    // A fault of the parent's is told once, and the child's own rules are read all the same.
    let broken = "policy: base\nobjective: { minimise: speed }\n";
    let child = format!(
        "policy: child\nextends: base\nrules: [{{ name: r, require: {{ suports: {{ in: [tools] }} }} }}]\n{objective}"
    );
    let found = Policies::from_texts(&[broken, &child], &four()).unwrap_err();
    assert_eq!(found.len(), 2, "{}", listing(&found));
    assert!(found[0].message.contains("speed") && found[1].message.contains("suports"), "{}", listing(&found));
}

#[test]
fn a_request_may_choose_its_own_policy_or_one_that_extends_it() {
    let folder = tempfile::tempdir().unwrap();
    let other = "policy: default\nobjective: { minimise: cost }\n";
    let grandchild = "policy: grandchild\nextends: child\n";
    for (file, text) in [("a", BASE), ("b", "policy: child\nextends: base\n"), ("c", other), ("d", grandchild)] {
        std::fs::write(folder.path().join(format!("{file}.yaml")), text).unwrap();
    }
    let (policies, _) = Policies::load(Some(folder.path()), &four()).unwrap();
    let chosen = |own, wish| policies.chosen(own, wish).map(|policy| policy.name.to_string());
    assert_eq!(chosen("base", "base").as_deref(), Some("base"));
    assert_eq!(chosen("base", "child").as_deref(), Some("child"));
    assert_eq!(chosen("base", "grandchild").as_deref(), Some("grandchild"));
    for (own, wish) in
        [("base", "default"), ("child", "base"), ("base", "nonesuch"), ("default", "child"), ("base", "")]
    {
        assert_eq!(chosen(own, wish), None, "{own} {wish}");
    }
    let extending: Vec<&str> = policies.extending("base").map(|name| name.as_str()).collect();
    assert_eq!(extending, ["child", "grandchild"]);
}

#[test]
fn constrain_allocates_as_much_for_thirty_rules_as_for_one() {
    let config = four();
    let rules = |count: usize| -> String {
        let whens = [
            "labels['data-class'] in ['personal', 'secret'] || tenant.region == 'us'",
            "request.model.startsWith('x') || request.input_tokens > 1000 && request.operation != 'embeddings'",
            "tenant.team == 'search' && key.id in ['k1', 'k2'] && (request.media || request.tools)",
        ];
        let rule = |place: usize| {
            let when = whens[place % whens.len()];
            format!(
                "  - {{ name: r{place}, when: \"{when}\", forbid: {{ operator.jurisdictions: {{ in: [CN] }} }} }}\n"
            )
        };
        (0..count).map(rule).collect()
    };
    let allocations = |count: usize| {
        let policy = policy(&rules(count), &config);
        assert!(policy.rules.iter().all(|rule| rule.applies.is_table()));
        let labels = labelled(&policy, &[], &[("data-class", "personal"), ("purpose", "dev")]);
        let request = RequestFacts { model: "x/y", tools: true, input_tokens: 5000, ..RequestFacts::BARE };
        let acme = &config.tenants["acme"];
        let of = Circumstances { team: "search", key: "k1", request, ..Circumstances::plain(acme, &labels) };
        let considered = all(&config);
        let judge = || assert_eq!(constrain(&policy, &of, &considered).rules().count(), count.min(1));
        allocation_counter::measure(judge).count_total
    };
    assert_eq!(allocations(30), allocations(1));
    assert_eq!(allocations(30), 0, "up to 64 targets and rules there is nothing to allocate at all");
}

#[test]
fn what_is_nested_deeply_is_an_error_or_read_but_no_crash() {
    let config = four();
    for (open, inside, close) in
        [("(", "true", ")"), ("!", "true", ""), ("-", "1 == 1", ""), ("[", "", "]"), ("true || ", "true", "")]
    {
        let depth = 4000 / (open.len() + close.len());
        let when = format!("{}{inside}{}", open.repeat(depth), close.repeat(depth));
        let rule = format!("rules: [{{ name: r, when: '{when}', require: {{ supports: {{ in: [tools] }} }} }}]");
        let _ = Policies::from_text(&format!("policy: p\n{rule}\n{OBJECTIVE}"), &config);
    }
    for nested in ["[", "{a: ", "- "] {
        let text = format!("policy: p\nrules: {}\n", nested.repeat(5000));
        assert!(Policies::from_text(&text, &config).is_err());
        let text = format!("policy: p\nextends: {}\n", nested.repeat(5000));
        assert!(Policies::from_text(&text, &config).is_err());
    }
}
