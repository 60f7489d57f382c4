//! The configuration as it was written, fit to be shown: no secret is in it.
//!
//! It is the file's tree before the environment is filled in, so `${VAR}` and `file:PATH` stand as they were written.
//! What was written out instead is left away.

use serde_json::{Map, Value as Json};

use super::document::{Node, Value};

/// Stands for what is not shown.
const HIDDEN: &str = "(hidden)";

/// Values under these keys are secrets, or hashes that a guess can be tried against.
const SECRET: [&str; 8] = [
    "api_key",
    "access_key_id",
    "access_token",
    "hash",
    "secret",
    "secret_access_key",
    "service_account",
    "session_token",
];

/// The tree as JSON; scalars stay text.
pub(super) fn shown(node: &Node) -> Json {
    of("", node)
}

fn of(key: &str, node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Scalar(text) => Json::String(scalar(key, text)),
        Value::List(members) => members.iter().map(|member| of(key, member)).collect(),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| (key.text.clone(), of(&key.text, value)));
            Json::Object(entries.collect::<Map<_, _>>())
        }
    }
}

fn scalar(key: &str, text: &str) -> String {
    if SECRET.contains(&key) && !is_reference(text) {
        return HIDDEN.to_owned();
    }
    // `redis://user:password@host`: whatever stands before the host. `https://idp/keys?token=…`: whatever is asked for.
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    // A password with a sign of its own (`redis://:a?b@host`) makes no URL, and is hidden all the same.
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains(':')
        && !host.contains('@')
        && let Some((_, behind)) = rest.rsplit_once('@')
    {
        return scalar(key, &format!("{scheme}://{HIDDEN}@{behind}"));
    }
    if let Some((before, _)) = rest.split_once('?') {
        return format!("{}?{HIDDEN}", scalar(key, &format!("{scheme}://{before}")));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rfind('@') {
        Some(at) => format!("{scheme}://{HIDDEN}{}", rest.get(at..).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Whether a secret is only named: `file:PATH`, or one variable without a default.
fn is_reference(text: &str) -> bool {
    let variable = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    text.starts_with("file:") || variable.is_some_and(|name| !name.contains([':', '$', '}']))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::document;
    use crate::config::report::Report;

    #[test]
    fn secrets_are_hidden_and_their_names_are_not() {
        let text = "providers:\n  - name: a\n    endpoints: ['https://u:hunter2@h/p?key=hunter2']\n    credentials:\n      - api_key: sk-hunter2\n      \
                    - api_key: ${KEY}\n      - api_key: ${KEY:-hunter2}\n      - api_key: ${A}hunter2${B}\n      - api_key: file:k\n\
                    store: { url: 'rediss://:hunter2@r:6379/0' }\nother: ['redis://:hunter2?x@r:1/0', 'redis://u:a/hunter2#b@r:1/0?hunter2', 'redis://:hunter2/@r?q']\nauth: { keys: [{ id: k1, hash: 'hmac-sha256:hunter2' }] }\n";
        let report = Report::new(Path::new("c.yaml"), text);
        let json = shown(&document::parse(text, &report).unwrap());
        assert!(!json.to_string().contains("hunter2"), "{json}");
        let keys: Vec<&Json> =
            json["providers"][0]["credentials"].as_array().unwrap().iter().map(|one| &one["api_key"]).collect();
        assert_eq!(keys, [HIDDEN, "${KEY}", HIDDEN, HIDDEN, "file:k"]);
        assert_eq!(json["providers"][0]["endpoints"][0], "https://(hidden)@h/p?(hidden)");
        assert_eq!(json["store"]["url"], "rediss://(hidden)@r:6379/0");
        assert_eq!(json["other"][0], "redis://(hidden)@r:1/0");
        assert_eq!(json["other"][1], "redis://(hidden)@r:1/0?(hidden)");
        assert_eq!(json["auth"]["keys"][0]["id"], "k1");
    }
}
