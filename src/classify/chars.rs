//! Classes of code points by fixed ranges, the same as in benches/training/features.py.
//!
//! Ranges are written out rather than taken from a Unicode table: such tables differ by version, and a score must
//! not change because a library was updated.

/// What a code point is to the tokeniser.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Space,
    /// Part of a word; runs of these and of digits make one token.
    Word,
    Digit,
    /// A sign of a script without spaces: a token by itself.
    Wide,
    /// Punctuation, mathematics, pictures: a token by itself.
    Symbol,
}

/// Marks of a code point, as bits, for the surface features.
pub(super) const MATH: u8 = 1;
pub(super) const CODE: u8 = 2;
pub(super) const QUESTION: u8 = 4;
/// Ends a sentence; every question mark is one too.
pub(super) const STOP: u8 = 8;
pub(super) const UPPER: u8 = 16;

#[derive(Clone, Copy)]
pub(super) struct Class {
    pub(super) kind: Kind,
    pub(super) marks: u8,
    /// The code point as it is hashed: lower case where the ranges below say so, every digit as 0.
    pub(super) folded: u32,
}

static ASCII: [Class; 128] = ascii();

/// The class of a code point.
#[inline]
pub(super) fn class(c: char) -> Class {
    let code = c as u32;
    match ASCII.get(code as usize) {
        Some(class) => *class,
        None => Class { kind: kind(code), marks: marks(code), folded: fold(code) },
    }
}

const fn ascii() -> [Class; 128] {
    let mut table = [Class { kind: Kind::Word, marks: 0, folded: 0 }; 128];
    let mut code = 0;
    while code < 128 {
        table[code as usize] = Class { kind: kind(code), marks: marks(code), folded: fold(code) };
        code += 1;
    }
    table
}

const fn fold(code: u32) -> u32 {
    match code {
        0x30..=0x39 => 0x30,
        0x41..=0x5A | 0xC0..=0xD6 | 0xD8..=0xDE | 0x391..=0x3A9 | 0x410..=0x42F => code + 32,
        0x400..=0x40F => code + 80,
        _ => code,
    }
}

const fn kind(code: u32) -> Kind {
    match code {
        0x30..=0x39 => Kind::Digit,
        0x00..=0x20 | 0x7F..=0xA0 | 0x2000..=0x200F | 0x2028..=0x202F | 0x205F..=0x206F | 0x3000 | 0xFEFF => {
            Kind::Space
        }
        0x0E00..=0x0E7F
        | 0x3040..=0x30FF
        | 0x3400..=0x4DBF
        | 0x4E00..=0x9FFF
        | 0xAC00..=0xD7AF
        | 0xF900..=0xFAFF
        | 0x20000..=0x2FFFF => Kind::Wide,
        0x21..=0x2F
        | 0x3A..=0x40
        | 0x5B..=0x5E
        | 0x60
        | 0x7B..=0x7E
        | 0xA1..=0xA9
        | 0xAB..=0xB4
        | 0xB6..=0xB9
        | 0xBB..=0xBF
        | 0xD7
        | 0xF7
        | 0x60C
        | 0x61B..=0x61F
        | 0x66A..=0x66D
        | 0x2010..=0x2027
        | 0x2030..=0x205E
        | 0x2070..=0x2BFF
        | 0x3001..=0x303F
        | 0xFF01..=0xFF0F
        | 0xFF1A..=0xFF20
        | 0xFF3B..=0xFF40
        | 0xFF5B..=0xFF65
        | 0x1F000..=0x1FAFF => Kind::Symbol,
        _ => Kind::Word,
    }
}

const fn marks(code: u32) -> u8 {
    const fn ascii_marks(byte: u8) -> u8 {
        match byte {
            b'\\' | b'^' | b'+' | b'*' | b'/' | b'$' => MATH,
            b'=' | b'<' | b'>' | b'|' => MATH | CODE,
            b'{' | b'}' | b'(' | b')' | b'[' | b']' | b';' | b'_' | b'`' | b'#' | b'&' => CODE,
            b'?' => QUESTION | STOP,
            b'.' | b'!' => STOP,
            b'A'..=b'Z' => UPPER,
            _ => 0,
        }
    }
    match code {
        0x00..=0x7F => ascii_marks(code as u8),
        0xB1..=0xB3 | 0xD7 | 0xF7 | 0x2070..=0x209F | 0x2190..=0x22FF => MATH,
        0xFF1F | 0x61F => QUESTION | STOP,
        0x3002 | 0xFF01 => STOP,
        _ => 0,
    }
}
