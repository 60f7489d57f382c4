//! What one line of a log says, whatever wrote it. The kind is found line by line: logs get joined.

use bytes::Bytes;
use serde_json::Value;

use super::{decision, exchange, litellm};
use crate::chat::{Format, Usage};
use crate::money::NanoUsd;

/// One request of the past that was answered.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    /// As the log names it.
    pub(super) model: String,
    /// The provider, where the log names it beside the model.
    pub(super) provider: Option<String>,
    /// The request, where it was kept: its format and its body.
    pub(super) prompt: Option<(Format, Bytes)>,
    /// How hard it was found at the time, 0 to 1.
    pub(super) difficulty: Option<f32>,
    pub(super) usage: Usage,
    /// What the log says that it cost.
    pub(super) cost: Option<NanoUsd>,
    pub(super) at: Option<jiff::Timestamp>,
    /// Who asked: names that may be those of tenants.
    pub(super) asked_by: Vec<String>,
    /// Labels that were in force.
    pub(super) labels: Vec<(String, String)>,
}

/// What wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// A request and its answer, as clients, proxies and tracers write them.
    RequestResponse,
    /// Messages, model and usage in one object.
    Flat,
    /// An answer alone, such as a line of a batch's output.
    Answer,
    /// `LiteLLM`'s spend log.
    LitellmSpend,
    /// Waypost's own decision records.
    WaypostDecision,
}

impl Kind {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::RequestResponse => "request and response",
            Self::Flat => "messages and usage in one object",
            Self::Answer => "response alone",
            Self::LitellmSpend => "LiteLLM spend log",
            Self::WaypostDecision => "Waypost decision",
        }
    }
}

/// Why a line says nothing that helps. The words hold nothing of the line itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(super) enum Unusable {
    #[error("not JSON")]
    NotJson,
    #[error("not a JSON object")]
    NotObject,
    #[error("longer than {} MiB", super::lines::LONGEST >> 20)]
    TooLong,
    #[error("neither a request nor an answer that is known here")]
    Unknown,
    #[error("no chat request (embeddings, images, audio or the like)")]
    NotChat,
    #[error("no answer: denied, failed or not sent, so nothing was used")]
    NotAnswered,
    #[error("no usage: how many tokens it took is not said")]
    NoUsage,
    #[error("no model is named")]
    NoModel,
}

/// Reads a line.
pub(super) fn read(line: &[u8]) -> Result<Entry, Unusable> {
    let value: Value = serde_json::from_slice(line).map_err(|_| Unusable::NotJson)?;
    let Value::Object(line) = value else { return Err(Unusable::NotObject) };
    let entry = if decision::is_one(&line) {
        decision::read(&line)
    } else if litellm::is_one(&line) {
        litellm::read(&line)
    } else {
        exchange::read(&line)
    }?;
    if entry.usage.input == 0 && entry.usage.output == 0 {
        return Err(Unusable::NotAnswered);
    }
    Ok(entry)
}
