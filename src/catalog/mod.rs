//! What is publicly known of providers and models: endpoints, paths, operators, origins, list prices.
//!
//! Facts are data in `config/catalog/`, each with its source and date, and embedded. They fill in what the
//! configuration does not state; they never say where a prompt is processed.

use std::sync::OnceLock;

use serde::Deserialize;

pub use kinds::{KINDS, KeyHeader, Kind, kind, plain};
pub use litellm::{Known, Litellm, LitellmError};
pub use prices::{price, priced_models, today};

mod kinds;
mod litellm;
mod prices;

/// Who runs a public provider.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// The provider's kind.
    pub kind: String,
    /// Hosts that are known to be this operator's.
    pub hosts: Vec<String>,
    /// The company.
    pub name: String,
    /// Countries whose law binds it; empty where not known.
    #[serde(default)]
    pub jurisdictions: Vec<String>,
    /// Page that says so.
    pub source: String,
    /// As of when, `YYYY-MM-DD`.
    pub date: String,
}

/// Where models come from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// What providers call them; a name may end in `*`.
    pub names: Vec<String>,
    /// The provider kind at whose own hosts this holds; everywhere where not said.
    pub kind: Option<String>,
    /// Who trained them.
    pub developer: Option<String>,
    /// The developer's country.
    pub country: Option<String>,
    /// SPDX identifier.
    pub licence: Option<String>,
    /// Whether the weights can be downloaded.
    pub open_weights: Option<bool>,
    /// Page that says so.
    pub source: String,
    /// As of when, `YYYY-MM-DD`.
    pub date: String,
}

/// The operator of a provider of this kind, if all `hosts` are known to be its own.
pub fn operator<'h>(kind: &str, hosts: impl IntoIterator<Item = &'h str>) -> Option<&'static Operator> {
    let operator = operators().iter().find(|operator| operator.kind == kind)?;
    let own = |host: &str| operator.hosts.iter().any(|known| known == host);
    hosts.into_iter().all(own).then_some(operator)
}

/// Where a model comes from. `own_kind`: the provider's kind if it runs at that kind's own hosts.
pub fn origin(upstream: &str, own_kind: Option<&str>) -> Option<&'static Origin> {
    let written = upstream.to_lowercase();
    let named = |name: &String| {
        let name = name.to_lowercase();
        match name.strip_suffix('*') {
            Some(start) => written.starts_with(start),
            None => written == name,
        }
    };
    origins().iter().find(|origin| {
        origin.kind.as_deref().is_none_or(|kind| own_kind == Some(kind)) && origin.names.iter().any(named)
    })
}

fn operators() -> &'static [Operator] {
    static OPERATORS: OnceLock<Vec<Operator>> = OnceLock::new();
    OPERATORS.get_or_init(|| embedded(include_str!("../../config/catalog/operators.yaml")))
}

fn origins() -> &'static [Origin] {
    static ORIGINS: OnceLock<Vec<Origin>> = OnceLock::new();
    ORIGINS.get_or_init(|| embedded(include_str!("../../config/catalog/models.yaml")))
}

#[expect(clippy::expect_used, reason = "embedded at compile time and read by a test")]
fn embedded<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_saphyr::from_str(text).expect("embedded catalogue")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_has_a_source_and_a_date() {
        for operator in operators() {
            assert!(operator.source.starts_with("https://") && operator.date.len() == 10, "{operator:?}");
            assert!(kind(&operator.kind).is_some(), "{operator:?}");
        }
        for origin in origins() {
            assert!(origin.source.starts_with("https://") && origin.date.len() == 10, "{origin:?}");
        }
    }

    #[test]
    fn somebody_elses_server_does_not_become_openai_by_calling_itself_so() {
        assert_eq!(operator("openai", ["api.openai.com"]).unwrap().name, "OpenAI");
        assert!(operator("openai", ["llm.example.org"]).is_none());
        assert!(origin("gpt-4o", None).is_none());
        assert_eq!(origin("gpt-4o", Some("openai")).unwrap().developer.as_deref(), Some("OpenAI"));
    }

    #[test]
    fn open_weights_keep_their_origin_wherever_they_run() {
        let origin = origin("deepseek-ai/deepseek-r1-distill-qwen-32b", None).unwrap();
        assert_eq!((origin.country.as_deref(), origin.licence.as_deref()), (Some("CN"), Some("MIT")));
    }
}
