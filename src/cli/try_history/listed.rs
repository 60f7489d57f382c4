//! What a model that a log names costs by the price lists, and who offers it.

use std::collections::HashMap;

use crate::catalog;
use crate::money::Price;

/// A model as the price lists know it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listed {
    /// The provider's kind.
    pub(super) kind: &'static str,
    /// The provider's name of the model.
    pub(super) upstream: String,
    /// Today's.
    pub(super) price: Price,
}

/// The price lists, asked once for every name.
#[derive(Debug)]
pub(super) struct Lists {
    today: String,
    known: HashMap<(String, String), Option<Listed>>,
}

/// What other gateways call providers whose models have the prices of a kind's own.
const ALSO: [(&str, &str); 6] = [
    ("azure", "openai"),
    ("azure_ai", "openai"),
    ("text-completion-openai", "openai"),
    ("google", "gemini"),
    ("vertex_ai", "gemini"),
    ("x-ai", "xai"),
];

/// Names kept; of further ones every line is looked up again.
const MOST: usize = 10_000;

impl Lists {
    pub(super) fn new() -> Self {
        Self { today: catalog::today(), known: HashMap::new() }
    }

    /// A model under the name that a log gives it, with the provider where the log names one.
    pub(super) fn find(&mut self, model: &str, provider: Option<&str>) -> Option<Listed> {
        let key = (model.to_owned(), provider.unwrap_or_default().to_owned());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let found = self.look_up(model, provider);
        if self.known.len() < MOST {
            self.known.insert(key, found.clone());
        }
        found
    }

    fn look_up(&self, model: &str, provider: Option<&str>) -> Option<Listed> {
        if let Some(kind) = provider.and_then(kind) {
            let bare = model.split_once('/').filter(|(first, _)| self::kind(first) == Some(kind));
            let found = self.listed(kind, model).or_else(|| self.listed(kind, bare?.1));
            if found.is_some() {
                return found;
            }
        }
        if let Some((first, rest)) = model.split_once('/')
            && let Some(kind) = kind(first)
            && let Some(found) = self.listed(kind, rest)
        {
            return Some(found);
        }
        catalog::KINDS.iter().find_map(|kind| self.listed(kind.name, model))
    }

    fn listed(&self, kind: &'static str, upstream: &str) -> Option<Listed> {
        // The scripted provider plays every other's models; the one that they are of is meant.
        if kind == "scripted" {
            return None;
        }
        let price = catalog::price(kind, upstream, &self.today)?;
        Some(Listed { kind, upstream: upstream.to_owned(), price })
    }
}

fn kind(name: &str) -> Option<&'static str> {
    let name = ALSO.iter().find(|(also, _)| *also == name).map_or(name, |(_, kind)| kind);
    catalog::kind(name).map(|kind| kind.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_found_under_the_names_that_gateways_give_it() {
        let mut lists = Lists::new();
        let mut find = |model: &str, provider| lists.find(model, provider).map(|found| (found.kind, found.upstream));
        let gpt = Some(("openai", "gpt-4o".to_owned()));
        assert_eq!(find("gpt-4o", None), gpt);
        assert_eq!(find("openai/gpt-4o", Some("openai")), gpt);
        assert_eq!(find("azure/gpt-4o", None), gpt);
        assert_eq!(find("gpt-4o", Some("azure")), gpt);
        assert_eq!(find("openrouter/openai/gpt-4o", None), Some(("openrouter", "openai/gpt-4o".to_owned())));
        assert_eq!(find("gpt-4o-2024-08-06", None), Some(("openai", "gpt-4o-2024-08-06".to_owned())));
        assert_eq!((find("my-own", None), find("sonar", Some("perplexity"))), (None, None));
    }
}
