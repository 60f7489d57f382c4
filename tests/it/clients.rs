//! `curl` and the official `openai` SDK get their answers, whole and streamed, over every HTTP version.

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

#[test]
fn the_official_sdk_gets_all_it_asks_for() {
    let llama = LlamaCpp::start();
    let scripted = Upstream::script("{}");
    let (key, limited) = (VirtualKey::create(), VirtualKey::create());
    let keys = [key.entry("sdk", ""), limited.entry("limited", "tenant: limited")];
    let gateway = Setup::new()
        .provider_at("own", &llama.origin(), "kind: llamacpp")
        .model("tiny", "own", "tier: weak")
        .provider("played", &scripted, "")
        .model("played", "played", "tier: strong")
        .provider("far", &scripted, ABROAD)
        .model("far", "far", "tier: strong")
        .section("classifier: { model: embedded }")
        .section(&format!("auth: {{ keys: [{}] }}", keys.join(", ")))
        .section("tenants: [{ name: limited, limits: { requests_per_minute: 5 } }]")
        .start();
    let ran = Command::new(python())
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/sdk"])
        .current_dir(repository())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("WAYPOST_SDK_ALL", "1")
        .env("WAYPOST_URL", format!("http://{}", gateway.data))
        .env("WAYPOST_KEY", &key.secret)
        .env("WAYPOST_LIMITED_KEY", &limited.secret)
        .env("WAYPOST_REAL_MODEL", "tiny")
        .env("WAYPOST_SCRIPTED_MODEL", "played")
        .env("WAYPOST_DENIED_MODEL", "far")
        .env("WAYPOST_DENIED_LABELS", "data-class=personal")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{printed}{}", String::from_utf8_lossy(&ran.stderr));
    assert!(!printed.contains("skipped"), "{printed}");
}
