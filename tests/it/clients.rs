//! `curl`, the official SDKs, LangChain and the Vercel AI SDK get their answers, whole and streamed, over every HTTP
//! version.

use std::path::Path;
use std::process::Command;

use crate::harness::{
    ABROAD, Answer, LlamaCpp, Setup, TEXT, Upstream, VirtualKey, chat, chat_stream, curl, is_done, python, repository,
    said,
};

const JSON: &str = "content-type: application/json";

fn real() -> Setup {
    let llama = LlamaCpp::start();
    Setup::new().provider_at("own", &llama.origin(), "kind: llamacpp").model("tiny", "own", "tier: weak")
}

fn ask(url: &str, body: &serde_json::Value, more: &[&str]) -> Answer {
    let body = body.to_string();
    let arguments = [&["-N", "-H", JSON, "-d", body.as_str(), url], more].concat();
    curl(&arguments)
}

#[test]
fn curl_gets_a_whole_answer_from_a_real_model() {
    let gateway = real().start();
    let answer = ask(&gateway.url("/v1/chat/completions"), &chat("tiny", "SCRIPT=text please"), &[]);
    assert_eq!(answer.said(), TEXT);
    assert_eq!(answer.expect_header("content-type"), "application/json");
    assert_eq!(answer.expect_header("x-waypost-model"), "tiny");
    assert_eq!(answer.expect_header("x-waypost-provider"), "own");
}

#[test]
fn curl_gets_a_streamed_answer_from_a_real_model() {
    let gateway = real().start();
    let answer = ask(&gateway.url("/v1/chat/completions"), &chat_stream("tiny", "SCRIPT=text please"), &[]);
    assert_eq!(answer.expect_header("content-type"), "text/event-stream");
    assert_eq!(said(&answer.events()), TEXT);
    assert!(is_done(&answer.events()));
}

#[test]
fn curl_gets_both_from_the_scripted_provider_and_is_told_that_it_is_scripted() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).start();
    let url = gateway.url("/v1/chat/completions");
    let whole = ask(&url, &chat("small", "hi"), &[]);
    assert_eq!(whole.said(), "Hello there.");
    assert_eq!(whole.json()["system_fingerprint"], "scripted");
    let streamed = ask(&url, &chat_stream("small", "hi"), &[]);
    assert_eq!(said(&streamed.events()), "Hello there.");
    assert!(streamed.text().contains(r#""system_fingerprint":"scripted""#));
}

#[test]
fn a_scripted_provider_without_an_endpoint_runs_inside_the_gateway() {
    let gateway = Setup::new().provider_at("x", "unused", "kind: scripted").model("small", "x", "tier: weak");
    let text = gateway.text().replace("endpoints: [\"unused\"], ", "");
    let (folder, path) = gateway.write();
    std::fs::write(path, text).unwrap();
    let gateway = crate::harness::Gateway::run(folder, &[]);
    let answer = ask(&gateway.url("/v1/chat/completions"), &chat("small", "hi"), &[]);
    assert_eq!(answer.json()["system_fingerprint"], "scripted");
}

#[test]
fn http2_with_prior_knowledge_is_served_on_the_same_port() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).start();
    let url = gateway.url("/v1/chat/completions");
    let whole = ask(&url, &chat("small", "hi"), &["--http2-prior-knowledge", "-w", ""]);
    assert_eq!(whole.said(), "Hello there.");
    let streamed = ask(&url, &chat_stream("small", "hi"), &["--http2-prior-knowledge"]);
    assert_eq!(said(&streamed.events()), "Hello there.");
    assert!(is_done(&streamed.events()));
}

#[test]
fn tls_offers_http2_and_http1_on_one_port() {
    let upstream = Upstream::plain();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = format!("listen: {{ tls: {{ cert: \"{}\", key: \"{}\" }} }}", cert.display(), key.display());
    let gateway = Setup::one(&upstream).section(&tls).start();
    gateway.must_print("https://");
    let url = gateway.url("/v1/chat/completions").replace("http://", "https://");
    for version in ["--http2", "--http1.1"] {
        let answer = ask(&url, &chat("small", "hi"), &["-k", version]);
        assert_eq!(answer.said(), "Hello there.", "{version}");
        let spoken =
            Command::new("curl").args(["-sk", version, "-o", "/dev/null", "-w", "%{http_version}", &url]).output();
        let spoken = String::from_utf8(spoken.unwrap().stdout).unwrap();
        assert_eq!(spoken, if version == "--http2" { "2" } else { "1.1" });
    }
}

#[test]
fn one_connection_carries_many_requests() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).start();
    let mut connection = gateway.connect();
    for turn in 0..30 {
        let body = if turn % 2 == 0 { chat("small", "hi") } else { chat_stream("small", "hi") };
        assert_eq!(gateway.chat(&body).over(&mut connection).status, 200, "turn {turn}");
    }
    // Not exactly one: now and then a connection is still being given back when the next request wants it.
    assert!(upstream.stats().connections < 10, "connections to the upstream are kept too");
}

/// Runs the program and gives what it printed. Fails unless it succeeded.
fn ran(command: &mut Command) -> String {
    let ran = command.current_dir(repository()).output().unwrap();
    let printed = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{printed}");
    printed
}

/// A model that says its thoughts in a field of their own, and one, of R1's kind, that writes them into its text.
fn reasoning() -> Setup {
    Setup::new()
        .provider_at("own", &LlamaCpp::start().origin(), "kind: llamacpp")
        .model("tiny", "own", "tier: weak")
        .provider_at("raw", &LlamaCpp::start_with_thoughts_in_the_text().origin(), "kind: llamacpp")
        .model("r1", "raw", "tier: weak, reasoning: { style: always, parser: think }, price: { input: 2, output: 20 }")
}

#[test]
fn the_official_sdks_get_all_they_ask_for() {
    let scripted = Upstream::script("{}");
    let (key, limited) = (VirtualKey::create(), VirtualKey::create());
    let keys = [key.entry("sdk", ""), limited.entry("limited", "tenant: limited")];
    let gateway = reasoning()
        .provider("played", &scripted, "")
        .model("played", "played", "tier: strong")
        .model("vectors-chat", "played", "kind: embedding")
        .provider("google", &scripted, "kind: gemini")
        .model("vectors-gemini", "google", "kind: embedding")
        .provider("far", &scripted, ABROAD)
        .model("far", "far", "tier: strong")
        .section("classifier: { model: embedded }")
        .section(&format!("auth: {{ keys: [{}] }}", keys.join(", ")))
        .section("tenants: [{ name: limited, limits: { requests_per_minute: 5 } }]")
        .start();
    let printed = ran(Command::new(python())
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "tests/sdk"])
        .args(["--ignore", "tests/sdk/test_matrix.py"])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("WAYPOST_SDK_ALL", "1")
        .env("WAYPOST_URL", format!("http://{}", gateway.data))
        .env("WAYPOST_KEY", &key.secret)
        .env("WAYPOST_LIMITED_KEY", &limited.secret)
        .env("WAYPOST_REAL_MODEL", "tiny")
        .env("WAYPOST_R1_MODEL", "r1")
        .env("WAYPOST_SCRIPTED_MODEL", "played")
        .env("WAYPOST_EMBEDDING_PREFIX", "vectors-")
        .env("WAYPOST_DENIED_MODEL", "far")
        .env("WAYPOST_DENIED_LABELS", "data-class=personal"));
    assert!(!printed.contains("skipped"), "{printed}");
}

#[test]
fn each_client_goes_through_a_tool_loop_with_reasoning_at_a_provider_of_each_format() {
    let scripted = Upstream::script("{}");
    let gateway = Setup::new()
        .provider("chat", &scripted, "")
        .model("at-chat", "chat", "tier: strong, reasoning: { style: toggle }")
        .provider("responses", &scripted, "kind: openai")
        .model("at-responses", "responses", "tier: strong, wire: responses, reasoning: { style: effort }")
        .provider("messages", &scripted, "kind: anthropic")
        .model("at-messages", "messages", "tier: strong, reasoning: { style: budget }")
        .provider("gemini", &scripted, "kind: gemini")
        .model("at-gemini", "gemini", "tier: strong, reasoning: { style: budget }")
        .start();
    let printed = ran(Command::new(python())
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "tests/sdk/test_matrix.py"])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("WAYPOST_SDK_ALL", "1")
        .env("WAYPOST_URL", format!("http://{}", gateway.data))
        .env("WAYPOST_MATRIX_PREFIX", "at-"));
    assert!(!printed.contains("skipped"), "{printed}");
}

#[test]
fn langchains_own_tests_see_no_difference_to_the_model_itself() {
    let llama = LlamaCpp::start();
    // The same name on both sides, for LangChain looks at names.
    let gateway = Setup::new()
        .provider_at("own", &llama.origin(), "kind: llamacpp")
        .model("scripted", "own", "tier: weak")
        .start();
    let printed = ran(Command::new(python())
        .args(["tests/sdk/langchain_diff.py", "--straight", &llama.origin(), "--through", &gateway.url("")])
        .args(["--model", "scripted"]));
    assert!(printed.contains("\nno difference to the worse"), "{printed}");
}

#[test]
fn the_vercel_ai_sdk_streams_text_tools_and_reasoning_in_every_format() {
    let gateway = reasoning().start();
    // Beside the Python of the tests, where `make test` puts it.
    let node = Path::new(&python()).with_file_name("node");
    let printed = ran(Command::new(node)
        .args(["tests/sdk/vercel/check.mjs"])
        .env("WAYPOST_URL", gateway.url(""))
        .env("WAYPOST_REAL_MODEL", "tiny")
        .env("WAYPOST_R1_MODEL", "r1"));
    assert!(printed.contains("\nall passed"), "{printed}");
}
