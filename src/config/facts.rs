//! What is known of a target, for policy to judge. A fact that nobody stated is absent, never a default.

use std::collections::BTreeSet;

/// The facts a rule may name, as CONTRACT's dotted paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactName {
    /// `location.countries`: where prompts are processed (set of ISO 3166 alpha-2 codes).
    LocationCountries,
    /// `location.region`: the provider's own region name.
    LocationRegion,
    /// `operator.name`.
    OperatorName,
    /// `operator.jurisdictions`: whose law binds the operator (set).
    OperatorJurisdictions,
    /// `data.retention`: how long prompts are kept (duration).
    DataRetention,
    /// `data.trains`: whether prompts train models.
    DataTrains,
    /// `data.human_review`.
    DataHumanReview,
    /// `data.dpa`: whether a data processing agreement is signed.
    DataDpa,
    /// `data.transfer_basis`.
    DataTransferBasis,
    /// `provenance.developer`.
    ProvenanceDeveloper,
    /// `provenance.country`.
    ProvenanceCountry,
    /// `provenance.licence`: SPDX identifier.
    ProvenanceLicence,
    /// `provenance.open_weights`.
    ProvenanceOpenWeights,
    /// `provenance.weights_sha256`.
    ProvenanceWeightsSha256,
    /// `model.tier`.
    ModelTier,
    /// `model.context`: tokens.
    ModelContext,
    /// `price.input`: USD per million tokens.
    PriceInput,
    /// `price.output`: USD per million tokens.
    PriceOutput,
    /// `supports`: capabilities (set).
    Supports,
}

impl FactName {
    /// Every fact, in CONTRACT's order.
    pub const ALL: [Self; 19] = [
        Self::LocationCountries,
        Self::LocationRegion,
        Self::OperatorName,
        Self::OperatorJurisdictions,
        Self::DataRetention,
        Self::DataTrains,
        Self::DataHumanReview,
        Self::DataDpa,
        Self::DataTransferBasis,
        Self::ProvenanceDeveloper,
        Self::ProvenanceCountry,
        Self::ProvenanceLicence,
        Self::ProvenanceOpenWeights,
        Self::ProvenanceWeightsSha256,
        Self::ModelTier,
        Self::ModelContext,
        Self::PriceInput,
        Self::PriceOutput,
        Self::Supports,
    ];

    /// The dotted path, as policies write it.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::LocationCountries => "location.countries",
            Self::LocationRegion => "location.region",
            Self::OperatorName => "operator.name",
            Self::OperatorJurisdictions => "operator.jurisdictions",
            Self::DataRetention => "data.retention",
            Self::DataTrains => "data.trains",
            Self::DataHumanReview => "data.human_review",
            Self::DataDpa => "data.dpa",
            Self::DataTransferBasis => "data.transfer_basis",
            Self::ProvenanceDeveloper => "provenance.developer",
            Self::ProvenanceCountry => "provenance.country",
            Self::ProvenanceLicence => "provenance.licence",
            Self::ProvenanceOpenWeights => "provenance.open_weights",
            Self::ProvenanceWeightsSha256 => "provenance.weights_sha256",
            Self::ModelTier => "model.tier",
            Self::ModelContext => "model.context",
            Self::PriceInput => "price.input",
            Self::PriceOutput => "price.output",
            Self::Supports => "supports",
        }
    }
}

/// One fact's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A set of words.
    Set(BTreeSet<String>),
    /// One word.
    Text(String),
    /// A number: tokens, USD per million tokens, or seconds for a duration.
    Number(f64),
    /// Yes or no.
    Bool(bool),
}

/// All that is stated of one target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts([Option<Fact>; FactName::ALL.len()]);

impl Facts {
    /// The value of a fact, `None` where nobody stated it.
    #[must_use]
    pub fn get(&self, name: FactName) -> Option<&Fact> {
        self.0[name as usize].as_ref()
    }

    /// States a fact.
    pub fn set(&mut self, name: FactName, fact: Fact) {
        self.0[name as usize] = Some(fact);
    }
}
