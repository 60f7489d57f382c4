//! Labels: their values, defaults and who may set them.

use super::Context;
use crate::config::running::{Label, LabelKind};
use crate::config::values::{At, List, Named};
use crate::config::written;

/// The class of data in a request: the label that the shipped policies judge by. It exists without being declared.
const DATA_CLASS: &str = "data-class";

/// All labels, in the order written, and the data class.
pub(super) fn labels(written: &Named<written::Label>, context: Context<'_>) -> Vec<Label> {
    let mut labels = Vec::new();
    if written.0.iter().all(|(name, _)| name.value != DATA_CLASS) {
        labels.push(data_class());
    }
    for (name, label) in &written.0 {
        context.name(name, "a label");
        labels.push(self::label(name, label, context));
    }
    labels
}

fn data_class() -> Label {
    Label {
        name: DATA_CLASS.to_owned(),
        kind: LabelKind::Ordered(["public", "internal", "personal", "secret"].map(str::to_owned).into()),
        default: Some("internal".to_owned()),
        from: Vec::new(),
    }
}

fn label(name: &At<String>, written: &written::Label, context: Context<'_>) -> Label {
    let kind = match (&written.order, &written.values) {
        (Some(order), None) => LabelKind::Ordered(values(order, name, context)),
        (None, Some(list)) => LabelKind::Values(values(list, name, context)),
        _ => {
            let message = format!("label `{}` needs either `order` or `values`", name.value);
            let remedy = "write `order: [low, high]` if one value outranks another, else `values: [a, b]`";
            context.error(name.place, message, remedy);
            LabelKind::Values(Vec::new())
        }
    };
    let allowed = kind.values();
    if let Some(default) = &written.default
        && !allowed.is_empty()
    {
        context.known(default, &format!("value of label `{}`", name.value), allowed.iter().map(String::as_str));
    }
    if let (LabelKind::Ordered(_), Some(source)) = (&kind, written.from.0.first()) {
        context.error(
            source.place,
            format!("`from` is for labels without order; `{}` takes the highest value of all sources", name.value),
            "remove `from`",
        );
    }
    Label {
        name: name.value.clone(),
        kind,
        default: written.default.as_ref().map(|default| default.value.clone()),
        from: written.from.0.iter().map(|source| source.value).collect(),
    }
}

fn values(written: &List<At<String>>, label: &At<String>, context: Context<'_>) -> Vec<String> {
    if written.0.is_empty() {
        context.error(label.place, format!("label `{}` has no values", label.value), "list at least one value");
    }
    let mut seen = Vec::new();
    let mut values = Vec::new();
    for value in &written.0 {
        context.name(value, "a label's value");
        if context.fresh(value, &mut seen, "value") {
            values.push(value.value.clone());
        }
    }
    values
}

/// The label of this name; reports an unknown one.
pub(super) fn find<'l>(name: &At<String>, labels: &'l [Label], context: Context<'_>) -> Option<&'l Label> {
    if let Some(label) = labels.iter().find(|label| label.name == name.value) {
        return Some(label);
    }
    // A label that was written but could not be read was reported where it stands.
    if context.root.get("labels").and_then(|labels| labels.get(&name.value)).is_none() {
        context.known(name, "label", labels.iter().map(|label| label.name.as_str()));
    }
    None
}

/// Reports a value that the label does not have.
pub(super) fn check_value(value: &At<String>, label: &Label, context: Context<'_>) {
    let values = label.kind.values();
    if !values.is_empty() {
        context.known(value, &format!("value of label `{}`", label.name), values.iter().map(String::as_str));
    }
}
