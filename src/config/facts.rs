//! What is known of a target, for policy to judge. A fact that nobody stated is absent, never a default.

use std::collections::BTreeSet;
use std::fmt;

use crate::catalog::Citation;

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
    /// `model.kind`: `chat` or `embedding`.
    ModelKind,
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
    pub const ALL: [Self; 20] = [
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
        Self::ModelKind,
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
            Self::ModelKind => "model.kind",
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

impl Fact {
    /// The value as people read it: `[FR, DE]`, `30d`.
    #[must_use]
    pub const fn shown(&self, name: FactName) -> Shown<'_> {
        Shown { name, fact: self }
    }
}

/// A fact's value as people read it.
#[derive(Debug)]
pub struct Shown<'f> {
    name: FactName,
    fact: &'f Fact,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fact {
            Fact::Set(members) if members.is_empty() => f.write_str("stated as empty"),
            Fact::Set(members) => {
                let members: Vec<&str> = members.iter().map(String::as_str).collect();
                write!(f, "[{}]", members.join(", "))
            }
            Fact::Text(text) => f.write_str(text),
            Fact::Number(seconds) if self.name == FactName::DataRetention => write!(f, "{}", duration(*seconds)),
            Fact::Number(number) => write!(f, "{number}"),
            Fact::Bool(boolean) => write!(f, "{boolean}"),
        }
    }
}

/// Days where it is whole days, as policies and configurations write a retention.
fn duration(seconds: f64) -> String {
    const DAY: f64 = 86_400.0;
    if seconds % DAY == 0.0 {
        return format!("{}d", seconds / DAY);
    }
    std::time::Duration::try_from_secs_f64(seconds)
        .map_or_else(|_| format!("{seconds}s"), |duration| humantime::format_duration(duration).to_string())
}

/// All that is stated of one target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts([Option<Stated>; FactName::ALL.len()]);

#[derive(Clone, Debug, PartialEq)]
struct Stated {
    fact: Fact,
    /// Where it is from, if the configuration does not say it.
    cited: Option<Citation>,
}

impl Facts {
    /// The value of a fact, `None` where nobody stated it.
    #[must_use]
    pub fn get(&self, name: FactName) -> Option<&Fact> {
        self.0[name as usize].as_ref().map(|stated| &stated.fact)
    }

    /// Where a fact is from if the catalogue filled it in; `None` for one that the configuration states.
    #[must_use]
    pub fn cited(&self, name: FactName) -> Option<Citation> {
        self.0[name as usize].as_ref()?.cited
    }

    /// States a fact.
    pub fn set(&mut self, name: FactName, fact: Fact) {
        self.0[name as usize] = Some(Stated { fact, cited: None });
    }

    /// Fills in a fact from the catalogue, unless it is stated already.
    pub fn fill(&mut self, name: FactName, fact: Fact, cited: Citation) {
        self.0[name as usize].get_or_insert(Stated { fact, cited: Some(cited) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Basis;

    #[test]
    fn what_the_configuration_states_goes_before_the_catalogue() {
        let cited = Citation { source: "https://example.org", as_of: "2026-01-01", basis: Basis::Page };
        let mut facts = Facts::default();
        facts.fill(FactName::DataTrains, Fact::Bool(false), cited);
        facts.set(FactName::DataRetention, Fact::Number(0.0));
        facts.fill(FactName::DataRetention, Fact::Number(86_400.0), cited);
        assert_eq!(
            (facts.get(FactName::DataTrains), facts.cited(FactName::DataTrains)),
            (Some(&Fact::Bool(false)), Some(cited))
        );
        assert_eq!(
            (facts.get(FactName::DataRetention), facts.cited(FactName::DataRetention)),
            (Some(&Fact::Number(0.0)), None)
        );
        facts.set(FactName::DataTrains, Fact::Bool(true));
        assert_eq!(facts.cited(FactName::DataTrains), None);
    }

    #[test]
    fn a_retention_is_shown_as_it_is_written() {
        let shown = |seconds| Fact::Number(seconds).shown(FactName::DataRetention).to_string();
        assert_eq!([shown(0.0), shown(2_592_000.0), shown(5_400.0)], ["0d", "30d", "1h 30m"]);
        assert_eq!(Fact::Number(8192.0).shown(FactName::ModelContext).to_string(), "8192");
    }
}
