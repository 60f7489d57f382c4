//! Ten thousand spoilt configurations and policies: each is refused with a place and words, or is a valid one. None panics.

use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use waypost::config::{self, Config, Problem, Severity};
use waypost::policy::Policies;

const EACH: usize = 5_000;

/// What a slip of the hand, or of a template, puts into YAML and CEL.
const PIECES: [&str; 40] = [
    ":",
    "-",
    "#",
    "[",
    "]",
    "{",
    "}",
    ",",
    "\"",
    "'",
    "|",
    ">",
    "&a",
    "*a",
    "!!int",
    "%",
    "@",
    "`",
    "\t",
    "  ",
    "\n",
    "\n  - ",
    "null",
    "true",
    "-1",
    "1e400",
    "0x10",
    "99999999999999999999",
    "é",
    "\u{feff}",
    "\u{0}",
    "${HOME}",
    "${",
    "file:",
    "<<: *a",
    "&&",
    "==",
    "!",
    "(",
    "labels[\"x\"]",
];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found: Vec<(PathBuf, String)> = std::fs::read_dir(repository().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    found.sort();
    found
}

/// Does one to four things to a text.
fn spoil(text: &str, random: &mut StdRng) -> String {
    let mut text = text.to_owned();
    for _ in 0..random.random_range(1..=4) {
        let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
        let line = random.random_range(0..lines.len());
        match random.random_range(0..8) {
            0 => drop(lines.remove(line)),
            1 => lines.insert(line, lines[line].clone()),
            2 => lines.swap(line, random.random_range(0..text.split('\n').count())),
            3 => lines[line] = format!("{}{}", " ".repeat(random.random_range(0..5)), lines[line].trim_start()),
            4 => lines.truncate(line),
            5 => {
                let words: Vec<&str> = text.split_whitespace().collect();
                let (old, new) = (words.choose(random), words.choose(random));
                if let (Some(old), Some(new)) = (old, new) {
                    lines[line] = lines[line].replacen(old, new, 1);
                }
            }
            _ => {
                let at = random.random_range(0..=lines[line].len());
                let at = (at..=lines[line].len()).find(|&at| lines[line].is_char_boundary(at)).unwrap();
                if random.random_bool(0.3) {
                    lines[line].truncate(at);
                }
                let at = at.min(lines[line].len());
                lines[line].insert_str(at, PIECES.choose(random).unwrap());
            }
        }
        text = lines.join("\n");
    }
    text
}

/// What may be wrong with a file that is not wrong at a place in it: that something is not there at all.
const WITHOUT_PLACE: [&str; 2] = ["there are no models", "there are no providers"];

/// Every error says what is wrong, and of the spoilt file where in it; at least one is an error.
fn judge(problems: &[Problem], file: &Path, lines: usize, place: &str) {
    assert!(problems.iter().any(|problem| problem.severity == Severity::Error), "{place}: refused without an error");
    let mut without_place = Vec::new();
    for problem in problems {
        assert!(!problem.message.trim().is_empty(), "{place}: an error without words");
        if problem.file != file {
            continue;
        }
        if (problem.line, problem.column) == (0, 0) {
            without_place.push(problem.message.as_str());
            continue;
        }
        let line = problem.line as usize;
        assert!(1 <= line && line <= lines + 1, "{place}: line {line} of {lines}: {problem}");
        assert!(problem.column >= 1, "{place}: column {}: {problem}", problem.column);
    }
    let all = without_place.len();
    without_place.sort_unstable();
    without_place.dedup();
    assert_eq!(without_place.len(), all, "{place}: the same twice: {problems:#?}");
    assert!(without_place.iter().all(|message| WITHOUT_PLACE.contains(message)), "{place}: no place: {problems:#?}");
}

fn seed() -> (u64, StdRng) {
    let seed = std::env::var("WAYPOST_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("WAYPOST_TEST_SEED={seed}");
    (seed, StdRng::seed_from_u64(seed))
}

#[test]
fn a_spoilt_configuration_is_refused_with_words_or_is_valid() {
    let (seed, mut random) = seed();
    let mut sources = files("config");
    sources.extend(files("config/quickstart"));
    sources.extend(files("tests/fixtures/configs"));
    let (mut valid, mut refused) = (0, 0);
    for number in 0..EACH {
        let (path, text) = sources.choose(&mut random).unwrap();
        let text = spoil(text, &mut random);
        let place = format!("seed {seed}, number {number}, of {}\n{text}", path.display());
        match config::load_made(path, &text) {
            Ok(_) => valid += 1,
            Err(problems) => {
                refused += 1;
                judge(&problems, path, text.split('\n').count(), &place);
            }
        }
    }
    assert!(valid > EACH / 50 && refused > EACH / 2, "{valid} valid, {refused} refused: the faults are too dull");
}

fn configuration() -> Config {
    let path = repository().join("config/openai-compatible.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    config::load_made(&path, &text).unwrap_or_else(|problems| panic!("{problems:#?}")).config
}

#[test]
fn a_spoilt_policy_is_refused_with_words_or_is_valid() {
    let (seed, mut random) = seed();
    let config = configuration();
    let sources = files("policies");
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in &sources {
        std::fs::write(folder.path().join(path.file_name().unwrap()), text).unwrap();
    }
    let (mut valid, mut refused) = (0, 0);
    for number in 0..EACH {
        let (path, whole) = sources.choose(&mut random).unwrap();
        let text = spoil(whole, &mut random);
        let place = format!("seed {seed}, number {number}, of {}\n{text}", path.display());
        let file = folder.path().join(path.file_name().unwrap());
        std::fs::write(&file, &text).unwrap();
        match Policies::load(Some(folder.path()), &config) {
            Ok(_) => valid += 1,
            Err(problems) => {
                refused += 1;
                judge(&problems, &file, text.split('\n').count(), &place);
            }
        }
        std::fs::write(&file, whole).unwrap();
    }
    assert!(valid > EACH / 50 && refused > EACH / 2, "{valid} valid, {refused} refused: the faults are too dull");
}
