use std::fs;
use std::path::Path;

use super::report::Report;
use super::run::Suite;
use super::*;

fn test(dir: Option<&Path>, config: Option<&Path>) -> Result<Report, Vec<Problem>> {
    Ok(Suite::load(dir, config)?.run())
}

fn text(report: &Report) -> String {
    report.text(Paint::never())
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

#[test]
fn the_shipped_policies_pass_their_cases() {
    let report = test(Some(&shipped()), None).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(|problem| format!("{problem}\n")).collect::<String>())
    });
    assert_eq!(report.failed(), 0, "{}", text(&report));
    assert!(report.passed() >= 30, "{}", text(&report));
}

const POLICIES: [&str; 3] = ["default.yaml", "eu-residency.yaml", "open-weights-only.yaml"];

/// A copy of the shipped policies and their cases with one file changed.
fn changed(file: &str, change: impl Fn(&str) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tests")).unwrap();
    for name in POLICIES.into_iter().chain(["targets.yaml"]) {
        let cases = format!("tests/{name}");
        for name in [name, &cases] {
            let Ok(text) = fs::read_to_string(shipped().join(name)) else { continue };
            let text = if name == file { change(&text) } else { text };
            fs::write(folder.path().join(name), text).unwrap();
        }
    }
    folder
}

fn without_rule(text: &str, gone: usize) -> String {
    let (head, rest) = text.split_once("rules:\n").unwrap();
    let (rules, tail) = rest.split_once("objective:").unwrap();
    let kept = rules.split("  - name: ").skip(1).enumerate().filter(|(index, _)| *index != gone);
    let kept: String = kept.map(|(_, rule)| format!("  - name: {rule}")).collect();
    format!("{head}rules:\n{kept}objective:{tail}")
}

#[test]
fn every_rule_of_the_shipped_policies_is_held_by_a_case() {
    for file in POLICIES {
        let rules = fs::read_to_string(shipped().join(file)).unwrap().matches("  - name: ").count();
        assert!(rules >= 3);
        for gone in 0..rules {
            let folder = changed(file, |text| without_rule(text, gone));
            let report = test(Some(folder.path()), None).unwrap();
            assert!(report.failed() > 0, "without rule {gone} of {file} all cases pass");
        }
    }
}

#[test]
fn a_failed_case_says_what_was_expected_what_came_and_why() {
    let folder = changed("default.yaml", |text| text.replace("in: EEA", "in: [US]"));
    let report = test(Some(folder.path()), None).unwrap();
    assert!(text(&report).contains("  FAIL  personal data stays in the EEA"), "{}", text(&report));
    let said = text(&report);
    assert!(said.contains("- expected r1-distill@hoster-de\n        + got      a denial by"), "{said}");
    let why =
        "small@own-paris: removed by personal-data-stays-in-the-eea (location.countries is [FR], required: in [US])";
    assert!(text(&report).contains(why), "{}", text(&report));
    assert!(text(&report).contains("  ok    an easy prompt stays on the own model"), "{}", text(&report));
}

#[test]
fn faults_of_a_case_file_have_a_place_and_a_remedy() {
    let folder = changed("", str::to_owned);
    let cases = "\
config: targets.yaml
cases:
  - name: one
    given: { tenent: acme, score: 2 }
    expect: { targett: x }
  - given: {}
    expect: { never: { location.country: [US] } }
";
    fs::write(folder.path().join("tests/broken.yaml"), cases).unwrap();
    fs::write(folder.path().join("tests/stray.yaml"), "case: []\n").unwrap();
    let problems = test(Some(folder.path()), None).unwrap_err();
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for (place, word) in [
        ("broken.yaml:4:14", "did you mean `tenant`?"),
        ("broken.yaml:4:35", "score must lie between 0 and 1"),
        ("broken.yaml:5:15", "did you mean `target`?"),
        ("broken.yaml:6:5", "the case has no name"),
        ("stray.yaml", "holds no cases"),
    ] {
        assert!(
            said.iter().any(|problem| problem.contains(place) && problem.contains(word)),
            "{place} {word}\n{said:#?}"
        );
    }
}

#[test]
fn a_case_about_what_does_not_exist_fails() {
    let folder = changed("", str::to_owned);
    let cases = "\
config: targets.yaml
cases:
  - { name: a, given: { tenant: nobody }, expect: { target: small@own-paris } }
  - { name: b, expect: { target: small@nowhere } }
  - { name: c, policy: none, expect: { target: small@own-paris } }
  - { name: d, given: { health: { x@y: down } }, expect: { target: small@own-paris } }
  - { name: e, given: { client: { colour: red } }, expect: { target: small@own-paris } }
";
    fs::write(folder.path().join("tests/lost.yaml"), cases).unwrap();
    let report = test(Some(folder.path()), None).unwrap();
    assert_eq!(report.failed(), 5, "{}", text(&report));
}

#[test]
fn colour_and_json_and_junit_say_the_same() {
    let folder = changed("default.yaml", |text| text.replace("in: EEA", "in: [US]"));
    let report = test(Some(folder.path()), None).unwrap();
    let failed = report.failed();
    assert!(failed > 0);
    let coloured = report.text(Paint::always());
    assert!(coloured.contains("\u{1b}[31mFAIL\u{1b}[0m") && coloured.contains("\u{1b}[32m- expected"), "{coloured}");
    assert!(!text(&report).contains('\u{1b}'));

    let json = report.json();
    assert_eq!((json["ok"].as_bool(), json["failed"].as_u64()), (Some(false), u64::try_from(failed).ok()));
    let cases = json["cases"].as_array().unwrap();
    let bad = cases.iter().find(|case| case["passed"] == false).unwrap();
    assert!(bad["differences"][0]["expected"].is_string() && bad["line"].as_u64() > Some(1), "{bad}");

    let xml = report.junit();
    assert_eq!(xml.matches("<failure ").count(), failed, "{xml}");
    assert_eq!(xml.matches("<testcase ").count(), cases.len());
    assert!(xml.contains(&format!("tests=\"{}\" failures=\"{failed}\"", cases.len())), "{xml}");
}

#[test]
fn what_a_case_is_called_cannot_break_the_xml() {
    let folder = changed("", str::to_owned);
    let cases = "config: targets.yaml\ncases:\n  - { name: 'a <b> & \"c\"', expect: { denied_by: nobody } }\n";
    fs::write(folder.path().join("tests/odd.yaml"), cases).unwrap();
    let xml = test(Some(folder.path()), None).unwrap().junit();
    assert!(xml.contains("name=\"a &lt;b&gt; &amp; &quot;c&quot;\""), "{xml}");
}

fn mutated(folder: &Path) -> mutate::Mutation {
    mutate::run(&mut Suite::load(Some(folder), None).unwrap()).unwrap()
}

#[test]
fn every_change_of_a_shipped_policy_is_noticed_by_its_cases() {
    let mutation = mutated(&shipped());
    assert!(mutation.survivors.is_empty(), "{}", mutation.text(Paint::never()));
    assert!(mutation.json()["mutants"].as_u64() >= Some(30), "{}", mutation.json());
}

#[test]
fn a_change_that_no_case_notices_is_named_with_its_place() {
    let folder = changed("tests/eu-residency.yaml", |text| {
        let (head, _) = text.split_once("  - name: secrets stay on own machines").unwrap();
        head.to_owned()
    });
    let mutation = mutated(folder.path());
    let said = mutation.text(Paint::never());
    assert!(said.contains("eu-residency.yaml:15:5: no case notices that the rule was deleted in rule"), "{said}");
    assert!(said.contains("`secrets-stay-on-own-machines`") && said.contains("help: "), "{said}");
    let survivors = mutation.json()["survivors"].as_array().unwrap().clone();
    assert!(survivors.iter().all(|survivor| survivor["line"].as_u64() > Some(0)), "{survivors:?}");
}

#[test]
fn a_case_may_state_whatever_a_rule_may_look_at() {
    let folder = changed("default.yaml", |text| {
        let rule = "  - name: picky\n    when: request.stream && request.operation == \"messages\" && request.tools \
                    && request.media && request.unscanned && request.server_tools && request.input_tokens > 10 \
                    && tenant.team == \"search\" && key.id == \"k\"\n    require: { operator.name: { equals: self } }\n";
        text.replace("objective:", &format!("{rule}objective:"))
    });
    let all = "team: search, key: k, request: { model: cloud-us/big, operation: messages, stream: true, tools: true, \
               server_tools: true, media: true, input_tokens: 11 }";
    let mut cases = format!(
        "config: targets.yaml\npolicy: default\ncases:\n  - {{ name: all, given: {{ {all} }}, expect: {{ denied_by: picky }} }}\n"
    );
    for one in
        ["key: k, ", "team: search, ", "operation: messages, ", "stream: true, ", "tools: true, ", ", input_tokens: 11"]
    {
        let less = all.replacen(one, "", 1);
        cases += &format!("  - {{ name: '{one}', given: {{ {less} }}, expect: {{ target: big@cloud-us }} }}\n");
    }
    fs::write(folder.path().join("tests/picky.yaml"), cases).unwrap();
    // Rules may only name keys and teams that there are.
    let targets = folder.path().join("tests/targets.yaml");
    let key = format!("auth: {{ keys: [{{ id: k, team: search, hash: 'hmac-sha256:{}' }}] }}\n", "0".repeat(64));
    fs::write(&targets, fs::read_to_string(&targets).unwrap() + &key).unwrap();
    let report = test(Some(folder.path()), None).unwrap();
    assert_eq!(report.failed(), 0, "{}", text(&report));
    let mutation = mutated(folder.path());
    let said = mutation.text(Paint::never());
    assert!(!said.contains("`==` became `!=`") && !said.contains("the rule was deleted"), "{said}");

    let wrong = "config: targets.yaml\ncases:\n  - { name: a, given: { request: { operation: chats, stream: 1 } }, expect: { denied_by: x } }\n";
    fs::write(folder.path().join("tests/picky.yaml"), wrong).unwrap();
    let said = format!("{:?}", test(Some(folder.path()), None).unwrap_err());
    assert!(said.contains("did you mean `chat`?") && said.contains("stream is true or false"), "{said}");
}

#[test]
fn what_detectors_are_told_to_enforce_holds_in_cases_too() {
    let cases = "config: targets.yaml\ncases:\n  \
        - name: an account number stays in the EEA\n    \
          given: { prompt: 'pay DE89 3704 0044 0532 0130 00', request: { model: cloud-us/big }, score: 0.9 }\n    \
          expect: { denied_by: personal-data-stays-in-the-eea }\n  \
        - name: in any message\n    \
          given:\n      request:\n        model: cloud-us/big\n        messages:\n          \
            - { role: system, content: 'DE89370400440532013000' }\n          - { role: user, content: hi }\n      score: 0.9\n    \
          expect: { denied_by: personal-data-stays-in-the-eea }\n  \
        - name: and what nobody can read is taken for the tenant's class\n    \
          given: { tenant: acme, request: { model: cloud-us/big, media: true } }\n    \
          expect: { denied_by: personal-data-stays-in-the-eea }\n";
    let judged = |targets: &dyn Fn(String) -> String| {
        let folder = changed("none", str::to_owned);
        let path = folder.path().join("tests/targets.yaml");
        fs::write(&path, targets(fs::read_to_string(&path).unwrap())).unwrap();
        fs::write(folder.path().join("tests/default.yaml"), cases).unwrap();
        let report = test(Some(folder.path()), None).unwrap_or_else(|problems| {
            panic!("{}", problems.iter().map(|problem| format!("{problem}\n")).collect::<String>())
        });
        let said = text(&report);
        ["an account number", "in any message", "and what nobody"].map(|name| said.contains(&format!("  ok    {name}")))
    };
    let enforcing = |targets: String| {
        let text = targets.replace("{ name: acme", "{ name: acme, policy: default, unscanned_as: secret");
        format!("{text}\ndetection: {{ detectors: {{ iban: enforce }} }}\n")
    };
    assert_eq!(judged(&|text| text), [false, false, false], "as shipped, finds are only told");
    assert_eq!(judged(&enforcing), [true, true, true]);
}
