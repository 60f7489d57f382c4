//! How much to reason, and whether to show it.

use crate::chat::{Conversation, Effort, Named, ReasoningWish};
use crate::wire::dialect::{EffortDialect, Shape, Style};
use crate::wire::json::Object;
use crate::wire::losses::Losses;

const FIELD: &str = "reasoning_effort";
const SUMMARIES: [&str; 3] = ["auto", "concise", "detailed"];

/// Writes `reasoning`, where there is something to say and the model can be told.
pub(super) fn wish(
    conversation: &Conversation,
    shape: &Shape<'_>,
    nested: &[(&str, &Named)],
    losses: &mut Losses,
    body: &mut Object,
) {
    let mut reasoning = Object::new();
    let wish = shape.wish(&conversation.reasoning);
    let effort = effort(&wish, shape, losses).map(Effort::as_str);
    reasoning.put_some("effort", effort);
    if shape.reasoning.style != Some(Style::None) {
        let summary = summary(&conversation.reasoning);
        reasoning.put_some("summary", summary);
        for (name, other) in nested {
            // A word that nobody knows, beside a wish that is understood (OpenRouter's `enabled`).
            if (*name == "effort" && effort.is_some()) || (*name == "summary" && summary.is_some()) {
                losses.hint(format!("reasoning.{name}"));
                continue;
            }
            reasoning.raw(name, other.value.text());
        }
    } else if !nested.is_empty() {
        losses.hint("reasoning");
    }
    if !reasoning.is_empty() {
        body.put("reasoning", reasoning);
    }
}

/// The degree to send, if the model can be told one.
pub(in super::super) fn effort(wish: &ReasoningWish, shape: &Shape<'_>, losses: &mut Losses) -> Option<Effort> {
    let wished = match wish.off() {
        true => Effort::None,
        false => {
            let by_budget = wish.budget.map(|tokens| shape.effort_of(tokens));
            // Some models do not reason unless told a degree, so "on" needs one.
            let on = (wish.enabled == Some(true)).then_some(Effort::Medium);
            wish.effort.or(by_budget).or(on)?
        }
    };
    let untold = match shape.reasoning.style {
        Some(Style::None) => wished != Effort::None,
        Some(Style::Always) => true,
        _ => shape.dialect.effort == EffortDialect::Unsayable,
    };
    if untold {
        losses.hint(FIELD);
    }
    if untold || shape.reasoning.style == Some(Style::None) {
        return None;
    }
    if shape.reasoning.style != Some(Style::Effort) || shape.reasoning.efforts.is_empty() {
        return Some(wished);
    }
    // The highest degree that the model knows and that is not above the wish, else its lowest.
    let known = || shape.reasoning.efforts.iter().map(|(effort, _)| *effort);
    let fit = known().filter(|effort| *effort <= wished).max().or_else(|| known().min())?;
    if wished == Effort::None && fit != Effort::None {
        losses.hint(FIELD);
    }
    Some(fit)
}

/// A summary is asked for only where the client wants to see reasoning: some accounts may not ask for it
/// (platform.openai.com/docs/guides/reasoning, "organization verification").
fn summary(wish: &ReasoningWish) -> Option<&str> {
    if wish.off() {
        return None;
    }
    match &wish.summary {
        Some(word) if SUMMARIES.contains(&word.as_str()) => Some(word),
        Some(_) => Some("auto"),
        None => (wish.enabled == Some(true) || wish.budget.is_some()).then_some("auto"),
    }
}
