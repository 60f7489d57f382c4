//! What is publicly known of providers and models: endpoints, paths, operators, hosts, origins, countries, list prices.
//!
//! Facts are data in `config/catalog/`, each with its source and date, and embedded. They fill in what the
//! configuration does not state; where a prompt is processed they say only where the endpoint's host alone tells.

use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use countries::{Countries, countries};
pub use hosts::{Host, Place, host};
pub use kinds::{KINDS, KeyHeader, Kind, kind, plain};
pub use litellm::{Known, Litellm, LitellmError};
pub use operators::{Operator, Terms};
pub use origins::{Origin, origin};
pub use prices::{price, priced_models, today};

mod countries;
mod hosts;
mod kinds;
mod litellm;
mod operators;
mod origins;
mod prices;

/// What an entry rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// The page that it names was read.
    Page,
    /// General knowledge; the page is where to check it.
    General,
}

/// Where an entry is from, for whoever is shown what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Citation {
    /// Page that says so, or where to check it.
    pub source: &'static str,
    /// As of when, `YYYY-MM-DD`.
    pub as_of: &'static str,
    /// What it rests on.
    pub basis: Basis,
}

/// A file of the catalogue.
#[expect(clippy::expect_used, reason = "embedded at compile time and read by a test")]
fn embedded<T: DeserializeOwned>(text: &str) -> T {
    // YAML 1.1 reads NO, Norway's code, as false.
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).expect("embedded catalogue")
}

/// Whether a name matches a pattern in which `*` stands for any characters. Letters count without case.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut left) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(found) = left.find(part) else {
            return false;
        };
        left = &left[found + part.len()..];
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests;
