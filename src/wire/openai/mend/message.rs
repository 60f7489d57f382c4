//! What a choice says: a whole message, or a delta.

use std::ops::Range;

use super::Pass;
use super::calls::Call;
use super::content::{self, Parts};
use super::edits::Frame;
use crate::wire::json::{JsonError, JsonResult, Key, Kind, Scanner, escaped, quote, unescape};
use crate::wire::think::{Split, Splitter, split_text};

/// A message or delta, read; what is wrong with its reasoning and content is put right once its choice is known.
#[derive(Debug)]
pub(super) struct Message {
    frame: Frame,
    content: Option<Field>,
    /// What a content that is no text says.
    parts: Option<Parts>,
    reasoning_content: Option<Field>,
    reasoning: Option<Field>,
    /// `reasoning_details`, and whether there are any.
    details: Option<(usize, bool)>,
    calls: Vec<Call>,
}

/// A member.
#[derive(Clone, Debug)]
struct Field {
    member: usize,
    key: Range<usize>,
    value: Range<usize>,
    kind: Kind,
}

impl Message {
    /// Whether it calls a tool.
    pub(super) fn calls(&self) -> bool {
        !self.calls.is_empty()
    }
}

impl Field {
    /// The inside of the string, as it stands.
    fn inside<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let string = self.kind == Kind::String;
        bytes.get(self.value.start + 1..self.value.end - 1).filter(|_| string)
    }

    fn says_something(&self, bytes: &[u8]) -> bool {
        self.inside(bytes).is_some_and(|inside| !inside.is_empty())
    }
}

impl Pass<'_> {
    pub(super) fn read_message(&mut self, scanner: &mut Scanner<'_>) -> JsonResult<Message> {
        let mut message = Message {
            frame: Frame::at(scanner.position()),
            content: None,
            parts: None,
            reasoning_content: None,
            reasoning: None,
            details: None,
            calls: Vec::new(),
        };
        let mut role = false;
        scanner.object(|scanner, key| {
            let kind = scanner.kind()?;
            let start = scanner.position();
            match (key.name, kind) {
                (b"role", _) => {
                    role = true;
                    self.role(scanner, kind)?;
                }
                (b"content", Kind::Array | Kind::Object) => message.parts = Some(content::read(scanner)?),
                (b"tool_calls", Kind::Array) => message.calls = self.calls(scanner)?,
                (b"tool_calls", kind) => self.null_for(scanner, kind)?,
                (b"function_call", Kind::Object) => {
                    self.spoke = true;
                    self.function(scanner)?;
                }
                (b"function_call", kind) => self.null_for(scanner, kind)?,
                (b"annotations", Kind::Array) if self.whole => scanner.array(|scanner, _| self.annotation(scanner))?,
                (b"annotations", kind) if self.whole => self.null_for(scanner, kind)?,
                (b"refusal", Kind::String) => {
                    let span = scanner.string()?.span();
                    self.spoke |= span.len() > 2;
                    self.words.push(span.start + 1..span.end - 1);
                }
                (b"refusal", _) => self.text_or_null(scanner, kind)?,
                (b"audio", Kind::Object) => {
                    self.spoke = true;
                    scanner.skip()?;
                }
                (b"audio", kind) => self.null_for(scanner, kind)?,
                _ => scanner.skip()?,
            }
            let end = scanner.position();
            message.note(&key, start..end, kind, scanner.bytes());
            Ok::<_, Box<JsonError>>(())
        })?;
        if self.whole && !role {
            message.frame.add("role", br#""assistant""#);
        }
        Ok(message)
    }

    /// Puts a whole message right; `well`: it was not cut off. Whether reasoning was withheld.
    pub(super) fn settle_whole(&mut self, bytes: &[u8], mut message: Message, well: bool, choice: u64) -> bool {
        let (own, holder) = self.place_reasoning(bytes, &mut message);
        let calls = std::mem::take(&mut message.calls);
        self.settle_calls(bytes, choice, calls);
        let text = message.content.as_ref().and_then(|content| content.inside(bytes));
        let split = match (message.parts.take(), text, self.mend.think) {
            (Some(Parts { reasoning, text }), ..) => Some(Split { reasoning, text }),
            (None, Some(text), Some(always)) if !own => split_text(&unescape(text), always, well),
            _ => None,
        };
        let thought = own || split.as_ref().is_some_and(|split| !split.reasoning.is_empty());
        if let Some(split) = split {
            self.say(&mut message, holder.as_ref(), split);
        } else {
            self.text_content(&message);
        }
        if message.content.is_none() {
            message.frame.add("content", b"null");
        }
        message.frame.close(&mut self.edits);
        self.mend.withhold && thought
    }

    /// Puts a delta right; `ends`: its choice ends here. Whether reasoning was withheld.
    pub(super) fn settle_delta(&mut self, bytes: &[u8], mut message: Message, choice: u64, ends: bool) -> bool {
        let (own, holder) = self.place_reasoning(bytes, &mut message);
        let calls = std::mem::take(&mut message.calls);
        let interrupted = ends || !calls.is_empty();
        self.spoke |= own || !calls.is_empty();
        self.settle_calls(bytes, choice, calls);
        let listed = message.parts.is_some();
        let inside = message.content.as_ref().and_then(|content| content.inside(bytes));
        let Parts { mut reasoning, mut text } = message.parts.take().unwrap_or_default();
        self.spoke |= inside.is_some_and(|inside| !inside.is_empty()) || !text.is_empty() || !reasoning.is_empty();
        let mut changed = listed;
        if let Some(splitter) = self.splitter(choice).filter(|splitter| !splitter.over()) {
            let said = inside.map_or_else(|| text.clone(), |inside| unescape(inside).into_owned());
            let mut split = Split::default();
            if own || !reasoning.is_empty() {
                split = splitter.stand_down();
            }
            join(&mut split, splitter.push(&said));
            if interrupted {
                join(&mut split, splitter.flush());
            }
            changed |= split.text != said || !split.reasoning.is_empty();
            reasoning.push_str(&split.reasoning);
            text = split.text;
            self.alike = false;
        } else if let Some(content) = message.content.as_ref().filter(|content| content.kind == Kind::String) {
            self.words.push(content.value.start + 1..content.value.end - 1);
        }
        let thought = own || !reasoning.is_empty();
        if changed {
            self.say(&mut message, holder.as_ref(), Split { reasoning, text });
        } else {
            self.text_content(&message);
        }
        message.frame.close(&mut self.edits);
        self.mend.withhold && thought
    }

    /// The delta of a choice that came without one.
    pub(super) fn rest_of(&mut self, choice: u64, ends: bool) -> Vec<u8> {
        let Some(splitter) = self.splitter(choice).filter(|_| ends) else { return b"{}".to_vec() };
        let split = splitter.flush();
        delta(&split, self.mend.withhold)
    }

    fn splitter(&mut self, choice: u64) -> Option<&mut Splitter> {
        let always = self.mend.think?;
        let known = self.choices.entry(choice).or_default();
        Some(known.splitter.get_or_insert_with(|| Splitter::new(always)))
    }

    /// Has the provider's own fields of reasoning right. Whether one says something, and which is `reasoning_content` then.
    fn place_reasoning(&mut self, bytes: &[u8], message: &mut Message) -> (bool, Option<Field>) {
        let Message { frame, reasoning_content, reasoning, details, .. } = message;
        let says = |field: &Option<Field>| field.as_ref().is_some_and(|field| field.says_something(bytes));
        let own = says(reasoning_content) || says(reasoning) || details.is_some_and(|(_, any)| any);
        if self.mend.withhold {
            let fields = [&*reasoning_content, &*reasoning].into_iter().flatten().map(|field| field.member);
            for member in fields.chain(details.map(|(member, _)| member)) {
                frame.remove(member);
            }
            return (own, None);
        }
        let Some(other) = reasoning.take_if(|field| field.kind == Kind::String) else {
            if let Some(content) = reasoning_content.as_ref().filter(|content| content.kind == Kind::String) {
                self.words.push(content.value.start + 1..content.value.end - 1);
            }
            return (own, reasoning_content.take());
        };
        match reasoning_content.take() {
            Some(content) if content.says_something(bytes) => {
                if content.inside(bytes).map(unescape) == other.inside(bytes).map(unescape) {
                    frame.remove(other.member);
                }
                // A provider that says two things keeps both; its chunks are not alike by one of them.
                self.alike = false;
                (own, Some(content))
            }
            content => {
                if let Some(content) = content {
                    frame.remove(content.member);
                }
                self.edits.replace(other.key.clone(), *br#""reasoning_content""#);
                (own, Some(other))
            }
        }
    }

    /// Writes what is said in place of the content; `holder` is the member that has reasoning already.
    fn say(&mut self, message: &mut Message, holder: Option<&Field>, split: Split) {
        let Split { reasoning, text } = split;
        let reasoning = if self.mend.withhold { String::new() } else { reasoning };
        let json = match (text.is_empty(), reasoning.is_empty()) {
            (true, false) => b"null".to_vec(),
            (true, true) if self.whole => b"null".to_vec(),
            _ => quote(&text),
        };
        match &message.content {
            Some(content) => self.edits.replace(content.value.clone(), json),
            None if !text.is_empty() => message.frame.add("content", &json),
            None => {}
        }
        if reasoning.is_empty() {
            return;
        }
        match (holder, &message.content) {
            (Some(holder), _) if holder.kind == Kind::String => {
                let end = holder.value.end - 1;
                self.edits.replace(end..end, escaped(&reasoning).into_owned());
            }
            (Some(holder), _) => self.edits.replace(holder.value.clone(), quote(&reasoning)),
            (None, Some(content)) => {
                let member = [br#""reasoning_content":"#, &*quote(&reasoning), b","].concat();
                self.edits.replace(content.key.start..content.key.start, member);
            }
            (None, None) => message.frame.add("reasoning_content", &quote(&reasoning)),
        }
    }

    /// A content that is neither text nor parts is none.
    fn text_content(&mut self, message: &Message) {
        if let Some(content) = &message.content
            && !matches!(content.kind, Kind::String | Kind::Null)
        {
            self.edits.replace(content.value.clone(), *b"null");
        }
    }

    fn role(&mut self, scanner: &mut Scanner<'_>, kind: Kind) -> JsonResult<()> {
        let value = scanner.value()?;
        let said = scanner.bytes().get(value.clone()).unwrap_or_default();
        let known = match said {
            br#""assistant""# => true,
            br#""developer""# | br#""system""# | br#""user""# | br#""tool""# => !self.whole,
            _ => kind == Kind::Null && !self.whole,
        };
        if !known {
            self.edits.replace(value, *br#""assistant""#);
        }
        Ok(())
    }

    /// `null` in place of a value that is neither that nor what it should be.
    fn null_for(&mut self, scanner: &mut Scanner<'_>, kind: Kind) -> JsonResult<()> {
        let value = scanner.value()?;
        if kind != Kind::Null {
            self.edits.replace(value, *b"null");
        }
        Ok(())
    }

    /// A citation: where it stands in the text, and what it cites, must be said. Other sorts of annotations stay.
    fn annotation(&mut self, scanner: &mut Scanner<'_>) -> JsonResult<()> {
        if !scanner.is(Kind::Object) {
            return scanner.skip();
        }
        scanner.object(|scanner, key| {
            if key.name != b"url_citation" || !scanner.is(Kind::Object) {
                return scanner.skip();
            }
            let mut frame = Frame::at(scanner.position());
            let mut wanted = [
                ("end_index", Kind::Number),
                ("start_index", Kind::Number),
                ("title", Kind::String),
                ("url", Kind::String),
            ]
            .map(Some);
            scanner.object(|scanner, key| {
                let kind = scanner.kind()?;
                let end = scanner.value()?.end;
                let member = frame.member(&key, end);
                let slot = wanted.iter_mut().find(|slot| slot.is_some_and(|(name, _)| name.as_bytes() == key.name));
                match slot {
                    Some(slot) if slot.is_some_and(|(_, wanted)| wanted == kind) => *slot = None,
                    Some(_) => frame.remove(member),
                    None => {}
                }
                Ok::<_, Box<JsonError>>(())
            })?;
            for (name, kind) in wanted.into_iter().flatten() {
                frame.add(name, if kind == Kind::Number { b"0" } else { br#""""# });
            }
            frame.close(&mut self.edits);
            Ok::<_, Box<JsonError>>(())
        })
    }
}

impl Message {
    /// Notes a member that was read.
    fn note(&mut self, key: &Key<'_>, value: Range<usize>, kind: Kind, bytes: &[u8]) {
        let member = self.frame.member(key, value.end);
        let field = Field { member, key: key.span(), value, kind };
        match key.name {
            b"content" => self.content = Some(field),
            b"reasoning_content" => self.reasoning_content = Some(field),
            b"reasoning" => self.reasoning = Some(field),
            b"reasoning_details" => {
                let empty = bytes.get(field.value).is_none_or(|json| matches!(json, b"[]" | b"{}" | b"null"));
                self.details = Some((member, !empty));
            }
            _ => {}
        }
    }
}

/// A delta that says this.
pub(super) fn delta(split: &Split, withhold: bool) -> Vec<u8> {
    let mut members = Vec::new();
    if !split.reasoning.is_empty() && !withhold {
        members.push([br#""reasoning_content":"#, &*quote(&split.reasoning)].concat());
    }
    if !split.text.is_empty() {
        members.push([br#""content":"#, &*quote(&split.text)].concat());
    }
    [b"{", &*members.join(&b","[..]), b"}"].concat()
}

fn join(split: &mut Split, more: Split) {
    split.reasoning.push_str(&more.reasoning);
    split.text.push_str(&more.text);
}
