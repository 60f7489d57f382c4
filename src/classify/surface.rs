//! Counts of a prompt that n-grams do not show: length, digits, mathematics, code, script, options.

use super::chars::{self, Class, Kind};
use super::prompt::Prompt;

/// The surface features in the order the model reads them; a declaration must name exactly these.
pub(super) const SURFACE: [&str; 24] = [
    "log_stem_bytes",
    "log_stem_tokens",
    "log_option_bytes",
    "token_length",
    "digit_share",
    "math_share",
    "log_math",
    "code_share",
    "other_script_share",
    "wide_share",
    "log_lines",
    "questions",
    "ends_with_question",
    "upper_share",
    "options",
    "log_numbers",
    "longest_number",
    "log_backslashes",
    "log_sentences",
    "sentence_length",
    "log_context_bytes",
    "log_context_parts",
    "tools",
    "images",
];

/// What is counted in the focus.
#[derive(Default)]
pub(super) struct Counts {
    solid: usize,
    pub(super) tokens: usize,
    digits: usize,
    math: usize,
    code: usize,
    other: usize,
    wide: usize,
    lines: usize,
    questions: usize,
    upper: usize,
    options: usize,
    pub(super) numbers: usize,
    pub(super) longest_number: usize,
    backslashes: usize,
    stops: usize,
    pub(super) ends_with_question: bool,
    /// Set by the first option.
    stem: Option<Stem>,
}

impl Counts {
    #[inline]
    pub(super) fn mark(&mut self, c: char, class: Class) {
        let has = |mark: u8| usize::from(class.marks & mark != 0);
        self.math += has(chars::MATH);
        self.code += has(chars::CODE);
        self.questions += has(chars::QUESTION);
        self.stops += has(chars::STOP);
        self.upper += has(chars::UPPER);
        self.other += usize::from(!c.is_ascii());
        self.wide += usize::from(class.kind == Kind::Wide);
        self.digits += usize::from(class.kind == Kind::Digit);
        self.lines += usize::from(c == '\n');
        self.backslashes += usize::from(c == '\\');
        if class.kind != Kind::Space {
            self.solid += 1;
            self.ends_with_question = class.marks & chars::QUESTION != 0;
        }
    }

    /// The surface features; `bytes` is the length of the focus, `context_bytes` that of all other parts.
    pub(super) fn describe(&self, bytes: usize, context_bytes: usize, prompt: &Prompt<'_>) -> [f32; SURFACE.len()] {
        let counts = self;
        let log = |count: usize| (count as f64).ln_1p();
        let solid = counts.solid.max(1) as f64;
        let share = |count: usize| count as f64 / solid;
        let capped = |count: usize, cap: usize| count.min(cap) as f64;
        let tokens = counts.tokens.max(1) as f64;
        let stem = counts.stem.unwrap_or(Stem { bytes, tokens: counts.tokens });
        let per_option = (bytes - stem.bytes) as f64 / counts.options.max(1) as f64;
        let context_parts = prompt.texts.len().saturating_sub(1);
        let values: [f64; SURFACE.len()] = [
            log(stem.bytes) / 4.0,
            log(stem.tokens) / 4.0,
            per_option.ln_1p() / 4.0,
            counts.solid as f64 / tokens / 5.0,
            share(counts.digits),
            4.0 * share(counts.math),
            log(counts.math) / 3.0,
            4.0 * share(counts.code),
            share(counts.other),
            share(counts.wide),
            log(counts.lines) / 3.0,
            capped(counts.questions, 4) / 4.0,
            f64::from(u8::from(counts.ends_with_question)),
            4.0 * share(counts.upper),
            capped(counts.options, 10) / 10.0,
            log(counts.numbers) / 3.0,
            capped(counts.longest_number, 12) / 6.0,
            log(counts.backslashes) / 3.0,
            log(counts.stops) / 3.0,
            (counts.tokens as f64 / (counts.stops + 1) as f64).ln_1p() / 3.0,
            log(context_bytes) / 8.0,
            log(context_parts) / 2.0,
            capped(prompt.tools, 8) / 8.0,
            capped(prompt.images, 4) / 4.0,
        ];
        values.map(|value| value as f32)
    }
}

/// The question of a multiple-choice prompt: what stands before the first option.
#[derive(Clone, Copy, Default)]
pub(super) struct Stem {
    bytes: usize,
    tokens: usize,
}

/// The beginning of the running line, to recognise "A. ", "A) " and "(A)": options of a multiple-choice question.
#[derive(Default)]
pub(super) struct Line {
    first: [char; 2],
    length: usize,
    /// What stands before this line.
    stem: Stem,
}

impl Line {
    #[inline]
    pub(super) fn push(&mut self, c: char, at: usize, counts: &mut Counts) {
        match self.length {
            0 => self.stem = Stem { bytes: at, tokens: counts.tokens },
            2 if self.opens_option(c) => {
                counts.options += 1;
                counts.stem.get_or_insert(self.stem);
            }
            _ => {}
        }
        if c == '\n' {
            self.length = 0;
            return;
        }
        if let Some(slot) = self.first.get_mut(self.length) {
            *slot = c;
        }
        self.length += 1;
    }

    fn opens_option(&self, third: char) -> bool {
        match self.first {
            ['A'..='J', '.' | ')'] => third == ' ',
            ['(', 'A'..='J'] => third == ')',
            _ => false,
        }
    }
}
