//! Every recorded answer of every provider through every client's format, and every recorded request to every provider's:
//! what a client reads is what its official SDK accepts and what the provider said; what a provider is sent is valid by
//! its own schema. The checks are `tests/sdk/recorded.py`'s; their outcome is the matrix in docs/formats.md.

use std::path::PathBuf;
use std::process::Command;

use crate::harness::{Cut, Gateway, Replay, Setup, exchanges, fixtures, python, repository};

/// What the models of these tests can do: everything, so that a refusal is about the format.
const ALL: &str = "supports: [tools, parallel_tools, json_schema, images, documents, audio, logprobs, reasoning, \
                   server_tools, state], max_output: 200000";

/// The provider's kind for a recording, and what its model is called in.
fn spoken(provider: &str, endpoint: &str) -> (&'static str, &'static str) {
    match (provider, endpoint) {
        // DeepSeek's Responses endpoint is no part of its documented API.
        (_, "responses") if provider != "xai" => ("openai", "responses"),
        ("xai", "responses") => ("xai", "responses"),
        ("anthropic", _) => ("anthropic", "messages"),
        ("gemini" | "vertex", _) => ("gemini", "gemini"),
        ("mistral", _) => ("mistral", "chat"),
        ("deepseek", _) => ("deepseek", "chat"),
        ("groq", _) => ("groq", "chat"),
        ("openrouter", _) => ("openrouter", "chat"),
        ("xai", _) => ("xai", "chat"),
        ("ollama", _) => ("ollama", "chat"),
        ("vllm" | "gpustack-vllm", _) => ("vllm", "chat"),
        ("llama.cpp", _) => ("llamacpp", "chat"),
        ("openai" | "azure", _) => ("openai", "chat"),
        other => panic!("{other:?} is new: say how it is spoken to"),
    }
}

/// One model for each recording, named as the recording is.
fn answers(replay: &Replay) -> Setup {
    let mut setup = Setup::new().section("retry: { attempts: 1 }").section("on_unsupported: drop");
    for exchange in exchanges() {
        let (kind, wire) = spoken(&exchange.provider, &exchange.endpoint);
        let facts = format!("kind: {kind}, credentials: [{{ api_key: sk-waypost-secret-of-ours }}]");
        let model = format!("tier: weak, wire: {wire}, {ALL}");
        setup = setup.provider_at(&exchange.name, &replay.endpoint(&exchange.name), &facts).model(
            &exchange.name,
            &exchange.name,
            &model,
        );
    }
    setup
}

/// Where recorded requests are sent: model, kind, format, and what answers.
const TARGETS: [(&str, &str, &str, &str, &str); 9] = [
    ("to.openai", "openai", "chat", "001-openai-chat-text", "005-openai-chat-stream-text-usage"),
    ("to.responses", "openai", "responses", "018-openai-responses-text", "019-openai-responses-stream-text"),
    ("to.anthropic", "anthropic", "messages", "026-anthropic-messages-text", "027-anthropic-messages-stream-text"),
    ("to.gemini", "gemini", "gemini", "051-gemini-gen-structured", "055-gemini-gen-stream-stream-text"),
    ("to.deepseek", "deepseek", "chat", "093-deepseek-chat-text", "096-deepseek-chat-stream-text"),
    ("to.mistral", "mistral", "chat", "087-mistral-chat-text", "088-mistral-chat-stream-text"),
    ("to.groq", "groq", "chat", "100-groq-chat-text", "101-groq-chat-stream-text"),
    ("to.openrouter", "openrouter", "chat", "110-openrouter-chat-reasoning", "106-openrouter-chat-stream-comments"),
    ("to.vllm", "vllm", "chat", "117-vllm-chat-text", "118-vllm-chat-stream"),
];

fn with_targets(mut setup: Setup, replay: &Replay) -> Setup {
    for (name, kind, wire, whole, stream) in TARGETS {
        replay.stand_in(name, whole, stream);
        setup = setup.provider_at(name, &replay.endpoint(name), &format!("kind: {kind}"));
        for (model, unsupported) in [(name.to_owned(), "reject"), (name.replace("to.", "drop."), "drop")] {
            let more = format!("tier: weak, wire: {wire}, upstream: a-model, on_unsupported: {unsupported}, {ALL}");
            setup = setup.model(&model, name, &more);
        }
    }
    setup
}

/// Runs the checks, which must all hold, and gives the table they write.
fn check(gateway: &Gateway, replay: &Replay, arguments: &[&str]) -> Result<String, String> {
    let table = tempfile::NamedTempFile::new().unwrap();
    let ran = Command::new(python())
        .arg("tests/sdk/recorded.py")
        .args(arguments)
        .args(["--gateway", &format!("http://{}", gateway.data), "--replay", &replay.origin()])
        .arg("--fixtures")
        .arg(fixtures())
        .arg("--table")
        .arg(table.path())
        .current_dir(repository())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&ran.stdout);
    if !ran.status.success() {
        return Err(format!("{printed}{}", String::from_utf8_lossy(&ran.stderr)));
    }
    Ok(std::fs::read_to_string(table.path()).unwrap())
}

/// Fails unless all checks held and the page tells of them.
fn must_hold(part: &str, gateway: Gateway, checked: Result<String, String>) {
    // Its log is a line a request and would hide the failures.
    drop(gateway);
    match checked {
        Ok(table) => must_be_documented(part, &table),
        Err(failures) => panic!("{failures}"),
    }
}

/// Fails unless the page holds this table between its marks; `UPDATE=1` puts it there.
fn must_be_documented(part: &str, table: &str) {
    let page: PathBuf = repository().join("docs/formats.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (begin, end) = (format!("<!-- {part}: written by a test -->\n"), format!("<!-- end of {part} -->"));
    let from = text.find(&begin).unwrap_or_else(|| panic!("{begin} is missing")) + begin.len();
    let to = text.find(&end).unwrap_or_else(|| panic!("{end} is missing"));
    let wanted = format!("{}\n{table}\n{}", &text[..from], &text[to..]);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&page, &wanted).unwrap();
        return;
    }
    assert!(text == wanted, "docs/formats.md is old: run this test once more with UPDATE=1\n{table}");
}

#[test]
fn every_recorded_answer_reaches_every_client_as_the_provider_gave_it() {
    let replay = Replay::start();
    let gateway = with_targets(answers(&replay), &replay).start();
    let checked = check(&gateway, &replay, &["answers"]);
    must_hold("answers", gateway, checked);
}

#[test]
fn every_recorded_request_reaches_every_provider_as_its_format_wants_it() {
    let replay = Replay::start();
    let gateway = with_targets(Setup::new().section("retry: { attempts: 1 }"), &replay).start();
    let checked = check(&gateway, &replay, &["requests"]);
    must_hold("requests", gateway, checked);
}

#[test]
fn a_stream_cut_anywhere_on_the_wire_reaches_every_client_whole() {
    let replay = Replay::start();
    let gateway = with_targets(answers(&replay), &replay).start();
    for cut in [Cut::Bytes, Cut::Random { pieces: 1000, seed: 7 }] {
        replay.cut(cut);
        if let Err(failures) = check(&gateway, &replay, &["answers", "--only", "stream-tool"]) {
            drop(gateway);
            panic!("{cut:?}:\n{failures}");
        }
    }
}
