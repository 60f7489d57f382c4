//! What `waypost calibrate` and `waypost eval` read: JSON lines of prompts with outcomes. docs/calibration.md describes
//! them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// No JSON object, or a member of the wrong kind.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// Neither prompt nor messages, or nothing that was measured.
    #[error("it has neither `prompt` nor `messages`")]
    NoPrompt,
    /// Nothing to learn from.
    #[error("it has no `outcomes`")]
    NoOutcomes,
    /// A score that is none.
    #[error("the score of `{0}` is not between 0 and 1")]
    Score(String),
}

/// One line of a calibration's data.
#[derive(Debug)]
pub enum Line {
    /// A prompt and what came of it at each target.
    Prompt(Prompt),
    /// A decision record: difficulty and target, but no prompt.
    Decision(Decision),
    /// How good the answer to a decision was.
    Feedback {
        /// `dec_…`
        decision: String,
        /// 0 to 1.
        score: f64,
    },
    /// Something else that stands in such files, such as a decision without a score.
    Other,
}

/// A prompt with outcomes.
#[derive(Debug)]
pub struct Prompt {
    /// The messages of a chat request, as JSON.
    pub messages: Box<RawValue>,
    /// By target: one or several, of different effort.
    pub outcomes: Vec<Measured>,
}

/// How good one target's answer was.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// `model@provider`, or any other name.
    pub target: String,
    /// 0 to 1.
    pub score: f64,
    /// The effort it was asked with.
    pub effort: Option<String>,
    /// Tokens read, where known.
    pub input_tokens: Option<u64>,
    /// Tokens written, reasoning included, where known.
    pub output_tokens: Option<u64>,
}

/// What a decision record says that feedback needs.
#[derive(Debug)]
pub struct Decision {
    /// `dec_…`
    pub id: String,
    /// 0 to 1.
    pub difficulty: f64,
    /// `linear` or `network`.
    pub stage: String,
    /// Hash of the classifier's file.
    pub classifier: String,
    /// The target that answered.
    pub target: String,
    /// The effort it was asked with; `None`: its own; `client`: nobody knows.
    pub effort: Option<String>,
    /// What the answer cost, in nano-USD.
    pub cost_nusd: u64,
}

#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow, default)]
    prompt: Option<&'a RawValue>,
    #[serde(borrow, default)]
    messages: Option<&'a RawValue>,
    #[serde(default)]
    outcomes: Option<BTreeMap<String, OneOrMore>>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    decision: Option<String>,
    #[serde(borrow, default)]
    score: Option<&'a RawValue>,
    #[serde(default)]
    id: Option<serde_json::Value>,
    #[serde(borrow, default)]
    attempts: Option<Vec<WrittenAttempt<'a>>>,
    #[serde(default)]
    cost_nusd: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    Bare(f64),
    One(WrittenOutcome),
    More(Vec<WrittenOutcome>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenOutcome {
    score: f64,
    #[serde(default)]
    effort: Option<String>,
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct WrittenAttempt<'a> {
    #[serde(borrow)]
    target: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    result: std::borrow::Cow<'a, str>,
    #[serde(default)]
    effort: Option<String>,
}

#[derive(Deserialize)]
struct WrittenScore {
    difficulty: Option<f64>,
    stage: String,
    model: String,
}

/// Reads one line.
///
/// # Errors
/// What is wrong with it.
pub fn line(text: &str) -> Result<Line, LineError> {
    let written: Written<'_> = serde_json::from_str(text)?;
    if written.kind.as_deref() == Some("feedback") {
        let score = written.score.map(|raw| serde_json::from_str(raw.get())).transpose()?.unwrap_or(f64::NAN);
        let decision = written.decision.unwrap_or_default();
        if !(0.0..=1.0).contains(&score) {
            return Err(LineError::Score(decision));
        }
        return Ok(Line::Feedback { decision, score });
    }
    if let (Some(serde_json::Value::String(id)), Some(attempts)) = (&written.id, &written.attempts)
        && id.starts_with("dec_")
    {
        return Ok(decision(id, attempts, &written)?.map_or(Line::Other, Line::Decision));
    }
    let messages = match (written.messages, written.prompt) {
        (Some(messages), _) => messages.to_owned(),
        (None, Some(prompt)) => RawValue::from_string(format!("[{{\"role\":\"user\",\"content\":{}}}]", prompt.get()))?,
        (None, None) => return Err(LineError::NoPrompt),
    };
    let mut outcomes = Vec::new();
    for (target, written) in written.outcomes.ok_or(LineError::NoOutcomes)? {
        let written = match written {
            OneOrMore::Bare(score) => {
                vec![WrittenOutcome { score, effort: None, input_tokens: None, output_tokens: None }]
            }
            OneOrMore::One(outcome) => vec![outcome],
            OneOrMore::More(outcomes) => outcomes,
        };
        for WrittenOutcome { score, effort, input_tokens, output_tokens } in written {
            if !(0.0..=1.0).contains(&score) {
                return Err(LineError::Score(target));
            }
            outcomes.push(Measured { target: target.clone(), score, effort, input_tokens, output_tokens });
        }
    }
    if outcomes.is_empty() {
        return Err(LineError::NoOutcomes);
    }
    Ok(Line::Prompt(Prompt { messages, outcomes }))
}

fn decision(id: &str, attempts: &[WrittenAttempt<'_>], written: &Written<'_>) -> Result<Option<Decision>, LineError> {
    let score: Option<WrittenScore> = written.score.map(|raw| serde_json::from_str(raw.get())).transpose()?.flatten();
    let Some(WrittenScore { difficulty: Some(difficulty), stage, model }) = score else { return Ok(None) };
    let Some(answered) = attempts.last().filter(|attempt| attempt.result == "ok") else { return Ok(None) };
    Ok(Some(Decision {
        id: id.to_owned(),
        difficulty,
        stage,
        classifier: model,
        target: answered.target.clone().into_owned(),
        effort: answered.effort.clone(),
        cost_nusd: written.cost_nusd,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(text: &str) -> Vec<Measured> {
        match line(text).unwrap() {
            Line::Prompt(prompt) => prompt.outcomes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_prompt_comes_with_its_outcomes_in_any_of_three_forms() {
        let read = outcomes(
            r#"{"prompt":"hi","category":"x","outcomes":{"a@p":1,"b@p":{"score":0.5,"output_tokens":9},
                "c@p":[{"score":0,"effort":"low"},{"score":1,"effort":"high"}]}}"#,
        );
        assert_eq!(read.len(), 4);
        assert_eq!((read[0].score, read[1].output_tokens, read[3].effort.as_deref()), (1.0, Some(9), Some("high")));
        let Line::Prompt(prompt) = line(r#"{"prompt":"say \"hi\"","outcomes":{"a":0}}"#).unwrap() else { panic!() };
        assert_eq!(prompt.messages.get(), r#"[{"role":"user","content":"say \"hi\""}]"#);
    }

    #[test]
    fn what_cannot_be_learnt_from_says_why() {
        for (text, why) in [
            (r#"{"outcomes":{"a":1}}"#, "neither `prompt` nor `messages`"),
            (r#"{"prompt":"x"}"#, "no `outcomes`"),
            (r#"{"prompt":"x","outcomes":{}}"#, "no `outcomes`"),
            (r#"{"prompt":"x","outcomes":{"a":7}}"#, "score of `a`"),
            (r#"{"kind":"feedback","decision":"dec_1","score":2}"#, "score of `dec_1`"),
            (r#"{"prompt":"x""#, "EOF"),
        ] {
            let error = line(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn feedback_and_the_decision_it_is_about_are_told_apart() {
        let decision = r#"{"schema":1,"id":"dec_7","score":{"difficulty":0.25,"stage":"linear","unscored":null,"model":"sha256:c","ms":1.0},
            "attempts":[{"target":"a@p","result":"timeout"},{"target":"b@p","effort":"low","result":"ok"}],"cost_nusd":5}"#;
        let Line::Decision(read) = line(decision).unwrap() else { panic!() };
        assert_eq!((read.id.as_str(), read.difficulty, read.target.as_str()), ("dec_7", 0.25, "b@p"));
        assert_eq!(read.effort.as_deref(), Some("low"));
        let unscored = decision.replace("0.25", "null");
        assert!(matches!(line(&unscored).unwrap(), Line::Other));
        let feedback = r#"{"schema":1,"kind":"feedback","decision":"dec_7","score":0.5,"at":"x"}"#;
        assert!(matches!(line(feedback).unwrap(), Line::Feedback { score: 0.5, .. }));
    }
}
