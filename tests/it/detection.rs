//! What a request holds decides where it may go: detectors raise its class, and their finds are told but never shown.

use serde_json::{Value, json};

use crate::harness::{Gateway, Setup, Upstream, chat, repository, waypost, with};

const IBAN: &str = "DE89 3704 0044 0532 0130 00";
const MAIL: &str = "anna.maier@firma.de";

fn start(sections: &[&str]) -> (Upstream, Upstream, Gateway) {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let setup = sections.iter().fold(Setup::own_and_paid(&own, &paid), |setup, section| setup.section(section));
    let gateway = setup.start();
    (own, paid, gateway)
}

/// Whether the account number stands there, written either way.
fn is_shown(text: &str) -> bool {
    text.contains(IBAN) || text.to_lowercase().contains(&IBAN.replace(' ', "").to_lowercase())
}

fn enforcing(detector: &str) -> String {
    format!("detection: {{ detectors: {{ {detector} }} }}")
}

#[test]
fn by_default_finds_are_told_and_change_nothing() {
    let (_own, paid, gateway) = start(&[]);
    let answer = gateway.chat(&chat("large", &format!("pay {IBAN}, mail {MAIL} and {MAIL}"))).send();
    assert_eq!((answer.status, paid.requests()), (200, 1), "{}", answer.text());
    let decision = gateway.decision_of(&answer);
    let wanted = json!([
        { "detector": "email", "count": 1, "mode": "observe" },
        { "detector": "iban", "count": 1, "mode": "observe" },
    ]);
    assert_eq!(decision["detections"], wanted);
    assert_eq!(decision["labels"]["data-class"], json!({ "value": "internal", "by": "default" }));
    let count = |mode| gateway.metric("waypost_detections_total", &[("detector", "iban"), ("mode", mode)]);
    assert_eq!((count("observe"), count("enforce")), (Some(1.0), None));
    let plain = gateway.chat(&chat("large", "hi")).send();
    assert_eq!(gateway.decision_of(&plain).get("detections"), None);
}

#[test]
fn an_enforced_find_closes_what_the_class_closes_and_not_one_byte_goes_there() {
    let (own, paid, gateway) = start(&[&enforcing("iban: enforce")]);
    let hidden = format!("account: {}", IBAN.replace(' ', ""));
    let bodies = [
        chat("large", IBAN),
        json!({ "model": "large", "messages": [{ "role": "system", "content": IBAN }, { "role": "user", "content": "hi" }] }),
        json!({ "model": "large", "messages": [{ "role": "user", "content": [{ "type": "text", "text": hidden }] }] }),
        json!({ "model": "large", "messages": [
            { "role": "user", "content": "hi" },
            { "role": "assistant", "content": null, "tool_calls": [
                { "id": "c", "type": "function", "function": { "name": "pay", "arguments": json!({ "to": IBAN }).to_string() } },
            ] },
            { "role": "tool", "tool_call_id": "c", "content": "done" },
        ] }),
        json!({ "model": "large", "messages": [
            { "role": "user", "content": "hi" },
            { "role": "assistant", "content": null, "tool_calls": [
                { "id": "c", "type": "function", "function": { "name": "pay", "arguments": "{}" } },
            ] },
            { "role": "tool", "tool_call_id": "c", "content": IBAN },
        ] }),
    ];
    for body in &bodies {
        for labels in ["", "data-class=public"] {
            let request = gateway.chat(body);
            let request = if labels.is_empty() { request } else { request.labels(labels) };
            let answer = request.send();
            let message = answer.must_be_error(403, "policy_denied");
            assert!(message.contains("personal-data-stays-in-the-eea") && !is_shown(&message), "{message}");
            let decision = gateway.decision_of(&answer);
            assert_eq!(decision["labels"]["data-class"], json!({ "value": "personal", "by": "detected:iban" }));
            assert_eq!(decision["detections"], json!([{ "detector": "iban", "count": 1, "mode": "enforce" }]));
        }
    }
    let escaped: String =
        format!(r#"{{"model":"large","messages":[{{"role":"user","content":"{}"}}]}}"#, escaped(IBAN));
    gateway.chat_raw(escaped).send().must_be_error(403, "policy_denied");
    paid.must_be_untouched();

    let answer = gateway.chat(&chat("auto", IBAN)).send();
    assert_eq!((answer.status, answer.expect_header("x-waypost-provider")), (200, "own"));
    assert_eq!(own.requests(), 1);
    paid.must_be_untouched();
}

/// Every character as an escape.
fn escaped(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
}

#[test]
fn every_format_is_looked_through() {
    let (_own, paid, gateway) = start(&[&enforcing("iban: enforce")]);
    let requests = [
        ("/v1/responses", json!({ "model": "large", "input": IBAN })),
        ("/v1/responses", json!({ "model": "large", "instructions": IBAN, "input": "hi" })),
        (
            "/v1/messages",
            json!({ "model": "large", "max_tokens": 9, "messages": [{ "role": "user", "content": IBAN }] }),
        ),
        (
            "/v1/messages",
            json!({ "model": "large", "max_tokens": 9, "system": IBAN, "messages": [{ "role": "user", "content": "hi" }] }),
        ),
        ("/v1/messages/count_tokens", json!({ "model": "large", "messages": [{ "role": "user", "content": IBAN }] })),
        ("/v1/completions", json!({ "model": "large", "prompt": IBAN })),
    ];
    for (path, body) in &requests {
        let answer = gateway.post(path, body).send();
        assert_eq!(answer.status, 403, "{path}: {}", answer.text());
    }
    paid.must_be_untouched();
}

#[test]
fn embeddings_are_looked_through_too() {
    let paid = Upstream::plain();
    let gateway = Setup::one(&Upstream::plain())
        .provider("paid", &paid, crate::harness::ABROAD)
        .model("vectors", "paid", "kind: embedding, tier: weak")
        .section(&enforcing("iban: enforce"))
        .start();
    let body = |input: Value| json!({ "model": "vectors", "input": input });
    for input in [json!(IBAN), json!(["hi", IBAN])] {
        let answer = gateway.post("/v1/embeddings", &body(input)).send();
        answer.must_be_error(403, "policy_denied");
    }
    paid.must_be_untouched();
    assert_eq!(gateway.post("/v1/embeddings", &body(json!("hi"))).send().status, 200);
}

#[test]
fn dry_runs_look_as_well_and_count_in_no_metric() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let setup = Setup::own_and_paid(&own, &paid).section(&enforcing("iban: enforce, email: observe"));
    let gateway = setup.start();
    let dry = gateway.post("/v1/route", &chat("large", &format!("{IBAN} {MAIL}"))).send().json();
    assert_eq!(dry["outcome"], "denied");
    assert_eq!(dry["labels"]["data-class"]["by"], "detected:iban");
    assert_eq!(gateway.metric("waypost_detections_total", &[]), None);

    let (_folder, config) = setup.write();
    let explained = waypost(&["explain", "--json", "--config", config.to_str().unwrap(), IBAN], &[]);
    assert_eq!(explained.code, 0, "`auto` has somewhere to go: {explained}");
    assert_eq!(explained.json()["labels"], dry["labels"]);
    let long = gateway.file("long.json");
    std::fs::write(&long, chat("large", &format!("{} {IBAN}", "long ".repeat(50_000))).to_string()).unwrap();
    let arguments = ["explain", "--json", "--config", config.to_str().unwrap(), "--request", long.to_str().unwrap()];
    let explained = waypost(&arguments, &[]);
    assert_eq!(explained.code, 1, "a denial is a finding: {explained}");
    assert_eq!(explained.json()["labels"], dry["labels"]);
    own.must_be_untouched();
    paid.must_be_untouched();
}

#[test]
fn a_past_request_is_looked_through_as_well() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (folder, config) = Setup::own_and_paid(&own, &paid).section(&enforcing("iban: enforce")).write();
    let history = folder.path().join("history.jsonl");
    let line = |text: &str| {
        let request = json!({ "model": "large", "messages": [{ "role": "user", "content": text }] });
        let usage = json!({ "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15 });
        json!({ "request": request, "response": { "model": "large", "choices": [], "usage": usage } })
    };
    std::fs::write(&history, format!("{}\n{}\n", line(IBAN), line("hi"))).unwrap();
    let tried = waypost(&["try", history.to_str().unwrap(), "--config", config.to_str().unwrap(), "--json"], &[]);
    assert_eq!(tried.code, 0, "{tried}");
    assert!(!is_shown(&tried.all()), "{tried}");
    let page = tried.json();
    let rules = &page["policy"];
    assert!(
        page.to_string().contains("personal-data-stays-in-the-eea"),
        "one of two would be kept from abroad: {rules} in {page}"
    );
}

#[test]
fn fewer_values_than_asked_for_and_exceptions_raise_nothing() {
    let detectors = r#"email: { mode: enforce, min_count: 2, except: ["*@example.com", "/noreply@.*/"] }"#;
    let (_own, paid, gateway) = start(&[&enforcing(detectors)]);
    let fine = [MAIL.to_owned(), format!("{MAIL} {MAIL}"), format!("{MAIL} a@example.com noreply@firma.de")];
    for text in &fine {
        assert_eq!(gateway.chat(&chat("large", text)).send().status, 200, "{text}");
    }
    assert_eq!(paid.requests(), 3);
    gateway.chat(&chat("large", &format!("{MAIL} b@firma.de"))).send().must_be_error(403, "policy_denied");
    assert_eq!(paid.requests(), 3);
}

#[test]
fn each_detector_raises_to_its_own_value_and_never_lowers() {
    let tenants = "tenants: [{ name: default, floor: { data-class: secret } }]";
    let (_own, _paid, gateway) = start(&[tenants, &enforcing("iban: enforce")]);
    let decision = gateway.decision_of(&gateway.chat(&chat("small", IBAN)).send());
    assert_eq!(decision["labels"]["data-class"], json!({ "value": "secret", "by": "floor" }));

    let (_own, _paid, gateway) = start(&[&enforcing("iban: { mode: enforce, value: public }, api_key: enforce")]);
    let decision = gateway.decision_of(&gateway.chat(&chat("small", IBAN)).send());
    assert_eq!(decision["labels"]["data-class"], json!({ "value": "internal", "by": "default" }));
    let key = format!("{IBAN} AKIAQ3EGRBDW7L2ZTX5M");
    let decision = gateway.decision_of(&gateway.chat(&chat("small", &key)).send());
    assert_eq!(decision["labels"]["data-class"], json!({ "value": "secret", "by": "detected:api_key" }));
}

#[test]
fn what_was_found_is_in_no_log_metric_error_or_record() {
    let (_own, _paid, gateway) = start(&[&enforcing("iban: enforce, email: enforce"), "errors: { detail: full }"]);
    let answer = gateway.chat(&chat("large", &format!("{IBAN} {MAIL}"))).send();
    answer.must_be_error(403, "policy_denied");
    let told =
        [answer.text(), gateway.decision_of(&answer).to_string(), gateway.admin_get("/metrics").text(), gateway.log()];
    for text in &told {
        assert!(!is_shown(text) && !text.contains("maier"), "{text}");
    }
}

#[test]
fn what_cannot_be_read_counts_as_what_its_tenant_says() {
    let tenants = "tenants: [{ name: default, unscanned_as: personal }]";
    let (own, paid, gateway) = start(&[tenants]);
    let image = json!([
        { "type": "text", "text": "what is this" },
        { "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgo=" } },
    ]);
    let body = |model: &str| with(chat(model, "x"), "messages", json!([{ "role": "user", "content": image }]));
    let answer = gateway.chat(&body("large")).send();
    answer.must_be_error(403, "policy_denied");
    let decision = gateway.decision_of(&answer);
    assert_eq!(decision["labels"]["data-class"], json!({ "value": "personal", "by": "unscanned" }));
    let tokens = json!({ "model": "large", "prompt": [1, 2, 3] });
    assert_eq!(gateway.post("/v1/completions", &tokens).send().status, 403, "tokens are no text either");
    paid.must_be_untouched();
    assert_eq!(gateway.chat(&body("small")).send().status, 200);
    assert_eq!(own.requests(), 1);
    assert_eq!(gateway.chat(&chat("large", "hi")).send().status, 200, "text alone is read");

    let (_own, _paid, lax) = start(&[]);
    assert_eq!(lax.chat(&body("large")).send().status, 200, "a tenant that says nothing");
}

#[test]
fn a_mistake_in_the_settings_is_named_with_its_place_and_remedy() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    for (section, wanted) in [
        ("detection: { detectors: { ibam: enforce } }", ["unknown key `ibam`", "did you mean `iban`?"]),
        ("detection: { detectors: { iban: enfroce } }", ["unknown mode `enfroce`", "did you mean `enforce`?"]),
        (
            "detection: { detectors: { iban: { mode: enforce, value: persnal } } }",
            ["`persnal`", "did you mean `personal`?"],
        ),
        ("detection: { label: dataclass }", ["unknown label `dataclass`", "did you mean `data-class`?"]),
        (
            "detection: { detectors: { email: { except: [\"/a(/\"] } } }",
            ["is no regular expression", "without slashes"],
        ),
        ("detection: { detectors: { email: { except: [\"*\"] } } }", ["excepts everything", "mode: off"]),
        ("detection: { detectors: { email: { min_count: 0 } } }", ["zero is not possible", "1 or more"]),
        ("tenants: [{ name: a, unscanned_as: persnal }]", ["`persnal`", "did you mean `personal`?"]),
        (
            "labels: { data-class: { order: [low, high], default: low } }\ndetection: { detectors: { iban: enforce } }",
            ["to `personal`, which it does not have", "value: high"],
        ),
        (
            "labels: { purpose: { values: [a, b] } }\ndetection: { label: purpose }",
            ["has no order", "declare it with `order`"],
        ),
    ] {
        let (_folder, config) = Setup::own_and_paid(&own, &paid).section(section).write();
        let checked = waypost(&["check", "--config", config.to_str().unwrap()], &[]);
        assert_eq!(checked.code, 1, "{section}: {checked}");
        for wanted in wanted {
            assert!(checked.all().contains(wanted), "{wanted:?} is missing for {section}: {checked}");
        }
        let place = checked.all().lines().find(|line| line.contains("config.yaml:")).map(str::to_owned).unwrap();
        let numbers: Vec<&str> = place.split("config.yaml:").nth(1).unwrap().split(':').take(2).collect();
        assert!(numbers.iter().all(|number| number.parse::<u32>().is_ok_and(|number| number > 0)), "{place}");
    }
}

fn corpus() -> String {
    repository().join("tests/detection/corpus.jsonl.gz").to_str().unwrap().to_owned()
}

/// The lowest figures that the corpus may show: those of docs/detection.md, a little rounded down.
const FLOORS: [(&str, f64, f64); 11] = [
    ("email", 0.99, 0.99),
    ("phone", 0.80, 0.95),
    ("iban", 0.99, 0.99),
    ("card", 0.75, 0.95),
    ("us_ssn", 0.98, 0.98),
    ("es_dni", 0.98, 0.98),
    ("fr_nir", 0.99, 0.99),
    ("it_codice_fiscale", 0.99, 0.99),
    ("de_tax_id", 0.99, 0.90),
    ("api_key", 0.99, 0.99),
    ("private_key", 0.99, 0.99),
];

#[test]
fn on_the_corpus_detection_is_no_worse_than_the_documentation_says() {
    let measured = waypost(&["detect", "--json", "--corpus", &corpus()], &[]);
    assert_eq!(measured.code, 0, "{measured}");
    let measured = measured.json();
    assert!(measured["corpus"]["texts"].as_u64().is_some_and(|texts| texts > 1_000), "{measured}");
    for (detector, precision, recall) in FLOORS {
        let figures = &measured["corpus"]["detectors"][detector];
        assert!(figures["values"].as_u64().is_some_and(|values| values >= 50), "{detector}: {figures}");
        assert!(figures["precision"].as_f64().is_some_and(|figure| figure >= precision), "{detector}: {figures}");
        assert!(figures["recall"].as_f64().is_some_and(|figure| figure >= recall), "{detector}: {figures}");
    }
    let table = waypost(&["detect", "--corpus", &corpus()], &[]).stdout;
    assert!(table.contains("precision") && table.contains("it_codice_fiscale"), "{table}");
}

#[test]
fn the_command_tells_where_a_value_is_and_not_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.txt");
    std::fs::write(&file, format!("first line\nsend it to {MAIL}\n")).unwrap();
    let file = file.to_str().unwrap();
    let found = waypost(&["detect", file], &[]);
    assert_eq!((found.code, found.stdout.trim()), (0, "2:12: email, 19 bytes"), "{found}");
    let found = waypost(&["detect", "--json", file], &[]).json();
    assert_eq!(found["finds"], json!([{ "detector": "email", "line": 2, "column": 12, "bytes": 19 }]));
    assert_eq!(found["counts"], json!({ "email": 1 }));
    assert_eq!(waypost(&["detect"], &[]).code, 2);
    let missing = waypost(&["detect", "/nowhere/at/all"], &[]);
    assert!(missing.code == 1 && missing.stderr.contains("cannot be read"), "{missing}");
}

#[test]
fn the_command_counts_prompts_in_which_something_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prompts.jsonl");
    let lines = [json!({ "prompt": "hi" }), json!({ "prompt": "hi", "turn2": MAIL }), json!({ "prompt": "x" })];
    std::fs::write(&file, lines.map(|line| format!("{line}\n")).concat()).unwrap();
    let measured = waypost(&["detect", "--json", "--prompts", file.to_str().unwrap()], &[]).json();
    let report = &measured["prompts"][0];
    assert_eq!((&report["prompts"], &report["disturbed"]), (&json!(3), &json!(1)));
    assert_eq!(report["detectors"], json!({ "email": 1 }));
}
