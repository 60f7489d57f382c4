//! Limits, sampling, form of the answer and thinking: `generationConfig`.

use crate::chat::{Conversation, Effort, OutputFormat, ReasoningWish, Settings};
use crate::wire::dialect::{EffortDialect, Shape, Style};
use crate::wire::gemini::model::Model;
use crate::wire::json::Object;
use crate::wire::losses::{Losses, Unsupported};

/// Most stop sequences (<https://ai.google.dev/api/generate-content#GenerationConfig>).
const MAX_STOPS: usize = 5;
/// Most answers at once.
const MAX_ANSWERS: u32 = 8;
/// Most other tokens with their chances.
const MAX_TOP_LOGPROBS: u64 = 20;

/// The degrees that have a word.
const LEVELS: [(Effort, &str); 4] =
    [(Effort::Minimal, "MINIMAL"), (Effort::Low, "LOW"), (Effort::Medium, "MEDIUM"), (Effort::High, "HIGH")];

const EFFORT: &str = "reasoning_effort";

/// `generationConfig`; empty if there is nothing to say.
pub(super) fn write(
    conversation: &Conversation,
    shape: &Shape<'_>,
    model: Model,
    losses: &mut Losses,
) -> Result<Object, Unsupported> {
    let settings = &conversation.settings;
    let mut config = Object::new();
    let most = settings.max_output_tokens.map(|wish| shape.max_output.map_or(wish, |most| wish.min(most)));
    config.put_some("maxOutputTokens", most);
    config.put_some("temperature", settings.temperature.as_ref());
    config.put_some("topP", settings.top_p.as_ref()).put_some("topK", settings.top_k.as_ref());
    stops(settings, &mut config, losses)?;
    if let Some(seed) = &settings.seed {
        // A 32-bit integer.
        if seed.as_i64().is_some_and(|seed| i32::try_from(seed).is_ok()) {
            config.put("seed", seed);
        } else {
            losses.meaning("seed")?;
        }
    }
    config.put_some("frequencyPenalty", settings.frequency_penalty.as_ref());
    config.put_some("presencePenalty", settings.presence_penalty.as_ref());
    match settings.n {
        Some(n) if n > MAX_ANSWERS => losses.meaning("n")?,
        n => {
            config.put_some("candidateCount", n.filter(|n| *n > 1));
        }
    }
    if settings.logprobs == Some(true) {
        config.put("responseLogprobs", true);
        config.put_some("logprobs", settings.top_logprobs.map(|top| top.min(MAX_TOP_LOGPROBS)));
    }
    if settings.user.is_some() {
        losses.hint("user");
    }
    match settings.verbosity.as_deref() {
        None => {}
        Some("medium") => losses.hint("verbosity"),
        Some(_) => losses.meaning("verbosity")?,
    }
    form(conversation.output.as_ref(), &mut config, losses);
    if let Some(thinking) = thinking(&shape.wish(&conversation.reasoning), shape, model, losses) {
        config.raw("thinkingConfig", &thinking.finish());
    }
    Ok(config)
}

fn stops(settings: &Settings, config: &mut Object, losses: &mut Losses) -> Result<(), Unsupported> {
    if settings.stop.len() > MAX_STOPS {
        losses.meaning("stop")?;
    }
    let stops = settings.stop.get(..MAX_STOPS).unwrap_or(&settings.stop);
    config.put_some("stopSequences", Some(stops).filter(|stops| !stops.is_empty()));
    Ok(())
}

fn form(output: Option<&OutputFormat>, config: &mut Object, losses: &mut Losses) {
    match output {
        None | Some(OutputFormat::Text) => {}
        Some(OutputFormat::JsonObject) => {
            config.put("responseMimeType", "application/json");
        }
        Some(OutputFormat::JsonSchema { name, description, schema, .. }) => {
            // All of JSON Schema that the API knows, where `responseSchema` takes a part of OpenAPI's
            // (<https://ai.google.dev/gemini-api/docs/structured-output>). The answer always fits it, `strict` or not.
            config.put("responseMimeType", "application/json").raw("responseJsonSchema", schema.text());
            if name.is_some() {
                losses.hint("response_format.json_schema.name");
            }
            if description.is_some() {
                losses.hint("response_format.json_schema.description");
            }
        }
    }
}

/// `thinkingConfig`. Level and budget exclude each other. Who wants reasoning wants to see it, so thoughts are asked for.
fn thinking(wish: &ReasoningWish, shape: &Shape<'_>, model: Model, losses: &mut Losses) -> Option<Object> {
    if wish.is_empty() {
        return None;
    }
    let style = shape.reasoning.style.or((!model.thinks).then_some(Style::None));
    if style == Some(Style::None) || shape.dialect.effort == EffortDialect::Unsayable {
        if !(wish.off() && style == Some(Style::None)) {
            losses.hint(EFFORT);
        }
        return None;
    }
    let mut config = Object::new();
    let told = style != Some(Style::Always);
    let by_level = match style {
        Some(Style::Effort) => true,
        Some(Style::Budget | Style::Toggle) => false,
        _ => !model.older,
    };
    if wish.off() {
        if !told {
            losses.hint(EFFORT);
            return None;
        }
        if by_level {
            losses.hint(EFFORT);
            config.put_some("thinkingLevel", level(Effort::None, shape, model).map(|(_, word)| word));
        } else {
            let (least, off) = model.least_budget();
            config.put("thinkingBudget", least);
            if !off {
                losses.hint(EFFORT);
            }
        }
        return Some(config);
    }
    config.put("includeThoughts", true);
    let stated = wish.effort.is_some() || wish.budget.is_some();
    if !told {
        if stated {
            losses.hint(EFFORT);
        }
    } else if by_level {
        let wanted = wish.effort.or_else(|| wish.budget.map(|budget| shape.effort_of(budget)));
        if let Some((effort, word)) = wanted.and_then(|wanted| level(wanted, shape, model)) {
            config.put("thinkingLevel", word);
            if wanted != Some(effort) {
                losses.hint(EFFORT);
            }
        }
    } else if style == Some(Style::Toggle) {
        // -1: as much as the question needs.
        config.put("thinkingBudget", -1);
        if stated {
            losses.hint(EFFORT);
        }
    } else {
        match wish.budget.or_else(|| wish.effort.map(|effort| shape.budget_of(effort))) {
            Some(budget) => config.put("thinkingBudget", model.budget(budget)),
            None => config.put_some("thinkingBudget", wish.enabled.map(|_| -1)),
        };
    }
    Some(config)
}

/// The highest degree that the model knows and that does not exceed the wish, else its lowest.
fn level(wish: Effort, shape: &Shape<'_>, model: Model) -> Option<(Effort, &'static str)> {
    let stated = &shape.reasoning.efforts;
    let known = |effort: Effort| match stated.is_empty() {
        true => effort != Effort::Minimal || model.minimal(),
        false => stated.iter().any(|(degree, _)| *degree == effort),
    };
    let known: Vec<_> = LEVELS.into_iter().filter(|(effort, _)| known(*effort)).collect();
    known.iter().rev().find(|(effort, _)| *effort <= wish).or(known.first()).copied()
}
