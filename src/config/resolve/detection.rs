//! Detection: which label is raised, to what, and what is no find.

use super::{Context, labels};
use crate::config::running::{Detection, DetectionMode, Detector, DetectorSettings, Except, Label, LabelKind};
use crate::config::values::At;
use crate::config::written;

/// The label that is raised unless the configuration says otherwise.
const DATA_CLASS: &str = "data-class";

/// Largest compiled form of a regular expression in `except`, in bytes.
const MAX_REGEX: usize = 256 << 10;

/// What is looked for and what a find does.
pub(super) fn detection(written: &written::Detection, labels: &[Label], context: Context<'_>) -> Detection {
    let label = label(written, labels, context);
    let name = label.map_or(DATA_CLASS, |label| label.name.as_str());
    let settings = |detector: Detector| settings(detector, written.detectors.of(detector), label, context);
    Detection { label: name.to_owned(), detectors: Detector::ALL.map(settings).into() }
}

/// The label that is raised; only one with an order can be.
fn label<'l>(written: &written::Detection, labels: &'l [Label], context: Context<'_>) -> Option<&'l Label> {
    let Some(name) = &written.label else {
        return labels.iter().find(|label| label.name == DATA_CLASS);
    };
    let label = labels::find(name, labels, context)?;
    if matches!(label.kind, LabelKind::Values(_)) {
        let message = format!("label `{}` has no order, so nothing can raise it", name.value);
        context.error(name.place, message, "declare it with `order`, or name another label");
        return None;
    }
    Some(label)
}

fn settings(
    detector: Detector,
    written: &written::DetectorSettings,
    label: Option<&Label>,
    context: Context<'_>,
) -> DetectorSettings {
    let mode = written.mode.as_ref().or(written.word.as_ref());
    let value = written.value.as_ref();
    if let (Some(value), Some(label)) = (value, label) {
        labels::check_value(value, label, context);
    }
    let usual = detector.usual_class();
    if let Some(At { value: DetectionMode::Enforce, place }) = mode
        && let Some(label) = label
        && matches!(label.kind, LabelKind::Values(_))
    {
        let message = format!("label `{}` has no order, so nothing can raise it", label.name);
        context.error(*place, message, "declare it with `order`, or name another with `detection.label`");
    } else if let Some(At { value: DetectionMode::Enforce, place }) = mode
        && value.is_none()
        && let Some(label) = label
        && !label.kind.values().iter().any(|known| known == usual)
    {
        let message =
            format!("`{}` would raise label `{}` to `{usual}`, which it does not have", detector.as_str(), label.name);
        let remedy = match label.kind.values().last() {
            Some(highest) => format!("say what to raise it to: `value: {highest}`"),
            None => "give the label values first".to_owned(),
        };
        context.error(*place, message, remedy);
    }
    DetectorSettings {
        detector,
        mode: mode.map_or(DetectionMode::Observe, |at| at.value),
        min_count: context.count(written.min_count.as_ref(), 1),
        except: written.except.0.iter().filter_map(|except| self::except(except, detector, context)).collect(),
        value: value.map_or(usual, |value| value.value.as_str()).to_owned(),
    }
}

fn except(written: &At<String>, detector: Detector, context: Context<'_>) -> Option<Except> {
    let text = written.value.as_str();
    let pattern = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).filter(|pattern| !pattern.is_empty());
    let Some(pattern) = pattern else {
        let normal = normal(text, detector);
        // Every address has an at sign and a dot, and nothing else has.
        let says = |c: char| c != '*' && !(detector == Detector::Email && matches!(c, '@' | '.'));
        if !normal.contains(says) {
            let message = format!("`{text}` excepts everything or nothing");
            context.error(written.place, message, "write a value, or set `mode: off`");
            return None;
        }
        return Some(Except::Like(normal));
    };
    let compile = |pattern: &str| regex::RegexBuilder::new(pattern).size_limit(MAX_REGEX).build();
    // By itself first: a bracket that it closes too early would be ours.
    match compile(pattern).and_then(|_| compile(&format!("^(?:{pattern})$"))) {
        Ok(regex) => Some(Except::Matches(regex)),
        Err(error) => {
            let said = error.to_string();
            let why = said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            let message = format!("`{text}` is no regular expression: {why}");
            context.error(written.place, message, "mend it; without slashes the text is taken as it stands");
            None
        }
    }
}

/// A pattern as values are compared with it: in lower case, and without marks where values may be written in groups.
fn normal(pattern: &str, detector: Detector) -> String {
    if !detector.is_grouped() {
        return pattern.to_lowercase();
    }
    let kept = pattern.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '*');
    kept.map(|c| c.to_ascii_lowercase()).collect()
}

/// What a tenant's requests count as at least where they hold something that cannot be read.
pub(super) fn unscanned(
    written: Option<&At<String>>,
    detection: &written::Detection,
    labels: &[Label],
    context: Context<'_>,
) -> Option<String> {
    let written = written?;
    let name = detection.label.as_ref().map_or(DATA_CLASS, |label| label.value.as_str());
    let label = labels.iter().find(|label| label.name == name)?;
    if matches!(label.kind, LabelKind::Values(_)) {
        let message = format!("label `{name}` has no order, so nothing can raise it");
        context.error(written.place, message, "declare it with `order`, or name another with `detection.label`");
        return None;
    }
    labels::check_value(written, label, context);
    Some(written.value.clone())
}
