//! Endpoint hosts: who is behind them, and where they process prompts if the host alone tells:
//! `config/catalog/hosts.yaml` and `config/catalog/regions.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;

use super::countries::countries;
use super::operators::{self, Operator};
use super::{Basis, Citation, embedded, matches};

/// What is known of an endpoint's host.
#[derive(Clone, Debug)]
pub struct Host {
    /// Who runs it.
    pub operator: &'static Operator,
    /// Where it stands, if its name tells.
    pub place: Option<Place>,
}

/// Where an endpoint stands.
#[derive(Clone, Debug)]
pub struct Place {
    /// Every country that prompts may be processed in.
    pub countries: BTreeSet<String>,
    /// The operator's own name of the region.
    pub region: Option<String>,
    /// Whether prompts are processed there and nowhere else. If not, it is only where the account or resource is.
    pub fills: bool,
    /// Models whose name routes them elsewhere.
    not_for: &'static [String],
    /// Where this is from.
    pub cited: Citation,
}

impl Place {
    /// Whether a model asked for there is processed there.
    #[must_use]
    pub fn holds_for(&self, upstream: &str) -> bool {
        self.fills && !self.not_for.iter().any(|name| matches(name, upstream))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) hosts: Vec<String>,
    pub(super) operator: String,
    #[serde(default)]
    pub(super) countries: Vec<String>,
    pub(super) region: Option<String>,
    /// The cloud whose regions `{region}` names.
    pub(super) regions: Option<String>,
    #[serde(default)]
    pub(super) fills: bool,
    #[serde(default)]
    not_for: Vec<String>,
    pub(super) source: String,
    pub(super) as_of: String,
    basis: Basis,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cloud {
    pub(super) cloud: String,
    pub(super) regions: BTreeMap<String, Vec<String>>,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader of the file; a test asks for it"))]
    pub(super) source: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader of the file; a test asks for it"))]
    pub(super) as_of: String,
    #[expect(dead_code, reason = "for the reader of the file")]
    basis: Basis,
}

/// What is known of a host; `None`: nothing.
#[must_use]
pub fn host(name: &str) -> Option<Host> {
    let name = name.trim_end_matches('.').to_lowercase();
    entries().iter().find_map(|entry| {
        let region = entry.hosts.iter().find_map(|pattern| named(pattern, &name))?;
        Some(Host { operator: operators::operator(&entry.operator)?, place: place(entry, &region) })
    })
}

fn place(entry: &'static Entry, region: &str) -> Option<Place> {
    let (countries_of, region) = match &entry.regions {
        None => (&entry.countries, entry.region.clone()),
        Some(cloud) => {
            let cloud = clouds().iter().find(|known| known.cloud == *cloud)?;
            (cloud.regions.get(region)?, Some(region.to_owned()))
        }
    };
    if countries_of.is_empty() {
        return None;
    }
    Some(Place {
        countries: countries().unfold(countries_of),
        region,
        fills: entry.fills,
        not_for: &entry.not_for,
        cited: Citation { source: &entry.source, as_of: &entry.as_of, basis: entry.basis },
    })
}

/// The region in a host's name if the pattern is of its form; "" where the pattern names none.
fn named(pattern: &str, host: &str) -> Option<String> {
    let mut region = String::new();
    let mut parts = host.split('.');
    for wanted in pattern.split('.') {
        let part = parts.next()?;
        match wanted.split_once("{region}") {
            Some((before, after)) => {
                let named = part.strip_prefix(before)?.strip_suffix(after)?;
                if named.is_empty() {
                    return None;
                }
                named.clone_into(&mut region);
            }
            None if wanted == "*" && !part.is_empty() => {}
            None if wanted == part => {}
            None => return None,
        }
    }
    parts.next().is_none().then_some(region)
}

/// Every host.
pub(super) fn entries() -> &'static [Entry] {
    static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| embedded(include_str!("../../config/catalog/hosts.yaml")));
    &ENTRIES
}

/// Every cloud.
pub(super) fn clouds() -> &'static [Cloud] {
    static CLOUDS: LazyLock<Vec<Cloud>> = LazyLock::new(|| embedded(include_str!("../../config/catalog/regions.yaml")));
    &CLOUDS
}
