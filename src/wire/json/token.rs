//! The kinds of values, and strings as they stand in a body.

use std::borrow::Cow;
use std::ops::Range;

use super::text::{decoded, unescape};

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// Any number.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`
    Null,
}

impl Kind {
    /// The kind of the values that begin with this byte.
    #[inline]
    pub(super) fn of(first: u8) -> Option<Self> {
        match first {
            b'"' => Some(Self::String),
            b'{' => Some(Self::Object),
            b'[' => Some(Self::Array),
            b'-' | b'0'..=b'9' => Some(Self::Number),
            b't' | b'f' => Some(Self::Bool),
            b'n' => Some(Self::Null),
            _ => None,
        }
    }
}

/// A string token: a key or a value.
#[derive(Clone, Copy, Debug)]
pub struct Str<'a> {
    pub(super) raw: &'a [u8],
    /// Where the token's inside begins in the body.
    pub(super) start: usize,
    pub(super) escaped: bool,
}

/// The key of a member.
#[derive(Clone, Copy, Debug)]
pub struct Key<'k> {
    /// The key's bytes, unescaped.
    pub name: &'k [u8],
    /// Where its inside begins in the body, and how long that is.
    pub(super) start: usize,
    pub(super) length: usize,
}

impl Key<'_> {
    /// Where the key stands in the body, quotes included.
    #[must_use]
    #[inline]
    pub fn span(&self) -> Range<usize> {
        self.start - 1..self.start + self.length + 1
    }
}

impl<'a> Str<'a> {
    /// The token's inside as it stands in the body, escapes and all.
    #[must_use]
    #[inline]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Where the token stands in the body, quotes included.
    #[must_use]
    #[inline]
    pub fn span(&self) -> Range<usize> {
        self.start - 1..self.start + self.raw.len() + 1
    }

    /// Where the token's inside stands in the body.
    #[must_use]
    #[inline]
    pub fn inside(&self) -> Range<usize> {
        self.start..self.start + self.raw.len()
    }

    /// The text, unescaped.
    #[must_use]
    pub fn text(&self) -> Cow<'a, str> {
        if self.escaped { unescape(self.raw) } else { decoded(self.raw) }
    }

    /// The text's bytes, unescaped.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> Cow<'a, [u8]> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        Cow::Owned(unescape(self.raw).into_owned().into_bytes())
    }

    /// Whether the text is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The token whose inside stands there.
    pub(super) fn placed(body: &'a [u8], start: usize, len: usize) -> Self {
        let raw = body.get(start..start + len).unwrap_or_default();
        Self { raw, start, escaped: memchr::memchr(b'\\', raw).is_some() }
    }
}
