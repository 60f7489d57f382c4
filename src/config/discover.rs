//! A configuration from what is lying around: provider keys in the environment, model servers on this machine.
//!
//! What is found is written as a configuration file would be and read by the same code, so a discovered gateway has
//! no setting that a written one could not have; `Discovered::written` is a file to begin with.

use std::fmt::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use serde::Deserialize;

use super::environment::Lookup;
use super::names::free_name;
use super::problem::Problem;
use super::running::{Config, Tier};
use crate::catalog;

/// What `discover` came to.
#[derive(Debug)]
pub struct Discovered {
    /// Ready to run.
    pub config: Config,
    /// The same as text, without any key: variables stay variables.
    pub written: String,
    /// What was found, for the banner.
    pub found: Vec<Found>,
    /// Problems that do not stop the start.
    pub warnings: Vec<Problem>,
}

/// One thing that was found, or that stands in for all that was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where: `OPENAI_API_KEY` or `127.0.0.1:11434`.
    pub place: String,
    /// What it is and what it is used for.
    pub note: String,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.note)
    }
}

/// A model of a public provider that is worth having.
struct Offer {
    kind: &'static str,
    upstream: &'static str,
    tier: Tier,
    /// Tokens.
    context: u32,
    supports: &'static str,
}

const fn offer(kind: &'static str, upstream: &'static str, tier: Tier, context: u32, supports: &'static str) -> Offer {
    Offer { kind, upstream, tier, context, supports }
}

/// Context windows and capabilities as the vendors' model pages (see `config/catalog/`) state them; tiers are ours.
const OFFERS: [Offer; 16] = [
    offer("openai", "gpt-6-luna", Tier::Mid, 1_050_000, "tools, parallel_tools, json_schema, images, reasoning"),
    offer("openai", "gpt-6.1-sol", Tier::Strong, 1_050_000, "tools, parallel_tools, json_schema, images, reasoning"),
    offer(
        "anthropic",
        "claude-sonnet-5-5",
        Tier::Mid,
        1_000_000,
        "tools, parallel_tools, json_schema, images, documents, reasoning",
    ),
    offer(
        "anthropic",
        "claude-opus-5-5",
        Tier::Strong,
        1_000_000,
        "tools, parallel_tools, json_schema, images, documents, reasoning",
    ),
    offer(
        "gemini",
        "gemini-3.8-flash",
        Tier::Mid,
        1_048_576,
        "tools, parallel_tools, json_schema, images, documents, audio, reasoning",
    ),
    offer(
        "gemini",
        "gemini-4-argon",
        Tier::Strong,
        1_048_576,
        "tools, parallel_tools, json_schema, images, documents, audio, reasoning",
    ),
    offer("deepseek", "deepseek-flash", Tier::Mid, 1_000_000, "tools, reasoning"),
    offer("deepseek", "deepseek-v4-pro", Tier::Strong, 1_000_000, "tools, reasoning"),
    offer("mistral", "mistral-medium-2508", Tier::Mid, 128_000, "tools, json_schema"),
    offer("mistral", "mistral-large-2512", Tier::Strong, 256_000, "tools, json_schema"),
    offer("groq", "openai/gpt-oss-20b", Tier::Weak, 131_072, "tools, reasoning"),
    offer("groq", "openai/gpt-oss-120b", Tier::Mid, 131_072, "tools, reasoning"),
    offer("openrouter", "openai/gpt-4o-mini", Tier::Mid, 128_000, "tools, json_schema, images"),
    offer("openrouter", "openai/gpt-6.1-terra", Tier::Strong, 1_050_000, "tools, json_schema, images, reasoning"),
    offer("xai", "grok-4.3", Tier::Mid, 1_000_000, "tools, json_schema, images, reasoning"),
    offer("xai", "grok-4.6", Tier::Strong, 500_000, "tools, json_schema, images, reasoning"),
];

/// A model server that listens at a well-known port: name, kind, port.
struct Local(&'static str, &'static str, u16);

const LOCALS: [Local; 5] = [
    Local("ollama", "ollama", 11434),
    Local("vllm", "vllm", 8000),
    Local("llamacpp", "llamacpp", 8080),
    Local("sglang", "sglang", 30000),
    Local("lmstudio", "openai-compatible", 1234),
];

/// Most models taken from one server.
const MOST: usize = 32;

/// Looks around. `probe` fetches a path from an address on this machine and gives the body of a 200, and nothing
/// otherwise; it should give up soon.
///
/// # Errors
/// Problems of what was found, such as a key with a line end in it.
pub async fn discover<P>(lookup: &dyn Fn(&str) -> Option<String>, probe: P) -> Result<Discovered, Vec<Problem>>
where
    P: AsyncFn(SocketAddr, &'static str) -> Option<Vec<u8>>,
{
    let ask = async |local: &Local| probe(SocketAddr::from((Ipv4Addr::LOCALHOST, local.2)), "/v1/models").await;
    let [a, b, c, d, e] = &LOCALS;
    let answers = tokio::join!(ask(a), ask(b), ask(c), ask(d), ask(e));
    compose(lookup, &[answers.0, answers.1, answers.2, answers.3, answers.4])
}

/// Writes and reads the configuration; `answers` are those of `LOCALS`.
fn compose(lookup: Lookup<'_>, answers: &[Option<Vec<u8>>]) -> Result<Discovered, Vec<Problem>> {
    let (mut providers, mut models, mut found) = (String::new(), String::new(), Vec::new());
    for (local, answer) in LOCALS.iter().zip(answers) {
        let served = answer.as_deref().map(served).unwrap_or_default();
        if served.is_empty() {
            continue;
        }
        write_local(local, &served, &mut providers, &mut models);
        let names: Vec<_> = served.iter().map(|model| model.id.as_str()).collect();
        let note = format!("{} on this machine: {}", local.0, names.join(", "));
        found.push(Found { place: format!("127.0.0.1:{}", local.2), note });
    }
    for kind in &catalog::KINDS {
        let Some(variable) = kind.key_variable else {
            continue;
        };
        if lookup(variable).is_some_and(|key| !key.trim().is_empty()) {
            let names = write_public(kind, variable, &mut providers, &mut models);
            found.push(Found { place: variable.to_owned(), note: format!("{}: {names}", kind.name) });
        }
    }
    if providers.is_empty() {
        write_scripted(&mut providers, &mut models);
        let note = "no key and no model server found: answers come from the scripted provider and say so".to_owned();
        found.push(Found { place: "scripted".to_owned(), note });
    }
    let written = format!(
        "# Written by `waypost serve` from what it found.\n\
         tenants: [{{ name: default, policy: unrestricted }}]\nproviders:\n{providers}models:\n{models}"
    );
    let loaded = super::load_text(Path::new("discovered"), None, &written, lookup)?;
    Ok(Discovered { config: loaded.config, written, found, warnings: loaded.warnings })
}

fn write_local(local: &Local, served: &[Served], providers: &mut String, models: &mut String) {
    let Local(name, kind, port) = local;
    // Writing to a string cannot fail.
    let _ = writeln!(providers, "  - {{ name: {name}, kind: {kind}, endpoints: [\"http://127.0.0.1:{port}\"] }}");
    let mut taken = Vec::new();
    for model in served {
        let model_name = free_name(&model.id, &taken);
        let _ = write!(
            models,
            "  - {{ name: {}, provider: {name}, upstream: {}, tier: {}, price: {{ input: 0, output: 0 }}",
            quoted(&model_name),
            quoted(&model.id),
            word(tier_by_size(&model.id)),
        );
        if let Some(context) = model.max_model_len.filter(|tokens| *tokens > 0) {
            let _ = write!(models, ", context: {context}");
        }
        models.push_str(" }\n");
        taken.push(model_name);
    }
}

fn write_public(kind: &catalog::Kind, variable: &str, providers: &mut String, models: &mut String) -> String {
    let name = kind.name;
    let _ = writeln!(
        providers,
        "  - {{ name: {name}, kind: {name}, credentials: [ {{ api_key: \"${{{variable}}}\" }} ] }}"
    );
    let mut names = Vec::new();
    for Offer { upstream, tier, context, supports, .. } in OFFERS.iter().filter(|offer| offer.kind == name) {
        let short = upstream.rsplit('/').next().unwrap_or(upstream);
        let _ = writeln!(
            models,
            "  - {{ name: {short}, provider: {name}, upstream: {upstream}, tier: {}, price: catalog, \
             context: {context}, supports: [{supports}] }}",
            word(*tier)
        );
        names.push(short);
    }
    names.join(", ")
}

fn write_scripted(providers: &mut String, models: &mut String) {
    providers.push_str("  - { name: scripted, kind: scripted }\n");
    for (upstream, tier) in [("gpt-6-luna", Tier::Weak), ("gpt-6.1-sol", Tier::Strong)] {
        let _ = writeln!(
            models,
            "  - {{ name: scripted-{upstream}, provider: scripted, upstream: {upstream}, tier: {}, price: catalog, \
             supports: [tools, images] }}",
            word(tier)
        );
    }
}

const fn word(tier: Tier) -> &'static str {
    match tier {
        Tier::Weak => "weak",
        Tier::Mid => "mid",
        Tier::Strong => "strong",
    }
}

/// A text as YAML reads it back, whatever is in it; `$` is doubled before a brace so that nothing is filled in.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace("${", "$${")).to_string()
}

/// A model as a server's `/v1/models` lists it.
#[derive(Debug, Deserialize)]
struct Served {
    id: String,
    /// vLLM and SGLang say how many tokens they take.
    max_model_len: Option<u64>,
}

/// The chat models of a `/v1/models` answer; none where it is something else.
fn served(body: &[u8]) -> Vec<Served> {
    #[derive(Deserialize)]
    struct Models {
        data: Vec<Served>,
    }
    let Ok(Models { mut data }) = serde_json::from_slice(body) else {
        return Vec::new();
    };
    data.retain(|model| {
        let id = model.id.to_lowercase();
        !id.is_empty() && !id.chars().any(char::is_control) && !id.contains("embed") && !id.contains("rerank")
    });
    data.truncate(MOST);
    data
}

/// A first guess from the size in a model's name (`7b`, `135M`): up to 8 billion parameters weak, up to 40 mid. A
/// name that says nothing is taken for weak, so hard prompts go elsewhere where there is an elsewhere.
fn tier_by_size(id: &str) -> Tier {
    let lower = id.to_lowercase();
    let mut billions: f64 = 0.0;
    for part in lower.split(|c: char| !c.is_ascii_alphanumeric() && c != '.') {
        let Some(number) = part.strip_suffix('b') else {
            continue;
        };
        billions = billions.max(number.parse().unwrap_or(0.0));
    }
    match billions {
        size if size > 40.0 => Tier::Strong,
        size if size > 8.0 => Tier::Mid,
        _ => Tier::Weak,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::facts::{Fact, FactName};

    fn with_key(name: &str) -> Option<String> {
        (name == "DEEPSEEK_API_KEY").then(|| "sk-secret".to_owned())
    }

    #[tokio::test]
    async fn keys_and_local_servers_become_targets() {
        let models = br#"{"object":"list","data":[{"id":"qwen2.5:14b"},{"id":"nomic-embed-text"},{"id":"x/${HOME}"}]}"#;
        let probe = async |address: SocketAddr, path: &'static str| {
            (address.port() == 11434 && path == "/v1/models").then(|| models.to_vec())
        };
        let discovered = discover(&with_key, probe).await.unwrap();
        let names: Vec<_> = discovered.config.targets.iter().map(|target| target.name.as_str()).collect();
        assert_eq!(
            names,
            ["qwen2.5:14b@ollama", "HOME-@ollama", "deepseek-flash@deepseek", "deepseek-v4-pro@deepseek"]
        );
        assert_eq!(discovered.config.targets[0].tier, Tier::Mid);
        assert_eq!(discovered.config.targets[1].upstream, "x/${HOME}", "a model's name is never filled in");
        assert_eq!(discovered.config.path, None);
        assert_eq!(discovered.warnings, []);
        let facts = &discovered.config.targets[2].facts;
        assert_eq!(
            facts.get(FactName::OperatorJurisdictions),
            Some(&Fact::Set(["CN".to_owned()].into())),
            "the operator of a public provider is known"
        );
        assert_eq!(facts.get(FactName::LocationCountries), None, "where it processes prompts is not");
        assert!(!discovered.written.contains("sk-secret"));
    }

    #[tokio::test]
    async fn nothing_found_starts_on_the_scripted_provider_and_says_so() {
        let discovered = discover(&|_| None, async |_, _| None).await.unwrap();
        let tiers: Vec<_> = discovered.config.targets.iter().map(|target| target.tier).collect();
        assert_eq!(tiers, [Tier::Weak, Tier::Strong]);
        assert!(discovered.config.targets.iter().all(|target| target.price.is_some()));
        assert!(discovered.found[0].note.contains("say so"));
    }

    #[tokio::test]
    async fn every_public_key_gives_priced_targets() {
        let all = |name: &str| name.ends_with("_API_KEY").then(|| "sk-1".to_owned());
        let discovered = discover(&all, async |_, _| None).await.unwrap();
        assert_eq!(discovered.config.targets.len(), OFFERS.len());
        assert_eq!(discovered.warnings, []);
    }

    #[tokio::test]
    async fn a_server_that_is_something_else_is_left_alone() {
        let discovered = discover(&|_| None, async |_, _| Some(b"<html>".to_vec())).await.unwrap();
        assert_eq!(discovered.config.providers[0].name.as_str(), "scripted");
    }
}
