//! One condition on one fact: `location.countries: { in: EEA }`.
//!
//! A fact is a set of members; a text, number or boolean is a set of one. A condition holds or not for each member:
//! `require` wants it of every member, `forbid` removes a target of which any member fulfils it. A fact that nobody
//! stated, or stated as an empty list, says nothing and excludes the target under both.

use std::collections::BTreeSet;
use std::fmt;

use crate::config::{Fact, FactName, Facts};

/// A condition, checked at load.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The fact it names.
    pub fact: FactName,
    /// What it wants of a member.
    pub test: Test,
    /// As written, for explanations: `in EEA`.
    pub written: String,
}

/// What a condition wants of one member.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Is one of these.
    In(BTreeSet<String>),
    /// Is none of these.
    NotIn(BTreeSet<String>),
    /// Is this number: tokens, USD per million tokens, or seconds.
    Equals(f64),
    /// Is this boolean.
    Is(bool),
    /// Is this number or less.
    AtMost(f64),
    /// Is this number or more.
    AtLeast(f64),
}

impl Test {
    /// `None`: a member of another type than the test's says nothing.
    fn text(&self, member: &str) -> Option<bool> {
        match self {
            Self::In(set) => Some(set.contains(member)),
            Self::NotIn(set) => Some(!set.contains(member)),
            _ => None,
        }
    }

    fn number(&self, member: f64) -> Option<bool> {
        if member.is_nan() {
            return None;
        }
        match self {
            #[expect(clippy::float_cmp, reason = "both were read from the same decimal text")]
            Self::Equals(wanted) => Some(member == *wanted),
            Self::AtMost(most) => Some(member <= *most),
            Self::AtLeast(least) => Some(member >= *least),
            _ => None,
        }
    }

    fn boolean(&self, member: bool) -> Option<bool> {
        match self {
            Self::Is(wanted) => Some(member == *wanted),
            _ => None,
        }
    }

    /// For each member whether it fulfils the test; `None` where the fact says nothing the test can judge.
    fn judge(&self, fact: Option<&Fact>) -> Option<(bool, bool)> {
        match fact? {
            Fact::Set(members) => {
                let mut verdict: Option<(bool, bool)> = None;
                for member in members {
                    let one = self.text(member)?;
                    let (all, any) = verdict.unwrap_or((true, false));
                    verdict = Some((all && one, any || one));
                }
                verdict
            }
            Fact::Text(text) => self.text(text).map(|one| (one, one)),
            Fact::Number(number) => self.number(*number).map(|one| (one, one)),
            Fact::Bool(boolean) => self.boolean(*boolean).map(|one| (one, one)),
        }
    }
}

impl Condition {
    /// Whether a target with these facts meets the condition under `require`.
    #[must_use]
    pub fn met_by(&self, facts: &Facts) -> bool {
        self.test.judge(facts.get(self.fact)).is_some_and(|(all, _)| all)
    }

    /// Whether the condition hits a target with these facts under `forbid`. Where the fact says nothing it hits.
    #[must_use]
    pub fn hits(&self, facts: &Facts) -> bool {
        self.test.judge(facts.get(self.fact)).is_none_or(|(_, any)| any)
    }

    /// Whether the fact says anything the condition can judge.
    #[must_use]
    pub fn judges(&self, facts: &Facts) -> bool {
        self.test.judge(facts.get(self.fact)).is_some()
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.fact.path(), self.written)
    }
}

/// A fact's value as explanations show it: `[FR, DE]`, `not stated`, and where it is from if the configuration does not
/// say it.
#[must_use]
pub(super) fn shown(facts: &Facts, name: FactName) -> String {
    let Some(fact) = facts.get(name) else {
        return "not stated".to_owned();
    };
    match facts.cited(name) {
        None => fact.shown(name).to_string(),
        Some(cited) => format!("{} (catalogue, {})", fact.shown(name), cited.as_of),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    fn condition(fact: FactName, test: Test) -> Condition {
        Condition { fact, test, written: String::new() }
    }

    fn facts(name: FactName, fact: Fact) -> Facts {
        let mut facts = Facts::default();
        facts.set(name, fact);
        facts
    }

    #[test]
    fn in_means_every_member_and_not_in_none() {
        let countries = |members: &[&str]| facts(FactName::LocationCountries, Fact::Set(set(members)));
        let within = condition(FactName::LocationCountries, Test::In(set(&["FR", "DE"])));
        assert!(within.met_by(&countries(&["FR", "DE"])));
        assert!(!within.met_by(&countries(&["FR", "US"])));
        let outside = condition(FactName::LocationCountries, Test::NotIn(set(&["US"])));
        assert!(outside.met_by(&countries(&["FR", "DE"])));
        assert!(!outside.met_by(&countries(&["FR", "US"])));
    }

    #[test]
    fn forbid_hits_where_any_member_matches() {
        let both = facts(FactName::OperatorJurisdictions, Fact::Set(set(&["FR", "CN"])));
        assert!(condition(FactName::OperatorJurisdictions, Test::In(set(&["CN"]))).hits(&both));
        assert!(condition(FactName::OperatorJurisdictions, Test::NotIn(set(&["FR"]))).hits(&both));
        assert!(!condition(FactName::OperatorJurisdictions, Test::In(set(&["US"]))).hits(&both));
    }

    #[test]
    fn an_unstated_or_empty_fact_excludes_under_require_and_forbid_alike() {
        for facts in [
            Facts::default(),
            facts(FactName::LocationCountries, Fact::Set(BTreeSet::new())),
            facts(FactName::LocationCountries, Fact::Number(1.0)),
        ] {
            for test in [Test::In(set(&["FR"])), Test::NotIn(set(&["FR"]))] {
                let condition = condition(FactName::LocationCountries, test);
                assert!(!condition.met_by(&facts));
                assert!(condition.hits(&facts));
            }
        }
    }

    #[test]
    fn numbers_durations_and_booleans_compare() {
        let retention = facts(FactName::DataRetention, Fact::Number(0.0));
        assert!(condition(FactName::DataRetention, Test::Equals(0.0)).met_by(&retention));
        assert!(condition(FactName::DataRetention, Test::AtMost(86400.0)).met_by(&retention));
        assert!(!condition(FactName::DataRetention, Test::AtLeast(1.0)).met_by(&retention));
        let trains = facts(FactName::DataTrains, Fact::Bool(false));
        assert!(condition(FactName::DataTrains, Test::Is(false)).met_by(&trains));
        assert!(!condition(FactName::DataTrains, Test::Is(true)).hits(&trains));
        let unknown = facts(FactName::PriceInput, Fact::Number(f64::NAN));
        assert!(!condition(FactName::PriceInput, Test::AtMost(1.0)).met_by(&unknown));
    }
}
