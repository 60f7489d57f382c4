//! What was decided and why: the dry run, `waypost explain` and the record agree, for they are the same code.

use serde_json::{Value, json};

use crate::harness::{Gateway, Setup, Upstream, VirtualKey, chat, waypost, with};

/// What a decision says of every candidate.
fn candidates(decision: &Value) -> Vec<Value> {
    let candidates = decision["candidates"].as_array().unwrap_or_else(|| panic!("candidates in {decision}"));
    assert!(!candidates.is_empty(), "{decision}");
    let mut seen: Vec<Value> = candidates
        .iter()
        .map(|one| json!([one["target"], one["removed_by"], one["cost_nusd"], one["p_good"]]))
        .collect();
    seen.sort_by_key(ToString::to_string);
    seen
}

fn chosen(decision: &Value) -> &Value {
    let place = decision["chosen"].as_u64().unwrap_or_else(|| panic!("a choice in {decision}"));
    &decision["candidates"][usize::try_from(place).unwrap()]["target"]
}

fn setup(own: &Upstream, paid: &Upstream) -> Setup {
    Setup::own_and_paid(own, paid)
        .provider("cn", paid, "operator: { name: Elsewhere, jurisdictions: [CN] }")
        .model("cheap", "cn", "tier: strong, price: { input: 0.1, output: 0.1 }")
        .section("classifier: { model: embedded, deadline: 5s }")
}

#[test]
fn the_dry_run_the_command_and_the_record_agree() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let gateway = setup(&own, &paid).start();
    let body = with(chat("auto", "What is the capital of Germany?"), "max_tokens", json!(50));

    let dry = gateway.post("/v1/route", &body).labels("data-class=personal").send();
    assert_eq!(dry.status, 200, "{}", dry.text());
    let dry = dry.json();
    own.must_be_untouched();
    paid.must_be_untouched();

    let request = gateway.file("request.json");
    std::fs::write(&request, body.to_string()).unwrap();
    let config = gateway.file("config.yaml");
    let explained = waypost(
        &[
            "explain",
            "--json",
            "--config",
            config.to_str().unwrap(),
            "--label",
            "data-class=personal",
            "--request",
            request.to_str().unwrap(),
        ],
        &[],
    );
    assert_eq!(explained.code, 0, "{explained}");
    let explained = explained.json();

    let answer = gateway.chat(&body).labels("data-class=personal").send();
    let record = gateway.decision_of(&answer);

    assert_eq!(candidates(&dry), candidates(&record));
    assert_eq!(candidates(&explained), candidates(&record));
    assert_eq!(chosen(&dry), chosen(&record));
    assert_eq!(chosen(&explained), chosen(&record));
    assert_eq!(dry["score"]["difficulty"], record["score"]["difficulty"]);
    assert_eq!(dry["policy"], record["policy"]);
    assert_eq!(dry["labels"], record["labels"]);
    let removed: Vec<_> = candidates(&record).iter().map(|one| one[1].clone()).collect();
    assert!(removed.contains(&json!("personal-data-stays-in-the-eea")), "{removed:?}");
    assert_eq!(record["labels"]["data-class"], json!({ "value": "personal", "by": "client" }));
}

#[test]
fn explain_shows_people_every_candidate_with_its_figures_or_its_rule() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (_folder, config) = setup(&own, &paid).write();
    let shown = waypost(&["explain", "--config", config.to_str().unwrap(), "Say hello."], &[]);
    assert_eq!(shown.code, 0, "{shown}");
    for wanted in ["small@own", "large@paid", "cheap@cn", "no-api-operated-from-cn"] {
        assert!(shown.stdout.contains(wanted), "{wanted} in {shown}");
    }
    own.must_be_untouched();
    paid.must_be_untouched();
}

#[test]
fn a_denial_is_recorded_with_what_removed_each_target() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let gateway = setup(&own, &paid).start();
    let answer = gateway.chat(&chat("large", "hi")).labels("data-class=personal").send();
    answer.must_be_error(403, "policy_denied");
    let record = gateway.decision_of(&answer);
    assert_eq!(record["outcome"], "denied");
    assert_eq!(record["cost_nusd"], 0);
    assert_eq!(record["candidates"][0]["target"], "large@paid");
    assert_eq!(record["candidates"][0]["removed_by"], "personal-data-stays-in-the-eea");
}

#[test]
fn a_record_tells_the_whole_story_of_its_request() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let gateway = setup(&own, &paid).start();
    let answer = gateway.chat(&chat("auto", "hi")).header("x-request-id", "story-1").send();
    let record = gateway.decision_of(&answer);
    assert_eq!(record["schema"], 1);
    assert_eq!(record["request_id"], "story-1");
    assert_eq!(record["tenant"], "default");
    assert_eq!(record["operation"], "chat");
    assert_eq!(record["outcome"], "ok");
    assert_eq!(record["quality"]["basis"], "prior", "nothing is claimed that was not measured");
    assert_eq!(record["attempts"][0]["target"], "small@own");
    assert_eq!(record["attempts"][0]["status"], 200);
    assert_eq!(format!("http://{}", record["attempts"][0]["peer"].as_str().unwrap()), own.origin());
    assert!(record["config"].as_str().unwrap().starts_with("sha256:"));
    assert!(record["policy"]["hash"].as_str().unwrap().starts_with("sha256:"));
    assert!(record["score"]["model"].as_str().unwrap().starts_with("sha256:"));
}

fn two_tenants() -> (Upstream, VirtualKey, VirtualKey, Gateway) {
    let upstream = Upstream::plain();
    let (one, other) = (VirtualKey::create(), VirtualKey::create());
    let keys =
        [one.entry("one", "tenant: acme, permissions: [route]"), other.entry("other", "tenant: rival")].join(", ");
    let gateway = Setup::one(&upstream)
        .section(&format!("auth: {{ keys: [{keys}] }}"))
        .section("tenants: [{ name: acme }, { name: rival }]")
        .start();
    (upstream, one, other, gateway)
}

#[test]
fn a_tenant_reads_its_own_records_only() {
    let (_upstream, one, other, gateway) = two_tenants();
    let answer = gateway.chat(&chat("small", "hi")).key(&one.secret).send();
    let path = format!("/v1/decisions/{}", answer.expect_header("x-waypost-decision"));
    let seen = crate::harness::eventually("the record", || {
        let answer = gateway.get(&path).key(&one.secret).send();
        (answer.status == 200).then(|| answer.json())
    });
    assert_eq!((&seen["tenant"], &seen["key"]), (&json!("acme"), &json!("one")));
    let strangers = gateway.get(&path).key(&other.secret).send();
    let unknown = gateway.get("/v1/decisions/dec_00000000000000000000000000").key(&other.secret).send();
    strangers.must_be_error(404, "not_found");
    assert_eq!(strangers.text(), unknown.text(), "another tenant's record is as unknown as one that never was");
    assert_eq!(gateway.get(&path).send().status, 401);
}

#[test]
fn a_dry_run_needs_the_permission() {
    let (upstream, one, other, gateway) = two_tenants();
    assert_eq!(gateway.post("/v1/route", &chat("auto", "hi")).key(&one.secret).send().status, 200);
    gateway.post("/v1/route", &chat("auto", "hi")).key(&other.secret).send().must_be_error(403, "permission_denied");
    upstream.must_be_untouched();
}

#[test]
fn what_was_expected_stands_beside_what_came() {
    let upstream = Upstream::that("text: hi, prompt_tokens: 30, completion_tokens: 4");
    let gateway = Setup::one(&upstream).section("classifier: { model: linear }").start();
    let record = gateway.decision_of(&gateway.chat(&with(chat("auto", "hi"), "max_tokens", json!(50))).send());
    let expected = &record["expected"];
    assert_eq!(expected["output"], 50, "the client's own limit: {record}");
    assert_eq!(expected["cost_nusd"], record["candidates"][0]["cost_nusd"]);
    assert!(expected["input"].as_u64().unwrap() > 0 && expected["ttft_ms"].as_f64().unwrap() > 0.0, "{record}");
    assert_eq!((&record["usage"]["input"], &record["usage"]["output"]), (&json!(30), &json!(4)));
    assert_eq!(record["cost_nusd"], 30 * 1000 + 4 * 10_000);
    assert!(record["ttft_ms"].as_f64().unwrap() > 0.0, "{record}");
    assert!(record["attempts"][0]["bytes_sent"].as_u64().unwrap() > 10);
    assert_eq!(record["attempts"][0]["tls_sha256"], Value::Null, "there is no TLS on this way");
}

#[test]
fn a_ceiling_that_removes_a_target_says_by_what_it_was_missed() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let gateway = setup(&own, &paid).start();
    let dear = with(chat("auto", "hi"), "max_tokens", json!(400));
    let answer = gateway.chat(&dear).header("x-waypost-max-cost-usd", "0.0000001").send();
    answer.must_be_error(403, "policy_denied");
    let record = gateway.decision_of(&answer);
    let small = record["candidates"].as_array().unwrap().iter().find(|one| one["target"] == "small@own").unwrap();
    assert_eq!(small["removed_by"], "max_cost");
    assert!(small["detail"].as_str().unwrap().starts_with("expected to cost 0.00"), "{small}");
}

#[test]
fn explain_ends_with_1_where_the_request_would_be_denied() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (_folder, config) = setup(&own, &paid).write();
    let explain = |more: &[&str]| {
        let base =
            ["explain", "--config", config.to_str().unwrap(), "--model", "large", "--label", "data-class=personal"];
        waypost(&[&base, more].concat(), &[])
    };
    for more in [&["hi"][..], &["--json", "hi"]] {
        let denied = explain(more);
        assert_eq!(denied.code, 1, "{denied}");
        assert!(denied.stdout.contains("personal-data-stays-in-the-eea"), "the finding is told: {denied}");
        assert!(denied.stdout.contains("location.countries"), "with the fact that failed: {denied}");
    }
}

#[test]
fn operators_list_the_decisions_of_all_tenants_the_newest_first() {
    let (_upstream, one, other, gateway) = two_tenants();
    let ids: Vec<String> = [(&one, "small"), (&other, "small"), (&one, "no-such-model"), (&one, "small")]
        .into_iter()
        .map(|(key, model)| {
            let answer = gateway.chat(&chat(model, "hi")).key(&key.secret).send();
            answer.expect_header("x-waypost-decision").to_owned()
        })
        .collect();
    let listed = |query: &str| -> Vec<usize> {
        let answer = gateway.admin_get(&format!("/admin/decisions{query}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let decisions = answer.json()["decisions"].clone();
        let place = |one: &Value| ids.iter().position(|id| one["id"] == *id.as_str()).unwrap();
        decisions.as_array().unwrap().iter().map(place).collect()
    };
    crate::harness::eventually("all are kept", || (listed("").len() == 4).then_some(()));
    assert_eq!(listed(""), [3, 2, 1, 0]);
    assert_eq!(listed("?limit=2"), [3, 2]);
    assert_eq!(listed("?tenant=rival"), [1]);
    assert_eq!(listed("?tenant=acme&outcome=error"), [2]);
    assert_eq!(listed("?outcome=denied"), [0; 0]);
    for wrong in ["?limit=0", "?limit=x", "?outcome=fine", "?tenat=acme"] {
        assert_eq!(gateway.admin_get(&format!("/admin/decisions{wrong}")).status, 400, "{wrong}");
    }
    assert_eq!(gateway.get("/admin/decisions").key(&one.secret).send().status, 404, "not for clients");
}

#[test]
fn the_running_configuration_is_shown_without_its_secrets() {
    let upstream = Upstream::plain();
    let key = VirtualKey::create();
    let gateway = Setup::new()
        .provider("own", &upstream, "credentials: [{ api_key: sk-hunter2 }]")
        .model("small", "own", "tier: weak")
        .section(&format!("auth: {{ keys: [{}] }}", key.entry("k1", "")))
        .start();
    let answer = gateway.admin_get("/admin/config");
    let shown = answer.json();
    assert_eq!(shown["config"]["providers"][0]["name"], "own");
    assert_eq!((&shown["state"], &shown["failed"]), (&json!("current"), &Value::Null));
    assert!(shown["loaded_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(shown["policies"][0]["rules"].as_array().map(Vec::is_empty), Some(false));
    assert!(!answer.text().contains("hunter2") && !answer.text().contains("hmac-sha256:"), "{}", answer.text());
}

#[test]
fn explain_says_what_came_from_the_catalogue_and_from_where() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("waypost.yaml");
    let text = "\
providers:
  - { name: eu, kind: openai, endpoints: [\"https://eu.api.openai.com\"], data: { trains: false } }
models:
  - { name: big, provider: eu, upstream: gpt-4.1, tier: strong, price: catalog }
classifier: { model: off }
";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let shown = waypost(&["explain", "--config", file, "--label", "data-class=personal", "hi"], &[]);
    assert_eq!(shown.code, 1, "it is denied, which is a finding: {shown}");
    let filled = shown.stdout.split_once("filled in from the catalogue").map(|(_, filled)| filled).unwrap_or_default();
    for said in
        ["location.countries [AT, ", "data.retention 30d", "operator.jurisdictions [US]", "https://", "as of 20"]
    {
        assert!(filled.contains(said), "{said}: {shown}");
    }
    assert!(!filled.contains("data.trains"), "that is stated: {shown}");
    assert!(shown.stdout.contains("(catalogue, 20"), "the rule that removes it says what it rests on: {shown}");
}

#[test]
fn a_target_that_lacks_what_a_request_needs_is_shown_with_that() {
    let (own, able, abroad) = (Upstream::plain(), Upstream::plain(), Upstream::plain());
    let setup = Setup::one(&own)
        .provider("able", &able, "")
        .model("searcher", "able", "tier: mid, supports: [server_tools]")
        .provider("abroad", &abroad, crate::harness::ABROAD)
        .model("keeper", "abroad", "tier: mid, supports: [server_tools, state]");
    let gateway = setup.start();
    let search = with(chat("auto", "hi"), "web_search_options", json!({}));
    let both = with(search.clone(), "store", json!(true));
    let removed = |decision: &Value| -> Vec<Value> {
        let candidates = decision["candidates"].as_array().unwrap();
        candidates.iter().map(|one| json!([one["target"], one["removed_by"]])).collect()
    };

    // One is chosen; the other is out, and why is said.
    let dry = gateway.post("/v1/route", &search).labels("data-class=personal").send().json();
    let rule = "personal-data-stays-in-the-eea";
    let wanted = [json!(["searcher@able", null]), json!(["keeper@abroad", rule]), json!(["small@own", "server_tools"])];
    assert_eq!(removed(&dry), wanted, "{dry}");
    assert_eq!((&dry["chosen"], &dry["candidates"][2]["detail"]), (&json!(0), &json!("`supports` does not state it")));
    let answer = gateway.chat(&search).labels("data-class=personal").send();
    assert_eq!(removed(&gateway.decision_of(&answer)), wanted);

    // The rules leave nothing of those that could.
    let denied = gateway.chat(&both).labels("data-class=personal").send();
    denied.must_be_error(403, "policy_denied");
    let wanted =
        [json!(["keeper@abroad", rule]), json!(["small@own", "server_tools"]), json!(["searcher@able", "state"])];
    assert_eq!(removed(&gateway.decision_of(&denied)), wanted);

    // Nobody could: the record and the dry run of the refusal say who was considered, and under which policy.
    let named = with(both.clone(), "model", json!("searcher"));
    let refused = gateway.chat(&named).send();
    refused.must_be_error(400, "server_tool_denied");
    let record = gateway.decision_of(&refused);
    let dry = gateway.post("/v1/route", &named).send();
    assert_eq!(dry.status, 200, "a denial is a finding of a dry run: {}", dry.text());
    for decision in [record, dry.json()] {
        assert_eq!(removed(&decision), [json!(["searcher@able", "state"])], "{decision}");
        let (outcome, error) = (&decision["outcome"], &decision["error"]);
        assert_eq!((outcome, error), (&json!("denied"), &json!("server_tool_denied")), "{decision}");
        assert_eq!((&decision["policy"]["name"], &decision["chosen"]), (&json!("default"), &Value::Null), "{decision}");
    }
    let request = gateway.file("request.json");
    std::fs::write(&request, named.to_string()).unwrap();
    let (file, config) = (request.to_str().unwrap(), gateway.file("config.yaml"));
    let shown = waypost(&["explain", "--config", config.to_str().unwrap(), "--request", file], &[]);
    assert_eq!(shown.code, 1, "{shown}");
    assert!(shown.stdout.contains("nothing: server_tool_denied"), "{shown}");
    assert!(shown.stdout.contains("state: `supports` does not state it"), "{shown}");
}

#[test]
fn explain_says_what_was_found_and_whether_it_counts() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let setup = Setup::own_and_paid(&own, &paid).section("detection: { detectors: { iban: enforce } }");
    let (_folder, config) = setup.write();
    let prompt = "pay DE89 3704 0044 0532 0130 00 and write to anna.maier@firma.de or to bert.maier@firma.de";
    let shown = waypost(&["explain", "--config", config.to_str().unwrap(), prompt], &[]);
    assert_eq!(shown.code, 0, "{shown}");
    let lines: Vec<&str> = shown.stdout.lines().filter(|line| line.starts_with("detected ")).collect();
    assert_eq!(
        lines,
        ["detected    2 × email (observe, which sets no label)", "detected    1 × iban (enforce)"],
        "{shown}"
    );
    assert!(shown.stdout.contains("label       data-class = personal (by detected:iban)"), "{shown}");
    assert!(!shown.stdout.contains("maier") && !shown.stdout.contains("3704"), "{shown}");
}
