use bytes::Bytes;
use serde_json::Value;

use super::*;
use crate::chat::{Conversation, Family, Format, Request};
use crate::wire::Encoded;
use crate::wire::dialect::{Dialect, ReasoningModel, Shape, Style, ToolIds};

mod decoding;
mod encoding;
mod judging;
mod passing;
mod round_trip;

const OPENAI: Dialect = Dialect { seals: Some(Family::Openai), tool_ids: ToolIds::AtMost(64), ..Dialect::PLAIN };
const UNSAID: ReasoningModel = ReasoningModel {
    style: None,
    parser: crate::wire::dialect::Parser::Field,
    efforts: Vec::new(),
    template_key: None,
};

fn reasons(style: Style) -> ReasoningModel {
    ReasoningModel { style: Some(style), ..UNSAID }
}

fn shape(reasoning: &ReasoningModel) -> Shape<'_> {
    Shape {
        format: Format::Responses,
        dialect: &OPENAI,
        model: "gpt-x",
        max_output: None,
        reasoning,
        effort: None,
        drop_unsupported: false,
        keeps_nothing: false,
    }
}

fn judged(body: &str) -> Request {
    judge(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn read(body: &str) -> Conversation {
    decode(&judged(body)).unwrap()
}

fn written(conversation: &Conversation) -> Encoded {
    encode(conversation, false, &shape(&UNSAID)).unwrap()
}

fn json(encoded: &Encoded) -> Value {
    serde_json::from_slice(&encoded.body).unwrap()
}
