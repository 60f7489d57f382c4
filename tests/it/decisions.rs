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
    assert_eq!(shown.code, 0, "{shown}");
    let filled = shown.stdout.split_once("filled in from the catalogue").map(|(_, filled)| filled).unwrap_or_default();
    for said in
        ["location.countries [AT, ", "data.retention 30d", "operator.jurisdictions [US]", "https://", "as of 20"]
    {
        assert!(filled.contains(said), "{said}: {shown}");
    }
    assert!(!filled.contains("data.trains"), "that is stated: {shown}");
    assert!(shown.stdout.contains("(catalogue, 20"), "the rule that removes it says what it rests on: {shown}");
}
