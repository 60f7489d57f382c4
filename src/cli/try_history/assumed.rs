//! The set-up that is assumed where none is given: the log's own models, and two open ones on machines of one's own.
//!
//! Every request may then stay with its model of then, taken for strong, or go to an own one. That one vendor's model
//! would do for another's is not assumed: a price list says nothing of quality, and one very dear or very cheap model in
//! a log would decide where all the others go.

use std::fmt::Write as _;
use std::path::Path;

use super::listed::Listed;
use super::survey::Survey;
use crate::config::{self, Loaded, Problem};

/// The part that is always the same; the log's models and their providers are written in at the marks.
const BASE: &str = include_str!("../../../config/try.yaml");
const PROVIDERS_HERE: &str = "  # The providers of the log's models.\n";
const MODELS_HERE: &str = "  # The log's models.\n";

/// Most models of a log that become targets: those that most lines are of.
const MOST: usize = 200;

/// The text of the assumed configuration.
pub(super) fn written(survey: &Survey) -> String {
    let mut seen: Vec<(u64, &Listed)> = Vec::new();
    for model in survey.models.values() {
        let Some(listed) = &model.listed else { continue };
        match seen.iter_mut().find(|(_, other)| other.kind == listed.kind && other.upstream == listed.upstream) {
            Some((lines, _)) => *lines += model.lines,
            None => seen.push((model.lines, listed)),
        }
    }
    seen.sort_by_key(|(lines, _)| std::cmp::Reverse(*lines));
    seen.truncate(MOST);
    let (mut providers, mut models) = (String::new(), String::new());
    let (mut kinds, mut names): (Vec<&str>, Vec<String>) = (Vec::new(), Vec::new());
    for (_, listed) in seen {
        let Listed { kind, upstream, .. } = listed;
        // Writing to a string cannot fail.
        if !kinds.contains(kind) {
            kinds.push(kind);
            let _ = writeln!(providers, "  - {{ name: {kind}, kind: {kind} }}");
        }
        let name = config::free_name(upstream, &names);
        // As JSON it is YAML, whatever is in it.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let _ = writeln!(
            models,
            "  - {{ name: {}, provider: {kind}, upstream: {}, tier: strong, price: catalog }}",
            quoted(&name),
            quoted(upstream)
        );
        names.push(name);
    }
    BASE.replace(PROVIDERS_HERE, &providers).replace(MODELS_HERE, &models)
}

/// Reads that text.
///
/// # Errors
/// It is no configuration: a mistake in this program.
pub(super) fn load(written: &str) -> Result<Loaded, Vec<Problem>> {
    config::load_made(Path::new("the assumed set-up"), written)
}

#[cfg(test)]
mod tests {
    use super::super::listed::Lists;
    use super::super::survey::Seen;
    use super::*;
    use crate::config::Tier;

    fn survey(models: &[&str]) -> Survey {
        let mut lists = Lists::new();
        let mut survey = Survey::default();
        for model in models {
            let listed = lists.find(model, None);
            survey.models.insert((*model).to_owned(), Seen { lines: 1, listed });
        }
        survey
    }

    #[test]
    fn the_logs_models_stand_beside_own_ones() {
        let survey = survey(&["gpt-4o", "openai/gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "nobody-knows"]);
        let text = written(&survey);
        let config = load(&text).unwrap_or_else(|problems| panic!("{problems:?}\n{text}")).config;
        let tier = |name: &str| config.targets.iter().find(|target| target.name.as_str() == name).map(|t| t.tier);
        assert_eq!(tier("gpt-4o@openai"), Some(Tier::Strong));
        assert_eq!(tier("gpt-4o-mini@openai"), Some(Tier::Strong));
        assert_eq!(tier("claude-sonnet-4-5@anthropic"), Some(Tier::Strong));
        assert_eq!((tier("own-8b@own"), tier("own-32b@own")), (Some(Tier::Weak), Some(Tier::Mid)));
        assert_eq!(config.targets.len(), 5, "one name for one model, and none for one of unknown price");
        assert!(config.targets.iter().all(|target| target.price.is_some()));
    }

    #[test]
    fn the_marks_are_in_the_shipped_file() {
        assert!(BASE.contains(PROVIDERS_HERE) && BASE.contains(MODELS_HERE));
        assert!(load(&written(&survey(&[]))).is_ok(), "it stands alone, too");
    }
}
