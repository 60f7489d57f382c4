//! `waypost check`: every problem at once, each with its place, its cause and its remedy.

use std::path::PathBuf;

use serde_json::Value;

use crate::harness::{Setup, Upstream, repository, waypost};

/// Keys that the shipped files name.
const KEYS: [(&str, &str); 7] = [
    ("OPENAI_API_KEY", "x"),
    ("MISTRAL_API_KEY", "x"),
    ("DEEPSEEK_API_KEY", "x"),
    ("GROQ_API_KEY", "x"),
    ("OPENROUTER_API_KEY", "x"),
    ("XAI_API_KEY", "x"),
    ("ANTHROPIC_API_KEY", "x"),
];

fn yaml_in(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository().join(folder)).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

#[test]
fn every_shipped_configuration_passes() {
    let files = [yaml_in("config"), yaml_in("config/quickstart")].concat();
    assert!(files.len() >= 7, "{files:?}");
    for file in files {
        let ran = waypost(&["check", "--config", file.to_str().unwrap()], &KEYS);
        assert_eq!(ran.code, 0, "{}: {ran}", file.display());
        assert!(!ran.to_string().contains("refuses every"), "it serves nobody: {ran}");
    }
}

#[test]
fn a_policy_that_would_refuse_everybody_is_a_warning() {
    let upstream = Upstream::plain();
    let (_folder, config) = Setup::new()
        .provider("own", &upstream, "operator: { name: Unsaid }")
        .model("small", "own", "tier: weak")
        .section("tenants: [ { name: elsewhere } ]")
        .write();
    let ran = waypost(&["check", "--config", config.to_str().unwrap()], &[]);
    assert_eq!(ran.code, 0, "it may be meant: {ran}");
    let said = ran.to_string();
    assert!(said.contains("refuses every ordinary request of tenant `default`"), "{said}");
    assert!(said.contains("operator.jurisdictions is not stated"), "{said}");
    assert!(!said.contains("`elsewhere`"), "nobody can be that tenant: {said}");
}

#[test]
fn a_location_that_the_endpoint_contradicts_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("waypost.yaml");
    let text = "\
providers:
  - name: frankfurt
    kind: openai-compatible
    endpoints: [\"https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1\"]
    location: { countries: [DE] }
models:
  - { name: m, provider: frankfurt, tier: mid, price: { input: 1, output: 1 } }
classifier: { model: off }
";
    std::fs::write(&file, text).unwrap();
    let ran = waypost(&["check", "--config", file.to_str().unwrap()], &[]);
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.stdout.contains("waypost.yaml:5:29: error: provider `frankfurt` states location DE"), "{ran}");
    assert!(ran.stdout.contains("help: write `countries: [US]`"), "{ran}");
    std::fs::write(&file, text.replace("us-east-1", "eu-central-1")).unwrap();
    let ran = waypost(&["check", "--config", file.to_str().unwrap()], &[]);
    assert_eq!(ran.code, 0, "{ran}");
}

#[test]
fn every_shipped_policy_passes_as_the_policy_of_a_tenant() {
    let folder = repository().join("policies");
    let upstream = Upstream::plain();
    for file in yaml_in("policies") {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let (_folder, config) = Setup::one(&upstream)
            .section(&format!("policies: \"{}\"", folder.display()))
            .section(&format!("tenants: [{{ name: default, policy: {name} }}]"))
            .write();
        let ran = waypost(&["check", "--config", config.to_str().unwrap()], &[]);
        assert_eq!(ran.code, 0, "{name}: {ran}");
    }
}

#[test]
fn a_tenants_missing_policy_has_a_place_or_says_what_to_add() {
    let check = |tenants: &str| {
        let (_folder, config) = Setup::one(&Upstream::plain())
            .section(tenants)
            .policy("only", "policy: only\nobjective: { minimise: cost }\n")
            .write();
        let ran = waypost(&["check", "--config", config.to_str().unwrap()], &[]);
        assert_eq!(ran.code, 1, "{ran}");
        ran.to_string()
    };
    let misspelt = check("tenants: [ { name: default, policy: onyl } ]");
    assert!(misspelt.contains("did you mean `only`?"), "{misspelt}");
    assert!(misspelt.contains(":37: error"), "the column of `onyl`: {misspelt}");
    let unwritten = check("decisions: { keep: 5 }");
    assert!(unwritten.contains("add `tenants: [ { name: default, policy: only } ]`"), "{unwritten}");
}

/// Places of the problems, as `line` numbers, in the order printed.
fn lines_of(printed: &str, file: &str) -> Vec<u32> {
    let starts = printed.lines().filter_map(|line| line.split_once(&format!("{file}:")));
    let places = starts.filter_map(|(_, rest)| {
        let mut parts = rest.split(':');
        let line: u32 = parts.next()?.parse().ok()?;
        let column: u32 = parts.next()?.parse().ok()?;
        (column > 0).then_some(line)
    });
    places.collect()
}

#[test]
fn ten_faults_give_ten_problems_each_with_its_place_and_a_remedy() {
    let file = repository().join("tests/fixtures/configs/ten-faults.yaml");
    let ran = waypost(&["check", "--config", file.to_str().unwrap()], &[]);
    assert_eq!(ran.code, 1, "{ran}");
    let text = std::fs::read_to_string(&file).unwrap();
    let wrong = text.lines().zip(1..).filter(|(line, _)| line.contains("# wrong:")).map(|(_, number)| number);
    let wrong: Vec<u32> = wrong.collect();
    assert_eq!(wrong.len(), 10);
    let mut found = lines_of(&ran.all(), "ten-faults.yaml");
    found.sort_unstable();
    assert_eq!(found, wrong, "{ran}");
    assert!(ran.all().matches("help: ").count() >= 10, "each says what to write instead: {ran}");
    for suggestion in ["`address`", "tier", "`small`"] {
        assert!(ran.all().contains(suggestion), "{suggestion} is suggested: {ran}");
    }
}

#[test]
fn a_misspelt_name_in_a_policy_is_found_with_a_suggestion() {
    let upstream = Upstream::plain();
    let policy = "policy: default\nrules:\n  - name: a\n    when: tenant.regoin == \"eu\"\n    require:\n      \
                  location.contries: { in: EEA }\nobjective: { minimise: cost }\n";
    let (_folder, config) = Setup::one(&upstream).policy("default", policy).write();
    let ran = waypost(&["check", "--config", config.to_str().unwrap()], &[]);
    assert_eq!(ran.code, 1, "{ran}");
    let mut lines = lines_of(&ran.all(), "default.yaml");
    lines.sort_unstable();
    assert_eq!(lines, [4, 6], "{ran}");
    assert!(ran.all().contains("region") && ran.all().contains("location.countries"), "{ran}");
}

#[test]
fn problems_can_be_read_by_a_program() {
    let file = repository().join("tests/fixtures/configs/ten-faults.yaml");
    let ran = waypost(&["check", "--json", "--config", file.to_str().unwrap()], &[]);
    assert_eq!(ran.code, 1, "{ran}");
    let problems = ran.json();
    let list = problems.as_array().or_else(|| problems["problems"].as_array()).expect("a list");
    let errors: Vec<&Value> = list.iter().filter(|problem| problem["severity"] == "error").collect();
    assert_eq!(errors.len(), 10, "{problems}");
    for problem in errors {
        assert!(problem["line"].as_u64() > Some(0) && problem["column"].as_u64() > Some(0), "{problem}");
        assert!(problem["message"].is_string() && problem["remedy"].is_string(), "{problem}");
    }
}

#[test]
fn a_file_that_is_not_there_is_a_problem_too() {
    let ran = waypost(&["check", "--config", "no/such/file.yaml"], &[]);
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.all().contains("no/such/file.yaml"), "{ran}");
}

#[test]
fn the_schema_is_json_schema() {
    let ran = waypost(&["check", "--schema"], &[]);
    assert_eq!(ran.code, 0, "{ran}");
    let schema = ran.json();
    assert!(schema["$schema"].as_str().unwrap().contains("json-schema.org"));
    for section in ["providers", "models", "listen", "cache"] {
        assert!(schema["properties"][section].is_object(), "{section}");
    }
    for absent in ["ledger", "data_dir"] {
        assert!(schema["properties"].get(absent).is_none(), "{absent} is not built yet");
    }
}

fn checks_with_classifier(section: &str, library: Option<&str>) -> crate::harness::Ran {
    let upstream = Upstream::plain();
    let (_folder, config) = Setup::one(&upstream).section(section).write();
    let environment: Vec<_> = library.map(|path| ("ORT_DYLIB_PATH", path)).into_iter().collect();
    waypost(&["check", "--config", config.to_str().unwrap()], &environment)
}

#[test]
fn a_missing_or_broken_classifier_is_a_problem_with_a_remedy() {
    let missing = checks_with_classifier("classifier: { model: no/such/folder }", None);
    assert_eq!(missing.code, 1, "{missing}");
    assert!(missing.all().contains("no/such/folder") && missing.all().contains("help: "), "{missing}");

    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(repository().join("config/classifier/linear")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let section = format!("classifier: {{ model: \"{}\" }}", folder.path().display());
    assert_eq!(checks_with_classifier(&section, None).code, 0);
    std::fs::write(folder.path().join("model.onnx"), b"not a model").unwrap();
    let broken = checks_with_classifier(&section, None);
    assert_eq!(broken.code, 1, "{broken}");
}

#[test]
fn a_missing_library_is_a_problem_that_says_how_to_get_it() {
    let ran = checks_with_classifier("classifier: { model: embedded, runtime: /no/such/libonnxruntime.so }", None);
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.all().contains("onnxruntime"), "{ran}");
    let ran = checks_with_classifier("classifier: { model: embedded }", Some("/no/such/libonnxruntime.so"));
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.all().contains("make onnxruntime") || ran.all().contains("pip"), "the remedy: {ran}");
    let off = checks_with_classifier("classifier: { model: off }", Some("/no/such/libonnxruntime.so"));
    assert_eq!(off.code, 0, "switched off, it is not needed: {off}");
}

#[test]
fn a_gateway_with_a_problem_does_not_start_and_says_what_check_says() {
    let file = repository().join("tests/fixtures/configs/ten-faults.yaml");
    let ran = waypost(&["serve", "--config", file.to_str().unwrap()], &[]);
    assert_eq!(ran.code, 1, "{ran}");
    assert_eq!(lines_of(&ran.all(), "ten-faults.yaml").len(), 10, "{ran}");
}
