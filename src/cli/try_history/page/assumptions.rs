//! What the figures rest on, in words.

use crate::catalog;
use crate::cli::try_history::report::{Routed, Setup};
use crate::cli::try_history::survey::Survey;

/// What the figures rest on.
pub(in crate::cli::try_history) fn assumptions(setup: &Setup, survey: &Survey, routed: &Routed) -> Vec<String> {
    let mut list = vec![
        "Every answer takes as many tokens at its new target as it took at the old one. Models differ in how much they \
         write, reasoning models most."
            .to_owned(),
        match routed.basis.as_deref() {
            Some("calibrated") => "What is good enough is judged by calibrated quality.".to_owned(),
            _ => "What is good enough is judged by each target's tier, a prior that claims no confidence: no answer was \
                  compared. Measure before you move."
                .to_owned(),
        },
        "Waypost's own cache of answers is not counted. Input that came from a provider's prompt cache keeps its price \
         where the model stays the same, and is new input everywhere else."
            .to_owned(),
        format!(
            "Prices are those of the set-up; list prices as of {}. Every target is up and has room.",
            catalog::today()
        ),
        "The interval is a bootstrap over prompts (1,000 resamples, fixed seed). It tells how the sums would vary with \
         other prompts of the same kind, not whether these assumptions hold."
            .to_owned(),
    ];
    if survey.without_prompt > survey.scored_then {
        list.push(format!(
            "{} requests have neither prompt nor score: they are routed by their size alone, as of middle difficulty.",
            survey.without_prompt - survey.scored_then
        ));
    }
    list.push(match setup.classifier.as_str() {
        "" => "Nothing scores prompts in this set-up: all are routed as of middle difficulty.".to_owned(),
        name => format!("Difficulty is judged on this machine by {name}."),
    });
    if setup.config.is_none() {
        list.push(
            "Every request stays with its model of then, which is taken for strong, or goes to an own model: weak (8B) or \
             mid (32B), at the hours of their machines when well filled. The log's models do not stand in for each other."
                .to_owned(),
        );
    }
    list
}
