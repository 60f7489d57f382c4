//! Where and why a body is not the JSON we accept.

use std::fmt;

use super::token::Str;

/// The scanner's result; the error is boxed, so that the result of the hot path stays two words.
pub type JsonResult<T> = Result<T, Box<JsonError>>;

/// Why a body was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// Byte offset from the start of the body.
    pub offset: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The member in question, such as `messages[3].content`; empty for the body as a whole.
    pub path: Path,
    /// What is wrong.
    pub kind: JsonErrorKind,
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonErrorKind {
    /// A byte sequence that is not UTF-8.
    #[error("the body is not valid UTF-8")]
    NotUtf8,
    /// The body ends where something was still to come.
    #[error("the body ends where {0} was expected")]
    Ends(&'static str),
    /// Something else stands where this was expected.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A raw control character inside a string.
    #[error("a control character in a string must be escaped")]
    Control,
    /// `\` followed by something that is no escape.
    #[error("unknown escape sequence in a string")]
    Escape,
    /// Half a surrogate pair.
    #[error("lone surrogate in a \\u escape")]
    LoneSurrogate,
    /// A number outside the grammar, such as `01` or `1.`.
    #[error("malformed number")]
    Number,
    /// More than [`MAX_DEPTH`](super::MAX_DEPTH) levels.
    #[error("nested deeper than {} levels", super::MAX_DEPTH)]
    TooDeep,
    /// One object names a key twice.
    #[error("the same key appears twice in one object")]
    DuplicateKey,
    /// Something follows the JSON value.
    #[error("something follows the end of the JSON value")]
    Trailing,
}

impl JsonError {
    /// The error of this kind at `offset` of `bytes`.
    #[cold]
    pub(super) fn at(bytes: &[u8], offset: usize, kind: JsonErrorKind) -> Box<Self> {
        let before = bytes.get(..offset).unwrap_or(bytes);
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        let in_line = before.get(line_start..).unwrap_or_default();
        Box::new(Self {
            offset,
            line: memchr::memchr_iter(b'\n', before).count() + 1,
            // UTF-8 continuation bytes are not characters of their own.
            column: in_line.iter().filter(|&&byte| byte & 0xC0 != 0x80).count() + 1,
            path: Path::default(),
            kind,
        })
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {} column {}", self.kind, self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, " ({})", self.path)?;
        }
        Ok(())
    }
}

impl std::error::Error for JsonError {}

/// One step into a value.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// The member of this key.
    Key(Str<'a>),
    /// The element at this index.
    Index(usize),
}

/// An error that learns its place while the scanner unwinds, so that the good case pays nothing for it.
pub trait Located: From<Box<JsonError>> {
    /// Puts `step` in front of the place known so far.
    fn inside(&mut self, step: Step<'_>);
}

impl Located for Box<JsonError> {
    fn inside(&mut self, step: Step<'_>) {
        self.path.inside(step);
    }
}

/// A place inside a body; written `messages[3].content`, outermost first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// Innermost first, as unwinding adds them.
    steps: Vec<Place>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Key(String),
    Index(usize),
}

/// Longest part of a key that a path repeats, in bytes.
const KEY_SHOWN: usize = 64;
/// Most steps that a path shows; the rest becomes `…`.
const STEPS_SHOWN: usize = 12;

impl Path {
    /// Whether this is the body as a whole.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Puts the key `name` in front.
    pub fn named(&mut self, name: &str) {
        self.steps.push(Place::Key(name.to_owned()));
    }

    /// Puts `step` in front.
    pub fn inside(&mut self, step: Step<'_>) {
        self.steps.push(match step {
            Step::Index(index) => Place::Index(index),
            Step::Key(key) => {
                let name = key.text();
                let shown: String = name.chars().filter(|c| !c.is_control()).collect();
                let cut = shown.char_indices().map(|(at, _)| at).take_while(|&at| at <= KEY_SHOWN).last().unwrap_or(0);
                Place::Key(if shown.len() > KEY_SHOWN {
                    format!("{}…", shown.get(..cut).unwrap_or_default())
                } else {
                    shown
                })
            }
        });
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, place) in self.steps.iter().rev().enumerate() {
            if nth == STEPS_SHOWN {
                return f.write_str("…");
            }
            match place {
                Place::Index(index) => write!(f, "[{index}]")?,
                Place::Key(key) if nth == 0 => f.write_str(key)?,
                Place::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}
