//! What is to hold for any bytes at all: one function for each reader, called by the fuzzer and, with the recordings, by
//! `tests/it/fuzz_corpus.rs`. A breach is a panic.

mod answers;
mod parts;
mod requests;
mod streams;

/// One reader's name and the promises it has to keep.
pub type Target = (&'static str, fn(&[u8]));

/// All of them; each has a file in `fuzz_targets/`.
pub const TARGETS: [Target; 18] = [
    ("chat_request", requests::chat),
    ("responses_request", requests::responses),
    ("messages_request", requests::messages),
    ("completions_request", requests::completions),
    ("embeddings_request", requests::embeddings),
    ("chat_answer", answers::chat),
    ("responses_answer", answers::responses),
    ("messages_answer", answers::messages),
    ("gemini_answer", answers::gemini),
    ("chat_stream", streams::chat),
    ("responses_stream", streams::responses),
    ("messages_stream", streams::messages),
    ("gemini_stream", streams::gemini),
    ("think", parts::think),
    ("provider_error", parts::provider_error),
    ("sse", parts::sse),
    ("seal", parts::seal),
    ("json", parts::json),
];

/// Keeps the promises of the reader with this name.
///
/// # Panics
/// They are broken, or there is no such reader.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.unwrap_or_else(|| panic!("no reader is called {name}")).1(data);
}

/// The grammar of JSON; a provider's own faults inside strings may stand where its bytes pass through.
fn is_json(body: &[u8]) -> bool {
    let mut scanner = waypost::wire::json::Scanner::lenient(body);
    scanner.skip().is_ok() && scanner.end().is_ok()
}

/// What a client's parser would say.
fn is_strict_json(body: &[u8]) -> bool {
    serde_json::from_slice::<&serde_json::value::RawValue>(body).is_ok()
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
