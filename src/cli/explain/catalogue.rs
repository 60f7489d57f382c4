//! What `explain` says of facts that nobody stated and the catalogue filled in: they are general terms, not a contract.

use std::sync::Arc;

use crate::catalog::{Basis, Citation};
use crate::config::{FactName, Target};

/// A line for each target and source of the catalogue that filled in facts of it; nothing where all is stated.
pub(super) fn filled_in(targets: &[Arc<Target>]) -> Vec<String> {
    let mut lines = Vec::new();
    for target in targets {
        let mut by_source: Vec<(Citation, Vec<String>)> = Vec::new();
        for name in FactName::ALL {
            let (Some(fact), Some(cited)) = (target.facts.get(name), target.facts.cited(name)) else { continue };
            let said = format!("{} {}", name.path(), fact.shown(name));
            match by_source.iter_mut().find(|(known, _)| *known == cited) {
                Some((_, facts)) => facts.push(said),
                None => by_source.push((cited, vec![said])),
            }
        }
        for (cited, facts) in by_source {
            let basis = match cited.basis {
                Basis::Page => "",
                Basis::General => ", from general knowledge",
            };
            let (facts, source) = (facts.join(", "), cited.source);
            lines.push(format!("  {}: {facts} (as of {}{basis}; {source})", target.name, cited.as_of));
        }
    }
    if !lines.is_empty() {
        lines.insert(0, "not stated, filled in from the catalogue (config/catalog/):".to_owned());
    }
    lines
}
