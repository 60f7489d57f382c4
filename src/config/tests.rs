use super::*;

const MINIMAL: &str = "
providers: [{ name: local, kind: llamacpp, endpoints: ['http://127.0.0.1:8080'] }]
models: [{ name: small, provider: local, tier: weak, price: { input: 0, output: 0 } }]
";

fn nothing(_: &str) -> Option<String> {
    None
}

fn read(text: &str) -> Result<Loaded, Vec<Problem>> {
    load_text(Path::new("waypost.yaml"), None, text, &nothing)
}

/// Line, column and message of every problem.
fn problems(text: &str) -> Vec<(u32, u32, String)> {
    let problems = match read(text) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    };
    problems.into_iter().map(|problem| (problem.line, problem.column, problem.message)).collect()
}

#[test]
fn providers_and_models_are_enough() {
    let loaded = read(MINIMAL).unwrap();
    assert_eq!(loaded.warnings, []);
    let config = loaded.config;
    assert_eq!(config.targets[0].name.as_str(), "small@local");
    assert_eq!(config.providers[0].endpoints[0].chat_path, "/v1/chat/completions");
    assert!(config.auth.open_on_loopback);
    assert!(config.tenants.contains_key("default"));
    assert_eq!(config.listen.hosts, ["localhost", "127.0.0.1", "[::1]"]);
    assert!(config.hash.starts_with("sha256:") && config.hash.len() == 71);
}

#[test]
fn one_run_names_every_fault() {
    let text = "\
listen:
  adress: 127.0.0.1:4000
  drain: 30
  max_body: lots
admin: { address: 0.0.0.0:4001 }
tenants:
  - { name: acme, floor: { data-clas: internal } }
labels:
  data-class: { order: [public, internal, personal], default: secret }
providers:
  - name: gpu
    kind: vlm
    endpoints: [10.0.0.5:8000]
  - kind: openai
models:
  - { name: a, provider: gpuu, tier: mid, price: { input: 1, output: 1 } }
  - { name: b, provider: gpu, tier: high, context: many, price: { input: 1e3, output: 1 } }
  - { name: b, provider: gpu, tier: weak, price: catalogue }
aliases:
  - { name: auto, targets: [{ model: a }, { model: c, weight: 0 }] }
auth:
  keys:
    - { id: k1, hash: \"sha256:00\", tenant: acmee, expires: soon, may_set: [purpose] }
cache: { exact: maybe }
cache: { exact: on }
";
    let found: Vec<_> = problems(text);
    let places: Vec<_> = found.iter().map(|(line, column, _)| (*line, *column)).collect();
    insta::assert_snapshot!(
        found.iter().map(|(line, column, message)| format!("{line}:{column} {message}")).collect::<Vec<_>>().join("\n")
    );
    assert!(places.len() >= 20);
}
