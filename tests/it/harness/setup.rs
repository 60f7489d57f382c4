//! A configuration, put together piece by piece.

use std::path::PathBuf;

use super::{Gateway, Upstream};

/// What every provider states unless a test says otherwise: own machines in France, where every shipped rule lets
/// anything go. A fact left out would exclude the target from any rule that names it.
const OWN: &str = "location: { countries: [FR] }, operator: { name: self, jurisdictions: [FR] }, \
                   data: { retention: 0d, trains: false }";
/// A provider in the United States that keeps prompts for a month.
pub(crate) const ABROAD: &str = "location: { countries: [US] }, operator: { name: Abroad, jurisdictions: [US] }, \
                                 data: { retention: 30d, trains: false }";
/// USD per million tokens.
pub(crate) const PRICE: &str = "price: { input: 1, output: 10 }";

/// A configuration in the making. Listens on free ports, knows the label `data-class`, and has no classifier unless
/// a section says otherwise.
#[derive(Default)]
pub(crate) struct Setup {
    providers: Vec<String>,
    models: Vec<String>,
    sections: Vec<String>,
    policies: Vec<(String, String)>,
    environment: Vec<(String, String)>,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One model `small` at the provider `own`, which is this upstream.
    pub(crate) fn one(upstream: &Upstream) -> Self {
        Self::new().provider("own", upstream, "").model("small", "own", "tier: weak")
    }

    /// A cheap weak model `small` at `own`, and a dear strong one, `large`, at `paid` in the United States.
    pub(crate) fn own_and_paid(own: &Upstream, paid: &Upstream) -> Self {
        Self::one(own).provider("paid", paid, ABROAD).model(
            "large",
            "paid",
            "tier: strong, price: { input: 5, output: 50 }",
        )
    }

    /// A provider of the plain OpenAI format.
    pub(crate) fn provider(self, name: &str, upstream: &Upstream, facts: &str) -> Self {
        self.provider_at(name, &upstream.origin(), facts)
    }

    pub(crate) fn provider_at(mut self, name: &str, origin: &str, facts: &str) -> Self {
        let stated = if facts.contains("operator:") { "" } else { OWN };
        let comma = if stated.is_empty() || facts.is_empty() { "" } else { ", " };
        let kind = if facts.contains("kind:") { "" } else { "kind: openai-compatible, " };
        self.providers.push(format!("{{ name: {name}, {kind}endpoints: [\"{origin}\"], {stated}{comma}{facts} }}"));
        self
    }

    /// A model; priced unless told.
    pub(crate) fn model(mut self, name: &str, provider: &str, more: &str) -> Self {
        let price = if more.contains("price:") { String::new() } else { format!(", {PRICE}") };
        self.models.push(format!("{{ name: {name}, provider: {provider}, {more}{price} }}"));
        self
    }

    /// A section of the configuration, in one line of flow style.
    pub(crate) fn section(mut self, yaml: &str) -> Self {
        self.sections.push(yaml.to_owned());
        self
    }

    /// A policy file. Without one, the built-in policy rules.
    pub(crate) fn policy(mut self, name: &str, yaml: &str) -> Self {
        self.policies.push((name.to_owned(), yaml.to_owned()));
        self
    }

    /// A variable of the gateway's environment.
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The configuration's text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (title, members) in [("providers", &self.providers), ("models", &self.models)] {
            text.push_str(&format!("{title}:\n"));
            members.iter().for_each(|member| text.push_str(&format!("  - {member}\n")));
        }
        for (name, usual) in [
            ("listen", "listen: { address: \"127.0.0.1:0\" }"),
            ("admin", "admin: { address: \"127.0.0.1:0\" }"),
            ("classifier", "classifier: { model: off }"),
            ("labels", "labels: { data-class: { order: [public, internal, personal, secret], default: internal } }"),
        ] {
            let begins = format!("{name}:");
            match self.sections.iter().find(|section| section.starts_with(&begins)) {
                None => text.push_str(usual),
                // Listeners get a free port beside what the test says.
                Some(section) if usual.contains("address") && !section.contains("address:") => {
                    text.push_str(&section.replacen('{', "{ address: \"127.0.0.1:0\",", 1));
                }
                Some(section) => text.push_str(section),
            }
            text.push('\n');
        }
        let placed = ["listen:", "admin:", "classifier:", "labels:"];
        for section in self.sections.iter().filter(|section| !placed.iter().any(|name| section.starts_with(name))) {
            text.push_str(&format!("{section}\n"));
        }
        if !self.policies.is_empty() {
            text.push_str("policies: policies/\n");
        }
        text
    }

    /// Writes everything into a folder of its own.
    pub(crate) fn write(&self) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.yaml");
        std::fs::write(&config, self.text()).unwrap();
        if !self.policies.is_empty() {
            std::fs::create_dir(folder.path().join("policies")).unwrap();
        }
        for (name, yaml) in &self.policies {
            std::fs::write(folder.path().join("policies").join(format!("{name}.yaml")), yaml).unwrap();
        }
        (folder, config)
    }

    /// The same with further files.
    pub(crate) fn write_with(&self, files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
        let (folder, config) = self.write();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        (folder, config)
    }

    /// Starts the gateway.
    pub(crate) fn start(&self) -> Gateway {
        let (folder, _) = self.write();
        Gateway::run(folder, &self.environment)
    }
}
