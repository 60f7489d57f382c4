//! How much the model is to think, and how long its answer may be: one bounds the other.

use crate::chat::{Conversation, Effort, Json, ReasoningWish, ToolChoice};
use crate::wire::Shape;
use crate::wire::dialect::Style;
use crate::wire::json::{Members, Object};
use crate::wire::losses::Losses;

/// Longest answer where neither the client nor the configuration states one; Anthropic insists on a number, and every
/// Claude since 3.5 can write so much. <https://platform.claude.com/docs/en/about-claude/models/overview>
pub const DEFAULT_MAX_TOKENS: u64 = 8192;

/// The least that Anthropic takes as `budget_tokens`.
/// <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>
pub(super) const LEAST_BUDGET: u64 = 1024;

/// What is sent.
#[derive(Debug, Default)]
pub(super) struct Thinking {
    pub(super) max_tokens: u64,
    /// `thinking`, as JSON.
    pub(super) config: Option<String>,
    /// `output_config.effort`
    pub(super) effort: Option<Effort>,
    /// The model thinks before it answers.
    pub(super) on: bool,
}

/// Decides both. A wish that the model cannot be told is a hint left out.
///
/// A limit that the client states is never raised: a budget that does not fit is cut to three quarters of it, so that something is
/// left for the answer.
pub(super) fn choose(conversation: &Conversation, shape: &Shape<'_>, losses: &mut Losses) -> Thinking {
    let ceiling = shape.max_output.unwrap_or(u64::MAX);
    let stated = conversation.settings.max_output_tokens.map(|most| most.min(ceiling));
    let max_tokens = stated.or(shape.max_output).unwrap_or(DEFAULT_MAX_TOKENS);
    let plain = Thinking { max_tokens, ..Thinking::default() };
    let wish = &*shape.wish(&conversation.reasoning);
    let rest = conversation.others.iter().find(|other| other.name == "thinking").map(|other| &other.value);
    if wish.is_empty() && rest.is_none() {
        return plain;
    }
    let name = if wish.effort.is_some() { "reasoning_effort" } else { "thinking" };
    let style = shape.reasoning.style;
    if wish.off() {
        return match style {
            Some(Style::None) => plain,
            Some(Style::Always) => left_out(plain, name, losses),
            _ => Thinking { config: Some(r#"{"type":"disabled"}"#.to_owned()), ..plain },
        };
    }
    if style == Some(Style::None) {
        return left_out(plain, name, losses);
    }
    let effort = (style == Some(Style::Effort)).then(|| effort(wish, shape, losses)).flatten();
    let plain = Thinking { effort, ..plain };
    // https://platform.claude.com/docs/en/build-with-claude/extended-thinking#extended-thinking-with-tool-use
    let forced = !matches!(&conversation.tool_choice, None | Some(ToolChoice::Auto | ToolChoice::None))
        && !matches!(&conversation.tool_choice, Some(ToolChoice::Allowed { required: false, .. }));
    if forced {
        return left_out(plain, name, losses);
    }
    if let Some(odd) = rest.filter(|rest| kind(rest).as_deref() == Some("between_tools")) {
        return Thinking { config: Some(odd.text().to_owned()), on: true, ..plain };
    }
    let mut config = Object::new();
    let mut max_tokens = max_tokens;
    let by_degree = style == Some(Style::Effort);
    let unnumbered = style.is_none() && wish.budget.is_none() && wish.effort.is_none();
    if by_degree || unnumbered {
        config.put("type", "adaptive");
    } else {
        let wanted = wish.budget.unwrap_or_else(|| shape.budget_of(wish.effort.unwrap_or(Effort::Medium)));
        let Some((budget, most)) = fit(wanted, max_tokens, stated.is_some(), ceiling) else {
            return left_out(plain, name, losses);
        };
        if wish.budget.is_some_and(|asked| asked != budget) {
            losses.hint("thinking.budget_tokens");
        }
        max_tokens = most;
        config.put("type", "enabled").put("budget_tokens", budget);
    }
    // The newest models keep their thoughts to themselves unless asked; a client of another format wants to see them.
    // https://platform.claude.com/docs/en/build-with-claude/thinking#controlling-thinking-display
    let mut rest = rest.and_then(|rest| Members::of_text(rest.text(), "thinking").ok());
    let display = rest.as_mut().and_then(|rest| rest.text("display").ok().flatten());
    let shown = (by_degree || wish.summary.is_some()).then(|| "summarized".to_owned());
    config.put_some("display", display.or(shown));
    // What another format says beside its own switch.
    for other in rest.map(|rest| rest.rest(|_| true)).unwrap_or_default() {
        losses.hint(format!("thinking.{}", other.name));
    }
    Thinking { max_tokens, config: Some(config.finish()), on: true, ..plain }
}

fn left_out(plain: Thinking, name: &str, losses: &mut Losses) -> Thinking {
    if plain.effort.is_none() {
        losses.hint(name);
    } else {
        losses.hint("thinking");
    }
    plain
}

fn kind(rest: &Json) -> Option<String> {
    Members::of_text(rest.text(), "").ok()?.text("type").ok().flatten()
}

/// A budget, and a limit above it. `None`: no budget fits.
fn fit(wanted: u64, max_tokens: u64, stated: bool, ceiling: u64) -> Option<(u64, u64)> {
    let budget = wanted.max(LEAST_BUDGET);
    if budget < max_tokens {
        return Some((budget, max_tokens));
    }
    let max_tokens = if stated { max_tokens } else { max_tokens.saturating_add(budget).min(ceiling) };
    let most = max_tokens / 4 * 3;
    let budget = if budget < max_tokens && !stated { budget } else { budget.min(most) };
    (budget >= LEAST_BUDGET).then_some((budget, max_tokens))
}

/// The degree that the model knows and that is nearest to the wish from below; the lowest, if none is below.
fn effort(wish: &ReasoningWish, shape: &Shape<'_>, losses: &mut Losses) -> Option<Effort> {
    let wanted = match (wish.effort, wish.budget) {
        (Some(effort), _) => effort,
        (None, Some(budget)) => shape.effort_of(budget),
        (None, None) => return None,
    };
    let known: Vec<Effort> = match shape.reasoning.efforts.as_slice() {
        [] => vec![Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh, Effort::Max],
        stated => stated.iter().map(|(effort, _)| *effort).filter(|effort| *effort > Effort::Minimal).collect(),
    };
    let below = known.iter().filter(|effort| **effort <= wanted).max();
    let chosen = below.or(known.iter().min()).copied();
    if chosen != Some(wanted) {
        losses.hint("reasoning_effort");
    }
    chosen
}
