//! The members around the choices.

use std::ops::Range;

use super::Pass;
use super::edits::Frame;
use crate::wire::json::{JsonError, JsonResult, Kind, Scanner, quote};
use crate::wire::openai::types::{read_sound_usage, read_usage, whole};

/// The SDK's literals for `service_tier`.
const TIERS: [&[u8]; 6] = [b"auto", b"default", b"flex", b"scale", b"priority", b"fast"];

/// Which of the members that must be there are.
#[derive(Default)]
struct Head {
    id: bool,
    created: bool,
    model: bool,
    object: bool,
}

impl Pass<'_> {
    /// Goes through a whole answer or a chunk.
    pub(super) fn body(&mut self, bytes: &[u8]) -> JsonResult<()> {
        let mut scanner = Scanner::lenient(bytes);
        scanner.kind()?;
        let mut frame = Frame::at(scanner.position());
        let mut head = Head::default();
        scanner.object(|scanner, key| {
            let kind = scanner.kind()?;
            let mut goes = false;
            match key.name {
                b"choices" if kind == Kind::Array => {
                    self.listed = true;
                    scanner.array(|scanner, position| self.choice(scanner, position))?;
                }
                b"choices" if !self.whole => {
                    self.listed = true;
                    let value = scanner.value()?;
                    self.edits.replace(value, *b"[]");
                }
                b"id" => head.id = self.name(scanner, kind, &self.envelope.id)?,
                b"model" => head.model = self.name(scanner, kind, &self.envelope.model)?,
                b"created" => head.created = self.created(scanner, kind)?,
                b"object" => {
                    head.object = true;
                    self.object(scanner, kind)?;
                }
                b"service_tier" => {
                    let value = scanner.value()?;
                    goes = !is_tier(bytes.get(value).unwrap_or_default());
                }
                b"system_fingerprint" => self.text_or_null(scanner, kind)?,
                b"usage" if kind == Kind::Object => self.usage(scanner)?,
                b"usage" | b"moderation" if kind != Kind::Null && kind != Kind::Object => {
                    self.odd = true;
                    let value = scanner.value()?;
                    self.edits.replace(value, *b"null");
                }
                b"usage" => {
                    self.odd |= self.answer.usage.is_some();
                    scanner.skip()?;
                }
                b"metadata" if self.whole => goes = !self.metadata(scanner, kind)?,
                b"error" => {
                    self.failed |= kind != Kind::Null;
                    scanner.skip()?;
                }
                // OpenAI's and Mistral's fill, which hides how long the words are.
                b"obfuscation" | b"p" if !self.whole && kind == Kind::String => {
                    let inside = scanner.string()?.span();
                    self.words.push(inside.start + 1..inside.end - 1);
                }
                b"obfuscation" if !self.whole && kind != Kind::Null => {
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
        scanner.end()?;
        if !head.id {
            frame.add("id", &quote(&self.envelope.id));
        }
        if !head.object {
            frame.add("object", self.object_name());
        }
        if !head.created {
            frame.add("created", self.envelope.created.to_string().as_bytes());
        }
        if !head.model {
            frame.add("model", &quote(&self.envelope.model));
        }
        if !self.listed && !self.whole {
            frame.add("choices", b"[]");
        }
        frame.close(&mut self.edits);
        Ok(())
    }

    fn object_name(&self) -> &'static [u8] {
        if self.whole { br#""chat.completion""# } else { br#""chat.completion.chunk""# }
    }

    fn object(&mut self, scanner: &mut Scanner<'_>, kind: Kind) -> JsonResult<()> {
        let value = scanner.value()?;
        let said = scanner.bytes().get(value.clone()).unwrap_or_default();
        // vLLM and SGLang: `{"object":"error","message":…}`.
        self.failed |= kind == Kind::String && said == br#""error""#;
        if said != self.object_name() {
            self.edits.replace(value, self.object_name());
        }
        Ok(())
    }

    /// Reads a text that must be there; another value becomes one.
    fn name(&mut self, scanner: &mut Scanner<'_>, kind: Kind, missing: &str) -> JsonResult<bool> {
        let value = scanner.value()?;
        match kind {
            Kind::String => {}
            Kind::Number => self.as_text(scanner.bytes(), value),
            _ => self.edits.replace(value, quote(missing)),
        }
        Ok(true)
    }

    /// Reads a text that may be absent; another value is as good as absent.
    pub(super) fn text_or_null(&mut self, scanner: &mut Scanner<'_>, kind: Kind) -> JsonResult<()> {
        let value = scanner.value()?;
        match kind {
            Kind::String | Kind::Null => {}
            Kind::Number => self.as_text(scanner.bytes(), value),
            _ => self.edits.replace(value, *b"null"),
        }
        Ok(())
    }

    /// Makes a text of a value: its JSON.
    pub(super) fn as_text(&mut self, bytes: &[u8], value: Range<usize>) {
        let json = String::from_utf8_lossy(bytes.get(value.clone()).unwrap_or_default());
        self.edits.replace(value, quote(&json));
    }

    fn created(&mut self, scanner: &mut Scanner<'_>, kind: Kind) -> JsonResult<bool> {
        let value = scanner.value()?;
        let digits = scanner.bytes().get(value.clone()).unwrap_or_default();
        if kind != Kind::Number || whole(digits).is_none() {
            // A fraction of a second has no place here.
            let seconds = digits.split(|byte| *byte == b'.').next().filter(|seconds| whole(seconds).is_some());
            let fallback = self.envelope.created.to_string();
            let seconds = seconds.map_or_else(|| fallback.into_bytes(), <[u8]>::to_vec);
            self.edits.replace(value, seconds);
        }
        Ok(true)
    }

    /// Whether these are the strings by strings that OpenAI has here; other values become strings.
    fn metadata(&mut self, scanner: &mut Scanner<'_>, kind: Kind) -> JsonResult<bool> {
        if kind != Kind::Object {
            scanner.skip()?;
            return Ok(kind == Kind::Null);
        }
        scanner.object(|scanner, _| {
            let kind = scanner.kind()?;
            let value = scanner.value()?;
            if kind != Kind::String {
                self.as_text(scanner.bytes(), value);
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        Ok(true)
    }

    /// Reads the usage and puts it right.
    fn usage(&mut self, scanner: &mut Scanner<'_>) -> JsonResult<()> {
        self.odd |= self.answer.usage.is_some();
        let mut apart = scanner.apart();
        if let Some(usage) = read_sound_usage(&mut apart) {
            self.answer.usage = Some(usage);
            scanner.leave(&apart);
            return Ok(());
        }
        // What a chunk counted is read by whoever counts streams.
        if self.whole {
            self.answer.usage = read_usage(&mut scanner.apart())?;
        }
        self.mend_usage(scanner)
    }

    /// The figures that must be there are, and are numbers.
    fn mend_usage(&mut self, scanner: &mut Scanner<'_>) -> JsonResult<()> {
        const NAMES: [&str; 3] = ["prompt_tokens", "completion_tokens", "total_tokens"];
        let (start, noted) = (scanner.position(), self.edits.count());
        let mut frame = Frame::at(start);
        let mut figures = [None; 3];
        scanner.object(|scanner, key| {
            let kind = scanner.kind()?;
            let details = key.name.ends_with(b"_tokens_details");
            let start = scanner.position();
            if details && kind == Kind::Object {
                self.details(scanner)?;
            } else {
                scanner.skip()?;
            }
            let value = start..scanner.position();
            let member = frame.member(&key, value.end);
            let name = NAMES.iter().position(|name| name.as_bytes() == key.name);
            if let Some(figure) = name.and_then(|at| figures.get_mut(at)) {
                let said = scanner.bytes().get(value).unwrap_or_default();
                *figure = whole(said.strip_suffix(b".0").unwrap_or(said));
                if figure.is_none() {
                    frame.remove(member);
                }
            } else if details && !matches!(kind, Kind::Object | Kind::Null) {
                frame.remove(member);
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        let [prompt, completion, total] = figures;
        if prompt.is_none() && completion.is_none() {
            self.edits.forget(noted..self.edits.count());
            self.edits.replace(start..scanner.position(), *b"null");
            return Ok(());
        }
        let sum = prompt.unwrap_or(0).saturating_add(completion.unwrap_or(0));
        for (name, missing) in NAMES.iter().zip([prompt.is_none(), completion.is_none(), total.is_none()]) {
            if missing {
                let figure = if *name == "total_tokens" { sum } else { 0 };
                frame.add(name, figure.to_string().as_bytes());
            }
        }
        frame.close(&mut self.edits);
        Ok(())
    }
}

impl Pass<'_> {
    /// What is counted apart need not be there, but if it is, it is a number.
    fn details(&mut self, scanner: &mut Scanner<'_>) -> JsonResult<()> {
        let mut frame = Frame::at(scanner.position());
        scanner.object(|scanner, key| {
            let value = scanner.value()?;
            let said = scanner.bytes().get(value.clone()).unwrap_or_default();
            let member = frame.member(&key, value.end);
            let counted = said == b"null" || whole(said.strip_suffix(b".0").unwrap_or(said)).is_some();
            if key.name.ends_with(b"_tokens") && !counted {
                frame.remove(member);
            }
            Ok::<_, Box<JsonError>>(())
        })?;
        frame.close(&mut self.edits);
        Ok(())
    }
}

fn is_tier(json: &[u8]) -> bool {
    let inside = json.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    json == b"null" || inside.is_some_and(|tier| TIERS.contains(&tier))
}
