//! Without a configuration, the gateway runs on what the environment offers, and says what that is.

use std::process::Command;

use serde_json::Value;

use crate::harness::{Upstream, waypost};

/// The targets of a dry run without a configuration.
fn targets(environment: &[(&str, &str)]) -> Vec<String> {
    let ran = waypost(&["explain", "--json", "hi"], environment);
    assert_eq!(ran.code, 0, "{ran}");
    let decision = ran.json();
    let candidates = decision["candidates"].as_array().unwrap();
    candidates.iter().map(|candidate| candidate["target"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_key_in_the_environment_is_a_provider() {
    let found = targets(&[("OPENAI_API_KEY", "sk-x"), ("MISTRAL_API_KEY", "x")]);
    assert!(found.iter().any(|target| target.ends_with("@openai")), "{found:?}");
    assert!(found.iter().any(|target| target.ends_with("@mistral")), "{found:?}");
    assert!(!found.iter().any(|target| target.contains("scripted")), "{found:?}");
}

#[test]
fn a_model_server_on_this_machine_is_a_provider() {
    let script = "models: { my-own-model: { text: hi } }";
    // The ports of LM Studio and SGLang, whichever nobody uses here.
    let Some(server) = [1234, 30_000].into_iter().find_map(|port| Upstream::at(port, script).ok()) else {
        panic!("the ports 1234 and 30000 are taken on this machine");
    };
    let found = targets(&[]);
    assert!(found.iter().any(|target| target.starts_with("my-own-model@")), "{found:?}");
    assert_eq!(server.requests(), 0, "it was asked for its models and sent no prompt");
}

#[test]
fn with_nothing_to_find_the_scripted_provider_stands_in_and_that_is_said() {
    let elsewhere =
        [1234, 30_000, 8000, 8080, 11434].iter().any(|port| std::net::TcpStream::connect(("127.0.0.1", *port)).is_ok());
    let found = targets(&[]);
    assert!(elsewhere || found.iter().all(|target| target.contains("scripted")), "{found:?}");
}

#[test]
fn what_a_secret_in_a_file_says_is_used_and_never_shown() {
    let upstream = Upstream::plain();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key.txt"), "sk-from-a-file\n").unwrap();
    let config = folder.path().join("config.yaml");
    let text = format!(
        "providers:\n  - {{ name: own, kind: openai-compatible, endpoints: [\"{}\"], credentials: [{{ api_key: \"file:key.txt\" }}], \
         operator: {{ name: self, jurisdictions: [FR] }} }}\nmodels:\n  - {{ name: small, provider: own, tier: weak, \
         price: {{ input: 1, output: 1 }} }}\nlisten: {{ address: \"127.0.0.1:0\" }}\nadmin: {{ address: \"127.0.0.1:0\" }}\n",
        upstream.origin()
    );
    std::fs::write(&config, text).unwrap();
    let gateway = crate::harness::Gateway::run(folder, &[]);
    assert_eq!(gateway.chat(&crate::harness::chat("small", "hi")).send().status, 200);
    assert_eq!(upstream.stats().credentials, ["Bearer sk-from-a-file"]);
    let shown = Command::new(env!("CARGO_BIN_EXE_waypost")).args(["check", "--json", "--config"]).arg(&config).output();
    let shown: Value = serde_json::from_slice(&shown.unwrap().stdout).unwrap();
    assert!(!shown.to_string().contains("sk-from-a-file"));
    assert!(!gateway.log().contains("sk-from-a-file"));
}
