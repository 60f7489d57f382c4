//! A provider's stream, read.

use super::super::answer::said::{Alone, Said};
use super::super::answer::voice::Voice;
use super::super::stream::alike::Alike;
use crate::chat::Event;
use crate::wire::json::Scanner;
use crate::wire::provider_error::read_error_event;
use crate::wire::stream::{self, StreamError};

/// Most answers to one request, as OpenAI allows. Each costs memory as long as the stream lasts.
const MAX_CHOICES: usize = 128;

/// Reads the chunks of any OpenAI-compatible provider.
///
/// Why a choice ended is told when the stream goes on to its usage or ends: some providers say it while text still comes.
#[derive(Debug, Default)]
pub struct Decoder {
    id: Option<String>,
    started: bool,
    done: bool,
    voices: Vec<Voice>,
    /// What stood before the choices of an earlier chunk: most providers repeat it in every one, and it is not read again.
    known: Vec<u8>,
    /// A chunk without it.
    short: Vec<u8>,
    /// What the last chunk was like that said words and nothing else.
    alike: Alike,
    usual: Option<Usual>,
}

/// How to read a chunk that is like that one.
#[derive(Clone, Copy, Debug)]
struct Usual {
    /// The voice's place.
    place: usize,
    which: Alone,
    /// The words' place among the strings that may differ.
    nth: usize,
}

impl Decoder {
    /// At the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a chunk that is like the last one but for its words: most are, and comparing costs less than reading.
    fn same_again(&mut self, data: &[u8], out: &mut Vec<Event>) -> bool {
        let Some(Usual { place, which, nth }) = self.usual else { return false };
        let Some(words) = self.alike.words(data, nth).filter(|words| !words.is_empty()) else { return false };
        // Read as any other string of it would be.
        let quoted = data.get(words.start.saturating_sub(1)..words.end + 1).unwrap_or_default();
        let Ok(words) = Scanner::lenient(quoted).string() else { return false };
        let Some(voice) = self.voices.get_mut(place) else { return false };
        voice.hear_words(which, words.text().into_owned(), out);
        true
    }

    /// Learns what a chunk is like that says words and nothing else; `cut` bytes were left out before it was read.
    fn learn(&mut self, data: &[u8], said: &Said<'_>, cut: usize) {
        let Said { usage: None, error: None, choices, fill, .. } = said else { return };
        let [spoken] = choices.as_slice() else { return };
        let Some((which, words)) = spoken.only_words() else { return };
        let Some(place) = self.voices.iter().position(|voice| voice.choice() == spoken.index) else { return };
        let mut places: Vec<_> = fill.iter().chain([&words]).map(|at| at.start + cut..at.end + cut).collect();
        let nth = usize::from(fill.as_ref().is_some_and(|fill| fill.start < words.start));
        self.alike.learn(data, &mut places);
        self.usual = Some(Usual { place, which, nth });
    }

    fn chunk(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<(), StreamError> {
        if self.same_again(data, out) {
            return Ok(());
        }
        let mut short = std::mem::take(&mut self.short);
        let rest = data.strip_prefix(&self.known[..]).filter(|_| !self.known.is_empty());
        if let Some(rest) = rest {
            short.clear();
            short.push(b'{');
            short.extend_from_slice(rest);
        }
        let said = Said::read(if rest.is_some() { &short } else { data }, !self.started)?;
        if rest.is_none() && self.started {
            data.get(..said.listed_at).unwrap_or_default().clone_into(&mut self.known);
        }
        // Azure's first chunk tells of its filter only, and has no id.
        if !self.started && (said.id.is_some() || !said.choices.is_empty()) {
            self.id = said.id.as_deref().map(str::to_owned);
            self.start(said.model.as_deref().map(str::to_owned), said.created, out);
        }
        if said.choices.is_empty() {
            self.close(out);
        }
        self.learn(data, &said, if rest.is_some() { self.known.len().saturating_sub(1) } else { 0 });
        for spoken in said.choices {
            let place = match self.voices.iter().position(|voice| voice.choice() == spoken.index) {
                Some(place) => place,
                None if self.voices.len() >= MAX_CHOICES => {
                    return Err(StreamError::Shape(format!("more than {MAX_CHOICES} choices")));
                }
                None => {
                    self.voices.push(Voice::new(spoken.index, false));
                    self.voices.len() - 1
                }
            };
            if let Some(voice) = self.voices.get_mut(place) {
                voice.hear(spoken, self.id.as_deref(), out);
            }
        }
        out.extend(said.usage.map(Event::Usage));
        let error = said.error;
        self.short = short;
        error.map_or(Ok(()), |error| Err(StreamError::Provider(error)))
    }

    fn start(&mut self, model: Option<String>, created: Option<u64>, out: &mut Vec<Event>) {
        self.started = true;
        out.push(Event::Start { id: self.id.clone(), model, created });
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        for voice in &mut self.voices {
            voice.close(self.id.as_deref(), out);
        }
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        self.done = true;
        if !self.started {
            self.start(None, None, out);
        }
        self.close(out);
        out.push(Event::End);
    }
}

impl stream::Decoder for Decoder {
    fn event(&mut self, name: Option<&[u8]>, data: &[u8], out: &mut Vec<Event>) -> Result<(), StreamError> {
        if self.done {
            return Ok(());
        }
        if name == Some(b"error") {
            return Err(StreamError::Provider(read_error_event(data)));
        }
        let data = data.trim_ascii();
        match data.first() {
            Some(b'{') => self.chunk(data, out)?,
            _ if data == b"[DONE]" => self.end(out),
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), StreamError> {
        if self.done {
            return Ok(());
        }
        if self.voices.is_empty() || !self.voices.iter().all(Voice::finished) {
            return Err(StreamError::Truncated);
        }
        self.end(out);
        Ok(())
    }
}
