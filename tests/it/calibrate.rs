//! Measured quality, from outside: `calibrate` writes a file, the gateway goes by it, feedback comes back.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Setup, Upstream, VirtualKey, chat, eventually, waypost, with};

/// Sums are easy and proofs are hard, for both models; the cheap one fails on most proofs.
fn prompt(number: usize) -> (String, bool) {
    let hard = number % 2 == 1;
    let text = if hard {
        format!(
            "Prove rigorously that every integer n > {number} has the property stated, and generalise the argument to \
                 arbitrary commutative rings; discuss each counterexample and its cohomological obstruction."
        )
    } else {
        format!("What is {number} + 2?")
    };
    (text, hard)
}

/// Labels of `small@own` and `large@paid`, as many as wanted.
fn labels(count: usize) -> String {
    let mut lines = String::new();
    for number in 0..count {
        let (prompt, hard) = prompt(number);
        let (small, large) = (if hard { number % 8 == 1 } else { number % 40 != 0 }, number % 20 != 1);
        let score = |good: bool| f64::from(u8::from(good));
        let outcomes = json!({
            "small@own": { "score": score(small), "output_tokens": 50 },
            "large@paid": { "score": score(large), "output_tokens": 60 },
        });
        lines.push_str(&format!("{}\n", json!({ "prompt": prompt, "outcomes": outcomes })));
    }
    lines
}

fn setup(own: &Upstream, paid: &Upstream) -> Setup {
    Setup::own_and_paid(own, paid).section("classifier: { model: embedded, deadline: 5s }")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A calibration of this configuration, from so many labels.
fn calibrate(config: &Path, count: usize, more: &[&str]) -> (PathBuf, crate::harness::Ran) {
    let folder = config.parent().unwrap();
    let (data, out) = (folder.join("labels.jsonl"), folder.join("calibration.json"));
    std::fs::write(&data, labels(count)).unwrap();
    let arguments = ["calibrate", "--data", text(&data), "--config", text(config), "--out", text(&out)];
    let ran = waypost(&[&arguments[..], more].concat(), &[]);
    (out, ran)
}

#[test]
fn too_few_labels_are_refused_and_few_are_warned_of() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (_folder, config) = setup(&own, &paid).write();
    let (out, ran) = calibrate(&config, 49, &[]);
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.stderr.contains("49 labelled prompts are too few") && !out.exists(), "{ran}");
    let (out, ran) = calibrate(&config, 100, &[]);
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.stdout.contains("100 labels give a coarse calibration") && out.exists(), "{ran}");
    own.must_be_untouched();
    paid.must_be_untouched();
}

#[test]
fn a_calibration_says_what_it_found_and_draws_it() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (folder, config) = setup(&own, &paid).write();
    let plot = folder.path().join("curve.svg");
    let (out, ran) = calibrate(&config, 190, &["--plot", text(&plot), "--at-least", "0.9"]);
    assert_eq!(ran.code, 0, "{ran}");
    for wanted in ["small@own", "large@paid", "at least 0.9 of the best's quality", "cost saved", "stay off large@paid"]
    {
        assert!(ran.stdout.contains(wanted), "{wanted} in {ran}");
    }
    assert!(!ran.stdout.contains('\u{1b}'), "no colours and no bar where there is no terminal");
    assert!(std::fs::read_to_string(&plot).unwrap().starts_with("<svg"));
    let file: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    assert_eq!(
        (&file["schema"], &file["data"]["prompts"], &file["data"]["paired"]),
        (&1.into(), &190.into(), &190.into())
    );
    assert!(file["classifier"]["hash"].as_str().unwrap().starts_with("sha256:"));
    let floor = &file["floors"][0];
    assert!(floor["lower"].as_f64().unwrap() >= 0.9 && floor["kept"].as_f64().unwrap() > 0.4, "{floor}");
    assert!(floor["saving"].as_f64().unwrap() > 0.2, "{floor}");
    let again = calibrate(&config, 190, &["--json", "--at-least", "0.9"]).1.json();
    assert_eq!(again["calibration"]["floors"][0]["tau"], floor["tau"], "the same data give the same threshold");
}

#[test]
fn decisions_go_by_the_calibration_and_name_it() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (_folder, config) = setup(&own, &paid).write();
    let (out, ran) = calibrate(&config, 200, &["--at-least", "0.95"]);
    assert_eq!(ran.code, 0, "{ran}");
    let calibrated = setup(&own, &paid).section(&format!("calibration: {}", text(&out))).policy(
        "default",
        "policy: default\nobjective: { minimise: cost, quality: { at_least: 0.95, confidence: 0.9 } }\n",
    );
    let gateway = calibrated.start();
    let (easy, hard) = (prompt(10).0, prompt(11).0);
    let of = |text: &str| gateway.decision_of(&gateway.chat(&chat("auto", text)).send());
    let (easy, hard) = (of(&easy), of(&hard));
    let file: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    let tau = file["floors"][0]["tau"].as_f64().unwrap();
    for decision in [&easy, &hard] {
        assert_eq!(decision["quality"]["basis"], "calibrated", "{decision}");
        assert!((decision["quality"]["tau"].as_f64().unwrap() - tau).abs() < 1e-6, "{decision}");
    }
    assert_eq!(easy["attempts"][0]["target"], "small@own");
    assert_eq!(hard["attempts"][0]["target"], "large@paid");
    assert!(easy["quality"].get("bucket").is_none(), "only a dry run says where the labels lie");

    let dry = gateway.post("/v1/route", &chat("auto", "What is 12 + 2?")).send().json();
    assert!(dry["quality"]["bucket"]["labels"].as_u64().unwrap() >= 20, "{dry}");
    let shown = waypost(&["explain", "--config", text(&gateway.file("config.yaml")), "What is 12 + 2?"], &[]);
    assert!(shown.stdout.contains("(calibrated by the network score)") && shown.stdout.contains("bucket"), "{shown}");
    assert!(shown.stdout.contains("percentile  not known here"), "{shown}");
}

/// A policy that goes below the best on a calibration's word alone.
const STRICT: &str = "policy: default\nobjective: { minimise: cost, quality: { at_least: 0.9, confidence: 0.9, \
                      require_calibration: true } }\n";

#[test]
fn where_the_network_is_late_or_left_out_the_linear_heads_calibration_decides() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (_folder, config) = setup(&own, &paid).write();
    let (out, ran) = calibrate(&config, 190, &["--at-least", "0.9"]);
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.stdout.contains("where the network is late, by the linear score (190 labelled prompts"), "{ran}");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    let linear = &file["linear"];
    assert_eq!((&file["classifier"]["stage"], &linear["classifier"]["stage"]), (&"network".into(), &"linear".into()));
    assert_ne!(file["classifier"]["hash"], linear["classifier"]["hash"]);
    let tau = |part: &Value| part["floors"][0]["tau"].as_f64().unwrap();
    assert!((tau(&file) - tau(linear)).abs() > 1e-6, "each stage has a threshold of its own");

    let section = format!("calibration: {}", text(&out));
    // No run of the network ends within a nanosecond.
    for (classifier, stage, wanted) in [
        ("{ model: embedded, deadline: 5s }", "network", tau(&file)),
        ("{ model: embedded, deadline: 1ns }", "linear", tau(linear)),
        ("{ model: linear }", "linear", tau(linear)),
    ] {
        let own_and_paid = Setup::own_and_paid(&own, &paid).section(&format!("classifier: {classifier}"));
        let gateway = own_and_paid.section(&section).policy("default", STRICT).start();
        let of = |text: &str| gateway.decision_of(&gateway.chat(&chat("auto", text)).send());
        let (easy, hard) = (of(&prompt(10).0), of(&prompt(11).0));
        for decision in [&easy, &hard] {
            assert_eq!(decision["score"]["stage"], stage, "{decision}");
            let quality = &decision["quality"];
            assert_eq!((&quality["basis"], &quality["stage"]), (&"calibrated".into(), &stage.into()), "{decision}");
            assert!((quality["tau"].as_f64().unwrap() - wanted).abs() < 1e-6, "{decision}");
        }
        assert_eq!(easy["attempts"][0]["target"], "small@own", "{classifier}");
        assert_eq!(hard["attempts"][0]["target"], "large@paid", "{classifier}");
        let dry = gateway.post("/v1/route", &chat("auto", &prompt(12).0)).send().json();
        let part = if stage == "linear" { linear } else { &file };
        let buckets = part["buckets"].as_array().unwrap();
        assert!(buckets.contains(&dry["quality"]["bucket"]), "{dry}");
    }
}

#[test]
fn a_calibration_without_the_linear_heads_is_read_and_leaves_its_scores_to_the_tiers() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (_folder, config) = setup(&own, &paid).write();
    let (out, _) = calibrate(&config, 190, &[]);
    let mut file: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    file.as_object_mut().unwrap().remove("linear").unwrap();
    std::fs::write(&out, file.to_string()).unwrap();
    let late = Setup::own_and_paid(&own, &paid).section("classifier: { model: embedded, deadline: 1ns }");
    let gateway = late.section(&format!("calibration: {}", text(&out))).policy("default", STRICT).start();
    let decision = gateway.decision_of(&gateway.chat(&chat("auto", &prompt(10).0)).send());
    assert_eq!((&decision["score"]["stage"], &decision["quality"]["basis"]), (&"linear".into(), &"prior".into()));
    assert_eq!(decision["quality"].get("stage"), None, "{decision}");
    assert_eq!(decision["attempts"][0]["target"], "large@paid");
}

#[test]
fn a_floor_that_no_threshold_was_found_for_stays_by_tier() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (_folder, config) = setup(&own, &paid).write();
    let (out, _) = calibrate(&config, 190, &["--at-least", "0.8"]);
    let policy =
        |more: &str| format!("policy: default\nobjective: {{ minimise: cost, quality: {{ at_least: 0.9{more} }} }}\n");
    let section = format!("calibration: {}", text(&out));
    let gateway = setup(&own, &paid).section(&section).policy("default", &policy("")).start();
    let decision = gateway.decision_of(&gateway.chat(&chat("auto", "What is 1 + 2?")).send());
    assert_eq!((&decision["quality"]["basis"], &decision["reason"]), (&"prior".into(), &"cheapest_good_enough".into()));
    let strict = setup(&own, &paid).section(&section).policy("default", &policy(", require_calibration: true")).start();
    let decision = strict.decision_of(&strict.chat(&chat("auto", "What is 1 + 2?")).send());
    assert_eq!(
        (&decision["reason"], &decision["attempts"][0]["target"]),
        (&"best_quality".into(), &"large@paid".into())
    );
}

#[test]
fn check_finds_a_calibration_that_is_not_this_configurations() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (_folder, config) = setup(&own, &paid).write();
    let (out, _) = calibrate(&config, 60, &[]);
    let check = |calibration: &str| {
        std::fs::write(&out, calibration).unwrap();
        let (_folder, config) = setup(&own, &paid).section(&format!("calibration: {}", text(&out))).write();
        waypost(&["check", "--config", text(&config)], &[])
    };
    let good = std::fs::read_to_string(&out).unwrap();
    assert_eq!(check(&good).code, 0, "{}", check(&good));
    let mut other: Value = serde_json::from_str(&good).unwrap();
    other["classifier"]["hash"] = "sha256:other".into();
    let ran = check(&other.to_string());
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.stdout.contains("made with the classifier sha256:other"), "{ran}");
    assert_eq!(check("{}").code, 1);
    let strange = good.replace("small@own", "gone@own");
    let ran = check(&strange);
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.stdout.contains("gone@own"), "{ran}");

    let requires =
        "policy: default\nobjective: { minimise: cost, quality: { at_least: 0.9, require_calibration: true } }\n";
    let (_folder, config) = setup(&own, &paid).policy("default", requires).write();
    let ran = waypost(&["check", "--config", text(&config)], &[]);
    assert!(ran.code == 0 && ran.stdout.contains("requires a calibration"), "{ran}");
}

#[test]
fn feedback_is_taken_for_the_tenants_own_decisions_and_calibrates() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (judge, other) = (VirtualKey::create(), VirtualKey::create());
    let keys = [
        judge.entry("judge", "tenant: acme, permissions: [feedback]"),
        other.entry("other", "tenant: rival, permissions: [feedback]"),
    ];
    let (folder, config) = setup(&own, &paid).write();
    let file = folder.path().join("decisions.jsonl");
    let gateway = setup(&own, &paid)
        .section(&format!("auth: {{ keys: [{}] }}", keys.join(", ")))
        .section("tenants: [{ name: acme }, { name: rival }]")
        .section(&format!("decisions: {{ file: {} }}", text(&file)))
        .start();
    let tell = |id: &str, score: Value, key: &str| {
        gateway.post("/v1/feedback", &json!({ "decision": id, "score": score })).key(key).send()
    };
    let mut last = String::new();
    for number in 0..60 {
        let answer = gateway.chat(&chat("auto", &prompt(2 * number).0)).key(&judge.secret).send();
        last = answer.expect_header("x-waypost-decision").to_owned();
        let told = eventually("the decision", || {
            let told = tell(&last, json!(1), &judge.secret);
            (told.status == 200).then_some(told)
        });
        assert_eq!(told.json(), json!({ "decision": last, "recorded": true }));
    }
    tell(&last, json!(1), &other.secret).must_be_error(404, "not_found");
    tell("dec_00000000000000000000000000", json!(1), &judge.secret).must_be_error(404, "not_found");
    tell(&last, json!(1.5), &judge.secret).must_be_error(400, "invalid_request");
    tell(&last, json!("good"), &judge.secret).must_be_error(400, "invalid_request");
    assert_eq!(gateway.post("/v1/feedback", &json!({})).send().status, 401);
    drop(gateway);

    let out = folder.path().join("calibration.json");
    let arguments = ["calibrate", "--data", text(&file), "--config", text(&config), "--out", text(&out), "--json"];
    let report = eventually("all lines", || {
        let ran = waypost(&arguments, &[]);
        (ran.code == 0).then(|| ran.json())
    });
    assert_eq!(report["calibration"]["targets"][0]["target"], "small@own");
    assert_eq!(report["calibration"]["targets"][0]["labels"], 60);
    assert_eq!(report["calibration"]["floors"], json!([]), "one answer a prompt compares nothing");
    assert!(report["warnings"].to_string().contains("no threshold"));
}

#[test]
fn feedback_needs_the_permission_and_says_where_nothing_is_kept() {
    let upstream = Upstream::plain();
    let key = VirtualKey::create();
    let gateway = Setup::one(&upstream)
        .section(&format!("auth: {{ open: loopback, keys: [{}] }}", key.entry("k", "tenant: default")))
        .start();
    let answer = gateway.chat(&chat("small", "hi")).send();
    let id = answer.expect_header("x-waypost-decision").to_owned();
    gateway.decision(&id);
    let body = json!({ "decision": id, "score": 0.5 });
    gateway.post("/v1/feedback", &body).key(&key.secret).send().must_be_error(403, "permission_denied");
    let told = gateway.post("/v1/feedback", &body).send();
    assert_eq!((told.status, told.json()["recorded"].clone()), (200, json!(false)));
    gateway.post("/v1/feedback", &with(body, "more", json!(1))).send().must_be_error(400, "invalid_request");
}

#[test]
fn a_dry_run_tells_where_a_prompt_lies_among_recent_ones() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let gateway = setup(&own, &paid).start();
    let route =
        |text: &str| gateway.post("/v1/route", &chat("auto", text)).send().json()["score"]["percentile"].clone();
    assert_eq!(route("hi"), Value::Null, "nothing has been seen");
    for number in 0..20 {
        let answer = gateway.chat(&chat("auto", &prompt(2 * number).0)).send();
        assert_eq!(answer.status, 200);
    }
    assert!(route(&prompt(1).0).as_f64().unwrap() > 0.9);
}

#[test]
fn eval_measures_a_score_against_length_chance_and_the_oracle() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("rows.jsonl");
    let mut rows = String::new();
    for number in 0..300 {
        let (prompt, hard) = prompt(number);
        let (weak, strong) = (u8::from(!hard || number % 8 == 1), u8::from(number % 20 != 1));
        rows.push_str(&format!(
            "{}\n",
            json!({ "prompt": prompt, "weak": weak, "strong": strong, "contaminated": false })
        ));
    }
    std::fs::write(&data, rows).unwrap();
    let (scores, plot) = (folder.path().join("scores.jsonl"), folder.path().join("curve.svg"));
    let arguments = ["eval", "--data", text(&data), "--write-scores", text(&scores), "--set", "mine"];
    let ran = waypost(&[&arguments[..], &["--plot", text(&plot), "--draws", "50"]].concat(), &[]);
    assert_eq!(ran.code, 0, "{ran}");
    for wanted in ["300 rows, 300 with both models", "oracle", "random", "length", "AUC"] {
        assert!(ran.stdout.contains(wanted), "{wanted} in {ran}");
    }
    assert!(std::fs::read_to_string(&plot).unwrap().contains("oracle"));
    let report =
        waypost(&["eval", "--data", text(&data), "--scores", text(&scores), "--draws", "50", "--json"], &[]).json();
    let apgr = |place: usize| report["routers"][place]["apgr"].as_f64().unwrap();
    let names: Vec<_> = (0..4).map(|place| report["routers"][place]["name"].clone()).collect();
    assert_eq!(names, ["score", "length", "oracle", "random"]);
    assert!(apgr(0) > 0.6 && apgr(2) > apgr(0), "{report}");
    assert!(report["forecast"]["auc"].as_f64().unwrap() > 0.8, "{report}");
    let line = std::fs::read_to_string(&scores).unwrap();
    let first: Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
    assert_eq!((&first["set"], &first["row"]), (&"mine".into(), &0.into()));
}

#[test]
fn data_with_a_mistake_says_in_which_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("rows.jsonl");
    std::fs::write(&data, "{\"prompt\":\"a\",\"outcomes\":{\"x\":1}}\n{\"prompt\":\"b\",\"outcomes\":{\"x\":3}}\n")
        .unwrap();
    let out = folder.path().join("out.json");
    let ran = waypost(&["calibrate", "--data", text(&data), "--out", text(&out)], &[]);
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.stderr.contains("rows.jsonl:2: the score of `x`"), "{ran}");
    let ran = waypost(&["eval", "--data", "/nowhere.jsonl"], &[]);
    assert!(ran.code == 1 && ran.stderr.contains("/nowhere.jsonl"), "{ran}");
    assert_eq!(waypost(&["calibrate", "--data", "x", "--at-least", "2"], &[]).code, 2);
}

#[test]
fn every_effort_gets_a_curve_and_the_models_own_is_routed() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("labels.jsonl"), folder.path().join("calibration.json"));
    let mut lines = String::new();
    for number in 0..120 {
        let (prompt, hard) = prompt(number);
        let score = |good: bool| f64::from(u8::from(good));
        let efforts = json!([
            { "score": score(!hard) },
            { "score": score(!hard || number % 4 == 1), "effort": "high", "output_tokens": 900 },
        ]);
        lines.push_str(&format!("{}\n", json!({ "prompt": prompt, "outcomes": { "r1": efforts, "best": 1 } })));
    }
    std::fs::write(&data, lines).unwrap();
    let ran = waypost(&["calibrate", "--data", text(&data), "--out", text(&out), "--json"], &[]);
    assert_eq!(ran.code, 0, "{ran}");
    let report = ran.json();
    let targets = report["calibration"]["targets"].as_array().unwrap();
    let mut named: Vec<_> = targets.iter().map(|of| (of["target"].as_str().unwrap(), of["effort"].as_str())).collect();
    named.sort_unstable();
    assert_eq!(named, [("best", None), ("r1", None), ("r1", Some("high"))]);
    assert_eq!(report["calibration"]["data"]["paired"], 120);
    assert!(report["calibration"]["floors"][0]["saving"].is_null(), "nothing was priced");
    assert!(report["warnings"].to_string().contains("the worse on average is taken to be the cheaper"), "{report}");
}
