//! The README's first policy: its files as they stand there, and what its commands make of them.

use std::path::Path;

use crate::harness::{Ran, repository, waypost_in};

/// The part under this heading, up to the next of its rank.
fn section(heading: &str) -> String {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let (_, from) = readme.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no `{heading}`"));
    from.split("\n## ").next().unwrap().to_owned()
}

/// Its code blocks in this language, in order.
fn blocks<'s>(section: &'s str, language: &str) -> Vec<&'s str> {
    let fences: Vec<&str> = section.split("```").collect();
    let inside = fences.iter().skip(1).step_by(2);
    inside.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n')).collect()
}

/// Writes each file where the comment in its first line says.
fn write_files(section: &str, folder: &Path) {
    let files = blocks(section, "yaml");
    assert_eq!(files.len(), 3, "a configuration, a policy and its cases");
    for text in files {
        let (place, _) = text.strip_prefix("# ").and_then(|text| text.split_once('\n')).expect("it says where it goes");
        let path = folder.join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// A line of shell as arguments: words, some in quotes, up to a comment.
fn arguments(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ') => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    assert_eq!(quote, None, "{line}");
    words.extend(word);
    words
}

/// Words with single blanks. What the network gives, a probability in three digits, may differ in the last of them with
/// the processor.
fn words(line: &str) -> String {
    let is_probability = |word: &&str| word.len() == 5 && word.starts_with("0.") && word.parse::<f64>().is_ok();
    let words: Vec<&str> =
        line.split_whitespace().map(|word| if is_probability(&word) { "0.…" } else { word }).collect();
    words.join(" ")
}

fn must_show(ran: &Ran, shown: &str) {
    let printed: Vec<String> = ran.stdout.lines().map(words).collect();
    for line in shown.lines().map(words) {
        assert!(printed.contains(&line), "the README shows `{line}`, which is not in\n{ran}");
    }
}

#[test]
fn the_readmes_first_policy_does_what_the_readme_says() {
    let section = section("A first policy");
    let folder = tempfile::tempdir().unwrap();
    write_files(&section, folder.path());
    let shown = blocks(&section, "text");
    let [explained, refuted] = shown[..] else { panic!("what `explain` prints and what `prove` prints: {shown:?}") };
    let mut ran = Vec::new();
    for line in blocks(&section, "sh").into_iter().flat_map(str::lines) {
        let words = arguments(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ["waypost", command, ..] = words[..] else { panic!("no command of ours: {line}") };
        // They need outcomes that the reader has to bring, or do not end.
        if ["calibrate", "eval", "serve"].contains(&command) {
            continue;
        }
        let did = waypost_in(folder.path(), &words[1..], &[]);
        let code = match words[1..3] {
            ["explain", _] => {
                must_show(&did, explained);
                0
            }
            ["policy", "prove"] => {
                must_show(&did, refuted);
                1
            }
            _ => 0,
        };
        assert_eq!(did.code, code, "{line}: {did}");
        ran.push(words[1..3].join(" "));
    }
    assert_eq!(ran, ["check --config", "explain --config", "policy test", "policy test", "policy prove"]);
    assert!(section.contains("`--never 'jurisdictions in [CN]'`"), "the README says what is proved");
    let proved =
        waypost_in(folder.path(), &["policy", "prove", "--policy", "first", "--never", "jurisdictions in [CN]"], &[]);
    assert_eq!(proved.code, 0, "{proved}");
    assert!(proved.stdout.starts_with("proved:"), "{proved}");
}
