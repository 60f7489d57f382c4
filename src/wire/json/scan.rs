//! The scanner itself.

use std::ops::Range;

use super::error::{JsonError, JsonErrorKind as Kinds, JsonResult, Located, Step};
use super::keys::OpenKeys;
use super::search::glance;
use super::token::{Key, Kind, Str};

/// Deepest nesting accepted. The scanner recurses, so this also bounds its stack.
pub const MAX_DEPTH: u32 = 128;

/// Most digits of a number whose value is read as it is passed: they cannot overflow 64 bits.
const SMALL_DIGITS: usize = 19;

/// Reads one JSON value from front to back. Every method that reads a value leaves the scanner behind it.
#[derive(Debug)]
pub struct Scanner<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    depth: u32,
    pub(super) strict: bool,
    /// No string need be searched for control characters: there are none anywhere, or they do not matter.
    pub(super) no_controls: bool,
    keys: OpenKeys,
}

impl<'a> Scanner<'a> {
    /// For what a client sends: UTF-8, distinct keys, whole surrogate pairs and no raw control characters are part of the
    /// grammar.
    ///
    /// # Errors
    /// A body that is not UTF-8.
    pub fn strict(bytes: &'a [u8]) -> JsonResult<Self> {
        let seen = glance(bytes);
        if !seen.ascii
            && let Err(error) = std::str::from_utf8(bytes)
        {
            return Err(JsonError::at(bytes, error.valid_up_to(), Kinds::NotUtf8));
        }
        if u32::try_from(bytes.len()).is_err() {
            return Err(JsonError::at(bytes, 0, Kinds::Expected("a body of less than 4 GiB")));
        }
        Ok(Self::new(bytes, true, seen.no_controls))
    }

    /// For what a provider sends: the grammar without these four.
    #[must_use]
    pub fn lenient(bytes: &'a [u8]) -> Self {
        Self::new(bytes, false, true)
    }

    fn new(bytes: &'a [u8], strict: bool, no_controls: bool) -> Self {
        Self { bytes, at: 0, depth: 0, strict, no_controls, keys: OpenKeys::default() }
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

    /// Another one that stands where this one stands, for a value that is read twice.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { at: self.at, depth: self.depth, ..Self::new(self.bytes, self.strict, self.no_controls) }
    }

    /// Leaves behind what one that began here has read to its end.
    pub fn leave(&mut self, apart: &Self) {
        self.at = apart.at;
    }

    /// What the next value is. The scanner stands at its first byte then.
    ///
    /// # Errors
    /// What follows is no value.
    #[inline]
    pub fn kind(&mut self) -> JsonResult<Kind> {
        self.blank();
        match self.bytes.get(self.at).and_then(|&byte| Kind::of(byte)) {
            Some(kind) => Ok(kind),
            None => Err(self.unexpected("a value")),
        }
    }

    /// Whether the next value is of this kind, as far as its first byte tells. The scanner stands there then.
    #[inline]
    pub fn is(&mut self, kind: Kind) -> bool {
        self.blank();
        self.bytes.get(self.at).is_some_and(|&byte| Kind::of(byte) == Some(kind))
    }

    /// Checks the next value whole.
    ///
    /// # Errors
    /// The value breaks the grammar.
    pub fn skip(&mut self) -> JsonResult<()> {
        self.blank();
        match self.bytes.get(self.at) {
            Some(b'"') => self.pass_string(),
            Some(b'-' | b'0'..=b'9') => self.pass_number(),
            Some(b'{') => self.skip_object(),
            Some(b'[') => self.skip_array(),
            // Or nothing that begins a value.
            _ => self.pass_word(),
        }
    }

    // Apart, so that what is not nested pays for no more than it needs.
    #[inline(never)]
    fn skip_object(&mut self) -> JsonResult<()> {
        self.object(|scanner, _| scanner.skip())
    }

    #[inline(never)]
    fn skip_array(&mut self) -> JsonResult<()> {
        self.array(|scanner, _| scanner.skip())
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
    pub fn object<E: Located>(&mut self, mut each: impl FnMut(&mut Self, Key<'_>) -> Result<(), E>) -> Result<(), E> {
        self.open(b'{', "an object")?;
        // The last key that had to be unescaped: here, so that the closures are free of allocations.
        let mut unescaped;
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
            let key = self.token()?;
            if self.strict && !self.keys.is_new(&mut keys, key.raw, key.start, key.escaped, self.bytes) {
                return Err(self.duplicate(key.start, key.raw.len()));
            }
            self.blank();
            if self.bytes.get(self.at) != Some(&b':') {
                return Err(self.unexpected("`:`").into());
            }
            self.at += 1;
            self.blank();
            let name = if key.escaped {
                unescaped = key.bytes();
                &*unescaped
            } else {
                key.raw
            };
            if let Err(error) = each(self, Key { name, start: key.start, length: key.raw.len() }) {
                return Err(self.inside(error, key.start, key.raw.len()));
            }
            self.blank();
            match self.bytes.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.unexpected("`,` or `}`").into()),
            }
        }
        if let Some(key) = self.keys.close(keys, self.bytes) {
            return Err(self.duplicate(key.start, key.raw.len()));
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

    /// Reads a number and tells where it stands; its value is not looked at.
    ///
    /// # Errors
    /// No number, or a malformed one.
    #[inline]
    pub fn number(&mut self) -> JsonResult<Range<usize>> {
        self.blank();
        let start = self.at;
        self.pass_number()?;
        Ok(start..self.at)
    }

    /// Reads a number that is nothing but a few digits, as counts are. `None`, and nothing read, for any other value.
    #[inline]
    pub fn small_natural(&mut self) -> Option<u64> {
        self.blank();
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (mut value, mut length) = (0, 0);
        for byte in rest.iter().take(SMALL_DIGITS) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            value = value * 10 + u64::from(digit);
            length += 1;
        }
        let leading_zero = length > 1 && rest.first() == Some(&b'0');
        if length == 0 || leading_zero || !matches!(rest.get(length), Some(b',' | b'}' | b']')) {
            return None;
        }
        self.at += length;
        Some(value)
    }

    fn pass_number(&mut self) -> JsonResult<()> {
        let bytes = self.bytes;
        let mut at = self.at + usize::from(bytes.get(self.at) == Some(&b'-'));
        match bytes.get(at) {
            Some(b'0') => at += 1,
            Some(b'1'..=b'9') => at = digits_end(bytes, at),
            _ => {
                self.at = at;
                return Err(self.unexpected("a number"));
            }
        }
        if let Some(b'.' | b'e' | b'E') = bytes.get(at) {
            self.at = at;
            return self.pass_fraction();
        }
        self.at = at;
        self.number_ends()
    }

    #[inline(never)]
    fn pass_fraction(&mut self) -> JsonResult<()> {
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'+' | b'-')));
            self.some_digits()?;
        }
        self.number_ends()
    }

    #[inline]
    fn number_ends(&mut self) -> JsonResult<()> {
        match self.bytes.get(self.at) {
            Some(b',' | b'}' | b']') => Ok(()),
            Some(b'0'..=b'9' | b'.' | b'-' | b'+' | b'a'..=b'z' | b'A'..=b'Z') => Err(self.fault(Kinds::Number)),
            _ => Ok(()),
        }
    }

    /// Reads `true` or `false`.
    ///
    /// # Errors
    /// Neither stands there.
    pub fn bool(&mut self) -> JsonResult<bool> {
        self.blank();
        let first = self.bytes.get(self.at);
        self.pass_word()?;
        match first {
            Some(b't') => Ok(true),
            Some(b'f') => Ok(false),
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
    pub(super) fn blank(&mut self) {
        // One comparison where nothing is blank, as in most bodies.
        if let Some(..=b' ') = self.bytes.get(self.at) {
            self.pass_blank();
        }
    }

    #[inline(never)]
    fn pass_blank(&mut self) {
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

    fn pass_word(&mut self) -> JsonResult<()> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = match rest.first_chunk::<4>() {
            Some(b"null" | b"true") => 4,
            Some(b"fals") if rest.get(4) == Some(&b'e') => 5,
            _ => return Err(self.unexpected("a value")),
        };
        self.at += length;
        Ok(())
    }

    fn some_digits(&mut self) -> JsonResult<()> {
        let start = self.at;
        self.at = digits_end(self.bytes, start);
        if self.at > start { Ok(()) } else { Err(self.fault(Kinds::Number)) }
    }

    #[cold]
    pub(super) fn unexpected(&self, wanted: &'static str) -> Box<JsonError> {
        let kind = if self.at >= self.bytes.len() { Kinds::Ends(wanted) } else { Kinds::Expected(wanted) };
        self.fault(kind)
    }

    #[cold]
    pub(super) fn fault(&self, kind: Kinds) -> Box<JsonError> {
        JsonError::at(self.bytes, self.at, kind)
    }

    /// The key that stands there is in its object already.
    #[cold]
    fn duplicate<E: Located>(&self, start: usize, length: usize) -> E {
        let error = E::from(JsonError::at(self.bytes, start - 1, Kinds::DuplicateKey));
        self.inside(error, start, length)
    }

    /// The error, inside the member whose key stands there.
    #[cold]
    fn inside<E: Located>(&self, mut error: E, start: usize, length: usize) -> E {
        error.inside(Step::Key(Str::placed(self.bytes, start, length)));
        error
    }
}

/// Index of the first byte from `at` on that is no digit.
#[inline]
fn digits_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b'0'..=b'9') = bytes.get(at) {
        at += 1;
    }
    at
}
