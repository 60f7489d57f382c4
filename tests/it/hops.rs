//! Every hop is held to the policy: for each way that a request may take, what is forbidden gets not one byte.
//!
//! `near` is at home in France and may be asked anything; `far` is in the United States and may not have what is personal.
//! Each test also sends what `far` may have, the same way: were that not to arrive, the test would show nothing.

use serde_json::{Value, json};

use crate::harness::{ABROAD, Answer, Gateway, Redis, Setup, Upstream, chat, chat_stream, eventually, free_port, with};

const STAYS_HOME: &str = "policy: default\nrules:\n  - name: stays-home\n    when: labels[\"data-class\"] == \"personal\"\n    \
                          require: { location.countries: { in: [FR] } }\nobjective: { minimise: cost }\n";
/// Nobody outside of France is asked anything.
const ALL_STAYS_HOME: &str = "policy: default\nrules:\n  - name: stays-home\n    \
                              require: { location.countries: { in: [FR] } }\nobjective: { minimise: cost }\n";
const CHEAP: &str = "tier: mid, price: { input: 1, output: 1 }";
const DEAR: &str = "tier: mid, price: { input: 9, output: 9 }";
const PERSONAL: &str = "data-class=personal";
const PUBLIC: &str = "data-class=public";

/// `near` and `far` under the policy; the cheaper is asked first.
fn world(home: &str, abroad: &Upstream, near: &str, far: &str) -> Setup {
    Setup::new()
        .provider_at("home", home, "")
        .model("near", "home", near)
        .provider("abroad", abroad, ABROAD)
        .model("far", "abroad", far)
        .policy("default", STAYS_HOME)
}

/// What has ever come to an upstream: requests, bytes, connections.
fn arrived(upstream: &Upstream) -> (u64, u64, u64) {
    let stats = upstream.stats();
    (stats.requests, stats.bytes_in, stats.connections)
}

fn provider(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.expect_header("x-waypost-provider")
}

fn denied(answer: &Answer) {
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert!(answer.text().contains("stays-home"), "the rule is named: {}", answer.text());
}

/// A body for each format, to this model.
fn asks(model: &str) -> [(&'static str, Value); 4] {
    let messages = json!([{ "role": "user", "content": "hi" }]);
    [
        ("/v1/chat/completions", json!({ "model": model, "messages": messages })),
        ("/v1/completions", json!({ "model": model, "prompt": "hi" })),
        ("/v1/responses", json!({ "model": model, "input": "hi" })),
        ("/v1/messages", json!({ "model": model, "max_tokens": 9, "messages": messages })),
    ]
}

#[test]
fn the_first_choice_is_never_a_forbidden_target_however_cheap() {
    let (home, abroad) = (Upstream::plain(), Upstream::plain());
    let gateway = world(&home.origin(), &abroad, DEAR, CHEAP).start();
    for stream in [false, true] {
        for (path, body) in asks("auto") {
            let body = with(body, "stream", json!(stream));
            let answer = gateway.post(path, &body).labels(PERSONAL).send();
            assert_eq!(provider(&answer), "home", "{path}");
        }
    }
    abroad.must_be_untouched();
    assert_eq!(provider(&gateway.chat(&chat("auto", "hi")).labels(PUBLIC).send()), "abroad");
    assert_eq!(abroad.requests(), 1);
}

#[test]
fn a_retry_stays_where_it_is() {
    let (home, abroad) = (Upstream::that("text: hi, status: 503, fail_first: 2"), Upstream::plain());
    let retry = "retry: { attempts: 3, budget: 1.0 }";
    let gateway = world(&home.origin(), &abroad, CHEAP, DEAR).section(retry).start();
    let answer = gateway.chat(&chat("auto", "hi")).labels(PERSONAL).send();
    assert_eq!((provider(&answer), answer.expect_header("x-waypost-attempts")), ("home", "3"));
    assert_eq!(home.requests(), 3);
    abroad.must_be_untouched();
    // The same failures with nothing personal in it: once the tries are over, the next one is asked.
    let home = Upstream::that("status: 503");
    let gateway = world(&home.origin(), &abroad, CHEAP, DEAR).section(retry).start();
    assert_eq!(provider(&gateway.chat(&chat("auto", "hi")).labels(PUBLIC).send()), "abroad");
}

#[test]
fn a_fallback_ends_where_only_a_forbidden_target_is_left() {
    for how in
        ["status: 500", "status: 401", "status: 429", "rst_after: head", "fin_after: head", "text: a b, error_after: 0"]
    {
        let (home, abroad) = (Upstream::that(how), Upstream::plain());
        let gateway = world(&home.origin(), &abroad, CHEAP, DEAR).section("retry: { attempts: 1 }").start();
        for body in [chat("auto", "hi"), chat_stream("auto", "hi")] {
            let answer = gateway.chat(&body).labels(PERSONAL).send();
            assert!([429, 502, 503].contains(&answer.status), "{how}: {}", answer.text());
        }
        assert!(home.requests() > 0, "{how}");
        abroad.must_be_untouched();
        let answer = gateway.chat(&chat_stream("auto", "hi")).labels(PUBLIC).send();
        assert_eq!(provider(&answer), "abroad", "{how}");
    }
}

#[test]
fn a_dead_primary_and_one_that_is_known_to_fail_open_no_border() {
    let abroad = Upstream::plain();
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let gateway = world(&nobody, &abroad, CHEAP, DEAR).section("retry: { attempts: 1 }").start();
    // After some failures it is not even asked any more, and what is left is still forbidden.
    let mut statuses = Vec::new();
    while statuses.last() != Some(&503) {
        assert!(statuses.len() < 100, "after some failures it is left alone: {statuses:?}");
        statuses.push(gateway.chat(&chat("auto", "hi")).labels(PERSONAL).send().status);
    }
    assert_eq!(statuses[0], 502);
    abroad.must_be_untouched();
    assert_eq!(provider(&gateway.chat(&chat("auto", "hi")).labels(PUBLIC).send()), "abroad");
}

#[test]
fn a_forbidden_target_is_not_reached_by_its_name() {
    let (home, abroad) = (Upstream::plain(), Upstream::plain());
    let gateway = world(&home.origin(), &abroad, CHEAP, DEAR).start();
    for model in ["far", "abroad/far"] {
        for (path, body) in asks(model) {
            for body in [body.clone(), with(body, "stream", json!(true))] {
                denied(&gateway.post(path, &body).labels(PERSONAL).send());
            }
        }
    }
    abroad.must_be_untouched();
    home.must_be_untouched();
    for (path, body) in asks("abroad/far") {
        assert_eq!(provider(&gateway.post(path, &body).labels(PUBLIC).send()), "abroad", "{path}");
    }
    assert_eq!(abroad.requests(), 4);
}

#[test]
fn an_alias_gives_a_forbidden_target_no_share() {
    let (home, abroad) = (Upstream::plain(), Upstream::plain());
    let pick = "aliases: [{ name: pick, targets: [{ model: near, weight: 1 }, { model: far, weight: 4000000000 }] }, \
                { name: away, targets: [{ model: far }] }]";
    let gateway = world(&home.origin(), &abroad, CHEAP, DEAR).section(pick).start();
    for _ in 0..20 {
        assert_eq!(provider(&gateway.chat(&chat("pick", "hi")).labels(PERSONAL).send()), "home");
    }
    denied(&gateway.chat(&chat("away", "hi")).labels(PERSONAL).send());
    abroad.must_be_untouched();
    assert_eq!(provider(&gateway.chat(&chat("pick", "hi")).labels(PUBLIC).send()), "abroad");
    assert_eq!(provider(&gateway.chat(&chat("away", "hi")).labels(PUBLIC).send()), "abroad");
}

/// A request whose answer may be kept, whatever its class.
fn exact() -> Value {
    with(chat("auto", "hi"), "temperature", json!(0))
}

const KEPT: &str = "cache: { exact: on, max_data_class: secret }";

/// Asks until the answer comes from the cache.
fn hit(gateway: &Gateway) -> Answer {
    eventually("a hit", || {
        let answer = gateway.chat(&exact()).send();
        assert_eq!(answer.status, 200, "{}", answer.text());
        (answer.expect_header("x-waypost-cache") == "hit").then_some(answer)
    })
}

/// The first answer is the near one's, asked anew, and from then on kept.
fn is_asked_anew_at_home(gateway: &Gateway) {
    let answer = gateway.chat(&exact()).send();
    assert_eq!((provider(&answer), answer.expect_header("x-waypost-cache")), ("home", "miss"), "{}", answer.text());
    assert_eq!(answer.said(), "from home");
    assert_eq!(hit(gateway).said(), "from home");
}

#[test]
fn a_kept_answer_is_not_used_once_a_tighter_policy_forbids_its_target() {
    let (home, abroad) = (Upstream::that("text: from home"), Upstream::that("text: from abroad"));
    let gateway = world(&home.origin(), &abroad, DEAR, CHEAP).section(KEPT).start();
    assert_eq!(hit(&gateway).said(), "from abroad");
    let before = arrived(&abroad);
    std::fs::write(gateway.file("policies/default.yaml"), ALL_STAYS_HOME).unwrap();
    assert_eq!(gateway.admin("POST", "/admin/reload").send().status, 200);
    is_asked_anew_at_home(&gateway);
    denied(&gateway.chat(&with(exact(), "model", json!("far"))).send());
    assert_eq!(arrived(&abroad), before);
}

/// Under one and the same policy, `abroad` as it stands at home and as it does not.
fn moved(home: &Upstream, abroad: &Upstream, facts: &str) -> Setup {
    Setup::new()
        .provider("home", home, "")
        .model("near", "home", DEAR)
        .provider("abroad", abroad, facts)
        .model("far", "abroad", CHEAP)
        .policy("default", ALL_STAYS_HOME)
        .section(KEPT)
}

#[test]
fn a_kept_answer_is_not_used_once_its_target_is_known_to_be_elsewhere() {
    let (home, abroad) = (Upstream::that("text: from home"), Upstream::that("text: from abroad"));
    let gateway = moved(&home, &abroad, "").start();
    assert_eq!(hit(&gateway).said(), "from abroad");
    // Another configuration under which it may still be asked leaves the answer in use.
    assert_eq!(gateway.reload(&moved(&home, &abroad, "timeouts: { idle: 50s }").text()).status, 200);
    let kept = gateway.chat(&exact()).send();
    assert_eq!((kept.expect_header("x-waypost-cache"), kept.said().as_str()), ("hit", "from abroad"));
    // The policy's file is the same to the byte, and so is the key of the kept answer: only the target is out.
    let before = arrived(&abroad);
    assert_eq!(gateway.reload(&moved(&home, &abroad, ABROAD).text()).status, 200);
    is_asked_anew_at_home(&gateway);
    assert_eq!(arrived(&abroad), before);
}

#[test]
fn a_kept_answer_in_a_shared_store_does_not_outlive_its_targets_permission_by_a_restart() {
    let (redis, home, abroad) =
        (Redis::start(), Upstream::that("text: from home"), Upstream::that("text: from abroad"));
    let store = format!("store: {{ url: \"{}\", deadline: 2s }}", redis.url());
    let mut first = moved(&home, &abroad, "").section(&store).start();
    assert_eq!(hit(&first).said(), "from abroad");
    first.terminate();
    let before = arrived(&abroad);
    let again = moved(&home, &abroad, ABROAD).section(&store).start();
    is_asked_anew_at_home(&again);
    assert_eq!(arrived(&abroad), before);
}

/// A cached answer was given for what was public; who asks the same as personal is judged for itself.
#[test]
fn a_kept_answer_of_a_forbidden_target_is_none_for_a_request_of_another_class() {
    let (home, abroad) = (Upstream::that("text: from home"), Upstream::that("text: from abroad"));
    let gateway = world(&home.origin(), &abroad, DEAR, CHEAP).section(KEPT).start();
    assert_eq!(hit(&gateway).said(), "from abroad");
    let before = arrived(&abroad);
    let answer = gateway.chat(&exact()).labels(PERSONAL).send();
    assert_eq!((provider(&answer), answer.said().as_str()), ("home", "from home"));
    assert_eq!(arrived(&abroad), before);
}

#[test]
fn embeddings_fall_back_to_the_same_model_only_and_only_where_it_is_allowed() {
    let (home, abroad, other) = (Upstream::that("status: 500"), Upstream::plain(), Upstream::plain());
    let gateway = Setup::new()
        .provider("home", &home, "")
        .model("vectors", "home", "kind: embedding, tier: mid, price: { input: 1, output: 0 }")
        .provider("abroad", &abroad, ABROAD)
        .model("vectors", "abroad", "kind: embedding, tier: mid, price: { input: 2, output: 0 }")
        .provider("other", &other, "")
        .model("other-vectors", "other", "kind: embedding, tier: mid, price: { input: 3, output: 0 }")
        .section(
            "aliases: [{ name: any, targets: [{ model: vectors@home, weight: 4000000000 }, { model: other-vectors, weight: 1 }] }]",
        )
        .section("retry: { attempts: 1 }")
        .policy("default", STAYS_HOME)
        .start();
    let ask = |model: &str, labels: &str| {
        gateway.post("/v1/embeddings", &json!({ "model": model, "input": "hi" })).labels(labels).send()
    };
    assert_eq!(ask("vectors", PERSONAL).status, 502);
    assert_eq!(ask("any", PERSONAL).status, 502, "another model's vectors are no answer");
    denied(&ask("abroad/vectors", PERSONAL));
    abroad.must_be_untouched();
    other.must_be_untouched();
    assert_eq!(provider(&ask("vectors", PUBLIC)), "abroad");
    assert_eq!(provider(&ask("other-vectors", PERSONAL)), "other");
}

#[test]
fn to_count_the_tokens_of_a_prompt_is_to_send_it() {
    let (home, abroad) = (Upstream::plain(), Upstream::plain());
    let counts = format!("kind: anthropic, credentials: [{{ api_key: k }}], {ABROAD}");
    let gateway = Setup::one(&home)
        .provider("abroad", &abroad, &counts)
        .model("claude", "abroad", CHEAP)
        .section("aliases: [{ name: both, targets: [{ model: claude, weight: 9 }, { model: small, weight: 1 }] }]")
        .policy("default", STAYS_HOME)
        .start();
    let count = |model: &str, labels: &str| {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] });
        gateway.post("/v1/messages/count_tokens", &body).labels(labels).send()
    };
    denied(&count("claude", PERSONAL));
    denied(&count("abroad/claude", PERSONAL));
    for model in ["both", "auto"] {
        let estimate = count(model, PERSONAL);
        assert_eq!((estimate.status, estimate.header("x-waypost-estimated")), (200, Some("true")), "{model}");
    }
    assert_eq!(count("auto", PUBLIC).header("x-waypost-estimated"), Some("true"), "`auto` is never sent to be counted");
    abroad.must_be_untouched();
    home.must_be_untouched();
    let counted = count("claude", PUBLIC);
    assert_eq!((counted.status, counted.header("x-waypost-estimated")), (200, None), "{}", counted.text());
    assert_eq!(abroad.requests(), 1);
}

#[test]
fn a_dry_run_and_the_list_of_models_ask_nobody() {
    let (home, abroad) = (Upstream::plain(), Upstream::plain());
    let gateway = world(&home.origin(), &abroad, CHEAP, DEAR).start();
    for labels in [PERSONAL, PUBLIC] {
        for model in ["auto", "far", "near"] {
            assert_eq!(gateway.post("/v1/route", &chat(model, "hi")).labels(labels).send().status, 200);
        }
    }
    assert_eq!(gateway.get("/v1/models").send().status, 200);
    assert_eq!(gateway.get("/v1/models/far").send().status, 200);
    home.must_be_untouched();
    abroad.must_be_untouched();
    assert_eq!(provider(&gateway.chat(&chat("far", "hi")).send()), "abroad");
}

/// The first two requests of a tool loop.
fn tool_loop(question: &str) -> (Value, Value) {
    let tools = json!([{ "type": "function", "function": { "name": "add", "parameters": { "type": "object" } } }]);
    let question = json!({ "role": "user", "content": question });
    let arguments = json!({ "a": 1 }).to_string();
    let call = json!({ "id": "c1", "type": "function", "function": { "name": "add", "arguments": arguments } });
    let said = json!({ "role": "assistant", "content": null, "tool_calls": [call] });
    let result = json!({ "role": "tool", "tool_call_id": "c1", "content": "2" });
    let first = with(with(chat("auto", ""), "messages", json!([question])), "tools", tools);
    let second = with(first.clone(), "messages", json!([question, said, result]));
    (first, second)
}

#[test]
fn a_tool_loop_leaves_the_target_that_began_it_once_that_is_forbidden() {
    let call = "tool_calls: [{ name: add, arguments: { a: 1 }, id: c1 }]";
    let (home, abroad) = (Upstream::that(call), Upstream::that(call));
    let gateway = world(&home.origin(), &abroad, DEAR, CHEAP).start();
    let (first, second) = tool_loop("add");
    assert_eq!(provider(&gateway.chat(&first).send()), "abroad");
    // What the tool gave is personal, so who asked for it may not have it.
    let before = arrived(&abroad);
    assert_eq!(provider(&gateway.chat(&second).labels(PERSONAL).send()), "home");
    assert_eq!(arrived(&abroad), before);

    let (first, second) = tool_loop("add again");
    assert_eq!(provider(&gateway.chat(&first).send()), "abroad");
    let goes_on = gateway.chat(&second).send();
    assert_eq!((provider(&goes_on), goes_on.expect_header("x-waypost-reason")), ("abroad", "pinned"));
    let before = arrived(&abroad);
    std::fs::write(gateway.file("policies/default.yaml"), ALL_STAYS_HOME).unwrap();
    assert_eq!(gateway.admin("POST", "/admin/reload").send().status, 200);
    assert_eq!(provider(&gateway.chat(&second).send()), "home", "a policy that was loaded since holds too");
    assert_eq!(arrived(&abroad), before);
}

#[test]
fn a_conversation_leaves_its_warm_cache_where_that_is_forbidden() {
    let home = Upstream::that("fail_first: 1, status: 503");
    let abroad = Upstream::that("prompt_tokens: 10000, cached_tokens: 9500, completion_tokens: 5");
    let setup = Setup::new()
        .provider("home", &home, "")
        .model("near", "home", "tier: mid, price: { input: 2, output: 2 }")
        .provider("abroad", &abroad, ABROAD)
        .model("far", "abroad", "tier: mid, price: { input: 10, output: 10, cached_input: 1 }")
        .section("retry: { attempts: 1 }")
        .policy("default", STAYS_HOME);
    let gateway = setup.start();
    let beginning = json!({ "role": "user", "content": "word ".repeat(8000) });
    let more = [json!({ "role": "assistant", "content": "Yes." }), json!({ "role": "user", "content": "And then?" })];
    let first = json!({ "model": "auto", "messages": [beginning], "max_tokens": 10 });
    let second = with(first.clone(), "messages", json!([beginning, more[0], more[1]]));
    assert_eq!(provider(&gateway.chat(&first).send()), "abroad", "by the other's failure");

    let before = arrived(&abroad);
    let kept_home = gateway.chat(&second).labels(PERSONAL).send();
    assert_eq!(provider(&kept_home), "home");
    assert_ne!(kept_home.expect_header("x-waypost-reason"), "sticky");
    assert_eq!(arrived(&abroad), before);

    // With nothing personal in it, the conversation would have stayed: the same again from its beginning.
    let home = Upstream::that("fail_first: 1, status: 503");
    let gateway = Setup::new()
        .provider("home", &home, "")
        .model("near", "home", "tier: mid, price: { input: 2, output: 2 }")
        .provider("abroad", &abroad, ABROAD)
        .model("far", "abroad", "tier: mid, price: { input: 10, output: 10, cached_input: 1 }")
        .section("retry: { attempts: 1 }")
        .policy("default", STAYS_HOME)
        .start();
    assert_eq!(provider(&gateway.chat(&first).send()), "abroad");
    let stays = gateway.chat(&second).send();
    assert_eq!((provider(&stays), stays.expect_header("x-waypost-reason")), ("abroad", "sticky"));
}

#[test]
fn an_allowed_target_cannot_send_a_request_on_to_a_forbidden_one() {
    let abroad = Upstream::plain();
    for status in [300, 301, 302, 303, 307, 308, 401, 421, 503] {
        let there = abroad.origin();
        let behaviour = format!(
            "status: {status}, headers: {{ location: \"{there}/v1/chat/completions\", alt-svc: 'h2=\"{}\"', \
             content-location: \"{there}\", refresh: \"0; url={there}\", link: \"<{there}/>; rel=next\" }}",
            there.trim_start_matches("http://")
        );
        let home = Upstream::that(&behaviour);
        let gateway =
            world(&home.origin(), &abroad, CHEAP, DEAR).section("retry: { attempts: 2, budget: 1.0 }").start();
        for body in [chat("auto", "hi"), chat_stream("near", "hi"), chat("home/near", "hi")] {
            let answer = gateway.chat(&body).labels(PERSONAL).send();
            assert!(answer.status >= 400, "{status}: {}", answer.text());
        }
        assert!(home.requests() > 0);
    }
    abroad.must_be_untouched();
    let home = Upstream::plain();
    let gateway = world(&home.origin(), &abroad, CHEAP, DEAR).start();
    assert_eq!(provider(&gateway.chat(&chat("far", "hi")).send()), "abroad", "it would have answered");
}

#[test]
fn a_narrower_policy_that_a_request_asks_for_holds_and_a_wider_one_cannot_be_had() {
    let (home, abroad) = (Upstream::plain(), Upstream::plain());
    let strict = "policy: strict\nextends: default\nrules:\n  - name: never-abroad\n    \
                  forbid: { location.countries: { in: [US] } }\n";
    let wide = "policy: wide\nobjective: { minimise: cost }\n";
    let gateway = world(&home.origin(), &abroad, DEAR, CHEAP).policy("strict", strict).policy("wide", wide).start();
    let under = |policy: &str, model: &str| gateway.chat(&chat(model, "hi")).header("x-waypost-policy", policy);
    assert!(under("strict", "far").send().must_be_error(403, "policy_denied").contains("never-abroad"));
    assert_eq!(provider(&under("strict", "auto").send()), "home");
    assert_eq!(provider(&gateway.chat(&chat("auto/strict", "hi")).send()), "home");
    for model in ["far", "auto"] {
        under("wide", model).labels(PERSONAL).send().must_be_error(403, "permission_denied");
    }
    gateway.chat(&chat("auto/wide", "hi")).labels(PERSONAL).send().must_be_error(403, "permission_denied");
    denied(&under("default", "far").labels(PERSONAL).send());
    abroad.must_be_untouched();
    assert_eq!(provider(&under("default", "auto").send()), "abroad");
}

#[test]
fn what_only_a_forbidden_target_could_run_or_keep_is_refused() {
    let (home, abroad) = (Upstream::plain(), Upstream::plain());
    let able = format!("{CHEAP}, supports: [server_tools, state]");
    let gateway = world(&home.origin(), &abroad, DEAR, &able).start();
    let search = with(chat("auto", "hi"), "web_search_options", json!({}));
    let keep = with(chat("auto", "hi"), "store", json!(true));
    for body in [&search, &keep] {
        denied(&gateway.chat(body).labels(PERSONAL).send());
        // What states it not is never asked, and so are both together.
        gateway.chat(&with(body.clone(), "model", json!("near"))).send().must_be_error(400, "server_tool_denied");
    }
    home.must_be_untouched();
    abroad.must_be_untouched();
    for body in [&search, &keep] {
        assert_eq!(provider(&gateway.chat(body).labels(PUBLIC).send()), "abroad");
    }
}

#[test]
fn a_picture_goes_only_where_what_nobody_here_can_read_may_go() {
    let (home, abroad) = (Upstream::plain(), Upstream::plain());
    let sees = "supports: [images]";
    let gateway = world(&home.origin(), &abroad, &format!("{DEAR}, {sees}"), &format!("{CHEAP}, {sees}"))
        .section("tenants: [{ name: default, unscanned_as: personal }]")
        .start();
    let url = "data:image/png;base64,iVBORw0KGgo=";
    let parts = json!([{ "type": "text", "text": "hi" }, { "type": "image_url", "image_url": { "url": url } }]);
    let picture = |model: &str| json!({ "model": model, "messages": [{ "role": "user", "content": parts }] });
    let block =
        json!([{ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" } }]);
    let message = json!({ "model": "far", "max_tokens": 9, "messages": [{ "role": "user", "content": block }] });
    let input = json!([{ "role": "user", "content": [{ "type": "input_image", "image_url": url }] }]);
    denied(&gateway.chat(&picture("far")).send());
    denied(&gateway.post("/v1/messages", &message).send());
    denied(&gateway.post("/v1/responses", &json!({ "model": "far", "input": input })).send());
    assert_eq!(provider(&gateway.chat(&picture("auto")).labels(PUBLIC).send()), "home");
    abroad.must_be_untouched();
    assert_eq!(provider(&gateway.chat(&chat("auto", "hi")).send()), "abroad", "words go there");
    // And where a tenant says nothing of the kind, pictures do.
    let open = world(&home.origin(), &abroad, &format!("{DEAR}, {sees}"), &format!("{CHEAP}, {sees}")).start();
    assert_eq!(provider(&open.chat(&picture("auto")).send()), "abroad");
}
