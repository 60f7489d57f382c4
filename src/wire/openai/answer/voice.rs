//! One choice as it is said: pieces from the wire in, events out.

use super::calls::Calls;
use super::details::Details;
use super::said::{Alone, Piece, Spoken};
use crate::chat::{Event, Family, Finish, Seal, SealKind};

/// One choice so far.
#[derive(Debug, Default)]
pub(crate) struct Voice {
    choice: u32,
    /// It comes in one piece, so no two tool calls are one.
    is_whole: bool,
    calls: Calls,
    details: Details,
    /// Reasoning comes under a name of its own, so the text in its details is the same again.
    plain: bool,
    /// The current block of reasoning has text.
    thought: bool,
    refused: bool,
    /// Why it ended, while that is not told: OpenRouter says so before the end.
    finish: Option<Finish>,
    finished: bool,
}

impl Voice {
    /// A choice by its number.
    pub(crate) fn new(choice: u32, is_whole: bool) -> Self {
        Self { choice, is_whole, ..Self::default() }
    }

    /// The choice's number.
    pub(crate) fn choice(&self) -> u32 {
        self.choice
    }

    /// Whether it has said why it ended.
    pub(crate) fn finished(&self) -> bool {
        self.finished
    }

    /// Takes in a piece: reasoning comes before text, and text before tool calls, whatever their order in JSON.
    pub(crate) fn hear(&mut self, spoken: Spoken<'_>, answer: Option<&str>, out: &mut Vec<Event>) {
        let choice = self.choice;
        let detailed = spoken.details.map(|list| self.details.add(list)).unwrap_or_default();
        if let Some(text) = spoken.reasoning {
            self.plain = true;
            self.think(text.into_owned(), out);
        } else if !self.plain && !detailed.is_empty() {
            self.think(detailed, out);
        }
        if let Some(text) = spoken.text {
            self.say(text.into_owned(), out);
        }
        for piece in spoken.parts {
            match piece {
                Piece::Thought(text) => self.think(text.into_owned(), out),
                Piece::Text(text) => self.say(text.into_owned(), out),
                Piece::Refusal(text) => self.refuse(text.into_owned(), out),
            }
        }
        if let Some(text) = spoken.refusal {
            self.refuse(text.into_owned(), out);
        }
        if !spoken.calls.is_empty() {
            self.seal(out);
        }
        for piece in spoken.calls {
            self.calls.add(piece, self.is_whole, choice, answer, out);
        }
        if let Some(signature) = spoken.signature {
            let data = signature.into_owned();
            let seal = Seal { family: Family::Gemini, kind: SealKind::Answer, id: None, data };
            out.push(Event::Seal { choice, seal });
        }
        if !spoken.tokens.is_empty() {
            out.push(Event::Logprobs { choice, tokens: spoken.tokens });
        }
        if let Some(word) = spoken.finish {
            self.finish = Some(self.reason(&word, spoken.stop.as_deref()));
            self.finished = true;
        }
    }

    /// Takes in a piece that is words and nothing else.
    pub(crate) fn hear_words(&mut self, which: Alone, words: String, out: &mut Vec<Event>) {
        match which {
            Alone::Text | Alone::Part => self.say(words, out),
            Alone::Thought => self.think(words, out),
            Alone::Reasoning => {
                self.plain = true;
                self.think(words, out);
            }
        }
    }

    /// Tells what was held back, and the end if it has been said.
    pub(crate) fn close(&mut self, answer: Option<&str>, out: &mut Vec<Event>) {
        self.seal(out);
        self.calls.tell_all(self.choice, answer, out);
        if let Some(reason) = self.finish.take() {
            out.push(Event::Finish { choice: self.choice, reason });
        }
    }

    fn think(&mut self, text: String, out: &mut Vec<Event>) {
        self.thought = true;
        out.push(Event::Reasoning { choice: self.choice, text });
    }

    fn say(&mut self, text: String, out: &mut Vec<Event>) {
        self.seal(out);
        out.push(Event::Text { choice: self.choice, text });
    }

    fn refuse(&mut self, text: String, out: &mut Vec<Event>) {
        self.seal(out);
        self.refused = true;
        out.push(Event::Refusal { choice: self.choice, text });
    }

    /// Ends the current block of reasoning.
    fn seal(&mut self, out: &mut Vec<Event>) {
        if let Some(data) = self.details.take() {
            let kind = if self.thought { SealKind::Text } else { SealKind::Hidden };
            let seal = Seal { family: Family::Details, kind, id: None, data };
            out.push(Event::Seal { choice: self.choice, seal });
        }
        self.thought = false;
    }

    fn reason(&self, word: &str, stop: Option<&str>) -> Finish {
        match word {
            // OpenAI itself says `stop` where `tool_choice` names the function, others where any tool was called.
            "stop" if self.calls.any() => Finish::ToolCalls,
            "stop" if self.refused => Finish::Refusal,
            "stop" => stop.map_or(Finish::Stop, |stop| Finish::StopSequence(Some(stop.to_owned()))),
            // Mistral's name for the end of the context (docs.mistral.ai/api).
            "length" | "model_length" => Finish::Length,
            "tool_calls" | "function_call" => Finish::ToolCalls,
            "content_filter" => Finish::ContentFilter,
            other => Finish::Other(other.to_owned()),
        }
    }
}
