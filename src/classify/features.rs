//! Turns a conversation into hashed n-grams and surface features: the Rust twin of benches/training/features.py.
//!
//! The last user part is the focus and is read whole, or head and tail if it is long. All other parts are context:
//! the end of each, latest first, up to a budget, at a lower weight. Work and memory are bounded by the byte limits
//! of the declaration, whatever the length of the conversation.

use super::chars::{self, Kind};
use super::declaration::Reading;
use super::prompt::Prompt;
use super::surface::{Counts, Line, SURFACE};
use crate::chat::{Role, Text};

/// FNV-1a's 64-bit offset and prime (draft-eastlake-fnv); whole code points are absorbed instead of bytes.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;
/// The kinds of feature, absorbed first so that a word and a pair of equal hash stay apart.
const WORD: u64 = absorb(OFFSET, 1);
const PAIR: u64 = absorb(OFFSET, 2);
const CHARS: u64 = absorb(OFFSET, 3);
/// The longest character n-gram that a declaration may ask for.
pub(super) const MAX_CHAR_NGRAM: usize = 8;

/// The model's input for one prompt; reused from request to request.
#[derive(Debug, Default)]
pub struct Features {
    /// Distinct buckets, those of the focus first.
    pub ids: Vec<i64>,
    /// One weight per bucket; their squares sum to one.
    pub weights: Vec<f32>,
    /// The surface features, each near 0 to 2.
    pub surface: Vec<f32>,
    /// One bit per bucket: already in `ids`. All zero between two extractions.
    seen: Vec<u64>,
}

impl Features {
    /// One bucket and an empty surface, to try a model with.
    pub(super) fn single(id: usize) -> Features {
        Features { ids: vec![id as i64], weights: vec![1.0], surface: vec![0.0; SURFACE.len()], seen: Vec::new() }
    }

    /// Replaces the content with the features of `prompt`.
    pub(super) fn extract(&mut self, prompt: &Prompt<'_>, reading: &Reading) {
        self.ids.clear();
        self.weights.clear();
        self.surface.clear();
        self.seen.resize(reading.buckets.div_ceil(64), 0);

        let focus = focus(prompt.texts);
        let text = focus.and_then(|at| prompt.texts.get(at)).map_or("", |part| &part.text);

        let mut counts = Counts::default();
        let (head, tail) = ends(text, reading.head_bytes, reading.tail_bytes);
        self.read(head, 0, reading, &mut counts);
        if let Some(tail) = tail {
            self.read(tail, text.len() - tail.len(), reading, &mut counts);
        }
        let in_focus = self.ids.len();

        let mut context_bytes = 0;
        let mut room = reading.context_bytes;
        for (at, part) in prompt.texts.iter().enumerate().rev() {
            if Some(at) == focus {
                continue;
            }
            context_bytes += part.text.len();
            if room > 0 {
                let piece = end_of(&part.text, reading.part_bytes.min(room));
                room -= piece.len();
                self.read(piece, 0, reading, &mut Counts::default());
            }
        }
        self.weigh(in_focus, reading.context_weight);
        for id in &self.ids {
            if let Some(word) = self.seen.get_mut(*id as usize / 64) {
                *word = 0;
            }
        }
        self.surface.extend(counts.describe(text.len(), context_bytes, prompt));
    }

    /// Adds the n-grams of one piece, which begins `at` bytes into its text, and counts its marks.
    fn read(&mut self, piece: &str, at: usize, reading: &Reading, counts: &mut Counts) {
        let mut tokens = Tokens { hash: WORD, length: 0, before: None };
        let mut window = Window { last: [0; MAX_CHAR_NGRAM], filled: 0, size: reading.char_ngram };
        let mut line = Line::default();
        let mut digits = 0;
        counts.ends_with_question = false;
        window.push(' ' as u32, self, reading);
        for (offset, c) in piece.char_indices() {
            let class = chars::class(c);
            counts.mark(c, class);
            line.push(c, at + offset, counts);
            if class.kind == Kind::Digit {
                digits += 1;
                counts.numbers += usize::from(digits == 1);
                counts.longest_number = counts.longest_number.max(digits);
            } else {
                digits = 0;
            }
            let in_run = matches!(class.kind, Kind::Word | Kind::Digit);
            if !in_run || tokens.length == reading.token_max {
                tokens.close(self, reading, counts);
            }
            if class.kind == Kind::Space {
                window.push_space(self, reading);
                continue;
            }
            window.push(class.folded, self, reading);
            tokens.hash = absorb(tokens.hash, u64::from(class.folded));
            tokens.length += 1;
            if !in_run {
                tokens.close(self, reading, counts);
            }
        }
        tokens.close(self, reading, counts);
        window.push_space(self, reading);
    }

    #[inline]
    fn insert(&mut self, hash: u64, reading: &Reading) {
        let id = bucket(hash, reading.buckets);
        if let Some(word) = self.seen.get_mut(id / 64) {
            let bit = 1 << (id % 64);
            if *word & bit == 0 {
                *word |= bit;
                self.ids.push(id as i64);
            }
        }
    }

    fn weigh(&mut self, in_focus: usize, context_weight: f64) {
        let around = self.ids.len() - in_focus;
        let norm = (in_focus as f64 + around as f64 * context_weight * context_weight).sqrt();
        self.weights.resize(in_focus, (1.0 / norm) as f32);
        self.weights.resize(self.ids.len(), (context_weight / norm) as f32);
    }
}

/// The running token and the one before it.
struct Tokens {
    hash: u64,
    length: usize,
    before: Option<u64>,
}

impl Tokens {
    #[inline]
    fn close(&mut self, features: &mut Features, reading: &Reading, counts: &mut Counts) {
        if self.length == 0 {
            return;
        }
        counts.tokens += 1;
        features.insert(self.hash, reading);
        if let Some(before) = self.before {
            features.insert(absorb(absorb(PAIR, before), self.hash), reading);
        }
        self.before = Some(self.hash);
        self.hash = WORD;
        self.length = 0;
    }
}

/// The last code points read; each full window is a character n-gram.
struct Window {
    last: [u32; MAX_CHAR_NGRAM],
    filled: usize,
    size: usize,
}

impl Window {
    #[inline]
    fn push(&mut self, folded: u32, features: &mut Features, reading: &Reading) {
        self.last.rotate_left(1);
        self.last[MAX_CHAR_NGRAM - 1] = folded;
        self.filled += 1;
        if self.filled >= self.size {
            let mut hash = CHARS;
            for code in &self.last[MAX_CHAR_NGRAM - self.size..] {
                hash = absorb(hash, u64::from(*code));
            }
            features.insert(hash, reading);
        }
    }

    /// A run of spaces, and the end of the piece, read as one space.
    #[inline]
    fn push_space(&mut self, features: &mut Features, reading: &Reading) {
        if self.last[MAX_CHAR_NGRAM - 1] != ' ' as u32 {
            self.push(' ' as u32, features, reading);
        }
    }
}

#[inline]
const fn absorb(hash: u64, value: u64) -> u64 {
    (hash ^ value).wrapping_mul(PRIME)
}

/// The bucket of a hash; `buckets` is a power of two. The mixing is splitmix64's first half: FNV's low bits alone
/// are poor for inputs of few code points.
#[inline]
fn bucket(hash: u64, buckets: usize) -> usize {
    let mixed = (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed ^ (mixed >> 32)) as usize) & (buckets - 1)
}

/// Where the focus stands: the last user part, or the last of all if there is none.
pub(super) fn focus(texts: &[Text]) -> Option<usize> {
    texts.iter().rposition(|part| part.role == Role::User).or_else(|| texts.len().checked_sub(1))
}

/// The whole text, or its first `head` and last `tail` bytes, cut at character borders.
pub(super) fn ends(text: &str, head: usize, tail: usize) -> (&str, Option<&str>) {
    if text.len() <= head + tail {
        return (text, None);
    }
    let mut end = head;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (&text[..end], Some(end_of(text, tail)))
}

/// The last `tail` bytes at most, cut at a character border.
pub(super) fn end_of(text: &str, tail: usize) -> &str {
    let mut start = text.len().saturating_sub(tail);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}
