//! Which policy judges a request, what its rules see of it, and what a provider that keeps nothing is told.

use serde_json::{Value, json};

use crate::harness::{Gateway, Setup, Upstream, VirtualKey, chat, chat_stream, waypost, with};

const BASE: &str = "policy: base\nrules:\n  - name: no-cn\n    forbid: { operator.jurisdictions: { in: [CN] } }\n\
                    objective: { minimise: cost, max_cost_usd: 0.5 }\n";
const STRICT: &str = "policy: strict\nextends: base\nrules:\n  - name: at-home\n    \
                      require: { location.countries: { in: EEA } }\n";
const STRICTER: &str = "policy: stricter\nextends: strict\nrules:\n  - name: nowhere\n    \
                        require: { operator.name: { equals: nobody } }\n";
const OTHER: &str = "policy: default\nobjective: { minimise: cost }\n";

/// Tenant `default` under `base`, with two policies that extend it and one that does not.
fn family(own: &Upstream, paid: &Upstream) -> Setup {
    Setup::own_and_paid(own, paid)
        .policy("z-base", BASE)
        .policy("a-stricter", STRICTER)
        .policy("b-strict", STRICT)
        .policy("other", OTHER)
        .section("tenants: [{ name: default, policy: base }]")
}

fn one_rule(rule: &str) -> String {
    format!("policy: default\nrules:\n  - name: the-rule\n    {rule}\nobjective: {{ minimise: cost }}\n")
}

#[test]
fn a_request_may_be_judged_by_a_policy_that_extends_its_own() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let gateway = family(&own, &paid).start();
    assert_eq!(gateway.chat(&chat("large", "hi")).send().status, 200, "its own policy lets it go abroad");
    let sent = paid.requests();

    let narrow = gateway.chat(&chat("large", "hi")).header("x-waypost-policy", "strict").send();
    assert!(narrow.must_be_error(403, "policy_denied").contains("at-home"), "{}", narrow.text());
    let auto = gateway.chat(&chat("auto/strict", "hi")).send();
    assert_eq!((auto.status, auto.expect_header("x-waypost-provider")), (200, "own"));
    let decision = gateway.decision_of(&auto);
    assert_eq!(decision["policy"]["name"], "strict");
    // A grandchild has the rules of both, and a wish in the name and one in the header come to the narrower.
    for (model, header) in [("auto/stricter", None), ("auto/strict", Some("stricter")), ("auto/stricter", Some("base"))]
    {
        let mut request = gateway.chat(&chat(model, "hi"));
        if let Some(header) = header {
            request = request.header("x-waypost-policy", header);
        }
        let message = request.send().must_be_error(403, "policy_denied");
        assert!(message.contains("`stricter`") && message.contains("nowhere"), "{message}");
    }
    assert_eq!(paid.requests(), sent, "nothing more went abroad");
}

#[test]
fn a_policy_that_is_not_ones_own_and_one_that_is_not_there_look_the_same() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let gateway = family(&own, &paid).section("auth: { open: loopback }").start();
    let refusal = |name: &str| {
        let by_header = gateway.chat(&chat("auto", "hi")).header("x-waypost-policy", name).send();
        let by_name = gateway.chat(&chat(&format!("auto/{name}"), "hi")).send();
        let said = by_header.must_be_error(403, "permission_denied");
        assert_eq!(said, by_name.must_be_error(403, "permission_denied"));
        said.replace(name, "NAME")
    };
    assert_eq!(refusal("default"), refusal("nonesuch"));
    own.must_be_untouched();
    paid.must_be_untouched();
}

#[test]
fn a_key_that_may_not_ask_for_auto_learns_of_no_policy() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (named, narrow) = (VirtualKey::create(), VirtualKey::create());
    let keys = [named.entry("named", "models: [small]"), narrow.entry("narrow", "models: [\"auto/strict\"]")];
    let gateway = family(&own, &paid).section(&format!("auth: {{ keys: [{}] }}", keys.join(", "))).start();
    for model in ["auto/strict", "auto/default", "auto/nonesuch", "auto"] {
        gateway.chat(&chat(model, "hi")).key(&named.secret).send().must_be_error(404, "model_not_found");
    }
    let ask = |model: &str| gateway.chat(&chat(model, "hi")).key(&narrow.secret).send();
    assert_eq!(ask("auto/strict").status, 200, "a key may be held to a narrower policy");
    for model in ["auto", "auto/base", "auto/default", "auto/nonesuch", "auto/stricter"] {
        ask(model).must_be_error(404, "model_not_found");
    }
}

#[test]
fn the_models_list_names_the_policies_that_extend_ones_own() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let key = VirtualKey::create();
    let entry = key.entry("k", "models: [small]");
    let gateway = family(&own, &paid).section(&format!("auth: {{ open: loopback, keys: [{entry}] }}")).start();
    let ids = |answer: Value| -> Vec<String> {
        let models = answer["data"].as_array().unwrap().clone();
        models
            .iter()
            .map(|model| model["id"].as_str().unwrap().to_owned())
            .filter(|id| id.starts_with("auto"))
            .collect()
    };
    // One under which nothing is allowed is of no use.
    assert_eq!(ids(gateway.get("/v1/models").send().json()), ["auto", "auto/strict"]);
    assert_eq!(gateway.get("/v1/models/auto/stricter").send().status, 404);
    assert_eq!(gateway.get("/v1/models/auto/strict").send().status, 200);
    assert_eq!(gateway.get("/v1/models/auto/default").send().status, 404);
    assert_eq!(ids(gateway.get("/v1/models").key(&key.secret).send().json()), Vec::<String>::new());
}

#[test]
fn a_child_that_loosens_is_refused_before_anything_runs() {
    let upstream = Upstream::plain();
    let loose = "policy: loose\nextends: base\nobjective: { minimise: cost, max_cost_usd: 0.6 }\n";
    let (folder, config) = family(&upstream, &upstream).policy("loose", loose).write();
    let checked = waypost(&["check", "--config", config.to_str().unwrap()], &[]);
    assert_eq!(checked.code, 1, "{checked}");
    let said = checked.all();
    assert!(said.contains("loose.yaml:3:44") && said.contains("max_cost_usd loosens what `base` asks for"), "{said}");
    assert!(said.contains("write at most 0.5"), "{said}");
    drop(folder);
}

/// Requests for `large`, abroad, of which the one named must not arrive.
fn only_refused(gateway: &Gateway, paid: &Upstream, refused: &[Value], sent: &[Value]) {
    for body in sent {
        let answer = gateway.chat(body).send();
        assert_eq!(answer.status, 200, "{body}: {}", answer.text());
    }
    let before = paid.requests();
    for body in refused {
        let message = gateway.chat(body).send().must_be_error(403, "policy_denied");
        assert!(message.contains("the-rule"), "{message}");
    }
    assert_eq!(paid.requests(), before, "what was refused was not sent");
}

#[test]
fn a_rule_sees_what_is_asked_for() {
    let picture = json!([{ "role": "user", "content": [{ "type": "text", "text": "what is this" },
        { "type": "image_url", "image_url": { "url": "data:image/png;base64,AA==" } }] }]);
    let tool = json!([{ "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } }]);
    let plain = chat("large", "hi");
    let with_picture = with(plain.clone(), "messages", picture);
    let with_tool = with(plain.clone(), "tools", tool);
    let long = chat("large", &"word ".repeat(400));
    let stream = chat_stream("large", "hi");
    for (when, refused, sent) in [
        ("request.media", vec![&with_picture], vec![&plain, &with_tool]),
        ("request.unscanned && request.operation == 'chat'", vec![&with_picture], vec![&plain]),
        ("request.tools", vec![&with_tool], vec![&plain, &with_picture]),
        ("request.input_tokens > 100", vec![&long], vec![&plain]),
        ("request.stream", vec![&stream], vec![&plain]),
        ("request.model == 'large'", vec![&plain], vec![]),
        // It applies to a request that chooses nothing, so no choice gets around it.
        ("!request.stream", vec![&plain, &stream], vec![]),
        ("request.model != 'large'", vec![&plain], vec![]),
    ] {
        let (own, paid) = (Upstream::plain(), Upstream::plain());
        let rule = one_rule(&format!("when: \"{when}\"\n    require: {{ location.countries: {{ in: EEA }} }}"));
        let supports = "tier: strong, price: { input: 5, output: 50 }, supports: [tools, images]";
        let gateway = Setup::one(&own)
            .provider("paid", &paid, crate::harness::ABROAD)
            .model("large", "paid", supports)
            .policy("default", &rule)
            .start();
        let (refused, sent): (Vec<Value>, Vec<Value>) =
            (refused.into_iter().cloned().collect(), sent.into_iter().cloned().collect());
        only_refused(&gateway, &paid, &refused, &sent);
    }
}

#[test]
fn a_rule_sees_who_asks_and_by_which_path() {
    let (own, paid) = (Upstream::plain(), Upstream::plain());
    let (searching, other) = (VirtualKey::create(), VirtualKey::create());
    let keys = [searching.entry("k1", "team: search"), other.entry("k2", "")];
    let rule = "when: \"tenant.team == 'search' || key.id == 'k2' && request.operation == 'count_tokens'\"\n    \
                require: { location.countries: { in: EEA } }";
    let gateway = Setup::own_and_paid(&own, &paid)
        .policy("default", &one_rule(rule))
        .section(&format!("auth: {{ keys: [{}] }}", keys.join(", ")))
        .start();
    let message = json!({ "model": "large", "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }] });
    let ask = |path: &str, key: &VirtualKey| gateway.post(path, &message).key(&key.secret).send();
    assert_eq!(ask("/v1/chat/completions", &searching).status, 403);
    assert_eq!(ask("/v1/messages", &searching).status, 403);
    assert_eq!(ask("/v1/messages/count_tokens", &other).status, 403);
    paid.must_be_untouched();
    assert_eq!(ask("/v1/messages", &other).status, 200);
    assert_eq!(ask("/v1/chat/completions", &other).status, 200);
}

#[test]
fn server_tools_and_state_go_only_where_they_are_stated_in_every_format() {
    let (own, able) = (Upstream::plain(), Upstream::plain());
    let gateway = Setup::one(&own)
        .provider("able", &able, "")
        .model("big", "able", "tier: strong, supports: [server_tools, state, images, documents]")
        .start();
    let message = json!([{ "role": "user", "content": "hi" }]);
    let chats = |field: &str, value: Value| with(json!({ "model": "small", "messages": message }), field, value);
    let responses = |field: &str, value: Value| with(json!({ "model": "small", "input": "hi" }), field, value);
    let messages = |field: &str, value: Value| {
        with(json!({ "model": "small", "max_tokens": 9, "messages": message }), field, value)
    };
    let file = json!([{ "role": "user", "content": [{ "type": "file", "file": { "file_id": "file-1" } }] }]);
    let document =
        json!([{ "role": "user", "content": [{ "type": "document", "source": { "type": "file", "file_id": "f" } }] }]);
    let cases = [
        ("/v1/chat/completions", "web_search_options", chats("web_search_options", json!({}))),
        ("/v1/chat/completions", "code_interpreter", chats("tools", json!([{ "type": "code_interpreter" }]))),
        ("/v1/chat/completions", "models", chats("models", json!(["another/model"]))),
        ("/v1/chat/completions", "enable_search", chats("enable_search", json!(true))),
        ("/v1/chat/completions", "store", chats("store", json!(true))),
        ("/v1/chat/completions", "deferred", chats("deferred", json!(true))),
        ("/v1/chat/completions", "file_id", chats("messages", file)),
        ("/v1/responses", "web_search", responses("tools", json!([{ "type": "web_search" }]))),
        ("/v1/responses", "file_search", responses("tools", json!([{ "type": "file_search" }]))),
        ("/v1/responses", "mcp", responses("tools", json!([{ "type": "mcp", "server_url": "https://x.example" }]))),
        ("/v1/responses", "computer_use_preview", responses("tools", json!([{ "type": "computer_use_preview" }]))),
        ("/v1/responses", "background", responses("background", json!(true))),
        ("/v1/responses", "previous_response_id", responses("previous_response_id", json!("resp_1"))),
        ("/v1/responses", "conversation", responses("conversation", json!("conv_1"))),
        ("/v1/responses", "prompt", responses("prompt", json!({ "id": "pmpt_1" }))),
        (
            "/v1/messages",
            "web_search_20250305",
            messages("tools", json!([{ "type": "web_search_20250305", "name": "w" }])),
        ),
        (
            "/v1/messages",
            "mcp_servers",
            messages("mcp_servers", json!([{ "type": "url", "url": "https://x.example" }])),
        ),
        ("/v1/messages", "container", messages("container", json!("c_1"))),
        ("/v1/messages", "messages[0].content[0]", messages("messages", document)),
    ];
    for (path, feature, body) in cases {
        let refused = gateway.post(path, &body).send();
        assert!(refused.status == 400 && refused.text().contains(feature), "{path} {feature}: {}", refused.text());
        if path == "/v1/messages" {
            // The shape has no code; the words are the same.
            assert!(refused.text().contains("to run or keep something on its own"), "{}", refused.text());
        } else {
            refused.must_be_error(400, "server_tool_denied");
        }
        // `auto` has a target that states it.
        let chosen = gateway.post("/v1/route", &with(chats("store", json!(true)), "model", json!("auto"))).send();
        let chosen = chosen.json();
        assert_eq!(
            (&chosen["chosen"], &chosen["candidates"][0]["target"]),
            (&json!(0), &json!("big@able")),
            "{chosen}"
        );
    }
    own.must_be_untouched();
    able.must_be_untouched();
}

#[test]
fn a_provider_that_keeps_nothing_is_told_to_keep_nothing() {
    let said = |upstream: &Upstream| -> Value { serde_json::from_str(&upstream.last_body()).unwrap() };
    let kept = "data: { retention: 30d, trains: false }, location: { countries: [FR] }, \
                operator: { name: self, jurisdictions: [FR] }";
    for (facts, stored) in [
        ("kind: openai, credentials: [{ api_key: k }]".to_owned(), false),
        (format!("kind: openai, credentials: [{{ api_key: k }}], {kept}"), true),
    ] {
        let upstream = Upstream::plain();
        let gateway = Setup::new()
            .provider("own", &upstream, &facts)
            .model("small", "own", "tier: weak, supports: [state]")
            .start();
        let message = json!([{ "role": "user", "content": "hi" }]);
        let body = json!({ "model": "small", "messages": message, "store": true });
        assert_eq!(gateway.chat(&body).send().status, 200);
        assert_eq!(said(&upstream)["store"], stored, "chat, the client asks to keep it");
        assert_eq!(gateway.chat(&chat("small", "hi")).send().status, 200);
        assert_eq!(said(&upstream).get("store"), (!stored).then_some(&json!(false)), "chat, nothing said");

        let body = json!({ "model": "small", "input": "hi", "store": true });
        assert_eq!(gateway.post("/v1/responses", &body).send().status, 200);
        assert_eq!(said(&upstream)["store"], stored, "responses, the client asks to keep it");
        let body = json!({ "model": "small", "input": "hi", "previous_response_id": "resp_1" });
        assert_eq!(gateway.post("/v1/responses", &body).send().status, 200);
        assert_eq!(said(&upstream).get("store"), (!stored).then_some(&json!(false)), "responses, leaning on state");
        let body = json!({ "model": "small", "input": "hi" });
        assert_eq!(gateway.post("/v1/responses", &body).send().status, 200);
        assert_eq!(said(&upstream)["store"], false, "responses without state are never kept");

        let body = json!({ "model": "small", "max_tokens": 9, "messages": message });
        assert_eq!(gateway.post("/v1/messages", &body).send().status, 200);
        assert_eq!(said(&upstream).get("store"), (!stored).then_some(&json!(false)), "translated from Messages");
    }
}

#[test]
fn another_kind_of_provider_is_not_sent_a_member_that_it_may_refuse() {
    let upstream = Upstream::plain();
    let gateway =
        Setup::new().provider("own", &upstream, "").model("small", "own", "tier: weak, supports: [state]").start();
    assert_eq!(gateway.chat(&chat("small", "hi")).send().status, 200);
    assert!(!upstream.last_body().contains("store"), "{}", upstream.last_body());
    assert_eq!(gateway.chat(&with(chat("small", "hi"), "store", json!(true))).send().status, 200);
    let said: Value = serde_json::from_str(&upstream.last_body()).unwrap();
    assert_eq!(said["store"], false, "what the client says is not passed on against the facts");
}
