//! Output items as a client gets them.

use crate::chat::{Family, Json, Reasoning, Seal, SealKind};
use crate::wire::json::{List, Object};
use crate::wire::seal::sign;

use super::logprobs;

/// One output item.
#[derive(Debug)]
pub(in super::super) enum Item {
    Message { id: String, content: Vec<Said> },
    Reasoning { id: String, parts: Vec<String>, encrypted: Option<String> },
    Call { id: String, call_id: String, name: String, arguments: String },
}

/// A part of a message.
#[derive(Debug)]
pub(in super::super) enum Said {
    Text { text: String, logprobs: Vec<Json> },
    Refusal(String),
}

/// How far an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Status {
    InProgress,
    Completed,
    Incomplete,
}

impl Status {
    pub(in super::super) const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
        }
    }
}

impl Item {
    /// An item that is nothing but a seal: that of the tool call after it, or of the text before it.
    pub(in super::super) fn sealed(seal: Seal, id: String) -> Self {
        let (id, encrypted) = encrypted(&Reasoning { parts: Vec::new(), seal: Some(seal) }, id);
        Self::Reasoning { id, parts: Vec::new(), encrypted: Some(encrypted) }
    }

    pub(in super::super) fn id(&self) -> &str {
        match self {
            Self::Message { id, .. } | Self::Reasoning { id, .. } | Self::Call { id, .. } => id,
        }
    }

    /// The chances of the tokens of its last text.
    pub(in super::super) fn last_logprobs(&mut self) -> Option<&mut Vec<Json>> {
        let Self::Message { content, .. } = self else { return None };
        content.iter_mut().rev().find_map(|said| match said {
            Said::Text { logprobs, .. } => Some(logprobs),
            Said::Refusal(_) => None,
        })
    }

    pub(in super::super) fn json(&self, status: Status) -> String {
        let mut object = Object::new();
        object.put("id", self.id());
        match self {
            Self::Message { content, .. } => {
                let mut parts = List::new();
                for said in content {
                    parts.raw(&said.json());
                }
                object.put("type", "message").put("status", status.as_str()).put("role", "assistant");
                object.raw("content", &parts.finish());
            }
            Self::Reasoning { parts, encrypted, .. } => {
                let mut summary = List::new();
                for part in parts {
                    summary.raw(&summary_part(part));
                }
                object.put("type", "reasoning").raw("summary", &summary.finish());
                object.put_some("encrypted_content", encrypted.as_ref());
            }
            Self::Call { call_id, name, arguments, .. } => {
                object.put("type", "function_call").put("status", status.as_str()).put("arguments", arguments);
                object.put("call_id", call_id).put("name", name);
            }
        }
        object.finish()
    }
}

impl Said {
    pub(in super::super) fn json(&self) -> String {
        let mut object = Object::new();
        match self {
            Self::Text { text, logprobs } => {
                object.put("type", "output_text").put("text", text).raw("annotations", "[]");
                object.raw("logprobs", &logprobs::list(logprobs));
            }
            Self::Refusal(text) => {
                object.put("type", "refusal").put("refusal", text);
            }
        }
        object.finish()
    }
}

pub(in super::super) fn summary_part(text: &str) -> String {
    let mut part = Object::new();
    part.put("type", "summary_text").put("text", text);
    part.finish()
}

/// An item's id and `encrypted_content` for a block of reasoning. OpenAI's own go under the id they came with; all others
/// are signed by us, also those without a seal, so that the text comes back with the next request.
pub(in super::super) fn encrypted(reasoning: &Reasoning, id: String) -> (String, String) {
    match &reasoning.seal {
        Some(Seal { family: Family::Openai, kind, id: Some(own), data })
            if *kind == (if reasoning.parts.is_empty() { SealKind::Hidden } else { SealKind::Text }) =>
        {
            (own.clone(), data.clone())
        }
        _ => (id, sign(reasoning)),
    }
}
