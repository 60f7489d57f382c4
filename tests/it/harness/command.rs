//! The other commands of the binary, run to their end.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What a command did.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Its standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// Everything it printed.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// Variables that discovery looks at; those of the machine that runs the tests must not decide what they see.
const PROVIDER_KEYS: [&str; 8] = [
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GEMINI_API_KEY",
    "DEEPSEEK_API_KEY",
    "MISTRAL_API_KEY",
    "GROQ_API_KEY",
    "OPENROUTER_API_KEY",
    "XAI_API_KEY",
];

/// Runs `waypost` in the repository's folder.
pub(crate) fn waypost(arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    waypost_in(Path::new(env!("CARGO_MANIFEST_DIR")), arguments, environment)
}

/// Runs `waypost` in a folder.
pub(crate) fn waypost_in(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waypost"));
    for name in PROVIDER_KEYS {
        command.env_remove(name);
    }
    let ran = command.args(arguments).envs(environment.iter().copied()).current_dir(folder).output().unwrap();
    Ran {
        code: ran.status.code().expect("it ended by itself"),
        stdout: String::from_utf8_lossy(&ran.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&ran.stderr).into_owned(),
    }
}

/// A virtual key, and how the configuration knows it.
pub(crate) struct VirtualKey {
    pub(crate) secret: String,
    hash: String,
}

impl VirtualKey {
    /// Made by `waypost keys create`.
    pub(crate) fn create() -> Self {
        let made = waypost(&["keys", "create", "--json"], &[]);
        assert_eq!(made.code, 0, "{made}");
        let made = made.json();
        Self {
            secret: made["key"].as_str().unwrap().to_owned(),
            hash: made["config"]["hash"].as_str().unwrap().to_owned(),
        }
    }

    /// A member of `auth.keys`: `entry("k1", "tenant: acme")`.
    pub(crate) fn entry(&self, id: &str, more: &str) -> String {
        let comma = if more.is_empty() { "" } else { ", " };
        format!("{{ id: {id}, hash: \"{}\"{comma}{more} }}", self.hash)
    }
}
