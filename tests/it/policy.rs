//! Rules hold: what is forbidden gets not one byte, and no client can loosen what applies to it.

use crate::harness::{Gateway, Setup, Upstream, VirtualKey, chat, chat_stream, waypost};

fn start(sections: &[&str]) -> (Upstream, Upstream, Gateway) {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let setup = sections.iter().fold(Setup::own_and_paid(&own, &paid), |setup, section| setup.section(section));
    let gateway = setup.start();
    (own, paid, gateway)
}

#[test]
fn personal_data_is_refused_at_a_provider_abroad_which_never_hears_of_it() {
    let (own, paid, gateway) = start(&[]);
    for body in [chat("large", "hi"), chat_stream("large", "hi"), chat("paid/large", "hi")] {
        let answer = gateway.chat(&body).labels("data-class=personal").send();
        let message = answer.must_be_error(403, "policy_denied");
        assert!(message.contains("personal-data-stays-in-the-eea"), "the rules are named: {message}");
        assert_eq!(answer.expect_header("x-should-retry"), "false");
    }
    paid.must_be_untouched();
    own.must_be_untouched();
    assert_eq!(gateway.chat(&chat("large", "hi")).send().status, 200, "without the label it goes");
}

#[test]
fn a_dry_run_that_would_be_refused_counts_as_no_denial() {
    let (_own, _paid, gateway) = start(&[]);
    let denials = || gateway.metric("waypost_denials_total", &[("rule", "personal-data-stays-in-the-eea")]);
    let dry = gateway.post("/v1/route", &chat("large", "hi")).labels("data-class=personal").send();
    assert_eq!((dry.status, dry.json()["outcome"].as_str()), (200, Some("denied")), "{}", dry.text());
    assert_eq!(denials(), None);
    gateway.chat(&chat("large", "hi")).labels("data-class=personal").send().must_be_error(403, "policy_denied");
    assert_eq!(denials(), Some(1.0));
}

#[test]
fn auto_goes_where_the_rules_allow() {
    let (own, paid, gateway) = start(&[]);
    let answer = gateway.chat(&chat("auto", "hi")).labels("data-class=personal").send();
    assert_eq!(answer.expect_header("x-waypost-provider"), "own");
    assert_eq!(own.requests(), 1);
    paid.must_be_untouched();
}

#[test]
fn a_tenants_floor_cannot_be_lowered_by_its_client() {
    let (_own, paid, gateway) = start(&["tenants: [{ name: default, floor: { data-class: personal } }]"]);
    for labels in ["data-class=public", "data-class=internal"] {
        gateway.chat(&chat("large", "hi")).labels(labels).send().must_be_error(403, "policy_denied");
    }
    gateway.chat(&chat("large", "hi")).send().must_be_error(403, "policy_denied");
    paid.must_be_untouched();
}

#[test]
fn a_keys_label_cannot_be_lowered_by_its_client() {
    let key = VirtualKey::create();
    let entry = key.entry("k", "labels: { data-class: secret }");
    let (_own, paid, gateway) = start(&[&format!("auth: {{ keys: [{entry}] }}")]);
    let answer = gateway.chat(&chat("large", "hi")).key(&key.secret).labels("data-class=public").send();
    answer.must_be_error(403, "policy_denied");
    paid.must_be_untouched();
}

#[test]
fn a_value_that_the_client_set_cannot_switch_a_rule_off() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let gateway = Setup::own_and_paid(&own, &paid)
        .section("labels: { purpose: { values: [support, dev] } }")
        .policy(
            "default",
            "policy: default\nrules:\n  - name: only-dev-may-leave\n    when: labels[\"purpose\"] != \"dev\"\n    \
             require: { location.countries: { in: EEA } }\nobjective: { minimise: cost }\n",
        )
        .start();
    let answer = gateway.chat(&chat("large", "hi")).labels("purpose=dev").send();
    assert!(answer.must_be_error(403, "policy_denied").contains("only-dev-may-leave"));
    paid.must_be_untouched();
}

#[test]
fn a_fact_that_a_rule_names_and_a_target_does_not_state_excludes_the_target() {
    let (stated, silent) = (Upstream::plain(), Upstream::plain());
    let gateway = Setup::one(&stated)
        .provider("silent", &silent, "operator: { name: Silent }")
        .model("large", "silent", "tier: strong")
        .start();
    // The built-in policy forbids jurisdictions in CN; this provider does not say whose law it is under.
    gateway.chat(&chat("large", "hi")).send().must_be_error(403, "policy_denied");
    assert_eq!(gateway.chat(&chat("auto", "hi")).send().expect_header("x-waypost-provider"), "own");
    silent.must_be_untouched();
}

#[test]
fn a_label_that_is_not_declared_or_has_no_such_value_is_a_clear_error() {
    let (own, paid, gateway) = start(&[]);
    for labels in
        ["no-such-label=1", "data-class=top-secret", "data-class", "=personal", "data-class=personal,data-class=public"]
    {
        let answer = gateway.chat(&chat("auto", "hi")).labels(labels).send();
        answer.must_be_error(400, "label_invalid");
    }
    let message =
        gateway.chat(&chat("auto", "hi")).labels("data-clas=personal").send().must_be_error(400, "label_invalid");
    assert!(message.contains("data-clas"), "{message}");
    own.must_be_untouched();
    paid.must_be_untouched();
}

#[test]
fn another_policy_than_the_tenants_own_is_refused() {
    let (own, _paid, gateway) = start(&[]);
    let asked = gateway.chat(&chat("auto", "hi")).header("x-waypost-policy", "open-weights-only").send();
    asked.must_be_error(403, "permission_denied");
    gateway.chat(&chat("auto/open-weights-only", "hi")).send().must_be_error(403, "permission_denied");
    own.must_be_untouched();
    assert_eq!(gateway.chat(&chat("auto/default", "hi")).send().status, 200, "one's own may be named");
}

#[test]
fn a_refusal_says_as_much_as_it_is_told_to() {
    let said = |detail: &str| {
        let (_own, _paid, gateway) = start(&[&format!("errors: {{ detail: {detail} }}")]);
        let answer = gateway.chat(&chat("large", "hi")).labels("data-class=personal").send();
        answer.must_be_error(403, "policy_denied");
        answer.text()
    };
    let rule = "personal-data-stays-in-the-eea";
    assert!(!said("none").contains(rule));
    assert!(said("rules").contains(rule));
    let full = said("full");
    assert!(full.contains(rule) && full.contains("large@paid"), "{full}");
}

#[test]
fn a_refusal_that_is_to_say_nothing_names_no_ceiling_either() {
    let said = |detail: &str| {
        let (_own, _paid, gateway) = start(&[&format!("errors: {{ detail: {detail} }}")]);
        let answer = gateway.chat(&chat("auto", "hi")).header("x-waypost-max-cost-usd", "0.000000001").send();
        answer.must_be_error(403, "policy_denied");
        answer.text()
    };
    assert!(!said("none").contains("max_cost"));
    assert!(said("rules").contains("max_cost"));
}

#[test]
fn the_shipped_policies_pass_their_own_cases() {
    let ran = waypost(&["policy", "test", "policies"], &[]);
    assert_eq!(ran.code, 0, "{ran}");
    for policy in ["default", "eu-residency", "open-weights-only"] {
        assert!(ran.stdout.contains(policy), "{policy} has cases: {ran}");
    }
}

/// The shipped policies and their cases, each file changed.
fn shipped(change: impl Fn(&str, String) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = crate::harness::repository().join("policies");
    std::fs::create_dir(folder.path().join("tests")).unwrap();
    for entry in std::fs::read_dir(&from).unwrap().chain(std::fs::read_dir(from.join("tests")).unwrap()) {
        let path = entry.unwrap().path();
        if path.is_file() {
            let name = path.strip_prefix(&from).unwrap();
            let text = change(name.to_str().unwrap(), std::fs::read_to_string(&path).unwrap());
            std::fs::write(folder.path().join(name), text).unwrap();
        }
    }
    folder
}

#[test]
fn every_change_of_a_shipped_policy_makes_a_case_fail() {
    let ran = waypost(&["policy", "test", "policies", "--mutate", "--json"], &[]);
    assert_eq!(ran.code, 0, "{ran}");
    let mutation = &ran.json()["mutation"];
    assert!(mutation["mutants"].as_u64() >= Some(30) && mutation["survivors"] == serde_json::json!([]), "{ran}");
}

#[test]
fn a_rule_that_no_case_holds_is_named_with_file_and_line() {
    // A second rule that says no more than the first: none of it makes a difference but turning it round.
    let folder = shipped(|name, text| match name {
        "open-weights-only.yaml" => {
            let again = "  - name: again\n    require: { provenance.open_weights: { equals: true } }\nobjective:";
            text.replace("objective:", again)
        }
        _ => text,
    });
    let ran = waypost(&["policy", "test", folder.path().to_str().unwrap(), "--mutate"], &[]);
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.stdout.contains("open-weights-only.yaml:14:5: no case notices that the rule was deleted"), "{ran}");
    assert!(ran.stdout.contains("in rule `again`") && ran.stdout.contains(" not noticed"), "{ran}");
}

#[test]
fn the_outcome_of_cases_can_be_read_by_programs() {
    let folder = shipped(|_, text| text.replace("in: EEA", "in: [US]"));
    let (dir, junit) = (folder.path().to_str().unwrap(), folder.path().join("junit.xml"));
    let ran = waypost(&["policy", "test", dir, "--json", "--junit", junit.to_str().unwrap()], &[]);
    assert_eq!(ran.code, 1, "{ran}");
    let report = ran.json();
    let failed = report["failed"].as_u64().unwrap();
    assert!(report["ok"] == false && failed > 0, "{ran}");
    let xml = std::fs::read_to_string(junit).unwrap();
    assert_eq!(u64::try_from(xml.matches("<failure ").count()).unwrap(), failed, "{xml}");
    let shown = waypost(&["policy", "test", dir], &[]);
    assert!(shown.stdout.contains("- expected ") && shown.stdout.contains("+ got      "), "{shown}");
    assert!(!shown.stdout.contains('\u{1b}'), "no colour where nobody looks: {shown}");
}

fn prove(policy: &str, claims: &[&str], more: &[&str]) -> crate::harness::Ran {
    let mut arguments =
        vec!["policy", "prove", "policies", "--config", "policies/tests/targets.yaml", "--policy", policy];
    for claim in claims {
        arguments.extend(["--never", claim]);
    }
    arguments.extend(more);
    waypost(&arguments, &[])
}

#[test]
fn eu_residency_is_proved_to_keep_everything_in_europe() {
    let ran = prove("eu-residency", &["countries in [US, CN]", "jurisdictions not in EEA"], &[]);
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.stdout.starts_with("proved: ") && ran.stdout.contains("96 combinations"), "{ran}");
    let ran = prove("default", &["jurisdictions in [CN]"], &["--json"]);
    assert_eq!((ran.code, ran.json()["proved"].as_bool()), (0, Some(true)), "{ran}");
}

#[test]
fn what_a_policy_does_not_promise_has_a_counterexample_that_can_be_tried() {
    let ran = prove("default", &["countries in [US]"], &["--json"]);
    assert_eq!(ran.code, 1, "{ran}");
    let found = ran.json()["counterexamples"][0].clone();
    assert_eq!((found["target"].as_str(), found["tenant"].as_str()), (Some("big@cloud-us"), Some("acme")), "{ran}");
    let class = found["labels"]["data-class"].as_str().unwrap();
    let explained = waypost(
        &[
            "explain",
            "--config",
            "policies/tests/targets.yaml",
            "--tenant",
            "acme",
            "--label",
            &format!("data-class={class}"),
            "--model",
            "cloud-us/big",
            "--json",
            "hi",
        ],
        &[],
    );
    assert_eq!(explained.code, 0, "{explained}");
    let decision = explained.json();
    assert!(decision["chosen"].is_u64(), "the request that it names does reach it: {decision}");
}

#[test]
fn a_question_that_cannot_be_read_is_neither_proved_nor_refuted() {
    for (policy, claim, remedy) in [
        ("default", "contries in [US]", "did you mean `countries`?"),
        ("default", "countries in [UK]", "did you mean `GB`?"),
        ("default", "countries", "write `countries in [US]`"),
        ("defualt", "countries in [US]", "did you mean `default`?"),
    ] {
        let ran = prove(policy, &[claim], &[]);
        assert_eq!(ran.code, 2, "{claim}: {ran}");
        assert!(ran.stderr.contains(remedy), "{claim}: {ran}");
    }
    assert_eq!(prove("default", &[], &[]).code, 2);
}

#[test]
fn a_policy_case_that_fails_is_named_and_the_exit_code_is_one() {
    // Without this rule, the cases that rely on it must fail.
    let folder = shipped(|_, text| text.replace("in: EEA", "in: [US, FR, DE, SE]"));
    let ran = waypost(&["policy", "test", folder.path().to_str().unwrap()], &[]);
    assert_eq!(ran.code, 1, "{ran}");
}
