//! Prices from LiteLLM's list, a JSON file that many operators keep already:
//! <https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json>.
//!
//! Its prices are US dollars per token, often with an exponent, so they are read from their text. Only what a
//! configured model asks for is looked at: an odd entry of another model does no harm.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::KINDS;
use super::prices::without_date;
use crate::money::{MoneyError, Price, Rate, Rates, scaled};

/// The list.
#[derive(Debug)]
pub struct Litellm {
    entries: HashMap<String, Box<RawValue>>,
}

/// What the list knows of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// What it costs.
    pub price: Price,
    /// Most tokens of input.
    pub context: Option<u64>,
    /// Most tokens of output.
    pub max_output: Option<u64>,
}

/// Why the list gives no price.
#[derive(Debug, thiserror::Error)]
pub enum LitellmError {
    /// The file is not a JSON object of models.
    #[error("it is not a list of models by name: {0}")]
    List(#[source] serde_json::Error),
    /// The model's entry is not an object, or has a field of an odd shape.
    #[error("its entry `{0}` cannot be read: {1}")]
    Entry(String, #[source] serde_json::Error),
    /// A field of the model's entry is no number.
    #[error("{1} of its entry `{0}`: {2}")]
    Number(String, String, #[source] MoneyError),
}

impl Litellm {
    /// Reads the file's text.
    ///
    /// # Errors
    /// It is not a JSON object.
    pub fn read(text: &str) -> Result<Self, LitellmError> {
        let entries = serde_json::from_str(text).map_err(LitellmError::List)?;
        Ok(Self { entries })
    }

    /// What a public provider of this kind takes for a model: `KIND/NAME`, or the bare name where the entry says that it
    /// is this provider's. LiteLLM and the kinds have the same names for them. Nothing is known of own servers.
    ///
    /// # Errors
    /// The model's entry cannot be read.
    pub fn find(&self, kind: &str, upstream: &str) -> Result<Option<Known>, LitellmError> {
        let name = upstream.strip_prefix("models/").unwrap_or(upstream);
        // The scripted provider plays every provider's models.
        for public in KINDS.iter().filter(|public| public.endpoint.is_some()) {
            if public.name != kind && kind != "scripted" {
                continue;
            }
            for name in [Some(name), without_date(name)].into_iter().flatten() {
                if let Some(known) = self.get(&format!("{}/{name}", public.name))? {
                    return Ok(Some(known));
                }
                if self.is_of(name, public.name)
                    && let Some(known) = self.get(name)?
                {
                    return Ok(Some(known));
                }
            }
        }
        Ok(None)
    }

    /// What an entry says. Nothing where there is none or it has no price for tokens.
    ///
    /// # Errors
    /// The entry cannot be read.
    pub fn get(&self, key: &str) -> Result<Option<Known>, LitellmError> {
        let Some(entry) = self.entries.get(key) else { return Ok(None) };
        let fields = serde_json::from_str(entry.get()).map_err(|error| LitellmError::Entry(key.to_owned(), error))?;
        Entry { key, fields }.known()
    }

    /// The names of all entries.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    fn is_of(&self, key: &str, provider: &str) -> bool {
        #[derive(Deserialize)]
        struct Named {
            litellm_provider: String,
        }
        let named = self.entries.get(key).and_then(|entry| serde_json::from_str::<Named>(entry.get()).ok());
        named.is_some_and(|Named { litellm_provider: said }| {
            said.strip_prefix("text-completion-").unwrap_or(&said) == provider
        })
    }
}

/// One model, or one of its `tiered_pricing`.
struct Entry<'l> {
    key: &'l str,
    fields: BTreeMap<String, &'l RawValue>,
}

impl<'l> Entry<'l> {
    fn known(&self) -> Result<Option<Known>, LitellmError> {
        let (base, above) = if let Some(tiers) = self.fields.get("tiered_pricing") {
            let mut tiers = self.ranges(tiers)?;
            if tiers.is_empty() {
                return Ok(None);
            }
            let (_, base) = tiers.remove(0);
            (base, tiers)
        } else {
            let Some(base) = self.rates("")? else { return Ok(None) };
            let mut above = Vec::new();
            for (suffix, tokens) in self.thresholds() {
                above.extend(self.rates(suffix)?.map(|rates| (tokens, rates)));
            }
            (base, above)
        };
        Ok(Some(Known {
            price: Price::tiered(base, above),
            context: self.size("max_input_tokens"),
            max_output: self.size("max_output_tokens"),
        }))
    }

    /// `_above_200k_tokens` and its like, with how many tokens they mean.
    fn thresholds(&self) -> Vec<(&str, u64)> {
        let mut found = Vec::new();
        for field in self.fields.keys() {
            if let Some(suffix) = field.strip_prefix("input_cost_per_token")
                && let Some(thousands) = suffix.strip_prefix("_above_").and_then(|rest| rest.strip_suffix("k_tokens"))
                && let Ok(thousands) = thousands.parse::<u64>()
            {
                found.push((suffix, thousands.saturating_mul(1000)));
            }
        }
        found
    }

    /// The rates in the fields that end so; `None` where there is no price of input and output.
    fn rates(&self, suffix: &str) -> Result<Option<Rates>, LitellmError> {
        let rate = |field: &str| self.number(&format!("{field}{suffix}"), Rate::per_token);
        let Some(input) = rate("input_cost_per_token")? else { return Ok(None) };
        let output = match rate("output_cost_per_token")? {
            Some(output) => output,
            // A prompt's length may change the price of input alone.
            None if !suffix.is_empty() => match self.number("output_cost_per_token", Rate::per_token)? {
                Some(output) => output,
                None => return Ok(None),
            },
            None if self.fields.get("mode").is_some_and(|mode| mode.get() == r#""embedding""#) => Rate(0),
            None => return Ok(None),
        };
        let cache_write = rate("cache_creation_input_token_cost")?.unwrap_or(input);
        Ok(Some(Rates {
            input,
            output,
            cached_input: rate("cache_read_input_token_cost")?.unwrap_or(input),
            cache_write,
            cache_write_1h: rate("cache_creation_input_token_cost_above_1hr")?.unwrap_or(cache_write),
            reasoning: rate("output_cost_per_reasoning_token")?,
        }))
    }

    /// `tiered_pricing: [{ "range": [0, 32000.0], "input_cost_per_token": … }, …]`, as the models of Qwen have it.
    fn ranges(&self, tiers: &RawValue) -> Result<Vec<(u64, Rates)>, LitellmError> {
        let odd = |error| LitellmError::Entry(self.key.to_owned(), error);
        let tiers: Vec<BTreeMap<String, &RawValue>> = serde_json::from_str(tiers.get()).map_err(odd)?;
        let mut found = Vec::new();
        for fields in tiers {
            let range: Vec<&RawValue> = match fields.get("range") {
                Some(range) => serde_json::from_str(range.get()).map_err(odd)?,
                None => Vec::new(),
            };
            let tier = Entry { key: self.key, fields };
            let from = range.first().map_or(Ok(0), |from| scaled(from.get(), 0));
            let from = from.map_err(|error| LitellmError::Number(self.key.to_owned(), "range".to_owned(), error))?;
            found.extend(tier.rates("")?.map(|rates| (from.unsigned_abs(), rates)));
        }
        found.sort_by_key(|(from, _)| *from);
        Ok(found)
    }

    fn number<T>(&self, field: &str, read: fn(&str) -> Result<T, MoneyError>) -> Result<Option<T>, LitellmError> {
        let Some(text) = self.fields.get(field).map(|value| value.get()).filter(|text| *text != "null") else {
            return Ok(None);
        };
        // Some write their numbers as texts.
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        let odd = |error| LitellmError::Number(self.key.to_owned(), field.to_owned(), error);
        read(text).map(Some).map_err(odd)
    }

    /// A number of tokens. What is none is no reason to refuse the price.
    fn size(&self, field: &str) -> Option<u64> {
        let size = self.number(field, |text| scaled(text, 0)).ok().flatten()?;
        u64::try_from(size).ok().filter(|size| *size > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> Litellm {
        Litellm::read(include_str!("../../tests/fixtures/litellm.json")).unwrap()
    }

    fn rate(usd: &str) -> Rate {
        Rate::per_million(usd.parse().unwrap())
    }

    #[test]
    fn a_model_is_found_under_its_providers_names_for_it() {
        let list = list();
        let input = |kind, name| list.find(kind, name).unwrap().map(|known| known.price.base().input);
        assert_eq!(input("openai", "gpt-4o"), Some(rate("2.5")));
        assert_eq!(input("openai", "gpt-4o-2024-08-06"), Some(rate("2.5")));
        assert_eq!(input("anthropic", "claude-sonnet-4-5-20250929"), Some(rate("3")));
        assert_eq!(input("gemini", "gemini-2.5-pro"), Some(rate("1.25")));
        assert_eq!(input("gemini", "models/gemini-2.5-pro"), Some(rate("1.25")));
        assert_eq!(input("deepseek", "deepseek-chat"), Some(rate("0.28")));
        assert_eq!(input("openrouter", "anthropic/claude-sonnet-4.5"), Some(rate("3")));
        assert_eq!(input("groq", "openai/gpt-oss-120b"), Some(rate("0.15")));
        assert_eq!(input("scripted", "gpt-4o"), Some(rate("2.5")));
        for (kind, name) in
            [("anthropic", "gpt-4o"), ("vllm", "gpt-4o"), ("openai", "sample_spec"), ("openai", "dall-e-3")]
        {
            assert_eq!(input(kind, name), None, "{name} at {kind}");
        }
    }

    #[test]
    fn all_that_tokens_cost_is_read() {
        let list = list();
        let sonnet = list.find("anthropic", "claude-sonnet-4-5").unwrap().unwrap();
        let base = Rates {
            input: rate("3"),
            output: rate("15"),
            cached_input: rate("0.3"),
            cache_write: rate("3.75"),
            cache_write_1h: rate("6"),
            reasoning: None,
        };
        assert_eq!(sonnet.price.at(200_000), &base);
        let long = Rates {
            input: rate("6"),
            output: rate("22.5"),
            cached_input: rate("0.6"),
            cache_write: rate("7.5"),
            cache_write_1h: rate("12"),
            reasoning: None,
        };
        assert_eq!(sonnet.price.at(200_001), &long);
        assert_eq!((sonnet.context, sonnet.max_output), (Some(200_000), Some(64_000)));
        let gpt = list.find("openai", "gpt-5.4").unwrap().unwrap();
        assert_eq!((gpt.price.at(272_000).input, gpt.price.at(272_001).input), (rate("2.5"), rate("5")));
        let sonar = list.get("perplexity/sonar-deep-research").unwrap().unwrap();
        assert_eq!(sonar.price.base().reasoning, Some(rate("3")));
        let embedding = list.find("openai", "text-embedding-3-small").unwrap().unwrap();
        assert_eq!(embedding.price, Price::flat(Rates::plain(rate("0.02"), Rate(0))));
        let qwen = list.get("dashscope/qwen-flash").unwrap().unwrap().price;
        assert_eq!((qwen.at(256_000).input, qwen.at(256_001).output), (rate("0.05"), rate("2")));
    }

    #[test]
    fn what_cannot_be_read_is_named_and_spoils_nothing_else() {
        let list = Litellm::read(
            r#"{"openai/a": {"input_cost_per_token": "dear", "output_cost_per_token": 1e-06},
                "openai/b": 7,
                "openai/c": {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "max_input_tokens": "many"},
                "openai/d": {"input_cost_per_token": -1e-06, "output_cost_per_token": 1e-06}}"#,
        )
        .unwrap();
        let error = |name| list.find("openai", name).unwrap_err().to_string();
        assert_eq!(
            error("a"),
            "input_cost_per_token of its entry `openai/a`: `dear` is not a decimal number of US dollars"
        );
        assert!(error("b").starts_with("its entry `openai/b` cannot be read"), "{}", error("b"));
        assert!(error("d").contains("`-1e-06`"));
        let known = list.find("openai", "c").unwrap().unwrap();
        assert_eq!((known.price.base().output, known.context), (rate("2"), None));
        assert!(Litellm::read("[]").unwrap_err().to_string().starts_with("it is not a list of models"));
    }
}
