//! Which names a key may ask for, and what each stands for.

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::{Answer, Gateway, Setup, Upstream, VirtualKey, chat};

fn ids(answer: &Answer) -> BTreeSet<String> {
    let list = answer.json();
    assert_eq!(list["object"], "list");
    let models = list["data"].as_array().expect("a list");
    models.iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_model_and_alias_is_listed_in_openais_shape_and_can_be_fetched() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).section("aliases: [{ name: mine, targets: [{ model: small }] }]").start();
    let answer = gateway.get("/v1/models").send();
    let listed = ids(&answer);
    for name in ["auto", "small", "mine"] {
        assert!(listed.contains(name), "{listed:?}");
        let model = gateway.get(&format!("/v1/models/{name}")).send();
        assert_eq!(model.status, 200);
        assert_eq!(model.json()["id"], name);
        assert_eq!(model.json()["object"], "model");
        assert!(model.json()["owned_by"].is_string());
    }
    let model = gateway.get("/v1/models/own/small").send();
    assert_eq!(model.json()["id"], "own/small", "a name with a slash can be fetched too");
}

#[test]
fn a_model_of_two_providers_is_listed_once() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream)
        .model("large", "own", "tier: strong")
        .provider("second", &upstream, "")
        .model("small", "second", "tier: weak")
        .start();
    let answer = gateway.get("/v1/models").send();
    assert_eq!(answer.json()["data"].as_array().unwrap().len(), ids(&answer).len(), "{}", answer.text());
}

fn two_keys() -> (Upstream, VirtualKey, VirtualKey, Gateway) {
    let upstream = Upstream::plain();
    let (all, some) = (VirtualKey::create(), VirtualKey::create());
    let keys = [all.entry("all", ""), some.entry("some", "models: [auto, \"small*\"]")].join(", ");
    let gateway = Setup::one(&upstream)
        .model("large", "own", "tier: strong")
        .section(&format!("auth: {{ keys: [{keys}] }}"))
        .start();
    (upstream, all, some, gateway)
}

#[test]
fn a_key_sees_only_its_models() {
    let (_upstream, all, some, gateway) = two_keys();
    assert!(ids(&gateway.get("/v1/models").key(&all.secret).send()).contains("large"));
    let listed = ids(&gateway.get("/v1/models").key(&some.secret).send());
    assert!(listed.contains("small") && listed.contains("auto"), "{listed:?}");
    assert!(!listed.iter().any(|name| name.contains("large")), "{listed:?}");
}

#[test]
fn a_model_that_is_forbidden_and_one_that_is_not_there_look_the_same() {
    let (upstream, _all, some, gateway) = two_keys();
    let asked = |name: &str| {
        let answer = gateway.chat(&chat(name, "hi")).key(&some.secret).send();
        answer.must_be_error(404, "model_not_found").replace(name, "NAME")
    };
    assert_eq!(asked("large"), asked("no-such-model"));
    let fetched = |name: &str| {
        let answer = gateway.get(&format!("/v1/models/{name}")).key(&some.secret).send();
        answer.must_be_error(404, "model_not_found").replace(name, "NAME")
    };
    assert_eq!(fetched("large"), fetched("no-such-model"));
    assert_eq!(asked("own/large"), asked("own/no-such-model"));
    upstream.must_be_untouched();
}

#[test]
fn a_key_for_auto_gets_what_the_policy_chooses() {
    let upstream = Upstream::plain();
    let key = VirtualKey::create();
    let gateway =
        Setup::one(&upstream).section(&format!("auth: {{ keys: [{}] }}", key.entry("k", "models: [auto]"))).start();
    assert_eq!(gateway.chat(&chat("auto", "hi")).key(&key.secret).send().status, 200);
    gateway.chat(&chat("small", "hi")).key(&key.secret).send().must_be_error(404, "model_not_found");
}

#[test]
fn an_alias_shares_requests_out_by_weight() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream)
        .model("large", "own", "tier: strong")
        .section("aliases: [{ name: mine, targets: [{ model: small, weight: 3 }, { model: large, weight: 1 }] }]")
        .start();
    let mut connection = gateway.connect();
    let mut large = 0;
    for _ in 0..120 {
        let answer = gateway.chat(&chat("mine", "hi")).over(&mut connection);
        assert_eq!(answer.status, 200);
        large += u32::from(answer.expect_header("x-waypost-model") == "large");
    }
    // 30 are expected, with a standard deviation of 4.7; the bounds are five of them away.
    assert!((6..=54).contains(&large), "{large} of 120 went to the one of four");
}

#[test]
fn provider_and_model_together_name_one_target() {
    let (here, there) = (Upstream::plain(), Upstream::plain());
    let gateway = Setup::one(&here).provider("other", &there, "").model("small", "other", "tier: weak").start();
    let answer = gateway.chat(&chat("other/small", "hi")).send();
    assert_eq!(answer.expect_header("x-waypost-provider"), "other");
    assert_eq!((here.requests(), there.requests()), (0, 1));
}

#[test]
fn a_path_that_is_not_served_is_not_proxied() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream).start();
    gateway.post("/v1/images/generations", &chat("small", "hi")).send().must_be_error(404, "not_proxied");
    gateway.get("/v1/files").send().must_be_error(404, "not_proxied");
    upstream.must_be_untouched();
}

const STAYS_HOME: &str = "policy: default\nrules:\n  - name: stays-home\n    when: labels[\"data-class\"] == \"personal\"\n    \
                          require: { location.countries: { in: [FR] } }\n  - name: no-vectors-for-dev\n    \
                          when: labels[\"purpose\"] == \"dev\" && request.operation == \"embeddings\"\n    \
                          forbid: { model.kind: { in: [embedding] } }\nobjective: { minimise: cost }\n";

#[test]
fn what_policy_would_refuse_to_whatever_a_key_asks_is_not_listed() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let [plain, personal, floored, dev] = [(); 4].map(|()| VirtualKey::create());
    let keys = [
        plain.entry("plain", "tenant: open"),
        personal.entry("personal", "tenant: open, labels: { data-class: personal }"),
        floored.entry("floored", "tenant: careful"),
        dev.entry("dev", "tenant: open, labels: { purpose: dev }"),
    ];
    let gateway = Setup::own_and_paid(&own, &paid)
        .model("vectors", "own", "kind: embedding, tier: mid")
        .section("labels: { data-class: { order: [public, personal], default: public }, purpose: { values: [dev] } }")
        .section("tenants: [{ name: open }, { name: careful, floor: { data-class: personal } }]")
        .section(
            "aliases: [{ name: either, targets: [{ model: small }, { model: large }] }, \
             { name: away, targets: [{ model: large }] }]",
        )
        .section(&format!("auth: {{ keys: [{}] }}", keys.join(", ")))
        .policy("default", STAYS_HOME)
        .policy(
            "strict",
            "policy: strict\nextends: default\nrules:\n  - name: nowhere\n    \
                           when: labels[\"data-class\"] == \"personal\"\n    \
                           require: { operator.name: { equals: nobody } }\n",
        )
        .start();
    let every: BTreeSet<String> = [
        "auto",
        "auto/strict",
        "either",
        "away",
        "small",
        "own/small",
        "large",
        "paid/large",
        "vectors",
        "own/vectors",
    ]
    .map(str::to_owned)
    .into();
    let without = |gone: &[&str]| every.iter().filter(|name| !gone.contains(&name.as_str())).cloned().collect();
    let abroad = ["away", "large", "paid/large", "auto/strict"];
    let cases: [(&VirtualKey, BTreeSet<String>); 4] = [
        (&plain, every.clone()),
        (&personal, without(&abroad)),
        (&floored, without(&abroad)),
        (&dev, without(&["vectors", "own/vectors"])),
    ];
    for (key, listed) in cases {
        assert_eq!(ids(&gateway.get("/v1/models").key(&key.secret).send()), listed);
        for name in &every {
            let fetched = gateway.get(&format!("/v1/models/{name}")).key(&key.secret).send();
            assert_eq!(fetched.status == 200, listed.contains(name), "{name}: {}", fetched.text());
            if fetched.status != 200 {
                fetched.must_be_error(404, "model_not_found");
            }
            // What is listed can be asked, and what is not cannot.
            let asked = if name.ends_with("vectors") {
                gateway.post("/v1/embeddings", &json!({ "model": name, "input": "hi" }))
            } else {
                gateway.chat(&chat(name, "hi"))
            };
            let answer = asked.key(&key.secret).send();
            let expected = if listed.contains(name) { 200 } else { 403 };
            assert_eq!(answer.status, expected, "{name}: {}", answer.text());
        }
    }
}

#[test]
fn a_model_that_is_allowed_for_one_operation_only_is_listed() {
    let upstream = Upstream::plain();
    let gateway = Setup::one(&upstream)
        .policy(
            "default",
            "policy: default\nrules:\n  - name: only-messages\n    when: request.operation != \"messages\"\n    \
             require: { operator.name: { equals: nobody } }\nobjective: { minimise: cost }\n",
        )
        .start();
    assert!(ids(&gateway.get("/v1/models").send()).contains("small"));
    gateway.chat(&chat("small", "hi")).send().must_be_error(403, "policy_denied");
}
