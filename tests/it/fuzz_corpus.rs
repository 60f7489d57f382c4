//! The fuzzer's promises, kept for every recording there is and for many faults in each.

use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use crate::harness::repository;

#[path = "../../fuzz/src/lib.rs"]
#[allow(unreachable_pub)]
mod readers;

/// Places in each recording at which something is broken, each in a copy of its own; fewer in a large one.
const FAULTS: usize = 200;
/// Bytes of broken copies of one recording.
const WORK: usize = 12 << 10;

/// The readers that a recording of such an endpoint is for: its request's, its whole answer's, its stream's.
const ENDPOINTS: [(&str, [&str; 3]); 8] = [
    ("chat", ["chat_request", "chat_answer", "chat_stream"]),
    ("responses", ["responses_request", "responses_answer", "responses_stream"]),
    ("messages", ["messages_request", "messages_answer", "messages_stream"]),
    ("gen", ["json", "gemini_answer", "gemini_stream"]),
    ("gen-stream", ["json", "gemini_answer", "gemini_stream"]),
    ("raw", ["json", "messages_answer", "messages_stream"]),
    ("completions", ["completions_request", "chat_answer", "chat_stream"]),
    ("embeddings", ["embeddings_request", "json", "json"]),
];

/// Endpoints whose recordings nothing here reads: Bedrock's and Ollama's own, which no provider kind speaks, and counts.
const NOT_SPOKEN: [&str; 6] = ["converse", "converse-stream", "invoke", "invoke-stream", "ollama-chat", "count"];

/// A recording as its reader takes it.
struct Seed {
    name: String,
    reader: &'static str,
    bytes: Vec<u8>,
}

fn seeds() -> Vec<Seed> {
    let folder = repository().join("tests/fixtures/exchanges");
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("there are recordings") {
        let path = entry.expect("it can be listed").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            add(&path, &folder, &mut seeds);
        }
    }
    seeds.sort_by(|one, other| one.name.cmp(&other.name));
    seeds
}

fn add(path: &Path, folder: &Path, seeds: &mut Vec<Seed>) {
    let meta: Value = serde_json::from_slice(&std::fs::read(path).expect("it is there")).expect("it is JSON");
    let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
    let endpoint = meta["endpoint"].as_str().unwrap_or_default();
    if NOT_SPOKEN.contains(&endpoint) {
        return;
    }
    let Some((_, [request, answer, stream])) = ENDPOINTS.iter().find(|(known, _)| *known == endpoint) else {
        panic!("{name} is of the endpoint `{endpoint}`, which is neither in ENDPOINTS nor in NOT_SPOKEN");
    };
    let mut push = |reader: &'static str, bytes: Vec<u8>| seeds.push(Seed { name: name.clone(), reader, bytes });
    let written = |value: &Value| serde_json::to_vec(value).expect("it was JSON");
    push(request, written(&meta["request"]["body"]));
    if let Some(body) = meta["response"].get("body") {
        push(answer, written(body));
        push("provider_error", [b"\x01", &written(body)[..]].concat());
    }
    let file = meta["response"]["body_file"].as_str().filter(|file| file.ends_with(".sse"));
    if let Some(file) = file {
        let raw = std::fs::read(folder.join(file)).expect("it is there");
        for settings in 0..3 {
            push(stream, [&[settings, 11], &raw[..]].concat());
        }
        push("sse", [b"\x03", &raw[..]].concat());
        push("think", [b"\x00\x03", &raw[..]].concat());
    }
}

/// Breaks one thing at one place.
fn fault(bytes: &mut Vec<u8>, random: &mut StdRng) {
    const WORDS: [&[u8]; 14] = [
        b"null",
        b"\"",
        b"{",
        b"}",
        b"[",
        b"]",
        b"\\u0000",
        b"\\ud800",
        b"<think>",
        b"</think>",
        b"-1",
        b"1e999",
        b"\r\n",
        b"\xff",
    ];
    let at = random.random_range(0..=bytes.len());
    let until = (at + random.random_range(0..9)).min(bytes.len());
    match random.random_range(0..4) {
        0 => drop(bytes.drain(at..until)),
        1 => drop(bytes.splice(at..until, WORDS[random.random_range(0..WORDS.len())].iter().copied())),
        2 => {
            let piece = bytes[at..until].to_vec();
            drop(bytes.splice(at..at, piece));
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random.random();
            }
        }
    }
}

#[test]
fn every_recording_whole_and_broken_keeps_every_promise() {
    let seeds = seeds();
    assert!(seeds.len() > 300, "{}", seeds.len());
    for reader in readers::TARGETS {
        assert!(
            reader.0 == "seal" || seeds.iter().any(|seed| seed.reader == reader.0),
            "no recording for {}",
            reader.0
        );
    }
    let mut failed = Vec::new();
    for (nth, seed) in seeds.iter().enumerate() {
        readers::run(seed.reader, &seed.bytes);
        let mut random = StdRng::seed_from_u64(nth as u64);
        for copy in 0..(WORK / seed.bytes.len().max(1)).clamp(2, FAULTS) {
            let mut broken = seed.bytes.clone();
            // Every other one gets a second fault: some only show together.
            for _ in 0..=copy % 2 {
                fault(&mut broken, &mut random);
            }
            if std::panic::catch_unwind(|| readers::run(seed.reader, &broken)).is_err() {
                failed.push(format!("{} of {}, copy {copy}", seed.reader, seed.name));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn seals_of_every_kind_keep_their_promise() {
    for text in ["", "a", "a\x01b", "a\n\nb\x01", "\u{fc}\x01\x01"] {
        for signature in ["", "s", "wp1:open:1-1::", "wp1:openai.text:1:rs_1:data", "wp1:gemini.call:::a:b", "%\u{fc}:"]
        {
            for kinds in 0..20 {
                let data = [&[kinds, kinds / 5], text.as_bytes(), b"\0", signature.as_bytes()].concat();
                readers::run("seal", &data);
            }
        }
    }
}
