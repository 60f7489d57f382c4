//! Where models come from: `config/catalog/models.yaml`.

use std::sync::LazyLock;

use serde::Deserialize;

use super::{Basis, Citation, embedded, matches};

/// Where models come from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// What providers call them; `*` stands for any characters.
    pub names: Vec<String>,
    /// The operators at whose own hosts this holds; empty: anywhere.
    #[serde(default)]
    pub at: Vec<String>,
    /// The kinds of provider at which this holds; empty: any.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Who trained them.
    pub developer: Option<String>,
    /// The developer's country.
    pub country: Option<String>,
    /// SPDX identifier, `LicenseRef-…` where there is none, or `proprietary`.
    pub licence: Option<String>,
    /// Whether the weights can be downloaded.
    pub open_weights: Option<bool>,
    source: String,
    as_of: String,
    basis: Basis,
}

impl Origin {
    /// Where this is from.
    #[must_use]
    pub fn cited(&'static self) -> Citation {
        Citation { source: &self.source, as_of: &self.as_of, basis: self.basis }
    }
}

/// Where a model comes from. `operator`: who is known to run its provider's hosts; `kind`: the provider's.
#[must_use]
pub fn origin(upstream: &str, operator: Option<&str>, kind: &str) -> Option<&'static Origin> {
    origins().iter().find(|origin| {
        let at = origin.at.is_empty() || operator.is_some_and(|operator| origin.at.iter().any(|name| name == operator));
        let of_kind = origin.kinds.is_empty() || origin.kinds.iter().any(|name| name == kind);
        at && of_kind && origin.names.iter().any(|name| matches(name, upstream))
    })
}

/// Every origin, in the order that decides.
pub(super) fn origins() -> &'static [Origin] {
    static ORIGINS: LazyLock<Vec<Origin>> =
        LazyLock::new(|| embedded(include_str!("../../config/catalog/models.yaml")));
    &ORIGINS
}
