//! The block taken out of a stream of any format.

use std::collections::BTreeMap;

use super::splitter::{Split, Splitter};
use crate::chat::Event;
use crate::wire::stream::{Decoder, StreamError};

/// A decoder whose answers' leading block of text comes out as reasoning. Where the provider gives a choice's reasoning in
/// a place of its own, that choice's text is left alone.
#[derive(Debug)]
pub struct Thinking<D> {
    decoder: D,
    always: bool,
    choices: BTreeMap<u32, Splitter>,
    /// What the decoder gave and is to be gone through.
    given: Vec<Event>,
}

impl<D: Decoder> Thinking<D> {
    /// Around a provider's decoder; `always` as in [`Splitter::new`].
    pub fn new(decoder: D, always: bool) -> Self {
        Self { decoder, always, choices: BTreeMap::new(), given: Vec::new() }
    }

    fn pass_on(&mut self, out: &mut Vec<Event>) {
        for event in std::mem::take(&mut self.given) {
            match event {
                Event::Text { choice, text } => {
                    let split = self.splitter(choice).push(&text);
                    put(choice, split, out);
                    continue;
                }
                Event::Reasoning { choice, .. } | Event::ReasoningPart { choice } | Event::Seal { choice, .. } => {
                    let split = self.splitter(choice).stand_down();
                    put(choice, split, out);
                }
                Event::Refusal { choice, .. } | Event::ToolCall { choice, .. } | Event::Finish { choice, .. } => {
                    if let Some(splitter) = self.choices.get_mut(&choice) {
                        put(choice, splitter.flush(), out);
                    }
                }
                Event::End => self.flush(out),
                Event::Start { .. } | Event::Arguments { .. } | Event::Logprobs { .. } | Event::Usage(_) => {}
            }
            out.push(event);
        }
    }

    fn splitter(&mut self, choice: u32) -> &mut Splitter {
        self.choices.entry(choice).or_insert_with(|| Splitter::new(self.always))
    }

    fn flush(&mut self, out: &mut Vec<Event>) {
        for (choice, splitter) in &mut self.choices {
            put(*choice, splitter.flush(), out);
        }
    }
}

impl<D: Decoder> Decoder for Thinking<D> {
    fn event(&mut self, name: Option<&[u8]>, data: &[u8], out: &mut Vec<Event>) -> Result<(), StreamError> {
        let read = self.decoder.event(name, data, &mut self.given);
        self.pass_on(out);
        read
    }

    fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), StreamError> {
        let ended = self.decoder.finish(&mut self.given);
        self.pass_on(out);
        self.flush(out);
        ended
    }
}

fn put(choice: u32, split: Split, out: &mut Vec<Event>) {
    let Split { reasoning, text } = split;
    if !reasoning.is_empty() {
        out.push(Event::Reasoning { choice, text: reasoning });
    }
    if !text.is_empty() {
        out.push(Event::Text { choice, text });
    }
}
