//! Takes a text apart as it comes, each byte looked at no more than twice.

/// The beginning of the block.
pub(super) const OPEN: &str = "<think>";
/// The end of the block.
pub(super) const CLOSE: &str = "</think>";

/// Longest white space that is held to see what follows it, in bytes. A longer one goes on.
const MOST_BLANK: usize = 64;

/// What one piece gave. The reasoning stands before the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// More of the block; may be empty.
    pub reasoning: String,
    /// More of what follows it; may be empty.
    pub text: String,
}

/// Takes a text in any pieces and gives the block at its beginning apart from the rest. Any cut gives the same. What may
/// turn out to be a tag, or white space beside one, is held back: at most 135 bytes.
#[derive(Clone, Debug)]
pub struct Splitter {
    always: bool,
    state: State,
    /// White space of which it is not known yet whether it stands beside a tag.
    blank: String,
    /// So many bytes of a tag have come, after `blank`.
    matched: usize,
    #[cfg(test)]
    pub(super) examined: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing but white space, or a part of `<think>`.
    Start,
    /// In the block; whether any of it has come.
    Reasoning { begun: bool },
    /// Behind the block, and still on its last line or in blank lines.
    Closed { own_line: bool },
    /// Nothing counts any more.
    Text,
}

impl Splitter {
    /// For the answer of a model that always reasons, or of one that may. See the [module](super) for the difference.
    #[must_use]
    pub fn new(always: bool) -> Self {
        Self {
            always,
            state: State::Start,
            blank: String::new(),
            matched: 0,
            #[cfg(test)]
            examined: 0,
        }
    }

    /// Takes the next piece.
    pub fn push(&mut self, text: &str) -> Split {
        let mut split = Split::default();
        let mut rest = text;
        while let Some(&byte) = rest.as_bytes().first() {
            let used = match self.state {
                State::Start => self.start(byte, &mut split),
                State::Reasoning { begun } => self.reasoning(byte, rest, begun, &mut split),
                State::Closed { own_line } => self.closed(byte, own_line, &mut split),
                State::Text => {
                    split.text.push_str(rest);
                    rest.len()
                }
            };
            #[cfg(test)]
            {
                self.examined += used.max(1);
            }
            rest = rest.get(used..).unwrap_or_default();
        }
        split
    }

    /// Gives what is held: no more comes, or something other than text comes first.
    pub fn flush(&mut self) -> Split {
        let mut split = Split::default();
        match self.state {
            State::Start if self.always => {
                split.reasoning.push_str(self.take_matched(OPEN));
                self.state = State::Reasoning { begun: !split.reasoning.is_empty() };
            }
            State::Start => self.no_block(&mut split),
            State::Reasoning { begun } => {
                self.release(&mut split);
                self.state = State::Reasoning { begun: begun || !split.reasoning.is_empty() };
            }
            State::Closed { .. } => self.blank.clear(),
            State::Text => {}
        }
        split
    }

    /// Ends the search for a block: the provider has put the reasoning in a place of its own. Gives what is held.
    pub fn stand_down(&mut self) -> Split {
        let split = self.flush();
        self.state = State::Text;
        split
    }

    /// Whether all that is still to come is text.
    #[must_use]
    pub fn over(&self) -> bool {
        self.state == State::Text
    }

    fn start(&mut self, byte: u8, split: &mut Split) -> usize {
        if self.matched == 0 && is_blank(byte) && self.blank.len() < MOST_BLANK {
            // Before a block it is nothing, and what is no block is reasoning where the model always reasons.
            if !self.always {
                self.blank.push(char::from(byte));
            }
            return 1;
        }
        if OPEN.as_bytes().get(self.matched) == Some(&byte) {
            self.matched += 1;
            if self.matched == OPEN.len() {
                self.matched = 0;
                self.blank.clear();
                self.state = State::Reasoning { begun: false };
            }
            return 1;
        }
        if !self.always {
            self.no_block(split);
        } else if self.matched > 1 {
            split.reasoning.push_str(self.take_matched(OPEN));
            self.state = State::Reasoning { begun: true };
        } else {
            // Both tags begin alike, so one byte of the one is one of the other.
            self.state = State::Reasoning { begun: false };
        }
        0
    }

    fn no_block(&mut self, split: &mut Split) {
        split.text.push_str(&self.blank);
        split.text.push_str(self.take_matched(OPEN));
        self.blank.clear();
        self.state = State::Text;
    }

    fn reasoning(&mut self, byte: u8, rest: &str, begun: bool, split: &mut Split) -> usize {
        if CLOSE.as_bytes().get(self.matched) == Some(&byte) {
            self.matched += 1;
            if self.matched == CLOSE.len() {
                self.matched = 0;
                self.blank.clear();
                self.state = State::Closed { own_line: true };
            }
            return 1;
        }
        if self.matched == 0 && is_blank(byte) {
            if begun {
                self.blank.push(char::from(byte));
            }
            if self.blank.len() == 2 * MOST_BLANK {
                split.reasoning.extend(self.blank.drain(..MOST_BLANK));
            }
            return 1;
        }
        let used = match self.matched {
            0 => rest.bytes().position(|byte| byte == b'<' || is_blank(byte)).unwrap_or(rest.len()),
            // The byte may begin another tag: it is looked at again.
            _ => 0,
        };
        self.release(split);
        split.reasoning.push_str(rest.get(..used).unwrap_or_default());
        self.state = State::Reasoning { begun: true };
        used
    }

    fn closed(&mut self, byte: u8, own_line: bool, split: &mut Split) -> usize {
        if matches!(byte, b'\n' | b'\r') {
            self.blank.clear();
            self.state = State::Closed { own_line: false };
            return 1;
        }
        let indents = is_blank(byte) && self.blank.len() < MOST_BLANK;
        if indents {
            if !own_line {
                self.blank.push(char::from(byte));
            }
            return 1;
        }
        split.text.push_str(&self.blank);
        self.blank.clear();
        self.state = State::Text;
        0
    }

    fn release(&mut self, split: &mut Split) {
        split.reasoning.push_str(&self.blank);
        split.reasoning.push_str(self.take_matched(CLOSE));
        self.blank.clear();
    }

    fn take_matched(&mut self, tag: &'static str) -> &'static str {
        tag.get(..std::mem::take(&mut self.matched)).unwrap_or_default()
    }
}

/// White space around the tags.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
