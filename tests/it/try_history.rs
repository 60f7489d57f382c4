//! `waypost try`: a team's own log, read offline, and what it would have cost.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{Ran, Setup, Upstream, chat, repository, waypost};

/// A log in a folder of its own.
struct Log {
    folder: tempfile::TempDir,
    path: PathBuf,
}

impl Log {
    fn of(lines: &[Value]) -> Self {
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        Self::text(&lines.join("\n"))
    }

    fn text(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        std::fs::write(&path, text).unwrap();
        Self { folder, path }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn ran(&self, arguments: &[&str]) -> Ran {
        waypost(&[&["try", self.path.to_str().unwrap()], arguments].concat(), &[])
    }

    fn tried(&self, arguments: &[&str]) -> Value {
        let ran = self.ran(&[&["--json"], arguments].concat());
        assert_eq!(ran.code, 0, "{ran}");
        ran.json()
    }
}

/// The demo's prompts, as a client that logs requests and answers would have kept them.
fn demo(model: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(repository().join("benches/demo/prompts.jsonl")).unwrap();
    let prompts = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["prompt"].clone());
    let exchange = |(place, prompt): (usize, Value)| {
        exchange(model, prompt.as_str().unwrap(), 100 + place as u64, 200 + 7 * place as u64)
    };
    prompts.enumerate().map(exchange).collect()
}

fn exchange(model: &str, prompt: &str, input: u64, output: u64) -> Value {
    json!({
        "request": {"model": model, "messages": [{"role": "user", "content": prompt}]},
        "response": {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_795_514_400, "model": model,
                     "choices": [{"index": 0, "finish_reason": "stop",
                                  "message": {"role": "assistant", "content": "an answer nobody shall see"}}],
                     "usage": {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output}}
    })
}

/// A row of LiteLLM's spend log, without its prompt.
fn spend(model: &str, usd: f64, input: u64, output: u64) -> Value {
    json!({"request_id": "r", "call_type": "acompletion", "api_key": "88dc28d0f0", "spend": usd, "model": model,
           "prompt_tokens": input, "completion_tokens": output, "startTime": "2026-11-20 10:00:00.123",
           "metadata": {"user_api_key_team_alias": "search"}, "messages": {}, "response": {}})
}

/// An own model, a hosted open one and a strong one abroad, under a policy.
fn config(policy: &str) -> String {
    format!(
        "tenants: [{{ name: default, policy: {policy} }}]
providers:
  - {{ name: own, kind: vllm, endpoints: [\"http://127.0.0.1:9\"], location: {{ countries: [FR] }},
      operator: {{ name: self, jurisdictions: [FR] }}, data: {{ retention: 0d, trains: false }} }}
  - {{ name: abroad, kind: openai-compatible, endpoints: [\"http://127.0.0.1:9\"], location: {{ countries: [US] }},
      operator: {{ name: Abroad, jurisdictions: [US] }}, data: {{ retention: 30d, trains: false }} }}
models:
  - {{ name: small, provider: own, tier: weak, price: {{ input: 0.1, output: 0.2 }} }}
  - {{ name: gpt-4o, provider: abroad, tier: strong, price: {{ input: 2.5, output: 10 }} }}
labels:
  data-class: {{ order: [public, internal, personal, secret], default: internal }}
"
    )
}

#[test]
fn cost_as_paid_is_the_logs_own_figure_else_usage_times_price() {
    let log = Log::of(&[
        exchange("gpt-4o", "hi", 1000, 100),
        exchange("gpt-4o-mini", "hi", 2000, 300),
        spend("openai/gpt-4o", 0.0042, 10, 10),
        exchange("nobody-knows", "hi", 5, 5),
    ]);
    let paid = &log.tried(&[])["paid"];
    // gpt-4o: 2.50 and 10 USD per million tokens; gpt-4o-mini: 0.15 and 0.60.
    let by_hand = (1000 * 2500 + 100 * 10_000) + (2000 * 150 + 300 * 600);
    assert_eq!(paid["from_list"], json!({"lines": 2, "nusd": by_hand}), "{paid}");
    assert_eq!(paid["from_log"], json!({"lines": 1, "nusd": 4_200_000}), "{paid}");
    assert_eq!(paid["from_log_at_list"], json!({"lines": 1, "nusd": 10 * 2500 + 10 * 10_000}), "{paid}");
    assert_eq!(paid["total_nusd"], by_hand + 4_200_000, "{paid}");
    assert_eq!(paid["unknown"], json!([{"name": "nobody-knows", "lines": 1}]), "{paid}");
}

#[test]
fn every_prompt_is_priced_at_the_target_that_would_serve_it() {
    let log = Log::of(&[exchange("gpt-4o", "hi", 1000, 100), exchange("gpt-4o", "hi", 3000, 10)]);
    let config = log.file("waypost.yaml", &config("unrestricted"));
    let report = log.tried(&["--config", &config]);
    assert_eq!(report["routed"]["lines"], 2, "{report:#}");
    assert_eq!(report["routed"]["paid_nusd"], 4000 * 2500 + 110 * 10_000);
    assert_eq!(report["routed"]["routed_nusd"], 4000 * 100 + 110 * 200, "hi is easy: both go to the own model");
    assert_eq!(report["bands"][0]["targets"], json!([{"target": "small@own", "lines": 2, "share": 1.0}]));
    assert_eq!(report["own"]["own"]["lines"], 2);
    let explained = waypost(&["explain", "--config", &config, "--json", "hi"], &[]).json();
    assert_eq!(explained["candidates"][explained["chosen"].as_u64().unwrap() as usize]["target"], "small@own");
}

#[test]
fn where_each_prompt_goes_is_what_explain_says() {
    let log = Log::of(&demo("gpt-4o"));
    let config = log.file("waypost.yaml", &config("unrestricted"));
    let report = log.tried(&["--config", &config]);
    let bands = report["bands"].as_array().unwrap();
    let lines: u64 = bands.iter().map(|band| band["lines"].as_u64().unwrap()).sum();
    assert_eq!((lines, bands.len()), (demo("gpt-4o").len() as u64, 6), "five bands, and one for what has no score");
    assert_eq!(bands[5]["lines"], 0, "{report:#}");
    let share = |band: usize, target: &str| {
        let targets = bands[band]["targets"].as_array().unwrap();
        targets.iter().find(|share| share["target"] == target).map_or(0.0, |share| share["share"].as_f64().unwrap())
    };
    assert_eq!(share(4, "small@own"), 0.0, "the hardest stay");
    assert!(share(0, "small@own") > share(3, "small@own"), "{report:#}");
    for place in [1, 20, 40, 60] {
        let line = &demo("auto")[place];
        let file = log.file("request.json", &line["request"].to_string());
        let explained = waypost(&["explain", "--config", &config, "--json", "--request", &file], &[]).json();
        let difficulty = explained["score"]["difficulty"].as_f64().unwrap();
        let chosen = &explained["candidates"][explained["chosen"].as_u64().unwrap() as usize]["target"];
        assert!(share((difficulty * 5.0) as usize, chosen.as_str().unwrap()) > 0.0, "{explained:#}");
    }
}

#[test]
fn the_same_log_gives_the_same_interval_around_its_saving() {
    let log = Log::of(&demo("gpt-4o"));
    let one = log.tried(&[]);
    let limits = &one["routed"]["interval"]["saving_share"];
    let saving = one["routed"]["saving_share"].as_f64().unwrap();
    let (low, high) = (limits[0].as_f64().unwrap(), limits[1].as_f64().unwrap());
    assert!(low < saving && saving < high && high - low < 0.6, "{limits} around {saving}");
    assert_eq!(log.tried(&[])["routed"], one["routed"]);
}

#[test]
fn what_policy_denies_is_counted_by_rule() {
    let mut lines = demo("gpt-4o");
    lines.truncate(10);
    let log = Log::of(&lines);
    // Without the own model nothing is left under European residency.
    let abroad = config("eu-residency").replace("name: self, jurisdictions: [FR]", "name: Abroad, jurisdictions: [US]");
    let abroad = log.file("abroad.yaml", &abroad.replace("countries: [FR]", "countries: [US]"));
    let denied = &log.tried(&["--config", &abroad])["policy"];
    assert_eq!(denied["denied"]["lines"], 10, "{denied}");
    assert_eq!(denied["denied_by"], json!([{"name": "processed-in-the-eea", "lines": 10}]));
    let own = log.file("own.yaml", &config("eu-residency"));
    let report = log.tried(&["--config", &own]);
    assert_eq!(report["policy"]["denied"]["lines"], 0, "the own model may have them");
    assert_eq!(report["policy"]["model_denied"], 10);
    assert_eq!(report["policy"]["model_denied_by"], json!([{"name": "processed-in-the-eea", "lines": 10}]));
    assert_eq!(report["own"]["own"]["lines"], 10);
    let labelled = log.tried(&["--config", &own, "--label", "data-class=secret", "--policy", "default"]);
    assert_eq!(labelled["policy"]["model_denied_by"][0]["name"], "personal-data-stays-in-the-eea", "{labelled:#}");
}

#[test]
fn broken_lines_are_named_and_stop_nothing() {
    let good = exchange("gpt-4o", "hi", 10, 5).to_string();
    let log = Log::text(&format!("{good}\nnot json\n\n{{\"level\":\"info\"}}\n[1,2]\n{good}\n{{\"request\":"));
    let read = &log.tried(&[])["read"];
    assert_eq!((&read["lines"], &read["used"]), (&json!(6), &json!(2)), "{read}");
    let named: Vec<_> = read["first_unusable"].as_array().unwrap().iter().map(|named| &named["line"]).collect();
    assert_eq!(named, [2, 4, 5, 7], "{read}");
    let shown = log.ran(&[]);
    assert!(shown.stdout.contains("line 2: not JSON") && shown.stdout.contains("line 5: not a JSON object"), "{shown}");
    assert_eq!(log.tried(&["--limit", "1"])["read"]["lines"], 1);
}

#[test]
fn the_exit_code_tells_a_useless_log_from_an_unreadable_one() {
    assert_eq!(Log::text("nothing\n").ran(&[]).code, 1);
    assert_eq!(Log::text("").ran(&[]).code, 1);
    assert_eq!(waypost(&["try", "/nowhere/history.jsonl"], &[]).code, 2);
    assert_eq!(waypost(&["try", "tests"], &[]).code, 2, "a folder");
    assert_eq!(waypost(&["try"], &[]).code, 2);
    let log = Log::of(&[exchange("gpt-4o", "hi", 10, 5)]);
    assert_eq!(log.ran(&["--tenant", "nobody"]).code, 2);
    assert_eq!(log.ran(&["--policy", "nobody"]).code, 2);
    assert_eq!(log.ran(&["--label", "colour=blue"]).code, 2);
    assert_eq!(log.ran(&["--html", "/nowhere/page.html"]).code, 2);
}

#[test]
fn without_a_configuration_requests_stay_or_go_to_own_models_and_the_page_says_so() {
    let mut lines = demo("gpt-4o");
    lines.extend(demo("gpt-4o-mini"));
    let log = Log::of(&lines);
    let report = log.tried(&[]);
    assert_eq!(report["setup"]["config"], Value::Null);
    let row = |name: &str| {
        let targets = report["setup"]["targets"].as_array().unwrap();
        targets.iter().find(|row| row["target"] == name).unwrap_or_else(|| panic!("{name}: {report:#}")).clone()
    };
    assert_eq!((&row("gpt-4o@openai")["tier"], &row("own-8b@own")["tier"]), (&json!("strong"), &json!("weak")));
    let moved = |model: &str| {
        let models = report["models"].as_array().unwrap();
        models.iter().find(|row| row["model"] == model).unwrap()["moved"].as_u64().unwrap()
    };
    let to_own = row("own-8b@own")["lines"].as_u64().unwrap() + row("own-32b@own")["lines"].as_u64().unwrap();
    assert_eq!(moved("gpt-4o") + moved("gpt-4o-mini"), to_own, "the log's models do not stand in for each other");
    assert!(to_own > 0 && report["routed"]["saving_share"].as_f64().unwrap() > 0.0, "{report:#}");
    // What is assumed is a configuration that could be kept.
    let kept = log.file("kept.yaml", report["setup"]["assumed"].as_str().unwrap());
    let checked = waypost(&["check", "--config", &kept], &[]);
    assert_eq!(checked.code, 0, "{checked}");
    let shown = log.ran(&[]).stdout;
    assert!(shown.contains("--config FILE") && shown.contains("assumed"), "{shown}");
}

#[test]
fn prompts_without_text_are_routed_by_size_or_by_the_score_of_then() {
    let decision = |difficulty: f64| {
        json!({"schema": 1, "id": "dec_1", "at": "2026-11-24T10:00:00.000Z", "tenant": "default", "operation": "chat",
               "labels": {}, "score": {"difficulty": difficulty}, "candidates": [{"target": "gpt-4o@abroad"}],
               "chosen": 0, "attempts": [{"target": "gpt-4o@abroad"}], "cost_nusd": 75_000, "outcome": "ok",
               "usage": {"input": 10, "cached": 0, "cache_write": 0, "output": 5, "reasoning": 0, "estimated": false}})
    };
    let log = Log::of(&[spend("gpt-4o", 0.001, 10, 5), decision(0.02), decision(0.95)]);
    let config = log.file("waypost.yaml", &config("unrestricted"));
    let report = log.tried(&["--config", &config]);
    assert_eq!((&report["read"]["without_prompt"], &report["read"]["scored_then"]), (&json!(3), &json!(2)));
    let target = |band: usize| &report["bands"][band]["targets"][0]["target"];
    assert_eq!(
        (target(0), target(4), target(5)),
        (&json!("small@own"), &json!("gpt-4o@abroad"), &json!("gpt-4o@abroad"))
    );
    assert_eq!(report["read"]["kinds"], json!({"litellm_spend": 1, "waypost_decision": 2}));
    let said = report["assumptions"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains("neither"));
    assert!(said, "{report:#}");
}

#[test]
fn the_records_of_a_gateway_are_a_log_as_well() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let setup = Setup::own_and_paid(&own, &paid).section("decisions: { file: decisions.jsonl }");
    let mut gateway = setup.start();
    for model in ["large", "small", "large"] {
        assert_eq!(gateway.chat(&chat(model, "hi")).send().status, 200);
    }
    gateway.chat(&chat("large", "hi")).labels("data-class=personal").send().must_be_error(403, "policy_denied");
    assert!(gateway.terminate().success());
    let (records, config) = (gateway.file("decisions.jsonl"), gateway.file("config.yaml"));
    let text = std::fs::read_to_string(&records).unwrap();
    let cost: i64 =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["cost_nusd"].as_i64().unwrap()).sum();
    let tried = waypost(&["try", records.to_str().unwrap(), "--config", config.to_str().unwrap(), "--json"], &[]);
    assert_eq!(tried.code, 0, "{tried}");
    let report = tried.json();
    assert_eq!(report["read"]["kinds"], json!({"waypost_decision": 3}), "{report:#}");
    // A request is settled when its client has its answer, so the last two may change places.
    let denied = text.lines().position(|line| line.contains("\"outcome\":\"denied\"")).map(|place| place + 1);
    assert_eq!(report["read"]["first_unusable"][0]["line"], json!(denied), "the denied one was never answered");
    assert_eq!((report["paid"]["total_nusd"].as_i64(), cost > 0), (Some(cost), true));
    assert_eq!(std::fs::read_to_string(&records).unwrap(), text, "trying a log writes nothing into it");
}

#[test]
fn the_json_form_has_its_members() {
    let report = Log::of(&demo("gpt-4o")).tried(&[]);
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(report["schema"], 1);
    assert_eq!(members(&report), "assumptions bands file models own paid policy read routed schema setup");
    for (part, expected) in [
        ("read", "estimated first_unusable kinds lines period scored_then tokens unusable used without_prompt"),
        ("paid", "from_list from_log from_log_at_list said_free total_nusd unknown"),
        (
            "routed",
            "at_least basis interval lines not_compared not_placed paid_nusd refused routed_nusd same_model saving_nusd \
             saving_share unreadable_prompts",
        ),
        ("policy", "denied denied_by model_denied model_denied_by model_not_in_setup"),
        ("own", "good_enough open_weights own"),
        ("setup", "assumed classifier config policy targets tenant"),
    ] {
        assert_eq!(members(&report[part]), expected, "{part}");
    }
    assert_eq!(members(&report["routed"]["interval"]), "level resamples routed_usd saving_share seed");
    assert_eq!(members(&report["bands"][0]), "denied from lines targets to");
    assert_eq!(members(&report["models"][0]), "compared lines model moved paid_nusd routed_nusd saving_nusd tokens");
}

#[test]
fn no_prompt_answer_or_key_is_on_any_page() {
    let marks = ["Rumpelstiltskin", "an answer nobody shall see", "88dc28d0f0"];
    let mut lines = vec![exchange("gpt-4o", "Rumpelstiltskin <b>is my name</b>", 10, 5).to_string()];
    lines.push(spend("gpt-4o", 0.1, 10, 5).to_string());
    // A line that breaks in the middle of its prompt, and a model's name that wants to be markup.
    lines.push("{\"request\":{\"messages\":[{\"content\":\"Rumpelstiltskin".to_owned());
    lines.push(exchange("<script>alert(1)</script>&", "Rumpelstiltskin", 10, 5).to_string());
    let log = Log::text(&lines.join("\n"));
    let html = log.folder.path().join("page.html");
    let shown = log.ran(&["--html", html.to_str().unwrap()]);
    assert_eq!(shown.code, 0, "{shown}");
    let html = std::fs::read_to_string(html).unwrap();
    let json = log.ran(&["--json"]).all();
    for mark in marks {
        for page in [&shown.all(), &json, &html] {
            assert!(!page.contains(mark), "{mark} in {page}");
        }
    }
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script"), "{html}");
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        let known = html.replace("http://127.0.0.1:8000", "");
        assert!(!known.contains(outside), "{outside} in the page");
    }
}

#[test]
fn the_html_is_well_formed() {
    let log = Log::of(&demo("gpt-4o"));
    let path = log.folder.path().join("page.html");
    assert_eq!(log.ran(&["--html", path.to_str().unwrap()]).code, 0);
    let html = std::fs::read_to_string(path).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>"));
    let mut open: Vec<&str> = Vec::new();
    let body = html.trim_start_matches("<!DOCTYPE html>");
    for piece in body.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("a tag ends");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closes what is open");
        } else if !tag.ends_with('/') {
            open.push(tag.split_whitespace().next().unwrap());
        }
    }
    assert!(open.is_empty(), "{open:?} are not closed");
    assert!(html.contains("<table>") && html.contains("class=\"bar\""), "it has its tables and bars");
}

#[test]
fn a_compressed_log_is_read_as_well() {
    let log = Log::of(&demo("gpt-4o"));
    let plain = log.tried(&[]);
    let zipped = std::process::Command::new("gzip").arg("-k").arg(&log.path).status().unwrap();
    assert!(zipped.success());
    let path = format!("{}.gz", log.path.display());
    let mut tried = waypost(&["try", &path, "--json"], &[]).json();
    tried["file"] = plain["file"].clone();
    assert_eq!(tried, plain);
}
