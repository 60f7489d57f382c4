//! Signatures over what must come back unchanged: thinking, encrypted reasoning, thought signatures.
//!
//! No secret is in them: they are recognised, not trusted. Base64 of `scripted:`, a digest and what it is
//! bound to, so that every one of them begins with `c2NyaXB0ZWQ6`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const MARK: &[u8] = b"scripted:";
const DIGEST: usize = 12;

/// A seal of this kind, bound to a text that can be read from it again.
pub(super) fn make(kind: &str, bound: &str) -> String {
    let mut bytes = MARK.to_vec();
    bytes.extend_from_slice(&digest(kind, bound));
    bytes.extend_from_slice(bound.as_bytes());
    STANDARD.encode(bytes)
}

/// What a seal of this kind is bound to; `None` if it was not made here.
pub(super) fn open(kind: &str, seal: &str) -> Option<String> {
    let bytes = STANDARD.decode(seal).ok()?;
    let rest = bytes.strip_prefix(MARK)?;
    let (digested, bound) = rest.split_at_checked(DIGEST)?;
    let bound = std::str::from_utf8(bound).ok()?;
    (digest(kind, bound) == digested).then(|| bound.to_owned())
}

/// Thinking's signature: bound to the text's digest.
pub(super) fn thinking(text: &str) -> String {
    make("thinking", &STANDARD.encode(digest("text", text)))
}

/// Whether this is the thinking's signature.
pub(super) fn is_thinking(signature: &str, text: &str) -> bool {
    signature == thinking(text)
}

fn digest(kind: &str, text: &str) -> Vec<u8> {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    context.update(kind.as_bytes());
    context.update(b"\0");
    context.update(text.as_bytes());
    context.finish().as_ref().iter().take(DIGEST).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_seal_made_here_for_this_kind_opens() {
        let seal = make("reasoning", "rs_1");
        assert!(seal.starts_with("c2NyaXB0ZWQ6"));
        assert_eq!(open("reasoning", &seal).as_deref(), Some("rs_1"));
        assert_eq!(open("call", &seal), None);
        assert_eq!(open("reasoning", "gAAAAABpfFWO"), None);
        assert_eq!(open("reasoning", &make("reasoning", "rs_1").replace('Q', "R")), None);
        assert!(is_thinking(&thinking("Hm."), "Hm.") && !is_thinking(&thinking("Hm."), "Hm"));
    }
}
