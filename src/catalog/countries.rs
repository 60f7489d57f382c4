//! Countries and the sets of them that rules may name, from `config/catalog/country-sets.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;

use super::embedded;

/// Sets by name, and every code there is.
#[derive(Debug)]
pub struct Countries {
    /// EEA, EU, EU-adequate, G7.
    pub sets: BTreeMap<String, BTreeSet<String>>,
    /// ISO 3166-1 alpha-2.
    pub codes: BTreeSet<String>,
}

impl Countries {
    /// The countries that codes and names of sets stand for.
    pub(super) fn unfold(&self, words: &[String]) -> BTreeSet<String> {
        let mut countries = BTreeSet::new();
        for word in words {
            match self.sets.get(word) {
                Some(set) => countries.extend(set.iter().cloned()),
                None => {
                    countries.insert(word.clone());
                }
            }
        }
        countries
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    sets: BTreeMap<String, WrittenSet>,
    countries: WrittenCodes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSet {
    countries: BTreeSet<String>,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader of the file; a test asks for it"))]
    source: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader of the file; a test asks for it"))]
    as_of: String,
    #[expect(dead_code, reason = "for the reader of the file")]
    note: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCodes {
    codes: BTreeSet<String>,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader of the file; a test asks for it"))]
    source: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader of the file; a test asks for it"))]
    as_of: String,
}

const FILE: &str = include_str!("../../config/catalog/country-sets.yaml");

/// The shipped countries and sets.
pub fn countries() -> &'static Countries {
    static COUNTRIES: LazyLock<Countries> = LazyLock::new(|| {
        let written: Written = embedded(FILE);
        Countries {
            sets: written.sets.into_iter().map(|(name, set)| (name, set.countries)).collect(),
            codes: written.countries.codes,
        }
    });
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

    #[test]
    fn every_set_has_a_source_and_a_date() {
        let written: Written = embedded(FILE);
        let sets = written.sets.values().map(|set| (&set.source, &set.as_of));
        for (source, as_of) in sets.chain([(&written.countries.source, &written.countries.as_of)]) {
            assert!(source.starts_with("https://") && as_of.parse::<jiff::civil::Date>().is_ok(), "{source} {as_of}");
        }
    }
}
