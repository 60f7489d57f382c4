use super::*;
use crate::chat::{Answer, Choice, Content, Event, Finish, Reasoning};
use crate::wire::stream::{Decoder, StreamError};

fn pieces<'a>(always: bool, pieces: impl IntoIterator<Item = &'a str>) -> (String, String) {
    let mut splitter = Splitter::new(always);
    let mut all = Split::default();
    let mut add = |split: Split| {
        assert!(split.reasoning.is_empty() || all.text.is_empty(), "reasoning stands before text");
        all.reasoning.push_str(&split.reasoning);
        all.text.push_str(&split.text);
    };
    for piece in pieces {
        add(splitter.push(piece));
    }
    add(splitter.flush());
    (all.reasoning, all.text)
}

fn split(always: bool, text: &str) -> (String, String) {
    let whole = pieces(always, [text]);
    let characters: Vec<String> = text.chars().map(String::from).collect();
    assert_eq!(pieces(always, characters.iter().map(String::as_str)), whole, "{text:?}");
    whole
}

#[test]
fn only_a_leading_block_is_reasoning() {
    for (text, reasoning, rest) in [
        ("<think>a</think>b", "a", "b"),
        ("\n <think>\na\n</think>\n\nb\n", "a", "b\n"),
        ("<think> a  b \n\n</think>  b", "a  b", "b"),
        ("<think>\n\n</think>\n\nb", "", "b"),
        ("<think></think>", "", ""),
        ("<think>a</think>\n \n    indented", "a", "    indented"),
        ("<think>a<b</thin</think>b", "a<b</thin", "b"),
        ("<think>a<</think>b", "a<", "b"),
        ("<think>a", "a", ""),
        ("<think>a </thin", "a </thin", ""),
        ("<think>a</think>b<think>c</think>`</think>`", "a", "b<think>c</think>`</think>`"),
        ("<think>a<think>b</think>c", "a<think>b", "c"),
        ("b <think>a</think>", "", "b <think>a</think>"),
        ("  b", "", "  b"),
        ("`<think>`", "", "`<think>`"),
        ("<thin", "", "<thin"),
        ("<thinking>a", "", "<thinking>a"),
        (" <", "", " <"),
        ("a</think>b", "", "a</think>b"),
        ("", "", ""),
    ] {
        assert_eq!(split(false, text), (reasoning.to_owned(), rest.to_owned()), "{text:?}");
    }
}

#[test]
fn what_always_reasons_begins_inside_the_block() {
    for (text, reasoning, rest) in [
        ("a\n</think>\n\nb", "a", "b"),
        ("\n\na</think>b", "a", "b"),
        ("</think>b", "", "b"),
        ("<</think>b", "<", "b"),
        ("<th</think>b", "<th", "b"),
        (" <think>a</think>b", "a", "b"),
        ("a", "a", ""),
        ("<", "<", ""),
        ("<thi", "<thi", ""),
        ("a</think>b</think>c", "a", "b</think>c"),
    ] {
        assert_eq!(split(true, text), (reasoning.to_owned(), rest.to_owned()), "{text:?}");
    }
}

#[test]
fn long_white_space_is_not_held() {
    let long = " ".repeat(1000);
    assert_eq!(split(false, &format!("{long}<think>a")).1, format!("{long}<think>a"));
    assert_eq!(split(false, &format!("<think>a{long}b")).0, format!("a{long}b"));
    let (reasoning, text) = split(false, &format!("<think>a{long}</think>\n{long}b"));
    assert!(reasoning.len() > 800 && reasoning.starts_with("a  "), "only the last of it was held");
    assert_eq!(text, format!("{long}b"));
}

#[test]
fn ten_megabytes_of_half_tags_are_looked_at_twice_at_most() {
    const SIZE: usize = 10 << 20;
    for unit in ["<", "<thi", "</thin", "\n</think", " ", "<think>", "< ", "\n\n\n", "</think>"] {
        for (always, prefix) in [(false, ""), (false, "<think>"), (true, "")] {
            // A byte at a time takes longest, so there is less of it.
            for (cut, size) in [(1usize, SIZE / 10), (4096, SIZE)] {
                let text = format!("{prefix}{}", unit.repeat(size / unit.len()));
                let mut splitter = Splitter::new(always);
                let (mut at, mut given) = (0, 0);
                while at < text.len() {
                    let end = (at + cut).min(text.len());
                    let split = splitter.push(&text[at..end]);
                    given += split.reasoning.len() + split.text.len();
                    at = end;
                }
                given += splitter.flush().text.len();
                assert!(splitter.examined <= 2 * text.len() + 8, "{unit:?}: {}", splitter.examined);
                assert!(given <= text.len());
            }
        }
    }
}

#[test]
fn a_whole_answer_ends_its_block_with_a_lone_tag_outside_code() {
    let split = |text, always, well| split_text(text, always, well).map(|split| (split.reasoning, split.text));
    let pair = |one: &str, other: &str| Some((one.to_owned(), other.to_owned()));
    assert_eq!(split("a\n</think>\n\nb", false, true), pair("a", "b"));
    assert_eq!(split("close it with `</think>`", false, true), None);
    assert_eq!(split("```\n</think>\n```", false, true), None);
    assert_eq!(split("write <think> and </think>", false, true), None);
    assert_eq!(split("use `x`\n</think>b", false, true), pair("use `x`", "b"));
    assert_eq!(split("<think>a", false, true), pair("a", ""));
    assert_eq!(split("plain", true, true), None, "it did not reason after all");
    assert_eq!(split("cut off", true, false), pair("cut off", ""));
    assert_eq!(split("", true, false), None);
}

#[test]
fn a_whole_answers_block_becomes_reasoning() {
    let text = |text: &str| Content::Text(text.to_owned());
    let answer = |parts: Vec<Content>| Answer {
        choices: vec![Choice {
            parts: parts.into_iter().map(Into::into).collect(),
            finish: Some(Finish::Stop),
            ..Choice::default()
        }],
        ..Answer::default()
    };
    let reasoning = |text: &str| Content::Reasoning(Reasoning { parts: vec![text.to_owned()], seal: None });
    for (before, after) in [
        (vec![text("<think>a</think>b")], vec![reasoning("a"), text("b")]),
        (vec![text("<think>a</think>")], vec![reasoning("a")]),
        (vec![text("<think></think>b")], vec![text("b")]),
        (vec![text("b")], vec![text("b")]),
        (vec![reasoning("x"), text("<think>a</think>b")], vec![reasoning("x"), text("<think>a</think>b")]),
        (vec![Content::Refusal("no".into()), text("<think>")], vec![Content::Refusal("no".into()), text("<think>")]),
    ] {
        let mut split = answer(before);
        split_answer(&mut split, false);
        assert_eq!(split, answer(after));
    }
}

/// Gives the events it was made of, one a call.
struct Said(Vec<Event>);

impl Decoder for Said {
    fn event(&mut self, _: Option<&[u8]>, _: &[u8], out: &mut Vec<Event>) -> Result<(), StreamError> {
        out.push(self.0.remove(0));
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), StreamError> {
        out.push(Event::End);
        Ok(())
    }
}

fn thought(always: bool, events: Vec<Event>) -> Vec<Event> {
    let count = events.len();
    let mut thinking = Thinking::new(Said(events), always);
    let mut out = Vec::new();
    for _ in 0..count {
        thinking.event(None, b"x", &mut out).unwrap();
    }
    thinking.finish(&mut out).unwrap();
    out
}

fn text(choice: u32, text: &str) -> Event {
    Event::Text { choice, text: text.to_owned() }
}

fn reasoning(choice: u32, text: &str) -> Event {
    Event::Reasoning { choice, text: text.to_owned() }
}

#[test]
fn each_choice_of_a_stream_has_its_own_block() {
    let finish = |choice| Event::Finish { choice, reason: Finish::Stop };
    let said = vec![text(0, "<thi"), text(1, "x"), text(0, "nk>a"), text(1, "<think>"), text(0, " </think>\nb <")];
    let heard = vec![text(1, "x"), reasoning(0, "a"), text(1, "<think>"), text(0, "b <")];
    assert_eq!(thought(false, [said, vec![finish(0)]].concat()), [heard, vec![finish(0), Event::End]].concat());
}

#[test]
fn what_is_held_comes_before_what_follows() {
    let call = Event::ToolCall { choice: 0, index: 0, id: "i".into(), name: "n".into(), seal: None };
    let heard = thought(true, vec![text(0, "a </"), call.clone(), text(0, "</think>b")]);
    assert_eq!(heard, [reasoning(0, "a"), reasoning(0, " </"), call, text(0, "b"), Event::End]);
    assert_eq!(thought(false, vec![text(0, "\n<")]), [text(0, "\n<"), Event::End]);
}

#[test]
fn a_provider_with_a_field_for_reasoning_is_believed() {
    let said = vec![reasoning(0, "a"), text(0, "<think>b</think>")];
    assert_eq!(thought(true, said.clone()), [said, vec![Event::End]].concat());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(3000))]

    #[test]
    fn any_cut_gives_the_same_and_only_tags_and_white_space_go(
        parts in proptest::collection::vec(0usize..14, 0..14),
        cuts in proptest::collection::vec(0usize..200, 0..6),
        always in proptest::bool::ANY,
    ) {
        const PARTS: [&str; 14] =
            ["<think>", "</think>", "<", "</", "<th", "think>", "\n", " ", "\r\n", "é", "a", "`", "\t", "</thin"];
        let text: String = parts.iter().map(|&part| PARTS[part]).collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (text.len() + 1)).collect();
        cuts.retain(|&cut| text.is_char_boundary(cut));
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let (thought, said) = pieces(always, [text.as_str()]);
        let cut = pieces(always, cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]));
        proptest::prop_assert_eq!(&cut, &(thought.clone(), said.clone()));
        let head = text.strip_suffix(&said).unwrap_or_else(|| panic!("{text:?} ends with {said:?}"));
        let apart = (0..=head.len()).filter(|&at| head.is_char_boundary(at)).any(|at| {
            let (before, rest) = head.split_at(at);
            let after = rest.strip_prefix(&thought).map(str::trim);
            matches!(before.trim(), "" | "<think>") && matches!(after, Some("" | "</think>"))
        });
        proptest::prop_assert!(apart, "{:?} became {:?} and {:?}", text, thought, said);
    }
}
