//! Tool calls, whole and in fragments.

use std::ops::Range;

use super::Pass;
use super::choice::Known;
use super::edits::Frame;
use crate::wire::json::{JsonError, JsonResult, Kind, Scanner, quote};
use crate::wire::openai::types::whole;

/// A tool call, or a fragment of one, as far as it can be judged without knowing its choice.
#[derive(Debug)]
pub(super) struct Call {
    frame: Frame,
    index: Option<u64>,
    /// The inside of its id; `None`: it has none.
    id: Option<Range<usize>>,
    /// It names its tool, so it is the beginning of a call.
    named: bool,
    sort: Sort,
    custom: bool,
    function: bool,
}

/// What `type` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Missing,
    Known,
    Odd,
}

impl Pass<'_> {
    pub(super) fn calls(&mut self, scanner: &mut Scanner<'_>) -> JsonResult<Vec<Call>> {
        let mut calls = Vec::new();
        scanner.array(|scanner, _| {
            if !scanner.is(Kind::Object) {
                return scanner.skip();
            }
            calls.push(self.read_call(scanner)?);
            Ok(())
        })?;
        Ok(calls)
    }

    fn read_call(&mut self, scanner: &mut Scanner<'_>) -> JsonResult<Call> {
        let mut call = Call {
            frame: Frame::at(scanner.position()),
            index: None,
            id: None,
            named: false,
            sort: Sort::Missing,
            custom: false,
            function: false,
        };
        scanner.object(|scanner, key| {
            let kind = scanner.kind()?;
            let mut goes = false;
            match (key.name, kind) {
                (b"index", _) => {
                    let value = scanner.value()?;
                    call.index = scanner.bytes().get(value).and_then(whole);
                    goes = call.index.is_none() && !self.whole;
                }
                (b"id", Kind::String) => {
                    let span = scanner.string()?.span();
                    call.id = Some(span.start + 1..span.end - 1).filter(|inside| !inside.is_empty());
                    goes = call.id.is_none() && self.whole;
                }
                // A fragment may be without one.
                (b"id", Kind::Null) => {
                    goes = self.whole;
                    scanner.skip()?;
                }
                (b"id", _) => {
                    goes = true;
                    scanner.skip()?;
                }
                (b"type", kind) => {
                    let value = scanner.value()?;
                    let said = scanner.bytes().get(value).unwrap_or_default();
                    // OpenAI streams custom calls though its SDK's types for chunks do not name them.
                    let known = said == br#""function""# || said == br#""custom""#;
                    call.sort = match (known, kind) {
                        (true, _) => Sort::Known,
                        (false, Kind::Null) if !self.whole => Sort::Known,
                        _ => Sort::Odd,
                    };
                    goes = call.sort == Sort::Odd;
                }
                (b"function", Kind::Object) => {
                    call.function = true;
                    call.named = self.function(scanner)?;
                }
                (b"function", kind) => {
                    goes = self.whole || kind != Kind::Null;
                    scanner.skip()?;
                }
                (b"custom", Kind::Object) => {
                    call.custom = true;
                    self.tool(scanner, ("input", br#""""#))?;
                }
                _ => scanner.skip()?,
            }
            let member = call.frame.member(&key, scanner.position());
            if goes {
                call.frame.remove(member);
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        Ok(call)
    }

    /// A function's name and arguments. Whether it has a name.
    pub(super) fn function(&mut self, scanner: &mut Scanner<'_>) -> JsonResult<bool> {
        self.tool(scanner, ("arguments", br#""{}""#))
    }

    /// A tool's name, and what it is called with: the member's name, and its value where there is none.
    fn tool(&mut self, scanner: &mut Scanner<'_>, (input, none): (&str, &[u8])) -> JsonResult<bool> {
        let mut frame = Frame::at(scanner.position());
        let (mut named, mut name, mut arguments) = (false, false, false);
        scanner.object(|scanner, key| {
            let kind = scanner.kind()?;
            let mut goes = false;
            match (key.name, kind) {
                (b"name", Kind::String) => {
                    name = true;
                    named = !scanner.string()?.is_empty();
                }
                (key, Kind::String) if key == input.as_bytes() => {
                    arguments = true;
                    let span = scanner.string()?.span();
                    self.words.push(span.start + 1..span.end - 1);
                }
                (b"name", Kind::Null) => {
                    goes = self.whole;
                    scanner.skip()?;
                }
                (key, Kind::Null) if key == input.as_bytes() => {
                    goes = self.whole;
                    scanner.skip()?;
                }
                (key, _) if key == input.as_bytes() => {
                    arguments = true;
                    let value = scanner.value()?;
                    self.as_text(scanner.bytes(), value);
                }
                (b"name", _) => {
                    goes = true;
                    scanner.skip()?;
                }
                _ => scanner.skip()?,
            }
            let member = frame.member(&key, scanner.position());
            if goes {
                frame.remove(member);
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        if self.whole && !name {
            frame.add("name", br#""""#);
        }
        if self.whole && !arguments {
            frame.add(input, none);
        }
        frame.close(&mut self.edits);
        Ok(named)
    }

    /// Puts right what depends on which choice the calls are of, and on those before.
    pub(super) fn settle_calls(&mut self, bytes: &[u8], choice: u64, calls: Vec<Call>) {
        for (position, call) in (0..).zip(calls) {
            let Call { mut frame, index, id, named, sort, custom, function } = call;
            let id = id.and_then(|inside| bytes.get(inside));
            if self.whole {
                if id.is_none() {
                    frame.add("id", &self.made_id(choice, position));
                }
                if sort != Sort::Known {
                    frame.add("type", if custom { br#""custom""# } else { br#""function""# });
                }
                if !function && !custom {
                    frame.add("function", br#"{"name":"","arguments":"{}"}"#);
                }
                frame.close(&mut self.edits);
                continue;
            }
            let known = self.choices.entry(choice).or_default();
            let place = index.unwrap_or_else(|| known.place(id, named));
            let begins = place >= known.next_call;
            known.call = place;
            known.next_call = known.next_call.max(place.saturating_add(1));
            if index.is_none() {
                frame.add("index", place.to_string().as_bytes());
            }
            // The client has to name the call when it answers it.
            if begins && id.is_none() {
                frame.remove_named("id", bytes);
                frame.add("id", &self.made_id(choice, place));
            }
            if sort == Sort::Odd {
                frame.add("type", br#""function""#);
            }
            frame.close(&mut self.edits);
        }
    }

    /// An id for a call without one: always the same for the same answer.
    fn made_id(&self, choice: u64, call: u64) -> Vec<u8> {
        quote(&format!("call_{}_{choice}_{call}", self.envelope.id))
    }
}

impl Known {
    /// Which call a fragment without an index is of: the one with its id, a new one where it begins one, else the last.
    fn place(&mut self, id: Option<&[u8]>, named: bool) -> u64 {
        match id {
            Some(id) => *self.calls.entry(id.to_vec()).or_insert(self.next_call),
            None if named => self.next_call,
            None => self.call,
        }
    }
}
