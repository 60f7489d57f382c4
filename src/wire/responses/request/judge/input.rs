//! The input as the gateway judges it: items and their parts, checked and counted.

use super::{Fault, Input, What, expect, mismatch, optional, there};
use crate::wire::json::{Kind, Scanner};
use crate::wire::seal;

const ROLES: &str = "supported values are 'user', 'assistant', 'system' and 'developer'";

/// What is read of an item before it is known what it is.
#[derive(Debug, Default)]
struct Item {
    kind: Option<String>,
    role: bool,
    content: bool,
    call_id: bool,
    id: bool,
    output: bool,
    name: bool,
    arguments: bool,
    /// The seal of reasoning: whether there is one, and whether it is one of our own signatures.
    sealed: bool,
    signed: bool,
    /// The first part that is none: the member it stands in, its index, what is wrong.
    flaw: Option<(&'static str, usize, Fault)>,
}

impl Input {
    pub(super) fn read(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        match scanner.kind()? {
            Kind::String => {
                self.text_bytes += scanner.string()?.raw().len();
                self.there = true;
            }
            Kind::Null => scanner.skip()?,
            Kind::Array => {
                scanner.array(|scanner, index| {
                    self.there = true;
                    self.item(scanner, index)
                })?;
                if !self.there {
                    return Err(What::Value("the array is empty, at least one item is needed").into());
                }
            }
            other => return Err(Fault::kind("a string or an array of items", other)),
        }
        Ok(())
    }

    fn item(&mut self, scanner: &mut Scanner<'_>, index: usize) -> Result<(), Fault> {
        expect(scanner, Kind::Object, "an object")?;
        let (start, mut item) = (scanner.position(), Item::default());
        scanner.object(|scanner, key| {
            match key.name {
                b"type" if scanner.is(Kind::Null) => scanner.skip()?,
                b"type" => item.kind = Some(text(scanner)?),
                b"role" => {
                    expect(scanner, Kind::String, "a string")?;
                    let known = [&b"user"[..], b"assistant", b"system", b"developer"];
                    if !known.contains(&&*scanner.string()?.bytes()) {
                        return Err(What::Value(ROLES).into());
                    }
                    item.role = true;
                }
                b"content" => {
                    item.content = true;
                    self.content(scanner, index, "content", &mut item.flaw)?;
                }
                b"output" => {
                    item.output = true;
                    self.content(scanner, index, "output", &mut item.flaw)?;
                }
                b"summary" => self.content(scanner, index, "summary", &mut item.flaw)?,
                b"arguments" | b"input" if scanner.is(Kind::String) => {
                    item.arguments = true;
                    self.text_bytes += scanner.string()?.raw().len();
                }
                b"encrypted_content" if scanner.is(Kind::String) => {
                    item.sealed = true;
                    item.signed = seal::is_ours(&scanner.string()?.text());
                }
                b"call_id" => item.call_id = word(scanner)?,
                b"name" => item.name = word(scanner)?,
                b"id" => item.id = there(scanner)?,
                _ => scanner.skip()?,
            }
            Ok::<_, Fault>(())
        })?;
        if item.kind.as_deref() == Some("reasoning") && (item.signed || !item.sealed) && self.odd_reasoning.is_none() {
            self.odd_reasoning = Some(start..scanner.position());
        }
        self.in_tool_loop = item.kind.as_deref().is_some_and(|kind| kind.ends_with("_call_output"));
        let kept = match item.kind.as_deref() {
            Some(kind) => kind == "item_reference",
            None => item.id && !item.role,
        };
        if kept && self.kept.is_none() {
            self.kept = Some(format!("input[{index}]"));
        }
        item.check(kept)
    }

    /// A text or a list of parts. What is neither may belong to an item that only its own format knows.
    fn content(
        &mut self,
        scanner: &mut Scanner<'_>,
        item: usize,
        member: &'static str,
        flaw: &mut Option<(&'static str, usize, Fault)>,
    ) -> Result<(), Fault> {
        match scanner.kind()? {
            Kind::String => self.text_bytes += scanner.string()?.raw().len(),
            Kind::Array => scanner.array(|scanner, index| {
                let found = self.part(scanner, &|| format!("input[{item}].{member}[{index}].file_id"))?;
                if let Some(found) = found {
                    flaw.get_or_insert((member, index, found));
                }
                Ok::<_, Fault>(())
            })?,
            Kind::Null | Kind::Object => scanner.skip()?,
            Kind::Number | Kind::Bool => return Err(mismatch(scanner, "a string or an array of parts")),
        }
        Ok(())
    }

    /// Reads a part; what is wrong with it is told apart from faults of the JSON, since not all lists hold parts.
    fn part(&mut self, scanner: &mut Scanner<'_>, file_id: &dyn Fn() -> String) -> Result<Option<Fault>, Fault> {
        let got = scanner.kind()?;
        if got != Kind::Object {
            scanner.skip()?;
            return Ok(Some(Fault::kind("an object", got)));
        }
        let (mut kind, mut said, mut file) = (None, false, false);
        scanner.object(|scanner, key| {
            match key.name {
                b"type" if scanner.is(Kind::String) => kind = Some(scanner.string()?.text().into_owned()),
                b"text" | b"refusal" if scanner.is(Kind::String) => {
                    said = true;
                    self.text_bytes += scanner.string()?.raw().len();
                }
                b"file_id" => file = there(scanner)?,
                _ => scanner.skip()?,
            }
            Ok::<_, Fault>(())
        })?;
        if file && self.kept.is_none() {
            self.kept = Some(file_id());
        }
        Ok(match kind.as_deref() {
            None => Some(Fault::missing("type")),
            Some("input_text" | "output_text" | "summary_text" | "reasoning_text" | "text") => {
                (!said).then(|| Fault::missing("text"))
            }
            Some("refusal") => (!said).then(|| Fault::missing("refusal")),
            // Whatever is not known to be text counts as something that nobody here can read.
            Some(_) => {
                self.media += 1;
                None
            }
        })
    }
}

impl Item {
    fn check(self, kept: bool) -> Result<(), Fault> {
        let wanted: &[(bool, &'static str)] = match self.kind.as_deref() {
            None if kept => return Ok(()),
            None | Some("message") => &[(self.role, "role"), (self.content, "content")],
            Some("function_call") => &[(self.call_id, "call_id"), (self.name, "name"), (self.arguments, "arguments")],
            Some("function_call_output") => &[(self.call_id, "call_id"), (self.output, "output")],
            Some("reasoning") => &[],
            // What only its own format knows is for the provider to judge.
            Some(_) => return Ok(()),
        };
        if let Some((_, name)) = wanted.iter().find(|(there, _)| !there) {
            return Err(Fault::missing(name));
        }
        match self.flaw {
            Some((member, index, flaw)) => Err(flaw.within(member, index)),
            None => Ok(()),
        }
    }
}

fn text(scanner: &mut Scanner<'_>) -> Result<String, Fault> {
    expect(scanner, Kind::String, "a string")?;
    Ok(scanner.string()?.text().into_owned())
}

/// Whether a text stands there that is not empty.
fn word(scanner: &mut Scanner<'_>) -> Result<bool, Fault> {
    if optional(scanner, Kind::String, "a string")? {
        return Ok(!scanner.string()?.is_empty());
    }
    scanner.skip()?;
    Ok(false)
}
