//! Who runs public providers, and what their default terms say of prompts: `config/catalog/operators.yaml`.

use std::sync::LazyLock;

use serde::Deserialize;

use super::{Basis, Citation, embedded};

/// Who runs a public provider.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// The company.
    pub name: String,
    /// Countries whose law binds it; empty where not known.
    #[serde(default)]
    pub jurisdictions: Vec<String>,
    /// What its default terms for an API say of prompts.
    #[serde(default)]
    pub data: Option<Terms>,
    source: String,
    as_of: String,
    basis: Basis,
}

/// What an operator's default terms for its API say of prompts. What depends on more than the host is left out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// How long prompts may be kept, `30d`.
    pub retention: Option<String>,
    /// Whether prompts train models.
    pub trains: Option<bool>,
    /// Whether people may read prompts.
    pub human_review: Option<bool>,
    source: String,
    as_of: String,
    basis: Basis,
}

impl Operator {
    /// Where name and jurisdictions are from.
    #[must_use]
    pub fn cited(&'static self) -> Citation {
        Citation { source: &self.source, as_of: &self.as_of, basis: self.basis }
    }
}

impl Terms {
    /// Where the terms are from.
    #[must_use]
    pub fn cited(&'static self) -> Citation {
        Citation { source: &self.source, as_of: &self.as_of, basis: self.basis }
    }
}

/// Every operator.
pub(super) fn operators() -> &'static [Operator] {
    static OPERATORS: LazyLock<Vec<Operator>> =
        LazyLock::new(|| embedded(include_str!("../../config/catalog/operators.yaml")));
    &OPERATORS
}

/// An operator by its name.
pub(super) fn operator(name: &str) -> Option<&'static Operator> {
    operators().iter().find(|operator| operator.name == name)
}
