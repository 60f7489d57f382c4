//! Seals on their way through formats that have no place for them: signatures that begin `wp1:`.
//!
//! The client sends them back like any other signature, and they hold all that is needed to write the block anew for the
//! family that can read it. No state is kept.
//!
//! `wp1:FAMILY.KIND:LENGTHS:ID:DATA`: the lengths in bytes of the parts of the text (joined by `-`; empty for one part or none),
//! the provider's id with everything but letters, digits, `-` and `_` percent-encoded, and the seal itself. Reasoning of an open model, which
//! nobody signed, is `wp1:open` with the lengths.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::chat::{Content, Family, Part, Reasoning, Seal, SealKind};

const MARK: &str = "wp1:";
const OPEN: &str = "open";
const ID: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

const FAMILIES: [(Family, &str); 5] = [
    (Family::Anthropic, "anthropic"),
    (Family::Openai, "openai"),
    (Family::Xai, "xai"),
    (Family::Gemini, "gemini"),
    (Family::Details, "details"),
];
const KINDS: [(SealKind, &str); 4] =
    [(SealKind::Text, "text"), (SealKind::Hidden, "hidden"), (SealKind::Call, "call"), (SealKind::Answer, "answer")];

/// The signature that stands for a block's seal in a format that is not its own.
#[must_use]
pub fn sign(reasoning: &Reasoning) -> String {
    let lengths: Vec<usize> = reasoning.parts.iter().map(String::len).collect();
    sign_lengths(&lengths, reasoning.seal.as_ref())
}

/// The same where only the lengths of the parts are known, in bytes: a stream does not keep what it has passed on.
#[must_use]
pub fn sign_lengths(lengths: &[usize], seal: Option<&Seal>) -> String {
    let lengths = match lengths {
        [] | [_] => String::new(),
        _ => lengths.iter().map(usize::to_string).collect::<Vec<_>>().join("-"),
    };
    let Some(seal) = seal else { return format!("{MARK}{OPEN}:{lengths}::") };
    let family = word(&FAMILIES, seal.family);
    let kind = word(&KINDS, seal.kind);
    let id = utf8_percent_encode(seal.id.as_deref().unwrap_or_default(), ID);
    format!("{MARK}{family}.{kind}:{lengths}:{id}:{}", seal.data)
}

/// The block that a signature of ours and the text beside it stand for; `None`: the signature is not ours.
#[must_use]
pub fn unsign(signature: &str, text: &str) -> Option<Reasoning> {
    let mut fields = signature.strip_prefix(MARK)?.splitn(4, ':');
    let (sealed_by, lengths) = (fields.next()?, fields.next()?);
    let (id, data) = (fields.next()?, fields.next()?);
    let parts = apart(text, lengths);
    if sealed_by == OPEN {
        return Some(Reasoning { parts, seal: None });
    }
    let (family, kind) = sealed_by.split_once('.')?;
    let family = FAMILIES.iter().find(|(_, word)| *word == family)?.0;
    let kind = KINDS.iter().find(|(_, word)| *word == kind)?.0;
    let id = percent_decode_str(id).decode_utf8().ok().filter(|id| !id.is_empty()).map(|id| id.into_owned());
    Some(Reasoning { parts, seal: Some(Seal { family, kind, id, data: data.to_owned() }) })
}

/// Whether a signature is one of ours, readable or not.
#[must_use]
pub fn is_ours(signature: &str) -> bool {
    signature.starts_with(MARK)
}

/// Puts every call's seal that came as a block of its own into the call that follows it.
pub fn attach_calls(parts: &mut Vec<Part>) {
    let mut waiting = None;
    parts.retain_mut(|part| match &mut part.content {
        Content::Reasoning(Reasoning { seal: Some(seal), .. }) if seal.kind == SealKind::Call => {
            waiting = Some(seal.clone());
            false
        }
        Content::ToolCall(call) => {
            if let Some(seal) = waiting.take() {
                call.seal = Some(seal);
            }
            true
        }
        _ => true,
    });
}

/// A text cut into the parts it was joined from. One that was changed on its way stays whole.
fn apart(text: &str, lengths: &str) -> Vec<String> {
    // Parts that are there are joined by something.
    if text.is_empty() {
        return Vec::new();
    }
    let whole = || vec![text.to_owned()];
    if lengths.is_empty() {
        return whole();
    }
    let (mut rest, mut parts) = (text, Vec::new());
    for (place, length) in lengths.split('-').enumerate() {
        if place > 0 {
            let Some(after) = rest.strip_prefix("\n\n") else { return whole() };
            rest = after;
        }
        let Some((part, after)) = length.parse().ok().and_then(|length| rest.split_at_checked(length)) else {
            return whole();
        };
        parts.push(part.to_owned());
        rest = after;
    }
    if rest.is_empty() { parts } else { whole() }
}

fn word<T: PartialEq>(words: &[(T, &'static str)], wanted: T) -> &'static str {
    words.iter().find(|(value, _)| *value == wanted).map_or("", |(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_survives_the_way_there_and_back() {
        let seal = |family, kind, id: Option<&str>, data: &str| {
            Some(Seal { family, kind, id: id.map(str::to_owned), data: data.to_owned() })
        };
        for reasoning in [
            Reasoning { parts: vec!["thought".to_owned()], seal: None },
            Reasoning { parts: vec!["a\n\nb".to_owned(), String::new(), "ü:c".to_owned()], seal: None },
            Reasoning {
                parts: vec!["one".to_owned(), "two\n\nthree".to_owned()],
                seal: seal(Family::Openai, SealKind::Text, Some("rs_1:%2"), "gAAAA:b=="),
            },
            Reasoning { parts: Vec::new(), seal: seal(Family::Gemini, SealKind::Call, None, "a+/=") },
            Reasoning { parts: Vec::new(), seal: seal(Family::Anthropic, SealKind::Hidden, None, "Eg") },
            Reasoning {
                parts: vec!["x".to_owned()],
                seal: seal(Family::Details, SealKind::Text, None, r#"[{"type":"reasoning.text"}]"#),
            },
        ] {
            let signature = sign(&reasoning);
            assert!(is_ours(&signature));
            assert_eq!(unsign(&signature, &reasoning.text()), Some(reasoning), "{signature}");
        }
    }

    #[test]
    fn what_is_not_ours_or_broken_is_no_block_of_ours() {
        for signature in ["EqQBCk", "", "wp1:", "wp1:open", "wp1:martian.text:::x", "wp1:openai.odd:::x", "wp2:open:::"]
        {
            assert_eq!(unsign(signature, "t"), None, "{signature}");
        }
        let cut = unsign("wp1:open:1-99::", "ab").unwrap();
        assert_eq!(cut.parts, ["ab"], "a text that was changed stays whole");
        assert!(unsign("wp1:open:1-1::", "").unwrap().parts.is_empty(), "a text that was taken out has no parts");
    }

    #[test]
    fn a_calls_seal_finds_its_call() {
        let seal = Seal { family: Family::Gemini, kind: SealKind::Call, id: None, data: "s".to_owned() };
        let call = |id: &str| {
            Part::from(Content::ToolCall(crate::chat::ToolCall {
                id: id.to_owned(),
                name: "f".to_owned(),
                arguments: "{}".to_owned(),
                seal: None,
            }))
        };
        let sealed = Content::Reasoning(Reasoning { parts: Vec::new(), seal: Some(seal.clone()) });
        let mut parts = vec![call("a"), sealed.into(), call("b"), call("c")];
        attach_calls(&mut parts);
        let seals: Vec<_> = parts
            .iter()
            .map(|part| match &part.content {
                Content::ToolCall(call) => call.seal.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(seals, [None, Some(seal), None]);
    }
}
