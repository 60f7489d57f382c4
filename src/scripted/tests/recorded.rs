//! The judges against recorded requests: what a real provider took, they take too.

use std::path::Path;

use serde_json::Value;

use super::client::{post_to, start};
use crate::scripted::Script;

/// These are refused for a seal that another provider made, and for nothing else.
const SEALS: [&str; 3] = ["Invalid `signature`", "Thought signature is not valid", "encrypted content"];

#[tokio::test]
async fn what_a_real_provider_took_is_not_refused() {
    let server = start(Script::default());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/exchanges");
    let mut taken = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let recorded: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let url = recorded["request"]["url"].as_str().unwrap();
        let at = url.splitn(4, '/').nth(3).unwrap();
        let known =
            ["completions", "responses", "embeddings", "messages", "count_tokens", "enerateContent", "mbedContents"];
        let spoken = known.iter().any(|end| at.split('?').next().unwrap().ends_with(end));
        if !spoken || recorded["response"]["status"] != 200 || !recorded["request"]["body"].is_object() {
            continue;
        }
        let answer = post_to(&server, &format!("/{at}"), &recorded["request"]["body"]).await;
        if answer.status != 200 {
            let (_, message) = answer.refusal();
            assert!(SEALS.iter().any(|seal| message.contains(seal)), "{}: {message}", path.display());
        } else {
            taken += 1;
        }
    }
    assert!(taken > 80, "only {taken} were found");
}
