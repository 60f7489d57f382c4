//! Earlier reasoning in a body passed on: a provider that refuses it, or could not read it, is not sent it.
//!
//! What a server that nothing is known of is sent stays as it came: it may be another gateway.

use std::ops::Range;

use crate::chat::Family;
use crate::wire::dialect::{Dialect, ReasoningBack};
use crate::wire::json::{JsonResult, Kind, Scanner, unescape};

/// The members that hold it.
const THOUGHTS: [&[u8]; 4] = [b"reasoning_content", b"reasoning", b"reasoning_details", EXTRA];
/// Where Google's compatible endpoint, and Waypost's chat answers, have Gemini's signatures: in a message or a call.
const EXTRA: &[u8] = b"extra_content";

/// Whether a member of an assistant's message is one that [`fit`] must see.
pub(super) fn concerns(name: &[u8], value: &[u8]) -> bool {
    value != b"null"
        && (THOUGHTS.contains(&name) || (name == b"tool_calls" && memchr::memmem::find(value, EXTRA).is_some()))
}

/// What changes in the messages for a target.
#[derive(Debug, Default)]
pub(super) struct Fitted {
    /// Whole messages, each written anew from its own members.
    pub(super) changes: Vec<(Range<usize>, Vec<u8>)>,
    /// What is lost by it.
    pub(super) dropped: Vec<String>,
}

/// Fits the earlier reasoning in `messages`, a range of the body, to what the target takes back.
pub(super) fn fit(body: &[u8], messages: &Range<usize>, dialect: &Dialect) -> Fitted {
    let mut fitted = Fitted::default();
    if *dialect == Dialect::PLAIN {
        return fitted;
    }
    let list = body.get(messages.clone()).unwrap_or_default();
    // What `judge` accepted cannot fail here; if it did, what was found so far would be changed.
    let _ = Scanner::lenient(list).array(|scanner, index| {
        let at = scanner.value()?;
        let message = Message { members: members(list.get(at.clone()).unwrap_or_default())?, dialect, lost: false };
        if let Some((text, lost)) = message.fitted()? {
            fitted.changes.push((messages.start + at.start..messages.start + at.end, text));
            if lost {
                fitted.dropped.push(format!("messages[{index}].reasoning"));
            }
        }
        Ok::<_, Box<_>>(())
    });
    fitted
}

/// One member, as it is written.
struct Member<'a> {
    name: Vec<u8>,
    /// Key and value.
    whole: &'a [u8],
    value: &'a [u8],
}

struct Message<'a> {
    members: Vec<Member<'a>>,
    dialect: &'a Dialect,
    lost: bool,
}

impl Message<'_> {
    /// The message anew, and whether something of it is lost; `None`: it stays as it is.
    fn fitted(mut self) -> JsonResult<Option<(Vec<u8>, bool)>> {
        let is_assistant = self.value(b"role").is_some_and(|role| unescape(role) == "\"assistant\"");
        if !is_assistant || !self.members.iter().any(|member| concerns(&member.name, member.value)) {
            return Ok(None);
        }
        let back = self.dialect.reasoning_back;
        let calls = self.value(b"tool_calls").is_some_and(|calls| calls != b"null");
        let mut kept: Vec<Vec<u8>> = Vec::new();
        let mut changed = false;
        for member in &self.members {
            let anew = match &*member.name {
                b"reasoning_details" if self.takes(Family::Details) => None,
                EXTRA if self.takes(Family::Gemini) => None,
                b"reasoning_details" => {
                    self.lost |= is_signed(member.value);
                    Some(None)
                }
                EXTRA => {
                    self.lost = true;
                    Some(None)
                }
                b"tool_calls" if concerns(b"tool_calls", member.value) && !self.takes(Family::Gemini) => {
                    self.lost = true;
                    Some(Some([b"\"tool_calls\":", &*without_extra(member.value)?].concat()))
                }
                b"content" if back == ReasoningBack::Parts => self.parts(member.value).map(Some),
                name @ (b"reasoning_content" | b"reasoning") => match back {
                    ReasoningBack::Never => {
                        self.lost |= calls && member.value.len() > 2 && member.value != b"null";
                        Some(None)
                    }
                    ReasoningBack::Parts => Some(None),
                    ReasoningBack::Reasoning if name == b"reasoning_content" => {
                        let twice = self.value(b"reasoning").is_some();
                        Some((!twice).then(|| [b"\"reasoning\":", member.value].concat()))
                    }
                    _ => None,
                },
                _ => None,
            };
            changed |= anew.is_some();
            kept.extend(anew.unwrap_or_else(|| Some(member.whole.to_vec())));
        }
        if !changed {
            return Ok(None);
        }
        let content = self.value(b"content").is_some_and(|content| content != b"null");
        if self.value(b"content").is_none() {
            match self.parts(b"null") {
                Some(parts) if back == ReasoningBack::Parts => kept.push(parts),
                // It stood on its reasoning alone.
                _ if !content && !calls => kept.push(b"\"content\":\"\"".to_vec()),
                _ => {}
            }
        }
        Ok(Some(([b"{", &*kept.join(&b","[..]), b"}"].concat(), self.lost)))
    }

    fn takes(&self, family: Family) -> bool {
        let details = family == Family::Details && self.dialect.reasoning_back == ReasoningBack::Details;
        details || self.dialect.seals == Some(family)
    }

    fn value(&self, name: &[u8]) -> Option<&[u8]> {
        self.members.iter().find(|member| member.name == name).map(|member| member.value)
    }

    /// The member `content` with the reasoning as its first part (Mistral); `None`: there is no text to move.
    fn parts(&self, content: &[u8]) -> Option<Vec<u8>> {
        let plain = [&b"reasoning_content"[..], b"reasoning"].into_iter().filter_map(|name| self.value(name));
        let text = plain.into_iter().find(|value| value.first() == Some(&b'"') && value.len() > 2)?;
        let mut anew = br#""content":[{"type":"thinking","thinking":[{"type":"text","text":"#.to_vec();
        anew.extend_from_slice(text);
        anew.extend_from_slice(b"}]}");
        match content.first() {
            Some(b'"') if content.len() > 2 => {
                anew.extend_from_slice(br#",{"type":"text","text":"#);
                anew.extend_from_slice(content);
                anew.push(b'}');
            }
            Some(b'[') => {
                let inside = content.get(1..content.len() - 1).unwrap_or_default().trim_ascii();
                if !inside.is_empty() {
                    anew.push(b',');
                    anew.extend_from_slice(inside);
                }
            }
            _ => {}
        }
        anew.push(b']');
        Some(anew)
    }
}

/// Whether a list of details holds more than text that stands beside it, too.
fn is_signed(details: &[u8]) -> bool {
    [&b"\"signature\""[..], b"\"data\""].iter().any(|name| memchr::memmem::find(details, name).is_some())
}

/// Calls without the signatures in them.
fn without_extra(calls: &[u8]) -> JsonResult<Vec<u8>> {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let mut scanner = Scanner::lenient(calls);
    if !scanner.is(Kind::Array) {
        return Ok(calls.to_vec());
    }
    scanner.array(|scanner, _| {
        let call = calls.get(scanner.value()?).unwrap_or_default();
        if call.first() != Some(&b'{') {
            kept.push(call.to_vec());
            return Ok::<_, Box<_>>(());
        }
        let members = members(call)?;
        let others = members.iter().filter(|member| member.name != EXTRA);
        kept.push([b"{", &*others.map(|member| member.whole).collect::<Vec<_>>().join(&b","[..]), b"}"].concat());
        Ok(())
    })?;
    Ok([b"[", &*kept.join(&b","[..]), b"]"].concat())
}

fn members(object: &[u8]) -> JsonResult<Vec<Member<'_>>> {
    let mut found = Vec::new();
    Scanner::lenient(object).object(|scanner, key| {
        let (name, start) = (key.name.to_vec(), key.span().start);
        let value = scanner.value()?;
        let (whole, value) = (object.get(start..value.end), object.get(value));
        found.push(Member { name, whole: whole.unwrap_or_default(), value: value.unwrap_or_default() });
        Ok::<_, Box<_>>(())
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;

    fn fitted(kind: &str, messages: &str) -> (String, Vec<String>) {
        let body = format!(r#"{{"messages":{messages}}}"#);
        let range = 12..body.len() - 1;
        let fitted = fit(body.as_bytes(), &range, &catalog::kind(kind).unwrap().dialect);
        let edits: Vec<_> = fitted.changes.iter().map(|(range, new)| (range.clone(), new.as_slice())).collect();
        let spliced = String::from_utf8(crate::wire::json::splice(body.as_bytes(), &edits)).unwrap();
        (spliced[12..spliced.len() - 1].to_owned(), fitted.dropped)
    }

    const SIGNED: &str = r#"[{"role":"user", "content":"q"},{"role":"assistant", "content":"a" ,"reasoning_content":"t\n","reasoning_details":[{"type":"reasoning.text","text":"t\n","signature":"s"}]}]"#;

    #[test]
    fn whoever_takes_it_back_gets_it_byte_for_byte() {
        assert_eq!(fitted("openrouter", SIGNED), (SIGNED.to_owned(), vec![]));
        assert_eq!(fitted("openai-compatible", SIGNED), (SIGNED.to_owned(), vec![]), "nothing is known of it");
    }

    #[test]
    fn a_signature_reaches_nobody_else_and_is_named() {
        for kind in ["openai", "mistral", "deepseek", "groq", "xai", "vllm", "ollama"] {
            let (text, dropped) = fitted(kind, SIGNED);
            assert!(!text.contains("signature"), "{kind}: {text}");
            assert!(
                text.starts_with(r#"[{"role":"user", "content":"q"},{"role":"assistant","content":"a""#)
                    || kind == "mistral",
                "{kind}: {text}"
            );
            assert_eq!(dropped, ["messages[1].reasoning"], "{kind}");
        }
    }

    #[test]
    fn plain_reasoning_goes_back_in_each_providers_own_form() {
        let said = r#"[{"role":"assistant","content":"a","reasoning_content":"t"}]"#;
        let becomes = |kind| fitted(kind, said).0;
        assert_eq!(becomes("deepseek"), said);
        assert_eq!(becomes("vllm"), said);
        assert_eq!(becomes("groq"), r#"[{"role":"assistant","content":"a","reasoning":"t"}]"#);
        assert_eq!(becomes("openai"), r#"[{"role":"assistant","content":"a"}]"#);
        assert_eq!(
            becomes("mistral"),
            r#"[{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"t"}]},{"type":"text","text":"a"}]}]"#
        );
    }

    #[test]
    fn a_message_that_stood_on_its_reasoning_still_stands() {
        let said = r#"[{"role":"assistant","reasoning_content":"t"}]"#;
        assert_eq!(fitted("openai", said).0, r#"[{"role":"assistant","content":""}]"#);
        assert_eq!(
            fitted("mistral", said).0,
            r#"[{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"t"}]}]}]"#
        );
    }

    #[test]
    fn geminis_signatures_are_cut_out_of_calls() {
        let said = r#"[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{ }"},"extra_content":{"google":{"thought_signature":"s"}}}]}]"#;
        let (text, dropped) = fitted("openai", said);
        assert_eq!(
            text,
            r#"[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{ }"}}]}]"#
        );
        assert_eq!(dropped, ["messages[0].reasoning"]);
    }

    #[test]
    fn what_others_than_the_model_say_stays() {
        let said = r#"[{"role":"user","content":"q","reasoning":"mine"}]"#;
        assert_eq!(fitted("openai", said), (said.to_owned(), vec![]));
    }
}
