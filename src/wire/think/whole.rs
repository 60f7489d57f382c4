//! The block taken out of a whole answer.

use super::splitter::{CLOSE, OPEN, Split, Splitter};
use crate::chat::{Answer, Choice, Content, Finish, Reasoning};

/// Takes the block out of every choice that begins with one; `always` as in [`Splitter::new`]. Where the provider gives
/// the reasoning in a place of its own, the text is left alone.
pub fn split_answer(answer: &mut Answer, always: bool) {
    for choice in &mut answer.choices {
        split_choice(choice, always);
    }
}

fn split_choice(choice: &mut Choice, always: bool) {
    let reasons = choice.parts.iter().any(|part| matches!(part.content, Content::Reasoning(_)));
    let Some(first) = choice.parts.first_mut().filter(|_| !reasons) else { return };
    let Content::Text(text) = &mut first.content else { return };
    let well = choice.finish.as_ref().is_some_and(Finish::is_good);
    let Some(split) = split_text(text, always, well) else { return };
    *text = split.text;
    if text.is_empty() {
        choice.parts.remove(0);
    }
    if !split.reasoning.is_empty() {
        let reasoning = Reasoning { parts: vec![split.reasoning], seal: None };
        choice.parts.insert(0, Content::Reasoning(reasoning).into());
    }
}

/// Takes the block off a whole text; `always` as in [`Splitter::new`], `well` if the answer was not cut off. `None`: there
/// is no block.
#[must_use]
pub fn split_text(text: &str, always: bool, well: bool) -> Option<Split> {
    let opened = text.trim_start().starts_with(OPEN);
    let inside = !opened
        && match text.find(CLOSE) {
            Some(_) if always => true,
            Some(at) => text.get(..at).is_some_and(is_lone),
            // A model that always reasons was cut off while it did; one that ended well without a tag did not reason.
            None => always && !well && !text.is_empty(),
        };
    if !opened && !inside {
        return None;
    }
    let mut splitter = Splitter::new(inside);
    let mut split = splitter.push(text);
    let rest = splitter.flush();
    split.reasoning.push_str(&rest.reasoning);
    split.text.push_str(&rest.text);
    Some(split)
}

/// Whether a `</think>` after this belongs to a block that the prompt opened: none opens here, and no code is open
/// (backticks come in pairs where it is closed).
fn is_lone(before: &str) -> bool {
    !before.contains(OPEN) && before.bytes().filter(|&byte| byte == b'`').count().is_multiple_of(2)
}
