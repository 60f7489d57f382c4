//! Tells a chunk that is like the last one but for the words in it, without reading it.
//!
//! A provider writes all chunks of a text the same way. So once one has been read through and found to need nothing, the
//! next needs nothing either if it has the same bytes around other strings: comparing them costs less than reading.

use std::ops::Range;

/// A chunk that needed nothing, without its words.
#[derive(Debug, Default)]
pub(in crate::wire::openai) struct Alike {
    /// What stands before, between and after the words, end to end.
    bytes: Vec<u8>,
    /// Where each of the pieces ends.
    ends: Vec<usize>,
}

impl Alike {
    /// Learns from a chunk; `words` are the insides of strings that may differ.
    pub(in crate::wire::openai) fn learn(&mut self, data: &[u8], words: &mut [Range<usize>]) {
        words.sort_by_key(|word| word.start);
        self.bytes.clear();
        self.ends.clear();
        let mut from = 0;
        for word in words {
            self.piece(data.get(from..word.start));
            from = word.end;
        }
        self.piece(data.get(from..));
    }

    /// Whether this chunk differs from the one learned in nothing but its words.
    pub(super) fn knows(&self, data: &[u8]) -> bool {
        self.each_word(data, |_, _| {})
    }

    /// Where the words stand whose place among all is `wanted`, in a chunk that differs from the one learned in nothing
    /// but its words.
    pub(in crate::wire::openai) fn words(&self, data: &[u8], wanted: usize) -> Option<Range<usize>> {
        let mut found = None;
        let known = self.each_word(data, |place, word| {
            if place == wanted {
                found = Some(word);
            }
        });
        found.filter(|_| known)
    }

    /// Goes over a chunk's words as far as it is like the one learned; whether it is to its end.
    #[inline]
    fn each_word(&self, data: &[u8], mut each: impl FnMut(usize, Range<usize>)) -> bool {
        let (mut from, mut at) = (0, 0);
        for (nth, &end) in self.ends.iter().enumerate() {
            if nth > 0 {
                let Some(length) = data.get(at..).and_then(string_length) else { return false };
                each(nth - 1, at..at + length);
                at += length;
            }
            let piece = self.bytes.get(from..end).unwrap_or_default();
            if !data.get(at..).is_some_and(|rest| rest.starts_with(piece)) {
                return false;
            }
            at += piece.len();
            from = end;
        }
        at == data.len() && at > 0
    }

    fn piece(&mut self, piece: Option<&[u8]>) {
        self.bytes.extend_from_slice(piece.unwrap_or_default());
        self.ends.push(self.bytes.len());
    }
}

/// How long the string is whose inside begins here, without its closing quote.
fn string_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let found = memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        at += found;
        if bytes.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_words_may_differ() {
        let chunk = br#"{"a":"x","b":1,"c":"","d":"stays"}"#;
        let mut alike = Alike::default();
        assert!(!alike.knows(b"") && !alike.knows(chunk), "nothing is learned yet");
        alike.learn(chunk, &mut [20..20, 6..7]);
        for (other, known) in [
            (r#"{"a":"x","b":1,"c":"","d":"stays"}"#, true),
            (r#"{"a":"","b":1,"c":"\"}\\","d":"stays"}"#, true),
            (r#"{"a":"x","b":2,"c":"","d":"stays"}"#, false),
            (r#"{"a":"x","b":1,"c":"","d":"goes"}"#, false),
            (r#"{"a":"x","b":1,"c":"","d":"stays"} "#, false),
            (r#"{"a":"x","b":1,"c":"","d":"stays""#, false),
            (r#"{"a":"x\","b":1,"c":"","d":"stays"}"#, false),
            (r#"{"a":"x"#, false),
            (r#"{"a":"x\"#, false),
            (r#"{"a":null,"b":1,"c":"","d":"stays"}"#, false),
        ] {
            assert_eq!(alike.knows(other.as_bytes()), known, "{other}");
            assert_eq!(alike.words(other.as_bytes(), 1).is_some(), known, "{other}");
        }
        let longer = br#"{"a":"xyz","b":1,"c":"w","d":"stays"}"#;
        assert_eq!([0, 1, 2].map(|nth| alike.words(longer, nth)), [Some(6..9), Some(22..23), None]);
    }
}
