//! The country sets that rules may name, from `config/catalog/country-sets.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;

/// Sets by name, and every code there is.
#[derive(Debug)]
pub(crate) struct Countries {
    /// EEA, EU, EU-adequate, G7.
    pub(crate) sets: BTreeMap<String, BTreeSet<String>>,
    /// ISO 3166-1 alpha-2.
    pub(crate) codes: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    sets: BTreeMap<String, WrittenSet>,
    countries: WrittenCodes,
}

#[derive(Deserialize)]
struct WrittenSet {
    countries: BTreeSet<String>,
}

#[derive(Deserialize)]
struct WrittenCodes {
    codes: BTreeSet<String>,
}

static COUNTRIES: LazyLock<Countries> = LazyLock::new(|| {
    let options = serde_saphyr::options! { strict_booleans: true };
    let text = include_str!("../../config/catalog/country-sets.yaml");
    #[expect(clippy::expect_used, reason = "the file is compiled in and a test reads it")]
    let written: Written = serde_saphyr::from_str_with_options(text, options).expect("the shipped country sets parse");
    Countries {
        sets: written.sets.into_iter().map(|(name, set)| (name, set.countries)).collect(),
        codes: written.countries.codes,
    }
});

/// The shipped sets.
pub(crate) fn countries() -> &'static Countries {
    &COUNTRIES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_sets_hold_countries_that_exist() {
        let shipped = countries();
        assert_eq!(shipped.codes.len(), 249);
        for (name, set) in &shipped.sets {
            assert!(set.is_subset(&shipped.codes), "{name} holds a code that does not exist");
        }
        let of = |name: &str| &shipped.sets[name];
        assert_eq!((of("EU").len(), of("EEA").len(), of("G7").len()), (27, 30, 7));
        assert!(of("EU").is_subset(of("EEA")) && of("EEA").is_subset(of("EU-adequate")));
        assert!(!of("EEA").contains("CH") && !of("EU-adequate").contains("US"));
        assert!(of("EEA").contains("NO"), "Norway is not the boolean false");
    }
}
