//! The scanner itself.

use std::ops::Range;

use super::error::{JsonError, JsonErrorKind as Kinds, JsonResult, Located, Step};
use super::keys::OpenKeys;
use super::text::{hex4, plain_until};
use super::token::{Kind, Str};

/// Deepest nesting accepted. The scanner recurses, so this also bounds its stack.
pub const MAX_DEPTH: u32 = 128;

/// Reads one JSON value from front to back. Every method that reads a value leaves the scanner behind it.
#[derive(Debug)]
pub struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u32,
    strict: bool,
    keys: OpenKeys<'a>,
}

impl<'a> Scanner<'a> {
    /// For what a client sends: UTF-8, distinct keys and whole surrogate pairs are part of the grammar.
    ///
    /// # Errors
    /// A body that is not UTF-8.
    pub fn strict(bytes: &'a [u8]) -> JsonResult<Self> {
        if let Err(error) = std::str::from_utf8(bytes) {
            return Err(JsonError::at(bytes, error.valid_up_to(), Kinds::NotUtf8));
        }
        if u32::try_from(bytes.len()).is_err() {
            return Err(JsonError::at(bytes, 0, Kinds::Expected("a body of less than 4 GiB")));
        }
        Ok(Self { strict: true, ..Self::lenient(bytes) })
    }

    /// For what a provider sends: the grammar alone.
    #[must_use]
    pub fn lenient(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0, strict: false, keys: OpenKeys::default() }
    }

    /// All bytes under the scanner.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How far the scanner has come: behind a value once it is read, at its first byte when `each` is called.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// What the next value is. The scanner stands at its first byte then.
    ///
    /// # Errors
    /// What follows is no value.
    #[inline]
    pub fn kind(&mut self) -> JsonResult<Kind> {
        self.blank();
        match self.bytes.get(self.at) {
            Some(b'"') => Ok(Kind::String),
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            _ => Err(self.unexpected("a value")),
        }
    }

    /// Checks the next value whole.
    ///
    /// # Errors
    /// The value breaks the grammar.
    pub fn skip(&mut self) -> JsonResult<()> {
        match self.kind()? {
            Kind::String => self.string().map(|_| ()),
            Kind::Object => self.object(|scanner, _| scanner.skip()),
            Kind::Array => self.array(|scanner, _| scanner.skip()),
            Kind::Number => self.number().map(|_| ()),
            Kind::Bool | Kind::Null => self.word().map(|_| ()),
        }
    }

    /// Checks the next value whole and tells where it stands.
    ///
    /// # Errors
    /// The value breaks the grammar.
    pub fn value(&mut self) -> JsonResult<Range<usize>> {
        self.blank();
        let start = self.at;
        self.skip()?;
        Ok(start..self.at)
    }

    /// Reads an object. `each` gets every key and must read its value, wanted or not ([`skip`](Self::skip)).
    ///
    /// # Errors
    /// No object, a breach of the grammar, or what `each` returns.
    pub fn object<E: Located>(&mut self, mut each: impl FnMut(&mut Self, Str<'a>) -> Result<(), E>) -> Result<(), E> {
        self.open(b'{', "an object")?;
        let mut keys = self.keys.open();
        self.blank();
        if self.bytes.get(self.at) == Some(&b'}') {
            self.shut();
            return Ok(());
        }
        loop {
            self.blank();
            if self.bytes.get(self.at) != Some(&b'"') {
                return Err(self.unexpected("a key in double quotes").into());
            }
            let key = self.string()?;
            if self.strict && !self.keys.is_new(&mut keys, key) {
                return Err(self.duplicate(key));
            }
            self.blank();
            if self.bytes.get(self.at) != Some(&b':') {
                return Err(self.unexpected("`:`").into());
            }
            self.at += 1;
            self.blank();
            if let Err(mut error) = each(self, key) {
                error.inside(Step::Key(key));
                return Err(error);
            }
            self.blank();
            match self.bytes.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.unexpected("`,` or `}`").into()),
            }
        }
        if let Some(key) = self.keys.close(keys, self.bytes) {
            return Err(self.duplicate(key));
        }
        self.shut();
        Ok(())
    }

    /// Reads an array. `each` gets every index and must read its element.
    ///
    /// # Errors
    /// No array, a breach of the grammar, or what `each` returns.
    pub fn array<E: Located>(&mut self, mut each: impl FnMut(&mut Self, usize) -> Result<(), E>) -> Result<(), E> {
        self.open(b'[', "an array")?;
        self.blank();
        if self.bytes.get(self.at) == Some(&b']') {
            self.shut();
            return Ok(());
        }
        let mut index = 0;
        loop {
            self.blank();
            if let Err(mut error) = each(self, index) {
                error.inside(Step::Index(index));
                return Err(error);
            }
            self.blank();
            match self.bytes.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.unexpected("`,` or `]`").into()),
            }
            index += 1;
        }
        self.shut();
        Ok(())
    }

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
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at = plain_until(self.bytes, self.at);
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.fault(Kinds::Control)),
                None => return Err(self.fault(Kinds::Ends("the end of a string"))),
            }
        }
        let raw = self.bytes.get(start..self.at).unwrap_or_default();
        self.at += 1;
        Ok(Str { raw, start, escaped })
    }

    /// Reads a number and tells where it stands; its value is not looked at.
    ///
    /// # Errors
    /// No number, or a malformed one.
    pub fn number(&mut self) -> JsonResult<Range<usize>> {
        self.blank();
        let start = self.at;
        self.at += usize::from(self.bytes.get(start) == Some(&b'-'));
        match self.bytes.get(self.at) {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.unexpected("a number")),
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'+' | b'-')));
            self.some_digits()?;
        }
        if let Some(b'0'..=b'9' | b'.' | b'-' | b'+' | b'a'..=b'z' | b'A'..=b'Z') = self.bytes.get(self.at) {
            return Err(self.fault(Kinds::Number));
        }
        Ok(start..self.at)
    }

    /// Reads `true` or `false`.
    ///
    /// # Errors
    /// Neither stands there.
    pub fn bool(&mut self) -> JsonResult<bool> {
        self.blank();
        let word = self.word()?;
        match self.bytes.get(word) {
            Some(b"true") => Ok(true),
            Some(b"false") => Ok(false),
            _ => Err(self.fault(Kinds::Expected("a boolean"))),
        }
    }

    /// Makes sure that nothing follows the value.
    ///
    /// # Errors
    /// Something does.
    pub fn end(&mut self) -> JsonResult<()> {
        self.blank();
        if self.at < self.bytes.len() { Err(self.fault(Kinds::Trailing)) } else { Ok(()) }
    }

    #[inline]
    fn blank(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    #[inline]
    fn open(&mut self, bracket: u8, what: &'static str) -> JsonResult<()> {
        self.blank();
        if self.bytes.get(self.at) != Some(&bracket) {
            return Err(self.unexpected(what));
        }
        if self.depth == MAX_DEPTH {
            return Err(self.fault(Kinds::TooDeep));
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    #[inline]
    fn shut(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    fn word(&mut self) -> JsonResult<Range<usize>> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let words: [&[u8]; 3] = [b"true", b"false", b"null"];
        for word in words {
            if rest.starts_with(word) {
                let start = self.at;
                self.at += word.len();
                return Ok(start..self.at);
            }
        }
        Err(self.unexpected("a value"))
    }

    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> JsonResult<()> {
        let start = self.at;
        self.digits();
        if self.at > start { Ok(()) } else { Err(self.fault(Kinds::Number)) }
    }

    /// Steps over the escape sequence that begins here.
    fn escape(&mut self) -> JsonResult<()> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => self.unicode_escape(),
            Some(_) => Err(self.fault(Kinds::Escape)),
            None => Err(self.fault(Kinds::Ends("an escape sequence"))),
        }
    }

    fn unicode_escape(&mut self) -> JsonResult<()> {
        let Some(unit) = hex4(self.bytes.get(self.at + 2..)) else { return Err(self.fault(Kinds::Escape)) };
        let used = match unit {
            0xD800..=0xDBFF if self.strict => match self.bytes.get(self.at + 6..self.at + 8) {
                Some(b"\\u") if matches!(hex4(self.bytes.get(self.at + 8..)), Some(0xDC00..=0xDFFF)) => 12,
                _ => return Err(self.fault(Kinds::LoneSurrogate)),
            },
            0xDC00..=0xDFFF if self.strict => return Err(self.fault(Kinds::LoneSurrogate)),
            _ => 6,
        };
        self.at += used;
        Ok(())
    }

    #[cold]
    fn unexpected(&self, wanted: &'static str) -> Box<JsonError> {
        let kind = if self.at >= self.bytes.len() { Kinds::Ends(wanted) } else { Kinds::Expected(wanted) };
        self.fault(kind)
    }

    #[cold]
    fn fault(&self, kind: Kinds) -> Box<JsonError> {
        JsonError::at(self.bytes, self.at, kind)
    }

    #[cold]
    fn duplicate<E: Located>(&self, key: Str<'a>) -> E {
        let mut error = E::from(JsonError::at(self.bytes, key.span().start, Kinds::DuplicateKey));
        error.inside(Step::Key(key));
        error
    }
}
