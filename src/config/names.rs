//! What a requested model name stands for, and names for models that come without one of ours.

use super::running::{Config, Target};
use crate::id::TargetId;

/// The targets that a name stands for, before any policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant<'c> {
    /// `auto`: all of them, and the policy's objective chooses.
    Auto,
    /// An alias: these, by weight.
    Alias(&'c [(TargetId, u32)]),
    /// A model by its own name, at one or several providers: the first written, the others as its fallbacks.
    Model(Vec<(TargetId, u32)>),
}

impl Meant<'_> {
    /// Targets and weights; `None` for `auto`.
    #[must_use]
    pub fn weighted(&self) -> Option<&[(TargetId, u32)]> {
        match self {
            Self::Auto => None,
            Self::Alias(targets) => Some(targets),
            Self::Model(targets) => Some(targets),
        }
    }
}

impl Config {
    /// Looks up `auto`, an alias, a model's own name or `provider/model`.
    #[must_use]
    pub fn meant_by(&self, name: &str) -> Option<Meant<'_>> {
        if name == "auto" {
            return Some(Meant::Auto);
        }
        if let Some(alias) = self.aliases.get(name) {
            return Some(Meant::Alias(&alias.targets));
        }
        let named = self.targets.iter().filter(|target| is_called(target, name));
        let targets: Vec<_> = named.enumerate().map(|(place, target)| (target.id, u32::from(place == 0))).collect();
        (!targets.is_empty()).then_some(Meant::Model(targets))
    }
}

fn is_called(target: &Target, name: &str) -> bool {
    if target.model.as_str() == name {
        return true;
    }
    let rest = name.strip_prefix(target.provider.name.as_str());
    rest.and_then(|rest| rest.strip_prefix('/')) == Some(target.model.as_str())
}

/// A name for a model from what its provider calls it: the last part of that, in letters that names may have, and not
/// taken yet.
#[must_use]
pub fn free_name(id: &str, taken: &[String]) -> String {
    let last = id.rsplit('/').find(|part| !part.is_empty()).unwrap_or(id);
    let last = last.strip_suffix(".gguf").unwrap_or(last);
    let fine = |c: char| {
        if c.is_ascii_alphanumeric() || "._-:+".contains(c) { c } else { '-' }
    };
    let name: String = last.chars().take(100).map(fine).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let name = if name.is_empty() || name == "auto" { "model" } else { name };
    let mut candidate = name.to_owned();
    let mut number = 2;
    while taken.contains(&candidate) {
        candidate = format!("{name}-{number}");
        number += 1;
    }
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_name_is_the_last_part_in_letters_that_names_may_have() {
        let taken = ["a".to_owned(), "a-2".to_owned()];
        for (id, wanted) in [
            ("Qwen/Qwen3-8B", "Qwen3-8B"),
            ("models/x.gguf", "x"),
            ("org/model/", "model"),
            ("a", "a-3"),
            ("auto", "model"),
            ("é!", "model"),
            ("///", "model"),
            ("-b c", "b-c"),
        ] {
            assert_eq!(free_name(id, &taken), wanted, "{id}");
        }
    }
}
