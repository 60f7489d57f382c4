//! Strings under the scanner.

use super::error::{JsonErrorKind as Kinds, JsonResult};
use super::scan::Scanner;
use super::search::{control, plain_length, plain_length_again};
use super::text::hex4;
use super::token::Str;

impl<'a> Scanner<'a> {
    /// Reads a string.
    ///
    /// # Errors
    /// No string, or a malformed one.
    #[inline]
    pub fn string(&mut self) -> JsonResult<Str<'a>> {
        self.blank();
        if self.bytes.get(self.at) != Some(&b'"') {
            return Err(self.unexpected("a string"));
        }
        self.token()
    }

    /// Reads the string whose opening quote stands here.
    #[inline]
    pub(super) fn token(&mut self) -> JsonResult<Str<'a>> {
        let start = self.at + 1;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let length = plain_length(rest);
        if self.no_controls && rest.get(length) == Some(&b'"') {
            self.at = start + length + 1;
            return Ok(Str { raw: rest.get(..length).unwrap_or_default(), start, escaped: false });
        }
        self.pass_odd_string(start, start + length)?;
        let raw = rest.get(..self.at - 1 - start).unwrap_or_default();
        Ok(Str { raw, start, escaped: rest.get(length) == Some(&b'\\') })
    }

    /// Goes behind the string whose opening quote stands here.
    #[inline]
    pub(super) fn pass_string(&mut self) -> JsonResult<()> {
        let start = self.at + 1;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let length = plain_length(rest);
        if self.no_controls && rest.get(length) == Some(&b'"') {
            self.at = start + length + 1;
            return Ok(());
        }
        self.pass_odd_string(start, start + length)
    }

    /// The same for one that has escapes, the first of them at `plain`, or may have control characters.
    #[inline(never)]
    fn pass_odd_string(&mut self, start: usize, plain: usize) -> JsonResult<()> {
        let bytes = self.bytes;
        let mut at = plain;
        while let Some(b'\\') = bytes.get(at) {
            match bytes.get(at + 1) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                _ => at = self.pass_odd_escape(at)?,
            }
            at += plain_length_again(bytes.get(at..).unwrap_or_default());
        }
        self.at = at;
        if !self.no_controls
            && let Some(control) = control(self.bytes, start, self.at)
        {
            self.at = control;
            return Err(self.fault(Kinds::Control));
        }
        if self.at >= self.bytes.len() {
            return Err(self.fault(Kinds::Ends("the end of a string")));
        }
        self.at += 1;
        Ok(())
    }

    /// Where the escape sequence ends that begins at `at` and is not of one letter.
    #[inline(never)]
    fn pass_odd_escape(&mut self, at: usize) -> JsonResult<usize> {
        self.at = at;
        match self.bytes.get(at + 1) {
            Some(b'u') => {}
            Some(_) => return Err(self.fault(Kinds::Escape)),
            None => return Err(self.fault(Kinds::Ends("an escape sequence"))),
        }
        let Some(unit) = hex4(self.bytes.get(at + 2..)) else { return Err(self.fault(Kinds::Escape)) };
        match unit {
            0xD800..=0xDBFF if self.strict => match self.bytes.get(at + 6..at + 8) {
                Some(b"\\u") if matches!(hex4(self.bytes.get(at + 8..)), Some(0xDC00..=0xDFFF)) => Ok(at + 12),
                _ => Err(self.fault(Kinds::LoneSurrogate)),
            },
            0xDC00..=0xDFFF if self.strict => Err(self.fault(Kinds::LoneSurrogate)),
            _ => Ok(at + 6),
        }
    }
}
