//! How much to reason, as the target's dialect says it and its model understands it.

use super::Writer;
use crate::chat::{Effort, ReasoningWish};
use crate::wire::dialect::{EffortDialect, Style};
use crate::wire::json::Object;
use crate::wire::losses::Unsupported;

/// What is asked of the model once its kind is known.
#[derive(Default)]
struct Ask {
    effort: Option<Effort>,
    budget: Option<u64>,
    enabled: Option<bool>,
}

/// Writes the wish. What the model or the dialect has no word for is named, never refused.
pub(super) fn write(writer: &mut Writer<'_>) -> Result<(), Unsupported> {
    let wish = writer.shape.wish(&writer.said.reasoning);
    let ask = ask(writer, &wish);
    match writer.dialect().effort {
        EffortDialect::Unsayable => {
            if !ask.is_empty() {
                writer.losses.hint("reasoning_effort");
            }
        }
        EffortDialect::Native => native(writer, &ask),
        EffortDialect::Object => object(writer, &ask),
        EffortDialect::Thinking => thinking(writer, &ask),
        EffortDialect::Template => template(writer, &ask),
    }
    // Whatever stood beside the wish in the client's own objects.
    for name in ["reasoning", "thinking", "chat_template_kwargs"] {
        let rest = writer.rest_of(name);
        if !rest.is_empty() && !written(writer.dialect().effort, name) {
            let mut object = Object::new();
            object.put_named(&rest);
            writer.body.put(name, object);
        }
    }
    Ok(())
}

/// Whether the dialect's own way of asking is an object of this name.
fn written(dialect: EffortDialect, name: &str) -> bool {
    matches!(
        (dialect, name),
        (EffortDialect::Object, "reasoning")
            | (EffortDialect::Thinking, "thinking")
            | (EffortDialect::Template, "chat_template_kwargs")
    )
}

impl Ask {
    fn is_empty(&self) -> bool {
        self.effort.is_none() && self.budget.is_none() && self.enabled.is_none()
    }

    /// On or off, if anything was said.
    fn on(&self) -> Option<bool> {
        if self.is_empty() {
            return None;
        }
        Some(self.enabled != Some(false) && self.effort != Some(Effort::None) && self.budget != Some(0))
    }
}

fn ask(writer: &mut Writer<'_>, wish: &ReasoningWish) -> Ask {
    if wish.summary.as_deref().is_some_and(|summary| summary != "auto")
        && writer.dialect().effort != EffortDialect::Object
    {
        writer.losses.hint("reasoning.summary");
    }
    let said = Ask { effort: wish.effort, budget: wish.budget, enabled: wish.enabled };
    if said.is_empty() {
        return said;
    }
    let degree = wish.effort.or_else(|| wish.budget.map(|budget| writer.shape.effort_of(budget)));
    let degree = degree.filter(|effort| *effort != Effort::None);
    match writer.shape.reasoning.style {
        None => said,
        Some(Style::None) => {
            if !wish.off() {
                writer.losses.hint("reasoning_effort");
            }
            Ask::default()
        }
        Some(Style::Always) => {
            if wish.off() || degree.is_some() {
                writer.losses.hint("reasoning_effort");
            }
            Ask::default()
        }
        Some(Style::Toggle) => {
            if degree.is_some() && !wish.off() {
                writer.losses.hint("reasoning_effort");
            }
            Ask { enabled: Some(!wish.off()), ..Ask::default() }
        }
        Some(Style::Effort) if wish.off() => Ask { effort: Some(known(writer, Effort::None)), ..Ask::default() },
        Some(Style::Effort) => {
            let effort = known(writer, degree.unwrap_or(Effort::Medium));
            Ask { effort: Some(effort), ..Ask::default() }
        }
        Some(Style::Budget) if wish.off() => Ask { budget: Some(0), enabled: Some(false), ..Ask::default() },
        // A degree goes on as one where tokens cannot be said (Google's compatible endpoint).
        Some(Style::Budget) if wish.effort.is_some() && writer.dialect().effort == EffortDialect::Native => {
            Ask { effort: wish.effort.map(|effort| known(writer, effort)), ..Ask::default() }
        }
        Some(Style::Budget) => {
            let budget = wish.budget.or_else(|| wish.effort.map(|effort| writer.shape.budget_of(effort)));
            Ask { budget, enabled: Some(true), ..Ask::default() }
        }
    }
}

/// The degree itself if the model knows it, else the next lower one, else the lowest.
fn nearest(writer: &Writer<'_>, wanted: Effort) -> Effort {
    let efforts = writer.shape.reasoning.efforts.iter().map(|(effort, _)| *effort);
    let lower = efforts.clone().filter(|effort| *effort <= wanted).max();
    lower.or_else(|| efforts.min()).unwrap_or(wanted)
}

/// The same, named if it is another than the wanted one.
fn known(writer: &mut Writer<'_>, wanted: Effort) -> Effort {
    let chosen = nearest(writer, wanted);
    if chosen != wanted {
        writer.losses.hint("reasoning_effort");
    }
    chosen
}

fn native(writer: &mut Writer<'_>, ask: &Ask) {
    let effort = match (ask.effort, ask.budget) {
        (Some(effort), _) => effort,
        (None, Some(budget)) => writer.shape.effort_of(budget),
        (None, None) => match ask.enabled {
            Some(false) => Effort::None,
            // On, without a degree: OpenAI's own default where there is one.
            Some(true) => nearest(writer, Effort::Medium),
            None => return,
        },
    };
    let effort = if ask.enabled == Some(false) { Effort::None } else { effort };
    writer.body.put("reasoning_effort", effort.as_str());
}

fn object(writer: &mut Writer<'_>, ask: &Ask) {
    let mut object = Object::new();
    object.put_some("effort", ask.effort.map(Effort::as_str));
    if ask.effort.is_some() && ask.budget.is_some() {
        // One of the two may be said (https://openrouter.ai/docs/use-cases/reasoning-tokens).
        writer.losses.hint("reasoning.max_tokens");
    } else {
        object.put_some("max_tokens", ask.budget.filter(|budget| *budget > 0));
    }
    let off = (ask.budget == Some(0)).then_some(false);
    object.put_some("enabled", ask.enabled.or(off));
    object.put_some("summary", writer.said.reasoning.summary.as_ref());
    object.put_named(&writer.rest_of("reasoning"));
    if !object.is_empty() {
        writer.body.put("reasoning", object);
    }
}

fn thinking(writer: &mut Writer<'_>, ask: &Ask) {
    let mut object = Object::new();
    let on = ask.on();
    object.put_some("type", on.map(|on| if on { "enabled" } else { "disabled" }));
    object.put_some("budget_tokens", ask.budget.filter(|_| on == Some(true)));
    object.put_named(&writer.rest_of("thinking"));
    if !object.is_empty() {
        writer.body.put("thinking", object);
    }
    let effort = ask.effort.filter(|effort| *effort != Effort::None);
    writer.body.put_some("reasoning_effort", effort.map(Effort::as_str));
}

fn template(writer: &mut Writer<'_>, ask: &Ask) {
    let mut object = Object::new();
    // A model that is asked by degree has no switch in its template (gpt-oss).
    let by_degree = writer.shape.reasoning.style == Some(Style::Effort);
    let switch = ask.on().filter(|on| !by_degree && (ask.effort.is_none() || ask.enabled.is_some() || !on));
    let key = writer.shape.reasoning.template_key.as_deref().unwrap_or("enable_thinking");
    object.put_some(key, switch);
    object.put_named(&writer.rest_of("chat_template_kwargs"));
    if !object.is_empty() {
        writer.body.put("chat_template_kwargs", object);
    }
    if ask.budget.is_some_and(|budget| budget > 0) {
        writer.losses.hint("reasoning.max_tokens");
    }
    let effort = ask.effort.filter(|effort| by_degree || *effort != Effort::None);
    writer.body.put_some("reasoning_effort", effort.map(Effort::as_str));
}
