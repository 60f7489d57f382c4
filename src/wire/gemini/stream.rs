//! Gemini's stream (`alt=sse`): pieces of the shape of an answer, and no closing mark.
//!
//! It is over when the provider closes it and every answer has said why it ended. That is told only then: calls and
//! signatures may follow a reason.

use super::chunk::{Call, Candidate, Part, read};
use super::logprobs;
use super::partial::Partial;
use crate::chat::{Event, Family, Finish, Seal, SealKind, Usage};
use crate::wire::dialect::ToolIds;
use crate::wire::stream::{Decoder as Reads, StreamError};
use crate::wire::tool_ids;

/// Most answers of one stream; the API gives eight.
const MAX_ANSWERS: u32 = 128;

/// Reads a stream.
#[derive(Debug, Default)]
pub struct Decoder {
    started: bool,
    ended: bool,
    blocked: bool,
    id: String,
    usage: Option<Usage>,
    answers: Vec<State>,
}

/// How far one answer is.
#[derive(Debug, Default)]
struct State {
    /// Whether anything was heard of it.
    heard: bool,
    /// Calls so far.
    calls: u32,
    /// A call whose arguments are still coming.
    open: Option<Partial>,
    /// Whether the part before was reasoning.
    reasoning: bool,
    finish: Option<String>,
}

impl Decoder {
    /// A reader at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells why each answer ended, as far as is known; whether all did.
    pub(super) fn close(&mut self, out: &mut Vec<Event>) -> bool {
        let mut complete = self.blocked;
        if self.blocked && self.answers.is_empty() {
            out.push(Event::Finish { choice: 0, reason: Finish::ContentFilter });
        }
        let mut open = false;
        for (choice, state) in (0..).zip(&mut self.answers) {
            if !state.heard {
                continue;
            }
            complete = true;
            if let Some(word) = state.finish.take() {
                state.close_call(choice, out);
                out.push(Event::Finish { choice, reason: reason(word, state.calls) });
            } else if self.blocked {
                out.push(Event::Finish { choice, reason: Finish::ContentFilter });
            } else {
                open = true;
            }
        }
        complete && !open
    }

    fn candidate(
        &mut self,
        said: Candidate<'_>,
        place: u32,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), StreamError> {
        let choice = said.index.unwrap_or(place);
        if choice >= MAX_ANSWERS {
            return Err(StreamError::Shape(format!("candidate {choice} of at most {MAX_ANSWERS}")));
        }
        let place = usize::try_from(choice).unwrap_or(usize::MAX);
        while self.answers.len() <= place {
            self.answers.push(State::default());
        }
        let Some(state) = self.answers.get_mut(place) else { return Ok(()) };
        state.heard = true;
        for part in said.content.and_then(|content| content.parts).unwrap_or_default() {
            state.part(part, choice, (&self.id, data), out);
        }
        if let Some(result) = &said.logprobs_result {
            let tokens = logprobs::tokens(result);
            if !tokens.is_empty() {
                out.push(Event::Logprobs { choice, tokens });
            }
        }
        state.finish = said.finish_reason.or(state.finish.take());
        Ok(())
    }
}

impl Reads for Decoder {
    fn event(&mut self, _name: Option<&[u8]>, data: &[u8], out: &mut Vec<Event>) -> Result<(), StreamError> {
        let chunk = read(data)?;
        if let Some(id) = chunk.response_id.as_ref().filter(|id| !id.is_empty()) {
            self.id.clone_from(id);
        }
        if !self.started {
            self.started = true;
            let created = chunk.create_time.as_deref().and_then(seconds);
            let said = |text: Option<String>| text.filter(|text| !text.is_empty());
            out.push(Event::Start { id: said(chunk.response_id), model: said(chunk.model_version), created });
        }
        for (place, candidate) in (0..).zip(chunk.candidates.unwrap_or_default()) {
            self.candidate(candidate, place, data, out)?;
        }
        let why = chunk.prompt_feedback.and_then(|feedback| feedback.block_reason);
        self.blocked |= why.is_some_and(|why| why != "BLOCKED_REASON_UNSPECIFIED");
        let usage = chunk.usage_metadata.and_then(|counts| counts.usage());
        if let Some(usage) = usage.filter(|usage| self.usage != Some(*usage)) {
            self.usage = Some(usage);
            out.push(Event::Usage(usage));
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), StreamError> {
        if self.ended {
            return Ok(());
        }
        if !self.close(out) {
            return Err(StreamError::Truncated);
        }
        self.ended = true;
        out.push(Event::End);
        Ok(())
    }
}

impl State {
    /// Text, reasoning or a call. Parts of the provider's own tools (`executableCode`, `inlineData`, …) are passed over.
    fn part(&mut self, part: Part<'_>, choice: u32, (id, data): (&str, &[u8]), out: &mut Vec<Event>) {
        if part.is_foreign() {
            return;
        }
        let signature = part.thought_signature.filter(|signature| !signature.is_empty());
        let seal = |kind, data| Seal { family: Family::Gemini, kind, id: None, data };
        if let Some(call) = part.function_call {
            self.reasoning = false;
            let seal = signature.map(|signature| seal(SealKind::Call, signature));
            return self.call(call, seal, choice, (id, data), out);
        }
        let thought = part.thought.unwrap_or(false);
        // A signature may stand alone.
        let text = part.text.unwrap_or_default();
        let empty = text.is_empty();
        if !empty {
            out.push(if thought { Event::Reasoning { choice, text } } else { Event::Text { choice, text } });
        }
        let kind = match (thought, empty && !self.reasoning) {
            (false, _) => SealKind::Answer,
            (true, false) => SealKind::Text,
            // Nothing that it could seal was shown.
            (true, true) => SealKind::Hidden,
        };
        self.reasoning = thought && signature.is_none() && (!empty || self.reasoning);
        out.extend(signature.map(|signature| Event::Seal { choice, seal: seal(kind, signature) }));
    }

    fn call(&mut self, call: Call<'_>, seal: Option<Seal>, choice: u32, from: (&str, &[u8]), out: &mut Vec<Event>) {
        let continues = call.will_continue.unwrap_or(false);
        if let Some(name) = call.name.filter(|name| !name.is_empty()) {
            self.close_call(choice, out);
            let index = self.calls;
            self.calls += 1;
            let id = call.id.filter(|id| !id.is_empty()).unwrap_or_else(|| make_id(from, choice, index));
            out.push(Event::ToolCall { choice, index, id, name, seal });
            if let Some(args) = call.args {
                out.push(Event::Arguments { choice, index, text: args.get().to_owned() });
                return;
            }
            self.open = Some(Partial::default());
        }
        if let Some(open) = &mut self.open {
            for piece in call.partial_args.iter().flatten() {
                open.add(piece);
            }
            if !continues {
                self.close_call(choice, out);
            }
        }
    }

    fn close_call(&mut self, choice: u32, out: &mut Vec<Event>) {
        if let Some(open) = self.open.take() {
            out.push(Event::Arguments { choice, index: self.calls.saturating_sub(1), text: open.finish() });
        }
    }
}

/// An id for a call that came without one, the same whenever the same bytes are read. No two answers share a
/// `responseId`; where there is none, the bytes around the call stand for it: they hold the prompt's token count, which
/// grows from turn to turn.
fn make_id((id, data): (&str, &[u8]), choice: u32, index: u32) -> String {
    let answer = if choice == 0 { String::new() } else { format!("c{choice}_") };
    if !id.is_empty() {
        return format!("call_{id}_{answer}{index}");
    }
    // It was read as JSON, so it is text.
    let around = std::str::from_utf8(data).unwrap_or_default();
    format!("call_{}", tool_ids::fit(&format!("{answer}{index}:{around}"), ToolIds::Word(24)))
}

/// Why an answer ended (<https://ai.google.dev/api/generate-content#FinishReason>).
fn reason(word: String, calls: u32) -> Finish {
    match word.as_str() {
        "STOP" if calls > 0 => Finish::ToolCalls,
        "STOP" => Finish::Stop,
        "MAX_TOKENS" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR" => Finish::ContentFilter,
        _ => Finish::Other(word),
    }
}

/// Seconds since 1970 of a moment in RFC 3339.
fn seconds(moment: &str) -> Option<u64> {
    moment.parse::<jiff::Timestamp>().ok().and_then(|moment| u64::try_from(moment.as_second()).ok())
}
