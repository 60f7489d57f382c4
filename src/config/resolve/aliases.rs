//! Names for one target or a weighted choice of several.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Context;
use crate::config::running::{Alias, Target};
use crate::config::values::{At, List};
use crate::config::written;
use crate::id::TargetId;

/// All aliases by name.
pub(super) fn aliases(
    written: &List<written::Alias>,
    targets: &[Arc<Target>],
    context: Context<'_>,
) -> BTreeMap<String, Alias> {
    let mut seen = Vec::new();
    let mut aliases = BTreeMap::new();
    for alias in &written.0 {
        name(&alias.name, targets, context);
        context.fresh(&alias.name, &mut seen, "alias");
        if alias.targets.value.0.is_empty() {
            let message = format!("alias `{}` has no targets", alias.name.value);
            context.error(alias.name.place, message, "add `targets: [{ model: NAME }]`");
        }
        let running = Alias { targets: weighted(&alias.targets.value, targets, context) };
        aliases.insert(alias.name.value.clone(), running);
    }
    aliases
}

fn name(name: &At<String>, targets: &[Arc<Target>], context: Context<'_>) {
    if name.value == "auto" || name.value.starts_with("auto/") {
        let message = format!("`{}` cannot name an alias: it lets a policy choose", name.value);
        context.report.unreadable(name.place, message, "choose another name");
    } else if name.value.contains('/') {
        let message = format!("`{}` cannot name an alias: `provider/model` is how clients ask for a model", name.value);
        context.report.unreadable(name.place, message, "choose a name without a slash");
    } else if targets.iter().any(|target| target.model.as_str() == name.value) {
        let message = format!("`{}` is the name of a model already", name.value);
        context.report.unreadable(name.place, message, "choose another name for the alias");
    }
    context.name(name, "an alias");
}

fn weighted(
    written: &List<written::AliasTarget>,
    targets: &[Arc<Target>],
    context: Context<'_>,
) -> Vec<(TargetId, u32)> {
    let mut weighted: Vec<(TargetId, u32)> = Vec::new();
    for target in &written.0 {
        let weight = target.weight.as_ref().map_or(1, |weight| {
            if weight.value == 0 {
                context.error(
                    weight.place,
                    "a weight of zero is never chosen",
                    "write 1 or more, or remove the target",
                );
            }
            weight.value
        });
        let Some(id) = find(&target.model, targets, context) else {
            continue;
        };
        if weighted.iter().any(|(other, _)| *other == id) {
            let message = format!("`{}` is listed twice in this alias", target.model.value);
            context.error(target.model.place, message, "keep one and add the weights up");
        }
        weighted.push((id, weight));
    }
    weighted
}

fn find(name: &At<String>, targets: &[Arc<Target>], context: Context<'_>) -> Option<TargetId> {
    let mut matching =
        targets.iter().filter(|target| target.model.as_str() == name.value || target.name.as_str() == name.value);
    let (first, second) = (matching.next(), matching.next());
    if let (Some(first), Some(second)) = (first, second) {
        let message = format!("model `{}` is served by several providers", name.value);
        context.error(name.place, message, format!("say which: `{}` or `{}`", first.name, second.name));
    }
    let model = name.value.split('@').next().unwrap_or_default();
    // A model that was written but could not be resolved was reported where it stands.
    if first.is_none() && !context.root.names("models", "name").contains(&model) {
        context.known(name, "model", targets.iter().map(|target| target.model.as_str()));
    } else if first.is_none() && name.value.contains('@') {
        context.known(name, "target", targets.iter().map(|target| target.name.as_str()));
    }
    first.map(|target| target.id)
}
