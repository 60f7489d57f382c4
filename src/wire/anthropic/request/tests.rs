//! Requests in and out: recordings there and back, whatever can be said, places of faults, bytes that stay.

mod encoding;
mod judging;
mod passing;
mod round_trip;

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::chat::{Conversation, Family, Format};
use crate::wire::dialect::{Dialect, ReasoningModel, Style, ToolIds};
use crate::wire::{Encoded, Shape, Unsupported};

const DIALECT: Dialect = Dialect { tool_ids: ToolIds::Word(64), seals: Some(Family::Anthropic), ..Dialect::PLAIN };

fn styled(style: Option<Style>) -> ReasoningModel {
    ReasoningModel { style, ..ReasoningModel::default() }
}

fn shape<'a>(reasoning: &'a ReasoningModel, dialect: &'a Dialect) -> Shape<'a> {
    Shape {
        format: Format::Messages,
        dialect,
        model: "claude",
        max_output: None,
        reasoning,
        effort: None,
        drop_unsupported: false,
        keeps_nothing: false,
    }
}

fn bytes(value: &Value) -> Bytes {
    value.to_string().into()
}

/// A request that says this beside what it must.
fn body(more: Value) -> Bytes {
    let mut body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    bytes(&body)
}

fn said(body: Bytes) -> Conversation {
    decode(&judge_count(body).unwrap()).unwrap()
}

fn written(conversation: &Conversation, style: Option<Style>) -> Result<(Value, Vec<String>), Unsupported> {
    let reasoning = styled(style);
    let Encoded { body, dropped } = encode(conversation, false, &shape(&reasoning, &DIALECT))?;
    Ok((serde_json::from_slice(&body).unwrap(), dropped))
}

/// The same where nothing is refused.
fn kept(conversation: &Conversation, style: Option<Style>) -> (Value, Vec<String>) {
    let reasoning = styled(style);
    let shape = Shape { drop_unsupported: true, ..shape(&reasoning, &DIALECT) };
    let Encoded { body, dropped } = encode(conversation, false, &shape).unwrap();
    (serde_json::from_slice(&body).unwrap(), dropped)
}
