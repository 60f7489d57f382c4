//! One line per request, with what an operator needs and without what a person wrote.

use crate::harness::{Setup, Upstream, VirtualKey, chat, chat_stream, eventually};

const PROMPT: &str = "canary-in-the-prompt";
const ANSWER: &str = "canary-in-the-answer";

#[test]
fn no_prompt_answer_or_key_is_in_any_log_metric_or_record() {
    let upstream = Upstream::script(&format!(
        "{{ default: {{ text: {ANSWER} }}, models: {{ broken: {{ text: {ANSWER} x y z, error_after: 2 }}, \
         bad: {{ status: 400, error_message: 'you wrote {PROMPT}' }}, down: {{ status: 500, error_message: 'you wrote {PROMPT}' }} }} }}"
    ));
    let (key, stranger) = (VirtualKey::create(), VirtualKey::create());
    let gateway = ["broken", "bad", "down"]
        .iter()
        .fold(Setup::one(&upstream), |setup, name| setup.model(name, "own", "tier: weak"))
        .section(&format!("auth: {{ keys: [{}] }}", key.entry("k", "permissions: [route]")))
        .section("decisions: { file: decisions.jsonl }")
        .section("cache: { exact: on }")
        .section("classifier: { model: embedded }")
        .environment("WAYPOST_LOG", "debug")
        .start();
    let mut count = 0;
    for model in ["small", "auto", "broken", "bad", "down", PROMPT] {
        for body in [chat(model, PROMPT), chat_stream(model, PROMPT)] {
            gateway.chat(&body).key(&key.secret).header("x-request-id", &format!("line-{count}")).send();
            count += 1;
        }
    }
    gateway.chat(&chat("small", PROMPT)).key(&stranger.secret).send();
    gateway.post("/v1/route", &chat("auto", PROMPT)).key(&key.secret).send();
    gateway.chat_raw(format!("{{\"model\": \"small\", {PROMPT}")).key(&key.secret).send();
    for number in 0..count {
        gateway.line_of(&format!("line-{number}"));
    }
    let records = eventually("the file of decisions", || {
        let text = std::fs::read_to_string(gateway.file("decisions.jsonl")).unwrap_or_default();
        (text.lines().count() >= count).then_some(text)
    });
    let secret = key.secret.trim_start_matches("wp-");
    for (place, text) in
        [("log", gateway.log()), ("metrics", gateway.admin_get("/metrics").text()), ("records", records)]
    {
        for canary in [ANSWER, secret, stranger.secret.trim_start_matches("wp-")] {
            assert!(!text.contains(canary), "{canary} is in the {place}");
        }
        // The name of a model that was asked for is no prompt and may be in a line of its own request.
        let prompts =
            text.lines().filter(|line| line.contains(PROMPT) && !line.contains(&format!("\"model\":\"{PROMPT}\"")));
        assert_eq!(prompts.collect::<Vec<_>>(), Vec::<&str>::new(), "in the {place}");
    }
}

#[test]
fn each_request_has_exactly_one_line_with_its_story() {
    let upstream = Upstream::that("text: hi, prompt_tokens: 30, completion_tokens: 4");
    let gateway = Setup::one(&upstream).start();
    let answer = gateway.chat(&chat("small", "hi")).header("x-request-id", "one").send();
    let line = gateway.line_of("one");
    assert_eq!(line["decision"], answer.expect_header("x-waypost-decision"));
    assert_eq!(line["status"], 200);
    assert_eq!(line["outcome"], "ok");
    assert_eq!(line["model"], "small");
    assert_eq!(line["target"], "small@own");
    assert_eq!(line["tenant"], "default");
    assert_eq!((&line["input_tokens"], &line["output_tokens"]), (&30.into(), &4.into()));
    assert_eq!(line["attempts"], 1);
    assert!(line["ms"].as_f64() > Some(0.0));

    gateway.chat(&chat("nobody", "hi")).header("x-request-id", "two").send();
    let refused = gateway.line_of("two");
    assert_eq!((&refused["status"], &refused["error"]), (&404.into(), &"model_not_found".into()));
    assert_eq!((gateway.lines_of("one").len(), gateway.lines_of("two").len()), (1, 1));
}

#[test]
fn the_last_lines_are_written_before_the_process_ends() {
    let upstream = Upstream::plain();
    let mut gateway = Setup::one(&upstream).section("decisions: { file: decisions.jsonl }").start();
    gateway.chat(&chat("small", "hi")).header("x-request-id", "last").send();
    assert!(gateway.terminate().success());
    gateway.line_of("last");
    let records = std::fs::read_to_string(gateway.file("decisions.jsonl")).unwrap();
    assert_eq!(records.lines().count(), 1);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&records).unwrap()["request_id"], "last");
}
