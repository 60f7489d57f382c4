//! The other commands, as an operator types them.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{VirtualKey, curl, waypost};

#[test]
fn keys_create_prints_the_key_once_and_the_lines_for_the_configuration() {
    let made = waypost(&["keys", "create", "--tenant", "acme", "--models", "auto,r1*", "--expires", "90d"], &[]);
    assert_eq!(made.code, 0, "{made}");
    assert_eq!(made.stdout.matches("wp-").count(), 1, "{made}");
    let key = made.stdout.split_whitespace().find(|word| word.starts_with("wp-")).unwrap();
    assert_eq!(key.len(), 41, "wp-, 32 characters and a checksum of 6");
    assert!(made.stdout.contains("hmac-sha256:") && made.stdout.contains("acme"), "{made}");
    assert_ne!(VirtualKey::create().secret, VirtualKey::create().secret);
}

#[test]
fn keys_create_makes_no_entry_that_check_would_refuse() {
    for flags in [["--id", "a b"], ["--tenant", "x/y"], ["--team", ""], ["--models", ""], ["--expires", "2020-01-01"]] {
        let ran = waypost(&[&["keys", "create"], &flags[..]].concat(), &[]);
        assert_eq!(ran.code, 2, "{flags:?}: {ran}");
        assert!(!ran.stdout.contains("wp-"), "{flags:?}: {ran}");
    }
}

#[test]
fn upstream_is_a_scripted_provider_of_its_own_that_counts() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script.yaml");
    std::fs::write(
        &script,
        "models:\n  flaky: { text: played, fail_first: 1, status: 503 }\ndefault: { text: played }\n",
    )
    .unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_waypost"))
        .args(["upstream", "--port", "0", "--script"])
        .arg(&script)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    // Reads one line and closes: that nobody reads the rest must not end it.
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let at = line.split_whitespace().find(|word| word.starts_with("http://")).expect("its address");
    let origin = at.trim_end_matches("/v1/chat/completions");
    let ask = |model: &str, key: &str| {
        let body = crate::harness::chat(model, "hi").to_string();
        curl(&["-H", "content-type: application/json", "-H", &format!("authorization: Bearer {key}"), "-d", &body, at])
    };
    assert_eq!(ask("flaky", "one").status, 503);
    assert_eq!(ask("flaky", "two").said(), "played");
    let stats: Value = curl(&[&format!("{origin}/scripted/stats")]).json();
    assert_eq!((&stats["requests"], &stats["finished"], &stats["open"]), (&2.into(), &2.into(), &0.into()));
    assert_eq!(stats["credentials"], serde_json::json!(["Bearer one", "Bearer two"]));
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn a_script_with_a_mistake_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script.yaml");
    std::fs::write(&script, "default:\n  txt: hi\n").unwrap();
    let ran = waypost(&["upstream", "--script", script.to_str().unwrap()], &[]);
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.stderr.contains("line 2") && ran.stderr.contains("txt"), "{ran}");
}

#[test]
fn what_is_not_built_yet_is_not_there() {
    for command in ["replay", "ledger", "import", "doctor", "spend"] {
        assert_eq!(waypost(&[command], &[]).code, 2, "{command}");
    }
    assert_eq!(waypost(&["keys", "revoke"], &[]).code, 2);
}
